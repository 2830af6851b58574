//! Which registry to talk to, and how: what the file says, overridden by the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use skillery_core::Namespace;
use skillery_core::tlog::{KeyError, VerifierKey};
use skillery_core::token::Secret;
use url::Url;

use crate::error::{Error, Result};
use crate::files::{self, Readers};
use crate::home::Home;
use crate::require::{Require, RequireError};

/// Where a registry listens that was started without any setting.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8700/";

/// How long a request may take when nothing is configured.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time limit: a day.
const MAX_TIMEOUT_SECONDS: f64 = 86_400.0;

/// How old the newest cosignatures of witnesses may be when nothing is configured: a day.
pub const DEFAULT_LOG_MAX_AGE: Duration = Duration::from_secs(86_400);

/// The longest such age: a year.
const MAX_AGE_SECONDS: u64 = 366 * 86_400;

/// The connection to one registry. `Debug` does not show the token.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The registry, without `/api/v1`.
    pub url: Url,
    /// Who is asking.
    pub token: Option<Secret>,
    /// The namespace of a skill that is published without one.
    pub org: Option<Namespace>,
    /// Install only what is signed: with the org's secret where one is known, else by an author.
    pub verify_signature: bool,
    /// How long a request may take, retries included.
    pub timeout: Duration,
    /// Whether a registry is told how often its skills are run here.
    pub share_usage: bool,
    /// What must be known of a version before it is installed.
    pub require: Require,
    /// The key that the registry's log is believed by; none: the one of the first contact.
    pub log_key: Option<VerifierKey>,
    /// The file of the SSH key to sign with; none: what is published is signed only on request.
    pub signing_key: Option<PathBuf>,
    /// The file that says which witnesses must have seen the log (c2sp.org/tlog-policy); none: the one of the home.
    pub log_policy: Option<PathBuf>,
    /// How old their cosignatures may be.
    pub log_max_age: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let url = Url::parse(DEFAULT_URL).unwrap_or_else(|_| unreachable!("the default URL is one"));
        Self {
            url,
            token: None,
            org: None,
            verify_signature: false,
            timeout: DEFAULT_TIMEOUT,
            share_usage: false,
            require: Require::default(),
            log_key: None,
            signing_key: None,
            log_policy: None,
            log_max_age: DEFAULT_LOG_MAX_AGE,
        }
    }
}

impl Config {
    /// The defaults, what the file of this home says, and what the environment says, each overriding the one before.
    pub fn load(home: &Home) -> Result<Self> {
        let file = ConfigLayer::read(home)?;
        let environment = ConfigLayer::environment()?;
        Ok(Self::default().with(&file).with(&environment))
    }

    /// This configuration, overridden by what the layer sets.
    #[must_use]
    pub fn with(mut self, layer: &ConfigLayer) -> Self {
        if let Some(url) = layer.url.as_ref().filter(|url| **url != self.url) {
            self.url = url.clone();
            // It is the key of the other registry.
            self.log_key = None;
        }
        if let Some(token) = &layer.token {
            self.token = Some(token.clone());
        }
        if let Some(org) = &layer.org {
            self.org = Some(org.clone());
        }
        if let Some(verify_signature) = layer.verify_signature {
            self.verify_signature = verify_signature;
        }
        if let Some(timeout) = layer.timeout {
            self.timeout = timeout;
        }
        if let Some(share_usage) = layer.share_usage {
            self.share_usage = share_usage;
        }
        if let Some(require) = layer.require {
            self.require = require;
        }
        if let Some(log_key) = &layer.log_key {
            self.log_key = Some(log_key.clone());
        }
        if let Some(signing_key) = &layer.signing_key {
            self.signing_key = Some(signing_key.clone());
        }
        if let Some(log_policy) = &layer.log_policy {
            self.log_policy = Some(log_policy.clone());
        }
        if let Some(log_max_age) = layer.log_max_age {
            self.log_max_age = log_max_age;
        }
        self
    }
}

/// What one source says; what it does not set is left to the others. `Debug` does not show the token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConfigLayer {
    /// The registry.
    pub url: Option<Url>,
    /// Who is asking.
    pub token: Option<Secret>,
    /// The namespace of a skill that is published without one.
    pub org: Option<Namespace>,
    /// Install only what is signed: with the org's secret where one is known, else by an author.
    pub verify_signature: Option<bool>,
    /// How long a request may take.
    pub timeout: Option<Duration>,
    /// Whether a registry is told how often its skills are run here.
    pub share_usage: Option<bool>,
    /// What must be known of a version before it is installed.
    pub require: Option<Require>,
    /// The key that the registry's log is believed by.
    pub log_key: Option<VerifierKey>,
    /// The file of the SSH key to sign with.
    pub signing_key: Option<PathBuf>,
    /// The file that says which witnesses must have seen the log (c2sp.org/tlog-policy); none: the one of the home.
    pub log_policy: Option<PathBuf>,
    /// How old their cosignatures may be.
    pub log_max_age: Option<Duration>,
}

impl ConfigLayer {
    /// What the file of this home says; nothing when there is no file.
    pub fn read(home: &Home) -> Result<Self> {
        let path = home.config_file();
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::disk("read the configuration")(error)),
        };
        Self::parse(&text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        // The parser's message repeats the line at fault, which may be the one with the token.
        let form: FileForm = toml::from_str(text).map_err(|error| Error::BadFile {
            path: path.display().to_string(),
            source: without_source_line(&error, text).into(),
        })?;
        let named = |name: &str| format!("`{name}` in {}", path.display());
        Ok(Self {
            url: form.url.map(|url| parse_url(&url, &named("url"))).transpose()?,
            token: form.token.map(|token| parse_token(&token, &named("token"))).transpose()?,
            org: form.org.map(|org| parse_org(&org, &named("org"))).transpose()?,
            verify_signature: form.verify_signature,
            timeout: form.timeout.map(|seconds| parse_timeout(seconds, &named("timeout"))).transpose()?,
            share_usage: form.share_usage,
            require: form.require.map(|words| parse_require(&words, &named("require"))).transpose()?,
            log_key: form.log_key.map(|key| parse_log_key(&key, &named("log_key"))).transpose()?,
            signing_key: form.signing_key,
            // A relative path is one beside the file.
            log_policy: form.log_policy.map(|file| path.parent().map_or(file.clone(), |at| at.join(&file))),
            log_max_age: form.log_max_age.map(|age| age.parse(&named("log_max_age"))).transpose()?,
        })
    }

    /// What the variables of this process say. An empty variable says nothing.
    pub fn environment() -> Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// What variables say, looked up by name.
    pub fn from_variables(look_up: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| {
                look_up(name)
                    .filter(|value| !value.trim().is_empty())
                    .map(|value| (format!("`{name}`"), value))
            })
        };
        Ok(Self {
            url: first(&["REGISTRY_URL", "SKILLERY_REGISTRY"])
                .map(|(name, url)| parse_url(&url, &name))
                .transpose()?,
            token: first(&["REGISTRY_TOKEN", "SKILLERY_TOKEN"])
                .map(|(name, token)| parse_token(&token, &name))
                .transpose()?,
            org: first(&["REGISTRY_ORG"]).map(|(name, org)| parse_org(&org, &name)).transpose()?,
            verify_signature: first(&["REGISTRY_VERIFY_SIGNATURE"])
                .map(|(name, word)| parse_bool(&word, &name))
                .transpose()?,
            timeout: None,
            share_usage: first(&["SKILLERY_SHARE_USAGE"])
                .map(|(name, word)| parse_bool(&word, &name))
                .transpose()?,
            require: first(&["SKILLERY_REQUIRE"])
                .map(|(name, words)| parse_require(&words, &name))
                .transpose()?,
            log_key: first(&["SKILLERY_LOG_KEY"])
                .map(|(name, key)| parse_log_key(&key, &name))
                .transpose()?,
            signing_key: first(&["SKILLERY_SIGNING_KEY"]).map(|(_, path)| PathBuf::from(path)),
            log_policy: first(&["SKILLERY_LOG_POLICY"])
                .map(|(name, path)| parse_path(&path, &name))
                .transpose()?,
            log_max_age: first(&["SKILLERY_LOG_MAX_AGE"])
                .map(|(name, age)| parse_age(&age, &name))
                .transpose()?,
        })
    }

    /// Changes the file of this home: what the closure leaves alone stays. The file is readable by its owner only.
    pub fn update(home: &Home, change: impl FnOnce(&mut Self)) -> Result<Self> {
        let _lock = home.lock()?;
        let mut layer = Self::read(home)?;
        change(&mut layer);
        layer.write(home)?;
        Ok(layer)
    }

    /// Sets one setting by its name in the file, or, without a value, leaves it to the others again. A token is not set
    /// like this: it is kept by signing in.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let what = format!("`{name}`");
        match name {
            "url" => self.url = value.map(|text| parse_url(text, &what)).transpose()?,
            "org" => self.org = value.map(|text| parse_org(text, &what)).transpose()?,
            "verify_signature" => {
                self.verify_signature = value.map(|text| parse_bool(text, &what)).transpose()?;
            }
            "share_usage" => self.share_usage = value.map(|text| parse_bool(text, &what)).transpose()?,
            "require" => self.require = value.map(|text| parse_require(text, &what)).transpose()?,
            "signing_key" => self.signing_key = value.map(PathBuf::from),
            "log_key" => self.log_key = value.map(|text| parse_log_key(text, &what)).transpose()?,
            "log_policy" => self.log_policy = value.map(|text| parse_path(text, &what)).transpose()?,
            "log_max_age" => self.log_max_age = value.map(|text| parse_age(text, &what)).transpose()?,
            "timeout" => {
                let seconds = |text: &str| text.trim().parse().unwrap_or(f64::NAN);
                self.timeout = value.map(|text| parse_timeout(seconds(text), &what)).transpose()?;
            }
            "token" => return Err(Error::invalid(what, "a token is kept with `skillery login`")),
            other => {
                let known = "`url`, `org`, `verify_signature`, `timeout`, `share_usage`, `require`, `log_key`, \
                             `log_policy`, `log_max_age`, `signing_key`";
                return Err(Error::invalid(
                    format!("`{}`", other.escape_debug()),
                    format!("the settings are {known}"),
                ));
            }
        }
        Ok(())
    }

    fn write(&self, home: &Home) -> Result<()> {
        let form = FileForm {
            url: self.url.as_ref().map(Url::to_string),
            token: self.token.as_ref().map(|token| token.expose().to_owned()),
            org: self.org.as_ref().map(ToString::to_string),
            verify_signature: self.verify_signature,
            timeout: self.timeout.map(|timeout| timeout.as_secs_f64()),
            share_usage: self.share_usage,
            require: self.require.map(|require| require.to_string()),
            log_key: self.log_key.as_ref().map(ToString::to_string),
            signing_key: self.signing_key.clone(),
            log_policy: self.log_policy.clone(),
            log_max_age: self.log_max_age.map(|age| AgeForm::Seconds(age.as_secs())),
        };
        let text = toml::to_string(&form).map_err(Error::internal("write the configuration as TOML"))?;
        files::write_atomically(&home.config_file(), text.as_bytes(), Readers::Owner)
            .map_err(Error::disk(format!("write {}", home.config_file().display())))
    }

    /// Whatever `other` sets, set here too.
    pub fn merge(&mut self, other: Self) {
        let Self { url, token, org, verify_signature, timeout, share_usage, require, .. } = other;
        let Self { log_key, log_policy, log_max_age, signing_key, .. } = other;
        self.url = url.or(self.url.take());
        self.token = token.or(self.token.take());
        self.org = org.or(self.org.take());
        self.verify_signature = verify_signature.or(self.verify_signature);
        self.timeout = timeout.or(self.timeout);
        self.share_usage = share_usage.or(self.share_usage);
        self.require = require.or(self.require);
        self.log_key = log_key.or(self.log_key.take());
        self.signing_key = signing_key.or(self.signing_key.take());
        self.log_policy = log_policy.or(self.log_policy.take());
        self.log_max_age = log_max_age.or(self.log_max_age);
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_signature: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_usage: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    require: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_policy: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_max_age: Option<AgeForm>,
}

/// An age: a number of seconds, or a text with a unit.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum AgeForm {
    Seconds(u64),
    Text(String),
}

impl AgeForm {
    fn parse(self, what: &str) -> Result<Duration> {
        match self {
            Self::Seconds(seconds) => parse_age(&seconds.to_string(), what),
            Self::Text(text) => parse_age(&text, what),
        }
    }
}

/// What a TOML parser said, with the number of the line instead of its text.
pub(crate) fn without_source_line(error: &toml::de::Error, text: &str) -> String {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map_or(1, |before| before.matches('\n').count() + 1);
    // The message may quote a value; only its kind is repeated here.
    let message =
        error.message().split(['`', '"']).next().unwrap_or_default().trim_end_matches([' ', ':', ',']);
    format!("line {line}: {message}")
}

/// Parses the address of a registry. `what` names the argument in the error.
pub fn parse_url(text: &str, what: &str) -> Result<Url> {
    let bad = |reason: &str| Err(Error::invalid(what, reason));
    let Ok(mut url) = Url::parse(text.trim()) else {
        return bad("it is not a URL such as `https://registry.example.com`");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return bad("a registry's URL begins with `http://` or `https://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("a URL with a user or password would show them; use a token");
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v1").unwrap_or(path).trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Parses a token: printable ASCII, as it goes into a header. `what` names the argument in the error.
pub fn parse_token(text: &str, what: &str) -> Result<Secret> {
    let token = text.trim();
    if token.is_empty() || !token.chars().all(|character| character.is_ascii_graphic()) {
        return Err(Error::invalid(what, "a token is printable ASCII without spaces"));
    }
    Ok(Secret::new(token))
}

/// Parses a namespace. `what` names the argument in the error.
pub fn parse_org(text: &str, what: &str) -> Result<Namespace> {
    text.trim().trim_end_matches('/').parse().map_err(|error| Error::invalid(what, format!("{error}")))
}

/// Parses what an installation demands. `what` names the argument in the error.
pub fn parse_require(text: &str, what: &str) -> Result<Require> {
    text.parse().map_err(|error: RequireError| Error::invalid(what, error.to_string()))
}

/// Parses the public key of a log. `what` names the argument in the error.
pub fn parse_log_key(text: &str, what: &str) -> Result<VerifierKey> {
    text.trim().parse().map_err(|error: KeyError| Error::invalid(what, error.to_string()))
}

/// Parses a number of seconds, more than 0 and at most a day. `what` names the argument in the error.
pub fn parse_timeout(seconds: f64, what: &str) -> Result<Duration> {
    if seconds > 0.0 && seconds <= MAX_TIMEOUT_SECONDS {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(Error::invalid(what, "a timeout is a number of seconds, more than 0 and at most 86400"))
    }
}

/// Parses an age: a number of seconds, or one with `s`, `m`, `h` or `d` behind it; at least a second and at most a year.
/// `what` names the argument in the error.
pub fn parse_age(text: &str, what: &str) -> Result<Duration> {
    let text = text.trim();
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = match text[digits.len()..].trim() {
        "" | "s" => Some(1_u64),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    match number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit)) {
        Some(seconds) if (1..=MAX_AGE_SECONDS).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(Error::invalid(
            what,
            "an age is a number of seconds, or like `10m`, `24h`, `7d`; at most `366d`",
        )),
    }
}

/// Parses the path of a file, and makes it one that does not depend on the working folder. `what` names the argument in
/// the error.
pub fn parse_path(text: &str, what: &str) -> Result<PathBuf> {
    std::path::absolute(text.trim()).map_err(|error| Error::invalid(what, error.to_string()))
}

/// Parses a switch. `what` names the argument in the error.
pub fn parse_bool(text: &str, what: &str) -> Result<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Error::invalid(what, "it is neither `true` nor `false`")),
    }
}
