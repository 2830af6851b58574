//! The arithmetic of a transparency log: a Merkle tree of RFC 9162, cut into tiles, with signed checkpoints.
//!
//! Everything here turns bytes into values and values into bytes. It reads no files, asks no network and knows no
//! clock; times are seconds that a caller passes in. It also knows nothing of skills: an entry is bytes. No input, of
//! whatever origin, makes it panic.
//!
//! Formats: [tlog-tiles](https://c2sp.org/tlog-tiles), [signed-note](https://c2sp.org/signed-note),
//! [tlog-checkpoint](https://c2sp.org/tlog-checkpoint), [tlog-cosignature](https://c2sp.org/tlog-cosignature),
//! [tlog-proof](https://c2sp.org/tlog-proof), [tlog-witness](https://c2sp.org/tlog-witness),
//! [tlog-policy](https://c2sp.org/tlog-policy).

pub mod checkpoint;
pub mod log_proof;
pub mod note;
pub mod policy;
pub mod proof;
pub mod rotation;
pub mod tile;
pub mod witness;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use log_proof::{LogProof, LogProofError};
pub use note::{KeyError, KeyKind, Note, NoteError, NoteSignature, SigningKey, Verified, VerifierKey};
pub use policy::{Accepted, Policy, PolicyError, PolicyLog, PolicyWitness, RefusedError};
pub use proof::{
    ProofError, ReadError, consistency_nodes, consistency_proof, inclusion_nodes, inclusion_proof, root,
    root_nodes, verify_consistency, verify_inclusion,
};
pub use rotation::{Rotation, RotationError};
pub use tile::{
    Authenticated, EntriesError, PathError, Resource, TILE_WIDTH, Tile, TileError, authenticate,
    decode_entries, encode_entries, needed, new_tiles, node_in_tile, parse_path, tiles_of,
};
pub use witness::{AddCheckpoint, AddCheckpointError, Refusal, parse_conflict, parse_cosignatures};

use crate::Digest;

/// Leaves that a tree has at most: 2^63. No log comes near, and sums of sizes below it do not overflow.
pub const MAX_SIZE: u64 = 1 << 63;
/// Hashes of a proof at most: a tree of 2^63 leaves is 63 high.
const MAX_HASHES: usize = 63;

/// The hash of a leaf: `SHA-256(0x00 || entry)` (RFC 9162, 2.1.1).
pub fn leaf_hash(entry: &[u8]) -> Digest {
    hash(&[&[0], entry])
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)` (RFC 9162, 2.1.1).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], left.bytes(), right.bytes()])
}

/// The root of the tree without leaves: the hash of nothing (RFC 9162, 2.1.1).
pub fn empty_root() -> Digest {
    hash(&[])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    Digest::from_bytes(bytes)
}

/// The root of neighbouring complete subtrees, largest first, as they follow from left to right. None has no root.
fn fold(hashes: &[Digest]) -> Option<Digest> {
    hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

/// A complete subtree: that of the leaves from `index << level` up to, without, `(index + 1) << level`. Level 0 is
/// one leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// The height: the subtree has `1 << level` leaves.
    pub level: u8,
    /// How many subtrees of this height lie left of it.
    pub index: u64,
}

impl Node {
    /// Whether a tree of so many leaves has all leaves of this subtree.
    pub fn is_in(self, size: u64) -> bool {
        self.index < size.checked_shr(self.level.into()).unwrap_or(0)
    }
}

/// A proof needs a node that is not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the root of subtree {} of level {} is missing", .0.index, .0.level)]
pub struct MissingNode(pub Node);

/// The right edge of a tree (its compact range): all that is needed to append to it and to know its root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    nodes: Vec<Digest>,
}

/// The parts do not make an edge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves has another number of complete subtrees at its edge than {nodes}")]
pub struct EdgeError {
    /// The leaves of the tree.
    pub size: u64,
    /// The hashes that were given.
    pub nodes: usize,
}

impl Edge {
    /// The edge of a tree of `size` leaves, from the roots of its largest complete subtrees, largest first. There is
    /// one for each bit of the size that is set. Fails for another number of them, and for sizes above [`MAX_SIZE`].
    pub fn from_parts(size: u64, nodes: Vec<Digest>) -> Result<Self, EdgeError> {
        if size > MAX_SIZE || nodes.len() != size.count_ones() as usize {
            return Err(EdgeError { size, nodes: nodes.len() });
        }
        Ok(Self { size, nodes })
    }

    /// The leaves of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the largest complete subtrees, largest first.
    pub fn nodes(&self) -> &[Digest] {
        &self.nodes
    }

    /// Appends one leaf. `on_node` is told every subtree that is complete now and was not before, from the leaf
    /// upwards; these are all nodes that ever have to be stored.
    pub fn append(&mut self, leaf_hash: Digest, mut on_node: impl FnMut(Node, Digest)) {
        let mut node = Node { level: 0, index: self.size };
        let mut hash = leaf_hash;
        on_node(node, hash);
        // An odd index is a right child, whose left sibling is the last of the edge.
        while node.index & 1 == 1 {
            let Some(left) = self.nodes.pop() else { break };
            hash = node_hash(&left, &hash);
            node = Node { level: node.level + 1, index: node.index >> 1 };
            on_node(node, hash);
        }
        self.nodes.push(hash);
        // Sizes start at 2^63 at most, and nobody appends another 2^63 leaves.
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree.
    pub fn root(&self) -> Digest {
        fold(&self.nodes).unwrap_or_else(empty_root)
    }

    /// The hash of a node that is one of the largest complete subtrees; of no other.
    pub fn node(&self, node: Node) -> Option<Digest> {
        let position = root_nodes(self.size).iter().position(|one| *one == node)?;
        self.nodes.get(position).copied()
    }
}

/// A decimal number without sign and leading zeros.
fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// A hash as it stands on a line of its own: base64 of 32 bytes.
fn parse_hash(line: &str) -> Option<Digest> {
    // Decoding a long line is not worth it to learn that it is too long.
    if line.len() != 44 {
        return None;
    }
    let bytes: [u8; 32] = STANDARD.decode(line).ok()?.try_into().ok()?;
    Some(Digest::from_bytes(bytes))
}

/// The hashes of a proof, one on each line, unless there are too many of them.
fn parse_hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<Digest>> {
    let hashes: Vec<_> = lines.map(parse_hash).take(MAX_HASHES + 1).collect::<Option<_>>()?;
    (hashes.len() <= MAX_HASHES).then_some(hashes)
}

/// The contrary of [`parse_hash`].
fn hash_line(hash: &Digest) -> String {
    STANDARD.encode(hash.bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    pub(super) fn leaf(index: u64) -> Digest {
        leaf_hash(format!("leaf {index}").as_bytes())
    }

    /// The edge of the tree of the first [`leaf`]s.
    pub(super) fn edge(size: u64) -> Edge {
        let mut edge = Edge::default();
        (0..size).for_each(|index| edge.append(leaf(index), |_, _| ()));
        edge
    }

    /// All nodes of it.
    pub(super) fn node_map(size: u64) -> HashMap<Node, Digest> {
        let mut nodes = HashMap::new();
        let mut edge = Edge::default();
        for index in 0..size {
            edge.append(leaf(index), |node, hash| {
                nodes.insert(node, hash);
            });
        }
        nodes
    }

    /// The definition of RFC 9162, 2.1.1, word for word.
    fn slow_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&slow_root(left), &slow_root(right))
            }
        }
    }

    #[test]
    fn an_edge_has_the_root_of_the_definition_and_tells_each_node_once() {
        let leaves: Vec<_> = (0..300).map(leaf).collect();
        let mut edge = Edge::default();
        let mut nodes = HashMap::new();
        for (size, hash) in leaves.iter().enumerate() {
            assert_eq!(edge.root(), slow_root(&leaves[..size]));
            assert_eq!(Edge::from_parts(edge.size(), edge.nodes().to_vec()), Ok(edge.clone()));
            edge.append(*hash, |node, hash| {
                assert!(node.is_in(size as u64 + 1) && !node.is_in(size as u64));
                assert_eq!(nodes.insert(node, hash), None);
            });
            for node in root_nodes(edge.size()) {
                assert_eq!(edge.node(node), Some(nodes[&node]));
            }
        }
        assert_eq!(edge.size(), 300);
        assert_eq!(edge.node(Node { level: 0, index: 0 }), None);
        let complete: u64 = (0..=8).map(|level| 300 >> level).sum();
        assert_eq!(nodes.len() as u64, complete);
    }

    #[test]
    fn an_edge_of_the_wrong_number_of_nodes_is_refused() {
        assert!(Edge::from_parts(3, vec![leaf(0)]).is_err());
        assert!(Edge::from_parts(0, vec![leaf(0)]).is_err());
        assert!(Edge::from_parts(MAX_SIZE + 1, vec![leaf(0); 2]).is_err());
        let mut edge = Edge::from_parts(MAX_SIZE, vec![leaf(0)]).unwrap();
        edge.append(leaf(1), |_, _| ());
        assert_eq!(edge.root(), node_hash(&leaf(0), &leaf(1)));
    }

    #[test]
    fn numbers_and_hashes_have_one_spelling() {
        assert_eq!(parse_decimal("0"), Some(0));
        assert_eq!(parse_decimal("18446744073709551615"), Some(u64::MAX));
        for text in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "1_0", "٣"] {
            assert_eq!(parse_decimal(text), None, "{text}");
        }
        let line = hash_line(&leaf(0));
        assert_eq!(parse_hash(&line), Some(leaf(0)));
        assert_eq!(parse_hash(line.trim_end_matches('=')), None);
        // The last character holds two bits that belong to no byte.
        assert_eq!(parse_hash("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB="), None);
    }
}
