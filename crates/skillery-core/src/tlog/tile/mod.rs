//! Tiles: how the nodes of a tree, and its entries, are cut into files, and how those are called (tlog-tiles).
//!
//! A tile of level L holds up to 256 neighbouring nodes of height 8·L, as 32 bytes each, and stands for the nodes of
//! the seven heights above, which follow from them.

mod authenticated;
mod path;

use std::ops::Range;

pub use authenticated::{Authenticated, TileError, authenticate, needed};
pub use path::{PathError, Resource, parse_path};

use super::{Node, fold};
use crate::Digest;

/// Hashes in a full tile, and entries in a full bundle of them.
pub const TILE_WIDTH: u16 = 256;
/// Heights of the tree in one tile.
const TILE_HEIGHT: u8 = 8;
/// Levels of tiles that a tree of 2^64 leaves would have.
const LEVELS: u8 = 8;
const HASH_BYTES: usize = 32;

/// One tile, full or partial. At level 0 it also names the bundle of entries beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// How many tiles lie between this one and the leaves.
    pub level: u8,
    /// How many tiles of this level lie left of it.
    pub index: u64,
    /// The hashes in it, from 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The tile that holds a node, or the nodes that it is the root of, in a tree of `size` leaves; and which hashes
    /// of the tile these are. Nothing if the tree does not have the node.
    pub fn of(node: Node, size: u64) -> Option<(Self, Range<usize>)> {
        if !node.is_in(size) {
            return None;
        }
        // The node is in the tree, so that none of these shifts loses a bit.
        let within = node.level % TILE_HEIGHT;
        let first = node.index << within;
        let level = node.level / TILE_HEIGHT;
        let tile = Self::in_tree(level, first / u64::from(TILE_WIDTH), size)?;
        let start = (first % u64::from(TILE_WIDTH)) as usize;
        Some((tile, start..start + (1 << within)))
    }

    /// The tile at this place in a tree of `size` leaves, with the width that it has there.
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = hashes_at(level, size).checked_sub(index.checked_mul(TILE_WIDTH.into())?)?;
        let width = hashes.min(TILE_WIDTH.into()) as u16;
        if width == 0 { None } else { Some(Self { level, index, width }) }
    }

    /// Whether it has all its hashes, and never changes.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The bytes of the tile: 32 for each hash.
    pub fn bytes(&self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// The node that a full tile is the subtree of.
    fn top(&self) -> Option<Node> {
        Some(Node { level: self.level.checked_add(1)?.checked_mul(TILE_HEIGHT)?, index: self.index })
    }
}

/// The nodes of the height of this level of tiles in a tree of `size` leaves.
fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

/// All tiles of a tree of `size` leaves, from the leaves upwards, each level from left to right.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    new_tiles(0, size)
}

/// The tiles that a tree of `new` leaves has and that of `old` leaves has not: full ones, and each partial one with
/// its new width. In the order of [`tiles_of`].
pub fn new_tiles(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..LEVELS).flat_map(move |level| {
        let (before, now) = (hashes_at(level, old), hashes_at(level, new));
        let width = u64::from(TILE_WIDTH);
        let indices = if before < now { before / width..now.div_ceil(width) } else { 0..0 };
        indices.filter_map(move |index| Tile::in_tree(level, index, new))
    })
}

/// The hash of a node that follows from the bytes of a tile alone; nothing if the tile does not have it, or if the
/// bytes are not a tile of its width. Nothing is said about whether the bytes belong to any log.
pub fn node_in_tile(tile: &Tile, bytes: &[u8], node: Node) -> Option<Digest> {
    if bytes.len() != tile.bytes() || node.level / TILE_HEIGHT != tile.level {
        return None;
    }
    let within = node.level % TILE_HEIGHT;
    let first = node.index.checked_mul(1 << within)?;
    let start = usize::try_from(first.checked_sub(tile.index.checked_mul(TILE_WIDTH.into())?)?).ok()?;
    let end = start.checked_add(1 << within)?;
    subtree(bytes.get(start.checked_mul(HASH_BYTES)?..end.checked_mul(HASH_BYTES)?)?)
}

/// The root of the subtree over these hashes, whose number is a power of two.
fn subtree(bytes: &[u8]) -> Option<Digest> {
    let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
    let mut hashes: Vec<_> = hashes.iter().copied().map(Digest::from_bytes).collect();
    while hashes.len() > 1 {
        hashes = hashes.chunks(2).filter_map(fold).collect();
    }
    hashes.first().copied()
}

/// Why entries and their bundle do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntriesError {
    /// An entry has more than 65,535 bytes.
    #[error("an entry of {0} bytes is too long: its length is written in 16 bits")]
    TooLong(usize),
    /// The bundle ends inside an entry, or before the last one.
    #[error("the bundle ends before its last entry does")]
    Truncated,
    /// There are bytes after the last entry.
    #[error("the bundle has bytes after its last entry")]
    Trailing,
}

/// A bundle of entries: before each its length in two bytes, the higher one first (tlog-tiles, Log entries).
pub fn encode_entries<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, EntriesError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| EntriesError::TooLong(entry.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The `width` entries of a bundle. Fails if it has fewer, or anything after them.
pub fn decode_entries(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, EntriesError> {
    let mut rest = bytes;
    let mut entries = Vec::new();
    for _ in 0..width {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(EntriesError::Truncated)?;
        let length = u16::from_be_bytes(*length).into();
        let (entry, after) = after.split_at_checked(length).ok_or(EntriesError::Truncated)?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(EntriesError::Trailing) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::tests::{leaf, node_map};
    use super::*;

    /// The tiles of a tree of [`leaf`]s.
    pub(super) fn tiles(size: u64) -> HashMap<Tile, Vec<u8>> {
        let nodes = node_map(size);
        let content = |tile: Tile| {
            (0..u64::from(tile.width))
                .flat_map(|at| *nodes[&Node { level: tile.level * 8, index: tile.index * 256 + at }].bytes())
                .collect()
        };
        tiles_of(size).map(|tile| (tile, content(tile))).collect()
    }

    #[test]
    fn a_tree_of_70000_leaves_has_the_tiles_of_the_specification() {
        let tiles: Vec<_> = tiles_of(70_000).collect();
        let count =
            |level, full| tiles.iter().filter(|tile| tile.level == level && tile.is_full() == full).count();
        assert_eq!((count(0, true), count(1, true), count(2, true)), (273, 1, 0));
        assert_eq!((count(0, false), count(1, false), count(2, false)), (1, 1, 1));
        assert_eq!(tiles.len(), 277);
        for (level, index, width) in [(0, 273, 112), (1, 1, 17), (2, 0, 1)] {
            assert!(tiles.contains(&Tile { level, index, width }));
        }
        let expected = [Tile { level: 0, index: 0, width: 256 }, Tile { level: 1, index: 0, width: 1 }];
        assert_eq!(tiles_of(256).collect::<Vec<_>>(), expected);
        assert_eq!(tiles_of(0).count(), 0);
        assert_eq!(new_tiles(256, 257).collect::<Vec<_>>(), [Tile { level: 0, index: 1, width: 1 }]);
        assert_eq!(new_tiles(300, 300).count(), 0);
        assert_eq!(new_tiles(300, 299).count(), 0);
    }

    #[test]
    fn every_node_follows_from_its_tile() {
        let size = 700;
        let tiles = tiles(size);
        for (node, hash) in node_map(size) {
            let (tile, within) = Tile::of(node, size).unwrap();
            assert_eq!(within.len(), 1 << (node.level % 8));
            assert_eq!(node_in_tile(&tile, &tiles[&tile], node), Some(hash));
            assert_eq!(node_in_tile(&tile, &tiles[&tile][1..], node), None);
        }
        assert_eq!(Tile::of(Node { level: 0, index: 700 }, size), None);
        assert_eq!(Tile::of(Node { level: 255, index: u64::MAX }, u64::MAX), None);
        let (tile, _) = Tile::of(Node { level: 63, index: 0 }, u64::MAX).unwrap();
        assert_eq!(tile, Tile { level: 7, index: 0, width: 255 });
        let odd = Tile { level: 9, index: u64::MAX, width: 1 };
        assert_eq!(node_in_tile(&odd, leaf(0).bytes(), Node { level: 79, index: u64::MAX }), None);
    }

    #[test]
    fn bundles_have_their_entries_and_nothing_else() {
        let entries: [&[u8]; 3] = [b"", b"one", &[7; 65_535]];
        let bytes = encode_entries(entries).unwrap();
        assert_eq!(bytes[..7], *b"\0\0\0\x03one");
        assert_eq!(decode_entries(&bytes, 3).unwrap(), entries);
        assert_eq!(decode_entries(&bytes, 2), Err(EntriesError::Trailing));
        assert_eq!(decode_entries(&bytes, 4), Err(EntriesError::Truncated));
        assert_eq!(decode_entries(&bytes[..bytes.len() - 1], 3), Err(EntriesError::Truncated));
        assert_eq!(encode_entries([&[0; 65_536][..]]), Err(EntriesError::TooLong(65_536)));
        assert_eq!(decode_entries(b"", 0), Ok(Vec::new()));
    }
}
