//! Signing in with an account elsewhere, in a browser.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use skillery_core::Digest;

use super::super::oidc::{Issuer, OTHER_KEY, Signer};
use super::super::{ADMIN, Answer, TestApp};
use super::{Browser, text};
use crate::oidc::LoginProvider;

async fn registry(issuer: &Issuer, change: impl FnOnce(&mut LoginProvider)) -> TestApp {
    issuer.describe(json!({ "authorization_endpoint": format!("{}/authorize", issuer.url) }));
    let text = format!(
        "issuer = '{}'\nclient_id = 'skillery'\ncreate_users = true\nname = 'Example ID'",
        issuer.url
    );
    let mut login: LoginProvider = toml::from_str(&text).unwrap();
    login.client_secret = Some("a secret".to_owned());
    change(&mut login);
    TestApp::with(|settings| {
        settings.oidc_login = Some(login);
        settings.public_url = Some("http://127.0.0.1:8700/".parse().unwrap());
    })
    .await
}

/// What the browser is sent to the provider with.
async fn begin(browser: &mut Browser<'_>, next: &str) -> Value {
    let answer = browser.get(&format!("/login/oidc?next={next}")).await;
    assert_eq!(answer.status, 303, "{}", text(&answer));
    let address = url::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    assert_eq!(address.path(), "/authorize");
    address
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn claims(app: &TestApp, issuer: &Issuer, asked: &Value, changes: Value) -> Value {
    let now = app.app.environment.now().micros() / 1_000_000;
    let mut claims = json!({
        "iss": issuer.url, "aud": "skillery", "iat": now, "exp": now + 3_600, "sub": "248289761001",
        "preferred_username": "Anna", "nonce": asked["nonce"],
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn gives(issuer: &Issuer, token: &str) {
    issuer.answers("/token", 200, json!({ "id_token": token, "access_token": "x" }).to_string());
}

/// Comes back with this state.
async fn back(browser: &mut Browser<'_>, state: &Value) -> Answer {
    browser.get(&format!("/login/oidc/callback?code=the-code&state={}", state.as_str().unwrap())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_an_account_elsewhere() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    let mut browser = Browser::new(&app);
    let page = browser.page("/login?next=/search").await;
    assert!(
        page.contains("Sign in with Example ID") && page.contains("href=\"/login/oidc?next=%2Fsearch\""),
        "{page}"
    );
    // Somebody else was signed in with this browser.
    let ada = app.user("ada", &["read"]).await;
    browser.post("/login", &[("token", &ada)]).await;
    let asked = begin(&mut browser, "/search").await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "skillery"),
        ("redirect_uri", "http://127.0.0.1:8700/login/oidc/callback"),
        ("code_challenge_method", "S256"),
        ("scope", "openid profile email"),
    ] {
        assert_eq!(asked[name], value);
    }
    gives(&issuer, &issuer.token(&claims(&app, &issuer, &asked, json!({}))));
    let kept = browser.cookies.clone();
    let kept: Vec<_> = kept.into_iter().filter(|(name, _)| name == "skillery-sign-in").collect();
    assert!(!kept[0].1.contains(asked["nonce"].as_str().unwrap()));
    let answer = back(&mut browser, &asked["state"]).await;
    assert_eq!(answer.headers["location"], "/search?notice=signed-in", "{}", text(&answer));
    assert!(browser.page("/").await.contains(">anna</span>"));
    let issued =
        app.get_as(ADMIN, "/api/v1/audit?action=token.issued&limit=1").await.is(200)["entries"][0].clone();
    assert_eq!((&issued["actor"], &issued["token"]), (&json!("anna"), &Value::Null));
    // The code was redeemed with the verifier, and with the secret of the client.
    let (authorization, body) = issuer.last("/token");
    assert!(authorization.starts_with("Basic ") && !body.contains("a+secret"), "{body}");
    let sent: std::collections::HashMap<_, _> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let challenge = BASE64.encode(Digest::of(sent["code_verifier"].as_bytes()).bytes());
    assert_eq!(asked["code_challenge"], challenge);
    assert_eq!(
        (&*sent["grant_type"], &*sent["code"], &*sent["redirect_uri"]),
        ("authorization_code", "the-code", "http://127.0.0.1:8700/login/oidc/callback")
    );
    // The session is one: it makes no other, and ends by signing out.
    let session = browser.cookies.iter().find(|(name, _)| name == "skillery-session").unwrap().1.clone();
    app.post("/api/v1/login-links", &session, json!({})).await.fails(403, "forbidden");
    let tokens = app.get_as(&session, "/api/v1/tokens").await.is(200);
    assert_eq!((&tokens["total"], &tokens["tokens"][0]["label"]), (&json!(1), &json!("browser")));
    // The same again is refused, with all that the browser has kept.
    browser.cookies = kept;
    let asked_before = issuer.asked("/token");
    let again = back(&mut browser, &asked["state"]).await;
    assert_eq!(again.status, 422);
    assert!(text(&again).contains("completed before"), "{}", text(&again));
    assert_eq!(issuer.asked("/token"), asked_before);
    app.get_as(&session, "/api/v1/whoami").await.is(200);
    let mut other = Browser::new(&app);
    other.cookies = vec![("skillery-session".to_owned(), session.clone())];
    assert_eq!(other.post("/logout", &[]).await.status, 303);
    app.get_as(&session, "/api/v1/whoami").await.fails(401, "token-revoked");
    let revoked = app.log().await.iter().filter(|entry| entry["event"]["kind"] == "token.revoked").count();
    // That of the one who was signed in before, and this one.
    assert_eq!(revoked, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sign_in_begins_a_new_session_of_the_same_user() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |login| login.scopes = vec![skillery_core::Scope::Read]).await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let first = browser.cookies[0].1.clone();
    for _ in 0..2 {
        let asked = begin(&mut browser, "/").await;
        gives(&issuer, &issuer.token(&claims(&app, &issuer, &asked, json!({}))));
        assert_eq!(back(&mut browser, &asked["state"]).await.status, 303);
    }
    app.get_as(&first, "/api/v1/whoami").await.fails(401, "token-revoked");
    let session = browser.cookies.iter().find(|(name, _)| name == "skillery-session").unwrap().1.clone();
    let who = app.get_as(&session, "/api/v1/whoami").await.is(200);
    assert_eq!((&who["user"], &who["token"]["scopes"]), (&json!("anna"), &json!(["read"])));
    assert_eq!(app.get_as(ADMIN, "/api/v1/users").await.is(200)["total"], 2);
    // As long as the settings let somebody be signed in.
    assert_eq!(who["token"]["expires_at"], "2026-01-09T03:04:05Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_account_that_began_it() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    let mut browser = Browser::new(&app);
    let asked = begin(&mut browser, "/account").await;
    gives(&issuer, &issuer.token(&claims(&app, &issuer, &asked, json!({}))));
    assert_eq!(back(&mut browser, &asked["state"]).await.status, 303);
    assert!(browser.page("/account").await.contains("anna"));
    let with_token = app.token(json!({ "user": "anna", "scopes": ["read"] })).await;
    let link = async |subject: &str| {
        app.put("/api/v1/users/anna/subject", ADMIN, json!({ "subject": subject })).await.is(204)
    };
    // The same account again changes nothing.
    link("248289761001").await;
    assert_eq!(browser.get("/account").await.status, 200);
    link("another").await;
    assert_eq!(browser.get("/account").await.status, 303);
    app.get_as(&with_token, "/api/v1/whoami").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_begun_here_signs_nobody_in() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    let (mut victim, mut attacker) = (Browser::new(&app), Browser::new(&app));
    let mine = begin(&mut attacker, "/").await;
    gives(&issuer, &issuer.token(&claims(&app, &issuer, &mine, json!({}))));
    // The attacker's state in a browser that has begun nothing, or something else.
    for has_begun in [false, true] {
        if has_begun {
            begin(&mut victim, "/").await;
        }
        let answer = back(&mut victim, &mine["state"]).await;
        assert_eq!(answer.status, 422);
        assert!(text(&answer).contains("was not begun in this browser"), "{}", text(&answer));
        assert!(victim.cookies.is_empty(), "{:?}", victim.cookies);
    }
    for state in ["", "%00", "x"] {
        let asked = begin(&mut victim, "/").await;
        assert!(asked["state"].as_str().unwrap().len() == 64);
        let answer = victim.get(&format!("/login/oidc/callback?code=c&state={state}")).await;
        assert_eq!(answer.status, 422, "{state}");
    }
    for junk in ["", "junk", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        victim.cookies = vec![("skillery-sign-in".to_owned(), junk.to_owned())];
        assert_eq!(back(&mut victim, &mine["state"]).await.status, 422, "{junk}");
    }
    assert_eq!(issuer.asked("/token"), 0);
    // What took too long.
    let asked = begin(&mut victim, "/").await;
    app.app.environment.advance_seconds(601);
    let answer = back(&mut victim, &asked["state"]).await;
    assert!(text(&answer).contains("took too long"), "{}", text(&answer));
    // A provider that says that it is another one.
    let asked = begin(&mut victim, "/").await;
    let path = format!(
        "/login/oidc/callback?code=c&iss=https://evil.example&state={}",
        asked["state"].as_str().unwrap()
    );
    assert!(text(&victim.get(&path).await).contains("another provider"));
    assert_eq!(app.get_as(ADMIN, "/api/v1/users").await.is(200)["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_tokens_of_other_sign_ins_are_refused() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    for changes in [
        json!({ "nonce": null }),
        json!({ "nonce": "another" }),
        json!({ "aud": "another-program" }),
        json!({ "azp": "another-program" }),
        json!({ "iss": "https://other.example" }),
    ] {
        let mut browser = Browser::new(&app);
        let asked = begin(&mut browser, "/").await;
        gives(&issuer, &issuer.token(&claims(&app, &issuer, &asked, changes.clone())));
        let answer = back(&mut browser, &asked["state"]).await;
        assert_eq!(answer.status, 422, "{changes}");
        assert!(browser.cookies.is_empty(), "{changes}");
    }
    let mut browser = Browser::new(&app);
    let asked = begin(&mut browser, "/").await;
    let header = r#"{"alg":"RS256","kid":"key-1"}"#;
    gives(
        &issuer,
        &Signer::rsa(OTHER_KEY).sign(header, &claims(&app, &issuer, &asked, json!({})).to_string()),
    );
    assert_eq!(back(&mut browser, &asked["state"]).await.status, 422);
    assert_eq!(app.get_as(ADMIN, "/api/v1/users").await.is(200)["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_says_is_text() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |login| login.create_users = false).await;
    let mut browser = Browser::new(&app);
    let asked = begin(&mut browser, "/").await;
    let path = format!(
        "/login/oidc/callback?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state={}",
        asked["state"].as_str().unwrap()
    );
    let answer = browser.get(&path).await;
    let page = text(&answer);
    assert_eq!(answer.status, 422);
    assert!(
        page.contains("access_denied") && page.contains("&#60;script&#62;") && !page.contains("<script>"),
        "{page}"
    );
    // The form of the page leads nowhere where that would be sent again.
    assert!(!page.contains(asked["state"].as_str().unwrap()), "{page}");
    // Nobody is made, and an admin is told whom to link.
    let asked = begin(&mut browser, "/").await;
    gives(&issuer, &issuer.token(&claims(&app, &issuer, &asked, json!({}))));
    let page = text(&back(&mut browser, &asked["state"]).await);
    assert!(page.contains("nobody here is linked with") && page.contains("248289761001"), "{page}");
    app.user("ada", &["read"]).await;
    app.put("/api/v1/users/ada/subject", ADMIN, json!({ "subject": "248289761001" })).await.is(204);
    let asked = begin(&mut browser, "//evil.example").await;
    gives(&issuer, &issuer.token(&claims(&app, &issuer, &asked, json!({ "jti": "2" }))));
    assert_eq!(back(&mut browser, &asked["state"]).await.headers["location"], "/?notice=signed-in");
    assert!(browser.page("/").await.contains(">ada</span>"));
    // A code that the provider does not know, and a provider that stumbles.
    for (status, body, answered) in [(400, r#"{"error":"invalid_grant"}"#, 422), (500, "", 503)] {
        let mut browser = Browser::new(&app);
        let asked = begin(&mut browser, "/").await;
        issuer.answers("/token", status, body);
        assert_eq!(back(&mut browser, &asked["state"]).await.status, answered);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_offered_where_it_is_set_and_reached_by_who_is_not_signed_in() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    assert!(!browser.page("/login").await.contains("/login/oidc"));
    assert_eq!(browser.get("/login/oidc").await.status, 404);
    assert_eq!(browser.get("/login/oidc/callback?state=x&code=y").await.status, 422);
    let issuer = Issuer::new().await;
    issuer.describe(json!({ "authorization_endpoint": format!("{}/authorize", issuer.url) }));
    let closed = TestApp::with(|settings| {
        let text = format!("issuer = '{}'\nclient_id = 'skillery'\ncreate_users = true", issuer.url);
        settings.oidc_login = Some(toml::from_str(&text).unwrap());
        settings.anonymous_reads = false;
        settings.public_url = Some("https://skills.example.org/".parse().unwrap());
        settings.limits.tokens_per_user = 2;
    })
    .await;
    let mut browsers = Vec::new();
    for number in 0..3 {
        let mut browser = Browser::new(&closed);
        let asked = begin(&mut browser, "/").await;
        assert_eq!(asked["redirect_uri"], "https://skills.example.org/login/oidc/callback");
        assert!(browser.cookies[0].0.starts_with("__Host-"));
        gives(
            &issuer,
            &issuer.token(&claims(&closed, &issuer, &asked, json!({ "jti": number.to_string() }))),
        );
        let answer = back(&mut browser, &asked["state"]).await;
        assert_eq!(answer.status, 303, "{}", text(&answer));
        browsers.push(browser);
    }
    // The oldest of these sessions gave way.
    assert_eq!(browsers[0].get("/").await.status, 303);
    assert!(browsers[1].page("/").await.contains(">anna</span>"));
}
