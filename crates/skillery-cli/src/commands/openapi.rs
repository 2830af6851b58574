//! `skillery openapi`: the OpenAPI document, for who generates clients from it without a running registry.

use clap::Args;

use crate::failure::{CommandResult, Exit};
use crate::session::Session;

/// Arguments of `openapi`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery openapi > openapi.json")]
pub(crate) struct OpenapiArgs {}

/// Runs it.
pub(crate) fn run(session: &Session, _: &OpenapiArgs) -> CommandResult {
    let document = skillery_server::openapi_json();
    session.output.print(&format!("{}\n", document.trim_end()))?;
    Ok(Exit::Done)
}
