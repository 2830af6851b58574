//! What is said about a version, where it stands on a page.

use skillery_core::api::{DiffSide, EarlierText, ReviewComment, ReviewThread};
use skillery_core::time::Time;
use skillery_core::{Role, Scope, SkillId, Version};

use super::super::show::{cut, weight};
use super::asked::{Asked, At};
use super::lines::{FileView, Line, Row};
use crate::access::Caller;
use crate::db::review::ThreadPlace;

/// Characters of a comment where it stands beside others; all of it is on the page of its thread.
const TEXT: usize = 1_200;

/// Who looks at threads.
#[derive(Debug, Clone, Default)]
pub struct Viewer {
    /// The name.
    pub name: String,
    /// Whether everything may be taken away.
    pub is_admin: bool,
    /// Whether every thread may be resolved: by reviewers, and by whoever published the version.
    pub resolves: bool,
    /// Whether something may be said.
    pub may_say: bool,
}

impl Viewer {
    /// Of a version of this publisher.
    pub fn of(caller: &Caller, id: &SkillId, publisher: &str) -> Self {
        let Some(identity) = caller.identity() else { return Self::default() };
        let namespace = id.namespace();
        let has = |role| caller.require_role(Scope::Read, role, &namespace).is_ok();
        let may_say = (identity.has(Scope::Review) || identity.has(Scope::Publish)) && has(Role::Publisher);
        Self {
            name: identity.user.name.clone(),
            is_admin: may_say && has(Role::Admin),
            resolves: may_say && (has(Role::Reviewer) || identity.user.name == publisher),
            may_say,
        }
    }
}

/// One comment.
#[derive(Debug)]
pub struct Said {
    /// Its id.
    pub id: String,
    /// Who said it.
    pub author: String,
    /// What; nothing where it was taken away.
    pub text: Option<String>,
    /// Characters of it that are not shown here.
    pub cut: usize,
    /// When.
    pub at: Time,
    /// What it said before.
    pub earlier: Vec<EarlierText>,
    /// How many times it was changed.
    pub edits: usize,
    /// Whether the viewer may change it.
    pub may_edit: bool,
    /// Whether the viewer may take it away.
    pub may_hide: bool,
}

/// A thread.
#[derive(Debug)]
pub struct Talk {
    /// Its id.
    pub id: String,
    /// The file that it is about.
    pub path: Option<String>,
    /// The line of the file.
    pub line: Option<u32>,
    /// The older version whose file it is.
    pub against: Option<Version>,
    /// When it was resolved, and by whom.
    pub resolved: Option<(Time, String)>,
    /// What was said.
    pub said: Vec<Said>,
    /// How many comments come before.
    pub before: usize,
    /// How many comments are not shown here.
    pub left: usize,
    /// Whether the viewer may resolve it, or open it again.
    pub may_resolve: bool,
}

impl Talk {
    /// As the viewer sees it, from this comment on and as far as there is room. `is_whole`: with all of each comment, and
    /// what it said before.
    pub fn of(thread: ReviewThread, viewer: &Viewer, room: &mut usize, from: usize, is_whole: bool) -> Self {
        let began = thread.comments.first().is_some_and(|first| first.author == viewer.name);
        let total = thread.comments.len();
        let mut said = Vec::new();
        for comment in thread.comments.into_iter().skip(from) {
            let one = one(comment, viewer, is_whole);
            let earlier: usize = one.earlier.iter().map(|earlier| weight(&earlier.text)).sum();
            // What may be changed stands in a form as well.
            let times = if is_whole && one.may_edit { 2 } else { 1 };
            let cost = 600 + one.text.as_deref().map_or(0, weight) * times + earlier;
            // One at least, so that the next page is another one.
            if cost > *room && !(is_whole && said.is_empty()) {
                break;
            }
            *room = room.saturating_sub(cost);
            said.push(one);
        }
        Self {
            id: thread.id,
            path: thread.path,
            line: thread.line,
            against: thread.against,
            resolved: thread.resolved_at.map(|at| (at, thread.resolved_by.unwrap_or_default())),
            left: total.saturating_sub(from + said.len()),
            said,
            before: from.min(total),
            may_resolve: viewer.resolves || (viewer.may_say && began),
        }
    }
}

fn one(comment: ReviewComment, viewer: &Viewer, is_whole: bool) -> Said {
    let is_own = comment.author == viewer.name;
    let is_there = comment.text.is_some();
    let short = comment.text.as_deref().filter(|_| !is_whole).and_then(|text| cut(text, TEXT));
    let short = short.map(|(start, left)| (start.to_owned(), left));
    let (text, cut) = short.map_or((comment.text, 0), |(start, left)| (Some(start), left));
    Said {
        id: comment.id,
        author: comment.author,
        text,
        cut,
        at: comment.created_at,
        edits: comment.earlier.len(),
        earlier: if is_whole { comment.earlier } else { Vec::new() },
        may_edit: is_there && is_own && viewer.may_say,
        may_hide: is_there && viewer.may_say && (is_own || viewer.is_admin),
    }
}

/// All that is said on a page, and where something can be.
#[derive(Debug, Default)]
pub struct Talking {
    /// Where forms are sent, and what is shown afterwards.
    pub here: String,
    /// The path of the page.
    pub path: String,
    /// Whether something may be said.
    pub may_say: bool,
    /// Characters of what is said, at most.
    pub most: usize,
    /// Threads that are shown.
    pub talks: Vec<Talk>,
    /// Where a form is open.
    pub at: Option<At>,
    /// The older version of the diff.
    pub against: Option<Version>,
    /// What was typed and refused.
    pub typed: String,
    /// Why it was.
    pub why: Option<String>,
}

impl Talking {
    /// Threads on a line.
    pub fn on(&self, from: Option<&Version>, file: &FileView, line: &Line) -> Vec<&Talk> {
        self.talks.iter().filter(|talk| stands_on(&Stands::from(*talk), from, file, line)).collect()
    }

    /// Threads on a file as a whole.
    pub fn about(&self, from: Option<&Version>, file: &FileView) -> Vec<&Talk> {
        self.talks.iter().filter(|talk| is_of_file(&Stands::from(*talk), from, file)).collect()
    }

    /// Threads on the version as a whole.
    pub fn general(&self) -> Vec<&Talk> {
        self.talks.iter().filter(|talk| talk.path.is_none()).collect()
    }

    /// Whether the form is open on this line.
    pub fn is_on(&self, file: &FileView, line: &Line) -> bool {
        self.at.as_ref().is_some_and(|at| {
            let is_side = line.side() == at.side || (line.old.is_some() && at.side == DiffSide::Old);
            let number = if at.side == DiffSide::Old { line.old } else { line.new };
            is_side && file.path(at.side) == Some(&*at.path) && number == Some(u64::from(at.line))
        })
    }

    /// Whether the form is open on the file as a whole.
    pub fn is_about(&self, file: &FileView) -> bool {
        self.at.as_ref().is_some_and(|at| at.line == 0 && file.path(at.side) == Some(&*at.path))
    }

    /// Whether the form is open on something that is shown.
    pub fn is_placed(&self, files: &[FileView]) -> bool {
        let on_row = |file: &FileView, row: &Row| matches!(row, Row::Line(line) if self.is_on(file, line));
        files.iter().any(|file| self.is_about(file) || file.rows.iter().any(|row| on_row(file, row)))
    }

    /// Where the form on this line is.
    pub fn say(&self, asked: &Asked, file: &FileView, line: &Line) -> String {
        let side = line.side();
        let (before, behind) = asked.line(file.path(side).unwrap_or_default());
        format!("{before}{side}:{}{behind}#form", line.number())
    }

    /// Where the form on this file is.
    pub fn say_about(&self, asked: &Asked, file: &FileView) -> String {
        let side = if file.file.after.is_some() { DiffSide::New } else { DiffSide::Old };
        let (before, behind) = asked.line(file.path(side).unwrap_or_default());
        format!("{before}{side}:0{behind}#form")
    }

    /// The address of a thread.
    pub fn thread(&self, id: &str) -> String {
        format!("{}?thread={id}", self.path)
    }

    /// The file that the open form is about.
    pub fn at_path(&self) -> &str {
        self.at.as_ref().map_or("", |at| &at.path)
    }

    /// The line of it; empty where it is about the whole.
    pub fn at_line(&self) -> String {
        self.at.as_ref().filter(|at| at.line > 0).map_or_else(String::new, |at| at.line.to_string())
    }

    /// Its side.
    pub fn at_side(&self) -> &'static str {
        self.at.as_ref().map_or("new", |at| at.side.as_str())
    }
}

/// Where a thread stands.
pub struct Stands<'a> {
    /// The file.
    pub path: Option<&'a str>,
    /// The line.
    pub line: Option<u32>,
    /// The older version.
    pub against: Option<&'a Version>,
}

impl<'a> From<&'a ThreadPlace> for Stands<'a> {
    fn from(place: &'a ThreadPlace) -> Self {
        Self { path: place.path.as_deref(), line: place.line, against: place.against.as_ref() }
    }
}

impl<'a> From<&'a Talk> for Stands<'a> {
    fn from(talk: &'a Talk) -> Self {
        Self { path: talk.path.as_deref(), line: talk.line, against: talk.against.as_ref() }
    }
}

/// Whether a thread stands on this line of a diff.
pub fn stands_on(place: &Stands<'_>, from: Option<&Version>, file: &FileView, line: &Line) -> bool {
    let Some(number) = place.line.map(u64::from) else { return false };
    match place.against {
        None => line.new == Some(number) && file.path(DiffSide::New) == place.path,
        Some(version) => {
            from == Some(version) && line.old == Some(number) && file.path(DiffSide::Old) == place.path
        }
    }
}

/// Whether a thread is about this file of a diff as a whole.
pub fn is_of_file(place: &Stands<'_>, from: Option<&Version>, file: &FileView) -> bool {
    let side = if place.against.is_some() { DiffSide::Old } else { DiffSide::New };
    let is_version = place.against.is_none() || from == place.against;
    place.line.is_none() && place.path.is_some() && is_version && file.path(side) == place.path
}
