//! What is asked again: as everybody sees a skill from now on, and as something that was taken back is handed out again.

use super::*;

const VISIBILITY: &str = "/api/v1/skills/acme/tool/visibility";

impl TestApp {
    async fn show_to(&self, token: &str, visibility: &str) {
        self.put(VISIBILITY, token, json!({ "visibility": visibility })).await.is(204);
    }
}

fn public_too() -> Value {
    json!({
        "stages": [{ "name": "review" }, { "name": "security", "group": "security", "when": ["public"] }],
        "auto": { "patches": true },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_no_way_past_what_is_asked_of_public_skills() {
    let app = TestApp::new().await;
    let People { author, rita, rob, sam, ada, .. } = app.company().await;
    app.demand(public_too()).await;
    app.publish_it(&author, "1.0.0", json!({ "visibility": "private" })).await;
    assert_eq!(app.accept(&rita, "1.0.0").await.is(200)["status"], "published");
    assert_eq!(app.publish_it(&author, "1.0.1", json!({})).await["status"], "published");
    assert_eq!(app.last("version.published").await["event"]["passed"][0]["reason"], "patch");
    app.show_to(&ada, "public").await;
    for version in ["1.0.0", "1.0.1"] {
        app.get(&version_path(version)).await.fails(404, "version-not-found");
        assert_eq!(app.standing(&rob, version).await["held_for"], "public");
    }
    app.get("/api/v1/skills/acme/tool/download").await.fails(404, "version-not-found");
    // Nobody has looked at the patch: all stages are asked.
    let standing = app.accept(&rob, "1.0.1").await.is(200);
    let names: Vec<&Value> =
        standing["stages"].as_array().unwrap().iter().map(|stage| &stage["given"]).collect();
    assert_eq!(names, [&json!(["rob"]), &json!([])]);
    assert_eq!(app.accept(&sam, "1.0.1").await.is(200)["status"], "published");
    // Of the other one the first stage is complete.
    assert_eq!(app.accept(&sam, "1.0.0").await.is(200)["status"], "published");
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["version"], "1.0.1");
    // Published now, it waits like any other.
    assert_eq!(app.publish_it(&author, "1.0.2", json!({})).await["status"], "pending");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_yanked_is_asked_for_when_it_comes_back() {
    let app = TestApp::new().await;
    let People { author, rita, rob, ada, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "when": ["public"] })).await;
    for version in ["1.0.0", "1.1.0", "1.2.0", "1.3.0"] {
        assert_eq!(
            app.publish_it(&author, version, json!({ "visibility": "private" })).await["status"],
            "published"
        );
    }
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        app.put(&format!("{}/yank", version_path(version)), &author, json!({ "reason": "a key in it" }))
            .await
            .is(200);
    }
    let quarantine = format!("{}/quarantine", version_path("1.3.0"));
    app.put(&quarantine, ADMIN, json!({ "reason": "sends mails away" })).await.is(200);
    app.show_to(&ada, "public").await;
    assert_eq!(app.count("version.held").await, 0);
    let versions = app.get("/api/v1/skills/acme/tool/versions").await.is(200);
    assert_eq!(versions["latest"], Value::Null);
    let back = |version: &str| format!("{}/yank", version_path(version));
    assert_eq!(app.delete(&back("1.0.0"), &author).await.is(200)["status"], "pending");
    assert_eq!(app.accept(&rita, "1.0.0").await.is(200)["status"], "published");
    // Once asked, it is not asked again.
    app.put(&back("1.0.0"), &author, json!({ "reason": "" })).await.is(200);
    assert_eq!(app.delete(&back("1.0.0"), &author).await.is(200)["status"], "published");
    // What an admin of the registry gives back waits as well.
    assert_eq!(app.delete(&quarantine, ADMIN).await.is(200)["status"], "pending");
    assert_eq!(app.accept(&rob, "1.3.0").await.is(200)["status"], "published");
    // Where nothing is asked any more, nothing waits.
    app.delete("/api/v1/orgs/acme/policy", ADMIN).await.is(200);
    assert_eq!(app.delete(&back("1.1.0"), &author).await.is(200)["status"], "published");
    assert_eq!(app.count("version.held").await, 2);
    app.demand(json!({ "approvals": 1, "when": ["public"] })).await;
    assert_eq!(app.delete(&back("1.2.0"), &author).await.is(200)["status"], "pending");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_versions_wait_at_once_and_those_that_are_ready_do_not() {
    const VERSIONS: usize = 75;
    let app = TestApp::new().await;
    let People { author, rita, rob, ada, .. } = app.company().await;
    for number in 0..VERSIONS {
        app.publish_it(&author, &format!("1.{number}.0"), json!({ "visibility": "private" })).await;
    }
    // Where nobody asks, it is one statement, and nothing is logged but that.
    let size = app.log().await.len();
    for visibility in ["public", "internal", "public", "private"] {
        app.show_to(&ada, visibility).await;
    }
    assert_eq!(app.log().await.len(), size + 4);
    app.demand(json!({ "approvals": 2, "when": ["public"] })).await;
    for (token, version) in [(&rita, "1.7.0"), (&rob, "1.7.0"), (&rita, "1.70.0")] {
        app.accept(token, version).await.is(200);
    }
    app.show_to(&ada, "public").await;
    assert_eq!((app.count("version.held").await, app.count("version.released").await), (VERSIONS, 1));
    let versions = app.get("/api/v1/skills/acme/tool/versions").await.is(200);
    assert_eq!((&versions["total"], &versions["latest"]), (&json!(1), &json!("1.7.0")));
    assert_eq!(app.get("/api/v1/skills/acme/tool/download").await.is(200)["version"], "1.7.0");
    let asked = app.get_as(&rob, "/api/v1/approvals?needs_me=true&limit=2&offset=1").await.is(200);
    assert_eq!((&asked["total"], asked["pending"].as_array().unwrap().len()), (&json!(VERSIONS - 1), 2));
    assert_eq!(app.accept(&rob, "1.70.0").await.is(200)["status"], "published");
    assert_eq!(app.get("/api/v1/skills/acme/tool/download").await.is(200)["version"], "1.70.0");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_becomes_public_in_the_instant_in_which_a_yank_is_taken_back() {
    let app = TestApp::new().await;
    let People { author, rita, ada, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "when": ["public"] })).await;
    for round in 0..6 {
        let id = format!("acme/tool{round}");
        let made = with(skill(&id, "1.0.0"), json!({ "visibility": "private" }));
        app.post("/api/v1/skills", &author, made).await.is(201);
        let path = format!("/api/v1/skills/{id}/versions/1.0.0");
        app.put(&format!("{path}/yank"), &author, json!({ "reason": "" })).await.is(200);
        let yank = format!("{path}/yank");
        let visibility = format!("/api/v1/skills/{id}/visibility");
        let (back, public) = tokio::join!(
            app.delete(&yank, &author),
            app.put(&visibility, &ada, json!({ "visibility": "public" }))
        );
        back.is(200);
        public.is(204);
        // Whichever was first, it waits.
        app.get(&path).await.fails(404, "version-not-found");
        assert_eq!(app.get_as(&rita, &path).await.is(200)["status"], "pending");
    }
    assert_eq!(app.count("version.held").await, 6);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_of_thousands_of_versions_keeps_nobody_else_waiting() {
    const MORE: usize = 3_000;
    let app = TestApp::new().await;
    let People { author, ada, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "when": ["public"] })).await;
    app.publish_it(&author, "1.0.0", json!({ "visibility": "private" })).await;
    app.tamper(format!(
        "INSERT INTO versions (skill, version, status, digest, size, code_hash, description, tags, author, license, files, \
         words, publisher, created_at, log_position) \
         WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {MORE}) \
         SELECT skill, '1.' || number || '.0', status, digest, size, code_hash, description, tags, author, license, files, \
         words, publisher, created_at, log_position FROM versions CROSS JOIN numbers"
    ))
    .await;
    // Within the time that a change of the one writer may take, many times over: what it does grows as the versions do.
    let began = std::time::Instant::now();
    app.show_to(&ada, "public").await;
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    assert_eq!(app.count("version.held").await, MORE + 1);
    assert_eq!(app.get("/api/v1/skills/acme/tool/versions").await.is(200)["total"], 0);
}
