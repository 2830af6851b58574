//! Looking a registry over: is everything there, whole, and as it should be?

use serde::Serialize;
use skillery_core::{Digest, ProblemCode};

use super::AdminError;
use crate::app::StartError;
use crate::blobs::BlobKey;
use crate::db::{Unsigned, log, versions};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::tlog::{self, LogKey, next_file, old_file};

const PAGE: i64 = 1_000;

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// All that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct DoctorReport {
    /// Whether every check is good.
    pub ok: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// Looks a registry over. It changes nothing but what opening does; the server may run meanwhile.
pub async fn doctor(settings: &Settings) -> Result<DoctorReport, AdminError> {
    if settings.database.is_none() && !settings.sqlite_file().exists() {
        return Err(AdminError::Refused(format!("there is no registry in `{}`", settings.data.display())));
    }
    let environment = Environment::default();
    let key = tlog::existing(settings).await?.key;
    let db =
        crate::db::Db::open(settings, &environment, std::sync::Arc::clone(&key), Unsigned::Refused, |_| ())
            .await
            .map_err(StartError::from)?;
    let blobs = crate::blobs::Blobs::open(&settings.blob_folder())?;
    let mut checks =
        vec![database(&db).await, whole_log(&db).await, tree(&db, &key).await, contents(&db, &blobs).await];
    checks.extend(private_files(settings));
    db.close().await;
    Ok(DoctorReport { ok: checks.iter().all(|check| check.ok), checks })
}

async fn database(db: &crate::db::Db) -> Check {
    match db.check().await {
        Ok(answer) => Check { name: "database", ok: answer == "ok", detail: answer },
        Err(failure) => Check { name: "database", ok: false, detail: told(&failure) },
    }
}

/// Every number of the log is there, times never go back, and the columns by which entries are found say what the entries do.
async fn whole_log(db: &crate::db::Db) -> Check {
    let look = async {
        let (mut next, mut last_time) = (0, skillery_core::time::Time::default());
        loop {
            let entries = log::filed(db, next, PAGE).await?;
            if entries.is_empty() {
                // The server may have written more since the size was read.
                return Ok::<_, Failure>((next >= db.size(), format!("{next} entries")));
            }
            for entry in entries {
                if entry.index != next {
                    return Ok((false, format!("entry {next} is missing")));
                }
                if let Some(misfit) = entry.misfit() {
                    return Ok((false, misfit));
                }
                if entry.time < last_time {
                    return Ok((false, format!("entry {next} is older than the one before it")));
                }
                last_time = entry.time;
                next += 1;
            }
        }
    };
    match look.await {
        Ok((ok, detail)) => Check { name: "log", ok, detail },
        Err(failure) => Check { name: "log", ok: false, detail: told(&failure) },
    }
}

/// Every entry is the one that the signed checkpoint covers.
async fn tree(db: &crate::db::Db, key: &LogKey) -> Check {
    match tlog::audit(db, key).await {
        Ok(Ok(size)) => {
            Check { name: "tree", ok: true, detail: format!("{size} entries as they were signed") }
        }
        Ok(Err(error)) => Check { name: "tree", ok: false, detail: error.to_string() },
        Err(failure) => Check { name: "tree", ok: false, detail: told(&failure) },
    }
}

/// Every content that a version needs is there and has its digest.
async fn contents(db: &crate::db::Db, blobs: &crate::blobs::Blobs) -> Check {
    let look = async {
        let (mut good, mut missing, mut damaged) = (0_u64, Vec::new(), Vec::new());
        let mut after = String::new();
        loop {
            let page = versions::digests_after(db, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            for digest in page {
                match blobs.get(BlobKey::Bundle(digest.parse::<Digest>().map_err(Failure::internal)?)).await {
                    Ok(_) => good += 1,
                    Err(failure) if failure.code() == ProblemCode::ContentMissing => missing.push(digest),
                    Err(failure) if failure.code() == ProblemCode::ContentDamaged => damaged.push(digest),
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok::<_, Failure>((good, missing, damaged))
    };
    match look.await {
        Ok((good, missing, damaged)) => {
            let mut detail = format!("{good} good");
            for (what, digests) in [("missing", &missing), ("damaged", &damaged)] {
                if !digests.is_empty() {
                    detail += &format!(", {} {what}: {}", digests.len(), digests.join(" "));
                }
            }
            Check { name: "contents", ok: missing.is_empty() && damaged.is_empty(), detail }
        }
        Err(failure) => Check { name: "contents", ok: false, detail: told(&failure) },
    }
}

#[cfg(unix)]
fn private_files(settings: &Settings) -> Vec<Check> {
    use std::os::unix::fs::PermissionsExt;
    let files = [
        ("secret key", settings.secret_key_file()),
        ("log key", settings.log_key_file()),
        ("admin token", settings.admin_token_file()),
    ];
    let key = settings.log_key_file();
    let former = old_file(&key).ok().map(|file| ("old log key", file));
    let next = next_file(&key).ok().map(|file| ("next log key", file));
    files
        .into_iter()
        .chain(former)
        .chain(next)
        .filter(|(_, file)| file.exists())
        .map(|(name, file)| {
            let mode =
                fs_err::metadata(&file).map_or(0o777, |metadata| metadata.permissions().mode() & 0o777);
            Check { name, ok: mode & 0o077 == 0, detail: format!("{} has mode {mode:04o}", file.display()) }
        })
        .collect()
}

#[cfg(not(unix))]
fn private_files(_: &Settings) -> Vec<Check> {
    Vec::new()
}

fn told(failure: &Failure) -> String {
    match &failure.source {
        Some(source) => format!("{}: {source}", failure.problem.title),
        None => failure.problem.title.clone(),
    }
}
