//! Reading the tree: tiles, bundles of entries, proofs, and whether all of it fits.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use skillery_core::entry::Opening;
use skillery_core::receipt::Receipt;
use skillery_core::tlog::{
    Checkpoint, Edge, MissingNode, Node, TILE_WIDTH, Tile, encode_entries, leaf_hash, node_in_tile, proof,
};
use skillery_core::{Digest, ProblemCode};

use super::{LogError, LogKey, TILE_HEIGHT, rotation};
use crate::db::{Db, log};
use crate::failure::{Failure, Result};

/// Whole tiles that are kept in memory at most, of 8 KiB each.
const TILES: usize = 2_000;
/// Bytes of whole bundles of entries that are kept in memory at most. One has at most 4 MiB, and some 100 KiB mostly.
const BUNDLE_BYTES: u64 = 16 * 1024 * 1024;
/// Bundles that room is made for at the start.
const BUNDLES: usize = 256;
/// Entries that are read at once.
const PAGE: u64 = 2_048;
/// What an entry has in which the key was handed over.
const ROTATION: &str = r#""kind":"log.key-rotated""#;
/// Up to so many entries, every one is hashed again at the start.
const SMALL: u64 = 65_536;

/// What never changes: whole tiles, by level and number, and whole bundles of entries, by number. What is hidden is hidden in
/// them from everybody.
pub struct TileCache {
    tiles: Cache<(u8, u64), Bytes>,
    bundles: Cache<u64, Bytes, ByBytes>,
}

impl Default for TileCache {
    fn default() -> Self {
        let bundles = Cache::with_weighter(BUNDLES, BUNDLE_BYTES, ByBytes);
        Self { tiles: Cache::new(TILES), bundles }
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<u64, Bytes> for ByBytes {
    fn weight(&self, _: &u64, bundle: &Bytes) -> u64 {
        bundle.len() as u64 + 100
    }
}

/// The hashes of a tile, 32 bytes each.
pub async fn tile(db: &Db, cache: &TileCache, tile: Tile) -> Result<Bytes> {
    let key = (tile.level, tile.index);
    if let Some(whole) = cache.tiles.get(&key) {
        return Ok(whole.slice(..usize::from(tile.width) * 32));
    }
    check_there(db, tile).await?;
    let first = tile.index * u64::from(TILE_WIDTH);
    let hashes = match tile.level.checked_mul(TILE_HEIGHT) {
        Some(0) => leaf_hashes(&log::openings(db, first, tile.width.into()).await?)?,
        Some(level) => log::nodes(db, level, first, tile.width.into()).await?,
        None => return Err(not_in_log(tile)),
    };
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.bytes()).collect();
    let bytes = Bytes::from(bytes);
    if tile.width == TILE_WIDTH {
        cache.tiles.insert(key, bytes.clone());
    }
    Ok(bytes)
}

/// The leaves of a tile of the lowest level, each with its length before it.
pub async fn entries(db: &Db, cache: &TileCache, tile: Tile) -> Result<Bytes> {
    let is_whole = tile.width == TILE_WIDTH;
    if let Some(bundle) = cache.bundles.get(&tile.index).filter(|_| is_whole) {
        return Ok(bundle);
    }
    check_there(db, tile).await?;
    let openings = log::openings(db, tile.index * u64::from(TILE_WIDTH), tile.width.into()).await?;
    let leaves = openings.iter().map(Opening::leaf).collect::<std::result::Result<Vec<_>, _>>();
    let leaves = leaves.map_err(Failure::internal)?;
    let bundle = Bytes::from(encode_entries(leaves.iter().map(Vec::as_slice)).map_err(Failure::internal)?);
    if is_whole {
        cache.bundles.insert(tile.index, bundle.clone());
    }
    Ok(bundle)
}

/// A tile is there once the log has so many entries.
async fn check_there(db: &Db, tile: Tile) -> Result<()> {
    let end = tile
        .index
        .checked_mul(u64::from(TILE_WIDTH))
        .and_then(|first| first.checked_add(tile.width.into()))
        .and_then(|nodes| {
            let bits = u32::from(tile.level) * u32::from(TILE_HEIGHT);
            1_u64.checked_shl(bits).and_then(|leaves| nodes.checked_mul(leaves))
        });
    let is_there = |size: i64| end.is_some_and(|end| end <= u64::try_from(size).unwrap_or(0));
    if is_there(db.size()) || is_there(db.refresh_size().await?) { Ok(()) } else { Err(not_in_log(tile)) }
}

fn not_in_log(tile: Tile) -> Failure {
    Failure::new(ProblemCode::NotInLog, format!("the log has no `{}`", tile.path()))
}

fn leaf_hashes(openings: &[Opening]) -> Result<Vec<Digest>> {
    let hashes = openings.iter().map(|opening| Ok(leaf_hash(&opening.leaf()?)));
    hashes.collect::<std::result::Result<_, skillery_core::entry::EntryError>>().map_err(Failure::internal)
}

/// The roots of these complete subtrees, of a tree of this size.
async fn read(db: &Db, cache: &TileCache, size: u64, nodes: &[Node]) -> Result<HashMap<Node, Digest>> {
    let missing = |node: Node| Failure::internal(format!("{node:?} is not in a tree of {size} leaves"));
    let of = |node: Node| Tile::of(node, size).map(|(tile, _)| tile).ok_or_else(|| missing(node));
    let tiles = nodes.iter().map(|node| of(*node)).collect::<Result<BTreeSet<Tile>>>()?;
    let mut bytes = HashMap::new();
    for wanted in tiles {
        bytes.insert(wanted, tile(db, cache, wanted).await?);
    }
    nodes
        .iter()
        .map(|node| {
            let tile = of(*node)?;
            let hash = bytes.get(&tile).and_then(|bytes| node_in_tile(&tile, bytes, *node));
            Ok((*node, hash.ok_or_else(|| missing(*node))?))
        })
        .collect()
}

/// The root of the tree over the first `size` entries.
pub async fn root(db: &Db, cache: &TileCache, size: u64) -> Result<Digest> {
    let hashes = read(db, cache, size, &proof::root_nodes(size)).await?;
    proof::root(size, |node| hashes.get(&node).copied().ok_or(MissingNode(node))).map_err(Failure::internal)
}

/// The proof that the tree over the first `old` entries is the beginning of that over the first `size`.
pub async fn consistency(db: &Db, cache: &TileCache, old: u64, size: u64) -> Result<Vec<Digest>> {
    let hashes = read(db, cache, size, &proof::consistency_nodes(old, size)).await?;
    proof::consistency_proof(old, size, |node| hashes.get(&node).copied().ok_or(MissingNode(node)))
        .map_err(Failure::internal)
}

/// The proof that the entry of this number is in the log as it is now.
pub async fn receipt(db: &Db, cache: &TileCache, index: u64) -> Result<Receipt> {
    let head = log::read_head(db).await?;
    let size = head.edge.size();
    db.saw_size(i64::try_from(size).map_err(Failure::internal)?);
    let opening = log::openings(db, index, 1).await?.pop();
    let opening = opening.ok_or_else(|| Failure::internal(format!("entry {index} is missing")))?;
    let nodes = proof::inclusion_nodes(index, size);
    let hashes = read(db, cache, size, &nodes).await?;
    let hashes =
        proof::inclusion_proof(index, size, |node| hashes.get(&node).copied().ok_or(MissingNode(node)))
            .map_err(Failure::internal)?;
    Receipt::new(opening, index, hashes, &head.note).map_err(Failure::internal)
}

/// Whether the entries, the tree and the signed checkpoint fit, as far as a start looks: a small log as a whole, of a
/// large one its whole tiles as they are and the entries behind them.
pub async fn check(db: &Db, cache: &TileCache, key: &LogKey) -> Result<std::result::Result<u64, LogError>> {
    let head = log::read_head(db).await?;
    let checkpoint = match Checkpoint::open(&head.note, key.verifier()) {
        Ok((checkpoint, _)) => checkpoint,
        Err(error) if key.is_named_by(&head.note) => return Ok(Err(LogError::Broken(error.to_string()))),
        Err(_) => return Ok(Err(rotation::why_not(db, key).await?)),
    };
    let rotations = match rotation::check(db, key).await? {
        Ok(rotations) => rotations,
        Err(error) => return Ok(Err(error)),
    };
    let size = head.edge.size();
    let broken = |what: String| Ok(Err(LogError::Broken(what)));
    if checkpoint.size != size || checkpoint.root != head.edge.root() {
        return broken("it does not fit the end that the database has for it".to_owned());
    }
    let found = if size <= SMALL {
        rebuilt(db, size).await
    } else {
        root(db, cache, size).await.map(|root| (root, rotations))
    };
    let (found, found_rotations) = match found {
        Ok(found) => found,
        Err(failure) => return broken(failure.source.map_or_else(String::new, |source| source.to_string())),
    };
    if found != checkpoint.root {
        return broken(format!(
            "the root of its {size} entries is {found}, and {} is signed",
            checkpoint.root
        ));
    }
    if found_rotations != rotations {
        return broken(format!("it has {found_rotations} rotations of the key, and {rotations} are found"));
    }
    Ok(Ok(size))
}

/// The root and the number of rotations, from nothing but the entries.
async fn rebuilt(db: &Db, size: u64) -> Result<(Digest, usize)> {
    let (mut edge, mut rotations) = (Edge::default(), 0);
    while edge.size() < size {
        let openings = log::openings(db, edge.size(), PAGE.min(size - edge.size())).await?;
        // Entries are canonical, and a text within one has its quotes escaped.
        rotations += openings.iter().filter(|opening| opening.entry.contains(ROTATION)).count();
        for hash in leaf_hashes(&openings)? {
            edge.append(hash, |_, _| ());
        }
    }
    Ok((edge.root(), rotations))
}

/// Looks at every entry and every node: whether they are what the signed checkpoint covers.
pub async fn audit(db: &Db, key: &LogKey) -> Result<std::result::Result<u64, LogError>> {
    let cache = TileCache::default();
    let size = match check(db, &cache, key).await? {
        Ok(size) => size,
        broken => return Ok(broken),
    };
    if let Err(error) = rotation::audit(db, &cache).await? {
        return Ok(Err(error));
    }
    let broken = |what: String| Ok(Err(LogError::Broken(what)));
    let root = log::read_head(db).await?;
    let mut edge = Edge::default();
    let mut nodes = Vec::new();
    // The log may grow meanwhile.
    let end = root.edge.size().max(size);
    while edge.size() < end {
        let openings = log::openings(db, edge.size(), PAGE.min(end - edge.size())).await?;
        for hash in leaf_hashes(&openings)? {
            edge.append(hash, |node, hash| {
                if node.level > 0 && node.level % TILE_HEIGHT == 0 {
                    nodes.push((node, hash));
                }
            });
        }
        for (node, hash) in nodes.drain(..) {
            if log::nodes(db, node.level, node.index, 1).await? != [hash] {
                return broken(format!("node {} of level {} is another one", node.index, node.level));
            }
        }
    }
    if edge.root() != root.edge.root() {
        return broken(format!("the root of its {end} entries is {}", edge.root()));
    }
    Ok(Ok(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_bounded_by_their_bytes() {
        let cache = TileCache::default();
        let large = Bytes::from(vec![0; 1024 * 1024]);
        for index in 0..100 {
            cache.bundles.insert(index, large.clone());
        }
        assert!(cache.bundles.weight() <= BUNDLE_BYTES);
        assert!(cache.bundles.len() <= 16 && !cache.bundles.is_empty());
    }
}
