//! Who has somebody's token changes nothing about how they are told without being seen, and what else is told.

use serde_json::{Value, json};

use super::hooks::hooked;
use super::mail::code;
use super::{ADMIN, Postbox, Receiver, TestApp};
use crate::approvals::review_overdue;
use crate::audit;

async fn trail(app: &TestApp, action: &str) -> Vec<Value> {
    audit::flush(&app.app, true).await.unwrap();
    let path = format!("/api/v1/audit?action={action}&limit=200");
    app.get_as(ADMIN, &path).await.is(200)["entries"].as_array().unwrap().clone()
}

fn texts(told: &[String]) -> Vec<&str> {
    told.iter().map(String::as_str).filter(|text| !text.starts_with("the token ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_are_added_and_changed_are_told_and_leave_a_trace() {
    let (postbox, receiver) = (Postbox::start(), Receiver::start().await);
    let app = TestApp::with_mail_and_hooks(&postbox).await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.reader(&postbox, "anna").await;
    app.quiet(&postbox).await;
    // Whoever has the token switches off first what would tell of it.
    app.prefer(&anna, "access-changed", false, "off", false).await;
    app.send_due().await;
    let letter = postbox.take().remove(0);
    assert_eq!(letter.to, ["anna@example.org"]);
    assert_eq!(
        letter.header("Subject").unwrap(),
        "[registry.example] you are told less of what changes what you may do"
    );
    assert!(letter.plain().contains("https://registry.example/account/tokens"), "{}", letter.plain());
    let hook = app.hook(&anna, json!({ "url": receiver.url() })).await;
    app.send_due().await;
    let letter = postbox.take().remove(0);
    let added = "a webhook to 127.0.0.1 was added, which is sent what you are told";
    assert_eq!(letter.header("Subject").unwrap(), format!("[registry.example] {added}"));
    assert_eq!(app.told(&anna).await[0], added);
    // What has arrived at one address is not sent to another; what has not, is.
    let arrived = app.try_out(&anna, &hook).await;
    app.send_due().await;
    app.wait(1);
    let other = Receiver::start().await;
    app.change(&anna, &hook, json!({ "url": other.url() })).await.is(200);
    app.send_due().await;
    assert_eq!(app.told(&anna).await[0], "your webhook to 127.0.0.1 was changed");
    assert_eq!(postbox.take().len(), 1);
    app.redeliver(&anna, &hook, json!({ "delivery": arrived })).await.fails(404, "webhook-not-found");
    // Choosing other kinds again and again fills no mailbox.
    for number in 0..6 {
        let kind = if number % 2 == 0 { "finding" } else { "version-yanked" };
        app.change(&anna, &hook, json!({ "kinds": [kind] })).await.is(200);
    }
    app.send_due().await;
    assert_eq!(postbox.take().len(), 1);
    app.delete(&format!("/api/v1/notifications/webhooks/{}", hook["id"].as_str().unwrap()), &anna)
        .await
        .is(204);
    let rows = trail(&app, "webhook.").await;
    let actions: Vec<&str> = rows.iter().rev().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions[..3], ["webhook.added", "webhook.tested", "webhook.changed"]);
    assert_eq!(actions.last(), Some(&"webhook.removed"));
    for row in &rows {
        assert_eq!(
            (&row["actor"], &row["affected"], &row["subject"], &row["outcome"], &row["log_index"]),
            (&json!("anna"), &json!("anna"), &hook["id"], &json!("allowed"), &Value::Null)
        );
        assert!(row["token"].is_string() && !row.to_string().contains("127.0.0.1"), "{row}");
    }
    assert_eq!(trail(&app, "notifications.preferences-set").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_of_a_namespace_leaves_a_trace_for_its_admins() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    app.publish("acme/tool", "1.0.0").await;
    let hook = app.hook(ADMIN, json!({ "url": receiver.url(), "namespace": "acme" })).await;
    app.change(ADMIN, &hook, json!({ "url": format!("{}/else", receiver.url()) })).await.is(200);
    let rows = trail(&app, "webhook.changed").await;
    assert_eq!((&rows[0]["namespace"], &rows[0]["subject"]), (&json!("acme"), &hook["id"]));
    let ada = app.user("ada", &["read", "admin"]).await;
    app.member("acme", "ada", "admin").await;
    let seen = app.get_as(&ada, "/api/v1/audit?action=webhook.changed").await.is(200);
    assert_eq!(seen["entries"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_to_the_address_before_until_another_is_confirmed_and_it_is_told_there() {
    let postbox = Postbox::start();
    let (app, anna) = TestApp::with_reader(&postbox).await;
    let set = async |address: &str| {
        app.put("/api/v1/notifications/email", &anna, json!({ "address": address })).await.is(200)
    };
    let state = set("thief@example.net").await;
    assert_eq!(
        (&state["address"], &state["pending"], state["confirmed_at"].is_string()),
        (&json!("anna@example.org"), &json!("thief@example.net"), true)
    );
    app.publish("acme/tool", "1.1.0").await;
    app.tell().await;
    app.wait(31);
    app.send_due().await;
    let mut letters = postbox.take();
    letters.sort_by_key(|letter| letter.header("Subject"));
    let seen: Vec<(String, String)> =
        letters.iter().map(|letter| (letter.to[0].clone(), letter.header("Subject").unwrap())).collect();
    let line = |to: &str, subject: &str| (to.to_owned(), format!("[registry.example] {subject}"));
    assert_eq!(
        seen,
        [
            line("anna@example.org", "acme/tool 1.1.0 was published"),
            line("anna@example.org", "an address for your mail was named"),
            line("thief@example.net", "confirm this address"),
        ]
    );
    // Its owner takes it back by setting the one that there is.
    let state = set("anna@example.org").await;
    assert_eq!((&state["pending"], state["confirmed_at"].is_string()), (&Value::Null, true));
    let confirm = async |code: String| {
        app.post("/api/v1/notifications/email/confirm", &anna, json!({ "code": code })).await
    };
    confirm(code(&letters[2])).await.is(200);
    assert_eq!(app.get_as(&anna, "/api/v1/notifications/email").await.is(200)["address"], "anna@example.org");
    // One that is confirmed is used, and the one before hears of it, and so does one that is removed.
    set("anna@elsewhere.example").await;
    app.send_due().await;
    let letters = postbox.take();
    let letter = letters.iter().find(|letter| letter.to == ["anna@elsewhere.example"]).unwrap();
    let state = confirm(code(letter)).await.is(200);
    assert_eq!((&state["address"], &state["pending"]), (&json!("anna@elsewhere.example"), &Value::Null));
    app.send_due().await;
    let letter = postbox.take().remove(0);
    assert_eq!(letter.to, ["anna@example.org"]);
    assert!(
        letter.plain().contains("your mail goes to an address that was confirmed just now"),
        "{}",
        letter.plain()
    );
    app.delete("/api/v1/notifications/email", &anna).await.is(204);
    app.send_due().await;
    let letter = postbox.take().remove(0);
    assert_eq!(letter.to, ["anna@elsewhere.example"]);
    assert!(letter.plain().contains("your address for mail was removed"));
    assert_eq!(
        texts(&app.told(&anna).await)[..3],
        [
            "your address for mail was removed",
            "your mail goes to an address that was confirmed just now",
            "an address for your mail was named",
        ]
    );
    let rows = trail(&app, "mail.").await;
    let actions: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions[..4],
        ["mail.address-removed", "mail.address-confirmed", "mail.address-set", "mail.address-set"]
    );
    // Whose mail it is, is none of the audit's.
    assert!(
        rows.iter().all(|row| row["actor"] == "anna" && !row.to_string().contains("example")),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_bound_reads_and_marks_what_is_there_alone() {
    let receiver = Receiver::start().await;
    let (app, anna, _) = hooked(&receiver).await;
    app.publish("beta/tool", "1.0.0").await;
    app.member("beta", "anna", "reader").await;
    app.publish("acme/tool", "1.1.0").await;
    let bound = json!({ "user": "anna", "scopes": ["read"], "namespaces": ["acme"] });
    let bound = app.token(bound).await;
    let all = app.told(&anna).await;
    assert!(all.contains(&"you have the role reader in beta".to_owned()), "{all:?}");
    assert_eq!(app.told(&bound).await, ["acme/tool 1.1.0 was published"]);
    let unread = async || app.notifications(&anna).await["unread"].as_u64().unwrap();
    let (before, ids) = (unread().await, app.notifications(&anna).await);
    let ids: Vec<&Value> = ids["notifications"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    let request = json!({ "ids": ids, "up_to": i64::MAX });
    let left = app.post("/api/v1/notifications/read", &bound, request.clone()).await.is(200);
    assert_eq!((left["unread"].as_u64(), unread().await), (Some(0), before - 1));
    app.post("/api/v1/notifications/read", &anna, request).await.is(200);
    assert_eq!(unread().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_reviewed_or_released_by_force_is_told_to_those_whom_it_concerns() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let scopes = ["read", "publish", "review", "admin"];
    let (paul, rita, olga, ada) = (
        app.user("paul", &scopes).await,
        app.user("rita", &scopes).await,
        app.user("olga", &scopes).await,
        app.user("ada", &scopes).await,
    );
    for (name, role) in [("paul", "publisher"), ("rita", "reviewer"), ("olga", "owner"), ("ada", "admin")] {
        app.member("acme", name, role).await;
    }
    let zoe = app.user("zoe", &["read"]).await;
    let policy = json!({ "approvals": 1, "review": { "days": 30, "overdue": "warn" } });
    app.put("/api/v1/orgs/acme/policy", ADMIN, policy).await.is(200);
    app.post("/api/v1/skills", &paul, super::super::skill("acme/tool", "1.0.0")).await.is(202);
    let version = "/api/v1/skills/acme/tool/versions/1.0.0";
    app.post(&format!("{version}/break-glass"), &olga, json!({ "reason": "mails are lost" })).await.is(200);
    let last = async |token: &str| app.told(token).await.remove(0);
    let forced = "acme/tool 1.0.0 was released by olga without the approvals that it waited for";
    for token in [&paul, &ada, ADMIN] {
        assert_eq!(last(token).await, forced);
    }
    assert!(!app.told(&olga).await.contains(&forced.to_owned()));
    assert!(!app.told(&rita).await.contains(&forced.to_owned()));
    app.install_as(&zoe, "acme/tool", "1.0.0").await;
    app.post(&format!("{version}/approvals"), &rita, json!({ "decision": "approved" })).await.is(200);
    for token in [&paul, &zoe] {
        assert_eq!(last(token).await, "acme/tool 1.0.0 was reviewed again");
    }
    // The report names both as what they are.
    let report = app.get_as(ADMIN, "/api/v1/audit/report").await.is(200);
    let release = &report["releases"][0];
    assert_eq!(
        (&release["action"], &release["approved_by"], &release["version"]),
        (&json!("version.reviewed"), &json!(["rita"]), &json!("1.0.0"))
    );
    app.wait(31 * 86_400);
    assert!(review_overdue(&app.app).await.unwrap() > 0);
    for (token, kind) in [(&rita, "approval-asked"), (&paul, "version-due"), (&zoe, "version-due")] {
        app.tell().await;
        let told = app.get_as(token, &format!("/api/v1/notifications?kind={kind}")).await.is(200);
        let lines: Vec<&str> = told["notifications"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["text"].as_str().unwrap())
            .collect();
        assert!(lines.contains(&"acme/tool 1.0.0 is due to be reviewed again"), "{kind}: {lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_listed_by_kind() {
    let receiver = Receiver::start().await;
    let (app, anna, _) = hooked(&receiver).await;
    app.publish("acme/tool", "1.1.0").await;
    app.tell().await;
    let found = app.get_as(&anna, "/api/v1/notifications?kind=version-published").await.is(200);
    assert_eq!(found["notifications"].as_array().unwrap().len(), 1, "{found}");
    app.get_as(&anna, "/api/v1/notifications?kind=nothing").await.fails(400, "invalid-parameter");
}
