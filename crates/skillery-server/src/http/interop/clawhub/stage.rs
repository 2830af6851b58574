//! Files of a version that is to be published, which come one by one before it.
//!
//! Each is announced, and then sent to the address that its announcement was answered with. Its bytes lie among the contents, so
//! that any server of a registry can publish them; where no version comes to need them they are collected there. What an
//! address is good for, and for whom, stands in the database: nobody gets at a content by knowing its digest.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use skillery_core::{Digest, Problem, ProblemCode, Scope};

use super::{API, Result, body, json, require};
use crate::access::Caller;
use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::staged::{self, StagedFile};
use crate::failure::Failure;
use crate::http::call::Call;
use crate::text::{excerpt, invalid};
use crate::uploads::{Incoming, Spooled, Upload};

#[derive(Default, Deserialize)]
struct Announcement {
    #[serde(default)]
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    sha256: String,
}

/// `POST /skills/-/upload-url`: where to send a file of this size and digest.
pub async fn announce(call: Call) -> Result<Response> {
    require(&call, Scope::Publish)?;
    let base = call.base()?;
    let (app, caller, file) = body::<Announcement>(call).await?;
    let identity = (**caller.require(Scope::Publish)?).clone();
    let limits = &app.settings.limits;
    let digest: Digest = file
        .sha256
        .to_ascii_lowercase()
        .parse()
        .map_err(|error| invalid("sha256", format!("`sha256` is no SHA-256: {error}")))?;
    if file.size > limits.file_bytes as u64 {
        return Err(too_large(&file.path, limits.file_bytes).into());
    }
    let size = file.size as i64;
    let (most_files, most_bytes) = (limits.staged_files_per_user as i64, limits.staged_bytes_per_user as i64);
    let seconds = i64::try_from(limits.staged_seconds).unwrap_or(i64::MAX);
    // Whoever holds it could be no other: it is as long as a token.
    let id = hex::encode(app.environment.random::<24>());
    let new = id.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let user = identity.again(tx).await?.user.id;
                let (files, bytes) = staged::held(tx, &user).await?;
                if files >= most_files || bytes + size > most_bytes {
                    let detail = format!(
                        "{files} files with {bytes} bytes wait to be published already; they are forgotten in {seconds} s"
                    );
                    return Err(Failure::new(ProblemCode::RateLimited, detail));
                }
                let expires_at = tx.now.plus_seconds(seconds);
                staged::insert(tx, &StagedFile { id: new, user, digest, size, expires_at, is_stored: false })
                    .await
            })
        })
        .await?;
    json(&serde_json::json!({ "uploadUrl": format!("{base}{API}/uploads/{id}"), "uploadTicket": id }))
}

/// `POST /uploads/{upload}`: a file. Again is harmless.
pub async fn receive(call: Call, id: &str) -> Result<Response> {
    require(&call, Scope::Publish)?;
    let (app, caller, head, body) = call.stream();
    let limits = &app.settings.limits;
    let mut incoming = Incoming::new(&head.headers, body, limits.file_bytes, limits);
    let received = take_in(&app, &caller, id, &mut incoming).await;
    let (_upload, file, spooled) = incoming.finish(received).await?;
    let turn = app.uploads.turn_for(&spooled).await?;
    let read = move || spooled.read().map(|bytes| (Digest::of(&bytes), bytes));
    let (digest, bytes) = turn.work(read).await?;
    if bytes.len() as i64 != file.size {
        let detail = format!("{} bytes came, and {} were announced", bytes.len(), file.size);
        return Err(invalid("size", detail).into());
    }
    if digest != file.digest {
        let detail = format!("the SHA-256 of what came is {digest}, and {} was announced", file.digest);
        return Err(invalid("sha256", detail).into());
    }
    app.blobs.put(BlobKey::Bundle(digest), turn.keep(bytes)).await?;
    let id = file.id.clone();
    app.db.write(move |tx| Box::pin(async move { staged::stored(tx, &id).await })).await?;
    json(&serde_json::json!({ "storageId": file.id }))
}

/// The file, once it has come whole, and what was announced of it.
async fn take_in<'app>(
    app: &'app Arc<App>,
    caller: &Caller,
    id: &str,
    incoming: &mut Incoming,
) -> Result<(Upload<'app>, StagedFile, Spooled)> {
    let mut known = of_caller(app, caller, &[id.to_owned()]).await?;
    let file = known.pop().ok_or_else(|| {
        Failure::new(ProblemCode::RouteNotFound, "the upload is not known, is another user's, or has expired")
    })?;
    let upload = app.uploads.begin(&file.user)?;
    let limit = usize::try_from(file.size).map_err(Failure::internal)?;
    let spooled = app.uploads.receive(incoming, limit).await?;
    Ok((upload, file, spooled))
}

fn too_large(path: &str, limit: usize) -> Failure {
    let shown = excerpt(path);
    let detail = format!("`{shown}` has more than {limit} bytes");
    Problem::new(ProblemCode::BodyTooLarge, detail).with("limit", limit).into()
}

/// Those of these that are the caller's and not too old.
pub async fn of_caller(app: &Arc<App>, caller: &Caller, ids: &[String]) -> Result<Vec<StagedFile>> {
    let identity = caller.require(Scope::Publish)?;
    Ok(staged::of_user(&app.db, &identity.user.id, ids, app.environment.now()).await?)
}
