//! Comments, answers to reviews and reports, as a browser sees them.

use serde_json::{Value, json};

use super::super::{ADMIN, Answer, TestApp, skill};
use super::{Browser, text};

const PAGE: &str = "/acme/tool/comments";
const API: &str = "/api/v1/skills/acme/tool/comments";
const RATINGS: &str = "/acme/tool/ratings";
const ALL: [&str; 5] = ["read", "publish", "rate", "review", "admin"];
const HOSTILE: &str =
    "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) \"><b>";

fn goes_to(answer: &Answer, path: &str) {
    assert_eq!(answer.status, 303, "{}", text(answer));
    assert_eq!(answer.headers["location"].to_str().unwrap(), path);
}

async fn threads(app: &TestApp) -> Vec<Value> {
    app.get(API).await.is(200)["comments"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_from_its_beginning_to_its_end() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut stranger = Browser::new(&app);
    let page = stranger.page(PAGE).await;
    assert!(
        page.contains("Nobody has said anything yet") && page.contains("Sign in</a> to comment"),
        "{page}"
    );
    let say = [("action", "say"), ("text", "Works\r\nfor me")];
    assert_eq!(stranger.post_from("same-origin", PAGE, &say).await.status, 401);
    let mut anna = Browser::signed_in(&app, &app.user("anna", &ALL).await).await;
    let mut bert = Browser::signed_in(&app, &app.user("bert", &["read", "rate"]).await).await;
    let mut reader = Browser::signed_in(&app, &app.user("rita", &["read"]).await).await;
    assert!(reader.page(PAGE).await.contains("may not comment"));
    assert_eq!(reader.post(PAGE, &say).await.status, 403);
    assert_eq!(anna.post_from("same-origin", PAGE, &say).await.status, 403);
    goes_to(&anna.post(PAGE, &say).await, "/acme/tool/comments?notice=said");
    let thread = threads(&app).await[0]["id"].as_str().unwrap().to_owned();
    let page = stranger.page(PAGE).await;
    assert!(page.contains("Works<br>\nfor me") && page.contains(&format!("id=\"c-{thread}\"")), "{page}");
    assert!(!page.contains("form=reply") && !page.contains("form=report"), "{page}");
    // The answer stands in its thread.
    let form = bert.page(&format!("{PAGE}?at={thread}&form=reply")).await;
    assert!(form.contains("value=\"reply\"") && form.contains("Your answer"), "{form}");
    let reply = [("action", "reply"), ("comment", &thread), ("text", "Since when?")];
    let answer = bert.post(PAGE, &reply).await;
    let replied = threads(&app).await[0]["replies"][0]["id"].as_str().unwrap().to_owned();
    goes_to(&answer, &format!("{PAGE}?thread={replied}&notice=said"));
    for at in [&thread, &replied] {
        let page = stranger.page(&format!("{PAGE}?thread={at}")).await;
        assert!(page.contains("Since when?") && page.contains("1 answer"), "{page}");
    }
    // Only its author changes it, by a form that has what it says.
    let open = format!("{PAGE}?thread={thread}&at={thread}&form=edit");
    let form = anna.page(&open).await;
    assert!(form.contains(">\nWorks\nfor me</textarea>"), "{form}");
    assert!(!bert.page(&open).await.contains("value=\"edit\""));
    let edit = [("action", "edit"), ("comment", &thread), ("text", "Works for all")];
    assert_eq!(bert.post(PAGE, &edit).await.status, 403);
    goes_to(&anna.post(PAGE, &edit).await, &format!("{PAGE}?thread={thread}&notice=edited"));
    // What is refused comes back with what was typed.
    let long = format!("{}<i>", "x".repeat(10_000));
    for (action, wrong, says) in [
        ("say", long.as_str(), "longer than"),
        ("reply", " ", "is empty"),
        ("edit", "a\u{202e}", "not allowed"),
    ] {
        let answer = anna.post(PAGE, &[("action", action), ("comment", &thread), ("text", wrong)]).await;
        let page = text(&answer);
        assert_eq!(answer.status, 422, "{page}");
        assert!(page.contains(says) && page.contains("aria-invalid") && !page.contains("<i>"), "{page}");
    }
    assert_eq!(anna.post(PAGE, &[("action", "shout"), ("text", "x")]).await.status, 400);
    // Taking it back asks again. The answer keeps its place.
    let delete = [("action", "delete"), ("comment", &thread)];
    assert!(text(&anna.post(PAGE, &delete).await).contains("Take your comment back?"));
    let delete = [("action", "delete"), ("comment", &thread), ("confirm", "yes")];
    assert_eq!(bert.post(PAGE, &delete).await.status, 403);
    goes_to(&anna.post(PAGE, &delete).await, "/acme/tool/comments?notice=deleted");
    let page = stranger.page(PAGE).await;
    assert!(page.contains("taken back by who wrote it") && page.contains("Since when?"), "{page}");
    assert!(!page.contains("Works for all") && !page.contains("anna"), "{page}");
    assert!(stranger.page("/acme/tool/log").await.contains("/acme/tool/comments"));
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_hide_and_look_at_what_is_hidden() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga) = (app.user("anna", &ALL).await, app.user("olga", &ALL).await);
    app.member("acme", "olga", "admin").await;
    app.post(API, &anna, json!({ "text": "Buy here" })).await.is(201);
    let id = threads(&app).await[0]["id"].as_str().unwrap().to_owned();
    app.call(axum::http::Method::PATCH, &format!("{API}/{id}"), &anna, Some(json!({ "text": "Buy there" })))
        .await
        .is(200);
    let (mut anna, mut olga, mut stranger) =
        (Browser::signed_in(&app, &anna).await, Browser::signed_in(&app, &olga).await, Browser::new(&app));
    assert!(!anna.page(PAGE).await.contains("Moderation"));
    assert_eq!(anna.get(&format!("{PAGE}?hidden=true")).await.status, 403);
    assert_eq!(stranger.get(&format!("{PAGE}?hidden=true")).await.status, 303);
    let history = format!("{PAGE}?at={id}&form=history");
    assert!(olga.page(&history).await.contains("<pre tabindex=\"0\">Buy here</pre>"));
    assert!(!anna.page(&history).await.contains("Buy here"));
    assert!(!anna.page(&format!("{PAGE}?at={id}&form=hide")).await.contains("value=\"hide\""));
    assert!(olga.page(&format!("{PAGE}?at={id}&form=hide")).await.contains("value=\"hide\""));
    let hide = [("action", "hide"), ("comment", &id), ("reason", HOSTILE)];
    assert_eq!(anna.post(PAGE, &hide).await.status, 403);
    let answer = olga.post(PAGE, &[("action", "hide"), ("comment", &id), ("reason", " ")]).await;
    assert_eq!(answer.status, 422);
    assert!(text(&answer).contains("a reason is needed"));
    goes_to(&olga.post(PAGE, &hide).await, &format!("{PAGE}?thread={id}&notice=hidden"));
    assert!(stranger.page(PAGE).await.contains("Nobody has said anything yet"));
    for browser in [&mut anna, &mut olga] {
        let page = browser.page(PAGE).await;
        assert!(
            page.contains("Buy there")
                && page.contains("&#60;script&#62;")
                && !page.contains("<script>alert"),
            "{page}"
        );
    }
    let page = olga.page(&format!("{PAGE}?hidden=true")).await;
    assert!(page.contains("Buy there") && page.contains("Show again"), "{page}");
    goes_to(
        &olga.post(PAGE, &[("action", "unhide"), ("comment", &id)]).await,
        &format!("{PAGE}?thread={id}&notice=unhidden"),
    );
    assert!(stranger.page(PAGE).await.contains("Buy there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_twice_is_edited_once() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let token = app.user("anna", &ALL).await;
    for _ in 0..2 {
        app.post(API, &token, json!({ "text": "The **same** words" })).await.is(201);
    }
    let mut anna = Browser::signed_in(&app, &token).await;
    let same = |page: &str| page.matches("The <strong>same</strong> words").count();
    assert_eq!(same(&anna.page(PAGE).await), 2);
    let id = threads(&app).await[0]["id"].as_str().unwrap().to_owned();
    let edit = [("action", "edit"), ("comment", &id), ("text", "*Other* words")];
    assert_eq!(anna.post(PAGE, &edit).await.status, 303);
    let page = anna.page(PAGE).await;
    assert!(same(&page) == 1 && page.contains("<em>Other</em> words"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_said_runs_and_no_page_is_large() {
    let app = TestApp::with(|settings| settings.limits.comments_per_minute = 0).await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &ALL).await;
    app.post(API, &anna, json!({ "text": HOSTILE })).await.is(201);
    let rate = json!({ "rating": 1, "review": HOSTILE });
    app.post("/api/v1/skills/acme/tool/rate", &anna, rate).await.is(200);
    let answer = "/api/v1/skills/acme/tool/ratings/anna/answer";
    app.put(answer, ADMIN, json!({ "text": HOSTILE })).await.is(200);
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    for (path, action) in [(PAGE, "report"), (RATINGS, "report"), (RATINGS, "report-answer")] {
        let comment = threads(&app).await[0]["id"].as_str().unwrap().to_owned();
        let fields = [
            ("action", action),
            ("comment", &comment),
            ("user", "anna"),
            ("reason", "spam"),
            ("text", HOSTILE),
        ];
        assert_eq!(admin.post(path, &fields).await.status, 303);
    }
    let evil: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for path in [
        PAGE.to_owned(),
        RATINGS.to_owned(),
        format!("{RATINGS}?user=anna&form=answer"),
        format!("{RATINGS}?user=anna&form={evil}"),
        format!("{PAGE}?at={evil}&form={evil}"),
        "/admin/reports".to_owned(),
        "/orgs/acme/comments".to_owned(),
    ] {
        let page = admin.page(&path).await;
        for bad in ["<script>alert", "<img src=x", "href=\"javascript:", "\"><b>"] {
            assert!(!page.contains(bad), "{path}: {page}");
        }
    }
    for place in
        [format!("{PAGE}?thread={evil}"), format!("{PAGE}?offset={evil}"), format!("{PAGE}?hidden={evil}")]
    {
        let answer = admin.get(&place).await;
        assert!(answer.status.is_client_error() && !text(&answer).contains("<script>alert"), "{place}");
    }
    for _ in 0..20 {
        let thread = app.post(API, &anna, json!({ "text": "&".repeat(3_000) })).await.is(201)["id"].clone();
        for _ in 0..5 {
            app.post(API, &anna, json!({ "text": "*word* ".repeat(400), "parent": thread })).await.is(201);
        }
    }
    let page = admin.page(PAGE).await;
    assert!(page.contains("Next →"), "{}", page.len());
    // One gets to all of them.
    let (mut next, mut seen) = (PAGE.to_owned(), 0);
    loop {
        let page = admin.page(&next).await;
        seen += page.matches("5 more answers").count();
        let Some((_, rest)) = page.split_once("rel=\"next\" href=\"") else { break };
        next = rest.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&");
    }
    assert_eq!(seen, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_answer_reviews_and_moderators_hide_them() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, paul) = (app.user("anna", &ALL).await, app.user("paul", &ALL).await);
    app.member("acme", "paul", "publisher").await;
    let rate = json!({ "rating": 2, "review": "Slow\nand dear" });
    app.post("/api/v1/skills/acme/tool/rate", &anna, rate).await.is(200);
    let (mut anna, mut paul, mut admin) = (
        Browser::signed_in(&app, &anna).await,
        Browser::signed_in(&app, &paul).await,
        Browser::signed_in(&app, ADMIN).await,
    );
    let mut stranger = Browser::new(&app);
    assert!(!anna.page(RATINGS).await.contains("form=answer"));
    assert!(paul.page(RATINGS).await.contains("form=answer"));
    assert!(paul.page(&format!("{RATINGS}?user=anna&form=answer")).await.contains("Your answer"));
    let answer = [("action", "answer"), ("user", "anna"), ("text", "Mended in 1.1")];
    assert_eq!(anna.post(RATINGS, &answer).await.status, 403);
    assert_eq!(stranger.post_from("same-origin", RATINGS, &answer).await.status, 401);
    let refused = paul.post(RATINGS, &[("action", "answer"), ("user", "anna"), ("text", " ")]).await;
    assert_eq!(refused.status, 422);
    assert!(text(&refused).contains("is empty"));
    goes_to(&paul.post(RATINGS, &answer).await, "/acme/tool/ratings?notice=answered");
    let page = stranger.page(RATINGS).await;
    assert!(page.contains("Mended in 1.1") && page.contains("<strong>paul</strong>"), "{page}");
    assert!(
        paul.page(&format!("{RATINGS}?user=anna&form=answer")).await.contains(">\nMended in 1.1</textarea>")
    );
    // The reviewer complains about the answer; a moderator hides the review.
    let report = [("action", "report-answer"), ("user", "anna"), ("reason", "abuse"), ("text", "it is not")];
    goes_to(&anna.post(RATINGS, &report).await, "/acme/tool/ratings?notice=reported");
    let again = anna.post(RATINGS, &report).await;
    assert_eq!(again.status, 409);
    assert!(text(&again).contains("it is not"), "{}", text(&again));
    let wrong = [("action", "report-answer"), ("user", "anna"), ("reason", "boring")];
    let refused = anna.post(RATINGS, &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(text(&refused).contains("<span id=\"report-answer-reason-hint\">"), "{}", text(&refused));
    let hide = [("action", "hide"), ("user", "anna"), ("reason", "names people")];
    assert_eq!(paul.post(RATINGS, &hide).await.status, 403);
    goes_to(&admin.post(RATINGS, &hide).await, "/acme/tool/ratings?notice=hidden");
    let page = stranger.page(RATINGS).await;
    assert!(
        page.contains("A moderator has hidden the text. The stars count.")
            && page.contains("<strong>2.0</strong>"),
        "{page}"
    );
    assert!(!page.contains("Slow") && !page.contains("Mended"), "{page}");
    assert!(anna.page(RATINGS).await.contains("names people"));
    assert!(admin.page(RATINGS).await.contains("Slow"));
    goes_to(
        &admin.post(RATINGS, &[("action", "unhide"), ("user", "anna")]).await,
        "/acme/tool/ratings?notice=unhidden",
    );
    goes_to(
        &paul.post(RATINGS, &[("action", "unanswer"), ("user", "anna")]).await,
        "/acme/tool/ratings?notice=answer-removed",
    );
    assert!(!stranger.page(RATINGS).await.contains("Mended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_resolved_where_they_belong() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut private = skill("acme/hidden", "1.0.0");
    private["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, private).await.is(201);
    let (anna, olga, nora) =
        (app.user("anna", &ALL).await, app.user("olga", &ALL).await, app.user("nora", &ALL).await);
    app.member("acme", "olga", "admin").await;
    let id =
        app.post(API, &anna, json!({ "text": "Buy here" })).await.is(201)["id"].as_str().unwrap().to_owned();
    let (mut olga, mut nora, mut admin) = (
        Browser::signed_in(&app, &olga).await,
        Browser::signed_in(&app, &nora).await,
        Browser::signed_in(&app, ADMIN).await,
    );
    assert!(nora.page(&format!("{PAGE}?at={id}&form=report")).await.contains("It is advertising"));
    let report = [("action", "report"), ("comment", &id), ("reason", "spam"), ("text", "look at it")];
    goes_to(&nora.post(PAGE, &report).await, &format!("{PAGE}?thread={id}&notice=reported"));
    let refused = nora.post(PAGE, &[("action", "report"), ("comment", &id), ("reason", "boring")]).await;
    assert_eq!(refused.status, 422);
    assert!(text(&refused).contains("<span id=\"report-reason-hint\">"), "{}", text(&refused));
    assert_eq!(nora.get("/acme/hidden/comments").await.status, 404);
    // About the skill itself only the registry decides.
    app.post("/api/v1/reports", &anna, json!({ "skill": "acme/tool", "reason": "malicious" })).await.is(204);
    let page = olga.page("/orgs/acme/comments").await;
    assert!(page.contains("Buy here") && page.contains("look at it") && page.contains("anna"), "{page}");
    assert!(!page.contains("nora") && !page.contains("malicious"), "{page}");
    let page = admin.page("/admin/reports").await;
    assert!(page.contains("nora") && page.contains("malicious"), "{page}");
    for path in ["/orgs/acme/comments", "/admin/reports"] {
        assert!([403, 404].contains(&nora.get(path).await.status.as_u16()), "{path}");
    }
    assert_eq!(olga.get("/admin/reports").await.status, 403);
    let open = app.get_as(ADMIN, "/api/v1/reports").await.is(200)["reports"].clone();
    let number = open[0]["id"].as_str().unwrap().to_owned();
    let resolve = [("action", "resolve"), ("report", number.as_str()), ("resolution", "hidden <i>")];
    assert_eq!(nora.post("/orgs/acme/comments", &resolve).await.status, 403);
    let refused = olga
        .post("/orgs/acme/comments", &[("action", "resolve"), ("report", &number), ("resolution", " ")])
        .await;
    assert_eq!(refused.status, 422);
    assert!(text(&refused).contains("say what was done"));
    goes_to(&olga.post("/orgs/acme/comments", &resolve).await, "/orgs/acme/comments?notice=resolved");
    assert!(olga.page("/orgs/acme/comments").await.contains("Nothing waits for you"));
    let page = olga.page("/orgs/acme/comments?state=resolved").await;
    assert!(page.contains("hidden &#60;i&#62;") && page.contains("Open again"), "{page}");
    goes_to(
        &admin.post("/admin/reports", &[("action", "reopen"), ("report", &number)]).await,
        "/admin/reports?notice=reopened",
    );
    assert!(admin.page("/admin/reports").await.contains("Resolved before"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_skill_is_reported_beside_what_is_said_of_it() {
    const FORM: &str = "/acme/tool/comments?form=report-skill";
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga) = (app.user("anna", &ALL).await, app.user("olga", &ALL).await);
    app.member("acme", "olga", "admin").await;
    let mut stranger = Browser::new(&app);
    let mut reader = Browser::signed_in(&app, &app.user("rita", &["read"]).await).await;
    let (mut anna, mut olga) = (Browser::signed_in(&app, &anna).await, Browser::signed_in(&app, &olga).await);
    let page = stranger.page("/acme/tool").await;
    assert!(page.contains(&format!("href=\"{FORM}#report-skill\">Report this skill</a>")), "{page}");
    let is_form = |page: &str| page.contains("value=\"report-skill\"");
    let page = stranger.page(FORM).await;
    assert!(page.contains("Sign in</a> to report it") && !is_form(&page), "{page}");
    let page = reader.page(FORM).await;
    assert!(page.contains("may not report it") && !is_form(&page), "{page}");
    let page = anna.page(PAGE).await;
    assert!(page.contains("Report this skill") && !is_form(&page), "{page}");
    let page = anna.page(FORM).await;
    assert!(is_form(&page) && page.contains("It harms who installs it"), "{page}");
    let report = [("action", "report-skill"), ("reason", "malicious"), ("text", HOSTILE)];
    assert_eq!(stranger.post_from("same-origin", PAGE, &report).await.status, 401);
    assert_eq!(reader.post(PAGE, &report).await.status, 403);
    let wrong = [("action", "report-skill"), ("reason", "malicious"), ("text", "a\u{202e}b")];
    let refused = anna.post(PAGE, &wrong).await;
    let page = text(&refused);
    assert_eq!(refused.status, 422);
    for part in [">\na\u{202e}b</textarea>", "value=\"malicious\" selected", "not allowed"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // So does one with a reason that there is none of, beside that field.
    let refused = anna.post(PAGE, &[("action", "report-skill"), ("reason", "none"), ("text", "It is")]).await;
    let page = text(&refused);
    assert_eq!(refused.status, 422);
    for part in [
        "<span id=\"report-skill-reason-hint\"><strong class=\"wrong\" role=\"alert\">choose what is wrong with it.",
        "name=\"reason\" aria-invalid=\"true\" aria-describedby=\"report-skill-reason-hint\">",
        ">\nIt is</textarea>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    goes_to(&anna.post(PAGE, &report).await, "/acme/tool?notice=skill-reported");
    let again = anna.post(PAGE, &report).await;
    assert_eq!((again.status.as_u16(), is_form(&text(&again))), (409, true));
    // Only the registry decides about a skill.
    let page = Browser::signed_in(&app, ADMIN).await.page("/admin/reports").await;
    for part in ["The skill", "malicious", "&#60;script&#62;", "anna"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // From there a link leads to where the version that was the newest is quarantined, and not only to the skill.
    let here = "/acme/tool/versions/1.0.0";
    assert!(page.contains(&format!("<a href=\"{here}#manage\">Quarantine a version</a>")), "{page}");
    let page = Browser::signed_in(&app, ADMIN).await.page(here).await;
    assert!(page.contains("id=\"manage\"") && page.contains("Quarantine 1.0.0"), "{page}");
    let page = olga.page("/orgs/acme/comments").await;
    assert!(!page.contains("malicious") && !page.contains("&#60;script&#62;"), "{page}");
    assert!(!page.contains("Quarantine"), "{page}");
}

/// A thread with so many answers, the last of which bert wrote: the ids of both.
async fn long_thread(app: &TestApp, anna: &str, bert: &str, answers: usize) -> (String, String) {
    let id = |answer: Value| answer["id"].as_str().unwrap().to_owned();
    let thread = id(app.post(API, anna, json!({ "text": "Begins" })).await.is(201));
    let mut last = String::new();
    for number in 1..=answers {
        app.app.environment.advance_seconds(10);
        let token = if number == answers { bert } else { anna };
        let body = json!({ "text": format!("Answer number {number}."), "parent": thread });
        last = id(app.post(API, token, body).await.is(201));
    }
    (thread, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_answer_of_a_long_thread_is_changed_hidden_and_found() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, bert) = (app.user("anna", &ALL).await, app.user("bert", &ALL).await);
    let (thread, last) = long_thread(&app, &anna, &bert, 17).await;
    let (mut anna, mut bert, mut admin) = (
        Browser::signed_in(&app, &anna).await,
        Browser::signed_in(&app, &bert).await,
        Browser::signed_in(&app, ADMIN).await,
    );
    let first = anna.page(&format!("{PAGE}?thread={thread}")).await;
    assert!(first.contains("Answer number 15.") && !first.contains("Answer number 17."), "{first}");
    // The way there by links, and by the id of the answer.
    let second = bert.page(&format!("{PAGE}?thread={thread}&offset=15")).await;
    let edit =
        format!("/acme/tool/comments?thread={thread}&#38;offset=15&#38;at={last}&#38;form=edit#c-{last}");
    assert!(second.contains(&edit) || second.contains(&edit.replace("&#38;", "&amp;")), "{second}");
    for place in [
        format!("{PAGE}?thread={thread}&offset=15&at={last}&form=edit"),
        format!("{PAGE}?thread={thread}&at={last}&form=edit"),
        format!("{PAGE}?thread={last}&at={last}&form=edit"),
    ] {
        let page = bert.page(&place).await;
        assert!(page.contains(">\nAnswer number 17.</textarea>"), "{place}: {page}");
    }
    let page = anna.page(&format!("{PAGE}?thread={last}")).await;
    assert!(page.contains("Answer number 17.") && page.contains("rel=\"prev\""), "{page}");
    // A link to an answer that is none leads to the thread.
    for none in ["x", "00000000-0000-7000-8000-000000000000"] {
        for form in ["edit", "history"] {
            let page = admin.page(&format!("{PAGE}?thread={thread}&at={none}&form={form}")).await;
            assert!(page.contains("Answer number 1.") && !page.contains("Answer number 17."), "{page}");
        }
        assert_eq!(admin.get(&format!("{PAGE}?thread={none}")).await.status, 404);
    }
    // What is refused comes back where it was.
    let refused = bert.post(PAGE, &[("action", "edit"), ("comment", &last), ("text", "a\u{202e}b")]).await;
    let page = text(&refused);
    assert_eq!(refused.status, 422);
    assert!(page.contains("not allowed") && page.contains(">\na\u{202e}b</textarea>"), "{page}");
    let report = [("action", "report"), ("comment", last.as_str()), ("reason", "spam"), ("text", "see")];
    assert_eq!(anna.post(PAGE, &report).await.status, 303);
    let desk = admin.page("/admin/reports").await;
    assert!(desk.contains(&format!("/acme/tool/comments?thread={last}#c-{last}")), "{desk}");
    assert!(
        admin.page(&format!("{PAGE}?thread={last}&at={last}&form=hide")).await.contains("value=\"hide\"")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_namespace_has_hidden_the_registry_hides_on_the_page() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga) = (app.user("anna", &ALL).await, app.user("olga", &ALL).await);
    app.member("acme", "olga", "admin").await;
    let said = app.post(API, &anna, json!({ "text": "Buy here" })).await.is(201);
    let id = said["id"].as_str().unwrap().to_owned();
    let rate = json!({ "rating": 1, "review": "Bad" });
    app.post("/api/v1/skills/acme/tool/rate", &anna, rate).await.is(200);
    let (mut olga, mut admin) =
        (Browser::signed_in(&app, &olga).await, Browser::signed_in(&app, ADMIN).await);
    for (page, form, fields) in [
        (PAGE, format!("{PAGE}?at={id}&form=hide"), [("action", "hide"), ("comment", id.as_str())]),
        (RATINGS, format!("{RATINGS}?user=anna&form=hide"), [("action", "hide"), ("user", "anna")]),
    ] {
        let why = |why| [fields.as_slice(), &[("reason", why)]].concat();
        assert_eq!(olga.post(page, &why("advertising")).await.status, 303);
        assert!(!olga.page(page).await.contains("Hide for the registry"));
        assert!(olga.page(page).await.contains("Show again"));
        assert!(admin.page(page).await.contains("Hide for the registry"));
        assert!(admin.page(&form).await.contains("value=\"hide\""));
        assert_eq!(admin.post(page, &why("names people")).await.status, 303);
        let seen = olga.page(page).await;
        assert!(seen.contains("by the registry: names people") && !seen.contains("Show again"), "{seen}");
        let seen = admin.page(page).await;
        assert!(seen.contains("Show again") && !seen.contains("Hide for the registry"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_found_wherever_it_stands_and_what_was_typed_comes_back() {
    let app = TestApp::with(|settings| settings.limits.review_length = 300).await;
    app.publish("acme/tool", "1.0.0").await;
    let mut tokens = Vec::new();
    for number in 0..55 {
        let token = app.user(&format!("user{number:02}"), &ALL).await;
        let rate = json!({ "rating": 3, "review": format!("Review number {number}.") });
        app.post("/api/v1/skills/acme/tool/rate", &token, rate).await.is(200);
        app.app.environment.advance_seconds(1);
        tokens.push(token);
    }
    app.put("/api/v1/skills/acme/tool/ratings/user00/answer", ADMIN, json!({ "text": "Thanks" }))
        .await
        .is(200);
    let (mut first, mut admin) =
        (Browser::signed_in(&app, &tokens[0]).await, Browser::signed_in(&app, ADMIN).await);
    assert!(!admin.page(RATINGS).await.contains("Review number 0."));
    assert!(admin.page(&format!("{RATINGS}?user=user00#r-user00")).await.contains("Review number 0."));
    let wide = admin.page(&format!("{RATINGS}?limit=2")).await;
    assert!(wide.contains("offset=2&#38;limit=2") || wide.contains("offset=2&amp;limit=2"), "{wide}");
    let refused =
        admin.post(RATINGS, &[("action", "answer"), ("user", "user00"), ("text", "a\u{202e}b")]).await;
    let page = text(&refused);
    assert_eq!(refused.status, 422);
    assert!(page.contains("not allowed") && page.contains(">\na\u{202e}b</textarea>"), "{page}");
    let mut other = Browser::signed_in(&app, &tokens[1]).await;
    let report = [("action", "report"), ("user", "user00"), ("reason", "abuse"), ("text", "see")];
    assert_eq!(other.post(RATINGS, &report).await.status, 303);
    let again = other.post(RATINGS, &report).await;
    assert_eq!((again.status.as_u16(), text(&again).contains(">\nsee</textarea>")), (409, true));
    assert!(admin.page("/admin/reports").await.contains("/acme/tool/ratings?user=user00#r-user00"));
    // One's own, too.
    let long = "x".repeat(301);
    let answer = first.post(RATINGS, &[("action", "rate"), ("rating", "2"), ("review", &long)]).await;
    let page = text(&answer);
    assert_eq!(answer.status, 422);
    for part in [
        &format!(">\n{long}</textarea>"),
        "value=\"2\" required checked",
        "maxlength=\"300\"",
        "role=\"alert\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // What was given between two stars by a program stays so where only a word is mended.
    app.post("/api/v1/skills/acme/tool/rate", &tokens[0], json!({ "rating": 4.5 })).await.is(200);
    assert!(first.page(RATINGS).await.contains("value=\"4.5\" required checked"));
    assert_eq!(
        first.post(RATINGS, &[("action", "rate"), ("rating", "4.5"), ("review", "Well")]).await.status,
        303
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_of_reports_gives_back_what_was_typed() {
    let app = TestApp::with(|settings| settings.limits.comments_per_minute = 0).await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, nora) = (app.user("anna", &ALL).await, app.user("nora", &ALL).await);
    for number in 0..22 {
        let said = app.post(API, &anna, json!({ "text": format!("Comment {number}") })).await.is(201);
        let report = json!({ "skill": "acme/tool", "comment": said["id"], "reason": "spam" });
        app.post("/api/v1/reports", &nora, report).await.is(204);
        app.app.environment.advance_seconds(1);
    }
    let open = app.get_as(ADMIN, "/api/v1/reports").await.is(200)["reports"].clone();
    let last = open[21]["id"].as_str().unwrap();
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    let page = admin.page("/admin/reports?offset=20").await;
    assert!(page.contains("name=\"offset\" value=\"20\"") && page.contains(last), "{page}");
    let wrong = "a\u{202e}b";
    let fields = [("action", "resolve"), ("offset", "20"), ("report", last), ("resolution", wrong)];
    let refused = admin.post("/admin/reports", &fields).await;
    let page = text(&refused);
    assert_eq!(refused.status, 422);
    assert!(page.contains(&format!("value=\"{wrong}\"")) && page.contains("not allowed"), "{page}");
    // Somebody else was first.
    app.put(&format!("/api/v1/reports/{last}"), ADMIN, json!({ "resolution": "hidden" })).await.is(204);
    let fields = [("action", "resolve"), ("report", last), ("resolution", "hidden it")];
    let refused = admin.post("/admin/reports", &fields).await;
    let page = text(&refused);
    assert_eq!(refused.status, 409);
    assert!(page.contains("resolved already") && page.contains("You wrote: hidden it"), "{page}");
    // One comes back to where one was, or to the last page where nothing is left there.
    let fields = [
        ("action", "resolve"),
        ("offset", "20"),
        ("report", open[20]["id"].as_str().unwrap()),
        ("resolution", "hidden it"),
    ];
    let back = "/admin/reports?offset=20&notice=resolved";
    goes_to(&admin.post("/admin/reports", &fields).await, back);
    let page = admin.page(back).await;
    assert!(
        page.contains(open[0]["id"].as_str().unwrap()) && page.contains("The report is resolved."),
        "{page}"
    );
    let page = admin.page("/admin/reports?state=resolved").await;
    assert!(page.contains("name=\"state\" value=\"resolved\"") && page.contains(last), "{page}");
    let fields = [("action", "reopen"), ("state", "resolved"), ("report", last)];
    goes_to(&admin.post("/admin/reports", &fields).await, "/admin/reports?state=resolved&notice=reopened");
    // What a comment says by now is told.
    let id = open[0]["comment"].as_str().unwrap();
    let patch = json!({ "text": "Something else" });
    app.call(axum::http::Method::PATCH, &format!("{API}/{id}"), &anna, Some(patch)).await.is(200);
    let page = admin.page("/admin/reports").await;
    assert!(page.contains("It says something else by now"), "{page}");
}
