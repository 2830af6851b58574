//! Policies with stages, groups and conditions; what passes, what grows old, what is released by force, what waits again.

mod again;
mod anew;
mod passing;
mod signed;

use axum::http::Method;
use serde_json::{Value, json};
use skillery_core::sign::review::{REVIEW_TYPE, ReviewStatement};
use skillery_core::sign::sshsig::{RELEASE_NAMESPACE, REVIEW_NAMESPACE};
use skillery_core::{Decision, Digest};

use super::keys::Signer;
use super::pages::Browser;
use super::{ADMIN, Answer, SCOPES, TestApp, skill};
use crate::approvals::review_overdue;

const DAY: i64 = 86_400;

/// Everybody of a company with a group `security`: `sam` and `sue`.
struct People {
    author: String,
    rita: String,
    rob: String,
    sam: String,
    sue: String,
    ada: String,
}

fn version_path(version: &str) -> String {
    format!("/api/v1/skills/acme/tool/versions/{version}")
}

fn with(body: Value, change: Value) -> Value {
    let mut body = body;
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

impl TestApp {
    async fn company(&self) -> People {
        let people = [
            ("author", "publisher"),
            ("rita", "reviewer"),
            ("rob", "reviewer"),
            ("sam", "reviewer"),
            ("sue", "reviewer"),
            ("ada", "admin"),
        ];
        let [author, rita, rob, sam, sue, ada] = self.staff(people).await;
        self.group(&["sam", "sue"]).await;
        People { author, rita, rob, sam, sue, ada }
    }

    async fn group(&self, users: &[&str]) -> Value {
        self.put("/api/v1/orgs/acme/policy/groups/security", ADMIN, json!({ "users": users })).await.is(200)
    }

    async fn demand(&self, policy: Value) {
        self.put("/api/v1/orgs/acme/policy", ADMIN, policy).await.is(200);
    }

    async fn accept(&self, token: &str, version: &str) -> Answer {
        let path = format!("{}/approvals", version_path(version));
        self.post(&path, token, json!({ "decision": "approved" })).await
    }

    async fn standing(&self, token: &str, version: &str) -> Value {
        self.get_as(token, &format!("{}/approvals", version_path(version))).await.is(200)
    }

    /// What a review of this version says that is signed now.
    async fn review_statement(&self, token: &str, version: &str, verdict: Decision) -> ReviewStatement {
        let standing = self.standing(token, version).await;
        let entries = standing["policies"].as_array().unwrap().iter().map(|entry| entry.as_u64().unwrap());
        ReviewStatement {
            digest: standing["digest"].as_str().unwrap().parse().unwrap(),
            policies: entries.collect(),
            registry: self.app.log_key.verifier().name().to_owned(),
            skill: "acme/tool".parse().unwrap(),
            r#type: REVIEW_TYPE.to_owned(),
            verdict,
            version: version.parse().unwrap(),
        }
    }

    async fn publish_it(&self, token: &str, version: &str, change: Value) -> Value {
        let answer = self.post("/api/v1/skills", token, with(skill("acme/tool", version), change)).await;
        assert!(matches!(answer.status.as_u16(), 201 | 202), "{answer:?}");
        answer.json()
    }

    /// The last entry of this kind.
    async fn last(&self, kind: &str) -> Value {
        let log = self.log().await;
        let found = log.into_iter().rev().find(|entry| entry["event"]["kind"] == kind);
        found.unwrap_or_else(|| panic!("no `{kind}`"))
    }

    async fn count(&self, kind: &str) -> usize {
        self.log().await.iter().filter(|entry| entry["event"]["kind"] == kind).count()
    }
}

/// A statement with a signature over it, as a decision has it.
fn signed_by(key: &Signer, namespace: &str, statement: &ReviewStatement) -> Value {
    let statement = statement.to_text().unwrap();
    let signature = key.sign(namespace, statement.as_bytes());
    json!({ "statement": statement, "signature": signature })
}

fn stages() -> Value {
    json!({ "stages": [
        { "name": "review", "approvals": 2 },
        { "name": "security", "group": "security" },
        { "name": "release", "role": "admin" },
    ] })
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_open_in_order_and_each_asks_for_its_own_people() {
    let app = TestApp::new().await;
    let People { author, rita, rob, sam, sue, ada } = app.company().await;
    app.demand(stages()).await;
    assert_eq!(app.publish_it(&author, "1.0.0", json!({})).await["status"], "pending");
    let one = app.accept(&rita, "1.0.0").await.is(200);
    let names: Vec<&str> =
        one["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["review", "security", "release"]);
    assert_eq!((&one["stages"][0]["given"], &one["stages"][0]["is_open"]), (&json!(["rita"]), &json!(true)));
    // Members of the group count for the first stage, too, as reviewers; then not for their own.
    app.accept(&rob, "1.0.0").await.is(200);
    let refused = app.accept(&ada, "1.0.0").await.fails(403, "forbidden");
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("`security` asks for 1 people, each a reviewer or above in the group `security`"),
        "{detail}"
    );
    let size = app.log().await.len();
    app.accept(&rita, "1.0.0").await.is(200);
    assert_eq!(app.log().await.len(), size);
    let two = app.accept(&sam, "1.0.0").await.is(200);
    assert_eq!((&two["status"], &two["stages"][1]["is_complete"]), (&json!("pending"), &json!(true)));
    app.accept(&sue, "1.0.0").await.fails(403, "forbidden");
    assert_eq!(app.accept(&ada, "1.0.0").await.is(200)["status"], "published");
    let released = app.last("version.released").await;
    assert_eq!(released["event"]["approvals"].as_array().unwrap().len(), 4);
    let approval = app.last("version.approved").await;
    assert_eq!(approval["event"].get("groups"), None);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_asked_in_turn_and_who_asks_for_changes_counts_for_no_stage() {
    let app = TestApp::new().await;
    let People { author, rita, rob, sam, sue, ada } = app.company().await;
    app.demand(stages()).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    let people = [&author, &rita, &rob, &sam, &sue, &ada];
    let asked = async || {
        let mut asked = Vec::new();
        for token in people {
            let found = app.get_as(token, "/api/v1/approvals?needs_me=true").await.is(200);
            asked.push(found["total"].as_u64().unwrap());
        }
        asked
    };
    assert_eq!(asked().await, [0, 1, 1, 1, 1, 1]);
    app.accept(&rita, "1.0.0").await.is(200);
    assert_eq!(asked().await, [0, 0, 1, 1, 1, 1]);
    // The group's turn, and nobody else's.
    app.accept(&rob, "1.0.0").await.is(200);
    assert_eq!(asked().await, [0, 0, 0, 1, 1, 0]);
    app.accept(&sam, "1.0.0").await.is(200);
    assert_eq!(asked().await, [0, 0, 0, 0, 0, 1]);
    // `rob` takes it back: what `sam` said was for the group, and too early.
    let path = format!("{}/approvals", version_path("1.0.0"));
    let changes = json!({ "decision": "changes-requested", "comment": "name the limit" });
    let standing = app.post(&path, &rob, changes.clone()).await.is(200);
    assert_eq!(
        (&standing["stages"][0]["given"], &standing["stages"][1]["given"]),
        (&json!(["rita"]), &json!([]))
    );
    assert_eq!(standing["stages"][0]["is_open"], true);
    assert_eq!(asked().await, [0, 0, 0, 1, 1, 1]);
    // `sue`, a reviewer, stands in for him; then the group is asked again, and `sam` is who is left of it.
    app.accept(&sue, "1.0.0").await.is(200);
    assert_eq!(asked().await, [0, 0, 0, 1, 0, 0]);
    app.accept(&ada, "1.0.0").await.fails(403, "forbidden");
    app.accept(&sam, "1.0.0").await.is(200);
    assert_eq!(app.accept(&ada, "1.0.0").await.is(200)["status"], "published");
    let released = app.last("version.released").await;
    assert_eq!(released["event"]["approvals"].as_array().unwrap().len(), 4);
    let signature = json!({ "signature": { "statement": "x", "signature": "y" } });
    app.post(&path, &rob, with(changes, signature)).await.fails(422, "invalid-statement");
    app.get_as(&rita, "/api/v1/approvals?due=true&state=decided").await.fails(400, "invalid-parameter");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_a_group_or_was_demoted_counts_no_more() {
    let app = TestApp::new().await;
    let People { author, rita, rob, sam, sue, ada } = app.company().await;
    app.demand(stages()).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    for token in [&rita, &rob, &sam] {
        app.accept(token, "1.0.0").await.is(200);
    }
    // Out of the group while a later stage is open: the stage opens again.
    app.group(&["sue"]).await;
    let refused = app.accept(&ada, "1.0.0").await.fails(403, "forbidden");
    assert!(refused["detail"].as_str().unwrap().contains("`security`"), "{refused}");
    // Whoever came into it after approving says so again.
    app.accept(&sue, "1.0.0").await.is(200);
    // The reviewers of the first stage are none any more: it is open again, and nobody stands in for them who said something else.
    for name in ["rita", "rob"] {
        app.member("acme", name, "publisher").await;
    }
    let standing = app.accept(&ada, "1.0.0").await.is(200);
    assert_eq!((&standing["stages"][0]["given"], &standing["given"]), (&json!(["ada"]), &json!(1)));
    for name in ["rita", "rob"] {
        app.member("acme", name, "reviewer").await;
    }
    assert_eq!(app.accept(&ada, "1.0.0").await.is(200)["status"], "published");
    // A group that a policy asks for stays; one that is not there is asked for by none.
    app.delete("/api/v1/orgs/acme/policy/groups/security", ADMIN).await.fails(422, "invalid-field");
    let legal = json!({ "stages": [{ "name": "legal", "group": "legal" }] });
    app.put("/api/v1/orgs/acme/policy", ADMIN, legal).await.fails(422, "invalid-field");
    app.put("/api/v1/orgs/acme/policy/groups/legal", &author, json!({ "users": [] }))
        .await
        .fails(403, "forbidden");
    app.put("/api/v1/orgs/acme/policy/groups/legal", ADMIN, json!({ "users": ["nobody"] }))
        .await
        .fails(404, "user-not-found");
    app.delete("/api/v1/orgs/acme/policy", ADMIN).await.is(200);
    app.delete("/api/v1/orgs/acme/policy/groups/security", ADMIN).await.is(204);
    app.delete("/api/v1/orgs/acme/policy/groups/security", ADMIN).await.fails(404, "policy-not-found");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tightened_policy_holds_and_groups_count_by_their_entries() {
    let app = TestApp::new().await;
    let People { author, rita, sam, .. } = app.company().await;
    app.demand(json!({ "approvals": 2 })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    app.accept(&rita, "1.0.0").await.is(200);
    // Stages from now on; what was said before is judged by them, and `rita` came into the group too late.
    app.demand(json!({ "stages": [{ "name": "security", "approvals": 2, "group": "security" }] })).await;
    app.group(&["rita", "sam"]).await;
    assert_eq!(app.accept(&sam, "1.0.0").await.is(200)["given"], 1);
    assert_eq!(app.accept(&rita, "1.0.0").await.is(200)["status"], "published");
    assert_eq!(app.count("version.approved").await, 3);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_decided_when_it_is_published() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.company().await;
    app.demand(json!({
        "approvals": 1,
        "when": ["first-version", "new-permissions", "findings-warning", "external-dependency"],
    }))
    .await;
    let first = app.publish_it(&author, "1.0.0", json!({})).await;
    assert_eq!(first["status"], "pending");
    let facts = app.standing(&rita, "1.0.0").await["facts"].clone();
    assert!(facts.as_array().unwrap().contains(&json!("first-version")), "{facts}");
    assert!(facts.as_array().unwrap().contains(&json!("public")), "{facts}");
    app.accept(&rita, "1.0.0").await.is(200);
    // Nothing of it is true: nobody waits.
    assert_eq!(app.publish_it(&author, "1.1.0", json!({})).await["status"], "published");
    let manifest = |table: &str| {
        let code = format!("# /// script\n{table}# ///\ndef tool(text):\n    return text\n");
        json!({ "code_hash": Digest::of(code.as_bytes()).to_string(), "code": code })
    };
    let hosts = manifest("# [tool.skillery.permissions]\n# hosts = [\"api.example.com:443\"]\n");
    let asks = app.publish_it(&author, "1.2.0", hosts.clone()).await;
    assert_eq!(asks["status"], "pending");
    assert!(app.standing(&rita, "1.2.0").await["facts"].to_string().contains("new-permissions"));
    app.accept(&rita, "1.2.0").await.is(200);
    assert_eq!(app.publish_it(&author, "1.3.0", hosts).await["status"], "published");
    let calls = manifest("# [tool.skillery]\n# skills = [\"other/skill\"]\n# [tool.skillery.permissions]\n");
    assert_eq!(app.publish_it(&author, "1.4.0", calls).await["status"], "pending");
    assert!(app.standing(&rob, "1.4.0").await["facts"].to_string().contains("external-dependency"));
    // Two lists of links to nowhere are a warning of `skillery lint`.
    let hidden = json!({ "description": "Checks [that](missing.md)" });
    assert_eq!(app.publish_it(&author, "1.5.0", hidden).await["status"], "pending");
    assert!(app.standing(&rob, "1.5.0").await["facts"].to_string().contains("findings-warning"));
    // A condition that comes while it waits holds for what nobody has looked at.
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1, "when": ["patch"] }))
        .await
        .fails(422, "invalid-field");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_trusts_passes_and_the_log_says_why() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "auto": { "patches": true, "groups": ["security"] } })).await;
    assert_eq!(app.publish_it(&author, "1.0.0", json!({})).await["status"], "pending");
    app.accept(&rita, "1.0.0").await.is(200);
    assert_eq!(app.publish_it(&author, "1.0.1", json!({})).await["status"], "published");
    let passed = app.last("version.published").await["event"]["passed"].clone();
    assert_eq!(passed[0]["reason"], "patch");
    assert_eq!(app.publish_it(&author, "1.1.0", json!({})).await["status"], "pending");
    let other = app.publish_it(&author, "1.0.2", json!({ "description": "[that](missing.md)" })).await;
    assert_eq!(other["status"], "pending");
    // An author of a group; and one who is out of it.
    app.group(&["author"]).await;
    assert_eq!(app.publish_it(&author, "2.0.0", json!({})).await["status"], "published");
    let passed = app.last("version.published").await["event"]["passed"].clone();
    assert_eq!(passed[0]["reason"], "group");
    app.group(&[]).await;
    assert_eq!(app.publish_it(&author, "3.0.0", json!({})).await["status"], "pending");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_grow_old_while_it_waits() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.company().await;
    app.demand(json!({ "approvals": 2, "expires_days": 7 })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    app.accept(&rita, "1.0.0").await.is(200);
    app.app.environment.advance_seconds(8 * DAY);
    assert_eq!(app.standing(&rita, "1.0.0").await["given"], 0);
    assert_eq!(app.accept(&rob, "1.0.0").await.is(200)["status"], "pending");
    assert_eq!(app.accept(&rita, "1.0.0").await.is(200)["status"], "published");
    // What is released stays so.
    app.app.environment.advance_seconds(30 * DAY);
    app.get(&version_path("1.0.0")).await.is(200);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_looks_at_again_is_listed_warned_of_or_held() {
    for overdue in ["list", "warn", "hold"] {
        let app = TestApp::new().await;
        let People { author, rita, .. } = app.company().await;
        app.demand(json!({ "approvals": 1, "review": { "days": 30, "overdue": overdue } })).await;
        app.publish_it(&author, "1.0.0", json!({})).await;
        app.accept(&rita, "1.0.0").await.is(200);
        assert_eq!(review_overdue(&app.app).await.unwrap(), 0);
        app.app.environment.advance_seconds(31 * DAY);
        assert_eq!(review_overdue(&app.app).await.unwrap(), 1);
        assert_eq!(review_overdue(&app.app).await.unwrap(), 0);
        let download = app.get("/api/v1/skills/acme/tool/download?version=1.0.0").await;
        let due = app.get_as(&rita, "/api/v1/approvals?due=true").await.is(200);
        if overdue == "hold" {
            download.fails(404, "version-not-found");
            assert_eq!(due["total"], 0);
            assert_eq!(app.get_as(&rita, "/api/v1/approvals").await.is(200)["total"], 1);
            assert_eq!(app.standing(&rita, "1.0.0").await["held_for"], "review");
            // What was said before is too old, whoever said it says it again.
            assert_eq!(app.accept(&rita, "1.0.0").await.is(200)["status"], "published");
            assert_eq!(app.count("version.held").await, 1);
        } else {
            let warning = download.is(200)["warning"].clone();
            let expected = if overdue == "warn" {
                json!("acme/tool 1.0.0 should have been reviewed again")
            } else {
                Value::Null
            };
            assert_eq!(warning, expected);
            assert_eq!((&due["total"], &due["pending"][0]["status"]), (&json!(1), &json!("published")));
            assert!(due["pending"][0]["due_since"].is_string() && due["pending"][0]["forced_by"].is_null());
            let page = Browser::signed_in(&app, &rita).await.page("/account/approvals?show=due").await;
            assert!(page.contains("somebody should look at it again"), "{page}");
            let asked = app.get_as(&rita, "/api/v1/approvals?due=true&needs_me=true").await.is(200);
            assert_eq!(asked["total"], 1);
            assert_eq!(app.accept(&rita, "1.0.0").await.is(200)["due_since"], Value::Null);
            assert_eq!((app.count("version.due").await, app.count("version.reviewed").await), (1, 1));
            let download = app.get("/api/v1/skills/acme/tool/download?version=1.0.0").await.is(200);
            assert_eq!(download["warning"], Value::Null);
        }
        assert_eq!(review_overdue(&app.app).await.unwrap(), 0);
        app.audit().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_listed_as_due_is_warned_of_when_a_policy_comes_to_want_that() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.company().await;
    let policy = |overdue: &str| json!({ "approvals": 1, "review": { "days": 30, "overdue": overdue } });
    app.demand(policy("list")).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    app.accept(&rita, "1.0.0").await.is(200);
    app.app.environment.advance_seconds(31 * DAY);
    assert_eq!(review_overdue(&app.app).await.unwrap(), 1);
    let warning = async || app.get("/api/v1/skills/acme/tool/download").await.is(200)["warning"].clone();
    assert_eq!(warning().await, Value::Null);
    app.demand(policy("warn")).await;
    assert_eq!(review_overdue(&app.app).await.unwrap(), 1);
    assert_eq!(warning().await, "acme/tool 1.0.0 should have been reviewed again");
    assert_eq!(review_overdue(&app.app).await.unwrap(), 0);
    // Of what waits again, nobody says otherwise what changed, once it was said.
    let changelog = format!("{}/changelog", version_path("1.0.0"));
    app.put(&changelog, &author, json!({ "changelog": "Checks more." })).await.is(200);
    app.demand(policy("hold")).await;
    assert_eq!(review_overdue(&app.app).await.unwrap(), 1);
    assert_eq!(app.standing(&rita, "1.0.0").await["held_for"], "review");
    app.put(&changelog, &author, json!({ "changelog": "Checks less." })).await.fails(409, "status-conflict");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_breaks_the_glass_for_everybody_to_see() {
    let app = TestApp::new().await;
    let People { author, rita, ada, .. } = app.company().await;
    let owner = app.user("olga", SCOPES).await;
    app.member("acme", "olga", "owner").await;
    app.demand(json!({ "approvals": 1 })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    let path = format!("{}/break-glass", version_path("1.0.0"));
    let why = json!({ "reason": "mails are lost" });
    app.post(&path, &ada, why.clone()).await.fails(403, "forbidden");
    app.post(&path, &owner, json!({ "reason": " " })).await.fails(422, "invalid-field");
    let forced = app.post(&path, &owner, why.clone()).await.is(200);
    assert_eq!((&forced["status"], &forced["forced"]["by"]), (&json!("published"), &json!("olga")));
    app.post(&path, &owner, why).await.fails(409, "status-conflict");
    // The log has a digest of the reason, which members can check.
    let entry = app.last("version.forced").await;
    let salt = forced["forced"]["salt"].as_str().unwrap();
    assert_eq!(
        entry["event"]["reason"],
        Digest::of(format!("{salt}\nmails are lost").as_bytes()).to_string()
    );
    assert!(!entry.to_string().contains("mails"), "{entry}");
    let download = app.get("/api/v1/skills/acme/tool/download").await.is(200);
    assert_eq!(
        download["warning"],
        "acme/tool 1.0.0 was released by an owner, without the approvals that it waited for"
    );
    assert_eq!(app.get(&version_path("1.0.0")).await.is(200)["notice"], "forced");
    let due = app.get_as(&rita, "/api/v1/approvals?due=true").await.is(200);
    let told = &due["pending"][0];
    assert_eq!((&due["total"], told["due_since"].is_null()), (&json!(1), true));
    assert_eq!((&told["forced_by"], &told["forced_reason"]), (&json!("olga"), &json!("mails are lost")));
    let page = Browser::signed_in(&app, &rita).await.page("/account/approvals?show=due").await;
    let words = "olga released it without the approvals that it waited for: mails are lost";
    assert!(page.contains(words) && !page.contains("somebody should look at it again"), "{page}");
    let reviewed = app.accept(&rita, "1.0.0").await.is(200);
    assert_eq!(reviewed["forced"], Value::Null);
    assert_eq!(app.get("/api/v1/skills/acme/tool/download").await.is(200)["warning"], Value::Null);
    // An admin of the registry needs a role there, which the log can name.
    app.delete("/api/v1/orgs/acme/members/admin", ADMIN).await.is(204);
    app.publish_it(&author, "1.1.0", json!({})).await;
    let path = format!("{}/break-glass", version_path("1.1.0"));
    app.post(&path, ADMIN, json!({ "reason": "now" })).await.fails(403, "forbidden");
    app.member("acme", "admin", "reader").await;
    app.post(&path, ADMIN, json!({ "reason": "now" })).await.is(200);
    assert_eq!(app.count("version.forced").await, 2);
    // Whoever looks after the registry finds both.
    let report = app.get_as(ADMIN, "/api/v1/audit/report?days=7").await.is(200);
    let forced = report["break_glass"].as_array().unwrap();
    assert_eq!(forced.len(), 2, "{report}");
    assert!(forced.iter().all(|entry| entry.to_string().contains("version.forced")), "{report}");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn making_it_public_is_no_way_around_what_is_asked_of_public_skills() {
    let app = TestApp::new().await;
    let People { author, rita, rob, sam, ada, .. } = app.company().await;
    app.demand(json!({ "stages": [
        { "name": "review" },
        { "name": "security", "group": "security", "when": ["public"] },
    ] }))
    .await;
    let private = json!({ "visibility": "private" });
    app.publish_it(&author, "1.0.0", private.clone()).await;
    assert_eq!(app.accept(&rita, "1.0.0").await.is(200)["status"], "published");
    app.publish_it(&author, "1.1.0", json!({})).await;
    assert_eq!(app.accept(&rita, "1.1.0").await.is(200)["status"], "published");
    app.put(&format!("{}/yank", version_path("1.0.0")), &author, json!({ "reason": "" })).await.is(200);
    app.put("/api/v1/skills/acme/tool/visibility", &ada, json!({ "visibility": "public" })).await.is(204);
    // What is handed out waits; what was yanked stays so, until somebody takes that back.
    assert_eq!(app.get(&version_path("1.0.0")).await.is(200)["status"], "yanked");
    assert_eq!(app.count("version.held").await, 1);
    let back = app.delete(&format!("{}/yank", version_path("1.0.0")), &author).await.is(200);
    assert_eq!(back["status"], "pending");
    for version in ["1.0.0", "1.1.0"] {
        app.get(&version_path(version)).await.fails(404, "version-not-found");
        let standing = app.standing(&rob, version).await;
        assert_eq!((&standing["status"], &standing["held_for"]), (&json!("pending"), &json!("public")));
        assert_eq!(standing["stages"][0]["is_complete"], true);
    }
    assert_eq!(app.accept(&sam, "1.1.0").await.is(200)["status"], "published");
    app.get(&version_path("1.1.0")).await.is(200);
    // Once more around: nothing is asked twice.
    for visibility in ["private", "public"] {
        app.put("/api/v1/skills/acme/tool/visibility", &ada, json!({ "visibility": visibility }))
            .await
            .is(204);
    }
    app.get(&version_path("1.1.0")).await.is(200);
    assert_eq!(app.count("version.held").await, 2);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_may_demand_signed_reviews() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "signed_reviews": true })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    app.accept(&rita, "1.0.0").await.fails(422, "signature-required");
    let (key, other) = (Signer::of("laptop", 1), Signer::of("desk", 2));
    app.enrol(&rita, &key).await;
    app.enrol(&rob, &other).await;
    let statement = app.review_statement(&rita, "1.0.0", Decision::Approved).await;
    let signed = |signer: &Signer, namespace: &str, statement: &ReviewStatement| {
        let signature = signed_by(signer, namespace, statement);
        json!({ "decision": "approved", "signature": signature })
    };
    let path = format!("{}/approvals", version_path("1.0.0"));
    // Another key, another purpose, other bytes, other policies, another version.
    let changed = |change: fn(&mut ReviewStatement)| {
        let mut changed = statement.clone();
        change(&mut changed);
        signed(&key, REVIEW_NAMESPACE, &changed)
    };
    for (wrong, code) in [
        (signed(&other, REVIEW_NAMESPACE, &statement), "invalid-signature"),
        (signed(&key, RELEASE_NAMESPACE, &statement), "invalid-signature"),
        (changed(|statement| statement.digest = Digest::of(b"other")), "status-conflict"),
        (changed(|statement| statement.policies.push(9_999)), "status-conflict"),
        (changed(|statement| statement.version = "1.0.1".parse().unwrap()), "invalid-statement"),
        (changed(|statement| statement.registry = "other".to_owned()), "invalid-statement"),
        (changed(|statement| statement.verdict = Decision::Rejected), "invalid-statement"),
    ] {
        let status = if code == "status-conflict" { 409 } else { 422 };
        app.post(&path, &rita, wrong).await.fails(status, code);
    }
    let good = app.post(&path, &rita, signed(&key, REVIEW_NAMESPACE, &statement)).await.is(200);
    assert_eq!((&good["status"], &good["decisions"][0]["signed"]), (&json!("published"), &json!(true)));
    let reviews = app.get(&format!("{}/reviews", version_path("1.0.0"))).await.is(200);
    assert_eq!(reviews["reviews"][0]["public_key"], key.public_key());
    let entry = app.last("version.approved").await;
    assert_eq!(entry["event"]["signature"]["key"], key.fingerprint());
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_of_one_stage_and_a_rejection_come_in_the_same_instant() {
    let app = TestApp::new().await;
    let People { author, rita, rob, sam, .. } = app.company().await;
    app.demand(json!({ "stages": [{ "name": "review" }, { "name": "security", "group": "security" }] }))
        .await;
    for round in 0..6 {
        let version = format!("1.0.{round}");
        app.publish_it(&author, &version, json!({})).await;
        let path = format!("{}/approvals", version_path(&version));
        let reject = app.post(&path, &sam, json!({ "decision": "rejected", "comment": "no" }));
        let (one, two, three) = tokio::join!(app.accept(&rita, &version), app.accept(&rob, &version), reject);
        // One of them completes the stage, and the next one is asked for nobody of theirs; nothing is released.
        let approved = [&one, &two].iter().filter(|answer| answer.status.as_u16() == 200).count();
        assert!(approved <= 1, "{one:?} {two:?}");
        three.is(200);
        assert_eq!(app.standing(&rob, &version).await["status"], "rejected");
    }
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_version_is_released_by_an_admin_and_by_no_approval() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "review": { "days": 30 } })).await;
    app.publish_it(&author, "1.0.0", json!({})).await;
    app.accept(&rita, "1.0.0").await.is(200);
    let quarantine = format!("{}/quarantine", version_path("1.0.0"));
    app.put(&quarantine, ADMIN, json!({ "reason": "sends mails away" })).await.is(200);
    app.accept(&rob, "1.0.0").await.fails(409, "status-conflict");
    app.app.environment.advance_seconds(40 * DAY);
    assert_eq!(review_overdue(&app.app).await.unwrap(), 0);
    app.delete(&quarantine, ADMIN).await.is(200);
    assert_eq!(review_overdue(&app.app).await.unwrap(), 1);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_policy_that_a_namespace_had_is_shown() {
    let app = TestApp::new().await;
    let People { author, .. } = app.company().await;
    app.demand(json!({ "approvals": 1 })).await;
    app.demand(stages()).await;
    for other in ["acme/other", "acme2", "acme/my_tools", "acme/my-tools-2"] {
        if other == "acme2" {
            app.post("/api/v1/orgs", ADMIN, json!({ "name": "acme2" })).await.is(201);
        }
        app.put(&format!("/api/v1/orgs/{other}/policy"), ADMIN, json!({ "approvals": 2 })).await.is(200);
    }
    app.delete("/api/v1/orgs/acme/policy", ADMIN).await.is(200);
    let history = app.get_as(&author, "/api/v1/orgs/acme/policy/history").await.is(200);
    let changes = history["changes"].as_array().unwrap();
    assert_eq!((changes.len(), &changes[0]["policy"], &changes[0]["by"]), (3, &Value::Null, &json!("admin")));
    assert_eq!(changes[1]["policy"]["stages"][2]["name"], "release");
    assert_eq!(changes[2]["policy"], json!({ "approvals": 1, "role": "reviewer" }));
    let page = app.get_as(&author, "/api/v1/orgs/acme/policy/history?limit=1&offset=1").await.is(200);
    assert_eq!((&page["total"], page["changes"].as_array().unwrap().len()), (&json!(3), 1));
    assert_eq!(page["changes"][0], changes[1]);
    // Signs that are equal in names are equal here.
    app.delete("/api/v1/orgs/acme/my.tools/policy", ADMIN).await.is(200);
    let history = app.get_as(&author, "/api/v1/orgs/acme/my-tools/policy/history").await.is(200);
    let names: Vec<&str> =
        history["changes"].as_array().unwrap().iter().map(|row| row["namespace"].as_str().unwrap()).collect();
    assert_eq!((names, &history["total"]), (vec!["acme/my.tools", "acme/my_tools"], &json!(2)));
    let stranger = app.user("stranger", SCOPES).await;
    app.get_as(&stranger, "/api/v1/orgs/acme/policy/history").await.fails(404, "org-not-found");
    app.call(Method::GET, "/api/v1/orgs/acme/policy/history", "", None).await.fails(401, "unauthenticated");
}
