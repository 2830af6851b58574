//! Installs the skills that a workflow leads to and the library lacks.

use std::collections::{HashSet, VecDeque};

use skillery_client::{Client, InstallOptions, Library};
use skillery_runner::{SkillName, SkillReference};

use super::walk;
use crate::failure::Failure;
use crate::output::{Line, Tone};
use crate::progress::Progress;
use crate::session::Session;

/// Asks the registry for each of these skills, and of those that they call, that is not there in a version that fits. Where
/// it cannot be reached, what was downloaded earlier stands in. A bare name is no skill of a registry, and stays missing.
pub(super) async fn install(session: &Session, skills: &[SkillReference]) -> Result<(), Failure> {
    let library = session.library()?;
    let config = session.config()?;
    let options = InstallOptions::of(&config);
    let is_missing = |reference: &SkillReference| {
        let found = library.get(&reference.name.to_string(), reference.version.unless_latest());
        found.is_err_and(|error| error.is_not_found())
    };
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
            let installation = library.install(client, id, &reference.version, options).await?;
            let version = installation.installed.manifest.version.to_string();
            let how = if installation.from_cache { " (downloaded earlier)" } else { "" };
            session.output.note(
                Line::default().toned(Tone::Faint, "installed ").name(format!("{id} {version}")).plain(how),
            );
            if let Some(warning) = &installation.warning {
                session.output.warning(warning);
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
