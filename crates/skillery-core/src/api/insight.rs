//! What is known of how skills are used: installs, who needs what, who is ahead, how sound a version is.

use serde::{Deserialize, Serialize};

use crate::health::Health;
use crate::time::Time;
use crate::words::word_enum;
use crate::{Program, SkillId, Version, VersionStatus};

/// Days that one list of single days covers at most.
pub const MAX_DAYS: u32 = 366;
/// Days that a list of weeks or months covers at most.
pub const MAX_PERIOD_DAYS: u32 = 3_660;
/// Days that are covered when the caller does not say, and those whose installs say who uses what now.
pub const USUAL_DAYS: u32 = 28;
/// The most that a namespace may withhold figures below.
pub const MAX_K: u32 = 1_000;

word_enum! {
    /// How days are put together.
    Unit {
        /// Each for itself.
        Day = "day",
        /// From Monday on.
        Week = "week",
        /// From the first of the month on.
        Month = "month",
    }
}

word_enum! {
    /// Who is compared.
    BoardOf {
        /// Users, by the skills that they published versions of.
        Authors = "authors",
        /// Orgs.
        Teams = "teams",
    }
}

word_enum! {
    /// What is compared.
    BoardPeriod {
        /// The last seven days.
        Week = "week",
        /// The last 28 days.
        Month = "month",
        /// Everything that was counted.
        All = "all",
    }
}

/// `GET /api/v1/skills/{id}/usage/installs` and `GET /api/v1/orgs/{namespace}/usage`: downloads with content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstallsResponse {
    /// The skill, or the namespace with all below it.
    pub of: String,
    /// The version that alone is counted; nothing where all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub version: Option<Version>,
    /// The program that alone is counted; nothing where all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// How days are put together.
    pub by: Unit,
    /// The first day that counts (`2026-11-25`, UTC).
    pub first_day: String,
    /// The last one: today, which is not over yet.
    pub last_day: String,
    /// Installs of these days.
    pub total: u64,
    /// Installs of as many days before them; nothing where so many days are not kept.
    pub before: Option<u64>,
    /// By which part `total` is above `before`, or below it; nothing where there was nothing before, or that is not known.
    pub trend: Option<f64>,
    /// Each unit from its first day on, the earliest first; those without installs too.
    pub periods: Vec<PeriodInstalls>,
    /// By version, the most installed first; at most 100. Of a skill only, and of one program by single days only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionInstalls>,
    /// By skill, the most installed first; at most 20. Of a namespace only, of at most 31 single days, and of all programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<SkillInstalls>,
    /// By program, the most used first; none where the whole would tell what is withheld. Of one version by single days
    /// only. Where `k` is above 1, others than admins of the namespace are told of the last 28 single days alone, and of no single version.
    pub programs: Vec<ProgramInstalls>,
    /// Figures about fewer than so many are told to admins of the namespace alone.
    pub k: u32,
}

/// Installs of a day, a week or a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeriodInstalls {
    /// Its first day.
    pub start: String,
    /// How many.
    pub installs: u64,
}

/// Installs of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionInstalls {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// How many.
    pub installs: u64,
}

/// Installs of a skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SkillInstalls {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// How many.
    pub installs: u64,
}

/// Installs with a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProgramInstalls {
    /// The program.
    pub program: Program,
    /// How many; nothing where the figure is withheld.
    pub installs: Option<u64>,
}

/// `GET /api/v1/skills/{id}/usage/adoption`: which versions are in use. Consumers are signed-in users who installed the
/// skill; each counts for the version that they installed last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdoptionResponse {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// The version that a request without one gets.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub latest: Option<Version>,
    /// Over how many days.
    pub days: u32,
    /// Installs of all versions.
    pub installs: u64,
    /// Which part of them is of the latest; nothing where there are none.
    pub installs_share: Option<f64>,
    /// Users who installed the skill in these days; nothing where that is withheld.
    pub consumers: Option<u64>,
    /// Which part of them has the latest; nothing where that is withheld, or there are none.
    pub consumers_share: Option<f64>,
    /// Versions that were installed in these days, the highest first; at most 200.
    pub versions: Vec<VersionAdoption>,
    /// Yanked and quarantined versions that users still have, whenever they installed them, the highest first; at most 200.
    pub withdrawn: Vec<Withdrawn>,
    /// Figures about fewer users than so many are not told.
    pub k: u32,
}

/// How much a version is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionAdoption {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// Installs.
    pub installs: u64,
    /// Users who have it; nothing where that is withheld.
    pub consumers: Option<u64>,
}

/// A version that nobody should have any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Withdrawn {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Whether it is yanked or quarantined.
    pub status: VersionStatus,
    /// Why.
    pub reason: Option<String>,
    /// Users who have it: who installed no other version later. Nothing where that is withheld.
    pub consumers: Option<u64>,
    /// Their names, for admins of the namespace; at most 200 of all versions together, and nothing where no room is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<String>>,
}

/// `GET /api/v1/leaderboards`: whose skills have most consumers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaderboardResponse {
    /// Who is compared.
    pub of: BoardOf,
    /// Over which time.
    pub period: BoardPeriod,
    /// Places on all pages.
    pub total: u64,
    /// Those of this page.
    pub places: Vec<BoardPlace>,
    /// Figures about fewer users than so many are not told.
    pub k: u32,
}

/// A place on a leaderboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BoardPlace {
    /// The rank; those that do equally well share one.
    pub rank: u64,
    /// The name of the user or org.
    pub name: String,
    /// Users outside of the org who installed something, each once; nothing where that is withheld.
    pub consumers: Option<u64>,
    /// Users outside of the org who rated something, each once; nothing where that is withheld.
    pub raters: Option<u64>,
    /// The mean of what these rated, in which each of them counts once; nothing where there are none, or it is withheld.
    pub rating: Option<f64>,
    /// Figures about fewer users than so many are not told here: the most of the registry and of what is counted.
    #[serde(default)]
    pub k: u32,
}

/// `GET /api/v1/skills/{id}/dependencies`: what a version needs, and what that needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DependenciesResponse {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// Of which version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Skills on all pages.
    pub total: u64,
    /// Whether it is known of all of these versions what they need; of those of before the registry looked, it is not.
    pub complete: bool,
    /// Whether there are more than are looked at.
    pub truncated: bool,
    /// Those of this page, the nearest first.
    pub dependencies: Vec<Dependency>,
}

/// A skill that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dependency {
    /// The skill, as it is named where it is needed.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// How far away: 1 for what is needed at once.
    pub depth: u32,
    /// Who needs it, and which versions.
    pub wanted: Vec<Wanted>,
    /// The version that fits the first of these now; nothing where there is none, or no such skill.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub version: Option<Version>,
}

/// That a skill needs another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Wanted {
    /// Who needs it.
    pub by: String,
    /// Which versions will do.
    pub range: String,
}

/// `GET /api/v1/skills/{id}/dependents`: the skills whose latest version needs this one, and those that need these: what a
/// change of it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DependentsResponse {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// The version that may come, if one was named.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub version: Option<Version>,
    /// Skills on all pages.
    pub total: u64,
    /// How many of them need it directly.
    pub direct: u64,
    /// How many of these would take that version; nothing where none was named.
    pub accepting: Option<u64>,
    /// Installs of all of them together.
    pub installs: u64,
    /// Those of the last 28 days.
    pub recent_installs: u64,
    /// Whether there are more than are looked at.
    pub truncated: bool,
    /// Those of this page, the nearest first, of these the most installed.
    pub dependents: Vec<Dependent>,
}

/// A skill that needs another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dependent {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// Its latest version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// How far away: 1 for what needs it directly.
    pub depth: u32,
    /// What it needs of those that are nearer, and which versions.
    pub needs: Vec<Needed>,
    /// How often it was installed.
    pub installs: u64,
    /// Whether it would take the version that was named; nothing where none was, or it needs it by way of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts: Option<bool>,
}

/// What a dependent needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Needed {
    /// The skill.
    pub id: String,
    /// Which versions will do.
    pub range: String,
}

/// `GET /api/v1/skills/{id}/versions/{version}/health`: how sound a version is, by what can be looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HealthResponse {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// When it was published.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub published_at: Time,
    /// The score and its parts.
    #[serde(flatten)]
    pub health: Health,
}

/// `GET /api/v1/orgs/{namespace}/usage/settings`: what is told of how the skills of a namespace and below it are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamespaceInsight {
    /// Where.
    pub namespace: String,
    /// What it sets itself: figures about fewer users are withheld.
    pub k: Option<u32>,
    /// Whether it lets its skills count on leaderboards.
    pub leaderboards: bool,
    /// What holds: the most of the registry, of the namespaces above and of this one.
    pub effective_k: u32,
    /// Whether its skills count on leaderboards, as all of these let them.
    pub effective_leaderboards: bool,
}

/// `PUT /api/v1/orgs/{namespace}/usage/settings`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NamespaceInsightRequest {
    /// Figures about fewer users are withheld; what is above holds where it is left out. Not less than the registry has, at
    /// most 1,000.
    #[serde(default)]
    pub k: Option<u32>,
    /// Whether its skills count on leaderboards; they do when it is left out.
    #[serde(default = "yes")]
    pub leaderboards: bool,
}

fn yes() -> bool {
    true
}

/// `GET` and `PUT /api/v1/leaderboards/me`: whether the caller may be on leaderboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Whether that is so.
    pub listed: bool,
}
