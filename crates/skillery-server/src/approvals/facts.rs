//! What is true of a version that is published, of what policies ask for, and whether a policy lets it pass.

use skillery_core::api::PolicyInForce;
use skillery_core::approval::{AutoMark, AutoReason, Fact, of_history};
use skillery_core::lint::Level;
use skillery_core::{Namespace, SkillId, Version, VersionStatus, Visibility};

use super::key_of;
use crate::db::{Tx, gates, groups, versions};
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
    let statuses = versions::statuses(tx.connection(), &key).await?;
    let was_released = gates::was_released(tx, &key).await?;
    let released = statuses.iter().filter(|(_, status)| *status == VersionStatus::Published);
    let mut facts = of_history(at.version, was_released, released.map(|(version, _)| version));
    if asks_for_more(tx, at, &key, versions::published(&statuses).max()).await? {
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

/// Whether it asks for what the highest released version did not ask for. Of what nobody has looked at, anything is new.
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
    let mut marks = Vec::new();
    for set in policies.iter().filter(|set| set.policy.waits()) {
        let auto = &set.policy.auto;
        let mark = |reason, group| AutoMark { policy: set.log_index, reason, group };
        if auto.builds && at.via.is_some() {
            marks.push(mark(AutoReason::TrustedBuild, None));
        } else if set.policy.lets_patch_pass(facts) {
            marks.push(mark(AutoReason::Patch, None));
        } else if !auto.groups.is_empty() {
            let place = key_of(&set.namespace);
            let namespace: Namespace = at.id.namespace();
            let memberships = groups::of_user(tx.connection(), &namespace, at.user).await?;
            let trusted = memberships
                .into_iter()
                .find(|membership| membership.namespace == place && auto.groups.contains(&membership.name));
            marks.extend(trusted.map(|membership| mark(AutoReason::Group, Some(membership.entry))));
        }
    }
    Ok(marks)
}
