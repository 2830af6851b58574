//! What needs what.

use serde_json::{Value, json};

use super::super::{ADMIN, TestApp, skill};
use super::ids;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_needed_is_found_with_its_versions_and_who_wants_it() {
    let app = TestApp::new().await;
    app.publish("acme/base", "1.0.0").await;
    app.publish("acme/base", "1.4.0").await;
    app.publish("acme/base", "2.0.0").await;
    app.publish_needing("acme/middle", "1.0.0", &["acme/base@^1"]).await;
    app.publish_needing("acme/top", "1.0.0", &["acme/middle@>=1", "acme/base@^1.2", "gone/away@^3"]).await;
    let needed = app.get("/api/v1/skills/acme/top/dependencies").await.is(200);
    insta::assert_json_snapshot!(needed);
    let near = app.get("/api/v1/skills/acme/middle/dependencies?depth=1").await.is(200);
    assert_eq!((&near["total"], &near["dependencies"][0]["version"]), (&json!(1), &json!("1.4.0")));
    let page = app.get("/api/v1/skills/acme/top/dependencies?limit=1&offset=1").await.is(200);
    assert_eq!((&page["total"], ids(&page, "dependencies")), (&json!(3), vec!["acme/middle".to_owned()]));
    app.get("/api/v1/skills/acme/top/dependencies?version=9.9.9").await.fails(404, "version-not-found");
    app.get("/api/v1/skills/acme/top/dependencies?version=one%20two").await.fails(400, "invalid-version");
    app.get("/api/v1/skills/acme/none/dependencies").await.fails(404, "skill-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_what_needs_it_by_way_of_others_and_circles_end() {
    let app = TestApp::new().await;
    app.publish_needing("acme/base", "1.0.0", &["acme/top"]).await;
    app.publish_needing("acme/one", "1.0.0", &["acme/base@^1"]).await;
    app.publish_needing("acme/two", "1.0.0", &["acme/base@>=1"]).await;
    app.publish_needing("acme/top", "1.0.0", &["acme/one@^1", "acme/two@^1"]).await;
    app.publish_needing("acme/self", "1.0.0", &["acme/self", "acme/base"]).await;
    for _ in 0..3 {
        app.install("", "acme/two", "1.0.0").await;
    }
    app.install("", "acme/top", "1.0.0").await;
    app.settle().await;
    let reached = app.get("/api/v1/skills/acme/base/dependents?version=2.0.0").await.is(200);
    insta::assert_json_snapshot!(reached);
    let needed = app.get("/api/v1/skills/acme/base/dependencies").await.is(200);
    assert_eq!(ids(&needed, "dependencies"), ["acme/top", "acme/one", "acme/two"]);
    let near = app.get("/api/v1/skills/acme/base/dependents?depth=1").await.is(200);
    assert_eq!(ids(&near, "dependents"), ["acme/two", "acme/one", "acme/self"]);
    assert_eq!((&near["accepting"], &near["version"]), (&Value::Null, &Value::Null));
    // Only latest versions count: one that needs it no more is not reached.
    app.publish("acme/one", "2.0.0").await;
    let near = app.get("/api/v1/skills/acme/base/dependents?depth=1").await.is(200);
    assert_eq!(ids(&near, "dependents"), ["acme/two", "acme/self"]);
    // And one whose new version is yanked is again.
    app.put("/api/v1/skills/acme/one/versions/2.0.0/yank", ADMIN, json!({})).await.is(200);
    let near = app.get("/api/v1/skills/acme/base/dependents?depth=1").await.is(200);
    assert_eq!(near["direct"], 3);
    app.get("/api/v1/skills/acme/base/dependents?version=two").await.fails(400, "invalid-version");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_does_not_see_is_not_there_and_leads_nowhere() {
    let app = TestApp::new().await;
    app.publish("acme/base", "1.0.0").await;
    app.publish_seen("acme/hidden", "1.0.0", &["acme/base"], "private").await;
    app.publish_needing("acme/open", "1.0.0", &["acme/hidden"]).await;
    let mia = app.user("mia", &["read"]).await;
    app.member("acme", "mia", "reader").await;
    let reached = "/api/v1/skills/acme/base/dependents";
    assert_eq!(ids(&app.get_as(&mia, reached).await.is(200), "dependents"), ["acme/hidden", "acme/open"]);
    let nobody = app.get(reached).await.is(200);
    assert_eq!((&nobody["total"], &nobody["installs"]), (&json!(0), &json!(0)));
    // A name that is open to read in a version is told; of what it stands for, there is nothing.
    let needed = "/api/v1/skills/acme/open/dependencies";
    assert_eq!(ids(&app.get_as(&mia, needed).await.is(200), "dependencies"), ["acme/hidden", "acme/base"]);
    let nobody = app.get(needed).await.is(200);
    assert_eq!(
        (ids(&nobody, "dependencies"), &nobody["dependencies"][0]["version"]),
        (vec!["acme/hidden".to_owned()], &Value::Null)
    );
    app.publish_needing("acme/open2", "1.0.0", &["acme/nothing"]).await;
    let absent = app.get("/api/v1/skills/acme/open2/dependencies").await.is(200);
    let without_names =
        |answer: &Value, name: &str, other: &str| answer.to_string().replace(name, "x").replace(other, "y");
    assert_eq!(
        without_names(&nobody, "acme/hidden", "acme/open"),
        without_names(&absent, "acme/nothing", "acme/open2")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_an_older_program_wrote_are_looked_at_later() {
    let app = TestApp::new().await;
    app.publish("acme/base", "1.0.0").await;
    for number in 0..3 {
        app.publish_needing(&format!("acme/needs{number}"), "1.0.0", &["acme/base"]).await;
    }
    let reached = "/api/v1/skills/acme/base/dependents";
    app.tamper("DELETE FROM needs".to_owned()).await;
    assert_eq!(app.get(reached).await.is(200)["total"], 0);
    crate::insight::roll_up(&app.app).await.unwrap();
    assert_eq!(app.get(reached).await.is(200)["total"], 3);
    // As an older program does while this one runs.
    app.publish_needing("acme/late", "1.0.0", &["acme/base"]).await;
    app.tamper("DELETE FROM needs WHERE skill = 'acme/late'".to_owned()).await;
    crate::insight::roll_up(&app.app).await.unwrap();
    assert_eq!(app.get(reached).await.is(200)["total"], 4);
    // One that nobody has looked into.
    app.tamper("UPDATE versions SET dependencies = NULL WHERE skill = 'acme/late'".to_owned()).await;
    assert_eq!(app.get("/api/v1/skills/acme/late/dependencies").await.is(200)["complete"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_everybody_needs_is_cut_off_and_says_so() {
    let app = TestApp::new().await;
    app.publish("acme/base", "1.0.0").await;
    app.publish_needing("acme/first", "1.0.0", &["acme/base"]).await;
    // As many as a large registry has, without publishing each.
    let columns = "namespace, org, visibility, latest, created_at, updated_at, rating_sum, rating_count, stars_1, stars_2, \
                   stars_3, stars_4, stars_5, install_position, star_count";
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)";
    app.tamper(format!(
        "INSERT INTO skills (key, number, id, install_count, {columns}) {numbers} \
         SELECT 'acme/many' || n.i, 1000 + n.i, 'acme/many' || n.i, n.i, {columns} FROM skills, n WHERE key = 'acme/first'"
    ))
    .await;
    app.tamper(format!(
        "INSERT INTO needs (skill, version, needed, wanted) {numbers} \
         SELECT 'acme/many' || n.i, '1.0.0', 'acme/base', '^1' FROM n"
    ))
    .await;
    let begun = std::time::Instant::now();
    let reached = app.get("/api/v1/skills/acme/base/dependents?limit=3").await.is(200);
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!((&reached["total"], &reached["truncated"]), (&json!(10_000), &json!(true)));
    assert_eq!(ids(&reached, "dependents"), ["acme/many12000", "acme/many11999", "acme/many11998"]);
    let other = app.post("/api/v1/skills", ADMIN, skill("acme/other", "1.0.0")).await;
    assert_eq!(other.status.as_u16(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_skills_of_strangers_take_no_places() {
    let app = TestApp::new().await;
    app.publish("acme/base", "1.0.0").await;
    app.publish_needing("acme/seen", "1.0.0", &["acme/base"]).await;
    app.publish_seen("shadow/first", "1.0.0", &["acme/base"], "private").await;
    let columns = "namespace, org, visibility, latest, created_at, updated_at, rating_sum, rating_count, stars_1, stars_2, \
                   stars_3, stars_4, stars_5, install_position, star_count";
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 21000)";
    app.tamper(format!(
        "INSERT INTO skills (key, number, id, install_count, {columns}) {numbers} \
         SELECT 'shadow/many' || n.i, 1000 + n.i, 'shadow/many' || n.i, n.i, {columns} FROM skills, n WHERE key = 'shadow/first'"
    ))
    .await;
    app.tamper(format!(
        "INSERT INTO needs (skill, version, needed, wanted) {numbers} \
         SELECT 'shadow/many' || n.i, '1.0.0', 'acme/base', '^1' FROM n"
    ))
    .await;
    let anna = app.user("anna", &["read"]).await;
    let ben = app.user("ben", &["read"]).await;
    app.member("acme", "ben", "reader").await;
    let bound = app.token(json!({ "user": "ben", "scopes": ["read"], "namespaces": ["acme"] })).await;
    for token in ["", &anna, &ben, &bound] {
        let reached = app.get_as(token, "/api/v1/skills/acme/base/dependents").await.is(200);
        assert_eq!(ids(&reached, "dependents"), ["acme/seen"]);
        assert_eq!((&reached["total"], &reached["truncated"]), (&json!(1), &json!(false)));
    }
    let reached = app.get_as(ADMIN, "/api/v1/skills/acme/base/dependents").await.is(200);
    assert_eq!((&reached["total"], &reached["truncated"]), (&json!(10_000), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_needed_only_so_many_versions_are_looked_at() {
    let app = TestApp::new().await;
    let mut needs = Vec::new();
    for number in 0..6 {
        let id = format!("acme/base{number}");
        app.publish(&id, "1.0.0").await;
        app.publish(&id, "2.0.0").await;
        needs.push(format!("{id}@^1"));
    }
    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
    app.publish_needing("acme/top", "1.0.0", &needs).await;
    app.publish("acme/hidden", "1.0.0").await;
    // As many versions as a skill may have.
    let columns: Vec<String> = {
        let name = if super::super::is_postgres() {
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_name = 'versions' AND table_schema = current_schema()"
        } else {
            "SELECT name FROM pragma_table_info('versions')"
        };
        sqlx::query_scalar(name).fetch_all(app.app.db.reader()).await.unwrap()
    };
    let others: Vec<&str> = columns
        .iter()
        .map(String::as_str)
        .filter(|name| !["version", "log_position"].contains(name))
        .collect();
    let others = others.join(", ");
    let many = async |skills: &str, status: &str| {
        app.tamper(format!(
            "INSERT INTO versions (version, log_position, {others}) WITH RECURSIVE n (i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT '1.0.' || n.i, 0, {} FROM versions, n \
             WHERE version = '1.0.0' AND skill {skills}",
            others.replacen("status", &format!("'{status}'"), 1)
        ))
        .await;
    };
    let needed = "/api/v1/skills/acme/top/dependencies";
    // What was taken back is not looked at.
    many("= 'acme/base0'", "yanked").await;
    many("IN ('acme/base1', 'acme/base2', 'acme/base3')", "published").await;
    let told = app.get(needed).await.is(200);
    assert_eq!((&told["total"], &told["truncated"]), (&json!(6), &json!(false)));
    let versions = |told: &Value| {
        let found = told["dependencies"].as_array().unwrap().iter();
        found.map(|need| need["version"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(versions(&told), ["1.0.0", "1.0.5000", "1.0.5000", "1.0.5000", "1.0.0", "1.0.0"]);
    many("IN ('acme/base4', 'acme/base5')", "published").await;
    let told = app.get(needed).await.is(200);
    assert_eq!(told["truncated"], true);
    assert_eq!(versions(&told), ["1.0.0", "1.0.5000", "1.0.5000", "1.0.5000", "-", "-"]);
    // Where the latest is the one, no other is looked at.
    app.publish_needing("acme/top", "2.0.0", &["acme/base4@>=1", "acme/base5@>=1"]).await;
    let told = app.get(needed).await.is(200);
    assert_eq!((&told["truncated"], versions(&told)), (&json!(false), vec!["2.0.0".to_owned(); 2]));
}
