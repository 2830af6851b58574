//! Rights that are taken away while a request is under way: what it changes is judged by how things stand then.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use serde_json::{Value, json};
use skillery_core::sign::sshsig::{ENROLL_NAMESPACE, RELEASE_NAMESPACE};
use tokio::sync::oneshot;

use super::keys::{Signer, statement};
use super::{ADMIN, Answer, TestApp, skill};

impl TestApp {
    /// Sends a request whose body comes once `meanwhile` is over, long after its head was judged.
    async fn slowly(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
        meanwhile: impl Future<Output = ()>,
    ) -> Answer {
        let (begun, judged) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let body = futures_util::stream::once(async move {
            begun.send(()).unwrap();
            released.await.unwrap();
            Ok::<_, Infallible>(Bytes::from(body.to_string()))
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from_stream(body))
            .unwrap();
        let change = async {
            judged.await.unwrap();
            meanwhile.await;
            release.send(()).unwrap();
        };
        tokio::join!(self.send(request), change).0
    }

    async fn switch(&self, user: &str, is_off: bool) {
        let body = Some(json!({ "disabled": is_off }));
        self.call(Method::PATCH, &format!("/api/v1/users/{user}"), ADMIN, body).await.is(200);
    }

    async fn proof_of(&self, token: &str, key: &Signer, org: Option<&str>) -> Value {
        let request = json!({ "public_key": key.public_key() });
        let challenge =
            self.post("/api/v1/keys/challenge", token, request).await.is(200)["challenge"].clone();
        let signature = key.sign(ENROLL_NAMESPACE, challenge.as_str().unwrap().as_bytes());
        json!({
            "public_key": key.public_key(), "challenge": challenge, "signature": signature, "label": "", "org": org,
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_away_under_way_is_gone() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "publish", "rate", "review", "admin"]).await;
    let key = Signer::of("anna", 1);
    app.member("acme", "anna", "admin").await;
    app.enrol(&anna, &key).await;
    let text = statement(&app.origin().await, "acme/tool", "1.0.0", |_| ());
    let signature = json!({ "kind": "sshsig", "value": key.sign(RELEASE_NAMESPACE, text.as_bytes()) });
    let version = "/api/v1/skills/acme/tool/versions/1.0.0";
    let in_org = [
        (Method::POST, format!("{version}/approvals"), json!({ "decision": "approved" })),
        (Method::PUT, "/api/v1/skills/acme/tool/visibility".to_owned(), json!({ "visibility": "private" })),
        (Method::PUT, format!("{version}/yank"), json!({ "reason": "no" })),
        (Method::POST, format!("{version}/signatures"), json!({ "statement": text, "signature": signature })),
        (
            Method::POST,
            "/api/v1/keys".to_owned(),
            app.proof_of(&anna, &Signer::of("ca", 2), Some("acme")).await,
        ),
        (Method::POST, "/api/v1/skills".to_owned(), skill("acme/tool", "2.0.0")),
        (Method::PUT, "/api/v1/orgs/acme/members/anna".to_owned(), json!({ "role": "publisher" })),
        (Method::PUT, "/api/v1/orgs/acme/policy".to_owned(), json!({ "approvals": 1 })),
        (Method::PUT, "/api/v1/orgs/acme/signing-secret".to_owned(), json!({ "secret": "hush" })),
    ];
    let own = [
        (Method::POST, "/api/v1/keys".to_owned(), app.proof_of(&anna, &Signer::of("own", 3), None).await),
        (Method::POST, "/api/v1/skills/acme/tool/rate".to_owned(), json!({ "rating": 1.0 })),
        (Method::POST, "/api/v1/orgs".to_owned(), json!({ "name": "fresh" })),
        (Method::POST, "/api/v1/tokens".to_owned(), json!({ "label": "mine", "scopes": ["read"] })),
    ];
    for (method, path, body) in &in_org {
        let size = app.log().await.len();
        let leave = async { drop(app.delete("/api/v1/orgs/acme/members/anna", ADMIN).await.is(204)) };
        let answer = app.slowly(method.clone(), path, &anna, body.clone(), leave).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "forbidden"), "{path}");
        assert_eq!(app.log().await.len(), size + 1, "{path}");
        app.member("acme", "anna", "admin").await;
    }
    for (method, path, body) in in_org.iter().chain(&own) {
        let size = app.log().await.len();
        let off = app.switch("anna", true);
        let answer = app.slowly(method.clone(), path, &anna, body.clone(), off).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "token-revoked"), "{path}");
        assert_eq!(app.log().await.len(), size + 1, "{path}");
        app.switch("anna", false).await;
        let request = json!({ "user": "anna", "scopes": ["read", "publish", "rate", "review", "admin"] });
        let made = app.post("/api/v1/tokens", ADMIN, request).await.is(201);
        let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
        let revoke = async { drop(app.delete(&format!("/api/v1/tokens/{id}"), ADMIN).await.is(204)) };
        let size = app.log().await.len();
        let answer = app.slowly(method.clone(), path, token, body.clone(), revoke).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "token-revoked"), "{path}");
        assert_eq!(app.log().await.len(), size + 1, "{path}");
    }
    // Where nothing happens meanwhile, each of them does what it says.
    for (method, path, body) in own.iter().chain(&in_org) {
        let answer = app.slowly(method.clone(), path, &anna, body.clone(), async {}).await;
        let denied = path.contains("members");
        assert_eq!(answer.status.is_success(), !denied, "{path}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_of_the_registry_who_is_switched_off_under_way_changes_nothing() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.post("/api/v1/users", ADMIN, json!({ "name": "root", "site_admin": true })).await.is(201);
    let root = app.token(json!({ "user": "root", "scopes": ["read", "publish", "admin"] })).await;
    for (method, path, body) in [
        (Method::PUT, "/api/v1/skills/acme/tool/versions/1.0.0/quarantine", json!({ "reason": "no" })),
        (Method::POST, "/api/v1/users", json!({ "name": "mallory" })),
        (Method::PATCH, "/api/v1/users/admin", json!({ "disabled": true })),
        (Method::POST, "/api/v1/tokens", json!({ "user": "admin", "scopes": ["admin"] })),
        (Method::POST, "/api/v1/skills", skill("acme/tool", "2.0.0")),
    ] {
        let size = app.log().await.len();
        let answer = app.slowly(method, path, &root, body, app.switch("root", true)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "token-revoked"), "{path}");
        assert_eq!(app.log().await.len(), size + 1, "{path}");
        app.switch("root", false).await;
    }
}
