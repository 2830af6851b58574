//! What authors answer reviews, and what moderators hide.

use serde_json::{Value, json};
use skillery_core::Digest;

use super::{ADMIN, TestApp, skill};

const RATE: &str = "/api/v1/skills/acme/tool/rate";
const RATINGS: &str = "/api/v1/skills/acme/tool/ratings";
const ALL: [&str; 5] = ["read", "publish", "rate", "review", "admin"];

async fn review(app: &TestApp, token: &str) -> Value {
    app.get_as(token, RATINGS).await.is(200)["reviews"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_answer_a_review_once_and_change_the_answer() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, paul, olga) =
        (app.user("anna", &ALL).await, app.user("paul", &ALL).await, app.user("olga", &ALL).await);
    app.member("acme", "paul", "publisher").await;
    app.member("acme", "olga", "reader").await;
    let path = format!("{RATINGS}/anna/answer");
    let put = async |token: &str, text: &str| app.put(&path, token, json!({ "text": text })).await;
    put(&paul, "Thanks").await.fails(404, "review-not-found");
    app.post(RATE, &anna, json!({ "rating": 2, "review": "Slow" })).await.is(200);
    assert_eq!(review(&app, "").await["answer"], Value::Null);
    app.app.environment.advance_seconds(1);
    let answer = put(&paul, " Mended in 1.1 ").await.is(200);
    assert_eq!((&answer["text"], &answer["author"]), (&json!("Mended in 1.1"), &json!("paul")));
    let (seen, salt) = (review(&app, "").await, answer["salt"].as_str().unwrap());
    assert_eq!(seen["answer"], answer);
    // The log has a digest that tells nothing to who has not read it.
    let log = app.log().await;
    let entry = log.iter().find(|entry| entry["event"]["kind"] == "review.answered").unwrap();
    let digest = Digest::of(format!("{salt}\nMended in 1.1").as_bytes()).to_string();
    assert_eq!((&entry["event"]["answer"], &entry["event"]["skill"]), (&json!(digest), &json!("acme/tool")));
    assert_ne!(entry["event"]["answer"], Digest::of(b"Mended in 1.1").to_string());
    assert!(!serde_json::to_string(&log).unwrap().contains("Mended"));
    // Another of the authors says it better; a review that is written anew is not what was answered.
    put(ADMIN, "Mended in 1.2").await.is(200);
    let seen = review(&app, "").await["answer"].clone();
    assert_eq!(
        (&seen["author"], &seen["text"], &seen["outdated"]),
        (&json!("admin"), &json!("Mended in 1.2"), &json!(false))
    );
    app.app.environment.advance_seconds(1);
    app.post(RATE, &anna, json!({ "rating": 1, "review": "Wrong" })).await.is(200);
    assert_eq!(review(&app, "").await["answer"]["outdated"], true);
    for (token, status, code) in
        [("", 401, "unauthenticated"), (&anna, 403, "forbidden"), (&olga, 403, "forbidden")]
    {
        put(token, "x").await.fails(status, code);
        app.delete(&path, token).await.fails(status, code);
    }
    for bad in ["", " \n", "a\u{202e}b", &"x".repeat(10_001)] {
        put(&paul, bad).await.fails(422, "invalid-field");
    }
    app.put(&format!("{RATINGS}/nobody/answer"), &paul, json!({ "text": "x" }))
        .await
        .fails(404, "review-not-found");
    app.put(&format!("{RATINGS}/no%00body/answer"), &paul, json!({ "text": "x" }))
        .await
        .fails(404, "review-not-found");
    app.delete(&path, &paul).await.is(204);
    // Whose answer was lost on its way asks again.
    app.delete(&path, &paul).await.is(204);
    app.delete(&format!("{RATINGS}/nobody/answer"), &paul).await.fails(404, "review-not-found");
    assert_eq!(review(&app, "").await["answer"], Value::Null);
    // With the rating its answer goes, too.
    put(&paul, "Again").await.is(200);
    app.delete(RATE, &anna).await.is(204);
    app.post(RATE, &anna, json!({ "rating": 5 })).await.is(200);
    assert_eq!(review(&app, "").await["answer"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reviewer_is_told_of_an_answer_once_a_day() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &ALL).await;
    app.post(RATE, &anna, json!({ "rating": 2, "review": "Slow" })).await.is(200);
    let path = format!("{RATINGS}/anna/answer");
    let told = async || {
        crate::notify::catch_up(&app.app).await.unwrap();
        let found = app.get_as(&anna, "/api/v1/notifications").await.is(200);
        let all = found["notifications"].as_array().unwrap().iter().map(|one| one["text"].clone());
        all.filter(|text| text.as_str().unwrap().contains("review")).collect::<Vec<_>>()
    };
    app.put(&path, ADMIN, json!({ "text": "Mended" })).await.is(200);
    app.delete(&path, ADMIN).await.is(204);
    assert_eq!(told().await, Vec::<Value>::new());
    app.put(&path, ADMIN, json!({ "text": "Mended" })).await.is(200);
    app.put(&path, ADMIN, json!({ "text": "Mended!" })).await.is(200);
    assert_eq!(told().await, ["admin answered your review of acme/tool"]);
    app.app.environment.advance_seconds(86_400);
    app.put(&path, ADMIN, json!({ "text": "Really" })).await.is(200);
    assert_eq!(told().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_review_keeps_its_stars_and_is_kept() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, olga, bert) =
        (app.user("anna", &ALL).await, app.user("olga", &ALL).await, app.user("bert", &ALL).await);
    app.member("acme", "olga", "admin").await;
    app.post(RATE, &anna, json!({ "rating": 1, "review": "Bob is a fool" })).await.is(200);
    app.put(&format!("{RATINGS}/anna/answer"), &olga, json!({ "text": "Bob is none" })).await.is(200);
    let hidden = format!("{RATINGS}/anna/hidden");
    let hide = async |token: &str, reason: &str| app.put(&hidden, token, json!({ "reason": reason })).await;
    hide(&bert, "x").await.fails(403, "forbidden");
    hide(&olga, " ").await.fails(422, "invalid-field");
    app.put(&format!("{RATINGS}/bert/hidden"), &olga, json!({ "reason": "x" }))
        .await
        .fails(404, "review-not-found");
    hide(&olga, "names people").await.is(204);
    hide(&olga, "again").await.is(204);
    for token in ["", &bert] {
        let all = app.get_as(token, RATINGS).await.is(200);
        assert_eq!((&all["average"], &all["count"]), (&json!(1.0), &json!(1)));
        let seen = &all["reviews"][0];
        assert_eq!(
            (&seen["text"], &seen["hidden"], &seen["rating"]),
            (&json!(""), &json!(true), &json!(1.0))
        );
        assert_eq!((&seen["answer"], &seen["hidden_reason"]), (&Value::Null, &Value::Null));
    }
    for token in [&anna, &olga] {
        let seen = review(&app, token).await;
        assert_eq!(
            (&seen["text"], &seen["hidden_reason"]),
            (&json!("Bob is a fool"), &json!("names people"))
        );
        assert_eq!(seen["answer"]["text"], "Bob is none");
    }
    // Written anew, or taken back and given again, it stays hidden.
    app.post(RATE, &anna, json!({ "rating": 1, "review": "Bob is a big fool" })).await.is(200);
    assert_eq!(review(&app, "").await["text"], "");
    app.delete(RATE, &anna).await.is(204);
    app.post(RATE, &anna, json!({ "rating": 1, "review": "Bob!" })).await.is(200);
    assert_eq!(
        (&review(&app, "").await["text"], &review(&app, "").await["hidden"]),
        (&json!(""), &json!(true))
    );
    app.delete(&hidden, &bert).await.fails(403, "forbidden");
    app.delete(&hidden, &olga).await.is(204);
    app.delete(&hidden, &olga).await.is(204);
    assert_eq!(review(&app, "").await["text"], "Bob!");
    // What an admin of the registry hides, a namespace does not show, whoever was first.
    hide(&olga, "rude").await.is(204);
    let kept = async || {
        let text = sqlx::query_scalar::<_, String>("SELECT text FROM hidden_reviews");
        text.fetch_one(app.app.db.reader()).await.unwrap()
    };
    app.post(RATE, &anna, json!({ "rating": 1, "review": "Bob, again!" })).await.is(200);
    assert_eq!(kept().await, "Bob!");
    hide(ADMIN, "names people").await.is(204);
    hide(ADMIN, "again").await.is(204);
    // What each has judged is what is kept.
    assert_eq!(kept().await, "Bob, again!");
    hide(&olga, "again").await.is(204);
    assert_eq!(review(&app, &olga).await["hidden_reason"], "names people");
    app.delete(&hidden, &olga).await.fails(403, "forbidden");
    app.delete(&hidden, ADMIN).await.is(204);
    let kinds: Vec<String> = app
        .log()
        .await
        .iter()
        .filter_map(|entry| {
            entry["event"]["kind"].as_str().filter(|kind| kind.starts_with("review.")).map(str::to_owned)
        })
        .collect();
    let (hid, shown) = ("review.hidden", "review.unhidden");
    assert_eq!(kinds, ["review.answered", hid, shown, hid, hid, shown]);
    // What was hidden is not lost where its author has taken the words back since.
    hide(&olga, "rude").await.is(204);
    app.post(RATE, &anna, json!({ "rating": 1 })).await.is(200);
    hide(ADMIN, "names people").await.is(204);
    assert_eq!(kept().await, "Bob, again!");
    assert_eq!(review(&app, &olga).await["hidden_reason"], "names people");
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_of_a_hidden_skill_are_hidden_and_answers_are_reported() {
    let app = TestApp::new().await;
    let mut private = skill("acme/tool", "1.0.0");
    private["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, private).await.is(201);
    app.post(RATE, ADMIN, json!({ "rating": 4, "review": "Mine" })).await.is(200);
    let bert = app.user("bert", &ALL).await;
    let (answer, hidden) = (format!("{RATINGS}/admin/answer"), format!("{RATINGS}/admin/hidden"));
    app.put(&answer, &bert, json!({ "text": "x" })).await.fails(404, "skill-not-found");
    app.delete(&answer, &bert).await.fails(404, "skill-not-found");
    app.put(&hidden, &bert, json!({ "reason": "x" })).await.fails(404, "skill-not-found");
    app.delete(&hidden, &bert).await.fails(404, "skill-not-found");
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, json!({ "visibility": "public" })).await;
    let report = async |body: Value| app.post("/api/v1/reports", &bert, body).await;
    let of_answer = json!({ "skill": "acme/tool", "answer": "admin", "reason": "abuse" });
    report(of_answer.clone()).await.fails(404, "review-not-found");
    app.put(&answer, ADMIN, json!({ "text": "You fool" })).await.is(200);
    report(of_answer.clone()).await.is(204);
    report(of_answer).await.fails(409, "report-exists");
    report(json!({ "skill": "acme/tool", "answer": "admin", "review": "admin", "reason": "abuse" }))
        .await
        .fails(422, "invalid-field");
    let open = app.get_as(ADMIN, "/api/v1/reports").await.is(200);
    let found = &open["reports"][0];
    assert_eq!(
        (&found["kind"], &found["answer"], &found["said"]),
        (&json!("answer"), &json!("admin"), &json!("You fool"))
    );
    assert_eq!((&found["review"], &found["for_registry"]), (&Value::Null, &json!(true)));
}
