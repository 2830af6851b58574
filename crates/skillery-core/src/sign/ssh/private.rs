//! Signing with a private key that was read from a file.
//!
//! The key is decrypted already; a key on a security key, or one that only an agent has, signs elsewhere.

use ring::rand::SecureRandom;
use ring::rsa::KeyPairComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, RSA_PKCS1_SHA512, RsaKeyPair, RsaPublicKeyComponents,
};
use ssh_key::Mpint;
use ssh_key::private::{EcdsaKeypair, KeypairData, RsaKeypair};
use zeroize::Zeroizing;

use super::wire::{put_mpint, put_string};

/// Why a private key cannot sign here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// It is still encrypted.
    #[error("the private key is encrypted, and its passphrase is needed first")]
    Encrypted,
    /// It lies on a security key.
    #[error("the private key lies on a security key; sign through `ssh-agent`")]
    Hardware,
    /// A kind that does not count here.
    #[error("private keys of the kind `{0}` are not accepted; use Ed25519, ECDSA on P-256 or P-384, or RSA")]
    Kind(String),
    /// Its numbers do not fit together, or it is of a size that cannot be used here.
    #[error("the private key cannot be used: {0}; `ssh-agent` may be able to sign with it")]
    Unusable(String),
    /// Randomness, which ECDSA and RSA need, could not be had.
    #[error("no signature could be made with the private key")]
    Failed,
}

impl From<ring::error::KeyRejected> for PrivateKeyError {
    fn from(error: ring::error::KeyRejected) -> Self {
        Self::Unusable(error.to_string())
    }
}

impl From<ring::error::Unspecified> for PrivateKeyError {
    fn from(_: ring::error::Unspecified) -> Self {
        Self::Failed
    }
}

/// The signature over `data` in the wire format: what an agent answers to a request to sign, where for RSA it is asked
/// for SHA-512.
pub fn sign_data(
    key: &ssh_key::PrivateKey,
    data: &[u8],
    random: &dyn SecureRandom,
) -> Result<Vec<u8>, PrivateKeyError> {
    let (algorithm, bytes) = match key.key_data() {
        KeypairData::Ed25519(pair) => {
            let (seed, public) = (Zeroizing::new(pair.private.to_bytes()), &pair.public.0);
            let pair = Ed25519KeyPair::from_seed_and_public_key(&*seed, public)?;
            ("ssh-ed25519", pair.sign(data).as_ref().to_vec())
        }
        KeypairData::Ecdsa(pair) => ecdsa(pair, data, random)?,
        KeypairData::Rsa(pair) => ("rsa-sha2-512", rsa(pair, data, random)?),
        KeypairData::Encrypted(_) => return Err(PrivateKeyError::Encrypted),
        KeypairData::SkEd25519(_) | KeypairData::SkEcdsaSha2NistP256(_) => {
            return Err(PrivateKeyError::Hardware);
        }
        _ => return Err(PrivateKeyError::Kind(key.algorithm().to_string())),
    };
    let mut signature = Vec::new();
    put_string(&mut signature, algorithm.as_bytes());
    put_string(&mut signature, &bytes);
    Ok(signature)
}

fn ecdsa(
    pair: &EcdsaKeypair,
    data: &[u8],
    random: &dyn SecureRandom,
) -> Result<(&'static str, Vec<u8>), PrivateKeyError> {
    let (name, algorithm, private, public): (_, &EcdsaSigningAlgorithm, _, _) = match pair {
        EcdsaKeypair::NistP256 { public, private } => {
            ("ecdsa-sha2-nistp256", &ECDSA_P256_SHA256_FIXED_SIGNING, private.as_slice(), public.as_bytes())
        }
        EcdsaKeypair::NistP384 { public, private } => {
            ("ecdsa-sha2-nistp384", &ECDSA_P384_SHA384_FIXED_SIGNING, private.as_slice(), public.as_bytes())
        }
        EcdsaKeypair::NistP521 { .. } => return Err(PrivateKeyError::Kind("ecdsa-sha2-nistp521".to_owned())),
    };
    let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, private, public, random)?;
    let fixed = pair.sign(random, data)?;
    let (r, s) = fixed.as_ref().split_at(fixed.as_ref().len() / 2);
    let mut bytes = Vec::new();
    put_mpint(&mut bytes, r);
    put_mpint(&mut bytes, s);
    Ok((name, bytes))
}

fn rsa(pair: &RsaKeypair, data: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, PrivateKeyError> {
    let positive = |number: &Mpint| -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
        let bytes = number.as_positive_bytes().filter(|bytes| !bytes.is_empty());
        let bytes =
            bytes.ok_or_else(|| PrivateKeyError::Unusable("a number of it is not positive".to_owned()))?;
        Ok(Zeroizing::new(bytes.to_vec()))
    };
    let (n, e) = (positive(&pair.public.n)?, positive(&pair.public.e)?);
    let (d, p, q) = (positive(&pair.private.d)?, positive(&pair.private.p)?, positive(&pair.private.q)?);
    // OpenSSH keeps the exponent whole, and ring wants it modulo p - 1 and q - 1 too.
    let (d_p, d_q) = (exponent_modulo(&d, &p), exponent_modulo(&d, &q));
    let components = KeyPairComponents {
        public_key: RsaPublicKeyComponents { n: &**n, e: &**e },
        d: &**d,
        p: &**p,
        q: &**q,
        dP: &**d_p,
        dQ: &**d_q,
        qInv: &**positive(&pair.private.iqmp)?,
    };
    let pair = RsaKeyPair::from_components(&components)?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA512, random, data, &mut signature)?;
    Ok(signature)
}

/// `number` modulo `prime - 1`, all with the highest byte first, by long division bit by bit. How long it takes depends
/// on the numbers; it runs on the machine that has the key in a file, once for a signature.
fn exponent_modulo(number: &[u8], prime: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut modulus = Zeroizing::new(prime.to_vec());
    // A prime is odd, so taking one away borrows nothing.
    if let Some(last) = modulus.last_mut() {
        *last &= 0xfe;
    }
    // One byte more than the modulus, for what the doubling carries.
    let mut rest = Zeroizing::new(vec![0_u8; modulus.len() + 1]);
    modulus.insert(0, 0);
    for bit in number.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)) {
        let mut carry = bit;
        for byte in rest.iter_mut().rev() {
            (*byte, carry) = (*byte << 1 | carry, *byte >> 7);
        }
        if *rest >= *modulus {
            let mut borrow = false;
            for (byte, subtrahend) in rest.iter_mut().zip(modulus.iter()).rev() {
                let (difference, first) = byte.overflowing_sub(*subtrahend);
                let (difference, second) = difference.overflowing_sub(u8::from(borrow));
                (*byte, borrow) = (difference, first || second);
            }
        }
    }
    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
    Zeroizing::new(rest[zeros.min(rest.len() - 1)..].to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn long_division_is_right(number in any::<u128>(), prime in any::<u64>()) {
            let prime = (prime | 1).max(3);
            let rest = exponent_modulo(&number.to_be_bytes(), &prime.to_be_bytes());
            let expected = number % u128::from(prime - 1);
            let bytes = rest.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
            prop_assert_eq!(bytes, expected);
        }
    }
}
