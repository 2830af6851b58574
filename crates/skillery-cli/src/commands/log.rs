//! `skillery log`: shows what was changed in the registry, by whom and when.

use clap::Args;
use serde_json::Value;
use skillery_core::api::LogResponse;
use skillery_core::event::{Event, LogEntry};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, Tone, left, moment, right};
use crate::session::Session;

/// Arguments of `log`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log                                       from the first entry on
  skillery log --after 4711 --limit 200
  skillery log --json | jq '.entries[] | select(.event.kind == \"version.published\")'

Every change appends one entry; none is altered or removed. An actor is the id of a user, as \
entries hold no names of people. For admins of the registry.")]
pub(crate) struct LogArgs {
    /// Begin after the entry with this number [default: the first is shown too]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,

    /// Show at most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=200))]
    limit: u64,
}
