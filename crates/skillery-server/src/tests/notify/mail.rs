//! Mail, from a real connection to a real mail server.

use axum::body::Body;
use axum::http::{Method, Request};
use mailin_embedded::SslConfig;
use serde_json::json;
use skillery_core::token::Secret;

use super::super::pages::Browser;
use super::{ADMIN, Letter, Mood, Postbox, TestApp};
use crate::notify;
use crate::settings::{Settings, SmtpTls};

impl TestApp {
    pub(super) async fn with_mail(postbox: &Postbox) -> Self {
        Self::with(|settings| postbox.settings(settings)).await
    }

    /// Sets and confirms an address.
    pub(super) async fn mailed(&self, postbox: &Postbox, token: &str, address: &str) {
        self.put("/api/v1/notifications/email", token, json!({ "address": address })).await.is(200);
        self.send_due().await;
        // Who had an address before gets word of it there.
        let letters = postbox.take();
        let code = code(letters.iter().find(|letter| letter.text.contains("confirm this address")).unwrap());
        let confirmed =
            self.post("/api/v1/notifications/email/confirm", token, json!({ "code": code })).await.is(200);
        assert_eq!((&confirmed["address"], confirmed["confirmed_at"].is_string()), (&json!(address), true));
    }

    pub(super) async fn reader(&self, postbox: &Postbox, name: &str) -> String {
        let token = self.user(name, &["read", "admin"]).await;
        self.mailed(postbox, &token, &format!("{name}@example.org")).await;
        self.install_as(&token, "acme/tool", "1.0.0").await;
        token
    }

    /// Removes what is to be sent about the setting up of a test.
    pub(super) async fn quiet(&self, postbox: &Postbox) {
        self.tell().await;
        self.wait(60);
        self.send_due().await;
        postbox.take();
    }
}

pub(in crate::tests) fn code(letter: &Letter) -> String {
    letter.plain().split("the code is ").nth(1).unwrap()[..10].to_owned()
}

/// The path of the link by which mail is stopped.
fn unsubscribe(letter: &Letter) -> String {
    let link = letter.header("List-Unsubscribe").unwrap();
    link.strip_prefix("<https://registry.example").unwrap().strip_suffix('>').unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_nothing_but_the_code_until_it_is_confirmed() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "admin"]).await;
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    app.prefer(&anna, "version-published", true, "immediate", true).await;
    let set = |address: &str| {
        let (app, anna, body) = (&app, &anna, json!({ "address": address }));
        async move { app.put("/api/v1/notifications/email", anna, body).await }
    };
    let confirm = |code: String| {
        let (app, anna) = (&app, &anna);
        async move { app.post("/api/v1/notifications/email/confirm", anna, json!({ "code": code })).await }
    };
    for bad in [
        "",
        "a",
        "a@b@c",
        "a@example.org\r\nBcc: b@example.org",
        "A <a@example.org>",
        "ä@example.org",
        "a@b.c,d@e.f",
    ] {
        set(bad).await.fails(422, "invalid-field");
    }
    let there = set("anna@example.org").await.is(200);
    assert_eq!((&there["offered"], &there["confirmed_at"]), (&json!(true), &json!(null)));
    app.publish("acme/tool", "1.1.0").await;
    app.tell().await;
    app.wait(60);
    app.send_due().await;
    let letters = postbox.take();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, ["anna@example.org"]);
    assert_eq!(letters[0].header("From").unwrap(), "Skills <skills@registry.example>");
    assert_eq!(letters[0].header("Subject").unwrap(), "[registry.example] confirm this address");
    assert!(letters[0].header("List-Unsubscribe").is_none());
    // The code is kept nowhere once it is sent, and no other one fits.
    let kept: Option<String> = sqlx::query_scalar("SELECT body FROM deliveries WHERE channel = 'code'")
        .fetch_one(app.app.db.reader())
        .await
        .unwrap();
    assert_eq!(kept, None);
    let code = code(&letters[0]);
    confirm("0000000000".to_owned()).await.fails(422, "invalid-field");
    // Another user's code is of no use.
    let ben = app.user("ben", &["read", "admin"]).await;
    app.post("/api/v1/notifications/email/confirm", &ben, json!({ "code": code }))
        .await
        .fails(422, "invalid-field");
    app.wait(86_400);
    confirm(code).await.fails(422, "invalid-field");
    set("anna@example.org").await.is(200);
    app.send_due().await;
    let code = super::mail::code(&postbox.take()[0]);
    confirm(code.to_lowercase()).await.is(200);
    confirm(code).await.is(200);
    app.publish("acme/tool", "1.2.0").await;
    app.tell().await;
    app.send_due().await;
    assert!(postbox.take().is_empty());
    app.wait(31);
    app.send_due().await;
    let letters = postbox.take();
    assert_eq!(letters[0].header("Subject").unwrap(), "[registry.example] acme/tool 1.2.0 was published");
    // What happened before the address was confirmed was not mailed.
    assert!(!letters[0].text.contains("1.1.0"));
    app.delete("/api/v1/notifications/email", &anna).await.is(204);
    app.publish("acme/tool", "1.3.0").await;
    app.tell().await;
    app.wait(60);
    app.send_due().await;
    // It is told that it is not used any more, and that is all.
    let letters = postbox.take();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("Subject").unwrap(), "[registry.example] your address for mail was removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_code_after_code_and_no_code_is_guessed() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let ben = app.user("ben", &["read", "admin"]).await;
    let set = |token: &str, address: &str| {
        let (app, token, body) = (&app, token.to_owned(), json!({ "address": address }));
        async move { app.put("/api/v1/notifications/email", &token, body).await }
    };
    for number in 0..4 {
        set(&anna, &format!("a{number}@example.org")).await.is(200);
    }
    set(&anna, "victim@example.org").await.is(200);
    set(&anna, "victim@example.org").await.fails(429, "rate-limited");
    for _ in 0..4 {
        set(&ben, "Victim@example.org").await.is(200);
    }
    set(&ben, "victim@example.org").await.fails(429, "rate-limited");
    app.send_due().await;
    let code = code(postbox.take().last().unwrap());
    for _ in 0..10 {
        app.post("/api/v1/notifications/email/confirm", &ben, json!({ "code": "1" }))
            .await
            .fails(422, "invalid-field");
    }
    app.post("/api/v1/notifications/email/confirm", &ben, json!({ "code": code }))
        .await
        .fails(422, "invalid-field");
    app.wait(86_401);
    set(&ben, "ben@example.org").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_together_is_one_mail_and_one_click_stops_them_all() {
    let postbox = Postbox::start();
    let app = TestApp::with(|settings| {
        postbox.settings(settings);
        settings.anonymous_reads = false;
    })
    .await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.reader(&postbox, "anna").await;
    app.prefer(&anna, "version-published", true, "immediate", true).await;
    app.quiet(&postbox).await;
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        app.publish("acme/tool", version).await;
        app.tell().await;
        app.wait(5);
    }
    app.wait(31);
    app.send_due().await;
    let letters = postbox.take();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(
        letter.header("Subject").unwrap(),
        "[registry.example] acme/tool 1.1.0 was published, and 2 more"
    );
    assert_eq!(letter.header("List-Unsubscribe-Post").unwrap(), "List-Unsubscribe=One-Click");
    assert_eq!(letter.header("Auto-Submitted").unwrap(), "auto-generated");
    assert!(letter.header("Message-ID").unwrap().ends_with("@registry.example>"));
    let (plain, html) = (letter.plain(), letter.part("text/html"));
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        assert!(plain.contains(&format!(
            "* acme/tool {version} was published\n  https://registry.example/acme/tool\n"
        )));
        assert!(
            html.contains(&format!("<a href=\"https://registry.example/acme/tool\">acme/tool {version} was"))
        );
    }
    let path = unsubscribe(letter);
    assert!(plain.contains(&format!("No more mail: https://registry.example{path}")));

    // Forged links, and looking at a good one, stop nothing.
    let (user, signature) = path.split_once("user=").unwrap().1.split_once("&signature=").unwrap();
    let admin: String = sqlx::query_scalar("SELECT id FROM users WHERE site_admin = 1")
        .fetch_one(app.app.db.reader())
        .await
        .unwrap();
    let of = |user: &str, signature: &str| {
        format!("/api/v1/notifications/unsubscribe?user={user}&signature={signature}")
    };
    let mut other = signature.to_owned();
    other.replace_range(0..1, if other.starts_with('A') { "B" } else { "A" });
    for forged in [
        of(user, &other),
        of(user, ""),
        of(&admin, signature),
        of("nobody", signature),
        of(&format!("{user}%00"), signature),
        "/api/v1/notifications/unsubscribe".to_owned(),
    ] {
        for method in [Method::GET, Method::POST] {
            app.call(method, &forged, "", None).await.fails(404, "link-not-valid");
        }
    }
    let page = app.get(&path).await;
    assert_eq!(
        (page.status.as_u16(), page.headers["content-type"].to_str().unwrap()),
        (200, "text/html; charset=utf-8")
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers["cache-control"], "no-store");
    let page = String::from_utf8(page.body).unwrap();
    assert!(
        page.contains("<form method=\"post\" action=\"?user=") && page.contains("rel=\"stylesheet\""),
        "{page}"
    );
    assert!(!page.contains("style=\""), "{page}");
    let state = app.get_as(&anna, "/api/v1/notifications/email").await.is(200);
    assert_eq!(state["unsubscribed_at"], json!(null));

    app.publish("acme/tool", "1.4.0").await;
    app.tell().await;
    // As mail programs ask for it (RFC 8058), from wherever they are.
    let click = Request::builder()
        .method(Method::POST)
        .uri(path.as_str())
        .header("host", "127.0.0.1:8700")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "cross-site")
        .body(Body::from("List-Unsubscribe=One-Click"))
        .unwrap();
    assert_eq!(app.send(click).await.status, 200);
    app.wait(60);
    app.send_due().await;
    assert!(postbox.take().is_empty());
    let state = app.get_as(&anna, "/api/v1/notifications/email").await.is(200);
    assert!(state["unsubscribed_at"].is_string());
    assert_eq!(app.get_as(&anna, "/api/v1/notifications/preferences").await.is(200)["mail"], false);
    // It can be wanted again; the link of another address does nothing.
    app.mailed(&postbox, &anna, "anna@elsewhere.example").await;
    app.call(Method::POST, &path, "", None).await.fails(404, "link-not-valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_seen_any_more_is_not_mailed() {
    let postbox = Postbox::start();
    let (app, _) = TestApp::with_reader(&postbox).await;
    app.publish("acme/tool", "1.1.0").await;
    app.tell().await;
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, json!({ "visibility": "private" })).await.is(204);
    app.wait(60);
    app.send_due().await;
    assert!(postbox.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_is_not_taken_is_tried_again_or_given_up() {
    let postbox = Postbox::start();
    let (app, _) = TestApp::with_reader(&postbox).await;
    let state = || async {
        let text = "SELECT state, attempts, error FROM deliveries WHERE channel = 'mail' ORDER BY created_at DESC, id DESC LIMIT 1";
        sqlx::query_as::<_, (String, i64, Option<String>)>(text).fetch_one(app.app.db.reader()).await.unwrap()
    };
    postbox.is(Mood::LaterPlease);
    app.publish("acme/tool", "1.1.0").await;
    app.tell().await;
    app.wait(31);
    app.send_due().await;
    let (now, attempts, error) = state().await;
    assert_eq!((now.as_str(), attempts), ("waiting", 1));
    assert!(error.unwrap().contains("451"));
    // Not before its time.
    app.wait(20);
    app.send_due().await;
    assert_eq!(state().await.1, 1);
    postbox.is(Mood::Takes);
    app.wait(20);
    app.send_due().await;
    assert_eq!(state().await.0, "done");
    assert_eq!(postbox.take().len(), 1);
    postbox.is(Mood::NobodyHere);
    app.publish("acme/tool", "1.2.0").await;
    app.tell().await;
    app.wait(31);
    app.send_due().await;
    let (now, attempts, error) = state().await;
    assert_eq!((now.as_str(), attempts), ("dead", 1));
    assert!(error.unwrap().contains("550"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_stands_in_a_letter_makes_a_header() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    let evil = "x\r\nBcc: evil@example.org\r\n\r\n<script>\u{7}ü".to_owned();
    let letter = notify::Letter {
        subject: evil.clone(),
        plain: format!("{evil}\r\n.\r\nMAIL FROM:<evil@example.org>\r\n"),
        html: String::new(),
        unsubscribe: Some(format!("https://registry.example/{evil}")),
    };
    let mailer = app.app.mailer.as_ref().unwrap();
    mailer.send("an-id", "anna@example.org", &letter).await.unwrap();
    assert!(
        mailer
            .send("an-id", "anna@example.org\r\nRCPT TO:<evil@example.org>", &letter)
            .await
            .unwrap_err()
            .is_final
    );
    let letters = postbox.take();
    assert_eq!((letters.len(), &letters[0].to), (1, &vec!["anna@example.org".to_owned()]));
    assert!(letters[0].header("Bcc").is_none());
    let names: Vec<String> =
        letters[0].head().iter().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    for name in &names {
        assert!(
            [
                "From",
                "To",
                "Subject",
                "Message-ID",
                "Auto-Submitted",
                "List-Unsubscribe",
                "List-Unsubscribe-Post",
                "MIME-Version",
                "Content-Type",
                "Date"
            ]
            .contains(&name.as_str()),
            "{names:?}"
        );
    }
}

fn tls_files() -> (String, String, String) {
    let file = |name: &str| format!("{}/src/tests/notify/{name}", env!("CARGO_MANIFEST_DIR"));
    (file("ca.pem"), file("server.pem"), file("server.key"))
}

#[tokio::test(flavor = "multi_thread")]
async fn starttls_is_demanded_and_a_password_goes_over_it_alone() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (ca, cert_path, key_path) = tls_files();
    let encrypted = |postbox: &Postbox, settings: &mut Settings| {
        postbox.settings(settings);
        settings.smtp_host = Some("localhost".to_owned());
        settings.smtp_tls = Some(SmtpTls::Starttls);
        settings.smtp_ca_file = Some(ca.clone().into());
        settings.smtp_user = Some("skills".to_owned());
        settings.smtp_password = Some(Secret::new("hush hush"));
    };
    let postbox = Postbox::with(SslConfig::SelfSigned { cert_path, key_path });
    let app = TestApp::with(|settings| encrypted(&postbox, settings)).await;
    let letter = notify::Letter {
        subject: "hello".to_owned(),
        plain: "hello".to_owned(),
        html: "hello".to_owned(),
        unsubscribe: None,
    };
    app.app.mailer.as_ref().unwrap().send("an-id", "anna@example.org", &letter).await.unwrap();
    assert_eq!(postbox.take().len(), 1);
    assert_eq!(*postbox.signed_in.lock().unwrap(), [("skills".to_owned(), "hush hush".to_owned())]);
    // One that nobody vouches for gets nothing.
    let app = TestApp::with(|settings| {
        encrypted(&postbox, settings);
        settings.smtp_ca_file = None;
    })
    .await;
    let refused =
        app.app.mailer.as_ref().unwrap().send("an-id", "anna@example.org", &letter).await.unwrap_err();
    assert!(!refused.is_final && postbox.take().is_empty(), "{refused:?}");
    // Nor does one that offers no TLS.
    let plain = Postbox::start();
    let app = TestApp::with(|settings| encrypted(&plain, settings)).await;
    let refused =
        app.app.mailer.as_ref().unwrap().send("an-id", "anna@example.org", &letter).await.unwrap_err();
    assert!(plain.take().is_empty() && plain.signed_in.lock().unwrap().is_empty(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_come_once_a_day_or_week_and_once_from_several_servers() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.reader(&postbox, "anna").await;
    let ben = app.reader(&postbox, "ben").await;
    app.prefer(&ben, "version-published", true, "weekly", true).await;
    notify::digests(&app.app).await.unwrap();
    app.quiet(&postbox).await;
    // 2026-01-02 is a Friday.
    app.publish("acme/tool", "1.1.0").await;
    app.publish("acme/tool", "1.2.0").await;
    app.tell().await;
    let read = app.notifications(&anna).await["notifications"][1]["id"].clone();
    app.post("/api/v1/notifications/read", &anna, json!({ "ids": [read] })).await.is(200);
    notify::digests(&app.app).await.unwrap();
    app.send_due().await;
    assert!(postbox.take().is_empty());
    app.wait(86_400);
    let other = app.another().await;
    let (one, two) = tokio::join!(notify::digests(&app.app), notify::digests(&other.app));
    one.unwrap();
    two.unwrap();
    let (one, two) = tokio::join!(notify::deliver_due(&app.app), notify::deliver_due(&other.app));
    one.unwrap();
    two.unwrap();
    let letters = postbox.take();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, ["anna@example.org"]);
    assert_eq!(letters[0].header("Subject").unwrap(), "[registry.example] 1 notification of the day");
    assert!(letters[0].plain().contains("acme/tool 1.2.0") && !letters[0].plain().contains("1.1.0"));
    // Nothing is mailed twice, on no day and after no crash.
    drop(other);
    let app = app.crash_and_reopen().await;
    for _ in 0..3 {
        app.wait(86_400);
        notify::digests(&app.app).await.unwrap();
        app.send_due().await;
    }
    let letters = postbox.take();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].to, ["ben@example.org"]);
    assert_eq!(letters[0].header("Subject").unwrap(), "[registry.example] 2 notifications of the week");
    app.wait(7 * 86_400);
    notify::digests(&app.app).await.unwrap();
    app.send_due().await;
    assert!(postbox.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_that_is_taken_back_is_mailed_as_that() {
    const QUARANTINE: &str = "/api/v1/skills/acme/tool/versions/1.0.0/quarantine";
    let postbox = Postbox::start();
    let (app, _) = TestApp::with_reader(&postbox).await;
    app.put(QUARANTINE, ADMIN, json!({ "reason": "bad" })).await.is(200);
    app.delete(QUARANTINE, ADMIN).await.is(200);
    app.tell().await;
    app.wait(31);
    app.send_due().await;
    let letters = postbox.take();
    assert_eq!(letters.len(), 1);
    let plain = letters[0].plain();
    for line in
        ["* acme/tool 1.0.0 was quarantined\n", "* the quarantine of acme/tool 1.0.0 was taken back\n"]
    {
        assert!(plain.contains(line), "{line}: {plain}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_has_no_more_lines_than_somebody_reads() {
    let postbox = Postbox::start();
    let app = TestApp::with_mail(&postbox).await;
    app.publish("acme/tool", "1.0.0").await;
    app.reader(&postbox, "anna").await;
    notify::digests(&app.app).await.unwrap();
    app.quiet(&postbox).await;
    let now = app.app.environment.now().micros();
    app.tamper(format!(
        "INSERT INTO notifications (id, user_id, kind, source, skill, version, namespace, at, on_page) WITH RECURSIVE n(i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) \
         SELECT 1000 + i, (SELECT id FROM users WHERE name = 'anna'), 'version-yanked', 'x:' || i, 'acme/tool', '1.0.0', 'acme', \
         {now}, 1 FROM n"
    ))
    .await;
    app.wait(86_400);
    notify::digests(&app.app).await.unwrap();
    app.send_due().await;
    let letters = postbox.take();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("Subject").unwrap(), "[registry.example] 60 notifications of the day");
    let plain = letters[0].plain();
    assert_eq!(plain.matches("* acme/tool 1.0.0 was yanked\n").count(), 50, "{plain}");
    assert!(plain.contains("and 10 more: skillery notifications list"), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_a_mail_server_says_so() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let state = app.get_as(&anna, "/api/v1/notifications/email").await.is(200);
    assert_eq!((&state["offered"], &state["address"]), (&json!(false), &json!(null)));
    app.put("/api/v1/notifications/email", &anna, json!({ "address": "anna@example.org" }))
        .await
        .fails(404, "mail-not-offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_mail_could_not_be_delivered_reads_it_until_one_arrives() {
    const EMAIL: &str = "/api/v1/notifications/email";
    let postbox = Postbox::start();
    let (app, anna) = TestApp::with_reader(&postbox).await;
    let undelivered = async || app.get_as(&anna, EMAIL).await.is(200)["undelivered"].clone();
    let page = async || {
        let mut browser = Browser::signed_in(&app, &anna).await;
        browser.page("/account/notifications/settings").await
    };
    let publish = async |version: &str| {
        app.publish("acme/tool", version).await;
        app.tell().await;
        app.wait(31);
        app.send_due().await;
    };
    assert_eq!(undelivered().await, json!(null));
    // What is tried again is not given up.
    postbox.is(Mood::Refuses(550, "5.7.1 Relaying denied"));
    publish("1.1.0").await;
    assert_eq!(undelivered().await, json!(null));
    assert!(!page().await.contains("could not be delivered"));
    postbox.is(Mood::Refuses(550, "5.1.1 <b>Nobody</b> here"));
    publish("1.2.0").await;
    let told = undelivered().await;
    assert_eq!((&told["address"], told["at"].is_string()), (&json!("anna@example.org"), true), "{told}");
    assert_eq!(told["reason"], "permanent error (550): 5.1.1 <b>Nobody</b> here");
    let text = page().await;
    assert!(text.contains("A mail to anna@example.org could not be delivered"), "{text}");
    assert!(text.contains(": permanent error (550): 5.1.1 "), "{text}");
    assert!(text.contains("&#60;b&#62;Nobody&#60;/b&#62; here") && !text.contains("<b>Nobody"), "{text}");
    postbox.is(Mood::Takes);
    publish("1.3.0").await;
    assert_eq!(undelivered().await, json!(null));
    assert!(!page().await.contains("could not be delivered"));
    // A code that nobody gets is told of as well.
    let bert = app.user("bert", &["read", "admin"]).await;
    postbox.is(Mood::NobodyHere);
    app.put(EMAIL, &bert, json!({ "address": "bert@example.org" })).await.is(200);
    app.send_due().await;
    let state = app.get_as(&bert, EMAIL).await.is(200);
    assert_eq!(
        (&state["confirmed_at"], &state["undelivered"]["address"]),
        (&json!(null), &json!("bert@example.org"))
    );
    postbox.is(Mood::Takes);
    app.mailed(&postbox, &bert, "bert@example.org").await;
    assert_eq!(app.get_as(&bert, EMAIL).await.is(200)["undelivered"], json!(null));
}
