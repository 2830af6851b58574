//! The server's settings as `serve` and `admin` take them: a flag, else the environment, else `skillery.toml`, else
//! the default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use etcetera::BaseStrategy as _;
use skillery_core::token::Secret;
use skillery_server::{NamespacePolicy, Settings, SettingsError};
use url::Url;

use crate::failure::{Exit, Failure};

/// Where the admin token of the first start may be given; never as an argument, which others can see.
const ADMIN_TOKEN_VARIABLE: &str = "SKILLERY_ADMIN_TOKEN";
/// Where the secret of the client that people sign in by may be given; the same goes for it.
const CLIENT_SECRET_VARIABLE: &str = "SKILLERY_OIDC_CLIENT_SECRET";
/// Where the password for the mail server may be given; the same goes for it.
const SMTP_PASSWORD_VARIABLE: &str = "SKILLERY_SMTP_PASSWORD";
const FILE_NAME: &str = "skillery.toml";

/// Which data a server works on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    /// The folder of all data [default: `skillery/registry` in the platform's data folder]
    #[arg(long, value_name = "DIR", env = "SKILLERY_DATA", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,

    /// A PostgreSQL database, `postgres://user@host/name` [default: SQLite in the data folder]
    #[arg(long, value_name = "URL", env = "SKILLERY_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,

    /// The folder of contents [default: `blobs` in the data folder]
    #[arg(long, value_name = "DIR", env = "SKILLERY_BLOBS", hide_env_values = true)]
    pub(crate) blobs: Option<PathBuf>,

    /// A file with settings [default: `skillery.toml` in the data folder, or beside it]
    #[arg(long, value_name = "FILE", env = "SKILLERY_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
}

/// How a server answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// Listen here; port 0 takes a free one [default: 127.0.0.1:8700]
    #[arg(long, value_name = "ADDRESS", env = "SKILLERY_LISTEN", hide_env_values = true)]
    listen: Option<SocketAddr>,

    /// How the registry is reached from outside, where a proxy stands before it
    #[arg(long, value_name = "URL", env = "SKILLERY_PUBLIC_URL", hide_env_values = true)]
    public_url: Option<Url>,

    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", env = "SKILLERY_TLS_CERT", hide_env_values = true)]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", env = "SKILLERY_TLS_KEY", hide_env_values = true)]
    tls_key: Option<PathBuf>,

    /// Who makes orgs: their first publisher, or admins only [default: open]
    #[arg(long, value_name = "POLICY", env = "SKILLERY_NAMESPACES", hide_env_values = true)]
    namespaces: Option<Namespaces>,

    /// Whether callers without a token see public skills [default: on]
    #[arg(long, value_name = "SWITCH", env = "SKILLERY_ANONYMOUS_READS", hide_env_values = true)]
    anonymous_reads: Option<Switch>,

    /// Let pages of this origin call the API from a browser (repeatable; `*` for all)
    #[arg(
        long = "cors-origin",
        value_name = "ORIGIN",
        env = "SKILLERY_CORS_ORIGINS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    cors_origins: Vec<String>,

    /// Whether `X-Forwarded-For` is believed; only behind a proxy that sets it [default: off]
    #[arg(long, value_name = "SWITCH", env = "SKILLERY_TRUST_FORWARDED", hide_env_values = true)]
    trust_forwarded: Option<Switch>,
}

/// Who makes orgs. As with all words of options, the variants have no help of their own, to keep the page short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Namespaces {
    Open,
    Managed,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Switch {
    fn is_on(self) -> bool {
        self == Self::On
    }
}

/// The settings, and which file they were read from.
pub(crate) struct Loaded {
    /// All settings.
    pub(crate) settings: Settings,
    /// The file, where there is one.
    pub(crate) file: Option<PathBuf>,
}

/// Puts the settings together.
pub(crate) fn load(data: &DataArgs, server: Option<&ServerArgs>) -> Result<Loaded, Failure> {
    let folder = match &data.data {
        Some(folder) => folder.clone(),
        None => default_folder("registry")?,
    };
    let file = data.config.clone().or_else(|| find_file(&folder, FILE_NAME));
    let mut settings = Settings::load(file.as_deref()).map_err(|error| not_valid(&error))?;
    // A file may name the folder; an argument or a variable wins over it.
    if data.data.is_some() || settings.data == Settings::default().data {
        settings.data = folder;
    }
    replace(&mut settings.database, &data.database);
    replace(&mut settings.blobs, &data.blobs);
    if let Some(server) = server {
        apply(server, &mut settings);
    }
    if let Some(token) = std::env::var(ADMIN_TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()) {
        settings.admin_token = Some(Secret::new(token));
    }
    let secret = std::env::var(CLIENT_SECRET_VARIABLE).ok().filter(|secret| !secret.is_empty());
    if let (Some(login), Some(secret)) = (&mut settings.oidc_login, secret) {
        login.client_secret = Some(secret);
    }
    if let Some(password) = std::env::var(SMTP_PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty())
    {
        settings.smtp_password = Some(Secret::new(password));
    }
    settings.check().map_err(|error| not_valid(&error))?;
    Ok(Loaded { settings, file })
}

/// Settings that cannot be used.
pub(crate) fn not_valid(error: &SettingsError) -> Failure {
    let failure = Failure::new(Exit::Usage, "invalid-settings", error.to_string());
    match error {
        // The parser's own text repeats the line at fault, which may hold the password of a database.
        SettingsError::Parse { source, .. } => failure.because(source.message().to_owned()),
        other => failure.cause_behind(other),
    }
}

fn apply(server: &ServerArgs, settings: &mut Settings) {
    replace(&mut settings.public_url, &server.public_url);
    replace(&mut settings.tls_cert, &server.tls_cert);
    replace(&mut settings.tls_key, &server.tls_key);
    if let Some(listen) = server.listen {
        settings.listen = listen;
    }
    if let Some(policy) = server.namespaces {
        settings.namespaces = match policy {
            Namespaces::Open => NamespacePolicy::Open,
            Namespaces::Managed => NamespacePolicy::Managed,
        };
    }
    if let Some(switch) = server.anonymous_reads {
        settings.anonymous_reads = switch.is_on();
    }
    if let Some(switch) = server.trust_forwarded {
        settings.trust_forwarded = switch.is_on();
    }
    if !server.cors_origins.is_empty() {
        settings.cors_origins = server.cors_origins.clone();
    }
}

/// An argument or a variable wins over the file.
pub(crate) fn replace<T: Clone>(setting: &mut Option<T>, argument: &Option<T>) {
    if argument.is_some() {
        setting.clone_from(argument);
    }
}

/// The data folder of this name when none is named.
pub(crate) fn default_folder(name: &str) -> Result<PathBuf, Failure> {
    match etcetera::choose_base_strategy() {
        Ok(strategy) => Ok(strategy.data_dir().join("skillery").join(name)),
        Err(error) => {
            Err(Failure::new(Exit::Usage, "no-data-folder", "cannot tell where data belongs on this machine")
                .cause(&error)
                .hint("name a folder with `--data`"))
        }
    }
}

/// The file of this name in the folder, or beside it.
pub(crate) fn find_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let inside = folder.join(name);
    let beside = folder.parent().map(|parent| parent.join(name));
    std::iter::once(inside).chain(beside).find(|path| path.is_file())
}
