//! Collecting contents that no version needs: what publishes that did not finish have left.

use futures_util::TryStreamExt;
use skillery_core::Digest;

use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::contents;
use crate::failure::{Failure, Result};

const HOUR_SECONDS: i64 = 3_600;

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
    let mut stored = app.blobs.list();
    while let Some(content) = stored.try_next().await? {
        if content.written_at > oldest {
            continue;
        }
        let digest = content.digest();
        let is_doomed =
            app.db.write(move |tx| Box::pin(async move { contents::doom(tx, &digest).await })).await?;
        if is_doomed {
            remove(app, digest).await?;
            count += 1;
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
