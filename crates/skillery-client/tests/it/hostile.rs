//! Registries that deceive: what a client that follows the log notices.

use serde_json::{Value, json};
use skillery_client::library::Peeked;
use skillery_client::log::Watched;
use skillery_client::publish::publish;
use skillery_client::{Config, Error, InstallOptions, Installation, Library, LockedSkill, Log, SignWith};
use skillery_core::bundle;
use skillery_core::limits::MAX_ENTRY_BYTES;
use skillery_core::{Digest, VersionRequest};

use crate::proxy::Proxy;
use crate::registry::{PLAIN, Registry, draft, id, version};

struct World {
    registry: Registry,
    proxy: Proxy,
    library: Library,
}

impl World {
    async fn new() -> Self {
        let registry = Registry::start().await;
        for number in ["1.0.0", "1.1.0"] {
            release(&registry, number).await;
        }
        let proxy = Proxy::start(registry.config()).await;
        let library = Library::new(registry.home("home"));
        Self { registry, proxy, library }
    }

    async fn install(&self, request: &str) -> Result<Installation, Error> {
        self.install_with(request, PLAIN).await
    }

    async fn install_with(&self, request: &str, options: InstallOptions) -> Result<Installation, Error> {
        let request: VersionRequest = request.parse().unwrap();
        self.library.install(&self.proxy.client(), &id("acme/hello"), &request, options).await
    }

    async fn peek(&self, number: &str) -> Result<Peeked, Error> {
        self.library.peek(&self.proxy.client(), &id("acme/hello"), &version(number), PLAIN).await
    }

    async fn refuses(&self, request: &str, code: &str) -> String {
        let before = self.library.list().unwrap();
        let error = self.install(request).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.hint().is_some());
        assert_eq!(self.library.list().unwrap(), before, "nothing changes");
        error.to_string()
    }
}

async fn release(registry: &Registry, number: &str) {
    let home = registry.home("publisher");
    publish(&registry.admin(), &home, draft("acme/hello", number), SignWith::default()).await.unwrap();
}

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[tokio::test]
async fn two_histories_are_found_out_and_never_forgotten() {
    let world = World::new().await;
    world.install("1.0.0").await.unwrap();
    // A copy goes another way than the original.
    let World { mut registry, proxy, library } = world;
    let copy = registry.copy_data("copy");
    let original = registry.data();
    let registry = registry.restart_with(&original).await;
    release(&registry, "2.0.0").await;
    proxy.passes_to(registry.url());
    let world = World { registry, proxy, library };
    world.install("2.0.0").await.unwrap();
    let World { registry, proxy, library } = world;
    let registry = registry.restart_with(&copy).await;
    for number in ["2.0.0-evil", "2.1.0", "2.2.0"] {
        release(&registry, number).await;
    }
    proxy.passes_to(registry.url());
    let world = World { registry, proxy, library };
    let said = world.refuses("2.1.0", "log-forked").await;
    assert!(said.contains("two different logs"), "{said}");
    let evidence = Log::evidence(world.library.home(), world.proxy.client().registry()).unwrap();
    let text = fs_err::read_to_string(evidence).unwrap();
    assert_eq!(text.matches("\n\u{2014} ").count(), 2, "two signed notes: {text}");
    // Whatever it shows from now on, it is not believed; nor is what was there before.
    world.refuses("1.0.0", "log-forked").await;
    let World { registry, proxy, library } = world;
    let registry = registry.restart_with(&original).await;
    proxy.passes_to(registry.url());
    let world = World { registry, proxy, library };
    world.refuses("2.0.0", "log-forked").await;
    Log::forget(world.library.home(), world.proxy.client().registry()).unwrap();
    world.install("2.0.0").await.unwrap();
}

#[tokio::test]
async fn an_older_backup_is_found_out_by_whoever_has_seen_more() {
    let world = World::new().await;
    let World { mut registry, proxy, library } = world;
    let backup = registry.copy_data("backup");
    let original = registry.data();
    let registry = registry.restart_with(&original).await;
    release(&registry, "2.0.0").await;
    proxy.passes_to(registry.url());
    let world = World { registry, proxy, library };
    world.install("2.0.0").await.unwrap();
    let World { registry, proxy, library } = world;
    let registry = registry.restart_with(&backup).await;
    proxy.passes_to(registry.url());
    let world = World { registry, proxy, library };
    let said = world.refuses("1.1.0", "log-rolled-back").await;
    assert!(
        said.contains("had 8 entries before, and has 7 now") || said.contains("entries before"),
        "{said}"
    );
}

/// Answers that hand out this code as this version, with digests that fit.
fn lies(body: &[u8], path: &str, number: &str, code: &str) -> Vec<u8> {
    let mut said = parsed(body);
    let (description, license) = ("Says \"hello\"\nin two lines: é", "MIT");
    let files = bundle::from_code(&id("acme/hello"), &version(number), description, license, code);
    let digest = json!(bundle::digest(&bundle::pack(files).unwrap()).to_string());
    let code_hash = json!(Digest::of(code.as_bytes()).to_string());
    (said["digest"], said["code_hash"]) = (digest, code_hash);
    if path.contains("/download") {
        said["code"] = json!(code);
    }
    said.to_string().into_bytes()
}

#[tokio::test]
async fn code_that_was_swapped_is_not_installed_though_all_digests_fit() {
    let world = World::new().await;
    // An old version as the new one, and something else altogether.
    for code in ["def hello():\r\n    return 'é 1.0.0'\n", "def hello():\n    return 'evil'\n"] {
        world.proxy.alters(move |path, status, body| {
            if path.ends_with("/versions/1.1.0") || path.contains("/download") {
                return (status, lies(&body, path, "1.1.0", code));
            }
            (status, body)
        });
        let said = world.refuses("1.1.0", "not-logged").await;
        assert!(said.contains("has the digest"), "{said}");
        // Nor is it read, and nothing of it is kept to be read later.
        for _ in 0..2 {
            assert_eq!(world.peek("1.1.0").await.unwrap_err().code(), "not-logged");
        }
    }
    world.proxy.alters(|_, status, body| (status, body));
    let peeked = world.peek("1.1.0").await.unwrap();
    assert_eq!((peeked.files.len(), world.library.list().unwrap().len()), (2, 0));
    world.install("1.1.0").await.unwrap();
}

#[tokio::test]
async fn what_was_taken_back_is_not_installed_though_the_registry_offers_it() {
    let world = World::new().await;
    let (hello, number) = (id("acme/hello"), version("1.0.0"));
    world.registry.admin().yank(&hello, &number, "broken").await.unwrap();
    // Asked for by its number, and with the warning, it is handed out.
    let installed = world.install("1.0.0").await.unwrap();
    assert!(installed.warning.is_some());
    world.proxy.alters(|path, status, body| {
        if !path.contains("/download") {
            return (status, body);
        }
        let mut said = parsed(&body);
        said.as_object_mut().unwrap().remove("warning");
        (status, said.to_string().into_bytes())
    });
    let said = world.refuses("1.0.0", "version-withdrawn").await;
    assert!(said.contains("was yanked (entry"), "{said}");
    // The entry that says so is left out.
    world.proxy.alters(|path, status, body| {
        let mut said = match path.contains("/download") || path.contains("/log?") {
            true => parsed(&body),
            false => return (status, body),
        };
        if path.contains("/download") {
            said.as_object_mut().unwrap().remove("warning");
        } else {
            said["entries"]
                .as_array_mut()
                .unwrap()
                .retain(|entry| !entry["entry"].as_str().unwrap().contains("yanked"));
        }
        (status, said.to_string().into_bytes())
    });
    world.refuses("1.0.0", "log-entry-withheld").await;
    // Somebody who has never seen the entry finds it among the newest.
    Log::forget(world.library.home(), world.proxy.client().registry()).unwrap();
    world.refuses("1.0.0", "log-entry-withheld").await;
    // One in the middle is missed by the one after it.
    world.proxy.alters(|path, status, body| {
        if !path.contains("/log?") {
            return (status, body);
        }
        let mut said = parsed(&body);
        said["entries"].as_array_mut().unwrap().remove(1);
        (status, said.to_string().into_bytes())
    });
    world.refuses("1.0.0", "log-entry-withheld").await;
}

#[tokio::test]
async fn who_keeps_the_log_back_gets_nothing_older_installed() {
    let world = World::new().await;
    world.install("1.0.0").await.unwrap();
    world.proxy.alters(|path, status, body| match path.contains("/log/v1/checkpoint") {
        true => (503, Vec::new()),
        false => (status, body),
    });
    let error = world.install("^1").await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    assert_eq!(world.library.list().unwrap()[0].manifest.version, version("1.0.0"));
    // Nor does it make anybody wait for ever, or fall.
    world.proxy.alters(|_, status, body| (status, body));
    world.install("^1").await.unwrap();
}

#[tokio::test]
async fn every_part_of_the_log_is_held_against_its_checkpoint() {
    let world = World::new().await;
    let flip = |part: &'static str, at: usize| {
        move |path: &str, status: u16, mut body: Vec<u8>| {
            if path.contains(part) {
                let place = at.min(body.len() - 1);
                body[place] ^= 1;
            }
            (status, body)
        }
    };
    for (part, at, code) in [
        ("/log/v1/tile/0", 3, "log-broken"),
        ("/log/v1/checkpoint", 60, "log-key-changed"),
        ("/proof", 40, "not-logged"),
    ] {
        world.proxy.alters(flip(part, at));
        world.refuses("1.1.0", code).await;
    }
    for (part, code) in [("/log/v1/tile/0", "log-broken"), ("/log/v1/checkpoint", "log-key-changed")] {
        world.proxy.alters(move |path, status, body| match path.contains(part) {
            true => (status, body[..body.len() / 2].to_vec()),
            false => (status, body),
        });
        world.refuses("1.1.0", code).await;
    }
    world.proxy.alters(|path, status, body| match path.starts_with("/log/") || path.contains("/log/key") {
        true => (404, Vec::new()),
        false => (status, body),
    });
    world.refuses("1.1.0", "log-missing").await;
    // Another key than the configured one, and another one than the one that is pinned.
    world.proxy.alters(|_, status, body| (status, body));
    let other = "elsewhere.example/log+b8a5d0b2+AbRtLq7HzgXW6oOQ9DOtDLVvGc0XzZQXHJ2H2Va4QsCZ";
    let key = skillery_core::tlog::SigningKey::from_seed(
        "elsewhere.example/log",
        skillery_core::tlog::KeyKind::Ed25519,
        &[1; 32],
    );
    let key = key.unwrap().verifier().clone();
    let config = Config { log_key: Some(key), ..world.proxy.config.clone() };
    let client = skillery_client::Client::new(&config).unwrap();
    let error =
        world.library.install(&client, &id("acme/hello"), &VersionRequest::Latest, PLAIN).await.unwrap_err();
    assert_eq!(error.code(), "log-key-changed", "{other}");
    world.install("1.1.0").await.unwrap();
    let another = Registry::start().await;
    release(&another, "1.1.0").await;
    world.proxy.passes_to(another.url());
    world.refuses("1.1.0", "log-key-changed").await;
}

#[tokio::test]
async fn a_bundle_has_no_more_than_entries_may_have() {
    let world = World::new().await;
    let monitor = || async {
        let mut log = Log::open(&world.proxy.client(), world.library.home(), None).await.unwrap();
        log.monitor(&mut Watched::default(), |_, _| {}).await
    };
    assert_eq!(monitor().await.unwrap().violations, []);
    let first_leaf = |length: usize| {
        move |path: &str, status: u16, mut body: Vec<u8>| {
            if path.contains("/log/v1/tile/entries/") {
                let before = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                let mut leaf = u16::try_from(length).unwrap().to_be_bytes().to_vec();
                leaf.resize(2 + length, b' ');
                body.splice(..before, leaf);
            }
            (status, body)
        }
    };
    world.proxy.alters(first_leaf(MAX_ENTRY_BYTES + 1));
    let error = monitor().await.unwrap_err();
    assert_eq!(error.code(), "log-broken");
    assert!(error.to_string().contains("an entry has more than 16384 bytes"), "{error}");
    // One of that size is read, and is another one than that of the tree.
    world.proxy.alters(first_leaf(MAX_ENTRY_BYTES));
    let error = monitor().await.unwrap_err();
    assert_eq!(error.code(), "log-broken");
    assert!(!error.to_string().contains("bytes"), "{error}");
    world.proxy.alters(|path, status, mut body| {
        if path.contains("/log/v1/tile/entries/") {
            body.resize(256 * (MAX_ENTRY_BYTES + 2) + 1, 0);
        }
        (status, body)
    });
    let error = monitor().await.unwrap_err();
    assert!(error.to_string().contains("has more than"), "{error}");
}

#[tokio::test]
async fn a_lock_file_and_a_library_prove_by_themselves() {
    let mut world = World::new().await;
    let installed = world.install("1.1.0").await.unwrap();
    assert!(installed.new_log_key.is_some());
    assert!(world.install("1.0.0").await.unwrap().new_log_key.is_none());
    let installed = installed.installed;
    world.registry.stop();
    let view = world.library.verify(&installed).unwrap().proof.unwrap();
    assert_eq!(Some(view.index), installed.manifest.log_index);
    let text = world.library.proof_text(&installed).unwrap().unwrap();
    let locked = LockedSkill::of(&installed.manifest, Some(text.clone())).unwrap();
    assert_eq!(locked.check_proof().unwrap(), view.index);
    // Without the registry, what was downloaded still installs, with its proof.
    assert!(world.install("1.1.0").await.unwrap().from_cache);
    // Altered proofs, altered digests.
    let other = LockedSkill { digest: Digest::of(b"x"), ..locked.clone() };
    assert_eq!(other.check_proof().unwrap_err().code(), "not-logged");
    for place in (0..text.len())
        .step_by(7)
        .filter(|place| text.is_char_boundary(*place) && text.is_char_boundary(place + 1))
    {
        let letter = if &text[place..=place] == "A" { "B" } else { "A" };
        let altered = format!("{}{letter}{}", &text[..place], &text[place + 1..]);
        let altered = LockedSkill { proof: Some(altered), ..locked.clone() };
        let error = altered.check_proof().unwrap_err();
        assert_eq!(error.code(), "not-logged", "{place}");
    }
    let missing = LockedSkill { proof: None, ..locked };
    assert_eq!(missing.check_proof().unwrap_err().code(), "proof-missing");
    let path = installed.proof_path.clone().unwrap();
    fs_err::write(&path, text.replace("index 6", "index 5")).unwrap();
    assert_eq!(world.library.verify(&installed).unwrap_err().code(), "not-logged");
    fs_err::remove_file(&path).unwrap();
    assert_eq!(world.library.verify(&installed).unwrap_err().code(), "proof-missing");
}

#[tokio::test]
async fn comments_that_never_end_are_not_followed_for_ever() {
    let world = World::new().await;
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&asked);
    world.proxy.alters(move |path, status, body| {
        if !path.contains("/comments") {
            return (status, body);
        }
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let comment = json!({
            "id": format!("{number}"), "parent": null, "author": "x", "text": "x", "created_at": "2026-01-02T03:04:05Z",
            "edited_at": null, "deleted_at": null, "hidden": false, "hidden_reason": null,
            "reply_count": 1_000_000_000, "replies": [],
        });
        let page = json!({ "total": 1_000_000_000, "comments": [comment], "next": 1_000_000_000 });
        (200, page.to_string().into_bytes())
    });
    let all = world.proxy.client().all_comments(&id("acme/hello")).await.unwrap();
    assert_eq!((all.len(), asked.load(std::sync::atomic::Ordering::Relaxed)), (500, 500));
}
