//! Sealing: what a transaction appends becomes leaves under a signed checkpoint.
//!
//! The checkpoint is made in the transaction whose entries it covers, from the edge that the locked head row holds, and
//! is told to nobody before the commit. So an entry, its leaf and its checkpoint exist together or not at all, and two
//! servers cannot sign two trees: whoever holds the head row is the one that signs.

use std::collections::HashMap;

use skillery_core::Digest;
use skillery_core::entry::{Entry, Opening};
use skillery_core::event::{Audience, Event};
use skillery_core::receipt::Receipt;
use skillery_core::time::Time;
use skillery_core::tlog::{Edge, MissingNode, Node, proof};

use super::LogKey;
use crate::environment::Environment;
use crate::failure::{Failure, Result};

/// What is to become a leaf.
pub struct Draft<'batch> {
    /// The id of the user who did it.
    pub actor: Option<&'batch str>,
    /// What was done.
    pub event: &'batch Event,
}

/// How a skill stands for its next entry.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The number of the last entry about it.
    pub last: Option<u64>,
    /// Whether everybody sees it.
    pub is_public: bool,
}

/// Entries that share a checkpoint.
#[derive(Debug)]
pub struct Batch {
    /// The tree before.
    before: Edge,
    /// The tree with these entries.
    pub after: Edge,
    /// Subtrees that these entries have completed.
    nodes: HashMap<Node, Digest>,
    /// The entries.
    pub openings: Vec<Opening>,
    /// The signed checkpoint of the tree.
    pub note: String,
}

/// Seals these entries. `standings` has every skill that they are about, by key.
pub fn seal(
    before: Edge,
    now: Time,
    drafts: &[Draft<'_>],
    standings: &mut HashMap<String, Standing>,
    key: &LogKey,
    environment: &Environment,
) -> Result<Batch> {
    let mut after = before.clone();
    let mut nodes = HashMap::new();
    let mut openings = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let mut standing = draft.event.skill().map(|skill| standings.entry(skill.key()).or_default());
        let prev = standing.as_ref().and_then(|standing| standing.last);
        let entry = Entry::new(now, draft.actor.map(str::to_owned), prev, draft.event.clone());
        let is_hidden = match draft.event.audience() {
            Audience::Everybody => false,
            Audience::OfSkill(_) => standing.as_ref().is_none_or(|standing| !standing.is_public),
            // An org is known by what it shows, which may change; its names are opened to whoever knows of it.
            Audience::OfOrg(_) | Audience::Admins => true,
        };
        let opening = Opening {
            entry: entry.to_text().map_err(Failure::internal)?,
            salt: is_hidden.then(|| Digest::from_bytes(environment.random())),
        };
        if let Some(standing) = &mut standing {
            standing.last = Some(after.size());
        }
        after.append(opening.leaf_hash().map_err(Failure::internal)?, |node, hash| {
            nodes.insert(node, hash);
        });
        openings.push(opening);
    }
    let note = key.sign(after.size(), after.root()).map_err(Failure::internal)?;
    Ok(Batch { before, after, nodes, openings, note })
}

impl Batch {
    /// The tree of a log that has been given one.
    pub fn adopted(after: Edge, note: String) -> Self {
        Self { before: after.clone(), after, nodes: HashMap::new(), openings: Vec::new(), note }
    }

    /// Complete subtrees that tiles above the lowest hold: their level in the tree, their number, their root.
    pub fn tile_nodes(&self) -> Vec<(Node, Digest)> {
        let mut nodes: Vec<(Node, Digest)> = self
            .nodes
            .iter()
            .filter(|(node, _)| node.level > 0 && node.level % super::TILE_HEIGHT == 0)
            .map(|(node, hash)| (*node, *hash))
            .collect();
        nodes.sort_by_key(|(node, _)| (node.level, node.index));
        nodes
    }

    /// The proof that the entry of this number is in the log.
    pub fn receipt(&self, index: u64) -> Result<Receipt> {
        let place = index.checked_sub(self.before.size()).and_then(|place| usize::try_from(place).ok());
        let opening = place
            .and_then(|place| self.openings.get(place))
            .ok_or_else(|| Failure::internal(format!("entry {index} is not of this batch")))?;
        // What lies left of new entries is on the edge of the old tree, or was completed by them.
        let hashes = proof::inclusion_proof(index, self.after.size(), |node| {
            self.nodes.get(&node).copied().or_else(|| self.before.node(node)).ok_or(MissingNode(node))
        })
        .map_err(Failure::internal)?;
        Receipt::new(opening.clone(), index, hashes, &self.note).map_err(Failure::internal)
    }
}
