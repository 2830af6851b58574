//! Tiles, compared with `tlog_tiles`, whose paths have the height of tiles in them.

use std::collections::HashMap;
use std::sync::Mutex;

use proptest::prelude::*;
use skillery_core::tlog::{
    self, Node, Tile, TileError, authenticate, decode_entries, encode_entries, needed, new_tiles,
    node_in_tile, tiles_of,
};
use tlog_tiles::{HashReader, TileHashReader, TileReader};

use crate::{LEAVES, LOG, theirs};

/// Gives the tiles of the log and remembers which were wanted.
#[derive(Default)]
struct Reader(Mutex<Vec<tlog_tiles::Tile>>);

impl TileReader for Reader {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        self.0.lock().unwrap().extend_from_slice(tiles);
        Ok(tiles.iter().map(|tile| LOG.tile(&ours(tile))).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn ours(tile: &tlog_tiles::Tile) -> Tile {
    Tile { level: tile.level(), index: tile.level_index(), width: tile.width() as u16 }
}

/// A size, and some nodes of a tree of it.
fn size_and_nodes() -> impl Strategy<Value = (u64, Vec<Node>)> {
    let places = prop::collection::vec((0..17_u8, any::<prop::sample::Index>()), 1..6);
    (1..=LEAVES, places).prop_map(|(size, places)| {
        let node = |(level, at): (u8, prop::sample::Index)| {
            let level = level.min(size.ilog2() as u8);
            Node { level, index: at.index((size >> level) as usize) as u64 }
        };
        (size, places.into_iter().map(node).collect())
    })
}

fn fetch(tiles: &[Tile]) -> HashMap<Tile, Vec<u8>> {
    tiles.iter().map(|tile| (*tile, LOG.tile(tile))).collect()
}

proptest! {
    #[test]
    fn the_tiles_of_a_tree_and_their_paths_are_those_of_tlog_tiles(old in 0..=LEAVES, more in 0..1_000_u64) {
        let new = (old + more).min(LEAVES);
        let mut expected = tlog_tiles::Tile::new_tiles(8, old, new);
        expected.sort_by_key(|tile| (tile.level(), tile.level_index()));
        let tiles: Vec<_> = new_tiles(old, new).collect();
        prop_assert_eq!(&tiles, &expected.iter().map(ours).collect::<Vec<_>>());
        for (tile, expected) in tiles.iter().zip(&expected) {
            prop_assert_eq!(tile.path().replacen("tile/", "tile/8/", 1), expected.path());
            prop_assert_eq!(LOG.tile(tile), expected.read_data(&LOG.theirs).unwrap());
            let (node, place) = (Node { level: 8 * tile.level, index: tile.index * 256 }, 0..1);
            prop_assert_eq!(Tile::of(node, new), Some((*tile, place)));
        }
    }

    #[test]
    fn the_same_tiles_are_needed_and_prove_the_same_nodes((size, nodes) in size_and_nodes()) {
        let root = LOG.root(size);
        let reader = Reader::default();
        let indices: Vec<_> =
            nodes.iter().map(|node| tlog_tiles::stored_hash_index(node.level, node.index)).collect();
        let expected = TileHashReader::new(size, theirs(&root), &reader).read_hashes(&indices).unwrap();
        let mut read: Vec<_> = reader.0.lock().unwrap().iter().map(ours).collect();
        read.sort();
        let tiles = needed(size, &nodes);
        prop_assert_eq!(&tiles, &read);

        let tree = authenticate(size, &root, fetch(&tiles)).unwrap();
        for (node, expected) in nodes.iter().zip(expected) {
            prop_assert_eq!(theirs(&tree.node(*node).unwrap()), expected);
            let (tile, within) = Tile::of(*node, size).unwrap();
            prop_assert!(tiles.contains(&tile) && within.end <= tile.width.into());
            prop_assert_eq!(node_in_tile(&tile, &LOG.tile(&tile), *node), Some(LOG.ours[node]));
        }
    }

    #[test]
    fn proofs_are_made_from_needed_tiles_alone(size in 2..=LEAVES, at: prop::sample::Index) {
        let other = at.index(size as usize - 1) as u64 + 1;
        let nodes = [tlog::inclusion_nodes(other - 1, size), tlog::consistency_nodes(other, size)].concat();
        let tree = authenticate(size, &LOG.root(size), fetch(&needed(size, &nodes))).unwrap();
        let proof = tlog::inclusion_proof(other - 1, size, |node| tree.node(node)).unwrap();
        prop_assert_eq!(proof, LOG.inclusion(other - 1, size));
        let proof = tlog::consistency_proof(other, size, |node| tree.node(node)).unwrap();
        prop_assert_eq!(proof, LOG.consistency(other, size));
    }

    #[test]
    fn no_changed_or_missing_tile_is_passed_over(
        (size, nodes) in size_and_nodes(), which: prop::sample::Index, at: prop::sample::Index, bit in 0..8_u8,
    ) {
        let root = LOG.root(size);
        let tiles = needed(size, &nodes);
        let tile = tiles[which.index(tiles.len())];
        let good = fetch(&tiles);

        let mut changed = good.clone();
        let bytes = changed.get_mut(&tile).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(authenticate(size, &root, changed).is_err());

        let mut shorter = good.clone();
        shorter.get_mut(&tile).unwrap().pop();
        prop_assert_eq!(authenticate(size, &root, shorter).unwrap_err(), TileError::Foreign(tile));

        let mut fewer = good;
        fewer.remove(&tile);
        let proven = authenticate(size, &root, fewer).and_then(|tree| nodes.iter().try_for_each(|node| {
            tree.node(*node).map(|hash| assert_eq!(hash, LOG.ours[node]))
        }));
        prop_assert_eq!(proven, Err(TileError::Missing(tile)));
    }

    #[test]
    fn every_leaf_of_a_tile_is_that_of_its_bundle(size in 1..=3_000_u64) {
        for tile in tiles_of(size).filter(|tile| tile.level == 0) {
            let first = tile.index * 256;
            let entries: Vec<_> = (first..first + u64::from(tile.width)).map(crate::entry).collect();
            let bundle = encode_entries(entries.iter().map(Vec::as_slice)).unwrap();
            let decoded = decode_entries(&bundle, tile.width).unwrap();
            let hashes: Vec<u8> = decoded.iter().flat_map(|entry| *tlog::leaf_hash(entry).bytes()).collect();
            prop_assert_eq!(hashes, LOG.tile(&tile));
        }
    }

    #[test]
    fn bundles_are_read_and_written_the_same(entries: Vec<Vec<u8>>, bytes: Vec<u8>, width: u16) {
        let bundle = encode_entries(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(decode_entries(&bundle, entries.len() as u16).unwrap(), entries);
        if let Ok(entries) = decode_entries(&bytes, width) {
            prop_assert_eq!(encode_entries(entries).unwrap(), bytes);
        }
    }

    #[test]
    fn tiles_of_no_tree_panic_nowhere(level: u8, index: u64, width: u16, size: u64, bytes: Vec<u8>) {
        let (tile, node) = (Tile { level, index, width }, Node { level, index });
        prop_assert_eq!(node_in_tile(&tile, &bytes, node), None);
        let _ = (tile.path(), Tile::of(node, size), Tile::in_tree(level, index, size), needed(size, &[node]));
        let _ = new_tiles(size, u64::MAX).next();
        prop_assert!(authenticate(size, &LOG.root(0), HashMap::from([(tile, bytes)])).is_err());
    }
}
