//! Another key for the log: clients follow what the old key has signed and the tree has, and nothing else.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use skillery_client::log::{MonitorReport, Watched};
use skillery_client::publish::publish;
use skillery_client::{Client, Config, Error, Home, Installation, Library, LockedSkill, Log, SignWith};
use skillery_core::VersionRequest;
use skillery_core::tlog::{Checkpoint, KeyKind, Note, Rotation, SigningKey, VerifierKey};
use skillery_server::Settings;

use crate::proxy::Proxy;
use crate::registry::{PLAIN, Registry, draft, id};

/// A registry that is rotated now and then, behind an address that stays.
struct World {
    registry: Registry,
    proxy: Proxy,
    /// The keys that the log had and has, the newest last.
    keys: Vec<SigningKey>,
}

impl World {
    async fn new() -> Self {
        let registry = Registry::start().await;
        let proxy = Proxy::start(registry.config()).await;
        let world = Self { keys: vec![signing(&registry.data())], registry, proxy };
        world.release("1.0.0").await;
        world
    }

    async fn release(&self, number: &str) {
        let home = self.registry.home("publisher");
        publish(&self.registry.admin(), &home, draft("acme/hello", number), SignWith::default())
            .await
            .unwrap();
    }

    /// Stops the registry, rotates its key, and starts it again.
    async fn rotate(self) -> Self {
        let Self { mut registry, proxy, mut keys } = self;
        registry.stop();
        let data = registry.data();
        rotate(&data).await;
        let registry = registry.restart_with(&data).await;
        proxy.passes_to(registry.url());
        keys.push(signing(&data));
        Self { registry, proxy, keys }
    }

    async fn restart_with(self, data: &std::path::Path) -> Self {
        let Self { registry, proxy, keys } = self;
        let registry = registry.restart_with(data).await;
        proxy.passes_to(registry.url());
        Self { registry, proxy, keys }
    }

    /// A client with this key in its configuration.
    fn configured(&self, key: &SigningKey) -> Client {
        let config = Config { log_key: Some(key.verifier().clone()), ..self.proxy.config.clone() };
        Client::new(&config).unwrap()
    }

    fn key(&self, number: usize) -> VerifierKey {
        self.keys[number].verifier().clone()
    }

    /// What the registry shows of its rotations.
    async fn notes(&self) -> Vec<String> {
        let shown: Value = reqwest::get(format!("{}api/v1/log/key", self.registry.url()))
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        serde_json::from_value(shown["rotations"].clone()).unwrap()
    }

    /// Shows these rotations instead of those of the registry.
    fn shows(&self, notes: &[String]) {
        let notes = json!(notes);
        self.proxy.alters(move |path, status, body| {
            if !path.ends_with("/log/key") {
                return (status, body);
            }
            let mut said: Value = serde_json::from_slice(&body).unwrap();
            said["rotations"] = notes.clone();
            (status, said.to_string().into_bytes())
        });
    }

    fn is_honest(&self) {
        self.proxy.alters(|_, status, body| (status, body));
    }
}

fn signing(data: &std::path::Path) -> SigningKey {
    fs_err::read_to_string(data.join("log-key")).unwrap().trim().parse().unwrap()
}

async fn rotate(data: &std::path::Path) {
    let settings = Settings { data: data.to_owned(), ..Settings::default() };
    skillery_server::admin::rotate_log_key(&settings).await.unwrap();
}

async fn install(library: &Library, client: &Client, request: &str) -> Result<Installation, Error> {
    let request: VersionRequest = request.parse().unwrap();
    // Whatever it is told, a client comes to an end.
    let hello = id("acme/hello");
    let outcome = library.install(client, &hello, &request, PLAIN);
    tokio::time::timeout(Duration::from_secs(60), outcome).await.unwrap()
}

/// What is believed of the log: every file but the tiles, which are held against a checkpoint whenever they are used.
fn believed(home: &Home, client: &Client) -> BTreeMap<String, Vec<u8>> {
    let files = fs_err::read_dir(home.log_folder(client.registry())).unwrap().map(Result::unwrap);
    let file = |file: fs_err::DirEntry| {
        let name = file.file_name().into_string().unwrap();
        file.file_type().unwrap().is_file().then(|| (name, fs_err::read(file.path()).unwrap()))
    };
    files.filter_map(file).collect()
}

fn pinned(library: &Library, client: &Client) -> VerifierKey {
    Log::pinned(library.home(), client.registry()).unwrap().unwrap()
}

async fn watch(client: &Client, home: &Home) -> MonitorReport {
    let mut log = Log::open(client, home, None).await.unwrap();
    let mut watched: Watched = log.watched().unwrap();
    let report = log.monitor(&mut watched, |_, _| ()).await.unwrap();
    log.keep_watched(&watched).unwrap();
    report
}

#[tokio::test]
async fn rotations_are_followed_and_older_proofs_stay_good() {
    let world = World::new().await;
    let library = Library::new(world.registry.home("home"));
    let client = world.proxy.client();
    let first = install(&library, &client, "1.0.0").await.unwrap().installed;
    let proof = library.proof_text(&first).unwrap();
    let locked = LockedSkill::of(&first.manifest, proof).unwrap();
    assert_eq!(watch(&client, library.home()).await.violations, []);
    let world = world.rotate().await;
    world.release("1.1.0").await;
    let world = world.rotate().await;
    world.release("1.2.0").await;
    let report = watch(&client, library.home()).await;
    assert_eq!((report.violations, pinned(&library, &client)), (vec![], world.key(2)));
    let second = install(&library, &client, "1.2.0").await.unwrap();
    assert_eq!(second.new_log_key, None, "it is no first contact");
    assert_eq!(second.installed.manifest.log_key.unwrap(), world.key(2).to_string());
    let watched = Log::open(&client, library.home(), None).await.unwrap().rotations().await.unwrap();
    assert_eq!(watched.iter().map(|one| one.from.clone()).collect::<Vec<_>>(), [world.key(0), world.key(1)]);

    // Somebody new, by the first key, from the configuration or from a lock file; and by nothing.
    let by_key = Library::new(world.registry.home("by-key"));
    install(&by_key, &world.configured(&world.keys[0]), "1.1.0").await.unwrap();
    assert_eq!(pinned(&by_key, &client), world.key(2));
    install(&by_key, &world.configured(&world.keys[0]), "1.0.0").await.unwrap();
    let by_lock = Library::new(world.registry.home("by-lock"));
    let again = by_lock.install_locked(&client, &locked, PLAIN).await.unwrap();
    assert_eq!((again.added, pinned(&by_lock, &client)), (true, world.key(2)));
    let by_nothing = Library::new(world.registry.home("by-nothing"));
    let report = watch(&client, by_nothing.home()).await;
    assert_eq!((report.violations, pinned(&by_nothing, &client)), (vec![], world.key(2)));

    // Pinned by hand, while the configuration has one from before.
    let by_hand = Library::new(world.registry.home("by-hand"));
    Log::pin(by_hand.home(), client.registry(), &world.key(2)).unwrap();
    install(&by_hand, &world.configured(&world.keys[1]), "1.1.0").await.unwrap();
    install(&by_hand, &client, "1.2.0").await.unwrap();

    // Without the registry, what was proven under each key is proven still.
    let World { mut registry, .. } = world;
    registry.stop();
    for installed in library.list().unwrap() {
        library.verify(&installed).unwrap().proof.unwrap();
    }
    locked.check_proof().unwrap();
    let keys = Log::believed(by_nothing.home(), client.registry(), None).unwrap();
    assert_eq!(keys.len(), 3);
    locked.check_proof_by(&keys).unwrap();
    let used = library.install_locked(&client, &locked, PLAIN).await.unwrap();
    assert!(used.from_cache);
}

#[tokio::test]
async fn what_hands_no_log_over_changes_nothing() {
    let world = World::new().await;
    let library = Library::new(world.registry.home("home"));
    let client = world.proxy.client();
    install(&library, &client, "1.0.0").await.unwrap();
    let world = world.rotate().await;
    world.release("1.1.0").await;
    let world = world.rotate().await;
    world.release("1.2.0").await;
    let good = world.notes().await;
    let real: Vec<Rotation> = good.iter().map(|note| Rotation::open(note).unwrap()).collect();
    let [a, b, c] = [&world.keys[0], &world.keys[1], &world.keys[2]];
    let named = |seed: u8| SigningKey::from_seed(a.verifier().name(), KeyKind::Ed25519, &[seed; 32]).unwrap();
    let (thief, other) =
        (named(1), SigningKey::from_seed("other.example", KeyKind::Ed25519, &[1; 32]).unwrap());
    let other_next = SigningKey::from_seed("other.example", KeyKind::Ed25519, &[2; 32]).unwrap();
    let sign = |from: &SigningKey, to: &SigningKey, size: u64| {
        Rotation::sign(from, to, size, real[0].root).unwrap().to_string()
    };
    let altered = |place: usize| {
        let mut note: Note = good[0].parse().unwrap();
        note.signatures[place].signature[9] ^= 1;
        vec![note.to_string(), good[1].clone()]
    };
    let without = |place: usize| {
        let mut note: Note = good[0].parse().unwrap();
        note.signatures.remove(place);
        vec![note.to_string(), good[1].clone()]
    };
    let size = real[0].size;
    let wrong_root = Rotation::sign(a, b, size, skillery_core::Digest::of(b"else")).unwrap().to_string();
    let (changed, refused) = ("log-key-changed", "log-key-not-handed-over");
    let before = believed(library.home(), &client);
    let list = library.list().unwrap();
    for (what, notes, code) in [
        ("nothing", vec![], changed),
        ("nonsense", vec!["nonsense".to_owned()], refused),
        ("a wrong signature of the old key", altered(0), refused),
        ("a wrong signature of the new key", altered(1), refused),
        ("no signature of the old key", without(0), refused),
        ("no signature of the new key", without(1), refused),
        ("the end left out", good[..1].to_vec(), refused),
        ("the beginning left out", good[1..].to_vec(), changed),
        ("the other way round", vec![good[1].clone(), good[0].clone()], refused),
        ("twice", vec![good[0].clone(), good[0].clone(), good[1].clone()], refused),
        ("from somebody else's key", vec![sign(&thief, c, size)], changed),
        ("to a key that has not signed", vec![sign(a, &thief, size)], refused),
        ("another log's", vec![sign(&other, &other_next, size)], refused),
        ("straight to the last key, though both sign", vec![sign(a, c, size)], refused),
        ("at another place", vec![sign(a, b, size - 1), good[1].clone()], refused),
        ("behind the end", vec![sign(a, c, 4_711)], refused),
        ("over another tree", vec![wrong_root, good[1].clone()], refused),
        ("too many", vec![good[0].clone(); 1_001], refused),
    ] {
        world.shows(&notes);
        let error = install(&library, &client, "1.2.0").await.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(error.hint().is_some());
        assert_eq!(believed(library.home(), &client), before, "{what}");
        assert_eq!(library.list().unwrap(), list, "{what}");
        // Nor does somebody take it who has the first key in the configuration and has seen nothing.
        let fresh = Library::new(world.registry.home(&format!("fresh {what}")));
        install(&fresh, &world.configured(a), "1.2.0").await.unwrap_err();
        assert_eq!(Log::pinned(fresh.home(), client.registry()).unwrap(), None, "{what}");
    }
    // The answer itself is missing or broken.
    for (status, answer) in [(500, "{}"), (404, ""), (200, "{}"), (200, "[")] {
        world.proxy.alters(move |path, was, body| match path.ends_with("/log/key") {
            true => (status, answer.into()),
            false => (was, body),
        });
        install(&library, &client, "1.2.0").await.unwrap_err();
        assert_eq!(believed(library.home(), &client), before);
    }
    // The tree has another entry there.
    world.proxy.alters(|path, status, mut body| {
        if path.contains("/log/v1/tile/entries") {
            let place = String::from_utf8_lossy(&body).find("log.key-rotated").unwrap_or(0);
            body[place] ^= 1;
        }
        (status, body)
    });
    assert_eq!(install(&library, &client, "1.2.0").await.unwrap_err().code(), "log-broken");
    assert_eq!(believed(library.home(), &client), before);
    world.is_honest();
    install(&library, &client, "1.2.0").await.unwrap();
    assert_eq!(pinned(&library, &client), world.key(2));

    // Once known, rotations are not let go of: older proofs rest on them.
    let before = believed(library.home(), &client);
    let world = world.rotate().await;
    let notes = world.notes().await;
    world.shows(&notes[2..]);
    let error = install(&library, &client, "1.1.0").await.unwrap_err();
    assert_eq!((error.code(), believed(library.home(), &client)), (refused, before));
    assert!(error.to_string().contains("shown before are missing"), "{error}");
    world.is_honest();
    install(&library, &client, "1.1.0").await.unwrap();
}

#[tokio::test]
async fn a_log_that_is_handed_over_between_two_answers_is_asked_for_again() {
    let world = World::new().await;
    let before = reqwest::get(format!("{}log/v1/checkpoint", world.registry.url())).await.unwrap();
    let before = Mutex::new(Some(before.bytes().await.unwrap().to_vec()));
    let world = world.rotate().await;
    world.proxy.alters(move |path, status, body| match path.ends_with("/log/v1/checkpoint") {
        true => (status, before.lock().unwrap().take().unwrap_or(body)),
        false => (status, body),
    });
    let library = Library::new(world.registry.home("home"));
    install(&library, &world.configured(&world.keys[0]), "1.0.0").await.unwrap();
    assert_eq!(pinned(&library, &world.proxy.client()), world.key(1));
}

/// Somebody has stolen a copy of the data with the old key, and goes on with the log under it.
#[tokio::test]
async fn a_stolen_key_is_worth_nothing_to_who_has_followed() {
    let mut world = World::new().await;
    let stolen = world.registry.copy_data("stolen");
    let original = world.registry.data();
    let world = world.restart_with(&original).await;
    let client = world.proxy.client();
    let [follows, late, deceived] =
        ["follows", "late", "deceived"].map(|home| Library::new(world.registry.home(home)));
    for library in [&follows, &late, &deceived] {
        install(library, &client, "1.0.0").await.unwrap();
    }
    let world = world.rotate().await;
    world.release("1.1.0").await;
    install(&follows, &client, "1.1.0").await.unwrap();
    let (before, true_notes) = (believed(follows.home(), &client), world.notes().await);

    // The thief signs on with the old key, and hands the log over to one of their own.
    let world = world.restart_with(&stolen).await;
    for number in ["6.6.6", "6.6.7", "6.6.8"] {
        world.release(number).await;
    }
    let error = install(&follows, &client, "6.6.6").await.unwrap_err();
    assert_eq!(error.code(), "log-key-changed", "{error}");
    world.shows(&true_notes);
    let error = install(&follows, &client, "6.6.6").await.unwrap_err();
    assert_eq!(error.code(), "log-key-changed", "{error}");
    world.is_honest();
    // Who has not heard of the rotation cannot tell, and is told when the true log is there again.
    install(&deceived, &client, "6.6.6").await.unwrap();
    let World { mut registry, proxy, keys } = world;
    registry.stop();
    rotate(&stolen).await;
    let world = World { registry, proxy, keys }.restart_with(&stolen).await;
    let error = install(&follows, &client, "6.6.6").await.unwrap_err();
    assert_eq!(error.code(), "log-key-changed", "{error}");
    assert_eq!(believed(follows.home(), &client), before);
    let world = world.restart_with(&original).await;
    let error = install(&deceived, &client, "1.1.0").await.unwrap_err();
    assert_eq!(error.code(), "log-key-not-handed-over");
    assert!(error.to_string().contains("its key has signed"), "{error}");
    install(&follows, &client, "1.1.0").await.unwrap();
    install(&late, &client, "1.1.0").await.unwrap();
    assert_eq!(pinned(&late, &client), world.key(1));

    // What the old key signs of a tree that is larger than the one it has handed over proves nothing offline.
    let checkpoint = Checkpoint {
        origin: world.key(0).name().to_owned(),
        size: 4_711,
        root: skillery_core::Digest::of(b"made up"),
        extensions: Vec::new(),
    };
    let text = checkpoint.to_string();
    let note = Note { signatures: vec![world.keys[0].sign(&text).unwrap()], text }.to_string();
    let mut log = Log::open(&client, late.home(), None).await.unwrap();
    log.update().await.unwrap();
    assert_eq!(log.check_older(&note).await.unwrap_err().code(), "log-key-changed");
}
