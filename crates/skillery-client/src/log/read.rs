//! Reading tiles and entries, and believing only what the root of a checkpoint covers.

use std::collections::{BTreeSet, HashMap};

use skillery_core::Digest;
use skillery_core::entry::Opening;
use skillery_core::limits::MAX_ENTRY_BYTES;
use skillery_core::receipt::Receipt;
use skillery_core::tlog::{Authenticated, Checkpoint, MissingNode, Node, TILE_WIDTH, Tile, leaf_hash};
use skillery_core::tlog::{proof, tile};

use super::Log;
use crate::error::Result;

/// The roots of these complete subtrees, proven by the root of the checkpoint.
pub(super) async fn nodes(
    log: &mut Log,
    checkpoint: &Checkpoint,
    nodes: &[Node],
) -> Result<HashMap<Node, Digest>> {
    let wanted = tile::needed(checkpoint.size, nodes);
    let mut kept = BTreeSet::new();
    let mut tiles = HashMap::new();
    for tile in &wanted {
        let bytes = match known(log, tile) {
            Some(bytes) => {
                kept.insert(*tile);
                bytes
            }
            None => log.client.log_resource(&tile.path(), tile.bytes()).await?,
        };
        tiles.insert(*tile, bytes);
    }
    let proven = match tile::authenticate(checkpoint.size, &checkpoint.root, tiles) {
        Ok(proven) => proven,
        Err(error) if kept.is_empty() => return Err(log.broken(error.to_string())),
        // What is kept on this machine may be damaged: only what the registry shows now is held against it.
        Err(_) => {
            kept.clear();
            let mut tiles = HashMap::new();
            for tile in &wanted {
                log.tiles.remove(tile);
                log.state.drop_tile(tile);
                tiles.insert(*tile, log.client.log_resource(&tile.path(), tile.bytes()).await?);
            }
            tile::authenticate(checkpoint.size, &checkpoint.root, tiles)
                .map_err(|error| log.broken(error.to_string()))?
        }
    };
    let hashes = nodes
        .iter()
        .map(|node| Ok((*node, proven.node(*node).map_err(|error| log.broken(error.to_string()))?)))
        .collect::<Result<HashMap<Node, Digest>>>()?;
    keep(log, proven, &kept);
    Ok(hashes)
}

impl Log {
    /// The proof that an entry is in the tree of this checkpoint, which was found good. The note has its signatures.
    pub(super) async fn receipt_under(
        &mut self,
        index: u64,
        opening: Opening,
        checkpoint: &Checkpoint,
        note: &str,
    ) -> Result<String> {
        let size = checkpoint.size;
        let found = nodes(self, checkpoint, &proof::inclusion_nodes(index, size)).await?;
        let hashes =
            proof::inclusion_proof(index, size, |node| found.get(&node).copied().ok_or(MissingNode(node)))
                .map_err(|error| self.broken(error.to_string()))?;
        let receipt = Receipt::new(opening, index, hashes, note);
        let receipt = receipt.map_err(|error| self.broken(error.to_string()))?;
        let (key, _) = self.opened(note)?;
        receipt.verify(&key).map_err(|error| self.broken(error.to_string()))?;
        Ok(receipt.to_string())
    }
}

fn known(log: &Log, tile: &Tile) -> Option<Vec<u8>> {
    if let Some(bytes) = log.tiles.get(tile) {
        return Some(bytes.clone());
    }
    if !tile.is_full() {
        return None;
    }
    log.state.tile(tile).filter(|bytes| bytes.len() == tile.bytes())
}

/// Whole tiles stay for ever, others as long as this log is in hand. Those of `kept` were here before.
fn keep(log: &mut Log, proven: Authenticated, kept: &BTreeSet<Tile>) {
    for (tile, bytes) in proven.into_tiles() {
        if tile.is_full() && !kept.contains(&tile) {
            log.state.keep_tile(&tile, &bytes);
        }
        log.tiles.insert(tile, bytes);
    }
}

/// Bytes that a bundle of this log has at most, with two for the length of each leaf.
pub(super) fn bundle_limit(bundle: &Tile) -> usize {
    usize::from(bundle.width) * (MAX_ENTRY_BYTES + 2)
}

/// The leaves of a bundle, which are held against nothing yet. None of this log is larger than an entry may be.
pub(super) fn bundle_leaves<'a>(log: &Log, bundle: &Tile, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>> {
    let broken = |reason: String| log.broken(format!("`{}`: {reason}", bundle.entries_path()));
    let leaves = tile::decode_entries(bytes, bundle.width).map_err(|error| broken(error.to_string()))?;
    if leaves.iter().any(|leaf| leaf.len() > MAX_ENTRY_BYTES) {
        return Err(broken(format!("an entry has more than {MAX_ENTRY_BYTES} bytes")));
    }
    Ok(leaves)
}

/// The leaves from number `from` on and before `to`, each proven to be in the tree of the newest checkpoint.
pub(super) async fn leaves(log: &mut Log, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
    let (newest, _) = log.newest_or_error()?;
    leaves_of(log, &newest, from, to).await
}

/// As [`leaves`], in the tree of this checkpoint.
pub(super) async fn leaves_of(
    log: &mut Log,
    newest: &Checkpoint,
    from: u64,
    to: u64,
) -> Result<Vec<Vec<u8>>> {
    if from >= to {
        return Ok(Vec::new());
    }
    let width = u64::from(TILE_WIDTH);
    let mut bundles = Vec::new();
    for number in from / width..to.div_ceil(width) {
        let Some(bundle) = Tile::in_tree(0, number, newest.size) else {
            return Err(log.broken(format!("entry {} is behind its end", number * width)));
        };
        let bytes = log.client.log_resource(&bundle.entries_path(), bundle_limit(&bundle)).await?;
        bundles.push((bundle, bytes));
    }
    // All tiles are proven at once: their proofs share the edge of the tree, which takes as long as a tile.
    let indices = |bundle: &Tile| {
        let first = bundle.index * width;
        first..first + u64::from(bundle.width)
    };
    let wanted: Vec<Node> = bundles
        .iter()
        .flat_map(|(bundle, _)| indices(bundle))
        .map(|index| Node { level: 0, index })
        .collect();
    let hashes = nodes(log, newest, &wanted).await?;
    let mut found = Vec::new();
    for (bundle, bytes) in &bundles {
        let leaves = bundle_leaves(log, bundle, bytes)?;
        for (index, leaf) in indices(bundle).zip(leaves) {
            if hashes.get(&Node { level: 0, index }) != Some(&leaf_hash(leaf)) {
                return Err(log.broken(format!("entry {index} is another one")));
            }
            if (from..to).contains(&index) {
                found.push(leaf.to_vec());
            }
        }
    }
    Ok(found)
}
