//! `cargo xtask e2e clients`: the clients that people already have, unchanged, against a real registry.
//!
//! Each gets a home of its own, an org of its own and a list of steps. What it installs is compared with what the API says
//! that a version has, file by file. All of it runs in a network in which there is only this machine, so that nothing that
//! works here works by the help of anybody else. What a client was seen to do is written as a table.

mod alone;
mod apm;
mod clawhub;
mod collection;
mod desk;
mod files;
mod gemini;
mod git;
mod inspector;
mod install;
mod marketplaces;
mod matrix;
mod opencode;
mod proxy;
mod secure;
mod shelf;
mod skills_discovery;
mod skills_git;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::collection::Collection;
use self::desk::Desk;
use self::install::{Installed, Source};
use self::matrix::{Matrix, Row};
use self::proxy::Way;
use self::secure::Secure;
use self::shelf::Shelf;
use super::registry::Registry;
use crate::guard::{Folder, temporary_folder};
use crate::shell::{program, target_folder};

/// Arguments of `e2e clients`.
#[derive(Debug, Args)]
pub(crate) struct ClientsArgs {
    /// Drive only these clients (repeatable), by their names as `--list` shows them; `skills*` means all that begin so
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Show the names of all clients
    #[arg(long)]
    list: bool,
    /// Publish all skills of this folder too, and install all of them through every surface
    #[arg(long, value_name = "DIR")]
    collection: Option<PathBuf>,
    /// Do only that
    #[arg(long, requires = "collection")]
    collection_only: bool,
    /// Succeed although a client cannot be had, because a registry of packages is not reached
    #[arg(long)]
    allow_skips: bool,
    /// Keep the homes, projects and outputs of all clients
    #[arg(long)]
    keep: bool,
    /// Take this `skillery` instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Already in a network of its own
    #[arg(long, hide = true)]
    alone: bool,
}

/// Everything that one client is driven with.
pub(crate) struct Scene<'a> {
    pub(crate) desk: Desk,
    pub(crate) shelf: Shelf,
    /// Between the two, where a byte can be changed.
    pub(crate) way: &'a Way,
    /// Our own program.
    pub(crate) program: &'a Path,
}

/// A client, and how it is driven.
struct Client {
    /// What `--only` calls it; its org is named after it.
    name: &'static str,
    /// What the table calls it, before its version.
    title: &'static str,
    /// What it is called on a command line.
    command: &'static str,
    source: Source,
    door: Door,
    drive: fn(&Scene<'_>, &mut Row) -> Result<()>,
}

/// How a client comes to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Plain HTTP on a loopback address.
    Plain,
    /// TLS, on another one.
    Secure,
}

/// All of them, as the table has them.
const CLIENTS: &[Client] = &[
    Client {
        name: "skills",
        title: "skills, discovery",
        command: "skills",
        source: SKILLS,
        door: Door::Plain,
        drive: skills_discovery::newest,
    },
    Client {
        name: "skills-git",
        title: "skills, Git",
        command: "skills",
        source: SKILLS,
        door: Door::Plain,
        drive: skills_git::newest,
    },
    Client {
        name: "skills-1.5",
        title: "skills, discovery",
        command: "skills",
        source: Source::Node { package: "skills-1.5", node: 20, file: None },
        door: Door::Plain,
        drive: skills_discovery::older,
    },
    Client {
        name: "skills-1.5-git",
        title: "skills, Git",
        command: "skills",
        source: Source::Node { package: "skills-1.5", node: 20, file: None },
        door: Door::Plain,
        drive: skills_git::older,
    },
    Client {
        name: "clawhub",
        title: "clawhub",
        command: "clawhub",
        source: Source::Node { package: "clawhub", node: 22, file: None },
        door: Door::Plain,
        drive: clawhub::newest,
    },
    Client {
        name: "clawhub-0.20",
        title: "clawhub",
        command: "clawhub",
        source: Source::Node { package: "clawhub-0.20", node: 20, file: None },
        door: Door::Plain,
        drive: clawhub::older,
    },
    Client {
        name: "git",
        title: "git",
        command: "git",
        source: Source::System { program: "git" },
        door: Door::Plain,
        drive: git::drive,
    },
    Client {
        name: "claude",
        title: "Claude Code, Git",
        command: "claude",
        source: CLAUDE,
        door: Door::Plain,
        drive: marketplaces::claude_git,
    },
    Client {
        name: "claude-url",
        title: "Claude Code, catalogue",
        command: "claude",
        source: CLAUDE,
        door: Door::Plain,
        drive: marketplaces::claude_url,
    },
    Client {
        name: "claude-archive",
        title: "Claude Code, catalogue with archives",
        command: "claude",
        source: CLAUDE,
        door: Door::Secure,
        drive: marketplaces::claude_archive,
    },
    Client {
        name: "codex",
        title: "Codex",
        command: "codex",
        source: CODEX,
        door: Door::Plain,
        drive: marketplaces::codex,
    },
    Client {
        name: "copilot",
        title: "Copilot CLI",
        command: "copilot",
        source: Source::Node { package: "@github/copilot", node: 22, file: None },
        door: Door::Plain,
        drive: marketplaces::copilot,
    },
    Client {
        name: "gemini",
        title: "Gemini CLI",
        command: "gemini",
        source: GEMINI,
        door: Door::Plain,
        drive: gemini::drive,
    },
    Client {
        name: "opencode",
        title: "OpenCode",
        command: "opencode",
        source: OPENCODE,
        door: Door::Plain,
        drive: opencode::drive,
    },
    Client {
        name: "inspector",
        title: "MCP Inspector, HTTP",
        command: "mcp-inspector",
        source: INSPECTOR,
        door: Door::Plain,
        drive: inspector::over_http,
    },
    Client {
        name: "inspector-stdio",
        title: "MCP Inspector, `skillery mcp`",
        command: "mcp-inspector",
        source: INSPECTOR,
        door: Door::Plain,
        drive: inspector::through_our_program,
    },
    Client {
        name: "apm",
        title: "apm-cli",
        command: "apm",
        source: Source::Python { package: "apm-cli", program: "apm" },
        door: Door::Secure,
        drive: apm::drive,
    },
];

const SKILLS: Source = Source::Node { package: "skills", node: 22, file: None };
const CODEX: Source = Source::Node { package: "@openai/codex", node: 22, file: None };
const GEMINI: Source = Source::Node { package: "@google/gemini-cli", node: 22, file: None };
const OPENCODE: Source = Source::Native { package: "opencode-linux-x64-baseline", file: "bin/opencode" };
const INSPECTOR: Source = Source::Node { package: "@modelcontextprotocol/inspector", node: 22, file: None };
/// The program that its package puts in the place of its own when it is installed.
const CLAUDE: Source =
    Source::Node { package: "@anthropic-ai/claude-code", node: 22, file: Some("cli-wrapper.cjs") };

/// Drives all clients, writes the table, and fails unless everything was as expected.
pub(crate) fn run(args: &ClientsArgs) -> Result<()> {
    if args.list {
        CLIENTS.iter().for_each(|client| println!("{:<24} {}", client.name, client.title));
        return Ok(());
    }
    let chosen = chosen(&args.only)?;
    let needs_python = chosen.iter().any(|client| matches!(client.source, Source::Python { .. }));
    if !args.alone {
        return prepare(args, needs_python);
    }
    alone::insist()?;
    let program = args.program.as_deref().context("there is no program")?;
    let installed = Installed::prepare(needs_python)?;
    let folder = Place::new(args.keep)?;
    let began = Instant::now();
    let registry = Registry::start_with(program, &folder.path().join("data"), "TERM", CHATTY)?;
    let way = Way::to(&registry)?;
    let needs_tls = chosen.iter().any(|client| client.door == Door::Secure) && !args.collection_only;
    let secure = match needs_tls {
        true => Some(Secure::start(program, &installed, folder.path(), CHATTY)?),
        false => None,
    };
    let world = World { program: program.to_owned(), installed, registry, way, secure };
    let mut matrix = Matrix::default();
    for client in chosen.iter().filter(|_| !args.collection_only) {
        world.drive(client, folder.path(), &mut matrix)?;
    }
    let collected = args.collection.as_deref().map_or(Ok(()), |collection| {
        let collection = Collection::publish(&world.registry, program, collection, folder.path())?;
        let told = collection.check(&world.installed)?;
        Ok(std::fs::write(target_folder().join("e2e").join("collection.md"), told)?)
    });
    if args.collection_only {
        return collected;
    }
    let result = matrix.finish(&target_folder().join("e2e").join("clients.md"), args.allow_skips);
    alone::insist()?;
    let result = result.and(collected);
    println!("\n{:.0} s since the start of the registry", began.elapsed().as_secs_f64());
    result
}

/// The registry writes a line for each request, so that a failure can show what was asked.
const CHATTY: &[&str] = &["--log-level", "skillery_server=debug"];

/// Builds and installs everything that there is to have, then goes on in a network of its own.
fn prepare(args: &ClientsArgs, needs_python: bool) -> Result<()> {
    println!("==> the program");
    let program = program(args.program.as_deref())?;
    println!("\n==> the clients");
    Installed::prepare(needs_python)?;
    let mut again: Vec<OsString> = ["e2e", "clients", "--alone", "--program"].map(OsString::from).into();
    again.push(program.into_os_string());
    for name in &args.only {
        again.extend(["--only".into(), name.into()]);
    }
    if let Some(folder) = &args.collection {
        let folder = folder.canonicalize().with_context(|| format!("there is no `{}`", folder.display()))?;
        again.extend(["--collection".into(), folder.into_os_string()]);
    }
    again.extend(args.collection_only.then(|| "--collection-only".into()));
    again.extend(args.allow_skips.then(|| "--allow-skips".into()));
    again.extend(args.keep.then(|| "--keep".into()));
    alone::run_again(&again)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Client>> {
    let is_meant = |client: &Client, name: &str| match name.strip_suffix('*') {
        Some(beginning) => client.name.starts_with(beginning),
        None => client.name == name,
    };
    if let Some(name) = names.iter().find(|name| !CLIENTS.iter().any(|client| is_meant(client, name))) {
        bail!("there is no client `{name}`; `--list` shows all");
    }
    let is_chosen = |client: &&Client| names.is_empty() || names.iter().any(|name| is_meant(client, name));
    Ok(CLIENTS.iter().filter(is_chosen).collect())
}

/// What all clients share. The order is that of the end.
struct World {
    program: PathBuf,
    installed: Installed,
    registry: Registry,
    way: Way,
    secure: Option<Secure>,
}

impl World {
    /// Drives one client. Whatever it does, the next one is driven too.
    fn drive(&self, client: &Client, folder: &Path, matrix: &mut Matrix) -> Result<()> {
        let its = match self.installed.program(client.source)? {
            Ok(its) => its,
            Err(why) => {
                matrix.miss(client.title, &why);
                return Ok(());
            }
        };
        let title = match client.title.split_once(", ") {
            Some((title, route)) => format!("{title} {}, {route}", its.version),
            None => format!("{} {}", client.title, its.version),
        };
        let secure = self.secure.as_ref().filter(|_| client.door == Door::Secure);
        let registry = secure.map_or(&self.registry, |secure| &secure.registry);
        let way = secure.map_or(&self.way, |secure| &secure.way);
        let mut row = Row::new(&title, &registry.log);
        let outcome = (|| {
            let folder = folder.join(client.name);
            let desk = Desk::new(&folder, client.command, &its.start, its.node.as_deref())?;
            let desk = secure.map_or_else(|| desk.clone(), |secure| secure.trusted_by(&desk));
            let shelf = Shelf::stock(registry, &client.name.replace('.', ""))?;
            (client.drive)(&Scene { desk, shelf, way, program: &self.program }, &mut row)
        })();
        row.end(outcome);
        matrix.take(row);
        Ok(())
    }
}

/// Where everything of a run lies.
enum Place {
    Gone(Folder),
    Kept(PathBuf),
}

impl Place {
    fn new(keep: bool) -> Result<Self> {
        if !keep {
            return Ok(Self::Gone(Folder::new("e2e-clients")?));
        }
        let folder = temporary_folder("e2e-clients")?;
        println!("everything is kept in `{}`", folder.display());
        Ok(Self::Kept(folder))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Gone(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}
