//! Handing the log over to a new key.
//!
//! The next key is on disk before the log is handed over to it, and the log says which of the two it is signed with: so this
//! can be interrupted anywhere, and done again.

use std::path::PathBuf;

use serde::Serialize;
use skillery_core::tlog::Rotation;

use super::AdminError;
use crate::app::{App, StartError};
use crate::db::log;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::origin;
use crate::settings::Settings;
use crate::tlog::{self, LogKey, LogKeyError, old_file};

/// What a rotation has changed.
#[derive(Debug, Clone, Serialize)]
pub struct RotateReport {
    /// The name of the log, which stays.
    pub origin: String,
    /// The fingerprint of the key before.
    pub from: String,
    /// The new key, as signed notes and witnesses name it.
    pub key: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The number of the entry that tells of the rotation: the first one that the new key answers for.
    pub log_index: u64,
    /// The file with the key before, which nothing needs any more.
    pub old_key_file: PathBuf,
    /// Whether the log had been handed over before, by a rotation that was interrupted and is complete now.
    pub completed: bool,
}

/// Makes a new key for the log, and has the old one hand the log over to it. The server must not run on the same data folder;
/// others on the same database write nothing from then on, until they have the new key. A rotation that was interrupted is
/// completed, and nothing more.
pub async fn rotate_log_key(settings: &Settings) -> Result<RotateReport, AdminError> {
    let file = settings.log_key_file();
    if !file.exists() {
        return Err(AdminError::Refused(format!("there is no log key in `{}`", file.display())));
    }
    let environment = Environment::default();
    let completed = tlog::existing(settings).await?.is_next;
    // The log must be whole, and this its key, before anything is changed; and nobody else works here meanwhile.
    let (app, _) = App::open(settings.clone(), environment.clone()).await?;
    let rotated = match completed {
        true => last(&app).await,
        false => rotate(&app).await,
    };
    app.db.close().await;
    let rotation = rotated?;
    Ok(RotateReport {
        origin: rotation.to.name().to_owned(),
        from: rotation.from.fingerprint(),
        key: rotation.to.to_string(),
        fingerprint: rotation.to.fingerprint(),
        log_index: rotation.size,
        old_key_file: old_file(&file)?,
        completed,
    })
}

async fn rotate(app: &App) -> Result<Rotation, AdminError> {
    let file = app.settings.log_key_file();
    let origin = app.log_key.verifier().name();
    let next = LogKey::next(&file, origin, &app.environment).map_err(cannot_use)?;
    let handing = app.db.hand_over(&app.log_key, &next, &app.environment);
    let rotation = origin::working("command:rotate-log-key", handing).await?;
    next.put_in_place(&file).map_err(cannot_use)?;
    Ok(rotation)
}

/// The rotation that was the last one.
async fn last(app: &App) -> Result<Rotation, AdminError> {
    let last = log::rotations(&app.db).await?.pop();
    let (_, note) = last.ok_or_else(|| Failure::internal("the log has no rotation"))?;
    Ok(Rotation::open(&note).map_err(Failure::internal)?)
}

fn cannot_use(error: LogKeyError) -> AdminError {
    StartError::from(error).into()
}
