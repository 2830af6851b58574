//! Parts of a listing: the options that choose one, and the line that says which one it was.

use clap::Args;
use skillery_client::Page;

use crate::output::{Line, Tone};
use crate::session::Session;

/// Which part of a listing.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PageArgs {
    /// Show at most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=200))]
    pub(crate) limit: u64,

    /// Skip so many
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) offset: u64,
}

/// Which part of a listing that is endless, the newest first.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct BeforeArgs {
    /// Show at most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=200))]
    pub(crate) limit: u64,

    /// Begin behind the row of this number
    #[arg(long, value_name = "NUMBER")]
    pub(crate) before: Option<i64>,
}

impl BeforeArgs {
    /// Says how to see more, where there is more.
    pub(crate) fn note(session: &Session, next: Option<i64>) {
        if let Some(next) = next {
            let line = Line::default().toned(Tone::Faint, "for more: ");
            session.output.note(line.command(format!("--before {next}")));
        }
    }
}

impl PageArgs {
    /// As the client takes it.
    pub(crate) fn page(self) -> Page {
        Page { limit: Some(self.limit), offset: Some(self.offset) }
    }

    /// Says which part was shown, and how to see more, where there is more.
    pub(crate) fn note(self, session: &Session, shown: usize, total: u64) {
        let shown = shown as u64;
        if shown == 0 || (self.offset == 0 && shown >= total) {
            return;
        }
        let end = self.offset + shown;
        let line =
            Line::default().toned(Tone::Faint, format!("showing {}-{end} of {total}", self.offset + 1));
        session.output.note(if end < total {
            line.plain("; for more: ").command(format!("--offset {end}"))
        } else {
            line
        });
    }
}
