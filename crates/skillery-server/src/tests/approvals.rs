//! What waits for approval, who decides about it, and what the log says of that.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Value, json};
use skillery_core::entry::{Leaf, Opening};
use skillery_core::monitor::Monitor;

use super::keys::Signer;
use super::log::{leaves, opened_entries};
use super::{ADMIN, Answer, TestApp, skill};

const TOOL: &str = "/api/v1/skills/acme/tool/versions/1.0.0";

/// Everybody of a small company.
pub(super) struct People {
    pub(super) author: String,
    pub(super) rita: String,
    pub(super) rob: String,
    pub(super) reader: String,
}

impl TestApp {
    pub(super) async fn people(&self) -> People {
        let people =
            [("author", "publisher"), ("rita", "reviewer"), ("rob", "reviewer"), ("reader", "reader")];
        let [author, rita, rob, reader] = self.staff(people).await;
        People { author, rita, rob, reader }
    }

    pub(super) async fn policy(&self, namespace: &str, approvals: u32) -> Value {
        let path = format!("/api/v1/orgs/{namespace}/policy");
        self.put(&path, ADMIN, json!({ "approvals": approvals })).await.is(200)
    }

    pub(super) async fn publish_as(&self, token: &str, version: &str) -> Value {
        self.post("/api/v1/skills", token, skill("acme/tool", version)).await.is(202)
    }

    async fn approve(&self, token: &str) -> Answer {
        self.post(&format!("{TOOL}/approvals"), token, json!({ "decision": "approved" })).await
    }

    /// What has been logged about skills and policies, by kind.
    pub(super) async fn kinds(&self) -> Vec<String> {
        let kinds =
            self.log().await.into_iter().map(|entry| entry["event"]["kind"].as_str().unwrap().to_owned());
        kinds.filter(|kind| kind.starts_with("version.") || kind.starts_with("policy.")).collect()
    }

    /// Holds the whole log against the rules, as an admin of the registry who may open everything.
    pub(super) async fn audit(&self) {
        let openings: HashMap<u64, Opening> = opened_entries(self, ADMIN).await.into_iter().collect();
        let mut monitor = Monitor::default();
        for leaf in leaves(self).await {
            let opened = match Leaf::parse(&leaf).unwrap() {
                Leaf::Open(_) => None,
                Leaf::Hidden { .. } => openings.get(&monitor.size()).map(|opening| opening.parse().unwrap()),
            };
            assert_eq!(monitor.follow(&leaf, opened), []);
        }
        assert_eq!((monitor.hidden(), monitor.unjudged()), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_waits_until_enough_people_approve_it() {
    let app = TestApp::new().await;
    let People { author, rita, rob, reader } = app.people().await;
    let policy = app.policy("acme", 2).await;
    assert_eq!(policy["demanded"], json!({ "approvals": 2, "role": "reviewer" }));
    let answer = app.publish_as(&author, "1.0.0").await;
    assert_eq!(answer["status"], "pending");
    assert!(answer["proof"].as_str().unwrap().starts_with("c2sp.org/tlog-proof"), "{answer}");

    // Nobody finds it; reviewers and its author see it, nobody else, not even other members.
    app.settle().await;
    assert_eq!(app.search(&rita, "q=tool").await.1, 0);
    for token in ["", reader.as_str()] {
        app.get_as(token, TOOL).await.fails(404, "version-not-found");
        app.get_as(token, &format!("{TOOL}/proof")).await.fails(404, "version-not-found");
        app.get_as(token, "/api/v1/skills/acme/tool/download").await.fails(404, "version-not-found");
        app.get_as(token, "/api/v1/skills/acme/tool/download?version=1.0.0")
            .await
            .fails(404, "version-not-found");
        let versions = app.get_as(token, "/api/v1/skills/acme/tool/versions").await.is(200);
        assert_eq!((&versions["total"], &versions["latest"]), (&json!(0), &Value::Null));
        // The log keeps nothing back of a skill that is seen, or it would be no log; its page is for what one may have.
        let log = app.get_as(token, "/api/v1/skills/acme/tool/log").await.is(200);
        let newest = log["entries"][0]["entry"].as_str().unwrap();
        assert!(newest.contains("version.published") && newest.contains("1.0.0"), "{newest}");
    }
    let page = app.get("/acme/tool/log").await;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    assert!(page.status == 200 && !text.contains("waits for approval"), "{text}");
    for token in [&author, &rita] {
        assert_eq!(app.get_as(token, TOOL).await.is(200)["status"], "pending");
        let download = app.get_as(token, "/api/v1/skills/acme/tool/download?version=1.0.0").await.is(200);
        assert_eq!(download["warning"], "acme/tool 1.0.0 waits for approval");
        app.get_as(token, "/api/v1/skills/acme/tool/download").await.fails(404, "version-not-found");
    }
    // Nothing of it was kept for others.
    app.get("/api/v1/skills/acme/tool/download?version=1.0.0").await.fails(404, "version-not-found");

    let waiting = app.get_as(&rita, "/api/v1/approvals").await.is(200);
    assert_eq!((&waiting["total"], &waiting["pending"][0]["id"]), (&json!(1), &json!("acme/tool")));
    assert_eq!(
        (&waiting["pending"][0]["publisher"], &waiting["pending"][0]["mine"]),
        (&json!("author"), &Value::Null)
    );
    assert_eq!(app.get_as(&author, "/api/v1/approvals").await.is(200)["total"], 0);

    app.approve(&author).await.fails(403, "forbidden");
    app.approve(&reader).await.fails(403, "forbidden");
    app.approve("").await.fails(401, "unauthenticated");
    let one = app.approve(&rita).await.is(200);
    assert_eq!(
        (&one["status"], &one["given"], &one["demanded"]["approvals"]),
        (&json!("pending"), &json!(1), &json!(2))
    );
    let before = app.log().await.len();
    app.approve(&rita).await.is(200);
    assert_eq!(app.log().await.len(), before);
    assert_eq!(app.get_as(&rita, "/api/v1/approvals").await.is(200)["pending"][0]["mine"], "approved");

    let other = json!({ "decision": "approved", "digest": "0".repeat(64) });
    app.post(&format!("{TOOL}/approvals"), &rob, other).await.fails(409, "status-conflict");
    let digest = &one["digest"];
    let request = json!({ "decision": "approved", "digest": digest, "comment": "ran it" });
    let two = app.post(&format!("{TOOL}/approvals"), &rob, request).await.is(200);
    assert_eq!((&two["status"], &two["given"]), (&json!("published"), &json!(2)));
    assert_eq!(two["decisions"][1]["comment"], "ran it");
    assert_eq!(
        app.kinds().await,
        ["policy.set", "version.published", "version.approved", "version.approved", "version.released"]
    );
    let log = app.log().await;
    let entry = |kind: &str| log.iter().find(|entry| entry["event"]["kind"] == kind).unwrap();
    let set = entry("policy.set")["index"].as_u64().unwrap();
    assert_eq!(entry("version.published")["event"]["policies"], json!([set]));
    let released = entry("version.released");
    assert_eq!(released["event"]["policies"], json!([set]));
    assert_eq!(released["event"]["approvals"], json!([before as u64 - 1, before]));

    app.settle().await;
    assert_eq!(app.search("", "q=tool").await.1, 1);
    let download = app.get("/api/v1/skills/acme/tool/download").await.is(200);
    assert_eq!((&download["version"], &download["warning"]), (&json!("1.0.0"), &Value::Null));
    assert_eq!(app.get_as(&rita, "/api/v1/approvals").await.is(200)["total"], 0);
    // A version that is found already can be approved by more people, and not be rejected.
    let rejected = json!({ "decision": "rejected", "comment": "too late" });
    app.post(&format!("{TOOL}/approvals"), &rita, rejected).await.fails(409, "status-conflict");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_what_is_their_own() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 1).await;
    // Who publishes it, and who signs it.
    let key = Signer::of("laptop", 1);
    app.enrol(&rita, &key).await;
    app.publish_signed(&rita, "acme/tool", "1.0.0", &key).await.is(202);
    let refused = app.approve(&rita).await.fails(403, "self-approval");
    assert_eq!(refused["detail"], "you have published or signed acme/tool 1.0.0");
    app.publish_as(&author, "1.1.0").await;
    app.post("/api/v1/skills/acme/tool/versions/1.1.0/approvals", &rita, json!({ "decision": "approved" }))
        .await
        .is(200);
    app.approve(&rob).await.is(200);
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["version"], "1.1.0");
    // The registry's admin is an owner everywhere, by no entry that anybody could check.
    app.publish_as(&author, "1.2.0").await;
    app.member("acme", "rob", "owner").await;
    app.delete("/api/v1/orgs/acme/members/admin", ADMIN).await.is(204);
    let path = "/api/v1/skills/acme/tool/versions/1.2.0/approvals";
    let approved = json!({ "decision": "approved" });
    let refused = app.post(path, ADMIN, approved.clone()).await.fails(403, "forbidden");
    assert_eq!(refused["detail"], "this needs a role of your own in `acme`, which the log can name");
    // What is one's own may be rejected; who signs what waits has a part in it from then on.
    app.post(path, &rita, approved.clone()).await.is(200);
    app.publish_as(&rita, "1.3.0").await;
    let path = "/api/v1/skills/acme/tool/versions/1.3.0/approvals";
    let rejected = json!({ "decision": "rejected", "comment": "too early" });
    assert_eq!(app.post(path, &rita, rejected).await.is(200)["status"], "rejected");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_is_never_handed_out() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 1).await;
    app.publish_as(&author, "1.0.0").await;
    let path = format!("{TOOL}/approvals");
    app.post(&path, &rita, json!({ "decision": "rejected", "comment": " " }))
        .await
        .fails(422, "invalid-field");
    app.post(&path, &rita, json!({ "decision": "perhaps" })).await.fails(422, "invalid-field");
    let rejected = json!({ "decision": "rejected", "comment": "reads the home folder" });
    let answer = app.post(&path, &rita, rejected.clone()).await.is(200);
    assert_eq!(answer["status"], "rejected");
    app.post(&path, &rita, rejected.clone()).await.is(200);
    let again = app.post(&path, &rob, rejected).await.fails(409, "status-conflict");
    assert_eq!(again["detail"], "acme/tool 1.0.0 is rejected already");
    app.approve(&rob).await.fails(409, "status-conflict");
    app.get_as(&rita, "/api/v1/skills/acme/tool/download?version=1.0.0")
        .await
        .fails(404, "version-not-found");
    assert_eq!(app.get_as(&author, TOOL).await.is(200)["reason"], "reads the home folder");
    app.get(TOOL).await.fails(404, "version-not-found");
    // The same again changes nothing, other bytes need another number.
    let again = app.post("/api/v1/skills", &author, skill("acme/tool", "1.0.0")).await.is(200);
    assert_eq!(again["status"], "rejected");
    app.publish_as(&author, "1.0.1").await;
    assert_eq!(
        app.kinds().await,
        ["policy.set", "version.published", "version.rejected", "version.published"]
    );
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_policies_are_those_of_the_moment() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 2).await;
    app.publish_as(&author, "1.0.0").await;
    app.approve(&rita).await.is(200);
    // Who is no reviewer any more has approved nothing.
    app.member("acme", "rita", "publisher").await;
    let one = app.approve(&rob).await.is(200);
    assert_eq!((&one["status"], &one["given"]), (&json!("pending"), &json!(1)));
    let counts: Vec<_> =
        one["decisions"].as_array().unwrap().iter().map(|row| row["counts"].clone()).collect();
    assert_eq!(counts, [json!(false), json!(true)]);
    app.approve(&rita).await.fails(403, "forbidden");
    // Tightened while it waits: more are needed. Loosened: whoever asks again releases it.
    app.policy("acme", 3).await;
    app.member("acme", "rita", "reviewer").await;
    assert_eq!(app.approve(&rita).await.is(200)["status"], "pending");
    app.policy("acme", 2).await;
    assert_eq!(app.get_as(&rita, TOOL).await.is(200)["status"], "pending");
    assert_eq!(app.approve(&rob).await.is(200)["status"], "published");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_counts_with_the_role_by_which_it_was_given() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 2).await;
    app.publish_as(&author, "1.0.0").await;
    app.approve(&rita).await.is(200);
    // From now on, admins are demanded: rita approved as a reviewer, and says so again as an admin.
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 2, "role": "admin" })).await.is(200);
    app.approve(&rita).await.fails(403, "forbidden");
    app.member("acme", "rita", "admin").await;
    app.member("acme", "rob", "admin").await;
    let one = app.approve(&rob).await.is(200);
    assert_eq!((&one["status"], &one["given"]), (&json!("pending"), &json!(1)));
    assert_eq!(app.approve(&rita).await.is(200)["status"], "published");
    assert_eq!(app.kinds().await.iter().filter(|kind| *kind == "version.approved").count(), 3);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_switched_off_or_has_left_counts_no_more() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 2).await;
    app.publish_as(&author, "1.0.0").await;
    app.approve(&rita).await.is(200);
    app.call(Method::PATCH, "/api/v1/users/rita", ADMIN, Some(json!({ "disabled": true }))).await.is(200);
    assert_eq!(app.approve(&rob).await.is(200)["given"], 1);
    app.approve(&rita).await.fails(401, "token-revoked");
    app.call(Method::PATCH, "/api/v1/users/rita", ADMIN, Some(json!({ "disabled": false }))).await.is(200);
    app.delete("/api/v1/orgs/acme/members/rita", ADMIN).await.is(204);
    assert_eq!(app.approve(&rob).await.is(200)["status"], "pending");
    // What nothing is demanded of any more still needs one approval, which it has.
    app.delete("/api/v1/orgs/acme/policy", ADMIN).await.is(200);
    let standing = app.get_as(&rob, &format!("{TOOL}/approvals")).await.is(200);
    assert_eq!(standing["demanded"], json!({ "approvals": 1, "role": "reviewer" }));
    assert_eq!(app.approve(&rob).await.is(200)["status"], "published");
    // An admin of the registry takes it back and gives it again, as anything else.
    app.put(&format!("{TOOL}/quarantine"), ADMIN, json!({ "reason": "" })).await.is(200);
    app.delete(&format!("{TOOL}/quarantine"), ADMIN).await.is(200);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_is_not_published_where_that_is_demanded() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.people().await;
    let path = "/api/v1/orgs/acme/policy";
    for nothing in [json!({}), json!({ "approvals": 0 }), json!({ "role": "admin" })] {
        app.put(path, ADMIN, nothing).await.fails(422, "invalid-field");
    }
    let policy = app.put(path, ADMIN, json!({ "signed": true })).await.is(200);
    assert_eq!(policy["demanded"], json!({ "approvals": 0, "role": "reviewer", "signed": true }));
    let refused = app.post("/api/v1/skills", &author, skill("acme/team/tool", "1.0.0")).await;
    let refused = refused.fails(422, "signature-required");
    assert_eq!(refused["detail"], "`acme` takes signed versions only");
    let key = Signer::of("laptop", 1);
    app.enrol(&author, &key).await;
    let published = app.publish_signed(&author, "acme/tool", "1.0.0", &key).await.is(201);
    assert_eq!(published["status"], "published");
    // With approvals below it, both are demanded.
    app.post("/api/v1/skills", ADMIN, skill("acme/team/tool", "1.0.0"))
        .await
        .fails(422, "signature-required");
    app.put("/api/v1/orgs/acme/team/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    let below = app.get_as(&rita, "/api/v1/orgs/acme/team/policy").await.is(200);
    assert_eq!(below["demanded"], json!({ "approvals": 1, "role": "reviewer", "signed": true }));
    app.post("/api/v1/skills", &author, skill("acme/team/tool", "1.0.0"))
        .await
        .fails(422, "signature-required");
    app.publish_signed(&author, "acme/team/tool", "1.0.0", &key).await.is(202);
    let waiting = app.get_as(&rita, "/api/v1/skills/acme/team/tool/versions/1.0.0/approvals").await.is(200);
    assert_eq!(waiting["demanded"], below["demanded"]);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_of_what_waits_by_trying_to_change_it() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.people().await;
    let other = app.user("other", &["read", "publish"]).await;
    app.member("acme", "other", "publisher").await;
    app.policy("acme", 1).await;
    app.publish_as(&author, "1.0.0").await;
    for path in [format!("{TOOL}/yank"), "/api/v1/skills/acme/tool/versions/9.9.9/yank".to_owned()] {
        app.put(&path, &other, json!({ "reason": "" })).await.fails(404, "version-not-found");
        app.delete(&path, &other).await.fails(404, "version-not-found");
    }
    for token in [&author, &rita] {
        app.put(&format!("{TOOL}/yank"), token, json!({ "reason": "" })).await.fails(409, "status-conflict");
    }
    // Roles in any number of namespaces break nobody's list.
    for number in 0..40 {
        app.member(&format!("acme/n{number}"), "rita", "reviewer").await;
    }
    assert_eq!(app.get_as(&rita, "/api/v1/approvals").await.is(200)["total"], 1);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reviewers_decide_in_the_same_instant() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 1).await;
    for round in 0..8 {
        let version = format!("1.0.{round}");
        app.publish_as(&author, &version).await;
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/approvals");
        let approve = app.post(&path, &rita, json!({ "decision": "approved" }));
        let reject = app.post(&path, &rob, json!({ "decision": "rejected", "comment": "no" }));
        let (one, other) = tokio::join!(approve, reject);
        // The first decides, and the second hears of it.
        let statuses = [one.status.as_u16(), other.status.as_u16()];
        assert!(statuses == [200, 409] || statuses == [409, 200], "{statuses:?}");
        let status = app.get_as(&rita, path.trim_end_matches("/approvals")).await.is(200)["status"].clone();
        assert_eq!(status, if statuses[0] == 200 { "published" } else { "rejected" });
    }
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_below_is_free_of_what_is_demanded_above() {
    let app = TestApp::new().await;
    let People { author, rita, rob, reader } = app.people().await;
    app.policy("acme", 2).await;
    let team =
        app.put("/api/v1/orgs/acme/team/policy", ADMIN, json!({ "approvals": 1, "role": "admin" })).await;
    let team = team.is(200);
    assert_eq!(team["demanded"], json!({ "approvals": 2, "role": "admin" }));
    assert_eq!(team["policies"].as_array().unwrap().len(), 2);
    assert_eq!(app.get_as(&reader, "/api/v1/orgs/acme/team/policy").await.is(200), team);
    app.get_as(&author, "/api/v1/orgs/other/policy").await.fails(404, "org-not-found");
    app.get_as(&app.user("stranger", &["read", "admin"]).await, "/api/v1/orgs/acme/policy")
        .await
        .fails(404, "org-not-found");

    app.post("/api/v1/skills", &author, skill("acme/team/tool", "1.0.0")).await.is(202);
    let path = "/api/v1/skills/acme/team/tool/versions/1.0.0/approvals";
    let approved = json!({ "decision": "approved" });
    let refused = app.post(path, &rita, approved.clone()).await.fails(403, "forbidden");
    assert_eq!(refused["role"], "admin");
    app.member("acme/team", "rita", "admin").await;
    app.member("acme", "rob", "owner").await;
    app.post(path, &rita, approved.clone()).await.is(200);
    assert_eq!(app.post(path, &rob, approved).await.is(200)["status"], "published");

    // The same policy again is no change; other people set none; what is none is refused.
    let size = app.log().await.len();
    app.policy("acme", 2).await;
    assert_eq!(app.log().await.len(), size);
    let set = |body: Value| app.put("/api/v1/orgs/acme/policy", ADMIN, body);
    set(json!({ "approvals": 0 })).await.fails(422, "invalid-field");
    set(json!({ "approvals": 17 })).await.fails(422, "invalid-field");
    set(json!({ "approvals": 1, "role": "publisher" })).await.fails(422, "invalid-field");
    set(json!({ "approvals": 1, "steps": [] })).await.fails(422, "unknown-field");
    app.put("/api/v1/orgs/acme/policy", &author, json!({ "approvals": 1 })).await.fails(403, "forbidden");
    app.put("/api/v1/orgs/nobody/policy", ADMIN, json!({ "approvals": 1 })).await.fails(404, "org-not-found");

    let left = app.delete("/api/v1/orgs/acme/policy", ADMIN).await.is(200);
    assert_eq!(left["demanded"], Value::Null);
    app.delete("/api/v1/orgs/acme/policy", ADMIN).await.fails(404, "policy-not-found");
    app.post("/api/v1/skills", &author, skill("acme/tool", "1.0.0")).await.is(201);
    app.post("/api/v1/skills", &author, skill("acme/team/tool", "1.1.0")).await.is(202);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_see_what_waits_where_they_may_decide() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.people().await;
    app.policy("acme", 1).await;
    for place in ["acme/tool", "acme/team/tool", "acme/teams/tool"] {
        app.post("/api/v1/skills", &author, skill(place, "1.0.0")).await.is(202);
    }
    let lead = app.user("lead", &["read", "review", "admin"]).await;
    app.member("acme/team", "lead", "reviewer").await;
    let ids = async |token: &str, query: &str| {
        let found = app.get_as(token, &format!("/api/v1/approvals{query}")).await.is(200);
        let ids =
            found["pending"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
        (found["total"].as_u64().unwrap(), ids.collect::<Vec<_>>())
    };
    assert_eq!(ids(&rita, "").await.0, 3);
    assert_eq!(ids(&rita, "?limit=1&offset=2").await, (3, vec!["acme/tool".to_owned()]));
    assert_eq!(ids(&rita, "?namespace=acme/teams").await, (1, vec!["acme/teams/tool".to_owned()]));
    assert_eq!(ids(&lead, "").await, (1, vec!["acme/team/tool".to_owned()]));
    assert_eq!(ids(&lead, "?namespace=acme").await.0, 1);
    assert_eq!(ids(ADMIN, "").await.0, 3);
    app.get_as(&lead, "/api/v1/approvals?namespace=acme/teams").await.fails(404, "org-not-found");
    app.get_as(&lead, "/api/v1/approvals?namespace=A%20b").await.fails(400, "invalid-parameter");
    // A token that is bound sees within its bounds.
    let bound = app.token(json!({ "user": "rita", "scopes": ["read"], "namespaces": ["acme/team"] })).await;
    assert_eq!(ids(&bound, "").await, (1, vec!["acme/team/tool".to_owned()]));
    app.get_as(&bound, "/api/v1/skills/acme/tool/versions/1.0.0").await.fails(404, "version-not-found");
}
