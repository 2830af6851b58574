//! `skillery update`: installs the newest versions of skills that are installed.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use serde::Serialize;
use skillery_client::agents::{Change, Placed};
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::resolve::Chosen;
use skillery_client::{Client, InstallOptions, Installed, Library, Lockfile, Update};
use skillery_core::{SkillId, VersionRequest};

use crate::failure::{CommandResult, Exit, Failure};
use crate::locking;
use crate::output::{Line, Page, Tone};
use crate::placing::{self, AgentArgs, ForceArgs};
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

  skillery update --agent claude-code                what is placed for it

The versions before stay in the library. What `skillery.lock` names is locked anew. \
What is placed for agents, in this project and for all, is brought to the current versions.")]
pub(crate) struct UpdateArgs {
    /// Skills, `org/name`, with `@` and a range where it should not be the latest; all when left out
    skills: Vec<InstalledName>,

    /// Do not write `skillery.lock`
    #[arg(long)]
    no_lock: bool,

    #[command(flatten)]
    agents: AgentArgs,

    #[command(flatten)]
    force: ForceArgs,
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
    /// What was placed for agents.
    #[serde(skip_serializing_if = "<[Placed]>::is_empty")]
    placed: &'a [Placed],
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &UpdateArgs) -> CommandResult {
    let library = session.library()?;
    let lock_path = &args.agents.project.as_deref().unwrap_or(Path::new("")).join(LOCK_FILE);
    let no_lock = args.no_lock || args.agents.global || !lock_path.exists();
    // Who changes the lock keeps others from doing so from before it is read.
    let project = args.agents.project.as_deref().unwrap_or(Path::new(""));
    let _guard = match no_lock {
        true => None,
        false => Some(locking::guard(session, project).await?),
    };
    let lock = if no_lock { None } else { Lockfile::load(lock_path)? };
    let skills: Vec<(SkillId, VersionRequest)> = if args.skills.is_empty() {
        let is_meant = meant(session, &args.agents)?;
        library
            .list()?
            .into_iter()
            .map(|skill| skill.manifest.id)
            .filter(is_meant)
            .map(|id| (id, VersionRequest::Latest))
            .collect()
    } else {
        let find = |skill: &InstalledName| {
            Ok((library.find(&skill.name)?, skill.request.clone().unwrap_or(VersionRequest::Latest)))
        };
        args.skills.iter().map(find).collect::<Result<_, Failure>>()?
    };

    let config = session.config()?;
    let client = Client::new(&config)?;
    let options = InstallOptions::of(&config);
    let is_named = |(_, request): &&(SkillId, VersionRequest)| *request != VersionRequest::Latest;
    let named: Vec<(SkillId, VersionRequest)> = skills.iter().filter(is_named).cloned().collect();
    // Whoever asked for a range does not want what is beyond it.
    let skills = skills
        .into_iter()
        .map(|(id, request)| {
            let locked = lock.as_ref().and_then(|lock| lock.get(&id)?.wanted.clone());
            let kept = locked.filter(|_| request == VersionRequest::Latest);
            Ok((id, kept.map(|text| text.parse()).transpose()?.unwrap_or(request)))
        })
        .collect::<Result<Vec<_>, skillery_client::Error>>()?;
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
        // The library may have had the newest version already, from another project.
        let is_behind = |updated: &&Updated| {
            let locked = lock.get(&updated.id);
            let is_newer = locked.is_some_and(|locked| locked.version < updated.update.to);
            locked.is_some() && (updated.update.installation.is_some() || is_newer)
        };
        let behind = updates.iter().filter(is_behind).filter(|updated| updated.update.passed_over.is_none());
        let installed = behind.map(|updated| library.get(updated.id.as_str(), None));
        let installed = installed.collect::<Result<Vec<_>, _>>()?;
        // What was wanted stays wanted, in another way where one was named; what is only needed stays so.
        let request = |installed: &Installed| {
            let id = &installed.manifest.id;
            let is_wanted = lock.get(id).is_some_and(|locked| locked.wanted.is_some());
            named.iter().find(|(other, _)| other.key() == id.key() && is_wanted).map(|(_, request)| request)
        };
        let installed = installed.iter().map(|installed| (installed, request(installed)));
        let after = locking::with(&library, &lock, installed)?;
        if after != lock {
            let after = complete(session, &client, &library, &after, options).await?;
            after.save(lock_path)?;
        }
    }
    let ids: Vec<SkillId> = updates.iter().map(|updated| updated.id.clone()).collect();
    let only = (!args.skills.is_empty()).then_some(ids.as_slice());
    let placing = placing::refresh(session, &library, &args.agents, only, args.force.force)?;
    session.output.show(&Report { skills: &updates, placed: &placing.placed }, |page| {
        if updates.is_empty() {
            page.text("nothing is installed");
        }
        updates.iter().for_each(|updated| describe(page, updated));
        let changed = placing.placed.iter().filter(|placed| placed.change != Change::Unchanged);
        changed.for_each(|placed| placing::describe(page, placed));
    })?;
    for warning in updates.iter().filter_map(|updated| updated.update.installation.as_ref()?.warning.as_ref())
    {
        session.output.warning(warning);
    }
    placing::refused(placing)?;
    Ok(Exit::Done)
}

/// The lock with what the skills in it need now, and without what they need no more.
async fn complete(
    session: &Session,
    client: &Client,
    library: &Library,
    lock: &Lockfile,
    options: InstallOptions,
) -> Result<Lockfile, Failure> {
    let wants = lock.wants(client.registry())?;
    let progress = Progress::bar(&session.output, lock.skills().len());
    let step = |chosen: &Chosen| {
        progress.message(&format!("{}@{}", chosen.id, chosen.version));
        progress.step();
    };
    let together = library.install_together(client, &wants, lock, &BTreeSet::new(), options, &step).await?;
    locking::relocked(library, lock, client.registry(), &wants, &together)
}

/// Which skills are meant where none is named: all, or, where agents or a project are named, those that are placed there.
fn meant(session: &Session, agents: &AgentArgs) -> Result<impl Fn(&SkillId) -> bool + use<>, Failure> {
    let is_all = !agents.is_given() && !agents.has_scope();
    // Also that the record can be read is to be known before anything is changed.
    let placed = agents.listed(session)?;
    Ok(move |id: &SkillId| is_all || placed.iter().any(|placed| placed.id.key() == id.key()))
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
