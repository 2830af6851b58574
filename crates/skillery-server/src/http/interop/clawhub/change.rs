//! What changes a skill, and what is not done here.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use skillery_core::event::Event;
use skillery_core::{ProblemCode, Role, Scope, Version, VersionStatus};

use super::names::{find_to_change, namespace_of};
use super::show::exactly;
use super::{Result, body, json, not_done, require, signed_in};
use crate::access::Caller;
use crate::app::App;
use crate::approvals::come_back;
use crate::db::skills::SkillRow;
use crate::db::versions;
use crate::failure::Failure;
use crate::http::api::status::Change;
use crate::http::call::Call;
use crate::text::check_text;

/// Why the versions of a deleted skill are yanked; what the caller says stands behind a colon. `undelete` takes back what it
/// finds such a reason at, and no other yank.
const DELETED: &str = "the skill was deleted";
/// Versions that one transaction changes at most.
const TOGETHER: usize = 100;

/// What the program puts into bodies.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    reason: Option<String>,
    version: Option<String>,
    owner_handle: Option<String>,
}

/// A skill that is to be changed, and by whom.
struct Asked {
    app: Arc<App>,
    caller: Caller,
    skill: SkillRow,
    options: Options,
}

async fn asked(call: Call, slug: &str, scope: Scope) -> Result<Asked> {
    require(&call, scope)?;
    let base = super::base(&call);
    let in_url = call.parameter("ownerHandle");
    let (app, caller, options) = body::<Options>(call).await?;
    let owner = options.owner_handle.as_deref().or(in_url.as_deref());
    let skill = find_to_change(&app, &caller, &base, slug, owner).await?;
    Ok(Asked { app, caller, skill, options })
}

fn ok() -> Result<Response> {
    json(&serde_json::json!({ "ok": true }))
}

/// `DELETE /skills/{slug}`: yanks all its versions. Nothing that was published is ever gone.
pub async fn delete(call: Call, slug: &str) -> Result<Response> {
    let Asked { app, caller, skill, options } = asked(call, slug, Scope::Publish).await?;
    let reason = match options.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{DELETED}: {reason}"),
        None => DELETED.to_owned(),
    };
    check_text("reason", &reason, app.settings.limits.reason_length, true)?;
    let statuses = versions::statuses(app.db.reader(), &skill.id.key()).await?;
    let published = versions::published(&statuses).cloned().collect();
    set_all(&app, &caller, &skill, published, Some(reason)).await?;
    ok()
}

/// `POST /skills/{slug}/undelete`: takes back what [`delete`] has yanked.
pub async fn undelete(call: Call, slug: &str) -> Result<Response> {
    let Asked { app, caller, skill, .. } = asked(call, slug, Scope::Publish).await?;
    let statuses = versions::statuses(app.db.reader(), &skill.id.key()).await?;
    let yanked = statuses.into_iter().filter(|(_, status)| *status == VersionStatus::Yanked);
    set_all(&app, &caller, &skill, yanked.map(|(version, _)| version).collect(), None).await?;
    ok()
}

/// Whether [`delete`] gives this reason.
fn is_deletion(reason: &str) -> bool {
    reason.strip_prefix(DELETED).is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
}

/// Yanks these versions for a reason, or takes their yanks back as far as [`delete`] has made them: some at a time, as
/// transactions must be short. What has stopped on the way goes on when it is asked for again. The lowest come first, so that
/// the latest stays so as long as it can.
async fn set_all(
    app: &Arc<App>,
    caller: &Caller,
    skill: &SkillRow,
    mut all: Vec<Version>,
    reason: Option<String>,
) -> Result<()> {
    let identity = caller.require_role(Scope::Publish, Role::Publisher, &skill.id.namespace())?;
    all.sort();
    for piece in all.chunks(TOGETHER) {
        let (identity, id, piece) = ((**identity).clone(), skill.id.clone(), piece.to_vec());
        let reason = reason.clone();
        app.db
            .write(move |tx| {
                Box::pin(async move {
                    let user = identity.still(tx, Role::Publisher, &id.namespace()).await?.user.id;
                    let (from, to) = match reason {
                        Some(_) => (VersionStatus::Published, VersionStatus::Yanked),
                        None => (VersionStatus::Yanked, VersionStatus::Published),
                    };
                    // Why each stands as it does may have changed since it was looked up.
                    let mut standing = versions::standing(tx, &id.key(), &piece).await?;
                    standing.retain(|(_, status, why)| {
                        *status == from
                            && (to == VersionStatus::Yanked || why.as_deref().is_some_and(is_deletion))
                    });
                    let mut changed: Vec<Version> =
                        standing.into_iter().map(|(version, ..)| version).collect();
                    if changed.is_empty() {
                        return Ok(());
                    }
                    changed.sort();
                    versions::set_statuses(tx, &id.key(), &changed, to, reason.as_deref()).await?;
                    if to == VersionStatus::Published {
                        let back = changed.into_iter().map(|version| {
                            let (skill, named) = (id.clone(), version.clone());
                            (named, Event::VersionUnyanked { skill, version })
                        });
                        return come_back(tx, &user, &id, back).await;
                    }
                    for version in changed {
                        tx.append(Some(&user), Event::VersionYanked { skill: id.clone(), version });
                    }
                    Ok(())
                })
            })
            .await?;
    }
    Ok(())
}

/// `DELETE /skills/{slug}/versions/{version}`: yanks it.
pub async fn delete_version(call: Call, slug: &str, version: &str) -> Result<Response> {
    let Asked { app, caller, skill, options } = asked(call, slug, Scope::Publish).await?;
    let version = exactly(&skill.id, version)?;
    let yank = Change::Yank { reason: options.reason.unwrap_or_default() };
    yank.make(&app, &caller, &skill.id, &version).await?;
    ok()
}

/// `POST /skills/{slug}/versions/{version}/restore`: takes a yank back.
pub async fn restore_version(call: Call, slug: &str, version: &str) -> Result<Response> {
    let Asked { app, caller, skill, .. } = asked(call, slug, Scope::Publish).await?;
    let version = exactly(&skill.id, version)?;
    Change::Unyank.make(&app, &caller, &skill.id, &version).await?;
    ok()
}

/// `POST /skills/{slug}/tags/{tag}`: there is `latest` and no other, and it follows the versions. To set it where it is
/// changes nothing.
pub async fn tag(call: Call, slug: &str, tag: &str) -> Result<Response> {
    let Asked { caller, skill, options, .. } = asked(call, slug, Scope::Publish).await?;
    caller.require_role(Scope::Publish, Role::Publisher, &skill.id.namespace())?;
    let version = options.version.unwrap_or_default();
    let latest = skill.latest.as_ref().map(ToString::to_string);
    if tag == "latest" && latest.as_deref() == Some(&*version) {
        let slug = super::names::slug_of(&skill.id);
        return json(&serde_json::json!({ "ok": true, "slug": slug, "tag": tag, "version": version }));
    }
    Err(not_done(match tag {
        "latest" => {
            "`latest` is always the highest version that is published and no prerelease; yank what stands above"
        }
        _ => "this registry has no tags but `latest`, which is always the highest version that is published",
    }))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewOwner {
    #[serde(default)]
    handle: String,
}

/// `POST /publishers`: makes an org, as far as the caller may.
pub async fn create_owner(call: Call) -> Result<Response> {
    require(&call, Scope::Admin)?;
    let (app, caller, asked) = body::<NewOwner>(call).await?;
    let org = namespace_of(&asked.handle).filter(|org| org.depth() == 1).ok_or_else(|| {
        Failure::new(
            ProblemCode::InvalidId,
            "an owner that is made is one segment of a-z, 0-9, `.`, `_` and `-`",
        )
    })?;
    let handle = org.to_string();
    crate::http::api::orgs::make(&app, &caller, org, None).await?;
    json(&serde_json::json!({
        "ok": true, "publisherId": handle, "handle": handle, "created": true, "trusted": false,
    }))
}

/// `GET /transfers/{incoming|outgoing}`: nothing is ever handed over.
pub fn transfers(call: &Call) -> Result<Response> {
    signed_in(call)?;
    json(&serde_json::json!({ "transfers": [] }))
}

/// What this registry does not do.
pub fn refuse(call: &Call, route: &str) -> Result<Response> {
    signed_in(call)?;
    let names = "names are for ever here, as the log and those who have installed a skill know it by its name; publish it under \
        the other name, and yank what stands under this one";
    Err(not_done(match route {
        "/skills/{slug}/rename" => format!("a skill is not renamed: {names}"),
        "/skills/{slug}/merge" => format!("skills are not merged: {names}"),
        "/skills/{slug}/transfer" | "/skills/{slug}/transfer/{answer}" => {
            format!("a skill is not handed to another owner: {names}")
        }
        _ => super::NO_SCANS.to_owned(),
    }))
}
