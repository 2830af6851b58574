//! Health, metrics, pages, headers, backup, doctor.

use super::{ADMIN, TestApp};
use crate::admin;

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.search("", "").await;
    app.get("/healthz").await.is(200);
    app.get("/readyz").await.is(200);
    app.get("/api/v1/skills/acme/none").await.fails(404, "skill-not-found");
    let page = app.get("/metrics").await;
    let text = String::from_utf8(page.body).unwrap();
    for line in [
        "skillery_http_requests_total{route=\"/api/v1/skills/{id}\",method=\"GET\",status=\"404\"} 1",
        "skillery_versions_published_total 1",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    app.app.stop();
    app.get("/readyz").await.fails(503, "busy");
    app.get("/healthz").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_an_id_and_the_security_headers() {
    let app = TestApp::new().await;
    for path in ["/healthz", "/api/v1/skills", "/docs", "/nothing", "/api/v1/log"] {
        let answer = app.get(path).await;
        for header in ["x-request-id", "x-content-type-options", "referrer-policy"] {
            assert!(answer.headers.contains_key(header), "{path} {header}");
        }
        let is_json = answer.headers["content-type"] == "application/json";
        for header in ["x-frame-options", "content-security-policy"] {
            assert_eq!(answer.headers.contains_key(header), !is_json, "{path} {header}");
        }
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
    }
    let request = axum::http::Request::get("/nothing")
        .header("x-request-id", "my-own-id-1")
        .body(axum::body::Body::empty());
    let answer = app.send(request.unwrap()).await;
    assert_eq!(answer.headers["x-request-id"], "my-own-id-1");
    assert_eq!(answer.json()["request_id"], "my-own-id-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_show_every_route_and_code() {
    let app = TestApp::new().await;
    let page = String::from_utf8(app.get("/docs").await.body).unwrap();
    for (_, path, _) in crate::http::router::ROUTES {
        assert!(page.contains(path), "{path}");
    }
    let page = String::from_utf8(app.get("/docs/errors").await.body).unwrap();
    for code in skillery_core::ProblemCode::ALL {
        assert!(page.contains(&format!("id=\"{code}\"")), "{code}");
    }
    let document = app.get("/openapi.json").await.is(200);
    assert_eq!(document["info"]["title"], "Skillery");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_restores_and_the_doctor_finds_damage() {
    if super::is_postgres() {
        // A PostgreSQL database has its own tools for this.
        return;
    }
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    let log = app.log().await;
    let folder = tempfile::tempdir().unwrap();
    let (copy, settings) = (folder.path().join("copy"), app.app.settings.clone());
    // While the server runs.
    let report = admin::backup(&settings, &copy).await.unwrap();
    assert_eq!((report.contents, report.log_entries), (2, log.len() as i64));
    assert!(admin::backup(&settings, &copy).await.unwrap_err().to_string().contains("not empty"));
    let mut restored = settings.clone();
    restored.data = folder.path().join("restored");
    assert_eq!(admin::restore(&restored, &copy).await.unwrap().contents, 2);
    assert!(admin::restore(&restored, &copy).await.unwrap_err().to_string().contains("already"));
    assert!(admin::doctor(&restored).await.unwrap().ok);
    let reindexed = admin::reindex(&restored).await.unwrap();
    assert_eq!((reindexed.skills, reindexed.log_entries), (1, log.len() as i64));
    let other =
        TestApp::open(restored.clone(), app.app.environment.clone(), std::sync::Arc::clone(&app.folder))
            .await;
    assert_eq!(other.log().await, log);
    other.get("/api/v1/skills/acme/tool/download").await.is(200);
    assert_eq!(other.search("", "q=tool").await.1, 1);
    let version = other.get_as(ADMIN, "/api/v1/skills/acme/tool/versions/1.0.0").await.is(200);
    let hex = version["digest"].as_str().unwrap();
    fs_err::write(restored.blob_folder().join("sha256").join(&hex[..2]).join(hex), "damaged").unwrap();
    let report = admin::doctor(&restored).await.unwrap();
    let contents = report.checks.iter().find(|check| check.name == "contents").unwrap();
    assert!(!report.ok && contents.detail.contains(hex), "{contents:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_has_one_server() {
    let app = TestApp::new().await;
    let second = crate::app::App::open(app.app.settings.clone(), app.app.environment.clone()).await;
    assert!(second.err().unwrap().to_string().contains("another server uses the data folder"));
    app.publish("acme/tool", "1.0.0").await;
    assert_eq!(app.search("", "q=tool").await.1, 1);
}
