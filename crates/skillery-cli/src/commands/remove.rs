//! `skillery remove`: removes skills from the local library, or from agents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use serde::Serialize;
use skillery_client::agents::{AgentError, Listed, Taken};
use skillery_client::library::{Removed, State};
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::{Error, Library, Lockfile};
use skillery_core::{SkillId, SkillReference, Version, VersionRequest};

use crate::failure::{CommandResult, Exit, Failure};
use crate::locking;
use crate::output::{Line, Tone};
use crate::placing::{AgentArgs, names, shown};
use crate::session::Session;
use crate::wanted::InstalledName;

/// Arguments of `remove`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery remove acme/email_validator               all its versions
  skillery remove acme/email_validator@1.0.0         one version
  skillery remove acme/email_validator --agent all   from agents, and not from the library

What was downloaded for installing offline is removed too, and what `skillery.lock` says of it and of what only it needed. \
What another installed or locked skill needs is not removed; with `--force` it is, and stays in `skillery.lock` as what is needed. \
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

    /// Remove what others need, too; of agents, move what was changed by hand aside instead of refusing
    #[arg(long)]
    force: bool,
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
pub(crate) async fn run(session: &Session, args: &RemoveArgs) -> CommandResult {
    if args.agents.is_given() {
        return take(session, args);
    }
    if args.agents.has_scope() {
        return Err(Failure::usage("no agent is named").hint("name one, or say `--agent all`"));
    }
    let library = session.library()?;
    let lock_path = Path::new(LOCK_FILE);
    // Who changes the lock keeps others from doing so from before it is read.
    let _guard = match args.no_lock || !lock_path.exists() {
        true => None,
        false => Some(locking::guard(session, Path::new("")).await?),
    };
    let lock = if args.no_lock { None } else { Lockfile::load(lock_path)? };
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
    if !args.force {
        check_needed(&library, lock.as_ref(), &doomed)?;
    }
    let mut removed = Vec::with_capacity(doomed.len());
    for (id, version) in doomed {
        removed.push(library.remove(id.as_str(), version)?);
    }
    if let Some(lock) = lock {
        unlock(lock, &removed)?;
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
        taken.extend(site.take(&ids, named.as_deref(), args.force)?);
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

/// Refuses where something that stays needs what is to go.
fn check_needed(
    library: &Library,
    lock: Option<&Lockfile>,
    doomed: &[(SkillId, Option<&Version>)],
) -> Result<(), Failure> {
    let goes = |id: &SkillId, version: &Version| {
        doomed.iter().any(|(other, only)| other.key() == id.key() && only.is_none_or(|only| only == version))
    };
    // What is needed, and by whom, each once.
    let mut needed: BTreeMap<SkillId, BTreeSet<String>> = BTreeMap::new();
    for locked in lock.into_iter().flat_map(Lockfile::skills).filter(|one| !goes(&one.id, &one.version)) {
        for need in locked.needs()? {
            let held = lock.and_then(|lock| lock.get(&need.id));
            if let Some(held) = held.filter(|held| goes(&held.id, &held.version)) {
                let needer = format!("`{}` {}", locked.id, locked.version);
                needed.entry(held.id.clone()).or_default().insert(needer);
            }
        }
    }
    let graph = library.dependency_graph(None, None)?;
    for node in graph.skills.iter().filter(|node| !goes(&node.id, &node.version)) {
        for dependency in &node.dependencies {
            let State::Resolved { id, version } = &dependency.state else { continue };
            if goes(id, version) && !would_still_do(library, &dependency.wanted, id, &goes)? {
                let needer = format!("`{}` {}", node.id, node.version);
                needed.entry(id.clone()).or_default().insert(needer);
            }
        }
    }
    let Some((id, needers)) = needed.pop_first() else { return Ok(()) };
    let needers: Vec<String> = needers.into_iter().collect();
    let message = format!("`{id}` is needed by {}", needers.join(", "));
    Err(Failure::new(Exit::Failed, "needed", message)
        .hint("remove those with it, or say `--force` to remove it all the same"))
}

/// Whether another installed version will do, for who lists the skill like this.
fn would_still_do(
    library: &Library,
    wanted: &str,
    id: &SkillId,
    goes: &impl Fn(&SkillId, &Version) -> bool,
) -> Result<bool, Failure> {
    let Ok(SkillReference { version: request, .. }) = wanted.parse() else { return Ok(false) };
    let versions = library.versions(id.as_str())?;
    let stay = versions.iter().map(|installed| &installed.manifest.version).filter(|one| !goes(id, one));
    Ok(request.choose(stay).is_some())
}

fn unlock(mut lock: Lockfile, removed: &[Removed]) -> Result<(), Failure> {
    let before = lock.clone();
    for Removed { id, versions } in removed {
        if lock.get(id).is_some_and(|locked| versions.contains(&locked.version)) {
            lock.release(id)?;
        }
    }
    if lock != before {
        lock.save(Path::new(LOCK_FILE))?;
    }
    Ok(())
}
