//! What is no message, comes from where it should not, or is more than anybody needs.

use axum::http::Method;
use serde_json::{Value, json};

use crate::http::interop::ROUTES;
use crate::http::router::Who;
use crate::tests::{ADMIN, TestApp};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_gets_one_clear_answer() {
    let app = TestApp::new().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, code, id) in [
        ("", -32700, Value::Null),
        ("{", -32700, Value::Null),
        ("\u{0}", -32700, Value::Null),
        (&*deep, -32700, Value::Null),
        ("[]", -32600, Value::Null),
        (&*format!("[{PING},{PING}]"), -32600, Value::Null),
        ("3", -32600, Value::Null),
        ("{}", -32600, Value::Null),
        (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, -32600, json!("a")),
        (r#"{"id":3,"method":"ping"}"#, -32600, json!(3)),
        (r#"{"jsonrpc":"2.0","id":{"x":1},"method":"ping"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600, json!(1)),
    ] {
        let shown: String = body.chars().take(80).collect();
        let answer = app.message("/mcp", "", body, &[]).await;
        assert_eq!(answer.status, 400, "{shown}");
        let answer = answer.json();
        assert_eq!((answer["error"]["code"].as_i64(), &answer["id"]), (Some(code), &id), "{shown}");
    }
    // A message that is one, and asks for nothing that there is.
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"drop/tables"}"#;
    assert_eq!(app.message("/mcp", "", body, &[]).await.is(200)["error"]["code"], -32601);
    // Nobody was asked anything here.
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
    ] {
        assert_eq!(app.message("/mcp", "", body, &[]).await.status, 400);
    }
    for params in
        [json!([]), json!({ "name": 3 }), json!({}), json!({ "name": "show_skill", "arguments": [] })]
    {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        let answer = app.message("/mcp", "", &body, &[]).await;
        assert!(answer.status == 400 || answer.status == 200, "{answer:?}");
        assert!(answer.json()["error"]["code"].is_i64(), "{body}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_must_fit() {
    let app = TestApp::new().await;
    for (header, value, status) in [
        ("content-type", "text/plain", 415),
        ("content-type", "", 415),
        ("accept", "text/html", 406),
        ("accept", "", 406),
        ("mcp-protocol-version", "1999-01-01", 400),
        ("host", "", 400),
        ("host", "evil.example", 403),
        ("host", "localhost.evil.example:8700", 403),
        ("host", "localhost:8700", 200),
        ("host", "127.0.0.1", 200),
        ("host", "[::1]:8700", 200),
        ("origin", "http://evil.example", 403),
        ("origin", "http://evil.example:8700", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:3000", 403),
        // A session that somebody made up is nobody's.
        ("mcp-session-id", "stolen", 200),
        ("last-event-id", "1", 200),
    ] {
        let answer = app.message("/mcp", "", PING, &[(header, value)]).await;
        assert_eq!(answer.status.as_u16(), status, "{header}: {value}: {answer:?}");
        assert!(!answer.headers.contains_key("mcp-session-id"));
    }
    let large =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":"{}"}}}}"#, "x".repeat(300_000));
    app.message("/mcp", "", &large, &[]).await.fails(413, "body-too-large");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_origins_are_those_of_the_settings() {
    let public = TestApp::with(|settings| {
        settings.public_url = Some("https://skills.example".parse().unwrap());
        settings.listen = "0.0.0.0:8700".parse().unwrap();
        settings.cors_origins = vec!["https://pages.example:8443".to_owned()];
    })
    .await;
    for (host, origin, status) in [
        ("skills.example", "", 200),
        ("skills.example:443", "https://skills.example", 200),
        ("skills.example", "http://skills.example", 403),
        ("skills.example", "https://pages.example:8443", 200),
        ("skills.example", "https://pages.example", 403),
        ("10.0.0.7:8700", "", 403),
        ("localhost:8700", "", 200),
    ] {
        let answer = public.message("/mcp", "", PING, &[("host", host), ("origin", origin)]).await;
        assert_eq!(answer.status.as_u16(), status, "{host} {origin}");
    }
    let nameless = TestApp::with(|settings| settings.listen = "0.0.0.0:8700".parse().unwrap()).await;
    for (host, origin, status) in
        [("10.0.0.7:8700", "", 200), ("any.example", "", 200), ("any.example", "http://any.example", 403)]
    {
        let answer = nameless.message("/mcp", "", PING, &[("host", host), ("origin", origin)]).await;
        assert_eq!(answer.status.as_u16(), status, "{host} {origin}");
    }
    let open = TestApp::with(|settings| settings.cors_origins = vec!["*".to_owned()]).await;
    assert_eq!(open.message("/mcp", "", PING, &[("origin", "http://any.example")]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_to_listen_to_and_no_session_to_end() {
    let app = TestApp::new().await;
    for path in ["/mcp", "/mcp/acme"] {
        for method in [Method::GET, Method::DELETE, Method::PUT, Method::HEAD, Method::PATCH] {
            let answer = app.call(method.clone(), path, "", None).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.headers["allow"]),
                (405, &"POST".parse().unwrap()),
                "{method}"
            );
            if method != Method::HEAD {
                answer.fails(405, "method-not-allowed");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_keeps_to_who_may() {
    let closed = TestApp::with(|settings| settings.anonymous_reads = false).await;
    let open = TestApp::new().await;
    for (method, path, who) in ROUTES.iter().filter(|(_, path, _)| path.starts_with("/mcp")) {
        assert_eq!((*method, *who), ("post", Who::Reader));
        let path = path.replace("{namespace}", "acme");
        assert_eq!(open.message(&path, "", PING, &[]).await.status, 200);
        let refused = closed.message(&path, "", PING, &[]).await;
        assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"skillery\"");
        refused.fails(401, "unauthenticated");
        assert_eq!(closed.message(&path, ADMIN, PING, &[]).await.status, 200);
        for app in [&open, &closed] {
            app.message(&path, "sky_pat_nobody", PING, &[]).await.fails(401, "invalid-token");
            app.message(&path, "", PING, &[("authorization", "Basic YTpi")])
                .await
                .fails(401, "invalid-token");
        }
    }
    let off = TestApp::with(|settings| settings.surfaces.mcp = false).await;
    off.message("/mcp", ADMIN, PING, &[]).await.fails(404, "route-not-found");
}
