//! The resources of the log, each with something changed in it.

use std::path::PathBuf;

use anyhow::Result;
use skillery_core::tlog::tiles_of;

use super::http::get_body;
use super::tamper::{Tampering, of_checkpoint};
use super::world::World;

/// A file with something changed.
pub(crate) struct Altered {
    /// What was changed, for people.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

/// One byte of each resource of the newest tree, at each of these places: the first quarter, the middle and the last byte.
pub(crate) fn all(world: &World, places: &[usize]) -> Result<Vec<Tampering>> {
    let mut all = checkpoint();
    all.extend(tiles(world, places)?);
    all.extend(bundles(world, places)?);
    Ok(all)
}

/// Changes to the checkpoint.
pub(crate) fn checkpoint() -> Vec<Tampering> {
    let of = |(part, change)| Tampering {
        target: "/log/v1/checkpoint".to_owned(),
        name: format!("checkpoint, {part}"),
        change,
    };
    of_checkpoint().into_iter().map(of).collect()
}

/// One byte of each tile.
pub(crate) fn tiles(world: &World, places: &[usize]) -> Result<Vec<Tampering>> {
    let mut all = Vec::new();
    for tile in tiles_of(world.size) {
        all.extend(bytes_of(world, &format!("/log/v1/{}", tile.path()), places)?);
    }
    Ok(all)
}

/// One byte of each bundle of entries, and of the length that stands before the first of them.
pub(crate) fn bundles(world: &World, places: &[usize]) -> Result<Vec<Tampering>> {
    let mut all = Vec::new();
    for tile in tiles_of(world.size).filter(|tile| tile.level == 0) {
        let target = format!("/log/v1/{}", tile.entries_path());
        all.push(Tampering::byte(&target, 1));
        all.extend(bytes_of(world, &target, places)?);
    }
    Ok(all)
}

fn bytes_of(world: &World, target: &str, places: &[usize]) -> Result<Vec<Tampering>> {
    let length = get_body(world.registry.address, target)?.len();
    let at = |place: &usize| [length / 4, length / 2, length - 1][*place];
    Ok(places.iter().map(|place| Tampering::byte(target, at(place))).collect())
}

/// An older checkpoint that somebody kept, with something changed in it.
pub(crate) fn altered_checkpoints(world: &World) -> Result<Vec<Altered>> {
    let (size, note) = world.told.checkpoint_up_to(world.size / 2)?;
    let mut all = Vec::new();
    for (number, (part, change)) in of_checkpoint().into_iter().enumerate() {
        let file = world.file(&format!("altered-{number}"), &change(note.as_bytes())?)?;
        all.push(Altered { name: format!("the kept checkpoint of size {size}, {part}"), file });
    }
    Ok(all)
}
