//! Signing in with an account elsewhere.

use axum::http::Method;
use serde_json::{Value, json};

use super::super::{ADMIN, Answer, TestApp, skill};
use super::{Issuer, OTHER_KEY, Signer};
use crate::oidc::LoginProvider;

const PENDING: &str = r#"{"error":"authorization_pending"}"#;

async fn registry(issuer: &Issuer, change: impl FnOnce(&mut LoginProvider)) -> TestApp {
    let text = format!("issuer = '{}'\nclient_id = 'skillery'\ncreate_users = true", issuer.url);
    let mut login: LoginProvider = toml::from_str(&text).unwrap();
    change(&mut login);
    issuer.answers(
        "/device",
        200,
        json!({
            "device_code": "the-device-code", "user_code": "WDJB-MJHT", "verification_uri": "https://id.example/device",
            "verification_uri_complete": "https://id.example/device?user_code=WDJB-MJHT", "expires_in": 600, "interval": 5,
        })
        .to_string(),
    );
    issuer.answers("/token", 400, PENDING);
    TestApp::with(|settings| settings.oidc_login = Some(login)).await
}

async fn start(app: &TestApp) -> String {
    let answer = app.post("/api/v1/oidc/login", "", json!({})).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.is(201)["login"].as_str().unwrap().to_owned()
}

async fn poll(app: &TestApp, login: &str) -> Answer {
    app.app.environment.advance_seconds(5);
    app.post("/api/v1/oidc/login/poll", "", json!({ "login": login })).await
}

fn claims(app: &TestApp, issuer: &Issuer, changes: Value) -> Value {
    let now = app.app.environment.now().micros() / 1_000_000;
    let mut claims = json!({
        "iss": issuer.url, "aud": "skillery", "iat": now, "exp": now + 3_600, "sub": "248289761001",
        "preferred_username": "Anna",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// The person has signed in, and the provider says so in a token with these claims.
fn signed_in(app: &TestApp, issuer: &Issuer, changes: Value) {
    let id_token = issuer.token(&claims(app, issuer, changes));
    let body = json!({ "id_token": id_token, "access_token": "an-access-token", "token_type": "Bearer" });
    issuer.answers("/token", 200, body.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    assert_eq!(app.get("/api/v1/oidc").await.is(200)["login"], json!({ "issuer": issuer.url }));
    let started = app.post("/api/v1/oidc/login", "", json!({})).await.is(201);
    assert_eq!(started["user_code"], "WDJB-MJHT");
    assert_eq!(started["verification_uri"], "https://id.example/device");
    assert!(!started.to_string().contains("the-device-code"), "{started}");
    let (authorization, body) = issuer.last("/device");
    assert_eq!(
        (authorization.as_str(), body.as_str()),
        ("", "client_id=skillery&scope=openid+profile+email")
    );

    let login = started["login"].as_str().unwrap();
    // Too early: the provider is not asked.
    let body = json!({ "login": login });
    assert_eq!(
        app.post("/api/v1/oidc/login/poll", "", body).await.is(202),
        json!({ "interval": 5, "token": null })
    );
    assert_eq!(issuer.asked("/token"), 0);
    assert_eq!(poll(&app, login).await.is(202)["interval"], 5);
    assert!(issuer.last("/token").1.contains("device_code=the-device-code"));
    issuer.answers("/token", 400, r#"{"error":"slow_down"}"#);
    assert_eq!(poll(&app, login).await.is(202)["interval"], 10);
    let asked = issuer.asked("/token");
    poll(&app, login).await.is(202);
    assert_eq!(issuer.asked("/token"), asked, "ten seconds are not over");

    signed_in(&app, &issuer, json!({}));
    let answer = poll(&app, login).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let done = answer.is(201);
    let token = done["token"]["token"].as_str().unwrap();
    assert!(token.starts_with("sky_pat_"));
    assert_eq!(done["token"]["user"], "anna");
    assert_eq!(done["token"]["scopes"], json!(["read", "publish", "rate"]));
    let who = app.get_as(token, "/api/v1/whoami").await.is(200);
    assert_eq!((&who["user"], &who["site_admin"]), (&json!("anna"), &json!(false)));
    app.post("/api/v1/skills", token, skill("annas/tool", "1.0.0")).await.is(201);
    app.app.environment.advance_seconds(7 * 86_400);
    app.get_as(token, "/api/v1/whoami").await.fails(401, "token-expired");
    poll(&app, login).await.fails(403, "login-refused");

    // The log has the user, and nothing of the account.
    let log = format!("{:?}", app.log().await);
    assert!(
        log.contains("user.linked")
            && !log.contains("248289761001")
            && !log.to_lowercase().contains("anna\"")
    );
    // The second time it is the same user, whatever the person is called by then.
    let login = start(&app).await;
    signed_in(&app, &issuer, json!({ "preferred_username": "Berta" }));
    let done = poll(&app, &login).await.is(201);
    assert_eq!(done["token"]["user"], "anna");
    // Who is switched off stays out, and is let in again.
    let switch = async |off: bool| {
        app.call(Method::PATCH, "/api/v1/users/anna", ADMIN, Some(json!({ "disabled": off }))).await.is(200);
    };
    switch(true).await;
    let again = start(&app).await;
    signed_in(&app, &issuer, json!({}));
    let problem = poll(&app, &again).await.fails(403, "login-refused");
    assert!(problem["detail"].as_str().unwrap().contains("switched off"), "{problem}");
    app.get_as(done["token"]["token"].as_str().unwrap(), "/api/v1/whoami").await.fails(401, "token-revoked");
    switch(false).await;
    let again = start(&app).await;
    signed_in(&app, &issuer, json!({}));
    poll(&app, &again).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_began_or_comes_too_early_does_not_wait_for_the_writer() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    let login = start(&app).await;
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let other = std::sync::Arc::clone(&app.app);
    // Somebody else's change takes long.
    let busy = tokio::spawn(async move {
        other
            .db
            .write(move |_| {
                Box::pin(async move {
                    begun.send(()).unwrap();
                    released.await.unwrap();
                    Ok(())
                })
            })
            .await
    });
    has_begun.await.unwrap();
    let polls = async {
        for unknown in ["", "x", "\0", &"long".repeat(1000)] {
            let body = json!({ "login": unknown });
            app.post("/api/v1/oidc/login/poll", "", body).await.fails(403, "login-refused");
        }
        let early = app.post("/api/v1/oidc/login/poll", "", json!({ "login": login })).await;
        assert_eq!(early.is(202)["interval"], 5);
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), polls).await.unwrap();
    release.send(()).unwrap();
    busy.await.unwrap().unwrap();
    assert_eq!(poll(&app, &login).await.is(202)["interval"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_tokens_of_others_do_not_sign_anybody_in() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    let now = || app.app.environment.now().micros() / 1_000_000;
    for changes in [
        json!({ "aud": "another-program" }),
        json!({ "aud": ["skillery", "another-program"] }),
        json!({ "azp": "another-program" }),
        json!({ "iss": "https://other.example" }),
        json!({ "exp": now() - 60, "iat": now() - 600 }),
        json!({ "iat": now() + 600, "exp": now() + 700 }),
        json!({ "exp": now() + 200_000 }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
    ] {
        let login = start(&app).await;
        signed_in(&app, &issuer, changes.clone());
        let answer = poll(&app, &login).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid-id-token"), "{changes}");
    }
    let login = start(&app).await;
    let header = r#"{"alg":"RS256","kid":"key-1"}"#;
    let forged = Signer::rsa(OTHER_KEY).sign(header, &claims(&app, &issuer, json!({})).to_string());
    issuer.answers("/token", 200, json!({ "id_token": forged }).to_string());
    poll(&app, &login).await.fails(401, "invalid-id-token");
    // One that has signed somebody in does not do it again, whatever the provider answers.
    let (first, second) = (start(&app).await, start(&app).await);
    signed_in(&app, &issuer, json!({}));
    poll(&app, &first).await.is(201);
    poll(&app, &second).await.fails(403, "login-refused");
    // No token at all.
    let login = start(&app).await;
    issuer.answers("/token", 200, r#"{"access_token":"x"}"#);
    poll(&app, &login).await.fails(503, "issuer-unavailable");
    assert_eq!(app.get_as(ADMIN, "/api/v1/users").await.is(200)["total"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_ends_in_other_ways() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    poll(&app, "nothing").await.fails(403, "login-refused");
    for (error, says) in [("access_denied", "refused"), ("expired_token", "too long")] {
        let login = start(&app).await;
        issuer.answers("/token", 400, json!({ "error": error }).to_string());
        let problem = poll(&app, &login).await.fails(403, "login-refused");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
        poll(&app, &login).await.fails(403, "login-refused");
    }
    // The provider stumbles: the next question may be answered.
    let login = start(&app).await;
    for (status, body) in [(500, ""), (400, "not JSON"), (401, r#"{"error":"invalid_client"}"#)] {
        issuer.answers("/token", status, body);
        poll(&app, &login).await.fails(503, "issuer-unavailable");
    }
    issuer.answers("/token", 400, PENDING);
    poll(&app, &login).await.is(202);
    app.app.environment.advance_seconds(600);
    poll(&app, &login).await.fails(403, "login-refused");
    for answer in [
        json!({ "error": "unauthorized_client" }),
        json!({ "device_code": "x", "user_code": "x", "verification_uri": "http://id.example", "expires_in": 9 }),
        json!({ "device_code": "x", "user_code": "\u{1b}[2J", "verification_uri": "https://id.example", "expires_in": 9 }),
        json!({ "device_code": "", "user_code": "x", "verification_uri": "https://id.example", "expires_in": 9 }),
    ] {
        issuer.answers("/device", 200, answer.to_string());
        app.post("/api/v1/oidc/login", "", json!({})).await.fails(503, "issuer-unavailable");
    }
    TestApp::new().await.post("/api/v1/oidc/login", "", json!({})).await.fails(404, "login-not-offered");
    TestApp::new()
        .await
        .put("/api/v1/users/admin/subject", ADMIN, json!({ "subject": "x" }))
        .await
        .fails(404, "login-not-offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_never_given_to_another_person() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |login| login.user_claim = "email".to_owned()).await;
    let sign_in = async |changes: Value| {
        let login = start(&app).await;
        signed_in(&app, &issuer, changes);
        poll(&app, &login).await
    };
    // An account elsewhere that is called like the admin here is not the admin.
    sign_in(json!({ "email": "admin@evil.example" })).await.fails(403, "login-refused");
    for name in ["", "@", "a b@example.com", "аdmin@example.com", "ci-tools-1234@example.com", "../x", "-"] {
        sign_in(json!({ "email": name })).await.fails(403, "login-refused");
    }
    assert_eq!(sign_in(json!({ "email": "Carl.M@example.com" })).await.is(201)["token"]["user"], "carl.m");
    sign_in(json!({ "sub": "2", "email": "carl.m@other.example" })).await.fails(403, "login-refused");
    // Names that differ by a sign only are one name.
    sign_in(json!({ "sub": "2", "email": "carl-m@other.example" })).await.fails(403, "login-refused");
    // What the token does not say the provider may, of the same person.
    let nothing = json!({ "sub": "3", "email": null });
    issuer.answers("/me", 200, r#"{"sub":"4","email":"dora@example.com"}"#);
    sign_in(nothing.clone()).await.fails(403, "login-refused");
    issuer.answers("/me", 200, r#"{"sub":"3","email":"dora@example.com"}"#);
    assert_eq!(sign_in(nothing).await.is(201)["token"]["user"], "dora");
    assert_eq!(issuer.last("/me").0, "Bearer an-access-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_link_users_where_nobody_is_made() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |login| {
        login.create_users = false;
        login.client_secret = Some("a secret/with signs".to_owned());
        login.scopes = vec![skillery_core::Scope::Read, skillery_core::Scope::Admin];
        login.token_days = 1;
    })
    .await;
    app.user("anna", &["read"]).await;
    app.user("bert", &["read"]).await;
    let sign_in = async || {
        let login = start(&app).await;
        signed_in(&app, &issuer, json!({ "preferred_username": "anna" }));
        poll(&app, &login).await
    };
    let problem = sign_in().await.fails(403, "login-refused");
    assert!(problem["detail"].as_str().unwrap().contains("248289761001"), "{problem}");
    let (authorization, body) = issuer.last("/token");
    // RFC 6749 wants both encoded before they are put together.
    assert_eq!(authorization, "Basic c2tpbGxlcnk6YStzZWNyZXQlMkZ3aXRoK3NpZ25z");
    assert!(!body.contains("secret"), "{body}");
    let link = async |user: &str, subject: &str| {
        app.put(&format!("/api/v1/users/{user}/subject"), ADMIN, json!({ "subject": subject })).await
    };
    link("nobody", "x").await.fails(404, "user-not-found");
    link("anna", "").await.fails(422, "invalid-field");
    link("anna", "other").await.is(204);
    link("anna", "248289761001").await.is(204);
    link("anna", "248289761001").await.is(204);
    link("bert", "248289761001").await.fails(409, "account-linked");
    link("bert", "other").await.is(204);
    let done = sign_in().await.is(201);
    assert_eq!((&done["token"]["user"], &done["token"]["scopes"]), (&json!("anna"), &json!(["read"])));
    let scopes = async |scopes: Value| app.post("/api/v1/oidc/login", "", json!({ "scopes": scopes })).await;
    scopes(json!(["publish"])).await.fails(422, "invalid-field");
    let login = scopes(json!(["admin", "read", "read"])).await.is(201)["login"].clone();
    signed_in(&app, &issuer, json!({ "n": 2 }));
    let done = poll(&app, login.as_str().unwrap()).await.is(201);
    assert_eq!(done["token"]["scopes"], json!(["read", "admin"]));
    // A provider that wants the secret in the form gets it there.
    issuer.describe(json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }));
    app.app.environment.advance_seconds(3_700);
    start(&app).await;
    let (authorization, body) = issuer.last("/device");
    assert!(authorization.is_empty() && body.contains("client_secret=a+secret%2Fwith+signs"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_in_goes_on_after_a_restart_and_there_are_not_too_many() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    let login = start(&app).await;
    let app = app.crash_and_reopen_after(|_| ()).await;
    signed_in(&app, &issuer, json!({}));
    poll(&app, &login).await.is(201);
    // What lies in the database gives nothing away.
    let login = start(&app).await;
    let (handle, code): (String, String) = sqlx::query_as("SELECT handle, device_code FROM pending_logins")
        .fetch_one(app.app.db.reader())
        .await
        .unwrap();
    assert!(handle != login && !code.contains("the-device-code"));

    let few = {
        let text = format!("issuer = '{}'\nclient_id = 'skillery'", issuer.url);
        TestApp::with(|settings| {
            settings.oidc_login = Some(toml::from_str(&text).unwrap());
            settings.limits.pending_logins = 2;
        })
        .await
    };
    start(&few).await;
    start(&few).await;
    let asked = issuer.asked("/device");
    few.post("/api/v1/oidc/login", "", json!({})).await.fails(503, "busy");
    assert_eq!(issuer.asked("/device"), asked);
    few.app.environment.advance_seconds(600);
    start(&few).await;
}

/// The same as ClawHub's program asks for it, at the root of the host and where anonymous reads are off.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_the_program_of_clawhub() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, |_| ()).await;
    let asked = json!({ "scope": "read write", "site_url": "https://elsewhere.example", "label": "laptop" });
    let begun = app.post("/api/cli/device/code", "", asked).await;
    assert_eq!(begun.headers["cache-control"], "no-store");
    let begun = begun.is(200);
    let device_code = begun["device_code"].as_str().unwrap();
    assert_eq!(
        begun,
        json!({
            "device_code": device_code, "user_code": "WDJB-MJHT", "expires_in": 600, "interval": 5,
            "verification_uri": "https://id.example/device?user_code=WDJB-MJHT",
        })
    );
    let ask = async || {
        app.app.environment.advance_seconds(5);
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        app.post("/api/cli/device/token", "", json!({ "device_code": device_code, "grant_type": grant }))
            .await
    };
    assert_eq!(ask().await.is(400), json!({ "error": "authorization_pending", "interval": 5 }));
    signed_in(&app, &issuer, json!({}));
    let done = ask().await;
    assert_eq!(done.headers["cache-control"], "no-store");
    let done = done.is(200);
    assert_eq!((&done["token_type"], &done["scope"]), (&json!("bearer"), &json!("read publish rate")));
    let token = done["access_token"].as_str().unwrap();
    let who = app.get_as(token, "/clawhub/api/v1/whoami").await.is(200);
    assert_eq!(who["user"]["handle"], "anna");
    // It is good for one token, and what is not known is refused as that.
    let again = ask().await.is(400);
    assert_eq!((&again["error"], again["error_description"].is_string()), (&json!("access_denied"), true));
    assert_eq!(app.post("/api/cli/device/token", "", json!({})).await.is(400)["error"], "access_denied");
}
