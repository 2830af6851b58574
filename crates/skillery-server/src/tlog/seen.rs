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
use crate::db::log::Head;
use crate::db::{Db, FORKED, log};
use crate::failure::{Failure, Result};
use crate::jobs::Job;

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
        let seen = match self.read() {
            Ok(Some(seen)) => seen,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        if seen.size > size {
            return Ok(Err(LogError::OlderCopy { size, seen: seen.size }));
        }
        if tree::root(db, cache, seen.size).await? != seen.root {
            return Ok(Err(LogError::Forked(seen.size)));
        }
        Ok(Ok(()))
    }

    /// What was kept. Only a file that is missing says that nothing was: one that cannot be read may say that the database is
    /// an older copy.
    fn read(&self) -> std::result::Result<Option<Checkpoint>, LogError> {
        let unreadable = |reason: String| LogError::Unreadable { path: self.file.clone(), reason };
        match fs_err::read_to_string(&self.file) {
            Ok(note) => {
                parsed(&note).map(Some).ok_or_else(|| unreadable("it holds no checkpoint".to_owned()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    /// Keeps this checkpoint, if it continues the one that is kept.
    async fn keep(&self, db: &Db, head: &Head) -> Result<std::result::Result<(), LogError>> {
        // Tiles that are in memory are of what was there before.
        if let Err(error) = self.check(db, &TileCache::default(), head.edge.size()).await? {
            return Ok(Err(error));
        }
        self.write(&head.note).map_err(Failure::internal)?;
        Ok(Ok(()))
    }

    fn write(&self, note: &str) -> std::io::Result<()> {
        let new = self.file.with_extension("new");
        let mut file = fs_err::File::create(&new)?;
        std::io::Write::write_all(&mut file, note.as_bytes())?;
        file.sync_all()?;
        fs_err::rename(&new, &self.file)?;
        #[cfg(unix)]
        if let Some(folder) = self.file.parent() {
            fs_err::File::open(folder)?.sync_all()?;
        }
        Ok(())
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
        let outcome = keep_newest(&app).await;
        app.work.turned(Job::Checkpoint, app.environment.now(), &outcome);
        if is_stopping {
            return;
        }
        tokio::time::sleep(TURN).await;
    }
}

/// Keeps the newest checkpoint of the log. Where it does not continue the one that was kept, this server writes nothing more:
/// what it would sign then is a second history.
pub async fn keep_newest(app: &App) -> Result<()> {
    if app.db.halted().is_some() {
        return Ok(());
    }
    let head = log::read_head(&app.db).await?;
    app.db.saw_size(i64::try_from(head.edge.size()).map_err(Failure::internal)?);
    if !app.log_key.has_signed(&head.note) {
        return Err(Failure::internal("the log is not signed with the key of this server"));
    }
    let kept = app.seen.keep(&app.db, &head).await?;
    if let Err(LogError::Forked(_)) = kept {
        app.db.halt(FORKED);
    }
    kept.map_err(Failure::internal)
}
