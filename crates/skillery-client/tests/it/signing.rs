//! Authors' own keys: enrolled, signing, and demanded by whoever installs.

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
        let enrolled = enrol(&anna, &signer, name, None).await.unwrap();
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
    let error = enrol(&anna, &authority, "ca", Some(&acme)).await.unwrap_err();
    assert_eq!(error.code(), "forbidden");
    let enrolled = enrol(&registry.admin(), &authority, "ca", Some(&acme)).await.unwrap();
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
    enrol(&anna, &signer, "key", None).await.unwrap();
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
async fn a_key_with_a_passphrase_is_for_the_agent() {
    let registry = Registry::start().await;
    let (home, keys) = (registry.home("author"), registry.home("keys").path().to_owned());
    let signer = key(&keys, "locked", &["-t", "ed25519", "-N", "a passphrase"]);
    // Nobody is there to type it.
    let error = enrol(&registry.admin(), &signer, "locked", None).await.unwrap_err();
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
    let enrolled = enrol(&registry.admin(), &signer, "build", None).await.unwrap();
    assert_eq!(enrolled.algorithm, "ecdsa-p256");
    let with = SignWith { signer: Some(&signer), ..SignWith::default() };
    publish(&registry.admin(), &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    let library = Library::new(registry.home("reader"));
    let installed = install(&library, &registry.stranger(), "1.0.0").await.unwrap().installed;
    let signed = installed.manifest.signed.unwrap();
    assert_eq!((signed.kind.as_str(), signed.key), ("dsse", enrolled.fingerprint));
    // It certifies nobody, and OpenSSH has no use for it.
    let error = enrol(&registry.admin(), &signer, "ca", Some(&"acme".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code(), "invalid-key");
}
