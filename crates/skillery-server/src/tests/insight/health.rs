//! How sound versions are.

use serde_json::{Value, json};

use super::super::folders::{file, folder};
use super::super::{ADMIN, TestApp};
use super::DAY;

fn points(health: &Value, part: &str) -> Value {
    let parts = health["parts"].as_array().unwrap();
    parts.iter().find(|row| row["part"] == part).unwrap()["points"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_score_are_shown_and_say_what_is_missing() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let health = "/api/v1/skills/acme/tool/versions/1.0.0/health";
    let first = app.get(health).await.is(200);
    insta::assert_json_snapshot!("function", first);
    assert_eq!(app.get(health).await.is(200), first, "the same twice");
    app.app.environment.advance_seconds(800 * DAY);
    let old = app.get(health).await.is(200);
    assert_eq!((points(&first, "freshness"), points(&old, "freshness")), (json!(10), json!(0)));

    let mut files = folder("forms");
    files.push(file("tests/case.json", "{}"));
    app.send_folder(ADMIN, &super::super::folders::asked("acme/forms", "1.0.0"), files).await.is(201);
    let health = app.get("/api/v1/skills/acme/forms/versions/1.0.0/health").await.is(200);
    insta::assert_json_snapshot!("folder", health);
    assert_eq!(health["most"], 100);
    let sum: u64 =
        health["parts"].as_array().unwrap().iter().map(|part| part["points"].as_u64().unwrap()).sum();
    assert_eq!(health["points"], sum);
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_for_those_who_see_the_version() {
    let app = TestApp::new().await;
    app.publish_seen("acme/secret", "1.0.0", &[], "private").await;
    app.get("/api/v1/skills/acme/secret/versions/1.0.0/health").await.fails(404, "skill-not-found");
    app.get_as(ADMIN, "/api/v1/skills/acme/secret/versions/1.0.0/health").await.is(200);
    app.get_as(ADMIN, "/api/v1/skills/acme/secret/versions/9.0.0/health")
        .await
        .fails(404, "version-not-found");
}
