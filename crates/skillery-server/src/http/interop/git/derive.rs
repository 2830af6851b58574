//! From bundles to the ids that git knows them by. They are computed once, and kept in the database.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use futures_util::{StreamExt, stream};
use skillery_core::bundle;
use skillery_core::git::{Object, ObjectError, ObjectId, of_files};
use skillery_core::{Digest, ProblemCode};

use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::git::{self, RepositoryVersion, TreeRow};
use crate::failure::{Failure, Result};
use crate::skill::stored_limits;

/// Bundles that are read at once.
const AHEAD: usize = 4;
/// Bundles whose ids are written in one change.
const TOGETHER: usize = 64;

/// A version with the id of its folder.
#[derive(Debug, Clone)]
pub struct Derived {
    /// The version.
    pub row: RepositoryVersion,
    /// The folder of its files.
    pub tree: ObjectId,
}

/// These versions with the ids of their folders. Those whose files git does not accept are left out, and so are those whose
/// bundle is lost or damaged: one of them must not withhold all others. Where bundles cannot be read just now, that is an error:
/// what is made of the others would be taken for all that there is.
pub async fn derive(app: &App, rows: Vec<RepositoryVersion>) -> Result<Vec<Derived>> {
    let unknown: HashSet<Digest> =
        rows.iter().filter(|row| row.tree.is_none()).map(|row| row.digest).collect();
    let made = make(app, unknown).await?;
    let mut derived = Vec::with_capacity(rows.len());
    for row in rows {
        let tree = row.tree.as_deref().or_else(|| made.get(&row.digest).map(|made| made.tree.as_str()));
        if let Some(tree) = tree.filter(|tree| !tree.is_empty()) {
            let tree = parsed(tree)?;
            derived.push(Derived { row, tree });
        }
    }
    Ok(derived)
}

/// The ids of everything in these bundles, in their order.
pub async fn objects(app: &App, digests: &[Digest]) -> Result<Vec<Vec<ObjectId>>> {
    let mut known = git::objects(&app.db, digests).await?;
    let unknown = digests.iter().filter(|digest| !known.contains_key(digest)).copied().collect();
    known.extend(make(app, unknown).await?.into_iter().map(|(digest, made)| (digest, made.objects)));
    let ids = |digest: &Digest| -> Result<Vec<ObjectId>> {
        let text = known.get(digest).filter(|text| !text.is_empty()).ok_or_else(|| {
            Failure::caused(ProblemCode::ContentMissing, "", format!("content {digest} cannot be read"))
        })?;
        text.as_bytes().chunks(40).map(|hex| parsed(std::str::from_utf8(hex).unwrap_or_default())).collect()
    };
    digests.iter().map(ids).collect()
}

fn parsed(hex: &str) -> Result<ObjectId> {
    ObjectId::from_str(hex).map_err(|_| Failure::internal(format!("`{hex}` is no id of an object")))
}

async fn make(app: &App, digests: HashSet<Digest>) -> Result<HashMap<Digest, TreeRow>> {
    let mut all = HashMap::with_capacity(digests.len());
    let mut pieces =
        stream::iter(digests).map(|digest| make_one(app, digest)).buffer_unordered(AHEAD).chunks(TOGETHER);
    while let Some(piece) = pieces.next().await {
        let piece: Vec<Option<TreeRow>> = piece.into_iter().collect::<Result<_>>()?;
        let made: Vec<TreeRow> = piece.into_iter().flatten().collect();
        all.extend(made.iter().map(|row| (row.digest, row.clone())));
        let kept = app.db.write(move |tx| Box::pin(async move { git::keep_trees(tx, &made).await })).await;
        if let Err(failure) = kept {
            // They are known for this answer, and will be made again.
            tracing::warn!(%failure, "ids of bundles in git are not kept");
        }
    }
    Ok(all)
}

/// The ids in a bundle; none where it is lost or damaged, which no other try would change.
async fn make_one(app: &App, digest: Digest) -> Result<Option<TreeRow>> {
    let turn = app.reading.turn().await?;
    let packed = match app.blobs.get(BlobKey::Bundle(digest)).await {
        Ok(packed) => packed,
        Err(failure)
            if matches!(failure.code(), ProblemCode::ContentMissing | ProblemCode::ContentDamaged) =>
        {
            tracing::warn!(%digest, %failure, cause = ?failure.source, "a bundle cannot be shown to git");
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    let ids = move || match bundle::unpack(&packed, &stored_limits()) {
        Ok(files) => Ok(Some(row(digest, of_files(files)))),
        Err(error) => {
            tracing::warn!(%digest, %error, "a bundle cannot be shown to git");
            Ok(None)
        }
    };
    turn.work(ids).await
}

fn row(digest: Digest, objects: std::result::Result<Vec<Object>, ObjectError>) -> TreeRow {
    match objects {
        Ok(objects) => TreeRow {
            digest,
            tree: objects.last().map(|object| object.id.to_string()).unwrap_or_default(),
            objects: objects.iter().map(|object| object.id.to_string()).collect(),
        },
        Err(error) => {
            tracing::info!(%digest, %error, "a version is not offered to git");
            TreeRow { digest, tree: String::new(), objects: String::new() }
        }
    }
}
