//! How often versions are run where they are installed, as far as their users want to tell.

use serde::{Deserialize, Serialize};

use crate::Version;

/// The longest that one run may count, in milliseconds: a day. Sums then have a bound.
pub const MAX_RUN_MILLISECONDS: u64 = 86_400_000;

/// `POST /api/v1/usage`: what was counted since the report before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageRequest {
    /// A UUID of this report. Sent again, it counts once.
    pub batch: String,
    /// Counts, one entry for each version. Versions that are not there, or that the caller does not see, are passed
    /// over.
    pub entries: Vec<UsageEntry>,
}

/// Runs of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageEntry {
    /// `org/name`.
    pub skill: String,
    /// The version.
    pub version: String,
    /// Runs that came to an end, cancelled ones too.
    pub runs: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed, ran out of time or memory, or were denied something.
    pub failed: u64,
    /// Milliseconds of those that succeeded or failed, together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms_total: Option<u64>,
}

/// `GET /api/v1/skills/{id}/usage`: one page, the highest version first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageResponse {
    /// `org/name`.
    pub id: String,
    /// Versions on all pages: those that somebody has told about.
    pub total: u64,
    /// Those of this page.
    pub versions: Vec<VersionUsage>,
}

/// What users have told of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionUsage {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Runs that came to an end, cancelled ones too.
    pub runs: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
    /// Mean milliseconds of those whose time is known.
    pub latency_ms_mean: Option<f64>,
    /// The last day on which somebody told of runs (`2026-11-25`, UTC).
    pub last_day: String,
}
