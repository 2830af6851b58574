//! The newest checkpoint that this server has answered, kept outside the database.
//!
//! A database that was restored from an older copy is whole in itself: only something outside can tell that it is old.
//! Going on from it would sign a second history, which every client that has seen the first would take for fraud.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use skillery_core::tlog::checkpoint::Checkpoint;

use super::{LogError, TileCache, tree};
use crate::app::App;
use crate::db::{Db, log};
use crate::failure::Result;

/// How often the file is brought up to date at most.
const TURN: Duration = Duration::from_secs(1);

/// The file with the checkpoint.
#[derive(Debug, Clone)]
pub struct Seen {
    file: PathBuf,
}

impl Seen {
    /// The one of this file.
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// Whether the log in the database continues the one that this server has answered.
    pub async fn check(
        &self,
        db: &Db,
        cache: &TileCache,
        size: u64,
    ) -> Result<std::result::Result<(), LogError>> {
        let Some(seen) = self.read() else { return Ok(Ok(())) };
        if seen.size > size {
            return Ok(Err(LogError::OlderCopy { size, seen: seen.size }));
        }
        if tree::root(db, cache, seen.size).await? != seen.root {
            return Ok(Err(LogError::Forked(seen.size)));
        }
        Ok(Ok(()))
    }

    /// What was kept. A damaged file tells nothing, as one that is missing.
    fn read(&self) -> Option<Checkpoint> {
        parsed(&fs_err::read_to_string(&self.file).ok()?)
    }

    /// Keeps this checkpoint, unless one of more entries is kept.
    pub fn keep(&self, note: &str) -> std::io::Result<()> {
        let size = parsed(note).map_or(0, |new| new.size);
        if self.read().is_some_and(|kept| kept.size > size) {
            return Err(std::io::Error::other("the log in the database is behind what was answered before"));
        }
        let new = self.file.with_extension("new");
        let mut file = fs_err::File::create(&new)?;
        std::io::Write::write_all(&mut file, note.as_bytes())?;
        file.sync_all()?;
        fs_err::rename(&new, &self.file)
    }
}

fn parsed(note: &str) -> Option<Checkpoint> {
    format!("{}\n", note.split("\n\n").next()?).parse().ok()
}

/// Keeps the newest checkpoint until the app stops.
pub async fn follow(app: Arc<App>) {
    let mut changes = app.db.changes();
    loop {
        let is_stopping = tokio::select! {
            () = app.stopping() => true,
            changed = changes.changed() => changed.is_err(),
        };
        if let Err(failure) = keep_newest(&app).await {
            tracing::warn!(%failure, "the newest checkpoint cannot be kept; trying again");
        }
        if is_stopping {
            return;
        }
        tokio::time::sleep(TURN).await;
    }
}

async fn keep_newest(app: &App) -> Result<()> {
    let head = log::read_head(&app.db).await?;
    app.seen.keep(&head.note).map_err(crate::failure::Failure::internal)
}
