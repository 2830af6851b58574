//! What `skillery.lock` says after something was installed.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use skillery_client::library::Together;
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::project::ProjectGuard;
use skillery_client::resolve::{Chosen, Want};
use skillery_client::{Client, InstallOptions, Installation, Installed, Library, LockedSkill, Lockfile};
use skillery_core::VersionRequest;

use crate::failure::Failure;
use crate::output::{Line, Tone};
use crate::session::Session;

/// How long nobody is told that another process is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Keeps other processes from changing what the project has locked; says so where they have to be waited for.
pub(crate) async fn guard(session: &Session, project: &Path) -> Result<ProjectGuard, Failure> {
    let mut guard = pin!(ProjectGuard::wait(project));
    if let Ok(guard) = tokio::time::timeout(PATIENCE, &mut guard).await {
        return Ok(guard?);
    }
    let text = format!("waiting for another process that changes `{LOCK_FILE}`");
    session.output.note(Line::default().toned(Tone::Faint, text));
    Ok(guard.await?)
}

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

/// Installs what is named with all that it needs, in versions that go together with what is locked; says what that was, and what is
/// locked then.
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
    Ok((together.installations, after))
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
    for (id, needs) in &together.needs {
        let is_it = |one: &&Installation| one.installed.manifest.id.key() == id.key();
        let locked = match together.installations.iter().find(is_it) {
            Some(Installation { installed, .. }) => {
                LockedSkill::of(&installed.manifest, library.proof_text(installed)?)
            }
            // Nobody asked for it now.
            None => before.get(id).cloned(),
        };
        let Some(locked) = locked else { continue };
        let wanted = wants.iter().find(|want| want.id.key() == id.key());
        after.insert(LockedSkill {
            wanted: wanted.map(|want| want.request.to_string()),
            needs: needs.iter().map(Want::text).collect(),
            ..locked
        });
    }
    Ok(after)
}
