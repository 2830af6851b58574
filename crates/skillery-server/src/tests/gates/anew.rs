//! What is looked at anew: as approvals have grown old, as a signature is missing, and as a release is due.

use super::*;

impl TestApp {
    /// An approval that is signed with this key.
    async fn sign(&self, token: &str, key: &Signer, version: &str) -> Answer {
        let statement = self.review_statement(token, version, Decision::Approved).await;
        let signature = signed_by(key, REVIEW_NAMESPACE, &statement);
        let body = json!({ "decision": "approved", "signature": signature });
        self.post(&format!("{}/approvals", version_path(version)), token, body).await
    }
}

fn regulated() -> Value {
    json!({
        "expires_days": 30,
        "stages": [
            { "name": "review" },
            { "name": "security", "approvals": 2, "group": "security" },
            { "name": "release", "role": "admin" },
        ],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_an_earlier_stage_grows_old_and_nobody_is_stuck() {
    let app = TestApp::new().await;
    let People { author, rita, rob, sam, sue, ada } = app.company().await;
    app.demand(regulated()).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    app.accept(&rita, "1.0.0").await.is(200);
    let names = app.last("version.approved").await["event"]["stages"].clone();
    assert_eq!(names, json!([{ "policy": app.last("policy.set").await["index"], "stage": "review" }]));
    app.app.environment.advance_seconds(5 * DAY);
    for token in [&sam, &sue] {
        app.accept(token, "1.0.0").await.is(200);
    }
    app.app.environment.advance_seconds(26 * DAY);
    // The first stage is open again, and those who stood for the second stand for nothing else.
    let given = |standing: &Value| -> Vec<Value> {
        standing["stages"].as_array().unwrap().iter().map(|stage| stage["given"].clone()).collect()
    };
    let standing = app.standing(&rita, "1.0.0").await;
    assert_eq!(given(&standing), [json!([]), json!([]), json!([])]);
    let asked = async |token: &str| {
        app.get_as(token, "/api/v1/approvals?needs_me=true").await.is(200)["total"].as_u64().unwrap()
    };
    assert_eq!((asked(&rita).await, asked(&rob).await, asked(&sam).await), (1, 1, 1));
    let standing = app.accept(&rita, "1.0.0").await.is(200);
    assert_eq!(given(&standing), [json!(["rita"]), json!([]), json!([])]);
    assert_eq!((asked(&rita).await, asked(&rob).await, asked(&sam).await, asked(&sue).await), (0, 0, 1, 1));
    app.accept(&rob, "1.0.0").await.fails(403, "forbidden");
    for token in [&sam, &sue] {
        app.accept(token, "1.0.0").await.is(200);
    }
    assert_eq!(app.accept(&ada, "1.0.0").await.is(200)["status"], "published");
    assert_eq!(app.count("version.approved").await, 7);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_there_were_stages_is_said_again() {
    let app = TestApp::new().await;
    let People { author, rita, sam, sue, ada, .. } = app.company().await;
    app.demand(json!({ "approvals": 3 })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    for token in [&sam, &sue] {
        app.accept(token, "1.0.0").await.is(200);
    }
    assert_eq!(app.last("version.approved").await["event"].get("stages"), None);
    // The two of the group stand for no stage that nobody had thought of then, so that both are there for theirs.
    app.demand(regulated()).await;
    assert_eq!(app.standing(&rita, "1.0.0").await["given"], 0);
    for token in [&rita, &sam, &sue] {
        app.accept(token, "1.0.0").await.is(200);
    }
    assert_eq!(app.accept(&ada, "1.0.0").await.is(200)["status"], "published");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_not_lost_by_approving_again() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.company().await;
    app.demand(json!({ "approvals": 2 })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    let (hers, his) = (Signer::of("laptop", 1), Signer::of("desk", 2));
    app.enrol(&rita, &hers).await;
    app.enrol(&rob, &his).await;
    let reviews = async || {
        let found = app.get(&format!("{}/reviews", version_path("1.0.0"))).await;
        let found = found.is(200)["reviews"].as_array().unwrap().clone();
        found.iter().map(|review| review["log_index"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    // Who approved without a signature may give one, also while it waits.
    app.accept(&rita, "1.0.0").await.is(200);
    app.sign(&rita, &hers, "1.0.0").await.is(200);
    assert_eq!(app.standing(&rita, "1.0.0").await["decisions"][0]["signed"], true);
    let first = app.last("version.approved").await["index"].as_u64().unwrap();
    assert_eq!(app.accept(&rob, "1.0.0").await.is(200)["status"], "published");
    app.sign(&rob, &his, "1.0.0").await.is(200);
    let second = app.last("version.approved").await["index"].as_u64().unwrap();
    assert_eq!(reviews().await, [first, second]);
    app.sign(&rob, &his, "1.0.0").await.is(200);
    assert_eq!(reviews().await, [first, second]);
    // With another role she approves again, without: both of hers are there, and what it was released by is.
    app.member("acme", "rita", "admin").await;
    app.accept(&rita, "1.0.0").await.is(200);
    assert_eq!(app.count("version.approved").await, 5);
    assert_eq!(reviews().await, [first, second]);
    // Where signatures are demanded, none is left out, whether it waits or not.
    app.demand(json!({ "approvals": 2, "signed_reviews": true })).await;
    app.member("acme", "rob", "admin").await;
    app.accept(&rob, "1.0.0").await.fails(422, "signature-required");
    app.accept(&rita, "1.0.0").await.fails(422, "signature-required");
    app.sign(&rita, &hers, "1.0.0").await.is(200);
    assert_eq!(reviews().await.len(), 3);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passed_is_reviewed_by_the_whole_policy() {
    for overdue in ["list", "hold"] {
        let app = TestApp::new().await;
        let People { author, rita, rob, .. } = app.company().await;
        app.demand(json!({
            "approvals": 2, "auto": { "patches": true }, "review": { "days": 30, "overdue": overdue },
        }))
        .await;
        app.publish_it(&author, "1.0.0", json!({})).await;
        for token in [&rita, &rob] {
            app.accept(token, "1.0.0").await.is(200);
        }
        assert_eq!(app.publish_it(&author, "1.0.1", json!({})).await["status"], "published");
        app.app.environment.advance_seconds(31 * DAY);
        assert_eq!(review_overdue(&app.app).await.unwrap(), 2);
        // It passed once; now both are asked, as of the others.
        let one = app.accept(&rita, "1.0.1").await.is(200);
        assert_eq!((&one["given"], &one["demanded"]["approvals"]), (&json!(1), &json!(2)));
        assert_eq!(one["status"], if overdue == "hold" { "pending" } else { "published" });
        assert_eq!(one["due_since"].is_null(), overdue == "hold");
        let both = app.accept(&rob, "1.0.1").await.is(200);
        assert_eq!((&both["status"], &both["due_since"]), (&json!("published"), &Value::Null));
        app.audit().await;
    }
}
