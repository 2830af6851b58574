//! What is signed and written here is read by OpenSSH's `ssh-keygen`, and the other way round. Debian has it in
//! `openssh-client`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use skillery_core::Digest;
use skillery_core::sign::allowed_signers::{AllowedSigner, Form, render};
use skillery_core::sign::ssh::{Certificate, PublicKey, sign_data};
use skillery_core::sign::sshsig::{
    HashAlgorithm, RELEASE_NAMESPACE, REVIEW_NAMESPACE, SshSignature, assemble, sign, to_be_signed,
};
use skillery_core::time::Time;

const ALICE: &str = "alice@example.com";
const MESSAGE: &[u8] = b"The statement of a version.\n";

/// A folder with keys of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn keygen(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new("ssh-keygen")
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("SSH_AUTH_SOCK")
            .env("TZ", "Pacific/Kiritimati")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`ssh-keygen` is there");
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.keygen(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn make_key(&self, name: &str, kind: &[&str]) -> PublicKey {
        self.run(&[&["-q", "-N", "", "-f", name, "-t"], kind].concat(), b"");
        read(&self.path(&format!("{name}.pub"))).parse().unwrap()
    }

    fn private(&self, name: &str) -> ssh_key::PrivateKey {
        ssh_key::PrivateKey::from_openssh(read(&self.path(name))).unwrap()
    }

    /// Whether `ssh-keygen` takes the signature for Alice's.
    fn verifies(&self, signers: &str, signature: &SshSignature, more: &[&str]) -> bool {
        fs::write(self.path("allowed"), signers).unwrap();
        fs::write(self.path("signature"), signature.to_armoured()).unwrap();
        let arguments =
            ["-Y", "verify", "-f", "allowed", "-I", ALICE, "-n", RELEASE_NAMESPACE, "-s", "signature"];
        self.keygen(&[&arguments, more].concat(), MESSAGE).status.success()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn alice(key: &PublicKey) -> AllowedSigner {
    AllowedSigner {
        principals: vec![ALICE.to_owned()],
        key: key.clone(),
        enrolled_at: Time::from_micros(1_700_000_000_000_000),
        revoked_at: None,
        is_authority: false,
    }
}

fn allowed(signers: &[AllowedSigner]) -> String {
    render(signers, &[RELEASE_NAMESPACE, REVIEW_NAMESPACE], Form::Dated).unwrap()
}

const KINDS: &[(&str, &[&str])] = &[
    ("ed25519", &["ed25519"]),
    ("p256", &["ecdsa", "-b", "256"]),
    ("p384", &["ecdsa", "-b", "384"]),
    ("rsa2048", &["rsa", "-b", "2048"]),
    ("rsa3072", &["rsa", "-b", "3072"]),
];

#[test]
fn signatures_by_ssh_keygen_are_verified_here() {
    let place = Place::new();
    for (name, kind) in KINDS {
        let key = place.make_key(name, kind);
        let text = place.run(&["-q", "-Y", "sign", "-f", name, "-n", RELEASE_NAMESPACE], MESSAGE);
        let signature: SshSignature = text.parse().unwrap();
        assert_eq!(signature.verify_key(&key, RELEASE_NAMESPACE, MESSAGE), Ok(()), "{name}");
        assert_eq!(signature.to_armoured(), text);
        let shown = place.run(&["-l", "-f", name], b"");
        assert!(shown.contains(&key.fingerprint().to_string()), "{shown}");
    }
}

#[test]
fn signatures_made_here_are_verified_by_ssh_keygen() {
    let place = Place::new();
    for (name, kind) in KINDS {
        let key = place.make_key(name, kind);
        // `ssh-key` 0.6 cannot read one ECDSA key in 256, whose number begins with a zero.
        let Ok(private) = ssh_key::PrivateKey::from_openssh(read(&place.path(name))) else { continue };
        let signature = sign(&private, RELEASE_NAMESPACE, MESSAGE, &SystemRandom::new()).unwrap();
        assert!(place.verifies(&allowed(&[alice(&key)]), &signature, &[]), "{name}");
        let other = sign(&private, REVIEW_NAMESPACE, MESSAGE, &SystemRandom::new()).unwrap();
        assert!(!place.verifies(&allowed(&[alice(&key)]), &other, &[]), "{name}");
    }
}

#[test]
fn the_times_of_a_key_are_judged_in_utc() {
    let place = Place::new();
    let key = place.make_key("key", &["ed25519"]);
    let signature = sign(&place.private("key"), RELEASE_NAMESPACE, MESSAGE, &SystemRandom::new()).unwrap();
    // From 2023-11-14 22:13:20 to 22:30:00.
    let revoked = AllowedSigner { revoked_at: Some(Time::from_micros(1_700_001_000_000_000)), ..alice(&key) };
    let signers = allowed(std::slice::from_ref(&revoked));
    for (at, good) in [
        ("20231114221319Z", false),
        ("20231114221320Z", true),
        ("20231114222959Z", true),
        ("20231114223001Z", false),
    ] {
        let at = format!("verify-time={at}");
        assert_eq!(place.verifies(&signers, &signature, &["-O", &at]), good, "{at}");
    }
    assert!(!place.verifies(&signers, &signature, &[]));
    // Revoked once and enrolled again, and revoked in the second in which it was enrolled.
    let hasty = AllowedSigner { revoked_at: Some(alice(&key).enrolled_at), ..alice(&key) };
    assert!(place.verifies(&allowed(&[hasty, revoked.clone(), alice(&key)]), &signature, &[]));
    let undated = render(&[revoked], &[RELEASE_NAMESPACE], Form::Undated).unwrap();
    assert_eq!(undated, "");
    let undated = render(&[alice(&key)], &[RELEASE_NAMESPACE], Form::Undated).unwrap();
    assert!(place.verifies(&undated, &signature, &[]));
}

#[test]
fn certificates_are_judged_as_ssh_keygen_judges_them() {
    let place = Place::new();
    let authority = place.make_key("authority", &["ed25519"]);
    let key = place.make_key("key", &["ecdsa", "-b", "256"]);
    place.run(
        &["-q", "-s", "authority", "-I", "alice's", "-n", ALICE, "-V", "20230101Z:20240101Z", "key.pub"],
        b"",
    );
    let certificate: Certificate = read(&place.path("key-cert.pub")).parse().unwrap();
    assert_eq!(certificate.key(), &key);
    fs::copy(place.path("key-cert.pub"), place.path("key.pub")).unwrap();
    let text = place.run(&["-q", "-Y", "sign", "-f", "key.pub", "-n", RELEASE_NAMESPACE], MESSAGE);
    let theirs: SshSignature = text.parse().unwrap();

    // The same, with the certificate and what an agent would answer.
    let data = to_be_signed(RELEASE_NAMESPACE, HashAlgorithm::Sha256, MESSAGE).unwrap();
    let ours = ssh_key::PrivateKey::from_openssh(read(&place.path("key"))).ok().map(|private| {
        let answer = sign_data(&private, &data, &SystemRandom::new()).unwrap();
        assemble(certificate.blob(), RELEASE_NAMESPACE, HashAlgorithm::Sha256, &answer).unwrap()
    });
    let signers = allowed(&[AllowedSigner {
        principals: vec!["*@example.com".to_owned()],
        is_authority: true,
        enrolled_at: Time::from_micros(0),
        ..alice(&authority)
    }]);
    for signature in [Some(theirs), ours].into_iter().flatten() {
        for (at, micros, good) in [
            ("20230615000000Z", 1_686_787_200_000_000, true),
            ("20240615000000Z", 1_718_409_600_000_000, false),
        ] {
            let at = format!("verify-time={at}");
            assert_eq!(place.verifies(&signers, &signature, &["-O", &at]), good);
            let here = signature.verify_certificate(
                std::slice::from_ref(&authority),
                ALICE,
                Time::from_micros(micros),
                RELEASE_NAMESPACE,
                MESSAGE,
            );
            assert_eq!(here.is_ok(), good);
        }
    }
}

/// A security key in software: what it signs has the digests of its application and of the data in it.
struct SoftKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

const SOFT_KIND: &[u8] = b"sk-ssh-ed25519@openssh.com";

impl SoftKey {
    fn new() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let mut blob = Vec::new();
        for field in [SOFT_KIND, pair.public_key().as_ref(), b"ssh:"] {
            put(&mut blob, field);
        }
        Self { pair, public: PublicKey::from_blob(&blob).unwrap() }
    }

    fn answer(&self, data: &[u8], flags: u8) -> Vec<u8> {
        let trailer = [flags, 0, 0, 0, 9];
        let signed = [Digest::of(b"ssh:").bytes(), &trailer[..], Digest::of(data).bytes()].concat();
        let mut answer = Vec::new();
        put(&mut answer, SOFT_KIND);
        put(&mut answer, self.pair.sign(&signed).as_ref());
        answer.extend_from_slice(&trailer);
        answer
    }
}

fn put(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    into.extend_from_slice(bytes);
}

#[test]
fn a_security_key_is_read_as_ssh_keygen_reads_it_and_must_be_touched() {
    let place = Place::new();
    let soft = SoftKey::new();
    let data = to_be_signed(RELEASE_NAMESPACE, HashAlgorithm::Sha512, MESSAGE).unwrap();
    for (flags, good) in [(0x01, true), (0x05, true), (0x00, false)] {
        let answer = soft.answer(&data, flags);
        let signature =
            assemble(soft.public.blob(), RELEASE_NAMESPACE, HashAlgorithm::Sha512, &answer).unwrap();
        assert_eq!(signature.verify_key(&soft.public, RELEASE_NAMESPACE, MESSAGE).is_ok(), good);
        // `ssh-keygen` only looks at whether it fits.
        assert!(place.verifies(&allowed(&[alice(&soft.public)]), &signature, &[]), "{flags}");
    }
}

#[test]
fn a_certificate_can_want_that_the_security_key_knows_its_user() {
    let place = Place::new();
    let soft = SoftKey::new();
    let authority = place.make_key("authority", &["ed25519"]);
    fs::write(place.path("soft.pub"), format!("{}\n", soft.public)).unwrap();
    place.run(&["-q", "-s", "authority", "-I", "x", "-n", ALICE, "-O", "verify-required", "soft.pub"], b"");
    let certificate: Certificate = read(&place.path("soft-cert.pub")).parse().unwrap();
    assert_eq!(certificate.key(), &soft.public);
    let data = to_be_signed(RELEASE_NAMESPACE, HashAlgorithm::Sha512, MESSAGE).unwrap();
    for (flags, good) in [(0x05, true), (0x01, false), (0x04, false)] {
        let answer = soft.answer(&data, flags);
        let signature =
            assemble(certificate.blob(), RELEASE_NAMESPACE, HashAlgorithm::Sha512, &answer).unwrap();
        let at = Time::from_micros(1_795_339_800_000_000);
        let verified = signature.verify_certificate(
            std::slice::from_ref(&authority),
            ALICE,
            at,
            RELEASE_NAMESPACE,
            MESSAGE,
        );
        assert_eq!(verified.is_ok(), good, "{verified:?}");
    }
}

#[test]
fn fixtures_are_read_by_ssh_keygen() {
    let place = Place::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sign/ssh");
    let key: PublicKey = read(&fixtures.join("rsa.pub")).parse().unwrap();
    let signature: SshSignature = read(&fixtures.join("rsa.sig")).parse().unwrap();
    assert!(place.verifies(&allowed(&[alice(&key)]), &signature, &[]));
    let private = place.path("private");
    fs::copy(fixtures.join("rsa.key"), &private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(place.run(&["-y", "-f", "private"], b"").starts_with("ssh-rsa "));
}
