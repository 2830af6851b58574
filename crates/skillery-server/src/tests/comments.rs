//! Comments, reports, and what moderators do.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ADMIN, TestApp, skill};

const COMMENTS: &str = "/api/v1/skills/acme/tool/comments";
const ALL: [&str; 5] = ["read", "publish", "rate", "review", "admin"];

async fn say(app: &TestApp, token: &str, text: &str, parent: Option<&str>) -> String {
    let body = json!({ "text": text, "parent": parent });
    app.post(COMMENTS, token, body).await.is(201)["id"].as_str().unwrap().to_owned()
}

async fn list(app: &TestApp, token: &str) -> Vec<Value> {
    app.get_as(token, COMMENTS).await.is(200)["comments"].as_array().unwrap().clone()
}

async fn patch(app: &TestApp, path: &str, token: &str, text: &str) -> super::Answer {
    app.call(Method::PATCH, path, token, Some(json!({ "text": text }))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_have_answers_of_one_level() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, bert) = (app.user("anna", &["rate"]).await, app.user("bert", &["rate"]).await);
    let first = say(&app, &anna, "  **Works** for me\n", None).await;
    app.app.environment.advance_seconds(1);
    let second = say(&app, &bert, "Not for me", None).await;
    app.app.environment.advance_seconds(1);
    let answer = say(&app, &bert, "Which version?", Some(&first)).await;
    let seen = list(&app, "").await;
    assert_eq!((&seen[0]["id"], &seen[1]["id"]), (&json!(second), &json!(first)));
    assert_eq!((&seen[1]["text"], &seen[1]["author"]), (&json!("**Works** for me"), &json!("anna")));
    assert_eq!((&seen[1]["reply_count"], &seen[1]["replies"][0]["id"]), (&json!(1), &json!(answer)));
    let replies = app.get(&format!("{COMMENTS}?parent={first}")).await.is(200);
    assert_eq!((&replies["total"], &replies["comments"][0]["text"]), (&json!(1), &json!("Which version?")));
    app.post(COMMENTS, &anna, json!({ "text": "1.0", "parent": answer })).await.fails(422, "invalid-field");
    app.post(COMMENTS, &anna, json!({ "text": "1.0", "parent": "none" }))
        .await
        .fails(404, "comment-not-found");
    for bad in ["", " \n", "a\u{202e}b", "a\u{200b}b", "a\0b", &"x".repeat(10_001)] {
        app.post(COMMENTS, &anna, json!({ "text": bad })).await.fails(422, "invalid-field");
    }
    app.post("/api/v1/skills/acme/none/comments", &anna, json!({ "text": "x" }))
        .await
        .fails(404, "skill-not-found");
    // The log has ids, and no word of what is said.
    let log = app.log().await;
    let posted = log.iter().find(|entry| entry["event"]["kind"] == "comment.posted").unwrap();
    assert_eq!(posted["event"], json!({ "kind": "comment.posted", "skill": "acme/tool", "comment": first }));
    assert!(!serde_json::to_string(&log).unwrap().contains("Works"));
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_change_their_own_and_moderators_see_what_it_was() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, bert) = (app.user("anna", &["rate"]).await, app.user("bert", &["rate"]).await);
    let id = say(&app, &anna, "Bad", None).await;
    let path = format!("{COMMENTS}/{id}");
    app.app.environment.advance_seconds(1);
    assert!(patch(&app, &path, &anna, "Good").await.is(200)["edited_at"].is_string());
    patch(&app, &path, &bert, "Worse").await.fails(403, "forbidden");
    app.delete(&path, &bert).await.fails(403, "forbidden");
    patch(&app, &path, ADMIN, "Worse").await.fails(403, "forbidden");
    let answer = say(&app, &bert, "Thanks", Some(&id)).await;
    app.delete(&path, &anna).await.is(204);
    // Whose answer was lost on its way asks again.
    app.delete(&path, &anna).await.is(204);
    app.delete(&path, &bert).await.fails(404, "comment-not-found");
    patch(&app, &path, &anna, "Again").await.fails(404, "comment-not-found");
    app.post(COMMENTS, &bert, json!({ "text": "late", "parent": id })).await.fails(404, "comment-not-found");
    // An answer keeps its place.
    let seen = list(&app, &bert).await;
    assert_eq!((&seen[0]["text"], &seen[0]["author"]), (&Value::Null, &Value::Null));
    assert_eq!(seen[0]["replies"][0]["id"], json!(answer));
    assert_eq!(list(&app, ADMIN).await[0]["text"], "Good");
    app.delete(&format!("{COMMENTS}/{answer}"), &bert).await.is(204);
    assert_eq!(list(&app, &bert).await, Vec::<Value>::new());
    assert_eq!(list(&app, ADMIN).await.len(), 1);
    let kinds: Vec<Value> = app.log().await.iter().map(|entry| entry["event"]["kind"].clone()).collect();
    let said: Vec<&Value> =
        kinds.iter().filter(|kind| kind.as_str().unwrap().starts_with("comment.")).collect();
    assert_eq!(
        said,
        ["comment.posted", "comment.edited", "comment.posted", "comment.deleted", "comment.deleted"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_hide_and_nothing_is_lost() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga) = (app.user("anna", &ALL).await, app.user("olga", &ALL).await);
    app.member("acme", "olga", "admin").await;
    let id = say(&app, &anna, "Buy here", None).await;
    let hidden = format!("{COMMENTS}/{id}/hidden");
    app.put(&hidden, &anna, json!({ "reason": "x" })).await.fails(403, "forbidden");
    app.put(&hidden, &olga, json!({ "reason": " " })).await.fails(422, "invalid-field");
    app.put(&hidden, &olga, json!({ "reason": "advertising" })).await.is(200);
    app.put(&hidden, &olga, json!({ "reason": "again" })).await.is(200);
    assert!(list(&app, "").await.is_empty());
    for token in [&anna, &olga, &ADMIN.to_owned()] {
        let seen = list(&app, token).await;
        assert_eq!((&seen[0]["text"], &seen[0]["hidden"]), (&json!("Buy here"), &json!(true)));
        assert_eq!(seen[0]["hidden_reason"], "advertising");
    }
    // Only a token that may do so moderates.
    let raters = app.token(json!({ "user": "olga", "scopes": ["rate", "read"] })).await;
    assert!(list(&app, &raters).await.is_empty());
    say(&app, &anna, "Still here", Some(&id)).await;
    assert_eq!(app.put(&hidden, &olga, json!({ "reason": "x" })).await.is(200)["reply_count"], 1);
    let all = app.get_as(&olga, &format!("{COMMENTS}?hidden=true")).await.is(200);
    assert_eq!(all["comments"][0]["reply_count"], 1);
    app.delete(&hidden, &olga).await.is(204);
    assert_eq!(list(&app, "").await[0]["hidden_reason"], Value::Null);
    let log = app.log().await;
    assert_eq!(log.iter().filter(|entry| entry["event"]["kind"] == "comment.hidden").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_hidden_skill_is_hidden() {
    let app = TestApp::new().await;
    let mut private = skill("acme/tool", "1.0.0");
    private["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, private).await.is(201);
    let id = say(&app, ADMIN, "Secret", None).await;
    let bert = app.user("bert", &["rate", "read"]).await;
    for token in ["", &bert] {
        app.get_as(token, COMMENTS).await.fails(404, "skill-not-found");
    }
    app.post(COMMENTS, &bert, json!({ "text": "x" })).await.fails(404, "skill-not-found");
    app.delete(&format!("{COMMENTS}/{id}"), &bert).await.fails(404, "skill-not-found");
    let report = json!({ "skill": "acme/tool", "comment": id, "reason": "spam" });
    app.post("/api/v1/reports", &bert, report).await.fails(404, "skill-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_go_to_moderators_once_by_each_user() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("other/tool", "1.0.0").await;
    let (anna, olga, nora) =
        (app.user("anna", &ALL).await, app.user("olga", &ALL).await, app.user("nora", &ALL).await);
    app.member("acme", "olga", "admin").await;
    let id = say(&app, &anna, "Buy here", None).await;
    app.post("/api/v1/skills/acme/tool/rate", &anna, json!({ "rating": 1, "review": "bad" })).await.is(200);
    let report = async |token: &str, body: Value| app.post("/api/v1/reports", token, body).await;
    let comment = json!({ "skill": "acme/tool", "comment": id, "reason": "spam", "text": "look" });
    report(&nora, comment.clone()).await.is(204);
    report(&nora, comment.clone()).await.fails(409, "report-exists");
    app.app.environment.advance_seconds(1);
    report(&nora, json!({ "skill": "acme/tool", "review": "anna", "reason": "abuse" })).await.is(204);
    report(&nora, json!({ "skill": "acme/tool", "review": "olga", "reason": "abuse" }))
        .await
        .fails(404, "review-not-found");
    report(&nora, json!({ "skill": "acme/tool", "comment": "none", "reason": "spam" }))
        .await
        .fails(404, "comment-not-found");
    report(&nora, json!({ "skill": "acme/tool", "reason": "boring" })).await.fails(422, "invalid-field");
    app.app.environment.advance_seconds(1);
    report(&anna, json!({ "skill": "other/tool", "reason": "malicious" })).await.is(204);
    let open =
        async |token: &str, query: &str| app.get_as(token, &format!("/api/v1/reports{query}")).await.is(200);
    let mine = open(&olga, "").await;
    assert_eq!(mine["total"], 2, "{mine}");
    assert_eq!((&mine["reports"][0]["comment"], &mine["reports"][0]["reporter"]), (&json!(id), &Value::Null));
    assert_eq!(
        (&mine["reports"][0]["accused"], &mine["reports"][0]["said"]),
        (&json!("anna"), &json!("Buy here"))
    );
    assert_eq!(
        (&mine["reports"][1]["review"], &mine["reports"][1]["kind"]),
        (&json!("anna"), &json!("review"))
    );
    let all = open(ADMIN, "").await;
    assert_eq!((&all["total"], &all["reports"][0]["reporter"]), (&json!(3), &json!("nora")));
    app.get_as(&nora, "/api/v1/reports").await.fails(403, "forbidden");
    app.get_as(&olga, "/api/v1/reports?namespace=other").await.fails(403, "forbidden");
    // Two moderators at the same moment: one of them has done it.
    let path = format!("/api/v1/reports/{}", mine["reports"][0]["id"].as_str().unwrap());
    let body = json!({ "resolution": "hidden" });
    let both = tokio::join!(app.put(&path, &olga, body.clone()), app.put(&path, ADMIN, body.clone()));
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    assert_eq!(open(&olga, "").await["total"], 1);
    let resolved = open(ADMIN, "?state=resolved").await;
    assert_eq!(resolved["reports"][0]["resolution"], "hidden");
    let others = open(ADMIN, "?namespace=other").await["reports"][0]["id"].as_str().unwrap().to_owned();
    app.put(&format!("/api/v1/reports/{others}"), &olga, body).await.fails(404, "report-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_too_much_at_once() {
    let app = std::sync::Arc::new(TestApp::with(|settings| settings.limits.comments_per_minute = 5).await);
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["rate"]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (app, anna) = (std::sync::Arc::clone(&app), anna.clone());
        tasks.spawn(async move {
            app.post(COMMENTS, &anna, json!({ "text": format!("{number}") })).await.status.as_u16()
        });
    }
    let statuses = tasks.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 15, "{statuses:?}");
    app.app.environment.advance_seconds(61);
    say(&app, &anna, "later", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_a_bounded_size_and_says_how_to_go_on() {
    let app = TestApp::with(|settings| settings.limits.comments_per_minute = 0).await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["rate"]).await;
    // Each has four bytes in every character.
    let long = "🦀".repeat(10_000);
    for _ in 0..12 {
        let thread = say(&app, &anna, &long, None).await;
        app.app.environment.advance_seconds(1);
        for number in 0..5 {
            say(&app, &anna, &format!("answer {number}"), Some(&thread)).await;
            app.app.environment.advance_seconds(1);
        }
    }
    let (mut seen, mut offset) = (Vec::new(), 0);
    while seen.len() < 12 {
        let answer = app.get(&format!("{COMMENTS}?limit=200&offset={offset}")).await;
        assert!(answer.body.len() < 500_000, "{}", answer.body.len());
        let page = answer.is(200);
        assert_eq!(page["total"], 12);
        for thread in page["comments"].as_array().unwrap() {
            assert_eq!(
                (thread["reply_count"].clone(), thread["replies"].as_array().unwrap().len()),
                (json!(5), 3)
            );
            assert_eq!(thread["replies"][0]["text"], "answer 0");
            seen.push(thread["id"].clone());
        }
        match page["next"].as_u64() {
            Some(next) => offset = next,
            None => break,
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 12);
    let first = seen[0].as_str().unwrap();
    let rest = app.get(&format!("{COMMENTS}?parent={first}&offset=3")).await.is(200);
    assert_eq!((&rest["total"], &rest["comments"][0]["text"]), (&json!(5), &json!("answer 3")));
    // However short they are, a page has fifty.
    for number in 0..60 {
        say(&app, &anna, &format!("{number}"), None).await;
    }
    let page = app.get(&format!("{COMMENTS}?limit=200")).await.is(200);
    assert_eq!((page["comments"].as_array().unwrap().len(), &page["next"]), (50, &json!(50)));
    let page = app.get(&format!("{COMMENTS}?limit=0")).await.is(200);
    assert_eq!((&page["comments"], &page["next"]), (&json!([]), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_not_edited_without_end() {
    let app = TestApp::with(|settings| {
        settings.limits.comments_per_minute = 5;
        settings.limits.comment_edits = 6;
    })
    .await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga) = (app.user("anna", &ALL).await, app.user("olga", &ALL).await);
    app.member("acme", "olga", "admin").await;
    let path = format!("{COMMENTS}/{}", say(&app, &anna, "0", None).await);
    for number in 1..5 {
        patch(&app, &path, &anna, &format!("{number}")).await.is(200);
    }
    // The same text again is no edit.
    patch(&app, &path, &anna, "4").await.is(200);
    let wait = patch(&app, &path, &anna, "5").await.fails(429, "rate-limited");
    assert!(wait["retry_after"].as_i64().unwrap() <= 61, "{wait}");
    app.app.environment.advance_seconds(61);
    patch(&app, &path, &anna, "5").await.is(200);
    patch(&app, &path, &anna, "6").await.is(200);
    patch(&app, &path, &anna, "7").await.fails(409, "too-many-comments");
    // What it said is for moderators.
    let texts = app.get_as(&olga, &format!("{path}/texts")).await.is(200);
    let said: Vec<&str> =
        texts["texts"].as_array().unwrap().iter().map(|text| text["text"].as_str().unwrap()).collect();
    assert_eq!(said.len(), 6);
    assert!(said.contains(&"0") && said.contains(&"5") && !said.contains(&"6"), "{said:?}");
    app.get_as(&anna, &format!("{path}/texts")).await.fails(403, "forbidden");
    app.get(&format!("{path}/texts")).await.fails(401, "unauthenticated");
    app.get_as(&olga, &format!("{COMMENTS}/none/texts")).await.fails(404, "comment-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_accused_decides_about_no_report() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga, nora) =
        (app.user("anna", &ALL).await, app.user("olga", &ALL).await, app.user("nora", &ALL).await);
    app.member("acme", "olga", "owner").await;
    let of_olga = say(&app, &olga, "You know nothing", None).await;
    let of_anna = say(&app, &anna, "Buy here", None).await;
    let report = async |token: &str, body: Value| app.post("/api/v1/reports", token, body).await;
    let about = |comment: &str| json!({ "skill": "acme/tool", "comment": comment, "reason": "abuse" });
    report(&nora, about(&of_olga)).await.is(204);
    report(&nora, json!({ "skill": "acme/tool", "reason": "malicious", "text": "reads keys" })).await.is(204);
    report(&nora, about(&of_anna)).await.is(204);
    let open = async |token: &str, query: &str| {
        app.get_as(token, &format!("/api/v1/reports{query}")).await.is(200)["reports"]
            .as_array()
            .unwrap()
            .clone()
    };
    // The owner of the namespace learns of neither, and decides about neither.
    let mine = open(&olga, "").await;
    assert_eq!((mine.len(), &mine[0]["comment"], &mine[0]["reporter"]), (1, &json!(of_anna), &Value::Null));
    let all = open(ADMIN, "?namespace=acme").await;
    assert_eq!(all.len(), 3);
    let done = json!({ "resolution": "nothing to see" });
    for hidden in all.iter().filter(|report| report["for_registry"] == true) {
        let path = format!("/api/v1/reports/{}", hidden["id"].as_str().unwrap());
        app.put(&path, &olga, done.clone()).await.fails(404, "report-not-found");
        app.post(&format!("{path}/reopen"), &olga, json!({})).await.fails(404, "report-not-found");
    }
    // Who has become an admin meanwhile does not decide about what they wrote.
    let path = format!("/api/v1/reports/{}", mine[0]["id"].as_str().unwrap());
    app.member("acme", "anna", "admin").await;
    app.put(&path, &anna, done.clone()).await.fails(403, "forbidden");
    app.put(&path, &olga, json!({ "resolution": " " })).await.fails(422, "invalid-field");
    app.put(&path, &olga, done.clone()).await.is(204);
    app.post(&format!("{path}/reopen"), &olga, json!({})).await.is(204);
    app.post(&format!("{path}/reopen"), &olga, json!({})).await.fails(409, "report-exists");
    app.put(&path, &olga, done.clone()).await.is(204);
    // Whoever is not content passes it on, once.
    report(
        &nora,
        json!({ "skill": "acme/tool", "comment": of_anna, "reason": "spam", "text": "it is still there" }),
    )
    .await
    .is(204);
    assert!(open(&olga, "").await.is_empty());
    let again = open(ADMIN, "").await;
    let again = again.iter().find(|report| report["comment"] == json!(of_anna)).unwrap();
    assert_eq!(
        (&again["text"], &again["resolution"]),
        (&json!("it is still there"), &json!("nothing to see"))
    );
    app.put(&path, ADMIN, json!({ "resolution": "hidden" })).await.is(204);
    report(&nora, about(&of_anna)).await.fails(409, "report-exists");
    app.post(&format!("{path}/reopen"), &olga, json!({})).await.fails(404, "report-not-found");
    app.post(&format!("{path}/reopen"), ADMIN, json!({})).await.is(204);
    // The audit knows who decided; the namespace reads of its own decisions only.
    let rows = async |token: &str| {
        let path = "/api/v1/audit?action=report.re&subject=acme/tool&limit=50";
        app.get_as(token, path).await.is(200)["entries"].as_array().unwrap().clone()
    };
    let all = rows(ADMIN).await;
    let actions: Vec<_> = all
        .iter()
        .rev()
        .map(|row| (row["action"].as_str().unwrap(), row["actor"].as_str().unwrap()))
        .collect();
    assert_eq!(
        actions,
        [
            ("report.resolved", "olga"),
            ("report.reopened", "olga"),
            ("report.resolved", "olga"),
            ("report.resolved", "admin"),
            ("report.reopened", "admin"),
        ]
    );
    assert_eq!(rows(&olga).await.len(), 3);
    // The log says nothing of reports.
    assert!(!serde_json::to_string(&app.log().await).unwrap().contains("report"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_registry_has_hidden_stays_hidden() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let olga = app.user("olga", &ALL).await;
    let oskar = app.user("oskar", &ALL).await;
    app.member("acme", "olga", "owner").await;
    app.member("acme", "oskar", "admin").await;
    let id = say(&app, &olga, "You know nothing", None).await;
    let hidden = format!("{COMMENTS}/{id}/hidden");
    // One's own is for others to judge.
    app.put(&hidden, &oskar, json!({ "reason": "rude" })).await.is(200);
    app.delete(&hidden, &olga).await.fails(403, "forbidden");
    app.delete(&hidden, &oskar).await.is(204);
    for is_hidden_already in [false, true] {
        assert_eq!(list(&app, "").await[0]["hidden_by_registry"], false);
        if is_hidden_already {
            app.put(&hidden, &oskar, json!({ "reason": "a namespace was first" })).await.is(200);
        }
        let told = app.put(&hidden, ADMIN, json!({ "reason": "rude" })).await.is(200);
        assert_eq!(told["hidden_by_registry"], true);
        assert_eq!(app.put(&hidden, &oskar, json!({ "reason": "x" })).await.is(200)["hidden_reason"], "rude");
        app.delete(&hidden, &oskar).await.fails(403, "forbidden");
        assert_eq!(list(&app, "").await.len(), 0);
        app.delete(&hidden, ADMIN).await.is(204);
        assert_eq!(list(&app, "").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_has_answers_up_to_a_limit_and_a_list_the_first_of_each() {
    let app = TestApp::with(|settings| {
        settings.limits.comments_per_minute = 0;
        settings.limits.comment_answers = 5;
        settings.limits.page_offset = 2;
    })
    .await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &ALL).await;
    let mut threads = Vec::new();
    for number in 0..4 {
        threads.push(say(&app, &anna, &format!("thread {number}"), None).await);
        app.app.environment.advance_seconds(1);
    }
    for number in 0..5 {
        for thread in &threads[1..] {
            say(&app, &anna, &format!("answer {number}"), Some(thread)).await;
        }
        app.app.environment.advance_seconds(1);
    }
    app.post(COMMENTS, &anna, json!({ "text": "more", "parent": threads[1] }))
        .await
        .fails(409, "too-many-comments");
    let seen = list(&app, "").await;
    for thread in &seen[..3] {
        let texts: Vec<&str> = thread["replies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reply| reply["text"].as_str().unwrap())
            .collect();
        assert_eq!((texts, &thread["reply_count"]), (vec!["answer 0", "answer 1", "answer 2"], &json!(5)));
    }
    assert_eq!((&seen[3]["replies"], &seen[3]["reply_count"]), (&json!([]), &json!(0)));
    // What its author takes back makes no room, and what a moderator hides does, taken back or not.
    let more = json!({ "text": "more", "parent": threads[1] });
    let answers = seen[2]["replies"].as_array().unwrap();
    let (back, flood) = (answers[0]["id"].as_str().unwrap(), answers[1]["id"].as_str().unwrap());
    app.delete(&format!("{COMMENTS}/{back}"), &anna).await.is(204);
    app.post(COMMENTS, &anna, more.clone()).await.fails(409, "too-many-comments");
    for id in [back, flood] {
        let hide = json!({ "reason": "a flood" });
        app.put(&format!("{COMMENTS}/{id}/hidden"), ADMIN, hide).await.is(200);
        app.post(COMMENTS, &anna, more.clone()).await.is(201);
        app.post(COMMENTS, &anna, more.clone()).await.fails(409, "too-many-comments");
    }
    // `next` leads nowhere where nothing is answered.
    let page = app.get(&format!("{COMMENTS}?limit=2")).await.is(200);
    assert_eq!(page["next"], 2);
    let page = app.get(&format!("{COMMENTS}?limit=1&offset=2")).await.is(200);
    assert_eq!((&page["total"], &page["next"]), (&json!(4), &Value::Null));
}
