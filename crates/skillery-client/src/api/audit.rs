//! The audit: what was done and refused, by whom, when and from where.

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use skillery_core::api::{AuditReport, AuditResponse, VersionInstallsResponse};
use skillery_core::{Namespace, SkillId, Version};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::{Error, Result};

/// Rows of a file that are fetched at once.
const ROWS: usize = 2_000;

/// Which rows of the audit are wanted; what is left out leaves nothing out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditQuery {
    /// The name or id of a user.
    pub actor: Option<String>,
    /// A skill, a namespace and all below it, a user, the id of a token.
    pub subject: Option<String>,
    /// The beginning of the action.
    pub action: Option<String>,
    /// `allowed` or `denied`.
    pub outcome: Option<String>,
    /// A time, a day, or how long ago: `7d`, `12h`, `30m`.
    pub since: Option<String>,
    /// Until then, in the same forms.
    pub until: Option<String>,
    /// From this address.
    pub address: Option<String>,
    /// Only what concerns this namespace, and what lies below.
    pub namespace: Option<String>,
}

/// A file of the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditFormat {
    /// Comma-separated values, the names of the columns first.
    Csv,
    /// A JSON object in each line.
    Jsonl,
}

impl AuditFormat {
    fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// The number of the row that a line is.
    fn number(self, line: &[u8]) -> Option<i64> {
        #[derive(Deserialize)]
        struct Row {
            id: i64,
        }
        match self {
            Self::Csv => std::str::from_utf8(line).ok()?.split(',').next()?.parse().ok(),
            Self::Jsonl => serde_json::from_slice::<Row>(line).ok().map(|row| row.id),
        }
    }
}

impl AuditQuery {
    fn add_to(&self, call: Call) -> Result<Call> {
        Ok(call
            .query("actor", self.actor.as_ref())
            .query("subject", self.subject.as_ref())
            .query("action", self.action.as_ref())
            .query("outcome", self.outcome.as_ref())
            .query("from", self.since.as_deref().map(moment).transpose()?)
            .query("to", self.until.as_deref().map(moment).transpose()?)
            .query("address", self.address.as_ref())
            .query("namespace", self.namespace.as_ref()))
    }
}

/// A time as the registry reads it: what says how long ago becomes one.
fn moment(text: &str) -> Result<String> {
    let text = text.trim();
    let unit = text.chars().last().unwrap_or_default();
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        _ => return Ok(text.to_owned()),
    };
    let number = &text[..text.len() - 1];
    let ago = number.parse::<u32>().ok().map(|number| i64::from(number) * seconds);
    let then =
        ago.and_then(|ago| jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - ago).ok());
    then.map(|then| then.to_string()).ok_or_else(|| {
        Error::invalid(
            format!("`{text}`"),
            "use a time, a day like 2026-01-31, or how long ago: 7d, 12h, 30m",
        )
    })
}

impl Client {
    /// `GET /audit`: the newest first, before the row of that number.
    pub async fn audit(
        &self,
        query: &AuditQuery,
        before: Option<i64>,
        limit: Option<u64>,
    ) -> Result<AuditResponse> {
        let call = query.add_to(Call::get(&["audit"]))?;
        self.json(call.query("before", before).query("limit", limit)).await
    }

    /// All rows that are wanted, at most so many, one piece after the other: `write` is given each. Returns how many
    /// there were.
    pub async fn audit_file(
        &self,
        query: &AuditQuery,
        format: AuditFormat,
        limit: Option<usize>,
        mut write: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<usize> {
        // What happens meanwhile is newer, and in no later piece.
        let (mut before, mut left, mut total) = (None, limit.unwrap_or(usize::MAX), 0);
        loop {
            let wanted = left.min(ROWS);
            let call = query.add_to(Call::get(&["audit"]))?;
            let call = call
                .query("format", Some(format.word()))
                .query("before", before)
                .query("limit", Some(wanted));
            let piece: Bytes = self.bytes(call).await?;
            let mut lines = piece.split_inclusive(|byte| *byte == b'\n');
            let head = if format == AuditFormat::Csv { lines.next().unwrap_or_default().len() } else { 0 };
            let (mut rows, mut last) = (0, None);
            for line in lines {
                rows += 1;
                last = Some(line);
            }
            write(if before.is_none() { &piece } else { &piece[head..] })?;
            total += rows;
            left = left.saturating_sub(rows);
            if rows < wanted || left == 0 {
                return Ok(total);
            }
            let number = last.and_then(|line| format.number(line));
            if number.is_none() || number == before {
                return Err(self.bad_answer("a row of the audit has no number"));
            }
            before = number;
        }
    }

    /// `GET /audit/report`: what happened in the last days.
    pub async fn audit_report(&self, days: u32, namespace: Option<&Namespace>) -> Result<AuditReport> {
        self.json(Call::get(&["audit", "report"]).query("days", Some(days)).query("namespace", namespace))
            .await
    }

    /// `GET /skills/{id}/versions/{version}/installs`: which signed-in users have downloaded it, the last first.
    pub async fn installs_of(
        &self,
        id: &SkillId,
        version: &Version,
        page: Page,
    ) -> Result<VersionInstallsResponse> {
        let call = Call::of_skill(Method::GET, id, &["versions", &version.to_string(), "installs"]);
        self.json(page.add_to(call)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_a_time() {
        let then: jiff::Timestamp = moment("7d").unwrap().parse().unwrap();
        let ago = jiff::Timestamp::now().as_second() - then.as_second();
        assert!((604_800..604_810).contains(&ago), "{ago}");
        assert_eq!(moment("2026-01-31").unwrap(), "2026-01-31");
        for wrong in ["d", "-1d", "1.5h", "99999999999d"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
