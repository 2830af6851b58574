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
    // Who yanks what asked for less is measured against it still.
    app.put(&format!("{}/yank", version_path("1.0.2")), &author, json!({ "reason": "" })).await.is(200);
    assert_eq!(app.publish_it(&author, "1.0.3", asking(true)).await["status"], "pending");
    assert_eq!(app.publish_it(&author, "1.0.4", asking(false)).await["status"], "published");
    app.audit().await;
}
