//! `skillery sbom`: a bill of materials of the skills that are used.

use std::path::PathBuf;

use clap::Args;
use skillery_client::sbom::{About, Component, cyclonedx};
use skillery_client::{Client, Error, Library};
use skillery_core::VersionRequest;
use skillery_core::api::VersionDetail;

use crate::commands::outdated::{Used, used};
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::Line;
use crate::session::Session;

/// Arguments of `sbom`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery sbom                                      what `skillery.lock` or the library has
  skillery sbom --installed --offline -o bom.cdx.json
  skillery sbom | jq -r '.components[].purl'

The form is CycloneDX 1.6 in JSON. The same skills give the same bytes. \
Licences and authors come from the library where it has the version, else from the registry.")]
pub(crate) struct SbomArgs {
    /// What is installed, even where there is a `skillery.lock`
    #[arg(long)]
    installed: bool,

    /// Ask no registry; leave out what is not known on this machine
    #[arg(long)]
    offline: bool,

    /// Write it to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &SbomArgs) -> CommandResult {
    let (_, used) = used(session, args.installed)?;
    let (client, library) = (Client::new(&session.config()?)?, session.library()?);
    let mut components = Vec::with_capacity(used.len());
    for used in used {
        components.push(component(session, &client, &library, used, args.offline).await?);
    }
    let document = cyclonedx(components, env!("CARGO_PKG_VERSION"));
    let mut text = serde_json::to_string_pretty(&document).map_err(|error| {
        Failure::new(Exit::Failed, "internal", "cannot write the bill as JSON").cause(&error)
    })?;
    text.push('\n');
    match &args.output {
        Some(file) => std::fs::write(file, text).map_err(|error| Failure::file("write", file, &error))?,
        None => session.output.print(&text)?,
    }
    Ok(Exit::Done)
}

async fn component(
    session: &Session,
    client: &Client,
    library: &Library,
    used: Used,
    offline: bool,
) -> Result<Component, Failure> {
    let Used { id, version, digest, registry, log_index, needs } = used;
    let known = library.get(id.as_str(), Some(&VersionRequest::Exact(version.clone()))).ok();
    let known = known.filter(|installed| installed.manifest.digest == digest);
    let needs = match (needs, &known) {
        // Of what was altered nobody knows what it needs.
        (None, Some(known)) => {
            library.needs(known).ok().map(|needs| needs.into_iter().map(|want| want.id).collect())
        }
        (needs, _) => needs,
    };
    let about = match known.map(|installed| installed.manifest) {
        Some(known) => Some(About {
            description: known.description,
            author: known.author,
            license: known.license,
            homepage: known.homepage,
            repository: known.repository,
        }),
        None if offline || registry.as_deref() != Some(client.registry()) => None,
        None => match client.version(&id, &version).await {
            // Hidden from whoever asks, or gone: it is used all the same.
            Err(error) if error.is_not_found() => {
                let line = Line::default().name(format!("{id} {version}"));
                session.output.note(
                    line.plain(" is not to be seen in the registry; what is said about it is left out"),
                );
                None
            }
            Err(error) => return Err(error.into()),
            Ok(detail) => {
                if detail.summary.digest != digest {
                    let place = format!("at {}", client.registry());
                    return Err(Error::ContentDiffers { id, version, place }.into());
                }
                let VersionDetail { description, author, license, homepage, repository, .. } = detail;
                Some(About { description, author, license, homepage, repository })
            }
        },
    };
    Ok(Component { id, version, digest, registry, log_index, about, needs })
}
