//! What commands that run until they are asked to stop have in common: their log, how they end, and why they cannot begin.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::failure::{Exit, Failure};
use crate::interrupt;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    Text,
    Json,
}

/// Writes the log on stderr from now on.
pub(crate) fn start_log(form: LogForm, level: &str) -> Result<(), Failure> {
    // A single word sets the level of the registry; libraries say only what is wrong.
    let filter = match level {
        level @ ("error" | "warn" | "info" | "debug" | "trace") => {
            // That a host has asked for what there is not is no matter of the operator's.
            format!("warn,rmcp=error,skillery={level},skillery_server={level}")
        }
        filter => filter.to_owned(),
    };
    let filter = EnvFilter::try_new(&filter)
        .map_err(|error| Failure::usage(format!("`{level}` is no log level and no filter")).cause(&error))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match form {
        LogForm::Text => subscriber.with_ansi(false).try_init(),
        LogForm::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::new(Exit::Failed, "log-error", format!("cannot start the log: {error}")))
}

/// Is done when the program is asked to stop.
pub(crate) fn stop() -> impl Future<Output = ()> {
    let interrupted = interrupt::listen();
    async {
        interrupted.await;
        // Whoever asks twice does not want to wait for requests under way. Nothing acknowledged is lost by it.
        let again = interrupt::listen();
        tokio::spawn(async {
            again.await;
            std::process::exit(Exit::Interrupted.number().into());
        });
    }
}

/// Why it cannot serve, at this address.
pub(crate) fn failure(error: &(dyn Error + 'static), listen: SocketAddr) -> Failure {
    let failure =
        Failure::new(Exit::Failed, "serve-error", format!("cannot serve: {error}")).cause_behind(error);
    match root_kind(error) {
        Some(io::ErrorKind::AddrInUse) => {
            failure.hint(format!("something listens on {listen} already; choose another with `--listen`"))
        }
        Some(io::ErrorKind::PermissionDenied) => {
            failure.hint("check who may write to the data folder, and listen on ports below 1024")
        }
        _ => failure,
    }
}

fn root_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.filter_map(|error| error.downcast_ref::<io::Error>()).last().map(io::Error::kind)
}

/// The path from the root, as it is shown.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
