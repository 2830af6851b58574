//! A backup: one folder with the database, the contents that it needs, the secret key, and the key of the
//! log.
//!
//! The database is copied first and in one moment; contents never change and are copied after, so that every row of
//! the copy has its content. The server may run meanwhile.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skillery_core::Digest;

use super::AdminError;
use crate::blobs::{BlobKey, Blobs};
use crate::db::{Backend, Db, Unsigned, log, versions};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::tlog::{self, LogKey};

pub(super) const DATABASE: &str = "registry.sqlite";
pub(super) const CONTENTS: &str = "blobs";
pub(super) const SECRET_KEY: &str = "secret-key";
pub(super) const LOG_KEY: &str = "log-key";
pub(super) const MANIFEST: &str = "backup.json";
const PAGE: i64 = 1_000;

/// What a backup holds; also its manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupReport {
    /// The program's version.
    pub program: String,
    /// When.
    pub created_at: String,
    /// Entries of the log.
    pub log_entries: i64,
    /// Contents.
    pub contents: u64,
    /// Bytes of all contents.
    pub bytes: u64,
    /// Whether the database is in it. A PostgreSQL database is backed up with its own tools.
    pub database: bool,
}

/// The key must be that of the database that was copied. As no key comes back, it was if it still is.
async fn fits(db: &Db, key: &LogKey) -> Result<(), AdminError> {
    let head = log::read_head(db).await?;
    match key.has_signed(&head.note) {
        true => Ok(()),
        false => Err(AdminError::Refused(
            "the log is not signed with this log key: where it was rotated meanwhile, make the backup again"
                .to_owned(),
        )),
    }
}

/// Writes a backup into the new folder `to`.
pub async fn backup(settings: &Settings, to: &Path) -> Result<BackupReport, AdminError> {
    if to.exists() && fs_err::read_dir(to)?.next().is_some() {
        return Err(AdminError::Refused(format!(
            "`{}` is not empty; a backup needs a new folder",
            to.display()
        )));
    }
    if settings.database.is_none() && !settings.sqlite_file().exists() {
        return Err(AdminError::Refused(format!("there is no registry in `{}`", settings.data.display())));
    }
    crate::secrets::make_private_folder(to)?;
    let environment = Environment::default();
    let log_key = tlog::existing(settings).await?.key;
    let db = Db::open(settings, &environment, Arc::clone(&log_key), Unsigned::Refused, |_| ())
        .await
        .map_err(crate::app::StartError::from)?;
    let embedded = db.backend() == Backend::Sqlite;
    let log_entries = db.size();
    if embedded {
        db.copy_to(&std::path::absolute(to.join(DATABASE))?).await?;
    }
    fits(&db, &log_key).await?;
    let blobs = Blobs::open(&settings.blob_folder())?;
    let copies = Blobs::open(&to.join(CONTENTS))?;
    let mut report = BackupReport {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: environment.now().to_string(),
        log_entries,
        contents: 0,
        bytes: 0,
        database: embedded,
    };
    let mut after = String::new();
    loop {
        let page = versions::digests_after(&db, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        for digest in &page {
            let key = BlobKey::Bundle(digest.parse::<Digest>().map_err(Failure::internal)?);
            let bytes = blobs.get(key).await?;
            report.contents += 1;
            report.bytes += bytes.len() as u64;
            copies.put(key, bytes).await?;
        }
    }
    db.close().await;
    let key = fs_err::read_to_string(settings.secret_key_file())?;
    crate::secrets::write_private(&to.join(SECRET_KEY), key.trim())?;
    crate::secrets::write_private(&to.join(LOG_KEY), &log_key.signing().expose())?;
    // The manifest comes last: a folder without one is no whole backup.
    let manifest = serde_json::to_string_pretty(&report).map_err(Failure::internal)?;
    crate::secrets::write_private(&to.join(MANIFEST), &manifest)?;
    Ok(report)
}
