//! `GET` and `POST /{id}/comments`: what people say of a skill.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{Comment, CommentRequest, CommentText, ReportReason, ReportRequest};
use skillery_core::time::Time;
use skillery_core::{Digest, ProblemCode, Role, Scope, SkillId};

use super::desk::ask;
use super::desk::tried::Tried;
use super::form::{Form, unknown};
use super::frame::{Frame, see_other, with_status};
use super::markdown::{self, Rendered};
use super::pager::{Pager, Pages};
use super::said::{self, Hiding, Open, RoomLeft, field, report};
use super::skill::Header;
use super::{notice, place, show};
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::comments::{self as api, Which};
use crate::http::api::reports;
use crate::http::call::{Call, Page, invalid_parameter};
use crate::skill;

/// What people say of a skill.
pub const COMMENTS: &str = "/{id}/comments";

/// What reports the skill itself, and nothing that is said of it. It stands here, as an address of its own would be one of a skill.
const REPORT_SKILL: &str = "report-skill";
/// Comments on a page at most, and characters of them.
const ROWS: usize = 15;
const CHARACTERS: i64 = 5_000;
/// Bytes of HTML around what a comment said before it was edited.
const AROUND_FORMER: usize = 200;
/// Bytes of HTML with which nothing more is begun.
const LITTLE: usize = 2_000;

/// A comment with what the viewer may do about it.
struct Shown {
    comment: Comment,
    html: Option<Rendered>,
    /// What it says as it was written, where there is no room for what it is meant to look like, and whether that is all.
    plain: Option<(String, bool)>,
    is_own: bool,
    is_asked: bool,
    /// What it said before, where that is asked for.
    texts: Vec<CommentText>,
    replies: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "pages/comments.html")]
struct CommentsPage {
    frame: Frame,
    header: Header,
    /// The thread that is shown alone.
    thread: Option<Shown>,
    is_hidden: bool,
    comments: Vec<Shown>,
    total: u64,
    offset: usize,
    pager: Pager,
    open: Open,
    /// Whether all that the comment said is shown, where that is asked for.
    shows_all: bool,
    may_say: bool,
    is_moderator: bool,
    reasons: &'static [ReportReason],
    most: usize,
    reason_length: usize,
    tried: Tried,
    now: Time,
}

impl CommentsPage {
    /// For macros, which take no `self`.
    fn it(&self) -> &Self {
        self
    }

    fn is_open(&self, shown: &Shown, form: &str) -> bool {
        self.open.at == shown.comment.id && self.open.form == form
    }

    /// Whether the form is open that reports the whole skill.
    fn is_reporting(&self) -> bool {
        self.open.form == REPORT_SKILL
    }

    /// The address of this page with a form at a comment. An answer that stands beside its comment is shown in its thread.
    fn with(&self, shown: &Shown, form: &str) -> String {
        let id = shown.comment.id.as_str();
        let (view, is_here) = match (&self.thread, self.is_hidden, &shown.comment.parent) {
            (_, true, _) => (("hidden", "true"), true),
            (Some(thread), ..) => (("thread", thread.comment.id.as_str()), true),
            (None, _, Some(parent)) => (("thread", parent.as_str()), false),
            (None, _, None) => (("thread", ""), true),
        };
        let offset = if is_here && self.offset > 0 { self.offset.to_string() } else { String::new() };
        let query = [view, ("offset", offset.as_str()), ("at", id), ("form", form)];
        let address = place::address(&format!("/{}/comments", self.header.id), query);
        format!("{address}#c-{id}")
    }

    fn hiding(&self, shown: &Shown) -> Hiding {
        let comment = &shown.comment;
        Hiding::of(&self.frame, comment.hidden, comment.hidden_by_registry, shown.is_own)
    }

    /// Answers that are not beside their comment.
    fn more(&self, shown: &Shown) -> u64 {
        shown.comment.reply_count.saturating_sub(shown.replies.len() as u64)
    }

    /// What stands in a field: what was tried, else what is there.
    fn typed<'page>(&'page self, form: &str, shown: &'page Shown) -> &'page str {
        if self.tried.is(form) {
            return self.tried.typed(form, "text");
        }
        shown.comment.text.as_deref().filter(|_| form == "edit").unwrap_or_default()
    }
}

/// What of the comments is asked for.
struct Asked {
    /// How many to pass over; none where what is named is to be seen.
    offset: Option<usize>,
    thread: Option<String>,
    is_hidden: bool,
    open: Open,
}

/// Threads, or one of them.
pub async fn list(call: &Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let offset = call.page()?.offset;
    let asked = Asked {
        offset: call.parameter("offset").map(|_| offset),
        thread: call.parameter("thread"),
        is_hidden: call.parsed::<bool>("hidden")?.unwrap_or(false),
        open: Open::of(call, "at"),
    };
    if asked.is_hidden && asked.thread.is_some() {
        return Err(invalid_parameter("hidden", "ask for one thread, or for what is hidden"));
    }
    render(&call.app, &call.caller, frame, id, asked, (Tried::default(), StatusCode::OK)).await
}

async fn render(
    app: &Arc<App>,
    caller: &Caller,
    frame: Frame,
    id: &SkillId,
    asked: Asked,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let skill = skill::find(app, caller, id).await?;
    let Asked { offset, thread, is_hidden, open } = asked;
    // An answer is shown where it stands.
    let mut named = None;
    let thread = match thread {
        Some(asked) => {
            let found = api::one(app, caller, &skill, &asked).await?;
            match found.parent.clone() {
                Some(parent) => {
                    named = Some(found);
                    Some(api::one(app, caller, &skill, &parent).await?)
                }
                None => {
                    if !open.at.is_empty() && open.at != found.id {
                        let at = if_there(api::one(app, caller, &skill, &open.at).await)?;
                        named = at.filter(|at| at.parent.as_ref() == Some(&found.id));
                    }
                    Some(found)
                }
            }
        }
        None => None,
    };
    let which = match (&thread, is_hidden) {
        (Some(thread), _) => Which::Answers(thread.id.clone()),
        (None, true) => Which::Hidden,
        (None, false) => Which::Threads,
    };
    let mut rows = Page { limit: ROWS, offset: offset.unwrap_or(0) };
    let asked = match (&named, &thread) {
        (Some(answer), _) => answer.id.clone(),
        (None, Some(thread)) if rows.offset == 0 || open.at == thread.id => thread.id.clone(),
        (None, Some(_)) => String::new(),
        (None, None) => open.at.clone(),
    };
    let mut found = api::comments(app, caller, &skill, &which, rows, CHARACTERS).await?;
    // One that takes most of a page stands first on it.
    let is_long = |answer: &Comment| answer.text.as_deref().map_or(0, said::weight) > said::ROOM / 4;
    if let Some(answer) = named.filter(|_| offset.is_none())
        && (is_long(&answer) || !found.comments.iter().any(|comment| comment.id == answer.id))
    {
        rows.offset = api::place_of(app, caller, &skill.id, &answer).await?;
        found = api::comments(app, caller, &skill, &which, rows, CHARACTERS).await?;
    }
    let is_moderator = caller.require_role(Scope::Admin, Role::Admin, &skill.id.namespace()).is_ok();
    let former = match open.form.as_str() {
        "history" if is_moderator => if_there(api::former_texts(app, caller, &skill.id, &open.at).await)?,
        _ => None,
    };
    let (texts, shows_all) = newest(former.map_or_else(Vec::new, |former| former.texts));
    let may_say = caller.identity().is_some_and(|identity| identity.has(Scope::Rate));
    let mut fitting = Fitting {
        app,
        viewer: caller.identity().map(|identity| identity.user.name.as_str()),
        id: skill.id.to_string().len(),
        may_say,
        is_moderator,
        open: &open,
        texts: &texts,
        asked: &asked,
        room: RoomLeft(said::ROOM.saturating_sub(tried.weight())),
    };
    let parent = thread.as_ref().map_or_else(String::new, |thread| thread.id.clone());
    let Fits { thread, comments, taken } = fitting.all(thread, found.comments);
    let query = [("thread", parent.as_str()), ("hidden", if is_hidden { "true" } else { "" })];
    let path = format!("/{}/comments", skill.id);
    let pager = Pages::of(app, &path, &query).usually(ROWS).ending_at(rows.offset + taken, rows, found.total);
    let mut header = Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "comments");
    header.comments = if which == Which::Threads { found.total } else { 0 };
    let template = CommentsPage {
        frame: frame.titled(format!("Comments on {}", skill.id)).part("skill"),
        header,
        thread,
        is_hidden,
        comments,
        total: found.total,
        offset: rows.offset,
        pager,
        shows_all,
        may_say,
        is_moderator,
        reasons: ReportReason::ALL,
        most: app.settings.limits.comment_length,
        reason_length: app.settings.limits.reason_length,
        tried,
        now: app.environment.now(),
        open,
    };
    with_status(status, &template)
}

/// What was asked for; none where there is no such comment.
fn if_there<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.code() == ProblemCode::CommentNotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The newest of these that there is room for, long ones by their beginning, and whether that is all.
fn newest(texts: Vec<CommentText>) -> (Vec<CommentText>, bool) {
    let mut row = RoomLeft(said::ROOM / 2).row(None);
    let mut kept = Vec::with_capacity(texts.len());
    for mut former in texts.into_iter().rev() {
        if row.left() < LITTLE {
            row.is_cut = true;
            break;
        }
        row.cut(&mut former.text);
        row.used += AROUND_FORMER;
        kept.push(former);
    }
    kept.reverse();
    (kept, !row.is_cut)
}

/// What stands on a page, as far as there is room.
struct Fitting<'page> {
    app: &'page App,
    /// The name of who looks.
    viewer: Option<&'page str>,
    /// Bytes of the id of the skill, which is in every address.
    id: usize,
    may_say: bool,
    is_moderator: bool,
    open: &'page Open,
    /// What the comment said at which that is asked for.
    texts: &'page [CommentText],
    /// The id of the comment that is asked for: it goes as far as there is room, before all others.
    asked: &'page str,
    room: RoomLeft,
}

/// What fits.
struct Fits {
    thread: Option<Shown>,
    comments: Vec<Shown>,
    /// How many of the comments there are from the first on.
    taken: usize,
}

impl Fitting<'_> {
    /// The thread that is shown alone, and as many of the comments as there is room for: the one that is asked for, or one at least.
    fn all(&mut self, thread: Option<Comment>, comments: Vec<Comment>) -> Fits {
        let asked = comments.iter().find(|comment| comment.id == self.asked).cloned();
        let mut asked = asked.and_then(|comment| self.add(comment, true));
        let thread = thread.and_then(|comment| self.add(comment, true));
        let laid_out = comments.into_iter().enumerate().map_while(|(place, mut comment)| {
            let replies = std::mem::take(&mut comment.replies);
            let ready = asked.take_if(|asked| asked.comment.id == comment.id);
            let mut next = ready.or_else(|| self.add(comment, place == 0 && asked.is_none()))?;
            next.replies = replies.into_iter().map_while(|reply| self.add(reply, false)).collect();
            Some(next)
        });
        let mut comments: Vec<Shown> = laid_out.collect();
        let taken = comments.len();
        comments.extend(asked);
        Fits { thread, comments, taken }
    }

    /// A comment; none where there is no room for it, unless it has to be there.
    fn add(&mut self, mut comment: Comment, has_to: bool) -> Option<Shown> {
        comment.replies.clear();
        let is_own = self.viewer.is_some() && comment.author.as_deref() == self.viewer;
        let is_asked = comment.id == self.asked;
        let mut row = self.room.row((!is_asked).then_some(said::ROOM / 4));
        row.cut_reason(&mut comment.hidden_reason);
        row.used += self.around(&comment, is_own);
        let mut html = comment.text.as_deref().map(|text| said_in(self.app, text));
        let heavy = html.take_if(|html| html.len() > row.left_for_text());
        row.used += html.as_ref().map_or(0, |html| html.len());
        let plain = comment.text.clone().filter(|_| heavy.is_some()).map(|mut text| {
            row.cut(&mut text);
            (text, !row.is_cut)
        });
        let texts = if comment.id == self.open.at { self.texts.to_vec() } else { Vec::new() };
        let shown = Shown { html, plain, is_own, is_asked, texts, replies: Vec::new(), comment };
        self.room.take(&row, has_to).then_some(shown)
    }

    /// Bytes of HTML around what a comment says and why it is hidden, at most nearly.
    fn around(&self, comment: &Comment, is_own: bool) -> usize {
        let (link, form) = (200 + self.id, 380 + self.id);
        let mut bytes = 600 + 2 * self.id + 3 * comment.author.as_ref().map_or(0, String::len);
        if self.may_say {
            bytes += 2 * link + if is_own { form } else { 0 };
        }
        if self.is_moderator {
            bytes += 2 * link + if comment.hidden { form } else { 0 };
        }
        if comment.id == self.open.at {
            let former = self.texts.iter().map(|text| said::weight(&text.text) + AROUND_FORMER);
            bytes += former.sum::<usize>();
            if self.open.form == "edit" && is_own {
                bytes += comment.text.as_deref().map_or(0, show::weight);
            }
        }
        bytes
    }
}

/// What a comment says as HTML, made once for each text.
fn said_in(app: &App, text: &str) -> Rendered {
    let key = format!("said {}", Digest::of(text.as_bytes()));
    if let Some(ready) = app.rendered.get(&key) {
        return ready;
    }
    let ready = markdown::said(text);
    app.rendered.insert(key, Arc::clone(&ready));
    ready
}

impl Shown {
    /// Whether something may be said about it still.
    fn is_live(&self) -> bool {
        self.comment.deleted_at.is_none() && self.comment.text.is_some()
    }
}

/// Says something, or changes what is said.
pub async fn change(call: Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let (action, comment) = (form.text("action").into_owned(), form.text("comment").into_owned());
    said::begin(&action);
    let skill = skill::find(app, caller, id).await?.id;
    if action == "delete" && !ask::is_answered(&form) {
        caller.require(Scope::Rate)?;
        let back = format!("/{skill}/comments?thread={}", super::place::encoded(&comment));
        let text = "Others do not see it any more; answers stay. Moderators go on seeing it.";
        return ask::ask(frame, &form, "Take your comment back?".to_owned(), text, "Take it back", &back);
    }
    match act(&form, &skill, &action, &comment).await {
        Ok((code, at)) => {
            let path = match (action.as_str(), at) {
                // A thread of one's own stands first.
                ("say" | "delete", _) => format!("/{skill}/comments"),
                (REPORT_SKILL, _) => format!("/{skill}"),
                (_, at) => format!("/{skill}/comments?thread={at}"),
            };
            Ok(see_other(&notice::with(&path, code)))
        }
        Err(failure) if failure.code() == ProblemCode::InvalidParameter => Err(failure),
        Err(failure) => {
            let shown = Tried::new(&form, failure, field(&action))?;
            let asked = Asked {
                offset: None,
                thread: Some(comment.clone()).filter(|_| action != "say" && action != REPORT_SKILL),
                is_hidden: false,
                open: Open { at: comment, form: action },
            };
            render(app, caller, frame, &skill, asked, shown).await
        }
    }
}

/// Does what the form asks for, and gives what is to be said of it, and the comment to go to.
async fn act(form: &Form, id: &SkillId, action: &str, comment: &str) -> Result<(&'static str, String)> {
    let (app, caller) = (&form.app, &form.caller);
    let text = form.text("text");
    let at = comment.to_owned();
    Ok(match action {
        "say" | "reply" => {
            let parent = (action == "reply").then(|| at.clone());
            let request = CommentRequest { text: text.into_owned(), parent };
            ("said", api::say(app, caller, id, request).await?.id)
        }
        "edit" => {
            api::edit_comment(app, caller, id, comment, &text).await?;
            ("edited", at)
        }
        "delete" => {
            api::delete_comment(app, caller, id, comment).await?;
            ("deleted", at)
        }
        "hide" => {
            api::hide_comment(app, caller, id, comment, &form.text("reason")).await?;
            ("hidden", at)
        }
        "unhide" => {
            api::unhide_comment(app, caller, id, comment).await?;
            ("unhidden", at)
        }
        "report" => {
            let request = ReportRequest { comment: Some(at.clone()), ..report(form, id)? };
            reports::submit(app, caller, request).await?;
            ("reported", at)
        }
        REPORT_SKILL => {
            reports::submit(app, caller, report(form, id)?).await?;
            ("skill-reported", at)
        }
        _ => return Err(unknown()),
    })
}
