//! Counting the approvals of a story, by the entries that it rests on.

use std::collections::BTreeMap;

use skillery_core::approval::{Approval, AutoMark, AutoReason, Demand, Group, InForce, Judgement, Passing};
use skillery_core::entry::Entry;
use skillery_core::event::Event;
use skillery_core::time::Time;
use skillery_core::{Namespace, PublishPolicy, Role};

use super::story::{Marked, Story};
use super::{ApprovedView, not_approved};
use crate::error::Result;
use crate::log::version::Offered;

/// Entries that the story rests on: policies, groups, roles and keys, by number.
pub(super) type Grounds = BTreeMap<u64, Entry>;

fn key_of(namespace: &str) -> Option<String> {
    namespace.parse::<Namespace>().ok().map(|namespace| namespace.key())
}

/// A policy that an entry sets, there or in a namespace above, and the key of its namespace.
fn policy<'a>(
    offered: &Offered<'_>,
    grounds: &'a Grounds,
    (index, named_by): (u64, u64),
) -> Result<(String, &'a PublishPolicy)> {
    match grounds.get(&index).filter(|_| index < named_by).map(|entry| &entry.event) {
        Some(Event::PolicySet { namespace, policy })
            if offered.lies_in(namespace) && policy.check().is_ok() =>
        {
            Ok((key_of(namespace).unwrap_or_default(), policy))
        }
        _ => Err(not_approved(offered, format!("entry {index} sets no policy for it"))),
    }
}

/// The group that an entry puts a user into, there or in a namespace above.
fn group(offered: &Offered<'_>, grounds: &Grounds, (index, before): (u64, u64), user: &str) -> Option<Group> {
    match grounds.get(&index).filter(|_| index < before).map(|entry| &entry.event) {
        Some(Event::GroupSet { namespace, group, users })
            if offered.lies_in(namespace) && users.iter().any(|member| member == user) =>
        {
            Some(Group { namespace: key_of(namespace)?, name: group.clone() })
        }
        _ => None,
    }
}

/// The key of the namespace that trusts this user as a build, by an entry, there or above.
fn trusted(
    offered: &Offered<'_>,
    grounds: &Grounds,
    (index, before): (u64, u64),
    user: &str,
) -> Option<String> {
    match grounds.get(&index).filter(|_| index < before).map(|entry| &entry.event) {
        Some(Event::PublisherTrusted { namespace, user: build, .. })
            if offered.lies_in(namespace) && build == user =>
        {
            key_of(namespace)
        }
        _ => None,
    }
}

/// Whether a policy let the version pass when it was published, as is said.
fn check_passed(offered: &Offered<'_>, story: &Story<'_>, grounds: &Grounds, mark: &AutoMark) -> Result<()> {
    let published = story.told_by.first().copied().unwrap_or_default();
    let (place, policy) = policy(offered, grounds, (mark.policy, published))?;
    let ground = mark.rests_on();
    let by = ground.flatten().zip(story.publisher);
    let (mut trusted_in, mut in_group) = (None, None);
    match (by, mark.reason) {
        (Some((index, user)), AutoReason::TrustedBuild) if story.via.is_some() => {
            trusted_in = trusted(offered, grounds, (index, published), user);
        }
        (Some((index, user)), AutoReason::Group) => {
            in_group = group(offered, grounds, (index, published), user);
        }
        _ => {}
    }
    let passing = Passing {
        facts: story.published_facts.as_deref(),
        trusted_in: trusted_in.as_deref(),
        group: in_group.as_ref().map(|group| (group.namespace.as_str(), &group.name)),
    };
    let set = InForce { index: mark.policy, namespace: &place, policy };
    if ground.is_some() && set.lets_pass(mark.reason, &passing) {
        return Ok(());
    }
    Err(not_approved(offered, format!("entry {} does not let it pass as `{}`", mark.policy, mark.reason)))
}

fn approval<'a>(
    offered: &Offered<'_>,
    story: &Story<'_>,
    grounds: &Grounds,
    marked: &Marked<'a>,
) -> Approval<'a> {
    let role = match grounds.get(&marked.member).map(|entry| &entry.event) {
        Some(Event::MemberSet { namespace, user, role })
            if marked.member < marked.index && user == marked.user && offered.lies_in(namespace) =>
        {
            *role
        }
        _ => Role::Reader,
    };
    let groups = marked.groups.iter();
    let groups =
        groups.filter_map(|index| group(offered, grounds, (*index, marked.index), marked.user)).collect();
    let is_signed = story.signed.contains(&marked.index);
    let Marked { index, at, user, stages, .. } = *marked;
    Approval { user, role, is_own: false, groups, is_signed, at, index, stages }
}

/// Counts the approvals of a story against what its policies demand together. Where owners may release by force, what they
/// released so passes.
pub(super) fn judge(
    offered: &Offered<'_>,
    story: &Story<'_>,
    grounds: &Grounds,
    or_forced: bool,
) -> Result<ApprovedView> {
    let mut policies = Vec::new();
    for (index, named_by) in &story.policies {
        let (namespace, policy) = policy(offered, grounds, (*index, *named_by))?;
        policies.push((*index, namespace, policy));
    }
    for mark in &story.passed {
        check_passed(offered, story, grounds, mark)?;
    }
    let sets = policies.iter().map(|(index, namespace, policy)| InForce { index: *index, namespace, policy });
    let demand = Demand::of(sets, story.facts.as_deref(), &story.passed);
    if let Some(index) = story.forced {
        if or_forced {
            let demanded = demand.or_least().in_short();
            return Ok(ApprovedView { demanded, log_indexes: Vec::new(), forced: Some(index) });
        }
        let reason = format!(
            "an owner released it by force, by entry {index}, without the approvals that were demanded"
        );
        return Err(not_approved(offered, reason));
    }
    // What waited once was released by somebody, whatever is said to have let it pass.
    if demand.is_nothing() && !story.passed.is_empty() && !story.has_waited {
        let demanded = PublishPolicy::default();
        return Ok(ApprovedView { demanded, log_indexes: Vec::new(), forced: None });
    }
    let demand = demand.or_least();
    let demanded = demand.in_short();
    // Of what nobody released, no approval grows old.
    let released_at = story.released_at.unwrap_or(Time::from_micros(i64::MIN));
    let mut most = None;
    for (list, now) in [(&story.named, released_at), (&story.approvals, released_at)] {
        let approvals: Vec<Approval<'_>> =
            list.iter().map(|marked| approval(offered, story, grounds, marked)).collect();
        for length in 1..=approvals.len() {
            let judgement = demand.judge(&approvals[..length], now);
            if judgement.is_complete() {
                let log_indexes = judgement.counted().into_iter().map(|place| list[place].index).collect();
                return Ok(ApprovedView { demanded, log_indexes, forced: None });
            }
            most = Some(judgement);
        }
    }
    let most = most.unwrap_or_else(|| demand.judge(&[], released_at));
    Err(not_approved(offered, lacks(&demand, &most)))
}

/// What is missing, in words.
fn lacks(demand: &Demand, judgement: &Judgement) -> String {
    if demand.ladders.len() == 1 && demand.ladders[0].stages.len() == 1 && !demand.ladders[0].signed_reviews {
        let PublishPolicy { approvals, role, .. } = demand.in_short();
        let are = if approvals == 1 { "is" } else { "are" };
        return format!(
            "{approvals} by a {role} or above {are} demanded, of people who neither published nor signed it, and the log has {}",
            judgement.count()
        );
    }
    let ladders = demand.ladders.iter().zip(&judgement.ladders);
    let mut stages = ladders.flat_map(|(ladder, counts)| {
        ladder.stages.iter().zip(counts).map(|(stage, count)| (stage, count, ladder.signed_reviews))
    });
    match stages.find(|(_, count, _)| !count.is_complete) {
        Some((stage, count, is_signed)) => {
            let signed = if is_signed { "signed " } else { "" };
            let group =
                stage.group.as_ref().map_or_else(String::new, |group| format!(" in the group `{group}`"));
            format!(
                "the stage `{}` asks for {} {signed}by a {} or above{group}, and the log has {}",
                stage.name,
                stage.approvals,
                stage.role,
                count.given.len()
            )
        }
        None => "its approvals do not count".to_owned(),
    }
}
