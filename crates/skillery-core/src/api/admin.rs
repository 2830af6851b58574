//! How a registry goes and how it is set, for its admins.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// `GET /api/v1/admin/jobs`: what runs beside requests, on the server that answers, and what waits on all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobsResponse {
    /// When this was so.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Time,
    /// Why the registry does not answer as it should; nothing where it does.
    pub trouble: Option<String>,
    /// Entries of the log.
    pub size: u64,
    /// Who follows the log.
    pub followers: Vec<LogFollower>,
    /// Streams that the audit is sent to.
    pub streams: Vec<StreamLag>,
    /// What is sent to users and webhooks.
    pub sent: Vec<SentCount>,
    /// The newest 20 mails that are dead.
    pub dead_mail: Vec<DeadMail>,
    /// Everything that runs on this server, by name.
    pub jobs: Vec<JobCourse>,
}

/// How far somebody is who follows the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogFollower {
    /// `search index` of this server, `notifications`, or `witness` and the name of its key.
    pub name: String,
    /// Entries that it has.
    pub position: u64,
}

/// How much a stream of the audit has still to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StreamLag {
    /// Its name in the settings.
    pub name: String,
    /// Rows that wait; counted up to 100,000.
    pub rows: u64,
    /// Since when the oldest of them waits.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub oldest_at: Option<Time>,
}

/// How much of one way waits to be sent, and how much is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SentCount {
    /// `mail` or `webhooks`.
    pub way: String,
    /// How much waits.
    pub waiting: u64,
    /// How much is dead: it is tried no more.
    pub dead: u64,
}

/// A mail that is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeadMail {
    /// The name of the user whose it was.
    pub user: String,
    /// What it told of, in a word.
    pub kind: String,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Time,
    /// Why.
    pub why: String,
}

/// How something goes that runs beside requests, since this server has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobCourse {
    /// As it is called.
    pub name: String,
    /// What it does.
    pub what: String,
    /// Turns that it has taken.
    pub turns: u64,
    /// When the last one ended.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub last_at: Option<Time>,
    /// Whether the last turn failed, of any of its parts.
    pub failing: bool,
    /// Which parts of it fail, where it has several.
    pub failing_parts: Vec<String>,
    /// The last turn that failed, before others one of what fails now.
    pub last_error: Option<JobError>,
}

/// A turn that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobError {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Time,
    /// Why.
    pub why: String,
}

/// `GET /api/v1/admin/settings`: how the server that answers is set. Files, passwords and keys are not among it; of some it is told whether
/// they are set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsResponse {
    /// Settings in force.
    pub settings: Vec<Setting>,
    /// Every limit.
    pub limits: Vec<LimitSetting>,
}

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Setting {
    /// Its name in `skillery.toml`, behind that of its table: `insight.k`. `audit.streams`, `database`, `surfaces`, `oidc_issuers`,
    /// `oidc_login`, `tls` and `witnesses` tell in a word or two what is set; `oidc_login.client_secret`, `smtp_ca_file`, `smtp_password` and
    /// `smtp_user` whether something is.
    pub name: String,
    /// Its value; nothing where it is not set.
    pub value: Option<SettingValue>,
    /// What it means.
    pub what: String,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SettingValue {
    /// Whether something is on.
    Switch(bool),
    /// How many, or how much.
    Number(u64),
    /// A word or an address.
    Text(String),
    /// Several of these.
    List(Vec<String>),
}

/// A limit in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitSetting {
    /// Its name below `[limits]`.
    pub name: String,
    /// Its value: bytes, Unicode code points, seconds, or how many.
    pub value: u64,
    /// What it bounds.
    pub what: String,
}

impl Setting {
    /// Its value as people read it.
    pub fn told(&self) -> String {
        match &self.value {
            None => "none".to_owned(),
            Some(SettingValue::Switch(true)) => "yes".to_owned(),
            Some(SettingValue::Switch(false)) => "no".to_owned(),
            Some(SettingValue::Number(number)) => number.to_string(),
            Some(SettingValue::Text(text)) => text.clone(),
            Some(SettingValue::List(items)) if items.is_empty() => "none".to_owned(),
            Some(SettingValue::List(items)) => items.join(", "),
        }
    }
}
