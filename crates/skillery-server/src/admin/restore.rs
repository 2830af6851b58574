//! Making a registry from a backup, in an empty data folder.

use std::path::Path;

use futures_util::TryStreamExt;
use serde::Serialize;

use super::AdminError;
use super::backup::{BackupReport, CONTENTS, DATABASE, LOG_KEY, MANIFEST, SECRET_KEY};
use crate::blobs::Blobs;
use crate::failure::Failure;
use crate::settings::Settings;

/// What was restored.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// What the backup says of itself.
    pub backup: BackupReport,
    /// Contents that were copied, each checked against its digest.
    pub contents: u64,
}

/// Restores the backup in the folder `from` into an empty data folder. The search index is built at the next start.
pub async fn restore(settings: &Settings, from: &Path) -> Result<RestoreReport, AdminError> {
    let manifest = fs_err::read_to_string(from.join(MANIFEST)).map_err(|_| {
        AdminError::Refused(format!("`{}` is no whole backup: `{MANIFEST}` is missing", from.display()))
    })?;
    let backup: BackupReport = serde_json::from_str(&manifest)
        .map_err(|error| AdminError::Refused(format!("`{MANIFEST}` is damaged: {error}")))?;
    let file = settings.sqlite_file();
    if settings.database.is_none() && file.exists() {
        return Err(AdminError::Refused(format!("`{}` holds a registry already", settings.data.display())));
    }
    let mut keys = Vec::new();
    for (name, file) in [(SECRET_KEY, settings.secret_key_file()), (LOG_KEY, settings.log_key_file())] {
        let copy = from.join(name);
        // A backup of an older program has no key of the log; the next start makes one.
        if name == LOG_KEY && !copy.exists() {
            continue;
        }
        let key = fs_err::read_to_string(copy)?;
        // The same key is there when an earlier restore was interrupted.
        if file.exists() && fs_err::read_to_string(&file)?.trim() != key.trim() {
            let detail = format!("`{}` exists already, with another key", file.display());
            return Err(AdminError::Refused(detail));
        }
        keys.push((file, key));
    }
    crate::secrets::make_private_folder(&settings.data)?;
    let copies = Blobs::open(&from.join(CONTENTS))?;
    let blobs = Blobs::open(&settings.blob_folder())?;
    let mut contents = 0;
    let mut stored = copies.list();
    while let Some(content) = stored.try_next().await? {
        blobs.put(content.key, copies.get(content.key).await?).await?;
        contents += 1;
    }
    if contents < backup.contents {
        let detail = format!("the backup should have {} contents, and has {contents}", backup.contents);
        return Err(AdminError::Refused(detail));
    }
    for (file, key) in keys {
        crate::secrets::write_private(&file, key.trim())?;
    }
    if backup.database && settings.database.is_none() {
        // Under another name first, so that a half copy is never taken for a database.
        let half = file.with_extension("restoring");
        fs_err::copy(from.join(DATABASE), &half)?;
        fs_err::File::open(&half)?.sync_all()?;
        fs_err::rename(&half, &file)?;
        fs_err::File::open(&settings.data)?.sync_all().map_err(Failure::internal)?;
    }
    Ok(RestoreReport { backup, contents })
}
