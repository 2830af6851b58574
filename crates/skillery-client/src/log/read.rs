//! Reading tiles and entries, and believing only what the root of a checkpoint covers.

use std::collections::HashMap;

use skillery_core::Digest;
use skillery_core::tlog::tile;
use skillery_core::tlog::{Authenticated, Checkpoint, Node, TILE_WIDTH, Tile, leaf_hash};

use super::Log;
use crate::error::Result;

/// The roots of these complete subtrees, proven by the root of the checkpoint.
pub(super) async fn nodes(
    log: &mut Log,
    checkpoint: &Checkpoint,
    nodes: &[Node],
) -> Result<HashMap<Node, Digest>> {
    let wanted = tile::needed(checkpoint.size, nodes);
    let mut kept = Vec::new();
    let mut tiles = HashMap::new();
    for tile in &wanted {
        let bytes = match known(log, tile) {
            Some(bytes) => {
                kept.push(*tile);
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
    keep(log, proven);
    Ok(hashes)
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

/// Whole tiles stay for ever, others as long as this log is in hand.
fn keep(log: &mut Log, proven: Authenticated) {
    for (tile, bytes) in proven.into_tiles() {
        if tile.is_full() && !log.tiles.contains_key(&tile) && log.state.tile(&tile).is_none() {
            log.state.keep_tile(&tile, &bytes);
        }
        log.tiles.insert(tile, bytes);
    }
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
    let width = u64::from(TILE_WIDTH);
    let mut found = Vec::new();
    let mut next = from;
    while next < to {
        let number = next / width;
        let Some(bundle) = Tile::in_tree(0, number, newest.size) else {
            return Err(log.broken(format!("entry {next} is behind its end")));
        };
        let path = bundle.entries_path();
        let limit = usize::from(bundle.width) * (usize::from(u16::MAX) + 2);
        let bytes = log.client.log_resource(&path, limit).await?;
        let leaves = tile::decode_entries(&bytes, bundle.width)
            .map_err(|error| log.broken(format!("`{path}`: {error}")))?;
        let first = number * width;
        let wanted: Vec<Node> =
            (first..first + leaves.len() as u64).map(|index| Node { level: 0, index }).collect();
        let hashes = nodes(log, newest, &wanted).await?;
        for (node, leaf) in wanted.iter().zip(&leaves) {
            if hashes.get(node) != Some(&leaf_hash(leaf)) {
                return Err(log.broken(format!("entry {} is another one", node.index)));
            }
            if (next..to).contains(&node.index) {
                found.push(leaf.to_vec());
            }
        }
        next = first + width;
    }
    Ok(found)
}
