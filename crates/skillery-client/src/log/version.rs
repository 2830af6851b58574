//! Whether the log says of a version what the registry says.

use serde::Deserialize;
use skillery_core::api::LoggedEntry;
use skillery_core::entry::{Entry, Opening};
use skillery_core::event::Event;
use skillery_core::receipt::Receipt;
use skillery_core::sign::statement::StatementFile;
use skillery_core::tlog::{Checkpoint, Node, VerifierKey};
use skillery_core::{Digest, SkillId, Version};

use super::approved::Approved;
use super::kept::Signed;
use super::{Log, LogError, read};
use crate::error::{Error, Result};

/// Entries behind the last one about a skill that are read to see whether the registry keeps one back. What is further
/// away is for `skillery log monitor`, which reads everything.
const TAIL: u64 = 1_024;
/// Rows of a page of a skill's entries.
const PAGE: u64 = 200;
/// Entries about one skill that are read at most.
const MOST: usize = 100_000;

/// A version as the registry offers it.
#[derive(Debug, Clone)]
pub struct Offered<'a> {
    /// The skill.
    pub id: &'a SkillId,
    /// The version.
    pub version: &'a Version,
    /// SHA-256 of the bundle.
    pub digest: Digest,
    /// SHA-256 of the code.
    pub code_hash: Digest,
    /// What the bundle holds.
    pub files: &'a [StatementFile],
    /// Whether one that was yanked, or waits for approval, will do: it was asked for by its number, and the registry warns of
    /// it.
    pub is_warned_of: bool,
}

/// What is demanded of a version, beside that it is in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demands {
    /// A signature that counts.
    pub signed: bool,
    /// Approval by others.
    pub approved: bool,
}

/// That a version is in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// The number of the entry that published it.
    pub index: u64,
    /// The proof, with the entry.
    pub receipt: String,
    /// The signatures, where one was demanded.
    pub signed: Option<Signed>,
    /// The approvals, where they were demanded.
    pub approved: Option<Approved>,
}

impl Log {
    /// Checks that the log has this version as it is offered, and that no entry behind takes it back. Asks for the newest
    /// checkpoint first.
    pub async fn check_version(&mut self, offered: &Offered<'_>, demands: Demands) -> Result<Logged> {
        let text = self.client.proof(offered.id, offered.version).await?;
        let receipt: Receipt = text.parse().map_err(|error| not_logged(offered, format!("{error}")))?;
        self.update().await?;
        receipt.verify(&self.key).map_err(|error| not_logged(offered, format!("{error}")))?;
        check_receipt(&receipt, offered)?;
        self.check_older(&receipt.checkpoint()).await?;
        let opening = receipt.opening.clone();
        self.check_included(&[(receipt.index(), opening)]).await?;
        let history = self.check_history(offered, receipt.index()).await?;
        let signed = match demands.signed {
            true => Some(self.check_signed(offered, &history).await?),
            false => None,
        };
        let approved = match demands.approved {
            true => Some(self.check_approved(offered, &history).await?),
            false => None,
        };
        Ok(Logged { index: receipt.index(), receipt: text, signed, approved })
    }

    /// Checks that these entries are in the tree of the newest checkpoint.
    async fn check_included(&mut self, entries: &[(u64, Opening)]) -> Result<()> {
        let (newest, _) = self.newest_or_error()?;
        let nodes: Vec<Node> = entries.iter().map(|(index, _)| Node { level: 0, index: *index }).collect();
        if let Some(node) = nodes.iter().find(|node| node.index >= newest.size) {
            return Err(self.broken(format!("entry {} is behind its end", node.index)));
        }
        let hashes = self.nodes(&newest, &nodes).await?;
        for (index, opening) in entries {
            let hash = opening.leaf_hash().map_err(|error| self.broken(error.to_string()))?;
            if hashes.get(&Node { level: 0, index: *index }) != Some(&hash) {
                return Err(self.broken(format!("entry {index} is another one")));
            }
        }
        Ok(())
    }

    /// Walks from the last entry about the skill back to the one that published the version, and looks behind the last
    /// for one that was kept back.
    async fn check_history(&mut self, offered: &Offered<'_>, published: u64) -> Result<Vec<(u64, Entry)>> {
        let seen = self.state.heads()?.get(&offered.id.key()).copied();
        let entries = self.history(offered.id, published.min(seen.unwrap_or(published))).await?;
        let Some(head) = entries.first().map(|(index, _)| *index) else {
            return Err(not_logged(offered, "the registry shows no entry about it".to_owned()));
        };
        // What was seen before, and what published the version, are on the one chain of the skill, or somebody has been
        // shown another one.
        let is_there = |index: u64| entries.iter().any(|(other, _)| *other == index);
        if let Some(index) = [Some(published), seen].into_iter().flatten().find(|index| !is_there(*index)) {
            return Err(self.withheld(offered.id, index));
        }
        let publications = entries.iter().filter(|(_, entry)| {
            matches!(&entry.event, Event::VersionPublished { version, .. } if version == offered.version)
        });
        if publications.count() != 1 {
            return Err(not_logged(offered, "the log has more than one publication of it".to_owned()));
        }
        let status = status_of(offered, &entries);
        if let Some((word, index)) = status
            && !(offered.is_warned_of && matches!(word, YANKED | PENDING))
        {
            let (id, version) = (offered.id.clone(), offered.version.clone());
            return Err(LogError::Withdrawn { id, version, status: word, index }.into());
        }
        self.check_tail(offered.id, head).await?;
        self.state.keep_head(offered.id, head)?;
        Ok(entries)
    }

    /// The entries about a skill, the newest first, down to this number: in the tree, about the skill, and each naming
    /// the one before it.
    async fn history(&mut self, id: &SkillId, down_to: u64) -> Result<Vec<(u64, Entry)>> {
        let mut found: Vec<(u64, Entry)> = Vec::new();
        let (newest, _) = self.newest_or_error()?;
        loop {
            let before = found.last().map_or(newest.size, |(index, _)| *index);
            if found.last().is_some_and(|(index, _)| *index <= down_to) {
                return Ok(found);
            }
            let page = self.client.log_of_skill(id, Some(before), Some(PAGE)).await?.entries;
            if page.is_empty() || found.len() > MOST {
                return Err(self.withheld(id, down_to));
            }
            let openings: Vec<(u64, Opening)> =
                page.into_iter().map(|LoggedEntry { index, opening }| (index, opening)).collect();
            self.check_included(&openings).await?;
            for (index, opening) in openings {
                let entry = opening.parse().map_err(|error| self.broken(error.to_string()))?;
                let before = found.last().map_or(newest.size, |(index, _)| *index);
                let is_next =
                    index < before && found.last().is_none_or(|(_, after)| after.prev == Some(index));
                if !is_next {
                    let missing = found.last().and_then(|(_, after)| after.prev).unwrap_or(down_to);
                    return Err(self.withheld(id, missing));
                }
                if entry.event.skill().is_some_and(|skill| skill.key() != id.key()) {
                    return Err(self.broken(format!("entry {index} is not about `{id}`")));
                }
                found.push((index, entry));
            }
        }
    }

    /// Reads the newest entries behind the last one that the registry has shown about the skill.
    async fn check_tail(&mut self, id: &SkillId, head: u64) -> Result<()> {
        let (newest, _) = self.newest_or_error()?;
        let from = (head + 1).max(newest.size.saturating_sub(TAIL));
        let leaves = read::leaves(self, from, newest.size).await?;
        for (index, leaf) in (from..).zip(&leaves) {
            // Hidden entries, and kinds that are not known, say nothing here.
            let Ok(About { skill: Some(skill) }) = serde_json::from_slice(leaf) else { continue };
            if skill.key() == id.key() {
                return Err(self.withheld(id, index));
            }
        }
        Ok(())
    }

    fn withheld(&self, id: &SkillId, index: u64) -> Error {
        LogError::Withheld { registry: self.registry(), id: id.clone(), index }.into()
    }
}

/// Which skill an entry is about.
#[derive(Deserialize)]
struct About {
    skill: Option<SkillId>,
}

const YANKED: &str = "was yanked";
const QUARANTINED: &str = "was quarantined";
const REJECTED: &str = "was rejected";
const PENDING: &str = "waits for approval";

/// What the entries, the newest first, say last of the version: why it is not handed out, and by which entry.
fn status_of(offered: &Offered<'_>, entries: &[(u64, Entry)]) -> Option<(&'static str, u64)> {
    entries
        .iter()
        .find_map(|(index, entry)| {
            let (version, word) = match &entry.event {
                Event::VersionYanked { version, .. } => (version, Some(YANKED)),
                Event::VersionQuarantined { version, .. } => (version, Some(QUARANTINED)),
                Event::VersionRejected { version, .. } => (version, Some(REJECTED)),
                Event::VersionPublished { version, policies, .. } if !policies.is_empty() => {
                    (version, Some(PENDING))
                }
                Event::VersionUnyanked { version, .. }
                | Event::VersionReleased { version, .. }
                | Event::VersionPublished { version, .. } => (version, None),
                _ => return None,
            };
            (version == offered.version).then_some((word, *index))
        })
        .and_then(|(word, index)| word.map(|word| (word, index)))
}

fn not_logged(offered: &Offered<'_>, reason: String) -> Error {
    LogError::NotLogged { id: offered.id.clone(), version: offered.version.clone(), reason }.into()
}

/// Checks a proof without asking anybody: the log of this key has the version as it is offered.
pub fn check_kept(text: &str, key: &VerifierKey, offered: &Offered<'_>) -> Result<(u64, Checkpoint)> {
    let receipt: Receipt = text.parse().map_err(|error| not_logged(offered, format!("{error}")))?;
    let (_, checkpoint) = receipt.verify(key).map_err(|error| not_logged(offered, format!("{error}")))?;
    check_receipt(&receipt, offered)?;
    Ok((receipt.index(), checkpoint))
}

/// Checks that a receipt is about the version, and says of it what is offered.
fn check_receipt(receipt: &Receipt, offered: &Offered<'_>) -> Result<()> {
    let entry = receipt.entry().map_err(|error| not_logged(offered, error.to_string()))?;
    let Event::VersionPublished { skill, version, digest, code_hash, .. } = &entry.event else {
        return Err(not_logged(offered, format!("entry {} is no publication", receipt.index())));
    };
    let differs = |what: &str, logged: &dyn std::fmt::Display| {
        Err(not_logged(offered, format!("entry {} has the {what} {logged}", receipt.index())))
    };
    if skill.key() != offered.id.key() {
        return differs("skill", skill);
    }
    if version != offered.version {
        return differs("version", version);
    }
    if *digest != offered.digest {
        return differs("digest", digest);
    }
    if *code_hash != offered.code_hash {
        return differs("code hash", code_hash);
    }
    Ok(())
}
