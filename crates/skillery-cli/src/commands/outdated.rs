//! `skillery outdated`: which skills have newer versions, or versions that should not be used.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use skillery_client::library::Outdated;
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::{Client, Lockfile};
use skillery_core::{Digest, SkillId, Version, VersionStatus};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, left};
use crate::progress::Progress;
use crate::session::Session;
use crate::wanted::InstalledName;

/// Arguments of `outdated`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery outdated                                  what `skillery.lock` or the library has
  skillery outdated --installed                      what is installed
  skillery outdated acme/email_validator --exit-code
  skillery outdated --json | jq -r '.skills[] | select(.outdated) | .id'

WANTED is the highest version that is compatible by semantic versioning, LATEST the highest. \
Nothing is downloaded; `skillery update` installs the latest.")]
pub(crate) struct OutdatedArgs {
    /// Skills, `org/name`; all when left out
    skills: Vec<InstalledName>,

    /// What is installed, even where there is a `skillery.lock`
    #[arg(long)]
    installed: bool,

    /// List those too that are up to date
    #[arg(long)]
    all: bool,

    /// Exit with 1 when something is outdated
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    /// `skillery.lock` or `library`.
    source: &'static str,
    skills: Vec<Outdated>,
    /// Skills that this registry cannot be asked about: made here, or from another one.
    passed_over: Vec<PassedOver>,
}

#[derive(Debug, Serialize)]
struct PassedOver {
    id: SkillId,
    registry: Option<String>,
}

/// A version that is used.
pub(super) struct Used {
    pub(super) id: SkillId,
    pub(super) version: Version,
    pub(super) digest: Digest,
    pub(super) registry: Option<String>,
    pub(super) log_index: Option<u64>,
    /// What it needs, where it is locked: of what is installed only its files say that.
    pub(super) needs: Option<Vec<SkillId>>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &OutdatedArgs) -> CommandResult {
    let (source, used) = used(session, args.installed)?;
    let used = chosen(used, &args.skills, source)?;
    let client = Client::new(&session.config()?)?;
    let mut report = Report { source, skills: Vec::with_capacity(used.len()), passed_over: Vec::new() };
    let progress = Progress::bar(&session.output, used.len());
    for Used { id, version, digest, registry, .. } in used {
        progress.message(id.as_str());
        if registry.as_deref() == Some(client.registry()) {
            report.skills.push(Outdated::of(&client, &id, &version, digest).await?);
        } else {
            report.passed_over.push(PassedOver { id, registry });
        }
        progress.step();
    }
    drop(progress);
    let is_outdated = report.skills.iter().any(|skill| skill.outdated);
    session.output.show(&report, |page| {
        let shown: Vec<_> = report.skills.iter().filter(|skill| skill.outdated || args.all).collect();
        if shown.is_empty() {
            page.text("everything is up to date");
            return;
        }
        let heads = ["SKILL", "CURRENT", "WANTED", "LATEST", "NOTE"].map(left);
        let mut grid = Grid::new(&heads);
        for skill in shown {
            let text = |version: &Option<Version>| {
                version.as_ref().map_or_else(|| "-".to_owned(), Version::to_string)
            };
            let (current, wanted, latest) =
                (skill.current.to_string(), text(&skill.wanted), text(&skill.latest));
            grid.row([skill.id.as_str(), &current, &wanted, &latest, &note(skill)]);
        }
        page.grid(grid);
    })?;
    for PassedOver { id, registry } in &report.passed_over {
        let why = match registry {
            Some(registry) => format!(" came from {registry}"),
            None => " was made here".to_owned(),
        };
        session.output.note(Line::default().plain("passed over: ").name(id.as_str()).plain(why));
    }
    Ok(if args.exit_code && is_outdated { Exit::Failed } else { Exit::Done })
}

fn note(skill: &Outdated) -> String {
    let status = match skill.status {
        _ if skill.differs => return "the registry has other content under this version".to_owned(),
        None => return "the registry has no such version".to_owned(),
        Some(VersionStatus::Published) => return String::new(),
        Some(status) => status.to_string(),
    };
    match &skill.reason {
        Some(reason) => format!("{status}: {reason}"),
        None => status,
    }
}

/// What the lock file of this folder names, or else what is installed; and which of the two it is.
pub(super) fn used(session: &Session, installed: bool) -> Result<(&'static str, Vec<Used>), Failure> {
    let lock = if installed { None } else { Lockfile::load(Path::new(LOCK_FILE))? };
    if let Some(lock) = lock {
        let used = lock.skills().iter().map(|locked| {
            Ok(Used {
                id: locked.id.clone(),
                version: locked.version.clone(),
                digest: locked.digest,
                registry: Some(locked.registry.clone()),
                log_index: locked.log_index,
                needs: Some(locked.needs()?.into_iter().map(|need| need.id).collect()),
            })
        });
        return Ok((LOCK_FILE, used.collect::<Result<_, skillery_client::Error>>()?));
    }
    let used = session.library()?.list()?.into_iter().map(|installed| Used {
        id: installed.manifest.id,
        version: installed.manifest.version,
        digest: installed.manifest.digest,
        registry: installed.manifest.registry,
        log_index: installed.manifest.log_index,
        needs: None,
    });
    Ok(("library", used.collect()))
}

fn chosen(used: Vec<Used>, names: &[InstalledName], source: &str) -> Result<Vec<Used>, Failure> {
    if let Some(name) = names.iter().find(|name| name.request.is_some()) {
        return Err(Failure::usage(format!("`{}` is asked about as it is used", name.name))
            .hint("leave the version out"));
    }
    let is = |used: &Used, name: &str| match name.parse::<SkillId>() {
        Ok(id) => id.key() == used.id.key(),
        Err(_) => used.id.name() == name,
    };
    for InstalledName { name, .. } in names {
        if !used.iter().any(|used| is(used, name)) {
            let message = format!(
                "`{name}` is not in {}",
                if source == LOCK_FILE { "`skillery.lock`" } else { "the library" }
            );
            return Err(Failure::new(Exit::NotFound, "not-installed", message));
        }
    }
    let is_meant = |used: &Used| names.is_empty() || names.iter().any(|name| is(used, &name.name));
    Ok(used.into_iter().filter(is_meant).collect())
}
