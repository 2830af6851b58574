//! `POST /{id}/versions/{version}/review`: saying something, and deciding.

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{
    ChangelogRequest, DecisionRequest, DiffSide, ReasonRequest, ReviewCommentPatch, ReviewCommentRequest,
};
use skillery_core::{Decision, ProblemCode, SkillId, Version};

use super::super::desk::{Tried, ask, is_answered};
use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other};
use super::super::notice;
use super::asked::Asked;
use super::show::{found, render};
use super::thread;
use crate::failure::{Failure, Result};
use crate::http::api::approvals as api;
use crate::http::call::Call;
use crate::review::changelog;
use crate::review::comments::{self, Change};
use crate::text::invalid;

/// What came of a form: where to go, or a question first.
enum Done {
    /// There, with this word and place.
    At(String, &'static str, String),
    /// This is asked.
    Asked(Response),
}

/// Says something about a version, or decides about it.
pub async fn change(call: Call, frame: Frame, id: &SkillId, version: &Version) -> Result<Response> {
    let asked = Asked::of(&call)?;
    let form = Form::read(call).await?;
    // Who may not see the page learns nothing by its forms.
    let (header, _) = found(&form.app, &form.caller, id, version).await?;
    let path = format!("/{}/versions/{version}/review", header.id);
    match act(&form, &frame, &header.id, version, &path).await {
        Ok(Done::Asked(response)) => Ok(response),
        Ok(Done::At(address, word, place)) => {
            Ok(see_other(&format!("{}{place}", notice::with(&address, word))))
        }
        Err(failure) => again(&form, frame, (&header.id, version), asked, failure).await,
    }
}

/// Bytes of HTML of what was typed that the page has room for: what may be said there, of whichever characters.
const TYPED: usize = 22_000;

/// The page again, with what was typed and why it was refused.
async fn again(
    form: &Form,
    frame: Frame,
    which: (&SkillId, &Version),
    mut asked: Asked,
    failure: Failure,
) -> Result<Response> {
    let status = failure.problem.status;
    // What somebody may not do is said beside what they have typed.
    let is_told = matches!(status, 400 | 403 | 409 | 422)
        || matches!(failure.code(), ProblemCode::CommentNotFound | ProblemCode::FileNotFound);
    if !is_told || form.weight() > TYPED {
        return Err(failure);
    }
    let refused: (Tried, StatusCode) = Tried::of(form, failure, "comment")?;
    let is_of_thread = matches!(&*form.text("action"), "answer" | "edit" | "hide" | "resolve" | "reopen");
    if let Some(thread) = form.filled("thread").filter(|_| is_of_thread) {
        let which_thread = thread::Which { thread, after: 0 };
        return thread::show(&form.app, &form.caller, frame, which, which_thread, refused).await;
    }
    if form.text("action") == "say"
        && let Ok(at) = format!(
            "{}:{}:{}",
            form.text("side"),
            form.filled("line").unwrap_or_else(|| "0".to_owned()),
            form.text("path")
        )
        .parse()
    {
        asked.at = Some(at);
    }
    render(&form.app, &form.caller, frame, which, asked, 0, refused).await
}

async fn act(form: &Form, frame: &Frame, id: &SkillId, version: &Version, path: &str) -> Result<Done> {
    let (app, caller) = (&form.app, &form.caller);
    let text = |name: &str| form.text(name).trim().to_owned();
    let thread = text("thread");
    let at = |word: &'static str, place: &str| {
        let next = form.next(path);
        let address = if next.starts_with(path) { next } else { path.to_owned() };
        Done::At(address, word, place.to_owned())
    };
    match &*form.text("action") {
        "say" => {
            let said = comments::say(app, caller, id, version, said(form)?).await?;
            Ok(at("thread-said", &format!("#t-{}", said.id)))
        }
        "answer" => {
            let request =
                ReviewCommentRequest { text: text("text"), thread: Some(thread), ..Default::default() };
            let said = comments::say(app, caller, id, version, request).await?;
            Ok(at("thread-said", &format!("#t-{}", said.id)))
        }
        "edit" => {
            let patch = ReviewCommentPatch { text: Some(text("text")), resolved: None };
            let said =
                comments::change(app, caller, id, version, &text("comment"), Change::Patch(patch)).await?;
            Ok(at("saved", &format!("#t-{}", said.id)))
        }
        action @ ("resolve" | "reopen") => {
            let patch = ReviewCommentPatch { text: None, resolved: Some(action == "resolve") };
            let said = comments::change(app, caller, id, version, &thread, Change::Patch(patch)).await?;
            let word = if action == "resolve" { "thread-resolved" } else { "thread-reopened" };
            Ok(at(word, &format!("#t-{}", said.id)))
        }
        "hide" => {
            if !is_answered(form) {
                let question = "Take this comment away?".to_owned();
                let text = "It is kept, and shown to nobody.";
                return ask(frame.clone(), form, question, text, "Take it away", path).map(Done::Asked);
            }
            comments::change(app, caller, id, version, &text("comment"), Change::Hide).await?;
            // The thread may be gone with it.
            Ok(Done::At(path.to_owned(), "removed", String::new()))
        }
        "approve" => decide(form, id, version, Decision::Approved).await.map(|()| at("approved", "")),
        "request-changes" => {
            decide(form, id, version, Decision::ChangesRequested).await.map(|()| at("changes-requested", ""))
        }
        "reject" => {
            if form.text("comment").trim().is_empty() {
                return Err(invalid("comment", "a rejection says why, in `comment`"));
            }
            if !is_answered(form) {
                let question = format!("Reject {id} {version}?");
                let text = "It is never handed out then, and nobody can take that back. The author publishes another version.";
                return ask(frame.clone(), form, question, text, "Reject it", path).map(Done::Asked);
            }
            decide(form, id, version, Decision::Rejected).await.map(|()| at("rejected", ""))
        }
        "force" => {
            let reason = text("reason");
            if reason.is_empty() {
                return Err(invalid("reason", "whoever does this says why, in `reason`"));
            }
            if !is_answered(form) {
                let question = format!("Release {id} {version} without approvals?");
                let text = "It is handed out at once. The log has it for ever, with your role; whoever installs it is warned, until \
                            reviewers have approved it.";
                return ask(frame.clone(), form, question, text, "Release it", path).map(Done::Asked);
            }
            api::forced(app, caller, id, version, ReasonRequest { reason }).await?;
            Ok(at("forced", ""))
        }
        "changelog" => {
            let request = ChangelogRequest { changelog: text("changelog") };
            changelog::set(app, caller, id, version, request).await?;
            // The page of the version has this form, too.
            let page = format!("/{id}/versions/{version}");
            if form.next(path) == page {
                return Ok(Done::At(page, "saved", String::new()));
            }
            Ok(at("saved", ""))
        }
        _ => Err(form::unknown()),
    }
}

/// What is said, and where.
fn said(form: &Form) -> Result<ReviewCommentRequest> {
    let line = form.filled("line").map(|line| line.parse::<u32>()).transpose();
    let path = form.filled("path");
    let side = path.as_ref().map(|_| form.text("side").parse::<DiffSide>()).transpose();
    let side = side.map_err(|error| invalid("side", error))?;
    let against = form.filled("against").filter(|_| side == Some(DiffSide::Old));
    let against = against.map(|version| version.parse::<Version>()).transpose();
    Ok(ReviewCommentRequest {
        text: form.text("text").trim().to_owned(),
        thread: None,
        path,
        line: line.map_err(|_| invalid("line", "a line is a whole number"))?,
        side,
        against: against.map_err(|error| invalid("against", error.to_string()))?,
    })
}

async fn decide(form: &Form, id: &SkillId, version: &Version, decision: Decision) -> Result<()> {
    let digest = form
        .text("digest")
        .parse()
        .map_err(|_| invalid("digest", "the form does not say what was looked at; open the page again"))?;
    let comment = form.text("comment").trim().to_owned();
    let request = DecisionRequest { decision, digest: Some(digest), comment, signature: None };
    api::decided(&form.app, &form.caller, id, version, request).await.map(drop)
}
