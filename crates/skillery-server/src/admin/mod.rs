//! What an operator does to a registry from the command line: backup, restore, reindex, doctor.

mod backup;
mod doctor;
mod restore;
mod rotate;

use serde::Serialize;

use crate::app::{App, StartError};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::origin;
use crate::search;
use crate::settings::Settings;

pub use backup::{BackupReport, backup};
pub use doctor::{Check, DoctorReport, doctor};
pub use restore::{RestoreReport, restore};
pub use rotate::{RotateReport, rotate_log_key};

/// The work cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The registry cannot be opened.
    #[error(transparent)]
    Open(#[from] StartError),
    /// A file cannot be read or written.
    #[error("cannot read or write a file")]
    File(#[from] std::io::Error),
    /// The registry refused.
    #[error("the registry cannot do this now")]
    Registry(#[from] Failure),
    /// The request makes no sense.
    #[error("{0}")]
    Refused(String),
}

/// What a reindex did.
#[derive(Debug, Clone, Serialize)]
pub struct ReindexReport {
    /// Skills in the new index.
    pub skills: i64,
    /// Log entries that it has.
    pub log_entries: i64,
}

/// Builds the search index from nothing. The server must not run on the same data folder.
pub async fn reindex(settings: &Settings) -> Result<ReindexReport, AdminError> {
    // Opening takes the lock of the data folder, so that the index of a running server stays as it is.
    let opening = App::open(settings.clone(), Environment::default());
    let (app, _) = origin::working("command:reindex", opening).await?;
    app.search.start_over();
    search::catch_up(&app).await?;
    let report = ReindexReport {
        skills: crate::db::skills::count(&app.db).await?,
        log_entries: app.search.cursor().log,
    };
    app.db.close().await;
    Ok(report)
}
