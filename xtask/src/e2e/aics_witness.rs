//! `aics-witness` of PyPI: a witness that cosigns checkpoints of the log, and what it must not cosign.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use skillery_core::Digest;
use skillery_core::tlog::note::parse_signatures;
use skillery_core::tlog::{Note, VerifierKey};

use super::aics_tlog::{self, Aics};
use super::http::{Message, exchange, get, get_body, host};
use super::packages::Packages;
use super::registry::size_of;
use super::report::{Report, Row, Verdict, quietly};
use super::tamper::{flipped, of_checkpoint};
use super::world::World;
use crate::guard::{Guarded, free_port, temporary_folder};
use crate::shell::shown;

const NAME: &str = "aics-witness";
const COSIGNS: &str = "add-checkpoint: cosigns what continues";
const REQUEST: &str = "application/octet-stream";

/// Does its check, or says why it cannot.
pub(crate) fn check(
    world: &World,
    packages: &std::result::Result<Packages, String>,
    report: &mut Report,
) -> Result<()> {
    let packages = match packages {
        Ok(packages) => packages,
        Err(why) => {
            report.skip(NAME, COSIGNS, why);
            return Ok(());
        }
    };
    let aics = Aics { tool: packages.tool(aics_tlog::NAME)?, packages };
    report.check(&packages.tool(NAME)?, COSIGNS, |row| {
        let witness = Witness::start(packages, world)?;
        witness.grow(world, row)?;
        let cosigned = witness.refuse(world, row)?;
        use_cosignature(world, &aics, &witness, &cosigned, row)
    });
    Ok(())
}

/// A running witness that trusts the key of the log.
struct Witness {
    key: VerifierKey,
    address: SocketAddr,
    _server: Guarded,
}

impl Witness {
    fn start(packages: &Packages, world: &World) -> Result<Self> {
        let folder = world.subfolder("witness")?;
        let config: PathBuf = folder.join("witness.json");
        let run = |arguments: &[&str]| -> Result<String> {
            let mut command = Command::new(packages.program("aics-witness"));
            command.args(arguments).arg("--config").arg(&config);
            let ended = quietly(&mut command)?;
            match ended.status {
                Some(0) => Ok(ended.out),
                _ => bail!("`{}` failed: {} {}", shown(&command), ended.out, ended.err),
            }
        };
        let key = run(&["init", "--name", "witness.example/w1"])?;
        let key = key.parse().with_context(|| format!("`{key}` is no key of a witness"))?;
        run(&["add-log", "--origin", world.key.name(), "--vkey", &world.key.to_string()])?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut serve = Command::new(packages.program("aics-witness"));
        serve.args(["serve", "--listen", &address.to_string(), "--config"]).arg(&config);
        println!("$ {}", shown(&serve));
        let server = Guarded::start(&serve, "TERM", &temporary_folder("e2e-witness")?)?;
        server.wait_for("the witness", || {
            get(address, "/healthz").ok().filter(|answer| answer.status().is_ok_and(|status| status == 200))
        })?;
        Ok(Self { key, address, _server: server })
    }

    /// Asks it to cosign.
    fn ask(&self, old: u64, proof: &[Digest], note: &[u8]) -> Result<Message> {
        let mut body = format!("old {old}\n").into_bytes();
        for hash in proof {
            // The line of a hash is that of a checkpoint's root.
            let line = skillery_core::tlog::Checkpoint {
                origin: "-".to_owned(),
                size: 0,
                root: *hash,
                extensions: Vec::new(),
            };
            body.extend(line.to_string().lines().last().unwrap_or_default().bytes());
            body.push(b'\n');
        }
        body.push(b'\n');
        body.extend(note);
        let mut headers = host(self.address);
        headers.push(("content-type".to_owned(), REQUEST.to_owned()));
        exchange(self.address, &Message { start: "POST /add-checkpoint HTTP/1.1".to_owned(), headers, body })
    }

    /// What it answers to a checkpoint that it should cosign, and the checkpoint with its cosignature.
    fn cosign(&self, old: u64, proof: &[Digest], note: &str) -> Result<(Verdict, String)> {
        let answer = self.ask(old, proof, note.as_bytes())?;
        let text = answer.text()?;
        if answer.status()? != 200 {
            return Ok((Verdict::Refused(format!("{} {}", answer.start, text.trim())), String::new()));
        }
        let mut note = Note::parse(note)?;
        note.signatures.extend(parse_signatures(&text)?);
        let verified = note.verify(std::slice::from_ref(&self.key))?;
        let time = verified[0].time.context("the cosignature has no time")?;
        Ok((Verdict::Accepted(format!("cosigned at {time}, which core verifies")), note.to_string()))
    }

    /// What it answers to something that it must refuse with this status, and a word of the answer.
    fn refused(&self, status: u16, old: u64, proof: &[Digest], note: &[u8]) -> Result<Verdict> {
        let answer = self.ask(old, proof, note)?;
        let words = format!("{} {}", answer.status()?, answer.text()?.trim());
        match answer.status()? {
            200 => Ok(Verdict::Accepted(words)),
            found if found == status => Ok(Verdict::Refused(words)),
            _ => bail!("answered with {words}, and {status} was expected"),
        }
    }

    /// Feeds it from the first checkpoint that anybody saw to the one of half the log.
    fn grow(&self, world: &World, row: &mut Row) -> Result<()> {
        let mut old = 0;
        let first = world.told.sizes()[0];
        for size in [first, first + 1, 255, 256, 257, world.size / 2] {
            let (size, note) = world.told.checkpoint_up_to(size)?;
            let proof = world.registry.consistency(old, size)?;
            let outcome = self.cosign(old, &proof, note).map(|(verdict, _)| verdict);
            row.accepts(&format!("from size {old} to {size}, {} hashes", proof.len()), outcome);
            old = size;
        }
        Ok(())
    }

    /// Shows it what it must not cosign, and then that it still cosigns the newest checkpoint. Gives that.
    fn refuse(&self, world: &World, row: &mut Row) -> Result<String> {
        let (old, _) = world.told.checkpoint_up_to(world.size / 2)?;
        let (newest, note) = world.newest()?;
        let proof = world.registry.consistency(old, newest.size)?;
        for (at, hash) in proof.iter().enumerate() {
            let mut altered = proof.clone();
            altered[at] = Digest::from_bytes(flipped(hash.bytes(), 9)?.try_into().unwrap_or_default());
            row.refuses(
                &format!("hash {at} of the proof"),
                self.refused(422, old, &altered, note.as_bytes()),
            );
        }
        row.refuses("a hash less", self.refused(422, old, &proof[1..], note.as_bytes()));
        for ((part, change), status) in of_checkpoint().into_iter().zip([403, 403, 404, 403, 403]) {
            let outcome = self.refused(status, old, &proof, &change(note.as_bytes())?);
            row.refuses(&format!("the checkpoint, {part}"), outcome);
        }
        for stale in [0, old - 1] {
            let answer =
                self.ask(stale, &world.registry.consistency(stale, newest.size)?, note.as_bytes())?;
            let size = answer.text()?;
            let is_size = answer.header("content-type") == Some("text/x.tlog.size");
            let outcome = match (answer.status()?, is_size, size == format!("{old}\n")) {
                (409, true, true) => Ok(Verdict::Refused(format!("409, it is at {}", size.trim()))),
                _ => Err(anyhow::anyhow!("`{}` {size}", answer.start)),
            };
            row.refuses(&format!("the stale size {stale}"), outcome);
        }
        let (outcome, cosigned) = self.cosign(old, &proof, &note)?;
        row.accepts(&format!("from size {old} to {}, {} hashes", newest.size, proof.len()), Ok(outcome));
        self.refuse_fork(world, row, newest.size)?;
        Ok(cosigned)
    }

    /// The fork goes on from an entry on which the witness has cosigned the log: no proof leads there.
    fn refuse_fork(&self, world: &World, row: &mut Row, size: u64) -> Result<()> {
        let mut forked = world.grow_fork()?;
        while size_of(&forked)? <= size {
            forked = world.grow_fork()?;
        }
        let proof = world.fork.consistency(size, size_of(&forked)?)?;
        row.refuses("the fork, with its own proof", self.refused(422, size, &proof, forked.as_bytes()));
        Ok(())
    }
}

/// Whoever asks for a witness is satisfied by the cosignature, and by nothing like it.
fn use_cosignature(
    world: &World,
    aics: &Aics<'_>,
    witness: &Witness,
    cosigned: &str,
    row: &mut Row,
) -> Result<()> {
    let key = witness.key.to_string();
    let check = |note: &str| aics_tlog::cosigned(aics, world, note.as_bytes(), &key);
    row.accepts("`aics-tlog --quorum 1` of the cosigned checkpoint", check(cosigned));
    let unasked = aics_tlog::unasked(aics, world, cosigned.as_bytes());
    row.accepts("`aics-tlog` that does not know the witness", unasked);
    let mut altered = Note::parse(cosigned)?;
    let last = altered.signatures.last_mut().context("there is no cosignature")?;
    // The time comes first, then what is signed with it.
    let (time, signature) = (flipped(&last.signature, 7)?, flipped(&last.signature, 40)?);
    for (part, bytes) in [("time", time), ("signature", signature)] {
        if let Some(last) = altered.signatures.last_mut() {
            last.signature = bytes;
        }
        row.refuses(&format!("the cosignature, its {part}"), check(&altered.to_string()));
    }
    altered.signatures.pop();
    row.refuses("no cosignature", check(&altered.to_string()));
    let origin = Digest::of(world.key.name().as_bytes());
    let kept = get_body(witness.address, &format!("/{origin}/checkpoint"))?;
    row.accepts("what the witness publishes itself", check(std::str::from_utf8(&kept)?));
    Ok(())
}
