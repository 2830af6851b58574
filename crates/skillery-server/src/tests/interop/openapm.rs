//! OpenAPM's registry API.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, stream};
use serde_json::json;
use skillery_core::Digest;
use skillery_core::bundle::{self, BundleFile};

use super::basic;
use crate::tests::{ADMIN, Answer, TestApp};

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

fn package(name: &str, version: &str) -> Vec<u8> {
    let file = |path: &str, text: String| BundleFile {
        path: path.to_owned(),
        executable: path.ends_with(".sh"),
        bytes: text.into_bytes(),
    };
    bundle::pack(vec![
        file("SKILL.md", format!("---\nname: {name}\ndescription: Does it.\n---\n\n# {name} {version}\n")),
        file("apm.yml", format!("name: {name}\nversion: {version}\n")),
        file("scripts/run.sh", "#!/bin/sh\n".to_owned()),
    ])
    .unwrap()
}

async fn put(app: &TestApp, path: &str, authorization: &str, kind: &str, body: Vec<u8>) -> Answer {
    let mut request = Request::builder().method(Method::PUT).uri(format!("/apm/v1/packages/{path}"));
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    app.send(request.header("content-type", kind).body(Body::from(body)).unwrap()).await
}

const ZIP: &str = "application/zip";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_downloaded_and_never_changes() {
    let app = TestApp::new().await;
    let admin = format!("Bearer {ADMIN}");
    let sent = package("tool", "1.0.0");
    let published = put(&app, "acme/tool/versions/1.0.0", &admin, ZIP, sent.clone()).await.is(201);
    assert_eq!((&published["package"], &published["version"]), (&json!("acme/tool"), &json!("1.0.0")));
    let zip = app.look("/apm/v1/packages/acme/tool/versions/1.0.0/download").await;
    assert_eq!(format!("sha256:{}", Digest::of(&zip.body)), published["digest"].as_str().unwrap());
    assert_eq!(zip.body, sent, "what is packed canonically comes back as it was sent");
    let listed = app.look("/apm/v1/packages/acme/tool/versions").await.is(200);
    assert_eq!(listed["versions"][0]["digest"], published["digest"]);
    put(&app, "acme/tool/versions/1.0.0", &admin, ZIP, sent).await.fails(409, "version-exists");
    let other = put(&app, "acme/tool/versions/1.0.0", &admin, ZIP, package("tool", "1.0.1")).await;
    other.fails(409, "version-exists");
    // It is there for the others, too.
    let index = app.look("/acme/tool/.well-known/agent-skills/index.json").await.is(200);
    assert_eq!(index["skills"][0]["files"], json!(["SKILL.md", "apm.yml", "scripts/run.sh"]));
    put(&app, "acme%2Fdeep%2Ftool/versions/1.0.0", &basic(ADMIN), ZIP, package("tool", "1.0.0"))
        .await
        .is(201);
    assert_eq!(app.look("/apm/v1/packages/acme/deep/tool/versions").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_packages_are_refused_and_change_nothing() {
    let app = TestApp::with(|settings| settings.limits.bundle_bytes = 100_000).await;
    let admin = format!("Bearer {ADMIN}");
    let good = || package("tool", "1.0.0");
    let without = bundle::pack(vec![BundleFile {
        path: "apm.yml".to_owned(),
        executable: false,
        bytes: b"name: tool".to_vec(),
    }])
    .unwrap();
    let wrong =
        put(&app, "acme/tool/versions/1.0.0", &admin, ZIP, without).await.fails(422, "invalid-bundle");
    assert_eq!(wrong["extensions"]["errors"], wrong["findings"]);
    assert!(!wrong["findings"].as_array().unwrap().is_empty());
    for (path, kind, body, status, code) in [
        ("acme/tool/versions/1.0.0", ZIP, b"no archive".to_vec(), 422, "invalid-bundle"),
        ("acme/tool/versions/1.0.0", ZIP, Vec::new(), 422, "invalid-bundle"),
        ("acme/tool/versions/1.0.0", ZIP, vec![0; 100_001], 413, "body-too-large"),
        ("acme/tool/versions/1.0.0", "application/gzip", good(), 415, "unsupported-media-type"),
        ("acme/other/versions/1.0.0", ZIP, good(), 422, "invalid-bundle"),
        ("acme/tool/versions/main", ZIP, good(), 400, "invalid-version"),
        ("acme/tool/versions/..%2Fx", ZIP, good(), 400, "invalid-version"),
        ("../tool/versions/1.0.0", ZIP, good(), 400, "invalid-id"),
        ("acme/%FF/versions/1.0.0", ZIP, good(), 400, "invalid-id"),
        ("acme/tool/versions/1.0.0/download", ZIP, good(), 405, "method-not-allowed"),
        ("acme/tool/versions", ZIP, good(), 405, "method-not-allowed"),
    ] {
        put(&app, path, &admin, kind, body).await.fails(status, code);
    }
    put(&app, "acme/tool/versions/1.0.0", "", ZIP, good()).await.fails(401, "unauthenticated");
    let reader = app.user("rita", &["read"]).await;
    let reader = format!("Bearer {reader}");
    put(&app, "acme/tool/versions/1.0.0", &reader, ZIP, good()).await.fails(403, "insufficient-scope");
    app.look("/apm/v1/packages/acme/tool/versions").await.fails(404, "skill-not-found");
    put(&app, "acme/tool/versions/1.0.0", &admin, ZIP, good()).await.is(201);
    let stranger = format!("Bearer {}", app.user("sam", &["read", "publish"]).await);
    put(&app, "acme/tool/versions/2.0.0", &stranger, ZIP, package("tool", "2.0.0"))
        .await
        .fails(403, "forbidden");
    app.look("/apm/v1/packages/acme/tool/versions/1.0.0").await.fails(405, "method-not-allowed");
}

/// Pieces of 1,000 bytes, and how many were taken.
fn counted(pieces: usize) -> (Arc<AtomicUsize>, Body) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let piece = move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1_000]))
    };
    (taken, Body::from_stream(stream::iter(0..pieces).map(piece)))
}

async fn put_pieces(app: &TestApp, token: &str, headers: &[(&str, &str)], body: Body) -> Answer {
    let mut request = Request::put("/apm/v1/packages/acme/tool/versions/1.0.0")
        .header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(body).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_gets_to_read_why() {
    let app = TestApp::with(|settings| {
        settings.limits.bundle_bytes = 100_000;
        settings.limits.request_seconds = 1;
    })
    .await;
    app.publish("acme/other", "1.0.0").await;
    let stranger = app.user("sam", &["read", "publish"]).await;
    let zip = ("content-type", ZIP);
    // What is still to come is taken in and forgotten.
    for (token, headers, pieces, status) in [
        (stranger.as_str(), vec![zip], 60, 403),
        (ADMIN, vec![("content-type", "text/plain")], 60, 415),
        (ADMIN, vec![zip], 60, 422),
        (ADMIN, vec![zip], 150, 413),
        (ADMIN, vec![zip, ("content-length", "150000")], 90, 413),
    ] {
        let (taken, body) = counted(pieces);
        let answer = put_pieces(&app, token, &headers, body).await;
        assert_eq!(answer.status, status, "{}", answer.json());
        assert_eq!(taken.load(Ordering::SeqCst), pieces, "{status}");
    }
    // But not for ever.
    for (token, status) in [(stranger.as_str(), 403), (ADMIN, 413)] {
        let (taken, body) = counted(1_000_000);
        assert_eq!(put_pieces(&app, token, &[zip], body).await.status, status);
        assert!((100..=203).contains(&taken.load(Ordering::SeqCst)), "{taken:?}");
    }
    // Who waits for a word before the body is sent gets this one.
    for (token, length, status) in [(stranger.as_str(), "60000", 403), (ADMIN, "150000", 413)] {
        let (taken, body) = counted(60);
        let headers = [zip, ("content-length", length), ("expect", "100-continue")];
        assert_eq!(put_pieces(&app, token, &headers, body).await.status, status);
        assert_eq!(taken.load(Ordering::SeqCst), 0);
    }
    // Who has fallen silent is not waited for.
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"PK"))]);
    let started = Instant::now();
    let silent = put_pieces(&app, ADMIN, &[zip], Body::from_stream(begun.chain(stream::pending()))).await;
    silent.fails(408, "request-timed-out");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    app.look("/apm/v1/packages/acme/tool/versions").await.fails(404, "skill-not-found");
}
