//! Installs the skills that a workflow leads to and the library lacks.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::Path;

use skillery_client::lockfile::LOCK_FILE;
use skillery_client::resolve::Want;
use skillery_client::{Client, InstallOptions, Installation, Library, Lockfile, Manifest};
use skillery_runner::{SkillName, SkillReference};

use super::walk;
use crate::failure::Failure;
use crate::output::{Line, Tone};
use crate::progress::Progress;
use crate::session::Session;

/// Asks the registry for each of these skills, and of those that they call, that is not there in a version that fits, with all
/// that it needs. Where it cannot be reached, what was downloaded earlier stands in. A bare name is no skill of a registry, and stays
/// missing.
pub(super) async fn install(session: &Session, skills: &[SkillReference]) -> Result<(), Failure> {
    let library = session.library()?;
    let config = session.config()?;
    let options = InstallOptions::of(&config);
    let is_missing = |reference: &SkillReference| {
        let found = library.get(&reference.name.to_string(), reference.version.unless_latest());
        found.is_err_and(|error| error.is_not_found())
    };
    // A run changes no lock, and takes what is locked where that fits.
    let lock = Lockfile::load(Path::new(LOCK_FILE))?.unwrap_or_default();
    let mut client = None;
    let mut seen: HashSet<String> = skills.iter().map(ToString::to_string).collect();
    let mut next: VecDeque<SkillReference> = skills.iter().cloned().collect();
    let progress = Progress::bar(&session.output, skills.iter().filter(|skill| is_missing(skill)).count());
    while let Some(reference) = next.pop_front() {
        if is_missing(&reference) {
            let SkillName::Id(id) = &reference.name else { continue };
            progress.message(id.as_str());
            // Without anything missing, nobody needs a registry.
            let client = match &mut client {
                Some(client) => client,
                none => none.insert(Client::new(&config)?),
            };
            let wants = [Want { id: id.clone(), request: reference.version.clone() }];
            let nothing = BTreeSet::new();
            let together =
                library.install_together(client, &wants, &lock, &nothing, options, &|_| ()).await?;
            let is_new = |one: &&Installation| one.added || one.installed.manifest.id.key() == id.key();
            for installation in together.installations.iter().filter(is_new) {
                let Manifest { id, version, .. } = &installation.installed.manifest;
                let how = if installation.from_cache { " (downloaded earlier)" } else { "" };
                let line = Line::default().toned(Tone::Faint, "installed ");
                session.output.note(line.name(format!("{id} {version}")).plain(how));
                if let Some(warning) = &installation.warning {
                    session.output.warning(warning);
                }
            }
            progress.step();
        }
        for called in called(&library, &reference) {
            if seen.len() < walk::MAX_SKILLS && seen.insert(called.to_string()) {
                next.push_back(called);
            }
        }
    }
    Ok(())
}

/// What a skill that is there calls. Whether it may run is asked later.
fn called(library: &Library, reference: &SkillReference) -> Vec<SkillReference> {
    let code = library.code(
        &reference.name.to_string(),
        reference.version.unless_latest(),
        reference.script.as_deref(),
        false,
    );
    code.map(|installed| walk::called(&installed.code)).unwrap_or_default()
}
