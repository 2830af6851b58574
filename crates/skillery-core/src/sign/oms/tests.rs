use proptest::prelude::*;
use ring::rand::SystemRandom;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/sign/", $name))
    };
}

fn file(path: &str, content: &str) -> BundleFile {
    BundleFile { path: path.to_owned(), executable: false, bytes: content.as_bytes().to_vec() }
}

/// Those that `model_signing` signed for the fixtures.
fn skill() -> Vec<BundleFile> {
    vec![
        file(".gitignore", "__pycache__\n"),
        file("SKILL.md", "---\nname: adder\ndescription: Adds.\n---\n"),
        file("scripts-old/add.py", "def add(a, b):\n    return b + a\n"),
        file("scripts/add.py", "def add(a, b):\n    return a + b\n"),
        file("scripts/data/größe.txt", "1\n"),
        file(SIGNATURE_FILE, "whatever"),
    ]
}

fn key(pem: &str) -> PemPublicKey {
    pem.parse().unwrap()
}

fn with_key(signature: &str, pem: &str) -> Result<OmsVerified, OmsError> {
    verify(signature.as_bytes(), &skill(), Trust::Key(&key(pem)))
}

fn with_root(signature: &str, roots: &str, at: Time) -> Result<OmsVerified, OmsError> {
    verify(signature.as_bytes(), &skill(), Trust::Authorities { roots: &roots.parse().unwrap(), at })
}

fn now() -> Time {
    // 2026-11-22.
    Time::from_micros(1_795_339_800_000_000)
}

#[test]
fn signatures_by_model_signing_with_a_key_are_verified() {
    for (signature, pem) in [
        (fixture!("oms/p256.sig"), fixture!("pem/p256.pub")),
        (fixture!("oms/p384.sig"), fixture!("pem/p384.pub")),
    ] {
        let verified = with_key(signature, pem).unwrap();
        assert_eq!(
            verified,
            OmsVerified {
                name: "skill".to_owned(),
                signer: OmsSigner::Key(key(pem).fingerprint()),
                signed: 4,
                left_out: vec![".gitignore".to_owned()],
            }
        );
        let error = with_key(signature, fixture!("pem/ed25519.pub")).unwrap_err();
        assert_eq!(error, OmsError::Bundle(BundleError::Mismatch));
    }
}

#[test]
fn signatures_by_model_signing_with_a_certificate_are_verified() {
    for signature in
        [fixture!("oms/cert-p256.sig"), fixture!("oms/cert-p384.sig"), fixture!("oms/cert-purpose.sig")]
    {
        let verified = with_root(signature, fixture!("oms/root.pem"), now()).unwrap();
        let OmsSigner::Certificate(signer) = verified.signer else { panic!("a key") };
        assert_eq!(signer.name, "Test Signer");
    }
    let both = [fixture!("oms/other-root.pem"), fixture!("oms/root.pem")].concat();
    assert!(with_root(fixture!("oms/cert-p256.sig"), &both, now()).is_ok());
    let first_day = Time::from_micros(1_767_225_600_000_000);
    assert!(with_root(fixture!("oms/cert-expired.sig"), &both, first_day).is_ok());
}

#[test]
fn what_does_not_count_says_why() {
    let root = fixture!("oms/root.pem");
    let key_of = |signature| with_key(signature, fixture!("pem/p256.pub"));
    let certificate = |signature, at| with_root(signature, root, at);
    let answers: Vec<String> = [
        key_of(fixture!("oms/shards.sig")),
        key_of(fixture!("oms/blake2.sig")),
        key_of(fixture!("oms/p521.sig")),
        key_of(fixture!("oms/cert-p256.sig")),
        certificate(fixture!("oms/p256.sig"), now()),
        with_root(fixture!("oms/cert-p256.sig"), fixture!("oms/other-root.pem"), now()),
        certificate(fixture!("oms/cert-expired.sig"), now()),
        certificate(fixture!("oms/cert-p256.sig"), Time::from_micros(0)),
        certificate(fixture!("oms/cert-p256.sig"), Time::from_micros(-1)),
        certificate(fixture!("oms/cert-agreement.sig"), now()),
        certificate(fixture!("oms/cert-web.sig"), now()),
        certificate(fixture!("oms/cert-nothing.sig"), now()),
        certificate(fixture!("oms/cert-authority.sig"), now()),
    ]
    .into_iter()
    .map(|answer| answer.unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(answers.join("\n"));
    for bad in [
        "",
        "hello",
        fixture!("pem/p256.pub"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert_eq!(bad.parse::<Roots>().unwrap_err(), X509Error::Roots);
    }
}

#[test]
fn a_file_that_is_not_as_it_was_signed_is_named() {
    let pem = key(fixture!("pem/p256.pub"));
    let verify = |files: &[BundleFile]| {
        super::verify(fixture!("oms/p256.sig").as_bytes(), files, Trust::Key(&pem)).unwrap_err()
    };
    let mut files = skill();
    files.retain(|file| file.path != "SKILL.md");
    assert_eq!(verify(&files), OmsError::Missing("SKILL.md".to_owned()));
    files.push(file("SKILL.md", "changed"));
    assert_eq!(verify(&files), OmsError::Differs("SKILL.md".to_owned()));
    // The signer's program passes over a signature of another name, and it could be anything.
    for path in ["scripts/new.py", "scripts/skill.oms.sig", "x/.git", "model.sig"] {
        assert_eq!(verify(&[skill(), vec![file(path, "")]].concat()), OmsError::Extra(path.to_owned()));
    }
}

/// Signs a list that no honest program would write.
fn forged(payload: &serde_json::Value) -> Result<OmsVerified, OmsError> {
    let private = PemPrivateKey::from_pem(fixture!("pem/p256.key"), &SystemRandom::new()).unwrap();
    let bundle = Bundle::sign(payload.to_string().as_bytes(), &private, &SystemRandom::new()).unwrap();
    verify(bundle.to_json().unwrap().as_bytes(), &[], Trust::Key(&private.public_key()))
}

#[test]
fn lists_that_contradict_themselves_are_refused() {
    let digest = Digest::of(b"").to_string();
    let list = |resources: serde_json::Value, digest: &str| {
        serde_json::json!({
            "_type": STATEMENT_TYPE,
            "subject": [{"name": "x", "digest": {"sha256": digest}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": true},
                "resources": resources,
                "more": 1,
            },
        })
    };
    assert_eq!(forged(&list(serde_json::json!([]), &digest)).unwrap().signed, 0);
    let resource = |name: &str| serde_json::json!({"name": name, "algorithm": "sha256", "digest": digest});
    let mut twice = list(serde_json::json!([]), &digest);
    twice["subject"] = serde_json::json!([twice["subject"][0], twice["subject"][0]]);
    let mut kind = list(serde_json::json!([]), &digest);
    kind["predicateType"] = "https://model_signing/Digests/v0.1".into();
    let answers: Vec<String> = [
        list(serde_json::json!([resource("a")]), &digest),
        list(serde_json::json!([]), "sha256:00"),
        list(serde_json::json!([resource("a"), resource("a")]), &digest),
        list(serde_json::json!([resource("../a")]), &digest),
        list(serde_json::json!([{"name": "a", "algorithm": "md5", "digest": ""}]), &digest),
        twice,
        kind,
        serde_json::json!({}),
    ]
    .iter()
    .map(|payload| forged(payload).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn what_is_signed_here_is_what_model_signing_signs() {
    let random = SystemRandom::new();
    for (private, signature) in [
        (fixture!("pem/p256.key"), fixture!("oms/p256.sig")),
        (fixture!("pem/p384.key"), fixture!("oms/p384.sig")),
    ] {
        let private = PemPrivateKey::from_pem(private, &random).unwrap();
        let signed = sign("skill", &skill(), &private, &random).unwrap();
        assert_eq!(signed.left_out, [".gitignore"]);
        let verified = verify(signed.json.as_bytes(), &skill(), Trust::Key(&private.public_key())).unwrap();
        assert_eq!(verified.signed, 4);
        // The same list in the same order, and the same hint.
        let (ours, theirs) =
            (Bundle::parse(signed.json.as_bytes()).unwrap(), Bundle::parse(signature.as_bytes()).unwrap());
        assert_eq!(ours.material(), theirs.material());
        let statement = |bundle: &Bundle| {
            let mut value: serde_json::Value = serde_json::from_slice(bundle.unverified_payload()).unwrap();
            let paths = value["predicate"]["serialization"]["ignore_paths"].as_array_mut().unwrap();
            paths.sort_by_key(ToString::to_string);
            value
        };
        assert_eq!(statement(&ours), statement(&theirs));
    }
    let ed25519 = PemPrivateKey::from_pem(fixture!("pem/ed25519.key"), &random).unwrap();
    assert_eq!(sign("skill", &skill(), &ed25519, &random), Err(OmsError::KeyKind));
}

#[test]
fn a_changed_byte_of_a_bundle_with_certificates_is_refused_or_says_the_same() {
    let roots: Roots = fixture!("oms/root.pem").parse().unwrap();
    let trust = Trust::Authorities { roots: &roots, at: now() };
    let text = fixture!("oms/cert-p256.sig");
    let good = verify(text.as_bytes(), &skill(), trust).unwrap();
    for place in (0..text.len()).step_by(13) {
        let mut changed = text.as_bytes().to_vec();
        changed[place] ^= 1;
        if let Ok(verified) = verify(&changed, &skill(), trust) {
            // Names of fields that nobody reads, and certificates that the path does not need.
            assert_eq!(verified, good, "byte {place}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), chain in any::<Vec<Vec<u8>>>()) {
        let key = key(fixture!("pem/p256.pub"));
        let _ = verify(&bytes, &[], Trust::Key(&key));
        let _ = read_list(&bytes);
        let roots: Roots = fixture!("oms/root.pem").parse().unwrap();
        prop_assert!(x509::verify(&chain, &roots, now(), &bytes, &bytes).is_err());
    }
}
