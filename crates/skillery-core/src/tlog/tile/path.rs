//! The addresses of tiles and bundles, below the prefix of a log (tlog-tiles, APIs).

use super::{TILE_WIDTH, Tile};
use crate::tlog::parse_decimal;

/// The highest level that an address may have. No tree is that high.
const MAX_LEVEL: u64 = 63;

/// What an address of a log means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// The newest checkpoint.
    Checkpoint,
    /// A tile of hashes.
    Tile(Tile),
    /// A bundle of entries; its level is 0.
    Entries(Tile),
}

/// The text is not the address of anything in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the path of a checkpoint, a tile or a bundle of entries")]
pub struct PathError;

impl Tile {
    /// The path of its hashes below the prefix of the log, for example `tile/0/x001/234` or `tile/1/000.p/17`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.place())
    }

    /// The path of the entries whose leaf hashes it has, for example `tile/entries/x001/234.p/17`. The level is taken
    /// to be 0.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", self.place())
    }

    /// The index in groups of three digits, so that no folder has more than 2,000 names, and the width of a partial
    /// tile.
    fn place(&self) -> String {
        let mut place = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            place = format!("x{:03}/{place}", rest % 1_000);
            rest /= 1_000;
        }
        if self.width == TILE_WIDTH { place } else { format!("{place}.p/{}", self.width) }
    }
}

/// What a path below the prefix of the log means. Each thing has one spelling, and no other is accepted.
pub fn parse_path(path: &str) -> Result<Resource, PathError> {
    let resource = read_path(path).ok_or(PathError)?;
    // Reading is lenient about leading groups of zeros; writing knows the one form.
    let canonical = match &resource {
        Resource::Checkpoint => "checkpoint".to_owned(),
        Resource::Tile(tile) => tile.path(),
        Resource::Entries(tile) => tile.entries_path(),
    };
    if canonical == path { Ok(resource) } else { Err(PathError) }
}

fn read_path(path: &str) -> Option<Resource> {
    if path == "checkpoint" {
        return Some(Resource::Checkpoint);
    }
    let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
    let (groups, width) = match place.split_once(".p/") {
        Some((groups, width)) => (groups, parse_decimal(width).filter(|width| (1..256).contains(width))?),
        None => (place, TILE_WIDTH.into()),
    };
    let mut index = 0_u64;
    for group in groups.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    let tile = Tile { level: 0, index, width: u16::try_from(width).ok()? };
    if level == "entries" {
        return Some(Resource::Entries(tile));
    }
    let level = parse_decimal(level).filter(|level| *level <= MAX_LEVEL)?;
    Some(Resource::Tile(Tile { level: u8::try_from(level).ok()?, ..tile }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = Tile { level: 3, index: 1_234_067, width: 256 };
        assert_eq!(tile.path(), "tile/3/x001/x234/067");
        assert_eq!(tile.entries_path(), "tile/entries/x001/x234/067");
        let partial = Tile { level: 0, index: 273, width: 112 };
        assert_eq!(partial.path(), "tile/0/273.p/112");
        assert_eq!(parse_path("checkpoint"), Ok(Resource::Checkpoint));
        assert_eq!(parse_path("tile/entries/273.p/112"), Ok(Resource::Entries(partial)));
        assert_eq!(parse_path("tile/3/x001/x234/067"), Ok(Resource::Tile(tile)));
        let last = Tile { level: 63, index: u64::MAX, width: 1 };
        assert_eq!(last.path(), "tile/63/x018/x446/x744/x073/x709/x551/615.p/1");
        assert_eq!(parse_path(&last.path()), Ok(Resource::Tile(last)));
    }

    #[test]
    fn no_other_spelling_is_a_path() {
        for path in [
            "",
            "/checkpoint",
            "checkpoint/",
            "Checkpoint",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/data/000",
            "tile/8/0/000",
            "tile/0/x000",
            "tile/0/x000/000",
            "tile/0/x000/001",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/X001/000",
            "tile/0/xx01/000",
            "tile/0/x001//000",
            "tile/0/000/",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/1.p/1",
            "tile/0/000.p/1/",
            "tile/0/000.P/1",
            "tile/0/.p/1",
            "tile/0/0é",
            "tile/0/٣٣٣",
            "tile/0/ 00",
            "tile/0/+00",
            "tile//000",
            "tile/entries/",
            "tile/entries/000.p/256",
            "tile/0/../000",
            "tile/0/%30",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x001/x000/x000/x000/x000/x000/x000/x000/000",
        ] {
            assert_eq!(parse_path(path), Err(PathError), "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_tile_is_read_back_from_its_path(level in 0..64_u8, index: u64, shift in 0..64_u32, width in 1..=256_u16) {
            let tile = Tile { level, index: index >> shift, width };
            prop_assert_eq!(parse_path(&tile.path()), Ok(Resource::Tile(tile)));
            let entries = Tile { level: 0, ..tile };
            prop_assert_eq!(parse_path(&tile.entries_path()), Ok(Resource::Entries(entries)));
        }

        #[test]
        fn what_is_read_is_written_the_same(path in "tile/(0|1|63|entries|[0-9x]{1,3})(/x?[0-9]{2,4}){1,3}(\\.p/[0-9]{1,3})?") {
            if let Ok(Resource::Tile(tile)) = parse_path(&path) {
                prop_assert_eq!(tile.path(), path);
            }
        }

        #[test]
        fn no_text_panics(path in "\\PC{0,40}") {
            let _ = parse_path(&path);
        }
    }
}
