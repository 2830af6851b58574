//! Handing the log over to a new key.

use std::path::PathBuf;

use serde::Serialize;

use super::AdminError;
use crate::app::{App, StartError};
use crate::environment::Environment;
use crate::settings::Settings;
use crate::tlog::LogKey;

/// What a rotation has changed.
#[derive(Debug, Clone, Serialize)]
pub struct RotateReport {
    /// The name of the log, which stays.
    pub origin: String,
    /// The fingerprint of the key before.
    pub from: String,
    /// The new key, as signed notes name it.
    pub key: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The number of entries of the log, the last of which tells of the rotation.
    pub log_entries: i64,
    /// The file with the old key, which signs too as long as it is there.
    pub old_key_file: PathBuf,
}

/// Makes a new key for the log, has the old one hand the log over to it, and tells so in the log. The server must not run on
/// the same data folder; others on the same database change nothing from then on, until they have the new key.
pub async fn rotate_log_key(settings: &Settings) -> Result<RotateReport, AdminError> {
    let file = settings.log_key_file();
    if !file.exists() {
        return Err(AdminError::Refused(format!("there is no log key in `{}`", file.display())));
    }
    // The log must be whole, and this its key, before anything is changed.
    let (app, _) = App::open(settings.clone(), Environment::default()).await?;
    let rotated = LogKey::rotate(&file, &app.environment).map_err(StartError::from)?;
    app.db.close().await;
    drop(app);
    // Opening with the new key tells of it.
    let (app, _) = App::open(settings.clone(), Environment::default()).await?;
    let log_entries = app.db.refresh_size().await?;
    app.db.close().await;
    let [old_key_file, _] = LogKey::beside(&file);
    Ok(RotateReport {
        origin: rotated.to.name().to_owned(),
        from: rotated.from.fingerprint(),
        key: rotated.to.to_string(),
        fingerprint: rotated.to.fingerprint(),
        log_entries,
        old_key_file,
    })
}
