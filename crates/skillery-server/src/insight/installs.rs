//! Installs by time, version and program, of a skill or of a namespace.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use skillery_core::api::{
    InstallsResponse, MAX_DAYS, MAX_PERIOD_DAYS, PeriodInstalls, ProgramInstalls, SkillInstalls, USUAL_DAYS,
    Unit, VersionInstalls,
};
use skillery_core::{Namespace, Program, SkillId};

use super::kept::{Days, Most};
use super::settings;
use super::time::{after, start_of, text};
use super::withheld::with_parts;
use crate::access::Caller;
use crate::app::App;
use crate::counters::day_of;
use crate::db::figures::{self, Apart, Figure};
use crate::db::rollups::{self, Cursor};
use crate::db::versions::statuses;
use crate::db::{Db, parsed};
use crate::failure::Result;
use crate::http::call::{Call, invalid_parameter};
use crate::skill::sees_status;

/// Versions and skills that are listed at most.
const VERSIONS: usize = 100;
const SKILLS: i64 = 20;
/// Days over which the skills of a namespace are compared at most.
const SKILL_DAYS: i64 = 31;

/// How often sums are read again while days are being added; nobody waits for all that a long stop has left.
const TRIES: u32 = 8;

/// Which days are asked for: from whole units on, until today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    by: Unit,
    first: i64,
    /// The day behind the last.
    end: i64,
    /// Where as much begins again before it.
    before: i64,
    /// Whether all of that is kept.
    is_kept: bool,
}

impl Span {
    /// The last days, rounded up to whole units at their beginning.
    pub fn last(app: &App, by: Unit, days: u32) -> Self {
        Self::since(app, by, day_of(app.environment.now()) + 1 - i64::from(days))
    }

    /// The last units, the present one too.
    pub fn units(app: &App, by: Unit, units: u32) -> Self {
        let this = start_of(by, day_of(app.environment.now()));
        Self::since(app, by, (1..units).fold(this, |start, _| start_of(by, start - 1)))
    }

    fn since(app: &App, by: Unit, day: i64) -> Self {
        let today = day_of(app.environment.now());
        let first = start_of(by, day);
        let (mut units, mut start) = (0, first);
        while start <= today {
            start = after(by, start);
            units += 1;
        }
        let before = match by {
            Unit::Day | Unit::Week => first - (start - first),
            // As many months, long or short.
            Unit::Month => (0..units).fold(first, |start, _| start_of(by, start - 1)),
        };
        // Single days are removed; what is left of them would make any trend a rise.
        let is_kept = by != Unit::Day || before >= today - i64::from(app.settings.insight.keep_days);
        Self { by, first, end: today + 1, before, is_kept }
    }

    /// As `by` and `days` of the address say.
    pub fn of(call: &Call) -> Result<Self> {
        let by = call.parsed::<Unit>("by")?.unwrap_or(Unit::Day);
        let most = if by == Unit::Day { MAX_DAYS } else { MAX_PERIOD_DAYS };
        let days = call.parsed::<u32>("days")?.unwrap_or(USUAL_DAYS);
        if days == 0 || days > most {
            return Err(invalid_parameter("days", &format!("from 1 to {most} days are told by {by}")));
        }
        Ok(Self::last(&call.app, by, days))
    }
}

/// Figures by part, and by unit of time.
#[derive(Default)]
struct Sums {
    total: u64,
    before: u64,
    periods: BTreeMap<i64, u64>,
    parts: BTreeMap<String, u64>,
}

impl Sums {
    fn add(&mut self, span: &Span, figure: Figure) {
        let downloads = u64::try_from(figure.downloads).unwrap_or(0);
        if figure.start < span.first {
            self.before += downloads;
            return;
        }
        self.total += downloads;
        *self.periods.entry(start_of(span.by, figure.start)).or_default() += downloads;
        *self.parts.entry(figure.part).or_default() += downloads;
    }

    fn sorted(&self) -> Vec<(&str, u64)> {
        let mut parts: Vec<(&str, u64)> =
            self.parts.iter().map(|(part, count)| (part.as_str(), *count)).collect();
        parts.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(right.0)));
        parts
    }
}

/// Installs of a skill that the caller sees. Versions that the caller may not know of are in the sums, as they are in those of
/// the skill, and have no row of their own.
pub async fn of_skill(app: &App, caller: &Caller, id: &SkillId, span: Span) -> Result<InstallsResponse> {
    let versions = skill_sums(app, id, span, Apart::Versions).await?;
    let programs = skill_sums(app, id, span, Apart::Programs).await?;
    let namespace = id.namespace().key();
    let k = settings::k_of(app, &id.namespace()).await?;
    let mut response = response(id.to_string(), span, &versions, &programs, k)?;
    let mut seen = statuses(app.db.reader(), &id.key()).await?;
    seen.retain(|(_, status)| sees_status(caller, &namespace, *status, |_| false));
    let seen: HashSet<String> = seen.iter().map(|(version, _)| version.to_string()).collect();
    let sorted = versions.sorted().into_iter().filter(|(version, _)| seen.contains(*version));
    for (version, installs) in sorted.take(VERSIONS) {
        response.versions.push(VersionInstalls { version: parsed(version)?, installs });
    }
    Ok(response)
}

/// What `read` reads of sums as far as they have come, and of days after that. Both must be of one moment: when something was
/// added meanwhile, they are read again.
async fn of_one_moment<Read: Future<Output = Result<Vec<Figure>>>>(
    db: &Db,
    read: impl Fn(Option<Cursor>) -> Read,
) -> Result<Vec<Figure>> {
    let (mut added, mut tries) = (rollups::cursor(db).await?, 0..TRIES);
    loop {
        let found = read(added.clone()).await?;
        match rollups::cursor(db).await? {
            now if now == added || tries.next().is_none() => return Ok(found),
            now => added = now,
        }
    }
}

async fn skill_sums(app: &App, id: &SkillId, span: Span, apart: Apart) -> Result<Sums> {
    let (db, key) = (&app.db, &id.key());
    let mut sums = Sums::default();
    let found = match span.by {
        Unit::Day => figures::days(db, key, apart, span.before, span.end).await?,
        by => {
            of_one_moment(db, |added| async move {
                let mut found = figures::periods(db, key, apart, by, span.before, span.end).await?;
                let left = added.as_ref();
                found.extend(figures::days_left(db, key, apart, left, span.before, span.end).await?);
                Ok(found)
            })
            .await?
        }
    };
    for figure in found {
        sums.add(&span, figure);
    }
    Ok(sums)
}

/// Installs of a skill on each of the last 28 days, the earliest first; up to a minute old. The caller sees the skill.
pub async fn daily(app: &App, id: &SkillId) -> Result<Arc<Days>> {
    app.insight.days(app, id.key(), made(app, id)).await
}

async fn made(app: &App, id: &SkillId) -> Result<Days> {
    let span = Span::last(app, Unit::Day, USUAL_DAYS);
    let mut sums = Sums::default();
    for figure in figures::days(&app.db, &id.key(), Apart::Versions, span.first, span.end).await? {
        sums.add(&span, figure);
    }
    let installs = |day: i64| sums.periods.get(&day).copied().unwrap_or(0);
    Ok((span.first..span.end).map(|day| (text(day), installs(day))).collect())
}

/// Installs of all skills of a namespace and below it, for who sees all of them.
pub async fn of_namespace(app: &App, namespace: &Namespace, span: Span) -> Result<InstallsResponse> {
    let key = &namespace.key();
    let found = of_one_moment(&app.db, |added| async move {
        let mut found = figures::namespace_periods(&app.db, key, span.by, span.before, span.end).await?;
        let left = added.as_ref();
        found.extend(figures::namespace_days(&app.db, namespace, left, span.before, span.end).await?);
        Ok(found)
    })
    .await?;
    let (mut all, mut programs) = (Sums::default(), Sums::default());
    for figure in found {
        match figure.part.as_str() {
            rollups::ALL_PROGRAMS => all.add(&span, figure),
            _ => programs.add(&span, figure),
        }
    }
    let k = settings::k_of(app, namespace).await?;
    let mut response = response(namespace.to_string(), span, &all, &programs, k)?;
    if span.by == Unit::Day && span.end - span.first <= SKILL_DAYS {
        let place = (key.clone(), span.first, span.end);
        response.skills = app.insight.most(app, place, most(app, namespace, span)).await?.to_vec();
    }
    Ok(response)
}

async fn most(app: &App, namespace: &Namespace, span: Span) -> Result<Most> {
    let found = figures::most_installed(&app.db, namespace, span.first, span.end, SKILLS).await?;
    let told = |(id, installs)| SkillInstalls { id, installs: u64::try_from(installs).unwrap_or(0) };
    Ok(found.into_iter().map(told).collect())
}

fn response(of: String, span: Span, all: &Sums, programs: &Sums, k: u32) -> Result<InstallsResponse> {
    let mut periods = Vec::new();
    let mut start = span.first;
    while start < span.end {
        periods.push(PeriodInstalls {
            start: text(start),
            installs: all.periods.get(&start).copied().unwrap_or(0),
        });
        start = after(span.by, start);
    }
    let mut told = Vec::new();
    let sorted = programs.sorted();
    let mut counts: Vec<u64> = sorted.iter().map(|(_, count)| *count).collect();
    // What was counted before programs were is a part of the whole, too.
    counts.push(all.total.saturating_sub(programs.total));
    let counts = with_parts(&counts, k);
    // The whole is told, as it is by day. Where parts cannot be told beside it, none is named.
    let parts = counts.parts.into_iter().filter(|_| counts.whole.is_some());
    for ((program, _), installs) in sorted.iter().zip(parts) {
        let program: Program = parsed(program)?;
        told.push(ProgramInstalls { program, installs });
    }
    let before = span.is_kept.then_some(all.before);
    let trend = before.filter(|before| *before > 0);
    let trend = trend.map(|before| (all.total as f64 - before as f64) / before as f64);
    Ok(InstallsResponse {
        of,
        by: span.by,
        first_day: text(span.first),
        last_day: text(span.end - 1),
        total: all.total,
        before,
        trend,
        periods,
        versions: Vec::new(),
        skills: Vec::new(),
        programs: told,
        k,
    })
}
