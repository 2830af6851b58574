//! Where the attempts of a run are made: here, or on the machines of a cluster. Everything else of a run, its order, its retries
//! and its events, stays here and is the same.

use std::str::FromStr;

use crate::interpreter::Interpreter;

/// Where attempts are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Executor {
    /// In workers of this machine.
    #[default]
    Here,
    /// In workers of the machines of a Dask cluster.
    Dask(Cluster),
}

/// A Dask cluster, and how to speak with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its scheduler, as Dask writes it: `tcp://host:port` or `tls://host:port`.
    pub scheduler: SchedulerAddress,
    /// A Python that has the package `skillery` of this version, and `distributed`.
    pub python: Interpreter,
}

/// The address of a scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerAddress(String);

/// Why attempts cannot be made elsewhere. Nothing has run then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// It is not written as an executor.
    #[error("`{0}` is no executor")]
    Unknown(String),
    /// The process that speaks with the cluster does not begin.
    #[error("the bridge to Dask does not start with `{python}`: {what}")]
    Bridge {
        /// The interpreter.
        python: String,
        /// What it did.
        what: String,
    },
    /// The scheduler does not answer.
    #[error("the Dask scheduler at `{scheduler}` cannot be reached: {what}")]
    Unreachable {
        /// Its address.
        scheduler: String,
        /// Why.
        what: String,
    },
    /// There is nobody to run anything.
    #[error("the Dask scheduler at `{0}` has no workers")]
    NoWorkers(String),
    /// A worker that cannot make attempts.
    #[error("the Dask worker `{worker}` cannot run skills: {what}")]
    Worker {
        /// Its address.
        worker: String,
        /// Why.
        what: String,
    },
    /// What runs there is of another version.
    #[error("{place} has version {theirs} of `skillery`, and this is version {ours}")]
    Version {
        /// Where.
        place: String,
        /// The version there.
        theirs: String,
        /// The version here.
        ours: String,
    },
}

impl ExecutorError {
    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "write `dask://host:port`, the address of a Dask scheduler",
            Self::Bridge { .. } => {
                "install `skillery` and `distributed` for that Python, or name another with `--executor-python`"
            }
            Self::Unreachable { .. } => "start it with `dask scheduler`, or check the address",
            Self::NoWorkers(_) => "start some with `dask worker` on machines that can run skills",
            Self::Worker { .. } => "install `skillery` for the Python that the workers run with",
            Self::Version { .. } => "install the same version of `skillery` everywhere",
        }
    }
}

impl SchedulerAddress {
    /// The address, as Dask writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SchedulerAddress {
    type Err = ExecutorError;

    /// From `dask://host:port`, or as Dask writes it.
    fn from_str(text: &str) -> Result<Self, ExecutorError> {
        let unknown = || ExecutorError::Unknown(crate::template::cut(text));
        let (scheme, place) = text.split_once("://").ok_or_else(unknown)?;
        let scheme = match scheme {
            "dask" | "tcp" => "tcp",
            "tls" => "tls",
            _ => return Err(unknown()),
        };
        let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or_else(unknown)?;
        let is_host = !host.is_empty()
            && host
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || ".-_:[]".contains(character));
        match port.parse::<u16>() {
            Ok(port) if is_host && port > 0 => Ok(Self(format!("{scheme}://{host}:{port}"))),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parsed = |text: &str| text.parse::<SchedulerAddress>().map(|address| address.0);
        assert_eq!(parsed("dask://127.0.0.1:8786").unwrap(), "tcp://127.0.0.1:8786");
        assert_eq!(parsed("tcp://[::1]:8786/").unwrap(), "tcp://[::1]:8786");
        assert_eq!(parsed("tls://scheduler.example.com:8786").unwrap(), "tls://scheduler.example.com:8786");
        for bad in [
            "",
            "dask",
            "local",
            "dask://",
            "dask://host",
            "dask://:1",
            "dask://h:0",
            "ray://h:1",
            "dask://a b:1",
        ] {
            assert_eq!(parsed(bad).unwrap_err().to_string(), format!("`{bad}` is no executor"));
        }
    }
}
