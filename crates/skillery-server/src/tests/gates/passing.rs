//! What a new version is measured against.

use super::*;

fn asking(hosts: bool) -> Value {
    let table = if hosts { "# hosts = [\"api.example.com:443\"]\n" } else { "" };
    let code = format!(
        "# /// script\n# [tool.skillery.permissions]\n{table}# ///\ndef tool(text):\n    return text\n"
    );
    json!({ "code_hash": Digest::of(code.as_bytes()).to_string(), "code": code })
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_and_patches_are_measured_against_the_same_version() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "auto": { "patches": true } })).await;
    app.publish_it(&author, "1.0.0", asking(false)).await;
    app.accept(&rita, "1.0.0").await.is(200);
    // What a prerelease may do, a patch may not.
    app.publish_it(&author, "1.1.0-rc.1", asking(true)).await;
    app.accept(&rita, "1.1.0-rc.1").await.is(200);
    assert_eq!(app.publish_it(&author, "1.0.1", asking(true)).await["status"], "pending");
    let facts = app.standing(&rita, "1.0.1").await["facts"].clone();
    let facts = facts.as_array().unwrap();
    assert!(facts.contains(&json!("patch")) && facts.contains(&json!("new-permissions")), "{facts:?}");
    app.accept(&rita, "1.0.1").await.is(200);
    assert_eq!(app.publish_it(&author, "1.0.2", asking(false)).await["status"], "published");
    // What was approved once is not new, and what passed since is shown with the next that waits.
    assert_eq!(app.publish_it(&author, "1.0.3", asking(true)).await["status"], "published");
    assert_eq!(app.base(&rita, "1.0.3").await, "1.0.1");
    app.publish_it(&author, "1.2.0", asking(false)).await;
    app.accept(&rita, "1.2.0").await.is(200);
    // Who yanks what asked for less is measured against it still.
    app.put(&format!("{}/yank", version_path("1.2.0")), &author, json!({ "reason": "" })).await.is(200);
    assert_eq!(app.publish_it(&author, "1.2.1", asking(true)).await["status"], "pending");
    assert_eq!(app.base(&rita, "1.2.1").await, "1.2.0");
    assert_eq!(app.publish_it(&author, "1.2.2", asking(false)).await["status"], "published");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_diff_and_the_policy_compare_with_the_same_version() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.company().await;
    app.demand(json!({ "approvals": 1 , "auto": { "patches": true } })).await;
    for (version, hosts, new) in [
        ("1.0.0", false, false),
        ("2.0.0", true, true),
        // Below the highest, and for what comes behind a prerelease.
        ("1.0.1", true, true),
        ("3.0.0", false, false),
        ("3.1.0-rc.1", true, true),
        ("3.1.0", true, true),
    ] {
        app.publish_it(&author, version, asking(hosts)).await;
        let facts = app.standing(&rita, version).await["facts"].clone();
        assert_eq!(facts.as_array().unwrap().contains(&json!("new-permissions")), new, "{version}: {facts}");
        let diff = app.get_as(&rita, &format!("{}/diff", version_path(version))).await.is(200);
        assert_eq!(
            diff["permissions"].as_array().unwrap().iter().any(|row| row["added"] != json!([])),
            new,
            "{version}"
        );
        app.accept(&rita, version).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_meanwhile_changes_the_diff_and_no_fact() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.company().await;
    app.demand(json!({ "approvals": 1, "auto": { "patches": true } })).await;
    app.publish_it(&author, "1.0.0", asking(false)).await;
    app.accept(&rita, "1.0.0").await.is(200);
    for version in ["1.1.0", "1.2.0"] {
        app.publish_it(&author, version, asking(true)).await;
    }
    // What it is compared with, whether it asks for more than that, and whether it did so when it was published.
    let looked_at = async || {
        let diff = app.get_as(&rita, &format!("{}/diff", version_path("1.2.0"))).await.is(200);
        let asks_for_more =
            diff["permissions"].as_array().unwrap().iter().any(|row| row["added"] != json!([]));
        let facts = app.standing(&rita, "1.2.0").await["facts"].clone();
        let is_fact = facts.as_array().unwrap().contains(&json!("new-permissions"));
        (diff["from"]["version"].clone(), asks_for_more, is_fact)
    };
    assert_eq!(looked_at().await, (json!("1.0.0"), true, true));
    app.accept(&rita, "1.1.0").await.is(200);
    assert_eq!(looked_at().await, (json!("1.1.0"), false, true));
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_released_by_force_makes_nothing_old() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.company().await;
    let owner = app.user("olga", SCOPES).await;
    app.member("acme", "olga", "owner").await;
    let force = async |version: &str| {
        let path = format!("{}/break-glass", version_path(version));
        app.post(&path, &owner, json!({ "reason": "now" })).await.is(200);
    };
    app.demand(json!({ "approvals": 1, "auto": { "patches": true } })).await;
    // Of what nobody has ever approved, the next one is the first.
    app.publish_it(&author, "1.0.0", asking(false)).await;
    force("1.0.0").await;
    let next = app.publish_it(&author, "1.0.1", asking(false)).await;
    assert_eq!(next["status"], "pending");
    let facts = app.standing(&rita, "1.0.1").await["facts"].clone();
    assert!(facts.as_array().unwrap().contains(&json!("first-version")), "{facts}");
    assert_eq!(app.base(&rita, "1.0.1").await, Value::Null);
    app.accept(&rita, "1.0.1").await.is(200);
    assert_eq!(app.publish_it(&author, "1.0.2", asking(false)).await["status"], "published");
    // What it asks for is new still, and it is no version to be a patch of.
    app.publish_it(&author, "2.0.0", asking(true)).await;
    force("2.0.0").await;
    for (version, hosts) in [("2.0.1", true), ("2.0.2", false)] {
        assert_eq!(app.publish_it(&author, version, asking(hosts)).await["status"], "pending", "{version}");
        assert_eq!(app.base(&rita, version).await, "1.0.1");
    }
    // Once it was approved, it is as any other.
    app.accept(&rita, "2.0.0").await.is(200);
    assert_eq!(app.publish_it(&author, "2.0.3", asking(true)).await["status"], "published");
    app.audit().await;
}

impl TestApp {
    /// What a version is compared with.
    async fn base(&self, token: &str, version: &str) -> Value {
        let diff = self.get_as(token, &format!("{}/diff", version_path(version))).await.is(200);
        diff["from"]["version"].clone()
    }
}
