//! Reading a whole log, and checking that its entries keep the rules.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use skillery_core::Digest;
use skillery_core::entry::{Entry, Leaf, Opening};
use skillery_core::monitor::{FORM, Monitor, Rule, Violation};
use skillery_core::tlog::{Checkpoint, Edge, Node, TILE_WIDTH, Tile, leaf_hash};
use tokio::task::JoinHandle;

use super::Log;
use super::read::{bundle_leaves, bundle_limit};
use crate::client::Client;
use crate::error::{Error, Result};

/// Bundles that are asked for ahead.
const AHEAD: usize = 4;
/// Openings of a page.
const PAGE: u64 = 200;
/// Violations that are told at most; a log that breaks more is broken.
const TOLD: usize = 1_000;

/// What is known of a log, to go on with the next time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watched {
    /// [`FORM`] of what is kept.
    form: u32,
    monitor: Monitor,
    /// The tree over what was looked at: the roots of its largest complete subtrees.
    edge: Vec<Digest>,
}

impl Default for Watched {
    fn default() -> Self {
        Self { form: FORM, monitor: Monitor::default(), edge: Vec::new() }
    }
}

impl Watched {
    /// What was kept as this text. Nothing where a program kept it that looked at other things: everything is looked at again
    /// then, as no entry can be judged by what nobody has noted.
    pub(super) fn parse(text: &str) -> serde_json::Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Kept {
            #[serde(default)]
            form: u32,
        }
        match serde_json::from_str::<Kept>(text)?.form {
            FORM => serde_json::from_str(text).map(Some),
            _ => Ok(None),
        }
    }
}

/// What a look at the log came to.
#[derive(Debug, Clone, Serialize)]
pub struct MonitorReport {
    /// The name of the log.
    pub origin: String,
    /// Entries that were looked at before.
    pub from: u64,
    /// Entries that the log has now.
    pub size: u64,
    /// The root of its tree.
    pub root: Digest,
    /// Skills that entries are about.
    pub skills: usize,
    /// Versions that were published.
    pub versions: usize,
    /// Keys that were enrolled.
    pub keys: usize,
    /// Entries that hide what they are about, and that the caller may not open.
    pub hidden: usize,
    /// Rights that could not be judged, as what gives them may be among those.
    pub unjudged: u64,
    /// Versions that owners have released without the approvals that were demanded, as `skill@version`, by the entries that say
    /// so. It breaks no rule, and somebody should know.
    pub forced: BTreeMap<u64, String>,
    /// Rules that entries break.
    pub violations: Vec<Violation>,
}

/// What opens hidden leaves, asked for as they come.
struct Openings {
    known: HashMap<u64, Opening>,
    /// All hidden leaves before this number were asked for.
    asked: u64,
}

impl Log {
    /// Looks at every entry since the last time: whether it is what the newest checkpoint covers, and keeps the rules.
    /// `progress` is told how many of how many were looked at.
    pub async fn monitor(
        &mut self,
        watched: &mut Watched,
        progress: impl Fn(u64, u64),
    ) -> Result<MonitorReport> {
        let newest = self.update().await?;
        let from = watched.monitor.size();
        let mut edge = Edge::from_parts(from, watched.edge.clone())
            .map_err(Error::internal("go on with what was looked at before"))?;
        if from > newest.size {
            return Err(
                self.broken(format!("{from} entries were looked at before, and it has {}", newest.size))
            );
        }
        let mut openings = Openings { known: HashMap::new(), asked: from };
        let mut violations = Vec::new();
        let mut bundles = Bundles::new(&self.client, from, &newest);
        while let Some((first, leaves)) = bundles.next(self).await? {
            self.check_bundle(&newest, first, &leaves).await?;
            for (index, leaf) in (first..).zip(leaves) {
                if index < from {
                    continue;
                }
                let opened = openings.open(&self.client, index, &leaf).await?;
                let mut found = watched.monitor.follow(&leaf, opened);
                let handover = watched.monitor.handover().filter(|handover| handover.index == index);
                if handover.is_some_and(|handover| handover.root != edge.root()) {
                    let detail = "it hands over another tree than the one before it".to_owned();
                    found.push(Violation { index, rule: Rule::LogKey, detail });
                }
                edge.append(leaf_hash(&leaf), |_, _| ());
                violations.extend(found.into_iter().take(TOLD.saturating_sub(violations.len())));
            }
            progress(watched.monitor.size(), newest.size);
        }
        if edge.size() != newest.size || edge.root() != newest.root {
            return Err(self.broken("its entries are not those that its checkpoint covers"));
        }
        if let Some(last) = watched.monitor.handover().filter(|last| last.to != self.key.to_string()) {
            let detail = "the log was handed over to another key than signs it".to_owned();
            violations.push(Violation { index: last.index, rule: Rule::LogKey, detail });
        }
        watched.edge = edge.nodes().to_vec();
        let (skills, versions, keys) = watched.monitor.counts();
        Ok(MonitorReport {
            origin: newest.origin,
            from,
            size: newest.size,
            root: newest.root,
            skills,
            versions,
            keys,
            hidden: watched.monitor.hidden(),
            unjudged: watched.monitor.unjudged(),
            forced: watched.monitor.forced().clone(),
            violations,
        })
    }

    /// Holds a whole bundle against the checkpoint, so that what is made up is not read on and on.
    async fn check_bundle(&mut self, newest: &Checkpoint, first: u64, leaves: &[Vec<u8>]) -> Result<()> {
        let width = u64::from(TILE_WIDTH);
        if leaves.len() as u64 != width {
            return Ok(());
        }
        let mut edge = Edge::default();
        leaves.iter().for_each(|leaf| edge.append(leaf_hash(leaf), |_, _| ()));
        let node = Node { level: 8, index: first / width };
        if self.nodes(newest, &[node]).await?.get(&node) == Some(&edge.root()) {
            return Ok(());
        }
        Err(self.broken(format!("the entries from {first} on are not those that its checkpoint covers")))
    }

    /// What was looked at before on this machine.
    pub fn watched(&self) -> Result<Watched> {
        Ok(self.state.watched()?.unwrap_or_default())
    }

    /// Keeps what was looked at.
    pub fn keep_watched(&self, watched: &Watched) -> Result<()> {
        self.state.keep_watched(watched, &self.key)
    }
}

impl Openings {
    /// The entry of a hidden leaf, as far as the caller may see it, and only if it is the one of the leaf.
    async fn open(&mut self, client: &Client, index: u64, leaf: &[u8]) -> Result<Option<Entry>> {
        if !leaf.starts_with(b"{\"commitment\"") || !matches!(Leaf::parse(leaf), Ok(Leaf::Hidden { .. })) {
            return Ok(None);
        }
        if self.asked <= index {
            let page = client.openings(index, Some(PAGE)).await?;
            self.asked = page.next.unwrap_or(u64::MAX);
            self.known = page.entries.into_iter().map(|entry| (entry.index, entry.opening)).collect();
        }
        let opening =
            self.known.remove(&index).filter(|opening| opening.leaf().is_ok_and(|made| made == leaf));
        Ok(opening.and_then(|opening| opening.parse().ok()))
    }
}

/// Bundles of entries, some of them asked for ahead.
struct Bundles {
    client: Client,
    next: u64,
    size: u64,
    asked: VecDeque<(Tile, JoinHandle<Result<Vec<u8>>>)>,
}

impl Bundles {
    fn new(client: &Client, from: u64, checkpoint: &Checkpoint) -> Self {
        let next = from / u64::from(TILE_WIDTH);
        Self { client: client.clone(), next, size: checkpoint.size, asked: VecDeque::new() }
    }

    /// The number of the first entry of the next bundle, and its leaves.
    async fn next(&mut self, log: &Log) -> Result<Option<(u64, Vec<Vec<u8>>)>> {
        while self.asked.len() < AHEAD
            && let Some(tile) = Tile::in_tree(0, self.next, self.size)
        {
            self.next += 1;
            let client = self.client.clone();
            let limit = bundle_limit(&tile);
            let fetch = async move { client.log_resource(&tile.entries_path(), limit).await };
            self.asked.push_back((tile, tokio::spawn(fetch)));
        }
        let Some((tile, task)) = self.asked.pop_front() else { return Ok(None) };
        let bytes = task.await.map_err(Error::internal("wait for entries of the log"))??;
        let leaves = bundle_leaves(log, &tile, &bytes)?;
        let leaves = leaves.into_iter().map(<[u8]>::to_vec).collect();
        Ok(Some((tile.index * u64::from(TILE_WIDTH), leaves)))
    }
}

impl Drop for Bundles {
    fn drop(&mut self) {
        self.asked.iter().for_each(|(_, task)| task.abort());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_kept_is_looked_at_again() {
        let text = serde_json::to_string(&Watched::default()).unwrap();
        assert_eq!(Watched::parse(&text).unwrap().map(|watched| watched.monitor), Some(Monitor::default()));
        let mut kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        // Of before there was a number, and of another one; the rest is of another form, too.
        kept["monitor"]["versions"] = serde_json::json!({ "acme/tool@1.0.0": { "status": "published" } });
        kept["monitor"]["next"] = serde_json::json!(7);
        for form in [None, Some(1), Some(FORM + 1)] {
            match form {
                Some(form) => kept["form"] = serde_json::json!(form),
                None => drop(kept.as_object_mut().unwrap().remove("form")),
            }
            assert!(Watched::parse(&kept.to_string()).unwrap().is_none(), "{form:?}");
        }
        assert!(Watched::parse("[").is_err());
    }
}
