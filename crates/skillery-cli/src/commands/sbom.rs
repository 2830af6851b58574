//! `skillery sbom`: a bill of materials of the skills that are used.

use std::path::PathBuf;

use clap::Args;
use skillery_client::sbom::{About, Component, cyclonedx};
use skillery_client::{Client, Error, Library};
use skillery_core::VersionRequest;
use skillery_core::api::VersionDetail;

use crate::commands::outdated::{Used, used};
use crate::failure::{CommandResult, Exit, Failure};
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
        components.push(component(&client, &library, used, args.offline).await?);
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
    client: &Client,
    library: &Library,
    used: Used,
    offline: bool,
) -> Result<Component, Failure> {
    let Used { id, version, digest, registry, log_index } = used;
    let known = library.get(id.as_str(), Some(&VersionRequest::Exact(version.clone()))).ok();
    let known = known.map(|installed| installed.manifest).filter(|manifest| manifest.digest == digest);
    let about = match known {
        Some(known) => Some(About {
            description: known.description,
            author: known.author,
            license: known.license,
            homepage: known.homepage,
            repository: known.repository,
        }),
        None if offline || registry.as_deref() != Some(client.registry()) => None,
        None => {
            let detail = client.version(&id, &version).await?;
            if detail.summary.digest != digest {
                let place = format!("at {}", client.registry());
                return Err(Error::ContentDiffers { id, version, place }.into());
            }
            let VersionDetail { description, author, license, homepage, repository, .. } = detail;
            Some(About { description, author, license, homepage, repository })
        }
    };
    Ok(Component { id, version, digest, registry, log_index, about })
}
