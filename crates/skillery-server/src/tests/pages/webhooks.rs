//! Webhooks of one's own and of a namespace: the pages.

use serde_json::{Value, json};

use super::super::notify::Receiver;
use super::super::{ADMIN, TestApp};
use super::{Browser, text};

/// What stands between these in a page.
fn between<'page>(page: &'page str, begin: &str, end: &str) -> &'page str {
    let (_, rest) = page.split_once(begin).unwrap_or_else(|| panic!("no `{begin}` in {page}"));
    rest.split_once(end).unwrap().0
}

async fn hooks(app: &TestApp, token: &str, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/notifications/webhooks{query}");
    app.get_as(token, &path).await.is(200)["webhooks"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_added_tried_changed_switched_and_removed() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let mut browser = Browser::signed_in(&app, &anna).await;
    let path = "/account/webhooks";
    assert!(browser.page(path).await.contains("There are none"));
    for (url, says) in [
        ("", "is no address"),
        ("https://10.0.0.1/", "is an address of a private network"),
        ("ftp://x.example/", "begins with neither"),
        ("https://<script>alert(1)</script>/", "class=\"wrong\""),
    ] {
        let answer = browser.post(path, &[("action", "add"), ("url", url)]).await;
        let page = text(&answer);
        assert!(answer.status == 422 && page.contains(says), "{page}");
        assert!(!page.contains("<script>alert"), "{page}");
    }
    let url = receiver.url();
    let add = [("action", "add"), ("url", url.as_str()), ("kinds", "finding"), ("kinds", "access-changed")];
    let answer = browser.post(path, &add).await;
    let page = text(&answer);
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["cache-control"]),
        (200, &"no-store".parse().unwrap()),
        "{page}"
    );
    let secret = between(&page, "<code>whsec_", "</code>").to_owned();
    assert!(secret.len() > 30 && !browser.page(path).await.contains(&secret));
    let hook = hooks(&app, &anna, "").await.remove(0);
    assert_eq!(hook["kinds"], json!(["finding", "access-changed"]));
    let own = format!("{path}/{}", hook["id"].as_str().unwrap());
    let page = browser.page(&own).await;
    assert!(
        page.contains(&url) && page.contains("Nothing was sent yet") && !page.contains(&secret),
        "{page}"
    );
    // A test that fails, with what a stranger has answered.
    receiver.answers(500, "<script>alert(1)</script>");
    let answer = browser.post(&own, &[("action", "test")]).await;
    assert_eq!(answer.headers["location"], format!("{own}?notice=tested"));
    app.send_due().await;
    let page = browser.page(&own).await;
    assert!(page.contains("answered 500") && page.contains("again in a moment"), "{page}");
    assert!(page.contains("&#60;script&#62;alert(1)") && !page.contains("<script>alert"), "{page}");
    for _ in 0..8 {
        app.wait(52_000);
        app.send_due().await;
    }
    receiver.answers(200, "");
    // It has failed for days by now. What is for one that is off is not sent again.
    assert!(hooks(&app, &anna, "").await[0]["disabled_at"].is_string());
    let answer = browser.post(&own, &[("action", "again")]).await;
    let page = text(&answer);
    assert!(
        answer.status == 422 && page.contains("the webhook is switched off: switch it on first"),
        "{page}"
    );
    assert!(!page.contains("Send all dead again"), "{page}");
    let to_do = "1 delivery is dead. Switch it on, then send again what is dead.";
    assert!(browser.page(&own).await.contains(to_do));
    assert_eq!(browser.post(&own, &[("action", "on")]).await.status, 303);
    let page = browser.page(&format!("{own}?state=dead")).await;
    assert!(!page.contains(to_do), "{page}");
    assert!(page.contains("Send all dead again (1)") && page.contains(">dead</span>"), "{page}");
    let delivery = between(&page, "name=\"delivery\" value=\"", "\"").to_owned();
    receiver.take();
    let again = [("action", "again"), ("delivery", delivery.as_str())];
    assert_eq!(browser.post(&own, &again).await.headers["location"], format!("{own}?notice=again"));
    app.send_due().await;
    assert_eq!(receiver.take().len(), 1);
    let page = browser.page(&own).await;
    assert!(page.contains(">delivered</span>") && !page.contains("Send all dead"), "{page}");
    let answer = browser.post(&own, &[("action", "again")]).await;
    assert_eq!(answer.headers["location"], format!("{own}?notice=nothing-dead"));
    assert_eq!(browser.post(&own, &[("action", "again"), ("delivery", "x")]).await.status, 404);
    assert_eq!(browser.get(&format!("{own}?state=lost")).await.status, 400);
    // Changed, switched off and on.
    let moved = format!("{url}/else");
    let edit = [("action", "edit"), ("url", moved.as_str())];
    assert_eq!(browser.post(&own, &edit).await.status, 303);
    let now = hooks(&app, &anna, "").await.remove(0);
    assert_eq!((&now["url"], &now["kinds"]), (&json!(moved), &json!([])));
    let answer = browser.post(&own, &[("action", "edit"), ("url", "http://10.0.0.1/\"><b>")]).await;
    let page = text(&answer);
    assert!(answer.status == 422 && page.contains("10.0.0.1/&#34;&#62;") && !page.contains("<b>"), "{page}");
    for (fields, says) in [
        (&[("action", "edit"), ("url", " ")][..], "is no address"),
        (&[("action", "edit"), ("url", url.as_str()), ("seen", "x")][..], "the form is none of this page"),
    ] {
        let answer = browser.post(&own, fields).await;
        assert!(answer.status == 422 && text(&answer).contains(says), "{}", text(&answer));
    }
    assert_eq!(browser.post(&own, &[("action", "stop")]).await.status, 400);
    assert_eq!(hooks(&app, &anna, "").await[0]["url"], moved);
    // A page that is older than the last change undoes nothing.
    let page = browser.page(&own).await;
    let seen = between(&page, "name=\"seen\" value=\"", "\"").to_owned();
    app.wait(1);
    let late = [("action", "edit"), ("url", moved.as_str()), ("kinds", "finding"), ("seen", seen.as_str())];
    let other = format!("{url}/other");
    assert_eq!(browser.post(&own, &[("action", "edit"), ("url", other.as_str())]).await.status, 303);
    let answer = browser.post(&own, &late).await;
    let page = text(&answer);
    assert!(answer.status == 409 && page.contains("the webhook was changed since"), "{page}");
    assert_eq!(hooks(&app, &anna, "").await[0]["url"], other);
    // With the page that was shown then, it is saved.
    let seen = between(&page, "name=\"seen\" value=\"", "\"").to_owned();
    let now = [("action", "edit"), ("url", moved.as_str()), ("kinds", "finding"), ("seen", seen.as_str())];
    assert_eq!(browser.post(&own, &now).await.status, 303);
    assert_eq!(hooks(&app, &anna, "").await[0]["kinds"], json!(["finding"]));
    // Whoever tries it again and again reads why it is not.
    app.wait(61);
    for _ in 0..10 {
        assert_eq!(browser.post(&own, &[("action", "test")]).await.status, 303);
    }
    let answer = browser.post(&own, &[("action", "test")]).await;
    let page = text(&answer);
    assert!(answer.status == 429 && page.contains("10 times in a minute at most."), "{page}");
    for (action, is_off) in [("off", true), ("on", false)] {
        assert_eq!(browser.post(&own, &[("action", action)]).await.status, 303);
        assert_eq!(hooks(&app, &anna, "").await[0]["disabled_at"].is_string(), is_off);
    }
    // Nobody else finds it, by whatever address.
    let eve = app.user("eve", &["read", "admin"]).await;
    let mut other = Browser::signed_in(&app, &eve).await;
    assert_eq!(other.get(&own).await.status, 404);
    assert_eq!(other.post(&own, &[("action", "remove"), ("confirm", "yes")]).await.status, 404);
    assert_eq!(browser.get(&format!("{path}/none")).await.status, 404);
    let asked = browser.post(&own, &[("action", "remove")]).await;
    assert!(text(&asked).contains("Remove the webhook to 127.0.0.1?"), "{}", text(&asked));
    let answer = browser.post(&own, &[("action", "remove"), ("confirm", "yes")]).await;
    assert_eq!(answer.headers["location"], "/account/webhooks?notice=removed");
    assert!(hooks(&app, &anna, "").await.is_empty());
    // A token that may not add one shows none, either.
    let reader = app.token(json!({ "user": "anna", "scopes": ["read"] })).await;
    let mut reader = Browser::signed_in(&app, &reader).await;
    assert_eq!(reader.get(path).await.status, 403);
    assert_eq!(reader.post(path, &add).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_a_namespace_are_for_its_admins() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    app.publish("acme/deep/tool", "1.0.0").await;
    let all = ["read", "admin", "publish"];
    let (ada, paul, zoe) =
        (app.user("ada", &all).await, app.user("paul", &all).await, app.user("zoe", &all).await);
    app.member("acme", "ada", "admin").await;
    app.member("acme", "paul", "publisher").await;
    let (path, url) = ("/orgs/acme/deep/webhooks", receiver.url());
    let add = [("action", "add"), ("url", url.as_str())];
    for (token, status) in [(&paul, 403), (&zoe, 404)] {
        let mut browser = Browser::signed_in(&app, token).await;
        assert_eq!(browser.get(path).await.status, status);
        assert_eq!(browser.post(path, &add).await.status, status);
    }
    let mut browser = Browser::signed_in(&app, &ada).await;
    let page = text(&browser.post(path, &add).await);
    assert!(page.contains("whsec_") && page.contains("<h1>acme/deep</h1>"), "{page}");
    let hook = hooks(&app, &ada, "?namespace=acme/deep").await.remove(0);
    let id = hook["id"].as_str().unwrap().to_owned();
    let own = format!("{path}/{id}");
    assert!(browser.page(&own).await.contains(&url));
    // It is at its place and at no other.
    for other in [format!("/account/webhooks/{id}"), format!("/orgs/acme/webhooks/{id}")] {
        assert_eq!(browser.get(&other).await.status, 404, "{other}");
        assert_eq!(browser.post(&other, &[("action", "off")]).await.status, 404, "{other}");
    }
    for (token, status) in [(&paul, 404), (&zoe, 404)] {
        let mut browser = Browser::signed_in(&app, token).await;
        assert_eq!(browser.get(&own).await.status, status);
        assert_eq!(browser.post(&own, &[("action", "test")]).await.status, status);
    }
    assert_eq!(browser.post(&own, &[("action", "test")]).await.status, 303);
    app.send_due().await;
    assert_eq!(receiver.take().len(), 1);
    let page = browser.page("/orgs/acme").await;
    assert!(
        page.contains("href=\"/orgs/acme/webhooks\"") && page.contains("href=\"/orgs/acme/audit\""),
        "{page}"
    );
    // A namespace may be called as the page is.
    app.publish("acme/webhooks/tool", "1.0.0").await;
    let page = browser.page("/orgs/acme/webhooks/").await;
    assert!(
        page.contains("<h1>acme/webhooks</h1>") && page.contains("href=\"/orgs/acme/webhooks/\""),
        "{page}"
    );
    assert!(browser.page("/orgs/acme/webhooks/webhooks").await.contains("There are none"));
    assert_eq!(Browser::signed_in(&app, ADMIN).await.get("/orgs/nothing/webhooks").await.status, 404);
}
