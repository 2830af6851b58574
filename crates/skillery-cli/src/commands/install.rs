//! `skillery install`: fetches skills into the local library, verifies and locks them, and places them for agents.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use serde::Serialize;
use skillery_client::agents::Placed;
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::resolve::{Chosen, Want};
use skillery_client::{Client, InstallOptions, Installation, Library, LockedSkill, Lockfile, Require};
use skillery_core::VersionRequest;

use crate::failure::{CommandResult, Exit, Failure};
use crate::locking;
use crate::output::{Line, Page, Tone};
use crate::placing::{self, AgentArgs, PlaceArgs};
use crate::progress::Progress;
use crate::session::Session;
use crate::wanted::Wanted;

/// Arguments of `install`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery install acme/email_validator              the latest version
  skillery install acme/email_validator@^1.2 acme/slugify@2.0.1
  skillery install                                   what `skillery.lock` names
  skillery install --frozen                          the same, and never change the lock
  skillery install acme/email_validator --offline    what was downloaded earlier
  skillery install acme/email_validator --agent claude-code,codex
  skillery install acme/email_validator --agent all --global

What a skill needs is installed with it, in versions that go together with what `skillery.lock` names. \
Each version is verified against its digests before any reaches the library. \
An interruption leaves the old state or the new one. \
With `--agent`, the files are also placed where these agents look for skills; \
what others put there is never overwritten.")]
pub(crate) struct InstallArgs {
    /// Skills, `org/name`, with `@` and a version or a range where it should not be the latest
    skills: Vec<Wanted>,

    /// Install exactly what `skillery.lock` names
    #[arg(long, conflicts_with = "no_lock")]
    frozen: bool,

    /// Ask no registry; install what was downloaded earlier
    #[arg(long)]
    offline: bool,

    /// Neither read nor write `skillery.lock`
    #[arg(long)]
    no_lock: bool,

    /// Leave out what the named skills need
    #[arg(long, conflicts_with = "frozen")]
    no_deps: bool,

    /// Refuse what is signed neither with the org's secret, where one is known, nor else by an author
    #[arg(long)]
    verify_signature: bool,

    /// What must be known of each: hash, logged, signed, approved-or-forced, approved, witnessed, with commas between them
    /// [default: as it is configured, else logged]
    #[arg(long, value_name = "WORDS")]
    require: Option<Require>,

    #[command(flatten)]
    agents: AgentArgs,

    #[command(flatten)]
    place: PlaceArgs,
}

/// What to install.
enum Steps {
    /// These, with what they need.
    Together(Vec<Wanted>),
    /// Exactly these, one by one.
    Each(Vec<Step>),
}

/// One thing to install.
enum Step {
    /// What a caller named.
    Wanted(Wanted),
    /// What the lock names.
    Locked(Box<LockedSkill>),
}

#[derive(Debug, Serialize)]
struct Report {
    skills: Vec<Installation>,
    /// Whether `skillery.lock` was changed.
    locked: bool,
    /// Where they were placed for agents, if they were to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    placed: Option<Vec<Placed>>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &InstallArgs) -> CommandResult {
    let target = args.agents.target(session, &args.place)?;
    let lock_path = &args.agents.project.as_deref().unwrap_or(Path::new("")).join(LOCK_FILE);
    // What is for all projects is locked by none of them.
    let no_lock = args.no_lock || (args.agents.global && !args.frozen);
    // Who changes the lock keeps others from doing so from before it is read.
    let project = args.agents.project.as_deref().unwrap_or(Path::new(""));
    let _guard = match no_lock || args.frozen {
        true => None,
        false => Some(locking::guard(session, project).await?),
    };
    let lock = if no_lock { None } else { Lockfile::load(lock_path)? };
    let steps = plan(args, lock.as_ref())?;
    let config = session.config()?;
    let (client, library) = (Client::new(&config)?, session.library()?);
    let configured = InstallOptions::of(&config);
    let options = InstallOptions {
        verify_signature: configured.verify_signature || args.verify_signature,
        require: args.require.unwrap_or(configured.require),
        offline: args.offline,
    };

    let before = lock.unwrap_or_default();
    let (skills, after) = match steps {
        Steps::Together(named) => {
            let progress = Progress::bar(&session.output, named.len());
            let step = |chosen: &Chosen| {
                progress.message(&format!("{}@{}", chosen.id, chosen.version));
                progress.step();
            };
            let wants = named.into_iter().map(|Wanted { id, request }| Want { id, request }).collect();
            locking::together(&client, &library, wants, &before, options, &step).await?
        }
        Steps::Each(steps) => {
            let skills = install_all(session, &client, &library, &steps, options).await?;
            let request = |step: &Step| match step {
                Step::Wanted(wanted) => Some(wanted.request.clone()),
                Step::Locked(_) => None,
            };
            let requests: Vec<Option<VersionRequest>> = steps.iter().map(request).collect();
            let installed = skills.iter().map(|skill| &skill.installed);
            let after = locking::with(&library, &before, installed.zip(requests.iter().map(Option::as_ref)))?;
            (skills, after)
        }
    };
    // What could not be placed is not locked either: the command is done as a whole, or done again.
    let installed = || skills.iter().map(|skill| &skill.installed);
    let placed = target.map(|target| target.place(&library, installed())).transpose()?;
    let locked = !no_lock && !args.frozen && after != before;
    if locked {
        after.save(lock_path)?;
    }
    let report = Report { skills, locked, placed };
    session.output.show(&report, |page| {
        report.skills.iter().for_each(|skill| describe(page, skill));
        report.placed.iter().flatten().for_each(|placed| placing::describe(page, placed));
    })?;
    for skill in &report.skills {
        if let Some(warning) = &skill.warning {
            session.output.warning(warning);
        }
    }
    if locked {
        session.output.note(Line::default().toned(Tone::Faint, "locked in ").name(LOCK_FILE));
    }
    Ok(Exit::Done)
}

/// What to install, checked before anything is asked or changed.
fn plan(args: &InstallArgs, lock: Option<&Lockfile>) -> Result<Steps, Failure> {
    let needs_lock = args.frozen || args.skills.is_empty();
    let lock = match lock {
        Some(lock) => lock,
        None if args.frozen => {
            return Err(Failure::usage(format!("there is no `{LOCK_FILE}` here"))
                .hint("`skillery install org/name` makes one"));
        }
        None if needs_lock && args.agents.global => {
            return Err(Failure::usage("nothing to install: no skill is named")
                .hint("name a skill, or add `--frozen` for what `skillery.lock` names"));
        }
        None if needs_lock => {
            return Err(Failure::usage(format!(
                "nothing to install: no skill is named, and there is no `{LOCK_FILE}` here"
            ))
            .hint("name a skill, for example `skillery install acme/email_validator`"));
        }
        None => &Lockfile::default(),
    };
    if args.skills.is_empty() {
        lock.check_complete()?;
        return Ok(Steps::Each(lock.skills().iter().cloned().map(Box::new).map(Step::Locked).collect()));
    }
    if args.no_deps {
        return Ok(Steps::Each(args.skills.iter().cloned().map(Step::Wanted).collect()));
    }
    if !args.frozen {
        return Ok(Steps::Together(args.skills.clone()));
    }
    lock.check_complete()?;
    let mut steps = Vec::new();
    let mut next = args.skills.iter().map(|wanted| frozen(wanted, lock)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = BTreeSet::new();
    while let Some(locked) = next.pop() {
        if seen.insert(locked.id.key()) {
            let needs = locked.needs()?;
            next.extend(needs.iter().filter_map(|need| lock.get(&need.id)).cloned());
            steps.push(Step::Locked(Box::new(locked)));
        }
    }
    Ok(Steps::Each(steps))
}

fn frozen(wanted: &Wanted, lock: &Lockfile) -> Result<LockedSkill, Failure> {
    let Some(locked) = lock.get(&wanted.id) else {
        return Err(Failure::usage(format!("`{}` is not in `{LOCK_FILE}`", wanted.id))
            .hint("leave `--frozen` out to lock it"));
    };
    let fits = wanted.request == VersionRequest::Latest
        || wanted.request.choose(std::iter::once(&locked.version)).is_some();
    if !fits {
        return Err(Failure::usage(format!(
            "`{LOCK_FILE}` has `{}` {}, which is not {}",
            locked.id, locked.version, wanted.request
        ))
        .hint("leave `--frozen` out to lock another version"));
    }
    Ok(locked.clone())
}

async fn install_all(
    session: &Session,
    client: &Client,
    library: &Library,
    steps: &[Step],
    options: InstallOptions,
) -> Result<Vec<Installation>, Failure> {
    let progress = Progress::bar(&session.output, steps.len());
    let mut installed = Vec::with_capacity(steps.len());
    for step in steps {
        installed.push(match step {
            Step::Wanted(wanted) => {
                progress.message(&wanted.to_string());
                library.install(client, &wanted.id, &wanted.request, options).await?
            }
            Step::Locked(locked) => {
                progress.message(&format!("{}@{}", locked.id, locked.version));
                library.install_locked(client, locked, options).await?
            }
        });
        progress.step();
    }
    Ok(installed)
}

fn describe(page: &mut Page, skill: &Installation) {
    let manifest = &skill.installed.manifest;
    let done = if skill.added { "installed " } else { "is installed already: " };
    let line = Line::default()
        .toned(Tone::Good, done)
        .name(manifest.id.as_str())
        .plain(format!(" {}", manifest.version));
    let line = match (skill.from_cache, skill.added) {
        (true, true) => line.plain(" from what was downloaded earlier"),
        (true, false) => line.plain(", and the registry was not asked"),
        (false, _) => line,
    };
    page.line(match &manifest.signed {
        Some(signed) => line.toned(Tone::Faint, format!(", signed by {}", signed.signer)),
        None => line,
    });
}
