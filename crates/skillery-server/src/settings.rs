//! Every setting of the server, in one struct.
//!
//! The command line fills it from flags, the environment and `skillery.toml`; nothing else reads any of them.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use skillery_core::Limits;
use skillery_core::tlog::{KeyKind, VerifierKey};
use skillery_core::token::Secret;
use url::Url;

use crate::oidc::{LoginProvider, TrustedIssuer};

/// Who makes orgs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamespacePolicy {
    /// The first publisher in an org that nobody owns becomes its owner.
    #[default]
    Open,
    /// Only admins of the registry make orgs.
    Managed,
}

/// A witness of the registry's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogWitness {
    /// Where it is: what stands before `/add-checkpoint` (c2sp.org/tlog-witness).
    pub url: Url,
    /// Its public key, of the kind for cosignatures.
    pub key: String,
}

/// Which protocols of others the registry speaks. All are on unless they are switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Surfaces {
    /// Well-known discovery of Agent Skills, and `/api/search`: `npx skills`, OpenCode.
    pub discovery: bool,
    /// `/{namespace}/marketplace.json`: Claude Code.
    pub marketplace: bool,
    /// `/{namespace}/all.git` and `/{namespace}/{skill}.git`: whatever clones.
    pub git: bool,
    /// `/clawhub`: the `clawhub` program.
    pub clawhub: bool,
    /// `/mcp`: hosts of the Model Context Protocol.
    pub mcp: bool,
    /// `/apm`: clients of OpenAPM.
    pub openapm: bool,
}

impl Default for Surfaces {
    fn default() -> Self {
        Self { discovery: true, marketplace: true, git: true, clawhub: true, mcp: true, openapm: true }
    }
}

/// Where the audit is sent, besides being kept. There is no `Debug`: it may hold a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditStream {
    /// What the database remembers it by: where it goes on after a start, whatever `to` says then.
    pub name: String,
    /// `udp://host:514`, `tcp://host:514` or `unix:/dev/log` for syslog, `https://…` for a webhook.
    pub to: Url,
    /// What a webhook's requests are signed with, 32 or more characters.
    #[serde(default, skip_serializing)]
    pub secret: Option<String>,
    /// Whether a webhook may be at an address of a private network.
    #[serde(default)]
    pub allow_private: bool,
}

/// How long the audit remembers what, and who else is told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// Days that what was refused is kept.
    pub denied_days: u32,
    /// Rows of what was refused that are kept at most; the oldest go first.
    pub denied_rows: i64,
    /// Days after which addresses and names of clients are forgotten; 0: never.
    pub address_days: u32,
    /// Where it is sent.
    pub streams: Vec<AuditStream>,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { denied_days: 90, denied_rows: 1_000_000, address_days: 0, streams: Vec::new() }
    }
}

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// From the first byte (port 465).
    Implicit,
    /// After `STARTTLS`, without which nothing is sent (port 587).
    Starttls,
    /// Not at all (port 25): what is mailed, and the password, can be read on the way.
    None,
}

/// What is told of how skills are used, and for how long days are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InsightSettings {
    /// Days for which installs are kept by day. Weeks and months are kept for ever.
    pub keep_days: u32,
    /// Days after their last download of a version for which it is known that a user has installed it; 0: for ever.
    pub keep_user_days: u32,
    /// Figures about fewer users than so many are told to nobody but admins of the namespace, and on leaderboards to nobody; 1
    /// withholds nothing.
    pub k: u32,
    /// Whether there are leaderboards.
    pub leaderboards: bool,
}

impl Default for InsightSettings {
    fn default() -> Self {
        Self { keep_days: 400, keep_user_days: 0, k: 1, leaderboards: true }
    }
}

/// The fewest days for which installs are kept: two months, which are compared.
const LEAST_DAYS: u32 = 62;

/// How the server runs. `skillery.toml` has the same names. There is no `Debug`: the database's URL may hold a
/// password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where everything is kept that this server writes: database, contents, index, keys.
    pub data: PathBuf,
    /// Where it listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// `postgres://…`; none: SQLite in the data folder.
    pub database: Option<String>,
    /// The folder of contents; none: `blobs` in the data folder. Several servers share one.
    pub blobs: Option<PathBuf>,
    /// How the registry is reached from outside, where a proxy stands before it.
    pub public_url: Option<Url>,
    /// Certificate chain in PEM. With `tls_key` the server speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// Private key in PEM.
    pub tls_key: Option<PathBuf>,
    /// Who makes orgs.
    pub namespaces: NamespacePolicy,
    /// Whether callers without a token may look at public skills.
    pub anonymous_reads: bool,
    /// The admin token, 32 or more characters; none: made at the first start.
    #[serde(skip)]
    pub admin_token: Option<Secret>,
    /// The file with the key that encrypts secrets at rest; none: `secret-key` in the data folder. Several servers
    /// on one database share one.
    pub secret_key_file: Option<PathBuf>,
    /// The file with the key that signs the log; none: `log-key` in the data folder. Several servers on one database
    /// share one.
    pub log_key_file: Option<PathBuf>,
    /// What the log is called for ever, when its key is made; none: the public URL without its scheme and with `/log/v1`,
    /// or a name made of a random number.
    pub log_origin: Option<String>,
    /// Who is asked to cosign the log.
    pub witnesses: Vec<LogWitness>,
    /// How many of them must have cosigned a checkpoint for it to count as witnessed; none: more than half.
    pub witness_quorum: Option<usize>,
    /// Minutes after which they are asked for a fresh cosignature if the log has not grown.
    pub witness_minutes: u32,
    /// Origins whose pages may call the API from a browser; `*` for all. Empty: none.
    pub cors_origins: Vec<String>,
    /// Whether `X-Forwarded-For` is believed; only behind a proxy that sets it.
    pub trust_forwarded: bool,
    /// Seconds that requests under way get at a stop.
    pub stop_seconds: u64,
    /// Database connections for reading.
    pub read_connections: u32,
    /// Megabytes of ready answers to keep in memory.
    pub cache_megabytes: u64,
    /// Hours that content without a version is kept before it is collected.
    pub orphan_hours: u64,
    /// Issuers of identity tokens whose builds namespaces may trust to publish. Empty: none.
    pub oidc_issuers: Vec<TrustedIssuer>,
    /// Where people sign in; none: with tokens only.
    pub oidc_login: Option<LoginProvider>,
    /// Which protocols of others it speaks.
    pub surfaces: Surfaces,
    /// How long the audit remembers what, and who else is told.
    pub audit: AuditSettings,
    /// The mail server; none: no mail is sent.
    pub smtp_host: Option<String>,
    /// Its port; none: 465, 587 or 25, as `smtp_tls` says.
    pub smtp_port: Option<u16>,
    /// How the connection to it is encrypted; none: by `STARTTLS`, or where it is on this machine not at all.
    pub smtp_tls: Option<SmtpTls>,
    /// Certificates (PEM) that are trusted for it besides the system's.
    pub smtp_ca_file: Option<PathBuf>,
    /// The name to sign in to it by; none: without.
    pub smtp_user: Option<String>,
    /// The password to sign in to it by.
    #[serde(skip)]
    pub smtp_password: Option<Secret>,
    /// The file with that password.
    pub smtp_password_file: Option<PathBuf>,
    /// Whom mail is from: `skills@example.org`, or `Skills <skills@example.org>`.
    pub mail_from: Option<String>,
    /// The hour, in UTC, after which digests are mailed; those of a week on Monday.
    pub digest_hour: u8,
    /// Days that notifications are kept after they were read; unread ones are kept four times as long.
    pub notification_days: u32,
    /// Networks, as `10.1.0.0/16`, into which webhooks may lead although they are private.
    pub outbound_allow: Vec<IpNet>,
    /// What is told of how skills are used.
    pub insight: InsightSettings,
    /// All limits on input.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("skillery-data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8700)),
            database: None,
            blobs: None,
            public_url: None,
            tls_cert: None,
            tls_key: None,
            namespaces: NamespacePolicy::Open,
            anonymous_reads: true,
            admin_token: None,
            secret_key_file: None,
            log_key_file: None,
            log_origin: None,
            witnesses: Vec::new(),
            witness_quorum: None,
            witness_minutes: 10,
            cors_origins: Vec::new(),
            trust_forwarded: false,
            stop_seconds: 20,
            read_connections: 4,
            cache_megabytes: 128,
            orphan_hours: 24,
            oidc_issuers: Vec::new(),
            oidc_login: None,
            surfaces: Surfaces::default(),
            audit: AuditSettings::default(),
            smtp_host: None,
            smtp_port: None,
            smtp_tls: None,
            smtp_ca_file: None,
            smtp_user: None,
            smtp_password: None,
            smtp_password_file: None,
            mail_from: None,
            digest_hour: 6,
            notification_days: 90,
            outbound_allow: Vec::new(),
            insight: InsightSettings::default(),
            limits: Limits::default(),
        }
    }
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is not there, or not readable.
    #[error("cannot read the settings in `{path}`", path = .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has a name or value that is not known.
    #[error("the settings in `{path}` are not valid", path = .path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// Two settings do not go together, or one is out of range.
    #[error("{0}")]
    Invalid(String),
}

impl Settings {
    /// The defaults, with what `file` says in their place.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        read_toml(file)
    }

    /// Whether the settings go together.
    pub fn check(&self) -> Result<(), SettingsError> {
        let invalid = |text: &str| Err(SettingsError::Invalid(text.to_owned()));
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return invalid("`tls_cert` and `tls_key` need each other");
        }
        if self.admin_token.as_ref().is_some_and(|token| token.expose().len() < 32) {
            return invalid("the admin token has less than 32 characters");
        }
        if self.database.as_ref().is_some_and(|url| !is_postgres(url)) {
            return invalid("`database` is no `postgres://` URL; leave it out for SQLite in the data folder");
        }
        let is_origin = |origin: &String| {
            origin == "*" || Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin)
        };
        if let Some(wrong) = self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(SettingsError::Invalid(format!(
                "`cors_origins` has `{wrong}`, which is no origin like `https://example.org`"
            )));
        }
        let witnesses = self.witness_keys()?.len();
        if self.witness_quorum.is_some_and(|quorum| quorum == 0 || quorum > witnesses) {
            return Err(SettingsError::Invalid(format!(
                "`witness_quorum` is not from 1 to the number of `witnesses`, {witnesses}"
            )));
        }
        if self.witness_minutes == 0 {
            return invalid("`witness_minutes` must be at least 1");
        }
        if self.insight.keep_days < LEAST_DAYS {
            return Err(SettingsError::Invalid(format!(
                "`keep_days` in `[insight]` must be at least {LEAST_DAYS}"
            )));
        }
        if (1..LEAST_DAYS).contains(&self.insight.keep_user_days) {
            return Err(SettingsError::Invalid(format!(
                "`keep_user_days` in `[insight]` must be 0, for ever, or at least {LEAST_DAYS}"
            )));
        }
        if self.read_connections == 0 {
            return invalid("`read_connections` must be at least 1");
        }
        if self.limits.page_rows == 0 || self.limits.default_page_rows == 0 {
            return invalid("a page must have at least one row");
        }
        crate::notify::check_settings(self).map_err(SettingsError::Invalid)?;
        crate::audit::check_settings(&self.audit).map_err(SettingsError::Invalid)?;
        crate::oidc::check_settings(self)
    }

    /// The folder of contents.
    pub fn blob_folder(&self) -> PathBuf {
        self.blobs.clone().unwrap_or_else(|| self.data.join("blobs"))
    }

    /// The folder of the contents' journal: this server's own, wherever the contents are.
    pub fn journal_folder(&self) -> PathBuf {
        self.data.join("journal")
    }

    /// The file of the embedded database.
    pub fn sqlite_file(&self) -> PathBuf {
        self.data.join("registry.sqlite")
    }

    /// The folder of the search index.
    pub fn index_folder(&self) -> PathBuf {
        self.data.join("index")
    }

    /// Where the admin token of the first start is kept.
    pub fn admin_token_file(&self) -> PathBuf {
        self.data.join("admin-token")
    }

    /// The key that signs the log.
    pub fn log_key_file(&self) -> PathBuf {
        self.log_key_file.clone().unwrap_or_else(|| self.data.join("log-key"))
    }

    /// What the log is called when its key is made.
    pub fn log_origin(&self) -> Option<String> {
        self.log_origin.clone().or_else(|| {
            let url = self.public_url.as_ref()?;
            let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
            let origin = format!("{}{port}{}/log/v1", url.host_str()?, url.path().trim_end_matches('/'));
            // An address that has more than a name of a log can have gives it none.
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".:/_-".contains(letter);
            Some(origin).filter(|origin| origin.chars().all(is_plain))
        })
    }

    /// The keys of the witnesses, in their order.
    pub fn witness_keys(&self) -> Result<Vec<VerifierKey>, SettingsError> {
        let mut ids = HashSet::new();
        let parse = |witness: &LogWitness| {
            let invalid = |reason: String| {
                SettingsError::Invalid(format!("`witnesses` has `{}`: {reason}", witness.key))
            };
            let key: VerifierKey = witness.key.parse().map_err(|error| invalid(format!("{error}")))?;
            if key.kind() != KeyKind::CosignatureV1 {
                return Err(invalid("the key is not one for cosignatures".to_owned()));
            }
            if !matches!(witness.url.scheme(), "http" | "https") {
                return Err(invalid(format!("`{}` is no address of a witness", witness.url)));
            }
            if !ids.insert((key.name().to_owned(), key.id())) {
                return Err(invalid("it is there twice".to_owned()));
            }
            Ok(key)
        };
        self.witnesses.iter().map(parse).collect()
    }

    /// How many witnesses must have cosigned a checkpoint.
    pub fn quorum(&self) -> usize {
        // Two quorums of more than half have a witness in common, which would have to be part of a fraud.
        self.witness_quorum.unwrap_or(self.witnesses.len() / 2 + 1)
    }

    /// The newest checkpoint that this server has answered.
    pub fn seen_file(&self) -> PathBuf {
        self.data.join("log-checkpoint")
    }

    /// The key that encrypts secrets at rest.
    pub fn secret_key_file(&self) -> PathBuf {
        self.secret_key_file.clone().unwrap_or_else(|| self.data.join("secret-key"))
    }
}

/// The defaults, with what a file says in their place.
pub(crate) fn read_toml<T: Default + serde::de::DeserializeOwned>(
    file: Option<&Path>,
) -> Result<T, SettingsError> {
    let Some(path) = file else { return Ok(T::default()) };
    let text = fs_err::read_to_string(path)
        .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| SettingsError::Parse { path: path.to_owned(), source: Box::new(source) })
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}
