//! `GET` and `POST /{id}/comments`: what people say of a skill.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{Comment, CommentRequest, CommentText, ReportReason, ReportRequest};
use skillery_core::time::Time;
use skillery_core::{ProblemCode, Role, Scope, SkillId};

use super::desk::ask;
use super::desk::pager::Pager;
use super::desk::tried::Tried;
use super::form::{Form, unknown};
use super::frame::{Frame, see_other, with_status};
use super::markdown::{self, Rendered};
use super::said::{Open, field, report};
use super::skill::Header;
use super::{notice, show};
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::comments::{self as api, Which};
use crate::http::api::reports;
use crate::http::call::{Call, Page, invalid_parameter};
use crate::skill;

/// What people say of a skill.
pub const COMMENTS: &str = "/{id}/comments";

/// Comments on a page, and characters of them.
const ROWS: usize = 15;
const CHARACTERS: i64 = 5_000;

/// A comment with what the viewer may do about it.
struct Shown {
    comment: Comment,
    html: Option<Rendered>,
    is_own: bool,
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

    /// The address of this page with a form at a comment. An answer that stands beside its comment is shown in its thread.
    fn with(&self, shown: &Shown, form: &str) -> String {
        let id = &shown.comment.id;
        let (view, is_here) = match (&self.thread, self.is_hidden, &shown.comment.parent) {
            (_, true, _) => ("hidden=true&".to_owned(), true),
            (Some(thread), ..) => (format!("thread={}&", thread.comment.id), true),
            (None, _, Some(parent)) => (format!("thread={parent}&"), false),
            (None, _, None) => (String::new(), true),
        };
        let offset = match self.offset {
            1.. if is_here => format!("offset={}&", self.offset),
            _ => String::new(),
        };
        format!("/{}/comments?{view}{offset}at={id}&form={form}#c-{id}", self.header.id)
    }

    /// Whether the viewer may hide what a namespace has hidden, so that it does not show it again.
    fn may_hide_again(&self, shown: &Shown) -> bool {
        let is_site_admin = self.frame.viewer.as_ref().is_some_and(|viewer| viewer.is_admin);
        is_site_admin && shown.comment.hidden && !shown.comment.hidden_by_registry
    }

    /// Whether the viewer may show it again, as far as the registry has not hidden it.
    fn may_show(&self, shown: &Shown) -> bool {
        let is_site_admin = self.frame.viewer.as_ref().is_some_and(|viewer| viewer.is_admin);
        shown.comment.hidden && (is_site_admin || !(shown.comment.hidden_by_registry || shown.is_own))
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
    let path = format!("/{}/comments", skill.id);
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
                        let at = api::one(app, caller, &skill, &open.at).await?;
                        named = Some(at).filter(|at| at.parent.as_ref() == Some(&found.id));
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
    let mut found = api::comments(app, caller, &skill, &which, rows, CHARACTERS).await?;
    if let Some(answer) = named.filter(|_| offset.is_none())
        && !found.comments.iter().any(|comment| comment.id == answer.id)
    {
        rows.offset = api::place_of(app, caller, &skill.id, &answer).await?;
        found = api::comments(app, caller, &skill, &which, rows, CHARACTERS).await?;
    }
    let is_moderator = caller.require_role(Scope::Admin, Role::Admin, &skill.id.namespace()).is_ok();
    let texts = match open.form.as_str() {
        "history" if is_moderator => newest(api::former_texts(app, caller, &skill.id, &open.at).await?.texts),
        _ => Vec::new(),
    };
    let name = caller.identity().map(|identity| identity.user.name.clone());
    let shown = |comment: Comment| Shown::of(comment, name.as_deref(), &open, &texts);
    let query = [
        ("thread", thread.as_ref().map_or("", |thread| thread.id.as_str())),
        ("hidden", if is_hidden { "true" } else { "" }),
    ];
    let address = |offset: usize| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
        format!("{path}?{}", text.append_pair("offset", &offset.to_string()).finish())
    };
    let next = found.next.and_then(|next| usize::try_from(next).ok());
    let pager = Pager {
        previous: (rows.offset > 0).then(|| address(rows.offset.saturating_sub(ROWS))),
        next: next.map(address),
    };
    let mut header = Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "comments");
    header.comments = if which == Which::Threads { found.total } else { 0 };
    let may_say = caller.identity().is_some_and(|identity| identity.has(Scope::Rate));
    let template = CommentsPage {
        frame: frame.titled(format!("Comments on {}", skill.id)).part("skill"),
        header,
        thread: thread.map(&shown),
        is_hidden,
        comments: found.comments.into_iter().map(&shown).collect(),
        total: found.total,
        offset: rows.offset,
        pager,
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

/// The newest of these that a page has room for.
fn newest(texts: Vec<CommentText>) -> Vec<CommentText> {
    let mut room = CHARACTERS;
    let mut kept: Vec<CommentText> = texts
        .into_iter()
        .rev()
        .take_while(|text| {
            let has_room = room > 0;
            room -= i64::try_from(text.text.chars().count()).unwrap_or(i64::MAX);
            has_room
        })
        .collect();
    kept.reverse();
    kept
}

impl Shown {
    fn of(mut comment: Comment, viewer: Option<&str>, open: &Open, texts: &[CommentText]) -> Self {
        let replies = std::mem::take(&mut comment.replies);
        Self {
            html: comment.text.as_deref().map(markdown::said),
            is_own: viewer.is_some() && comment.author.as_deref() == viewer,
            texts: if comment.id == open.at { texts.to_vec() } else { Vec::new() },
            replies: replies.into_iter().map(|reply| Self::of(reply, viewer, open, texts)).collect(),
            comment,
        }
    }

    /// Whether something may be said about it still.
    fn is_live(&self) -> bool {
        self.comment.deleted_at.is_none() && self.comment.text.is_some()
    }
}

/// Says something, or changes what is said.
pub async fn change(call: Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let skill = skill::find(app, caller, id).await?.id;
    let (action, comment) = (form.text("action").into_owned(), form.text("comment").into_owned());
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
                (_, at) => format!("/{skill}/comments?thread={at}"),
            };
            Ok(see_other(&notice::with(&path, code)))
        }
        Err(failure) if failure.code() == ProblemCode::InvalidParameter => Err(failure),
        Err(failure) => {
            let shown = Tried::new(&form, failure, field(&action))?;
            let asked = Asked {
                offset: None,
                thread: Some(comment.clone()).filter(|_| action != "say"),
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
        _ => return Err(unknown()),
    })
}
