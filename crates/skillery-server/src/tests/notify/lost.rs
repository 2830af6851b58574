//! Who loses sight of something after it was told, and before it is sent or read.

use serde_json::json;

use super::{ADMIN, Postbox, Receiver, TestApp};

fn about(lines: Vec<String>, what: &str) -> Vec<String> {
    lines.into_iter().filter(|line| line.contains(what)).collect()
}

/// Takes away from anna what lets her see `acme/tool`.
async fn lose(app: &TestApp, how: &str) {
    if how == "membership" {
        app.delete("/api/v1/orgs/acme/members/anna", ADMIN).await.is(204);
    } else {
        let path = "/api/v1/skills/acme/tool/visibility";
        app.put(path, ADMIN, json!({ "visibility": "private" })).await.is(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_seen_any_more_is_neither_mailed_nor_sent_nor_read() {
    for how in ["membership", "visibility"] {
        let (postbox, receiver) = (Postbox::start(), Receiver::start().await);
        let app = TestApp::with_mail_and_hooks(&postbox).await;
        app.publish("acme/tool", "1.0.0").await;
        app.user("anna", &["read"]).await;
        if how == "membership" {
            app.member("acme", "anna", "reader").await;
            lose(&app, "visibility").await;
        }
        let anna = app.token(json!({ "user": "anna", "scopes": ["read", "admin"] })).await;
        app.mailed(&postbox, &anna, "anna@example.org").await;
        app.install_as(&anna, "acme/tool", "1.0.0").await;
        app.prefer(&anna, "version-published", true, "immediate", true).await;
        let hook = app.hook(&anna, json!({ "url": receiver.url() })).await;
        app.quiet(&postbox).await;
        app.publish("acme/tool", "1.1.0").await;
        assert_eq!(about(app.told(&anna).await, "tool"), ["acme/tool 1.1.0 was published"], "{how}");
        // Her receiver has no time for it yet; her mail is gathered.
        receiver.answers(500, "");
        app.send_due().await;
        receiver.take();
        receiver.answers(200, "");
        lose(&app, how).await;
        app.wait(60);
        app.send_due().await;
        assert!(receiver.take().is_empty() && postbox.take().is_empty(), "{how}");
        // There is nothing left to say, and so it is done, and not waiting for the time when she sees it again.
        let delivery = app.deliveries(&anna, &hook, "").await.remove(0);
        assert_eq!((&delivery["kind"], &delivery["state"]), (&json!("version-published"), &json!("done")));
        let again = app.redeliver(&anna, &hook, json!({ "delivery": delivery["id"] })).await.is(200);
        assert_eq!(again["redelivered"], 1);
        app.send_due().await;
        assert!(receiver.take().is_empty(), "{how}");
        assert!(about(app.told(&anna).await, "tool").is_empty(), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_manages_a_namespace_no_more_hears_no_more_of_what_happens_to_it() {
    let (postbox, receiver) = (Postbox::start(), Receiver::start().await);
    let app = TestApp::with_mail_and_hooks(&postbox).await;
    app.publish("acme/deep/tool", "1.0.0").await;
    let (ada, bert) = (app.user("ada", &["read", "admin"]).await, app.user("bert", &["read", "admin"]).await);
    for name in ["ada", "bert"] {
        app.member("acme", name, "admin").await;
    }
    app.mailed(&postbox, &ada, "ada@example.org").await;
    app.hook(&ada, json!({ "url": receiver.url() })).await;
    app.quiet(&postbox).await;
    receiver.take();
    let theirs = json!({ "url": "https://hooks.example.org/", "namespace": "acme/deep" });
    let theirs = app.hook(&bert, theirs).await;
    let added = "a webhook to hooks.example.org was added, which is sent what happens in acme/deep";
    for token in [&ada, &bert] {
        assert_eq!(about(app.told(token).await, "acme/deep"), [added]);
    }
    let unread = app.notifications(&ada).await["unread"].as_u64().unwrap();
    app.delete("/api/v1/orgs/acme/members/ada", ADMIN).await.is(204);
    app.wait(60);
    app.send_due().await;
    assert!(receiver.take().is_empty() && postbox.take().is_empty());
    // What became of her role she is told, in its place.
    assert_eq!(
        about(app.told(&ada).await, "acme"),
        ["your role in acme was taken away", "you have the role admin in acme"]
    );
    assert_eq!(app.notifications(&ada).await["unread"], unread);
    // A lesser role does not let her see it, either; hers of before does.
    app.member("acme", "ada", "reviewer").await;
    assert!(about(app.told(&ada).await, "acme/deep").is_empty());
    app.member("acme", "ada", "admin").await;
    assert_eq!(about(app.told(&ada).await, "acme/deep"), [added]);
    assert_eq!(about(app.told(&bert).await, "acme/deep"), [added]);
    let path = format!("/api/v1/notifications/webhooks/{}", theirs["id"].as_str().unwrap());
    app.delete(&path, &bert).await.is(204);
}
