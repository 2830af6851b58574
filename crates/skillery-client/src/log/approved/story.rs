//! What entries about a skill say of one version: who had a part in it, who approved it, and by what it was released.

use std::collections::{BTreeMap, BTreeSet};

use skillery_core::Visibility;
use skillery_core::approval::{AutoMark, Fact, MAX_GROUPS_NAMED, StageMark};
use skillery_core::entry::Entry;
use skillery_core::event::Event;
use skillery_core::limits::MAX_NAMESPACE_DEPTH;
use skillery_core::sign::review::ReviewMark;
use skillery_core::standing::is_asked_anew;
use skillery_core::time::Time;

use super::not_approved;
use crate::error::Result;
use crate::log::entries::MOST_OF_A_VERSION;
use crate::log::version::Offered;

/// Entries about groups that are looked at for one version.
const MOST_GROUPS: usize = 256;

/// An approval that the log names, and where.
#[derive(Debug, Clone)]
pub(super) struct Marked<'a> {
    pub(super) index: u64,
    pub(super) at: Time,
    pub(super) user: &'a str,
    pub(super) member: u64,
    /// As many as one may name.
    pub(super) groups: &'a [u64],
    pub(super) stages: &'a [StageMark],
    pub(super) signature: Option<&'a ReviewMark>,
}

/// What entries about the skill say of the version.
#[derive(Debug, Default)]
pub(super) struct Story<'a> {
    /// Who published it.
    pub(super) publisher: Option<&'a str>,
    /// The build that did.
    pub(super) via: Option<&'a str>,
    /// The policies that it waited for, or, once it is released, those that it was released by; each with the entry that
    /// names it.
    pub(super) policies: Vec<(u64, u64)>,
    /// Policies that let it pass.
    pub(super) passed: Vec<AutoMark>,
    /// Whether it waited at some time, and so was released by somebody.
    pub(super) has_waited: bool,
    /// What was said to be true of it when it was published.
    pub(super) published_facts: Option<Vec<Fact>>,
    /// What was true of it when it was handed out as it is now. What became true later is asked for when it waits again.
    pub(super) facts: Option<Vec<Fact>>,
    /// The approvals that it was released by, as the entry that did names them, of people who had no part in the version.
    pub(super) named: Vec<Marked<'a>>,
    /// When that was.
    pub(super) released_at: Option<Time>,
    /// The last approval of each person who had no part in the version: of the first persons, as many as are looked at.
    pub(super) approvals: Vec<Marked<'a>>,
    /// The entry by which it was released by force, if nobody has approved it since.
    pub(super) forced: Option<u64>,
    /// Approvals whose signatures were found to be right.
    pub(super) signed: BTreeSet<u64>,
    /// The entries that say so, approvals apart; the first published it.
    pub(super) told_by: Vec<u64>,
}

impl<'a> Story<'a> {
    /// All approvals that may count.
    pub(super) fn all(&self) -> impl Iterator<Item = &Marked<'a>> {
        self.named.iter().chain(&self.approvals)
    }

    /// The entries that it rests on but for its approvals, each with the one that names it.
    pub(super) fn grounds(&self) -> Vec<(u64, u64)> {
        let mut grounds = self.policies.clone();
        let published = self.told_by.first().copied().unwrap_or_default();
        for mark in &self.passed {
            grounds.push((mark.policy, published));
            grounds.extend(mark.rests_on().flatten().map(|index| (index, published)));
        }
        grounds.sort_unstable();
        grounds.dedup_by_key(|(index, _)| *index);
        grounds
    }

    /// The entries that approvals rest on, each with the one that names it. Without one of them an approval does not count, and
    /// the others do.
    pub(super) fn grounds_of_approvals(&self) -> Vec<(u64, u64)> {
        let mut grounds = Vec::new();
        let mut groups: BTreeSet<u64> = BTreeSet::new();
        for marked in self.all() {
            grounds.push((marked.member, marked.index));
            grounds.extend(marked.signature.iter().map(|mark| (mark.enrolled, marked.index)));
            for group in marked.groups {
                if groups.len() < MOST_GROUPS || groups.contains(group) {
                    groups.insert(*group);
                    grounds.push((*group, marked.index));
                }
            }
        }
        grounds.sort_unstable();
        grounds.dedup_by_key(|(index, _)| *index);
        grounds
    }

    /// Takes an approval in place of an earlier one of the same person.
    fn take(&mut self, marked: Marked<'a>) {
        match self.approvals.iter().position(|earlier| earlier.user == marked.user) {
            Some(place) => self.approvals[place] = marked,
            None if self.approvals.len() < MOST_OF_A_VERSION => self.approvals.push(marked),
            None => {}
        }
    }
}

/// Reads what the entries, the newest first, say of the version. Whoever published or signed it before has a part in it, and
/// their approval counts nowhere. What waits, and what was rejected, is not approved.
pub(super) fn story<'a>(offered: &Offered<'_>, history: &'a [(u64, Entry)]) -> Result<Story<'a>> {
    let mut story = Story::default();
    let mut authors: BTreeSet<&str> = BTreeSet::new();
    let mut given: BTreeMap<u64, Marked<'a>> = BTreeMap::new();
    let (mut waits, mut due, mut signed) = (false, None, 0);
    // What is true of it by now.
    let mut known: Option<Vec<Fact>> = None;
    for (index, entry) in history.iter().rev() {
        let index = *index;
        match &entry.event {
            Event::VisibilityChanged { visibility: Visibility::Public, .. } if !story.told_by.is_empty() => {
                match &mut known {
                    Some(facts) if !facts.contains(&Fact::Public) => facts.push(Fact::Public),
                    _ => continue,
                }
            }
            event if event.version() != Some(offered.version) => continue,
            Event::VersionPublished { signatures, policies, facts, passed, via, .. } => {
                authors.extend(entry.actor.as_deref());
                authors.extend(signatures.iter().map(|mark| mark.signer.as_str()));
                waits = !policies.is_empty();
                story.has_waited = waits;
                story.policies.extend(policies.iter().map(|policy| (*policy, index)));
                (story.publisher, story.via) = (entry.actor.as_deref(), via.as_deref());
                (story.published_facts, story.passed) = (facts.clone(), passed.clone());
                (story.facts, known) = (facts.clone(), facts.clone());
            }
            Event::VersionSigned { signature, .. } => {
                authors.insert(&signature.signer);
                signed += 1;
                // Of those whose approvals count, none was among them.
                if signed > MOST_OF_A_VERSION {
                    continue;
                }
            }
            Event::VersionApproved { digest, member, groups, stages, signature, .. } => {
                let Some(user) = entry.actor.as_deref().filter(|user| !authors.contains(user)) else {
                    continue;
                };
                if *digest == offered.digest {
                    let (at, signature) = (entry.time, signature.as_ref());
                    let groups = &groups[..groups.len().min(MAX_GROUPS_NAMED)];
                    let marked = Marked { index, at, user, member: *member, groups, stages, signature };
                    given.insert(index, marked.clone());
                    story.take(marked);
                }
                continue;
            }
            // Who asks for changes approves no more, until they approve again.
            Event::VersionChangesRequested { .. } => {
                let user = entry.actor.as_deref();
                given.retain(|_, earlier| Some(earlier.user) != user);
                story.approvals.retain(|earlier| Some(earlier.user) != user);
                continue;
            }
            Event::VersionRejected { .. } => {
                return Err(not_approved(offered, format!("it was rejected by entry {index}")));
            }
            // What was released by approvals was so by the policies of that moment.
            Event::VersionReleased { policies, approvals, .. } if waits && !approvals.is_empty() => {
                waits = false;
                story.facts.clone_from(&known);
                story.release(index, entry.time, policies, approvals, &given);
            }
            Event::VersionReviewed { policies, approvals, .. }
                if !waits && (due.is_some() || story.forced.is_some()) && !approvals.is_empty() =>
            {
                // As long as nobody has looked at what is due, it is handed out as it was.
                if let Some(since) = due.take() {
                    story.forget_before(since, &mut given);
                }
                story.facts.clone_from(&known);
                story.release(index, entry.time, policies, approvals, &given);
            }
            Event::VersionForced { policies, .. } if waits => {
                waits = false;
                story.facts.clone_from(&known);
                story.forced = Some(index);
                story.policies = policies.iter().map(|policy| (*policy, index)).collect();
            }
            Event::VersionHeld { policies, .. } if !policies.is_empty() => {
                (waits, due, story.forced) = (true, None, None);
                story.has_waited = true;
                (story.named, story.released_at) = (Vec::new(), None);
                story.policies = policies.iter().map(|policy| (*policy, index)).collect();
                if is_asked_anew(&entry.event) {
                    story.forget_before(index, &mut given);
                }
            }
            Event::VersionDue { .. } if !waits => due = Some(index),
            _ => continue,
        }
        story.told_by.push(index);
    }
    if waits {
        return Err(not_approved(offered, "it waits for approval"));
    }
    if story.policies.len().max(story.passed.len()) > MAX_NAMESPACE_DEPTH {
        let reason =
            format!("it names {} policies, and there is one for each namespace", story.policies.len());
        return Err(not_approved(offered, reason));
    }
    story.approvals.sort_by_key(|marked| marked.index);
    Ok(story)
}

impl<'a> Story<'a> {
    /// What was said before this entry is too old, and no policy lets it pass any more.
    fn forget_before(&mut self, index: u64, given: &mut BTreeMap<u64, Marked<'a>>) {
        given.retain(|approval, _| *approval > index);
        self.approvals.retain(|marked| marked.index > index);
        self.passed.clear();
    }

    fn release(
        &mut self,
        index: u64,
        time: Time,
        policies: &[u64],
        approvals: &[u64],
        given: &BTreeMap<u64, Marked<'a>>,
    ) {
        (self.forced, self.has_waited) = (None, true);
        self.released_at = Some(time);
        self.policies = policies.iter().map(|policy| (*policy, index)).collect();
        let named: BTreeSet<u64> = approvals.iter().copied().collect();
        let named = named.iter().filter_map(|index| given.get(index)).take(MOST_OF_A_VERSION);
        self.named = named.cloned().collect();
    }
}
