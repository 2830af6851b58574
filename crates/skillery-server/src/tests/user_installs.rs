//! Who has installed what.

use sqlx::Row;

use super::{ADMIN, TestApp};

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
