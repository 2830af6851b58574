//! `skillery update`: installs the newest versions of skills that are installed.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::{Client, InstallOptions, Installation, Lockfile, Update};
use skillery_core::{SkillId, VersionRequest};

use crate::commands::install::write_lock;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone};
use crate::progress::Progress;
use crate::session::Session;
use crate::wanted::InstalledName;

/// Arguments of `update`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery update                                    everything that is installed
  skillery update acme/email_validator
  skillery update acme/email_validator@^1            not beyond version 1

The versions before stay in the library. What `skillery.lock` names is locked anew.")]
pub(crate) struct UpdateArgs {
    /// Skills, `org/name`, with `@` and a range where it should not be the latest; all when left out
    skills: Vec<InstalledName>,

    /// Do not write `skillery.lock`
    #[arg(long)]
    no_lock: bool,
}

#[derive(Debug, Serialize)]
struct Updated {
    id: SkillId,
    #[serde(flatten)]
    update: Update,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    skills: &'a [Updated],
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &UpdateArgs) -> CommandResult {
    let library = session.library()?;
    let lock_path = Path::new(LOCK_FILE);
    let lock = if args.no_lock { None } else { Lockfile::load(lock_path)? };
    let skills: Vec<(SkillId, VersionRequest)> = if args.skills.is_empty() {
        library.list()?.into_iter().map(|skill| (skill.manifest.id, VersionRequest::Latest)).collect()
    } else {
        let find = |skill: &InstalledName| {
            Ok((library.find(&skill.name)?, skill.request.clone().unwrap_or(VersionRequest::Latest)))
        };
        args.skills.iter().map(find).collect::<Result<_, Failure>>()?
    };

    let config = session.config()?;
    let client = Client::new(&config)?;
    let options = InstallOptions::of(&config);
    let progress = Progress::bar(&session.output, skills.len());
    let mut updates = Vec::with_capacity(skills.len());
    for (id, request) in skills {
        progress.message(id.as_str());
        let update = library.update(&client, id.as_str(), &request, options).await?;
        updates.push(Updated { id, update });
        progress.step();
    }
    drop(progress);

    if let Some(lock) = lock {
        let in_lock = |updated: &&Updated| lock.get(&updated.id).is_some();
        let installed: Vec<Installation> = updates
            .iter()
            .filter(in_lock)
            .filter_map(|updated| updated.update.installation.clone())
            .collect();
        write_lock(&library, lock, &installed, lock_path)?;
    }
    session.output.show(&Report { skills: &updates }, |page| {
        if updates.is_empty() {
            page.text("nothing is installed");
        }
        updates.iter().for_each(|updated| describe(page, updated));
    })?;
    for warning in updates.iter().filter_map(|updated| updated.update.installation.as_ref()?.warning.as_ref())
    {
        session.output.warning(warning);
    }
    Ok(Exit::Done)
}

fn describe(page: &mut Page, Updated { id, update }: &Updated) {
    let line = Line::default();
    page.line(match (&update.installation, &update.passed_over) {
        (Some(_), _) => line
            .toned(Tone::Good, "updated ")
            .name(id.as_str())
            .plain(format!(" {} -> {}", update.from, update.to)),
        (None, Some(reason)) => {
            line.plain("passed over ").name(id.as_str()).plain(format!(" {}: {reason}", update.from))
        }
        (None, None) => line.name(id.as_str()).plain(format!(" {} is the newest that fits", update.from)),
    });
}
