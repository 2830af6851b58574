//! `skillery approve comment` and `resolve`: what is said about a version.

use skillery_client::Client;
use skillery_core::Version;
use skillery_core::api::{DiffSide, ReviewCommentPatch, ReviewCommentRequest, ReviewThread};

use super::Which;
use crate::commands::short_id::{self, short};
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, moment};
use crate::session::Session;

/// What a comment is about.
pub(super) struct About<'a> {
    pub(super) file: Option<&'a str>,
    pub(super) line: Option<u32>,
    pub(super) old: Option<&'a Version>,
    pub(super) thread: Option<&'a str>,
}

/// Says something.
pub(super) async fn say(session: &Session, which: &Which, text: &str, about: About<'_>) -> CommandResult {
    let client = session.client()?;
    let thread = match about.thread {
        Some(end) => Some(find(&client, which, end).await?.id),
        None => None,
    };
    let request = ReviewCommentRequest {
        text: text.to_owned(),
        thread,
        path: about.file.map(str::to_owned),
        line: about.line,
        side: about.old.map(|_| DiffSide::Old),
        against: about.old.cloned(),
    };
    let thread = client.add_review_comment(&which.id, &which.version, &request).await?;
    session.output.show(&thread, |page| describe(page, &thread))?;
    Ok(Exit::Done)
}

/// Resolves a thread, or opens it again.
pub(super) async fn resolve(session: &Session, which: &Which, end: &str, resolved: bool) -> CommandResult {
    let client = session.client()?;
    let thread = find(&client, which, end).await?;
    let patch = ReviewCommentPatch { resolved: Some(resolved), ..ReviewCommentPatch::default() };
    let thread = client.change_review_comment(&which.id, &which.version, &thread.id, &patch).await?;
    session.output.show(&thread, |page| describe(page, &thread))?;
    Ok(Exit::Done)
}

/// Takes a comment away: its text is shown to nobody any more.
pub(super) async fn remove(session: &Session, which: &Which, end: &str) -> CommandResult {
    let client = session.client()?;
    let threads = client.all_review_threads(&which.id, &which.version).await?;
    let ids = threads.iter().flat_map(|thread| &thread.comments).map(|comment| comment.id.as_str());
    let comment = one_of(which, "comment", ids, end)?;
    let thread = client.hide_review_comment(&which.id, &which.version, comment).await?;
    session.output.show(&thread, |page| describe(page, &thread))?;
    Ok(Exit::Done)
}

/// The thread whose id ends so.
async fn find(client: &Client, which: &Which, end: &str) -> Result<ReviewThread, Failure> {
    let mut all = client.all_review_threads(&which.id, &which.version).await?;
    let id = one_of(which, "thread", all.iter().map(|thread| thread.id.as_str()), end)?;
    let place = all.iter().position(|thread| thread.id == id).unwrap_or_default();
    Ok(all.swap_remove(place))
}

fn one_of<'a>(
    which: &Which,
    what: &str,
    ids: impl Iterator<Item = &'a str>,
    end: &str,
) -> Result<&'a str, Failure> {
    let (id, version) = (&which.id, &which.version);
    let show = format!("skillery approve show {id} {version}");
    short_id::one_of(what, &format!("{id} {version}"), ids, end, &show)
}

/// Shows a thread.
pub(super) fn describe(page: &mut Page, thread: &ReviewThread) {
    let mut head = Line::default().toned(Tone::Strong, "thread ").name(short(&thread.id));
    if let Some(path) = &thread.path {
        let line = thread.line.map(|line| format!(":{line}")).unwrap_or_default();
        head = head.plain(format!("  {path}{line}"));
    }
    if let Some(version) = &thread.against {
        head = head.plain(format!(" of {version}"));
    }
    head = match (&thread.resolved_at, &thread.resolved_by) {
        (Some(at), Some(user)) => head.toned(Tone::Good, format!("  resolved by {user}, {}", moment(*at))),
        _ => head.toned(Tone::Warning, "  open"),
    };
    page.line(head);
    for comment in &thread.comments {
        let at = moment(comment.created_at);
        let edited = if comment.earlier.is_empty() { "" } else { ", edited" };
        page.line(
            Line::default()
                .plain("  ")
                .name(&comment.author)
                .toned(Tone::Faint, format!("  {at}{edited}  {}", short(&comment.id))),
        );
        match &comment.text {
            Some(text) => page.indented_by("    ", text),
            None => page.line(Line::default().toned(Tone::Faint, "    taken away")),
        }
    }
}
