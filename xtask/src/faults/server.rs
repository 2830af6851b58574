//! `skillery serve` as a program that things happen to.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use skillery_core::tlog::VerifierKey;

use crate::e2e::http::get_body;
use crate::guard::{Guarded, temporary_folder};
use crate::shell::Say;

/// How a registry is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// The built `skillery`.
    pub(crate) program: PathBuf,
    /// Its data folder.
    pub(crate) data: PathBuf,
    /// A program that starts it, with arguments; none for most.
    pub(crate) under: Vec<OsString>,
    /// Variables for it.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Launch {
    /// On this data folder, without anything else.
    pub(crate) fn new(program: &Path, data: &Path) -> Self {
        Self {
            program: program.to_owned(),
            data: data.to_owned(),
            under: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Begins to start it. What comes of that is not waited for.
    pub(crate) fn begin(&self) -> Result<Starting> {
        let outputs = temporary_folder("faults-server")?;
        let mut words = self.under.clone();
        words.push(self.program.clone().into());
        words.extend(["serve", "--json", "--listen", "127.0.0.1:0", "--data"].map(OsString::from));
        words.push(self.data.clone().into());
        let mut serve = Command::new(&words[0]);
        serve.args(&words[1..]).env_remove("SKILLERY_ADMIN_TOKEN").env_remove("SKILLERY_DATABASE");
        serve.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Whoever is killed has nothing more to say: the guard ends it in the same way.
        Ok(Starting { guard: Guarded::start(&serve, "KILL", &outputs)?, outputs })
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&self) -> Result<Server> {
        self.begin()?.ready()
    }

    /// Looks the stopped registry over, and gives what is wrong.
    pub(crate) fn doctor(&self) -> Result<()> {
        let mut doctor = Command::new(&self.program);
        doctor.args(["admin", "doctor", "--json", "--data"]).arg(&self.data);
        doctor.envs(self.environment.iter().map(|(name, value)| (name, value)));
        doctor.output_text().map(drop)
    }
}

/// A registry that may or may not come up.
pub(crate) struct Starting {
    guard: Guarded,
    outputs: PathBuf,
}

impl Starting {
    /// Waits until it answers.
    pub(crate) fn ready(self) -> Result<Server> {
        let started = self.guard.wait_for("the registry", || {
            serde_json::from_str::<Value>(&std::fs::read_to_string(self.outputs.join("out")).ok()?).ok()
        })?;
        let url =
            started.get("url").and_then(Value::as_str).context("the registry did not say its address")?;
        let address = url.strip_prefix("http://").context("the registry does not speak HTTP")?.parse()?;
        Ok(Server { address, guard: self.guard })
    }
}

/// A registry that answers. Dropping it is `kill -9`.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    guard: Guarded,
}

impl Server {
    /// The key of its log.
    pub(crate) fn key(&self) -> Result<VerifierKey> {
        let body: Value = serde_json::from_slice(&get_body(self.address, "/api/v1/log/key")?)?;
        let key = body.get("key").and_then(Value::as_str).context("the registry does not say its log key")?;
        key.parse().with_context(|| format!("`{key}` is no key"))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) -> bool {
        self.guard.signal(name)
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> &str {
        self.guard.process()
    }

    /// Whether its process is still there.
    pub(crate) fn is_running(&self) -> bool {
        self.guard.is_running()
    }

    /// `kill -9`, now. Its process is gone when this returns.
    pub(crate) fn kill(self) {
        self.signal("KILL");
    }

    /// Asks it to stop, and waits for that as long as a client would.
    pub(crate) fn stop(self) -> Result<()> {
        self.signal("TERM");
        for _ in 0..300 {
            if !self.guard.is_running() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        bail!("the registry did not stop when it was asked to")
    }
}

/// The admin token that the first start has left in the data folder.
pub(crate) fn admin_token(data: &Path) -> Result<String> {
    let file = data.join("admin-token");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    Ok(text.trim().to_owned())
}

/// Copies a data folder to where there may be one already.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    Command::new("cp").arg("-a").arg(from).arg(to).output_text().map(drop)
}
