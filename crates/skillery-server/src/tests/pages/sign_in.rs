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
async fn a_page_leads_back_to_no_address_that_is_too_long() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    let page = browser.page("/trending?period=week&more=x").await;
    assert!(page.contains("name=\"next\" value=\"/trending?period=week&#38;more=x\""), "{page}");
    assert!(page.contains("/login?next=%2Ftrending%3Fperiod%3Dweek%26more%3Dx"), "{page}");
    let page = browser.page(&format!("/trending?period=week&more={}", "x".repeat(10_000))).await;
    assert!(page.contains("name=\"next\" value=\"/trending\"") && !page.contains("xxxx"), "{page}");
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
    let late = other.post("/login", &[("code", &code)]).await;
    assert!(late.status == 422 && text(&late).contains("was used before"), "{}", text(&late));
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
    // Who signs out is told so, on the one page that is left.
    let answer = browser.post("/logout", &[]).await;
    assert_eq!(answer.headers["location"], "/login?notice=signed-out");
    assert!(browser.page("/login?notice=signed-out").await.contains("You are signed out."));
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
async fn one_cookie_is_looked_at_and_it_holds_a_session() {
    let app = TestApp::new().await;
    let tls =
        TestApp::with(|settings| settings.public_url = Some("https://skills.example.org".parse().unwrap()))
            .await;
    for (app, right, wrong) in [
        (&app, "skillery-session", "__Host-skillery-session"),
        (&tls, "__Host-skillery-session", "skillery-session"),
    ] {
        let browser = Browser::signed_in(app, ADMIN).await;
        let (_, session) = browser.cookies[0].clone();
        for (name, value, is_in) in [
            (right, session.as_str(), true),
            (wrong, session.as_str(), false),
            // A token that was made for something else is none.
            (right, ADMIN, false),
        ] {
            let mut other = Browser::new(app);
            other.cookies = vec![(name.to_owned(), value.to_owned())];
            assert_eq!(!other.page("/").await.contains("Sign in"), is_in, "{name}");
        }
        // One that was planted under the other name changes nothing, and goes with the session.
        let mut both = Browser::new(app);
        both.cookies =
            vec![(wrong.to_owned(), "sky_web_planted".to_owned()), (right.to_owned(), session.clone())];
        assert!(both.page("/").await.contains(">admin</span>"));
        assert_eq!(both.post("/logout", &[]).await.status, 303);
        assert!(both.cookies.is_empty(), "{:?}", both.cookies);
        app.get_as(&session, "/api/v1/whoami").await.fails(401, "token-revoked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_token_that_it_was_begun_with() {
    let app = TestApp::new().await;
    let ada = app.user("ada", &["read"]).await;
    let id = app.get_as(&ada, "/api/v1/whoami").await.is(200)["token"]["id"].as_str().unwrap().to_owned();
    let (mut first, mut second) =
        (Browser::signed_in(&app, &ada).await, Browser::signed_in(&app, &ada).await);
    let mut other = Browser::signed_in(&app, ADMIN).await;
    let sessions = [first.cookies[0].1.clone(), second.cookies[0].1.clone()];
    let before = app.log().await.len();
    app.delete(&format!("/api/v1/tokens/{id}"), ADMIN).await.is(204);
    for browser in [&mut first, &mut second] {
        assert!(browser.page("/").await.contains("Sign in"));
    }
    for session in &sessions {
        app.get_as(session, "/api/v1/whoami").await.fails(401, "token-revoked");
    }
    assert!(other.page("/").await.contains(">admin</span>"));
    // Each is told of in the log.
    let log = app.log().await;
    let revoked: Vec<_> =
        log[before..].iter().map(|entry| entry["event"]["kind"].as_str().unwrap_or_default()).collect();
    assert_eq!(revoked, ["token.revoked"; 3], "{:?}", &log[before..]);
    // No session is longer than its token.
    let body = json!({ "user": "ada", "label": "a day", "scopes": ["read"], "expires_in_days": 1 });
    let token = app.token(body).await;
    let mut short = Browser::signed_in(&app, &token).await;
    app.app.environment.advance_seconds(86_401);
    assert!(short.page("/").await.contains("Sign in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_make_no_sessions() {
    let app = TestApp::new().await;
    let browser = Browser::signed_in(&app, ADMIN).await;
    let session = browser.cookies[0].1.clone();
    app.post("/api/v1/login-links", &session, json!({})).await.fails(403, "forbidden");
    let mut other = Browser::new(&app);
    let answer = other.post("/login", &[("token", &session)]).await;
    assert_eq!(answer.status, 422);
    assert!(text(&answer).contains("this is the session of a browser"), "{}", text(&answer));
    assert!(other.cookies.is_empty());
    // A token that is called like one is none, and is not ended by signing out.
    let named = app.token(json!({ "label": "browser", "scopes": ["read"] })).await;
    let mut browser = Browser::signed_in(&app, &named).await;
    assert_eq!(browser.post("/logout", &[]).await.status, 303);
    app.get_as(&named, "/api/v1/whoami").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_no_way_around_the_number_of_tokens() {
    let app = TestApp::with(|settings| settings.limits.tokens_per_user = 3).await;
    let ada = app.user("ada", &["read"]).await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        browsers.push(Browser::signed_in(&app, &ada).await);
    }
    // The oldest session of the same token gave way.
    let mut is_in = Vec::new();
    for browser in &mut browsers {
        is_in.push(browser.page("/").await.contains(">ada</span>"));
    }
    assert_eq!(is_in, [false, true, true]);
    // A browser that signs in again needs no room.
    assert_eq!(browsers[2].post("/login", &[("token", &ada)]).await.status, 303);
    assert!(browsers[1].page("/").await.contains(">ada</span>"));
    let others = TestApp::with(|settings| settings.limits.tokens_per_user = 2).await;
    let eve = others.user("eve", &["read"]).await;
    let second = others.token(json!({ "user": "eve", "label": "b", "scopes": ["read"] })).await;
    let mut browser = Browser::new(&others);
    let answer = browser.post("/login", &[("token", &eve)]).await;
    assert_eq!(answer.status, 422);
    assert!(text(&answer).contains("you have 2 live tokens already"), "{}", text(&answer));
    others.get_as(&second, "/api/v1/whoami").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_limited_however_the_address_is_written() {
    let app = TestApp::with(|settings| {
        settings.limits.oidc_requests_per_minute_per_address = 3;
        settings.trust_forwarded = true;
    })
    .await;
    for path in ["/login", "/%6cogin", "/%6C%6fgin", "//login"] {
        let mut last = 0;
        for _ in 0..12 {
            let request = axum::http::Request::post(path)
                .header("host", "127.0.0.1:8700")
                .header("origin", "http://127.0.0.1:8700")
                .header("content-type", "application/x-www-form-urlencoded")
                .header("x-forwarded-for", "192.0.2.1")
                .body("token=sky_pat_wrong".into())
                .unwrap();
            last = app.send(request).await.status.as_u16();
        }
        // What is no way to sign in needs no limit.
        assert_eq!(last, if path == "//login" { 404 } else { 429 }, "{path}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_outlives_the_session() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "rate"]).await;
    let mut browser = Browser::signed_in(&app, &anna).await;
    let old = browser.csrf().await;
    browser.cookies.clear();
    let path = "/acme/tool/comments";
    let said = |csrf: &str| {
        [("action", "say"), ("text", "It works & <well>"), ("csrf", csrf)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let answer = send(&mut browser, "same-origin", path, &said(&old)).await;
    let page = text(&answer);
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["cache-control"]),
        (401, &"no-store".parse().unwrap())
    );
    for part in [
        "<h1>Sign in, then send it again</h1>",
        "action=\"/acme/tool/comments\"",
        "name=\"text\" value=\"It works &#38; &#60;well&#62;\"",
        "href=\"/login?next=%2Facme%2Ftool%2Fcomments\" target=\"_blank\"",
        "You are asked once more then",
        "<button name=\"again\" value=\"yes\">Send it again</button>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(page.matches("value=\"It works").count(), 1);
    // Signed in again, the page of before is of an earlier time still.
    assert_eq!(browser.post("/login", &[("token", &anna)]).await.status, 303);
    let answer = send(&mut browser, "same-origin", path, &said(&old)).await;
    let page = text(&answer);
    assert_eq!(answer.status, 403);
    assert!(page.contains("<h1>Send it again</h1>") && page.contains("value=\"It works"), "{page}");
    assert!(page.contains("You have signed in anew since the page was opened"), "{page}");
    // Nor can the page know who it is that shows what was kept: it says so, and asks once more.
    let [action, words, _] = said("");
    let kept = [action, words, ("csrf", String::new()), ("again", "yes".to_owned())];
    let answer = send(&mut browser, "same-origin", path, &kept).await;
    let page = text(&answer);
    assert_eq!(answer.status, 403);
    assert!(page.contains("You are signed in now, as anna.") && page.contains("value=\"It works"), "{page}");
    assert!(page.contains(">Send it</button>") && !page.contains("name=\"again\""), "{page}");
    let (_, form) = page.split_once("action=\"/acme/tool/comments\"").unwrap();
    let csrf = form.split_once("name=\"csrf\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    assert_eq!(send(&mut browser, "same-origin", path, &said(&csrf)).await.status, 303);
    assert!(browser.page(path).await.contains("It works"));
    // What comes from elsewhere is not made into a form of this registry.
    let answer = send(&mut browser, "cross-site", path, &said(&old)).await;
    assert!(answer.status == 403 && !text(&answer).contains("end it again"));
    // Programs get what they get everywhere, and a registry for those who are signed in loses nothing either.
    let closed = TestApp::with(|settings| settings.anonymous_reads = false).await;
    let mut browser = Browser::new(&closed);
    let answer = send(&mut browser, "same-origin", path, &said(&old)).await;
    assert!(answer.status == 401 && text(&answer).contains("Sign in, then send it again"));
    assert_eq!(send(&mut browser, "cross-site", path, &said(&old)).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_given_back_than_people_type() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut browser = Browser::new(&app);
    for (length, is_kept) in [(10_000, true), (11_000, false), (300_000, false)] {
        let typed = "\"".repeat(length);
        let fields = [("action", "say"), ("text", typed.as_str())];
        let answer = browser.post_from("same-origin", "/acme/tool/comments", &fields).await;
        let page = text(&answer);
        assert_eq!(answer.status, 401);
        assert!(answer.body.len() + super::ASSETS <= 100_000, "{length}: {}", answer.body.len());
        assert_eq!(page.contains("Sign in, then send it again"), is_kept, "{length}");
        assert_eq!(page.contains(&format!("value=\"{}\"", "&#34;".repeat(length))), is_kept, "{length}");
        assert!(page.contains("href=\"/login?next=%2Facme%2Ftool%2Fcomments\""), "{length}");
    }
    // Nor is an address that no browser would ask for.
    let next = format!("/{}", "\"".repeat(5_000));
    let answer = browser.post_from("same-origin", "/login", &[("token", "x"), ("next", &next)]).await;
    assert!(answer.status == 422 && answer.body.len() < 20_000, "{}", answer.body.len());
}

async fn send(
    browser: &mut Browser<'_>,
    site: &str,
    path: &str,
    fields: &[(&str, String)],
) -> super::super::Answer {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post_from(site, path, &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_comes_back_to_a_page_and_hears_nothing_twice() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let yank = "/acme/tool/versions/1.0.0/yank";
    let question = text(&browser.post(yank, &[("action", "yank")]).await);
    assert!(question.contains(&format!("action=\"{yank}\"")), "{question}");
    assert!(question.contains("name=\"next\" value=\"/acme/tool/versions/1.0.0\""), "{question}");
    let page = browser.page("/acme/tool?notice=saved").await;
    assert!(page.contains("Saved.") && page.contains("name=\"next\" value=\"/acme/tool\""), "{page}");
    assert!(!page.contains("?notice"), "{page}");
}
