//! The witness through its door: what it cosigns, what it refuses, and that it never goes back.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use skillery_core::Digest;
use skillery_core::time::Time;
use skillery_core::tlog::{
    AddCheckpoint, Checkpoint, Edge, KeyKind, Node, Note, SigningKey, VerifierKey, consistency_proof,
    leaf_hash, parse_cosignatures,
};
use tempfile::TempDir;
use tower::ServiceExt;

use super::door::Door;
use super::memory::MemoryError;
use super::{Witness, WitnessError, WitnessSettings};
use crate::environment::Environment;
use crate::settings::SettingsError;

const START: i64 = 1_767_323_045;

/// A log of whose leaves some differ from those of others with the same key.
struct TestLog {
    key: SigningKey,
    edges: Vec<Edge>,
    nodes: HashMap<Node, Digest>,
}

impl TestLog {
    fn new(origin: &str, leaf: impl Fn(u64) -> String) -> Self {
        let key = SigningKey::from_seed(origin, KeyKind::Ed25519, &[7; 32]).unwrap();
        let (mut edge, mut nodes) = (Edge::default(), HashMap::new());
        let mut edges = vec![edge.clone()];
        for index in 0..40 {
            edge.append(leaf_hash(leaf(index).as_bytes()), |node, hash| {
                nodes.insert(node, hash);
            });
            edges.push(edge.clone());
        }
        Self { key, edges, nodes }
    }

    fn honest() -> Self {
        Self::new("log.example", |index| format!("leaf {index}"))
    }

    /// The same as the honest one up to this leaf.
    fn forked_at(fork: u64) -> Self {
        Self::new("log.example", |index| format!("{} {index}", if index < fork { "leaf" } else { "fork" }))
    }

    fn note(&self, size: u64) -> Note {
        let root = self.edges[size as usize].root();
        let origin = self.key.verifier().name().to_owned();
        let text = Checkpoint { origin, size, root, extensions: Vec::new() }.to_string();
        let signatures = vec![self.key.sign(&text).unwrap()];
        Note { text, signatures }
    }

    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let proof = consistency_proof(old, new, |node| Ok::<_, Infallible>(self.nodes[&node])).unwrap();
        AddCheckpoint { old_size: old, proof, checkpoint: self.note(new) }
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    #[track_caller]
    fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

/// A witness on a folder, with a clock that stands.
struct TestWitness {
    door: Door,
    key: VerifierKey,
    environment: Environment,
    settings: WitnessSettings,
    folder: Arc<TempDir>,
}

impl TestWitness {
    fn new(logs: &[&TestLog]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let logs = logs.iter().map(|log| log.key.verifier().to_string()).collect();
        let settings = WitnessSettings {
            data: folder.path().join("data"),
            name: Some("witness.example/w1".to_owned()),
            logs,
            ..WitnessSettings::default()
        };
        Self::open(settings, Environment::manual(Time::from_micros(START * 1_000_000)), folder)
    }

    fn open(settings: WitnessSettings, environment: Environment, folder: Arc<TempDir>) -> Self {
        settings.check().unwrap();
        let witness = Witness::open(&settings, environment.clone()).unwrap();
        let key = witness.verifier().clone();
        Self { door: Door::new(Arc::new(witness), settings.path()), key, environment, settings, folder }
    }

    /// As after a crash: nothing is left but what is on disk.
    fn again(self) -> Self {
        let Self { door, environment, settings, folder, .. } = self;
        drop(door);
        Self::open(settings, environment, folder)
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
        let (head, body) = self.door.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(bytes).unwrap() }
    }

    async fn add(&self, request: &AddCheckpoint) -> Answer {
        self.send(Method::POST, "/add-checkpoint", request.to_string()).await
    }

    /// The time of the cosignature that this request must get.
    async fn cosigned(&self, request: &AddCheckpoint) -> u64 {
        let answer = self.add(request).await.is(200);
        let keys = [self.key.clone()];
        let signatures = parse_cosignatures(&answer.text, &request.checkpoint, &keys).unwrap();
        assert_eq!(signatures.len(), 1);
        let note = Note { text: request.checkpoint.text.clone(), signatures };
        note.verify(&keys).unwrap()[0].time.unwrap()
    }

    async fn has_cosigned(&self, log: &TestLog, size: u64) {
        let other = if size == 0 { 1 } else { 0 };
        let answer = self.add(&log.request(other, 40)).await.is(409);
        assert_eq!(answer.text, format!("{size}\n"));
        assert_eq!(answer.headers["content-type"], "text/x.tlog.size");
    }
}

#[tokio::test]
async fn a_log_that_grows_is_cosigned() {
    let log = TestLog::honest();
    let mut witness = TestWitness::new(&[&log]);
    witness.has_cosigned(&log, 0).await;
    for (old, new) in [(0, 0), (0, 3), (3, 3), (3, 4), (4, 17), (17, 40)] {
        witness.environment.advance_seconds(5);
        let time = witness.cosigned(&log.request(old, new)).await;
        assert_eq!(time as i64, witness.environment.now().micros() / 1_000_000);
        witness.has_cosigned(&log, new).await;
        witness = witness.again();
        witness.has_cosigned(&log, new).await;
    }
}

#[tokio::test]
async fn a_log_that_was_forked_is_not_cosigned() {
    let (log, fork) = (TestLog::honest(), TestLog::forked_at(5));
    let mut witness = TestWitness::new(&[&log]);
    witness.cosigned(&log.request(0, 8)).await;
    for _ in 0..2 {
        for request in [fork.request(8, 8), fork.request(8, 20)] {
            witness.add(&request).await.is(422);
        }
        // What is proven of another size says nothing.
        let other = AddCheckpoint { old_size: 8, ..fork.request(5, 20) };
        witness.add(&other).await.is(422);
        // The fork has grown from an older tree, and that is what the proof begins with.
        let older = witness.add(&fork.request(4, 20)).await.is(409);
        assert_eq!(older.text, "8\n");
        witness = witness.again();
    }
    witness.cosigned(&log.request(8, 9)).await;
}

#[tokio::test]
async fn an_older_checkpoint_again_and_one_that_was_sent_at_once_are_refused() {
    let log = TestLog::honest();
    let witness = Arc::new(TestWitness::new(&[&log]));
    witness.cosigned(&log.request(0, 10)).await;
    witness.cosigned(&log.request(10, 20)).await;
    for request in [log.request(0, 10), log.request(10, 10), log.request(10, 20), log.request(10, 30)] {
        assert_eq!(witness.add(&request).await.is(409).text, "20\n");
    }
    let larger = AddCheckpoint { old_size: 20, ..log.request(0, 10) };
    witness.add(&larger).await.is(400);
    // Of many at once that continue the same tree one is cosigned, and those that send just that one again.
    let log = Arc::new(log);
    let tasks: Vec<_> = (21..=40)
        .map(|size| {
            let (witness, log) = (Arc::clone(&witness), Arc::clone(&log));
            tokio::spawn(async move { (size, witness.add(&log.request(20, size)).await) })
        })
        .collect();
    let mut cosigned = Vec::new();
    for task in tasks {
        let (size, answer) = task.await.unwrap();
        match answer.status.as_u16() {
            200 => cosigned.push(size),
            status => assert_eq!(status, 409, "{}", answer.text),
        }
    }
    assert_eq!(cosigned.len(), 1);
    witness.has_cosigned(&log, cosigned[0]).await;
}

#[tokio::test]
async fn only_what_a_known_log_has_signed_is_cosigned() {
    let log = TestLog::honest();
    let mut witness = TestWitness::new(&[&log]);
    let stranger = TestLog::new("stranger.example", |index| format!("leaf {index}"));
    witness.add(&stranger.request(0, 3)).await.is(404);
    let good = log.request(0, 3);
    let mut unsigned = good.clone();
    unsigned.checkpoint.signatures = stranger.note(3).signatures;
    witness.add(&unsigned).await.is(403);
    let mut wrong = good.clone();
    wrong.checkpoint.signatures[0].signature[5] ^= 1;
    witness.add(&wrong).await.is(403);
    let other = SigningKey::from_seed("log.example", KeyKind::Ed25519, &[8; 32]).unwrap();
    let mut other_key = good.clone();
    other_key.checkpoint.signatures = vec![other.sign(&good.checkpoint.text).unwrap()];
    witness.add(&other_key).await.is(403);
    witness.has_cosigned(&log, 0).await;
    // A log that has got another key, and signs with both, is followed by either.
    let mut both = good.clone();
    both.checkpoint.signatures.extend(other_key.checkpoint.signatures.clone());
    witness.cosigned(&both).await;
    witness.settings.logs.push(other.verifier().to_string());
    let witness = witness.again();
    let mut next = log.request(3, 4);
    next.checkpoint.signatures = vec![other.sign(&next.checkpoint.text).unwrap()];
    witness.cosigned(&next).await;
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let log = TestLog::honest();
    let witness = TestWitness::new(&[&log]);
    let good = log.request(0, 3).to_string();
    for body in [
        String::new(),
        "old 0\n".to_owned(),
        good.replace("old 0", "old 00"),
        good.replace("old 0", "new 0"),
        good.replace("\n3\n", "\nthree\n"),
        good.trim_end().to_owned(),
        good.replacen("\n\n", "\n", 1),
    ] {
        witness.send(Method::POST, "/add-checkpoint", body).await.is(400);
    }
    witness.send(Method::POST, "/add-checkpoint", vec![0xff; 10]).await.is(400);
    witness.send(Method::POST, "/add-checkpoint", "x".repeat(1 << 20)).await.is(413);
    let answer = witness.send(Method::GET, "/add-checkpoint", "").await.is(405);
    assert_eq!(answer.headers["allow"], "POST");
    witness.send(Method::POST, "/key", "").await.is(405);
    witness.send(Method::POST, "/other", good.clone()).await.is(404);
    witness.has_cosigned(&log, 0).await;
    for path in ["/", "/key"] {
        let answer = witness.send(Method::GET, path, "").await.is(200);
        assert_eq!(answer.text, format!("{}\n", witness.key));
    }
    witness.send(Method::GET, "/healthz", "").await.is(200);
}

#[tokio::test]
async fn it_may_be_reached_below_a_prefix() {
    let log = TestLog::honest();
    let mut witness = TestWitness::new(&[&log]);
    witness.settings.prefix = Some("/witness/one/".to_owned());
    let witness = witness.again();
    let body = log.request(0, 3).to_string();
    witness.send(Method::POST, "/add-checkpoint", body.clone()).await.is(404);
    witness.send(Method::POST, "/witness/one/add-checkpoint", body).await.is(200);
    witness.send(Method::GET, "/witness/one", "").await.is(200);
}

#[tokio::test]
async fn nothing_is_cosigned_while_the_clock_is_behind() {
    let (log, other) = (TestLog::honest(), TestLog::new("other.example", |index| format!("leaf {index}")));
    let mut witness = TestWitness::new(&[&log, &other]);
    let first = witness.cosigned(&log.request(0, 3)).await;
    // The same again within the second is the same, later it is fresher.
    assert_eq!(witness.cosigned(&log.request(3, 3)).await, first);
    witness.environment.advance_seconds(1);
    assert_eq!(witness.cosigned(&log.request(3, 3)).await, first + 1);
    witness.environment.advance_seconds(-1);
    for _ in 0..2 {
        for request in [log.request(3, 3), log.request(3, 4), other.request(0, 1)] {
            let answer = witness.add(&request).await.is(503);
            assert!(answer.text.contains("clock") && answer.text.contains(&(first + 1).to_string()));
            assert!(answer.headers.contains_key("retry-after"));
        }
        // What is wrong is wrong at any time.
        witness.add(&log.request(2, 4)).await.is(409);
        witness = witness.again();
    }
    witness.has_cosigned(&log, 3).await;
    witness.environment.advance_seconds(1);
    assert_eq!(witness.cosigned(&log.request(3, 4)).await, first + 1);
}

#[tokio::test]
async fn what_cannot_be_remembered_is_not_cosigned() {
    let log = TestLog::honest();
    let witness = TestWitness::new(&[&log]);
    witness.cosigned(&log.request(0, 3)).await;
    // A folder that is a file can hold nothing, not even for root.
    let folder = witness.settings.data.join("logs");
    let aside = witness.settings.data.join("aside");
    fs_err::rename(&folder, &aside).unwrap();
    fs_err::write(&folder, "").unwrap();
    witness.add(&log.request(3, 9)).await.is(500);
    fs_err::remove_file(&folder).unwrap();
    fs_err::rename(&aside, &folder).unwrap();
    witness.has_cosigned(&log, 3).await;
    witness.cosigned(&log.request(3, 5)).await;
}

#[tokio::test]
async fn a_line_that_comes_many_times_is_remembered_once() {
    let log = TestLog::honest();
    let witness = TestWitness::new(&[&log]);
    witness.cosigned(&log.request(0, 3)).await;
    for lines in [99, 100] {
        witness.environment.advance_seconds(1);
        let mut request = log.request(3, 3);
        let line = request.checkpoint.signatures[0].clone();
        request.checkpoint.signatures = vec![line; lines];
        witness.cosigned(&request).await;
    }
    let file = fs_err::read_dir(witness.settings.data.join("logs")).unwrap().next().unwrap().unwrap().path();
    let kept = Note::parse(fs_err::read_to_string(file).unwrap()).unwrap();
    assert_eq!(kept.signatures.len(), 2);
    let witness = witness.again();
    witness.has_cosigned(&log, 3).await;
    witness.cosigned(&log.request(3, 5)).await;
}

#[tokio::test]
async fn a_witness_that_has_lost_its_memory_does_not_start() {
    let log = TestLog::honest();
    let witness = TestWitness::new(&[&log]);
    witness.cosigned(&log.request(0, 3)).await;
    let TestWitness { door, settings, environment, folder, .. } = witness;
    let second = Witness::open(&settings, environment.clone()).err().unwrap();
    assert!(matches!(second, WitnessError::InUse(_)), "{second:?}");
    drop(door);
    let file = fs_err::read_dir(settings.data.join("logs")).unwrap().next().unwrap().unwrap().path();
    let good = fs_err::read_to_string(&file).unwrap();
    for damaged in ["", &good[..good.len() / 2], &good.replace("log.example\n3\n", "log.example\n2\n")] {
        fs_err::write(&file, damaged).unwrap();
        let error = Witness::open(&settings, environment.clone()).err().unwrap();
        assert!(matches!(error, WitnessError::Memory(_)), "{error:?}");
    }
    // Nor where the file is gone, with its folder or alone, and the key is still there.
    fs_err::remove_file(&file).unwrap();
    let error = Witness::open(&settings, environment.clone()).err().unwrap();
    let WitnessError::Memory(MemoryError::Missing { origin, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(origin, "log.example");
    fs_err::remove_dir_all(settings.data.join("logs")).unwrap();
    let error = Witness::open(&settings, environment.clone()).err().unwrap();
    assert!(matches!(error, WitnessError::Memory(MemoryError::Missing { .. })), "{error:?}");
    // With another key it is another witness, which begins anew.
    let new = WitnessSettings {
        data: folder.path().join("new"),
        key_file: Some(folder.path().join("new-key")),
        ..settings.clone()
    };
    fs_err::copy(settings.list_file(), new.list_file()).unwrap();
    drop(Witness::open(&new, environment.clone()).unwrap());
    fs_err::write(&file, &good).unwrap();
    // A witness of before there was such a list makes it.
    fs_err::remove_file(settings.list_file()).unwrap();
    drop(Witness::open(&settings, environment.clone()).unwrap());
    let list = fs_err::read_to_string(settings.list_file()).unwrap();
    assert_eq!(list.lines().skip(1).collect::<Vec<_>>(), ["log.example"]);
    // Another key would make another witness of it.
    let key = settings.key_file();
    let kept = fs_err::read_to_string(&key).unwrap();
    fs_err::remove_file(&key).unwrap();
    let error = Witness::open(&settings, environment.clone()).err().unwrap();
    assert!(matches!(error, WitnessError::Memory(_)), "{error:?}");
    fs_err::write(&key, kept.replace("witness.example", "other.example")).unwrap();
    let error = Witness::open(&settings, environment.clone()).err().unwrap();
    assert!(matches!(error, WitnessError::Key(_)), "{error:?}");
    fs_err::write(&key, kept).unwrap();
    TestWitness::open(settings, environment, folder).has_cosigned(&log, 3).await;
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let log = TestLog::honest().key.verifier().to_string();
    let cosigner = SigningKey::from_seed("log.example", KeyKind::CosignatureV1, &[7; 32]).unwrap();
    let good = WitnessSettings { logs: vec![log.clone()], ..WitnessSettings::default() };
    good.check().unwrap();
    for wrong in [
        WitnessSettings { logs: Vec::new(), ..good.clone() },
        WitnessSettings { logs: vec![log.clone(), log], ..good.clone() },
        WitnessSettings { logs: vec!["log.example".to_owned()], ..good.clone() },
        WitnessSettings { logs: vec![cosigner.verifier().to_string()], ..good.clone() },
        WitnessSettings { prefix: Some("a b".to_owned()), ..good.clone() },
        WitnessSettings { tls_cert: Some("cert.pem".into()), ..good },
    ] {
        let error = wrong.check().unwrap_err();
        assert!(matches!(error, SettingsError::Invalid(_)), "{error:?}");
    }
}

#[cfg(unix)]
#[test]
fn the_key_is_for_its_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let log = TestLog::honest();
    let witness = TestWitness::new(&[&log]);
    let mode = fs_err::metadata(witness.settings.key_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(witness.key.kind(), KeyKind::CosignatureV1);
    assert_eq!(super::witness_key(&witness.settings).unwrap(), witness.key);
}
