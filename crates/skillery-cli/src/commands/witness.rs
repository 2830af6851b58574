//! `skillery witness`: runs a witness of transparency logs, and shows its key.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_core::tlog::VerifierKey;
use skillery_server::{WitnessReady, WitnessSettings};

use super::serving::{self, LogForm, absolute};
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::Line;
use crate::session::Session;
use crate::settings::{default_folder, find_file, not_valid, replace};

const FILE_NAME: &str = "witness.toml";

/// Arguments of `witness`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery witness key                               the key that others believe it by
  skillery witness serve --log registry.example.com/log/v1+0a1b2c3d+AZ...")]
pub(crate) struct WitnessArgs {
    #[command(subcommand)]
    command: WitnessCommand,
}

#[derive(Debug, Subcommand)]
enum WitnessCommand {
    /// Cosign the checkpoints of logs that only ever grew, until asked to stop
    #[command(after_help = "\
Examples:
  skillery witness serve --log registry.example.com/log/v1+0a1b2c3d+AZ...
  skillery witness serve --data ./witness --listen 0.0.0.0:8701 --name witness.example.com/w1
  skillery witness serve --config witness.toml --log-form json

It speaks `add-checkpoint` of c2sp.org/tlog-witness; any log that does may ask. Run it apart from \
the registry, by somebody else if possible: it is worth what it would cost to corrupt both. The key \
of a registry's log is what `/api/v1/log/key` answers. The options can stand in `witness.toml` too, \
by their names with `_` for `-` and the logs as a list `logs`; an option wins over a variable, a \
variable over the file, and logs from both are followed.")]
    Serve(Box<ServeArgs>),
    /// Print the public key of the witness, made if there is none
    #[command(after_help = "\
Examples:
  skillery witness key
  skillery witness key --data ./witness --name witness.example.com/w1")]
    Key {
        #[command(flatten)]
        own: OwnArgs,
    },
}

/// What is its own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
struct OwnArgs {
    /// The folder of its key and of what it remembers [default: `skillery/witness` in the platform's data folder]
    #[arg(long, value_name = "DIR", env = "SKILLERY_WITNESS_DATA", hide_env_values = true)]
    data: Option<PathBuf>,

    /// A file with settings [default: `witness.toml` in the data folder, or beside it]
    #[arg(long, value_name = "FILE", env = "SKILLERY_WITNESS_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,

    /// Call it this for ever, when its key is made: an address without its scheme
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The file of its key [default: `witness-key` in the data folder]
    #[arg(long, value_name = "FILE", env = "SKILLERY_WITNESS_KEY_FILE", hide_env_values = true)]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    own: OwnArgs,

    /// Follow the log with this public key (repeatable)
    #[arg(long = "log", value_name = "KEY", help_heading = "Server")]
    logs: Vec<String>,

    /// Listen here; port 0 takes a free one [default: 127.0.0.1:8701]
    #[arg(long, value_name = "ADDRESS", env = "SKILLERY_WITNESS_LISTEN", hide_env_values = true)]
    #[arg(help_heading = "Server")]
    listen: Option<SocketAddr>,

    /// What stands before `/add-checkpoint` in its addresses
    #[arg(long, value_name = "PATH", help_heading = "Server")]
    prefix: Option<String>,

    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    tls_key: Option<PathBuf>,

    /// Write the log on stderr as lines for people, or as one JSON object a line
    #[arg(long, value_name = "FORM", env = "SKILLERY_LOG", hide_env_values = true, default_value = "text")]
    #[arg(help_heading = "Log")]
    log_form: LogForm,

    /// Log this much: `error`, `warn`, `info`, `debug`, `trace`, or a filter
    #[arg(long, value_name = "LEVEL", env = "SKILLERY_LOG_LEVEL", hide_env_values = true)]
    #[arg(help_heading = "Log", default_value = "info")]
    log_level: String,
}

/// What is printed when the witness answers.
#[derive(Debug, Serialize)]
struct Started {
    url: String,
    key: String,
    logs: Vec<String>,
    data: PathBuf,
    config: Option<PathBuf>,
}

/// A key as programs read it.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    key: String,
    fingerprint: String,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &WitnessArgs) -> CommandResult {
    match &args.command {
        WitnessCommand::Serve(args) => serve(session, args).await,
        WitnessCommand::Key { own } => {
            let (settings, _) = load(own)?;
            let key = skillery_server::witness_key(&settings).map_err(|error| {
                Failure::new(Exit::Failed, "witness-key", error.to_string()).cause_behind(&error)
            })?;
            let shown =
                Shown { name: key.name().to_owned(), key: key.to_string(), fingerprint: key.fingerprint() };
            session.output.show(&shown, |page| page.text(&shown.key))?;
            Ok(Exit::Done)
        }
    }
}

async fn serve(session: &Session, args: &ServeArgs) -> CommandResult {
    serving::start_log(args.log_form, &args.log_level)?;
    let (mut settings, config) = load(&args.own)?;
    for log in &args.logs {
        // A log that is in the file and named here is followed once.
        if !settings.logs.contains(log) {
            settings.logs.push(log.clone());
        }
    }
    replace(&mut settings.prefix, &args.prefix);
    replace(&mut settings.tls_cert, &args.tls_cert);
    replace(&mut settings.tls_key, &args.tls_key);
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    settings.check().map_err(|error| not_valid(&error))?;
    let (listen, data) = (settings.listen, absolute(&settings.data));
    let config = config.as_deref().map(absolute);
    let on_ready = |ready: &WitnessReady| announce(session, ready, data, config);
    skillery_server::serve_witness(settings, on_ready, serving::stop())
        .await
        .map_err(|error| serving::failure(&error, listen))?;
    Ok(Exit::Done)
}

fn announce(session: &Session, ready: &WitnessReady, data: PathBuf, config: Option<PathBuf>) {
    let logs = ready.logs.iter().map(VerifierKey::to_string).collect();
    let started = Started { url: ready.url.clone(), key: ready.key.to_string(), logs, data, config };
    // Whoever started it may have closed its output; it serves all the same.
    let _ = session.output.show_line(&started, |page| {
        page.line(Line::default().plain("the witness listens on ").name(&started.url));
        page.blank();
        page.field("key", &started.key);
        for log in &started.logs {
            page.field("log", log);
        }
        page.field("data", started.data.display().to_string());
        if let Some(config) = &started.config {
            page.field("settings", config.display().to_string());
        }
        page.text("stop with Ctrl-C");
    });
}

/// The settings that the options of both commands make, and the file that was read.
fn load(own: &OwnArgs) -> Result<(WitnessSettings, Option<PathBuf>), Failure> {
    let folder = match &own.data {
        Some(folder) => folder.clone(),
        None => default_folder("witness")?,
    };
    let file = own.config.clone().or_else(|| find_file(&folder, FILE_NAME));
    let mut settings = WitnessSettings::load(file.as_deref()).map_err(|error| not_valid(&error))?;
    // A file may name the folder; an argument or a variable wins over it.
    if own.data.is_some() || settings.data == WitnessSettings::default().data {
        settings.data = folder;
    }
    replace(&mut settings.name, &own.name);
    replace(&mut settings.key_file, &own.key_file);
    Ok((settings, file))
}
