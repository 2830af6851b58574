//! Feeding witnesses: what they are shown, what is kept of their answers, and that nothing waits for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use skillery_core::time::Time;
use skillery_core::tlog::{Checkpoint, KeyKind, Note, SigningKey, VerifierKey};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{ADMIN, START, TestApp, skill};
use crate::db::cosignatures;
use crate::environment::Environment;
use crate::listen::Listener;
use crate::settings::{LogWitness, Settings};
use crate::tlog::{self, Feeder, LogKey};
use crate::witness::{Door, Witness, WitnessSettings};

/// A witness that listens until it is dropped or stopped.
struct TestWitness {
    url: String,
    key: VerifierKey,
    environment: Environment,
    settings: WitnessSettings,
    stop: Option<oneshot::Sender<()>>,
    stopped: tokio::task::JoinHandle<()>,
}

impl TestWitness {
    async fn start(folder: &TempDir, name: &str, log: &VerifierKey) -> Self {
        let settings = WitnessSettings {
            data: folder.path().join(name),
            name: Some(format!("{name}.example")),
            logs: vec![log.to_string()],
            ..WitnessSettings::default()
        };
        let environment = Environment::manual(Time::from_micros(START));
        Self::start_at(settings, environment, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    async fn start_at(settings: WitnessSettings, environment: Environment, address: SocketAddr) -> Self {
        let listener = Listener::bind(address, None).await.unwrap();
        let url = listener.url();
        let witness = Witness::open(&settings, environment.clone()).unwrap();
        let key = witness.verifier().clone();
        let door = Door::new(Arc::new(witness), String::new());
        let running = listener.serve(Duration::from_secs(5), move |_| door.clone()).unwrap();
        let (stop, stopping) = oneshot::channel();
        let stopped = tokio::spawn(async move {
            let stop = async {
                let _ = stopping.await;
            };
            running.until(stop, Duration::ZERO, || ()).await.unwrap();
        });
        Self { url, key, environment, settings, stop: Some(stop), stopped }
    }

    /// Ends it; what it needs to come back at the same address.
    async fn stop(mut self) -> (WitnessSettings, Environment, SocketAddr) {
        drop(self.stop.take());
        self.stopped.await.unwrap();
        let address = self.url.trim_start_matches("http://").parse().unwrap();
        (self.settings, self.environment, address)
    }

    fn setting(&self) -> LogWitness {
        LogWitness { url: self.url.parse().unwrap(), key: self.key.to_string() }
    }
}

/// A folder that has the key of a log that does not run yet.
fn log_key() -> (TempDir, VerifierKey) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log-key");
    assert!(LogKey::make(&file, Some("log.example/log/v1"), &Environment::default()).unwrap());
    let key = LogKey::read(&file).unwrap();
    (folder, key.verifier().clone())
}

async fn app(folder: &TempDir, witnesses: &[&TestWitness], quorum: Option<usize>) -> TestApp {
    app_with(folder, witnesses.iter().map(|one| one.setting()).collect(), quorum).await
}

async fn app_with(folder: &TempDir, witnesses: Vec<LogWitness>, quorum: Option<usize>) -> TestApp {
    TestApp::with(|settings: &mut Settings| {
        settings.log_key_file = Some(folder.path().join("log-key"));
        settings.witnesses = witnesses;
        settings.witness_quorum = quorum;
    })
    .await
}

async fn text(app: &TestApp, path: &str) -> String {
    let answer = app.get(path).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", String::from_utf8_lossy(&answer.body));
    String::from_utf8(answer.body).unwrap()
}

/// The size of a checkpoint, and the names of the witnesses with the times of their cosignatures, which must be good.
fn read(note: &str, log: &VerifierKey, witnesses: &[&TestWitness]) -> (u64, Vec<(String, u64)>) {
    let (checkpoint, note) = Checkpoint::open(note, log).unwrap();
    let keys: Vec<VerifierKey> = witnesses.iter().map(|one| one.key.clone()).collect();
    let verified = note.verify(&keys).unwrap_or_default();
    // The log itself, and nobody else.
    assert_eq!(note.signatures.len(), verified.len() + 1);
    (checkpoint.size, verified.into_iter().map(|one| (one.name, one.time.unwrap())).collect())
}

async fn size(app: &TestApp) -> u64 {
    u64::try_from(app.app.db.refresh_size().await.unwrap()).unwrap()
}

const SECOND: u64 = START as u64 / 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_cosign_what_the_log_has_grown_to() {
    let (folder, key) = log_key();
    let one = TestWitness::start(&folder, "one", &key).await;
    let two = TestWitness::start(&folder, "two", &key).await;
    let both = [&one, &two];
    let app = app(&folder, &both, None).await;
    let mut feeder = Feeder::new(&app.app).unwrap().unwrap();
    let problem = app.get("/api/v1/log/witnessed").await.fails(404, "not-witnessed");
    assert_eq!(problem["detail"], "no checkpoint is cosigned by 2 of the 2 witnesses yet");
    assert_eq!(read(&text(&app, "/log/v1/checkpoint").await, &key, &both).1, []);
    for step in 0..5 {
        for number in 0..=step * 20 {
            let body = serde_json::json!({ "rating": 1 + number % 5 });
            app.publish("acme/tool", &format!("1.{step}.{number}")).await;
            // One user rates twenty times in a minute at most.
            app.wait(4);
            app.post("/api/v1/skills/acme/tool/rate", ADMIN, body).await.is(200);
        }
        let pause = feeder.round(&app.app).await.unwrap();
        assert_eq!(pause, Duration::from_secs(600));
        let checkpoint = text(&app, "/log/v1/checkpoint").await;
        let times = vec![("one.example".to_owned(), SECOND), ("two.example".to_owned(), SECOND)];
        assert_eq!(read(&checkpoint, &key, &both), (size(&app).await, times));
        assert_eq!(text(&app, "/api/v1/log/witnessed").await, checkpoint);
        // Nothing more is kept than what is answered.
        assert_eq!(cosignatures::all(&app.app.db).await.unwrap().len(), 2);
    }
    let before = text(&app, "/api/v1/log/witnessed").await;
    app.publish("acme/tool", "2.0.0").await;
    assert_eq!(read(&text(&app, "/log/v1/checkpoint").await, &key, &both).1, []);
    assert_eq!(text(&app, "/api/v1/log/witnessed").await, before);
    let metrics = text(&app, "/metrics").await;
    assert!(
        metrics.contains("skillery_witness_answers_total{witness=\"one.example\",outcome=\"cosigned\"} 5")
    );
    assert!(metrics.contains(&format!("skillery_witnessed_entries {}", read(&before, &key, &both).0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn cosignatures_are_renewed_when_the_log_does_not_grow() {
    let (folder, key) = log_key();
    let one = TestWitness::start(&folder, "one", &key).await;
    let app = app(&folder, &[&one], None).await;
    let mut feeder = Feeder::new(&app.app).unwrap().unwrap();
    let mut time = SECOND;
    feeder.round(&app.app).await.unwrap();
    for (seconds, is_renewed) in [(599, false), (1, true), (300, false), (300, true)] {
        app.app.environment.advance_seconds(seconds);
        one.environment.advance_seconds(seconds);
        feeder.round(&app.app).await.unwrap();
        if is_renewed {
            time = one.environment.now().micros() as u64 / 1_000_000;
        }
        let (_, times) = read(&text(&app, "/api/v1/log/witnessed").await, &key, &[&one]);
        assert_eq!(times, [("one.example".to_owned(), time)]);
    }
    // A witness whose clock is far behind is not asked more often.
    let behind = cosignatures::all(&app.app.db).await.unwrap();
    app.app.environment.advance_seconds(100);
    app.tamper(format!("UPDATE cosignatures SET seconds = {}", time - 10_000)).await;
    feeder.round(&app.app).await.unwrap();
    let after = cosignatures::all(&app.app.db).await.unwrap();
    assert_eq!((after.len(), after[0].line.as_str()), (1, behind[0].line.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_witness_that_is_down_is_left_alone_and_asked_again() {
    let (folder, key) = log_key();
    let one = TestWitness::start(&folder, "one", &key).await;
    let two = TestWitness::start(&folder, "two", &key).await;
    let (one_setting, two_setting) = (one.setting(), two.setting());
    let app = app_with(&folder, vec![one_setting, two_setting], Some(1)).await;
    let mut feeder = Feeder::new(&app.app).unwrap().unwrap();
    feeder.round(&app.app).await.unwrap();
    let two_key = two.key.clone();
    let (settings, environment, address) = two.stop().await;
    let failed = || async {
        let metrics = text(&app, "/metrics").await;
        let line = "skillery_witness_answers_total{witness=\"two.example\",outcome=\"failed\"} ";
        metrics.lines().find_map(|found| found.strip_prefix(line)).map_or(0, |count| count.parse().unwrap())
    };
    // The log grows, and one of two is enough.
    for (step, pause) in [(0_u64, 1), (1, 2), (2, 4)] {
        app.publish("acme/tool", &format!("1.{step}.0")).await;
        assert_eq!(feeder.round(&app.app).await.unwrap(), Duration::from_secs(pause));
        assert_eq!(failed().await, step + 1);
        app.publish("acme/tool", &format!("1.{step}.1")).await;
        feeder.round(&app.app).await.unwrap();
        assert_eq!(failed().await, step + 1, "it is left alone");
        let (witnessed, times) = read(&text(&app, "/api/v1/log/witnessed").await, &key, &[&one]);
        assert_eq!((witnessed, times.len()), (size(&app).await, 1));
        app.app.environment.advance_seconds(i64::try_from(pause).unwrap());
    }
    let two = TestWitness::start_at(settings, environment, address).await;
    assert_eq!(two.key, two_key);
    app.publish("acme/tool", "2.0.0").await;
    feeder.round(&app.app).await.unwrap();
    let (witnessed, times) = read(&text(&app, "/api/v1/log/witnessed").await, &key, &[&one, &two]);
    assert_eq!((witnessed, times.len()), (size(&app).await, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_little_is_kept() {
    let (folder, key) = log_key();
    let one = TestWitness::start(&folder, "one", &key).await;
    let two = TestWitness::start(&folder, "two", &key).await;
    let app = app(&folder, &[&one, &two], None).await;
    let mut feeder = Feeder::new(&app.app).unwrap().unwrap();
    feeder.round(&app.app).await.unwrap();
    let witnessed = text(&app, "/api/v1/log/witnessed").await;
    two.stop().await;
    for number in 0..20 {
        app.publish("acme/tool", &format!("1.0.{number}")).await;
        feeder.round(&app.app).await.unwrap();
        let checkpoint = text(&app, "/log/v1/checkpoint").await;
        assert_eq!(read(&checkpoint, &key, &[&one]).1.len(), 1, "it may do for somebody");
    }
    assert_eq!(text(&app, "/api/v1/log/witnessed").await, witnessed);
    assert_eq!(cosignatures::all(&app.app.db).await.unwrap().len(), 2 + 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_of_an_answer_that_is_not_the_witness_s() {
    let (folder, key) = log_key();
    let one = TestWitness::start(&folder, "one", &key).await;
    let other = SigningKey::from_seed("one.example", KeyKind::CosignatureV1, &[9; 32]).unwrap();
    let setting = LogWitness { key: other.verifier().to_string(), ..one.setting() };
    let app = app_with(&folder, vec![setting], None).await;
    let mut feeder = Feeder::new(&app.app).unwrap().unwrap();
    assert_eq!(feeder.round(&app.app).await.unwrap(), Duration::from_secs(1));
    app.get("/api/v1/log/witnessed").await.fails(404, "not-witnessed");
    // And of what is no witness at all.
    for body in ["", "hello\n", "\u{2014} one.example AAAA\n"] {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None).await.unwrap();
        let url = listener.url().parse().unwrap();
        let answer = move |_| async move { Ok(Response::new(Body::from(body))) };
        let _running = listener.serve(Duration::from_secs(5), move |_| tower::service_fn(answer)).unwrap();
        let setting = LogWitness { url, ..one.setting() };
        let app = app_with(&folder, vec![setting], None).await;
        let mut feeder = Feeder::new(&app.app).unwrap().unwrap();
        feeder.round(&app.app).await.unwrap();
        assert_eq!(cosignatures::all(&app.app.db).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_a_witness_that_does_not_answer() {
    let (folder, key) = log_key();
    let one = TestWitness::start(&folder, "one", &key).await;
    // It accepts connections, and that is all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let stranger = SigningKey::from_seed("silent.example", KeyKind::CosignatureV1, &[9; 32]).unwrap();
    let silent_setting = LogWitness { url, key: stranger.verifier().to_string() };
    let app = app_with(&folder, vec![silent_setting, one.setting()], Some(1)).await;
    let feeding = tokio::spawn(tlog::feed(Arc::clone(&app.app)));
    for number in 0..5 {
        app.publish("acme/tool", &format!("1.0.{number}")).await;
    }
    // The one that answers has cosigned long before the other is given up.
    let mut changes = 0;
    while app.get("/api/v1/log/witnessed").await.status.as_u16() == 404 {
        tokio::task::yield_now().await;
        changes += 1;
        assert!(changes < 1_000_000);
    }
    app.app.stop();
    feeding.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_ask_the_same_witnesses() {
    if !super::is_postgres() {
        // An embedded database has one server.
        return;
    }
    let (folder, key) = log_key();
    let one = TestWitness::start(&folder, "one", &key).await;
    let two = TestWitness::start(&folder, "two", &key).await;
    let first = app(&folder, &[&one, &two], None).await;
    let second = first.another().await;
    let mut feeders = [Feeder::new(&first.app).unwrap().unwrap(), Feeder::new(&second.app).unwrap().unwrap()];
    for number in 0..10 {
        let on = if number % 2 == 0 { &first } else { &second };
        on.publish("acme/tool", &format!("1.0.{number}")).await;
        let [one_feeder, two_feeder] = &mut feeders;
        let (one_pause, two_pause) =
            tokio::join!(one_feeder.round(&first.app), two_feeder.round(&second.app));
        assert!(
            one_pause.unwrap() >= Duration::from_secs(500) && two_pause.unwrap() >= Duration::from_secs(500)
        );
        for app in [&first, &second] {
            let (witnessed, times) = read(&text(app, "/api/v1/log/witnessed").await, &key, &[&one, &two]);
            assert_eq!((witnessed, times.len()), (size(app).await, 2));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_database_gets_no_cosignature() {
    if super::is_postgres() {
        return;
    }
    let (folder, key) = log_key();
    let one = TestWitness::start(&folder, "one", &key).await;
    let app = app(&folder, &[&one], None).await;
    app.publish("acme/tool", "1.0.0").await;
    let copy = folder.path().join("copy.sqlite");
    app.app.db.copy_to(&copy).await.unwrap();
    app.publish("acme/tool", "1.1.0").await;
    app.publish("acme/tool", "1.2.0").await;
    Feeder::new(&app.app).unwrap().unwrap().round(&app.app).await.unwrap();
    let app = app
        .crash_and_reopen_after(|settings| {
            for end in ["", "-wal", "-shm"] {
                let _ = fs_err::remove_file(format!("{}{end}", settings.sqlite_file().display()));
            }
            fs_err::copy(&copy, settings.sqlite_file()).unwrap();
            // Without this file the server itself does not know better.
            let _ = fs_err::remove_file(settings.seen_file());
        })
        .await;
    let mut feeder = Feeder::new(&app.app).unwrap().unwrap();
    // It has fewer entries than the witness, then as many, then more: never those that were cosigned.
    for number in 0..4 {
        feeder.round(&app.app).await.unwrap();
        app.get("/api/v1/log/witnessed").await.fails(404, "not-witnessed");
        app.app.environment.advance_seconds(1_000);
        app.post("/api/v1/skills", ADMIN, skill("acme/other", &format!("1.0.{number}"))).await.is(201);
    }
    let metrics = text(&app, "/metrics").await;
    assert!(metrics.contains("skillery_witness_answers_total{witness=\"one.example\",outcome=\"failed\"} 4"));
}

#[tokio::test]
async fn a_note_without_witnesses_is_as_it_was() {
    let app = TestApp::new().await;
    assert!(Feeder::new(&app.app).unwrap().is_none());
    let note: Note = text(&app, "/log/v1/checkpoint").await.parse().unwrap();
    assert_eq!(note.signatures.len(), 1);
    let problem = app.get("/api/v1/log/witnessed").await.fails(404, "not-witnessed");
    assert_eq!(problem["detail"], "this registry has no witnesses");
}

#[test]
fn settings_of_witnesses_that_do_not_go_together_are_refused() {
    let key = |seed| SigningKey::from_seed("w.example", KeyKind::CosignatureV1, &[seed; 32]).unwrap();
    let witness = |url: &str, key: &SigningKey| LogWitness {
        url: url.parse().unwrap(),
        key: key.verifier().to_string(),
    };
    let log = SigningKey::from_seed("w.example", KeyKind::Ed25519, &[1; 32]).unwrap();
    let (one, two) = (witness("http://one.example", &key(1)), witness("https://two.example/w", &key(2)));
    let settings = |witnesses: &[&LogWitness], quorum| Settings {
        witnesses: witnesses.iter().map(|one| (*one).clone()).collect(),
        witness_quorum: quorum,
        ..Settings::default()
    };
    for (count, quorum) in [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
        assert_eq!(settings(&vec![&one; count], None).quorum(), quorum);
    }
    settings(&[&one, &two], Some(1)).check().unwrap();
    settings(&[&one, &two], None).check().unwrap();
    for wrong in [
        settings(&[&one, &two], Some(0)),
        settings(&[&one, &two], Some(3)),
        settings(&[], Some(1)),
        settings(&[&one, &one], None),
        settings(&[&witness("http://one.example", &log)], None),
        settings(&[&witness("ftp://one.example", &key(1))], None),
        settings(&[&LogWitness { key: "one".to_owned(), ..one.clone() }], None),
        Settings { witness_minutes: 0, ..Settings::default() },
    ] {
        assert!(wrong.check().is_err());
    }
}
