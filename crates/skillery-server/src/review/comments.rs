//! What is said about a version while it is reviewed: in threads, about all of it, a file or a line.
//!
//! Comments are for members of the namespace who see the version. The log does not have them, as people may take back what they
//! wrote; what a comment said before it was changed is kept, and what was taken away is hidden.

use skillery_core::api::{DiffSide, ReviewCommentPatch, ReviewCommentRequest, ReviewThread, ThreadsResponse};
use skillery_core::{Limits, Problem, ProblemCode, Role, Scope, SkillId, Version, VersionStatus};

use crate::access::{Caller, Identity, forbidden};
use crate::app::App;
use crate::db::review::{self as table, CommentRow, NewComment, ThreadPlace};
use crate::db::skills::SkillRow;
use crate::db::versions::{self, VersionRow};
use crate::db::{Tx, audit};
use crate::failure::{Failure, Result};
use crate::http::call::Page;
use crate::skill;
use crate::text::{invalid, said};

/// The version, where the caller is a member of the namespace and sees it.
async fn seen(app: &App, caller: &Caller, id: &SkillId, version: &Version) -> Result<(SkillRow, VersionRow)> {
    caller.require(Scope::Read)?;
    let skill = skill::find(app, caller, id).await?;
    let namespace = skill.id.namespace();
    caller.require_role(Scope::Read, Role::Reader, &namespace)?;
    let row = versions::find(app.db.reader(), &skill.id.key(), version)
        .await?
        .filter(|row| skill::sees_version(caller, &namespace.key(), row))
        .ok_or_else(|| skill::no_such_version(&skill.id, version))?;
    Ok((skill, row))
}

/// One page of the threads about a version.
pub async fn threads(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    page: Page,
) -> Result<ThreadsResponse> {
    let (skill, row) = seen(app, caller, id, version).await?;
    let key = skill.id.key();
    let (total, unresolved) = table::threads(app.db.reader(), &key, &row.version).await?;
    let threads = table::page(&app.db, &key, &row.version, page.limit as i64, page.offset as i64).await?;
    Ok(ThreadsResponse { total, unresolved, threads })
}

/// Where the threads about a version stand, without what is said in them.
pub async fn places(app: &App, caller: &Caller, id: &SkillId, version: &Version) -> Result<Vec<ThreadPlace>> {
    let (skill, row) = seen(app, caller, id, version).await?;
    table::places(app.db.reader(), &skill.id.key(), &row.version).await
}

/// These of the threads whose places are known.
pub async fn these(app: &App, ids: &[String]) -> Result<Vec<ReviewThread>> {
    table::these(&app.db, ids).await
}

/// Who takes part, as reviewers and publishers do: a token that may only read does not.
fn taking_part<'a>(caller: &'a Caller, id: &SkillId) -> Result<&'a Identity> {
    let identity = caller.require(Scope::Read)?;
    if !identity.has(Scope::Review) && !identity.has(Scope::Publish) {
        let detail = "this needs a token with the scope `review` or `publish`";
        return Err(Problem::new(ProblemCode::InsufficientScope, detail).with("scope", "review").into());
    }
    caller.require_role(Scope::Read, Role::Publisher, &id.namespace())?;
    Ok(identity)
}

/// The version as it stands in this transaction, where the user may still take part.
async fn still_seen(
    tx: &mut Tx,
    identity: &Identity,
    id: &SkillId,
    version: &Version,
) -> Result<(Identity, VersionRow)> {
    let identity = identity.still(tx, Role::Publisher, &id.namespace()).await?;
    let row = versions::find(tx.connection(), &id.key(), version).await?;
    let caller = Caller::signed_in(std::sync::Arc::new(identity.clone()));
    let row = row.filter(|row| skill::sees_version(&caller, &id.namespace().key(), row));
    let row = row.ok_or_else(|| skill::no_such_version(id, version))?;
    Ok((identity, row))
}

fn checked(text: &str, limits: &Limits) -> Result<String> {
    said("text", text, limits.review_comment_length, "a comment says something, in `text`")
}

/// Says something about a version, or answers; the thread as it is then.
pub async fn say(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    request: ReviewCommentRequest,
) -> Result<ReviewThread> {
    let (skill, row) = seen(app, caller, id, version).await?;
    let identity = taking_part(caller, &skill.id)?.clone();
    let limits = app.settings.limits.clone();
    let text = checked(&request.text, &limits)?;
    let against = place(app, caller, &skill.id, &row, &request).await?;
    let (id, version, comment) = (skill.id, row.version, app.environment.new_id());
    let ReviewCommentRequest { thread, path, line, .. } = request;
    let thread = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let (identity, row) = still_seen(tx, &identity, &id, &version).await?;
                let key = id.key();
                let number = table::count(tx.connection(), &key, &version).await?;
                if number >= i64::try_from(limits.review_comments).unwrap_or(i64::MAX) {
                    let detail = format!("{id} {version} has {number} comments, and no more are kept");
                    return Err(Failure::new(ProblemCode::TooManyComments, detail));
                }
                if let Some(thread) = &thread {
                    let first = table::comment(tx.connection(), &key, &version, thread).await?;
                    if first.is_none_or(|first| first.thread != first.id) {
                        return Err(comment_not_found(&id, &row.version));
                    }
                }
                let thread = thread.unwrap_or_else(|| comment.clone());
                let (user, told) = (identity.user.id, thread.clone());
                let row = about_comment(&id, &version, &comment);
                audit::insert_private(tx, Some(&user), "review-comment.posted", row).await?;
                let new = NewComment { id: comment, thread, user, text, path, line, against, number };
                table::add(tx, &key, &version, new).await?;
                Ok(told)
            })
        })
        .await?;
    one(app, thread).await
}

/// Checks where a comment stands, and gives the older version whose file it is about.
async fn place(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    row: &VersionRow,
    request: &ReviewCommentRequest,
) -> Result<Option<Version>> {
    let ReviewCommentRequest { thread, path, line, side, against, .. } = request;
    let Some(path) = path else {
        for (field, is_given) in
            [("line", line.is_some()), ("side", side.is_some()), ("against", against.is_some())]
        {
            if is_given {
                return Err(invalid(field, format!("`{field}` goes with a `path`")));
            }
        }
        return Ok(None);
    };
    if thread.is_some() {
        return Err(invalid("path", "an answer stands where its thread stands"));
    }
    let older = match (side.unwrap_or(DiffSide::New), against) {
        (DiffSide::New, None) => None,
        (DiffSide::New, Some(_)) => return Err(invalid("against", "`against` goes with the side `old`")),
        (DiffSide::Old, None) => {
            return Err(invalid("against", "the side `old` is that of a version, `against`"));
        }
        (DiffSide::Old, Some(version)) => {
            let older = skill::with_files(app, caller, id, version).await?.1;
            // Whoever reads the comment, now or once this version is handed out, may not know of what waits.
            if older.status == VersionStatus::Pending {
                let detail =
                    format!("{version} waits for approval, and {} may be read by more people", row.version);
                return Err(invalid("against", detail));
            }
            Some(older)
        }
    };
    let row = older.as_ref().unwrap_or(row);
    if !row.files.iter().any(|file| file.path == *path) {
        return Err(skill::file_not_found(id, &row.version, path));
    }
    if let Some(line) = line {
        let file = skill::file(app, row, path).await?;
        let Some(text) = super::text_of(&file.bytes) else {
            return Err(invalid("line", "the file is no text, and has no lines"));
        };
        let lines = text.split_inclusive('\n').count();
        if *line == 0 || *line as usize > lines {
            return Err(invalid("line", format!("the file has the lines 1 to {lines}")));
        }
    }
    Ok(older.map(|row| row.version))
}

/// What somebody wants of a comment.
#[derive(Debug, Clone)]
pub enum Change {
    /// Another text, or a thread that is resolved, or is not.
    Patch(ReviewCommentPatch),
    /// That it goes away.
    Hide,
}

/// Changes a comment; the thread as it is then.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    comment: &str,
    mut change: Change,
) -> Result<ReviewThread> {
    let (skill, row) = seen(app, caller, id, version).await?;
    let identity = taking_part(caller, &skill.id)?.clone();
    let limits = app.settings.limits.clone();
    if let Change::Patch(patch) = &mut change {
        match &mut patch.text {
            Some(text) => *text = checked(text, &limits)?,
            None if patch.resolved.is_none() => {
                return Err(invalid("text", "nothing is to be changed: say `text` or `resolved`"));
            }
            None => {}
        }
    }
    let (id, version, comment) = (skill.id, row.version, comment.to_owned());
    let thread = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let (identity, row) = still_seen(tx, &identity, &id, &version).await?;
                let found = table::comment(tx.connection(), &id.key(), &version, &comment).await?;
                let found = found.ok_or_else(|| comment_not_found(&id, &version))?;
                let about = About { identity: &identity, id: &id, row: &row, found: &found };
                match change {
                    Change::Hide => about.hide(tx).await?,
                    Change::Patch(patch) => about.patch(tx, patch, &limits).await?,
                }
                Ok(found.thread)
            })
        })
        .await?;
    one(app, thread).await
}

/// A comment, and who wants to change it.
struct About<'a> {
    identity: &'a Identity,
    id: &'a SkillId,
    row: &'a VersionRow,
    found: &'a CommentRow,
}

impl About<'_> {
    fn is_author(&self) -> bool {
        self.found.user == self.identity.user.id
    }

    fn holds(&self, role: Role) -> Result<()> {
        match self.identity.role_in(&self.id.namespace().key()) >= Some(role) {
            true => Ok(()),
            false => Err(forbidden(role, self.id.namespace().as_str())),
        }
    }

    /// What one said oneself; what others said, an admin of the namespace.
    async fn hide(&self, tx: &mut Tx) -> Result<()> {
        if !self.is_author() {
            self.holds(Role::Admin)?;
        }
        if self.found.is_hidden {
            return Ok(());
        }
        table::hide(tx, &self.found.id, &self.identity.user.id).await?;
        let action = if self.is_author() { "review-comment.deleted" } else { "review-comment.hidden" };
        self.note(tx, action).await
    }

    async fn patch(&self, tx: &mut Tx, patch: ReviewCommentPatch, limits: &Limits) -> Result<()> {
        if patch.text.is_some() && !self.is_author() {
            let detail = "a comment is changed by who wrote it; answer it instead";
            return Err(Failure::new(ProblemCode::Forbidden, detail));
        }
        if let Some(text) = patch.text.filter(|text| *text != self.found.text) {
            if self.found.is_hidden {
                return Err(comment_not_found(self.id, &self.row.version));
            }
            let edits = table::edits(tx.connection(), &self.found.id).await?;
            if edits >= i64::try_from(limits.review_edits).unwrap_or(i64::MAX) {
                let detail = format!(
                    "the comment was changed {edits} times, all of which are kept; answer it instead"
                );
                return Err(Failure::new(ProblemCode::TooManyComments, detail));
            }
            table::edit(tx, self.found, edits, &text).await?;
            self.note(tx, "review-comment.edited").await?;
        }
        let Some(resolved) = patch.resolved else { return Ok(()) };
        if self.found.thread != self.found.id {
            return Err(invalid(
                "resolved",
                format!("it is the thread `{}` that is resolved", self.found.thread),
            ));
        }
        if !self.is_author() && self.row.publisher != self.identity.user.id {
            self.holds(Role::Reviewer)?;
        }
        if self.found.is_resolved == resolved {
            return Ok(());
        }
        let by = resolved.then_some(self.identity.user.id.as_str());
        table::resolve(tx, &self.found.id, by).await?;
        self.note(tx, if resolved { "review-thread.resolved" } else { "review-thread.reopened" }).await
    }

    /// Tells the audit.
    async fn note(&self, tx: &mut Tx, action: &'static str) -> Result<()> {
        let about = about_comment(self.id, &self.row.version, &self.found.id);
        audit::insert_private(tx, Some(&self.identity.user.id), action, about).await
    }
}

/// What the audit says of a comment. The log does not have it, and neither has what was said.
fn about_comment(id: &SkillId, version: &Version, comment: &str) -> audit::About {
    let subject = Some(format!("{id} comment {comment}"));
    audit::About { subject, ..audit::About::version(id, version) }
}

async fn one(app: &App, thread: String) -> Result<ReviewThread> {
    let found = table::these(&app.db, &[thread]).await?.pop();
    found.ok_or_else(|| Failure::internal(std::io::Error::other("a thread is gone")))
}

/// There is no such comment.
pub fn comment_not_found(id: &SkillId, version: &Version) -> Failure {
    Failure::new(ProblemCode::CommentNotFound, format!("{id} {version} has no such comment"))
}
