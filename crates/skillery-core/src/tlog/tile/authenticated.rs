//! Which tiles a client has to fetch, and how it makes sure that they are those of the tree whose root it knows.
//!
//! The partial tiles at the right edge give the root. A full tile gives one hash of the tile above it. So what the root
//! proves reaches down, tile by tile, to the nodes that are wanted; golang.org/x/mod/sumdb/tlog does the same.

use std::collections::{BTreeSet, HashMap};

use super::{LEVELS, Node, Tile, node_in_tile};
use crate::Digest;
use crate::tlog::{MAX_SIZE, ReadError, root};

/// Why tiles are not those of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// A tree of more than [`MAX_SIZE`] leaves.
    #[error("a tree of {0} leaves is too large")]
    Size(u64),
    /// The tree has no such tile, at least not of this width or with so many bytes.
    #[error("the tree has no tile `{}` of that length", .0.path())]
    Foreign(Tile),
    /// The tile would be needed to go on.
    #[error("tile `{}` is missing", .0.path())]
    Missing(Tile),
    /// The tiles at the edge lead to another root.
    #[error("the tiles at the edge of the tree lead to another root")]
    Root,
    /// The tile is not what the one above says.
    #[error("tile `{}` is not the one that the tree has there", .0.path())]
    Mismatch(Tile),
    /// The tree does not have the node.
    #[error("the tree has no node {} at height {}", .0.index, .0.level)]
    NoNode(Node),
}

/// The tiles to fetch for these nodes of a tree of `size` leaves: those that hold them and those that prove them, each
/// once, from the leaves upwards. Nodes that the tree does not have are passed over.
pub fn needed(size: u64, nodes: &[Node]) -> Vec<Tile> {
    let mut tiles: BTreeSet<Tile> = edge_tiles(size).collect();
    for node in nodes {
        let mut next = Tile::of(*node, size).map(|(tile, _)| tile);
        // Above a tile that is there already, all others are there too.
        while let Some(tile) = next
            && tiles.insert(tile)
        {
            next = parent(&tile, size).map(|(above, _)| above);
        }
    }
    tiles.into_iter().collect()
}

/// The partial tiles: together they hold exactly the largest complete subtrees.
fn edge_tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..LEVELS).filter_map(move |level| {
        let index = super::hashes_at(level, size) / u64::from(super::TILE_WIDTH);
        Tile::in_tree(level, index, size)
    })
}

/// The tile that has the hash of this full one, and the node that it is there.
fn parent(tile: &Tile, size: u64) -> Option<(Tile, Node)> {
    let top = tile.top().filter(|_| tile.is_full())?;
    Some((Tile::of(top, size)?.0, top))
}

/// Tiles that a root proves.
#[derive(Debug, Clone)]
pub struct Authenticated {
    size: u64,
    tiles: HashMap<Tile, Vec<u8>>,
}

/// Checks every tile against the root of the tree of `size` leaves. All tiles at the edge and above each given tile
/// must be there, as [`needed`] says; one tile that is missing, wrong or not part of the tree fails the whole.
pub fn authenticate(
    size: u64,
    root_hash: &Digest,
    tiles: HashMap<Tile, Vec<u8>>,
) -> Result<Authenticated, TileError> {
    if size > MAX_SIZE {
        return Err(TileError::Size(size));
    }
    for (tile, bytes) in &tiles {
        if Tile::in_tree(tile.level, tile.index, size) != Some(*tile) || bytes.len() != tile.bytes() {
            return Err(TileError::Foreign(*tile));
        }
    }
    let tree = Authenticated { size, tiles };
    // Partial tiles are looked at as a whole here, since each of their hashes is part of the edge.
    let computed = root(size, |node| tree.node(node)).map_err(|error| match error {
        ReadError::Read(error) => error,
        ReadError::Range { .. } => TileError::Size(size),
    })?;
    if computed != *root_hash {
        return Err(TileError::Root);
    }
    // The order does not matter: each full tile is compared with the one above, which is compared itself, and at the
    // end of every such chain is a partial tile. Nothing leaves this function before all are compared.
    for (tile, bytes) in &tree.tiles {
        if let Some((_, top)) = parent(tile, size)
            && super::subtree(bytes) != Some(tree.node(top)?)
        {
            return Err(TileError::Mismatch(*tile));
        }
    }
    Ok(tree)
}

impl Authenticated {
    /// The hash of a node. Fails if it follows from none of the tiles.
    pub fn node(&self, node: Node) -> Result<Digest, TileError> {
        let (tile, _) = Tile::of(node, self.size).ok_or(TileError::NoNode(node))?;
        let bytes = self.tiles.get(&tile).ok_or(TileError::Missing(tile))?;
        node_in_tile(&tile, bytes, node).ok_or(TileError::NoNode(node))
    }

    /// The leaves of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tiles, to be kept by a client: they are proven.
    pub fn into_tiles(self) -> HashMap<Tile, Vec<u8>> {
        self.tiles
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::tiles;
    use super::*;
    use crate::tlog::tests::{edge, leaf, node_map};

    fn some(all: &HashMap<Tile, Vec<u8>>, wanted: &[Tile]) -> HashMap<Tile, Vec<u8>> {
        wanted.iter().map(|tile| (*tile, all[tile].clone())).collect()
    }

    #[test]
    fn needed_tiles_prove_the_wanted_nodes() {
        for size in [1, 2, 255, 256, 257, 512, 700, 65_536, 66_000] {
            let all = tiles(size);
            let nodes = node_map(size);
            let root = edge(size).root();
            for wanted in nodes.keys().step_by(nodes.len() / 20 + 1) {
                let tiles = needed(size, &[*wanted]);
                let tree = authenticate(size, &root, some(&all, &tiles)).unwrap();
                assert_eq!(tree.node(*wanted), Ok(nodes[wanted]));
                for left_out in &tiles {
                    let mut fewer = some(&all, &tiles);
                    fewer.remove(left_out);
                    // Without the lowest one the others still prove each other.
                    let tree = authenticate(size, &root, fewer);
                    assert_eq!(tree.and_then(|tree| tree.node(*wanted)), Err(TileError::Missing(*left_out)));
                }
            }
            assert_eq!(authenticate(size, &root, all.clone()).unwrap().into_tiles(), all);
        }
        assert_eq!(needed(0, &[Node { level: 0, index: 0 }]), []);
        assert!(authenticate(0, &edge(0).root(), HashMap::new()).is_ok());
        assert!(authenticate(0, &leaf(0), HashMap::new()).is_err());
        assert!(needed(u64::MAX, &[Node { level: 200, index: u64::MAX }]).len() <= 8);
    }

    #[test]
    fn no_changed_byte_of_any_tile_is_accepted() {
        let size = 66_000;
        let all = tiles(size);
        let root = edge(size).root();
        let wanted = needed(size, &[Node { level: 0, index: 1_000 }, Node { level: 3, index: 8_200 }]);
        let good = some(&all, &wanted);
        for tile in &wanted {
            for at in (0..tile.bytes()).step_by(13) {
                let mut bad = good.clone();
                bad.get_mut(tile).unwrap()[at] ^= 1 << (at % 8);
                let expected = if tile.is_full() { TileError::Mismatch(*tile) } else { TileError::Root };
                let error = authenticate(size, &root, bad).unwrap_err();
                // A changed tile does not fit the one below it either.
                assert!(
                    error == expected
                        || matches!(error, TileError::Mismatch(other) if other.level < tile.level)
                );
            }
        }
        assert_eq!(authenticate(size, &leaf(0), good.clone()).unwrap_err(), TileError::Root);
        assert!(authenticate(size - 1, &edge(size - 1).root(), good).is_err());
    }

    #[test]
    fn tiles_of_another_tree_are_refused() {
        let size = 300;
        let root = edge(size).root();
        for foreign in [
            Tile { level: 0, index: 2, width: 1 },
            Tile { level: 0, index: 1, width: 43 },
            Tile { level: 1, index: 0, width: 256 },
            Tile { level: 200, index: u64::MAX, width: 0 },
        ] {
            let mut tiles = tiles(size);
            tiles.insert(foreign, vec![0; foreign.bytes()]);
            assert_eq!(authenticate(size, &root, tiles).unwrap_err(), TileError::Foreign(foreign));
        }
        let mut tiles = tiles(size);
        let first = Tile { level: 0, index: 0, width: 256 };
        tiles.get_mut(&first).unwrap().push(0);
        assert_eq!(authenticate(size, &root, tiles).unwrap_err(), TileError::Foreign(first));
        assert_eq!(authenticate(u64::MAX, &root, HashMap::new()).unwrap_err(), TileError::Size(u64::MAX));
    }
}
