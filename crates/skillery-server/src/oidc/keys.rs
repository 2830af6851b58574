//! The keys that an issuer publishes (RFC 7517), as far as they can sign tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

use super::settings::Algorithm;

/// Keys that one issuer may have.
const MAX_KEYS: usize = 64;

/// A public key, good for one algorithm.
#[derive(Clone)]
pub struct Key {
    /// What tokens call it.
    pub id: String,
    /// What it signs with; decided by the key, not by a token.
    pub algorithm: Algorithm,
    numbers: Numbers,
}

#[derive(Clone)]
enum Numbers {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The document holds no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// It is something else.
    #[error("it is no set of keys")]
    Form(#[from] serde_json::Error),
    /// More than any issuer needs.
    #[error("it has {0} keys, and {MAX_KEYS} are the most")]
    TooMany(usize),
    /// Nothing in it can sign tokens as wanted.
    #[error("none of its keys can be used")]
    Empty,
}

/// Reads a set of keys. Keys of other kinds are passed over; a set without a usable one is an error.
pub fn parse_keys(document: &[u8]) -> Result<Vec<Key>, KeySetError> {
    let set: KeySet = serde_json::from_slice(document)?;
    if set.keys.len() > MAX_KEYS {
        return Err(KeySetError::TooMany(set.keys.len()));
    }
    let keys: Vec<Key> = set
        .keys
        .into_iter()
        .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
        .filter_map(Key::of)
        .collect();
    if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(keys) }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let (algorithm, numbers) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (Algorithm::Rs256, Numbers::Rsa { n: bytes(jwk.n)?, e: bytes(jwk.e)? }),
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                (Algorithm::Es256, Numbers::P256([&[4], x.as_slice(), &y].concat()))
            }
            _ => return None,
        };
        if jwk.alg.is_some_and(|named| named != algorithm.as_str()) {
            return None;
        }
        Some(Self { id: jwk.kid, algorithm, numbers })
    }

    /// Whether this is the key's signature of these bytes. RSA keys of less than 2048 bits sign nothing.
    pub fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.numbers {
            Numbers::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            Numbers::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_keys_that_sign_as_wanted_are_kept() {
        let rsa = json!({ "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB" });
        let with = |key: &Value, name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            key
        };
        let keys = |list: Value| parse_keys(json!({ "keys": list }).to_string().as_bytes());
        assert_eq!(keys(json!([rsa])).unwrap().len(), 1);
        let kept = [rsa.clone(), with(&rsa, "use", json!("sig")), with(&rsa, "alg", json!("RS256"))];
        assert_eq!(keys(json!(kept)).unwrap().len(), 3);
        let passed_over = json!([
            "no key", {}, { "kty": "oct", "kid": "s", "k": "AAAA" },
            with(&rsa, "use", json!("enc")), with(&rsa, "alg", json!("RS512")), with(&rsa, "alg", json!("HS256")),
            with(&rsa, "kid", json!(1)), with(&rsa, "n", json!("=")), with(&rsa, "n", Value::Null),
            { "kty": "EC", "kid": "e", "crv": "P-384", "x": "AAAA", "y": "AAAA" },
            { "kty": "EC", "kid": "e", "crv": "P-256", "x": "AAAA", "y": "AAAA" },
            { "kty": "OKP", "kid": "o", "crv": "Ed25519", "x": "AAAA" },
        ]);
        assert!(matches!(keys(passed_over), Err(KeySetError::Empty)));
        assert!(matches!(keys(json!([])), Err(KeySetError::Empty)));
        assert!(matches!(keys(json!(vec![rsa; 65])), Err(KeySetError::TooMany(65))));
        assert!(matches!(parse_keys(b"[]"), Err(KeySetError::Form(_))));
        assert!(matches!(parse_keys(b"<html>"), Err(KeySetError::Form(_))));
    }
}
