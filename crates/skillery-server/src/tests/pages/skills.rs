//! Finding and looking at skills.

use serde_json::json;

use super::super::{ADMIN, TestApp, skill};
use super::{Browser, text};

#[tokio::test(flavor = "multi_thread")]
async fn skills_are_found_and_shown() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    assert!(browser.page("/").await.contains("There are no skills here yet"));
    app.publish("acme/email_validator", "1.0.0").await;
    app.post("/api/v1/skills/acme/email_validator/rate", ADMIN, json!({ "rating": 4.5, "review": "Good" }))
        .await
        .is(200);
    let home = browser.page("/").await;
    assert!(home.contains("href=\"/acme/email_validator\"") && home.contains("All 1 skill<"), "{home}");
    let found = browser.page("/search?q=validator&tags=email").await;
    assert!(
        found.contains("Skills for “validator”") && found.contains("href=\"/acme/email_validator\""),
        "{found}"
    );
    let nothing = browser.page("/search?q=nothing&tags=email").await;
    assert!(nothing.contains("Nothing was found") && nothing.contains("Search without filters"), "{nothing}");
    let suggested = browser.get("/search/suggest?q=val").await.is(200);
    assert_eq!(suggested[0]["href"], "/acme/email_validator");
    let page = browser.page("/acme/email_validator").await;
    for part in [
        "skillery install acme/email_validator",
        "npx skills add",
        "4.5 of 5",
        "MIT",
        "Checks email_validator of texts",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // However it is spelled, and with what a path may end in.
    assert!(browser.page("/acme/email-validator").await.contains("skillery install acme/email_validator"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_keeps_its_filters_from_page_to_page() {
    let app = TestApp::new().await;
    for number in 0..23 {
        app.publish(&format!("acme/tool-{number:02}"), "1.0.0").await;
    }
    let mut browser = Browser::new(&app);
    let first = browser.page("/search?q=texts&tags=email&org=acme&sort=name").await;
    assert!(first.contains("23 skills, 1 to 20 shown") && !first.contains("rel=\"prev\""), "{first}");
    let (_, rest) = first.split_once("rel=\"next\" href=\"").unwrap();
    let next = rest.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&");
    let second = browser.page(&next).await;
    assert!(second.contains("23 skills, 21 to 23 shown") && second.contains("rel=\"prev\""), "{second}");
    assert!(second.contains("acme/tool-22") && !second.contains("acme/tool-19"));
    let answer = browser.get("/search?sort=nonsense").await;
    assert_eq!(answer.status, 422);
    assert!(text(&answer).contains("`nonsense` is none of"), "{}", text(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_a_skill_gets_the_page_of_one_that_is_not_there() {
    let app = TestApp::new().await;
    let mut body = skill("acme/secret", "1.0.0");
    body["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let stranger = app.user("sam", &["read"]).await;
    let mut browser = Browser::signed_in(&app, &stranger).await;
    let hidden = browser.get("/acme/secret").await;
    let nowhere = browser.get("/acme/nowher").await;
    assert_eq!((hidden.status, nowhere.status), (nowhere.status, 404.try_into().unwrap()));
    assert_eq!(text(&hidden).replace("secret", "nowher"), text(&nowhere));
    assert!(!browser.page("/search?q=secret").await.contains("href=\"/acme/secret\""));
    assert!(!browser.page("/").await.contains("acme/secret"));
    assert_eq!(browser.get("/search/suggest?q=sec").await.is(200), json!([]));
    assert!(Browser::signed_in(&app, ADMIN).await.page("/acme/secret").await.contains(">private<"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_write_stays_text() {
    let app = TestApp::new().await;
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}";
    let mut body = skill("acme/tool", "1.0.0");
    body["description"] = json!(evil);
    body["author"] = json!(evil);
    body["license"] = json!(evil);
    body["tags"] = json!(["<b>tag</b>"]);
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in [
        "/".to_owned(),
        "/acme/tool".to_owned(),
        format!("/search?q={encoded}"),
        "/search?q=tool".to_owned(),
        format!("/search?tags={encoded}"),
        format!("/nothing/{}", "x".repeat(30)),
        format!("/?notice={encoded}"),
        format!("/login?code={encoded}&next={encoded}"),
    ] {
        let answer = browser.get(&path).await;
        let page = text(&answer).to_lowercase();
        assert!(
            !page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains("<b>tag"),
            "{path}: {page}"
        );
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(
            !page.contains(" style=") && !page.contains("<style") && !page.contains("javascript:"),
            "{path}"
        );
        assert!(answer.body.len() < 100_000, "{path}");
    }
}
