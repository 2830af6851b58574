//! `GET /{id}/usage`: how a skill is used, which of its versions are, how sound it is, and what a change of it reaches.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use skillery_core::api::{
    AdoptionResponse, DependentsResponse, HealthResponse, InstallsResponse, ProgramInstalls, USUAL_DAYS,
    Unit, VersionAdoption, VersionInstalls, Withdrawn,
};
use skillery_core::{Program, SkillId, Version};

use super::frame::{Frame, page};
use super::pager::fitting_rows;
use super::skill::Header;
use super::{place, show};
use crate::app::App;
use crate::failure::Result;
use crate::http::api::versions as versions_api;
use crate::http::call::{Call, Page};
use crate::insight::chart::{self, Bar};
use crate::insight::{self, Only, Span};
use crate::skill;

/// How a skill is used.
pub const USAGE: &str = "/{id}/usage";

/// Skills that a change reaches, on the page; the page of dependencies has all of them.
const REACHED: usize = 14;

/// Versions in use on the page, and such as were taken back; programs are told all of them.
const IN_USE: usize = 30;
const WITHDRAWN: usize = 20;
/// Bytes of HTML for these lists, for installs by version, and for the skills that a change reaches: names may be long.
const ROOM_IN_USE: usize = 11_500;
const ROOM_WITHDRAWN: usize = 21_000;
const ROOM_INSTALLS: usize = 6_000;
const ROOM_REACHED: usize = 4_000;
/// Bytes of HTML that a row of each has without names and reasons.
const ROW_IN_USE: usize = 300;
const ROW_WITHDRAWN: usize = 300;
const ROW_INSTALLS: usize = 80;
const ROW_REACHED: usize = 80;
/// Characters of why one was, and of the names of who has it.
const REASON: usize = 120;
const NAMES: usize = 600;

/// A way to put days together, and how many are shown so.
pub struct Choice {
    /// The word of the address.
    pub by: Unit,
    /// What it is called.
    pub label: &'static str,
    /// How much of it is shown, in words.
    pub what: &'static str,
    units: u32,
}

impl Choice {
    /// The days that it shows.
    pub fn span(&self, app: &App) -> Span {
        Span::units(app, self.by, self.units)
    }
}

/// Days of four weeks, weeks of half a year, months of two years.
pub const CHOICES: [Choice; 3] = [
    Choice { by: Unit::Day, label: "Days", what: "28 days", units: 28 },
    Choice { by: Unit::Week, label: "Weeks", what: "26 weeks", units: 26 },
    Choice { by: Unit::Month, label: "Months", what: "24 months", units: 24 },
];

/// Installs with their picture.
pub struct Usage {
    /// The choice that was made.
    pub choice: &'static Choice,
    /// Where the other choices are.
    pub path: String,
    /// The figures.
    pub installs: InstallsResponse,
    /// The picture; none where there is nothing.
    pub chart: Option<String>,
    /// Whether nothing is withheld from the reader.
    pub tells_all: bool,
}

impl Usage {
    /// What was asked for, and days of what was not.
    pub fn span(call: &Call) -> Result<(&'static Choice, Span)> {
        let by = call.parsed::<Unit>("by")?.unwrap_or(Unit::Day);
        let choice = CHOICES.iter().find(|choice| choice.by == by).unwrap_or(&CHOICES[0]);
        Ok((choice, choice.span(&call.app)))
    }

    /// With a picture of it, for somebody who is told of few, too, or is not.
    pub fn new(choice: &'static Choice, path: String, installs: InstallsResponse, sees_few: bool) -> Self {
        let bar = |period: &skillery_core::api::PeriodInstalls| Bar {
            label: period.start.clone(),
            value: period.installs,
        };
        let bars: Vec<Bar> = installs.periods.iter().map(bar).collect();
        let title = format!("Installs of {} by {}", installs.of, installs.by);
        let chart = (installs.total > 0).then(|| match choice.by {
            Unit::Day => chart::bars("installs", &title, &bars),
            Unit::Week | Unit::Month => chart::line("installs", &title, &bars),
        });
        Self { choice, path, tells_all: sees_few || installs.k <= 1, installs, chart }
    }

    /// All choices.
    pub fn choices(&self) -> &'static [Choice] {
        &CHOICES
    }

    fn address(&self, by: Unit, version: Option<&Version>, program: Option<Program>) -> String {
        let version = version.map(Version::to_string).unwrap_or_default();
        let program = program.map_or("", Program::as_str);
        place::address(&self.path, [("by", by.as_str()), ("version", version.as_str()), ("program", program)])
    }

    /// Where the figures are with days put together otherwise.
    pub fn put_together(&self, choice: &Choice) -> String {
        let version = self.installs.version.as_ref();
        // What was installed of a version with a program is told by day alone.
        let program = self.installs.program.filter(|_| choice.by == Unit::Day || version.is_none());
        self.address(choice.by, version, program)
    }

    /// Where the figures of a version are.
    pub fn of_version(&self, row: &VersionInstalls) -> String {
        let program = self.installs.program.filter(|_| self.choice.by == Unit::Day);
        self.address(self.choice.by, Some(&row.version), program)
    }

    /// Where the figures of a program are; none where those are withheld.
    pub fn with_program(&self, row: &ProgramInstalls) -> Option<String> {
        let version = self.installs.version.as_ref().filter(|_| self.choice.by == Unit::Day);
        self.tells_all.then(|| self.address(self.choice.by, version, Some(row.program)))
    }

    /// Whether programs are told of these days, as far as they are not too few.
    pub fn tells_programs(&self) -> bool {
        self.tells_all || self.choice.by == Unit::Day
    }

    /// The versions that were installed most, as many as the page has room for.
    pub fn versions(&self) -> &[VersionInstalls] {
        first(&self.installs.versions, IN_USE, ROOM_INSTALLS, |row| {
            ROW_INSTALLS + self.of_version(row).len() + length(&row.version)
        })
    }

    /// How many of them are shown, where there are more.
    pub fn most(&self) -> Option<usize> {
        let shown = self.versions().len();
        (self.installs.versions.len() > shown).then_some(shown)
    }

    /// What alone is shown, in words; nothing where all is.
    pub fn only(&self) -> Option<String> {
        let InstallsResponse { version, program, .. } = &self.installs;
        match (version, program) {
            (Some(version), Some(program)) => Some(format!("version {version}, installed with {program}")),
            (Some(version), None) => Some(format!("version {version}")),
            (None, Some(program)) => Some(format!("what was installed with {program}")),
            (None, None) => None,
        }
    }

    /// Where the figures of all versions and programs are.
    pub fn all(&self) -> String {
        self.address(self.choice.by, None, None)
    }

    /// How it goes, in words; nothing where there is nothing to compare with.
    pub fn trend(&self) -> Option<String> {
        let before = self.installs.before?;
        let of = |what: &str| Some(format!("{what} in the {} before", self.choice.what));
        let trend = match self.installs.trend {
            None if self.installs.total == 0 => return None,
            None => return of("none"),
            Some(trend) => (trend * 100.0).round() as i64,
        };
        match trend {
            0 => of("as many as"),
            up @ 1.. => of(&format!("{} % more than the {}", show::count(up), show::count(before))),
            down => of(&format!("{} % fewer than the {}", show::count(-down), show::count(before))),
        }
    }
}

#[derive(Template)]
#[template(path = "pages/insight.html")]
struct InsightPage {
    frame: Frame,
    header: Header,
    usage: Usage,
    adoption: Arc<AdoptionResponse>,
    /// Of the latest version; none where there is none, or its files cannot be read now.
    health: Option<HealthResponse>,
    reached: DependentsResponse,
    /// Whether names of users are told.
    has_names: bool,
}

impl InsightPage {
    /// As many versions in use as the page has room for, the highest first.
    fn in_use(&self) -> &[VersionAdoption] {
        let id = self.header.id.as_str().len();
        first(&self.adoption.versions, IN_USE, ROOM_IN_USE, |row| ROW_IN_USE + id + 2 * length(&row.version))
    }

    /// The same of those that were taken back.
    fn withdrawn(&self) -> &[Withdrawn] {
        let id = self.header.id.as_str().len();
        first(&self.adoption.withdrawn, WITHDRAWN, ROOM_WITHDRAWN, |row| {
            let why = row.reason.as_deref().map_or(0, |reason| show::weight(&self.why(reason)));
            let names = row.users.as_deref().map_or(0, |users| self.names(users).len());
            ROW_WITHDRAWN + id + 2 * length(&row.version) + why + names
        })
    }

    /// Whether there are more of one of them.
    fn is_cut(&self) -> bool {
        self.adoption.versions.len() > self.in_use().len()
            || self.adoption.withdrawn.len() > self.withdrawn().len()
    }

    fn why(&self, reason: &str) -> String {
        show::clipped(reason, REASON)
    }

    fn names(&self, users: &[String]) -> String {
        show::clipped(&users.join(", "), NAMES)
    }

    /// Whether more have it than are named.
    fn has_more(&self, row: &Withdrawn) -> bool {
        let named = row.users.as_ref().map_or(0, Vec::len) as u64;
        row.consumers.is_some_and(|all| all > named)
    }

    /// The part of a version in all installs of the last days, in percent.
    fn part(&self, installs: impl std::borrow::Borrow<u64>) -> u64 {
        let all = self.adoption.installs.max(1);
        (*installs.borrow() as f64 / all as f64 * 100.0).round() as u64
    }
}

/// So many of these at most, as far as so many bytes of HTML have room for them.
fn first<T>(rows: &[T], most: usize, room: usize, weight: impl Fn(&T) -> usize) -> &[T] {
    &rows[..fitting_rows(rows.iter().take(most), room, weight)]
}

/// Characters of a version.
fn length(version: &Version) -> usize {
    version.to_string().len()
}

/// The page.
pub async fn show(call: &Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let (app, caller) = (&call.app, &call.caller);
    let (choice, span) = Usage::span(call)?;
    let skill = skill::find(app, caller, id).await?;
    let installs = insight::of_skill(app, caller, &skill.id, span, Only::of(call)?).await?;
    let sees_few = insight::sees_few(caller, &skill.id.namespace());
    let adoption = insight::adoption(app, caller, &skill).await?;
    let health = match &skill.latest {
        Some(latest) => {
            let health = insight::health(app, caller, &skill.id, latest).await;
            skill::while_readable(&skill.id, latest, health)?
        }
        None => None,
    };
    let first = Page { limit: REACHED, offset: 0 };
    let mut reached = insight::dependents(app, caller, &skill.id, None, None, first).await?;
    let fits = fitting_rows(reached.dependents.iter(), ROOM_REACHED, |row| {
        ROW_REACHED + 2 * row.id.as_str().len() + length(&row.version)
    });
    reached.dependents.truncate(fits);
    let mut header = Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "insight");
    header.versions = versions_api::seen(app, caller, &skill).await?.len();
    page(&InsightPage {
        frame: frame.titled(format!("Insight into {}", skill.id)).part("skill"),
        header,
        usage: Usage::new(choice, format!("/{}/usage", skill.id), installs, sees_few),
        has_names: adoption.withdrawn.iter().any(|withdrawn| withdrawn.users.is_some()),
        adoption,
        health,
        reached,
    })
}

/// Installs of the last days as a small line; none where there is nothing.
pub async fn small(call: &Call, id: &SkillId) -> Result<Option<String>> {
    let days = insight::daily(&call.app, id).await?;
    if days.iter().all(|(_, installs)| *installs == 0) {
        return Ok(None);
    }
    let bar = |(label, value): &(String, u64)| Bar { label: label.clone(), value: *value };
    let bars: Vec<Bar> = days.iter().map(bar).collect();
    Ok(Some(chart::sparkline("recent", &format!("Installs of the last {USUAL_DAYS} days"), &bars)))
}
