//! `skillery config`: what this program is configured to do, and where that is kept.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::ConfigLayer;
use skillery_core::Namespace;

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Tone, registry_text};
use crate::session::Session;

/// Arguments of `config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery config show                               what is in force, and nothing secret
  skillery config path                               where it is kept
  skillery config set share_usage true               keep a setting")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show what is in force: options, then variables, then the file, then the defaults
    #[command(after_help = "\
Examples:
  skillery config show
  REGISTRY_URL=https://registry.example.com skillery config show --json")]
    Show,
    /// Keep a setting in the configuration file
    #[command(after_help = "\
Examples:
  skillery config set url https://registry.example.com
  skillery config set timeout 60
  skillery config set share_usage true

Settings: url, org, verify_signature, timeout, share_usage, require, log_key, log_policy, log_max_age, \
signing_key. \
A token is kept with `skillery login`.

`log_policy` is a file that names the witnesses whose cosignatures `require = \"witnessed\"` wants \
(c2sp.org/tlog-policy), `log_max_age` how old these may be: seconds, or like 10m, 24h, 7d.")]
    Set {
        /// Which setting
        name: String,
        /// Its value
        value: String,
    },
    /// Take a setting out of the configuration file
    #[command(after_help = "\
Examples:
  skillery config unset org
  skillery config unset share_usage")]
    Unset {
        /// Which setting
        name: String,
    },
    /// Print the path of the configuration file
    #[command(after_help = "\
Examples:
  skillery config path
  $EDITOR \"$(skillery config path)\"")]
    Path,
}

#[derive(Debug, Serialize)]
struct Shown {
    registry: String,
    signed_in: bool,
    org: Option<Namespace>,
    verify_signature: bool,
    timeout_seconds: f64,
    share_usage: bool,
    require: String,
    log_key: Option<String>,
    signing_key: Option<PathBuf>,
    log_policy: PathBuf,
    log_max_age_seconds: u64,
    config: PathBuf,
    keys: PathBuf,
    library: PathBuf,
    cache: PathBuf,
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &ConfigArgs) -> CommandResult {
    let home = session.home()?;
    match &args.command {
        ConfigCommand::Set { name, value } => change(session, name, Some(value))?,
        ConfigCommand::Unset { name } => change(session, name, None)?,
        ConfigCommand::Path => {
            let path = home.config_file();
            session.output.show(&serde_json::json!({ "config": path }), |page| {
                page.text(path.display().to_string());
            })?;
        }
        ConfigCommand::Show => {
            let config = session.config()?;
            let shown = Shown {
                registry: registry_text(&config.url).to_owned(),
                signed_in: config.token.is_some(),
                org: config.org,
                verify_signature: config.verify_signature,
                timeout_seconds: config.timeout.as_secs_f64(),
                share_usage: config.share_usage,
                require: config.require.to_string(),
                log_key: config.log_key.as_ref().map(ToString::to_string),
                signing_key: config.signing_key,
                log_policy: config.log_policy.unwrap_or_else(|| home.witnesses_file()),
                log_max_age_seconds: config.log_max_age.as_secs(),
                config: home.config_file(),
                keys: home.keys_file(),
                library: home.library_folder(),
                cache: home.cache_folder(),
            };
            session.output.show(&shown, |page| {
                page.field("registry", &shown.registry);
                page.field("token", if shown.signed_in { "set, not shown" } else { "none" });
                page.field("org", shown.org.as_ref().map_or("none", |org| org.as_str()));
                page.field("signatures", if shown.verify_signature { "required" } else { "not required" });
                page.field("require", &shown.require);
                page.field("log key", shown.log_key.as_deref().unwrap_or("that of the first contact"));
                let signing_key = shown.signing_key.as_ref().map(|path| path.display().to_string());
                page.field("signs with", signing_key.as_deref().unwrap_or("nothing"));
                let (file, is_there) = (shown.log_policy.display(), shown.log_policy.is_file());
                page.field(
                    "witnesses",
                    format!("{file}{}", if is_there { "" } else { ", which is not there" }),
                );
                page.field("timeout", format!("{} s", shown.timeout_seconds));
                page.field(
                    "usage",
                    if shown.share_usage { "shared with the registry" } else { "not shared" },
                );
                page.field("config", shown.config.display().to_string());
                page.field("keys", shown.keys.display().to_string());
                page.field("library", shown.library.display().to_string());
                page.field("cache", shown.cache.display().to_string());
            })?;
        }
    }
    Ok(Exit::Done)
}

fn change(session: &Session, name: &str, value: Option<&str>) -> Result<(), Failure> {
    let home = session.home()?;
    // Looked at first, so that what is not valid makes no file.
    ConfigLayer::default().set(name, value)?;
    let mut outcome = Ok(());
    ConfigLayer::update(&home, |layer| outcome = layer.set(name, value))?;
    outcome?;
    session.output.show(&serde_json::json!({ "setting": name, "value": value }), |page| {
        let line = Line::default().toned(Tone::Good, if value.is_some() { "set " } else { "unset " });
        page.line(line.name(name).plain(value.map(|value| format!(" to {value}")).unwrap_or_default()));
    })
}
