//! The transparency log, compared with other people's and with their test vectors; signatures, with the programs of others.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod archives;
mod lints;
mod mutations;
mod notes;
mod sigstore;
mod ssh_keygen;
mod texts;
mod tiles;
mod trees;
mod vectors;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use skillery_core::Digest;
use skillery_core::tlog::{self, Edge, Node, TILE_WIDTH, Tile};
use tlog_tiles::{Hash, HashReader};

/// Leaves of the log that the tests share: enough for three levels of tiles.
const LEAVES: u64 = 66_000;

/// One log, stored both ways.
struct Log {
    ours: HashMap<Node, Digest>,
    /// The root of each size.
    roots: Vec<Digest>,
    theirs: Stored,
}

/// Hashes in the order in which `tlog_tiles` numbers them.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let mut log = Log { ours: HashMap::new(), roots: Vec::new(), theirs: Stored(Vec::new()) };
    let mut edge = Edge::default();
    log.roots.push(edge.root());
    for index in 0..LEAVES {
        edge.append(tlog::leaf_hash(&entry(index)), |node, hash| {
            log.ours.insert(node, hash);
        });
        log.roots.push(edge.root());
        let hashes = tlog_tiles::stored_hashes(index, &entry(index), &log.theirs).unwrap();
        log.theirs.0.extend(hashes);
    }
    log
});

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

impl Log {
    fn node(&self, node: Node) -> Result<Digest, Infallible> {
        Ok(self.ours[&node])
    }

    fn root(&self, size: u64) -> Digest {
        self.roots[size as usize]
    }

    fn leaf(&self, index: u64) -> Digest {
        self.ours[&Node { level: 0, index }]
    }

    /// The bytes of a tile.
    fn tile(&self, tile: &Tile) -> Vec<u8> {
        let first = tile.index * u64::from(TILE_WIDTH);
        (first..first + u64::from(tile.width))
            .flat_map(|index| *self.ours[&Node { level: 8 * tile.level, index }].bytes())
            .collect()
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Digest> {
        tlog::inclusion_proof(index, size, |node| self.node(node)).unwrap()
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Digest> {
        tlog::consistency_proof(old, new, |node| self.node(node)).unwrap()
    }
}

fn theirs(digest: &Digest) -> Hash {
    Hash(*digest.bytes())
}

fn all_theirs(digests: &[Digest]) -> Vec<Hash> {
    digests.iter().map(theirs).collect()
}

fn flipped(digest: &Digest, bit: usize) -> Digest {
    let mut bytes = *digest.bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}
