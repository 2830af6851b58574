//! What the tools look at: a registry with a history, a copy of it that tells another one, and a proxy between.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use skillery_core::tlog::{Checkpoint, VerifierKey};

use super::history::{History, Told};
use super::registry::{Caller, Registry, size_of};
use super::report::quietly;
use super::tamper::Proxy;
use crate::guard::Folder;
use crate::shell::Say;

/// Entries before the authors come in crowds; the first tile is full then, and each size up to here was seen.
const CALM: u64 = 300;
/// Entries before the registry is killed.
const CROWDED: u64 = 460;
/// Few authors make the whole history, and rate much of what there is.
const SETTINGS: &str = "[limits]\ncomments_per_minute = 0\n";
/// Entries at the end: two full tiles of the lowest level, a partial one, and a partial one above.
const END: u64 = 660;

/// Everything that there is to look at. The order is that of the end: servers first, then their folder.
pub(crate) struct World {
    /// The program that all servers run, and all authors use.
    pub(crate) program: PathBuf,
    pub(crate) registry: Registry,
    /// The same data with the same key, where the history went on in another way.
    pub(crate) fork: Registry,
    pub(crate) proxy: Proxy,
    pub(crate) told: Told,
    /// The log's key. It was read when the log began, as others would have noted it down.
    pub(crate) key: VerifierKey,
    pub(crate) key_file: PathBuf,
    /// What `skillery` wrote when it was shown both histories.
    pub(crate) evidence: PathBuf,
    /// A checkpoint of the fork, of a size that the log has another root for.
    pub(crate) forked_note: PathBuf,
    /// Entries of the log.
    pub(crate) size: u64,
    /// Somebody who may change the fork.
    forking: Caller,
    folder: Folder,
}

impl World {
    /// Makes it with this program.
    pub(crate) fn make(program: &Path) -> Result<Self> {
        let folder = Folder::new("e2e")?;
        let data = folder.path().join("data");
        let settings = folder.path().join("skillery.toml");
        std::fs::write(&settings, SETTINGS)?;
        let settings = settings.display().to_string();
        let start =
            |data: &Path, signal| Registry::start_with(program, data, signal, &["--config", &settings]);
        let first = start(&data, "KILL")?;
        let key = first.key()?;
        let key_file = folder.path().join("log.vkey");
        std::fs::write(&key_file, format!("{key}\n"))?;
        let mut history = History::begin(&first, &folder.path().join("told"))?;
        history.go_on_to(CALM)?;
        history.crowd(CROWDED, move || {
            println!("`kill -9` while {CROWDED} entries become more");
            first.stop();
        })?;

        let copy = folder.path().join("copy");
        Command::new("cp").arg("-a").arg(&data).arg(&copy).say_and_run()?;
        let registry = start(&data, "TERM")?;
        let fork = start(&copy, "TERM")?;
        if registry.key()? != key || fork.key()? != key {
            bail!("the log has another key after a restart");
        }
        history.move_to(&registry)?;
        let proxy = Proxy::start(registry.address)?;
        let honest = history.owner().clone();
        let forking = Caller { address: fork.address, ..honest.clone() };
        rate(&honest, 4.5)?;
        rate(&forking, 1.5)?;
        let forked_note = folder.path().join("forked.note");
        std::fs::write(&forked_note, fork.checkpoint()?)?;
        let evidence = show_both(program, folder.path(), &proxy, &registry, &fork, &honest.token)?;
        for rating in [1.6, 1.7, 1.8] {
            rate(&forking, rating)?;
        }

        history.go_on_to(END)?;
        history.ask_for_receipts()?;
        let size = size_of(&registry.checkpoint()?)?;
        let told = history.told;
        println!(
            "the log has {size} entries; clients were told {} checkpoints and {} receipts",
            told.sizes().len(),
            told.receipts().len()
        );
        let program = program.to_owned();
        Ok(Self {
            program,
            registry,
            fork,
            proxy,
            told,
            key,
            key_file,
            evidence,
            forked_note,
            size,
            forking,
            folder,
        })
    }

    /// Lets the fork make one more entry, and gives its checkpoint.
    pub(crate) fn grow_fork(&self) -> Result<String> {
        let size = size_of(&self.fork.checkpoint()?)?;
        // A rating that is the same again would be no entry.
        rate(&self.forking, 1.0 + (size % 40) as f64 / 10.0)?;
        self.fork.checkpoint()
    }

    /// The owner of the first org, who may do everything there.
    pub(crate) fn owner(&self) -> Caller {
        Caller { address: self.registry.address, ..self.forking.clone() }
    }

    /// A file for something altered.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    /// A new folder for a program.
    pub(crate) fn subfolder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    }

    /// Where the log begins for a reader behind the proxy.
    pub(crate) fn proxied(&self) -> String {
        format!("{}/log/v1/", self.proxy.url())
    }

    /// The newest checkpoint.
    pub(crate) fn newest(&self) -> Result<(Checkpoint, String)> {
        let note = self.registry.checkpoint()?;
        Ok((Checkpoint::open(&note, &self.key)?.0, note))
    }
}

/// Makes one entry.
fn rate(caller: &Caller, rating: f64) -> Result<Value> {
    caller.call("POST", "/skills/acme/skill-00/rate", &json!({ "rating": rating }))
}

/// Lets the program install from the log and then from its fork, under one address. It must notice, and gives the evidence
/// that it wrote.
fn show_both(
    program: &Path,
    folder: &Path,
    proxy: &Proxy,
    registry: &Registry,
    fork: &Registry,
    token: &str,
) -> Result<PathBuf> {
    let home = folder.join("home");
    let project = folder.join("project");
    std::fs::create_dir(&project)?;
    let install = |skill: &str| {
        let mut command = Command::new(program);
        command.args(["install", skill, "--json"]).current_dir(&project);
        command.env("SKILLERY_REGISTRY", proxy.url()).env("SKILLERY_TOKEN", token);
        command.env("SKILLERY_HOME", &home);
        quietly(&mut command)
    };
    proxy.turn_to(registry.address);
    let honest = install("acme/skill-00")?;
    if honest.status != Some(0) {
        bail!("`skillery install` does not accept the log: {} {}", honest.out, honest.err);
    }
    proxy.turn_to(fork.address);
    let forked = install("acme/skill-04")?;
    proxy.turn_to(registry.address);
    if forked.status == Some(0) {
        bail!("`skillery install` did not notice that the log was forked");
    }
    let mut logs = std::fs::read_dir(home.join("logs"))?;
    let log = logs.next().context("`skillery` keeps nothing about the log")??.path();
    let evidence = std::fs::read_dir(log)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "evidence"));
    evidence.with_context(|| format!("`skillery` wrote no evidence: {} {}", forked.out, forked.err))
}
