//! Rejections and requests for changes that are signed: for what they are, and for nothing else.

use super::*;

const EVERY: [Decision; 3] = [Decision::Approved, Decision::Rejected, Decision::ChangesRequested];

/// A decision with this statement, signed with this key.
fn body(decision: Decision, comment: &str, key: &Signer, statement: &ReviewStatement) -> Value {
    let signature = signed_by(key, REVIEW_NAMESPACE, statement);
    json!({ "decision": decision, "comment": comment, "signature": signature })
}

impl TestApp {
    async fn decide_signed(
        &self,
        token: &str,
        key: &Signer,
        version: &str,
        (decision, comment): (Decision, &str),
    ) -> Answer {
        let statement = self.review_statement(token, version, decision).await;
        let path = format!("{}/approvals", version_path(version));
        self.post(&path, token, body(decision, comment, key, &statement)).await
    }

    /// The decisions of the signed reviews of a version, and their entries.
    async fn signed_reviews(&self, token: &str, version: &str) -> Vec<(String, u64)> {
        let found = self.get_as(token, &format!("{}/reviews", version_path(version))).await.is(200);
        let told = |review: &Value| {
            let decision = review["decision"].as_str().unwrap().to_owned();
            (decision, review["log_index"].as_u64().unwrap())
        };
        found["reviews"].as_array().unwrap().iter().map(told).collect()
    }

    async fn last_index(&self, kind: &str) -> u64 {
        self.last(kind).await["index"].as_u64().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_for_one_decision_stands_for_no_other() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.company().await;
    app.demand(json!({ "approvals": 1 })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    let (hers, his) = (Signer::of("laptop", 1), Signer::of("desk", 2));
    app.enrol(&rita, &hers).await;
    app.enrol(&rob, &his).await;
    let path = format!("{}/approvals", version_path("1.0.0"));
    for decision in EVERY {
        for other in EVERY.into_iter().filter(|other| *other != decision) {
            let statement = app.review_statement(&rita, "1.0.0", other).await;
            app.post(&path, &rita, body(decision, "no", &hers, &statement))
                .await
                .fails(422, "invalid-statement");
        }
        let statement = app.review_statement(&rita, "1.0.0", decision).await;
        let changed = |change: fn(&mut ReviewStatement)| {
            let mut changed = statement.clone();
            change(&mut changed);
            body(decision, "no", &hers, &changed)
        };
        // Other bytes than those that were looked at, whether it is said which those were or not.
        let other = changed(|statement| statement.digest = Digest::of(b"other"));
        let looked_at = json!({ "digest": statement.digest.to_string() });
        let for_release = json!({ "signature": signed_by(&hers, RELEASE_NAMESPACE, &statement) });
        for (wrong, status, code) in [
            (with(other.clone(), looked_at), 422, "invalid-statement"),
            (other, 409, "status-conflict"),
            (changed(|statement| statement.policies.push(9_999)), 409, "status-conflict"),
            (changed(|statement| statement.version = "1.0.1".parse().unwrap()), 422, "invalid-statement"),
            (body(decision, "no", &his, &statement), 422, "invalid-signature"),
            (with(body(decision, "no", &hers, &statement), for_release), 422, "invalid-signature"),
        ] {
            app.post(&path, &rita, wrong).await.fails(status, code);
        }
    }
    let standing = app.standing(&rita, "1.0.0").await;
    assert_eq!((&standing["status"], &standing["decisions"]), (&json!("pending"), &json!([])));
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_requests_and_rejections_are_kept_and_shown_and_count_for_nothing() {
    let app = TestApp::new().await;
    let People { author, rita, rob, sam, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "signed_reviews": true })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    let keys = [Signer::of("laptop", 1), Signer::of("desk", 2), Signer::of("phone", 3)];
    for (token, key) in [&rita, &rob, &sam].into_iter().zip(&keys) {
        app.enrol(token, key).await;
    }
    let [hers, his, theirs] = &keys;
    let path = format!("{}/approvals", version_path("1.0.0"));
    // Who asked for changes without a signature may give one, once.
    let changes = (Decision::ChangesRequested, "name the limit");
    app.post(&path, &rita, json!({ "decision": changes.0, "comment": changes.1 })).await.is(200);
    assert_eq!(app.standing(&rita, "1.0.0").await["decisions"][0]["signed"], Value::Null);
    for _ in 0..2 {
        let standing = app.decide_signed(&rita, hers, "1.0.0", changes).await.is(200);
        assert_eq!((&standing["status"], &standing["given"]), (&json!("pending"), &json!(0)));
        let decided = &standing["decisions"][0];
        assert_eq!((&decided["signed"], &decided["counts"]), (&json!(true), &json!(false)));
        assert_eq!(app.count("version.changes-requested").await, 2);
    }
    let entry = app.last("version.changes-requested").await;
    assert_eq!(entry["event"]["signature"]["key"], hers.fingerprint());
    let asked = ("changes-requested".to_owned(), entry["index"].as_u64().unwrap());
    assert_eq!(app.signed_reviews(&rita, "1.0.0").await, std::slice::from_ref(&asked));
    let pill = "<span class=\"pill good\">signed</span>";
    let page = Browser::signed_in(&app, &rita).await.page("/acme/tool/versions/1.0.0/review").await;
    assert_eq!(page.matches(pill).count(), 1, "{page}");
    // Neither is an approval, whoever sends it as one.
    let statement = app.review_statement(&rita, "1.0.0", changes.0).await;
    app.post(&path, &rita, body(Decision::Approved, "", hers, &statement))
        .await
        .fails(422, "invalid-statement");
    app.accept(&rob, "1.0.0").await.fails(422, "signature-required");
    let no = (Decision::Rejected, "sends addresses away");
    for _ in 0..2 {
        let standing = app.decide_signed(&rob, his, "1.0.0", no).await.is(200);
        assert_eq!((&standing["status"], &standing["given"]), (&json!("rejected"), &json!(0)));
        assert_eq!(standing["decisions"][1]["signed"], true);
        assert_eq!(app.count("version.rejected").await, 1);
    }
    assert_eq!(app.last("version.rejected").await["event"]["signature"]["key"], his.fingerprint());
    let rejected = ("rejected".to_owned(), app.last_index("version.rejected").await);
    assert_eq!(app.signed_reviews(&rita, "1.0.0").await, [asked, rejected]);
    let page = Browser::signed_in(&app, &rita).await.page("/acme/tool/versions/1.0.0/review").await;
    assert_eq!(page.matches(pill).count(), 2, "{page}");
    app.decide_signed(&sam, theirs, "1.0.0", (Decision::Approved, "")).await.fails(409, "status-conflict");
    assert_eq!((app.count("version.approved").await, app.count("version.released").await), (0, 0));
    // What was rejected without a signature is given none later, and whoever tries is told so.
    app.publish_it(&author, "1.1.0", json!({})).await;
    let path = format!("{}/approvals", version_path("1.1.0"));
    app.post(&path, &rob, json!({ "decision": no.0, "comment": no.1 })).await.is(200);
    app.decide_signed(&rob, his, "1.1.0", no).await.fails(409, "status-conflict");
    assert!(app.signed_reviews(&rita, "1.1.0").await.is_empty());
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_takes_a_signed_approval_back_and_pushes_none_out() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.company().await;
    app.demand(json!({ "approvals": 2, "signed_reviews": true })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    let (hers, his) = (Signer::of("laptop", 1), Signer::of("desk", 2));
    app.enrol(&rita, &hers).await;
    app.enrol(&rob, &his).await;
    let yes = (Decision::Approved, "");
    assert_eq!(app.decide_signed(&rita, &hers, "1.0.0", yes).await.is(200)["given"], 1);
    let first = app.last_index("version.approved").await;
    let changes = (Decision::ChangesRequested, "name the limit");
    assert_eq!(app.decide_signed(&rita, &hers, "1.0.0", changes).await.is(200)["given"], 0);
    app.decide_signed(&rita, &hers, "1.0.0", yes).await.is(200);
    let again = app.last_index("version.approved").await;
    // As many as are shown, each in other words.
    let statement = app.review_statement(&rob, "1.0.0", changes.0).await;
    let path = format!("{}/approvals", version_path("1.0.0"));
    for number in 0..256 {
        let comment = format!("limit {number}");
        app.post(&path, &rob, body(changes.0, &comment, &his, &statement)).await.is(200);
    }
    let reviews = app.signed_reviews(&rita, "1.0.0").await;
    let approvals: Vec<u64> =
        reviews.iter().filter(|(decision, _)| decision == "approved").map(|(_, index)| *index).collect();
    assert_eq!((reviews.len(), approvals), (256, vec![first, again]));
    assert!(reviews.is_sorted_by_key(|(_, index)| *index), "{reviews:?}");
    let done = app.decide_signed(&rob, &his, "1.0.0", yes).await.is(200);
    assert_eq!((&done["status"], &done["given"]), (&json!("published"), &json!(2)));
    app.audit().await;
}
