//! What `skillery.lock` says after something was installed.

use skillery_client::library::Together;
use skillery_client::resolve::Want;
use skillery_client::{Installed, Library, LockedSkill, Lockfile};

use crate::failure::Failure;

/// The lock with these versions in it, too.
pub(crate) fn with<'a>(
    library: &Library,
    before: &Lockfile,
    skills: impl Iterator<Item = &'a Installed>,
) -> Result<Lockfile, Failure> {
    let mut after = before.clone();
    for installed in skills {
        if let Some(locked) = LockedSkill::of(&installed.manifest, library.proof_text(installed)?) {
            let known = before.get(&locked.id).filter(|known| known.version == locked.version);
            let (wanted, needs) =
                known.map(|known| (known.wanted.clone(), known.needs.clone())).unwrap_or_default();
            after.insert(LockedSkill { wanted, needs, ..locked });
        }
    }
    Ok(after)
}

/// The lock of all that goes together, and of nothing else of this registry: what nobody needs any more is locked no more.
pub(crate) fn relocked(
    library: &Library,
    before: &Lockfile,
    registry: &str,
    wants: &[Want],
    together: &Together,
) -> Result<Lockfile, Failure> {
    let mut after = Lockfile::default();
    for other in before.skills().iter().filter(|locked| locked.registry != registry) {
        after.insert(other.clone());
    }
    for installation in &together.installations {
        let installed = &installation.installed;
        let Some(locked) = LockedSkill::of(&installed.manifest, library.proof_text(installed)?) else {
            continue;
        };
        let wanted = wants.iter().find(|want| want.id.key() == locked.id.key());
        let needs = together.needs.iter().find(|(id, _)| id.key() == locked.id.key());
        after.insert(LockedSkill {
            wanted: wanted.map(|want| want.request.to_string()),
            needs: needs.map(|(_, needs)| needs.iter().map(Want::text).collect()).unwrap_or_default(),
            ..locked
        });
    }
    Ok(after)
}
