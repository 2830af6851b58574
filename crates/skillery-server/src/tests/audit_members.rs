//! The audit: whose addresses the admins of a namespace see, what browsers are refused, and whose token it was.

use axum::http::Method;
use serde_json::{Value, json};

use super::audit::{app, denied, entries, from};
use super::pages::{Browser, text};
use super::{ADMIN, TestApp, skill};
use crate::audit;

const SCOPES: [&str; 5] = ["read", "publish", "rate", "review", "admin"];

async fn id_of(app: &TestApp, token: &str) -> Value {
    app.get_as(token, "/api/v1/whoami").await.is(200)["token"]["id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_an_address_by_making_somebody_a_member() {
    let app = app().await;
    let (mallory, vera) = (app.user("mallory", &SCOPES).await, app.user("vera", &SCOPES).await);
    app.post("/api/v1/skills", &mallory, skill("evil/tool", "1.0.0")).await.is(201);
    let address = "192.0.2.66";
    let visits = std::cell::Cell::new(0);
    let visit = async || {
        let rate = "/api/v1/skills/evil/tool/rate";
        let stars = 1 + visits.replace(visits.get() + 1) % 5;
        from(&app, address, Method::POST, rate, &vera, json!({ "rating": stars })).await.is(200);
        let policy = "/api/v1/orgs/evil/policy";
        from(&app, address, Method::PUT, policy, &vera, json!({ "approvals": 1 }))
            .await
            .fails(403, "forbidden");
        app.app.environment.advance_seconds(61);
    };
    let seen = async || {
        let rows = entries(&app, &mallory, "namespace=evil&actor=vera").await;
        assert!(rows.len() > 1, "{rows:?}");
        rows.into_iter()
            .filter(|row| ["address", "agent", "token", "request"].iter().any(|name| !row[*name].is_null()))
            .map(|row| row["action"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    visit().await;
    assert_eq!(seen().await, Vec::<String>::new());
    // Nobody is asked whether they want to be a member: neither what was before is told, nor what comes.
    for role in ["reader", "publisher"] {
        let member = "/api/v1/orgs/evil/members/vera";
        app.put(member, &mallory, json!({ "role": role })).await.is(200);
        visit().await;
        assert_eq!(seen().await, Vec::<String>::new(), "{role}");
    }
    // Who does what only members may do, does it as one; and is one to who refuses more.
    from(&app, address, Method::POST, "/api/v1/skills", &vera, skill("evil/mine", "1.0.0")).await.is(201);
    app.app.environment.advance_seconds(61);
    visit().await;
    let policy = "PUT /api/v1/orgs/{namespace}/policy";
    assert_eq!(seen().await, [policy, "version.published"]);
    // Of who has left, what comes is nothing any more.
    from(&app, address, Method::DELETE, "/api/v1/orgs/evil/members/vera", &vera, Value::Null).await.is(204);
    visit().await;
    assert_eq!(seen().await, [policy, "version.published"]);
    // Admins of the registry see all of it.
    let all = entries(&app, ADMIN, "actor=vera&address=192.0.2.66").await;
    assert!(all.len() > 10, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_is_refused_is_told() {
    let app = TestApp::with(|settings| {
        settings.trust_forwarded = true;
        let text = "issuer = 'https://id.example'\nclient_id = 'x'";
        settings.oidc_login = Some(toml::from_str(text).unwrap());
    })
    .await;
    let ada = app.user("ada", &["read"]).await;
    let ada_id = id_of(&app, &ada).await;
    let link = app.post("/api/v1/login-links", &ada, json!({})).await.is(201);
    let code = link["url"].as_str().unwrap().split_once("code=").unwrap().1.to_owned();
    let mut browser = Browser::new(&app);
    let last = async || denied(&app).await.remove(0);
    assert_eq!(browser.post("/login", &[("token", "sky_pat_guessed")]).await.status, 422);
    let row = last().await;
    assert_eq!(
        (&row["action"], &row["code"], &row["via"], &row["actor"]),
        (&json!("POST /login"), &json!("invalid-token"), &json!("web"), &Value::Null)
    );
    // A link that was used.
    assert_eq!(browser.post("/login", &[("code", &code)]).await.status, 303);
    let session = browser.cookies[0].clone();
    let session_id = id_of(&app, &session.1).await;
    assert_eq!(Browser::new(&app).post("/login", &[("code", &code)]).await.status, 422);
    assert_eq!(last().await["code"], "login-refused");
    // A return from a provider that nobody has begun.
    app.app.environment.advance_seconds(60);
    let answer = Browser::new(&app).get("/login/oidc/callback?code=x&state=y").await;
    assert_eq!(answer.status, 422, "{}", text(&answer));
    let row = last().await;
    assert_eq!((&row["code"], &row["action"]), (&json!("login-refused"), &json!("GET /login/oidc/callback")));
    // A page that wants somebody who is signed in.
    assert_eq!(Browser::new(&app).get("/account").await.status, 303);
    assert_eq!(last().await["code"], "unauthenticated");
    // A token that was revoked says whose it was, and so does a session that somebody plays back.
    app.delete(&format!("/api/v1/tokens/{}", ada_id.as_str().unwrap()), ADMIN).await.is(204);
    let mut thief = Browser::new(&app);
    thief.cookies = vec![session];
    assert!(thief.page("/").await.contains("Sign in"));
    let row = last().await;
    assert_eq!(
        (&row["action"], &row["code"], &row["actor"], &row["token"]),
        (&json!(audit::SESSION), &json!("token-revoked"), &json!("ada"), &session_id)
    );
    assert_eq!(Browser::new(&app).post("/login", &[("token", &ada)]).await.status, 422);
    let row = last().await;
    assert_eq!(
        (&row["action"], &row["code"], &row["actor"], &row["token"]),
        (&json!("POST /login"), &json!("token-revoked"), &json!("ada"), &ada_id)
    );
    // Who signs in as they should leaves none.
    let before = denied(&app).await.len();
    Browser::signed_in(&app, ADMIN).await.page("/").await;
    assert_eq!(denied(&app).await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_of_the_token_that_was_shown_for_it() {
    let app = app().await;
    let (ada, ben) = (app.user("ada", &["read"]).await, app.user("ben", &["read"]).await);
    let (ada_id, ben_id) = (id_of(&app, &ada).await, id_of(&app, &ben).await);
    let issued = async || entries(&app, ADMIN, "action=token.issued").await.remove(0);
    let mut browser = Browser::signed_in(&app, &ada).await;
    let session = id_of(&app, &browser.cookies[0].1).await;
    assert_eq!(browser.post("/login", &[("token", &ben)]).await.status, 303);
    let row = issued().await;
    assert_eq!((&row["actor"], &row["token"]), (&json!("ben"), &ben_id));
    // The session that gave way was ended by who had it.
    let row = entries(&app, ADMIN, "action=token.revoked").await.remove(0);
    assert_eq!((&row["actor"], &row["token"], &row["subject"]), (&json!("ada"), &session, &session));
    // One that is good no more is nobody's; a link is of the token that it was made with.
    let mut stale = Browser::signed_in(&app, &ada).await;
    app.delete(&format!("/api/v1/tokens/{}", ada_id.as_str().unwrap()), ADMIN).await.is(204);
    let link = app.post("/api/v1/login-links", &ben, json!({})).await.is(201);
    let code = link["url"].as_str().unwrap().split_once("code=").unwrap().1.to_owned();
    assert_eq!(stale.post("/login", &[("code", &code)]).await.status, 303);
    let row = issued().await;
    assert_eq!((&row["actor"], &row["token"]), (&json!("ben"), &ben_id));
}
