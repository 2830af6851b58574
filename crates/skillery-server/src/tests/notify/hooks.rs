//! Webhooks: what they get, and what becomes of what they do not take.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use super::{ADMIN, Receiver, TestApp};
use crate::notify;

impl TestApp {
    pub(super) async fn hook(&self, token: &str, body: Value) -> Value {
        self.post("/api/v1/notifications/webhooks", token, body).await.is(201)
    }

    pub(super) async fn deliveries(&self, token: &str, hook: &Value, query: &str) -> Vec<Value> {
        let path =
            format!("/api/v1/notifications/webhooks/{}/deliveries{query}", hook["id"].as_str().unwrap());
        self.get_as(token, &path).await.is(200)["deliveries"].as_array().unwrap().clone()
    }

    pub(super) async fn change(&self, token: &str, hook: &Value, body: Value) -> super::Answer {
        let path = format!("/api/v1/notifications/webhooks/{}", hook["id"].as_str().unwrap());
        self.call(Method::PATCH, &path, token, Some(body)).await
    }

    pub(super) async fn try_out(&self, token: &str, hook: &Value) -> Value {
        let path = format!("/api/v1/notifications/webhooks/{}/test", hook["id"].as_str().unwrap());
        self.post(&path, token, json!({})).await.is(202)["delivery"].clone()
    }

    /// Has these wait for the webhook.
    pub(super) async fn wait_for_hook(&self, hook: &Value, ids: &[String]) {
        let (hook, now) = (hook["id"].as_str().unwrap(), self.app.environment.now().micros());
        for some in ids.chunks(200) {
            let row = |id: &String| {
                format!(
                    "('{id}', 'webhook', (SELECT user_id FROM webhooks WHERE id = '{hook}'), '{hook}', 'test', 'test:{id}', \
                    '{hook}', '{{}}', 'waiting', 0, {now}, {now})"
                )
            };
            let rows = some.iter().map(row).collect::<Vec<_>>().join(", ");
            self.tamper(format!(
                "INSERT INTO deliveries (id, channel, user_id, webhook, kind, source, target, body, state, attempts, next_at, \
                 created_at) VALUES {rows}"
            ))
            .await;
        }
    }

    pub(super) async fn redeliver(&self, token: &str, hook: &Value, body: Value) -> super::Answer {
        let path = format!("/api/v1/notifications/webhooks/{}/redeliver", hook["id"].as_str().unwrap());
        self.post(&path, token, body).await
    }
}

/// A user who has installed `acme/tool`, with a webhook of their own.
pub(super) async fn hooked(receiver: &Receiver) -> (TestApp, String, Value) {
    let app = TestApp::with_hooks().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "admin"]).await;
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    app.tell().await;
    let hook = app.hook(&anna, json!({ "url": receiver.url() })).await;
    (app, anna, hook)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_signed_as_standard_webhooks_say() {
    let receiver = Receiver::start().await;
    let (app, anna, hook) = hooked(&receiver).await;
    app.publish("acme/tool", "1.1.0").await;
    app.tell_and_send().await;
    let requests = receiver.take();
    let [(path, headers, body)] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(path, "/hook");
    let value: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(value["type"], "version-published");
    assert_eq!((&value["data"]["skill"], &value["data"]["version"]), (&json!("acme/tool"), &json!("1.1.0")));
    assert_eq!(value["data"]["text"], "acme/tool 1.1.0 was published");
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/json");
    let secret = hook["secret"].as_str().unwrap();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed =
        [format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes(), body].concat();
    let signature = STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed));
    assert_eq!(header("webhook-signature"), format!("v1,{signature}"));
    let deliveries = app.deliveries(&anna, &hook, "").await;
    assert_eq!(
        (&deliveries[0]["id"], &deliveries[0]["state"], &deliveries[0]["status"]),
        (&json!(header("webhook-id")), &json!("done"), &json!(200))
    );
    // The secret is shown once, and lies nowhere as it is.
    let listed = app.get_as(&anna, "/api/v1/notifications/webhooks").await.is(200);
    assert_eq!(listed["webhooks"][0]["url"], receiver.url());
    assert!(!listed.to_string().contains("secret"));
    let kept: String =
        sqlx::query_scalar("SELECT secret FROM webhooks").fetch_one(app.app.db.reader()).await.unwrap();
    assert!(!kept.contains(&secret[6..20]));
    // Preferences and kinds hold for webhooks too.
    app.prefer(&anna, "version-published", true, "off", false).await;
    app.publish("acme/tool", "1.2.0").await;
    app.prefer(&anna, "version-published", true, "off", true).await;
    app.change(&anna, &hook, json!({ "kinds": ["version-yanked"] })).await.is(200);
    app.tell().await;
    app.publish("acme/tool", "1.3.0").await;
    app.yank_it("acme/tool", "1.0.0").await.is(200);
    app.tell_and_send().await;
    let kinds: Vec<Value> = receiver.bodies().iter().map(|body| body["type"].clone()).collect();
    assert_eq!(kinds, ["version-yanked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yank_that_is_taken_back_is_sent_as_that_to_users_and_to_namespaces() {
    const YANK: &str = "/api/v1/skills/acme/tool/versions/1.0.0/yank";
    let receiver = Receiver::start().await;
    let (app, ..) = hooked(&receiver).await;
    app.hook(ADMIN, json!({ "url": receiver.url(), "namespace": "acme" })).await;
    app.tell_and_send().await;
    receiver.take();
    let sent = async || {
        app.tell_and_send().await;
        let bodies = receiver.bodies();
        bodies.iter().map(|body| (body["type"].clone(), body["data"].clone())).collect::<Vec<_>>()
    };
    app.yank_it("acme/tool", "1.0.0").await.is(200);
    for (is_taken_back, text) in
        [(false, "acme/tool 1.0.0 was yanked"), (true, "the yank of acme/tool 1.0.0 was taken back")]
    {
        if is_taken_back {
            app.delete(YANK, ADMIN).await.is(200);
        }
        let detail = if is_taken_back { json!("taken-back") } else { Value::Null };
        let sent = sent().await;
        assert_eq!(sent.len(), 2, "{sent:?}");
        for (kind, data) in sent {
            assert_eq!((&kind, &data["detail"]), (&json!("version-yanked"), &detail), "{data}");
            assert_eq!((&data["text"], &data["version"]), (&json!(text), &json!("1.0.0")), "{data}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_until_it_is_dead_and_can_be_sent_again() {
    let receiver = Receiver::start().await;
    let (app, anna, hook) = hooked(&receiver).await;
    receiver.answers(500, "<script>alert(1)</script>\u{1b}[31m De\u{301}sole\u{301}, हिन्दी\u{202e}");
    let id = app.try_out(&anna, &hook).await;
    app.send_due().await;
    let one = app.deliveries(&anna, &hook, "?state=waiting").await.remove(0);
    assert_eq!((&one["id"], &one["attempts"], &one["status"]), (&id, &json!(1), &json!(500)));
    let error = one["error"].as_str().unwrap();
    assert!(error.starts_with("`127.0.0.1` answered 500: <script>") && error.contains("\\u{1b}"), "{error}");
    assert!(error.ends_with(" De\u{301}sole\u{301}, हिन्दी\\u{202e}"), "{error}");
    app.send_due().await;
    assert_eq!(receiver.take().len(), 1);
    app.wait(86_400);
    for attempt in 2..=8 {
        app.wait(52_000);
        app.send_due().await;
        let found = app.deliveries(&anna, &hook, "").await;
        assert_eq!(found[0]["attempts"], attempt);
        if attempt == 3 {
            // It has gone well in between: it has not failed for days.
            receiver.answers(204, "");
            app.publish("acme/tool", "1.1.0").await;
            app.tell_and_send().await;
            receiver.answers(503, "");
            app.tamper(format!(
                "UPDATE deliveries SET created_at = 0 WHERE id <> '{}'",
                id.as_str().unwrap()
            ))
            .await;
        }
    }
    let ids: Vec<String> = receiver
        .take()
        .iter()
        .map(|(_, headers, _)| headers["webhook-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.iter().filter(|sent| id == sent.as_str()).count(), 7);
    let dead = app.deliveries(&anna, &hook, "?state=dead").await;
    assert_eq!((dead.len(), &dead[0]["id"], &dead[0]["next_at"]), (1, &id, &json!(null)));
    app.wait(86_400);
    app.send_due().await;
    assert!(receiver.take().is_empty());
    receiver.answers(200, "");
    let again = app.redeliver(&anna, &hook, json!({ "delivery": id })).await.is(200);
    assert_eq!(again["redelivered"], 1);
    app.send_due().await;
    assert_eq!(receiver.take()[0].1["webhook-id"], id.as_str().unwrap());
    assert!(app.deliveries(&anna, &hook, "?state=dead").await.is_empty());
    assert_eq!(app.redeliver(&anna, &hook, json!({})).await.is(200)["redelivered"], 0);
    // That something is sent again is told once, with who has asked for it; where there is nothing to send it is not.
    let rows = app.get_as(ADMIN, "/api/v1/audit?action=webhook.redelivered").await.is(200);
    let rows = rows["entries"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["actor"], &rows[0]["subject"]), (1, &json!("anna"), &hook["id"]));
    for none in ["none", "00000000-0000-7000-8000-000000000000", "\u{0}"] {
        app.redeliver(&anna, &hook, json!({ "delivery": none })).await.fails(404, "webhook-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_is_signed_for_its_own_time() {
    let receiver = Receiver::start().await;
    let (app, anna, hook) = hooked(&receiver).await;
    receiver.answers(500, "");
    let id = app.try_out(&anna, &hook).await;
    app.send_due().await;
    app.wait(60);
    app.send_due().await;
    let requests = receiver.take();
    assert_eq!(requests.len(), 2);
    let header = |number: usize, name: &str| requests[number].1[name].to_str().unwrap().to_owned();
    let time = |number: usize| header(number, "webhook-timestamp").parse::<i64>().unwrap();
    assert_eq!([id.clone(), id], [json!(header(0, "webhook-id")), json!(header(1, "webhook-id"))]);
    assert_eq!(time(1) - time(0), 60);
    assert_ne!(header(0, "webhook-signature"), header(1, "webhook-signature"));
    // Nothing of the registry goes with it that receivers are not told of.
    for (_, headers, _) in &requests {
        let names: Vec<&str> = headers.keys().map(axum::http::HeaderName::as_str).collect();
        assert!(!names.iter().any(|name| ["cookie", "authorization", "referer"].contains(name)), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_only_fails_for_days_is_switched_off_and_its_owner_is_told() {
    let receiver = Receiver::start().await;
    let (app, anna, hook) = hooked(&receiver).await;
    receiver.answers(500, "");
    for _ in 0..5 {
        app.try_out(&anna, &hook).await;
        app.send_due().await;
        app.wait(86_400 - 3_600);
    }
    let listed = app.get_as(&anna, "/api/v1/notifications/webhooks").await.is(200);
    assert!(listed["webhooks"][0]["disabled_at"].is_string());
    assert_eq!(app.told(&anna).await[0], "the webhook to 127.0.0.1 has failed for days and is off");
    assert!(app.deliveries(&anna, &hook, "?state=waiting").await.is_empty());
    receiver.take();
    app.publish("acme/tool", "1.1.0").await;
    app.tell_and_send().await;
    assert!(receiver.take().is_empty());
    receiver.answers(200, "");
    let on = app.change(&anna, &hook, json!({ "enabled": true })).await.is(200);
    assert_eq!((&on["disabled_at"], &on["failing_since"]), (&json!(null), &json!(null)));
    app.publish("acme/tool", "1.2.0").await;
    app.tell_and_send().await;
    assert_eq!(receiver.bodies()[0]["data"]["version"], "1.2.0");
    // Who says that it is gone is believed at once.
    receiver.answers(410, "");
    app.try_out(&anna, &hook).await;
    app.send_due().await;
    assert!(
        app.get_as(&anna, "/api/v1/notifications/webhooks").await.is(200)["webhooks"][0]["disabled_at"]
            .is_string()
    );
    assert_eq!(app.told(&anna).await[0], "the webhook to 127.0.0.1 wants nothing any more and is off");
    let id = hook["id"].as_str().unwrap();
    app.delete(&format!("/api/v1/notifications/webhooks/{id}"), &anna).await.is(204);
    app.delete(&format!("/api/v1/notifications/webhooks/{id}"), &anna).await.fails(404, "webhook-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_has_webhooks_that_its_admins_see_to() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    app.publish("acme/email/tool", "1.0.0").await;
    app.publish("other/tool", "1.0.0").await;
    let scopes = ["read", "admin", "publish"];
    let ada = app.user("ada", &scopes).await;
    let paul = app.user("paul", &scopes).await;
    let zoe = app.user("zoe", &scopes).await;
    app.member("acme", "ada", "admin").await;
    app.member("acme", "paul", "publisher").await;
    app.tell().await;
    let body = json!({ "url": receiver.url(), "namespace": "acme" });
    for token in [&paul, &zoe] {
        app.post("/api/v1/notifications/webhooks", token, body.clone()).await.fails(403, "forbidden");
    }
    let hook = app.hook(&ada, body).await;
    let entry = app.log().await.pop().unwrap();
    assert_eq!((&entry["event"]["kind"], &entry["event"]["webhook"]), (&json!("webhook.added"), &hook["id"]));
    assert!(!entry.to_string().contains("127.0.0.1"));
    for token in [&paul, &zoe] {
        app.change(token, &hook, json!({ "enabled": false })).await.fails(404, "webhook-not-found");
        let id = hook["id"].as_str().unwrap();
        app.get_as(token, &format!("/api/v1/notifications/webhooks/{id}/deliveries"))
            .await
            .fails(404, "webhook-not-found");
        app.get_as(token, "/api/v1/notifications/webhooks?namespace=acme").await.fails(403, "forbidden");
    }
    // Of everything there and below, of private skills too, and of nothing elsewhere.
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    app.put("/api/v1/skills/acme/email/tool/visibility", ADMIN, json!({ "visibility": "private" }))
        .await
        .is(204);
    app.post("/api/v1/skills", &paul, super::super::skill("acme/email/tool", "1.1.0")).await.is(202);
    app.yank_it("acme/email/tool", "1.0.0").await.is(200);
    app.publish("other/tool", "1.1.0").await;
    app.tell_and_send().await;
    let mut told: Vec<String> =
        receiver.bodies().iter().map(|body| body["data"]["text"].as_str().unwrap().to_owned()).collect();
    told.sort();
    assert_eq!(
        told,
        ["acme/email/tool 1.0.0 was yanked", "acme/email/tool 1.1.0, published by paul, waits for approval"]
    );
    // Another admin sees to it when the one who made it is none any more.
    app.delete("/api/v1/orgs/acme/members/ada", ADMIN).await.is(204);
    app.change(&ada, &hook, json!({ "enabled": false })).await.fails(404, "webhook-not-found");
    let id = hook["id"].as_str().unwrap();
    app.delete(&format!("/api/v1/notifications/webhooks/{id}"), ADMIN).await.is(204);
    assert_eq!(app.log().await.pop().unwrap()["event"]["kind"], "webhook.removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_send_each_delivery_once_and_a_dead_server_loses_none() {
    let receiver = Receiver::start().await;
    let (app, anna, hook) = hooked(&receiver).await;
    // As if so many had happened.
    let mut ids: Vec<String> =
        (0..24).map(|number| format!("00000000-0000-7000-8000-{number:012}")).collect();
    app.wait_for_hook(&hook, &ids).await;
    let other = app.another().await;
    let all = |app: std::sync::Arc<crate::app::App>| async move {
        while notify::deliver_due(&app).await.unwrap() {}
    };
    tokio::join!(all(app.app.clone()), all(other.app.clone()));
    let sent = || {
        let mut sent: Vec<String> = receiver
            .take()
            .iter()
            .map(|(_, headers, _)| headers["webhook-id"].to_str().unwrap().to_owned())
            .collect();
        sent.sort();
        sent
    };
    ids.sort();
    assert_eq!(sent(), ids);
    // One that was taken by a server that is gone is taken by another after a while.
    app.wait(61);
    let id = app.try_out(&anna, &hook).await;
    let id = id.as_str().unwrap().to_owned();
    let until = app.app.environment.now().plus_seconds(300).micros();
    app.tamper(format!(
        "UPDATE deliveries SET taken_by = 'gone', attempts = 1, next_at = {until} WHERE id = '{id}'"
    ))
    .await;
    app.send_due().await;
    assert!(sent().is_empty());
    app.wait(301);
    app.send_due().await;
    assert_eq!(sent(), [id]);
}
