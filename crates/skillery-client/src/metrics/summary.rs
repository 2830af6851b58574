//! What executions are folded into: sums and histograms by skill and version, in one file of bounded size.
//!
//! The rename of the new summary is the commit point. It names the files of executions that are in it, so that one
//! which a crash left behind is not counted again.

use std::collections::BTreeMap;
use std::path::Path;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use skillery_core::api::UsageRequest;
use skillery_core::time::Time;

use crate::error::{Error, Result};
use crate::files::{self, Readers};
use crate::metrics::journal::{self, Line, Waiting};
use crate::metrics::{ExecutionStatus, MAX_LATENCY, microseconds};

const FILE: &str = "summary.json";
const DAMAGED_FILE: &str = "summary.damaged.json";

/// The form of the file that this program writes.
const FORMAT: u32 = 1;

/// Versions that are remembered; of more, those that were used longest ago are forgotten.
const MAX_VERSIONS: usize = 2_000;

/// Versions that wait to be told to one registry.
const MAX_WAITING: usize = 2_000;

/// Significant digits of a time: a percentile is off by at most a hundredth.
const DIGITS: u8 = 2;

/// Everything that is remembered. Names are texts: what was once recorded stays readable, whatever names may be later.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Summary {
    format: u32,
    /// Files of executions that are in here and may still be on the disk.
    folded: Vec<String>,
    /// By skill and version.
    pub(super) skills: BTreeMap<String, BTreeMap<String, Tally>>,
    /// What is to be told, by registry, skill and version.
    pub(super) waiting: BTreeMap<String, BTreeMap<String, BTreeMap<String, Counts>>>,
    /// What a registry is being told, and may know already.
    pub(super) sent: BTreeMap<String, UsageRequest>,
    /// When a registry was last told something, or that was tried.
    pub(super) tried: BTreeMap<String, Time>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            format: FORMAT,
            folded: Vec::new(),
            skills: BTreeMap::new(),
            waiting: BTreeMap::new(),
            sent: BTreeMap::new(),
            tried: BTreeMap::new(),
        }
    }
}

/// What is remembered of one version, or of several together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    /// Executions by the word for how they ended.
    pub(super) statuses: BTreeMap<String, u64>,
    pub(super) latency: Times,
    pub(super) first_used: Option<Time>,
    pub(super) last_used: Option<Time>,
}

/// Times of executions in microseconds, without those that were cancelled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Times {
    pub(super) count: u64,
    pub(super) sum: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    /// Times that stand for all that are equal to two digits, with how many there are.
    buckets: Vec<(u64, u64)>,
}

/// Counts for a registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    pub(super) runs: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    /// Milliseconds of those that succeeded or failed; none once the time of one of them was not known.
    pub(super) latency_us: Option<u64>,
}

/// What folding came to.
pub(super) struct Folded {
    /// With everything that was appended.
    pub(super) summary: Summary,
    /// Whether what was appended counts as folded. Where it does not, the summary must not be written: the same would be
    /// counted again.
    pub(super) is_durable: bool,
}

/// Reads the summary with everything that was appended since, and writes it down. The caller holds the lock. What
/// cannot be written down stays where it is, and is in the answer all the same.
pub(super) fn fold(folder: &Path, waiting: Waiting) -> Result<Folded> {
    let mut summary = Summary::read(folder)?;
    let mut fresh = Fresh::default();
    let is_closed = journal::close(folder);
    let names = journal::closed_names(folder).map_err(Error::disk("read the executions"))?;
    // Those that are gone need no mention any more.
    summary.folded.retain(|name| names.contains(name));
    let mut taken = Vec::new();
    for name in names.iter().filter(|name| !summary.folded.contains(name)) {
        let closed =
            journal::take(folder, name.clone(), waiting).map_err(Error::disk("read the executions"))?;
        if let Some(mut closed) = closed {
            closed.read(|line| fresh.add(&line)).map_err(Error::disk("read the executions"))?;
            taken.push(closed);
        }
    }
    if !is_closed {
        // The disk is only read: look, and leave everything as it is.
        journal::read_open(folder, |line| fresh.add(&line)).map_err(Error::disk("read the executions"))?;
        summary.add(fresh);
        return Ok(Folded { summary, is_durable: false });
    }
    let mut is_durable = true;
    if !taken.is_empty() {
        summary.add(fresh);
        summary.folded.extend(taken.iter().map(|closed| closed.name.clone()));
        if let Err(error) = summary.write(folder) {
            tracing::warn!(%error, "what was recorded of executions cannot be summed up");
            is_durable = false;
        }
    }
    if is_durable {
        journal::remove(folder, &summary.folded);
    }
    // The locks of the files are held until here.
    drop(taken);
    Ok(Folded { summary, is_durable })
}

/// What a fold adds: times are gathered first, so that each histogram is built once.
#[derive(Default)]
struct Fresh {
    skills: BTreeMap<(String, String), (Tally, Vec<u64>)>,
    waiting: BTreeMap<(String, String, String), Counts>,
}

impl Fresh {
    fn add(&mut self, line: &Line<'_>) {
        // A word of a later release says at least that it was no success.
        let status: ExecutionStatus = line.status.parse().unwrap_or(ExecutionStatus::Failed);
        let latency = line.latency_us.filter(|_| status != ExecutionStatus::Cancelled);
        let key = (line.skill.to_string(), line.version.to_string());
        let (tally, times) = self.skills.entry(key.clone()).or_default();
        *tally.statuses.entry(status.as_str().to_owned()).or_default() += 1;
        tally.first_used = Some(tally.first_used.map_or(line.at, |first| first.min(line.at)));
        tally.last_used = tally.last_used.max(Some(line.at));
        times.extend(latency);
        if let Some(registry) = &line.registry {
            let counts =
                self.waiting.entry((registry.to_string(), key.0, key.1)).or_insert_with(Counts::none);
            counts.add(Counts::of(status, latency));
        }
    }
}

impl Summary {
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = match fs_err::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::disk("read what is known of executions")(error)),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(summary) if summary.format <= FORMAT => Ok(summary),
            Ok(_) => Err(Error::BadFile {
                path: path.display().to_string(),
                source: "a later release of this program wrote it".into(),
            }),
            Err(error) => {
                // Counts are worth less than going on counting.
                tracing::warn!(%error, path = %path.display(), "the summary of executions is damaged, and begins anew");
                let _ = fs_err::rename(&path, folder.join(DAMAGED_FILE));
                Ok(Self::default())
            }
        }
    }

    /// Writes it down; it is durable afterwards. The caller holds the lock.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_err(Error::internal("write what is known of executions"))?;
        files::write_atomically(&folder.join(FILE), &bytes, Readers::Owner)
            .map_err(Error::disk("write what is known of executions"))
    }

    fn add(&mut self, fresh: Fresh) {
        for ((skill, version), (mut tally, times)) in fresh.skills {
            tally.latency = Times::of(&times);
            self.skills.entry(skill).or_default().entry(version).or_default().add(&tally);
        }
        for ((registry, skill, version), counts) in fresh.waiting {
            let skills = self.waiting.entry(registry).or_default();
            let has_room = skills.values().map(BTreeMap::len).sum::<usize>() < MAX_WAITING;
            let known = skills.get(&skill).is_some_and(|versions| versions.contains_key(&version));
            if has_room || known {
                skills.entry(skill).or_default().entry(version).or_insert_with(Counts::none).add(counts);
            }
        }
        self.forget_oldest();
    }

    fn forget_oldest(&mut self) {
        let mut uses: Vec<(Option<Time>, String, String)> = Vec::new();
        for (skill, versions) in &self.skills {
            let used =
                |(version, tally): (&String, &Tally)| (tally.last_used, skill.clone(), version.clone());
            uses.extend(versions.iter().map(used));
        }
        if uses.len() <= MAX_VERSIONS {
            return;
        }
        uses.sort();
        for (_, skill, version) in &uses[..uses.len() - MAX_VERSIONS] {
            if let Some(versions) = self.skills.get_mut(skill) {
                versions.remove(version);
            }
        }
        self.skills.retain(|_, versions| !versions.is_empty());
    }
}

impl Tally {
    /// Adds what another one counted.
    pub(super) fn add(&mut self, other: &Self) {
        for (status, count) in &other.statuses {
            let sum = self.statuses.entry(status.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.latency.add(&other.latency);
        self.first_used = match (self.first_used, other.first_used) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.last_used = self.last_used.max(other.last_used);
    }

    /// Executions that ended like this.
    pub(super) fn count(&self, status: ExecutionStatus) -> u64 {
        self.statuses.get(status.as_str()).copied().unwrap_or(0)
    }
}

impl Times {
    fn of(times: &[u64]) -> Self {
        let mut histogram = histogram();
        for time in times {
            if let Some(histogram) = &mut histogram {
                histogram.saturating_record(*time);
            }
        }
        Self {
            count: times.len() as u64,
            sum: times.iter().fold(0, |sum, time| sum.saturating_add(*time)),
            min: times.iter().min().copied().unwrap_or(0),
            max: times.iter().max().copied().unwrap_or(0),
            buckets: buckets(histogram.as_ref()),
        }
    }

    fn add(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        let mut sum = self.histogram();
        if let Some(sum) = &mut sum {
            for (time, count) in &other.buckets {
                sum.saturating_record_n(*time, *count);
            }
        }
        self.buckets = buckets(sum.as_ref());
    }

    fn histogram(&self) -> Option<Histogram<u64>> {
        let mut histogram = histogram()?;
        for (time, count) in &self.buckets {
            histogram.saturating_record_n(*time, *count);
        }
        Some(histogram)
    }

    /// The times below which these parts of all are, each between the shortest and the longest that was seen.
    pub(super) fn quantiles<const N: usize>(&self, parts: [f64; N]) -> [u64; N] {
        let histogram = self.histogram();
        parts.map(|part| {
            let time = histogram.as_ref().map_or(0, |histogram| histogram.value_at_quantile(part));
            time.clamp(self.min, self.max.max(self.min))
        })
    }
}

/// An empty histogram; its bounds are always good.
fn histogram() -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(1, microseconds(MAX_LATENCY).saturating_mul(2), DIGITS).ok()
}

fn buckets(histogram: Option<&Histogram<u64>>) -> Vec<(u64, u64)> {
    let Some(histogram) = histogram else { return Vec::new() };
    histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
}

impl Counts {
    /// Nothing yet, so that the times of all are known.
    pub(super) fn none() -> Self {
        Self { latency_us: Some(0), ..Self::default() }
    }

    fn of(status: ExecutionStatus, latency_us: Option<u64>) -> Self {
        match status {
            ExecutionStatus::Success => Self { runs: 1, succeeded: 1, failed: 0, latency_us },
            ExecutionStatus::Cancelled => Self { runs: 1, succeeded: 0, failed: 0, latency_us: Some(0) },
            _ => Self { runs: 1, succeeded: 0, failed: 1, latency_us },
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.runs = self.runs.saturating_add(other.runs);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.failed = self.failed.saturating_add(other.failed);
        self.latency_us = self.latency_us.zip(other.latency_us).map(|(one, two)| one.saturating_add(two));
    }
}
