//! `skillery serve`: runs a registry until it is asked to stop.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use skillery_server::{Ready, ServeError, StartError};

use super::serving::{self, LogForm, absolute};
use crate::failure::{CommandResult, Exit};
use crate::output::Line;
use crate::session::Session;
use crate::settings::{self, DataArgs, ServerArgs};

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery serve                                     on 127.0.0.1:8700
  skillery serve --data ./data --listen 0.0.0.0:8700
  skillery serve --database postgres://skillery@db/skillery --log json
  skillery serve --tls-cert chain.pem --tls-key key.pem --namespaces managed

The first start makes an admin token, prints it once and keeps it in `<data>/admin-token`; \
`SKILLERY_ADMIN_TOKEN` sets it. The options of data and server can stand in `skillery.toml` too, \
by their names with `_` for `-`; an option wins over a variable, a variable over the file.")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    server: ServerArgs,

    /// Write the log on stderr as lines for people, or as one JSON object a line
    #[arg(long, value_name = "FORM", env = "SKILLERY_LOG", hide_env_values = true, default_value = "text")]
    #[arg(help_heading = "Log")]
    log: LogForm,

    /// Log this much: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `skillery_server=debug`
    #[arg(long, value_name = "LEVEL", env = "SKILLERY_LOG_LEVEL", hide_env_values = true)]
    #[arg(help_heading = "Log", default_value = "info")]
    log_level: String,
}

/// What is printed when the registry answers.
#[derive(Debug, Serialize)]
struct Started {
    url: String,
    data: PathBuf,
    config: Option<PathBuf>,
    /// Only when it was just made.
    admin_token: Option<String>,
    /// None where there is no such file: the token was set, or belongs to data that was restored.
    admin_token_file: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &ServeArgs) -> CommandResult {
    serving::start_log(args.log, &args.log_level)?;
    let loaded = settings::load(&args.data, Some(&args.server))?;
    let (data, config) = (absolute(&loaded.settings.data), loaded.file.as_deref().map(absolute));
    let listen = loaded.settings.listen;
    let on_ready = |ready: &Ready| announce(session, ready, data, config);
    skillery_server::serve(loaded.settings, on_ready, serving::stop()).await.map_err(|error| {
        let failure = serving::failure(&error, listen);
        match &error {
            ServeError::Start(StartError::Log(log)) => failure.hint(log.hint()),
            _ => failure,
        }
    })?;
    Ok(Exit::Done)
}

fn announce(session: &Session, ready: &Ready, data: PathBuf, config: Option<PathBuf>) {
    let started = Started {
        url: ready.url.clone(),
        data,
        config,
        admin_token: ready.admin_token.as_ref().map(|token| token.expose().to_owned()),
        admin_token_file: ready.admin_token_file.is_file().then(|| absolute(&ready.admin_token_file)),
    };
    // Whoever started the server may have closed its output; the registry serves all the same.
    let _ = session.output.show_line(&started, |page| {
        page.line(Line::default().plain("skillery listens on ").name(&started.url));
        page.blank();
        page.field("data", started.data.display().to_string());
        if let Some(config) = &started.config {
            page.field("settings", config.display().to_string());
        }
        let file = started.admin_token_file.as_ref().map(|file| file.display());
        match (&started.admin_token, file) {
            (Some(token), file) => {
                page.field("admin token", token);
                let kept = file.map(|file| format!(", kept in {file}")).unwrap_or_default();
                page.field("", format!("shown this once{kept}"));
                page.blank();
                page.line(
                    Line::default()
                        .plain("sign in with ")
                        .command(format!("skillery login --registry {}", started.url)),
                );
                page.line(
                    Line::default()
                        .plain("then ")
                        .command("skillery open")
                        .plain(" opens its pages in a browser, signed in"),
                );
            }
            (None, Some(file)) => page.field("admin token", format!("in {file}")),
            (None, None) => {}
        }
        page.text("stop with Ctrl-C");
    });
}
