//! `skillery log rotations`: how the log came to its key, checked.

use clap::Args;
use serde::Serialize;
use skillery_client::Log;

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Tone};
use crate::session::Session;

/// Arguments of `log rotations`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log rotations
  skillery log rotations --json | jq -r .key          the line for `logs` of a witness

Each rotation is signed by the key before and by the one after it, and is an entry of the log. Whoever runs a witness sees \
here whether the key that the witness has in `logs` has handed the log over, and to which.")]
pub(super) struct RotationsArgs {}

#[derive(Debug, Serialize)]
struct Shown {
    origin: String,
    /// The key that signs now.
    key: String,
    fingerprint: String,
    rotations: Vec<ShownRotation>,
}

#[derive(Debug, Serialize)]
struct ShownRotation {
    /// The entry, which is the first that the new key answers for.
    index: u64,
    from: String,
    to: String,
}

/// Runs it.
pub(super) async fn run(session: &Session, _: &RotationsArgs) -> CommandResult {
    let client = session.client()?;
    let mut log = Log::open(&client, &session.home()?, None).await?;
    let rotations = log.rotations().await?;
    let key = log.key();
    let shown = Shown {
        origin: key.name().to_owned(),
        key: key.to_string(),
        fingerprint: key.fingerprint(),
        rotations: rotations
            .iter()
            .map(|rotation| ShownRotation {
                index: rotation.size,
                from: rotation.from.to_string(),
                to: rotation.to.to_string(),
            })
            .collect(),
    };
    session.output.show(&shown, |page| {
        for rotation in &rotations {
            let line =
                Line::default().toned(Tone::Good, "rotated ").plain(format!("by entry {}", rotation.size));
            page.line(line);
            page.field("from", rotation.from.fingerprint());
            page.field("to", rotation.to.fingerprint());
        }
        if rotations.is_empty() {
            page.text("the key of this log was never rotated");
        }
        page.field("log", &shown.origin);
        page.field("key", &shown.key);
        page.field("fingerprint", &shown.fingerprint);
    })?;
    Ok(Exit::Done)
}
