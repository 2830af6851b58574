//! Protocols of others.

mod clawhub;
mod discovery;
mod find;
mod git;
mod marketplace;
mod mcp;
mod openapm;

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use skillery_core::{Digest, Limits, bundle};

use super::{ADMIN, Answer, TestApp, skill};
use crate::blobs::BlobKey;
use crate::http::interop::ROUTES;
use crate::http::router::Who;

impl TestApp {
    /// Asks under the name that a client has for this registry.
    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "skills.example:8700");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn look(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn publish_seen_by(&self, id: &str, version: &str, visibility: &str) {
        let mut body = skill(id, version);
        body["visibility"] = json!(visibility);
        self.post("/api/v1/skills", ADMIN, body).await.is(201);
    }

    pub(crate) async fn mark(&self, id: &str, version: &str, mark: &str) {
        let path = format!("/api/v1/skills/{id}/versions/{version}/{mark}");
        self.put(&path, ADMIN, json!({ "reason": "it is wrong" })).await.is(200);
    }

    /// The digest of a version's bundle.
    pub(crate) async fn digest_of(&self, id: &str, version: &str) -> Digest {
        let shown = self.get_as(ADMIN, &format!("/api/v1/skills/{id}/versions/{version}")).await.is(200);
        shown["digest"].as_str().unwrap().parse().unwrap()
    }

    /// Damages one file within the bundle of a version. The bundle is one that has its digest all the same.
    pub(crate) async fn damage(&self, id: &str, version: &str, path: &str) {
        let digest = self.digest_of(id, version).await;
        let mut packed = self.app.blobs.get(BlobKey::Bundle(digest)).await.unwrap().to_vec();
        // Behind the header of the entry, which ends in its name.
        let is_entry = |bytes: &[u8]| bytes.starts_with(b"PK\x03\x04") && bytes.ends_with(path.as_bytes());
        let entry = packed.windows(30 + path.len()).position(is_entry).unwrap();
        packed[entry + 30 + path.len() + 8] ^= 1;
        assert!(bundle::unpack(&packed, &Limits::default()).is_err());
        let digest = bundle::digest(&packed);
        self.app.blobs.put(BlobKey::Bundle(digest), packed.into()).await.unwrap();
        self.tamper(format!(
            "UPDATE versions SET digest = '{digest}' WHERE skill = '{id}' AND version = '{version}'"
        ))
        .await;
    }

    pub(crate) async fn installs(&self, id: &str) -> i64 {
        self.settle().await;
        let record = self.get_as(ADMIN, &format!("/api/v1/skills/{id}")).await.is(200);
        record["install_count"].as_i64().unwrap()
    }

    /// Who is known to have installed a version, by name.
    pub(crate) async fn who_has(&self, id: &str, version: &str) -> Vec<String> {
        self.settle().await;
        let path = format!("/api/v1/skills/{id}/versions/{version}/installs");
        let found = self.get_as(ADMIN, &path).await.is(200);
        let rows = found["installs"].as_array().unwrap();
        let mut names: Vec<_> = rows.iter().map(|row| row["user"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

/// A token as clients bring it that know nothing else.
pub(crate) fn basic(token: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("anybody:{token}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_answers_whom_it_should() {
    let (open, closed) =
        (TestApp::new().await, TestApp::with(|settings| settings.anonymous_reads = false).await);
    for app in [&open, &closed] {
        app.publish("acme/tool", "1.0.0").await;
    }
    // What git asks for has forms of its own, and so has MCP.
    let reading = ROUTES.iter().filter(|(method, path, _)| *method == "get" && !path.contains(".git"));
    for (method, path, who) in reading {
        let address = path
            .replace("{name}/{file}", "tool/SKILL.md")
            .replace("{scope}", "acme")
            .replace("{name}", "tool")
            .replace("{version}", "1.0.0")
            .replace("{namespace}", "acme")
            .replace("{package}", "acme/tool");
        let method: Method = method.to_uppercase().parse().unwrap();
        assert_eq!(*who, Who::Reader, "a route of another kind needs a case here: {path}");
        assert_eq!(open.ask(method.clone(), &address, &[]).await.status, 200, "{path}");
        let refused = closed.ask(method.clone(), &address, &[]).await;
        assert_eq!(refused.headers["www-authenticate"], "Basic realm=\"skillery\"", "{path}");
        refused.fails(401, "unauthenticated");
        for header in [format!("Bearer {ADMIN}"), basic(ADMIN)] {
            let answer = closed.ask(method.clone(), &address, &[("authorization", &header)]).await;
            assert_eq!(answer.status, 200, "{path}");
        }
        let wrong = closed.ask(method.clone(), &address, &[("authorization", &basic("no-token"))]).await;
        wrong.fails(401, "invalid-token");
        let deleted = open.ask(Method::DELETE, &address, &[]).await;
        assert_eq!(deleted.headers["allow"], "GET, HEAD", "{path}");
        deleted.fails(405, "method-not-allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_is_not_there() {
    let app = TestApp::with(|settings| {
        settings.surfaces.discovery = false;
        settings.surfaces.marketplace = false;
        settings.surfaces.openapm = false;
    })
    .await;
    app.publish("acme/tool", "1.0.0").await;
    for path in [
        "/.well-known/agent-skills/index.json",
        "/acme/.well-known/agent-skills/index.json",
        "/api/search?q=tool",
        "/acme/marketplace.json",
        "/apm/v1/packages/acme/tool/versions",
    ] {
        app.look(path).await.fails(404, "route-not-found");
    }
}
