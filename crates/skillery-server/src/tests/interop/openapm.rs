//! OpenAPM's registry API.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use skillery_core::Digest;

use super::basic;
use crate::tests::{ADMIN, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_and_downloaded_with_their_digest() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "2.0.0", "1.1.0"] {
        app.publish("acme/email/tool", version).await;
    }
    app.mark("acme/email/tool", "1.0.0", "yank").await;
    for package in ["acme/email/tool", "acme%2Femail%2Ftool", "acme%2Femail/tool"] {
        let found = app.look(&format!("/apm/v1/packages/{package}/versions")).await.is(200);
        assert_eq!(found["package"], "acme/email/tool");
        let versions = found["versions"].as_array().unwrap();
        let listed: Vec<_> = versions.iter().map(|version| version["version"].as_str().unwrap()).collect();
        assert_eq!(listed, ["1.1.0", "2.0.0"], "the newest first");
        assert_eq!(versions[0]["published_at"], "2026-01-02T03:04:05Z");
        let zip = app.look(&format!("/apm/v1/packages/{package}/versions/1.1.0/download")).await;
        assert_eq!(
            (zip.status.as_u16(), zip.body.len()),
            (200, versions[0]["size_bytes"].as_u64().unwrap() as usize)
        );
        let digest = Digest::of(&zip.body);
        assert_eq!(format!("sha256:{digest}"), versions[0]["digest"].as_str().unwrap());
        assert_eq!(zip.headers["content-type"], "application/zip");
        assert_eq!(zip.headers["digest"], format!("sha256={}", STANDARD.encode(digest.bytes())));
        assert_eq!(zip.headers["etag"], format!("\"sha256:{digest}\""));
    }
    let known =
        app.look("/apm/v1/packages/acme/email/tool/versions/1.1.0/download").await.headers["etag"].clone();
    let headers = &[("if-none-match", known.to_str().unwrap())];
    let again =
        app.ask(Method::GET, "/apm/v1/packages/acme/email/tool/versions/1.1.0/download", headers).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(app.installs("acme/email/tool").await, 4);
    // By its number a yanked version is there; a quarantined one is not.
    let path = "/apm/v1/packages/acme/email/tool/versions/1.0.0/download";
    assert_eq!(app.look(path).await.status, 200);
    app.mark("acme/email/tool", "1.0.0", "quarantine").await;
    app.look(path).await.fails(403, "version-quarantined");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_hidden_is_not_found() {
    let app = TestApp::new().await;
    app.publish_seen_by("acme/secret", "1.0.0", "private").await;
    app.publish("acme/tool", "1.0.0").await;
    for (path, code) in [
        ("packages/acme/secret/versions", "skill-not-found"),
        ("packages/acme/secret/versions/1.0.0/download", "skill-not-found"),
        ("packages/acme/nothing/versions", "skill-not-found"),
        ("packages/acme/nothing/versions/1.0.0/download", "skill-not-found"),
        ("packages/acme/tool/versions/1.0.1/download", "version-not-found"),
        ("packages/acme/tool/versions/main/download", "route-not-found"),
        ("packages/acme/tool/versions/..%2f..%2fx/download", "route-not-found"),
        ("packages/acme/tool/versions/1.0.0/download/", "route-not-found"),
        ("packages/../tool/versions", "route-not-found"),
        ("packages/acme%2F..%2Ftool/versions", "route-not-found"),
        ("packages/acme/%FF/versions", "route-not-found"),
        ("packages/acme/tool", "route-not-found"),
        ("packages//versions", "route-not-found"),
        ("", "route-not-found"),
    ] {
        app.look(&format!("/apm/v1/{path}")).await.fails(404, code);
    }
    for header in [format!("Bearer {ADMIN}"), basic(ADMIN)] {
        let found = app
            .ask(Method::GET, "/apm/v1/packages/acme/secret/versions", &[("authorization", &header)])
            .await
            .is(200);
        assert_eq!(found["versions"][0]["version"], json!("1.0.0"));
    }
}
