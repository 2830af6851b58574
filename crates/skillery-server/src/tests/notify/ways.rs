//! By which ways people are told: who hears of a change of them, and how much of them there is for whom.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::pages::Browser;
use super::hooks::hooked;
use super::mail::code;
use super::{ADMIN, Mood, Postbox, Receiver, TestApp};
use crate::jobs::Job;
use crate::notify;

const HOOKS: &str = "/api/v1/notifications/webhooks";
const EMAIL: &str = "/api/v1/notifications/email";

fn own(hook: &Value) -> String {
    format!("{HOOKS}/{}", hook["id"].as_str().unwrap())
}

/// The subjects of what came, each with to whom.
fn subjects(postbox: &Postbox) -> Vec<(String, String)> {
    let mut seen: Vec<(String, String)> = postbox
        .take()
        .iter()
        .map(|letter| {
            let subject = letter.header("Subject").unwrap();
            (letter.to[0].clone(), subject.strip_prefix("[registry.example] ").unwrap().to_owned())
        })
        .collect();
    seen.sort();
    seen
}

fn line(to: &str, subject: &str) -> (String, String) {
    (to.to_owned(), subject.to_owned())
}

const NAMED: &str = "an address for your mail was named";
const CONFIRMED: &str = "your mail goes to an address that was confirmed just now";

#[tokio::test(flavor = "multi_thread")]
async fn a_first_address_is_told_on_the_page_and_each_later_one_to_the_one_before() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    let anna = app.user("anna", &["read", "admin"]).await;
    app.tell().await;
    let set = async |address: &str| {
        app.put("/api/v1/notifications/email", &anna, json!({ "address": address })).await.is(200);
        app.send_due().await;
        let letters = postbox.letters.lock().unwrap().clone();
        code(letters.iter().find(|letter| letter.to == [address]).unwrap())
    };
    let confirm = async |code: String| {
        app.post("/api/v1/notifications/email/confirm", &anna, json!({ "code": code })).await.is(200);
        app.send_due().await;
    };
    let first = set("anna@example.org").await;
    assert_eq!(app.told(&anna).await[0], NAMED);
    confirm(first).await;
    assert_eq!(app.told(&anna).await[..2], [CONFIRMED, NAMED]);
    // There was nobody else to tell it.
    assert_eq!(subjects(&postbox), [line("anna@example.org", "confirm this address")]);
    // Within one hour, her own change and that of whoever has her token.
    let second = set("b@example.org").await;
    confirm(second).await;
    assert_eq!(
        subjects(&postbox),
        [
            line("anna@example.org", NAMED),
            line("anna@example.org", CONFIRMED),
            line("b@example.org", "confirm this address"),
        ]
    );
    let third = set("thief@example.net").await;
    confirm(third).await;
    assert_eq!(
        subjects(&postbox),
        [
            line("b@example.org", NAMED),
            line("b@example.org", CONFIRMED),
            line("thief@example.net", "confirm this address"),
        ]
    );
    let told = app.told(&anna).await;
    assert_eq!(told.iter().filter(|text| *text == CONFIRMED).count(), 3, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_webhook_and_each_move_of_one_is_told_and_no_mailbox_is_filled() {
    let (postbox, receiver) = (Postbox::start(), Receiver::start().await);
    let app = TestApp::with_mail_and_hooks(&postbox).await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.reader(&postbox, "anna").await;
    app.quiet(&postbox).await;
    // Two that lead to one host, and one that leads elsewhere there.
    let hook = app.hook(&anna, json!({ "url": receiver.url() })).await;
    app.hook(&anna, json!({ "url": format!("{}/thief", receiver.url()) })).await;
    app.change(&anna, &hook, json!({ "url": format!("{}/moved", receiver.url()) })).await.is(200);
    app.send_due().await;
    let added = "a webhook to 127.0.0.1 was added, which is sent what you are told";
    let changed = "your webhook to 127.0.0.1 was changed";
    let to = |subject| line("anna@example.org", subject);
    assert_eq!(subjects(&postbox), [to(added), to(added), to(changed)]);
    assert_eq!(app.told(&anna).await[..3], [changed, added, added]);
    // What changes nothing is no change.
    let before = app.get_as(&anna, HOOKS).await.is(200);
    app.wait(5);
    app.change(&anna, &hook, json!({})).await.is(200);
    assert_eq!(app.get_as(&anna, HOOKS).await.is(200), before);
    // One that is gone tells nobody anything any more.
    app.delete(&own(&hook), &anna).await.is(204);
    app.send_due().await;
    let removed = "your webhook to 127.0.0.1 was removed";
    assert_eq!((app.told(&anna).await[0].as_str(), subjects(&postbox)), (removed, vec![to(removed)]));
    for number in 0..30 {
        let hook = app.hook(&anna, json!({ "url": format!("{}/{number}", receiver.url()) })).await;
        app.delete(&own(&hook), &anna).await.is(204);
    }
    app.send_due().await;
    assert_eq!(subjects(&postbox).len(), 16);
    // The page has each, fifty at a time.
    assert_eq!(app.told(&anna).await.iter().filter(|text| *text == removed).count(), 25);
    // Being told less is told, by whichever way it is less.
    app.wait(3_601);
    app.prefer(&anna, "access-changed", true, "immediate", false).await;
    app.send_due().await;
    let less = "you are told less of what changes what you may do";
    assert_eq!(subjects(&postbox), [to(less)]);
    app.wait(3_601);
    app.prefer(&anna, "access-changed", true, "daily", false).await;
    app.wait(3_601);
    app.prefer(&anna, "access-changed", true, "weekly", false).await;
    app.send_due().await;
    assert_eq!(subjects(&postbox), [to(less), to(less)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_of_a_namespace_hear_of_its_webhooks() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    app.publish("acme/deep/tool", "1.0.0").await;
    let scopes = ["read", "admin"];
    let (ada, bert, paul) =
        (app.user("ada", &scopes).await, app.user("bert", &scopes).await, app.user("paul", &scopes).await);
    for (name, role) in [("ada", "admin"), ("bert", "admin"), ("paul", "publisher")] {
        app.member("acme", name, role).await;
    }
    app.tell().await;
    let request = json!({ "url": receiver.url(), "namespace": "acme/deep" });
    let hook = app.hook(&bert, request.clone()).await;
    // Who has made it may be nobody but whoever has the token.
    let added = "a webhook to 127.0.0.1 was added, which is sent what happens in acme/deep";
    for token in [&ada, &bert] {
        assert_eq!(app.told(token).await[0], added);
    }
    let page = Browser::signed_in(&app, &ada).await.page("/account/notifications").await;
    assert!(page.contains("href=\"/orgs/acme/deep/webhooks\""), "{page}");
    let listed = app.get_as(&ada, &format!("{HOOKS}?namespace=acme/deep")).await.is(200);
    assert_eq!(listed["webhooks"][0]["made_by"], "bert");
    app.change(&bert, &hook, json!({ "kinds": ["finding"] })).await.is(200);
    assert_eq!(app.told(&ada).await[0], added);
    app.change(&bert, &hook, json!({ "url": format!("{}/else", receiver.url()) })).await.is(200);
    assert_eq!(app.told(&ada).await[0], "a webhook of acme/deep leads to 127.0.0.1 now");
    app.delete(&own(&hook), &bert).await.is(204);
    assert_eq!(app.told(&ada).await[0], "a webhook of acme/deep was removed");
    let others = app.told(&paul).await;
    assert!(!others.iter().any(|text| text.contains("webhook")), "{others:?}");
    // Names below an org that are nowhere make no room for more.
    app.tamper(
        "INSERT INTO webhooks (id, user_id, namespace, url, secret, kinds, created_at) WITH RECURSIVE n(i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
         SELECT 'w' || i, (SELECT id FROM users WHERE name = 'ada'), 'acme/x' || i, '', '', '[]', 0 FROM n"
            .to_owned(),
    )
    .await;
    app.post(HOOKS, &bert, request).await.fails(422, "invalid-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_webhook_led_when_it_was_added_is_told_wherever_it_leads_by_then() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (ada, bert) = (app.user("ada", &["read"]).await, app.user("bert", &["read", "admin"]).await);
    for name in ["ada", "bert"] {
        app.member("acme", name, "admin").await;
    }
    app.tell().await;
    let request = json!({ "url": "https://thief.example/hook", "namespace": "acme" });
    let hook = app.hook(&bert, request).await;
    let index = app.log().await.pop().unwrap()["index"].clone();
    app.change(&bert, &hook, json!({ "url": "https://hooks.example.org/" })).await.is(200);
    app.delete(&own(&hook), &bert).await.is(204);
    for token in [&ada, &bert] {
        assert_eq!(
            app.told(token).await[..3],
            [
                "a webhook of acme was removed",
                "a webhook of acme leads to hooks.example.org now",
                "a webhook to thief.example was added, which is sent what happens in acme",
            ]
        );
    }
    let added = app.notifications(&ada).await["notifications"][2].clone();
    assert_eq!((&added["detail"], &added["log_index"]), (&json!("webhook-added"), &index));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admins_of_an_org_are_not_told_of_its_webhooks_again_and_again() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let scopes = ["read", "admin"];
    let (ada, bert) = (app.user("ada", &scopes).await, app.user("bert", &scopes).await);
    for name in ["ada", "bert"] {
        app.member("acme", name, "admin").await;
    }
    let address = |number: i32| format!("https://hooks.example.org/{number}");
    let hook = app.hook(&bert, json!({ "url": address(0), "namespace": "acme" })).await;
    app.wait(600);
    for number in 1..60 {
        app.change(&bert, &hook, json!({ "url": address(number) })).await.is(200);
    }
    let told = async || {
        let path = "/api/v1/notifications?kind=access-changed&limit=200";
        let found = app.get_as(&ada, path).await.is(200);
        let about = |one: &&Value| one["text"].as_str().unwrap().contains("webhook");
        found["notifications"].as_array().unwrap().iter().filter(about).count()
    };
    assert_eq!(told().await, 60);
    let moved = json!({ "url": "https://thief.example/" });
    let refused = app.change(&bert, &hook, moved.clone()).await.fails(429, "rate-limited");
    assert_eq!(refused["retry_after"], 3_000);
    // A name below the org that is nowhere is no way round.
    let below = json!({ "url": "https://thief.example/", "namespace": "acme/below" });
    app.post(HOOKS, &bert, below).await.fails(429, "rate-limited");
    let shown = app.get_as(&ada, &format!("{HOOKS}?namespace=acme")).await.is(200);
    assert_eq!((&shown["webhooks"][0]["url"], told().await), (&json!(address(59)), 60));
    // What changes nothing is none, webhooks of one's own are told nobody else, and others do what they did.
    app.change(&bert, &hook, json!({ "url": address(59) })).await.is(200);
    app.hook(&bert, json!({ "url": address(0) })).await;
    app.change(&ada, &hook, json!({ "url": address(0) })).await.is(200);
    app.wait(3_000);
    app.change(&bert, &hook, moved).await.is(200);
    app.change(&bert, &hook, json!({ "url": address(0) })).await.fails(429, "rate-limited");
    // What leads elsewhere is always switched off, if nothing else is changed, and removed.
    let off = json!({ "enabled": false, "url": address(1) });
    app.change(&bert, &hook, off).await.fails(429, "rate-limited");
    app.change(&bert, &hook, json!({ "enabled": false })).await.is(200);
    app.change(&bert, &hook, json!({ "enabled": true })).await.fails(429, "rate-limited");
    app.delete(&own(&hook), &bert).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_receivers_asked_again_and_again_is_stopped_by_whichever_way() {
    let receiver = Receiver::start().await;
    let (app, anna, hook) = hooked(&receiver).await;
    let (test, again) = (format!("{}/test", own(&hook)), format!("{}/redeliver", own(&hook)));
    receiver.answers(500, "");
    // One that fails is not tried more often by being asked for again.
    for _ in 0..4 {
        app.try_out(&anna, &hook).await;
        app.send_due().await;
    }
    receiver.answers(200, "");
    let id = app.try_out(&anna, &hook).await;
    app.send_due().await;
    for _ in 0..5 {
        assert_eq!(app.redeliver(&anna, &hook, json!({ "delivery": id })).await.is(200)["redelivered"], 1);
        app.send_due().await;
    }
    let refused = app.post(&test, &anna, json!({})).await.fails(429, "rate-limited");
    assert_eq!(refused["retry_after"], 60);
    app.post(&again, &anna, json!({ "delivery": id })).await.fails(429, "rate-limited");
    app.post(&again, &anna, json!({})).await.fails(429, "rate-limited");
    assert_eq!(receiver.take().len(), 10);
    // Another webhook, or the same made anew, is no way round.
    app.delete(&own(&hook), &anna).await.is(204);
    let other = app.hook(&anna, json!({ "url": receiver.url() })).await;
    app.post(&format!("{}/test", own(&other)), &anna, json!({})).await.fails(429, "rate-limited");
    // Who asks is counted, and not who has made it.
    app.member("acme", "anna", "admin").await;
    let shared = app.hook(&anna, json!({ "url": receiver.url(), "namespace": "acme" })).await;
    app.try_out(ADMIN, &shared).await;
    app.wait(61);
    app.try_out(&anna, &other).await;
    // What is for a webhook that is off does not become dead once more.
    app.change(&anna, &other, json!({ "enabled": false })).await.is(200);
    app.redeliver(&anna, &other, json!({})).await.fails(422, "invalid-field");
    app.post(&format!("{}/test", own(&other)), &anna, json!({})).await.fails(422, "invalid-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mail_server_has_against_the_registry_is_tried_again() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    let anna = app.user("anna", &["read", "admin"]).await;
    postbox.is(Mood::SignInFirst);
    app.put("/api/v1/notifications/email", &anna, json!({ "address": "anna@example.org" })).await.is(200);
    app.send_due().await;
    let (state, error): (String, Option<String>) =
        sqlx::query_as("SELECT state, error FROM deliveries").fetch_one(app.app.db.reader()).await.unwrap();
    assert!(state == "waiting" && error.as_ref().unwrap().contains("530"), "{state} {error:?}");
    postbox.is(Mood::Takes);
    app.wait(40);
    app.send_due().await;
    assert_eq!(subjects(&postbox), [line("anna@example.org", "confirm this address")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_the_registry_ends_no_mail_and_what_is_about_the_mailbox_does() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    let anna = app.user("anna", &["read", "admin"]).await;
    app.put("/api/v1/notifications/email", &anna, json!({ "address": "anna@example.org" })).await.is(200);
    let state = || async {
        let text = "SELECT state, attempts FROM deliveries";
        sqlx::query_as::<_, (String, i64)>(text).fetch_one(app.app.db.reader()).await.unwrap()
    };
    for (attempts, (code, words, is_final)) in (1..).zip([
        (550, "5.7.1 Relaying denied", false),
        (554, "5.7.1 Client host rejected", false),
        (550, "5.1.8 Sender address rejected", false),
        (554, "Transaction failed", false),
        (550, "5.1.1 User unknown", true),
    ]) {
        postbox.is(Mood::Refuses(code, words));
        app.send_due().await;
        let expected = if is_final { "dead" } else { "waiting" };
        assert_eq!(state().await, (expected.to_owned(), attempts), "{code} {words}");
        app.wait(3_600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_goes_well_does_not_hide_one_that_fails() {
    let app = TestApp::new().await;
    // There is no mail server, so mail needs nothing of it.
    app.tamper("ALTER TABLE deliveries RENAME TO elsewhere".to_owned()).await;
    let work = [
        tokio::spawn(notify::deliver(Arc::clone(&app.app))),
        tokio::spawn(notify::keep_house(Arc::clone(&app.app))),
    ];
    let turns = |job| app.app.work.of(job).turns;
    let turned = async {
        while turns(Job::Deliveries) < 4 || turns(Job::Digests) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Where a turn fails to come, this ends, and does not wait for ever.
    tokio::time::timeout(Duration::from_secs(120), turned).await.unwrap();
    for one in work {
        one.abort();
        assert!(one.await.unwrap_err().is_cancelled());
    }
    app.tamper("ALTER TABLE elsewhere RENAME TO deliveries".to_owned()).await;
    let page = Browser::signed_in(&app, ADMIN).await.page("/admin/jobs").await;
    for part in ["webhooks", "old rows"] {
        assert!(
            page.contains(&format!("failing</span> <span class=\"small break\">{part}</span>")),
            "{page}"
        );
    }
}

/// Mail that waits or is dead: of which channel, in which state, and why.
async fn unsent(app: &TestApp) -> Vec<(String, String, Option<String>)> {
    let text = "SELECT channel, state, error FROM deliveries WHERE state <> 'done' AND channel <> 'webhook'";
    sqlx::query_as(text).fetch_all(app.app.db.reader()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_waits_a_week_for_a_mail_server_and_is_dead_then() {
    let postbox = Postbox::start();
    let (app, anna) = TestApp::with_reader(&postbox).await;
    app.publish("acme/tool", "1.1.0").await;
    app.tell().await;
    let waits = || vec![("mail".to_owned(), "waiting".to_owned(), None::<String>)];
    assert_eq!(unsent(&app).await, waits());
    let (mut settings, environment, folder) = app.crash().await;
    (settings.smtp_host, settings.mail_from) = (None, None);
    let app = TestApp::open(settings, environment, folder).await;
    // What happens while no mail server is named stands on the page, and no mail is made that would wait for one.
    app.hook(&anna, json!({ "url": "https://example.org/hook", "kinds": ["finding"] })).await;
    app.publish("acme/tool", "1.2.0").await;
    assert_eq!(
        app.told(&anna).await[..2],
        [
            "acme/tool 1.2.0 was published",
            "a webhook to example.org was added, which is sent what you are told"
        ]
    );
    assert_eq!(unsent(&app).await, waits());
    app.wait(7 * 86_400 - 60);
    notify::prune(&app.app).await.unwrap();
    assert_eq!(unsent(&app).await, waits());
    app.wait(120);
    notify::prune(&app.app).await.unwrap();
    let dead = unsent(&app).await;
    assert_eq!((dead.len(), dead[0].1.as_str()), (1, "dead"));
    assert!(dead[0].2.as_ref().unwrap().contains("has waited for a week"), "{dead:?}");
    let page = Browser::signed_in(&app, ADMIN).await.page("/admin/jobs").await;
    assert!(
        page.contains("<td>mail</td><td data-name=\"Waits\">0</td><td data-name=\"Dead\">1</td>"),
        "{page}"
    );
    assert!(
        page.contains("<td class=\"break\">anna</td>") && page.contains("has waited for a week"),
        "{page}"
    );
    let told = app.get_as(ADMIN, "/api/v1/admin/jobs").await.is(200);
    assert_eq!(told["sent"][0], json!({ "way": "mail", "waiting": 0, "dead": 1 }));
    let mails = told["dead_mail"].as_array().unwrap();
    assert_eq!(
        (mails.len(), &mails[0]["user"], &mails[0]["kind"]),
        (1, &json!("anna"), &json!("version-published"))
    );
    assert!(mails[0]["why"].as_str().unwrap().contains("has waited for a week"), "{mails:?}");
    // Whose it was reads so, too.
    let told = app.get_as(&anna, EMAIL).await.is(200)["undelivered"].clone();
    assert_eq!(told["address"], "anna@example.org", "{told}");
    assert!(told["reason"].as_str().unwrap().contains("has waited for a week"), "{told}");
    // A mail server that is named before that is found out is sent none of it, either.
    app.tamper(
        "UPDATE deliveries SET state = 'waiting', error = NULL, ended_at = NULL WHERE state = 'dead'"
            .to_owned(),
    )
    .await;
    app.tamper("UPDATE mail_addresses SET undelivered_to = NULL, undelivered_at = NULL".to_owned()).await;
    let (mut settings, environment, folder) = app.crash().await;
    postbox.settings(&mut settings);
    let app = TestApp::open(settings, environment, folder).await;
    app.send_due().await;
    assert_eq!((unsent(&app).await, postbox.take().len()), (dead, 0));
    let page = Browser::signed_in(&app, &anna).await.page("/account/notifications/settings").await;
    assert!(page.contains("A mail to anna@example.org could not be delivered"), "{page}");
    assert!(page.contains(": it was not sent, as it has waited for a week"), "{page}");
    app.publish("acme/tool", "1.3.0").await;
    app.tell().await;
    app.wait(31);
    app.send_due().await;
    assert_eq!(subjects(&postbox), [line("anna@example.org", "acme/tool 1.3.0 was published")]);
    assert_eq!(app.get_as(&anna, EMAIL).await.is(200)["undelivered"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_good_no_more_is_not_mailed_and_whose_it_is_reads_so() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    let anna = app.user("anna", &["read", "admin"]).await;
    app.put(EMAIL, &anna, json!({ "address": "anna@example.org" })).await.is(200);
    postbox.is(Mood::LaterPlease);
    app.send_due().await;
    assert_eq!(app.get_as(&anna, EMAIL).await.is(200)["undelivered"], json!(null));
    postbox.is(Mood::Takes);
    app.wait(86_400);
    app.send_due().await;
    assert!(postbox.take().is_empty());
    let why = "it was not sent, as the code in it is too old by now";
    assert_eq!(unsent(&app).await, [("code".to_owned(), "dead".to_owned(), Some(why.to_owned()))]);
    let told = app.get_as(&anna, EMAIL).await.is(200)["undelivered"].clone();
    assert_eq!((&told["address"], &told["reason"]), (&json!("anna@example.org"), &json!(why)));
    // One that was asked for anew counts alone.
    app.put(EMAIL, &anna, json!({ "address": "anna@example.org" })).await.is(200);
    app.send_due().await;
    assert_eq!(postbox.take().len(), 1);
    assert_eq!(app.get_as(&anna, EMAIL).await.is(200)["undelivered"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_hears_of_each_review_that_is_answered_and_of_nobody_who_did_not_publish() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    let scopes = ["read", "publish", "rate", "admin"];
    app.publish("acme/other", "1.0.0").await;
    let (paul, zoe, yan) =
        (app.user("paul", &scopes).await, app.user("zoe", &scopes).await, app.user("yan", &scopes).await);
    app.member("acme", "paul", "publisher").await;
    app.put(
        "/api/v1/orgs/acme/policy",
        ADMIN,
        json!({ "stages": [{ "name": "review", "when": ["public"] }] }),
    )
    .await
    .is(200);
    let mut private = super::super::skill("acme/tool", "1.0.0");
    private["visibility"] = json!("internal");
    app.post("/api/v1/skills", &paul, private).await.is(201);
    for token in [&zoe, &yan] {
        let review = json!({ "rating": 2, "review": "Slow" });
        app.post("/api/v1/skills/acme/tool/rate", token, review).await.is(200);
    }
    app.tell().await;
    app.hook(ADMIN, json!({ "url": receiver.url(), "namespace": "acme" })).await;
    for name in ["zoe", "yan"] {
        let path = format!("/api/v1/skills/acme/tool/ratings/{name}/answer");
        app.put(&path, &paul, json!({ "text": "Mended" })).await.is(200);
    }
    app.tell_and_send().await;
    let texts = || -> Vec<String> {
        let mut texts: Vec<String> =
            receiver.bodies().iter().map(|body| body["data"]["text"].as_str().unwrap().to_owned()).collect();
        texts.sort();
        texts
    };
    assert_eq!(
        texts(),
        ["paul answered yan's review of acme/tool", "paul answered zoe's review of acme/tool"]
    );
    assert_eq!(app.told(&zoe).await[0], "paul answered your review of acme/tool");
    // Who makes it public has not published it.
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, json!({ "visibility": "public" })).await.is(204);
    app.tell_and_send().await;
    assert_eq!(texts(), ["acme/tool 1.0.0, published, waits for approval"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_goes_into_one_transaction_is_marked_as_read_and_removed() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read"]).await;
    app.tell().await;
    let now = app.app.environment.now().micros();
    app.tamper(format!(
        "INSERT INTO notifications (id, user_id, kind, source, at, on_page) WITH RECURSIVE n(i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
         SELECT 1000 + i, (SELECT id FROM users WHERE name = 'anna'), 'access-changed', 'x:' || i, {now}, 1 FROM n"
    ))
    .await;
    assert_eq!(app.notifications(&anna).await["unread"], 2_501);
    let left = app.post("/api/v1/notifications/read", &anna, json!({ "up_to": 3_450 })).await.is(200);
    assert_eq!(left["unread"], 50);
    app.wait(91 * 86_400);
    notify::prune(&app.app).await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM notifications")
        .fetch_one(app.app.db.reader())
        .await
        .unwrap();
    assert_eq!(kept, 50);
}
