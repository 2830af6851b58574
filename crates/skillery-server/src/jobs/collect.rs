//! Collecting contents that no version needs: what publishes that did not finish have left.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use skillery_core::Digest;

use crate::app::App;
use crate::blobs::{BlobKey, Stored};
use crate::db::contents;
use crate::failure::{Failure, Result};

const HOUR_SECONDS: i64 = 3_600;
/// Contents looked at together.
const CHUNK: usize = 200;
/// Who comes this long after the mark leaves the content to whoever takes the mark over, an hour after it was made.
const LATE: Duration = Duration::from_secs(600);

/// Removes contents that are older than the settings say and that no version needs. Returns how many.
pub async fn collect(app: &App) -> Result<usize> {
    let owner = app.environment.new_id();
    let now = app.environment.now();
    let mut count = 0;
    let (marker, abandoned) = (owner.clone(), now.plus_seconds(-HOUR_SECONDS));
    let marked = Instant::now();
    let left = app
        .db
        .write(move |tx| Box::pin(async move { contents::take_over(tx, abandoned, &marker).await }))
        .await?;
    for digest in left {
        count += remove(app, digest.parse().map_err(Failure::internal)?, &owner, marked).await?;
    }
    let age = i64::try_from(app.settings.orphan_hours).unwrap_or(i64::MAX).saturating_mul(HOUR_SECONDS);
    let oldest = now.plus_seconds(-age);
    app.blobs.sweep(oldest).await?;
    let mut stored = app
        .blobs
        .list()
        .try_filter(|content| std::future::ready(content.written_at <= oldest))
        .try_chunks(CHUNK);
    while let Some(chunk) = stored.try_next().await.map_err(|error| error.1)? {
        let old: Vec<Digest> = chunk.iter().map(Stored::digest).collect();
        // Most are needed: a look tells, and only the others take the writer's time.
        for digest in contents::unneeded(&app.db, &old).await? {
            if app.is_stopping() {
                return Ok(count);
            }
            let (marker, marked) = (owner.clone(), Instant::now());
            let is_doomed = app
                .db
                .write(move |tx| Box::pin(async move { contents::doom(tx, &digest, &marker).await }))
                .await?;
            if is_doomed {
                count += remove(app, digest, &owner, marked).await?;
            }
        }
    }
    Ok(count)
}

/// Removes what this owner has marked at that time. Returns how many it were.
async fn remove(app: &App, digest: Digest, owner: &str, marked: Instant) -> Result<usize> {
    if marked.elapsed() > LATE {
        return Ok(0);
    }
    app.blobs.delete(BlobKey::Bundle(digest)).await?;
    let owner = owner.to_owned();
    app.db.write(move |tx| Box::pin(async move { contents::collected(tx, &digest, &owner).await })).await?;
    app.metrics.collected();
    Ok(1)
}
