//! Loading skills and downloads as they are answered: from memory, else from the database and the store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use skillery_core::access::yanked;
use skillery_core::api::DownloadResponse;
use skillery_core::approval::Notice;
use skillery_core::bundle::{self, BundleFile};
use skillery_core::{
    Limits, ProblemCode, Role, Scope, SkillId, SkillKind, Version, VersionRequest, VersionStatus,
};

use crate::access::{Caller, Identity, skill_not_found};
use crate::app::App;
use crate::blobs::BlobKey;
use crate::cache::{CachedDownload, CachedSkill};
use crate::db::needs;
use crate::db::skills::{self, FullSkill, SkillRow};
use crate::db::versions::{self, VersionRow};
use crate::failure::{Failure, Result};
use crate::origin;
use crate::text::excerpt;

/// The skill, when it exists and the caller sees it.
pub async fn load(app: &App, caller: &Caller, id: &SkillId) -> Result<Arc<CachedSkill>> {
    let key = id.key();
    let skill = match app.ready.skill(&key) {
        Some(skill) => Some(skill),
        None => {
            let epoch = app.ready.epochs(&key);
            skills::full(&app.db, &key).await?.map(|full| keep(app, full, epoch)).transpose()?
        }
    };
    let skill = skill.ok_or_else(|| skill_not_found(id))?;
    if caller.sees(skill.visibility, &skill.namespace) {
        return Ok(skill);
    }
    origin::hidden(Some(&skill.key), &skill.namespace);
    Err(skill_not_found(id))
}

/// Records of these skills, in order. Those that are gone, or that the caller does not see, are left out.
pub async fn records(app: &App, caller: &Caller, numbers: &[i64]) -> Result<Vec<Bytes>> {
    let keys = keys_of(app, numbers).await?;
    let mut skills: HashMap<&str, Arc<CachedSkill>> = HashMap::with_capacity(keys.len());
    let mut missing = Vec::new();
    for key in keys.iter().flatten() {
        match app.ready.skill(key) {
            Some(skill) => drop(skills.insert(key, skill)),
            None => missing.push(key),
        }
    }
    let epochs: HashMap<&str, (u64, u64)> =
        missing.iter().map(|key| (&***key, app.ready.epochs(key))).collect();
    let wanted: Vec<String> = missing.iter().map(|key| key.to_string()).collect();
    for full in skills::records(&app.db, &wanted).await? {
        if let Some((key, epoch)) = epochs.get_key_value(&*full.skill.id.key()) {
            skills.insert(key, keep(app, full, *epoch)?);
        }
    }
    let found = keys.iter().flatten().filter_map(|key| skills.get(&**key));
    Ok(found
        .filter(|skill| caller.sees(skill.visibility, &skill.namespace))
        .filter_map(|skill| skill.record.clone())
        .collect())
}

/// The keys of these numbers, where they are a skill's.
async fn keys_of(app: &App, numbers: &[i64]) -> Result<Vec<Option<Arc<str>>>> {
    let mut keys: Vec<Option<Arc<str>>> = numbers.iter().map(|number| app.ready.key_of(*number)).collect();
    let unknown: Vec<i64> =
        numbers.iter().zip(&keys).filter(|(_, key)| key.is_none()).map(|(number, _)| *number).collect();
    for (number, key) in skills::keys_of(&app.db, &unknown).await? {
        app.ready.keep_key(number, &key);
        for (place, _) in numbers.iter().enumerate().filter(|(_, other)| **other == number) {
            keys[place] = Some(Arc::from(key.as_str()));
        }
    }
    Ok(keys)
}

fn keep(app: &App, full: FullSkill, epoch: (u64, u64)) -> Result<Arc<CachedSkill>> {
    let record = full
        .record
        .as_ref()
        .map(|record| serde_json::to_vec(record).map(Bytes::from).map_err(Failure::internal))
        .transpose()?;
    let FullSkill { skill: SkillRow { id, visibility, .. }, .. } = full;
    let (key, namespace) = (id.key(), id.namespace().key());
    let skill = Arc::new(CachedSkill { id, key, namespace, visibility, record, epoch });
    app.ready.keep_skill(&skill);
    Ok(skill)
}

/// A row of the skill, when it exists and the caller sees it, for what changes it or looks deeper.
pub async fn find(app: &App, caller: &Caller, id: &SkillId) -> Result<SkillRow> {
    let skill = skills::find(app.db.reader(), &id.key()).await?;
    caller.see(id, skill)
}

/// Which of these ids of skills lead to a page that the caller gets, each as it is written here.
pub async fn with_page(app: &App, caller: &Caller, ids: &[&str]) -> Result<HashSet<String>> {
    let named: Vec<(&str, String)> =
        ids.iter().filter_map(|id| Some((*id, id.parse::<SkillId>().ok()?.key()))).collect();
    let keys: Vec<String> = named.iter().map(|(_, key)| key.clone()).collect();
    let mut there = needs::skills(&app.db, &keys).await?;
    there.retain(|skill| caller.sees(skill.visibility, &skill.id.namespace().key()));
    // One without a latest version has the page of its newest one that the caller may know of.
    let (with_latest, without): (Vec<SkillRow>, Vec<SkillRow>) =
        there.into_iter().partition(|skill| skill.latest.is_some());
    let mut seen: HashSet<String> = with_latest.iter().map(|skill| skill.id.key()).collect();
    let without: HashMap<String, String> =
        without.iter().map(|skill| (skill.id.key(), skill.id.namespace().key())).collect();
    let keys: Vec<String> = without.keys().cloned().collect();
    for state in needs::states(&app.db, &keys).await? {
        let Some(namespace) = without.get(&state.skill) else { continue };
        if sees_status(caller, namespace, state.status, |identity| identity.user.id == state.publisher) {
            seen.insert(state.skill);
        }
    }
    Ok(named.into_iter().filter(|(_, key)| seen.contains(key)).map(|(id, _)| id.to_owned()).collect())
}

/// The skill has no version that fits.
pub fn version_not_found(id: &SkillId, request: &VersionRequest) -> Failure {
    let detail = match request {
        VersionRequest::Latest => {
            format!("`{id}` has no version that is neither yanked nor a prerelease; ask for an exact one")
        }
        VersionRequest::Exact(version) => format!("`{id}` has no version {version}"),
        VersionRequest::Range(range) => format!("`{id}` has no version that fits `{range}`"),
    };
    Failure::new(ProblemCode::VersionNotFound, detail)
}

/// The skill has no such version.
pub fn no_such_version(id: &SkillId, version: &Version) -> Failure {
    version_not_found(id, &VersionRequest::Exact(version.clone()))
}

/// The version has no file of this path.
pub fn file_not_found(id: &SkillId, version: &Version, path: &str) -> Failure {
    Failure::new(ProblemCode::FileNotFound, format!("{id} {version} has no file `{}`", excerpt(path)))
}

/// Whether the caller may know of a version in this state. Those that wait for a decision, or were refused, are for
/// reviewers, and for whoever published them.
pub fn sees_status(
    caller: &Caller,
    namespace: &str,
    status: VersionStatus,
    is_publisher: impl FnOnce(&Identity) -> bool,
) -> bool {
    match status {
        VersionStatus::Published | VersionStatus::Yanked | VersionStatus::Quarantined => true,
        VersionStatus::Pending | VersionStatus::Rejected => caller.identity().is_some_and(|identity| {
            identity.has(Scope::Read)
                && identity.is_within_bounds(namespace)
                && (identity.role_in(namespace) >= Some(Role::Reviewer) || is_publisher(identity))
        }),
    }
}

/// [`sees_status`] of a row.
pub fn sees_version(caller: &Caller, namespace: &str, row: &VersionRow) -> bool {
    let sees = sees_status(caller, namespace, row.status, |identity| identity.user.id == row.publisher);
    if !sees {
        origin::hidden(None, namespace);
    }
    sees
}

/// The download of what was asked for, when the caller sees the skill.
pub async fn download(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    request_text: &str,
) -> Result<Arc<CachedDownload>> {
    let key = id.key();
    if let Some(download) = app.ready.download(&key, request_text) {
        if caller.sees(download.visibility, &download.namespace) {
            return Ok(download);
        }
        origin::hidden(Some(&key), &download.namespace);
        return Err(skill_not_found(id));
    }
    let request: VersionRequest = request_text.parse()?;
    let epoch = app.ready.content.of(&key);
    let skill = find(app, caller, id).await?;
    let version = choose(app, &skill, &request).await?;
    let row = versions::find(app.db.reader(), &key, &version)
        .await?
        .filter(|row| sees_version(caller, &skill.id.namespace().key(), row))
        .ok_or_else(|| version_not_found(&skill.id, &request))?;
    let is_public_status = matches!(row.status, VersionStatus::Published | VersionStatus::Yanked);
    let answer = read(app, &skill, &row).await?;
    let mut json = serde_json::to_vec(&answer).map_err(Failure::internal)?;
    json.pop();
    let download = Arc::new(CachedDownload {
        namespace: skill.id.namespace().key(),
        visibility: skill.visibility,
        version,
        open_json: Bytes::from(json),
        has_content: row.kind.is_function(),
        epoch,
        key,
    });
    if is_public_status {
        app.ready.keep_download(request_text.to_owned(), &download);
    }
    Ok(download)
}

/// The version of the skill that fits, as far as there is one; an exact one whatever became of it.
pub async fn choose(app: &App, skill: &SkillRow, request: &VersionRequest) -> Result<Version> {
    let not_found = || version_not_found(&skill.id, request);
    match request {
        VersionRequest::Exact(version) => Ok(version.clone()),
        VersionRequest::Latest => skill.latest.clone().ok_or_else(not_found),
        VersionRequest::Range(_) => {
            let statuses = versions::statuses(app.db.reader(), &skill.id.key()).await?;
            request.choose(versions::published(&statuses)).cloned().ok_or_else(not_found)
        }
    }
}

/// What was packed here, and has its digest, is unpacked whatever the limits on new input are by now.
pub fn stored_limits() -> Limits {
    Limits {
        bundle_files: usize::MAX,
        bundle_bytes: usize::MAX >> 1,
        file_bytes: usize::MAX >> 1,
        ..Limits::default()
    }
}

/// One version of which the caller gets the files.
pub async fn with_files(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
) -> Result<(SkillRow, VersionRow)> {
    let skill = find(app, caller, id).await?;
    let row = versions::find(app.db.reader(), &skill.id.key(), version)
        .await?
        .filter(|row| sees_version(caller, &skill.id.namespace().key(), row))
        .ok_or_else(|| no_such_version(&skill.id, version))?;
    warning(&skill, &row)?;
    Ok((skill, row))
}

/// What is to be said of a version of which somebody gets the files. Of one that is quarantined, or was rejected, nobody does.
fn warning(skill: &SkillRow, row: &VersionRow) -> Result<Option<String>> {
    match row.status {
        VersionStatus::Quarantined => Err(quarantined(&skill.id, row)),
        VersionStatus::Rejected => Err(no_such_version(&skill.id, &row.version)),
        VersionStatus::Published | VersionStatus::Pending | VersionStatus::Yanked => {
            Ok(said_of(&skill.id, row))
        }
    }
}

/// What whoever gets a version is told of it, by whatever protocol.
pub fn said_of(id: &SkillId, row: &VersionRow) -> Option<String> {
    let version = &row.version;
    match (row.status, row.notice) {
        (VersionStatus::Yanked, _) => Some(yanked(id, version, row.reason.as_deref())),
        (VersionStatus::Pending, _) => Some(format!("{id} {version} waits for approval")),
        (VersionStatus::Published, Some(Notice::Forced)) => {
            Some(format!("{id} {version} was released by an owner, without the approvals that it waited for"))
        }
        (VersionStatus::Published, Some(Notice::Due)) => {
            Some(format!("{id} {version} should have been reviewed again"))
        }
        (VersionStatus::Published, None) | (VersionStatus::Quarantined | VersionStatus::Rejected, _) => None,
    }
}

/// Nobody gets it.
pub fn quarantined(id: &SkillId, row: &VersionRow) -> Failure {
    let detail =
        format!("{id} {} is quarantined: {}", row.version, row.reason.as_deref().unwrap_or_default());
    Failure::new(ProblemCode::VersionQuarantined, detail)
}

async fn read(app: &App, skill: &SkillRow, row: &VersionRow) -> Result<DownloadResponse> {
    let warning = warning(skill, row)?;
    let (code, bundle) = match row.kind {
        SkillKind::Function => (code(app, &skill.id, row).await?, None),
        SkillKind::Folder => {
            let path = format!("/api/v1/skills/{}/versions/{}/bundle", skill.id, row.version);
            (String::new(), Some(path))
        }
    };
    Ok(DownloadResponse {
        id: skill.id.to_string(),
        version: row.version.to_string(),
        code,
        code_hash: row.code_hash.to_string(),
        kind: row.kind,
        bundle,
        signature: row.signature.clone(),
        secret: None,
        digest: row.digest.to_string(),
        warning,
    })
}

/// What the files of a version say; none where it is the files alone that cannot be read now, for callers that have
/// something to tell without them.
pub fn while_readable<T>(id: &SkillId, version: &Version, read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(said) => Ok(Some(said)),
        Err(failure)
            if matches!(
                failure.code(),
                ProblemCode::ContentMissing | ProblemCode::ContentDamaged | ProblemCode::StorageUnavailable
            ) =>
        {
            tracing::warn!(%id, %version, %failure, cause = ?failure.source, "a version is told without its files");
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// One file of a version that lists it. A turn bounds how many bundles are in memory for it.
pub async fn file(app: &App, row: &VersionRow, path: &str) -> Result<BundleFile> {
    let turn = app.reading.turn().await?;
    let packed = app.blobs.get(BlobKey::Bundle(row.digest)).await?;
    let (path, digest) = (path.to_owned(), row.digest);
    let unpack = move || match bundle::unpack_file(&packed, &path, &stored_limits()) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => {
            let cause = format!("bundle {digest} lacks a file that the version lists");
            Err(Failure::caused(ProblemCode::ContentDamaged, "", cause))
        }
        Err(error) => Err(Failure::internal(error)),
    };
    turn.work(unpack).await
}

/// The one Python source of a function.
async fn code(app: &App, id: &SkillId, row: &VersionRow) -> Result<String> {
    let packed = app.blobs.get(BlobKey::Bundle(row.digest)).await?;
    let damaged =
        || Failure::caused(ProblemCode::ContentDamaged, "", format!("bundle {} has no code", row.digest));
    let files = bundle::unpack(&packed, &stored_limits()).map_err(Failure::internal)?;
    let code = bundle::code_of(&files, id).ok_or_else(damaged)?;
    String::from_utf8(code).map_err(|_| damaged())
}
