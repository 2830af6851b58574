//! `GET /{id}/versions/{version}/review`: everything that whoever decides about a version needs to see.

use std::collections::HashSet;
use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{ApprovalsResponse, VersionDetail};
use skillery_core::approval::Notice;
use skillery_core::time::Time;
use skillery_core::{Decision, ProblemCode, Role, Scope, SkillId, Version, VersionStatus};

use super::super::desk::Tried;
use super::super::frame::{Frame, with_status};
use super::super::pager::Pager;
use super::super::skill::Header;
use super::super::{said, show};
use super::asked::Asked;
use super::compare::Shows;
use super::findings::{Counts, counts};
use super::lines::{FileView, Row, Shown, Space};
use super::standing::{Stage, Step, history, stages};
use super::talking::{Stands, Talk, Talking, Viewer, is_of_file, stands_on};
use super::{may_review, may_tell, standing, thread};
use crate::access::Caller;
use crate::app::App;
use crate::approvals::{Asked as Person, Worth, asks_for};
use crate::db::groups;
use crate::db::review::ThreadPlace;
use crate::failure::Result;
use crate::http::api::{approvals as api, versions as versions_api};
use crate::http::call::{Call, Page};
use crate::review::comments;
use crate::skill;

/// What a version needs, and deciding about it.
pub const REVIEW: &str = "/{id}/versions/{version}/review";

const ROOM: Space = Space { rows: 20_000, colours: 8_000 };
/// Bytes of what is said beside lines.
const SAID: usize = 20_000;
/// Bytes of what happened to the version.
const HAPPENED: usize = 12_000;
/// Bytes of what its publisher says has changed, and of its beginning alone, beside what was typed and refused. All of it is shown
/// where it is asked for.
const TOLD: usize = 8_000;
const BEGINNING: usize = 1_500;
/// What a thread has around what is said in it.
const AROUND: usize = 1_900;
/// Threads whose places are listed on a page.
const PLACES: usize = 20;
/// Threads that are read for a page.
const READ: usize = 12;

/// What the viewer may do.
#[derive(Debug, Default)]
struct May {
    /// Approve, so that it counts.
    approve: bool,
    /// Reject, or ask for changes.
    refuse: bool,
    /// Release it without approvals.
    force: bool,
    /// Say what changed.
    tell: bool,
    /// Why not approve.
    why_not: String,
    /// What signs an approval, where only such ones count.
    command: Option<String>,
}

impl May {
    /// Whether there is a button.
    fn press(&self) -> bool {
        self.approve || self.refuse
    }

    fn decide(&self) -> bool {
        self.press() || self.command.is_some()
    }
}

/// A thread in the list of all of them.
struct Listed {
    place: ThreadPlace,
    /// Where it is read.
    address: String,
    /// What it is about.
    about: String,
}

#[derive(Template)]
#[template(path = "pages/review/review.html")]
struct ReviewPage {
    frame: Frame,
    header: Header,
    version: Version,
    path: String,
    asked: Asked,
    standing: ApprovalsResponse,
    detail: VersionDetail,
    stages: Vec<Stage>,
    history: Vec<Step>,
    may: May,
    shows: Option<Arc<Shows>>,
    /// Whether the files are there for whoever reviews, and cannot be read now.
    is_unreadable: bool,
    /// Which of the skills that are needed have a page for the viewer.
    seen: HashSet<String>,
    counts: Option<Counts>,
    /// What its publisher says has changed, and whether that is all of it.
    told: Option<(String, bool)>,
    talking: Talking,
    threads: Vec<Listed>,
    pager: Pager,
    open: usize,
    tried: Tried,
    /// Characters of a reason, and of what changed, at most.
    most_reason: usize,
    most_changelog: usize,
    now: Time,
}

impl ReviewPage {
    fn facts(&self) -> Vec<&'static str> {
        self.standing.facts.iter().flatten().map(|known| show::fact(*known)).collect()
    }

    fn held(&self) -> Option<&'static str> {
        self.standing.held_for.map(standing::held)
    }

    /// What is to be said of it before all else.
    fn state(&self) -> (&'static str, String) {
        let version = &self.version;
        match self.standing.status {
            VersionStatus::Pending => ("warn", format!("{version} waits for approval")),
            VersionStatus::Rejected => ("bad", format!("{version} was rejected")),
            VersionStatus::Yanked => ("warn", format!("{version} is yanked")),
            VersionStatus::Quarantined => ("bad", format!("{version} is quarantined")),
            VersionStatus::Published if self.standing.forced.is_some() => {
                ("warn", format!("{version} is handed out, released without approvals"))
            }
            VersionStatus::Published if self.standing.due_since.is_some() => {
                ("warn", format!("{version} is handed out, and due for another look"))
            }
            VersionStatus::Published => ("good", format!("{version} is handed out")),
        }
    }

    fn is_seen(&self, id: &str) -> bool {
        self.seen.contains(id)
    }

    /// What was typed into the form that decides.
    fn decided(&self) -> &str {
        if self.is_decided() { self.tried.sent("comment") } else { "" }
    }

    fn is_decided(&self) -> bool {
        ["approve", "reject", "request-changes"].iter().any(|action| self.tried.is(action))
    }

    /// Whether the form is open on a line that has no room, or is not there.
    fn is_loose(&self) -> bool {
        let files = self.shows.as_ref().map_or(&[][..], |shows| shows.files.files.as_slice());
        self.talking.at.is_some() && !self.talking.is_placed(files)
    }

    /// Whether what was refused stands beside no form: the form may be gone with what others have done meanwhile.
    fn is_homeless(&self) -> bool {
        let is_shown = (self.tried.is("say") && self.talking.may_say)
            || (self.is_decided() && self.may.press())
            || (self.tried.is("force") && self.may.force)
            || (self.tried.is("changelog") && self.may.tell);
        !self.tried.reason().is_empty() && !is_shown
    }

    /// What was typed into it.
    fn lost(&self) -> &str {
        let fields = ["comment", "reason", "changelog", "text"].map(|name| self.tried.sent(name).trim());
        fields.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }

    fn of_form(&self, action: &str, name: &str) -> &str {
        self.tried.typed(action, name)
    }
}

/// A form that was refused, if one was, and the status of the answer.
pub type Refused = (Tried, StatusCode);

/// The review of a version.
pub async fn show(call: &Call, frame: Frame, id: &SkillId, version: &Version) -> Result<Response> {
    let asked = Asked::of(call)?;
    if let Some(wanted) = call.parameter("thread") {
        let after = call.parsed("after")?.unwrap_or(0);
        let refused = (Tried::default(), StatusCode::OK);
        let which = thread::Which { thread: wanted, after };
        return thread::show(&call.app, &call.caller, frame, (id, version), which, refused).await;
    }
    let offset = call.parsed("threads")?.unwrap_or(0);
    let refused = (Tried::default(), StatusCode::OK);
    render(&call.app, &call.caller, frame, (id, version), asked, offset, refused).await
}

/// The skill and the version, where the review of it is for the caller. For others there is none.
pub async fn found(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
) -> Result<(Header, VersionDetail)> {
    caller.require(Scope::Read)?;
    let row = skill::find(app, caller, id).await?;
    let detail = versions_api::detail(app, caller, &row.id, version).await?;
    if !may_review(caller, &row.id, &detail.summary.publisher) {
        return Err(skill::no_such_version(&row.id, version));
    }
    Ok((Header::new(row.id, row.visibility, row.latest, "version").of(version), detail))
}

/// The page, with what was refused.
pub async fn render(
    app: &Arc<App>,
    caller: &Caller,
    frame: Frame,
    (id, version): (&SkillId, &Version),
    asked: Asked,
    offset: usize,
    (tried, status): Refused,
) -> Result<Response> {
    let (header, detail) = found(app, caller, id, version).await?;
    let id = header.id.clone();
    let standing = api::standing(app, caller, &id, version).await?;
    let path = format!("/{id}/versions/{version}/review");
    let may = may(app, caller, &standing, &detail).await?;
    // What was typed and refused comes first, and what is said to whoever decides. The publisher has all of it in a form.
    let changelog = detail.summary.changelog.as_deref();
    let most_told = match tried.weight() {
        0 if asked.is_told && !may.tell => usize::MAX,
        0 => TOLD,
        _ => BEGINNING,
    };
    let told = changelog.map(|text| said::fitting(text, most_told, true));
    let in_form = changelog.filter(|_| may.tell).map_or(0, show::weight);
    let history = history(app, &standing, HAPPENED.saturating_sub(tried.weight())).await?;
    let before = tried.weight()
        + standing.forced.as_ref().map_or(0, |forced| show::weight(&forced.reason))
        + told.as_ref().map_or(0, |(text, _)| show::weight(text))
        + in_form
        + history.iter().map(Step::weight).sum::<usize>();
    let space = ROOM.without(before);
    let shows = Shows::of(app, caller, &id, version, &asked, space).await;
    let (shows, is_unreadable) = match skill::while_readable(&id, version, shows) {
        Ok(Some(shows)) => (Some(shows), false),
        Ok(None) => (None, true),
        // What is handed out to nobody has no files to look at.
        Err(failure)
            if matches!(failure.code(), ProblemCode::VersionNotFound | ProblemCode::VersionQuarantined)
                && asked.from.is_none() =>
        {
            (None, false)
        }
        Err(failure) => return Err(failure),
    };
    // What was compared before is kept, though the files cannot be read now.
    let counts = match &shows {
        Some(_) => skill::while_readable(&id, version, counts(app, caller, &id, version).await)?,
        None => None,
    };
    let is_unreadable = is_unreadable || (shows.is_some() && counts.is_none());
    let seen = match &shows {
        Some(shows) => shows.seen(app, caller).await?,
        None => HashSet::new(),
    };
    let viewer = Viewer::of(caller, &id, &detail.summary.publisher);
    let places = comments::places(app, caller, &id, version).await?;
    // What neither the files nor their colours could give, threads give.
    let above = before + shows.as_ref().map_or(0, |shows| shows.changes.weight());
    let left = SAID.saturating_sub(above.saturating_sub(ROOM.rows + ROOM.colours));
    let talks = talks(app, &viewer, &places, shows.as_deref(), left).await?;
    let known: Vec<&str> = talks.iter().map(|talk| talk.id.as_str()).collect();
    let total = places.len();
    let open = places.iter().filter(|place| !place.is_resolved).count();
    let rows = Page { limit: PLACES, offset };
    let threads = listed(&places, &known, &path, rows);
    let groups = groups::around(app.db.reader(), &id.namespace()).await?;
    let is_said = tried.is("say");
    let talking = Talking {
        here: asked.same(&path),
        path: path.clone(),
        may_say: viewer.may_say,
        most: app.settings.limits.review_comment_length,
        talks,
        at: asked.at.clone().filter(|_| viewer.may_say),
        against: shows.as_ref().and_then(|shows| shows.from.clone()),
        typed: if is_said { tried.sent("text").to_owned() } else { String::new() },
        why: is_said.then(|| tried.reason().to_owned()),
    };
    let template = ReviewPage {
        frame: frame.titled(format!("Review of {id} {version}")).part("skill"),
        stages: stages(&standing, &groups),
        pager: thread::pager(&path, rows, total),
        now: app.environment.now(),
        most_reason: app.settings.limits.reason_length,
        most_changelog: app.settings.limits.changelog_length,
        version: version.clone(),
        header,
        path,
        asked,
        standing,
        detail,
        history,
        may,
        shows,
        is_unreadable,
        seen,
        counts,
        told,
        talking,
        threads,
        open,
        tried,
    };
    with_status(status, &template)
}

/// Threads on what is shown of the files, and those on the version as a whole, as far as there is room.
async fn talks(
    app: &App,
    viewer: &Viewer,
    places: &[ThreadPlace],
    shows: Option<&Shows>,
    mut room: usize,
) -> Result<Vec<Talk>> {
    let from = shows.and_then(|shows| shows.from.as_ref());
    let is_shown = |place: &&ThreadPlace| {
        let stands = Stands::from(*place);
        let on_file = |file: &FileView| {
            is_of_file(&stands, from, file)
                || file
                    .rows
                    .iter()
                    .any(|row| matches!(row, Row::Line(line) if stands_on(&stands, from, file, line)))
        };
        place.path.is_none() || shows.is_some_and(|shows| shows.files.files.iter().any(on_file))
    };
    // Open ones first: what is resolved is read on a page of its own, where there is no room.
    let mut wanted: Vec<&ThreadPlace> = places.iter().filter(is_shown).collect();
    wanted.sort_by_key(|place| place.is_resolved);
    let ids: Vec<String> = wanted.iter().take(READ).map(|place| place.id.clone()).collect();
    let mut talks = Vec::new();
    for thread in comments::these(app, &ids).await? {
        // The list of all threads leads to those that have no room here.
        let Some(left) = room.checked_sub(AROUND) else { break };
        room = left;
        talks.push(Talk::of(thread, viewer, &mut room, 0, false));
    }
    Ok(talks)
}

fn listed(places: &[ThreadPlace], known: &[&str], path: &str, rows: Page) -> Vec<Listed> {
    let mut sorted: Vec<&ThreadPlace> = places.iter().collect();
    sorted.sort_by_key(|place| place.is_resolved);
    let of = |place: &ThreadPlace| {
        let is_here = known.contains(&place.id.as_str());
        let address =
            if is_here { format!("#t-{}", place.id) } else { format!("{path}?thread={}", place.id) };
        Listed { about: thread::about(place), address, place: place.clone() }
    };
    sorted.into_iter().skip(rows.offset).take(rows.limit).map(of).collect()
}

/// What the viewer may do.
async fn may(
    app: &App,
    caller: &Caller,
    standing: &ApprovalsResponse,
    detail: &VersionDetail,
) -> Result<May> {
    let mut may = May::default();
    let Some(identity) = caller.identity() else { return Ok(may) };
    let (id, version) = (&standing.id, &standing.version);
    let namespace = id.namespace();
    let (is_pending, is_published) =
        (standing.status == VersionStatus::Pending, standing.status == VersionStatus::Published);
    let is_publisher = identity.user.name == detail.summary.publisher;
    let mine = standing.decisions.iter().find(|decision| decision.user == identity.user.name);
    // What is said already is changed by who said it: in a form as well it would leave admins less room for what they decide about.
    may.tell = may_tell(caller, id, &detail.summary.publisher)
        && (detail.summary.changelog.is_none()
            || (is_publisher && is_pending && standing.held_for.is_none()));
    // The log names the role by which somebody decides: being an admin of the registry is none.
    let own = identity.own_role_in(&namespace.key());
    may.force =
        is_pending && own.is_some() && caller.require_role(Scope::Admin, Role::Owner, &namespace).is_ok();
    let wants_look = is_published
        && (standing.due_since.is_some()
            || detail.summary.notice.is_some_and(|notice| matches!(notice, Notice::Due | Notice::Forced)));
    if !is_pending && !wants_look {
        return Ok(may);
    }
    if caller.require_role(Scope::Review, Role::Reviewer, &namespace).is_err() {
        let is_reviewer = caller.require_role(Scope::Read, Role::Reviewer, &namespace).is_ok();
        may.why_not = match is_reviewer {
            true => {
                "The token that you signed in with may not review: it lacks the scope `review`.".to_owned()
            }
            false => "Reviewers of the namespace decide about it.".to_owned(),
        };
        return Ok(may);
    }
    let lowest = standing.stages.iter().map(|stage| stage.role).min().unwrap_or(Role::Reviewer);
    if own < Some(lowest) {
        may.why_not =
            format!("Whoever decides about it has a role of their own in {namespace}, `{lowest}` or above.");
        return Ok(may);
    }
    may.refuse = is_pending;
    let by = format!("signed by {}", identity.user.name);
    if detail.signatures.iter().any(|signature| signature.level == by) && !is_publisher {
        may.why_not = "You signed it, so others have to approve it.".to_owned();
        return Ok(may);
    }
    if is_publisher {
        may.why_not = "You published it, so others have to approve it.".to_owned();
        return Ok(may);
    }
    let person = Person { user: &identity.user.id, roles: &identity.roles };
    let answers = asks_for(&app.db, &person, &[(id, version)], app.environment.now()).await?;
    match (answers.first(), mine) {
        (Some(Worth::Plain), _) => may.approve = true,
        // A browser has no key of the reviewer.
        (Some(Worth::Signed), _) => {
            may.command = Some(format!("skillery approve accept {id} {version} --sign"));
        }
        (_, Some(mine)) if mine.decision == Decision::Approved && mine.counts => {
            may.why_not = "Your approval counts. It waits for others.".to_owned();
        }
        _ => {
            may.why_not =
                "No stage that is open asks for you: you are not of whom it asks, or you counted for an earlier one."
                    .to_owned();
        }
    }
    Ok(may)
}
