//! `skillery remove`: removes skills from the local library.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use skillery_client::Lockfile;
use skillery_client::library::Removed;
use skillery_client::lockfile::LOCK_FILE;
use skillery_core::{Version, VersionRequest};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Tone};
use crate::session::Session;
use crate::wanted::InstalledName;

/// Arguments of `remove`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery remove acme/email_validator               all its versions
  skillery remove acme/email_validator@1.0.0         one version

What was downloaded for installing offline is removed too, and what `skillery.lock` says of it.")]
pub(crate) struct RemoveArgs {
    /// Skills, `org/name`, with `@` and a version where only that one should go
    #[arg(required = true)]
    skills: Vec<InstalledName>,

    /// Leave `skillery.lock` alone
    #[arg(long)]
    no_lock: bool,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    skills: &'a [Removed],
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &RemoveArgs) -> CommandResult {
    let library = session.library()?;
    let mut doomed = Vec::with_capacity(args.skills.len());
    // All are looked up before the first is removed.
    for skill in &args.skills {
        let version = exact(skill)?;
        let id = match &skill.request {
            Some(request) => library.get(&skill.name, Some(request))?.manifest.id,
            None => library.find(&skill.name)?,
        };
        doomed.push((id, version));
    }
    let mut removed = Vec::with_capacity(doomed.len());
    for (id, version) in doomed {
        removed.push(library.remove(id.as_str(), version)?);
    }
    if !args.no_lock {
        unlock(&removed)?;
    }
    session.output.show(&Report { skills: &removed }, |page| {
        for Removed { id, versions } in &removed {
            let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
            page.line(
                Line::default()
                    .toned(Tone::Good, "removed ")
                    .name(id.as_str())
                    .plain(format!(" {}", versions.join(", "))),
            );
        }
    })?;
    Ok(Exit::Done)
}

fn exact(skill: &InstalledName) -> Result<Option<&Version>, Failure> {
    match &skill.request {
        None => Ok(None),
        Some(VersionRequest::Exact(version)) => Ok(Some(version)),
        Some(other) => Err(Failure::usage(format!("`{other}` is not one version"))
            .hint(format!("name a version, for example `{}@1.0.0`, or none to remove all", skill.name))),
    }
}

fn unlock(removed: &[Removed]) -> Result<(), Failure> {
    let path = Path::new(LOCK_FILE);
    let Some(mut lock) = Lockfile::load(path)? else { return Ok(()) };
    let before = lock.clone();
    for Removed { id, versions } in removed {
        if lock.get(id).is_some_and(|locked| versions.contains(&locked.version)) {
            lock.remove(id);
        }
    }
    if lock != before {
        lock.save(path)?;
    }
    Ok(())
}
