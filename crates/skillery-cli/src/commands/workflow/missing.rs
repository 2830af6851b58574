//! Installs the skills that a workflow names and the library lacks.

use std::collections::BTreeSet;

use skillery_client::{Client, InstallOptions};
use skillery_core::VersionRequest;
use skillery_runner::{SkillName, SkillReference, Workflow};

use crate::failure::Failure;
use crate::output::{Line, Tone};
use crate::progress::Progress;
use crate::session::Session;

/// Asks the registry for each skill that is not there in a version that fits. Where it cannot be reached, what was downloaded
/// earlier stands in. A bare name is no skill of a registry, and stays missing.
pub(super) async fn install(session: &Session, workflow: &Workflow) -> Result<(), Failure> {
    let library = session.library()?;
    let is_missing = |reference: &SkillReference| {
        let request = (reference.version != VersionRequest::Latest).then_some(&reference.version);
        library.get(&reference.name.to_string(), request).is_err_and(|error| error.is_not_found())
    };
    let written: BTreeSet<&str> = workflow.steps.iter().filter_map(|step| step.skill.as_deref()).collect();
    let references = written.into_iter().filter_map(|text| text.parse::<SkillReference>().ok());
    let missing: Vec<SkillReference> = references.filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let config = session.config()?;
    let client = Client::new(&config)?;
    let options = InstallOptions { verify_signature: config.verify_signature, offline: false };
    let progress = Progress::bar(&session.output, missing.len());
    for reference in missing {
        let SkillName::Id(id) = &reference.name else { continue };
        progress.message(id.as_str());
        let installation = library.install(&client, id, &reference.version, options).await?;
        let version = installation.installed.manifest.version.to_string();
        let how = if installation.from_cache { " (downloaded earlier)" } else { "" };
        session.output.note(
            Line::default().toned(Tone::Faint, "installed ").name(format!("{id} {version}")).plain(how),
        );
        progress.step();
    }
    Ok(())
}
