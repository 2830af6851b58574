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
    app.delete(&path, &anna).await.fails(404, "comment-not-found");
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
        .fails(404, "user-not-found");
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
    assert_eq!(
        (&mine["reports"][0]["comment"], &mine["reports"][0]["reporter"]),
        (&json!(id), &json!("nora"))
    );
    assert_eq!(
        (&mine["reports"][1]["review"], &mine["reports"][1]["kind"]),
        (&json!("anna"), &json!("review"))
    );
    assert_eq!(open(ADMIN, "").await["total"], 3);
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
    let resolved = open(&olga, "?state=resolved").await;
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
