//! What changed with a version, in the words of whoever publishes it.

use skillery_core::api::{ChangelogRequest, VersionDetail};
use skillery_core::hidden::first_hidden_of_lines;
use skillery_core::{ProblemCode, Role, Scope, SkillId, Version, VersionStatus};

use crate::access::{Caller, Identity, forbidden};
use crate::app::App;
use crate::db::audit::{self, About};
use crate::db::{gates, review as table, versions};
use crate::failure::{Failure, Result};
use crate::http::api::versions::{detail, whole};
use crate::skill;
use crate::text::{invalid, said};

/// What is said to have changed, as it is kept, when it is something that may be said.
pub fn check(app: &App, changelog: &str) -> Result<String> {
    // A carriage return begins a line for some readers and not for others.
    let asked = changelog.replace("\r\n", "\n").replace('\r', "\n");
    let most = app.settings.limits.changelog_length;
    let text = said("changelog", &asked, most, "it says what changed, in `changelog`")?;
    // Models read what nobody sees.
    match first_hidden_of_lines(&text) {
        None => Ok(text),
        Some((found, hidden)) => {
            let found = found.escape_unicode();
            Err(invalid("changelog", format!("`changelog` has the {hidden} {found}, which is not allowed")))
        }
    }
}

/// Keeps what changed with a version, as whoever published it, or an admin of the namespace, says. As long as it waits, that can be
/// said otherwise; of a version that is handed out it is said once.
pub async fn set(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    request: ChangelogRequest,
) -> Result<VersionDetail> {
    let skill = skill::find(app, caller, id).await?;
    let identity = caller.require_role(Scope::Publish, Role::Publisher, &skill.id.namespace())?;
    let text = check(app, &request.changelog)?;
    // Whoever may not be told of the version afterwards changes nothing.
    detail(app, caller, &skill.id, version).await?;
    keep(app, caller, identity, (&skill.id, version), text).await?;
    match whole(app, caller, &skill.id, version).await {
        Ok(told) => Ok(told),
        // It is written: that what is found cannot be told is no failure of that.
        Err(failure) => {
            let (id, cause) = (&skill.id, &failure.source);
            tracing::warn!(%id, %version, %failure, ?cause, "a version is told without its findings");
            detail(app, caller, &skill.id, version).await
        }
    }
}

/// Keeps it as things stand in the transaction: of what somebody has published a moment ago they may have no role yet, as far as they
/// are known, and may not see it by their token.
pub async fn keep(
    app: &App,
    caller: &Caller,
    identity: &Identity,
    (id, version): (&SkillId, &Version),
    text: String,
) -> Result<()> {
    let (identity, wanted, namespace) = (identity.clone(), version.clone(), id.namespace());
    let (id, seen_by) = (id.clone(), caller.clone());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = identity.still(tx, Role::Publisher, &namespace).await?;
                let key = id.key();
                let row = versions::find(tx.connection(), &key, &wanted)
                    .await?
                    .filter(|row| {
                        row.publisher == identity.user.id
                            || skill::sees_version(&seen_by, &namespace.key(), row)
                    })
                    .ok_or_else(|| skill::no_such_version(&id, &wanted))?;
                let known = table::changelog(tx.connection(), &key, &wanted).await?;
                if known.as_ref() == Some(&text) {
                    return Ok(());
                }
                // It is shown as the publisher's words.
                let is_admin = identity.role_in(&namespace.key()).is_some_and(|role| role >= Role::Admin);
                if row.publisher != identity.user.id && !is_admin {
                    return Err(forbidden(Role::Admin, namespace.as_str()));
                }
                // Nobody gets it, and those who have it are told why: not what its publisher wants to say besides.
                if matches!(row.status, VersionStatus::Quarantined | VersionStatus::Rejected) {
                    let detail = format!("{id} {wanted} is {}: what changed with it is not said", row.status);
                    return Err(Failure::new(ProblemCode::StatusConflict, detail));
                }
                if known.is_some() {
                    let gate = gates::find(tx.connection(), &key, &wanted).await?;
                    let why = match row.status {
                        VersionStatus::Pending if gate.held_for.is_none() => None,
                        VersionStatus::Pending => Some("was handed out before".to_owned()),
                        other => Some(format!("is {other}")),
                    };
                    if let Some(why) = why {
                        let detail = format!("what changed with {id} {wanted} is said, and it {why}");
                        return Err(Failure::new(ProblemCode::StatusConflict, detail));
                    }
                }
                let user = &identity.user.id;
                table::set_changelog(tx, &key, &wanted, user, &text).await?;
                audit::insert_private(tx, Some(user), "changelog.set", About::version(&id, &wanted)).await
            })
        })
        .await
}
