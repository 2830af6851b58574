//! `/api/v1/skills/{id}/comments`, and what is below it

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{Comment, CommentRequest, CommentsResponse, EditCommentRequest, HideRequest};
use skillery_core::event::Event;
use skillery_core::{Problem, ProblemCode, Role, Scope, SkillId};

use crate::access::{Caller, Identity, skill_not_found};
use crate::app::App;
use crate::db::comments::{self as table, CommentRow, Viewer};
use crate::db::skills::{self, SkillRow};
use crate::db::{Db, Tx};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, created, done, json};
use crate::skill;
use crate::text::{check_text, invalid};

/// Answers that stand below each thread.
const REPLIES: i64 = 20;
/// Seconds for which what a user has said is counted.
const WINDOW: i64 = 60;

/// The comments of a skill: threads, the newest first, or the answers of one, the oldest first.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/comments", tag = "comments",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("parent" = Option<String>, Query, description = "the answers to this comment"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = CommentsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call, id: &SkillId) -> Result<Response> {
    let (page, parent) = (call.page()?, call.parameter("parent"));
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let (limit, offset) = (page.limit as i64, page.offset as i64);
    let found = comments(&call.app.db, &call.caller, &skill, parent.as_deref(), limit, offset).await?;
    json(StatusCode::OK, &found)
}

/// What the caller sees of the comments of a skill that the caller sees.
pub async fn comments(
    db: &Db,
    caller: &Caller,
    skill: &SkillRow,
    parent: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<CommentsResponse> {
    let (viewer, key) = (viewer(caller, &skill.id), skill.id.key());
    if let Some(parent) = parent {
        table::find(db.reader(), &key, parent).await?.ok_or_else(|| comment_not_found(parent))?;
        let (total, rows) = table::replies(db, parent, &viewer, limit, offset).await?;
        let comments = rows.into_iter().map(|row| viewer.shown(row)).collect();
        return Ok(CommentsResponse { total, comments });
    }
    let (total, rows) = table::threads(db, &key, &viewer, limit, offset).await?;
    let mut comments: Vec<Comment> = Vec::with_capacity(rows.len());
    for row in rows {
        let mut comment = viewer.shown(row);
        let (count, replies) = table::replies(db, &comment.id, &viewer, REPLIES, 0).await?;
        comment.reply_count = count;
        comment.replies = replies.into_iter().map(|row| viewer.shown(row)).collect();
        comments.push(comment);
    }
    Ok(CommentsResponse { total, comments })
}

/// What the caller is to the comments of this skill.
fn viewer(caller: &Caller, id: &SkillId) -> Viewer {
    let identity =
        caller.identity().filter(|identity| identity.has(Scope::Read) || identity.has(Scope::Rate));
    Viewer {
        user: identity.map(|identity| identity.user.id.clone()).unwrap_or_default(),
        is_moderator: identity.is_some_and(|identity| moderates(identity, &id.namespace().key())),
    }
}

/// Whether the identity moderates what is said in the namespace with this key.
pub(super) fn moderates(identity: &Identity, namespace: &str) -> bool {
    identity.is_within_bounds(namespace) && identity.role_in(namespace) >= Some(Role::Admin)
}

/// Comments on a skill, or answers a comment.
#[utoipa::path(
    post, path = "/api/v1/skills/{id}/comments", tag = "comments", request_body = CommentRequest,
    params(("id" = String, Path, description = "`org/name`")), security(("token" = ["rate"])),
    responses((status = 201, body = Comment), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn post(call: Call, id: &SkillId) -> Result<Response> {
    call.caller.require(Scope::Rate)?;
    let (app, caller, request) = call.json::<CommentRequest>().await?;
    let text = checked(&app, &request.text)?;
    let skill = skill::find(&app, &caller, id).await?;
    let identity = (**caller.require(Scope::Rate)?).clone();
    let (new, limit) = (app.environment.new_id(), app.settings.limits.comments_per_minute);
    let viewer = viewer(&caller, &skill.id);
    let comment = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let user = still_seeing(tx, &identity, &skill.id).await?;
                let key = skill.id.key();
                check_rate(tx, &user.user.id, limit).await?;
                if let Some(parent) = &request.parent {
                    let found = table::find(tx.connection(), &key, parent).await?;
                    let found = found.filter(|found| found.deleted_at.is_none() && viewer.sees(found));
                    let found = found.ok_or_else(|| comment_not_found(parent))?;
                    if found.parent.is_some() {
                        return Err(invalid("parent", "answers are not answered: answer what they answer"));
                    }
                }
                table::insert(tx, &new, &key, request.parent.as_deref(), &user.user.id, &text).await?;
                let event = Event::CommentPosted { skill: skill.id.clone(), comment: new.clone() };
                tx.append(Some(&user.user.id), event);
                now_shown(tx, &key, &new, &viewer).await
            })
        })
        .await?;
    created(&format!("/api/v1/skills/{id}/comments"), &comment)
}

/// Lets a comment of the caller say something else. What it said is kept for moderators.
#[utoipa::path(
    patch, path = "/api/v1/skills/{id}/comments/{comment}", tag = "comments", request_body = EditCommentRequest,
    params(("id" = String, Path, description = "`org/name`"), ("comment" = String, Path, description = "its id")),
    security(("token" = ["rate"])),
    responses((status = 200, body = Comment), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn edit(call: Call, id: &SkillId, comment: &str) -> Result<Response> {
    call.caller.require(Scope::Rate)?;
    let (app, caller, request) = call.json::<EditCommentRequest>().await?;
    let text = checked(&app, &request.text)?;
    let edited = change(&app, &caller, id, comment, Change::Edit(text)).await?;
    json(StatusCode::OK, &edited)
}

/// Takes a comment of the caller back. It is kept for moderators.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/comments/{comment}", tag = "comments",
    params(("id" = String, Path, description = "`org/name`"), ("comment" = String, Path, description = "its id")),
    security(("token" = ["rate"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn delete(call: &Call, id: &SkillId, comment: &str) -> Result<Response> {
    call.caller.require(Scope::Rate)?;
    change(&call.app, &call.caller, id, comment, Change::Delete).await?;
    Ok(done())
}

/// Hides a comment. Moderators and its author go on seeing it. For admins of the namespace.
#[utoipa::path(
    put, path = "/api/v1/skills/{id}/comments/{comment}/hidden", tag = "comments", request_body = HideRequest,
    params(("id" = String, Path, description = "`org/name`"), ("comment" = String, Path, description = "its id")),
    security(("token" = ["admin"])),
    responses((status = 200, body = Comment), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn hide(call: Call, id: &SkillId, comment: &str) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<HideRequest>().await?;
    check_text("reason", &request.reason, app.settings.limits.reason_length, true)?;
    if request.reason.trim().is_empty() {
        return Err(invalid("reason", "a reason is needed"));
    }
    let reason = request.reason.trim().to_owned();
    json(StatusCode::OK, &change(&app, &caller, id, comment, Change::Hide(reason)).await?)
}

/// Shows a comment again that was hidden. For admins of the namespace.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/comments/{comment}/hidden", tag = "comments",
    params(("id" = String, Path, description = "`org/name`"), ("comment" = String, Path, description = "its id")),
    security(("token" = ["admin"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn unhide(call: &Call, id: &SkillId, comment: &str) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    change(&call.app, &call.caller, id, comment, Change::Unhide).await?;
    Ok(done())
}

enum Change {
    Edit(String),
    Delete,
    Hide(String),
    Unhide,
}

/// Changes a comment: by its author, or by a moderator. The same again changes nothing.
async fn change(
    app: &Arc<App>,
    caller: &Caller,
    id: &SkillId,
    comment: &str,
    change: Change,
) -> Result<Comment> {
    let skill = skill::find(app, caller, id).await?;
    let by_author = matches!(change, Change::Edit(_) | Change::Delete);
    let scope = if by_author { Scope::Rate } else { Scope::Admin };
    if !by_author {
        caller.require_role(scope, Role::Admin, &skill.id.namespace())?;
    }
    let identity = (**caller.require(scope)?).clone();
    let (viewer, comment) = (viewer(caller, &skill.id), comment.to_owned());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let key = skill.id.key();
                let user = match by_author {
                    true => still_seeing(tx, &identity, &skill.id).await?,
                    false => identity.still(tx, Role::Admin, &skill.id.namespace()).await?,
                }
                .user
                .id;
                let found = table::find(tx.connection(), &key, &comment).await?;
                let found =
                    found.filter(|found| viewer.sees(found)).ok_or_else(|| comment_not_found(&comment))?;
                if by_author && found.user != user {
                    return Err(Failure::new(ProblemCode::Forbidden, "only its author changes a comment"));
                }
                if by_author && found.deleted_at.is_some() && !matches!(change, Change::Delete) {
                    return Err(comment_not_found(&comment));
                }
                let event = apply(tx, &found, &user, &skill.id, change).await?;
                if let Some(event) = event {
                    tx.append(Some(&user), event);
                }
                now_shown(tx, &key, &comment, &viewer).await
            })
        })
        .await
}

async fn apply(
    tx: &mut Tx,
    found: &CommentRow,
    user: &str,
    skill: &SkillId,
    change: Change,
) -> Result<Option<Event>> {
    let (skill, comment) = (skill.clone(), found.id.clone());
    Ok(match change {
        Change::Edit(text) if text != found.text => {
            table::edit(tx, found, &text).await?;
            Some(Event::CommentEdited { skill, comment })
        }
        Change::Delete if found.deleted_at.is_none() => {
            table::delete(tx, &comment).await?;
            Some(Event::CommentDeleted { skill, comment })
        }
        Change::Hide(reason) if !found.is_hidden => {
            table::set_hidden(tx, &comment, user, Some(&reason)).await?;
            Some(Event::CommentHidden { skill, comment })
        }
        Change::Unhide if found.is_hidden => {
            table::set_hidden(tx, &comment, user, None).await?;
            Some(Event::CommentUnhidden { skill, comment })
        }
        _ => None,
    })
}

/// The identity as it stands in this transaction, where it sees the skill still.
pub(super) async fn still_seeing(tx: &mut Tx, identity: &Identity, id: &SkillId) -> Result<Identity> {
    let identity = identity.again(tx).await?;
    let row = skills::find(tx.connection(), &id.key()).await?.ok_or_else(|| skill_not_found(id))?;
    // Who may only rate sees what everybody sees.
    let caller = Caller::signed_in(Arc::new(identity.clone()));
    caller.see(id, Some(row))?;
    Ok(identity)
}

/// Whether the user may say one more thing now.
pub(super) async fn check_rate(tx: &mut Tx, user: &str, limit: u32) -> Result<()> {
    let since = tx.now.plus_seconds(-WINDOW);
    if limit > 0 && table::said_since(tx, user, since).await? >= i64::from(limit) {
        let detail = format!("at most {limit} comments and reports in a minute");
        return Err(Problem::new(ProblemCode::RateLimited, detail).with("retry_after", WINDOW).into());
    }
    Ok(())
}

async fn now_shown(tx: &mut Tx, key: &str, id: &str, viewer: &Viewer) -> Result<Comment> {
    let row = table::find(tx.connection(), key, id).await?.ok_or_else(|| comment_not_found(id))?;
    Ok(viewer.shown(row))
}

fn checked(app: &App, text: &str) -> Result<String> {
    check_text("text", text, app.settings.limits.comment_length, true)?;
    match text.trim() {
        "" => Err(invalid("text", "`text` is empty")),
        text => Ok(text.to_owned()),
    }
}

/// There is no such comment, or the caller may not see it.
pub(super) fn comment_not_found(id: &str) -> Failure {
    let shown: String = id.chars().take(64).flat_map(char::escape_debug).collect();
    Failure::new(ProblemCode::CommentNotFound, format!("there is no comment `{shown}` here"))
}
