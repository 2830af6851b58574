use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::*;
use crate::Digest;
use crate::sign::ssh::{Fingerprint, KeyAlgorithm};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/sign/ssh/", $name))
    };
}

const MESSAGE: &[u8] = fixture!("message").as_bytes();
const ALICE: &str = "alice@example.com";

fn signature(text: &str) -> SshSignature {
    text.parse().unwrap()
}

fn key(line: &str) -> PublicKey {
    line.parse().unwrap()
}

fn now() -> Time {
    // 2026-11-22.
    Time::from_micros(1_795_339_800_000_000)
}

#[test]
fn signatures_by_ssh_keygen_are_verified() {
    for (line, text) in [
        (fixture!("ed25519.pub"), fixture!("ed25519.sig")),
        (fixture!("ed25519.pub"), fixture!("sha256.sig")),
        (fixture!("p256.pub"), fixture!("p256.sig")),
        (fixture!("p384.pub"), fixture!("p384.sig")),
        (fixture!("rsa.pub"), fixture!("rsa.sig")),
        (fixture!("rsa.pub"), fixture!("rsa-sha256.sig")),
    ] {
        let (key, signature) = (key(line), signature(text));
        assert_eq!(signature.verify_key(&key, RELEASE_NAMESPACE, MESSAGE), Ok(()), "{line}");
        assert_eq!(signature.signer().key(), &key);
        assert_eq!(signature.to_armoured(), text);
        let changed = [MESSAGE, b"!"].concat();
        assert_eq!(
            signature.verify(RELEASE_NAMESPACE, &changed),
            Err(SshSigError::Signature(SignatureError::Mismatch))
        );
        assert!(matches!(
            signature.verify_key(&self::key(fixture!("other.pub")), RELEASE_NAMESPACE, MESSAGE),
            Err(SshSigError::OtherKey { .. })
        ));
    }
}

#[test]
fn a_signature_for_one_purpose_is_none_for_another() {
    let error = signature(fixture!("namespace.sig")).verify(RELEASE_NAMESPACE, MESSAGE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the signature is of the namespace `file`, and `skill-release@v1` is expected"
    );
    assert!(signature(fixture!("namespace.sig")).verify("file", MESSAGE).is_ok());
    assert!(signature(fixture!("ed25519.sig")).verify(REVIEW_NAMESPACE, MESSAGE).is_err());
}

#[test]
fn certificates_count_for_their_principal_and_time() {
    let (authority, rsa) = (key(fixture!("authority.pub")), key(fixture!("authority-rsa.pub")));
    let authorities = [authority.clone(), rsa];
    for text in [
        fixture!("cert.sig"),
        fixture!("cert-p256.sig"),
        fixture!("cert-rsa.sig"),
        fixture!("cert-dated.sig"),
    ] {
        let signature = signature(text);
        let certificate =
            signature.verify_certificate(&authorities, ALICE, now(), RELEASE_NAMESPACE, MESSAGE).unwrap();
        assert_eq!(certificate.serial(), 7);
        assert!(signature.verify_key(certificate.key(), RELEASE_NAMESPACE, MESSAGE).is_err());
        assert_eq!(signature.to_armoured(), text);
    }
    let verify = |text: &str, authorities: &[PublicKey], principal: &str, at: Time| {
        let error = signature(text)
            .verify_certificate(authorities, principal, at, RELEASE_NAMESPACE, MESSAGE)
            .map(|_| ())
            .unwrap_err();
        error.to_string()
    };
    let year = Time::from_micros(1_767_225_600_000_000);
    let dated = signature(fixture!("cert-dated.sig"));
    let at = |at: Time| dated.verify_certificate(&authorities, ALICE, at, RELEASE_NAMESPACE, MESSAGE).is_ok();
    assert!(at(year) && !at(Time::from_micros(year.micros() - 1)));
    assert!(at(year.plus_seconds(365 * 86_400 - 1)) && !at(year.plus_seconds(365 * 86_400)));
    let answers = [
        verify(fixture!("cert.sig"), &[], ALICE, now()),
        verify(fixture!("cert.sig"), &[key(fixture!("other.pub"))], ALICE, now()),
        verify(fixture!("cert.sig"), &authorities, "bob@example.com", now()),
        verify(fixture!("cert-anybody.sig"), &authorities, ALICE, now()),
        verify(fixture!("cert-host.sig"), &authorities, ALICE, now()),
        verify(fixture!("cert-dated.sig"), &authorities, ALICE, year.plus_seconds(-1)),
        verify(fixture!("cert.sig"), &authorities, ALICE, Time::from_micros(-1)),
        verify(fixture!("cert-command.sig"), &authorities, ALICE, now()),
        verify(fixture!("cert-verify.sig"), &authorities, ALICE, now()),
        verify(fixture!("cert-sha1.sig"), &authorities, ALICE, now()),
        verify(fixture!("ed25519.sig"), &authorities, ALICE, now()),
    ];
    // Fixtures are made again now and then, and fingerprints change with them.
    let hidden = answers.join("\n").replace(&authority.fingerprint().to_string(), "SHA256:…");
    insta::assert_snapshot!(hidden);
}

#[test]
fn every_changed_bit_of_a_certificate_is_refused() {
    let authorities = [key(fixture!("authority.pub"))];
    let line = fixture!("cert.cert.pub");
    let certificate: Certificate = line.parse().unwrap();
    assert_eq!(certificate.principals(), [ALICE, "alice"]);
    assert_eq!(certificate.key_id(), "cert");
    assert_eq!(certificate.authority(), &authorities[0]);
    assert_eq!(certificate.check(&authorities, ALICE, now(), false), Ok(()));
    let blob = certificate.blob();
    for bit in 0..blob.len() * 8 {
        let mut changed = blob.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        let accepted = Certificate::from_blob(&changed)
            .is_ok_and(|certificate| certificate.check(&authorities, ALICE, now(), true).is_ok());
        assert!(!accepted, "bit {bit}");
    }
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A security key in software: it knows how to answer, and says what it is told to about its user.
struct SoftKey {
    public: PublicKey,
    sign: Sign,
}

impl SoftKey {
    fn ed25519() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let mut blob = Vec::new();
        for field in [KeyAlgorithm::SkEd25519.name().as_bytes(), pair.public_key().as_ref(), b"ssh:"] {
            put_string(&mut blob, field);
        }
        Self {
            public: PublicKey::from_blob(&blob).unwrap(),
            sign: Box::new(move |data| pair.sign(data).as_ref().to_vec()),
        }
    }

    fn p256() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let mut blob = Vec::new();
        for field in
            [KeyAlgorithm::SkEcdsaP256.name().as_bytes(), b"nistp256", pair.public_key().as_ref(), b"ssh:"]
        {
            put_string(&mut blob, field);
        }
        let sign = move |data: &[u8]| {
            let fixed = pair.sign(&random, data).unwrap();
            let mut bytes = Vec::new();
            for number in fixed.as_ref().chunks(32) {
                let zeros = number.iter().take_while(|byte| **byte == 0).count();
                let pad = if number[zeros] >= 0x80 { vec![0] } else { vec![] };
                put_string(&mut bytes, &[&pad, &number[zeros..]].concat());
            }
            bytes
        };
        Self { public: PublicKey::from_blob(&blob).unwrap(), sign: Box::new(sign) }
    }

    fn answer(&self, data: &[u8], flags: u8) -> Vec<u8> {
        let mut signed = Digest::of(b"ssh:").bytes().to_vec();
        signed.push(flags);
        signed.extend_from_slice(&9_u32.to_be_bytes());
        signed.extend_from_slice(Digest::of(data).bytes());
        let mut answer = Vec::new();
        put_string(&mut answer, self.public.algorithm().name().as_bytes());
        put_string(&mut answer, &(self.sign)(&signed));
        answer.push(flags);
        answer.extend_from_slice(&9_u32.to_be_bytes());
        answer
    }
}

#[test]
fn a_security_key_must_have_been_touched() {
    for key in [SoftKey::ed25519(), SoftKey::p256()] {
        let data = to_be_signed(RELEASE_NAMESPACE, HashAlgorithm::Sha512, MESSAGE).unwrap();
        let signature = |flags| {
            let answer = key.answer(&data, flags);
            let made =
                assemble(key.public.blob(), RELEASE_NAMESPACE, HashAlgorithm::Sha512, &answer).unwrap();
            let read: SshSignature = made.to_armoured().parse().unwrap();
            assert_eq!(read, made);
            read
        };
        assert_eq!(signature(1).verify_key(&key.public, RELEASE_NAMESPACE, MESSAGE), Ok(()));
        assert_eq!(signature(5).verify_key(&key.public, RELEASE_NAMESPACE, MESSAGE), Ok(()));
        assert_eq!(
            signature(4).verify_key(&key.public, RELEASE_NAMESPACE, MESSAGE),
            Err(SshSigError::Signature(SignatureError::NotPresent))
        );
        // The flags are signed too.
        let mut answer = key.answer(&data, 0);
        let place = answer.len() - 5;
        answer[place] = 1;
        let changed = assemble(key.public.blob(), RELEASE_NAMESPACE, HashAlgorithm::Sha512, &answer).unwrap();
        assert_eq!(
            changed.verify(RELEASE_NAMESPACE, MESSAGE),
            Err(SshSigError::Signature(SignatureError::Mismatch))
        );
    }
}

#[test]
fn what_is_signed_with_a_file_is_verified() {
    for (private, public) in [
        (fixture!("ed25519.key"), fixture!("ed25519.pub")),
        (fixture!("p256.key"), fixture!("p256.pub")),
        (fixture!("p384.key"), fixture!("p384.pub")),
        (fixture!("rsa.key"), fixture!("rsa.pub")),
    ] {
        let private = ssh_key::PrivateKey::from_openssh(private).unwrap();
        let signed = sign(&private, REVIEW_NAMESPACE, MESSAGE, &SystemRandom::new()).unwrap();
        let read: SshSignature = signed.to_armoured().parse().unwrap();
        assert_eq!(read.verify_key(&key(public), REVIEW_NAMESPACE, MESSAGE), Ok(()));
    }
    // Ed25519 has no randomness in it, so ours is OpenSSH's to the last byte.
    let private = ssh_key::PrivateKey::from_openssh(fixture!("ed25519.key")).unwrap();
    let signed = sign(&private, RELEASE_NAMESPACE, MESSAGE, &SystemRandom::new()).unwrap();
    assert_eq!(signed.to_armoured(), fixture!("ed25519.sig"));

    for private in [fixture!("rsa1024.key"), fixture!("dsa.key")] {
        let private = ssh_key::PrivateKey::from_openssh(private).unwrap();
        assert!(sign(&private, RELEASE_NAMESPACE, MESSAGE, &SystemRandom::new()).is_err());
    }
    for namespace in ["", "two words", "ü", &"x".repeat(256)] {
        let error = sign(&private, namespace, MESSAGE, &SystemRandom::new()).unwrap_err();
        assert_eq!(error, SshSigError::BadNamespace);
    }
}

#[test]
fn a_certificate_signs_in_parts_as_with_an_agent() {
    let certificate: Certificate = fixture!("cert.cert.pub").parse().unwrap();
    let private = ssh_key::PrivateKey::from_openssh(fixture!("ed25519.key")).unwrap();
    let data = to_be_signed(RELEASE_NAMESPACE, HashAlgorithm::Sha512, MESSAGE).unwrap();
    let answer = ssh::sign_data(&private, &data, &SystemRandom::new()).unwrap();
    let signed = assemble(certificate.blob(), RELEASE_NAMESPACE, HashAlgorithm::Sha512, &answer).unwrap();
    assert_eq!(signed.to_armoured(), fixture!("cert.sig"));
}

#[test]
fn keys_that_do_not_count_say_why() {
    let good = fixture!("ed25519.pub").trim();
    let (kind, rest) = good.split_once(' ').unwrap();
    let cases = [
        fixture!("dsa.pub").to_owned(),
        fixture!("p521.pub").to_owned(),
        fixture!("rsa1024.pub").to_owned(),
        fixture!("cert.cert.pub").to_owned(),
        format!("no-pty,command=\"x\" {good}"),
        format!("*.example.com {good}"),
        good.replacen("ssh-ed25519", "ssh-rsa", 1),
        format!("ssh-new {rest}"),
        kind.to_owned(),
        "hello world".to_owned(),
        format!("{kind} !!!"),
        format!("{kind} AAAA"),
        format!("{good}\n{good}"),
        format!("{good} \u{7}"),
        format!("{good} {}", "x".repeat(300)),
        "ssh-ed25519 ".to_owned() + &"A".repeat(20_000),
        String::new(),
    ];
    let answers: Vec<String> =
        cases.iter().map(|case| case.parse::<PublicKey>().unwrap_err().to_string()).collect();
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn a_key_is_read_written_and_known_by_its_fingerprint() {
    let line = fixture!("ed25519.pub").trim();
    let key: PublicKey = line.parse().unwrap();
    assert_eq!(key.to_string(), line);
    assert_eq!(key.comment(), "test key, trusted by nobody");
    assert_eq!(key, key.clone().with_comment("other").unwrap());
    assert_eq!(format!("\t{line}\r\n").parse::<PublicKey>().unwrap(), key);
    let theirs = ssh_key::PublicKey::from_openssh(line).unwrap();
    let fingerprint = key.fingerprint();
    assert_eq!(fingerprint.to_string(), theirs.fingerprint(ssh_key::HashAlg::Sha256).to_string());
    assert_eq!(fingerprint.to_string().parse::<Fingerprint>().unwrap(), fingerprint);
    let text = fingerprint.to_string();
    for bad in ["", "SHA256:", &text[7..], &format!("{text}="), &text[..49], "MD5:00"] {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
    }
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
}

#[test]
fn keys_are_read_as_another_implementation_reads_them() {
    for line in [fixture!("ed25519.pub"), fixture!("p256.pub"), fixture!("p384.pub"), fixture!("rsa.pub")] {
        let (ours, theirs) = (key(line), ssh_key::PublicKey::from_openssh(line).unwrap());
        assert_eq!(ours.blob(), theirs.to_bytes().unwrap());
        assert_eq!(ours.algorithm().name(), theirs.algorithm().as_str());
        let (ours, theirs) =
            (signature(fixture!("p384.sig")), ssh_key::SshSig::from_pem(fixture!("p384.sig")).unwrap());
        assert_eq!(ours.namespace(), theirs.namespace());
    }
}

#[test]
fn what_is_no_signature_says_why() {
    let good = fixture!("ed25519.sig");
    assert!(good.replace('\n', "\r\n").parse::<SshSignature>().is_ok());
    assert!(good.trim_end().parse::<SshSignature>().is_ok());
    let blob = signature(good).to_blob();
    let armour = |blob: &[u8]| format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(blob));
    assert!(armour(&blob).parse::<SshSignature>().is_ok());
    let reserved = {
        let parts = signature(good);
        let mut blob = MAGIC.to_vec();
        blob.extend_from_slice(&1_u32.to_be_bytes());
        for field in [parts.signer.blob(), RELEASE_NAMESPACE.as_bytes(), b"x", b"sha512", &parts.signature] {
            put_string(&mut blob, field);
        }
        blob
    };
    let replaced = |from: &[u8], to: &[u8]| {
        let place = blob.windows(from.len()).position(|window| window == from).unwrap();
        [&blob[..place], to, &blob[place + from.len()..]].concat()
    };
    let cases = [
        String::new(),
        format!("\n{good}"),
        format!("{good}\n"),
        format!("{good}x"),
        good.replace(END, ""),
        good.replace("U1NIU0lH", "U1NIU0l!"),
        good.replace("U1NIU0lH", ""),
        armour(&[&blob[..], &[0]].concat()),
        armour(&blob[..blob.len() - 1]),
        armour(&replaced(b"SSHSIG\0\0\0\x01", b"SSHSIG\0\0\0\x02")),
        armour(&replaced(b"sha512", b"sha384")),
        armour(&replaced(b"\0\0\0\x10skill-release@v1", b"\0\0\0\0")),
        armour(&reserved),
        fixture!("p521.sig").to_owned(),
        fixture!("rsa1024.sig").to_owned(),
        "x".repeat(MAX_SSH_SIGNATURE_LENGTH + 1),
    ];
    let answers: Vec<String> =
        cases.iter().map(|case| case.parse::<SshSignature>().unwrap_err().to_string()).collect();
    insta::assert_snapshot!(answers.join("\n"));
    let sha1 = SshSignature {
        signature: [&[0, 0, 0, 7], &b"ssh-rsa"[..], &signature(fixture!("rsa.sig")).signature[16..]].concat(),
        ..signature(fixture!("rsa.sig"))
    };
    assert_eq!(
        sha1.verify(RELEASE_NAMESPACE, MESSAGE).unwrap_err().to_string(),
        "a signature by the algorithm `ssh-rsa` is not accepted from a key of the kind `ssh-rsa`"
    );
}

#[test]
fn every_changed_bit_of_a_signature_is_refused() {
    for (line, text) in [
        (fixture!("ed25519.pub"), fixture!("ed25519.sig")),
        (fixture!("p256.pub"), fixture!("p256.sig")),
        (fixture!("rsa.pub"), fixture!("rsa.sig")),
    ] {
        let key = key(line);
        let blob = signature(text).to_blob();
        for bit in 0..blob.len() * 8 {
            let mut changed = blob.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let accepted = SshSignature::from_blob(&changed)
                .is_ok_and(|signature| signature.verify_key(&key, RELEASE_NAMESPACE, MESSAGE).is_ok());
            assert!(!accepted, "bit {bit} of the signature by {line}");
        }
        for bit in 0..MESSAGE.len() * 8 {
            let mut changed = MESSAGE.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(signature(text).verify_key(&key, RELEASE_NAMESPACE, &changed).is_err());
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", bytes in any::<Vec<u8>>()) {
        let _ = text.parse::<SshSignature>();
        let _ = text.parse::<PublicKey>();
        let _ = text.parse::<Certificate>();
        let _ = format!("ssh-ed25519 {}", STANDARD.encode(&bytes)).parse::<PublicKey>();
        let _ = format!("{BEGIN}\n{}\n{END}", STANDARD.encode(&bytes)).parse::<SshSignature>();
        let _ = SshSignature::from_blob(&bytes);
        let _ = Certificate::from_blob(&bytes);
        let _ = PublicKey::from_blob(&bytes);
    }

    #[test]
    fn no_changed_bytes_panic(place in any::<prop::sample::Index>(), bytes in proptest::collection::vec(any::<u8>(), 1..8)) {
        for text in [fixture!("cert.sig"), fixture!("rsa.sig"), fixture!("p256.sig")] {
            let mut blob = signature(text).to_blob();
            let place = place.index(blob.len());
            let end = (place + bytes.len()).min(blob.len());
            blob.splice(place..end, bytes.iter().copied());
            if let Ok(read) = SshSignature::from_blob(&blob) {
                prop_assert_eq!(read.to_blob(), blob);
                let _ = read.verify(RELEASE_NAMESPACE, MESSAGE);
            }
        }
    }
}
