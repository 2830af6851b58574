//! What changed with a version, as its publisher or an admin says.

use serde_json::json;

use super::super::{ADMIN, TestApp, skill};
use super::weight::{dear, longest, next};
use super::{Browser, text};

const PAGE: &str = "/acme/tool/versions/1.0.0";
const REVIEW: &str = "/acme/tool/versions/1.0.0/review";
const FORM: &str = "Say what changed";
const TOLD: &str = "What changed, as its publisher or an admin says";

async fn say(app: &TestApp, id: &str, version: &str, changelog: &str) {
    let path = format!("/api/v1/skills/{id}/versions/{version}/changelog");
    app.put(&path, ADMIN, json!({ "changelog": changelog })).await.is(200);
}

/// The form of the page, filled in.
fn said(text: &str) -> [(&str, &str); 3] {
    [("action", "changelog"), ("next", PAGE), ("changelog", text)]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_said_on_the_page_of_a_version_and_shown_as_text() {
    const EVIL: &str = "<script>window.ran=1</script>\nAnd \"more\".";
    let app = TestApp::new().await;
    let people =
        [("author", "publisher"), ("colleague", "publisher"), ("rita", "reviewer"), ("owner", "owner")];
    let [author, colleague, rita, owner] = app.staff(people).await;
    for version in ["1.0.0", "1.1.0"] {
        app.post("/api/v1/skills", &author, skill("acme/tool", version)).await.is(201);
    }
    for (token, may) in [(&author, true), (&owner, true), (&colleague, false), (&rita, false)] {
        let page = Browser::signed_in(&app, token).await.page(PAGE).await;
        assert!(page.contains(FORM) == may && !page.contains(TOLD), "{page}");
    }
    let mut anybody = Browser::new(&app);
    assert!(!anybody.page(PAGE).await.contains(FORM));
    // What is refused is given back, to whoever has a form and to whoever has none.
    let long = "x".repeat(4_097);
    let mut browser = Browser::signed_in(&app, &author).await;
    let answer = browser.post(REVIEW, &said(&long)).await;
    let page = text(&answer);
    assert_eq!(answer.status, 422, "{page}");
    assert!(page.contains(&format!("\n{long}</textarea>")) && page.contains("is longer than 4096"), "{page}");
    let answer = Browser::signed_in(&app, &rita).await.post(REVIEW, &said("Trust me.")).await;
    let page = text(&answer);
    assert_eq!(answer.status, 403, "{page}");
    assert!(page.contains("<p>You wrote:</p><p class=\"text\">Trust me.</p>"), "{page}");
    let answer = Browser::signed_in(&app, &colleague).await.post(REVIEW, &said("Trust me.")).await;
    assert_eq!(answer.status, 404);
    let fields = [&said("Trust me.")[..], &[("csrf", "x")]].concat();
    assert_eq!(browser.post_from("same-origin", REVIEW, &fields).await.status, 403);
    assert!(!anybody.page(PAGE).await.contains(TOLD));

    let answer = browser.post(REVIEW, &said(EVIL)).await;
    assert_eq!(answer.status, 303, "{}", text(&answer));
    assert!(answer.headers["location"].to_str().unwrap().starts_with(&format!("{PAGE}?notice=")));
    let escaped = "&#60;script&#62;window.ran=1&#60;/script&#62;\nAnd &#34;more&#34;.";
    for path in [PAGE, "/acme/tool/versions", "/acme/tool/versions/1.0.0/diff"] {
        let page = anybody.page(path).await;
        assert!(page.contains(escaped) && !page.contains("<script>window"), "{path}: {page}");
    }
    // It is of that version alone.
    for path in ["/acme/tool", "/acme/tool/versions/1.1.0", "/acme/tool/versions/1.1.0/diff"] {
        assert!(!anybody.page(path).await.contains("window.ran"), "{path}");
    }
    assert!(!browser.page(PAGE).await.contains(FORM));
    let answer = browser.post(REVIEW, &said("Something else.")).await;
    assert!(answer.status == 409 && text(&answer).contains("Something else."), "{}", text(&answer));
    // Admins of the namespace say it as well.
    let mut browser = Browser::signed_in(&app, &owner).await;
    let page = "/acme/tool/versions/1.1.0";
    let fields = [("action", "changelog"), ("changelog", "Is faster.")];
    assert_eq!(browser.post(&format!("{page}/review"), &fields).await.status, 303);
    assert!(anybody.page(page).await.contains("Is faster."));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_hidden_with_its_version() {
    let app = TestApp::new().await;
    let [author, rita] = app.staff([("author", "publisher"), ("rita", "reviewer")]).await;
    app.post("/api/v1/skills", &author, skill("acme/tool", "1.0.0")).await.is(201);
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    app.post("/api/v1/skills", &author, skill("acme/tool", "1.1.0")).await.is(202);
    say(&app, "acme/tool", "1.1.0", "Hush of what waits.").await;
    let mut secret = skill("other/secret", "1.0.0");
    secret["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, secret).await.is(201);
    say(&app, "other/secret", "1.0.0", "Hush of what is private.").await;
    app.settle().await;
    let (waits, private) = ("/acme/tool/versions/1.1.0", "/other/secret/versions/1.0.0");
    let diff = format!("{waits}/diff");
    let mut anybody = Browser::new(&app);
    for (path, status) in [
        ("/acme/tool/versions", 200),
        ("/acme/tool/feed", 200),
        ("/search/feed", 200),
        (waits, 404),
        (diff.as_str(), 404),
        (private, 404),
        ("/other/secret/feed", 404),
    ] {
        let answer = anybody.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", text(&answer));
        assert!(!text(&answer).contains("Hush"), "{path}: {}", text(&answer));
    }
    let mut rita = Browser::signed_in(&app, &rita).await;
    for path in [waits, "/acme/tool/versions"] {
        assert!(rita.page(path).await.contains("Hush of what waits."), "{path}");
    }
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    assert!(admin.page(private).await.contains("Hush of what is private."));
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_changed_is_light_and_whole_where_it_is_asked_for() {
    let app = TestApp::new().await;
    let all = "&#60;".repeat(4_096);
    for number in 0..60 {
        let version = format!("1.0.{number}");
        let mut body = skill("acme/tool", &version);
        body["description"] = json!(dear(4_096));
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
        say(&app, "acme/tool", &version, &dear(4_096)).await;
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let page = browser.page(PAGE).await;
    let link = format!("<a href=\"{PAGE}?told=all#told\">All of it</a>");
    assert!(page.contains(&link) && !page.contains(&all), "{page}");
    let page = browser.page(&format!("{PAGE}?told=all")).await;
    assert!(page.contains(&all) && !page.contains("All of it"), "{page}");
    let page = browser.page(&format!("{PAGE}/diff")).await;
    assert!(page.contains(&link) && !page.contains(&all), "{page}");
    let page = browser.page("/acme/tool/versions?limit=200").await;
    assert!(next(&page).is_some(), "{page}");
    // Beside all else that is long there is no room for all of it.
    let (_, id, version) = longest();
    let mut body = skill(&id, &version);
    body["description"] = json!(dear(4_096));
    body["author"] = json!(dear(1_024));
    body["license"] = json!(dear(1_024));
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    say(&app, &id, &version, &dear(4_096)).await;
    let here = format!("/{id}/versions/{version}");
    for path in [here.clone(), format!("{here}?told=all"), format!("{here}/diff"), format!("/{id}/versions")]
    {
        assert!(browser.page(&path).await.contains("&#60;&#60;…"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_hides_nothing_and_is_not_said_of_what_nobody_gets() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let path = "/api/v1/skills/acme/tool/versions/1.0.0/changelog";
    for hidden in ["Fixes.\u{e0049}\u{e0067}", "Fixes.\u{2028}sha-256: 0", "Fi\u{ad}xes.", "Fixes.\u{fe00}"] {
        let problem = app.put(path, ADMIN, json!({ "changelog": hidden })).await.fails(422, "invalid-field");
        assert_eq!(problem["field"], "changelog");
    }
    let quarantine = "/api/v1/skills/acme/tool/versions/1.0.0/quarantine";
    app.put(quarantine, ADMIN, json!({ "reason": "bad" })).await.is(200);
    app.put(path, ADMIN, json!({ "changelog": "It is good." })).await.fails(409, "status-conflict");
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    assert!(!browser.page(PAGE).await.contains(FORM));
    app.delete(quarantine, ADMIN).await.is(200);
    assert!(browser.page(PAGE).await.contains(FORM));
    // Lines end in one way only.
    let said = app.put(path, ADMIN, json!({ "changelog": "One.\r\nTwo.\rThree." })).await.is(200);
    assert_eq!(said["changelog"], "One.\nTwo.\nThree.");
}
