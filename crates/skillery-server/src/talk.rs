//! What comments, reviews, answers and reports have in common: who sees and moderates them, how much one says, and what a text
//! must be.

use std::sync::Arc;

use skillery_core::{Problem, ProblemCode, Role, Scope, SkillId};

use crate::access::{Caller, Identity, skill_not_found};
use crate::app::App;
use crate::db::Tx;
use crate::db::comments::{self, Viewer};
use crate::db::skills;
use crate::failure::{Failure, Result};
use crate::text::{named, said};

/// Seconds for which what a user has said is counted.
const WINDOW: i64 = 60;

/// What the caller is to the comments of this skill.
pub fn viewer(caller: &Caller, id: &SkillId) -> Viewer {
    let identity =
        caller.identity().filter(|identity| identity.has(Scope::Read) || identity.has(Scope::Rate));
    Viewer {
        user: identity.map(|identity| identity.user.id.clone()).unwrap_or_default(),
        // What is kept for moderators is for tokens with which they moderate.
        is_moderator: identity
            .is_some_and(|identity| identity.has(Scope::Admin) && moderates(identity, &id.namespace().key())),
    }
}

/// Whether the identity moderates what is said in the namespace with this key.
pub fn moderates(identity: &Identity, namespace: &str) -> bool {
    identity.acts_as(Role::Admin, namespace)
}

/// What a moderator says of a decision.
pub fn checked_reason(app: &App, field: &str, text: &str, missing: &str) -> Result<String> {
    said(field, text, app.settings.limits.reason_length, missing)
}

/// Whether a moderator may show again what was hidden. Nobody judges what they have written themselves, or an admin of the registry.
pub fn check_may_show(is_site_admin: bool, by_registry: bool, is_own: bool) -> Result<()> {
    match (is_site_admin, by_registry, is_own) {
        (true, ..) | (_, false, false) => Ok(()),
        (_, true, _) => Err(Failure::new(
            ProblemCode::Forbidden,
            "an admin of the registry has hidden it, and only one of them shows it again",
        )),
        (_, _, true) => Err(of_ones_own()),
    }
}

/// Nobody judges what they have written themselves.
pub fn of_ones_own() -> Failure {
    Failure::new(ProblemCode::Forbidden, "somebody else decides about what you have written")
}

/// The identity as it stands in this transaction, where it sees the skill still.
pub async fn still_seeing(tx: &mut Tx, identity: &Identity, id: &SkillId) -> Result<Identity> {
    let identity = identity.again(tx).await?;
    let row = skills::find(tx.connection(), &id.key()).await?.ok_or_else(|| skill_not_found(id))?;
    // Who may only rate sees what everybody sees.
    let caller = Caller::signed_in(Arc::new(identity.clone()));
    caller.see(id, Some(row))?;
    Ok(identity)
}

/// Counts one more thing that the user says, if it may be said now.
pub async fn check_rate(tx: &mut Tx, user: &str, limit: u32) -> Result<()> {
    if limit == 0 {
        return Ok(());
    }
    let (times, since) = comments::count_said(tx, user, WINDOW).await?;
    if times > i64::from(limit) {
        // What is refused is undone with its count.
        let wait = (since.plus_seconds(WINDOW).micros() - tx.now.micros()) / 1_000_000 + 1;
        let detail =
            format!("at most {limit} comments, changes of them, answers, ratings and reports in a minute");
        return Err(Problem::new(ProblemCode::RateLimited, detail).with("retry_after", wait).into());
    }
    Ok(())
}

/// What somebody says, as it is kept.
pub fn checked(app: &App, text: &str) -> Result<String> {
    said("text", text, app.settings.limits.comment_length, "`text` is empty")
}

/// There is no such comment, or the caller may not see it.
pub fn comment_not_found(id: &str) -> Failure {
    Failure::new(ProblemCode::CommentNotFound, format!("there is no comment `{}` here", named(id)))
}
