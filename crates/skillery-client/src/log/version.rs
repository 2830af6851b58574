//! Whether the log says of a version what the registry says.

use serde::Deserialize;
use skillery_core::api::LoggedEntry;
use skillery_core::entry::{Entry, Opening};
use skillery_core::event::Event;
use skillery_core::id::key_contains;
use skillery_core::receipt::Receipt;
use skillery_core::sign::statement::StatementFile;
use skillery_core::standing::status_after;
use skillery_core::tlog::{Checkpoint, Node, VerifierKey};
use skillery_core::{Digest, Namespace, SkillId, Version, VersionStatus};

use super::approved::Approved;
use super::kept::Signed;
use super::rotation::Believed;
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
    /// What the registry itself says of a version that was asked for by its number and that it warns of: one that was yanked,
    /// or waits for approval, will do then.
    pub said: Option<VersionStatus>,
}

impl Offered<'_> {
    /// Whether the skill lies in a namespace that an entry names.
    pub(super) fn lies_in(&self, namespace: &str) -> bool {
        let place: Option<Namespace> = namespace.parse().ok();
        place.is_some_and(|place| key_contains(&place.key(), &self.id.namespace().key()))
    }
}

/// What is demanded of a version, beside that it is in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demands {
    /// A signature that counts.
    pub signed: bool,
    /// Approval by others.
    pub approved: bool,
    /// Or release by an owner, by force.
    pub or_forced: bool,
}

/// That a version is in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// The number of the entry that published it.
    pub index: u64,
    /// The proof, with the entry.
    pub receipt: String,
    /// The key that its checkpoint is signed with.
    pub key: VerifierKey,
    /// The number of the last entry that what was demanded rests on.
    pub rests_on: u64,
    /// The signatures, where one was demanded.
    pub signed: Option<Signed>,
    /// The approvals, where they were demanded.
    pub approved: Option<Approved>,
    /// The entry by which an owner has released it without the approvals that were demanded, if nobody has approved it since.
    pub forced: Option<u64>,
}

impl Log {
    /// Checks that the log has this version as it is offered, and that no entry behind takes it back. Asks for the newest
    /// checkpoint first.
    pub async fn check_version(&mut self, offered: &Offered<'_>, demands: Demands) -> Result<Logged> {
        let text = self.client.proof(offered.id, offered.version).await?;
        let receipt: Receipt = text.parse().map_err(|error| not_logged(offered, format!("{error}")))?;
        self.update().await?;
        let key = self.opened(&receipt.checkpoint()).map_or_else(|_| self.key.clone(), |(key, _)| key);
        receipt.verify(&key).map_err(|error| not_logged(offered, format!("{error}")))?;
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
            true => Some(self.check_approved(offered, &history, demands.or_forced).await?),
            false => None,
        };
        let index = receipt.index();
        let rests_on =
            [signed.as_ref().map(|signed| signed.view.log_index), approved.as_ref().map(|it| it.last)];
        let rests_on = rests_on.into_iter().flatten().fold(index, u64::max);
        let forced = forced(offered, &history);
        Ok(Logged { index, receipt: text, key, rests_on, signed, approved, forced })
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
        if let Some((status, index)) = status_of(offered, &entries)
            && let Some(word) = withheld_as(status)
            && !(offered.said == Some(status)
                && matches!(status, VersionStatus::Yanked | VersionStatus::Pending))
        {
            let (id, version) = (offered.id.clone(), offered.version.clone());
            return Err(LogError::Withdrawn { id, version, status: word, index }.into());
        }
        self.check_tail(offered.id, head).await?;
        if seen != Some(head) {
            self.state.keep_head(offered.id, head, &self.key)?;
        }
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
                // Whatever its kind: one that is about nothing would stand in for one that is kept back.
                if entry.skill().is_none_or(|skill| skill.key() != id.key()) {
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
            // Hidden entries say nothing here.
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

/// Which skill an entry is about. All else that a thousand entries say is not read for that.
#[derive(Deserialize)]
struct About {
    skill: Option<SkillId>,
}

/// Why a version that is this is not handed out, in words.
fn withheld_as(status: VersionStatus) -> Option<&'static str> {
    match status {
        VersionStatus::Published => None,
        VersionStatus::Pending => Some("waits for approval"),
        VersionStatus::Rejected => Some("was rejected"),
        VersionStatus::Yanked => Some("was yanked"),
        VersionStatus::Quarantined => Some("was quarantined"),
    }
}

/// What the entries, the newest first, make of the version, and the one that did. One that cannot follow those before it
/// changes nothing: a registry that appends it has broken a rule, and gains nothing by it here.
fn status_of(offered: &Offered<'_>, entries: &[(u64, Entry)]) -> Option<(VersionStatus, u64)> {
    let mut standing: Option<(VersionStatus, u64)> = None;
    let about = entries.iter().rev().filter(|(_, entry)| entry.event.version() == Some(offered.version));
    for (index, entry) in about {
        let before = standing.map(|(status, _)| status);
        if let Ok(after) = status_after(before, &entry.event)
            && before != Some(after)
        {
            standing = Some((after, *index));
        }
    }
    standing
}

/// The entry by which the version was released by force, where it is handed out by that.
fn forced(offered: &Offered<'_>, entries: &[(u64, Entry)]) -> Option<u64> {
    let about = entries.iter().filter(|(_, entry)| entry.event.version() == Some(offered.version));
    // The newest of what decides it.
    let decides = |event: &Event| match event {
        Event::VersionForced { .. } => Some(true),
        Event::VersionReviewed { .. } | Event::VersionHeld { .. } => Some(false),
        Event::VersionReleased { approvals, .. } if !approvals.is_empty() => Some(false),
        _ => None,
    };
    let (is_forced, index) =
        about.filter_map(|(index, entry)| Some((decides(&entry.event)?, *index))).next()?;
    is_forced.then_some(index)
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

/// Checks a proof without asking anybody: a log with one of these keys has the version as it is offered. Returns which, too.
pub fn check_kept_by<'a>(
    text: &str,
    keys: &'a [Believed],
    offered: &Offered<'_>,
) -> Result<(&'a VerifierKey, u64, Checkpoint)> {
    let mut first = None;
    for believed in keys {
        match check_kept(text, &believed.key, offered) {
            Ok((index, checkpoint)) if believed.answers_for(checkpoint.size) => {
                return Ok((&believed.key, index, checkpoint));
            }
            Ok((_, checkpoint)) => {
                let (size, fingerprint) = (checkpoint.size, believed.key.fingerprint());
                let reason = format!("{fingerprint} has handed the log over before it had {size} entries");
                return Err(not_logged(offered, reason));
            }
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or_else(|| not_logged(offered, "no key of its log is known".to_owned())))
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

#[cfg(test)]
mod tests {
    use skillery_core::time::Time;

    use super::*;

    #[test]
    fn detours_make_nothing_of_what_waits_or_was_rejected() {
        let (id, version): (SkillId, Version) = ("acme/tool".parse().unwrap(), "1.0.0".parse().unwrap());
        let digest = Digest::of(b"bundle");
        let offered = Offered {
            id: &id,
            version: &version,
            digest,
            code_hash: Digest::of(b"code"),
            files: &[],
            said: None,
        };
        let published = Event::VersionPublished {
            skill: id.clone(),
            version: version.clone(),
            digest,
            size: 1,
            code_hash: Digest::of(b"code"),
            via: None,
            statement: None,
            signatures: Vec::new(),
            policies: vec![3],
            facts: None,
            passed: Vec::new(),
        };
        let yanked = || Event::VersionYanked { skill: id.clone(), version: version.clone() };
        let unyanked = || Event::VersionUnyanked { skill: id.clone(), version: version.clone() };
        let released = |approvals: Vec<u64>| Event::VersionReleased {
            skill: id.clone(),
            version: version.clone(),
            policies: approvals.clone(),
            approvals,
        };
        let rejected = || Event::VersionRejected {
            skill: id.clone(),
            version: version.clone(),
            digest,
            member: 2,
            signature: None,
        };
        let other = Event::VersionReleased {
            skill: id.clone(),
            version: "1.1.0".parse().unwrap(),
            policies: vec![3],
            approvals: vec![4],
        };
        use VersionStatus::{Pending, Published, Rejected, Yanked};
        for (events, expected) in [
            (vec![], (Pending, 10)),
            (vec![yanked(), unyanked()], (Pending, 10)),
            (vec![released(vec![])], (Pending, 10)),
            (vec![other], (Pending, 10)),
            (vec![released(vec![4])], (Published, 11)),
            (vec![released(vec![4]), yanked()], (Yanked, 12)),
            (vec![rejected(), released(vec![4]), released(vec![])], (Rejected, 11)),
            (vec![rejected(), yanked(), unyanked()], (Rejected, 11)),
        ] {
            let entry = |event| Entry::new(Time::from_micros(0), None, None, event);
            let mut entries = vec![(10, entry(published.clone()))];
            entries.extend((11..).zip(events.into_iter().map(entry)));
            entries.reverse();
            assert_eq!(status_of(&offered, &entries), Some(expected), "{entries:#?}");
        }
    }
}
