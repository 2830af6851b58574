//! What versions are, and what may become of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::approvals::Given;
use super::{Found, Monitor, Rule};
use crate::approval::{AutoMark, Fact};
use crate::entry::Entry;
use crate::event::Event;
use crate::standing::status_after;
use crate::{Digest, SkillId, Version, VersionStatus};

/// A version that was published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct VersionState {
    pub(super) digest: Digest,
    pub(super) status: VersionStatus,
    /// Who published or signed it, by user id.
    pub(super) authors: BTreeSet<String>,
    /// Approvals by entry, as far as they may count still.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) approvals: BTreeMap<u64, Given>,
    /// What was said to be true of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) facts: Option<Vec<Fact>>,
    /// What lets it pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) passed: Vec<AutoMark>,
    /// Whether it was handed out at some time.
    #[serde(default)]
    pub(super) was_released: bool,
    /// Whether it was handed out by force alone: never before, and nobody has approved it since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_only_forced: bool,
    /// Whether it is handed out without the approvals that are demanded: by force, or as it is due.
    #[serde(default)]
    pub(super) lacks_approvals: bool,
    /// Whether it is not handed out since before its skill was made public, and waits when it would be again.
    #[serde(default)]
    pub(super) waits_when_back: bool,
}

pub(super) fn version_key(skill: &SkillId, version: &Version) -> String {
    format!("{}@{version}", skill.key())
}

impl Monitor {
    /// The versions of a skill, by their keys.
    pub(super) fn versions_of<'a>(
        &'a self,
        skill: &SkillId,
    ) -> impl Iterator<Item = (&'a String, Version, &'a VersionState)> + use<'a> {
        let prefix = format!("{}@", skill.key());
        let from = self.versions.range(prefix.clone()..);
        from.take_while({
            let prefix = prefix.clone();
            move |(key, _)| key.starts_with(&prefix)
        })
        .filter_map(move |(key, state)| Some((key, key[prefix.len()..].parse().ok()?, state)))
    }

    /// Makes of a version what the entry makes of it, if it can follow those before; tells whether it can.
    pub(super) fn change(
        &mut self,
        skill: &SkillId,
        version: &Version,
        event: &Event,
        found: &mut Found,
    ) -> bool {
        let key = version_key(skill, version);
        let before = self.versions.get(&key).map(|known| known.status);
        match status_after(before, event) {
            Ok(after) => {
                if let Some(known) = self.versions.get_mut(&key) {
                    known.status = after;
                    known.is_only_forced = match event {
                        Event::VersionForced { .. } => known.is_only_forced || !known.was_released,
                        Event::VersionReleased { approvals, .. }
                        | Event::VersionReviewed { approvals, .. } => {
                            known.is_only_forced && approvals.is_empty()
                        }
                        _ => known.is_only_forced,
                    };
                    known.was_released |= after == VersionStatus::Published;
                }
                true
            }
            // What it was may have been changed by an entry that is hidden.
            Err(out_of_order) => {
                if !self.excuse(self.has_gap(&skill.key())) {
                    found.add(Rule::Status, format!("`{skill}` {version}: {out_of_order}"));
                }
                false
            }
        }
    }

    /// Notes a version, which waits if policies are named.
    pub(super) fn publish(
        &mut self,
        skill: &SkillId,
        version: &Version,
        digest: Digest,
        authors: BTreeSet<String>,
        entry: &Entry,
        found: &mut Found,
    ) {
        let Ok(status) = status_after(None, &entry.event) else { return };
        let Event::VersionPublished { facts, passed, .. } = &entry.event else { return };
        let state = VersionState {
            digest,
            status,
            authors,
            approvals: BTreeMap::new(),
            facts: facts.clone(),
            passed: passed.clone(),
            was_released: status == VersionStatus::Published,
            is_only_forced: false,
            lacks_approvals: false,
            waits_when_back: false,
        };
        if let Some(before) = self.versions.insert(version_key(skill, version), state) {
            found.add(
                Rule::Digest,
                format!("`{skill}` {version} was published before, with the digest {}", before.digest),
            );
        }
    }

    /// Whoever signs a version has a part in it from then on.
    pub(super) fn add_author(&mut self, skill: &SkillId, version: &Version, signer: &str) {
        if let Some(known) = self.versions.get_mut(&version_key(skill, version)) {
            known.authors.insert(signer.to_owned());
        }
    }
}
