//! Where a client keeps its things. The only place that knows their names.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::error::{Error, Result};
use crate::files::{self, Readers};

/// The variable that moves the home.
pub const HOME_VARIABLE: &str = "SKILLERY_HOME";

/// The folder of one user: configuration, keys, library and cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// `SKILLERY_HOME`, or `skillery` in the platform's data folder.
    pub fn locate() -> Result<Self> {
        if let Some(path) = std::env::var_os(HOME_VARIABLE).filter(|path| !path.is_empty()) {
            return std::path::absolute(path)
                .map(Self)
                .map_err(Error::disk(format!("find the folder that `{HOME_VARIABLE}` names")));
        }
        let strategy =
            etcetera::choose_base_strategy().map_err(Error::internal("find the home folder of this user"))?;
        Ok(Self(strategy.data_dir().join("skillery")))
    }

    /// This folder, whatever the environment says.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration.
    pub fn config_file(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The signing secrets.
    pub fn keys_file(&self) -> PathBuf {
        self.0.join("keys.toml")
    }

    /// What skills are granted when they run.
    pub fn policy_file(&self) -> PathBuf {
        self.0.join("policy.toml")
    }

    /// What running skills keeps between runs; all of it can be made again.
    pub fn runner_folder(&self) -> PathBuf {
        self.0.join("runner")
    }

    /// Runs of workflows.
    pub fn runs_folder(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// Workflows that were saved by name.
    pub fn workflows_folder(&self) -> PathBuf {
        self.0.join("workflows")
    }

    /// Packages that skills ask for, a folder for each set of them; all of it can be made again.
    pub fn environments_folder(&self) -> PathBuf {
        self.0.join("environments")
    }

    /// The installed skills.
    pub fn library_folder(&self) -> PathBuf {
        self.0.join("library")
    }

    /// What is known of how installed skills do.
    pub fn metrics_folder(&self) -> PathBuf {
        self.0.join("metrics")
    }

    /// What is known of the log of a registry.
    pub fn log_folder(&self, registry: &str) -> PathBuf {
        self.0.join("logs").join(files::name_of(registry))
    }

    /// What was placed for agents, for all projects of the user.
    pub fn agents_folder(&self) -> PathBuf {
        self.0.join("agents")
    }

    /// Which witnesses must have seen a log (c2sp.org/tlog-policy), unless the configuration names another file.
    pub fn witnesses_file(&self) -> PathBuf {
        self.0.join("witnesses.policy")
    }

    /// What was downloaded.
    pub fn cache_folder(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// Changes a policy, that of this home or another one. Its text goes in, empty where there is none, and what comes out is
    /// written, for its owner only. No other process changes one meanwhile.
    pub fn change_policy<E: From<Error>>(
        &self,
        file: &Path,
        change: impl FnOnce(&str) -> std::result::Result<String, E>,
    ) -> std::result::Result<(), E> {
        let _lock = self.lock()?;
        let text = match fs_err::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::disk(format!("read {}", file.display()))(error).into()),
        };
        let changed = change(&text)?;
        if changed != text {
            files::write_atomically(file, changed.as_bytes(), Readers::Owner)
                .map_err(Error::disk(format!("write {}", file.display())))?;
        }
        Ok(())
    }

    /// Makes the folder, for its owner only, and waits until no other process changes the configuration or the keys.
    pub(crate) fn lock(&self) -> Result<files::FileLock> {
        files::create_private_folder(&self.0).map_err(Error::disk(format!("make {}", self.0.display())))?;
        let path = self.0.join(".lock");
        files::lock(&path).map_err(Error::disk(format!("lock {}", path.display())))
    }
}
