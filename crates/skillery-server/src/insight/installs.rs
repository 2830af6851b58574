//! Installs by time, version and program, of a skill or of a namespace.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use skillery_core::api::{
    InstallsResponse, MAX_DAYS, MAX_PERIOD_DAYS, PeriodInstalls, ProgramInstalls, SkillInstalls, USUAL_DAYS,
    Unit, VersionInstalls,
};
use skillery_core::{Namespace, ProblemCode, Program, SkillId, Version};

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
use crate::failure::{Failure, Result};
use crate::http::call::{Call, invalid_parameter};
use crate::skill::{no_such_version, sees_status};

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

    /// Whether it is what is told where nobody says otherwise: the last 28 days, one by one.
    fn is_usual(&self) -> bool {
        self.by == Unit::Day && self.end - self.first == i64::from(USUAL_DAYS)
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

/// What alone is counted: a version, a program, or what was installed of a version with a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Only {
    /// The version; all where there is none.
    pub version: Option<Version>,
    /// The program; all where there is none.
    pub program: Option<Program>,
}

impl Only {
    /// As `version` and `program` of the address say.
    pub fn of(call: &Call) -> Result<Self> {
        let version = call.parameter("version").map(|version| version.parse::<Version>()).transpose();
        let version =
            version.map_err(|error| Failure::new(ProblemCode::InvalidVersion, error.to_string()))?;
        Ok(Self { version, program: call.parsed("program")? })
    }

    /// Whether a row of this version or program counts.
    fn holds(&self, apart: Apart, part: &str) -> bool {
        match apart {
            Apart::Versions => self.version.as_ref().is_none_or(|version| version.to_string() == part),
            Apart::Programs => self.program.is_none_or(|program| program.as_str() == part),
        }
    }

    /// The one of the other kind that rows must be of to count.
    fn other(&self, apart: Apart) -> Option<String> {
        match apart {
            Apart::Versions => self.program.map(|program| program.to_string()),
            Apart::Programs => self.version.as_ref().map(Version::to_string),
        }
    }

    /// Refuses what is not kept, and what would tell of few.
    fn check(&self, by: Unit, withheld: u32) -> Result<()> {
        let Some(program) = self.program else { return Ok(()) };
        if by != Unit::Day && self.version.is_some() {
            let why = format!("what was installed of a version with a program is told by {} only", Unit::Day);
            return Err(invalid_parameter("by", &why));
        }
        // The days of a program are parts of its sum as well as of all that was installed that day; both are told.
        if withheld > 1 {
            let why = format!(
                "figures about fewer than {withheld} users are withheld here, so `{program}` is not told by time"
            );
            return Err(invalid_parameter("program", &why));
        }
        Ok(())
    }

    /// Whether programs may be told of beside each other. Of two spans, what one has more than the other is that of few days; and
    /// programs of each version would tell what is withheld of those of all versions. So where figures of few are withheld, they
    /// are told of all versions in the usual span, and of nothing else.
    fn has_programs(&self, span: &Span, withheld: u32) -> bool {
        withheld <= 1 || (self.version.is_none() && span.is_usual())
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
pub async fn of_skill(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    span: Span,
    only: Only,
) -> Result<InstallsResponse> {
    let namespace = id.namespace().key();
    let k = settings::k_of(app, &id.namespace()).await?;
    let withheld = settings::withheld_from(caller, &id.namespace(), k);
    only.check(span.by, withheld)?;
    let mut seen = statuses(app.db.reader(), &id.key()).await?;
    seen.retain(|(_, status)| sees_status(caller, &namespace, *status, |_| false));
    if let Some(version) =
        only.version.as_ref().filter(|version| seen.iter().all(|(seen, _)| seen != *version))
    {
        return Err(no_such_version(id, version));
    }
    let seen: HashSet<String> = seen.iter().map(|(version, _)| version.to_string()).collect();
    let versions = skill_sums(app, id, span, Apart::Versions, &only).await?;
    let programs = match only.has_programs(&span, withheld) {
        true => skill_sums(app, id, span, Apart::Programs, &only).await?,
        false => Sums::default(),
    };
    // With a program, versions are known of days alone.
    let all = if only.program.is_some() { &programs } else { &versions };
    let mut response = response(id.to_string(), span, only, (all, &programs), [k, withheld])?;
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

async fn skill_sums(app: &App, id: &SkillId, span: Span, apart: Apart, only: &Only) -> Result<Sums> {
    let (db, key) = (&app.db, &id.key());
    let mut sums = Sums::default();
    let found = match (span.by, only.other(apart)) {
        (Unit::Day, None) => figures::days(db, key, apart, span.before, span.end).await?,
        (Unit::Day, Some(one)) => figures::days_of_one(db, key, apart, &one, span.before, span.end).await?,
        (_, Some(_)) => Vec::new(),
        (by, None) => {
            of_one_moment(db, |added| async move {
                let mut found = figures::periods(db, key, apart, by, span.before, span.end).await?;
                let left = added.as_ref();
                found.extend(figures::days_left(db, key, apart, left, span.before, span.end).await?);
                Ok(found)
            })
            .await?
        }
    };
    for figure in found.into_iter().filter(|figure| only.holds(apart, &figure.part)) {
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

/// Installs of all skills of a namespace and below it, for who sees all of them. Its skills have different versions, so that none
/// can be asked for.
pub async fn of_namespace(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    span: Span,
    only: Only,
) -> Result<InstallsResponse> {
    if only.version.is_some() {
        return Err(invalid_parameter("version", "versions are told of a skill, and not of a namespace"));
    }
    let k = settings::k_of(app, namespace).await?;
    let withheld = settings::withheld_from(caller, namespace, k);
    only.check(span.by, withheld)?;
    let key = &namespace.key();
    let found = of_one_moment(&app.db, |added| async move {
        let mut found = figures::namespace_periods(&app.db, key, span.by, span.before, span.end).await?;
        let left = added.as_ref();
        found.extend(figures::namespace_days(&app.db, namespace, left, span.before, span.end).await?);
        Ok(found)
    })
    .await?;
    let (mut all, mut programs) = (Sums::default(), Sums::default());
    let has_programs = only.has_programs(&span, withheld);
    for figure in found {
        if figure.part == rollups::ALL_PROGRAMS {
            all.add(&span, figure);
        } else if has_programs && only.holds(Apart::Programs, &figure.part) {
            programs.add(&span, figure);
        }
    }
    let has_all = only.program.is_none();
    let whole = if has_all { &all } else { &programs };
    let mut response = response(namespace.to_string(), span, only, (whole, &programs), [k, withheld])?;
    if has_all && span.by == Unit::Day && span.end - span.first <= SKILL_DAYS {
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

fn response(
    of: String,
    span: Span,
    only: Only,
    (all, programs): (&Sums, &Sums),
    [k, withheld]: [u32; 2],
) -> Result<InstallsResponse> {
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
    let counts = with_parts(&counts, withheld);
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
        version: only.version,
        program: only.program,
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
