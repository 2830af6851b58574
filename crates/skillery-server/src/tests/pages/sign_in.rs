//! Signing in and out, and what other sites cannot make a browser do.

use serde_json::json;

use super::super::{ADMIN, TestApp};
use super::{Browser, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_token_of_its_own_that_counts_for_pages_only() {
    let app = TestApp::new().await;
    let ada = app.user("ada", &["read"]).await;
    let mut browser = Browser::new(&app);
    assert!(browser.page("/").await.contains("Sign in"));
    let answer = browser.post("/login", &[("token", &ada), ("next", "/search?q=x")]).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["location"]),
        (303, &"/search?q=x&notice=signed-in".parse().unwrap())
    );
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax;") && !cookie.contains(&ada), "{cookie}");
    let page = browser.page("/search?notice=signed-in").await;
    assert!(page.contains("You are signed in.") && page.contains(">ada</span>"), "{page}");
    assert!(!page.contains("Sign in"));
    // Only what the token could do that was shown.
    let (_, session) = browser.cookies[0].clone();
    let whoami = app.get_as(&session, "/api/v1/whoami").await.is(200);
    assert_eq!((&whoami["user"], &whoami["token"]["scopes"]), (&json!("ada"), &json!(["read"])));
    // A cookie opens no door but those of pages.
    browser.get("/api/v1/whoami").await.fails(401, "unauthenticated");
    let tokens = app.get_as(&ada, "/api/v1/tokens").await.is(200);
    assert_eq!((&tokens["total"], &tokens["tokens"][0]["label"]), (&json!(2), &json!("browser")));
    // Signing out ends it for whoever has the cookie.
    let stolen = session.clone();
    let answer = browser.post("/logout", &[]).await;
    assert_eq!(answer.status, 303);
    assert!(browser.cookies.is_empty());
    app.get_as(&stolen, "/api/v1/whoami").await.fails(401, "token-revoked");
    assert!(browser.page("/?notice=signed-out").await.contains("You are signed out."));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sign_in_makes_a_new_session_and_ends_the_old_one() {
    let app = TestApp::new().await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let (_, first) = browser.cookies[0].clone();
    assert_eq!(browser.post("/login", &[("token", ADMIN)]).await.status, 303);
    let (_, second) = browser.cookies[0].clone();
    assert_ne!(first, second);
    app.get_as(&first, "/api/v1/whoami").await.fails(401, "token-revoked");
    app.get_as(&second, "/api/v1/whoami").await.is(200);
    app.get_as(ADMIN, "/api/v1/whoami").await.is(200);
    // A session that somebody planted is none.
    browser.cookies = vec![("skillery-session".to_owned(), "planted".to_owned())];
    assert!(browser.page("/").await.contains("Sign in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_once() {
    let app = TestApp::new().await;
    let ada = app.user("ada", &["read"]).await;
    let link = app.post("/api/v1/login-links", &ada, json!({})).await.is(201);
    let url = link["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8700").unwrap().to_owned();
    let mut browser = Browser::new(&app);
    // Looking at it, as programs do that show a link, does not use it up.
    for _ in 0..2 {
        assert!(browser.page(&url).await.contains("Sign in as ada"));
    }
    let code = url.split_once("code=").unwrap().1.to_owned();
    assert_eq!(browser.post("/login", &[("code", &code)]).await.status, 303);
    assert!(browser.page("/").await.contains(">ada</span>"));
    let mut other = Browser::new(&app);
    assert_eq!(other.post("/login", &[("code", &code)]).await.status, 422);
    assert!(other.page(&url).await.contains("was used before"));
    // One whose token was revoked meanwhile, and one that is too old, are worth nothing.
    let link = app.post("/api/v1/login-links", &ada, json!({})).await.is(201);
    let code = link["url"].as_str().unwrap().split_once("code=").unwrap().1.to_owned();
    let token = app.get_as(&ada, "/api/v1/whoami").await.is(200)["token"]["id"].as_str().unwrap().to_owned();
    app.delete(&format!("/api/v1/tokens/{token}"), ADMIN).await.is(204);
    assert_eq!(other.post("/login", &[("code", &code)]).await.status, 422);
    let link = app.post("/api/v1/login-links", ADMIN, json!({})).await.is(201);
    let code = link["url"].as_str().unwrap().split_once("code=").unwrap().1.to_owned();
    app.app.environment.advance_seconds(601);
    assert_eq!(other.post("/login", &[("code", &code)]).await.status, 422);
    app.post("/api/v1/login-links", "", json!({})).await.fails(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_make_a_browser_do_nothing() {
    let app = TestApp::new().await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let csrf = browser.csrf().await;
    for (site, fields) in [
        ("cross-site", vec![("csrf", csrf.as_str())]),
        ("same-site", vec![("csrf", csrf.as_str())]),
        ("none", vec![("csrf", csrf.as_str())]),
        ("same-origin", vec![]),
        ("same-origin", vec![("csrf", "")]),
        ("same-origin", vec![("csrf", "0000")]),
    ] {
        let answer = browser.post_from(site, "/logout", &fields).await;
        assert_eq!(answer.status, 403, "{site}");
        assert!(text(&answer).contains("did not come from a page of this registry"));
    }
    // Another browser's word is none of this one's.
    let mut other = Browser::signed_in(&app, ADMIN).await;
    let answer = other.post_from("same-origin", "/logout", &[("csrf", &csrf)]).await;
    assert_eq!(answer.status, 403);
    // Nobody signs a browser in from elsewhere, either.
    let mut fresh = Browser::new(&app);
    assert_eq!(fresh.post_from("cross-site", "/login", &[("token", ADMIN)]).await.status, 403);
    // Old browsers say no site, but where they come from.
    for (origin, status) in [("http://127.0.0.1:8700", 303), ("http://127.0.0.1:8701", 403), ("null", 403)] {
        let request = axum::http::Request::post("/login")
            .header("host", "127.0.0.1:8700")
            .header("origin", origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={ADMIN}").into())
            .unwrap();
        assert_eq!(app.send(request).await.status, status, "{origin}");
    }
    // An address elsewhere is not gone to.
    for next in ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"] {
        let answer = browser.post("/login", &[("token", ADMIN), ("next", next)]).await;
        assert_eq!(answer.headers["location"], "/?notice=signed-in", "{next}");
        let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = Browser::new(&app).page(&format!("/login?next={encoded}")).await;
        assert!(page.contains("name=\"next\" value=\"/\""), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_sign_in_leads_to_it_and_back() {
    let app = TestApp::with(|settings| settings.anonymous_reads = false).await;
    app.publish("acme/tool", "1.0.0").await;
    let mut browser = Browser::new(&app);
    for path in ["/", "/acme/tool", "/search?q=a%26b"] {
        let answer = browser.get(path).await;
        let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        assert_eq!(
            (answer.status.as_u16(), answer.headers["location"].to_str().unwrap()),
            (303, &*format!("/login?next={next}"))
        );
    }
    // Programs are told so in their own way.
    app.get("/acme/tool").await.fails(401, "unauthenticated");
    let page = browser.page("/login?next=%2Facme%2Ftool").await;
    for file in page.split('"').filter(|part| part.starts_with("/assets/")) {
        assert_eq!(browser.get(file).await.status, 200, "{file}");
    }
    assert_eq!(browser.post_from("same-origin", "/login", &[("token", "sky_pat_wrong")]).await.status, 422);
    let answer =
        browser.post_from("same-origin", "/login", &[("token", ADMIN), ("next", "/acme/tool")]).await;
    assert_eq!(answer.headers["location"], "/acme/tool?notice=signed-in");
    assert!(browser.page("/acme/tool").await.contains("skillery install acme/tool"));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_is_for_this_site_alone() {
    let app = TestApp::with(|settings| {
        settings.public_url = Some("https://skills.example.org".parse().unwrap());
    })
    .await;
    let mut browser = Browser::new(&app);
    let answer = browser.post_from("same-origin", "/login", &[("token", ADMIN)]).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-skillery-session=sky_web_") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    assert!(cookie.contains("Path=/;") && !cookie.contains("Domain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_theme_is_kept_and_nothing_else_in_its_place() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    for (theme, shown) in [
        ("dark", "data-theme=\"dark\""),
        ("light", "data-theme=\"light\""),
        ("\"><script>", "<html lang=\"en\">"),
    ] {
        let answer =
            browser.post_from("same-origin", "/theme", &[("theme", theme), ("next", "/search")]).await;
        assert_eq!(answer.headers["location"], "/search");
        assert!(browser.page("/").await.contains(shown), "{theme}");
    }
}
