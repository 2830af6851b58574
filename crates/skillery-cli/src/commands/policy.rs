//! `skillery policy`: what skills may do, what they ask for, and changing the one to fit the other.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::{Home, Library};
use skillery_core::script::Permissions;
use skillery_core::{Namespace, SkillId};
use skillery_runner::{
    Entry, Grants, Policy, Settled, SkillReference, SkillSource, granted_in_words, in_words, set_entry,
    settle, settle_all,
};

use crate::consent::{find, invalid, read};
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, left};
use crate::session::Session;

/// Arguments of `policy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery policy show
  skillery policy grant acme/report --asked
  skillery policy grant acme/report --host api.example.com:443 --read /srv/tables
  skillery policy revoke acme/report

A skill has what its manifest asks for and the policy grants; one without a manifest has what the policy grants. \
The most particular entry counts, and it alone: that of the skill, else that of the nearest namespace, else the default.")]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,

    /// The policy [default: `policy.toml` in the home folder]
    #[arg(long = "policy", global = true, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Show what is granted, and what installed skills ask for
    #[command(after_help = "\
Examples:
  skillery policy show
  skillery policy show acme/report --json | jq '.skills[0].missing'")]
    Show {
        /// One skill, `org/name`, or a name that only one installed skill has
        skill: Option<String>,
    },
    /// Grant more to skills or to all skills of a namespace
    Grant(GrantArgs),
    /// Take away what was granted
    #[command(after_help = "\
Examples:
  skillery policy revoke acme/report                 what its namespace is granted counts again
  skillery policy revoke acme/data/                  a namespace ends with a slash")]
    Revoke {
        /// Skills; or namespaces, with a slash at their end
        #[arg(required = true, value_name = "SKILL_OR_NAMESPACE")]
        names: Vec<String>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery policy grant acme/report --asked          what its manifest asks for
  skillery policy grant acme/report --read /srv/tables --host api.example.com:443
  skillery policy grant acme/data/ --memory 2147483648 --seconds 300

What is granted already stays. A grant of a folder covers all below it; a host is granted with one port, exactly.")]
struct GrantArgs {
    /// Skills; or namespaces, with a slash at their end
    #[arg(required = true, value_name = "SKILL_OR_NAMESPACE")]
    names: Vec<String>,

    /// What the installed skill asks for
    #[arg(long)]
    asked: bool,

    /// A file or folder to read (repeatable)
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,

    /// A file or folder to read and write (repeatable)
    #[arg(long, value_name = "PATH")]
    write: Vec<PathBuf>,

    /// A host to connect to over TCP (repeatable)
    #[arg(long = "host", value_name = "HOST:PORT")]
    hosts: Vec<String>,

    /// A variable of your environment to see (repeatable)
    #[arg(long = "env", value_name = "NAME")]
    environment: Vec<String>,

    /// Start other programs
    #[arg(long)]
    subprocess: bool,

    /// Have the packages that the manifest asks for
    #[arg(long)]
    packages: bool,

    /// A skill to call that may do what the caller may not, or a namespace (repeatable)
    #[arg(long = "skill", value_name = "SKILL_OR_NAMESPACE")]
    skills: Vec<String>,

    /// Bytes of memory
    #[arg(long, value_name = "BYTES")]
    memory: Option<u64>,

    /// Seconds for one attempt
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    policy: &'a Path,
    entries: Vec<ShownEntry>,
    skills: Vec<ShownSkill>,
}

#[derive(Debug, Serialize)]
struct ShownEntry {
    /// `default`, a skill, or a namespace with its slash.
    #[serde(rename = "for")]
    whom: String,
    grants: Grants,
}

#[derive(Debug, Serialize)]
struct ShownSkill {
    skill: SkillId,
    version: String,
    /// None where the skill does not say.
    asks: Option<Permissions>,
    missing: Permissions,
    has: Grants,
    problem: Option<String>,
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &PolicyArgs) -> CommandResult {
    let home = session.home()?;
    let file = args.file.clone().unwrap_or_else(|| home.policy_file());
    match &args.command {
        PolicyCommand::Show { skill } => show(session, &file, skill.as_deref()),
        PolicyCommand::Grant(args) => grant(session, &home, &file, args),
        PolicyCommand::Revoke { names } => revoke(session, &home, &file, names),
    }
}

fn show(session: &Session, file: &Path, skill: Option<&str>) -> CommandResult {
    let policy = read(file)?;
    let library = session.library()?;
    let ids = match skill {
        Some(name) => vec![library.find(name)?],
        None => library.list()?.into_iter().map(|installed| installed.manifest.id).collect(),
    };
    let skills = ids.into_iter().map(|id| shown_skill(&library, &policy, id)).collect::<Result<_, _>>()?;
    let shown = Shown { policy: file, entries: entries(&policy), skills };
    session.output.show(&shown, |page| describe(page, &shown))?;
    Ok(Exit::Done)
}

fn entries(policy: &Policy) -> Vec<ShownEntry> {
    let entry = |whom: String, grants: &Grants| ShownEntry { whom, grants: grants.clone() };
    let mut entries = vec![entry("default".to_owned(), &policy.default)];
    entries.extend(policy.namespaces.iter().map(|(name, grants)| entry(format!("{name}/"), grants)));
    entries.extend(policy.skills.iter().map(|(name, grants)| entry(name.clone(), grants)));
    entries
}

fn shown_skill(library: &Library, policy: &Policy, id: SkillId) -> Result<ShownSkill, Failure> {
    let installed = library.get(id.as_str(), None)?;
    let granted = policy.grants(id.as_str());
    let settled = settled(library, policy, &id, granted);
    let (settled, problem) = match settled {
        Ok(settled) => (settled, None),
        Err(failure) => {
            let nothing =
                settle("", &Grants::default()).map_err(|error| Failure::usage(error.to_string()))?;
            (nothing, Some(failure.message().to_owned()))
        }
    };
    let Settled { asks, missing, grants: has, .. } = settled;
    let version = installed.manifest.version.to_string();
    Ok(ShownSkill { skill: id, version, asks, missing, has, problem })
}

/// What an installed skill asks for, beside what it is granted.
fn settled(library: &Library, policy: &Policy, id: &SkillId, granted: &Grants) -> Result<Settled, Failure> {
    let code = library.code(id.as_str(), None, None, false)?.code;
    let mut settled = settle(&code, granted).map_err(|error| {
        let what = format!("what `{id}` says of itself cannot be read: {error}");
        Failure::new(Exit::Failed, "invalid-manifest", what)
    })?;
    let find = |reference: &SkillReference| {
        let skill = find(library, policy, reference, false).ok()?;
        let grants = if skill.id == id.as_str() { granted.clone() } else { skill.grants };
        Some(SkillSource { grants, ..skill })
    };
    let named: Vec<SkillReference> = id.as_str().parse().into_iter().collect();
    if let Some((_, with_calls)) = settle_all(&named, &find).into_iter().next() {
        settled.missing.skills = with_calls.missing.skills;
    }
    Ok(settled)
}

fn describe(page: &mut Page, shown: &Shown<'_>) {
    let words = |words: Vec<String>| if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
    page.field("policy", shown.policy.display().to_string());
    page.blank();
    let mut grid = Grid::new(&[left("FOR"), left("MAY")]);
    for ShownEntry { whom, grants } in &shown.entries {
        grid.row([whom.clone(), words(granted_in_words(grants))]);
    }
    page.grid(grid);
    if shown.skills.is_empty() {
        return;
    }
    page.blank();
    let mut grid = Grid::new(&[left("SKILL"), left("VERSION"), left("ASKS TO"), left("NOT GRANTED")]);
    for ShownSkill { skill, version, asks, missing, problem, .. } in &shown.skills {
        let (asks, missing) = match (problem, asks) {
            (Some(problem), _) => (problem.clone(), String::new()),
            (None, None) => ("does not say, and may do what is granted".to_owned(), String::new()),
            (None, Some(asks)) => (words(in_words(asks)), in_words(missing).join(", ")),
        };
        grid.row([skill.as_str().to_owned(), version.clone(), asks, missing]);
    }
    page.grid(grid);
}

/// Whom a name on the command line stands for.
fn entry(library: &Library, name: &str) -> Result<Entry, Failure> {
    if let Some(namespace) = name.strip_suffix('/') {
        let namespace: Namespace = namespace
            .parse()
            .map_err(|error: skillery_core::id::IdError| Failure::usage(error.to_string()))?;
        return Ok(Entry::Namespace(namespace.to_string()));
    }
    if name.contains('/') {
        let id: SkillId =
            name.parse().map_err(|error: skillery_core::id::IdError| Failure::usage(error.to_string()))?;
        return Ok(Entry::Skill(id.to_string()));
    }
    Ok(Entry::Skill(library.find(name)?.to_string()))
}

fn grant(session: &Session, home: &Home, file: &Path, args: &GrantArgs) -> CommandResult {
    let library = session.library()?;
    let entries: Vec<Entry> =
        args.names.iter().map(|name| entry(&library, name)).collect::<Result<_, _>>()?;
    let absolute = |paths: &[PathBuf]| -> Result<Vec<PathBuf>, Failure> {
        let path =
            |path: &PathBuf| std::path::absolute(path).map_err(|error| Failure::file("find", path, &error));
        paths.iter().map(path).collect()
    };
    let more = Permissions {
        read: absolute(&args.read)?,
        write: absolute(&args.write)?,
        hosts: args.hosts.clone(),
        environment: args.environment.clone(),
        subprocess: args.subprocess,
        skills: callable(&library, &args.skills)?,
        ..Permissions::default()
    };
    let is_nothing = more == Permissions::default() && !args.packages && !args.asked;
    if is_nothing && args.memory.is_none() && args.seconds.is_none() {
        return Err(Failure::usage("nothing is named that should be granted")
            .hint("use `--asked` for what the skill asks for, or see `skillery policy grant --help`"));
    }
    home.change_policy(file, |text| {
        let mut text = text.to_owned();
        for entry in &entries {
            let policy = Policy::parse(&text).map_err(|what| invalid(file, &what))?;
            let mut grants = entry.grants(&policy).with(&more);
            if args.asked {
                grants = grants.with(&asked(&library, &policy, entry)?);
            }
            grants.packages |= args.packages;
            grants.memory_bytes = args.memory.unwrap_or(grants.memory_bytes);
            grants.seconds = args.seconds.or(grants.seconds);
            text = set_entry(&text, entry, Some(&grants)).map_err(|what| invalid(file, &what))?;
        }
        Ok::<_, Failure>(text)
    })?;
    changed(session, file, &entries, "granted ")
}

/// Skills and namespaces as the policy writes them.
fn callable(library: &Library, names: &[String]) -> Result<Vec<String>, Failure> {
    let name = |name: &String| {
        Ok(match entry(library, name)? {
            Entry::Skill(name) | Entry::Namespace(name) => name,
        })
    };
    names.iter().map(name).collect()
}

/// What the installed skill asks for.
fn asked(library: &Library, policy: &Policy, entry: &Entry) -> Result<Permissions, Failure> {
    let Entry::Skill(id) = entry else {
        return Err(Failure::usage(format!("`{entry}` is a namespace, and asks for nothing"))
            .hint("name the skills of it that should have what they ask for"));
    };
    let id = library.find(id)?;
    let Settled { asks, missing, .. } = settled(library, policy, &id, &Grants::default())?;
    let asks = asks.ok_or_else(|| {
        Failure::usage(format!("`{id}` does not say what it needs"))
            .hint("grant by name what it should have; see `skillery policy grant --help`")
    })?;
    // Of the calls, those that need a grant.
    Ok(Permissions { skills: missing.skills, ..asks })
}

fn revoke(session: &Session, home: &Home, file: &Path, names: &[String]) -> CommandResult {
    let library = session.library()?;
    // Whoever removed a skill may still take away what it was granted.
    let entry = |name: &String| match entry(&library, name) {
        Err(_) if !name.contains('/') => Ok(Entry::Skill(name.clone())),
        entry => entry,
    };
    let entries: Vec<Entry> = names.iter().map(entry).collect::<Result<_, _>>()?;
    home.change_policy(file, |text| {
        let mut text = text.to_owned();
        for entry in &entries {
            let without = set_entry(&text, entry, None).map_err(|what| invalid(file, &what))?;
            if Policy::parse(&without) == Policy::parse(&text) {
                let message = format!("the policy has no entry for `{entry}`");
                return Err(Failure::new(Exit::NotFound, "no-such-entry", message)
                    .hint("`skillery policy show` lists the entries"));
            }
            text = without;
        }
        Ok(text)
    })?;
    changed(session, file, &entries, "revoked ")
}

/// Tells what counts now.
fn changed(session: &Session, file: &Path, changed: &[Entry], word: &str) -> CommandResult {
    let policy = read(file)?;
    let entries: Vec<_> = changed
        .iter()
        .map(|entry| ShownEntry { whom: entry.to_string(), grants: entry.grants(&policy).clone() })
        .collect();
    let shown = Shown { policy: file, entries, skills: Vec::new() };
    session.output.show(&shown, |page| {
        for ShownEntry { whom, grants } in &shown.entries {
            page.line(Line::default().toned(Tone::Good, word).name(whom));
            let words = granted_in_words(grants);
            if words.is_empty() {
                page.text("  may do nothing beyond computing");
            }
            words.iter().for_each(|words| page.text(format!("  may {words}")));
        }
    })?;
    Ok(Exit::Done)
}
