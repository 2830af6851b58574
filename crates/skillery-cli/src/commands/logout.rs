//! `skillery logout`: forgets the token that `login` kept.

use clap::Args;
use serde::Serialize;
use skillery_client::ConfigLayer;

use crate::failure::{CommandResult, Exit};
use crate::session::Session;

/// Arguments of `logout`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery logout

The token stays valid; `skillery token revoke` ends it.")]
pub(crate) struct LogoutArgs {}

#[derive(Debug, Serialize)]
struct LoggedOut {
    forgotten: bool,
}

/// Runs it.
pub(crate) fn run(session: &Session, _: &LogoutArgs) -> CommandResult {
    let home = session.home()?;
    let forgotten = ConfigLayer::read(&home)?.token.is_some();
    if forgotten {
        ConfigLayer::update(&home, |layer| layer.token = None)?;
    }
    session.output.show(&LoggedOut { forgotten }, |page| {
        page.text(if forgotten {
            "signed out; the token was forgotten here and stays valid"
        } else {
            "nobody was signed in"
        });
    })?;
    Ok(Exit::Done)
}
