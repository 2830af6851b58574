//! The vectors of transparency-dev/merkle: proofs that are right, and ways in which they may be wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use skillery_core::Digest;
use skillery_core::tlog::{verify_consistency, verify_inclusion};

#[derive(Deserialize)]
struct Vectors {
    hashes: Vec<String>,
    inclusion: Vec<Vector>,
    consistency: Vec<Vector>,
}

/// Name, index and size or both sizes, leaf and root or both roots, proof, and whether it is refused.
#[derive(Deserialize)]
struct Vector(String, u64, u64, usize, usize, Vec<usize>, bool);

impl Vectors {
    fn hash(&self, number: usize) -> Option<Digest> {
        let bytes = STANDARD.decode(&self.hashes[number]).unwrap();
        bytes.try_into().ok().map(Digest::from_bytes)
    }

    /// The two hashes and the proof; nothing if one of them has not 32 bytes, which our types refuse.
    fn hashes(&self, vector: &Vector) -> Option<(Digest, Digest, Vec<Digest>)> {
        let proof: Option<Vec<_>> = vector.5.iter().map(|number| self.hash(*number)).collect();
        Some((self.hash(vector.3)?, self.hash(vector.4)?, proof?))
    }
}

#[test]
fn proofs_are_accepted_and_refused_as_by_transparency_dev() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/merkle.json")).unwrap();
    let mut verified = Vec::new();
    for vector in &vectors.inclusion {
        let Vector(name, index, size, _, _, _, refused) = vector;
        let right = vectors
            .hashes(vector)
            .is_some_and(|(leaf, root, proof)| verify_inclusion(&proof, *index, *size, &leaf, &root).is_ok());
        verified.push((format!("inclusion/{name}"), right, !refused));
    }
    for vector in &vectors.consistency {
        let Vector(name, old, new, _, _, _, refused) = vector;
        let right = vectors.hashes(vector).is_some_and(|(old_root, new_root, proof)| {
            verify_consistency(&proof, *old, &old_root, *new, &new_root).is_ok()
        });
        verified.push((format!("consistency/{name}"), right, !refused));
    }
    let count = |wanted| verified.iter().filter(|(_, _, expected)| *expected == wanted).count();
    assert_eq!((count(true), count(false)), (12, 184));
    let different: Vec<_> =
        verified.iter().filter(|(_, right, expected)| right != expected).map(|(name, _, _)| name).collect();
    // Its roots are short texts, since nobody is to look at them. There are no such roots here.
    assert_eq!(different, ["consistency/additional/sizes-are-equal-one-and-proof-is-empty"]);
}
