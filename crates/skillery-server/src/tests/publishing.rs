//! Publishing, versions and downloads.

use std::collections::BTreeSet;

use serde_json::json;

use super::{ADMIN, TestApp, skill};

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_publish_show_and_download() {
    let app = TestApp::new().await;
    let mut published = app.publish("acme/email_validator", "1.0.0").await;
    published.as_object_mut().unwrap().remove("proof").unwrap();
    insta::assert_json_snapshot!("publish", published);
    insta::assert_json_snapshot!("record", app.get("/api/v1/skills/acme/email_validator").await.is(200));
    insta::assert_json_snapshot!(
        "download",
        app.get("/api/v1/skills/acme/email_validator/download").await.is(200)
    );
    insta::assert_json_snapshot!(
        "versions",
        app.get("/api/v1/skills/acme/email_validator/versions").await.is(200)
    );
    insta::assert_json_snapshot!(
        "version",
        app.get("/api/v1/skills/acme/email_validator/versions/1.0.0").await.is(200)
    );
    insta::assert_json_snapshot!("log", app.log().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_the_guides_attributes_and_no_other() {
    let app = TestApp::new().await;
    app.publish("acme/email_validator", "1.0.0").await;
    let record = app.get("/api/v1/skills/acme/email_validator").await.is(200);
    let keys: BTreeSet<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
    let guide = [
        "id",
        "name",
        "org",
        "version",
        "description",
        "code_hash",
        "signature",
        "tags",
        "rating",
        "rating_count",
        "install_count",
        "created_at",
        "updated_at",
        "author",
        "license",
        "homepage",
        "repository",
    ];
    assert_eq!(keys, BTreeSet::from(guide));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_with_more_segments_and_escaped_slashes() {
    let app = TestApp::new().await;
    app.publish("acme/email/validator", "1.0.0").await;
    for path in ["acme/email/validator", "acme%2Femail%2Fvalidator", "acme/email%2fvalidator"] {
        let record = app.get(&format!("/api/v1/skills/{path}")).await.is(200);
        assert_eq!((&record["org"], &record["name"]), (&json!("acme/email"), &json!("validator")));
        app.get(&format!("/api/v1/skills/{path}/download")).await.is(200);
        app.get(&format!("/api/v1/skills/{path}/versions/1.0.0")).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_answers_as_before_and_other_content_is_refused() {
    let app = TestApp::new().await;
    let first = app.publish("acme/email_validator", "1.0.0").await;
    app.app.environment.advance_seconds(60);
    let again = app.post("/api/v1/skills", ADMIN, skill("acme/email_validator", "1.0.0")).await.is(200);
    assert_eq!(first, again);
    let size = app.log().await.len();
    let mut other = skill("acme/email_validator", "1.0.0");
    other["code"] = json!("def email_validator(): pass");
    other.as_object_mut().unwrap().remove("code_hash");
    let problem = app.post("/api/v1/skills", ADMIN, other).await.fails(409, "version-exists");
    assert_eq!(problem["different"], json!(["code"]));
    let mut other = skill("acme/email_validator", "1.0.0");
    other["tags"] = json!(["other"]);
    let problem = app.post("/api/v1/skills", ADMIN, other).await.fails(409, "version-exists");
    assert_eq!(problem["different"], json!(["tags"]));
    assert_eq!(app.log().await.len(), size);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_looks_the_same_is_refused() {
    let app = TestApp::new().await;
    app.publish("acme/email_validator", "1.0.0").await;
    app.post("/api/v1/skills", ADMIN, skill("acme/email-validator", "2.0.0")).await.fails(409, "name-taken");
    app.publish("big_co/tool", "1.0.0").await;
    app.post("/api/v1/skills", ADMIN, skill("big-co/other", "1.0.0")).await.fails(409, "name-taken");
    // The same version with another spelling is another name, not another content.
    app.post("/api/v1/skills", ADMIN, skill("acme/email.validator", "1.0.0")).await.fails(409, "name-taken");
    app.post("/api/v1/skills", ADMIN, skill("local/tool", "1.0.0")).await.fails(400, "invalid-id");
    // Looking is as forgiving as publishing is strict.
    let record = app.get("/api/v1/skills/acme/email.validator").await.is(200);
    assert_eq!(record["id"], "acme/email_validator");
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_is_the_highest_stable_version_and_ranges_choose() {
    let app = TestApp::new().await;
    for version in ["1.2.0", "1.10.0", "2.0.0-rc.1", "1.9.0"] {
        app.publish("acme/tool", version).await;
    }
    let version = async |query: &str| {
        let path = format!("/api/v1/skills/acme/tool/download{query}");
        app.get(&path).await.is(200)["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["version"], "1.10.0");
    assert_eq!(version("").await, "1.10.0");
    assert_eq!(version("?version=latest").await, "1.10.0");
    assert_eq!(version("?version=%5E1.2").await, "1.10.0");
    assert_eq!(version("?version=~1.9").await, "1.9.0");
    assert_eq!(version("?version=%3E%3D1,%3C1.10").await, "1.9.0");
    assert_eq!(version("?version=2.0.0-rc.1").await, "2.0.0-rc.1");
    app.get("/api/v1/skills/acme/tool/download?version=%5E3").await.fails(404, "version-not-found");
    app.get("/api/v1/skills/acme/tool/download?version=bogus").await.fails(400, "invalid-version");
    let listed = app.get("/api/v1/skills/acme/tool/versions?limit=2&offset=1").await.is(200);
    let versions: Vec<&str> = listed["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version"].as_str().unwrap())
        .collect();
    assert_eq!(
        (versions, &listed["total"], &listed["latest"]),
        (vec!["1.10.0", "1.9.0"], &json!(4), &json!("1.10.0"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prerelease_alone_is_no_latest() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0-rc.1").await;
    app.get("/api/v1/skills/acme/tool").await.fails(404, "version-not-found");
    app.get("/api/v1/skills/acme/tool/download").await.fails(404, "version-not-found");
    app.get("/api/v1/skills/acme/tool/download?version=1.0.0-rc.1").await.is(200);
    assert_eq!(app.search("", "q=tool").await.1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yanked_version_is_found_no_more_but_downloads_with_a_warning() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    let yank = "/api/v1/skills/acme/tool/versions/1.1.0/yank";
    let yanked = app.put(yank, ADMIN, json!({ "reason": "it deletes files" })).await.is(200);
    assert_eq!((&yanked["status"], &yanked["reason"]), (&json!("yanked"), &json!("it deletes files")));
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["version"], "1.0.0");
    assert_eq!(app.get("/api/v1/skills/acme/tool/download?version=%5E1").await.is(200)["version"], "1.0.0");
    let exact = app.get("/api/v1/skills/acme/tool/download?version=1.1.0").await.is(200);
    assert_eq!(exact["warning"], "acme/tool 1.1.0 was yanked: it deletes files");
    // Doing it twice is the same as doing it once.
    let size = app.log().await.len();
    app.put(yank, ADMIN, json!({ "reason": "it deletes files" })).await.is(200);
    assert_eq!(app.log().await.len(), size);
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({})).await.is(200);
    app.get("/api/v1/skills/acme/tool").await.fails(404, "version-not-found");
    assert_eq!(app.search("", "q=tool").await.1, 0);
    app.delete(yank, ADMIN).await.is(200);
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["version"], "1.1.0");
    assert_eq!(app.search("", "q=tool").await.1, 1);
    app.put("/api/v1/skills/acme/tool/versions/9.0.0/yank", ADMIN, json!({}))
        .await
        .fails(404, "version-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_version_is_handed_out_to_nobody() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.get("/api/v1/skills/acme/tool/download?version=1.0.0").await.is(200);
    let path = "/api/v1/skills/acme/tool/versions/1.0.0/quarantine";
    let publisher = app.user("paul", &["read", "publish", "admin"]).await;
    app.member("acme", "paul", "owner").await;
    app.put(path, &publisher, json!({ "reason": "x" })).await.fails(403, "forbidden");
    app.put(path, ADMIN, json!({ "reason": "steals keys" })).await.is(200);
    let problem =
        app.get("/api/v1/skills/acme/tool/download?version=1.0.0").await.fails(403, "version-quarantined");
    assert!(problem["detail"].as_str().unwrap().contains("steals keys"));
    app.get_as(ADMIN, "/api/v1/skills/acme/tool/download").await.fails(404, "version-not-found");
    app.delete("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN).await.fails(409, "status-conflict");
    app.delete(path, ADMIN).await.is(200);
    app.get("/api/v1/skills/acme/tool/download").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_callers_publish_the_same_version_at_once() {
    let app = std::sync::Arc::new(TestApp::new().await);
    let mut callers = Vec::new();
    for number in 0..20 {
        let app = std::sync::Arc::clone(&app);
        callers.push(tokio::spawn(async move {
            let mut body = skill("acme/race", "1.0.0");
            if number % 4 == 3 {
                body["code"] = json!(format!("def race(): return {number}"));
                body.as_object_mut().unwrap().remove("code_hash");
            }
            let answer = app.post("/api/v1/skills", ADMIN, body).await;
            (number % 4 == 3, answer.status.as_u16())
        }));
    }
    let mut statuses = Vec::new();
    for caller in callers {
        statuses.push(caller.await.unwrap());
    }
    let count = |wanted: u16| statuses.iter().filter(|(_, status)| *status == wanted).count();
    assert_eq!(count(201), 1, "{statuses:?}");
    assert_eq!(count(200) + count(409), 19, "{statuses:?}");
    let winner_is_other = statuses.iter().any(|(other, status)| *other && *status == 201);
    let same = statuses.iter().filter(|(other, _)| !other);
    if winner_is_other {
        assert!(same.clone().all(|(_, status)| *status == 409), "{statuses:?}");
    } else {
        assert!(same.clone().all(|(_, status)| matches!(status, 200 | 201)), "{statuses:?}");
        assert_eq!(count(409), 5, "{statuses:?}");
    }
    let published =
        app.log().await.iter().filter(|entry| entry["event"]["kind"] == "version.published").count();
    assert_eq!(published, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_changes_leave_no_gap_in_the_log() {
    let app = std::sync::Arc::new(TestApp::new().await);
    app.publish("acme/base", "1.0.0").await;
    let other = std::sync::Arc::new(if super::is_postgres() { Some(app.another().await) } else { None });
    let mut tasks = Vec::new();
    for number in 0..60 {
        let (app, other) = (std::sync::Arc::clone(&app), std::sync::Arc::clone(&other));
        tasks.push(tokio::spawn(async move {
            let target = match &*other {
                Some(other) if number % 2 == 1 => other,
                _ => &app,
            };
            // Every fifth is refused inside the transaction, and must take nothing of the others with it.
            let id = if number % 5 == 4 { "acme/ba-se".to_owned() } else { format!("acme/tool{number}") };
            if number % 5 == 4 {
                target.post("/api/v1/skills", ADMIN, skill("ac-me/x", "1.0.0")).await.status.as_u16()
            } else {
                target.post("/api/v1/skills", ADMIN, skill(&id, "1.0.0")).await.status.as_u16()
            }
        }));
    }
    for task in tasks {
        assert!(matches!(task.await.unwrap(), 201 | 200 | 409));
    }
    let entries = app.log().await;
    let mut last_time = String::new();
    for (number, entry) in entries.iter().enumerate() {
        assert_eq!(entry["index"], number);
        let time = entry["time"].as_str().unwrap().to_owned();
        assert!(time >= last_time);
        last_time = time;
    }
    let published = entries.iter().filter(|entry| entry["event"]["kind"] == "version.published").count();
    assert_eq!(published, 1 + 48 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn installs_are_counted_for_answers_with_content() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    for _ in 0..3 {
        app.get("/api/v1/skills/acme/tool/download").await.is(200);
    }
    app.call(axum::http::Method::HEAD, "/api/v1/skills/acme/tool/download", "", None).await;
    app.get("/api/v1/skills/acme/tool/download?version=9.9.9").await.fails(404, "version-not-found");
    app.settle().await;
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["install_count"], 3);
    let found = app.get("/api/v1/skills?q=tool").await.is(200);
    assert_eq!(found["skills"][0]["install_count"], 3);
    // A clean stop, or another server, sees them too.
    let app = app.crash_and_reopen().await;
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["install_count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn visibility_is_not_changed_by_the_way() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut body = skill("acme/tool", "1.1.0");
    body["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, body.clone()).await.fails(422, "invalid-field");
    body["visibility"] = json!("public");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_has_so_many_versions() {
    let app = TestApp::with(|settings| settings.limits.versions_per_skill = 2).await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.0.1").await;
    app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.0.2")).await.fails(409, "too-many-versions");
    app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.0.1")).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_calls_a_script_of_a_folder_depends_on_the_folder() {
    let app = TestApp::new().await;
    let mut body = skill("acme/report", "1.0.0");
    body["code"] = json!(
        "# /// script\n# [tool.skillery]\n# skills = [\"acme/pdf@^1#extract\", \"acme/text#split\"]\n# ///\n\
         def report(): ...\n"
    );
    body.as_object_mut().unwrap().remove("code_hash");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let version = app.get("/api/v1/skills/acme/report/versions/1.0.0").await.is(200);
    assert_eq!(version["dependencies"], json!({ "acme/pdf": "^1", "acme/text": "latest" }));
}
