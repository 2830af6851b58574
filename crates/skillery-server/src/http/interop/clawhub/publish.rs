//! `POST /skills`: publishing a folder.
//!
//! Newer programs have sent its files before, one by one (`stage.rs`), and name them; older ones send all in one form. Both ask
//! again when they hear nothing for a while: what is published already, from the same files, is answered as if it were new.

use std::sync::Arc;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use skillery_core::api::{BundleRequest, PublishResponse};
use skillery_core::bundle::BundleFile;
use skillery_core::{Digest, ProblemCode, Role, Scope, SkillId, Version, VersionStatus};

use super::names::{id_of, slug_of};
use super::stage::of_caller;
use super::{Result, json, not_done, require};
use crate::access::{Caller, Identity};
use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::versions::{self, VersionRow};
use crate::db::{orgs, skills, staged};
use crate::failure::Failure;
use crate::http::call::Call;
use crate::http::multipart::{self, Form};
use crate::publish::{Published, check_request, publish_bundle};
use crate::review::changelog;
use crate::skill::sees_version;
use crate::text::{excerpt, invalid};
use crate::uploads::{Spooled, Upload};

/// What the program says of a version. What else it says has no counterpart here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Payload {
    slug: String,
    owner_handle: Option<String>,
    version: String,
    changelog: String,
    tags: Vec<String>,
    files: Vec<Named>,
    categories: Vec<String>,
    topics: Vec<String>,
    source: Option<Source>,
    migrate_owner: bool,
}

/// A file that was sent before.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Named {
    path: String,
    sha256: String,
    storage_id: String,
    upload_ticket: String,
}

#[derive(Deserialize)]
struct Source {
    url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    ok: bool,
    skill_id: String,
    version_id: String,
    status: &'static str,
    publication_status: &'static str,
    slug: String,
    version: String,
}

/// Publishes a version.
pub async fn publish(call: Call) -> Result<Response> {
    require(&call, Scope::Publish)?;
    match multipart::is_form(&call.head.headers) {
        true => form(call).await,
        false => named(call).await,
    }
}

/// A version whose files were sent before.
async fn named(call: Call) -> Result<Response> {
    let (app, caller, payload) = super::body::<Payload>(call).await?;
    let changelog = changelog(&app, &payload)?;
    let request = request(&app, &caller, &payload).await?;
    if let Some(there) = already(&app, &caller, &request, &payload).await? {
        return answer(&app, &caller, there, changelog).await;
    }
    check_request(&app, &caller, &request).await?;
    let staged = staged(&app, &caller, &payload).await?;
    let turn = app.uploads.turn().await?;
    let mut files = Vec::with_capacity(staged.len());
    for (path, digest) in staged {
        let bytes = app.blobs.get(BlobKey::Bundle(digest)).await.map_err(|failure| match failure.code() {
            ProblemCode::ContentMissing => not_there(&path),
            _ => failure,
        })?;
        files.push(BundleFile { path, executable: false, bytes: bytes.into() });
    }
    let published = publish_bundle(&app, &caller, request, files, turn).await?;
    let ids: Vec<String> = payload.files.into_iter().map(|file| file.upload_ticket).collect();
    app.db.write(move |tx| Box::pin(async move { staged::remove(tx, &ids).await })).await?;
    answer(&app, &caller, there(published)?, changelog).await
}

/// A version whose files come with it.
async fn form(call: Call) -> Result<Response> {
    let (app, caller, head, body) = call.stream();
    let mut form = Form::open(&head.headers, body, &app.settings.limits)?;
    let received = receive(&app, &caller, &mut form).await;
    let Received { _upload, request, changelog, parts, spooled } = form.finish(received).await?;
    let turn = app.uploads.turn().await?;
    let read = move || {
        let read = spooled.read()?;
        let mut rest = read.as_slice();
        let mut files = Vec::with_capacity(parts.len());
        for (path, length) in parts {
            let (bytes, after) = rest.split_at(length);
            files.push(BundleFile { path, executable: false, bytes: bytes.to_vec() });
            rest = after;
        }
        Ok(files)
    };
    let files = turn.work(read).await?;
    let published = publish_bundle(&app, &caller, request, files, turn).await?;
    answer(&app, &caller, there(published)?, changelog).await
}

/// A form that has come whole: its files one behind the other.
struct Received<'app> {
    /// It counts until there is an answer.
    _upload: Upload<'app>,
    request: BundleRequest,
    changelog: Option<String>,
    parts: Vec<(String, usize)>,
    spooled: Spooled,
}

async fn receive<'app>(app: &'app Arc<App>, caller: &Caller, form: &mut Form) -> Result<Received<'app>> {
    let limits = &app.settings.limits;
    let _upload = app.uploads.begin(&caller.require(Scope::Publish)?.user.id)?;
    let payload = form.expect("payload").await?.bytes(limits.body_bytes).await?;
    let payload: Payload = serde_json::from_slice(&payload)
        .map_err(|error| Failure::new(ProblemCode::InvalidJson, error.to_string()))?;
    let changelog = changelog(app, &payload)?;
    let request = request(app, caller, &payload).await?;
    check_request(app, caller, &request).await?;
    let mut spool = app.uploads.spool();
    let mut parts = Vec::new();
    while let Some(mut part) = form.next().await? {
        let path = part.file_name().unwrap_or_default().to_owned();
        if part.name() != "files" || path.is_empty() {
            return Err(Failure::new(
                ProblemCode::InvalidMultipart,
                "every part but `payload` must be one of `files`, and name its file",
            )
            .into());
        }
        if parts.len() >= limits.bundle_files {
            return Err(too_many(limits.bundle_files).into());
        }
        let mut length = 0;
        while let Some(chunk) = part.chunk().await? {
            length += chunk.len();
            spool.write(&chunk).await?;
        }
        parts.push((path, length));
    }
    Ok(Received { _upload, request, changelog, parts, spooled: spool.finish().await? })
}

fn too_many(most: usize) -> Failure {
    invalid("files", format!("there are more than {most} files"))
}

/// What the program says has changed, if it says anything. What may not be said is refused before anything is published.
fn changelog(app: &App, payload: &Payload) -> Result<Option<String>> {
    match payload.changelog.trim() {
        "" => Ok(None),
        text => Ok(Some(changelog::check(app, text)?)),
    }
}

/// What is asked for, in the words of this registry.
async fn request(app: &App, caller: &Caller, payload: &Payload) -> Result<BundleRequest> {
    if payload.migrate_owner {
        return Err(not_done("a skill is not handed to another owner; publish it under that owner"));
    }
    if let Some(tag) = payload.tags.iter().find(|tag| *tag != "latest") {
        let shown = crate::text::named(tag);
        return Err(not_done(format!(
            "the tag `{shown}` cannot be set: this registry has `latest`, which is always the highest version, and no others"
        )));
    }
    let identity = caller.require(Scope::Publish)?;
    let owner = match payload.owner_handle.as_deref().filter(|owner| !owner.trim().is_empty()) {
        Some(owner) => owner.to_owned(),
        None => usual_owner(identity),
    };
    let id = id_of(&owner, &payload.slug).ok_or_else(|| {
        let shown: String =
            format!("@{owner}/{}", payload.slug).chars().take(160).flat_map(char::escape_default).collect();
        let detail = format!("`{shown}` is no name here: owners and slugs are of a-z, 0-9, `.`, `_` and `-`");
        Failure::new(ProblemCode::InvalidId, detail)
    })?;
    // A skill keeps the spelling that it has.
    let there = skills::find(app.db.reader(), &id.key()).await?;
    let spelled = match there.filter(|skill| caller.sees(skill.visibility, &skill.id.namespace().key())) {
        Some(skill) => skill.id,
        None => spelled_as_its_org(app, id).await?,
    };
    let topics = payload.categories.iter().chain(&payload.topics).map(|topic| topic.trim().to_owned());
    Ok(BundleRequest {
        id: spelled.to_string(),
        version: payload.version.clone(),
        tags: topics.filter(|topic| !topic.is_empty()).collect(),
        repository: payload.source.as_ref().and_then(|source| source.url.clone()),
        // ClawHub takes any front matter, and its folders are written for it.
        lenient: true,
        ..BundleRequest::default()
    })
}

/// The id of a new skill, with its org as that is spelled: roles and bounds of tokens know keys alone, and whoever names an owner
/// need not know which of `_`, `.` and `-` it has.
async fn spelled_as_its_org(app: &App, id: SkillId) -> Result<SkillId> {
    match orgs::find(app.db.reader(), &id.org_key()).await? {
        Some(org) if org.name != id.org() => {
            let below = id.as_str().strip_prefix(id.org()).unwrap_or_default();
            let spelled = format!("{}{below}", org.name).parse::<SkillId>();
            Ok(spelled.map_err(Failure::internal)?)
        }
        _ => Ok(id),
    }
}

/// Whose a skill becomes when the program does not say: that of the only namespace that the token, or its user, can publish
/// in, else the user's.
fn usual_owner(identity: &Identity) -> String {
    if let [only] = identity.token.namespaces.as_slice() {
        return only.clone();
    }
    let mut places = identity.roles.iter().filter(|(_, role)| *role >= Role::Publisher);
    match (places.next(), places.next()) {
        (Some((only, _)), None) => only.clone(),
        _ => identity.user.name.clone(),
    }
}

/// The version, where it was published before from the same files: of a question that is asked again the files are not there any
/// more.
async fn already(
    app: &App,
    caller: &Caller,
    request: &BundleRequest,
    payload: &Payload,
) -> Result<Option<There>> {
    let (Ok(id), Ok(version)) = (request.id.parse::<SkillId>(), request.version.parse::<Version>()) else {
        return Ok(None);
    };
    let namespace = id.namespace().key();
    let identity = caller.require(Scope::Publish)?;
    if !identity.acts_as(Role::Publisher, &namespace) {
        return Ok(None);
    }
    let row = versions::find(app.db.reader(), &id.key(), &version).await?;
    // Whoever has published it knows of it, whatever the token may read.
    let knows = |row: &VersionRow| row.publisher == identity.user.id || sees_version(caller, &namespace, row);
    let Some(row) = row.filter(knows) else { return Ok(None) };
    let is_same = payload.files.len() == row.files.len() && {
        let digest = |file: &Named| file.sha256.to_ascii_lowercase().parse::<Digest>().ok();
        let mut named: Vec<(&str, Option<Digest>)> =
            payload.files.iter().map(|file| (file.path.as_str(), digest(file))).collect();
        let mut there: Vec<(&str, Option<Digest>)> =
            row.files.iter().map(|file| (file.path.as_str(), Some(file.digest))).collect();
        named.sort_unstable();
        there.sort_unstable();
        named == there
    };
    let is_there = matches!(row.status, VersionStatus::Published | VersionStatus::Pending);
    Ok((is_same && is_there).then_some((id, version, row.status)))
}

/// The files that were sent before, by their paths.
async fn staged(app: &Arc<App>, caller: &Caller, payload: &Payload) -> Result<Vec<(String, Digest)>> {
    let limits = &app.settings.limits;
    if payload.files.len() > limits.bundle_files {
        return Err(too_many(limits.bundle_files).into());
    }
    let ids: Vec<String> = payload.files.iter().map(|file| file.upload_ticket.clone()).collect();
    let known = of_caller(app, caller, &ids).await?;
    let mut files = Vec::with_capacity(payload.files.len());
    let mut total = 0_i64;
    for file in &payload.files {
        let found = known.iter().find(|known| {
            known.is_stored
                && known.id == file.upload_ticket
                && file.storage_id == known.id
                && file.sha256.eq_ignore_ascii_case(&known.digest.to_string())
        });
        let found = found.ok_or_else(|| not_there(&file.path))?;
        total = total.saturating_add(found.size);
        files.push((file.path.clone(), found.digest));
    }
    if usize::try_from(total).map_or(true, |total| total > limits.bundle_bytes) {
        let detail =
            format!("the files have {total} bytes together, and the limit is {}", limits.bundle_bytes);
        return Err(Failure::new(ProblemCode::BundleTooLarge, detail).into());
    }
    Ok(files)
}

fn not_there(path: &str) -> Failure {
    let shown = excerpt(path);
    invalid("files", format!("`{shown}` was not uploaded, or too long ago; publish again"))
}

/// A version that is published by now, and its status.
type There = (SkillId, Version, VersionStatus);

fn there(published: Published) -> Result<There> {
    let (Published::New(PublishResponse { id, version, status, .. })
    | Published::Again(PublishResponse { id, version, status, .. })) = published;
    Ok((id.parse().map_err(Failure::internal)?, version.parse().map_err(Failure::internal)?, status))
}

/// Keeps what is said to have changed with the version, and answers.
async fn answer(
    app: &App,
    caller: &Caller,
    (id, version, status): There,
    changelog: Option<String>,
) -> Result<Response> {
    if let Some(changelog) = changelog {
        let identity = caller.require(Scope::Publish)?;
        changelog::keep(app, caller, identity, (&id, &version), changelog).await?;
    }
    let status = if status == VersionStatus::Pending { "pending" } else { "published" };
    json(&Answer {
        ok: true,
        skill_id: id.to_string(),
        version_id: format!("{id}@{version}"),
        status,
        publication_status: status,
        slug: slug_of(&id),
        version: version.to_string(),
    })
}
