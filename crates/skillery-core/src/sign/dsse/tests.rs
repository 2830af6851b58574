use proptest::prelude::*;
use ring::rand::SystemRandom;

use super::*;
use crate::limits::MAX_KEY_LENGTH;
use crate::sign::pem::PemAlgorithm;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/sign/pem/", $name))
    };
}

const PAYLOAD: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;

const PAIRS: [(&str, &str, PemAlgorithm); 3] = [
    (fixture!("ed25519.key"), fixture!("ed25519.pub"), PemAlgorithm::Ed25519),
    (fixture!("p256.key"), fixture!("p256.pub"), PemAlgorithm::EcdsaP256),
    (fixture!("p384.key"), fixture!("p384.pub"), PemAlgorithm::EcdsaP384),
];

fn private(pem: &str) -> PemPrivateKey {
    PemPrivateKey::from_pem(pem, &SystemRandom::new()).unwrap()
}

fn signed(private_pem: &str) -> Bundle {
    Bundle::sign(PAYLOAD, &private(private_pem), &SystemRandom::new()).unwrap()
}

#[test]
fn the_encoding_is_that_of_the_specification() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

#[test]
fn keys_of_openssl_are_read_and_written() {
    for (secret, public, algorithm) in PAIRS {
        let key: PemPublicKey = public.parse().unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.to_string(), public);
        assert_eq!(private(secret).public_key(), key);
        assert_eq!(public.replace('\n', "\r\n").parse::<PemPublicKey>().unwrap(), key);
        assert!(secret.parse::<PemPublicKey>().is_err());
        assert!(PemPrivateKey::from_pem(public, &SystemRandom::new()).is_err());
        assert_eq!(format!("{:?}", private(secret)), "PemPrivateKey(***)");
    }
}

#[test]
fn keys_that_do_not_count_say_why() {
    let answer = |text: &str| PemPrivateKey::from_pem(text, &SystemRandom::new()).unwrap_err().to_string();
    let mut answers = vec![
        answer(fixture!("p521.key")),
        answer(fixture!("rsa.key")),
        answer(fixture!("p256-sec1.key")),
        answer(fixture!("p256-encrypted.key")),
        answer(&[fixture!("p256.key"), fixture!("ed25519.key")].concat()),
        answer(""),
        answer(&"x".repeat(MAX_KEY_LENGTH + 1)),
    ];
    let two = [fixture!("p256.pub"), fixture!("ed25519.pub")].concat();
    for text in
        [fixture!("p521.pub"), fixture!("rsa.pub"), two.as_str(), "hello", &"x".repeat(MAX_KEY_LENGTH + 1)]
    {
        answers.push(text.parse::<PemPublicKey>().unwrap_err().to_string());
    }
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn what_is_signed_is_verified() {
    for (private, public, _) in PAIRS {
        let key: PemPublicKey = public.parse().unwrap();
        let bundle = signed(private);
        let read = Bundle::parse(bundle.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(read, bundle);
        assert_eq!(read.verify(&key), Ok(PAYLOAD));
        assert_eq!(read.material(), &Material::PublicKey { hint: Some(key.fingerprint().to_string()) });
        for (_, other, _) in PAIRS {
            if other != public {
                assert_eq!(read.verify(&other.parse().unwrap()), Err(BundleError::Mismatch));
            }
        }
    }
    // Ed25519 has no randomness in it.
    insta::assert_snapshot!(signed(fixture!("ed25519.key")).to_json().unwrap());
}

#[test]
fn every_changed_bit_is_refused() {
    for (private, public, _) in PAIRS {
        let key: PemPublicKey = public.parse().unwrap();
        let bundle = signed(private);
        for bit in 0..bundle.signature.len() * 8 {
            let mut changed = bundle.clone();
            changed.signature[bit / 8] ^= 1 << (bit % 8);
            assert!(changed.verify(&key).is_err(), "bit {bit} of the signature");
        }
        for bit in 0..bundle.payload.len() * 8 {
            let mut changed = bundle.clone();
            changed.payload[bit / 8] ^= 1 << (bit % 8);
            assert!(changed.verify(&key).is_err(), "bit {bit} of the payload");
        }
    }
}

#[test]
fn what_is_no_bundle_says_why() {
    let good = signed(fixture!("p256.key")).to_json().unwrap();
    let sig = r#"{"sig":"AAAA","keyid":""}"#;
    let start = good.find(r#"{"sig""#).unwrap();
    let end = good.rfind(']').unwrap();
    let with_signatures = |text: &str| format!("{}{text}{}", &good[..start], &good[end..]);
    let cases = [
        "{}".to_owned(),
        String::new(),
        format!("{good}x"),
        good.replace("v0.3", "v0.2"),
        good.replace("in-toto+json", "other"),
        good.replace("dsseEnvelope", "messageSignature"),
        with_signatures(""),
        with_signatures(&format!("{sig},{sig}")),
        good.replace(r#""payload":""#, r#""payload":"!"#),
        good.replace(r#""sig":""#, r#""sig":"!"#),
        good.replace(r#""publicKey":"#, r#""other":"#),
        good.replace(r#""publicKey":"#, r#""certificate":{"rawBytes":"AAAA"},"publicKey":"#),
        good.replace(r#""publicKey":"#, r#""x509CertificateChain":{"certificates":[]},"other":"#),
        good.replace(r#""publicKey":"#, r#""certificate":{"rawBytes":"!"},"other":"#),
        " ".repeat(MAX_SIGSTORE_BUNDLE_LENGTH + 1),
    ];
    let answers: Vec<String> =
        cases.iter().map(|case| Bundle::parse(case.as_bytes()).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(answers.join("\n"));
    // What others put in beside the envelope does not matter.
    let more = good
        .replace(r#""tlogEntries":[]"#, r#""tlogEntries":[{"logIndex":"1"}],"timestampVerificationData":{}"#);
    assert!(Bundle::parse(more.as_bytes()).unwrap().verify(&fixture!("p256.pub").parse().unwrap()).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), text in "\\PC{0,100}") {
        let _ = Bundle::parse(&bytes);
        let _ = text.parse::<PemPublicKey>();
        let der = STANDARD.encode(&bytes);
        let _ = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n").parse::<PemPublicKey>();
        let private = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        let _ = PemPrivateKey::from_pem(&private, &SystemRandom::new());
        let key: PemPublicKey = fixture!("p256.pub").parse().unwrap();
        prop_assert!(!key.verifies(&bytes, &bytes));
    }
}
