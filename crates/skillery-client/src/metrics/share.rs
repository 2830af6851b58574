//! Telling a registry how often its skills are run, where the user wants it to know: counts by skill and version, and
//! nothing else. What was recorded before the user wanted that is not told, and nothing of other skills ever is.
//!
//! A report is written down with its number before it is sent, and taken away when it was answered. So one whose
//! answer was lost is sent again, under the same number, and counts once. A report that is refused for what is in it is
//! made smaller, down to the one version that the registry does not take, and that alone is forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use skillery_core::api::{UsageEntry, UsageRequest};
use skillery_core::time::Time;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::blocking;
use crate::metrics::summary::{Counts, Summary};
use crate::metrics::{Metrics, now};

/// Versions in one report.
const ENTRIES: usize = 200;
/// Reports in one go.
const REPORTS: usize = 20;
/// How often a registry is told without being asked to.
const INTERVAL_SECONDS: i64 = 3_600;
/// How long whoever has finished a run waits for that.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a registry was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// The registry.
    pub registry: String,
    /// Runs that it was told of.
    pub runs: u64,
    /// How many versions they were of.
    pub versions: u64,
}

impl Metrics {
    /// Tells the client's registry what it does not know yet.
    pub async fn share(&self, client: &Client) -> Result<Shared> {
        client.need_token("sharing usage")?;
        let registry = client.registry().to_owned();
        let mut shared = Shared { registry: registry.clone(), runs: 0, versions: 0 };
        let (mut most, mut refused) = (ENTRIES, None);
        for _ in 0..REPORTS {
            let (metrics, wanted) = (self.clone(), registry.clone());
            let Some(report) = blocking(move || metrics.next_report(&wanted, most)).await? else { break };
            let count = report.entries.len();
            match client.report_usage(&report).await {
                Ok(()) => {
                    shared.runs += report.entries.iter().map(|entry| entry.runs).sum::<u64>();
                    shared.versions += count as u64;
                    most = ENTRIES.min(most * 2);
                }
                Err(error) if is_hopeless(&error) && count > 1 => {
                    most = count / 2;
                    let (metrics, wanted) = (self.clone(), registry.clone());
                    blocking(move || metrics.take_back(&wanted, &report.batch)).await?;
                    continue;
                }
                Err(error) if is_hopeless(&error) => refused = refused.or(Some(error)),
                Err(error) => return Err(error),
            }
            let (metrics, answered) = (self.clone(), registry.clone());
            blocking(move || metrics.answered(&answered, &report.batch)).await?;
        }
        // The others were told all the same.
        refused.map_or(Ok(shared), Err)
    }

    /// Tells the client's registry, unless that was tried within the last hour, and gives up soon. Nobody is told of a
    /// failure: the next time makes up for it.
    pub async fn share_now_and_then(&self, client: &Client) {
        let (metrics, registry) = (self.clone(), client.registry().to_owned());
        let attempt = async {
            let is_due = blocking(move || metrics.is_due(&registry, now())).await?;
            if is_due { self.share(client).await.map(Some) } else { Ok(None) }
        };
        match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(Ok(shared)) => tracing::debug!(?shared, "usage was shared"),
            Ok(Err(error)) => tracing::debug!(%error, "usage was not shared"),
            Err(_) => tracing::debug!("usage was not shared in time"),
        }
    }

    fn is_due(&self, registry: &str, now: Time) -> Result<bool> {
        let summary = self.read()?;
        let has_news = summary.sent.contains_key(registry)
            || summary.waiting.get(registry).is_some_and(|skills| !skills.is_empty());
        let is_early =
            summary.tried.get(registry).is_some_and(|tried| tried.plus_seconds(INTERVAL_SECONDS) > now);
        Ok(has_news && !is_early)
    }

    /// The report to send: the one that may have been lost, else one of what came since, of at most so many versions.
    fn next_report(&self, registry: &str, most: usize) -> Result<Option<UsageRequest>> {
        if !self.folder.exists() {
            return Ok(None);
        }
        self.change(|summary| {
            summary.tried.insert(registry.to_owned(), now());
            if summary.sent.get(registry).is_none_or(|report| report.entries.is_empty()) {
                let entries = take_waiting(summary, registry, most);
                if entries.is_empty() {
                    summary.sent.remove(registry);
                    return None;
                }
                let batch = uuid::Uuid::now_v7().to_string();
                summary.sent.insert(registry.to_owned(), UsageRequest { batch, entries });
            }
            summary.sent.get(registry).cloned()
        })
    }

    /// Puts what a report told back to what waits, for smaller reports.
    fn take_back(&self, registry: &str, batch: &str) -> Result<()> {
        self.change(|summary| {
            if summary.sent.get(registry).is_none_or(|report| report.batch != batch) {
                return;
            }
            let Some(report) = summary.sent.remove(registry) else { return };
            let skills = summary.waiting.entry(registry.to_owned()).or_default();
            for entry in report.entries {
                let versions = skills.entry(entry.skill.clone()).or_default();
                versions.entry(entry.version.clone()).or_insert_with(Counts::none).add(counts(&entry));
            }
        })
    }

    fn answered(&self, registry: &str, batch: &str) -> Result<()> {
        self.change(|summary| {
            if summary.sent.get(registry).is_some_and(|report| report.batch == batch) {
                summary.sent.remove(registry);
            }
        })
    }
}

/// Whether sending the same again can only be refused again.
fn is_hopeless(error: &Error) -> bool {
    matches!(error, Error::Problem(problem) if matches!(problem.status, 400 | 413 | 422))
}

fn take_waiting(summary: &mut Summary, registry: &str, most: usize) -> Vec<UsageEntry> {
    let mut entries = Vec::new();
    let Some(skills) = summary.waiting.get_mut(registry) else { return entries };
    while let Some(mut skill) = skills.first_entry() {
        let id = skill.key().clone();
        while let Some((version, counts)) = skill.get_mut().pop_first() {
            entries.push(entry(&id, version, counts));
            if entries.len() == most {
                break;
            }
        }
        if skill.get().is_empty() {
            skill.remove();
        }
        if entries.len() == most {
            break;
        }
    }
    summary.waiting.retain(|_, skills: &mut BTreeMap<_, _>| !skills.is_empty());
    entries
}

/// What an entry was made of, as far as it still says so.
fn counts(entry: &UsageEntry) -> Counts {
    let UsageEntry { runs, succeeded, failed, latency_ms_total, .. } = *entry;
    Counts {
        runs,
        succeeded,
        failed,
        latency_us: latency_ms_total.map(|milliseconds| milliseconds.saturating_mul(1_000)),
    }
}

fn entry(skill: &str, version: String, counts: Counts) -> UsageEntry {
    let Counts { runs, succeeded, failed, latency_us } = counts;
    UsageEntry {
        skill: skill.to_owned(),
        version,
        runs,
        succeeded,
        failed,
        latency_ms_total: latency_us.map(|microseconds| microseconds / 1_000),
    }
}
