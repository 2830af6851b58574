//! Bad input gets a clear problem and loses nothing.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{ADMIN, TestApp, skill};

async fn raw(app: &TestApp, content_type: &str, body: Vec<u8>) -> super::Answer {
    let request = Request::post("/api/v1/skills")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("content-type", content_type)
        .body(Body::from(body));
    app.send(request.unwrap()).await
}

fn with(field: &str, value: Value) -> Value {
    let mut body = skill("acme/tool", "1.0.0");
    body[field] = value;
    body
}

fn with_code(code: &str) -> Value {
    let mut body = with("code", json!(code));
    body.as_object_mut().unwrap().remove("code_hash");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_that_are_refused() {
    let app = TestApp::new().await;
    let long = format!("acme/{}", "a".repeat(65));
    let ids = [
        "",
        "tool",
        "acme/..",
        "../../etc/passwd",
        "acme//tool",
        "/tool",
        "acme/",
        long.as_str(),
        "Acme/tool",
        "acme/Tool",
        "acme/t\u{043e}ol",
        "acme/tool\u{200b}",
        "acme/download",
        "acme/versions/x",
        "api/tool",
        "acme/con",
    ];
    for id in ids {
        let mut body = with("id", json!(id));
        for field in ["name", "org"] {
            body.as_object_mut().unwrap().remove(field);
        }
        let problem = app.post("/api/v1/skills", ADMIN, body).await.fails(400, "invalid-id");
        assert!(!problem["detail"].as_str().unwrap().contains('\u{200b}'), "{problem}");
    }
    for version in ["", "1", "1.0", "v1.0.0", "1.0.0.0", "latest", "01.0.0", "1.0.0-\u{00e9}"] {
        app.post("/api/v1/skills", ADMIN, with("version", json!(version)))
            .await
            .fails(400, "invalid-version");
    }
    let cases: Vec<(Value, u16, &str)> = vec![
        (with("name", json!("other")), 422, "invalid-field"),
        (with("org", json!("other")), 422, "invalid-field"),
        (with("code_hash", json!("0".repeat(64))), 422, "code-hash-mismatch"),
        (with("code_hash", json!("nonsense")), 422, "code-hash-mismatch"),
        (with("signature", json!("nonsense")), 422, "invalid-field"),
        (with_code(""), 422, "invalid-code"),
        (with_code(" \n "), 422, "invalid-code"),
        (with_code("x = 1\u{0}"), 422, "invalid-code"),
        (with_code(&"x".repeat(1024 * 1024 + 1)), 413, "code-too-large"),
        (with("code", Value::Null), 422, "invalid-field"),
        (with("tags", json!("email")), 422, "invalid-field"),
        (with("tags", json!(["a,b"])), 422, "invalid-field"),
        (with("tags", json!([""])), 422, "invalid-field"),
        (with("tags", json!(vec!["t"; 33])), 422, "invalid-field"),
        (with("tags", json!(["x".repeat(65)])), 422, "invalid-field"),
        (with("description", json!("x".repeat(4_097))), 422, "invalid-field"),
        (with("description", json!("right \u{202e} to left")), 422, "invalid-field"),
        (with("license", json!("MIT\nEvil")), 422, "invalid-field"),
        (with("homepage", json!("javascript:alert(1)")), 422, "invalid-field"),
        (with("homepage", json!("not a url")), 422, "invalid-field"),
        (with("repository", json!("file:///etc/passwd")), 422, "invalid-field"),
        (with("visibility", json!("secret")), 422, "invalid-field"),
        (with("rating", json!(5)), 422, "unknown-field"),
        (with("created_at", json!("2020-01-01")), 422, "unknown-field"),
    ];
    for (body, status, code) in cases {
        let shown = body.to_string().chars().take(200).collect::<String>();
        let problem = app.post("/api/v1/skills", ADMIN, body).await;
        assert_eq!((problem.status.as_u16(), problem.code().as_str()), (status, code), "{shown}");
    }
    let problem =
        app.post("/api/v1/skills", ADMIN, with("colour", json!("red"))).await.fails(422, "unknown-field");
    assert_eq!(problem["field"], "colour");
    // Nothing of all this left a trace.
    assert_eq!(app.search(ADMIN, "").await.1, 0);
    assert!(app.log().await.iter().all(|entry| entry["event"]["kind"] != "version.published"));
    app.publish("acme/tool", "1.0.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_is_broken_too_deep_or_too_big() {
    let app = TestApp::new().await;
    let good = skill("acme/tool", "1.0.0").to_string();
    raw(&app, "application/json", good.as_bytes()[..good.len() - 2].to_vec())
        .await
        .fails(400, "invalid-json");
    raw(&app, "application/json", b"".to_vec()).await.fails(400, "invalid-json");
    raw(&app, "application/json", b"[]".to_vec()).await.fails(422, "invalid-field");
    raw(&app, "application/json", b"NaN".to_vec()).await.fails(400, "invalid-json");
    let deep = format!("{{\"id\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let answer = raw(&app, "application/json", deep.into_bytes()).await;
    assert!(matches!(answer.status.as_u16(), 400 | 422), "{answer:?}");
    let mut not_utf8 = good.clone().into_bytes();
    let place = good.find("return").unwrap();
    not_utf8[place] = 0xff;
    raw(&app, "application/json", not_utf8).await.fails(400, "invalid-json");
    let surrogate = good.replace("return", "\\ud800");
    raw(&app, "application/json", surrogate.into_bytes()).await.fails(400, "invalid-json");
    let twice = good.replacen('{', "{\"version\":\"2.0.0\",", 1);
    raw(&app, "application/json", twice.into_bytes()).await.fails(422, "invalid-field");
    let problem =
        raw(&app, "application/json", vec![b' '; 2 * 1024 * 1024 + 1]).await.fails(413, "body-too-large");
    assert_eq!(problem["limit"], 2 * 1024 * 1024);
    raw(&app, "text/plain", good.clone().into_bytes()).await.fails(415, "unsupported-media-type");
    raw(&app, "application/json; charset=utf-8", good.into_bytes()).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_lead_nowhere() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.get("/api/v1/nothing").await.fails(404, "route-not-found");
    app.get("/api/nothing").await.fails(404, "route-not-found");
    app.get("/assets/nothing.css").await.fails(404, "route-not-found");
    app.get("/api/v1/skills/").await.fails(404, "route-not-found");
    app.get("/api/v1/skills/tool").await.fails(400, "invalid-id");
    app.get("/api/v1/skills/acme/none").await.fails(404, "skill-not-found");
    app.get("/api/v1/skills/acme/tool/versions/1.0").await.fails(400, "invalid-version");
    app.get("/api/v1/skills/acme/tool/versions/9.0.0").await.fails(404, "version-not-found");
    app.get("/api/v1/skills/acme/%2e%2e/%2e%2e/etc").await.fails(400, "invalid-id");
    app.get("/api/v1/skills/acme/%ff%fe").await.fails(400, "invalid-id");
    app.get("/api/v1/skills/acme/%00").await.fails(400, "invalid-id");
    let refused = app.delete("/api/v1/skills/acme/tool", ADMIN).await;
    assert_eq!(refused.headers["allow"], "GET, HEAD");
    refused.fails(405, "method-not-allowed");
    app.get("/api/v1/orgs/acme/none/such").await.fails(404, "route-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_of_one_token() {
    let app = TestApp::with(|settings| settings.limits.requests_per_second_per_token = 5).await;
    let anna = app.user("anna", &["read"]).await;
    let mut refused = None;
    for _ in 0..100 {
        let answer = app.get_as(&anna, "/api/v1/whoami").await;
        if answer.status.as_u16() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.headers["retry-after"], "1");
    refused.fails(429, "rate-limited");
    app.get("/api/v1/skills").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_repeats_little_and_no_value() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let long = "x".repeat(1_000_000);
    for body in [json!({ "rating": long }), json!({ long: 1 })] {
        let answer = app.post("/api/v1/skills/acme/tool/rate", ADMIN, body).await;
        assert!(answer.status.as_u16() == 422 && answer.body.len() < 3_000, "{}", answer.body.len());
    }
    let secret = app
        .put("/api/v1/orgs/acme/signing-secret", ADMIN, json!("hush-hush"))
        .await
        .fails(422, "invalid-field");
    assert!(!secret.to_string().contains("hush"), "{secret}");
    let token = "sky_pat_000000000000000000000000000000000000";
    let answer = app.delete(&format!("/api/v1/tokens/{token}"), ADMIN).await.fails(404, "token-not-found");
    assert!(!answer.to_string().contains("sky_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_and_reasons_control_no_terminal() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    for text in ["\u{1b}]0;pwn\u{7}", "right \u{202e} to left", "a\u{0}b"] {
        let rate = json!({ "rating": 5, "review": text });
        app.post("/api/v1/skills/acme/tool/rate", ADMIN, rate).await.fails(422, "invalid-field");
        let yank = "/api/v1/skills/acme/tool/versions/1.0.0/yank";
        app.put(yank, ADMIN, json!({ "reason": text })).await.fails(422, "invalid-field");
    }
    let family = "\u{1f469}\u{200d}\u{1f467} and\ntwo lines";
    app.post("/api/v1/skills/acme/tool/rate", ADMIN, json!({ "rating": 5, "review": family })).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_tokens_is_limited_by_address() {
    let app = TestApp::with(|settings| {
        settings.limits.requests_per_second_per_address = 3;
        settings.trust_forwarded = true;
    })
    .await;
    let mut refused = 0;
    for _ in 0..50 {
        let request = Request::get("/api/v1/skills")
            .header("authorization", "Bearer guess")
            .header("x-forwarded-for", "192.0.2.1")
            .body(Body::empty());
        refused += u32::from(app.send(request.unwrap()).await.status.as_u16() == 429);
    }
    assert!(refused > 10, "{refused}");
    app.get_as(ADMIN, "/api/v1/skills").await.is(200);
}
