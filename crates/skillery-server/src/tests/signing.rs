//! The guide's HMAC signatures and the orgs' signing secrets.

use serde_json::{Value, json};
use skillery_core::{Digest, signature};

use super::{ADMIN, TestApp, skill};

const SECRET: &str = "/api/v1/orgs/acme/signing-secret";

fn signed(id: &str, version: &str, secret: &str) -> Value {
    let mut body = skill(id, version);
    let hash: Digest = body["code_hash"].as_str().unwrap().parse().unwrap();
    body["signature"] = json!(signature::sign(&id.parse().unwrap(), &hash, secret));
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_kept_as_it_was_published() {
    let app = TestApp::new().await;
    let body = signed("acme/tool", "1.0.0", "nobody registered this");
    app.post("/api/v1/skills", ADMIN, body.clone()).await.is(201);
    for path in ["/api/v1/skills/acme/tool", "/api/v1/skills/acme/tool/download"] {
        let answer = app.get(path).await.is(200);
        assert_eq!(answer["signature"], body["signature"]);
        assert_eq!(answer.get("secret"), None);
    }
    let version = app.get("/api/v1/skills/acme/tool/versions/1.0.0").await.is(200);
    assert_eq!(version["signatures"][0]["level"], "legacy-integrity-only");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_registered_secret_publishes_are_checked_and_members_get_it() {
    let app = TestApp::new().await;
    app.publish("acme/first", "1.0.0").await;
    app.put(SECRET, ADMIN, json!({ "secret": "hush", "only_if_none": true })).await.is(204);
    app.put(SECRET, ADMIN, json!({ "secret": "other", "only_if_none": true }))
        .await
        .fails(409, "secret-exists");
    app.post("/api/v1/skills", ADMIN, signed("acme/tool", "1.0.0", "wrong"))
        .await
        .fails(422, "signature-mismatch");
    app.post("/api/v1/skills", ADMIN, signed("acme/tool", "1.0.0", "hush")).await.is(201);
    let member = app.user("mia", &["read"]).await;
    app.member("acme", "mia", "reader").await;
    let stranger = app.user("sam", &["read"]).await;
    let path = "/api/v1/skills/acme/tool/download";
    assert_eq!(app.get_as(&member, path).await.is(200)["secret"], "hush");
    assert_eq!(app.get_as(&stranger, path).await.is(200).get("secret"), None);
    assert_eq!(app.get(path).await.is(200).get("secret"), None);
    // Nobody else registers or removes it, and it shows itself nowhere else.
    app.put(SECRET, &member, json!({ "secret": "x" })).await.fails(403, "insufficient-scope");
    let org = app.get("/api/v1/orgs/acme").await.is(200);
    assert_eq!(org["signing_secret"], true);
    assert!(!json!([org, app.log().await]).to_string().contains("hush"));
    app.delete(SECRET, ADMIN).await.is(204);
    assert_eq!(app.get_as(&member, path).await.is(200).get("secret"), None);
    app.put(SECRET, ADMIN, json!({ "secret": "" })).await.fails(422, "invalid-field");
    app.put("/api/v1/orgs/none/signing-secret", ADMIN, json!({ "secret": "x" }))
        .await
        .fails(404, "org-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_lies_encrypted_in_the_database() {
    let app = TestApp::new().await;
    app.publish("acme/first", "1.0.0").await;
    app.put(SECRET, ADMIN, json!({ "secret": "a-very-secret-thing" })).await.is(204);
    let row = crate::db::orgs::find(app.app.db.reader(), "acme").await.unwrap().unwrap();
    assert!(!row.signing_secret.unwrap().contains("secret"));
}
