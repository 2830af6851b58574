//! What is true of a version that is published, of what policies ask for, and whether a policy lets it pass.

use skillery_core::api::PolicyInForce;
use skillery_core::approval::{AutoMark, AutoReason, Fact, InForce, Passing, baseline, of_history};
use skillery_core::lint::Level;
use skillery_core::{Namespace, SkillId, Version, Visibility};

use super::{base, key_of};
use crate::db::{Tx, gates, groups, oidc, review};
use crate::failure::Result;

/// A version that is about to be published.
pub struct At<'a> {
    /// The skill.
    pub id: &'a SkillId,
    /// The version.
    pub version: &'a Version,
    /// Who publishes it.
    pub user: &'a str,
    /// The build that does.
    pub via: Option<&'a str>,
    /// Who sees the skill.
    pub visibility: Visibility,
    /// What it asks for.
    pub permissions: Option<&'a [String]>,
    /// The skills that it needs, as far as somebody has looked.
    pub dependencies: Option<Vec<&'a String>>,
    /// The worst that was found in it.
    pub findings: Option<Level>,
}

/// What is true of it, where one of the policies asks.
pub async fn found(tx: &mut Tx, at: &At<'_>, policies: &[PolicyInForce]) -> Result<Option<Vec<Fact>>> {
    if !policies.iter().any(|set| set.policy.asks_for_facts()) {
        return Ok(None);
    }
    let key = at.id.key();
    let before = review::handed_out_before(tx.connection(), &key, None).await?;
    let was_released = gates::was_released(tx, &key).await?;
    let counting = before.iter().filter(|before| !before.is_only_forced);
    let highest = baseline(counting.map(|before| (&before.version, before.status)));
    let mut facts = of_history(at.version, was_released, highest);
    if asks_for_more(tx, at, &key, base(&before, at.version)).await? {
        facts.push(Fact::NewPermissions);
    }
    facts.extend(at.findings.map(|level| match level {
        Level::Note => Fact::FindingsNote,
        Level::Warning => Fact::FindingsWarning,
        Level::Error => Fact::FindingsError,
    }));
    let is_external = |id: &&String| id.parse::<SkillId>().is_ok_and(|id| id.org_key() != at.id.org_key());
    if at.dependencies.as_ref().is_none_or(|dependencies| dependencies.iter().any(is_external)) {
        facts.push(Fact::ExternalDependency);
    }
    if at.visibility == Visibility::Public {
        facts.push(Fact::Public);
    }
    Ok(Some(facts))
}

/// Whether it asks for what the version before did not ask for, with which reviewers compare it. Of what nobody has looked at, anything
/// is new.
async fn asks_for_more(tx: &mut Tx, at: &At<'_>, key: &str, before: Option<&Version>) -> Result<bool> {
    let Some(asked) = at.permissions else { return Ok(true) };
    let had = match before {
        Some(before) => gates::permissions(tx.connection(), key, before).await?,
        None => Some(Vec::new()),
    };
    Ok(had.is_none_or(|had| asked.iter().any(|asked| !had.contains(asked))))
}

/// Which of the policies let it pass, and why.
pub async fn passed(
    tx: &mut Tx,
    at: &At<'_>,
    policies: &[PolicyInForce],
    facts: Option<&[Fact]>,
) -> Result<Vec<AutoMark>> {
    let waiting = || policies.iter().filter(|set| set.policy.waits());
    let trusted = match at.via.filter(|_| waiting().any(|set| set.policy.auto.builds)) {
        Some(_) => oidc::trusted_in(tx.connection(), at.user).await?,
        None => None,
    };
    let namespace: Namespace = at.id.namespace();
    let memberships = match waiting().any(|set| !set.policy.auto.groups.is_empty()) {
        true => groups::of_user(tx.connection(), &namespace, at.user).await?,
        false => Vec::new(),
    };
    let mut marks = Vec::new();
    for set in waiting() {
        let place = key_of(&set.namespace);
        let (policy, index) = (&set.policy, set.log_index);
        let in_force = InForce { index, namespace: &place, policy };
        let mark = |reason, group, publisher| AutoMark { policy: index, reason, group, publisher };
        let build =
            Passing { trusted_in: trusted.as_ref().map(|(place, _)| place.as_str()), ..Passing::default() };
        let in_group = |membership: &&groups::Membership| {
            let group = Some((membership.namespace.as_str(), &membership.name));
            in_force.lets_pass(AutoReason::Group, &Passing { group, ..Passing::default() })
        };
        if in_force.lets_pass(AutoReason::TrustedBuild, &build) {
            marks.push(mark(AutoReason::TrustedBuild, None, trusted.as_ref().map(|(_, index)| *index)));
        } else if in_force.lets_pass(AutoReason::Patch, &Passing { facts, ..Passing::default() }) {
            marks.push(mark(AutoReason::Patch, None, None));
        } else if let Some(membership) = memberships.iter().find(in_group) {
            marks.push(mark(AutoReason::Group, Some(membership.entry), None));
        }
    }
    Ok(marks)
}
