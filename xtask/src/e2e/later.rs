//! Places for tools that have nothing to look at yet: versions are not signed by their authors.
//!
//! Each function gets the same world as the others. It adds a row to the report once there is something to check, as
//! [`super::go`] does, and is skipped in the same way where its tool cannot be had.

use anyhow::Result;

use super::report::Report;
use super::world::World;

/// `model-signing` of PyPI: the signature of all files of a skill.
pub(crate) fn model_signing(_world: &World, _report: &mut Report) -> Result<()> {
    Ok(())
}
