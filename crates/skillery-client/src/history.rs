//! What happened to a skill, as the registry tells it: its log, with what was said of its versions. Nothing of it is checked; see
//! [`crate::log`] for that.

use std::collections::HashMap;

use serde::Serialize;
use skillery_core::api::VersionSummary;
use skillery_core::time::Time;
use skillery_core::{SkillId, Version};

use crate::api::MOST_PAGES;
use crate::client::Client;
use crate::error::Result;

/// Entries in one answer, at most.
const ROWS: u64 = 200;
/// The kind of what publishes a version.
const PUBLISHED: &str = "version.published";

/// One entry of the log about a skill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its number in the log.
    pub log_index: u64,
    /// When.
    pub time: Time,
    /// What was done, such as `version.released`.
    pub action: String,
    /// The version that it is about.
    pub version: Option<Version>,
    /// The id of the user who did it.
    pub actor: Option<String>,
    /// The name of whoever published it, where the caller sees the version.
    pub publisher: Option<String>,
    /// What changed with it, as whoever published it says.
    pub changelog: Option<String>,
}

impl Client {
    /// The newest changes of a skill, or of one version of it; at most so many, the newest first.
    pub async fn history(&self, id: &SkillId, version: Option<&Version>, limit: u64) -> Result<Vec<Change>> {
        let (mut changes, mut before): (Vec<Change>, _) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let left = limit.saturating_sub(changes.len() as u64);
            // Of one version it is not known how many entries about others are between.
            let rows = if version.is_some() { ROWS } else { left.min(ROWS) };
            if left == 0 {
                break;
            }
            let page = self.log_of_skill(id, before, Some(rows)).await?;
            // A registry that shows what it has shown before would show it for ever.
            let falls = page.entries.iter().all(|logged| {
                let is_older = before.is_none_or(|before| logged.index < before);
                before = Some(logged.index);
                is_older
            });
            if page.entries.is_empty() || !falls {
                break;
            }
            for logged in page.entries {
                let entry = logged.opening.parse().map_err(|error| {
                    self.bad_answer(format!("entry {} of its log: {error}", logged.index))
                })?;
                let change = Change::of(logged.index, entry);
                if version.is_none() || change.version.as_ref() == version {
                    changes.push(change);
                }
            }
        }
        changes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        if changes.iter().any(|change| change.action == PUBLISHED) {
            let versions = self.all_versions(id).await?;
            let known: HashMap<&Version, &VersionSummary> =
                versions.iter().map(|version| (&version.version, version)).collect();
            for change in changes.iter_mut().filter(|change| change.action == PUBLISHED) {
                let Some(version) = change.version.as_ref().and_then(|version| known.get(version)) else {
                    continue;
                };
                change.publisher = Some(version.publisher.clone());
                change.changelog.clone_from(&version.changelog);
            }
        }
        Ok(changes)
    }
}

impl Change {
    fn of(log_index: u64, entry: skillery_core::entry::Entry) -> Self {
        Self {
            log_index,
            time: entry.time,
            action: entry.event.kind().to_owned(),
            version: entry.event.version().cloned(),
            actor: entry.actor,
            publisher: None,
            changelog: None,
        }
    }
}
