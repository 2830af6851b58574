//! Skills as resources, and as the Skills extension (SEP-2640) has them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, DIRECTORY_MIME_TYPE, GetSkillResult, ListResourceTemplatesResult, ListResourcesResult,
    ListSkillsResult, ReadResourceDirectoryResult, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate,
};
use skillery_core::VersionRequest;
use skillery_core::bundle::{SKILL_FILE, skill_name};
use skillery_core::hidden::excerpt;
use skillery_core::limits::MAX_ID_LENGTH;

use crate::manifest::{Child, media_type};
use crate::{Backend, FileEntry, Listing, Manifest, Refusal, SkillAddress, SkillFile};

/// Resources on one page.
const RESOURCES: usize = 100;
/// Skills on one page: each is looked at as a whole.
const SKILLS: usize = 20;
/// Milliseconds that a list, or what stands under `@latest`, may be taken for fresh.
const SHORT: u64 = 60_000;
/// Milliseconds that what stands under a version may be: it does not change, but may be taken back.
const LONG: u64 = 300_000;

/// A list that has one page was asked for another.
pub(crate) fn no_cursor(cursor: Option<String>) -> Result<(), ErrorData> {
    if cursor.is_some() { Err(bad_cursor()) } else { Ok(()) }
}

fn bad_cursor() -> ErrorData {
    ErrorData::invalid_params("`cursor` is none that was given out here", None)
}

async fn page<B: Backend>(backend: &B, cursor: Option<String>, limit: usize) -> Result<Listing, ErrorData> {
    let after = cursor.map(|cursor| decoded(&cursor).ok_or_else(bad_cursor)).transpose()?;
    backend.list(after.as_deref(), limit).await.map_err(Refusal::into_error)
}

fn decoded(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|bytes| bytes.len() <= MAX_ID_LENGTH)?;
    String::from_utf8(bytes).ok()
}

fn encoded(next: Option<String>) -> Option<String> {
    next.map(|next| URL_SAFE_NO_PAD.encode(next))
}

/// `resources/list`: the description of each skill.
pub(crate) async fn list<B: Backend>(
    backend: &B,
    cursor: Option<String>,
) -> Result<ListResourcesResult, ErrorData> {
    let Listing { skills, next } = page(backend, cursor, RESOURCES).await?;
    let resources = skills.into_iter().map(|skill| {
        Resource::new(
            SkillAddress::of(&skill.id, &skill.version).skill_file().to_string(),
            skill_name(&skill.id),
        )
        .with_title(format!("{} {}", skill.id, skill.version))
        .with_description(skill.description)
        .with_mime_type("text/markdown")
    });
    let mut result = ListResourcesResult::with_all_items(resources.collect())
        .with_ttl_ms(SHORT)
        .with_cache_scope(CacheScope::Private);
    result.next_cursor = encoded(next);
    Ok(result)
}

/// `resources/templates/list`.
pub(crate) fn templates() -> ListResourceTemplatesResult {
    let template = ResourceTemplate::new("skill://{+id}/@{version}/{name}/{+path}", "skill-file")
        .with_title("A file of a skill")
        .with_description(
            "`id` is `org/name`, `version` exact or `latest`, `name` the last part of the id with hyphens for what is \
             neither letter nor digit, `path` a file such as `SKILL.md`",
        );
    ListResourceTemplatesResult::with_all_items(vec![template])
        .with_ttl_ms(LONG)
        .with_cache_scope(CacheScope::Public)
}

/// `resources/read`.
pub(crate) async fn read<B: Backend>(backend: &B, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let no_file =
        || Refusal::new("file-not-found", format!("there is no file `{}`", excerpt(uri))).into_error();
    let address = address(uri).map_err(Refusal::into_error)?;
    let skill = backend.file(&address.id, &address.request(), &address.path).await;
    let SkillFile { id, version, file, .. } = skill.map_err(Refusal::into_error)?;
    let file = file.ok_or_else(no_file)?;
    if file.path == SKILL_FILE {
        backend.note_use(&id, &version);
    }
    let contents = match std::str::from_utf8(&file.bytes) {
        Ok(text) => ResourceContents::text(text, uri).with_mime_type(media_type(&file.path, true)),
        Err(_) => ResourceContents::blob(STANDARD.encode(&file.bytes), uri)
            .with_mime_type(media_type(&file.path, false)),
    };
    let result = ReadResourceResult::new(vec![contents]);
    Ok(result.with_ttl_ms(lifetime(&address)).with_cache_scope(CacheScope::Private))
}

/// `skills/list`. What is more than the extension allows is not among them.
pub(crate) async fn list_skills<B: Backend>(
    backend: &B,
    cursor: Option<String>,
) -> Result<ListSkillsResult, ErrorData> {
    let Listing { skills, next } = page(backend, cursor, SKILLS).await?;
    let mut listed = Vec::with_capacity(skills.len());
    for skill in skills {
        match backend.manifest(&skill.id, &VersionRequest::Exact(skill.version.clone())).await {
            Ok(manifest) if manifest.fits() => {
                listed.push(manifest.listed(&SkillAddress::of(&manifest.id, &manifest.version)));
            }
            Ok(_) => tracing::debug!(id = %skill.id, "a skill is too large to be listed"),
            // It was taken back since the page was made.
            Err(refusal) if refusal.is_not_found() => {}
            Err(refusal) => return Err(refusal.into_error()),
        }
    }
    let mut result =
        ListSkillsResult::with_all_items(listed).with_ttl_ms(SHORT).with_cache_scope(CacheScope::Private);
    result.next_cursor = encoded(next);
    Ok(result)
}

/// `skills/get`.
pub(crate) async fn get_skill<B: Backend>(backend: &B, uri: &str) -> Result<GetSkillResult, ErrorData> {
    let (address, manifest) = manifest(backend, uri).await?;
    if address.path != SKILL_FILE || address.to_string() != uri {
        let canonical = address.skill_file();
        let message = format!("`{}` is not the address of a `SKILL.md`; try `{canonical}`", excerpt(uri));
        return Err(ErrorData::invalid_params(message, None));
    }
    if !manifest.fits() {
        let message = "it has more files, or larger ones, than the Skills extension allows";
        return Err(for_params(Refusal::new("skill-too-large", message).hint("install it")));
    }
    // Under the very address that was asked for: one without a version goes on without.
    let folder = SkillAddress { id: manifest.id.clone(), ..address.at("") };
    let result = GetSkillResult::new(manifest.listed(&folder));
    Ok(result.with_ttl_ms(lifetime(&address)).with_cache_scope(CacheScope::Private))
}

/// `resources/directory/read`.
pub(crate) async fn read_directory<B: Backend>(
    backend: &B,
    uri: &str,
) -> Result<ReadResourceDirectoryResult, ErrorData> {
    let (address, manifest) = manifest(backend, uri).await?;
    let children = manifest.children(&address.path).ok_or_else(|| {
        let message = format!("`{}` is no folder of {} {}", excerpt(uri), manifest.id, manifest.version);
        ErrorData::invalid_params(message, None)
    })?;
    let resource = |child| match child {
        Child::Folder(name) => {
            let path =
                if address.path.is_empty() { name.clone() } else { format!("{}/{name}", address.path) };
            Resource::new(address.at(&path).to_string(), name).with_mime_type(DIRECTORY_MIME_TYPE)
        }
        Child::File(FileEntry { path, size, .. }) => {
            let name = path.rsplit('/').next().unwrap_or(path);
            Resource::new(address.at(path).to_string(), name)
                .with_mime_type(media_type(path, true))
                .with_size(*size)
        }
    };
    let resources = children.into_iter().map(resource).collect();
    Ok(ReadResourceDirectoryResult::with_all_items(resources)
        .with_ttl_ms(lifetime(&address))
        .with_cache_scope(CacheScope::Private))
}

/// Both methods have it as a mistake of the caller that there is nothing at an address.
async fn manifest<B: Backend>(
    backend: &B,
    uri: &str,
) -> Result<(SkillAddress, std::sync::Arc<Manifest>), ErrorData> {
    let address = address(uri).map_err(for_params)?;
    let manifest = backend.manifest(&address.id, &address.request()).await.map_err(for_params)?;
    Ok((address, manifest))
}

fn for_params(refusal: Refusal) -> ErrorData {
    let is_not_found = refusal.is_not_found();
    let error = refusal.into_error();
    if is_not_found { ErrorData::invalid_params(error.message, error.data) } else { error }
}

fn address(uri: &str) -> Result<SkillAddress, Refusal> {
    uri.parse().map_err(|reason| {
        Refusal::new("skill-not-found", format!("`{}` is no address of a skill: {reason}", excerpt(uri)))
    })
}

fn lifetime(address: &SkillAddress) -> u64 {
    if address.version.is_some() { LONG } else { SHORT }
}
