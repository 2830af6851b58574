//! An author who signs: the program with a home of its own, and what the registry then serves to anybody.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::http::get_body;
use super::registry::Caller;
use super::report::{Ended, Verdict, quietly};
use super::tamper::flipped;
use super::world::World;

/// The one who signs: the owner of the org.
pub(crate) const NAME: &str = "ada";
/// Where versions are published.
pub(crate) const ORG: &str = "acme";
/// Places of a statement and of a signature at which a byte is flipped.
pub(crate) const PLACES: usize = 9;
/// The only version of each skill here.
const VERSION: &str = "1.0.0";

/// An author with a working folder and a home in which nothing is configured.
pub(crate) struct Author {
    program: PathBuf,
    caller: Caller,
    url: String,
    pub(crate) folder: PathBuf,
}

/// A version that was published signed.
pub(crate) struct Published {
    caller: Caller,
    pub(crate) id: String,
}

impl Author {
    /// One whose folder has this name.
    pub(crate) fn new(world: &World, name: &str) -> Result<Self> {
        let folder = world.subfolder(name)?;
        let (program, url) = (world.program.clone(), world.registry.url.clone());
        Ok(Self { program, caller: world.owner(), url, folder })
    }

    /// The program in the author's folder. No agent of whoever runs this task is to sign anything.
    pub(crate) fn skillery(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder).env_remove("SSH_AUTH_SOCK");
        command.env("SKILLERY_REGISTRY", &self.url).env("SKILLERY_TOKEN", &self.caller.token);
        command.env("SKILLERY_HOME", self.folder.join("home"));
        command
    }

    /// Another program in the author's folder, which must succeed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).env_remove("SSH_AUTH_SOCK");
        succeeded(&mut command)
    }

    /// The publication of a skill whose files are those of no other. Give it a key, or an agent.
    pub(crate) fn publish_command(&self, skill: &str) -> Result<Command> {
        let file = format!("{skill}.py");
        std::fs::write(self.folder.join(&file), format!("def {skill}():\n    return {skill:?}\n"))?;
        let id = format!("{ORG}/{skill}");
        let publish = ["publish", &file, "--id", &id, "--version", VERSION, "--visibility", "public"];
        Ok(self.skillery(&publish))
    }

    /// Publishes a skill, signed with the key that was enrolled last, or with what the arguments name.
    pub(crate) fn publish(&self, skill: &str, more: &[&str]) -> Result<Published> {
        succeeded(self.publish_command(skill)?.args(more))?;
        Ok(self.published(skill))
    }

    /// What was published.
    pub(crate) fn published(&self, skill: &str) -> Published {
        Published { caller: self.caller.clone(), id: format!("{ORG}/{skill}") }
    }

    /// Installs a version, demands that it is signed, and gives the folder with its files.
    pub(crate) fn install(&self, published: &Published) -> Result<PathBuf> {
        let mut install = self.skillery(&["install", &published.id, "--require", "signed", "--json"]);
        succeeded(&mut install)?;
        let listed: Value = serde_json::from_str(&succeeded(&mut self.skillery(&["list", "--json"]))?)?;
        let skills = listed["skills"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = skills.iter().find(|skill| skill["id"].as_str() == Some(&published.id));
        let path = found.and_then(|skill| skill["path"].as_str());
        Ok(path.with_context(|| format!("`{}` is not installed", published.id))?.into())
    }
}

impl Published {
    /// A page of the version, byte for byte, as anybody gets it.
    pub(crate) fn get(&self, page: &str) -> Result<Vec<u8>> {
        get_body(self.caller.address, &format!("/api/v1/skills/{}/versions/{VERSION}/{page}", self.id))
    }

    /// The file with which OpenSSH judges the signatures of the org.
    pub(crate) fn allowed_signers(&self) -> Result<Vec<u8>> {
        let path = format!("/orgs/{ORG}/allowed_signers");
        Ok(self.caller.text("GET", &path, &Value::Null)?.into_bytes())
    }
}

/// Runs a program that must succeed, and gives what it prints.
pub(crate) fn succeeded(command: &mut Command) -> Result<String> {
    let ended = quietly(command)?;
    match ended.status {
        Some(0) => Ok(ended.out),
        _ => bail!("`{}` failed: {} {}", crate::shell::shown(command), ended.out, ended.err),
    }
}

/// The verdict of a program of ours, which refuses with this exit code.
pub(crate) fn ours(command: &mut Command, refused: i32) -> Result<Verdict> {
    let Ended { status, out, err } = quietly(command)?;
    match status {
        Some(0) => Ok(Verdict::Accepted(out.replace('\n', "; "))),
        Some(status) if status == refused => Ok(Verdict::Refused(err.replace('\n', "; "))),
        _ => bail!("it cannot tell: {out} {err}"),
    }
}

/// The bytes with one flipped at so many places, from the first to the last.
pub(crate) fn flips(bytes: &[u8], places: usize) -> Result<Vec<(usize, Vec<u8>)>> {
    spread(bytes.len(), places).map(|at| Ok((at, flipped(bytes, at)?))).collect()
}

/// A text in Base64 with a bit flipped of what it encodes, at so many places. It stays Base64: its form is not what is to
/// be refused. The last characters may have bits that mean nothing, and stay as they are.
pub(crate) fn base64_flips(text: &str, places: usize) -> Result<Vec<(usize, String)>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let flip = |at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        let at = (at..at + 2).find(|at| bytes[*at] != b'\n').unwrap_or(at);
        let digit = ALPHABET.iter().position(|digit| *digit == bytes[at]);
        bytes[at] = ALPHABET[digit.context("this is not Base64")? ^ 1];
        Ok((at, String::from_utf8(bytes)?))
    };
    spread(text.len().saturating_sub(4), places).map(flip).collect()
}

/// So many places below a length, from the first to the last.
fn spread(length: usize, places: usize) -> impl Iterator<Item = usize> {
    let last = length.saturating_sub(1);
    (0..places).map(move |place| last * place / places.saturating_sub(1).max(1))
}

/// Runs a check while a file has one byte flipped in its middle, and puts the file back.
pub(crate) fn with_flipped_file<T>(file: &Path, check: impl FnOnce() -> Result<T>) -> Result<T> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    std::fs::write(file, flipped(&bytes, bytes.len() / 2)?)?;
    let outcome = check();
    std::fs::write(file, bytes)?;
    outcome
}
