//! Go's `golang.org/x/mod/sumdb`, as Debian has it, with a small program of ours around it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use skillery_core::tlog::LogProof;

use super::report::{Report, Tool, Verdict, quietly};
use super::resources::{self, Altered};
use super::tamper::flipped;
use super::world::World;
use crate::shell::{Say, install_packages, is_there, target_folder};

const NAME: &str = "Go x/mod sumdb";
const SOURCE: &str = "xtask/e2e/go";
/// Where Debian puts the sources of Go's packages.
const PACKAGES: &str = "/usr/share/gocode";
const DEBIAN: [&str; 2] = ["golang-go", "golang-golang-x-mod-dev"];

const TREE: &str = "checkpoint, root, and every entry";
const CONSISTENCY: &str = "every checkpoint continues the one before";
const RECEIPTS: &str = "tlog-proof of publications, offline";
const FORK: &str = "evidence of a fork that `skillery install` wrote";

/// The built program.
struct Logcheck {
    tool: Tool,
    program: PathBuf,
}

/// Does all its checks, or says why it cannot.
pub(crate) fn check(world: &World, report: &mut Report) -> Result<()> {
    let logcheck = match build()? {
        Ok(logcheck) => logcheck,
        Err(why) => {
            [TREE, CONSISTENCY, RECEIPTS, FORK].iter().for_each(|what| report.skip(NAME, what, &why));
            return Ok(());
        }
    };
    logcheck.tree(world, report);
    logcheck.consistency(world, report);
    logcheck.receipts(world, report);
    logcheck.fork(world, report);
    Ok(())
}

/// Builds the program; where Go cannot be had, says why.
fn build() -> Result<std::result::Result<Logcheck, String>> {
    let package = Path::new(PACKAGES).join("src/golang.org/x/mod/sumdb/tlog");
    let is_installed = is_there("go", "version") && package.is_dir();
    if !is_installed && let Err(error) = install_packages(&DEBIAN) {
        return Ok(Err(format!("{error:#}")));
    }
    let folder = std::path::absolute(target_folder().join("e2e"))?;
    std::fs::create_dir_all(&folder)?;
    let program = folder.join("logcheck");
    // Debian's packages are sources below one folder, which Go finds only without modules.
    let go = || {
        let mut go = Command::new("go");
        go.env("GO111MODULE", "off").env("GOPATH", PACKAGES).env("GOCACHE", folder.join("go-cache"));
        go.env("GOFLAGS", "").env("GOTOOLCHAIN", "local");
        go
    };
    go().arg("vet").arg(format!("./{SOURCE}")).say_and_run()?;
    go().args(["build", "-o"]).arg(&program).arg(format!("./{SOURCE}")).say_and_run()?;
    let go_version = go().args(["env", "GOVERSION"]).output_text()?;
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Version}", DEBIAN[1]]);
    let version = format!("{} ({})", query.output_text()?.trim(), go_version.trim());
    Ok(Ok(Logcheck { tool: Tool { name: NAME, version }, program }))
}

impl Logcheck {
    /// A command of the program.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(name);
        command
    }

    fn tree(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, TREE, |row| {
            let check = |url: &str| verdict(self.command("tree").arg(url).arg(&world.key_file));
            row.accepts("the registry", check(&world.registry.log_url()));
            row.accepts("behind the proxy", check(&world.proxied()));
            for tampering in resources::all(world, &[0, 1, 2])? {
                row.refuses(&tampering.name, world.proxy.with(&tampering, || check(&world.proxied())));
            }
            Ok(())
        });
    }

    fn consistency(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, CONSISTENCY, |row| {
            let check = |url: &str, files: &[PathBuf]| {
                verdict(self.command("consistency").arg(url).arg(&world.key_file).args(files))
            };
            let sizes = world.told.sizes();
            let files: Vec<_> = sizes.iter().map(|size| world.told.checkpoint_file(*size)).collect();
            row.accepts("the registry", check(&world.registry.log_url(), &files));
            row.accepts("behind the proxy", check(&world.proxied(), &files));
            for tampering in resources::tiles(world, &[1])? {
                row.refuses(
                    &tampering.name,
                    world.proxy.with(&tampering, || check(&world.proxied(), &files)),
                );
            }
            for altered in resources::altered_checkpoints(world)? {
                row.refuses(&altered.name, check(&world.registry.log_url(), &[altered.file]));
            }
            let forked = std::slice::from_ref(&world.forked_note);
            row.refuses("a checkpoint of the fork", check(&world.registry.log_url(), forked));
            row.refuses("the fork in place of the log", check(&world.fork.log_url(), &files));
            Ok(())
        });
    }

    fn receipts(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, RECEIPTS, |row| {
            let check =
                |files: &[PathBuf]| verdict(self.command("receipts").arg(&world.key_file).args(files));
            row.accepts("all that were given", check(world.told.receipts()));
            for Altered { name, file } in altered_receipts(world)? {
                row.refuses(&name, check(&[file]));
            }
            Ok(())
        });
    }

    fn fork(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, FORK, |row| {
            let check = |file: &Path| verdict(self.command("fork").arg(&world.key_file).arg(file));
            row.accepts("the evidence", check(&world.evidence));
            let evidence = std::fs::read_to_string(&world.evidence)?;
            // Of each note, a byte of the root that it is about, and one of its signature.
            for (note, marker) in [("first", "---- first ----\n"), ("second", "---- second ----\n")] {
                let begin = evidence.find(marker).map_or(0, |at| at + marker.len());
                let root = begin + evidence[begin..].match_indices('\n').nth(1).map_or(0, |(at, _)| at + 5);
                let signature = begin + evidence[begin..].find('\u{2014}').unwrap_or(0) + 80;
                for (part, at) in [("root", root), ("signature", signature)] {
                    let file = world.file(&format!("{note}-{part}"), &flipped(evidence.as_bytes(), at)?)?;
                    row.refuses(&format!("the {note} note, its {part}"), check(&file));
                }
            }
            let sizes = world.told.sizes();
            for (name, other) in [("one note twice", sizes[90]), ("two of the log", sizes[91])] {
                let notes = [sizes[90], other].map(|size| world.told.checkpoint_up_to(size));
                let [one, other] = notes.map(|found| found.map(|(_, note)| note.to_owned()));
                let text = format!("---- first ----\n{}\n---- second ----\n{}", one?, other?);
                row.refuses(name, check(&world.file("no-fork", text.as_bytes())?));
            }
            Ok(())
        });
    }
}

/// What the program says.
fn verdict(command: &mut Command) -> Result<Verdict> {
    let ended = quietly(command)?;
    match ended.status {
        Some(0) => Ok(Verdict::Accepted(ended.out)),
        Some(1) => Ok(Verdict::Refused(ended.out.trim_start_matches("refused: ").to_owned())),
        _ => bail!("it cannot tell: {} {}", ended.out, ended.err),
    }
}

/// A receipt of an open entry and one of a hidden entry, each with one byte changed in each of its parts.
fn altered_receipts(world: &World) -> Result<Vec<Altered>> {
    let mut all = Vec::new();
    let receipts = world.told.receipts();
    let is_hidden = |file: &&PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.parse().is_ok_and(|proof: LogProof| contains(proof.extra.as_deref(), "\"salt\":"))
    };
    for (kind, file) in [
        ("open", receipts.iter().rev().find(|file| !is_hidden(file))),
        ("hidden", receipts.iter().rev().find(is_hidden)),
    ] {
        let Some(file) = file else { bail!("there is no receipt of an {kind} entry") };
        let receipt: LogProof = std::fs::read_to_string(file)?.parse()?;
        let mut alter = |part: &str, change: &dyn Fn(&mut LogProof) -> Result<()>| -> Result<()> {
            let mut altered = receipt.clone();
            change(&mut altered)?;
            let file = world.file(&format!("{kind}-{part}"), altered.to_string().as_bytes())?;
            all.push(Altered { name: format!("{kind} entry: {part}"), file });
            Ok(())
        };
        alter("index", &|proof| {
            proof.index ^= 1;
            Ok(())
        })?;
        for at in [0, receipt.hashes.len() - 1] {
            alter(&format!("hash {at}"), &|proof| {
                let mut hash = *proof.hashes[at].bytes();
                hash[31] ^= 1;
                proof.hashes[at] = skillery_core::Digest::from_bytes(hash);
                Ok(())
            })?;
        }
        for (part, mark) in
            [("digest", "digest\\\":\\\""), ("time", "time\\\":\\\""), ("salt", "\"salt\":\"")]
        {
            let Some(extra) = receipt.extra.as_deref().filter(|extra| contains(Some(extra), mark)) else {
                continue;
            };
            let at = String::from_utf8_lossy(extra).find(mark).unwrap_or(0) + mark.len() + 3;
            alter(part, &|proof| {
                proof.extra = Some(flipped(extra, at)?);
                Ok(())
            })?;
        }
        for (part, change) in super::tamper::of_checkpoint() {
            alter(&format!("checkpoint, {part}"), &|proof| {
                proof.checkpoint =
                    skillery_core::tlog::Note::parse(change(proof.checkpoint.to_string().as_bytes())?)?;
                Ok(())
            })?;
        }
    }
    Ok(all)
}

fn contains(bytes: Option<&[u8]>, text: &str) -> bool {
    bytes.is_some_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}
