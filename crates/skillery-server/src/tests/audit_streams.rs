//! The audit sent on: to collectors of syslog and to a webhook that really listen, on this machine.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, UdpSocket};

use super::{ADMIN, TestApp};
use crate::audit::{self, Follower};
use crate::outbound;
use crate::settings::{AuditStream, Settings};

const SECRET: &str = "a-secret-of-the-tests-of-32-characters";

fn stream(to: &str) -> AuditStream {
    let secret = to.starts_with("http").then(|| SECRET.to_owned());
    AuditStream { name: "siem".to_owned(), to: to.parse().unwrap(), secret, allow_private: true }
}

async fn app(to: &str) -> (TestApp, Follower) {
    let stream = stream(to);
    let app = TestApp::with(|settings| settings.audit.streams.push(stream)).await;
    let mut follower = Follower::new(&app.app, 0);
    // It begins at what comes from now on.
    assert!(!follower.turn(&app.app).await.unwrap());
    (app, follower)
}

/// The entry of a message of syslog.
fn entry(message: &str) -> Value {
    let (head, text) = message.split_once(" - {").unwrap();
    let words: Vec<&str> = head.split(' ').collect();
    let [priority, time, host, program, process, kind] = words.as_slice() else { panic!("{head}") };
    let entry: Value = serde_json::from_str(&format!("{{{text}")).unwrap();
    // Facility 10, and what is informational or a warning.
    let (severity, outcome) = if entry["outcome"] == "denied" { (4, "denied") } else { (6, "allowed") };
    assert_eq!((*priority, *kind), (format!("<{}>1", 10 * 8 + severity).as_str(), outcome));
    assert_eq!((entry["last_time"].as_str().unwrap(), *host, *program), (*time, "-", "skillery"));
    assert_eq!(process.parse::<u32>().unwrap(), std::process::id());
    entry
}

/// Messages with their lengths before them.
fn frames(bytes: &[u8]) -> Vec<Value> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
        found.push(entry(std::str::from_utf8(&rest[space + 1..space + 1 + length]).unwrap()));
        rest = &rest[space + 1 + length..];
    }
    found
}

async fn change_and_refusal(app: &TestApp) {
    app.publish("acme/tool", "1.0.0").await;
    app.delete("/api/v1/skills/acme/tool/rate", "").await.fails(401, "unauthenticated");
    audit::flush(&app.app, true).await.unwrap();
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

const EXPECTED: [&str; 4] =
    ["org.created", "member.set", "version.published", "DELETE /api/v1/skills/{id}/rate"];

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp_with_lengths_and_nothing_is_lost_while_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (app, mut follower) = app(&format!("tcp://{address}")).await;
    drop(listener);
    change_and_refusal(&app).await;
    for _ in 0..2 {
        follower.turn(&app.app).await.unwrap_err();
    }
    // A start does not forget where it was.
    let app = app.crash_and_reopen().await;
    let mut follower = Follower::new(&app.app, 0);
    follower.turn(&app.app).await.unwrap_err();

    let listener = TcpListener::bind(address).await.unwrap();
    let collected = tokio::spawn(async move {
        let mut bytes = Vec::new();
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.read_to_end(&mut bytes).await.unwrap();
        bytes
    });
    assert!(!follower.turn(&app.app).await.unwrap());
    let entries = frames(&collected.await.unwrap());
    assert_eq!(actions(&entries), EXPECTED);
    // Nothing is new: nobody is asked for, and nobody listens.
    assert!(!follower.turn(&app.app).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_udp() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (app, mut follower) = app(&format!("udp://{}", socket.local_addr().unwrap())).await;
    change_and_refusal(&app).await;
    follower.turn(&app.app).await.unwrap();
    let mut buffer = vec![0; 65_536];
    let mut entries = Vec::new();
    for _ in 0..EXPECTED.len() {
        let length = socket.recv(&mut buffer).await.unwrap();
        entries.push(entry(std::str::from_utf8(&buffer[..length]).unwrap()));
    }
    assert_eq!(actions(&entries), EXPECTED);
    assert_eq!(entries[2]["event"]["kind"], "version.published");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn to_a_local_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let (app, mut follower) = app(&format!("unix:{}", path.display())).await;
    change_and_refusal(&app).await;
    follower.turn(&app.app).await.unwrap();
    let mut buffer = vec![0; 65_536];
    for expected in EXPECTED {
        let length = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(entry(std::str::from_utf8(&buffer[..length]).unwrap())["action"], expected);
    }
}

/// What a webhook was sent, and with what it answers.
#[derive(Default)]
struct Hook {
    status: Mutex<u16>,
    /// What it takes no body with, and with what it answers then.
    hates: Mutex<Option<(&'static str, u16)>>,
    requests: Mutex<Vec<(HeaderMap, Bytes)>>,
}

async fn take(
    State(hook): State<Arc<Hook>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1]) {
    let mut status = *hook.status.lock().unwrap();
    if let Some((word, refusal)) = *hook.hates.lock().unwrap()
        && String::from_utf8_lossy(&body).contains(word)
    {
        status = refusal;
    }
    if status < 300 || hook.hates.lock().unwrap().is_none() {
        hook.requests.lock().unwrap().push((headers, body));
    }
    (StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere")])
}

async fn hook() -> (String, Arc<Hook>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let hook = Arc::new(Hook::default());
    let router = axum::Router::new().fallback(take).with_state(Arc::clone(&hook));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, hook)
}

#[tokio::test(flavor = "multi_thread")]
async fn to_a_webhook_signed_and_again_until_it_is_taken() {
    let (url, hook) = hook().await;
    let (app, mut follower) = app(&url).await;
    change_and_refusal(&app).await;
    // An answer that leads elsewhere is not followed.
    for status in [500, 302, 404] {
        *hook.status.lock().unwrap() = status;
        follower.turn(&app.app).await.unwrap_err();
    }
    *hook.status.lock().unwrap() = 204;
    app.app.environment.advance_seconds(7);
    assert!(!follower.turn(&app.app).await.unwrap());
    assert!(!follower.turn(&app.app).await.unwrap());
    let requests = std::mem::take(&mut *hook.requests.lock().unwrap());
    assert_eq!(requests.len(), 4);
    let header = |place: usize, name: &str| requests[place].0[name].to_str().unwrap().to_owned();
    for (place, (_, body)) in requests.iter().enumerate() {
        let (id, seconds) = (header(place, "webhook-id"), header(place, "webhook-timestamp"));
        assert_eq!(id, header(0, "webhook-id"));
        let signed = outbound::sign(SECRET, &id, seconds.parse().unwrap(), body);
        assert_eq!(header(place, "webhook-signature"), signed);
        let lines: Vec<Value> = std::str::from_utf8(body)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(actions(&lines), EXPECTED);
    }
    assert_ne!(header(0, "webhook-timestamp"), header(3, "webhook-timestamp"));
    // What counts more comes again with its number.
    app.delete("/api/v1/skills/acme/tool/rate", "").await.fails(401, "unauthenticated");
    audit::flush(&app.app, true).await.unwrap();
    follower.turn(&app.app).await.unwrap();
    let (_, body) = hook.requests.lock().unwrap().remove(0);
    let line: Value = serde_json::from_slice(&body).unwrap();
    let before: Value =
        serde_json::from_slice(requests[3].1.split(|byte| *byte == b'\n').nth(3).unwrap()).unwrap();
    assert_eq!((&line["id"], &line["times"], &before["times"]), (&before["id"], &json!(2), &json!(1)));
}

/// The lines that a hook was sent.
fn lines(hook: &Hook) -> Vec<Value> {
    let requests = hook.requests.lock().unwrap();
    let texts = requests.iter().map(|(_, body)| std::str::from_utf8(body).unwrap().to_owned());
    texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_taken_holds_up_none_behind_it() {
    for refusal in [413, 403] {
        let (url, hook) = hook().await;
        *hook.status.lock().unwrap() = 200;
        *hook.hates.lock().unwrap() = Some(("<script>", refusal));
        let (app, mut follower) = app(&url).await;
        for turn in 0..9 {
            app.post("/api/v1/skills", ADMIN, super::skill("acme/tool", &format!("1.{turn}.0")))
                .await
                .is(201);
            if turn == 4 {
                let request = axum::http::Request::delete("/api/v1/skills/acme/tool/rate")
                    .header("user-agent", "<script>alert(1)</script>");
                app.send(request.body(axum::body::Body::empty()).unwrap()).await;
                audit::flush(&app.app, true).await.unwrap();
            }
        }
        let mut turns = 0;
        while !matches!(follower.turn(&app.app).await, Ok(false)) {
            turns += 1;
            assert!(turns < 60, "{refusal}: it stands still");
        }
        let lines = lines(&hook);
        let ids: Vec<i64> = lines.iter().map(|line| line["id"].as_i64().unwrap()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]) && ids.len() == 12, "{ids:?}");
        let cut = lines.iter().find(|line| line["outcome"] == "denied").unwrap();
        assert_eq!((&cut["agent"], &cut["code"]), (&Value::Null, &json!("unauthenticated")));
        assert!(
            lines.iter().filter(|line| line["outcome"] == "allowed").all(|line| line["event"].is_object())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_datagram_takes_is_cut() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (app, mut follower) = app(&format!("udp://{}", socket.local_addr().unwrap())).await;
    // As an older program has written it.
    app.tamper(format!(
        "UPDATE audit_head SET position = position + 1; \
         INSERT INTO audit (id, position, at, last_at, times, outcome, action, subject) \
         SELECT position, position, 1, 1, 1, 'denied', '{0}', '{0}' FROM audit_head",
        "X".repeat(200_000)
    ))
    .await;
    app.publish("acme/tool", "1.0.0").await;
    while follower.turn(&app.app).await.unwrap() {}
    let mut buffer = vec![0; 65_536];
    let mut entries = Vec::new();
    for _ in 0..4 {
        let length = socket.recv(&mut buffer).await.unwrap();
        entries.push(entry(std::str::from_utf8(&buffer[..length]).unwrap()));
    }
    assert_eq!(entries[0]["action"], "X".repeat(100));
    assert_eq!(actions(&entries[1..]), EXPECTED[..3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_has_the_same_id_whatever_came_meanwhile() {
    let (url, hook) = hook().await;
    let (app, mut follower) = app(&url).await;
    *hook.status.lock().unwrap() = 503;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        app.publish("acme/tool", version).await;
        follower.turn(&app.app).await.unwrap_err();
    }
    *hook.status.lock().unwrap() = 200;
    while follower.turn(&app.app).await.unwrap() {}
    let requests = hook.requests.lock().unwrap();
    let ids: Vec<&str> = requests.iter().map(|(head, _)| head["webhook-id"].to_str().unwrap()).collect();
    assert_eq!(ids.len(), 5);
    assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0], "{ids:?}");
    let bodies: Vec<&Bytes> = requests.iter().map(|(_, body)| body).collect();
    assert!(bodies[..4].iter().all(|body| *body == bodies[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_stream_is_behind_is_in_the_metrics() {
    let (url, hook) = hook().await;
    *hook.status.lock().unwrap() = 200;
    let (app, mut follower) = app(&url).await;
    change_and_refusal(&app).await;
    app.app.environment.advance_seconds(7);
    let lag = async || {
        crate::audit::measure(&app.app).await.unwrap();
        let page = String::from_utf8(app.get("/metrics").await.body).unwrap();
        let of = |name: &str| {
            let start = format!("skillery_audit_stream_{name}{{stream=\"siem\"}} ");
            page.lines()
                .find_map(|line| line.strip_prefix(&start))
                .unwrap_or_else(|| panic!("{page}"))
                .to_owned()
        };
        (of("rows_behind"), of("behind_seconds"))
    };
    assert_eq!(lag().await, ("4".to_owned(), "7".to_owned()));
    let told = app.get_as(ADMIN, "/api/v1/admin/jobs").await.is(200);
    let stream = &told["streams"][0];
    assert_eq!((&stream["name"], &stream["rows"]), (&json!("siem"), &json!(4)));
    assert!(stream["oldest_at"].as_str().is_some_and(|at| at < told["at"].as_str().unwrap()), "{told}");
    let page = super::pages::Browser::signed_in(&app, ADMIN).await.page("/admin/jobs").await;
    assert!(page.contains("siem</td>") && page.contains("rows behind"), "{page}");
    follower.turn(&app.app).await.unwrap();
    while follower.turn(&app.app).await.unwrap() {}
    assert_eq!(lag().await, ("0".to_owned(), "0".to_owned()));
    // Who asks makes nothing be counted.
    app.publish("acme/tool", "2.0.0").await;
    let page = String::from_utf8(app.get("/metrics").await.body).unwrap();
    assert!(page.contains("skillery_audit_stream_rows_behind{stream=\"siem\"} 0"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_send_a_stream_once() {
    let (url, hook) = hook().await;
    *hook.status.lock().unwrap() = 200;
    let (app, mut follower) = app(&url).await;
    let another = app.another().await;
    let mut others = Follower::new(&another.app, 0);
    for turn in 0..30 {
        app.post("/api/v1/skills", ADMIN, super::skill("acme/tool", &format!("1.{turn}.0"))).await.is(201);
        let (one, two) = tokio::join!(follower.turn(&app.app), others.turn(&another.app));
        one.unwrap();
        two.unwrap();
    }
    follower.turn(&app.app).await.unwrap();
    let mut ids = Vec::new();
    for (_, body) in hook.requests.lock().unwrap().iter() {
        let lines = std::str::from_utf8(body).unwrap().lines();
        ids.extend(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap()));
    }
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!((ids.len(), ids.len()), (sorted.len(), 32), "none twice: {ids:?}");
    assert!(sorted.windows(2).all(|pair| pair[0] + 1 == pair[1]), "nothing is missing: {sorted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn private_networks_are_not_asked_unless_that_is_allowed() {
    let (url, hook) = hook().await;
    *hook.status.lock().unwrap() = 200;
    let named = AuditStream { allow_private: false, ..stream(&url.replace("127.0.0.1", "localhost")) };
    let app = TestApp::with(|settings| settings.audit.streams.push(named)).await;
    let mut follower = Follower::new(&app.app, 0);
    follower.turn(&app.app).await.unwrap();
    app.publish("acme/tool", "1.0.0").await;
    let refused = follower.turn(&app.app).await.unwrap_err();
    assert!(refused.to_string().contains("no address that may be asked"), "{refused}");
    assert!(hook.requests.lock().unwrap().is_empty());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let check = |streams: Vec<AuditStream>| {
        let mut settings = Settings::default();
        settings.audit.streams = streams;
        settings.check().map_err(|error| error.to_string())
    };
    check(vec![stream("udp://siem.example")]).unwrap();
    check(vec![stream("unix:/dev/log")]).unwrap();
    check(vec![stream("https://siem.example/hook")]).unwrap();
    for (wrong, part) in [
        (vec![stream("ftp://siem.example")], "sends `siem` to none of"),
        (vec![stream("unix:log")], "sends `siem` to none of"),
        (vec![stream("udp:514")], "sends `siem` to none of"),
        (vec![stream("udp://a"), stream("udp://b")], "twice"),
        (vec![AuditStream { name: "a b".to_owned(), ..stream("udp://a") }], "which is none"),
        (vec![AuditStream { secret: Some("short".to_owned()), ..stream("https://a") }], "needs a `secret`"),
        (vec![AuditStream { secret: Some(SECRET.to_owned()), ..stream("udp://a") }], "no webhook"),
    ] {
        let error = check(wrong).unwrap_err();
        assert!(error.contains(part) && !error.contains(SECRET), "{error}");
    }
}
