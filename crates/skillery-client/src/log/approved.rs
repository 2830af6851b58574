//! Whether others have approved a version: how many, in which role and group, and whether that counted at its place in the log.

mod judge;
mod signed;
mod story;

use std::collections::BTreeSet;

use skillery_core::PublishPolicy;
use skillery_core::entry::Entry;

use self::judge::{Grounds, judge};
use self::signed::check_review;
use self::story::{Story, story};
use super::entries::{Openings, proven};
use super::rotation::Believed;
use super::version::Offered;
use super::{Log, LogError};
use crate::error::{Error, Result};

pub use self::signed::KeptReview;

/// The approvals that a version was installed by.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApprovedView {
    /// What its namespace demanded, in short; where it demanded nothing, one approval of a reviewer. Nobody's, where its policies
    /// let it pass.
    pub demanded: PublishPolicy,
    /// The numbers of the log entries with approvals that count.
    pub log_indexes: Vec<u64>,
    /// The number of the entry by which an owner has released it without them. Whoever demands approvals takes such a version
    /// only if they say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<u64>,
}

/// A version's approvals.
#[derive(Debug, Clone, PartialEq)]
pub struct Approved {
    /// Those that count.
    pub view: ApprovedView,
    /// What they rest on.
    pub kept: KeptApprovals,
    /// The number of the last entry that has a part in it.
    pub last: u64,
}

/// What approves a version, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptApprovals {
    /// Proofs (c2sp.org/tlog-proof) of the entries that published, signed, approved and released it, that set the policies and
    /// the groups, that enrolled keys of reviewers, and that gave them their roles.
    pub entries: Vec<String>,
    /// Signed reviews, of those approvals that are signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<KeptReview>,
}

fn not_approved(offered: &Offered<'_>, reason: impl ToString) -> Error {
    let (id, version) = (offered.id.clone(), offered.version.clone());
    LogError::NotApproved { id, version, reason: reason.to_string() }.into()
}

impl Log {
    /// Counts the approvals of exactly these bytes, given by people who held the role then and had no part in the version,
    /// against what the policies demand together that its entries name.
    pub(super) async fn check_approved(
        &mut self,
        offered: &Offered<'_>,
        history: &[(u64, Entry)],
        or_forced: bool,
    ) -> Result<Approved> {
        let mut story = story(offered, history)?;
        let (mut read, mut grounds) = (Openings::new(), Grounds::new());
        for (index, named_by) in story.grounds() {
            grounds.insert(index, self.entry_before(index, named_by, &mut read).await?);
        }
        for (index, named_by) in story.grounds_of_approvals() {
            if let Some(entry) = self.entry_if_opened(index, named_by, &mut read).await? {
                grounds.insert(index, entry);
            }
        }
        let reviews = self.signed_reviews(offered, &mut story, &grounds).await?;
        let view = judge(offered, &story, &grounds, or_forced)?;
        // Enough to tell the same story again: whoever has a part in it, what was demanded, and the approvals that count.
        let mut needed: BTreeSet<u64> = story.told_by.iter().copied().collect();
        needed.extend(story.policies.iter().map(|(policy, _)| *policy));
        needed.extend(
            story.passed.iter().flat_map(|mark| [Some(mark.policy), mark.rests_on().flatten()]).flatten(),
        );
        let mut counting: BTreeSet<u64> = view.log_indexes.iter().copied().collect();
        counting.extend(story.named.iter().map(|marked| marked.index));
        for marked in story.all().filter(|marked| counting.contains(&marked.index)) {
            needed.insert(marked.index);
            let rests_on = marked.groups.iter().chain([&marked.member]);
            let rests_on = rests_on.copied().chain(marked.signature.map(|mark| mark.enrolled));
            needed.extend(rests_on.filter(|index| grounds.contains_key(index)));
        }
        let last = needed.last().copied().unwrap_or_default();
        let mut entries = Vec::with_capacity(needed.len());
        for index in needed {
            entries.push(self.receipt_of(index, &mut read).await?);
        }
        let reviews = reviews.into_iter().filter(|review| counting.contains(&review.log_index)).collect();
        Ok(Approved { view, kept: KeptApprovals { entries, reviews }, last })
    }

    /// The signed reviews of a version whose signatures are right; the story is told of them.
    async fn signed_reviews(
        &mut self,
        offered: &Offered<'_>,
        story: &mut Story<'_>,
        grounds: &Grounds,
    ) -> Result<Vec<KeptReview>> {
        if story.all().all(|marked| marked.signature.is_none()) {
            return Ok(Vec::new());
        }
        let mut good = Vec::new();
        for review in self.client.signed_reviews(offered.id, offered.version).await?.reviews {
            let kept = KeptReview {
                log_index: review.log_index,
                statement: review.review.statement,
                signature: review.review.signature,
                public_key: review.public_key,
            };
            let marked = story.all().find(|marked| marked.index == kept.log_index);
            // One that does not count takes nothing from the others.
            if marked.is_some_and(|marked| check_review(offered, self.key.name(), &kept, marked, grounds)) {
                story.signed.insert(kept.log_index);
                good.push(kept);
            }
        }
        Ok(good)
    }
}

/// Counts approvals that are kept, without asking anybody, by entries that are in the log of these keys. `published` is the
/// number of the entry that published the version.
pub fn check_kept_approvals(
    kept: &KeptApprovals,
    keys: &[Believed],
    offered: &Offered<'_>,
    published: u64,
    or_forced: bool,
) -> Result<ApprovedView> {
    let mut entries = Grounds::new();
    for text in &kept.entries {
        let (index, entry) = proven(text, keys).map_err(|reason| not_approved(offered, reason))?;
        entries.insert(index, entry);
    }
    let is_about = |entry: &Entry| entry.event.skill().is_some_and(|skill| skill.key() == offered.id.key());
    let history: Vec<(u64, Entry)> = entries
        .iter()
        .rev()
        .filter(|(_, entry)| is_about(entry))
        .map(|(index, entry)| (*index, entry.clone()))
        .collect();
    let mut story = story(offered, &history)?;
    if story.told_by.first() != Some(&published) {
        return Err(not_approved(offered, format!("entry {published}, which published it, is not kept")));
    }
    let Some(registry) = keys.first().map(|believed| believed.key.name()) else {
        return Err(not_approved(offered, "no key of its log is known"));
    };
    let good: Vec<u64> = kept
        .reviews
        .iter()
        .filter(|review| {
            let marked = story.all().find(|marked| marked.index == review.log_index);
            marked.is_some_and(|marked| check_review(offered, registry, review, marked, &entries))
        })
        .map(|review| review.log_index)
        .collect();
    story.signed.extend(good);
    judge(offered, &story, &entries, or_forced)
}

#[cfg(test)]
mod tests;
