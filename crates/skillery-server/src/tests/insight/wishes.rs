//! What namespaces and users want told of how skills are used.

use serde_json::{Value, json};

use super::super::{ADMIN, TestApp};
use super::DAY;

const SETTINGS: &str = "/api/v1/orgs/acme/usage/settings";
const ADOPTION: &str = "/api/v1/skills/acme/tool/usage/adoption";

fn names(board: &Value) -> Vec<String> {
    let places = board["places"].as_array().unwrap().iter();
    places.map(|place| place["name"].as_str().unwrap().to_owned()).collect()
}

/// An org of each of these, with a skill that three users have installed.
async fn used(app: &TestApp, names: &[&str]) -> Vec<String> {
    let mut owners = Vec::new();
    for name in names {
        let owner = app.user(name, &["read", "publish", "admin"]).await;
        let id = format!("org-{name}/deep/tool");
        app.post("/api/v1/skills", &owner, super::skill(&id, "1.0.0")).await.is(201);
        owners.push(owner);
    }
    for user in ["anna", "ben", "carl"] {
        let token = app.user(user, &["read"]).await;
        for name in names {
            app.install(&token, &format!("org-{name}/deep/tool"), "1.0.0").await;
        }
    }
    app.settle().await;
    owners
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_be_on_no_board_is_on_none_at_once() {
    let app = TestApp::new().await;
    let owners = used(&app, &["one", "two"]).await;
    let me = "/api/v1/leaderboards/me";
    let authors = "/api/v1/leaderboards?of=authors";
    let teams = "/api/v1/leaderboards?of=teams";
    assert_eq!(names(&app.get(authors).await.is(200)), ["one", "two"]);
    assert_eq!(app.get_as(&owners[0], me).await.is(200), json!({ "listed": true }));
    // No waiting for the minute that boards are kept.
    assert_eq!(app.put(me, &owners[0], json!({ "listed": false })).await.is(200), json!({ "listed": false }));
    app.put(me, &owners[0], json!({ "listed": false })).await.is(200);
    assert_eq!(names(&app.get(authors).await.is(200)), ["two"]);
    // The org is its own matter.
    assert_eq!(names(&app.get(teams).await.is(200)), ["org-one", "org-two"]);
    app.put(me, &owners[0], json!({ "listed": true })).await.is(200);
    assert_eq!(names(&app.get(authors).await.is(200)), ["one", "two"]);
    let log = app.get_as(ADMIN, "/api/v1/log?limit=200").await.is(200);
    let kinds = log["entries"].as_array().unwrap().iter().map(|entry| entry["event"]["kind"].clone());
    assert_eq!(kinds.filter(|kind| kind == "user.listed").count(), 2);
    // Below the org, what is there counts nowhere, for the author neither.
    let settings = "/api/v1/orgs/org-one/deep/usage/settings";
    app.put(settings, &owners[0], json!({ "leaderboards": false })).await.is(200);
    assert_eq!(names(&app.get(teams).await.is(200)), ["org-two"]);
    assert_eq!(names(&app.get(authors).await.is(200)), ["two"]);
    app.put(settings, &owners[0], json!({})).await.is(200);
    assert_eq!(names(&app.get(teams).await.is(200)), ["org-one", "org-two"]);
    app.put("/api/v1/orgs/org-one/usage/settings", &owners[0], json!({ "leaderboards": false }))
        .await
        .is(200);
    assert_eq!(names(&app.get(authors).await.is(200)), ["two"]);
    let below = app.get_as(&owners[0], settings).await.is(200);
    assert_eq!((&below["leaderboards"], &below["effective_leaderboards"]), (&json!(true), &json!(false)));
    // A token that is bound is for its namespace and not for its user.
    let bound = json!({ "user": "two", "scopes": ["read", "admin"], "namespaces": ["org-two"] });
    let bound = app.token(bound).await;
    app.put(me, &bound, json!({ "listed": false })).await.fails(403, "token-out-of-bounds");
    app.get(me).await.fails(401, "unauthenticated");
    app.put(me, &owners[0], json!({})).await.fails(422, "invalid-field");
    let reader = app.token(json!({ "user": "two", "scopes": ["read"] })).await;
    app.put(me, &reader, json!({ "listed": false })).await.fails(403, "insufficient-scope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_withholds_more_than_the_registry_and_never_less() {
    let app = TestApp::with(|settings| settings.insight.k = 2).await;
    app.publish("acme/tool", "1.0.0").await;
    for user in ["anna", "ben", "carl"] {
        let token = app.user(user, &["read", "admin"]).await;
        app.install(&token, "acme/tool", "1.0.0").await;
    }
    app.settle().await;
    assert_eq!(app.get(ADOPTION).await.is(200)["consumers"], 3);
    let owner = app.user("olga", &["read", "admin"]).await;
    app.get_as(&owner, SETTINGS).await.fails(404, "org-not-found");
    app.put(SETTINGS, &owner, json!({ "k": 5 })).await.fails(403, "forbidden");
    app.member("acme", "olga", "admin").await;
    let unset = json!({ "namespace": "acme", "k": null, "leaderboards": true, "effective_k": 2,
        "effective_leaderboards": true });
    assert_eq!(app.get_as(&owner, SETTINGS).await.is(200), unset);
    for wrong in [json!(1), json!(0), json!(1_001)] {
        app.put(SETTINGS, &owner, json!({ "k": wrong })).await.fails(422, "invalid-field");
    }
    for wrong in [json!(-1), json!(2.5), json!("5")] {
        app.put(SETTINGS, &owner, json!({ "k": wrong })).await.fails(422, "invalid-field");
    }
    app.put(SETTINGS, &owner, json!({ "k": 5, "more": 1 })).await.fails(422, "unknown-field");
    let set = app.put(SETTINGS, &owner, json!({ "k": 5 })).await.is(200);
    assert_eq!((&set["k"], &set["effective_k"]), (&json!(5), &json!(5)));
    // At once, whatever was kept before.
    let told = app.get(ADOPTION).await.is(200);
    assert_eq!((&told["consumers"], &told["k"]), (&Value::Null, &json!(5)));
    let seen = app.get_as(&owner, ADOPTION).await.is(200);
    assert_eq!((&seen["consumers"], &seen["k"]), (&json!(3), &json!(5)));
    let installs = app.get("/api/v1/skills/acme/tool/usage/installs").await.is(200);
    assert_eq!((&installs["programs"], &installs["k"]), (&json!([]), &json!(5)));
    let org = app.get_as(&owner, "/api/v1/orgs/acme/usage").await.is(200);
    assert_eq!(org["k"], 5);
    for of in ["teams", "authors"] {
        let place = app.get(&format!("/api/v1/leaderboards?of={of}")).await.is(200)["places"][0].clone();
        assert_eq!((&place["consumers"], &place["k"]), (&Value::Null, &json!(5)), "{of}");
    }
    // Below, what is above holds.
    let below = "/api/v1/orgs/acme/deep/usage/settings";
    assert_eq!(app.put(below, &owner, json!({ "k": 3 })).await.is(200)["effective_k"], 5);
    assert_eq!(app.put(SETTINGS, &owner, json!({ "k": null })).await.is(200)["effective_k"], 2);
    assert_eq!(app.get_as(&owner, below).await.is(200)["effective_k"], 3);
    assert_eq!(app.get(ADOPTION).await.is(200)["consumers"], 3);
    // The same again is no change.
    let size = app.get_as(ADMIN, "/api/v1/log").await.is(200)["size"].clone();
    app.put(SETTINGS, &owner, json!({ "k": null })).await.is(200);
    assert_eq!(app.get_as(ADMIN, "/api/v1/log").await.is(200)["size"], size);
    let audit = app.get_as(&owner, "/api/v1/audit?namespace=acme&action=insight.set").await.is(200);
    assert_eq!(audit["entries"].as_array().unwrap().len(), 3, "{audit}");
    app.get_as(ADMIN, "/api/v1/orgs/nobody/usage/settings").await.fails(404, "org-not-found");
    app.put("/api/v1/orgs/nobody/usage/settings", ADMIN, json!({})).await.fails(404, "org-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withheld_is_no_difference_of_what_is_told_beside_it() {
    let app = TestApp::with(|settings| settings.insight.k = 3).await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "2.0.0").await;
    app.install("", "acme/tool", "1.0.0").await;
    app.install("", "acme/tool", "1.0.0").await;
    app.settle().await;
    // The whole is told by day; so of two downloads it is not said with which program.
    let installs = app.get("/api/v1/skills/acme/tool/usage/installs").await.is(200);
    assert_eq!((&installs["total"], &installs["programs"]), (&json!(2), &json!([])));
    let mut tokens = Vec::new();
    for number in 0..8 {
        tokens.push(app.user(&format!("user{number}"), &["read"]).await);
    }
    app.install(&tokens[0], "acme/tool", "1.0.0").await;
    app.days(40).await;
    for token in &tokens[1..] {
        app.install(token, "acme/tool", "1.0.0").await;
    }
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({})).await.is(200);
    app.settle().await;
    // Seven in the last days, and eight in all, would be one before.
    let told = app.get(ADOPTION).await.is(200);
    assert_eq!(told["consumers"], 7);
    assert_eq!(told["withdrawn"][0]["consumers"], Value::Null);
    assert_eq!(app.get_as(ADMIN, ADOPTION).await.is(200)["withdrawn"][0]["consumers"], 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_out_is_kept_until_it_is_another_and_for_nobody_who_sees_something_else() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish_seen("acme/hidden", "1.0.0", &["acme/tool"], "private").await;
    let mia = app.user("mia", &["read"]).await;
    let reached = "/api/v1/skills/acme/tool/dependents";
    for _ in 0..2 {
        assert_eq!(app.get_as(ADMIN, reached).await.is(200)["total"], 1);
        assert_eq!(app.get(reached).await.is(200)["total"], 0);
        assert_eq!(app.get_as(&mia, reached).await.is(200)["total"], 0);
    }
    // A role, a visibility, a version: each is seen at once.
    app.member("acme", "mia", "reader").await;
    assert_eq!(app.get_as(&mia, reached).await.is(200)["total"], 1);
    let visible = "/api/v1/skills/acme/hidden/visibility";
    app.put(visible, ADMIN, json!({ "visibility": "public" })).await.is(204);
    assert_eq!(app.get(reached).await.is(200)["total"], 1);
    app.publish_needing("acme/more", "1.0.0", &["acme/hidden"]).await;
    assert_eq!(app.get(reached).await.is(200)["total"], 2);
    let near = app.get(&format!("{reached}?depth=1&version=2.0.0")).await.is(200);
    assert_eq!((&near["total"], &near["direct"]), (&json!(1), &json!(1)));
    // Who has what is seen as soon as it is written.
    assert_eq!(app.get(ADOPTION).await.is(200)["consumers"], 0);
    app.install(&mia, "acme/tool", "1.0.0").await;
    app.settle().await;
    assert_eq!(app.get(ADOPTION).await.is(200)["consumers"], 1);
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({})).await.is(200);
    let seen = app.get_as(ADMIN, ADOPTION).await.is(200);
    assert_eq!(seen["withdrawn"][0]["users"], json!(["mia"]));
    assert!(app.get(ADOPTION).await.is(200)["withdrawn"][0].get("users").is_none());
    app.app.environment.advance_seconds(29 * DAY);
    assert_eq!(app.get(ADOPTION).await.is(200)["consumers"], 0);
}
