//! `skillery log show`: how far the log is, or one entry of it.

use clap::Args;
use serde::Serialize;
use skillery_client::Log;
use skillery_core::Digest;
use skillery_core::entry::{Leaf, Opening};

use super::list::about;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::moment;
use crate::session::Session;

/// Arguments of `log show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log show
  skillery log show 4711 --json

The checkpoint is checked with the pinned key, and must continue the one that was seen before. \
An entry is held against the checkpoint.")]
pub(super) struct ShowArgs {
    /// The number of an entry; the first is 0
    number: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    origin: &'a str,
    key: String,
    fingerprint: String,
    size: u64,
    root: Digest,
    checkpoint: &'a str,
}

#[derive(Debug, Serialize)]
struct ShownEntry<'a> {
    index: u64,
    leaf: &'a str,
    leaf_hash: Digest,
    /// What opens a hidden leaf.
    opening: Option<&'a Opening>,
}

/// Runs it.
pub(super) async fn run(session: &Session, args: &ShowArgs) -> CommandResult {
    let client = session.client()?;
    let mut log = Log::open(&client, &session.home()?, None).await?;
    if let Some(number) = args.number {
        return show_entry(session, &mut log, number).await;
    }
    let newest = log.update().await?;
    let shown = Shown {
        origin: &newest.origin,
        key: log.key().to_string(),
        fingerprint: log.key().fingerprint(),
        size: newest.size,
        root: newest.root,
        checkpoint: log.newest_note().unwrap_or_default(),
    };
    session.output.show(&shown, |page| {
        page.field("log", shown.origin);
        page.field("entries", shown.size.to_string());
        page.field("root", shown.root.to_string());
        page.field("key", &shown.key);
        page.field("fingerprint", &shown.fingerprint);
        page.field("pinned", if log.is_new() { "just now, on first contact" } else { "before" });
    })?;
    Ok(Exit::Done)
}

async fn show_entry(session: &Session, log: &mut Log, number: u64) -> CommandResult {
    let (leaf, opening) = log.show(number).await?;
    let text = String::from_utf8_lossy(&leaf);
    let shown = ShownEntry {
        index: number,
        leaf: &text,
        leaf_hash: skillery_core::tlog::leaf_hash(&leaf),
        opening: opening.as_ref(),
    };
    let entry = match (Leaf::parse(&leaf), &opening) {
        (_, Some(opening)) => opening.parse().ok(),
        (Ok(Leaf::Open(entry)), None) => Some(*entry),
        (Ok(Leaf::Hidden { .. }), None) => None,
        (Err(error), None) => {
            return Err(Failure::new(Exit::Failed, "log-broken", format!("entry {number} cannot be read"))
                .cause(&error));
        }
    };
    session.output.show(&shown, |page| {
        page.field("entry", number.to_string());
        match &entry {
            Some(entry) => {
                page.field("time", moment(entry.time));
                page.field("actor", entry.actor.as_deref().unwrap_or("-"));
                page.field("what", entry.event.kind());
                page.field("about", about(&entry.event));
                if let Some(before) = entry.prev {
                    page.field("before it", before.to_string());
                }
                if opening.is_some() {
                    page.field("seen by", "those who may see the skill");
                }
            }
            None => page.field("hidden", "this entry is about something that the caller may not see"),
        }
        page.field("leaf hash", shown.leaf_hash.to_string());
    })?;
    Ok(Exit::Done)
}
