//! The files that `ssh-keygen -Y verify` checks with: who is in them, and who may read them.

use axum::http::Method;
use serde_json::json;

use super::keys::Signer;
use super::{ADMIN, TestApp, skill};

impl TestApp {
    /// The names in a file of allowed signers.
    async fn signers(&self, token: &str, path: &str) -> Vec<String> {
        let answer = self.get_as(token, &format!("/api/v1/orgs/{path}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = String::from_utf8(answer.body).unwrap();
        text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    /// A user with a key of their own, and a role in the namespace.
    async fn with_key(&self, name: &str, seed: u8, namespace: &str) -> String {
        let token = self.user(name, &["read", "admin"]).await;
        self.member(namespace, name, "publisher").await;
        self.enrol(&token, &Signer::of(name, seed)).await;
        token
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_sign_in_a_namespace_is_in_its_file_alone() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/email/tool", "1.0.0").await;
    app.publish("acme/other/tool", "1.0.0").await;
    app.with_key("anna", 1, "acme").await;
    app.with_key("ben", 2, "acme/email").await;
    app.with_key("rita", 3, "acme/email").await;
    app.member("acme/email", "rita", "reader").await;
    app.app.environment.advance_seconds(60);
    // A role below says nothing of what is above, or beside.
    assert_eq!(app.signers("", "acme/allowed_signers?undated=true").await, ["anna"]);
    assert_eq!(app.signers("", "acme/other/allowed_signers?undated=true").await, ["anna"]);
    assert_eq!(app.signers("", "acme/email/allowed_signers?undated=true").await, ["anna", "ben"]);
    assert_eq!(app.signers("", "acme/email/allowed_signers?undated=true&signer=ben").await, ["ben"]);
    assert_eq!(app.signers("", "acme/email/allowed_signers?undated=true&signer=nobody").await, [""; 0]);
    let path = "/api/v1/orgs/acme/allowed_signers?signer=a%00";
    app.get(path).await.fails(400, "invalid-parameter");
    // Who is switched off signs nothing from then on.
    app.call(Method::PATCH, "/api/v1/users/anna", ADMIN, Some(json!({ "disabled": true }))).await.is(200);
    assert_eq!(app.signers("", "acme/email/allowed_signers?undated=true").await, ["ben"]);
    let dated = app.get("/api/v1/orgs/acme/allowed_signers").await.body;
    let dated = String::from_utf8(dated).unwrap();
    assert!(dated.starts_with("anna ") && dated.contains("valid-before=\"20260102030505Z\""), "{dated}");
    app.call(Method::PATCH, "/api/v1/users/anna", ADMIN, Some(json!({ "disabled": false }))).await.is(200);
    assert_eq!(app.signers("", "acme/allowed_signers?undated=true").await, ["anna"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_a_private_namespace_are_for_those_who_know_of_it() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut hidden = skill("acme/secret/tool", "1.0.0");
    hidden["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    let anna = app.with_key("anna", 1, "acme/secret").await;
    app.with_key("olga", 2, "acme").await;
    let stranger = app.user("stranger", &["read"]).await;
    let path = "/api/v1/orgs/acme/secret/allowed_signers";
    for token in ["", stranger.as_str()] {
        let refused = app.get_as(token, path).await.fails(404, "org-not-found");
        let missing = app.get_as(token, "/api/v1/orgs/acme/nothing/allowed_signers").await;
        let missing = missing.fails(404, "org-not-found");
        assert_eq!(refused["detail"].as_str().unwrap().replace("secret", "nothing"), missing["detail"]);
        assert_eq!(app.signers(token, "acme/allowed_signers").await, ["olga"]);
    }
    assert_eq!(app.signers(&anna, "acme/secret/allowed_signers").await, ["anna", "olga"]);
    app.put("/api/v1/skills/acme/secret/tool/visibility", ADMIN, json!({ "visibility": "public" }))
        .await
        .is(204);
    assert_eq!(app.signers("", "acme/secret/allowed_signers").await, ["anna", "olga"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_an_end() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.with_key("anna", 1, "acme").await;
    app.with_key("ben", 2, "acme").await;
    // Each second a role that ended, one after another but for gaps.
    app.tamper(
        "INSERT INTO memberships (namespace, user_id, org, role, log_index, since, until) \
         WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         SELECT 'acme', (SELECT id FROM users WHERE name = 'ben'), 'acme', 'publisher', 1000 + i, \
         1800000000000000 + i * 2000000, 1800000000000000 + i * 2000000 + 1000000 FROM n"
            .to_owned(),
    )
    .await;
    let path = "/api/v1/orgs/acme/allowed_signers";
    app.get(path).await.fails(400, "invalid-parameter");
    assert_eq!(app.signers("", "acme/allowed_signers?signer=anna").await, ["anna"]);
}
