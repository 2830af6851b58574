//! What is verified is exactly what was proven: nothing that differs in one bit passes.
//!
//! Sizes are the exception, in every implementation: a proof has the same shape in trees of several sizes, and then
//! the size is not part of what is hashed. It is the signed checkpoint that binds the root to the size. For wrong sizes
//! we answer what `tlog_tiles` answers.

use proptest::prelude::*;
use skillery_core::Digest;
use skillery_core::tlog::{verify_consistency, verify_inclusion};

use crate::{LEAVES, LOG, all_theirs, flipped, theirs};

/// The proof with one bit changed, for each bit; and too short, too long, and with two hashes in the wrong order.
fn wrong_proofs(proof: &[Digest]) -> Vec<Vec<Digest>> {
    let mut wrong = Vec::new();
    for (at, hash) in proof.iter().enumerate() {
        for bit in 0..256 {
            let mut one = proof.to_vec();
            one[at] = flipped(hash, bit);
            wrong.push(one);
        }
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        wrong.push(shorter);
        let mut longer = proof.to_vec();
        longer.insert(at, *hash);
        wrong.push(longer);
        if at > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(at - 1, at);
            wrong.push(swapped);
        }
    }
    wrong.push([proof, &[Digest::of(b"more")]].concat());
    wrong
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_changed_proof_of_inclusion_is_accepted(size in 1..=LEAVES, at: prop::sample::Index) {
        let index = at.index(size as usize) as u64;
        let (leaf, root) = (LOG.leaf(index), LOG.root(size));
        let proof = LOG.inclusion(index, size);
        for wrong in wrong_proofs(&proof) {
            prop_assert!(verify_inclusion(&wrong, index, size, &leaf, &root).is_err());
        }
        for bit in 0..256 {
            prop_assert!(verify_inclusion(&proof, index, size, &flipped(&leaf, bit), &root).is_err());
            prop_assert!(verify_inclusion(&proof, index, size, &leaf, &flipped(&root, bit)).is_err());
        }
        for bit in 0..64 {
            prop_assert!(verify_inclusion(&proof, index ^ (1 << bit), size, &leaf, &root).is_err());
        }
        for bit in 0..62 {
            let size = size ^ (1 << bit);
            let expected =
                tlog_tiles::check_record(&all_theirs(&proof), size, theirs(&root), index, theirs(&leaf));
            prop_assert_eq!(verify_inclusion(&proof, index, size, &leaf, &root).is_ok(), expected.is_ok());
        }
    }

    #[test]
    fn no_changed_proof_of_consistency_is_accepted(new in 2..=LEAVES, at: prop::sample::Index) {
        let old = at.index(new as usize - 1) as u64 + 1;
        let (old_root, new_root) = (LOG.root(old), LOG.root(new));
        let proof = LOG.consistency(old, new);
        for wrong in wrong_proofs(&proof) {
            prop_assert!(verify_consistency(&wrong, old, &old_root, new, &new_root).is_err());
        }
        for bit in 0..256 {
            prop_assert!(verify_consistency(&proof, old, &flipped(&old_root, bit), new, &new_root).is_err());
            prop_assert!(verify_consistency(&proof, old, &old_root, new, &flipped(&new_root, bit)).is_err());
        }
        for bit in 0..62 {
            for (old, new) in [(old ^ (1 << bit), new), (old, new ^ (1 << bit))] {
                let (h, th) = (theirs(&old_root), theirs(&new_root));
                let expected = old > 0 && tlog_tiles::check_tree(&all_theirs(&proof), new, th, old, h).is_ok();
                prop_assert_eq!(verify_consistency(&proof, old, &old_root, new, &new_root).is_ok(), expected);
            }
        }
    }
}

proptest! {
    #[test]
    fn all_leaves_are_where_the_proof_says_and_nowhere_else(size in 1..=200_u64, at: prop::sample::Index) {
        let index = at.index(size as usize) as u64;
        let proof = LOG.inclusion(index, size);
        for other in 0..=size {
            let verified = verify_inclusion(&proof, other, size, &LOG.leaf(index), &LOG.root(size));
            prop_assert_eq!(verified.is_ok(), other == index);
        }
    }

    #[test]
    fn proofs_of_nothing_panic_nowhere(
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70), first: u64, second: u64, shift in 0..64_u32,
    ) {
        let proof: Vec<_> = hashes.into_iter().map(Digest::from_bytes).collect();
        let (root, leaf) = (Digest::of(b"root"), Digest::of(b"leaf"));
        for (first, second) in [(first, second), (first >> shift, second >> shift), (first >> shift, second)] {
            prop_assert!(verify_inclusion(&proof, first, second, &leaf, &root).is_err());
            prop_assert!(verify_consistency(&proof, first, &leaf, second, &root).is_err());
        }
    }
}
