//! The guide's HMAC-SHA256 signature over `skill_id:code_hash`.
//!
//! It shows that whoever published held the org's shared secret. It says nothing about the version, and who can
//! check it can also make it: wherever trust is shown it is called [`LEGACY_LEVEL`].

use ring::hmac;

use crate::{Digest, SkillId};

/// What this kind of signature is called wherever trust is shown.
pub const LEGACY_LEVEL: &str = "legacy-integrity-only";

fn message(id: &SkillId, code_hash: &Digest) -> String {
    format!("{id}:{code_hash}")
}

/// The signature as 64 lower-case hexadecimal digits.
pub fn sign(id: &SkillId, code_hash: &Digest, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, message(id, code_hash).as_bytes()))
}

/// Whether `signature` was made with `secret`, compared in constant time.
pub fn verify(id: &SkillId, code_hash: &Digest, secret: &str, signature: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::decode(signature)
        .is_ok_and(|tag| hmac::verify(&key, message(id, code_hash).as_bytes(), &tag).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_id_and_hash_verify() {
        let id: SkillId = "acme/email_validator".parse().unwrap();
        let other: SkillId = "acme/other".parse().unwrap();
        let hash = Digest::of(b"def validate(email): ...");
        let signature = sign(&id, &hash, "my_signing_secret_key");
        // Computed with Python: hmac.new(b"my_signing_secret_key", f"{id}:{hash}".encode(), "sha256").hexdigest()
        assert_eq!(signature, "1983453db39a323c0cebf28f08c7359372bf3683e56cc16da3688ca0405782de");
        assert!(verify(&id, &hash, "my_signing_secret_key", &signature));
        assert!(!verify(&id, &hash, "another", &signature));
        assert!(!verify(&other, &hash, "my_signing_secret_key", &signature));
        assert!(!verify(&id, &Digest::of(b"x"), "my_signing_secret_key", &signature));
        assert!(!verify(&id, &hash, "my_signing_secret_key", "not hexadecimal"));
    }
}
