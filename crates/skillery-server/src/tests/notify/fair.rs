//! One who has much to send, or whose receivers are slow, keeps nobody else waiting.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Notify;

use super::hooks::hooked;
use super::{ADMIN, Postbox, Receiver, TestApp};
use crate::notify;

/// How long something may take that waits for nobody.
const SOON: Duration = Duration::from_secs(8);

/// A receiver that answers with this status when it is told to.
async fn gate(status: u16) -> (String, Arc<Notify>, Arc<Notify>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (arrived, open) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tells, waits) = (Arc::clone(&arrived), Arc::clone(&open));
    let answer = move || {
        let (tells, waits) = (Arc::clone(&tells), Arc::clone(&waits));
        async move {
            tells.notify_one();
            waits.notified().await;
            StatusCode::from_u16(status).unwrap()
        }
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, arrived, open)
}

fn ids(first: usize, count: usize) -> Vec<String> {
    (first..first + count).map(|number| format!("00000000-0000-7000-8000-{number:012}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_receivers_never_answer_holds_up_neither_mail_nor_the_webhooks_of_others() {
    let (postbox, receiver) = (Postbox::start(), Receiver::start().await);
    let app = TestApp::with_mail_and_hooks(&postbox).await;
    let (mallory, anna) =
        (app.user("mallory", &["read", "admin"]).await, app.user("anna", &["read", "admin"]).await);
    let (tarpit, arrived, _) = gate(200).await;
    for number in 0..20 {
        let hook = app.hook(&mallory, json!({ "url": format!("{tarpit}/{number}") })).await;
        app.wait_for_hook(&hook, &ids(number * 100, 50)).await;
    }
    let hook = app.hook(&anna, json!({ "url": receiver.url() })).await;
    let sending = tokio::spawn(notify::deliver(Arc::clone(&app.app)));
    arrived.notified().await;
    app.wait(1);
    app.try_out(&anna, &hook).await;
    app.put("/api/v1/notifications/email", &anna, json!({ "address": "anna@example.org" })).await.is(200);
    let both = async {
        while receiver.inbox.requests.lock().unwrap().is_empty() || postbox.letters.lock().unwrap().is_empty()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, both).await.unwrap();
    // Of one user no more are under way than of any other.
    let taken: i64 = sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries d JOIN users u ON u.id = d.user_id \
         WHERE u.name = 'mallory' AND d.taken_by IS NOT NULL",
    )
    .fetch_one(app.app.db.reader())
    .await
    .unwrap();
    assert_eq!(taken, 4);
    sending.abort();
}

/// What is under way may have the only connection to read with: it gives it back, whatever is waited for meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_goes_on_while_it_is_looked_what_comes_next() {
    let receiver = Receiver::start().await;
    let app = TestApp::with(|settings| {
        settings.outbound_allow = vec!["127.0.0.0/8".parse().unwrap()];
        settings.read_connections = 1;
    })
    .await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let hook = app.hook(&anna, json!({ "url": receiver.url() })).await;
    app.wait_for_hook(&hook, &ids(0, 100)).await;
    let sending = tokio::spawn(notify::deliver(Arc::clone(&app.app)));
    let all = async {
        while receiver.inbox.requests.lock().unwrap().len() < 100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, all).await.unwrap();
    sending.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_tried_one_at_a_time_and_not_for_ever() {
    let receiver = Receiver::start().await;
    let (app, anna, hook) = hooked(&receiver).await;
    receiver.answers(500, "");
    let first = app.try_out(&anna, &hook).await;
    assert_eq!(app.try_out(&anna, &hook).await, first);
    app.send_due().await;
    // Whoever has mended the receiver need not wait for the next attempt.
    receiver.answers(200, "");
    assert_eq!(app.try_out(&anna, &hook).await, first);
    app.send_due().await;
    assert_eq!(receiver.take().len(), 2);
    for _ in 0..7 {
        let next = app.try_out(&anna, &hook).await;
        assert_ne!(next, first);
        app.send_due().await;
    }
    let path = format!("/api/v1/notifications/webhooks/{}/test", hook["id"].as_str().unwrap());
    let refused = app.post(&path, &anna, json!({})).await.fails(429, "rate-limited");
    assert_eq!(refused["retry_after"], 60);
    app.wait(61);
    app.try_out(&anna, &hook).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_beyond_a_thousand_that_wait_is_dead_and_can_be_sent_again() {
    let receiver = Receiver::start().await;
    let (app, anna, hook) = hooked(&receiver).await;
    app.wait_for_hook(&hook, &ids(0, 1_000)).await;
    app.publish("acme/tool", "1.1.0").await;
    app.tell().await;
    let dead = app.deliveries(&anna, &hook, "?state=dead").await;
    assert_eq!((dead.len(), &dead[0]["kind"]), (1, &json!("version-published")));
    assert!(dead[0]["error"].as_str().unwrap().contains("so many others were waiting"), "{dead:?}");
    // As many wait as may.
    app.redeliver(&anna, &hook, json!({})).await.fails(429, "rate-limited");
    app.tamper("UPDATE deliveries SET state = 'done' WHERE state = 'waiting'".to_owned()).await;
    assert_eq!(app.redeliver(&anna, &hook, json!({})).await.is(200)["redelivered"], 1);
    app.send_due().await;
    assert_eq!(receiver.bodies()[0]["data"]["version"], "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_rates_again_and_again_is_told_to_a_namespace_once() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, ben) = (app.user("anna", &["read", "rate"]).await, app.user("ben", &["read", "rate"]).await);
    app.tell().await;
    app.hook(ADMIN, json!({ "url": receiver.url(), "namespace": "acme" })).await;
    for token in [&anna, &ben] {
        for turn in 0..20 {
            let rating = json!({ "rating": 1 + turn % 5 });
            app.post("/api/v1/skills/acme/tool/rate", token, rating).await.is(200);
        }
        app.tell_and_send().await;
    }
    let mut told: Vec<Value> = receiver.bodies().iter().map(|body| body["data"]["text"].clone()).collect();
    told.sort_by_key(ToString::to_string);
    assert_eq!(told, ["anna rated acme/tool", "ben rated acme/tool"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_began_before_switches_nothing_off() {
    let receiver = Receiver::start().await;
    for status in [500, 410] {
        let (app, anna, hook) = hooked(&receiver).await;
        let (url, arrived, open) = gate(status).await;
        app.change(&anna, &hook, json!({ "url": url })).await.is(200);
        // It has failed for days.
        app.tamper("UPDATE webhooks SET failing_since = 1".to_owned()).await;
        app.try_out(&anna, &hook).await;
        let sending = tokio::spawn({
            let app = Arc::clone(&app.app);
            async move { notify::deliver_due(&app).await.unwrap() }
        });
        arrived.notified().await;
        app.wait(5);
        // Its owner has mended it meanwhile.
        app.change(&anna, &hook, json!({ "enabled": true })).await.is(200);
        open.notify_one();
        assert!(sending.await.unwrap());
        let now = app.get_as(&anna, "/api/v1/notifications/webhooks").await.is(200)["webhooks"][0].clone();
        assert_eq!((&now["disabled_at"], &now["failing_since"]), (&Value::Null, &Value::Null), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_never_ends_its_answer_is_waited_for_no_longer_than_a_mail_is_taken() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = connection.into_split();
                let mut lines = BufReader::new(read).lines();
                let _ = write.write_all(b"220 here\r\n").await;
                let _ = lines.next_line().await;
                // Each line comes in time.
                while write.write_all(b"250-and more\r\n").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            });
        }
    });
    let app = TestApp::with(|settings| {
        settings.smtp_host = Some("127.0.0.1".to_owned());
        settings.smtp_port = Some(port);
        settings.mail_from = Some("Skills <skills@registry.example>".to_owned());
        settings.public_url = "https://registry.example".parse().ok();
    })
    .await;
    let anna = app.user("anna", &["read", "admin"]).await;
    app.put("/api/v1/notifications/email", &anna, json!({ "address": "anna@example.org" })).await.is(200);
    assert!(
        tokio::time::timeout(Duration::from_secs(15), notify::deliver_due(&app.app)).await.unwrap().unwrap()
    );
    let (state, error): (String, Option<String>) =
        sqlx::query_as("SELECT state, error FROM deliveries").fetch_one(app.app.db.reader()).await.unwrap();
    assert_eq!(state, "waiting");
    assert!(error.unwrap().starts_with("the mail server took over"));
}
