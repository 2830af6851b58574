//! The clients themselves: packages of npm and PyPI, and the programs of a system.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::e2e::npm::Npm;
use crate::e2e::packages::{Packages, Requirements};
use crate::shell::is_there;

const NPM: &str = "xtask/e2e/clients/npm";
/// The agent package manager, whose dependencies are its own.
const APM: Requirements =
    Requirements { folder: "venv-apm", file: "xtask/e2e/clients/apm/requirements.txt", python: (3, 10) };

/// Where a client's program comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// A package of npm that a Node of this major version runs, and the program's file in it. Without a file it is what the
    /// package itself calls its program.
    Node { package: &'static str, node: u32, file: Option<&'static str> },
    /// A program in a package of npm that needs no Node.
    Native { package: &'static str, file: &'static str },
    /// A program in a package of PyPI.
    Python { package: &'static str, program: &'static str },
    /// A program of the system.
    System { program: &'static str },
}

/// Everything that was installed.
pub(crate) struct Installed {
    npm: std::result::Result<Npm, String>,
    apm: std::result::Result<Packages, String>,
}

/// A client that can be started.
pub(crate) struct Program {
    pub(crate) version: String,
    /// The program, and what comes before its arguments.
    pub(crate) start: Vec<PathBuf>,
    /// The folder of its Node.
    pub(crate) node: Option<PathBuf>,
}

impl Installed {
    /// Installs what is not there yet. It needs the network once.
    pub(crate) fn prepare(with_python: bool) -> Result<Self> {
        let npm = Npm::prepare("clients", NPM)?;
        let apm = if with_python { Packages::prepare(APM)? } else { Err("it was not asked for".to_owned()) };
        Ok(Self { npm, apm })
    }

    /// The program of a client; where it cannot be had, why.
    pub(crate) fn program(&self, source: Source) -> Result<std::result::Result<Program, String>> {
        match source {
            Source::Node { package, node, file } => {
                let npm = match &self.npm {
                    Ok(npm) => npm,
                    Err(why) => return Ok(Err(why.clone())),
                };
                let Some(node) = npm.node(node) else {
                    return Ok(Err(format!("npm has no Node {node} for this machine")));
                };
                let folder = npm.package(package);
                let about = about(&folder)?;
                let file = match file {
                    Some(file) => file.to_owned(),
                    None => program_of(&about).with_context(|| format!("`{package}` has no program"))?,
                };
                let version = format!("{} (Node {})", version_of(&about)?, node.version);
                let start = vec![node.folder.join("node"), folder.join(file)];
                Ok(Ok(Program { version, start, node: Some(node.folder) }))
            }
            Source::Native { package, file } => {
                let npm = match &self.npm {
                    Ok(npm) => npm,
                    Err(why) => return Ok(Err(why.clone())),
                };
                let folder = npm.package(package);
                if !folder.join(file).exists() {
                    return Ok(Err(format!("npm has no `{package}` for this machine")));
                }
                let version = version_of(&about(&folder)?)?;
                Ok(Ok(Program { version, start: vec![folder.join(file)], node: None }))
            }
            Source::Python { package, program } => {
                let packages = match &self.apm {
                    Ok(packages) => packages,
                    Err(why) => return Ok(Err(why.clone())),
                };
                let version = packages.tool(package)?.version;
                Ok(Ok(Program { version, start: vec![packages.program(program)], node: None }))
            }
            Source::System { program } => {
                if !is_there(program, "--version") {
                    return Ok(Err(format!("there is no `{program}`")));
                }
                let said =
                    crate::shell::Say::output_text(std::process::Command::new(program).arg("--version"))?;
                let version = said.split_whitespace().next_back().unwrap_or_default().to_owned();
                Ok(Ok(Program { version, start: vec![PathBuf::from(program)], node: None }))
            }
        }
    }
}

fn about(folder: &Path) -> Result<Value> {
    let file = folder.join("package.json");
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

fn version_of(about: &Value) -> Result<String> {
    Ok(about["version"].as_str().context("the package does not say its version")?.to_owned())
}

/// What a package calls its program; of several names, the first.
fn program_of(about: &Value) -> Option<String> {
    let bin = &about["bin"];
    let first = bin.as_object().and_then(|programs| programs.values().next());
    Some(bin.as_str().or_else(|| first?.as_str())?.to_owned())
}
