//! The audit: what was done and refused, by whom, when and from where.

use std::ops::ControlFlow;

use reqwest::Method;
use skillery_core::api::{AuditFormat, AuditOutcome, AuditReport, AuditResponse, VersionInstallsResponse};
use skillery_core::time::Time;
use skillery_core::{Namespace, SkillId, Version};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::config::parse_age;
use crate::error::{Error, Result};

/// Which rows of the audit are wanted; what is left out leaves nothing out.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// The name or id of a user.
    pub actor: Option<String>,
    /// A skill, a namespace and all below it, a user, the id of a token.
    pub subject: Option<String>,
    /// The beginning of the action.
    pub action: Option<String>,
    /// How it ended.
    pub outcome: Option<AuditOutcome>,
    /// A time, a day, or how long ago: `7d`, `12h`, `30m`.
    pub since: Option<String>,
    /// Until then, in the same forms.
    pub until: Option<String>,
    /// From this address.
    pub address: Option<String>,
    /// Only what concerns this namespace, and what lies below.
    pub namespace: Option<String>,
}

impl AuditQuery {
    fn add_to(&self, call: Call) -> Result<Call> {
        let now = Time::from_micros(jiff::Timestamp::now().as_microsecond());
        let moment =
            |text: &Option<String>, what| text.as_deref().map(|text| moment(text, now, what)).transpose();
        Ok(call
            .query("actor", self.actor.as_ref())
            .query("subject", self.subject.as_ref())
            .query("action", self.action.as_ref())
            .query("outcome", self.outcome)
            .query("from", moment(&self.since, "since")?)
            .query("to", moment(&self.until, "until")?)
            .query("address", self.address.as_ref())
            .query("namespace", self.namespace.as_ref()))
    }
}

/// A time as the registry reads it: an age becomes the time that was so long ago. `what` names the argument in the error.
fn moment(text: &str, now: Time, what: &str) -> Result<String> {
    let text = text.trim();
    // A time ends with a digit or a `Z`, and a number alone is neither a time nor an age that anybody means.
    if !text.ends_with(['s', 'm', 'h', 'd']) {
        return Ok(text.to_owned());
    }
    let age = parse_age(text, &format!("`{what}`"))?;
    Ok(now.plus_seconds(-(age.as_secs() as i64)).to_string())
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

    /// All rows that are wanted, the newest first, at most so many, as a file. `write` is given one piece after the other, until it
    /// wants no more.
    pub async fn audit_file<E: From<Error>>(
        &self,
        query: &AuditQuery,
        format: AuditFormat,
        limit: Option<usize>,
        write: impl FnMut(&[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let call = query.add_to(Call::get(&["audit"]))?;
        let call = call.query("format", Some(format)).query("limit", limit);
        self.pieces(call.large(usize::MAX), write).await
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
        let call = Call::of_version(Method::GET, id, version, &["installs"]);
        self.json(page.add_to(call)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_a_time() {
        let time = |text: &str| Time::try_from(text.to_owned()).unwrap();
        let now = time("2026-02-08T12:00:00Z");
        for (text, then) in
            [("7d", "2026-02-01T12:00:00Z"), ("90m", "2026-02-08T10:30:00Z"), ("30s", "2026-02-08T11:59:30Z")]
        {
            assert_eq!(time(&moment(text, now, "since").unwrap()), time(then), "{text}");
        }
        for text in ["2026-01-31", "2026-01-31T00:00:00Z", "yesterday", ""] {
            assert_eq!(moment(text, now, "since").unwrap(), text);
        }
        for wrong in ["d", "-1d", "1.5h", "99999999999d"] {
            let error = moment(wrong, now, "since").unwrap_err().to_string();
            assert!(error.contains("`since`"), "{error}");
        }
    }
}
