//! Reports of what changes meanwhile, and who learns of them.

use axum::http::Method;
use serde_json::{Value, json};

use super::pages::Browser;
use super::{ADMIN, TestApp, audit, skill};

const COMMENTS: &str = "/api/v1/skills/acme/tool/comments";
const RATE: &str = "/api/v1/skills/acme/tool/rate";
const ANSWER: &str = "/api/v1/skills/acme/tool/ratings/anna/answer";
const ALL: [&str; 5] = ["read", "publish", "rate", "review", "admin"];

async fn report(app: &TestApp, token: &str, what: Value) -> super::Answer {
    let mut body = json!({ "skill": "acme/tool", "reason": "abuse" });
    body.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    app.post("/api/v1/reports", token, body).await
}

async fn listed(app: &TestApp, token: &str, query: &str) -> Vec<Value> {
    app.get_as(token, &format!("/api/v1/reports{query}")).await.is(200)["reports"].as_array().unwrap().clone()
}

async fn resolve(app: &TestApp, token: &str, report: &Value, how: &str) {
    let path = format!("/api/v1/reports/{}", report["id"].as_str().unwrap());
    app.put(&path, token, json!({ "resolution": how })).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_anew_is_reported_anew_and_nothing_of_before_is_lost() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga, nora) =
        (app.user("anna", &ALL).await, app.user("olga", &ALL).await, app.user("nora", &ALL).await);
    app.member("acme", "olga", "admin").await;
    let said = app.post(COMMENTS, &anna, json!({ "text": "Harmless" })).await.is(201);
    let (comment, path) = (said["id"].clone(), format!("{COMMENTS}/{}", said["id"].as_str().unwrap()));
    let about = json!({ "comment": comment, "text": "look" });
    report(&app, &nora, about.clone()).await.is(204);
    let first = listed(&app, &olga, "").await;
    assert_eq!((&first[0]["changed"], &first[0]["former"]), (&json!(false), &json!([])));
    // Who judges is told that it is not what it was.
    app.call(Method::PATCH, &path, &anna, Some(json!({ "text": "Abuse" }))).await.is(200);
    let open = listed(&app, &olga, "").await;
    assert_eq!((&open[0]["changed"], &open[0]["said"]), (&json!(true), &json!("Harmless")));
    report(&app, &nora, about.clone()).await.fails(409, "report-exists");
    resolve(&app, &olga, &open[0], "fine").await;
    app.app.environment.advance_seconds(1);
    // Of other words the namespace decides again.
    report(&app, &nora, json!({ "comment": comment, "text": "now look" })).await.is(204);
    let open = listed(&app, &olga, "").await;
    let again = &open[0];
    // It is one report in the audit as well, and is found by the skill.
    let rows = app.get_as(ADMIN, "/api/v1/audit?action=report.&subject=acme/tool").await.is(200);
    let told: Vec<_> =
        rows["entries"].as_array().unwrap().iter().map(|row| (&row["action"], &row["subject"])).collect();
    let subject = json!(format!("acme/tool report {}", again["id"].as_str().unwrap()));
    let (filed, resolved) = (json!("report.filed"), json!("report.resolved"));
    assert_eq!(told, [(&filed, &subject), (&resolved, &subject), (&filed, &subject)]);
    assert_eq!(
        (&again["said"], &again["text"], &again["changed"], &again["resolution"]),
        (&json!("Abuse"), &json!("now look"), &json!(false), &Value::Null)
    );
    let former = &again["former"][0];
    assert_eq!(
        (&former["said"], &former["text"], &former["resolution"], &former["resolved_by"]),
        (&json!("Harmless"), &json!("look"), &json!("fine"), &json!("olga"))
    );
    assert_eq!((again["former"].as_array().unwrap().len(), &former["reporter"]), (1, &Value::Null));
    // The same words, once more, are for the registry; and after it they rest until they change.
    resolve(&app, &olga, again, "fine").await;
    report(&app, &nora, about.clone()).await.is(204);
    assert!(listed(&app, &olga, "").await.is_empty());
    let open = listed(&app, ADMIN, "").await;
    assert_eq!((&open[0]["resolution"], &open[0]["for_registry"]), (&json!("fine"), &json!(true)));
    assert_eq!(open[0]["former"].as_array().unwrap().len(), 2);
    resolve(&app, ADMIN, &open[0], "fine indeed").await;
    report(&app, &nora, about.clone()).await.fails(409, "report-exists");
    app.call(Method::PATCH, &path, &anna, Some(json!({ "text": "More abuse" }))).await.is(200);
    report(&app, &nora, about).await.is(204);
    assert!(listed(&app, &olga, "").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_reported_and_the_right_author_is_named() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, nora) = (app.user("anna", &ALL).await, app.user("nora", &ALL).await);
    let (paul, pia) = (app.user("paul", &ALL).await, app.user("pia", &ALL).await);
    app.member("acme", "paul", "publisher").await;
    app.member("acme", "pia", "publisher").await;
    report(&app, &nora, json!({})).await.is(204);
    let open = listed(&app, ADMIN, "").await;
    assert_eq!((&open[0]["said"], &open[0]["changed"]), (&json!("1.0.0"), &json!(false)));
    resolve(&app, ADMIN, &open[0], "no spam").await;
    report(&app, &nora, json!({})).await.fails(409, "report-exists");
    app.publish("acme/tool", "3.0.0").await;
    app.app.environment.advance_seconds(1);
    report(&app, &nora, json!({ "reason": "malicious" })).await.is(204);
    let open = listed(&app, ADMIN, "").await;
    assert_eq!((&open[0]["said"], &open[0]["former"][0]["said"]), (&json!("3.0.0"), &json!("1.0.0")));
    resolve(&app, ADMIN, &open[0], "quarantined").await;
    app.post(RATE, &anna, json!({ "rating": 1, "review": "Bad" })).await.is(200);
    app.put(ANSWER, &paul, json!({ "text": "No" })).await.is(200);
    report(&app, &nora, json!({ "answer": "anna" })).await.is(204);
    let open = listed(&app, ADMIN, "").await;
    assert_eq!(open[0]["accused"], "paul");
    resolve(&app, ADMIN, &open[0], "fine").await;
    app.put(ANSWER, &pia, json!({ "text": "You fool" })).await.is(200);
    report(&app, &nora, json!({ "answer": "anna" })).await.is(204);
    let open = listed(&app, ADMIN, "").await;
    assert_eq!((&open[0]["accused"], &open[0]["said"]), (&json!("pia"), &json!("You fool")));
    assert_eq!(open[0]["former"][0]["accused"], "paul");
    // What is away has changed, too.
    app.delete(ANSWER, &pia).await.is(204);
    assert_eq!(listed(&app, ADMIN, "").await[0]["changed"], true);
    resolve(&app, ADMIN, &open[0], "taken back").await;
    // The last decision comes first.
    let resolved = listed(&app, ADMIN, "?state=resolved").await;
    let how: Vec<&str> = resolved.iter().map(|report| report["resolution"].as_str().unwrap()).collect();
    assert_eq!(how, ["taken back", "quarantined"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_that_had_no_release_is_reported_again_when_it_has_one() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0-beta").await;
    let nora = app.user("nora", &ALL).await;
    report(&app, &nora, json!({})).await.is(204);
    let open = listed(&app, ADMIN, "").await;
    assert_eq!((&open[0]["said"], &open[0]["changed"]), (&json!(""), &json!(false)));
    resolve(&app, ADMIN, &open[0], "no spam").await;
    report(&app, &nora, json!({})).await.fails(409, "report-exists");
    app.publish("acme/tool", "1.0.0").await;
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    let page = admin.page("/admin/reports?state=resolved").await;
    assert!(page.contains("It has a release by now.") && !page.contains("says something else"), "{page}");
    app.app.environment.advance_seconds(1);
    report(&app, &nora, json!({ "reason": "malicious" })).await.is(204);
    let open = listed(&app, ADMIN, "").await;
    assert_eq!((&open[0]["said"], &open[0]["former"][0]["said"]), (&json!("1.0.0"), &json!("")));
    app.publish("acme/tool", "2.0.0").await;
    let page = admin.page("/admin/reports").await;
    assert!(page.contains("That version is not the newest any more."), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_resolved_before_its_words_were_kept_rests() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga, nora) =
        (app.user("anna", &ALL).await, app.user("olga", &ALL).await, app.user("nora", &ALL).await);
    app.member("acme", "olga", "admin").await;
    let said = app.post(COMMENTS, &anna, json!({ "text": "Buy here" })).await.is(201);
    let about = json!({ "comment": said["id"] });
    for what in [json!({}), about.clone()] {
        report(&app, &nora, what).await.is(204);
    }
    resolve(&app, &olga, &listed(&app, &olga, "").await[0], "fine").await;
    resolve(&app, ADMIN, &listed(&app, ADMIN, "").await[0], "no harm").await;
    app.tamper("UPDATE abuse_reports SET said = NULL".to_owned()).await;
    // About the skill the registry has decided; about the comment the namespace has, so the registry may be asked once.
    report(&app, &nora, json!({})).await.fails(409, "report-exists");
    report(&app, &nora, about.clone()).await.is(204);
    assert!(listed(&app, &olga, "").await.is_empty());
    let open = listed(&app, ADMIN, "").await;
    assert_eq!((open.len(), &open[0]["resolution"]), (1, &json!("fine")));
    resolve(&app, ADMIN, &open[0], "fine indeed").await;
    report(&app, &nora, about).await.fails(409, "report-exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withheld_is_not_found_by_reporting_it() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, nora) = (app.user("anna", &ALL).await, app.user("nora", &ALL).await);
    app.post(RATE, &anna, json!({ "rating": 1, "review": "Bad" })).await.is(200);
    app.put(ANSWER, ADMIN, json!({ "text": "You fool" })).await.is(200);
    app.put("/api/v1/skills/acme/tool/ratings/anna/hidden", ADMIN, json!({ "reason": "x" })).await.is(204);
    report(&app, &nora, json!({ "answer": "anna" })).await.fails(404, "review-not-found");
    report(&app, &anna, json!({ "answer": "anna" })).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_does_not_learn_who_tried_to_report() {
    let app = TestApp::new().await;
    let mut private = skill("acme/tool", "1.0.0");
    private["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, private).await.is(201);
    let (olga, nora) = (app.user("olga", &ALL).await, app.user("nora", &ALL).await);
    app.member("acme", "olga", "owner").await;
    report(&app, &nora, json!({})).await.fails(404, "skill-not-found");
    app.get_as(&nora, COMMENTS).await.fails(404, "skill-not-found");
    let seen = audit::entries(&app, &olga, "outcome=denied").await;
    let seen: Vec<&Value> = seen.iter().filter(|row| row["actor"] == "nora").collect();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0]["action"].as_str().unwrap().starts_with("GET "), "{seen:?}");
    let all = audit::entries(&app, ADMIN, "outcome=denied&action=POST%20/api/v1/reports").await;
    assert_eq!((all.len(), &all[0]["actor"]), (1, &json!("nora")));
    // Nor by whom a form was sent that reports; what else is refused there it does learn.
    let mut browser = Browser::signed_in(&app, &nora).await;
    for (path, action) in [
        ("/acme/tool/comments", "report"),
        ("/acme/tool/comments", "report-skill"),
        ("/acme/tool/ratings", "report"),
        ("/acme/tool/ratings", "report-answer"),
        ("/acme/tool/comments", "say"),
    ] {
        let form = [("action", action), ("reason", "abuse"), ("text", "It is")];
        assert_eq!(browser.post(path, &form).await.status, 404, "{path}: {action}");
    }
    let posts = async |token: &str| -> Vec<Value> {
        let all = audit::entries(&app, token, "outcome=denied").await.into_iter();
        let of_pages = |row: &Value| row["action"].as_str().unwrap().starts_with("POST /{");
        all.filter(|row| row["actor"] == "nora" && of_pages(row)).collect()
    };
    let seen = posts(&olga).await;
    assert_eq!((seen.len(), &seen[0]["times"]), (1, &json!(1)), "{seen:?}");
    assert!(seen[0]["action"].as_str().unwrap().ends_with("/comments"), "{seen:?}");
    assert_eq!(posts(ADMIN).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moderates_very_many_namespaces_reads_of_all_of_them() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (olga, nora) = (app.user("olga", &ALL).await, app.user("nora", &ALL).await);
    app.member("acme/deep", "olga", "admin").await;
    let rows: Vec<String> = (0..1_200)
        .map(|number| {
            format!(
                "INSERT INTO members (namespace, user_id, org, role) SELECT 'acme/n{number}', user_id, org, role FROM members \
                 WHERE namespace = 'acme/deep'"
            )
        })
        .collect();
    app.tamper(rows.join(";")).await;
    app.publish("acme/deep/tool", "1.0.0").await;
    let anna = app.user("anna", &ALL).await;
    let said =
        app.post("/api/v1/skills/acme/deep/tool/comments", &anna, json!({ "text": "Buy" })).await.is(201);
    report(&app, &nora, json!({ "skill": "acme/deep/tool", "comment": said["id"] })).await.is(204);
    assert_eq!(listed(&app, &olga, "").await.len(), 1);
    assert!(!audit::entries(&app, &olga, "").await.is_empty());
}
