//! Every setting of a witness.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skillery_core::tlog::{KeyKind, VerifierKey};

use crate::settings::{SettingsError, read_toml};

/// How a witness runs. `witness.toml` has the same names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WitnessSettings {
    /// Where everything is kept that the witness writes: its key, and what it remembers of each log.
    pub data: PathBuf,
    /// Where it listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// What stands before `/add-checkpoint` in its addresses; none: nothing.
    pub prefix: Option<String>,
    /// What the witness is called for ever, when its key is made: a URL without its scheme; none: a name made of a random
    /// number.
    pub name: Option<String>,
    /// The file with its key; none: `witness-key` in the data folder.
    pub key_file: Option<PathBuf>,
    /// The keys of the logs that it follows. A log may have several.
    pub logs: Vec<String>,
    /// Certificate chain in PEM. With `tls_key` the witness speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// Private key in PEM.
    pub tls_key: Option<PathBuf>,
    /// Seconds that a client gets for the head of a request.
    pub head_seconds: u64,
    /// Seconds that requests under way get at a stop.
    pub stop_seconds: u64,
}

impl Default for WitnessSettings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("skillery-witness"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8701)),
            prefix: None,
            name: None,
            key_file: None,
            logs: Vec::new(),
            tls_cert: None,
            tls_key: None,
            head_seconds: 15,
            stop_seconds: 10,
        }
    }
}

impl WitnessSettings {
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
        if self.prefix.as_ref().is_some_and(|prefix| !is_path(prefix.trim_matches('/'))) {
            return invalid("`prefix` is no path like `/witness`");
        }
        if self.log_keys()?.is_empty() {
            return invalid("a witness needs the key of a log to follow");
        }
        Ok(())
    }

    /// The keys of the logs.
    pub fn log_keys(&self) -> Result<Vec<VerifierKey>, SettingsError> {
        let mut ids = HashSet::new();
        let parse = |text: &String| {
            let invalid = |reason: String| SettingsError::Invalid(format!("the log `{text}`: {reason}"));
            let key: VerifierKey = text.trim().parse().map_err(|error| invalid(format!("{error}")))?;
            if key.kind() != KeyKind::Ed25519 {
                return Err(invalid("the key is not that of a log".to_owned()));
            }
            if !ids.insert((key.name().to_owned(), key.id())) {
                return Err(invalid("it is there twice".to_owned()));
            }
            Ok(key)
        };
        self.logs.iter().map(parse).collect()
    }

    /// What stands before all paths: nothing, or a slash and what follows, without one at the end.
    pub fn path(&self) -> String {
        match self.prefix.as_deref().map(|prefix| prefix.trim_matches('/')) {
            None | Some("") => String::new(),
            Some(prefix) => format!("/{prefix}"),
        }
    }

    /// The file with the key.
    pub fn key_file(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.data.join("witness-key"))
    }

    /// Where it notes which logs it has cosigned with the key: beside that, so that who moves the key without the rest of
    /// what is remembered is told.
    pub fn list_file(&self) -> PathBuf {
        let mut name = self.key_file().into_os_string();
        name.push(".logs");
        name.into()
    }
}

fn is_path(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._~/".contains(letter))
}
