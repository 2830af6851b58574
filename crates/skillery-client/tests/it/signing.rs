//! Authors' own keys: enrolled, signing, and demanded by whoever installs.

use std::collections::BTreeMap;
use std::process::Command;

use base64::Engine;
use serde_json::Value;
use skillery_client::publish::publish;
use skillery_client::sign::{enrol, sign_published};
use skillery_client::{Client, Error, InstallOptions, Library, Require, SignWith, Signer};
use skillery_core::{Role, Scope, Segment, VersionRequest};

use crate::proxy::Proxy;
use crate::registry::{PLAIN, Registry, draft, id, version};

const SIGNED: InstallOptions = InstallOptions { require: Require::SIGNED, ..PLAIN };
const EVERYTHING: &[Scope] = &[Scope::Read, Scope::Publish, Scope::Admin];

/// A key of OpenSSH's making.
pub(crate) fn key(folder: &std::path::Path, name: &str, more: &[&str]) -> Signer {
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-C", name, "-f"]).arg(&file).args(more);
    assert!(keygen.status().unwrap().success());
    Signer::open(&file).unwrap()
}

/// What somebody in between makes of an answer.
type Lie = Box<dyn Fn(&mut Value) + Send + Sync>;

async fn install(
    library: &Library,
    client: &Client,
    number: &str,
) -> Result<skillery_client::Installation, Error> {
    let request: VersionRequest = number.parse().unwrap();
    library.install(client, &id("acme/hello"), &request, SIGNED).await
}

pub(crate) async fn publisher(registry: &Registry, name: &str) -> Client {
    let client = registry.user(name, EVERYTHING).await;
    registry
        .admin()
        .set_member(&"acme".parse().unwrap(), &name.parse().unwrap(), Role::Publisher)
        .await
        .unwrap();
    client
}

#[tokio::test]
async fn what_is_signed_installs_where_signatures_are_demanded_and_nothing_else() {
    let registry = Registry::start().await;
    let home = registry.home("author");
    publish(&registry.admin(), &home, draft("acme/hello", "0.9.0"), SignWith::default()).await.unwrap();
    let anna = publisher(&registry, "anna").await;
    for (name, more) in [
        ("ed25519", &["-t", "ed25519", "-N", ""][..]),
        ("ecdsa", &["-t", "ecdsa", "-b", "256", "-N", ""]),
        ("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]),
    ] {
        let signer = key(registry.home("keys").path(), name, more);
        let enrolled = enrol(&anna, &home, &signer, name, None).await.unwrap();
        assert_eq!(enrolled.fingerprint, signer.public_key().fingerprint());
        let number = format!("1.0.0-{name}");
        let with = SignWith { signer: Some(&signer), ..SignWith::default() };
        let published = publish(&anna, &home, draft("acme/hello", &number), with).await.unwrap();
        assert_eq!(published.signed_with, Some(enrolled.fingerprint.clone()));
        let library = Library::new(registry.home(name));
        let installed = install(&library, &registry.stranger(), &number).await.unwrap().installed;
        let signed = installed.manifest.signed.unwrap();
        assert_eq!((signed.signer.as_str(), signed.key), ("anna", enrolled.fingerprint));
    }
    let library = Library::new(registry.home("reader"));
    let error = install(&library, &registry.stranger(), "0.9.0").await.unwrap_err();
    assert_eq!(error.code(), "not-signed");
    assert_eq!(library.list().unwrap(), []);
    // `verify_signature` is content with an author's signature where no secret is known.
    let options = InstallOptions { verify_signature: true, ..PLAIN };
    let hello = id("acme/hello");
    let wanted: VersionRequest = "1.0.0-rsa".parse().unwrap();
    library.install(&registry.stranger(), &hello, &wanted, options).await.unwrap();
    let wanted: VersionRequest = "0.9.0".parse().unwrap();
    let error = library.install(&registry.stranger(), &hello, &wanted, options).await.unwrap_err();
    assert_eq!(error.code(), "signature-missing");
    // It is signed afterwards.
    let signer = Signer::open(&registry.home("keys").path().join("ed25519")).unwrap();
    sign_published(&anna, &home, &signer, &hello, &version("0.9.0")).await.unwrap();
    install(&library, &registry.stranger(), "0.9.0").await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_the_companys_authority_stands_for_a_member() {
    let registry = Registry::start().await;
    let (home, keys) = (registry.home("author"), registry.home("keys").path().to_owned());
    publish(&registry.admin(), &home, draft("acme/hello", "0.9.0"), SignWith::default()).await.unwrap();
    let anna = publisher(&registry, "anna").await;
    let authority = key(&keys, "authority", &["-t", "ed25519", "-N", ""]);
    let acme: Segment = "acme".parse().unwrap();
    let error = enrol(&anna, &home, &authority, "ca", Some(&acme)).await.unwrap_err();
    assert_eq!(error.code(), "forbidden");
    let enrolled = enrol(&registry.admin(), &home, &authority, "ca", Some(&acme)).await.unwrap();
    assert_eq!(enrolled.org.as_deref(), Some("acme"));
    let certified = |name: &str, principal: &str, validity: &str| {
        key(&keys, name, &["-t", "ed25519", "-N", ""]);
        let status = Command::new("ssh-keygen")
            .args(["-q", "-s", "authority", "-I", "id", "-n", principal, "-V", validity])
            .arg(format!("{name}.pub"))
            .current_dir(&keys)
            .status();
        assert!(status.unwrap().success());
        Signer::open(&keys.join(format!("{name}-cert.pub"))).unwrap()
    };
    let good = certified("good", "anna", "-1h:+1h");
    let with = SignWith { signer: Some(&good), ..SignWith::default() };
    publish(&anna, &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    let library = Library::new(registry.home("reader"));
    let installed = install(&library, &registry.stranger(), "1.0.0").await.unwrap().installed;
    assert_eq!(installed.manifest.signed.unwrap().key, enrolled.fingerprint);
    for bad in [certified("other", "ben", "-1h:+1h"), certified("late", "anna", "-2h:-1h")] {
        let with = SignWith { signer: Some(&bad), ..SignWith::default() };
        let error = publish(&anna, &home, draft("acme/hello", "1.1.0"), with).await.unwrap_err();
        assert_eq!(error.code(), "invalid-signature");
    }
}

#[tokio::test]
async fn a_registry_that_alters_signatures_or_says_otherwise_is_not_believed() {
    let registry = Registry::start().await;
    let home = registry.home("author");
    publish(&registry.admin(), &home, draft("acme/hello", "0.9.0"), SignWith::default()).await.unwrap();
    let anna = publisher(&registry, "anna").await;
    let signer = key(registry.home("keys").path(), "key", &["-t", "ed25519", "-N", ""]);
    enrol(&anna, &home, &signer, "key", None).await.unwrap();
    let with = SignWith { signer: Some(&signer), ..SignWith::default() };
    for number in ["1.0.0", "1.1.0"] {
        publish(&anna, &home, draft("acme/hello", number), with).await.unwrap();
    }
    let other = anna.signatures(&id("acme/hello"), &version("1.1.0")).await.unwrap();
    let proxy = Proxy::start(registry.config()).await;
    let library = Library::new(registry.home("reader"));
    let foreign =
        key(registry.home("keys").path(), "foreign", &["-t", "ed25519", "-N", ""]).public_key().to_string();
    let lies: Vec<Lie> = vec![
        Box::new(|said| said["statement"] = Value::Null),
        Box::new(|said| said["signatures"] = serde_json::json!([])),
        Box::new(move |said| *said = serde_json::to_value(&other).unwrap()),
        Box::new(move |said| said["signatures"][0]["public_key"] = foreign.clone().into()),
        Box::new(|said| {
            said["statement"] = said["statement"].as_str().unwrap().replace("acme/hello", "acme/other").into()
        }),
    ];
    for lie in lies {
        proxy.alters(move |path, status, body| {
            if !path.ends_with("/signatures") {
                return (status, body);
            }
            let mut said: Value = serde_json::from_slice(&body).unwrap();
            lie(&mut said);
            (status, said.to_string().into_bytes())
        });
        let error = install(&library, &proxy.client(), "1.0.0").await.unwrap_err();
        assert_eq!(error.code(), "not-signed", "{error}");
        assert_eq!(library.list().unwrap(), []);
    }
    proxy.alters(|_, status, body| (status, body));
    install(&library, &proxy.client(), "1.0.0").await.unwrap();
}

#[tokio::test]
async fn nothing_is_signed_that_only_claims_to_be_a_challenge() {
    let registry = Registry::start().await;
    let (home, keys) = (registry.home("author"), registry.home("keys").path().to_owned());
    publish(&registry.admin(), &home, draft("acme/hello", "1.0.0"), SignWith::default()).await.unwrap();
    let proxy = Proxy::start(registry.config()).await;
    let client = proxy.client();
    let statement = {
        let signer = key(&keys, "first", &["-t", "ed25519", "-N", ""]);
        enrol(&registry.admin(), &home, &signer, "first", None).await.unwrap();
        let (hello, number) = (id("acme/hello"), version("1.0.0"));
        let signed = sign_published(&registry.admin(), &home, &signer, &hello, &number).await.unwrap();
        signed.statement.unwrap()
    };
    let wrong = |field: &'static str, value: Value| -> Lie {
        Box::new(move |said| {
            let mut challenge: Value = serde_json::from_str(said["challenge"].as_str().unwrap()).unwrap();
            challenge[field] = value.clone();
            said["challenge"] = challenge.to_string().into();
        })
    };
    let lies: Vec<Lie> = vec![
        Box::new(move |said| said["challenge"] = statement.clone().into()),
        wrong("registry", "skillery/another".into()),
        wrong("user", "mallory".into()),
        wrong("key", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()),
        wrong("expires_at", "2036-01-02T03:04:05Z".into()),
        wrong("more", "x".into()),
    ];
    let signer = key(&keys, "second", &["-t", "ed25519", "-N", ""]);
    for lie in lies {
        let answered = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = std::sync::Arc::clone(&answered);
        proxy.alters(move |path, status, body| {
            if path.ends_with("/keys") {
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            if !path.ends_with("/challenge") {
                return (status, body);
            }
            let mut said: Value = serde_json::from_slice(&body).unwrap();
            lie(&mut said);
            (status, said.to_string().into_bytes())
        });
        let error = enrol(&client, &home, &signer, "second", None).await.unwrap_err();
        assert_eq!(error.code(), "bad-answer", "{error}");
        assert!(error.to_string().contains("the challenge is not signed"), "{error}");
        assert_eq!(answered.load(std::sync::atomic::Ordering::SeqCst), 0, "nothing was sent");
    }
    proxy.alters(|_, status, body| (status, body));
    enrol(&client, &home, &signer, "second", None).await.unwrap();
}

#[tokio::test]
async fn a_key_with_a_passphrase_is_for_the_agent() {
    let registry = Registry::start().await;
    let (home, keys) = (registry.home("author"), registry.home("keys").path().to_owned());
    let signer = key(&keys, "locked", &["-t", "ed25519", "-N", "a passphrase"]);
    // Nobody is there to type it.
    let error = enrol(&registry.admin(), &home, &signer, "locked", None).await.unwrap_err();
    assert_eq!(error.code(), "invalid-input", "{error}");
    assert!(error.to_string().contains("ssh-keygen"), "{error}");
    let missing = Signer::open(&keys.join("missing")).unwrap_err();
    assert_eq!(missing.code(), "disk");
    drop(home);
}

#[tokio::test]
async fn a_plain_key_signs_in_a_sigstore_bundle() {
    let registry = Registry::start().await;
    let home = registry.home("author");
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let made = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(made.as_ref());
    let keys = registry.home("keys").path().to_owned();
    std::fs::create_dir_all(&keys).unwrap();
    let file = keys.join("key.pem");
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    std::fs::write(&file, pem).unwrap();
    let signer = Signer::open(&file).unwrap();
    let enrolled = enrol(&registry.admin(), &home, &signer, "build", None).await.unwrap();
    assert_eq!(enrolled.algorithm, "ecdsa-p256");
    let with = SignWith { signer: Some(&signer), ..SignWith::default() };
    publish(&registry.admin(), &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    let library = Library::new(registry.home("reader"));
    let installed = install(&library, &registry.stranger(), "1.0.0").await.unwrap().installed;
    let signed = installed.manifest.signed.unwrap();
    assert_eq!((signed.kind.as_str(), signed.key), ("dsse", enrolled.fingerprint));
    // It certifies nobody, and OpenSSH has no use for it.
    let error =
        enrol(&registry.admin(), &home, &signer, "ca", Some(&"acme".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code(), "invalid-key");
}

/// A version that is signed twice, installed where that is demanded, and a registry that is gone.
async fn signed_and_alone(registry: &mut Registry) -> (Library, Client) {
    let (home, keys) = (registry.home("author"), registry.home("keys").path().to_owned());
    publish(&registry.admin(), &home, draft("acme/hello", "0.9.0"), SignWith::default()).await.unwrap();
    let anna = publisher(registry, "anna").await;
    let first = key(&keys, "first", &["-t", "ed25519", "-N", ""]);
    enrol(&anna, &home, &first, "first", None).await.unwrap();
    let with = SignWith { signer: Some(&first), ..SignWith::default() };
    publish(&anna, &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    let second = key(&keys, "second", &["-t", "ecdsa", "-b", "256", "-N", ""]);
    enrol(&registry.admin(), &home, &second, "second", None).await.unwrap();
    sign_published(&registry.admin(), &home, &second, &id("acme/hello"), &version("1.0.0")).await.unwrap();
    let library = Library::new(registry.home("reader"));
    let client = registry.stranger();
    install(&library, &client, "1.0.0").await.unwrap();
    registry.stop();
    (library, client)
}

fn hello(library: &Library) -> skillery_client::Installed {
    library.get("acme/hello", None).unwrap()
}

/// Writes a file beside an installed version, and its digest into what is said of the version.
fn write_as_kept(installed: &skillery_client::Installed, name: &str, bytes: &[u8]) {
    std::fs::write(installed.path.join(name), bytes).unwrap();
    let manifest = installed.path.join("skill.json");
    let mut said: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    said["kept_files"][name] = skillery_core::Digest::of(bytes).to_string().into();
    std::fs::write(&manifest, said.to_string()).unwrap();
}

#[tokio::test]
async fn signatures_are_kept_and_checked_again_without_the_registry() {
    let mut registry = Registry::start().await;
    let (library, client) = signed_and_alone(&mut registry).await;
    let installed = hello(&library);
    let verified = library.verify_required(&client, &installed, Require::SIGNED).unwrap();
    let signers: Vec<&str> = verified.signatures.iter().map(|signed| signed.signer.as_str()).collect();
    assert_eq!(signers, ["anna", "admin"]);
    // OpenSSH reads what is kept.
    let mut checked = 0;
    let names: Vec<String> = installed.manifest.kept_files.keys().cloned().collect();
    for name in names.iter().filter(|name| name.ends_with(".sshsig")) {
        let statement = std::fs::File::open(installed.path.join("skill.statement.json")).unwrap();
        let mut keygen = Command::new("ssh-keygen");
        keygen
            .args(["-Y", "check-novalidate", "-n", "skill-release@v1", "-s"])
            .arg(installed.path.join(name));
        assert!(keygen.stdin(statement).output().unwrap().status.success());
        checked += 1;
    }
    assert_eq!((checked, names.len()), (2, 5));
    // One byte, anywhere.
    for name in &names {
        let path = installed.path.join(name);
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(97).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            let error = library.verify(&installed).unwrap_err();
            assert_eq!(error.code(), "signature-altered", "{error}");
            assert!(error.to_string().contains(name.as_str()), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(library.verify(&installed).unwrap_err().code(), "signature-altered");
        std::fs::write(&path, &good).unwrap();
    }
    library.verify(&installed).unwrap();
    // Whoever writes the digests anew, too, has arithmetic against them.
    for name in &names {
        let good = std::fs::read(installed.path.join(name)).unwrap();
        let text = String::from_utf8(good.clone()).unwrap();
        let bad: Vec<String> = match () {
            () if name.ends_with(".grounds.json") => {
                let form: Value = serde_json::from_str(&text).unwrap();
                let with = |field: &str, other: &str| {
                    let mut form = form.clone();
                    form[field] = form[other].clone();
                    form.to_string()
                };
                let flipped = |field: &str| {
                    let mut form = form.clone();
                    let proof = form[field].as_str().unwrap().replacen("extra ey", "extra ez", 1);
                    form[field] = proof.into();
                    form.to_string()
                };
                vec![
                    with("enrolled", "member"),
                    with("member", "enrolled"),
                    with("entry", "member"),
                    with("public_key", "signer"),
                    flipped("entry"),
                    flipped("enrolled"),
                    flipped("member"),
                ]
            }
            () if name.ends_with(".sshsig") => {
                vec![text.replacen("U1NIU0lH", "U1NIU0lI", 1), text.replace("\n-", "\n\n-")]
            }
            () => vec![text.replace("acme/hello", "acme/hellp"), text.replace("1.0.0", "1.0.1")],
        };
        for bad in bad {
            assert_ne!(bad, text);
            write_as_kept(&installed, name, bad.as_bytes());
            let altered = hello(&library);
            for outcome in [
                library.verify(&altered).map(drop),
                library.verify_required(&client, &altered, Require::SIGNED).map(drop),
                library.code("acme/hello", None, None, true).map(drop),
            ] {
                let error = outcome.unwrap_err();
                assert!(["not-signed", "signature-altered"].contains(&error.code()), "{error}");
            }
        }
        write_as_kept(&installed, name, &good);
    }
    library.verify_required(&client, &hello(&library), Require::SIGNED).unwrap();
}

#[tokio::test]
async fn what_is_kept_serves_installations_without_the_registry() {
    let mut registry = Registry::start().await;
    let (library, client) = signed_and_alone(&mut registry).await;
    let installed = hello(&library);
    // Code is handed out to whoever wants it signed; without what is kept, it is not.
    assert!(library.code("acme/hello", None, None, true).unwrap().code.contains("def hello"));
    let offline = InstallOptions { offline: true, ..SIGNED };
    let exact: VersionRequest = "1.0.0".parse().unwrap();
    let hello_id = id("acme/hello");
    // From what was downloaded earlier, with everything that it rests on.
    std::fs::remove_dir_all(&installed.path).unwrap();
    library.install(&client, &hello_id, &exact, offline).await.unwrap();
    let again = hello(&library);
    assert_eq!(again.manifest.kept_files, installed.manifest.kept_files);
    library.verify_required(&client, &again, Require::SIGNED).unwrap();
    // The lock file holds to the statement.
    let locked =
        skillery_client::LockedSkill::of(&again.manifest, library.proof_text(&again).unwrap()).unwrap();
    assert!(locked.statement.is_some());
    library.install_locked(&client, &locked, offline).await.unwrap();
    let other =
        skillery_client::LockedSkill { statement: Some(skillery_core::Digest::of(b"other")), ..locked };
    let error = library.install_locked(&client, &other, offline).await.unwrap_err();
    assert_eq!(error.code(), "not-signed");
    assert!(error.to_string().contains("skillery.lock"), "{error}");
}

/// The files with signatures and approvals, and what they rest on, that are there.
fn kept_there(installed: &skillery_client::Installed) -> BTreeMap<String, Vec<u8>> {
    let folder = std::fs::read_dir(&installed.path).unwrap().map(|entry| entry.unwrap());
    let named = folder.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let kept = named.filter(|(name, _)| {
        ["skill.statement.", "skill.signature.", "skill.approvals."].iter().any(|kind| name.starts_with(kind))
    });
    kept.map(|(name, path)| (name, std::fs::read(path).unwrap())).collect()
}

#[tokio::test]
async fn newer_proofs_take_the_place_of_older_ones_with_the_manifest() {
    let mut registry = Registry::start().await;
    let data = registry.data();
    let (library, client) = signed_and_alone(&mut registry).await;
    let registry = registry.restart_with(&data).await;
    let pinned = skillery_client::Log::pinned(library.home(), client.registry()).unwrap().unwrap();
    let client = registry.stranger();
    skillery_client::Log::pin(library.home(), client.registry(), &pinned).unwrap();
    let again = || async {
        install(&library, &client, "1.0.0").await.unwrap();
        let installed = hello(&library);
        let manifest = std::fs::read(installed.path.join("skill.json")).unwrap();
        (installed, manifest)
    };
    let (before, old) = again().await;
    let old_files = kept_there(&before);
    assert!(old_files.keys().eq(before.manifest.kept_files.keys()), "{old_files:?}");
    // The log grows, and with it the proofs.
    let anna = publisher(&registry, "rita").await;
    publish(&anna, &registry.home("other"), draft("acme/other", "1.0.0"), SignWith::default()).await.unwrap();
    let (after, new) = again().await;
    let new_files = kept_there(&after);
    assert!(new_files.keys().eq(after.manifest.kept_files.keys()), "{new_files:?}");
    // The statement and two signatures stay, two files with proofs are others.
    let same = new_files.iter().filter(|(name, bytes)| old_files.get(*name) == Some(*bytes)).count();
    assert_eq!((old_files.len(), new_files.len(), same), (5, 5, 3));
    library.verify_required(&client, &after, Require::SIGNED).unwrap();
    // Who has read the older manifest just before finds what has taken its place.
    library.verify_required(&client, &before, Require::SIGNED).unwrap();
    // Killed before the manifest, and before the older files were removed: both kinds are there.
    for (name, bytes) in &old_files {
        std::fs::write(after.path.join(name), bytes).unwrap();
    }
    for manifest in [&old, &new] {
        std::fs::write(after.path.join("skill.json"), manifest).unwrap();
        let there = hello(&library);
        library.verify_required(&client, &there, Require::SIGNED).unwrap();
        library.code("acme/hello", None, None, true).unwrap();
        assert_eq!(kept_there(&there).len(), 7);
    }
    let (last, _) = again().await;
    assert!(kept_there(&last).keys().eq(last.manifest.kept_files.keys()));
    // Nothing else was left in the folder, which would be taken for a file of the version.
    library.verify_required(&client, &last, Require::SIGNED).unwrap();
}

#[tokio::test]
async fn proofs_in_files_of_the_older_names_are_read() {
    let mut registry = Registry::start().await;
    let (library, client) = signed_and_alone(&mut registry).await;
    let installed = hello(&library);
    let manifest = installed.path.join("skill.json");
    let mut said: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    let mut renamed = 0;
    for (name, digest) in
        installed.manifest.kept_files.iter().filter(|(name, _)| name.ends_with(".grounds.json"))
    {
        let parts: Vec<&str> = name.split('.').collect();
        let old = format!("skill.signature.{}.grounds.json", parts[2]);
        std::fs::rename(installed.path.join(name), installed.path.join(&old)).unwrap();
        let files = said["kept_files"].as_object_mut().unwrap();
        files.remove(name);
        files.insert(old, digest.to_string().into());
        renamed += 1;
    }
    assert_eq!(renamed, 2);
    std::fs::write(&manifest, said.to_string()).unwrap();
    library.verify_required(&client, &hello(&library), Require::SIGNED).unwrap();
}

#[tokio::test]
async fn what_was_installed_before_signatures_were_kept_stays_readable() {
    let mut registry = Registry::start().await;
    let data = registry.data();
    let (library, client) = signed_and_alone(&mut registry).await;
    let installed = hello(&library);
    for name in installed.manifest.kept_files.keys() {
        std::fs::remove_file(installed.path.join(name)).unwrap();
    }
    let manifest = installed.path.join("skill.json");
    let mut said: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    said.as_object_mut().unwrap().remove("kept_files").unwrap();
    std::fs::write(&manifest, said.to_string()).unwrap();
    std::fs::remove_dir_all(library.home().path().join("cache")).unwrap();
    let old = hello(&library);
    assert!(old.manifest.signed.is_some());
    library.verify(&old).unwrap();
    let error = library.verify_required(&client, &old, Require::SIGNED).unwrap_err();
    assert_eq!(error.code(), "signature-not-kept");
    let offline = InstallOptions { offline: true, ..SIGNED };
    let exact: VersionRequest = "1.0.0".parse().unwrap();
    let error = library.install(&client, &id("acme/hello"), &exact, offline).await.unwrap_err();
    assert_eq!(error.code(), "signature-not-kept");
    assert!(error.hint().unwrap().contains("registry"));
    // With the registry at hand, it is kept from then on.
    let registry = registry.restart_with(&data).await;
    let pinned = skillery_client::Log::pinned(library.home(), client.registry()).unwrap().unwrap();
    skillery_client::Log::pin(library.home(), registry.stranger().registry(), &pinned).unwrap();
    library.install(&registry.stranger(), &id("acme/hello"), &exact, SIGNED).await.unwrap();
    let known = hello(&library);
    assert_eq!(known.manifest.kept_files.len(), 5);
    library.verify_required(&registry.stranger(), &known, Require::SIGNED).unwrap();
    // Demanding less takes nothing away.
    library.install(&registry.stranger(), &id("acme/hello"), &exact, PLAIN).await.unwrap();
    assert_eq!(hello(&library).manifest.kept_files, known.manifest.kept_files);
}
