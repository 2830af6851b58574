//! The audit: where changes come from, what was refused, who reads of it, and files of it.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::pages::Browser;
use super::{ADMIN, Answer, TestApp, skill};
use crate::audit;
use crate::counters;

const AGENT: &str = "probe/1.0 (tests)";

pub(super) async fn app() -> TestApp {
    TestApp::with(|settings| {
        settings.trust_forwarded = true;
        settings.limits.comments_per_minute = 0;
    })
    .await
}

/// A request from this address.
pub(super) async fn from(
    app: &TestApp,
    address: &str,
    method: Method,
    path: &str,
    token: &str,
    body: Value,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:8700")
        .header("user-agent", AGENT)
        .header("x-forwarded-for", format!("10.9.9.9, {address}"))
        .header("content-type", "application/json");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    app.send(request.body(body).unwrap()).await
}

pub(super) async fn entries(app: &TestApp, token: &str, query: &str) -> Vec<Value> {
    audit::flush(&app.app, true).await.unwrap();
    let page = app.get_as(token, &format!("/api/v1/audit?limit=200&{query}")).await.is(200);
    page["entries"].as_array().unwrap().clone()
}

pub(super) async fn denied(app: &TestApp) -> Vec<Value> {
    entries(app, ADMIN, "outcome=denied").await
}

/// Each text with how often.
pub(super) fn texts(entries: &[Value], field: &str) -> Vec<String> {
    entries.iter().map(|entry| entry[field].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_says_from_where_and_the_log_does_not() {
    let app = app().await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/skills")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("x-forwarded-for", "203.0.113.7")
        .header("x-request-id", "request-0815")
        .header("user-agent", "x".repeat(5_000))
        .header("content-type", "application/json");
    let request = request.body(Body::from(skill("acme/tool", "1.0.0").to_string())).unwrap();
    app.send(request).await.is(201);
    let anna = app.user("anna", &["rate"]).await;
    let rate = "/api/v1/skills/acme/tool/rate";
    from(&app, "2001:db8::7", Method::POST, rate, &anna, json!({ "rating": 4 })).await.is(200);

    let all = entries(&app, ADMIN, "").await;
    let log = app.log().await;
    assert_eq!(all.iter().filter(|entry| entry["outcome"] == "allowed").count(), log.len());
    for (entry, logged) in all.iter().rev().zip(&log) {
        assert_eq!(
            (&entry["log_index"], &entry["action"], &entry["event"], &entry["time"], &entry["actor_id"]),
            (&logged["index"], &logged["event"]["kind"], &logged["event"], &logged["time"], &logged["actor"])
        );
    }
    let of = |action: &str| all.iter().find(|entry| entry["action"] == action).unwrap();
    let published = of("version.published");
    assert_eq!(published["address"], "203.0.113.7");
    assert_eq!(published["request"], "request-0815");
    assert_eq!(published["agent"].as_str().unwrap().len(), 200);
    assert_eq!((&published["via"], &published["actor"]), (&json!("api"), &json!("admin")));
    assert_eq!((&published["subject"], &published["version"]), (&json!("acme/tool"), &json!("1.0.0")));
    // The org was claimed by the same request.
    assert_eq!(of("org.created")["address"], "203.0.113.7");
    let rated = of("skill.rated");
    let tokens = app.get_as(ADMIN, "/api/v1/tokens?user=anna").await.is(200);
    assert_eq!(rated["token"], tokens["tokens"][0]["id"]);
    assert_eq!((&rated["address"], &rated["agent"]), (&json!("2001:db8::7"), &json!(AGENT)));
    // What the registry does by itself has no address, and nobody's.
    assert_eq!((&of("log.genesis")["address"], &of("log.genesis")["actor"]), (&Value::Null, &Value::Null));

    let bodies = app.get_as(ADMIN, "/api/v1/log?limit=200").await.body;
    let leaves = super::log::leaves(&app).await.concat();
    for bytes in [bodies, leaves] {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains("203.0.113") && !text.contains("2001:db8") && !text.contains("request-0815"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_share_a_transaction_keep_their_origins() {
    let app = std::sync::Arc::new(app().await);
    app.publish("acme/first", "1.0.0").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=40 {
        let app = std::sync::Arc::clone(&app);
        tasks.spawn(async move {
            let body = skill(&format!("acme/tool{number}"), "1.0.0");
            let address = format!("198.51.100.{number}");
            from(&app, &address, Method::POST, "/api/v1/skills", ADMIN, body).await.is(201);
        });
    }
    tasks.join_all().await;
    let published = entries(&app, ADMIN, "action=version.published").await;
    let mut found = 0;
    for entry in published {
        let subject = entry["subject"].as_str().unwrap().to_owned();
        if let Some(number) = subject.strip_prefix("acme/tool") {
            assert_eq!(entry["address"], format!("198.51.100.{number}"), "{subject}");
            found += 1;
        }
    }
    assert_eq!(found, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_told_with_who_and_why() {
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut hidden = skill("acme/secret", "1.0.0");
    hidden["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    let mallory = app.user("mallory", &["read", "publish"]).await;
    let get =
        async |path: &str, token: &str| from(&app, "192.0.2.1", Method::GET, path, token, Value::Null).await;

    // Nobody is signed in: only refusals count.
    get("/api/v1/skills/acme/secret", "").await.fails(404, "skill-not-found");
    get("/api/v1/skills/acme/none", &mallory).await.fails(404, "skill-not-found");
    assert_eq!(denied(&app).await, Vec::<Value>::new());

    for _ in 0..3 {
        get("/api/v1/skills/acme/secret", &mallory).await.fails(404, "skill-not-found");
    }
    let seen = denied(&app).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(
        (&seen[0]["actor"], &seen[0]["subject"], &seen[0]["namespace"], &seen[0]["code"], &seen[0]["times"]),
        (&json!("mallory"), &json!("acme/secret"), &json!("acme"), &json!("skill-not-found"), &json!(3))
    );
    assert_eq!((&seen[0]["address"], &seen[0]["agent"]), (&json!("192.0.2.1"), &json!(AGENT)));
    assert_eq!(seen[0]["action"], "GET /api/v1/skills/{id}");

    // The body alone says what is published.
    let post = async |path: &str, token: &str, body: Value| {
        from(&app, "192.0.2.1", Method::POST, path, token, body).await
    };
    post("/api/v1/skills", &mallory, skill("acme/evil", "1.0.0")).await.fails(403, "forbidden");
    post("/api/v1/skills/acme/tool/rate", &mallory, json!({ "rating": 1 }))
        .await
        .fails(403, "insufficient-scope");
    post("/api/v1/skills/acme/tool/rate", "", json!({ "rating": 1 })).await.fails(401, "unauthenticated");
    get("/api/v1/whoami", "sky_pat_wrong").await.fails(401, "invalid-token");
    from(&app, "192.0.2.1", Method::DELETE, &format!("/api/v1/tokens/{mallory}"), "", Value::Null)
        .await
        .fails(401, "unauthenticated");
    from(
        &app,
        "192.0.2.1",
        Method::PUT,
        "/api/v1/orgs/acme/members/mallory",
        &mallory,
        json!({ "role": "owner" }),
    )
    .await
    .fails(403, "insufficient-scope");
    let seen = denied(&app).await;
    let rows: Vec<String> = seen
        .iter()
        .map(|row| {
            let part = |field: &str| row[field].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", part("actor"), part("action"), part("subject"), part("code"))
        })
        .collect();
    insta::assert_json_snapshot!(rows);
    let everything = serde_json::to_string(&seen).unwrap();
    assert!(!everything.contains("sky_"), "{everything}");

    // A token that is good no more still says whose it was.
    let id = app.get_as(ADMIN, "/api/v1/tokens?user=mallory").await.is(200)["tokens"][0]["id"].clone();
    app.delete(&format!("/api/v1/tokens/{}", id.as_str().unwrap()), ADMIN).await.is(204);
    get("/api/v1/skills/acme/tool", &mallory).await.fails(401, "token-revoked");
    let seen = denied(&app).await;
    assert_eq!((&seen[0]["code"], &seen[0]["actor"]), (&json!("token-revoked"), &json!("mallory")));
    assert_eq!((&seen[0]["token"], &seen[0]["subject"]), (&id, &json!("acme/tool")));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_other_protocols_are_told_too() {
    let app = app().await;
    let mut hidden = skill("acme/secret", "1.0.0");
    hidden["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    let mallory = app.user("mallory", &["read"]).await;
    let get = async |path: &str| {
        from(&app, "192.0.2.1", Method::GET, path, &mallory, Value::Null).await.status.as_u16()
    };
    assert_eq!(get("/acme/secret.git/info/refs?service=git-upload-pack").await, 404);
    assert_eq!(get("/clawhub/api/v1/skills/acme/secret").await, 404);
    let bad = from(&app, "192.0.2.1", Method::GET, "/clawhub/api/v1/whoami", "nonsense", Value::Null).await;
    assert_eq!(bad.status.as_u16(), 401);
    let ask = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "show_skill", "arguments": { "id": "acme/secret" } } });
    let request = Request::builder()
        .method(Method::POST)
        .uri("/mcp")
        .header("host", "127.0.0.1:8700")
        .header("authorization", format!("Bearer {mallory}"))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .header("content-type", "application/json")
        .body(Body::from(ask.to_string()))
        .unwrap();
    let answer = app.send(request).await.is(200);
    assert!(answer.to_string().contains("skill-not-found"), "{answer}");
    let vias: std::collections::BTreeSet<String> = texts(&denied(&app).await, "via").into_iter().collect();
    assert_eq!(vias.into_iter().collect::<Vec<_>>(), ["clawhub", "git", "mcp"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_no_log_has_are_told_as_well() {
    const VERSION: &str = "/api/v1/skills/acme/tool/versions/1.0.0";
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "publish", "review", "admin"]).await;
    app.member("acme", "anna", "admin").await;
    let mia = app.user("mia", &["read", "publish", "rate", "admin"]).await;
    app.member("acme", "mia", "publisher").await;
    let send = async |method: Method, path: &str, token: &str, body: Value| {
        from(&app, "192.0.2.7", method, path, token, body).await
    };
    // The same again changes nothing, and is told of once.
    for _ in 0..2 {
        let said = json!({ "changelog": "Takes umlauts." });
        send(Method::PUT, &format!("{VERSION}/changelog"), &anna, said).await.is(200);
    }
    let comments = format!("{VERSION}/approvals/comments");
    let thread = send(Method::POST, &comments, &mia, json!({ "text": "Why?" })).await.is(201);
    let thread = thread["id"].as_str().unwrap().to_owned();
    let comment = format!("{comments}/{thread}");
    for (token, change) in [
        (&mia, json!({ "text": "Why so?" })),
        (&anna, json!({ "resolved": true })),
        (&anna, json!({ "resolved": true })),
        (&anna, json!({ "resolved": false })),
    ] {
        send(Method::PATCH, &comment, token, change).await.is(200);
    }
    for _ in 0..2 {
        send(Method::DELETE, &comment, &anna, Value::Null).await.is(200);
    }
    let own = send(Method::POST, &comments, &mia, json!({ "text": "So." })).await.is(201);
    let own = own["id"].as_str().unwrap().to_owned();
    send(Method::DELETE, &format!("{comments}/{own}"), &mia, Value::Null).await.is(200);
    let report = json!({ "skill": "acme/tool", "reason": "spam", "text": "It is one." });
    assert!(send(Method::POST, "/api/v1/reports", &mia, report).await.status.is_success());
    let report = app.get_as(ADMIN, "/api/v1/reports").await.is(200)["reports"][0]["id"].clone();
    let report = report.as_str().unwrap();
    send(Method::POST, "/api/v1/login-links", &mia, Value::Null).await.is(201);
    let hooks = "/api/v1/notifications/webhooks";
    let hook = send(Method::POST, hooks, &mia, json!({ "url": "https://example.org/hook" })).await.is(201);
    let hook = hook["id"].as_str().unwrap().to_owned();
    assert!(send(Method::POST, &format!("{hooks}/{hook}/test"), &mia, Value::Null).await.status.is_success());

    let told = |rows: &[Value]| -> Vec<String> {
        let part = |row: &Value, field: &str| row[field].as_str().unwrap_or("-").to_owned();
        let fields = ["action", "actor", "subject", "version", "namespace"];
        rows.iter().rev().map(|row| fields.map(|field| part(row, field)).join(" ")).collect()
    };
    let from_there = async |token: &str| {
        let rows = entries(&app, token, "").await.into_iter();
        rows.filter(|row| row["address"] == "192.0.2.7").collect::<Vec<_>>()
    };
    let all = from_there(ADMIN).await;
    assert!(all.iter().all(|row| row["agent"] == AGENT && row["outcome"] == "allowed"), "{all:?}");
    let about = |comment: &str| format!("acme/tool comment {comment} 1.0.0 acme");
    let token = app.get_as(&mia, "/api/v1/whoami").await.is(200)["token"]["id"].as_str().unwrap().to_owned();
    let in_namespace = [
        "changelog.set anna acme/tool 1.0.0 acme".to_owned(),
        format!("review-comment.posted mia {}", about(&thread)),
        format!("review-comment.edited mia {}", about(&thread)),
        format!("review-thread.resolved anna {}", about(&thread)),
        format!("review-thread.reopened anna {}", about(&thread)),
        format!("review-comment.hidden anna {}", about(&thread)),
        format!("review-comment.posted mia {}", about(&own)),
        format!("review-comment.deleted mia {}", about(&own)),
    ];
    let of_ones_own = [
        format!("report.filed mia acme/tool report {report} - -"),
        format!("login-link.made mia {token} - -"),
        format!("webhook.added mia {hook} - -"),
        format!("webhook.tested mia {hook} - -"),
    ];
    assert_eq!(told(&all), [&in_namespace[..], &of_ones_own[..]].concat());
    // What was said is in none of them, and no namespace learns who has reported something.
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains("umlauts") && !text.contains("Why") && !text.contains("It is one"), "{text}");
    let seen = told(&from_there(&anna).await);
    assert_eq!(seen, in_namespace);
    // It is found by the skill, by who reads of it.
    for (token, count) in [(ADMIN, 1), (&anna, 0)] {
        assert_eq!(entries(&app, token, "subject=acme/tool&action=report.").await.len(), count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_forbids_to_everybody_is_told_and_no_secret_of_an_address() {
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "admin"]).await;
    app.member("acme", "anna", "admin").await;
    let send = async |method: Method, path: &str, token: &str, body: Value| {
        from(&app, "192.0.2.1", method, path, token, body).await
    };
    let hooks = "/api/v1/notifications/webhooks";
    let inside =
        json!({ "url": "https://10.0.0.7:8443/secret-path?key=secret-key#secret", "namespace": "acme" });
    send(Method::POST, hooks, &anna, inside).await.fails(422, "address-not-allowed");
    let named = json!({ "url": "https://secret-name:secret-word@example.org/" });
    send(Method::POST, hooks, &anna, named).await.fails(422, "address-not-allowed");
    let file = json!({ "url": "file:///etc/secret" });
    send(Method::POST, hooks, &anna, file).await.fails(422, "address-not-allowed");
    let made = send(Method::POST, hooks, &anna, json!({ "url": "https://example.org/hook" })).await.is(201);
    let hook = format!("{hooks}/{}", made["id"].as_str().unwrap());
    let within = json!({ "url": "https://[::1]:9000/?secret" });
    send(Method::PATCH, &hook, &anna, within).await.fails(422, "address-not-allowed");
    // A field that is wrong is no attempt.
    send(Method::POST, hooks, &anna, json!({ "url": "https://" })).await.fails(422, "invalid-field");
    let mut browser = Browser::signed_in(&app, &anna).await;
    let typed = [("action", "add"), ("url", "https://169.254.169.254/secret")];
    assert_eq!(browser.post("/account/webhooks", &typed).await.status, 422);

    let rows = entries(&app, ADMIN, "outcome=denied&actor=anna").await;
    let told = |rows: &[Value]| -> Vec<String> {
        let part = |row: &Value, field: &str| row[field].as_str().unwrap_or("-").to_owned();
        let fields = ["via", "action", "subject", "namespace", "code"];
        rows.iter().map(|row| fields.map(|field| part(row, field)).join(" ")).collect()
    };
    let route = format!("{hooks}/{{webhook}}");
    assert_eq!(
        told(&rows),
        [
            "web POST /account/webhooks 169.254.169.254 - address-not-allowed".to_owned(),
            format!("api PATCH {route} [::1]:9000 - address-not-allowed"),
            format!("api POST {hooks} {hooks} - address-not-allowed"),
            format!("api POST {hooks} example.org - address-not-allowed"),
            format!("api POST {hooks} 10.0.0.7:8443 acme address-not-allowed"),
        ]
    );
    let everything = serde_json::to_string(&rows).unwrap();
    assert!(!everything.contains("secret"), "{everything}");

    let owner = "/api/v1/orgs/acme/members/admin";
    send(Method::DELETE, owner, ADMIN, Value::Null).await.fails(409, "last-owner");
    send(Method::PUT, owner, ADMIN, json!({ "role": "reader" })).await.fails(409, "last-owner");
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let taken = [("action", "remove"), ("user", "admin"), ("confirm", "yes")];
    assert_eq!(browser.post("/orgs/acme/members", &taken).await.status, 409);
    let member = "/api/v1/orgs/{namespace}/members/{user}";
    let rows = entries(&app, ADMIN, "outcome=denied&actor=admin").await;
    assert_eq!(
        told(&rows),
        [
            "web POST /orgs/{namespace}/members /orgs/acme/members acme last-owner".to_owned(),
            format!("api PUT {member} acme acme last-owner"),
            format!("api DELETE {member} acme acme last-owner"),
        ]
    );
    let found = entries(&app, ADMIN, "actor=admin&action=DELETE").await;
    assert_eq!(told(&found), [format!("api DELETE {member} acme acme last-owner")]);
    // The admins of the namespace read what was tried there.
    let seen = told(&entries(&app, &anna, "outcome=denied&namespace=acme").await);
    assert_eq!(
        (seen.len(), seen[3].as_str()),
        (4, format!("api POST {hooks} 10.0.0.7:8443 acme address-not-allowed").as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_caller_has_made_up_is_not_kept() {
    let app = app().await;
    let long = Method::from_bytes(&b"X".repeat(200_000)).unwrap();
    let path = "/api/v1/skills/acme/tool/rate";
    from(&app, "192.0.2.1", long, path, "sky_pat_none", json!({})).await;
    let seen = denied(&app).await;
    assert_eq!(seen.len(), 1, "{} rows", seen.len());
    let action = seen[0]["action"].as_str().unwrap();
    assert!(action.starts_with("other ") && action.len() < 100, "{} bytes", action.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_few_rows_and_nothing_of_it_is_lost_count_of() {
    let app = app().await;
    let ask = async |address: &str, number: usize, token: &str| {
        let path = format!("/api/v1/skills/acme/tool{number}/rate");
        from(&app, address, Method::POST, &path, token, json!({ "rating": 1 })).await;
    };
    for number in 0..100 {
        ask("192.0.2.1", number, "").await;
    }
    let seen = denied(&app).await;
    assert_eq!(seen.len(), 21, "{seen:?}");
    assert_eq!(seen.iter().map(|row| row["times"].as_i64().unwrap()).sum::<i64>(), 100);
    assert_eq!((&seen[0]["action"], &seen[0]["address"]), (&json!(audit::MORE), &json!("192.0.2.1")));
    assert_eq!(seen[0]["times"], 80);
    // All addresses of a network of version 6 are one caller.
    for number in 0..100 {
        ask(&format!("2001:db8::{number:x}"), number, "").await;
    }
    assert_eq!(denied(&app).await.len(), 42);
    // Many callers together.
    for number in 0..900 {
        ask(&format!("198.51.{}.{}", number / 200, number % 200), number, "").await;
    }
    let all = entries(&app, ADMIN, &format!("action={}", audit::DROPPED)).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((&all[0]["address"], &all[0]["times"]), (&Value::Null, &json!(900 - (500 - 42))));
    // The next minute has room again, and rows that were written are counted on in none of it.
    app.app.environment.advance_seconds(60);
    ask("192.0.2.1", 1, "").await;
    let again = entries(&app, ADMIN, "outcome=denied&address=192.0.2.1").await;
    assert_eq!((again.len(), &again[0]["times"]), (22, &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_too_much_is_one_row_in_a_minute() {
    let app = TestApp::with(|settings| {
        settings.trust_forwarded = true;
        settings.limits.requests_per_second_per_address = 3;
        settings.limits.requests_per_second_per_token = 5;
    })
    .await;
    let anna = app.user("anna", &["read"]).await;
    let ask = async |address: &str, token: &str| {
        let mut refused = 0;
        for number in 0..100 {
            let path = format!("/api/v1/skills/acme/tool{number}");
            let answer = from(&app, address, Method::GET, &path, token, Value::Null).await;
            refused += i64::from(answer.status == 429);
        }
        refused
    };
    let of_stranger = ask("192.0.2.1", "").await;
    let of_anna = ask("192.0.2.2", &anna).await;
    let path = format!("action={}", audit::TOO_MANY);
    let rows = entries(&app, ADMIN, &path).await;
    let told = |row: &Value| {
        (row["actor"].clone(), row["address"].clone(), row["code"].clone(), row["times"].clone())
    };
    let code = json!("rate-limited");
    let expected = [
        (json!("anna"), json!("192.0.2.2"), code.clone(), json!(of_anna)),
        (Value::Null, json!("192.0.2.1"), code, json!(of_stranger)),
    ];
    assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected);
    // The next minute has another row.
    app.app.environment.advance_seconds(60);
    let again = ask("192.0.2.1", "").await;
    let rows = entries(&app, ADMIN, &path).await;
    assert_eq!((rows.len(), &rows[0]["times"]), (3, &json!(again)));
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_of_a_namespace_read_what_concerns_it() {
    let app = app().await;
    for id in ["acme/tool", "acme/deep/tool", "other/tool", "acme2/tool"] {
        app.publish(id, "1.0.0").await;
    }
    let all = ["read", "publish", "rate", "review", "admin"];
    let (owner, deep, nobody) =
        (app.user("olga", &all).await, app.user("dora", &all).await, app.user("nora", &all).await);
    app.member("acme", "olga", "owner").await;
    app.member("acme/deep", "dora", "admin").await;
    let rate = async |id: &str, token: &str, address: &str| {
        let path = format!("/api/v1/skills/{id}/rate");
        from(&app, address, Method::POST, &path, token, json!({ "rating": 5 })).await.is(200);
    };
    rate("acme/deep/tool", &nobody, "192.0.2.66").await;
    rate("acme/deep/tool", &owner, "192.0.2.77").await;
    rate("other/tool", &owner, "192.0.2.77").await;
    from(&app, "192.0.2.66", Method::POST, "/api/v1/skills", &nobody, skill("acme/evil", "1.0.0"))
        .await
        .fails(403, "forbidden");

    let namespaces = |entries: &[Value]| {
        texts(entries, "namespace").into_iter().collect::<std::collections::BTreeSet<_>>()
    };
    let seen = entries(&app, &owner, "").await;
    assert_eq!(namespaces(&seen).into_iter().collect::<Vec<_>>(), ["acme", "acme/deep"]);
    assert!(seen.iter().any(|row| row["code"] == "forbidden" && row["actor"] == "nora"), "{seen:?}");
    let seen = entries(&app, &deep, "").await;
    assert_eq!(namespaces(&seen).into_iter().collect::<Vec<_>>(), ["acme/deep"]);
    // From where somebody came is nothing for them where anybody could have done it; that of who acts as a member is.
    let hide = json!({ "visibility": "internal" });
    from(&app, "192.0.2.77", Method::PUT, "/api/v1/skills/acme/tool/visibility", &owner, hide).await.is(204);
    for row in entries(&app, &owner, "").await {
        let is_acting = row["action"] == "skill.visibility-changed";
        if row["actor"] == "olga" || row["actor"] == "nora" {
            assert_eq!(row["address"].is_null(), !is_acting, "{row}");
            assert_eq!(row["token"].is_null(), !is_acting, "{row}");
        }
    }
    assert_eq!(entries(&app, ADMIN, "action=skill.rated&address=192.0.2.66").await.len(), 1);
    app.get_as(&owner, "/api/v1/audit?address=192.0.2.66").await.fails(403, "forbidden");
    app.get_as(&nobody, "/api/v1/audit").await.fails(403, "forbidden");
    app.get_as(&deep, "/api/v1/audit?namespace=acme").await.fails(403, "forbidden");
    app.get_as(&deep, "/api/v1/audit/report?namespace=other").await.fails(403, "forbidden");
    assert_eq!(entries(&app, &owner, "namespace=acme/deep&action=skill.rated").await.len(), 2);
    // A token that is bound reads within its bounds.
    let bound = app.token(json!({ "user": "olga", "scopes": all, "namespaces": ["acme/deep"] })).await;
    assert_eq!(namespaces(&entries(&app, &bound, "").await).into_iter().collect::<Vec<_>>(), ["acme/deep"]);
    // In files too.
    let file = app.get_as(&owner, "/api/v1/audit?format=csv").await;
    let text = String::from_utf8(file.body).unwrap();
    assert!(text.contains("192.0.2.77") && !text.contains("192.0.2.66") && !text.contains("other"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_searched_and_comes_in_pages() {
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/deep/tool", "1.0.0").await;
    let anna = app.user("anna", &["rate"]).await;
    app.member("acme", "anna", "reader").await;
    app.app.environment.advance_seconds(86_400);
    app.post("/api/v1/skills/acme/tool/rate", &anna, json!({ "rating": 2 })).await.is(200);
    let count = async |query: &str| entries(&app, ADMIN, query).await.len();
    assert_eq!(count("actor=anna").await, 1);
    assert_eq!(count("actor=nobody-of-that-name").await, 0);
    assert_eq!(count("subject=acme/tool").await, 2);
    assert_eq!(count("subject=acme/deep").await, 1);
    assert_eq!(count("subject=ACME/Tool").await, 2);
    // The user, the token and the role.
    assert_eq!(count("subject=anna").await, 3);
    assert_eq!(count("action=skill.").await, 1);
    assert_eq!(count("action=version.published").await, 2);
    assert_eq!(count("from=2026-01-03").await, 1);
    assert_eq!(count("from=2026-01-03&to=2026-01-03T03:00:00Z").await, 0);
    assert_eq!(count("subject=%00&actor=%00&action=%00").await, 0);
    let (all, mut paged, mut before) = (entries(&app, ADMIN, "").await, Vec::new(), String::new());
    loop {
        let page = app.get_as(ADMIN, &format!("/api/v1/audit?limit=4{before}")).await.is(200);
        paged.extend(page["entries"].as_array().unwrap().iter().cloned());
        match page["next"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    for bad in ["outcome=maybe", "from=yesterday", "address=here", "format=xml", "limit=201", "before=x"] {
        app.get_as(ADMIN, &format!("/api/v1/audit?{bad}")).await.fails(400, "invalid-parameter");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_all_of_it_and_no_formulas() {
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    // More than is read at once.
    for turn in 0..1_100 {
        let body = json!({ "rating": 1 + turn % 5 });
        app.post("/api/v1/skills/acme/tool/rate", ADMIN, body).await.is(200);
    }
    let request = Request::builder()
        .method(Method::DELETE)
        .uri("/api/v1/skills/acme/tool/rate")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("user-agent", "=HYPERLINK(\"http://evil\",\"x\")");
    app.send(request.body(Body::empty()).unwrap()).await.is(204);
    let size = app.log().await.len();

    let file = app.get_as(ADMIN, "/api/v1/audit?format=csv").await;
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(file.headers["cache-control"], "no-store");
    let mut reader = csv::Reader::from_reader(&file.body[..]);
    let agent = reader.headers().unwrap().iter().position(|name| name == "agent").unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), size);
    assert_eq!(&rows[0][agent], "'=HYPERLINK(\"http://evil\",\"x\")");
    let ids: Vec<i64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert!(ids.is_sorted_by(|left, right| left > right));

    let request = Request::builder()
        .uri("/api/v1/audit?action=skill.rated&limit=700")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("accept", "application/x-ndjson");
    let file = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(file.headers["content-type"], "application/jsonl; charset=utf-8");
    let lines: Vec<Value> = String::from_utf8(file.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 700);
    assert!(lines.iter().all(|line| line["action"] == "skill.rated"));
    app.get_as("", "/api/v1/audit?format=csv").await.fails(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_counts_and_names_what_is_asked_for_first() {
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    let all = ["read", "publish", "rate", "review", "admin"];
    let (anna, rita) = (app.user("anna", &all).await, app.user("rita", &all).await);
    app.app.environment.advance_seconds(40 * 86_400);
    app.member("acme", "anna", "owner").await;
    app.member("acme", "rita", "reviewer").await;
    let policy = json!({ "approvals": 1, "role": "reviewer" });
    app.put("/api/v1/orgs/acme/policy", &anna, policy).await.is(200);
    app.post("/api/v1/skills", &anna, skill("acme/tool", "1.1.0")).await.is(202);
    let approvals = "/api/v1/skills/acme/tool/versions/1.1.0/approvals";
    let decision = json!({ "decision": "approved" });
    app.post(approvals, &anna, decision.clone()).await.fails(403, "self-approval");
    app.post(approvals, &rita, decision).await.is(200);
    from(&app, "192.0.2.9", Method::GET, "/api/v1/audit", "", Value::Null)
        .await
        .fails(401, "unauthenticated");
    audit::flush(&app.app, true).await.unwrap();

    let report = app.get_as(ADMIN, "/api/v1/audit/report?days=30").await.is(200);
    assert_eq!((&report["allowed"], &report["denied"]), (&json!(6), &json!(2)), "{report}");
    let release = &report["releases"][0];
    assert_eq!(
        (&release["skill"], &release["version"], &release["approved_by"]),
        (&json!("acme/tool"), &json!("1.1.0"), &json!(["rita"]))
    );
    assert_eq!(texts(report["members"].as_array().unwrap(), "affected"), ["rita", "anna"]);
    assert_eq!(texts(report["policies"].as_array().unwrap(), "action"), ["policy.set"]);
    let callers = |report: &Value| texts(report["denied_by_caller"].as_array().unwrap(), "name");
    assert_eq!(callers(&report), ["192.0.2.9", "anna"]);
    let actors = report["actors"].as_array().unwrap();
    assert!(actors.contains(&json!({ "name": "anna", "times": 2 })), "{actors:?}");
    // Of the namespace: no address of somebody who is not signed in.
    let mine = app.get_as(&anna, "/api/v1/audit/report?days=30&namespace=acme").await.is(200);
    assert_eq!(callers(&mine), ["anna"]);
    let longer = app.get_as(ADMIN, "/api/v1/audit/report?days=41").await.is(200);
    assert!(longer["allowed"].as_i64() > report["allowed"].as_i64());
    for days in ["0", "367"] {
        app.get_as(ADMIN, &format!("/api/v1/audit/report?days={days}")).await.fails(400, "invalid-parameter");
    }
    // However many ask, a few are answered at a time, and so are files.
    let turns = (app.app.auditing.turn().await.unwrap(), app.app.auditing.turn().await.unwrap());
    for path in ["/api/v1/audit/report", "/api/v1/audit?format=csv"] {
        let asked =
            tokio::time::timeout(std::time::Duration::from_millis(300), app.get_as(ADMIN, path)).await;
        assert!(asked.is_err(), "{path}");
    }
    drop(turns);
    app.get_as(ADMIN, "/api/v1/audit/report").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_about_much_is_kept_for_a_minute_and_nobody_waits_for_the_next() {
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, ben) = (app.user("anna", &["read", "admin"]).await, app.user("ben", &["read", "admin"]).await);
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "other" })).await.is(201);
    app.member("acme", "anna", "admin").await;
    app.member("other", "ben", "admin").await;
    let path = "/api/v1/audit/report";
    let allowed = async |path: &str| app.get_as(ADMIN, path).await.is(200)["allowed"].as_i64().unwrap();
    // What is little is of the moment.
    let few = allowed(path).await;
    app.publish("acme/tool", "1.1.0").await;
    assert_eq!(allowed(path).await, few + 1);
    let much = "UPDATE audit SET times = 2000 WHERE action = 'version.published' AND id = \
         (SELECT MIN(id) FROM audit WHERE action = 'version.published')";
    app.tamper(much.to_owned()).await;
    let many = allowed(path).await;
    assert_eq!(many, few + 2_000);
    app.publish("acme/tool", "1.2.0").await;
    app.app.environment.advance_seconds(59);
    assert_eq!(allowed(path).await, many);
    // Other days and other eyes have others.
    assert_eq!(allowed("/api/v1/audit/report?days=29").await, many + 1);
    let mine = app.get_as(&anna, path).await.is(200);
    assert_eq!(mine["actions"][0], json!({ "name": "version.published", "times": 2_002 }), "{mine}");
    let bens = app.get_as(&ben, path).await.is(200);
    assert!(bens["allowed"].as_i64().unwrap() < few, "{bens}");
    // The first after a minute has a new one made, and gets the one of before, which says of when it is.
    app.app.environment.advance_seconds(1);
    let before = app.get_as(ADMIN, path).await.is(200);
    assert_eq!((&before["allowed"], &before["to"]), (&json!(many), &json!("2026-01-02T03:04:05Z")));
    while allowed(path).await != many + 1 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // While all turns are taken there is the one that is good no more, for ten minutes.
    let turns = (app.app.auditing.turn().await.unwrap(), app.app.auditing.turn().await.unwrap());
    app.publish("acme/tool", "1.3.0").await;
    app.app.environment.advance_seconds(599);
    assert_eq!(allowed(path).await, many + 1);
    drop(turns);
    app.app.environment.advance_seconds(1);
    assert_eq!(allowed(path).await, many + 2);
    // Where little is left, the one of before is not given for ever.
    app.tamper("UPDATE audit SET times = 1".to_owned()).await;
    app.app.environment.advance_seconds(60);
    assert_eq!(allowed(path).await, many + 2);
    while allowed(path).await != few + 3 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    app.publish("acme/tool", "1.4.0").await;
    assert_eq!(allowed(path).await, few + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_installed_a_version_is_for_admins_of_its_namespace() {
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    let all = ["read", "publish", "rate", "review", "admin"];
    let (anna, bert) = (app.user("anna", &all).await, app.user("bert", &all).await);
    app.member("acme", "anna", "admin").await;
    let download = "/api/v1/skills/acme/tool/download?version=1.0.0";
    app.get_as(&bert, download).await.is(200);
    app.app.environment.advance_seconds(5);
    app.get_as(&bert, download).await.is(200);
    app.get(download).await.is(200);
    counters::flush(&app.app).await.unwrap();
    let installs = "/api/v1/skills/acme/tool/versions/1.0.0/installs";
    let found = app.get_as(&anna, installs).await.is(200);
    assert_eq!((&found["total"], &found["installs"][0]["user"]), (&json!(1), &json!("bert")));
    assert_eq!(found["installs"][0]["downloads"], 2);
    assert!(found["installs"][0]["first_at"].as_str() < found["installs"][0]["last_at"].as_str());
    let other = app.get_as(&anna, &installs.replace("1.0.0", "1.1.0")).await.is(200);
    assert_eq!(other["total"], 0);
    app.get_as(&anna, &installs.replace("1.0.0", "9.0.0")).await.fails(404, "version-not-found");
    app.get_as(&bert, installs).await.fails(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_forgotten_and_changes_never_are() {
    let app = TestApp::with(|settings| {
        settings.trust_forwarded = true;
        settings.audit.denied_days = 10;
        settings.audit.denied_rows = 5;
        settings.audit.address_days = 20;
    })
    .await;
    from(&app, "192.0.2.1", Method::POST, "/api/v1/skills", ADMIN, skill("acme/tool", "1.0.0")).await.is(201);
    let refuse = async |number: usize| {
        let path = format!("/api/v1/skills/acme/tool{number}/rate");
        from(&app, "192.0.2.1", Method::DELETE, &path, "", Value::Null).await.fails(401, "unauthenticated");
    };
    refuse(0).await;
    audit::flush(&app.app, true).await.unwrap();
    app.app.environment.advance_seconds(11 * 86_400);
    audit::prune(&app.app).await.unwrap();
    assert!(denied(&app).await.is_empty());
    for number in 0..9 {
        app.app.environment.advance_seconds(1);
        refuse(number).await;
    }
    audit::flush(&app.app, true).await.unwrap();
    audit::prune(&app.app).await.unwrap();
    let kept = denied(&app).await;
    assert_eq!(kept.len(), 5, "{kept:?}");
    assert_eq!(kept[0]["subject"], "acme/tool8");
    let published = async || entries(&app, ADMIN, "action=version.published").await.remove(0);
    assert_eq!(published().await["address"], "192.0.2.1");
    app.app.environment.advance_seconds(11 * 86_400);
    audit::prune(&app.app).await.unwrap();
    let published = published().await;
    assert_eq!((&published["address"], &published["actor"]), (&Value::Null, &json!("admin")));
    assert_eq!(entries(&app, ADMIN, "outcome=allowed").await.len(), app.log().await.len());
    // Names of clients go where no address was known, and all of many, in more than one transaction.
    app.tamper("UPDATE audit SET agent = 'probe', address = NULL".to_owned()).await;
    let rows = |first: usize| -> String {
        let row = |number: usize| format!("({number}, {number}, 5, 5, 1, 'allowed', 'skill.rated', 'probe')");
        (first..first + 500).map(row).collect::<Vec<_>>().join(", ")
    };
    for first in 0..5 {
        let columns = "(id, position, at, last_at, times, outcome, action, agent)";
        app.tamper(format!("INSERT INTO audit {columns} VALUES {}", rows(100_000 + first * 500))).await;
    }
    app.tamper("DELETE FROM settings WHERE name = 'audit-forgotten'".to_owned()).await;
    audit::prune(&app.app).await.unwrap();
    let left: i64 = sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM audit WHERE agent IS NOT NULL AND outcome = 'allowed' AND at < 1767400000000000",
    )
    .fetch_one(app.app.db.reader())
    .await
    .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_an_older_program_is_caught_up_with() {
    let app = app().await;
    app.publish("acme/tool", "1.0.0").await;
    let before = entries(&app, ADMIN, "").await;
    // As it is right after the tables were made, with one entry that a newer program has written beside an older one.
    app.tamper("DELETE FROM audit WHERE log_index <> 2; UPDATE audit_head SET entries = 0".to_owned()).await;
    let app = app.crash_and_reopen().await;
    let mut after = entries(&app, ADMIN, "").await;
    after.sort_by_key(|entry| entry["log_index"].as_i64());
    let plain = |entries: &[Value]| -> Vec<(Value, Value, Value)> {
        entries.iter().map(|e| (e["log_index"].clone(), e["action"].clone(), e["subject"].clone())).collect()
    };
    let mut expected = plain(&before);
    expected.reverse();
    assert_eq!(plain(&after), expected);
    app.publish("acme/tool", "1.1.0").await;
    assert_eq!(entries(&app, ADMIN, "outcome=allowed").await.len(), app.log().await.len());
}
