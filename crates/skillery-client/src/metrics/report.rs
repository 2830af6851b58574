//! What is asked of what was recorded: one skill, all of them, the best of them.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use skillery_core::time::Time;
use skillery_core::{Segment, SkillId, Version};

use crate::error::{Error, Result};
use crate::library::{Library, fold};
use crate::metrics::ratings::{self, LocalRating};
use crate::metrics::summary::{Tally, Times};
use crate::metrics::{ExecutionStatus, Metrics};

/// Runs that a skill needs to be compared by how often it succeeds, or by how long it takes.
pub const MINIMUM_RUNS: u64 = 5;

/// What is known of one skill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkillMetrics {
    /// Its id.
    pub id: String,
    /// Of all versions together.
    #[serde(flatten)]
    pub usage: Usage,
    /// The user's rating, if there is one.
    pub rating: Option<LocalRating>,
    /// Of each version that ran, the highest first.
    pub versions: Vec<VersionMetrics>,
}

/// What is known of one version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionMetrics {
    /// The version.
    pub version: String,
    /// What is known of it.
    #[serde(flatten)]
    pub usage: Usage,
}

/// How often something ran, and how that ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Executions that came to an end, cancelled ones too.
    pub runs: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that did not: failed, timed out, out of memory, denied.
    pub failed: u64,
    /// Those that somebody stopped.
    pub cancelled: u64,
    /// The part that succeeded of those that succeeded or failed, from 0 to 1; none when there are none.
    pub success_rate: Option<f64>,
    /// Executions by how they ended.
    pub statuses: BTreeMap<String, u64>,
    /// How long they took, cancelled ones left out; none when no time is known.
    pub latency: Option<Latency>,
    /// When the first was recorded.
    pub first_used: Option<Time>,
    /// When the last was.
    pub last_used: Option<Time>,
}

/// Milliseconds of executions. Percentiles are off by at most a hundredth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Executions whose time is known.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The shortest.
    pub min_ms: f64,
    /// Half took no longer.
    pub p50_ms: f64,
    /// Nine in ten took no longer.
    pub p90_ms: f64,
    /// Ninety-nine in a hundred took no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// What skills can be compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranking {
    /// Runs, the most first.
    Usage,
    /// The part that succeeded, the highest first.
    SuccessRate,
    /// The user's rating, the highest first.
    Rating,
    /// The median time, the shortest first.
    Latency,
}

impl Ranking {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Usage, Self::SuccessRate, Self::Rating, Self::Latency];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::SuccessRate => "success_rate",
            Self::Rating => "rating",
            Self::Latency => "latency",
        }
    }

    /// Whether the skill has enough to be compared by.
    fn has(self, skill: &SkillMetrics, minimum: u64) -> bool {
        let usage = &skill.usage;
        match self {
            Self::Usage => usage.runs > 0,
            Self::SuccessRate => usage.success_rate.is_some() && usage.succeeded + usage.failed >= minimum,
            Self::Rating => skill.rating.is_some(),
            Self::Latency => usage.latency.is_some_and(|latency| latency.count >= minimum),
        }
    }

    fn compare(self, one: &SkillMetrics, two: &SkillMetrics) -> Ordering {
        let median = |skill: &SkillMetrics| skill.usage.latency.map_or(f64::MAX, |latency| latency.p50_ms);
        let rate = |skill: &SkillMetrics| skill.usage.success_rate.unwrap_or(-1.0);
        let rating = |skill: &SkillMetrics| skill.rating.as_ref().map(|rated| rated.rating);
        let first = match self {
            Self::Usage => Ordering::Equal,
            Self::SuccessRate => rate(two).total_cmp(&rate(one)),
            Self::Rating => rating(two).cmp(&rating(one)),
            Self::Latency => median(one).total_cmp(&median(two)),
        };
        let more = |skill: &SkillMetrics| (Reverse(skill.usage.runs), Reverse(skill.usage.last_used));
        first.then_with(|| more(one).cmp(&more(two))).then_with(|| one.id.cmp(&two.id))
    }
}

impl fmt::Display for Ranking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Ranking {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|ranking| ranking.as_str() == text).ok_or_else(|| {
            let words = Self::ALL.map(|ranking| format!("`{ranking}`")).join(", ");
            Error::invalid("`metric`", format!("`{}` is none of {words}", text.escape_debug()))
        })
    }
}

impl Metrics {
    /// What is known of every skill that ran or was rated, by id.
    pub fn all(&self) -> Result<Vec<SkillMetrics>> {
        let mut ratings = ratings::read(&self.folder)?;
        let mut found: Vec<SkillMetrics> = self
            .read()?
            .skills
            .into_iter()
            .map(|(id, versions)| {
                let rating = ratings.remove(&id);
                SkillMetrics::new(id, &versions, rating)
            })
            .collect();
        found.extend(
            ratings.into_iter().map(|(id, rating)| SkillMetrics::new(id, &BTreeMap::new(), Some(rating))),
        );
        found.sort_by(|one, two| one.id.cmp(&two.id));
        Ok(found)
    }

    /// What is known of a skill, or of one of its versions: nothing has run of one that is only installed. None for a
    /// skill that is neither installed nor was ever recorded. The name is an id, or a bare name that only one has.
    pub fn get(
        &self,
        library: &Library,
        name: &str,
        version: Option<&Version>,
    ) -> Result<Option<SkillMetrics>> {
        let mut known = self.all()?;
        let (id, installed) = match library.find(name) {
            Ok(id) => (id.to_string(), true),
            Err(Error::NotInstalled { .. }) => match recorded(&known, name)? {
                Some(id) => (id, false),
                None => return Ok(None),
            },
            Err(error) => return Err(error),
        };
        let place = known.iter().position(|skill| fold(&skill.id) == fold(&id));
        let mut skill = match place {
            Some(place) => known.swap_remove(place),
            None => SkillMetrics::new(id.clone(), &BTreeMap::new(), None),
        };
        if let Some(version) = version {
            let text = version.to_string();
            skill.versions.retain(|known| known.version == text);
            let ran = skill.versions.first().map(|known| known.usage.clone());
            if ran.is_none() && !(installed && is_installed(library, &id, version)?) {
                return Ok(None);
            }
            skill.usage = ran.unwrap_or_default();
        }
        Ok(Some(skill))
    }

    /// The best skills first, at most so many. Those that have nothing to be compared by are left out: that never ran,
    /// that were not rated; and of success and time, those with fewer than `minimum` runs. Where two are equal, the one
    /// that ran more often is first, then the one that ran last, then by id.
    pub fn top(&self, ranking: Ranking, limit: usize, minimum: u64) -> Result<Vec<SkillMetrics>> {
        let mut found = self.all()?;
        found.retain(|skill| ranking.has(skill, minimum));
        found.sort_by(|one, two| ranking.compare(one, two));
        found.truncate(limit);
        Ok(found)
    }

    /// Forgets what was recorded of a skill, or of all, and what of it a registry was to be told. Ratings stay. How many
    /// runs were forgotten.
    pub fn reset(&self, id: Option<&str>) -> Result<u64> {
        if !self.folder.exists() {
            return Ok(0);
        }
        self.change(|summary| {
            let is_meant = |skill: &str| id.is_none_or(|id| fold(id) == fold(skill));
            let mut forgotten = 0;
            summary.skills.retain(|skill, versions| {
                if is_meant(skill) {
                    forgotten += versions.values().flat_map(|tally| tally.statuses.values()).sum::<u64>();
                }
                !is_meant(skill)
            });
            for skills in summary.waiting.values_mut() {
                skills.retain(|skill, _| !is_meant(skill));
            }
            for report in summary.sent.values_mut() {
                report.entries.retain(|entry| !is_meant(&entry.skill));
            }
            forgotten
        })
    }
}

/// Which skill of those that were recorded is meant.
fn recorded(known: &[SkillMetrics], name: &str) -> Result<Option<String>> {
    if name.contains('/') {
        return Ok(known.iter().find(|skill| fold(&skill.id) == fold(name)).map(|skill| skill.id.clone()));
    }
    let wanted = fold(name.parse::<Segment>()?.as_str());
    let last = |id: &str| fold(id.rsplit('/').next().unwrap_or(id));
    let candidates: Vec<&SkillMetrics> = known.iter().filter(|skill| last(&skill.id) == wanted).collect();
    match candidates.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.id.clone())),
        several => {
            let candidates = several.iter().filter_map(|skill| skill.id.parse::<SkillId>().ok()).collect();
            Err(Error::Ambiguous { name: name.to_owned(), candidates })
        }
    }
}

fn is_installed(library: &Library, id: &str, version: &Version) -> Result<bool> {
    Ok(library.versions(id)?.iter().any(|installed| installed.manifest.version == *version))
}

impl SkillMetrics {
    fn new(id: String, versions: &BTreeMap<String, Tally>, rating: Option<LocalRating>) -> Self {
        let mut all = Tally::default();
        for tally in versions.values() {
            all.add(tally);
        }
        let mut listed: Vec<VersionMetrics> = versions
            .iter()
            .map(|(version, tally)| VersionMetrics { version: version.clone(), usage: Usage::of(tally) })
            .collect();
        let number = |listed: &VersionMetrics| listed.version.parse::<Version>().ok();
        listed.sort_by_key(|one| Reverse(number(one)));
        Self { id, usage: Usage::of(&all), rating, versions: listed }
    }
}

impl Usage {
    fn of(tally: &Tally) -> Self {
        let runs = tally.statuses.values().sum();
        let succeeded = tally.count(ExecutionStatus::Success);
        let cancelled = tally.count(ExecutionStatus::Cancelled);
        let failed = runs - succeeded - cancelled;
        let ended = succeeded + failed;
        Self {
            runs,
            succeeded,
            failed,
            cancelled,
            success_rate: (ended > 0).then(|| succeeded as f64 / ended as f64),
            statuses: tally.statuses.clone(),
            latency: Latency::of(&tally.latency),
            first_used: tally.first_used,
            last_used: tally.last_used,
        }
    }
}

impl Latency {
    fn of(times: &Times) -> Option<Self> {
        let milliseconds = |microseconds: u64| microseconds as f64 / 1_000.0;
        let [p50, p90, p99] = times.quantiles([0.5, 0.9, 0.99]).map(milliseconds);
        (times.count > 0).then(|| Self {
            count: times.count,
            mean_ms: milliseconds(times.sum) / times.count as f64,
            min_ms: milliseconds(times.min),
            p50_ms: p50,
            p90_ms: p90,
            p99_ms: p99,
            max_ms: milliseconds(times.max),
        })
    }
}
