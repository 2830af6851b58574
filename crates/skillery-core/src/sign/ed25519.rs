//! Ed25519, strictly: one message and one key leave no room for a second reading of a signature.
//!
//! RFC 8032 lets verifiers differ at the edges: at points of small order, with which one signature fits many messages,
//! and at other encodings of the same point. Here all of these are refused, and the equation without the cofactor
//! decides. ring does the latter, and refuses an `S` that is not reduced and an `R` in another encoding. The rest, which
//! it lets pass, is done here.

use ring::signature::{ED25519, UnparsedPublicKey};

/// The y coordinates of all points of small order, in each of their encodings, little endian and without the sign of x.
const SMALL_ORDER: [[u8; 32]; 7] = [
    // 0, of order 4, and p, which is another encoding of it.
    encoding(0x00, 0x00, 0x00),
    encoding(0xed, 0xff, 0x7f),
    // 1, the neutral element, and p + 1.
    encoding(0x01, 0x00, 0x00),
    encoding(0xee, 0xff, 0x7f),
    // -1, of order 2.
    encoding(0xec, 0xff, 0x7f),
    // Two of order 8.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn encoding(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Whether a point is encoded in the one way that RFC 8032 gives it, and is not of small order. Whether it lies on the
/// curve is not looked at.
pub(super) fn is_good_point(encoded: &[u8; 32]) -> bool {
    let mut y = *encoded;
    y[31] &= 0x7f;
    let reduced = y[31] < 0x7f || y[1..31].iter().any(|byte| *byte != 0xff) || y[0] < 0xed;
    reduced && !SMALL_ORDER.contains(&y)
}

/// Whether `signature` is that of `key` over `message`.
pub(super) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let Some((r, _)) = signature.split_first_chunk::<32>() else { return false };
    is_good_point(key)
        && is_good_point(r)
        && UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        what: String,
        key: String,
        message: String,
        signature: String,
        accepted: bool,
    }

    #[test]
    fn signatures_at_the_edges_are_judged_strictly() {
        let text = include_str!("../../tests/fixtures/sign/ed25519-edges.json");
        let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
        assert!(vectors.len() > 300);
        for vector in vectors {
            let key = hex::decode(&vector.key).unwrap().try_into().unwrap();
            let message = hex::decode(&vector.message).unwrap();
            let signature = hex::decode(&vector.signature).unwrap();
            assert_eq!(
                verify(&key, &message, &signature),
                vector.accepted,
                "{}: {}",
                vector.what,
                vector.signature
            );
            if vector.accepted {
                assert!(!verify(&key, b"another message", &signature));
                assert!(!verify(&key, &message, &signature[..63]));
                assert!(!verify(&key, &message, &[&signature[..], &[0]].concat()));
            }
        }
    }
}
