//! Break-glass: an owner releases what waits at once, with a reason, for everybody to see.

use skillery_core::approval::Notice;
use skillery_core::event::Event;
use skillery_core::{Digest, ProblemCode, Role, SkillId, Version, VersionStatus};

use super::{demand, no_role_of_its_own};
use crate::access::{Identity, forbidden};
use crate::db::gates::{self, ForcedRow, Gate};
use crate::db::{Tx, approvals, orgs, versions};
use crate::failure::{Failure, Result};
use crate::skill;

/// What is to be released.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// Why.
    pub reason: String,
    /// What hides the reason in the log: 64 hexadecimal digits.
    pub salt: String,
}

/// Releases a version that waits, without the approvals that it waits for.
pub async fn force(tx: &mut Tx, identity: &Identity, wanted: Wanted) -> Result<()> {
    let Wanted { id, version, reason, salt } = wanted;
    let key = id.key();
    let identity = identity.again(tx).await?;
    let user = identity.user.id.as_str();
    let row = versions::find(tx.connection(), &key, &version)
        .await?
        .ok_or_else(|| skill::no_such_version(&id, &version))?;
    let Some((member, role)) = orgs::highest_role(tx, &id.namespace(), user).await? else {
        return Err(no_role_of_its_own(&id));
    };
    if role < Role::Owner && !identity.is_site_admin() {
        return Err(forbidden(Role::Owner, id.namespace().as_str()));
    }
    if row.status != VersionStatus::Pending {
        let detail = format!("{id} {version} is {}, and waits for nothing", row.status);
        return Err(Failure::new(ProblemCode::StatusConflict, detail));
    }
    let policies = approvals::policies(tx.connection(), &id.namespace()).await?;
    let gate = gates::find(tx.connection(), &key, &version).await?;
    let event = Event::VersionForced {
        skill: id,
        version: version.clone(),
        digest: row.digest,
        member,
        reason: Digest::salted(&salt, &reason),
        policies: demand(&policies, &gate).policies(),
    };
    let (now, by, name) = (tx.now, identity.user.id.clone(), identity.user.name.clone());
    let log_index = tx.append(Some(user), event);
    versions::set_status(tx, &key, &version, VersionStatus::Published, None).await?;
    let forced = Some(ForcedRow { by, name, at: now, reason, salt, log_index });
    // What waits again was handed out before.
    let is_only_forced = gate.is_only_forced || gate.held_for.is_none();
    let gate = Gate { reviewed_at: Some(now), due_at: None, held_for: None, forced, is_only_forced, ..gate };
    gates::keep(tx, &key, &version, &gate, Some(Notice::Forced)).await
}
