//! Roots and proofs, compared with `tlog_tiles` (a port of golang.org/x/mod/sumdb/tlog) and `ct-merkle`.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use skillery_core::tlog::{self, Edge, verify_consistency, verify_inclusion};

use crate::{LEAVES, LOG, all_theirs, entry, theirs};

#[test]
fn all_roots_are_those_of_tlog_tiles() {
    for size in (0..=1_100).chain(65_500..=65_600).chain([LEAVES]) {
        let expected = tlog_tiles::tree_hash(size, &LOG.theirs).unwrap();
        assert_eq!(theirs(&LOG.root(size)), expected);
        assert_eq!(tlog::root(size, |node| LOG.node(node)), Ok(LOG.root(size)));
    }
}

#[test]
fn all_proofs_of_small_trees_are_those_of_ct_merkle() {
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 1..=130 {
        tree.push(entry(size - 1));
        assert_eq!(tree.root().as_bytes().as_slice(), LOG.root(size).bytes());
        for other in 0..size {
            let inclusion = tree.prove_inclusion(other as usize);
            assert_eq!(inclusion.as_bytes(), bytes(&LOG.inclusion(other, size)));
            if other > 0 {
                let consistency = tree.prove_consistency((size - other) as usize);
                assert_eq!(consistency.as_bytes(), bytes(&LOG.consistency(other, size)));
            }
        }
    }
}

fn bytes(proof: &[skillery_core::Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.bytes()).collect()
}

proptest! {
    #[test]
    fn proofs_of_inclusion_are_those_of_tlog_tiles(size in 1..=LEAVES, at: prop::sample::Index) {
        let index = at.index(size as usize) as u64;
        let (leaf, root) = (LOG.leaf(index), LOG.root(size));
        let proof = LOG.inclusion(index, size);
        prop_assert_eq!(&all_theirs(&proof), &tlog_tiles::prove_record(size, index, &LOG.theirs).unwrap());
        prop_assert_eq!(verify_inclusion(&proof, index, size, &leaf, &root), Ok(()));
        prop_assert!(
            tlog_tiles::check_record(&all_theirs(&proof), size, theirs(&root), index, theirs(&leaf)).is_ok()
        );
    }

    #[test]
    fn proofs_of_consistency_are_those_of_tlog_tiles(new in 1..=LEAVES, at: prop::sample::Index) {
        let old = at.index(new as usize) as u64 + 1;
        let (old_root, new_root) = (LOG.root(old), LOG.root(new));
        let proof = LOG.consistency(old, new);
        prop_assert_eq!(&all_theirs(&proof), &tlog_tiles::prove_tree(new, old, &LOG.theirs).unwrap());
        prop_assert_eq!(verify_consistency(&proof, old, &old_root, new, &new_root), Ok(()));
        prop_assert!(
            tlog_tiles::check_tree(&all_theirs(&proof), new, theirs(&new_root), old, theirs(&old_root)).is_ok()
        );
    }

    #[test]
    fn an_edge_goes_on_from_its_parts(start in 0..=LEAVES - 300, more in 0..=300_u64) {
        let nodes = tlog::root_nodes(start).into_iter().map(|node| LOG.ours[&node]).collect();
        let mut edge = Edge::from_parts(start, nodes).unwrap();
        for index in start..start + more {
            edge.append(LOG.leaf(index), |node, hash| assert_eq!(LOG.ours[&node], hash));
        }
        prop_assert_eq!(edge.size(), start + more);
        prop_assert_eq!(edge.root(), LOG.root(start + more));
    }
}
