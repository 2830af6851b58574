//! Ratings and reviews.

use serde_json::{Value, json};

use super::{ADMIN, TestApp};

const RATE: &str = "/api/v1/skills/acme/tool/rate";
const RATINGS: &str = "/api/v1/skills/acme/tool/ratings";

#[tokio::test(flavor = "multi_thread")]
async fn one_rating_for_each_user_with_exact_sums() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "rate"]).await;
    let bert = app.user("bert", &["rate"]).await;
    let first = app.post(RATE, &anna, json!({ "rating": 4.5, "review": "Works great" })).await.is(200);
    assert_eq!(first, json!({ "success": true, "average_rating": 4.5, "rating_count": 1 }));
    app.app.environment.advance_seconds(1);
    app.post(RATE, &bert, json!({ "rating": 1 })).await.is(200);
    app.app.environment.advance_seconds(1);
    // Again replaces.
    let again = app.post(RATE, &anna, json!({ "rating": 3.04, "review": "Less great" })).await.is(200);
    assert_eq!(again, json!({ "success": true, "average_rating": 2.0, "rating_count": 2 }));
    insta::assert_json_snapshot!(app.get(RATINGS).await.is(200));
    let record = app.get("/api/v1/skills/acme/tool").await.is(200);
    assert_eq!((&record["rating"], &record["rating_count"]), (&json!(2.0), &json!(2)));
    app.delete(RATE, &bert).await.is(204);
    app.delete(RATE, &bert).await.is(204);
    let ratings = app.get(RATINGS).await.is(200);
    assert_eq!((&ratings["average"], &ratings["count"]), (&json!(3.0), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_come_in_pages_the_newest_first() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    for number in 0..5 {
        let token = app.user(&format!("user{number}"), &["rate"]).await;
        app.app.environment.advance_seconds(1);
        app.post(RATE, &token, json!({ "rating": 5, "review": format!("review {number}") })).await.is(200);
    }
    let texts = |page: &Value| -> Vec<String> {
        page["reviews"]
            .as_array()
            .unwrap()
            .iter()
            .map(|review| review["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(texts(&app.get(&format!("{RATINGS}?limit=2")).await.is(200)), ["review 4", "review 3"]);
    assert_eq!(texts(&app.get(&format!("{RATINGS}?limit=2&offset=4")).await.is(200)), ["review 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_long_reviews_has_a_bounded_size_and_says_how_to_go_on() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let long = "\u{1f980}".repeat(10_000);
    for number in 0..25 {
        let name = format!("user{number}");
        let token = app.user(&name, &["rate"]).await;
        app.post(RATE, &token, json!({ "rating": 5, "review": long })).await.is(200);
        app.app.environment.advance_seconds(61);
        app.put(&format!("{RATINGS}/{name}/answer"), ADMIN, json!({ "text": long })).await.is(200);
    }
    let (mut seen, mut offset) = (std::collections::BTreeSet::new(), 0);
    loop {
        let answer = app.get(&format!("{RATINGS}?limit=200&offset={offset}")).await;
        assert!(answer.body.len() < 900_000, "{}", answer.body.len());
        let page = answer.is(200);
        let reviews = page["reviews"].as_array().unwrap();
        seen.extend(reviews.iter().map(|review| review["author"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_u64() else { break };
        assert_eq!(next, offset + reviews.len() as u64);
        offset = next;
    }
    assert_eq!(seen.len(), 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_rating_is_told_to_oneself_alone_on_every_page() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, bert) = (app.user("anna", &["read", "rate"]).await, app.user("bert", &["rate"]).await);
    app.post(RATE, &anna, json!({ "rating": 4.5, "review": "Fine" })).await.is(200);
    app.app.environment.advance_seconds(1);
    app.post(RATE, &bert, json!({ "rating": 2 })).await.is(200);
    let own = async |token: &str| {
        let answer = app.get_as(token, &format!("{RATINGS}?limit=1")).await;
        let headers = (answer.headers["cache-control"].clone(), answer.headers["vary"].clone());
        assert_eq!(headers, ("no-cache".parse().unwrap(), "authorization".parse().unwrap()));
        let page = answer.is(200);
        assert_eq!(page["reviews"][0]["author"], "bert");
        page["own"].clone()
    };
    let hers = own(&anna).await;
    assert_eq!(
        (&hers["author"], &hers["rating"], &hers["text"]),
        (&json!("anna"), &json!(4.5), &json!("Fine"))
    );
    assert_eq!(own(&bert).await["author"], "bert");
    for other in ["", ADMIN] {
        assert_eq!(own(other).await, Value::Null);
    }
    // What is hidden from others is not hidden from its author.
    app.put(&format!("{RATINGS}/anna/hidden"), ADMIN, json!({ "reason": "rude" })).await.is(204);
    let hers = own(&anna).await;
    assert_eq!((&hers["text"], &hers["hidden"]), (&json!("Fine"), &json!(true)));
    app.delete(RATE, &anna).await.is(204);
    assert_eq!(own(&anna).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_rating_is_refused() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    for bad in [0.0, 6.0, -1.0, 0.99, 5.01] {
        app.post(RATE, ADMIN, json!({ "rating": bad })).await.fails(422, "invalid-rating");
    }
    app.post(RATE, ADMIN, json!({ "rating": "NaN" })).await.fails(422, "invalid-field");
    app.post(RATE, ADMIN, json!({ "rating": 4, "stars": 4 })).await.fails(422, "unknown-field");
    app.post(RATE, ADMIN, json!({ "rating": 4, "review": "x".repeat(10_001) }))
        .await
        .fails(422, "invalid-field");
    app.post(RATE, "", json!({ "rating": 4 })).await.fails(401, "unauthenticated");
    let reader = app.user("rita", &["read", "publish"]).await;
    app.post(RATE, &reader, json!({ "rating": 4 })).await.fails(403, "insufficient-scope");
    app.post("/api/v1/skills/acme/none/rate", ADMIN, json!({ "rating": 4 }))
        .await
        .fails(404, "skill-not-found");
    assert_eq!(app.get(RATINGS).await.is(200)["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_rate_at_once_and_the_sums_stay_exact() {
    let app = std::sync::Arc::new(TestApp::new().await);
    app.publish("acme/tool", "1.0.0").await;
    let mut tokens = Vec::new();
    for number in 0..10 {
        tokens.push(app.user(&format!("user{number}"), &["rate"]).await);
    }
    let mut tasks = Vec::new();
    for (number, token) in
        tokens.iter().cloned().enumerate().flat_map(|user| [user.clone(), user.clone(), user])
    {
        let app = std::sync::Arc::clone(&app);
        tasks.push(tokio::spawn(async move {
            app.post(RATE, &token, json!({ "rating": number % 5 + 1 })).await.is(200);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let ratings = app.get(RATINGS).await.is(200);
    assert_eq!((&ratings["count"], &ratings["average"]), (&json!(10), &json!(3.0)));
    assert_eq!(ratings["histogram"], json!({ "1": 2, "2": 2, "3": 2, "4": 2, "5": 2 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_changes_nothing_and_the_rest_is_counted() {
    let app = TestApp::with(|settings| settings.limits.comments_per_minute = 3).await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, bert) = (app.user("anna", &["rate"]).await, app.user("bert", &["rate"]).await);
    let rate = async |token: &str, stars: u32, text: &str| {
        app.post(RATE, token, json!({ "rating": stars, "review": text })).await
    };
    rate(&anna, 2, "Slow").await.is(200);
    app.app.environment.advance_seconds(1);
    rate(&bert, 5, "Fast").await.is(200);
    app.put(&format!("{RATINGS}/anna/answer"), ADMIN, json!({ "text": "Sorry" })).await.is(200);
    let before = app.log().await.len();
    app.app.environment.advance_seconds(1);
    for _ in 0..5 {
        let sums = rate(&anna, 2, " Slow ").await.is(200);
        assert_eq!((&sums["average_rating"], &sums["rating_count"]), (&json!(3.5), &json!(2)));
    }
    assert_eq!(app.log().await.len(), before);
    // Other stars for the same words: the answer was an answer to them.
    rate(&anna, 3, "Slow").await.is(200);
    let seen = app.get(RATINGS).await.is(200);
    assert_eq!((&seen["reviews"][0]["author"], &seen["reviews"][1]["rating"]), (&json!("bert"), &json!(3.0)));
    assert_eq!(seen["reviews"][1]["answer"]["outdated"], false);
    rate(&anna, 3, "Slower").await.is(200);
    let seen = app.get(RATINGS).await.is(200);
    assert_eq!(
        (&seen["reviews"][0]["author"], &seen["reviews"][0]["answer"]["outdated"]),
        (&json!("anna"), &json!(true))
    );
    rate(&anna, 3, "Slowest").await.fails(429, "rate-limited");
    rate(&anna, 3, "Slower").await.is(200);
}
