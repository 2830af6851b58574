//! `skillery approve comment` and `resolve`: what is said about a version.

use skillery_client::{Client, Page as Rows};
use skillery_core::Version;
use skillery_core::api::{ReviewCommentPatch, ReviewCommentRequest, DiffSide, ReviewThread};

use super::Which;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, moment};
use crate::session::Session;

/// Characters of an id by which a thread is called.
const SHORT: usize = 8;
/// Threads in one answer.
const ROWS: u64 = 200;

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

/// All threads about a version.
pub(super) async fn all(client: &Client, which: &Which) -> Result<Vec<ReviewThread>, Failure> {
    let mut threads = Vec::new();
    loop {
        let rows = Rows { limit: Some(ROWS), offset: Some(threads.len() as u64) };
        let page = client.review_threads(&which.id, &which.version, rows).await?;
        let is_last = page.threads.is_empty();
        threads.extend(page.threads);
        if is_last || threads.len() as u64 >= page.total {
            return Ok(threads);
        }
    }
}

/// The thread whose id ends so.
async fn find(client: &Client, which: &Which, end: &str) -> Result<ReviewThread, Failure> {
    let all = all(client, which).await?;
    let mut found = all.into_iter().filter(|thread| !end.is_empty() && thread.id.ends_with(end));
    match (found.next(), found.next()) {
        (Some(thread), None) => Ok(thread),
        (Some(_), Some(_)) => {
            let message = format!("the ids of several threads end in `{end}`");
            Err(Failure::new(Exit::Usage, "ambiguous-thread", &message).hint("give more of the id"))
        }
        (None, _) => {
            let message = format!("{} {} has no thread `{end}`", which.id, which.version);
            let show = format!("`skillery approve show {} {}` lists them", which.id, which.version);
            Err(Failure::new(Exit::NotFound, "comment-not-found", &message).hint(&show))
        }
    }
}

/// The end of an id, by which a thread is called.
fn short(id: &str) -> &str {
    id.char_indices().rev().nth(SHORT - 1).map_or(id, |(start, _)| &id[start..])
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
        (Some(at), Some(user)) => {
            head.toned(Tone::Good, format!("  resolved by {user}, {}", moment(&at.to_string())))
        }
        _ => head.toned(Tone::Warning, "  open"),
    };
    page.line(head);
    for comment in &thread.comments {
        let at = moment(&comment.created_at.to_string());
        let edited = if comment.earlier.is_empty() { "" } else { ", edited" };
        page.line(
            Line::default().plain("  ").name(&comment.author).toned(Tone::Faint, format!("  {at}{edited}")),
        );
        match &comment.text {
            Some(text) => text.lines().for_each(|line| page.text(format!("    {line}"))),
            None => page.line(Line::default().toned(Tone::Faint, "    taken away")),
        }
    }
}
