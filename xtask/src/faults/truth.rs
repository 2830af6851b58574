//! What clients were told, and whether a registry stands by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use skillery_core::Digest;
use skillery_core::entry::Leaf;
use skillery_core::event::Event;
use skillery_core::receipt::Receipt;
use skillery_core::tlog::{
    Checkpoint, Edge, TILE_WIDTH, Tile, VerifierKey, authenticate, decode_entries, leaf_hash, tiles_of,
};

use crate::e2e::http::{get, get_body};

/// Versions that are looked at at the same time.
const ASKERS: usize = 4;

/// A version of a skill.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) skill: String,
    pub(crate) version: String,
}

impl Version {
    /// Its code, which no other version has.
    pub(crate) fn code(&self) -> String {
        format!("def main():\n    return \"{} {}\"\n{}", self.skill, self.version, "# padding\n".repeat(60))
    }

    fn path(&self) -> String {
        format!("/api/v1/skills/{}/versions/{}", self.skill, self.version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.skill, self.version)
    }
}

/// What is known of a version that somebody has asked for.
#[derive(Debug, Clone, Default)]
struct Fate {
    /// What proves it, once it was acknowledged.
    receipt: Option<Receipt>,
    is_yank_asked: bool,
    is_yank_acknowledged: bool,
    /// Nothing was asked since it was last looked at.
    is_checked: bool,
}

/// What clients were told.
#[derive(Clone)]
pub(crate) struct Truth {
    key: VerifierKey,
    /// The root of each tree that anybody was shown.
    roots: BTreeMap<u64, Digest>,
    fates: BTreeMap<Version, Fate>,
    /// Entries of the log that were read, and what they say.
    read: u64,
    logged: BTreeMap<Version, u64>,
    yanked: BTreeSet<Version>,
    violations: Vec<String>,
}

impl Truth {
    /// Nothing yet, of the log with this key.
    pub(crate) fn new(key: VerifierKey) -> Self {
        Self {
            key,
            roots: BTreeMap::new(),
            fates: BTreeMap::new(),
            read: 0,
            logged: BTreeMap::new(),
            yanked: BTreeSet::new(),
            violations: Vec::new(),
        }
    }

    /// Somebody is about to publish this.
    pub(crate) fn asked(&mut self, version: &Version) {
        self.fates.entry(version.clone()).or_default().is_checked = false;
    }

    /// Somebody is about to yank this.
    pub(crate) fn asked_to_yank(&mut self, version: &Version) {
        let fate = self.fates.entry(version.clone()).or_default();
        (fate.is_yank_asked, fate.is_checked) = (true, false);
    }

    /// It was acknowledged, with a proof.
    pub(crate) fn published(&mut self, version: &Version, answer: &Value) {
        let proof = answer["proof"].as_str().unwrap_or_default();
        match proof.parse::<Receipt>() {
            Ok(receipt) => {
                if self.proven(version, &receipt) {
                    self.fates.entry(version.clone()).or_default().receipt = Some(receipt);
                }
            }
            Err(error) => self.violation(format!("{version} was acknowledged without a proof: {error}")),
        }
    }

    /// It was acknowledged.
    pub(crate) fn yanked(&mut self, version: &Version) {
        self.fates.entry(version.clone()).or_default().is_yank_acknowledged = true;
    }

    /// It was refused: nothing here asks for what may be refused.
    pub(crate) fn refused(&mut self, version: &Version, words: &str) {
        self.violation(format!("{version} was refused: {words}"));
    }

    /// Somebody was shown this checkpoint. Gives it, if it is one.
    pub(crate) fn told(&mut self, note: &str) -> Option<Checkpoint> {
        match Checkpoint::open(note, &self.key) {
            Ok((checkpoint, _)) => {
                self.covered(&checkpoint);
                Some(checkpoint)
            }
            Err(error) => {
                self.violation(format!("a checkpoint is none: {error}"));
                None
            }
        }
    }

    fn covered(&mut self, checkpoint: &Checkpoint) {
        let known = *self.roots.entry(checkpoint.size).or_insert(checkpoint.root);
        if known != checkpoint.root {
            self.violation(format!(
                "FORK: of size {} clients were told the roots {known} and {}",
                checkpoint.size, checkpoint.root
            ));
        }
    }

    /// Whether this proves that this version was published.
    fn proven(&mut self, version: &Version, receipt: &Receipt) -> bool {
        match receipt.verify(&self.key) {
            Ok((entry, checkpoint)) => {
                self.covered(&checkpoint);
                let is_it = published(&entry.event).as_ref() == Some(version);
                if !is_it {
                    self.violation(format!("the proof of {version} is one of something else"));
                }
                is_it
            }
            Err(error) => {
                self.violation(format!("the proof of {version} does not hold: {error}"));
                false
            }
        }
    }

    fn violation(&mut self, words: String) {
        self.violations.push(words);
    }

    /// What did not hold so far.
    pub(crate) fn take_violations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }

    /// The size of the largest tree that anybody was shown.
    pub(crate) fn seen(&self) -> u64 {
        self.roots.keys().next_back().copied().unwrap_or(0)
    }

    /// How many publishes were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.fates.values().filter(|fate| fate.receipt.is_some()).count()
    }

    /// What was acknowledged and shown, for people.
    pub(crate) fn counts(&self) -> String {
        let acknowledged = self.acknowledged();
        let yanks = self.fates.values().filter(|fate| fate.is_yank_acknowledged).count();
        let lucky = self
            .fates
            .iter()
            .filter(|(version, fate)| fate.receipt.is_none() && self.logged.contains_key(version))
            .count();
        format!(
            "{acknowledged} publishes and {yanks} yanks acknowledged, {} not of which {lucky} happened, {} checkpoints, \
             {} entries",
            self.fates.len() - acknowledged,
            self.roots.len(),
            self.read
        )
    }

    /// Skills in the log that are found: those with a version that is not yanked.
    pub(crate) fn found(&self) -> BTreeSet<&str> {
        let handed_out = self.logged.keys().filter(|version| !self.yanked.contains(version));
        handed_out.map(|version| version.skill.as_str()).collect()
    }

    /// Holds the registry against all of it: every checkpoint is of a beginning of its log, what was acknowledged is
    /// there with its proof, and everything else is there as a whole or not at all. `all` looks at each version again,
    /// and not only at those that something was asked of since.
    pub(crate) fn verify(&mut self, address: SocketAddr, all: bool) -> Result<()> {
        let note = String::from_utf8(get_body(address, "/log/v1/checkpoint")?)?;
        let newest = self.told(&note).context("the registry shows no checkpoint")?;
        if newest.size < self.seen() {
            bail!("the log has {} entries, and clients have seen {}", newest.size, self.seen());
        }
        let leaves = self.tree(address, &newest)?;
        self.entries(address, &leaves)?;
        for (version, fate) in &self.fates {
            let Some(receipt) = &fate.receipt else { continue };
            let index = usize::try_from(receipt.index())?;
            if leaves.get(index) != Some(&receipt.opening.leaf_hash()?) {
                self.violations
                    .push(format!("{version} was acknowledged as entry {index}, which is another"));
            }
        }
        let wanted: Vec<Version> = self
            .fates
            .iter()
            .filter(|(_, fate)| all || !fate.is_checked)
            .map(|(version, _)| version.clone())
            .collect();
        for (version, found) in wanted.iter().zip(found(address, &wanted)) {
            self.version(version, found.with_context(|| format!("cannot look at {version}"))?);
        }
        Ok(())
    }

    /// The hashes of all leaves, from tiles that the newest root proves. With them each root that was ever shown is
    /// computed again, which says more than a proof of consistency.
    fn tree(&mut self, address: SocketAddr, newest: &Checkpoint) -> Result<Vec<Digest>> {
        let mut tiles = HashMap::new();
        let mut leaves = Vec::new();
        for tile in tiles_of(newest.size) {
            let bytes = get_body(address, &format!("/log/v1/{}", tile.path()))?;
            if tile.level == 0 {
                leaves.extend(bytes.as_chunks::<32>().0.iter().copied().map(Digest::from_bytes));
            }
            tiles.insert(tile, bytes);
        }
        authenticate(newest.size, &newest.root, tiles)?;
        let mut edge = Edge::default();
        let mut wrong = Vec::new();
        for leaf in std::iter::once(None).chain(leaves.iter().map(Some)) {
            if let Some(leaf) = leaf {
                edge.append(*leaf, |_, _| ());
            }
            if self.roots.get(&edge.size()).is_some_and(|root| *root != edge.root()) {
                wrong.push(format!(
                    "FORK: the log does not continue the one of size {} that was shown",
                    edge.size()
                ));
            }
        }
        self.violations.append(&mut wrong);
        Ok(leaves)
    }

    /// Reads the entries that are new.
    fn entries(&mut self, address: SocketAddr, leaves: &[Digest]) -> Result<()> {
        let size = leaves.len() as u64;
        while self.read < size {
            let index = self.read / u64::from(TILE_WIDTH);
            let tile = Tile::in_tree(0, index, size).context("an entry is in no tile")?;
            let bundle = get_body(address, &format!("/log/v1/{}", tile.entries_path()))?;
            let first = index * u64::from(TILE_WIDTH);
            for (number, bytes) in (first..).zip(decode_entries(&bundle, tile.width)?) {
                if leaves.get(usize::try_from(number)?) != Some(&leaf_hash(bytes)) {
                    bail!("entry {number} is not the leaf that the tree has");
                }
                if number >= self.read
                    && let Leaf::Open(entry) = Leaf::parse(bytes)?
                {
                    self.entry(number, &entry.event);
                }
            }
            self.read = first + u64::from(tile.width);
        }
        Ok(())
    }

    fn entry(&mut self, number: u64, event: &Event) {
        if let Event::VersionYanked { skill, version } = event {
            self.yanked.insert(Version { skill: skill.to_string(), version: version.to_string() });
        }
        let Some(version) = published(event) else { return };
        if !self.fates.contains_key(&version) {
            self.violation(format!("nobody has published {version}, which is entry {number}"));
        }
        if let Some(before) = self.logged.insert(version.clone(), number) {
            self.violation(format!("{version} was published by entry {before} and by entry {number}"));
        }
    }

    /// Judges one version: it is in the log, in the tables and among the contents, or in none of them.
    fn version(&mut self, version: &Version, found: Found) {
        let is_acknowledged = self.fates.get(version).is_some_and(|fate| fate.receipt.is_some());
        let logged = self.logged.get(version).copied();
        if let Found::Whole { detail, receipt, download } = found {
            let code = Digest::of(version.code().as_bytes()).to_string();
            if detail["log_position"].as_u64() != logged || detail["code_hash"] != code.as_str() {
                self.violation(format!("{version} is there, and the log has it as {logged:?}: {detail}"));
            }
            let is_yanked = detail["status"] == "yanked";
            let fate = self.fates.entry(version.clone()).or_default();
            let may_be = if is_yanked { fate.is_yank_asked } else { !fate.is_yank_acknowledged };
            if !may_be || is_yanked != self.yanked.contains(version) {
                self.violation(format!("whether {version} is yanked is half there: {detail}"));
            }
            if self.proven(version, &receipt) && Some(receipt.index()) != logged {
                self.violation(format!("the proof of {version} is of another entry"));
            }
            if download["code"] != version.code().as_str() {
                self.violation(format!("the content of {version} is another one"));
            }
        } else if logged.is_some() {
            self.violation(format!("{version} is not there, and is in the log as {logged:?}"));
        } else if is_acknowledged {
            self.violation(format!("{version} was acknowledged, and is not there"));
        }
        if let Some(fate) = self.fates.get_mut(version) {
            fate.is_checked = true;
        }
    }
}

/// What a registry has of a version.
enum Found {
    Nothing,
    Whole { detail: Value, receipt: Box<Receipt>, download: Value },
}

/// Asks for all that there is of these versions, several at a time.
fn found(address: SocketAddr, versions: &[Version]) -> Vec<Result<Found>> {
    let piece = versions.len().div_ceil(ASKERS).max(1);
    thread::scope(|scope| {
        let pieces: Vec<_> = versions
            .chunks(piece)
            .map(|piece| scope.spawn(move || piece.iter().map(|one| find(address, one)).collect::<Vec<_>>()))
            .collect();
        pieces.into_iter().flat_map(|piece| piece.join().unwrap_or_default()).collect()
    })
}

fn find(address: SocketAddr, version: &Version) -> Result<Found> {
    let answer = get(address, &version.path())?;
    match answer.status()? {
        200 => {}
        404 => return Ok(Found::Nothing),
        status => bail!("it is answered with {status}: {}", answer.text()?),
    }
    let proof = String::from_utf8(get_body(address, &format!("{}/proof", version.path()))?)?;
    let path = format!("/api/v1/skills/{}/download?version={}", version.skill, version.version);
    Ok(Found::Whole {
        detail: serde_json::from_slice(&answer.body)?,
        receipt: Box::new(proof.parse()?),
        download: serde_json::from_slice(&get_body(address, &path)?)?,
    })
}

fn published(event: &Event) -> Option<Version> {
    match event {
        Event::VersionPublished { skill, version, .. } => {
            Some(Version { skill: skill.to_string(), version: version.to_string() })
        }
        _ => None,
    }
}
