//! `skillery remove`: removes skills from the local library, or from agents.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use skillery_client::agents::{AgentError, Listed, Taken};
use skillery_client::library::Removed;
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::{Error, Lockfile};
use skillery_core::{SkillId, Version, VersionRequest};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Tone};
use crate::placing::{AgentArgs, ForceArgs, names, shown};
use crate::session::Session;
use crate::wanted::InstalledName;

/// Arguments of `remove`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery remove acme/email_validator               all its versions
  skillery remove acme/email_validator@1.0.0         one version
  skillery remove acme/email_validator --agent all   from agents, and not from the library

What was downloaded for installing offline is removed too, and what `skillery.lock` says of it. \
What was placed for agents stays there until it is removed with `--agent`.")]
pub(crate) struct RemoveArgs {
    /// Skills, `org/name`, with `@` and a version where only that one should go
    #[arg(required = true)]
    skills: Vec<InstalledName>,

    /// Leave `skillery.lock` alone
    #[arg(long)]
    no_lock: bool,

    #[command(flatten)]
    agents: AgentArgs,

    #[command(flatten)]
    force: ForceArgs,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    skills: &'a [Removed],
    /// Where they are still placed for agents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    placements: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct TakenReport {
    taken: Vec<Taken>,
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &RemoveArgs) -> CommandResult {
    if args.agents.is_given() {
        return take(session, args);
    }
    if args.agents.has_scope() || args.force.force {
        return Err(Failure::usage("no agent is named").hint("name one, or say `--agent all`"));
    }
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
    // The skill is gone either way; that it is still placed is only told.
    let mut placements = args.agents.listed(session).unwrap_or_default();
    let is_gone = |id: &SkillId| library.find(id.as_str()).is_err();
    placements
        .retain(|placed| removed.iter().any(|gone| gone.id.key() == placed.id.key() && is_gone(&gone.id)));
    let report = Report { skills: &removed, placements };
    session.output.show(&report, |page| {
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
    for placed in &report.placements {
        session.output.note(
            Line::default()
                .name(placed.id.as_str())
                .plain(format!(" {} stays in ", placed.version))
                .name(shown(&placed.path))
                .plain("; ")
                .command(format!("skillery remove {} --agent all", placed.id))
                .plain(" removes it"),
        );
    }
    Ok(Exit::Done)
}

/// Removes skills from agents, and not from the library.
fn take(session: &Session, args: &RemoveArgs) -> CommandResult {
    let (sites, named) = (args.agents.sites(session)?, args.agents.named());
    let mut wanted = Vec::with_capacity(sites.len());
    let mut missing: Vec<&str> = args.skills.iter().map(|skill| skill.name.as_str()).collect();
    if let Some(skill) = args.skills.iter().find(|skill| skill.request.is_some()) {
        return Err(Failure::usage(format!("an agent has one version of `{}`", skill.name))
            .hint("leave the version out"));
    }
    for site in &sites {
        let mut ids = Vec::new();
        for skill in &args.skills {
            let Some(id) = site.find(&skill.name)? else { continue };
            if site.has(&id, named.as_deref())? {
                missing.retain(|name| *name != skill.name);
                ids.push(id);
            }
        }
        wanted.push((site, ids));
    }
    if let Some(name) = missing.first() {
        let agents = named.map_or_else(String::new, |named| {
            format!(" for {}", named.iter().map(|agent| agent.name()).collect::<Vec<_>>().join(", "))
        });
        return Err(Error::from(AgentError::NotPlaced { name: (*name).to_owned(), agents }).into());
    }
    let mut taken = Vec::new();
    for (site, ids) in wanted {
        taken.extend(site.take(&ids, named.as_deref(), args.force.force)?);
    }
    let report = TakenReport { taken };
    session.output.show(&report, |page| {
        for taken in &report.taken {
            let line = Line::default()
                .toned(Tone::Good, "removed ")
                .name(taken.id.as_str())
                .plain(format!(" {} for {} from ", taken.version, names(&taken.agents)))
                .name(shown(&taken.path));
            page.line(match names(&taken.kept_for) {
                kept if kept.is_empty() => line,
                kept => line.plain(format!(", where it stays for {kept}")),
            });
            if let Some(backup) = &taken.backup {
                page.line(
                    Line::default().plain("  what was changed by hand is kept in ").name(shown(backup)),
                );
            }
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
