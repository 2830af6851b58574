//! `aics-tlog` of PyPI: its command line, and its audit of all tiles through a few lines of Python.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use skillery_core::Digest;
use skillery_core::receipt::Receipt;
use skillery_core::tlog::LogProof;

use super::packages::Packages;
use super::report::{Report, Tool, Verdict, quietly};
use super::resources;
use super::tamper::{Tampering, flipped};
use super::world::World;

pub(crate) const NAME: &str = "aics-tlog";
const AUDIT: &str = "xtask/e2e/python/audit.py";

const CHECKPOINT: &str = "verify-checkpoint over HTTP";
const INCLUSION: &str = "verify-inclusion over HTTP";
const CONSISTENCY: &str = "verify-consistency over HTTP";
const EVERYTHING: &str = "audit_tiles of all tiles and bundles";
const PROOF: &str = "verify-inclusion of a tlog-proof, offline";
const SPLIT: &str = "a split view between two servers";

/// Does all its checks, or says why it cannot.
pub(crate) fn check(
    world: &World,
    packages: &std::result::Result<Packages, String>,
    report: &mut Report,
) -> Result<()> {
    let packages = match packages {
        Ok(packages) => packages,
        Err(why) => {
            let all = [CHECKPOINT, INCLUSION, CONSISTENCY, EVERYTHING, PROOF, SPLIT];
            all.iter().for_each(|what| report.skip(NAME, what, why));
            return Ok(());
        }
    };
    let aics = Aics { tool: packages.tool(NAME)?, packages };
    aics.checkpoint(world, report);
    aics.inclusion(world, report);
    aics.consistency(world, report);
    aics.audit(world, report);
    aics.proof(world, report);
    aics.split_view(world, report);
    Ok(())
}

/// The installed package.
pub(crate) struct Aics<'a> {
    pub(crate) tool: Tool,
    pub(crate) packages: &'a Packages,
}

impl Aics<'_> {
    /// A command of it, which prints one JSON object.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.packages.program("aics-tlog"));
        command.arg(name);
        command
    }

    /// One for a log over HTTP, whose key came another way.
    fn over_http(&self, name: &str, url: &str, world: &World) -> Command {
        let mut command = self.command(name);
        command.arg("--tiles").arg(url).arg("--vkey-file").arg(&world.key_file);
        command
    }

    fn checkpoint(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, CHECKPOINT, |row| {
            let check = |url: &str| verdict(&mut self.over_http("verify-checkpoint", url, world));
            row.accepts("the registry", check(&world.registry.log_url()));
            row.accepts("behind the proxy", check(&world.proxied()));
            // Of the tiles it reads only the right edge, which the root is made of.
            let edge = resources::tiles(world, &[1])?.into_iter().filter(|tile| tile.target.contains(".p/"));
            for tampering in resources::checkpoint().into_iter().chain(edge) {
                row.refuses(&tampering.name, world.proxy.with(&tampering, || check(&world.proxied())));
            }
            Ok(())
        });
    }

    fn inclusion(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, INCLUSION, |row| {
            let check = |url: &str, index: u64| {
                verdict(self.over_http("verify-inclusion", url, world).arg("--index").arg(index.to_string()))
            };
            for index in [0, 255, 256, 511, world.size - 1] {
                row.accepts(&format!("entry {index}"), check(&world.registry.log_url(), index));
            }
            row.accepts("entry 300 behind the proxy", check(&world.proxied(), 300));
            let used =
                |tampering: &Tampering| tampering.target.contains("001") || tampering.target.contains("/1/");
            let resources =
                resources::tiles(world, &[1])?.into_iter().chain(resources::bundles(world, &[1])?);
            for tampering in resources.filter(used) {
                let outcome = world.proxy.with(&tampering, || check(&world.proxied(), 300));
                row.refuses(&format!("entry 300 with {}", tampering.name), outcome);
            }
            let mut other = self.over_http("verify-inclusion", &world.registry.log_url(), world);
            other.args(["--index", "300", "--leaf-hash", &Digest::of(b"another leaf").to_string()]);
            row.refuses("another leaf", verdict(&mut other));
            Ok(())
        });
    }

    fn consistency(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, CONSISTENCY, |row| {
            let check = |url: &str, old: &Path| {
                verdict(self.over_http("verify-consistency", url, world).arg("--old-checkpoint").arg(old))
            };
            let sizes = world.told.sizes();
            let middle = world.told.checkpoint_up_to(world.size / 2)?.0;
            for size in [sizes[0], 255, 256, 257, middle] {
                let (size, _) = world.told.checkpoint_up_to(size)?;
                let old = world.told.checkpoint_file(size);
                row.accepts(&format!("from size {size}"), check(&world.registry.log_url(), &old));
            }
            let old = world.told.checkpoint_file(middle);
            row.accepts("behind the proxy", check(&world.proxied(), &old));
            let used =
                |tampering: &Tampering| tampering.target.contains("001") || tampering.target.contains(".p/");
            for tampering in resources::tiles(world, &[1])?.into_iter().filter(used) {
                row.refuses(&tampering.name, world.proxy.with(&tampering, || check(&world.proxied(), &old)));
            }
            for altered in resources::altered_checkpoints(world)? {
                row.refuses(&altered.name, check(&world.registry.log_url(), &altered.file));
            }
            row.refuses("a checkpoint of the fork", check(&world.registry.log_url(), &world.forked_note));
            let newest = world.told.checkpoint_file(world.told.checkpoint_up_to(world.size)?.0);
            row.refuses("a log that has become smaller", check(&world.fork.log_url(), &newest));
            Ok(())
        });
    }

    fn audit(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, EVERYTHING, |row| {
            let check = |url: &str| {
                let mut audit = Command::new(self.packages.program("python"));
                verdict(audit.arg(AUDIT).arg(url).arg(&world.key_file))
            };
            row.accepts("the registry", check(&world.registry.log_url()));
            row.accepts("behind the proxy", check(&world.proxied()));
            let all = resources::all(world, &[1])?;
            for tampering in all.into_iter().filter(|tampering| !tampering.target.ends_with("checkpoint")) {
                row.refuses(&tampering.name, world.proxy.with(&tampering, || check(&world.proxied())));
            }
            Ok(())
        });
    }

    fn proof(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, PROOF, |row| {
            let file = world.told.receipts().last().context("there is no receipt")?;
            let text = std::fs::read_to_string(file)?;
            let (receipt, proof): (Receipt, LogProof) = (text.parse()?, text.parse()?);
            let leaf = receipt.opening.leaf()?;
            let check = |leaf: &[u8], proof: &LogProof| self.check_proof(world, leaf, proof);
            row.accepts(&format!("entry {}", proof.index), check(&leaf, &proof));
            row.refuses("a byte of the leaf", check(&flipped(&leaf, leaf.len() / 2)?, &proof));
            row.refuses("the index", check(&leaf, &LogProof { index: proof.index ^ 1, ..proof.clone() }));
            for at in [0, proof.hashes.len() - 1] {
                let mut altered = proof.clone();
                let mut hash = *altered.hashes[at].bytes();
                hash[31] ^= 1;
                altered.hashes[at] = Digest::from_bytes(hash);
                row.refuses(&format!("hash {at}"), check(&leaf, &altered));
            }
            for (part, change) in super::tamper::of_checkpoint() {
                let note = change(proof.checkpoint.to_string().as_bytes())?;
                let checkpoint = skillery_core::tlog::Note::parse(note)?;
                let altered = LogProof { checkpoint, ..proof.clone() };
                row.refuses(&format!("the checkpoint, {part}"), check(&leaf, &altered));
            }
            Ok(())
        });
    }

    /// The tool reads hashes, leaf and checkpoint from files of their own.
    fn check_proof(&self, world: &World, leaf: &[u8], proof: &LogProof) -> Result<Verdict> {
        let text = proof.to_string();
        let (head, checkpoint) = text.split_once("\n\n").context("a proof without a checkpoint")?;
        let is_hash = |line: &&str| !line.contains([' ', '@']);
        let hashes: Vec<&str> = head.lines().filter(is_hash).collect();
        let checkpoint = world.file("proof.checkpoint", checkpoint.as_bytes())?;
        let hashes = world.file("proof.hashes", hashes.join("\n").as_bytes())?;
        let leaf = world.file("proof.leaf", leaf)?;
        let mut check = self.command("verify-inclusion");
        check.arg("--index").arg(proof.index.to_string()).arg("--leaf").arg(leaf);
        check.arg("--proof").arg(hashes).arg("--checkpoint").arg(checkpoint);
        verdict(check.arg("--vkey-file").arg(&world.key_file))
    }

    fn split_view(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, SPLIT, |row| {
            let check = |other: &str| {
                let mut check = self.over_http("verify-checkpoint", &world.registry.log_url(), world);
                verdict(check.arg("--tiles").arg(other))
            };
            row.accepts("the registry and a mirror", check(&world.proxied()));
            row.refuses("the registry and its fork", check(&world.fork.log_url()));
            Ok(())
        });
    }
}

/// What a program says that prints one JSON object with `ok`.
fn verdict(command: &mut Command) -> Result<Verdict> {
    let ended = quietly(command)?;
    let said: Value = serde_json::from_str(&ended.out)
        .with_context(|| format!("it does not print JSON: {} {}", ended.out, ended.err))?;
    let text = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    match (said.get("ok").and_then(Value::as_bool), ended.status) {
        (Some(true), Some(0)) => Ok(Verdict::Accepted(summary(&said))),
        (Some(false), Some(1)) => {
            let error = reason(&said, text("error"));
            // Nothing was refused if nothing could be asked.
            if ["URLError", "timed out", "Connection", "HTTP 5"].iter().any(|words| error.contains(words)) {
                bail!("it cannot tell: {error}");
            }
            Ok(Verdict::Refused(error))
        }
        _ => bail!("it says neither yes nor no: {} {}", ended.out, ended.err),
    }
}

/// The error, with those of the single sources where they say more.
fn reason(said: &Value, error: String) -> String {
    let sources = said.get("sources").and_then(Value::as_array).into_iter().flatten();
    let errors: Vec<&str> = sources.filter_map(|source| source.get("error")?.as_str()).collect();
    if errors.is_empty() { error } else { format!("{error} ({})", errors.join("; ")) }
}

/// The numbers that say what was looked at.
fn summary(said: &Value) -> String {
    let keys = ["size", "old_size", "index", "proof_length", "tiles", "bundles", "cosignatures", "witnesses"];
    let shown = keys.iter().filter_map(|key| Some(format!("{key} {}", said.get(key)?)));
    shown.collect::<Vec<_>>().join(", ")
}

/// Lets the tool ask for a quorum of one witness, of a checkpoint in a file.
pub(crate) fn cosigned(aics: &Aics<'_>, world: &World, note: &[u8], witness: &str) -> Result<Verdict> {
    let mut check = note_of(aics, world, note)?;
    verdict(check.args(["--quorum", "1", "--max-age", "300", "--witness-key", witness]))
}

/// Lets the tool look at the same without asking for witnesses.
pub(crate) fn unasked(aics: &Aics<'_>, world: &World, note: &[u8]) -> Result<Verdict> {
    verdict(&mut note_of(aics, world, note)?)
}

fn note_of(aics: &Aics<'_>, world: &World, note: &[u8]) -> Result<Command> {
    let file = world.file("cosigned.note", note)?;
    let mut check = aics.command("verify-checkpoint");
    check.arg("--note").arg(&file).arg("--vkey-file").arg(&world.key_file);
    Ok(check)
}
