//! What one is told of, and how: the pages.

use serde_json::{Value, json};

use super::super::notify::{Postbox, code};
use super::super::{ADMIN, TestApp};
use super::{Browser, text};

const PATH: &str = "/account/notifications";
const SETTINGS: &str = "/account/notifications/settings";

async fn preference(app: &TestApp, token: &str, kind: &str) -> Value {
    let all = app.get_as(token, "/api/v1/notifications/preferences").await.is(200);
    all["preferences"].as_array().unwrap().iter().find(|one| one["kind"] == kind).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_is_told_of_is_listed_counted_and_marked_as_read() {
    let app = TestApp::with(|settings| settings.limits.default_page_rows = 3).await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, eve) = (app.user("anna", &["read"]).await, app.user("eve", &["read"]).await);
    app.tell().await;
    let mut browser = Browser::signed_in(&app, &anna).await;
    let page = browser.page(PATH).await;
    assert!(page.contains("the token ") && page.contains("href=\"/account/tokens\""), "{page}");
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        app.publish("acme/tool", version).await;
    }
    app.member("acme", "anna", "reviewer").await;
    app.tell().await;
    // The bar says how many, on every page and to nobody else.
    assert!(browser.page("/").await.contains(">5<span class=\"hidden\"> notifications not read</span>"));
    assert!(!Browser::new(&app).page("/").await.contains("not read"));
    let page = browser.page(PATH).await;
    assert_eq!(page.matches("class=\"new\"").count(), 3, "{page}");
    assert!(page.contains("you have the role reviewer in acme") && page.contains("href=\"/orgs/acme\""));
    assert!(page.contains("href=\"/acme/tool/versions/1.3.0\">acme/tool 1.3.0 was published"), "{page}");
    let next =
        page.split_once("rel=\"next\" href=\"").unwrap().1.split_once('"').unwrap().0.replace("&#38;", "&");
    let older = browser.page(&next).await;
    assert_eq!(older.matches("class=\"new\"").count(), 2, "{older}");
    // By kind, and what is not read.
    let page = browser.page(&format!("{PATH}?kind=access-changed")).await;
    assert!(!page.contains("was published") && page.contains("you have the role"), "{page}");
    assert!(browser.page(&format!("{PATH}?kind=finding")).await.contains("There are none of these"));
    assert_eq!(browser.get(&format!("{PATH}?kind=%3Cb%3E")).await.status, 400);
    // One, and where one was; somebody else's is not touched.
    let all = app.notifications(&anna).await;
    let id = all["notifications"][0]["id"].to_string();
    app.tell().await;
    assert_eq!(Browser::signed_in(&app, &eve).await.post(PATH, &[("notification", &id)]).await.status, 303);
    assert_eq!(app.notifications(&anna).await["unread"], 5);
    let fields = [("notification", id.as_str()), ("next", "/account/notifications?kind=access-changed")];
    let answer = browser.post(PATH, &fields).await;
    assert_eq!(answer.headers["location"], "/account/notifications?kind=access-changed&notice=read");
    assert_eq!(app.notifications(&anna).await["unread"], 4);
    let page = browser.page(&format!("{PATH}?unread=true")).await;
    assert!(!page.contains("you have the role"), "{page}");
    // All of them: what comes meanwhile stays.
    let newest = page.split_once("name=\"up_to\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    app.publish("acme/tool", "1.4.0").await;
    app.tell().await;
    assert_eq!(browser.post(PATH, &[("up_to", newest.as_str())]).await.status, 303);
    assert_eq!(app.notifications(&anna).await["unread"], 1);
    assert!(browser.page("/").await.contains(">1<span class=\"hidden\"> notification not read</span>"));
    assert_eq!(browser.post(PATH, &[("up_to", "x")]).await.status, 422);
    assert_eq!(browser.post(PATH, &[]).await.status, 422);
    assert_eq!(Browser::new(&app).get(PATH).await.status, 303);
    let csrf = browser.csrf().await;
    let fields = [("up_to", "99"), ("csrf", csrf.as_str())];
    assert_eq!(browser.post_from("cross-site", PATH, &fields).await.status, 403);
    // Of very many it is told that they are.
    app.tamper(
        "INSERT INTO notifications (id, user_id, kind, source, skill, namespace, actor, log_index, at, on_page) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) \
         SELECT 100000 + n.i, user_id, kind, source || n.i, skill, namespace, actor, log_index, at, on_page \
         FROM notifications, n WHERE id = (SELECT MAX(id) FROM notifications WHERE user_id = \
         (SELECT id FROM users WHERE name = 'anna'))"
            .to_owned(),
    )
    .await;
    let page = browser.page(PATH).await;
    assert!(page.contains(">99+ not read</span>") && page.contains("Mark all as read"), "{page}");
    assert_eq!(app.notifications(&anna).await["unread"], 121);
    // Nothing yet.
    let zoe = app.user("zoe", &["read"]).await;
    let mut new = Browser::signed_in(&app, &zoe).await;
    assert!(new.page(PATH).await.contains("Nothing has happened yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_session_counts_and_shows_what_is_there_alone() {
    let app = TestApp::new().await;
    app.user("anna", &["read"]).await;
    app.publish("acme/tool", "1.0.0").await;
    app.member("acme", "anna", "reader").await;
    app.tell().await;
    let bound = app.token(json!({ "user": "anna", "scopes": ["read"], "namespaces": ["acme"] })).await;
    let page = Browser::signed_in(&app, &bound).await.page(PATH).await;
    assert!(page.contains("you have the role reader in acme") && !page.contains("the token "), "{page}");
    assert!(page.contains(">1<span class=\"hidden\">"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_one_is_told_is_changed() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let mut browser = Browser::signed_in(&app, &anna).await;
    let page = browser.page(SETTINGS).await;
    assert!(page.contains("This registry sends no mail.") && page.contains("Waits for you"), "{page}");
    let fields = [
        ("action", "preferences"),
        ("kinds", "version-published"),
        ("mail-version-published", "weekly"),
        ("webhook-version-published", "yes"),
        ("kinds", "skill-rated"),
        ("page-skill-rated", "yes"),
        ("mail-skill-rated", "daily"),
        ("webhook-skill-rated", "yes"),
    ];
    let answer = browser.post(SETTINGS, &fields).await;
    assert_eq!(answer.headers["location"], "/account/notifications/settings?notice=saved");
    assert_eq!(
        preference(&app, &anna, "version-published").await,
        json!({ "kind": "version-published", "page": false, "mail": "weekly", "webhook": true })
    );
    // What the form had not stays, and so does what was not changed.
    assert_eq!(preference(&app, &anna, "finding").await["mail"], "immediate");
    let page = browser.page(SETTINGS).await;
    let (_, row) = page.split_once("name=\"mail-version-published\"").unwrap();
    assert!(row.split_once("</select>").unwrap().0.contains("value=\"weekly\" selected"), "{page}");
    for fields in [
        [("action", "preferences"), ("kinds", "<b>"), ("x", "y")],
        [("action", "preferences"), ("kinds", "finding"), ("mail-finding", "<b>hourly")],
    ] {
        let answer = browser.post(SETTINGS, &fields).await;
        let page = text(&answer);
        assert!(answer.status == 422 && page.contains("class=\"wrong\"") && !page.contains("<b>"), "{page}");
    }
    // A page that is older than a change undoes nothing of it.
    let page = browser.page(SETTINGS).await;
    assert!(page.contains("name=\"was-finding\" value=\"true immediate true\""), "{page}");
    let stale = [
        ("action", "preferences"),
        ("kinds", "finding"),
        ("was-finding", "true daily true"),
        ("page-finding", "yes"),
        ("mail-finding", "daily"),
        ("webhook-finding", "yes"),
    ];
    assert_eq!(browser.post(SETTINGS, &stale).await.status, 303);
    assert_eq!(preference(&app, &anna, "finding").await["mail"], "immediate");
    // Who may not say where private things go looks only.
    let reader = app.token(json!({ "user": "anna", "scopes": ["read"] })).await;
    let mut reader = Browser::signed_in(&app, &reader).await;
    let page = reader.page(SETTINGS).await;
    assert!(page.contains("may not see to it") && page.contains(" disabled"), "{page}");
    // The menu leads to no page that is none of theirs.
    assert!(browser.page(SETTINGS).await.contains("href=\"/account/webhooks\""));
    assert!(!page.contains("/account/webhooks"), "{page}");
    assert_eq!(reader.get("/account/webhooks").await.status, 403);
    assert_eq!(reader.post(SETTINGS, &fields).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_set_confirmed_changed_and_removed() {
    let postbox = Postbox::start();
    let app = TestApp::with(|settings| postbox.settings(settings)).await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let mut browser = Browser::signed_in(&app, &anna).await;
    assert!(browser.page(SETTINGS).await.contains("No mail is sent to you."));
    for bad in ["<script>alert(1)</script>", "a@b@c", ""] {
        let answer = browser.post(SETTINGS, &[("action", "address"), ("address", bad)]).await;
        let page = text(&answer);
        assert!(answer.status == 422 && page.contains("is no address"), "{page}");
        assert!(!page.contains("<script>alert"), "{page}");
    }
    let set = [("action", "address"), ("address", " anna@example.org ")];
    let answer = browser.post(SETTINGS, &set).await;
    assert_eq!(answer.headers["location"], "/account/notifications/settings?notice=code-mailed");
    let page = browser.page(SETTINGS).await;
    assert!(page.contains("anna@example.org <span class=\"pill warn\">not confirmed"), "{page}");
    app.send_due().await;
    let mailed = code(&postbox.take()[0]);
    let answer = browser.post(SETTINGS, &[("action", "confirm"), ("code", "<i>")]).await;
    assert!(answer.status == 422 && text(&answer).contains("is not the one that was mailed last"));
    let answer = browser.post(SETTINGS, &[("action", "confirm"), ("code", &mailed.to_lowercase())]).await;
    assert_eq!(answer.headers["location"], "/account/notifications/settings?notice=confirmed");
    assert!(browser.page(SETTINGS).await.contains("<span class=\"pill good\">confirmed"));
    // Nothing is mailed to whoever names the one that there is.
    let answer = browser.post(SETTINGS, &set).await;
    assert_eq!(answer.headers["location"], "/account/notifications/settings?notice=address-kept");
    // Another one is used once it is confirmed.
    let other = [("action", "address"), ("address", "anna@elsewhere.example")];
    assert_eq!(browser.post(SETTINGS, &other).await.status, 303);
    let page = browser.page(SETTINGS).await;
    assert!(page.contains("Mail goes on to anna@example.org until"), "{page}");
    for number in 0..3 {
        let address = format!("a{number}@example.org");
        browser.post(SETTINGS, &[("action", "address"), ("address", &address)]).await;
    }
    let answer = browser.post(SETTINGS, &other).await;
    assert!(answer.status == 429 && text(&answer).contains("so many codes were mailed"), "{}", text(&answer));
    // It is asked before it is removed.
    let asked = browser.post(SETTINGS, &[("action", "remove")]).await;
    assert!(text(&asked).contains("Remove your address?"));
    assert_eq!(app.get_as(&anna, "/api/v1/notifications/email").await.is(200)["address"], "anna@example.org");
    let answer = browser.post(SETTINGS, &[("action", "remove"), ("confirm", "yes")]).await;
    assert_eq!(answer.status, 303);
    assert_eq!(app.get_as(&anna, "/api/v1/notifications/email").await.is(200)["address"], Value::Null);
    let reader = app.token(json!({ "user": "anna", "scopes": ["read"] })).await;
    let mut reader = Browser::signed_in(&app, &reader).await;
    for fields in [&set[..], &[("action", "remove")], &[("action", "confirm"), ("code", "x")]] {
        assert_eq!(reader.post(SETTINGS, fields).await.status, 403, "{fields:?}");
    }
    let page = Browser::signed_in(&app, ADMIN).await.page(SETTINGS).await;
    assert!(!page.contains("anna@"), "{page}");
}
