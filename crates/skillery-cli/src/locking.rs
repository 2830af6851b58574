//! What `skillery.lock` says after something was installed.

use std::collections::BTreeSet;

use skillery_client::library::Together;
use skillery_client::resolve::{Chosen, Want};
use skillery_client::{Client, InstallOptions, Installation, Installed, Library, LockedSkill, Lockfile};
use skillery_core::VersionRequest;

use crate::failure::Failure;

/// The lock with these versions in it, too, each with what was asked for; where nothing was, that stays what it was.
pub(crate) fn with<'a>(
    library: &Library,
    before: &Lockfile,
    skills: impl Iterator<Item = (&'a Installed, Option<&'a VersionRequest>)>,
) -> Result<Lockfile, Failure> {
    let mut after = before.clone();
    for (installed, request) in skills {
        if let Some(locked) = LockedSkill::of(&installed.manifest, library.proof_text(installed)?) {
            let known = before.get(&locked.id);
            let asked = request.map(ToString::to_string);
            let wanted = asked.or_else(|| known.and_then(|known| known.wanted.clone()));
            let same = known.filter(|known| known.version == locked.version);
            let needs = same.map(|known| known.needs.clone()).unwrap_or_default();
            after.insert(LockedSkill { wanted, needs, ..locked });
        }
    }
    Ok(after)
}

/// Installs what is named with all that it needs, together with what is locked; says what is new, and what is locked then.
pub(crate) async fn together(
    client: &Client,
    library: &Library,
    named: Vec<Want>,
    before: &Lockfile,
    options: InstallOptions,
    step: &(dyn Fn(&Chosen) + Sync),
) -> Result<(Vec<Installation>, Lockfile), Failure> {
    let keys: BTreeSet<String> = named.iter().map(|want| want.id.key()).collect();
    let mut wants = before.wants(client.registry())?;
    wants.retain(|want| !keys.contains(&want.id.key()));
    wants.extend(named);
    let together = library.install_together(client, &wants, before, &keys, options, step).await?;
    let after = relocked(library, before, client.registry(), &wants, &together)?;
    let is_new = |skill: &Installation| {
        let manifest = &skill.installed.manifest;
        let is_locked = before.get(&manifest.id).is_some_and(|locked| locked.version == manifest.version);
        keys.contains(&manifest.id.key()) || !is_locked
    };
    Ok((together.installations.into_iter().filter(is_new).collect(), after))
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
