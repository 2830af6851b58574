//! Who has installed what.

use serde_json::Value;
use sqlx::Row;

use super::{ADMIN, TestApp};
use crate::insight::roll_up;

impl TestApp {
    /// Rows as `version user downloads first last`, the times in seconds since `start`, in their order.
    async fn user_installs(&self, skill: &str) -> Vec<String> {
        self.settle().await;
        let rows = sqlx::query(
            "SELECT i.version, u.name, i.downloads, i.first_at, i.last_at FROM user_installs i \
             JOIN users u ON u.id = i.user_id WHERE i.skill = $1 ORDER BY i.version, u.name",
        )
        .bind(skill.to_owned())
        .fetch_all(self.app.db.reader())
        .await
        .unwrap();
        let number = |row: &sqlx::any::AnyRow, at: usize| row.get::<i64, _>(at);
        let text = |row: &sqlx::any::AnyRow| {
            let seconds = (number(row, 4) - number(row, 3)) / 1_000_000;
            format!("{} {} {} +{seconds}", row.get::<String, _>(0), row.get::<String, _>(1), number(row, 2))
        };
        rows.iter().map(text).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn installs_of_users_are_kept_by_version_and_those_of_others_are_only_counted() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    let anna = app.user("anna", &["read"]).await;
    let ben = app.user("ben", &["read"]).await;
    let download = |version: &str| format!("/api/v1/skills/acme/tool/download?version={version}");
    app.get_as(&anna, &download("1.0.0")).await.is(200);
    app.get_as(&anna, &download("1.0.0")).await.is(200);
    app.get(&download("1.0.0")).await.is(200);
    assert_eq!(app.user_installs("acme/tool").await, ["1.0.0 anna 2 +0"]);
    app.app.environment.advance_seconds(60);
    app.get_as(&anna, &download("1.0.0")).await.is(200);
    // A bundle, and a clone that MCP or git makes, are counted by the same function.
    let bundle = "/api/v1/skills/acme/tool/versions/1.1.0/bundle";
    assert_eq!(app.get_as(&ben, bundle).await.status, 200);
    assert_eq!(app.call(axum::http::Method::HEAD, bundle, &anna, None).await.status, 200);
    let installs = app.user_installs("acme/tool").await;
    assert_eq!(installs, ["1.0.0 anna 3 +60", "1.1.0 ben 1 +0"]);
    assert_eq!(app.get_as(ADMIN, "/api/v1/skills/acme/tool").await.is(200)["install_count"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_installed_something_is_forgotten_after_as_long_as_the_settings_say() {
    for (keep, left) in [(0, ["anna", "ben"].as_slice()), (62, ["anna"].as_slice())] {
        let app = TestApp::with(|settings| settings.insight.keep_user_days = keep).await;
        app.publish("acme/tool", "1.0.0").await;
        let anna = app.user("anna", &["read"]).await;
        let ben = app.user("ben", &["read"]).await;
        app.install_as(&anna, "acme/tool", "1.0.0").await;
        app.install_as(&ben, "acme/tool", "1.0.0").await;
        for days in [40, 40] {
            app.app.environment.advance_seconds(days * 86_400);
            roll_up(&app.app).await.unwrap();
            // Anna downloads it again meanwhile, and ben does not.
            app.install_as(&anna, "acme/tool", "1.0.0").await;
        }
        let path = "/api/v1/skills/acme/tool/versions/1.0.0/installs";
        let found = app.get_as(ADMIN, path).await.is(200);
        let installs = found["installs"].as_array().unwrap();
        let mut names: Vec<&str> = installs.iter().map(|one| one["user"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, left, "{keep}");
        // Who is not known to have it is told nothing of it.
        app.publish("acme/tool", "1.1.0").await;
        app.tell().await;
        for (name, token) in [("anna", &anna), ("ben", &ben)] {
            let found = app.notifications(token).await;
            let is_published = |one: &Value| one["kind"] == "version-published";
            let is_told = found["notifications"].as_array().unwrap().iter().any(is_published);
            assert_eq!(is_told, left.contains(&name), "{keep} {name}");
        }
    }
}
