//! Collecting contents that no version needs: what publishes that did not finish have left.

use futures_util::TryStreamExt;
use skillery_core::Digest;

use crate::app::App;
use crate::blobs::{BlobKey, Stored};
use crate::db::contents;
use crate::failure::{Failure, Result};

const HOUR_SECONDS: i64 = 3_600;
/// Contents looked at together.
const CHUNK: usize = 200;

/// Removes contents that are older than the settings say and that no version needs. Returns how many.
pub async fn collect(app: &App) -> Result<usize> {
    // What an earlier collection began is finished first.
    let mut count = 0;
    for digest in contents::doomed(&app.db).await? {
        remove(app, digest.parse().map_err(Failure::internal)?).await?;
        count += 1;
    }
    let age = i64::try_from(app.settings.orphan_hours).unwrap_or(i64::MAX).saturating_mul(HOUR_SECONDS);
    let oldest = app.environment.now().plus_seconds(-age);
    let mut stored = app
        .blobs
        .list()
        .try_filter(|content| std::future::ready(content.written_at <= oldest))
        .try_chunks(CHUNK);
    while let Some(chunk) = stored.try_next().await.map_err(|error| error.1)? {
        let old: Vec<Digest> = chunk.iter().map(Stored::digest).collect();
        // Most are needed: a look tells, and only the others take the writer's time.
        for digest in contents::unneeded(&app.db, &old).await? {
            let is_doomed =
                app.db.write(move |tx| Box::pin(async move { contents::doom(tx, &digest).await })).await?;
            if is_doomed {
                remove(app, digest).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

async fn remove(app: &App, digest: Digest) -> Result<()> {
    app.blobs.delete(BlobKey::Bundle(digest)).await?;
    app.db.write(move |tx| Box::pin(async move { contents::collected(tx, &digest).await })).await?;
    app.metrics.collected();
    Ok(())
}
