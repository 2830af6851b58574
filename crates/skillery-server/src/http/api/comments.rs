//! `/api/v1/skills/{id}/comments`, and what is below it

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{
    Comment, CommentRequest, CommentTextsResponse, CommentsResponse, EditCommentRequest, HideRequest,
};
use skillery_core::event::{Event, OfComment};
use skillery_core::{Problem, ProblemCode, Role, Scope, SkillId};

use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::Tx;
use crate::db::comments::{self as table, CommentRow, Glimpse, Viewer};
use crate::db::skills::SkillRow;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, Page, created, done, invalid_parameter, json};
use crate::skill;
use crate::talk::{
    check_may_show, check_rate, checked, checked_reason, comment_not_found, still_seeing, viewer,
};
use crate::text::invalid;

/// Answers that stand below each thread.
pub const REPLIES: i64 = 3;
/// Characters of the comments of one page, but for one comment that is longer.
const MAX_CHARACTERS: i64 = 100_000;

/// The comments of a skill: threads, the newest first, or the answers of one, the oldest first.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/comments", tag = "comments",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("parent" = Option<String>, Query, description = "the answers to this comment"),
        ("hidden" = Option<bool>, Query, description = "what was hidden or taken back, for admins of the namespace"),
        ("limit" = Option<u32>, Query, description = "rows; a page has 50 at most, and fewer where they are long"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses(
        (status = 200, body = CommentsResponse),
        (status = 403, description = "`forbidden`, for what is hidden", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn list(call: &Call, id: &SkillId) -> Result<Response> {
    let page = call.page()?;
    let which = match (call.parameter("parent"), call.parsed::<bool>("hidden")?.unwrap_or(false)) {
        (None, false) => Which::Threads,
        (Some(parent), false) => Which::Answers(parent),
        (None, true) => Which::Hidden,
        (Some(_), true) => {
            return Err(invalid_parameter("hidden", "ask for the answers to one, or for what is hidden"));
        }
    };
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let found = comments(&call.app, &call.caller, &skill, &which, page, MAX_CHARACTERS).await?;
    json(StatusCode::OK, &found)
}

/// Which comments are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those that answer none.
    Threads,
    /// The answers to this one.
    Answers(String),
    /// What was hidden or taken back, for moderators.
    Hidden,
}

/// What the caller sees of the comments of a skill that the caller sees: at most so many characters, and one comment at least.
/// However many there are, it takes a handful of statements.
pub async fn comments(
    app: &App,
    caller: &Caller,
    skill: &SkillRow,
    which: &Which,
    page: Page,
    characters: i64,
) -> Result<CommentsResponse> {
    let (db, viewer, key) = (&app.db, viewer(caller, &skill.id), skill.id.key());
    let (limit, offset) = (page.limit.min(table::MAX_THREADS) as i64, page.offset as i64);
    let (total, rows) = match which {
        Which::Answers(parent) => {
            table::find(db.reader(), &key, parent).await?.ok_or_else(|| comment_not_found(parent))?;
            table::replies(db, parent, &viewer, limit, offset).await?
        }
        Which::Threads => table::threads(db, &key, &viewer, limit, offset).await?,
        Which::Hidden => {
            caller.require_role(Scope::Admin, Role::Admin, &skill.id.namespace())?;
            table::hidden(db, &key, &viewer, limit, offset).await?
        }
    };
    let threads = rows.iter().filter(|row| row.parent.is_none()).map(|row| row.id.clone());
    let threads: Vec<String> = threads.collect();
    let counts = table::count_replies(db.reader(), &threads, &viewer).await?;
    let mut replies = match which {
        Which::Threads => {
            let answered: Vec<String> = counts.keys().cloned().collect();
            table::first_replies(db, &answered, &viewer, REPLIES).await?
        }
        Which::Answers(_) | Which::Hidden => HashMap::new(),
    };
    let mut room = characters;
    let mut taken: Vec<(Glimpse, u64, Vec<Glimpse>)> = Vec::with_capacity(rows.len());
    for row in rows {
        if row.length > room && !taken.is_empty() {
            break;
        }
        room -= row.length;
        let mut beside = replies.remove(&row.id).unwrap_or_default();
        let count = counts.get(&row.id).copied().unwrap_or_default();
        let fits = beside.iter().take_while(|reply| {
            room -= reply.length;
            room >= 0
        });
        let fits = fits.count();
        room = room.max(0);
        beside.truncate(fits);
        taken.push((row, count, beside));
    }
    let ids: Vec<String> = taken
        .iter()
        .flat_map(|(row, _, beside)| std::iter::once(row).chain(beside))
        .map(|row| row.id.clone())
        .collect();
    let mut found = table::read(db, &ids).await?;
    let end = page.offset as u64 + taken.len() as u64;
    let mut shown = Vec::with_capacity(taken.len());
    for (row, count, beside) in taken {
        let Some(row) = found.remove(&row.id) else { continue };
        let beside = beside.iter().filter_map(|reply| found.remove(&reply.id));
        let replies = beside.map(|reply| viewer.shown(reply)).collect();
        shown.push(Comment { reply_count: count, replies, ..viewer.shown(row) });
    }
    let next = (limit > 0 && end < total && end <= app.settings.limits.page_offset as u64).then_some(end);
    Ok(CommentsResponse { total, comments: shown, next })
}

/// One comment of a skill that the caller sees, as the caller sees it.
pub async fn one(app: &App, caller: &Caller, skill: &SkillRow, id: &str) -> Result<Comment> {
    let viewer = viewer(caller, &skill.id);
    let found = table::find(app.db.reader(), &skill.id.key(), id).await?;
    Ok(viewer.shown(found.ok_or_else(|| comment_not_found(id))?))
}

/// How many answers that the caller sees stand before this one.
pub async fn place_of(app: &App, caller: &Caller, id: &SkillId, answer: &Comment) -> Result<usize> {
    table::place_of(&app.db, &viewer(caller, id), answer).await
}

/// Comments on a skill, or answers a comment.
#[utoipa::path(
    post, path = "/api/v1/skills/{id}/comments", tag = "comments", request_body = CommentRequest,
    params(("id" = String, Path, description = "`org/name`")), security(("token" = ["rate"])),
    responses((status = 201, body = Comment), (status = 409, description = "`too-many-comments`", body = Problem), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn post(call: Call, id: &SkillId) -> Result<Response> {
    call.caller.require(Scope::Rate)?;
    let (app, caller, request) = call.json::<CommentRequest>().await?;
    let comment = say(&app, &caller, id, request).await?;
    created(&format!("/api/v1/skills/{id}/comments"), &comment)
}

/// Comments on a skill, or answers a comment.
pub async fn say(app: &App, caller: &Caller, id: &SkillId, request: CommentRequest) -> Result<Comment> {
    caller.require(Scope::Rate)?;
    let text = checked(app, &request.text)?;
    let skill = skill::find(app, caller, id).await?;
    let identity = (**caller.require(Scope::Rate)?).clone();
    let (new, limit) = (app.environment.new_id(), app.settings.limits.comments_per_minute);
    let most = app.settings.limits.comment_answers;
    let viewer = viewer(caller, &skill.id);
    app.db
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
                    if table::is_full(tx, parent, most).await? {
                        let detail = format!("a comment has at most {most} answers");
                        return Err(Failure::new(ProblemCode::TooManyComments, detail));
                    }
                }
                table::insert(tx, &new, &key, request.parent.as_deref(), &user.user.id, &text).await?;
                let event = Event::CommentPosted(OfComment { skill: skill.id.clone(), comment: new.clone() });
                tx.append(Some(&user.user.id), event);
                now_shown(tx, &key, &new, &viewer).await
            })
        })
        .await
}

/// Lets a comment of the caller say something else. What it said is kept for moderators.
#[utoipa::path(
    patch, path = "/api/v1/skills/{id}/comments/{comment}", tag = "comments", request_body = EditCommentRequest,
    params(("id" = String, Path, description = "`org/name`"), ("comment" = String, Path, description = "its id")),
    security(("token" = ["rate"])),
    responses((status = 200, body = Comment), (status = 409, description = "`too-many-comments`", body = Problem), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn edit(call: Call, id: &SkillId, comment: &str) -> Result<Response> {
    call.caller.require(Scope::Rate)?;
    let (app, caller, request) = call.json::<EditCommentRequest>().await?;
    json(StatusCode::OK, &edit_comment(&app, &caller, id, comment, &request.text).await?)
}

/// Lets a comment of the caller say something else.
pub async fn edit_comment(
    app: &Arc<App>,
    caller: &Caller,
    id: &SkillId,
    comment: &str,
    text: &str,
) -> Result<Comment> {
    caller.require(Scope::Rate)?;
    change(app, caller, id, comment, Change::Edit(checked(app, text)?)).await
}

/// Takes a comment of the caller back. It is kept for moderators.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/comments/{comment}", tag = "comments",
    params(("id" = String, Path, description = "`org/name`"), ("comment" = String, Path, description = "its id")),
    security(("token" = ["rate"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn delete(call: &Call, id: &SkillId, comment: &str) -> Result<Response> {
    delete_comment(&call.app, &call.caller, id, comment).await?;
    Ok(done())
}

/// Takes a comment of the caller back.
pub async fn delete_comment(app: &Arc<App>, caller: &Caller, id: &SkillId, comment: &str) -> Result<()> {
    caller.require(Scope::Rate)?;
    change(app, caller, id, comment, Change::Delete).await.map(drop)
}

/// What a comment said before it was edited, the oldest first. For admins of the namespace.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/comments/{comment}/texts", tag = "comments",
    params(("id" = String, Path, description = "`org/name`"), ("comment" = String, Path, description = "its id")),
    security(("token" = ["admin"])),
    responses((status = 200, body = CommentTextsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn texts(call: &Call, id: &SkillId, comment: &str) -> Result<Response> {
    json(StatusCode::OK, &former_texts(&call.app, &call.caller, id, comment).await?)
}

/// What a comment said before it was edited.
pub async fn former_texts(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    comment: &str,
) -> Result<CommentTextsResponse> {
    caller.require(Scope::Admin)?;
    let skill = skill::find(app, caller, id).await?;
    caller.require_role(Scope::Admin, Role::Admin, &skill.id.namespace())?;
    let found = table::find(app.db.reader(), &skill.id.key(), comment).await?;
    let found = found.ok_or_else(|| comment_not_found(comment))?;
    Ok(CommentTextsResponse { texts: table::texts(&app.db, &found.id).await? })
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
    json(StatusCode::OK, &hide_comment(&app, &caller, id, comment, &request.reason).await?)
}

/// Hides a comment for this reason.
pub async fn hide_comment(
    app: &Arc<App>,
    caller: &Caller,
    id: &SkillId,
    comment: &str,
    reason: &str,
) -> Result<Comment> {
    caller.require(Scope::Admin)?;
    let reason = checked_reason(app, "reason", reason, "a reason is needed")?;
    change(app, caller, id, comment, Change::Hide(reason)).await
}

/// Shows a comment again that was hidden. For admins of the namespace; what an admin of the registry has hidden, or what one has
/// written oneself, only an admin of the registry shows again.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/comments/{comment}/hidden", tag = "comments",
    params(("id" = String, Path, description = "`org/name`"), ("comment" = String, Path, description = "its id")),
    security(("token" = ["admin"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn unhide(call: &Call, id: &SkillId, comment: &str) -> Result<Response> {
    unhide_comment(&call.app, &call.caller, id, comment).await?;
    Ok(done())
}

/// Shows a comment again.
pub async fn unhide_comment(app: &Arc<App>, caller: &Caller, id: &SkillId, comment: &str) -> Result<()> {
    caller.require(Scope::Admin)?;
    change(app, caller, id, comment, Change::Unhide).await.map(drop)
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
    let limits = (app.settings.limits.comments_per_minute, app.settings.limits.comment_edits);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let key = skill.id.key();
                let identity = match by_author {
                    true => still_seeing(tx, &identity, &skill.id).await?,
                    false => identity.still(tx, Role::Admin, &skill.id.namespace()).await?,
                };
                let found = table::find(tx.connection(), &key, &comment).await?;
                // Whoever takes their own back again, as the first answer was lost on its way, is told that it is done.
                let is_again =
                    |found: &CommentRow| matches!(change, Change::Delete) && found.user == identity.user.id;
                let found = found.filter(|found| viewer.sees(found) || is_again(found));
                let found = found.ok_or_else(|| comment_not_found(&comment))?;
                if by_author && found.user != identity.user.id {
                    return Err(Failure::new(ProblemCode::Forbidden, "only its author changes a comment"));
                }
                if by_author && found.deleted_at.is_some() && !matches!(change, Change::Delete) {
                    return Err(comment_not_found(&comment));
                }
                let event = apply(tx, &found, &identity, &skill.id, change, limits).await?;
                if let Some(event) = event {
                    tx.append(Some(&identity.user.id), event);
                }
                now_shown(tx, &key, &comment, &viewer).await
            })
        })
        .await
}

async fn apply(
    tx: &mut Tx,
    found: &CommentRow,
    identity: &Identity,
    skill: &SkillId,
    change: Change,
    (per_minute, most_edits): (u32, usize),
) -> Result<Option<Event>> {
    let (skill, comment) = (skill.clone(), found.id.clone());
    let (user, is_site_admin) = (&identity.user.id, identity.is_site_admin());
    Ok(match change {
        Change::Edit(text) if text != found.text => {
            check_rate(tx, user, per_minute).await?;
            if table::edits(tx, &comment).await? >= i64::try_from(most_edits).unwrap_or(i64::MAX) {
                let detail = format!("a comment is changed at most {most_edits} times");
                return Err(Failure::new(ProblemCode::TooManyComments, detail));
            }
            table::edit(tx, found, &text).await?;
            Some(Event::CommentEdited(OfComment { skill, comment }))
        }
        Change::Delete if found.deleted_at.is_none() => {
            table::delete(tx, &comment).await?;
            Some(Event::CommentDeleted(OfComment { skill, comment }))
        }
        // What a namespace has hidden already, the registry hides as well: then the namespace does not show it again.
        Change::Hide(reason) if !found.is_hidden || (is_site_admin && !found.by_registry) => {
            table::set_hidden(tx, &comment, user, is_site_admin, Some(&reason)).await?;
            Some(Event::CommentHidden(OfComment { skill, comment }))
        }
        Change::Unhide if found.is_hidden => {
            check_may_show(is_site_admin, found.by_registry, *user == found.user)?;
            table::set_hidden(tx, &comment, user, is_site_admin, None).await?;
            Some(Event::CommentUnhidden(OfComment { skill, comment }))
        }
        _ => None,
    })
}

async fn now_shown(tx: &mut Tx, key: &str, id: &str, viewer: &Viewer) -> Result<Comment> {
    let row = table::find(tx.connection(), key, id).await?.ok_or_else(|| comment_not_found(id))?;
    let ids = [id.to_owned()];
    let counts = table::count_replies(tx.connection(), &ids, viewer).await?;
    Ok(Comment { reply_count: counts.get(id).copied().unwrap_or_default(), ..viewer.shown(row) })
}
