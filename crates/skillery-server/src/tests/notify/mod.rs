//! Notifications, with a mail server and receivers of webhooks that really listen, on this machine.

mod changes;
mod fair;
mod hooks;
mod lost;
mod mail;
mod outside;
mod told;
mod ways;

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use mailin_embedded::response::{AUTHENTICATION_REQUIRED, INTERNAL_ERROR, NO_MAILBOX, OK};
use mailin_embedded::{AuthMechanism, Handler, Response, Server, SslConfig};
use serde_json::{Value, json};

pub(super) use mail::code;

use super::{ADMIN, Answer, TestApp};
use crate::notify;
use crate::settings::Settings;

/// What came to whom.
#[derive(Debug, Clone)]
pub(in crate::tests) struct Letter {
    to: Vec<String>,
    text: String,
}

impl Letter {
    /// The lines of the head, unfolded.
    fn head(&self) -> Vec<String> {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect()
    }

    fn header(&self, name: &str) -> Option<String> {
        let start = format!("{}: ", name.to_lowercase());
        let mut found = self.head().into_iter().filter(|line| line.to_lowercase().starts_with(&start));
        let value = found.next().map(|line| line[start.len()..].to_owned());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    /// The plain text, decoded.
    fn plain(&self) -> String {
        self.part("text/plain")
    }

    fn part(&self, kind: &str) -> String {
        let boundary = self.text.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
        let boundary = format!("\r\n--{boundary}");
        let mut parts = self.text.split(&boundary);
        let part = parts.find(|part| part.contains(kind)).unwrap();
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        if !head.contains("quoted-printable") {
            return body.replace("\r\n", "\n");
        }
        let joined = body.replace("=\r\n", "");
        let mut pieces = joined.split('=');
        let mut text = pieces.next().unwrap().to_owned();
        for piece in pieces {
            text.push(char::from(u8::from_str_radix(&piece[..2], 16).unwrap()));
            text += &piece[2..];
        }
        text.replace("\r\n", "\n")
    }
}

/// How a mail server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    LaterPlease,
    NobodyHere,
    SignInFirst,
    /// Nobody gets mail, with this code and these words.
    Refuses(u16, &'static str),
}

/// A mail server.
#[derive(Clone)]
pub(in crate::tests) struct Postbox {
    letters: Arc<Mutex<Vec<Letter>>>,
    mood: Arc<Mutex<Mood>>,
    signed_in: Arc<Mutex<Vec<(String, String)>>>,
    open: Letter,
    port: u16,
}

impl Handler for Postbox {
    fn rcpt(&mut self, _: &str) -> Response {
        match *self.mood.lock().unwrap() {
            Mood::NobodyHere => NO_MAILBOX,
            Mood::SignInFirst => AUTHENTICATION_REQUIRED,
            Mood::LaterPlease => INTERNAL_ERROR,
            Mood::Refuses(code, words) => Response::custom(code, words.to_owned()),
            Mood::Takes => OK,
        }
    }

    fn data_start(&mut self, _: &str, _: &str, _: bool, to: &[String]) -> Response {
        self.open = Letter { to: to.to_vec(), text: String::new() };
        OK
    }

    fn data(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.open.text += std::str::from_utf8(bytes).unwrap();
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        self.letters.lock().unwrap().push(self.open.clone());
        OK
    }

    fn auth_plain(&mut self, _: &str, name: &str, password: &str) -> Response {
        self.signed_in.lock().unwrap().push((name.to_owned(), password.to_owned()));
        OK
    }
}

impl Postbox {
    pub(in crate::tests) fn start() -> Self {
        Self::with(SslConfig::None)
    }

    fn with(tls: SslConfig) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let postbox = Self {
            letters: Arc::default(),
            mood: Arc::new(Mutex::new(Mood::Takes)),
            signed_in: Arc::default(),
            open: Letter { to: Vec::new(), text: String::new() },
            port: listener.local_addr().unwrap().port(),
        };
        let mut server = Server::new(postbox.clone());
        server.with_name("postbox").with_tcp_listener(listener).with_num_threads(8);
        if !matches!(tls, SslConfig::None) {
            server.with_auth(AuthMechanism::Plain);
        }
        server.with_ssl(tls).unwrap();
        std::thread::spawn(move || server.serve().unwrap());
        postbox
    }

    /// What came since this was asked the last time.
    pub(in crate::tests) fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.letters.lock().unwrap())
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(in crate::tests) fn settings(&self, settings: &mut Settings) {
        settings.smtp_host = Some("127.0.0.1".to_owned());
        settings.smtp_port = Some(self.port);
        settings.mail_from = Some("Skills <skills@registry.example>".to_owned());
        settings.public_url = "https://registry.example".parse().ok();
    }
}

/// What a receiver of webhooks was sent, and with what it answers.
#[derive(Default)]
struct Inbox {
    answer: Mutex<(u16, String)>,
    requests: Mutex<Vec<(String, HeaderMap, Bytes)>>,
}

/// A receiver of webhooks.
pub(in crate::tests) struct Receiver {
    inbox: Arc<Inbox>,
    port: u16,
}

async fn receive(
    State(inbox): State<Arc<Inbox>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, String); 1], String) {
    let (status, text) = inbox.answer.lock().unwrap().clone();
    inbox.requests.lock().unwrap().push((uri.path().to_owned(), headers, body));
    (StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere".to_owned())], text)
}

impl Receiver {
    pub(in crate::tests) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inbox = Arc::new(Inbox { answer: Mutex::new((200, String::new())), ..Inbox::default() });
        let router = axum::Router::new().fallback(receive).with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { inbox, port }
    }

    pub(in crate::tests) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub(in crate::tests) fn answers(&self, status: u16, text: &str) {
        *self.inbox.answer.lock().unwrap() = (status, text.to_owned());
    }

    /// What came since this was asked the last time.
    pub(in crate::tests) fn take(&self) -> Vec<(String, HeaderMap, Bytes)> {
        std::mem::take(&mut *self.inbox.requests.lock().unwrap())
    }

    /// The same, as JSON.
    fn bodies(&self) -> Vec<Value> {
        self.take().iter().map(|(_, _, body)| serde_json::from_slice(body).unwrap()).collect()
    }
}

impl TestApp {
    /// One that mails to this postbox, and whose webhooks may lead to this machine.
    pub(in crate::tests) async fn with_mail_and_hooks(postbox: &Postbox) -> Self {
        Self::with(|settings| {
            postbox.settings(settings);
            settings.outbound_allow = vec!["127.0.0.0/8".parse().unwrap()];
        })
        .await
    }

    /// One that mails to this postbox, with a skill, and Anna, who is mailed of its new versions at once; what came of that is taken.
    async fn with_reader(postbox: &Postbox) -> (Self, String) {
        let app = Self::with_mail(postbox).await;
        app.publish("acme/tool", "1.0.0").await;
        let anna = app.reader(postbox, "anna").await;
        app.prefer(&anna, "version-published", true, "immediate", true).await;
        app.quiet(postbox).await;
        (app, anna)
    }

    /// A registry that may call webhooks on this machine.
    pub(in crate::tests) async fn with_hooks() -> Self {
        Self::with(|settings| settings.outbound_allow = vec!["127.0.0.0/8".parse().unwrap()]).await
    }

    /// Tells everybody of everything.
    pub(in crate::tests) async fn tell(&self) {
        self.settle().await;
        notify::catch_up(&self.app).await.unwrap();
    }

    /// Tells everybody, and sends what is due.
    async fn tell_and_send(&self) {
        self.tell().await;
        self.send_due().await;
    }

    pub(in crate::tests) async fn send_due(&self) {
        while notify::deliver_due(&self.app).await.unwrap() {}
    }

    pub(in crate::tests) fn wait(&self, seconds: i64) {
        self.app.environment.advance_seconds(seconds);
    }

    /// What was published before is told nobody who installs it now.
    pub(in crate::tests) async fn install_as(&self, token: &str, id: &str, version: &str) {
        self.tell().await;
        self.get_as(token, &format!("/api/v1/skills/{id}/download?version={version}")).await.is(200);
        self.settle().await;
    }

    pub(in crate::tests) async fn notifications(&self, token: &str) -> Value {
        self.get_as(token, "/api/v1/notifications").await.is(200)
    }

    /// The lines of what is told, the newest first.
    async fn told(&self, token: &str) -> Vec<String> {
        self.tell().await;
        let found = self.notifications(token).await;
        let lines = found["notifications"].as_array().unwrap().iter();
        lines.map(|one| one["text"].as_str().unwrap().to_owned()).collect()
    }

    async fn prefer(&self, token: &str, kind: &str, page: bool, mail: &str, webhook: bool) {
        let preference = json!({ "kind": kind, "page": page, "mail": mail, "webhook": webhook });
        self.put("/api/v1/notifications/preferences", token, json!({ "preferences": [preference] }))
            .await
            .is(200);
    }

    async fn yank_it(&self, id: &str, version: &str) -> Answer {
        self.put(&format!("/api/v1/skills/{id}/versions/{version}/yank"), ADMIN, json!({ "reason": "" }))
            .await
    }
}
