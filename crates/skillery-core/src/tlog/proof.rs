//! Proofs of inclusion and consistency: making them from stored nodes, and verifying them (RFC 9162, 2.1.3 and 2.1.4).
//!
//! Proofs are made of the hashes of ranges of leaves. A range is either one complete subtree or reaches to the end of
//! the tree; the latter is put together from the complete subtrees in it, so that only those are ever read.

use std::ops::Range;

use super::{MAX_SIZE, Node, empty_root, fold, node_hash};
use crate::Digest;

/// Why a proof cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError<E> {
    /// The leaf or the older tree is not part of the tree, or the tree is larger than [`MAX_SIZE`].
    #[error("a tree of {size} leaves has no proof for {asked}")]
    Range {
        /// The index of the leaf, or the size of the older tree.
        asked: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A node could not be read.
    #[error("a node of the tree cannot be read")]
    Read(#[source] E),
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no leaf of this index, the older tree is the larger one, or a size is above [`MAX_SIZE`].
    #[error("the proof is for a place that the tree does not have")]
    Range,
    /// More or fewer hashes than such a proof has.
    #[error("the proof has another number of hashes than its place in the tree asks for")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The complete subtrees that make up a tree, from left to right, largest first: one for each bit that is set in the
/// size.
pub fn root_nodes(size: u64) -> Vec<Node> {
    range_nodes(0..size)
}

/// The complete subtrees in a range whose start is a multiple of the next power of two from its length on.
fn range_nodes(range: Range<u64>) -> Vec<Node> {
    let length = range.end - range.start;
    let mut start = range.start;
    let mut nodes = Vec::with_capacity(length.count_ones() as usize);
    for level in (0..64).rev().filter(|level| length >> level & 1 == 1) {
        nodes.push(Node { level, index: start >> level });
        start += 1 << level;
    }
    nodes
}

/// Where a range of at least two leaves is divided: at the largest power of two that is less than its length.
fn middle(range: &Range<u64>) -> u64 {
    range.start + (1 << (range.end - range.start - 1).ilog2())
}

/// What an inclusion proof is made of, from the leaf upwards. `index` is less than `size`.
fn inclusion_ranges(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut range = 0..size;
    while range.end - range.start > 1 {
        let middle = middle(&range);
        if index < middle {
            ranges.push(middle..range.end);
            range.end = middle;
        } else {
            ranges.push(range.start..middle);
            range.start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// What a consistency proof is made of, from below. `0 < old <= new`.
fn consistency_ranges(old: u64, new: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut range = 0..new;
    while range.end > old {
        let middle = middle(&range);
        if old <= middle {
            ranges.push(middle..range.end);
            range.end = middle;
        } else {
            ranges.push(range.start..middle);
            range.start = middle;
        }
    }
    // A verifier has the old root, and needs no second copy when that is what the proof would begin with.
    if range.start > 0 {
        ranges.push(range);
    }
    ranges.reverse();
    ranges
}

/// The nodes that [`inclusion_proof`] reads, for a caller that fetches ahead. None if there is no such proof.
pub fn inclusion_nodes(index: u64, size: u64) -> Vec<Node> {
    if index >= size || size > MAX_SIZE {
        return Vec::new();
    }
    inclusion_ranges(index, size).into_iter().flat_map(range_nodes).collect()
}

/// The nodes that [`consistency_proof`] reads, for a caller that fetches ahead. None if there is no such proof.
pub fn consistency_nodes(old: u64, new: u64) -> Vec<Node> {
    if old == 0 || old > new || new > MAX_SIZE {
        return Vec::new();
    }
    consistency_ranges(old, new).into_iter().flat_map(range_nodes).collect()
}

/// The proof that the leaf at `index` is part of the tree of `size` leaves: hashes from the sibling of the leaf up to
/// the child of the root. `read` gives the hash of a complete subtree; it is asked for [`inclusion_nodes`], in their
/// order.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    read: impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Vec<Digest>, ReadError<E>> {
    if index >= size || size > MAX_SIZE {
        return Err(ReadError::Range { asked: index, size });
    }
    hashes(inclusion_ranges(index, size), read)
}

/// The proof that the tree of `old` leaves is the beginning of that of `new` leaves. It is empty if the older tree is,
/// or if they are the same. `read` is asked for [`consistency_nodes`], in their order.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    read: impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Vec<Digest>, ReadError<E>> {
    if old > new || new > MAX_SIZE {
        return Err(ReadError::Range { asked: old, size: new });
    }
    // The empty tree is the beginning of every tree.
    if old == 0 {
        return Ok(Vec::new());
    }
    hashes(consistency_ranges(old, new), read)
}

/// The root of the tree of `size` leaves. `read` is asked for [`root_nodes`], in their order.
pub fn root<E>(size: u64, read: impl FnMut(Node) -> Result<Digest, E>) -> Result<Digest, ReadError<E>> {
    if size > MAX_SIZE {
        return Err(ReadError::Range { asked: size, size });
    }
    range_hash(0..size, &mut { read })
}

fn hashes<E>(
    ranges: Vec<Range<u64>>,
    mut read: impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Vec<Digest>, ReadError<E>> {
    ranges.into_iter().map(|range| range_hash(range, &mut read)).collect()
}

fn range_hash<E>(
    range: Range<u64>,
    read: &mut impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Digest, ReadError<E>> {
    let nodes: Result<Vec<_>, E> = range_nodes(range).into_iter().map(read).collect();
    Ok(fold(&nodes.map_err(ReadError::Read)?).unwrap_or_else(empty_root))
}

/// Verifies that the leaf with this hash is at `index` in the tree of `size` leaves with this root (RFC 9162,
/// 2.1.3.2). Size and root must come from one checkpoint: the root says nothing about the size, and a proof may have the
/// same form in a tree of another size.
pub fn verify_inclusion(
    proof: &[Digest],
    index: u64,
    size: u64,
    leaf: &Digest,
    root: &Digest,
) -> Result<(), ProofError> {
    if index >= size || size > MAX_SIZE {
        return Err(ProofError::Range);
    }
    let mut climb = Climb { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match climb.step()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    climb.finish()?;
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Verifies that the tree of `old_size` leaves with `old_root` is the beginning of that of `new_size` leaves with
/// `new_root` (RFC 9162, 2.1.4.2). Each size and its root must come from one checkpoint. Beyond the RFC: two trees of the same size have the same root and an empty proof, and
/// the empty tree is the beginning of every tree, with an empty proof, which says nothing about `new_root`.
pub fn verify_consistency(
    proof: &[Digest],
    old_size: u64,
    old_root: &Digest,
    new_size: u64,
    new_root: &Digest,
) -> Result<(), ProofError> {
    if old_size > new_size || new_size > MAX_SIZE {
        return Err(ProofError::Range);
    }
    if old_size == 0 || old_size == new_size {
        let right =
            (old_size > 0 || *old_root == empty_root()) && (old_size < new_size || old_root == new_root);
        return match (proof.is_empty(), right) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    // Below this height, the last leaf of the old tree ends a complete subtree of both trees.
    let height = old_size.trailing_zeros();
    let mut climb = Climb { node: (old_size - 1) >> height, last: (new_size - 1) >> height };
    let (start, rest) = match proof.split_first() {
        _ if old_size.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
        None => return Err(ProofError::Length),
    };
    let (mut old, mut new) = (*start, *start);
    for sibling in rest {
        match climb.step()? {
            Side::Left => {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            }
            Side::Right => new = node_hash(&new, sibling),
        }
    }
    climb.finish()?;
    if old == *old_root && new == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// On which side of the path the next hash of a proof lies.
enum Side {
    Left,
    Right,
}

/// The way from a node up to the root: `node` and `last` are the indices, at one height, of the node on the path and
/// of the last node of the tree. (`fn` and `sn` in RFC 9162.)
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // The last node of a height has no sibling until, further up, it is a right child.
            let alone = if self.node == 0 { 0 } else { self.node.trailing_zeros() };
            self.node >>= alone;
            self.last >>= alone;
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Ok(side)
    }

    fn finish(&self) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::Length) }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::leaf_hash;
    use super::super::tests::{edge, leaf, node_map};
    use super::*;

    #[test]
    fn every_proof_of_small_trees_is_verified_and_reads_what_was_foretold() {
        let nodes = node_map(70);
        let roots: Vec<_> = (0..=70).map(|size| edge(size).root()).collect();
        for size in 0..=70_u64 {
            let root_of = &roots[size as usize];
            assert_eq!(root(size, |node| Ok::<_, Infallible>(nodes[&node])).unwrap(), *root_of);
            for other in 0..=size {
                let mut read = Vec::new();
                let proof = consistency_proof(other, size, |node| {
                    read.push(node);
                    Ok::<_, Infallible>(nodes[&node])
                })
                .unwrap();
                assert_eq!(read, consistency_nodes(other, size));
                verify_consistency(&proof, other, &roots[other as usize], size, root_of).unwrap();
                if other == size {
                    continue;
                }
                read.clear();
                let proof = inclusion_proof(other, size, |node| {
                    read.push(node);
                    Ok::<_, Infallible>(nodes[&node])
                })
                .unwrap();
                assert_eq!(read, inclusion_nodes(other, size));
                verify_inclusion(&proof, other, size, &leaf(other), root_of).unwrap();
            }
        }
    }

    #[test]
    fn what_is_outside_the_tree_has_no_proof() {
        let none = |_| Err::<Digest, _>("unread");
        assert_eq!(inclusion_proof(5, 5, none), Err(ReadError::Range { asked: 5, size: 5 }));
        assert_eq!(consistency_proof(6, 5, none), Err(ReadError::Range { asked: 6, size: 5 }));
        assert_eq!(
            inclusion_proof(0, MAX_SIZE + 1, none),
            Err(ReadError::Range { asked: 0, size: MAX_SIZE + 1 })
        );
        assert_eq!(inclusion_proof(0, 2, none), Err(ReadError::Read("unread")));
        assert!(root(u64::MAX, none).is_err());
        assert!(inclusion_nodes(u64::MAX, u64::MAX).is_empty());
        assert!(consistency_nodes(1, u64::MAX).is_empty());
        let hash = leaf_hash(b"");
        assert_eq!(verify_inclusion(&[], 0, 0, &hash, &hash), Err(ProofError::Range));
        assert_eq!(verify_inclusion(&[], u64::MAX, u64::MAX, &hash, &hash), Err(ProofError::Range));
        assert_eq!(verify_consistency(&[], 2, &hash, 1, &hash), Err(ProofError::Range));
    }

    #[test]
    fn the_largest_trees_do_not_overflow() {
        let mut read = |node: Node| Ok::<_, Infallible>(leaf_hash(format!("{node:?}").as_bytes()));
        for size in [MAX_SIZE, MAX_SIZE - 1, MAX_SIZE / 2 + 1] {
            let root_of = root(size, &mut read).unwrap();
            for index in [0, 1, size / 2 - 1, size / 2, size - 1] {
                let proof = inclusion_proof(index, size, &mut read).unwrap();
                assert!(proof.len() <= 63);
                // The nodes are invented, so the proof does not lead to the root, but its length is right.
                assert_eq!(
                    verify_inclusion(&proof, index, size, &leaf(0), &root_of),
                    Err(ProofError::Root),
                    "{index} {size}"
                );
                let proof = consistency_proof(index, size, &mut read).unwrap();
                let verified = verify_consistency(&proof, index, &empty_root(), size, &root_of);
                assert_eq!(verified, if index == 0 { Ok(()) } else { Err(ProofError::Root) });
            }
        }
    }
}
