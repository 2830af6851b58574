//! `skillery login`: checks a token with the registry and keeps it in the configuration.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use skillery_client::config::{parse_org, parse_token};
use skillery_client::{Client, ConfigLayer, Secret};
use skillery_core::{Namespace, Scope};

use super::login_oidc;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Tone, registry_text};
use crate::secret;
use crate::session::Session;

/// Arguments of `login`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery login                                     asks for the token without showing it
  skillery login --registry https://registry.example.com --org acme
  skillery login --token-stdin < token.txt
  skillery login --oidc                              with an account elsewhere, in a browser

The token and the address are kept in a file that only you can read; \
`skillery config path` says where.")]
pub(crate) struct LoginArgs {
    /// Read the token from standard input
    #[arg(long)]
    token_stdin: bool,

    /// Sign in at the provider that the registry names, with a browser on any device
    #[arg(long, conflicts_with = "token_stdin")]
    oidc: bool,

    /// What the token is to do: read, publish, rate, review or admin (repeatable) [default: the first three]
    #[arg(long = "scope", value_name = "SCOPE", requires = "oidc")]
    scopes: Vec<Scope>,

    /// Publish into this namespace when none is named
    #[arg(long, value_name = "NAMESPACE")]
    org: Option<String>,
}

#[derive(Debug, Serialize)]
struct LoggedIn {
    registry: String,
    user: String,
    org: Option<Namespace>,
    config: PathBuf,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &LoginArgs) -> CommandResult {
    // The prompt comes first: see `secret::prompt`.
    let token = match args.oidc {
        true => login_oidc::sign_in(session, &args.scopes).await?,
        false => read_token(session, args)?,
    };
    let org = args.org.as_deref().map(|org| parse_org(org, "`--org`")).transpose()?;
    let home = session.home()?;
    let mut config = session.config()?;
    config.token = Some(token.clone());
    let who = Client::new(&config)?.whoami().await?;

    let layer = ConfigLayer::update(&home, |layer| {
        layer.merge(ConfigLayer {
            url: Some(config.url.clone()),
            token: Some(token),
            org,
            ..ConfigLayer::default()
        });
    })?;
    let result = LoggedIn {
        registry: registry_text(&config.url).to_owned(),
        user: who.user,
        org: layer.org,
        config: home.config_file(),
    };
    session.output.show(&result, |page| {
        page.line(
            Line::default()
                .toned(Tone::Good, "signed in")
                .plain(" to ")
                .name(&result.registry)
                .plain(" as ")
                .name(&result.user),
        );
    })?;
    if std::env::var_os("REGISTRY_TOKEN").is_some() || std::env::var_os("REGISTRY_URL").is_some() {
        session.output.warning("`REGISTRY_URL` or `REGISTRY_TOKEN` is set and overrides what was kept");
    }
    Ok(Exit::Done)
}

fn read_token(session: &Session, args: &LoginArgs) -> Result<Secret, Failure> {
    let token = match (&session.global.token, args.token_stdin) {
        (_, true) => secret::from_stdin()?,
        (Some(token), false) => token.clone(),
        (None, false) => secret::prompt("token: ", "--token-stdin")?,
    };
    Ok(parse_token(token.expose(), "the token")?)
}
