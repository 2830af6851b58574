//! Discovery of Agent Skills, version 0.2: `npx skills` and OpenCode find what a scope holds below its `.well-known`.
//!
//! Version 0.1 is not spoken: its index has no digests, and `npx skills` falls back to it when no archive of the other one
//! has the right bytes.

use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use skillery_core::bundle::SKILL_FILE;
use skillery_core::{Digest, Version};

use super::scope::{self, Scope};
use super::{Surface, not_allowed};
use crate::catalog::{self, Offer};
use crate::failure::{Failure, Result};
use crate::http::call::Call;
use crate::http::etag::{self, Tagged};

pub(super) const ROOT: &str = "/.well-known/agent-skills/index.json";
pub(super) const INDEX: &str = "/{scope}/.well-known/agent-skills/index.json";
pub(super) const ARCHIVE: &str = "/{scope}/.well-known/agent-skills/{name}-{version}.zip";
pub(super) const FILE: &str = "/{scope}/.well-known/agent-skills/{name}/{file}";

const SCHEMA: &str = "https://schemas.agentskills.io/discovery/0.2.0/schema.json";

/// UTF-16 code units in a description: entries with longer ones are passed over by clients.
pub(super) const DESCRIPTION: usize = 1_024;

/// Answers what is below a `.well-known`, with the name of its route.
pub(super) async fn answer(call: &Call) -> (&'static str, Result<Response>) {
    let path = call.head.uri.path();
    let Some((scope, rest)) = path.split_once("/.well-known/agent-skills/") else {
        return ("none", nothing(call));
    };
    let route = match (scope.is_empty(), rest.split_once('/')) {
        (true, None) if rest == "index.json" => ROOT,
        (false, None) if rest == "index.json" => INDEX,
        (false, None) if rest.ends_with(".zip") => ARCHIVE,
        (false, Some(_)) => FILE,
        _ => return ("none", nothing(call)),
    };
    let result = match route {
        _ if call.method() != Method::GET => Err(not_allowed(route)),
        ROOT => root(call),
        INDEX => index(call, scope).await,
        ARCHIVE => archive(call, scope, rest).await,
        _ => file(call, scope, rest).await,
    };
    (route, result)
}

/// What is not there, and what the caller may not see.
fn nothing(call: &Call) -> Result<Response> {
    Err(missing(call))
}

fn missing(call: &Call) -> Failure {
    Surface::Discovery.not_found(call.head.uri.path())
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    description: String,
    url: String,
    digest: String,
    // OpenCode reads these two.
    version: String,
    files: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

fn entry(name: &str, offer: &Offer) -> String {
    let entry = Entry {
        name,
        kind: "archive",
        description: offer.description(DESCRIPTION),
        url: file_name(name, &offer.row.version),
        digest: format!("sha256:{}", offer.row.digest),
        version: offer.row.version.to_string(),
        files: offer.row.files.iter().map(|file| file.path.as_str()).collect(),
        warning: offer.warning(),
    };
    serde_json::to_string(&entry).unwrap_or_default()
}

/// The name of a version's archive. A name has no dot, so that it can be taken apart again.
pub(crate) fn file_name(name: &str, version: &Version) -> String {
    format!("{name}-{version}.zip")
}

/// [`file_name`] taken apart.
fn name_and_version(file: &str) -> Option<(String, Version)> {
    let text = percent_decode_str(file).decode_utf8().ok()?;
    let text = text.strip_suffix(".zip")?;
    let (before, _) = text.split_once('.')?;
    let (name, _) = before.rsplit_once('-')?;
    let version = text.get(name.len() + 1..)?.parse().ok()?;
    Some((name.to_owned(), version))
}

/// The index of the whole registry is empty: clients that do not find a scope would take all that it lists.
fn root(call: &Call) -> Result<Response> {
    Ok(listing(call, std::iter::empty()))
}

async fn index(call: &Call, scope: &str) -> Result<Response> {
    let entries: Vec<String> = match resolve(call, scope, None).await? {
        Scope::Skill { offer, .. } => vec![entry(&offer.name(), &offer)],
        Scope::Namespace(namespace) => {
            let make = |name: &str, offer: &Offer| {
                let entry = entry(name, offer);
                let size = entry.len();
                (entry, size)
            };
            catalog::by_names(&call.app, &call.caller, &namespace, make).await?.into_values().collect()
        }
    };
    // A namespace of which nothing is seen may not be there.
    if entries.is_empty() { nothing(call) } else { Ok(listing(call, entries.into_iter())) }
}

fn listing(call: &Call, entries: impl Iterator<Item = String>) -> Response {
    let entries: Vec<String> = entries.collect();
    let body = format!("{{\"$schema\":\"{SCHEMA}\",\"skills\":[{}]}}", entries.join(","));
    Tagged::new(call, &Digest::of(body.as_bytes())).answer(Bytes::from(body), "application/json", None)
}

async fn resolve(call: &Call, scope: &str, wanted: Option<&Version>) -> Result<Scope> {
    let segments = scope::segments(scope.strip_prefix('/').unwrap_or(scope));
    let found = scope::resolve(&call.app, &call.caller, &segments.unwrap_or_default(), wanted).await?;
    found.ok_or_else(|| missing(call))
}

/// What this name stands for in the scope, and whether it always will. Below a namespace a name means what is there now: of
/// two skills that are written alike another may have it tomorrow.
async fn offer(call: &Call, scope: &str, name: &str, wanted: Option<&Version>) -> Result<(Offer, bool)> {
    let (offer, is_lasting) = match resolve(call, scope, wanted).await? {
        Scope::Skill { offer, is_lasting } => (Some(*offer), is_lasting),
        Scope::Namespace(namespace) => {
            (catalog::by_name(&call.app, &call.caller, &namespace, name, wanted).await?, false)
        }
    };
    let is_wanted =
        |offer: &Offer| offer.name() == name && wanted.is_none_or(|wanted| *wanted == offer.row.version);
    let offer = offer.filter(is_wanted).ok_or_else(|| missing(call))?;
    Ok((offer, is_lasting))
}

async fn archive(call: &Call, scope: &str, file: &str) -> Result<Response> {
    let (name, version) = name_and_version(file).ok_or_else(|| missing(call))?;
    let (offer, is_lasting) = offer(call, scope, &name, Some(&version)).await?;
    zip(call, &offer, is_lasting).await
}

/// The archive of a version: the same bytes for ever, and to be kept where its address means them for ever
/// (`is_lasting`). One that is handed out counts as an install.
pub(super) async fn zip(call: &Call, offer: &Offer, is_lasting: bool) -> Result<Response> {
    let tagged = Tagged::new(call, &offer.row.digest);
    let bytes = match tagged.is_known() {
        true => Bytes::new(),
        false => offer.bundle(&call.app).await?,
    };
    if !tagged.is_known() && !call.is_head() {
        catalog::note_install(&call.app, &call.caller, &offer.id, &offer.row.version);
    }
    let cache = is_lasting.then(|| etag::immutable(call, offer.visibility));
    Ok(tagged.answer(bytes, "application/zip", cache))
}

async fn file(call: &Call, scope: &str, rest: &str) -> Result<Response> {
    let segments = scope::segments(rest).unwrap_or_default();
    let Some((name, path)) = segments.split_first() else { return nothing(call) };
    let (offer, _) = offer(call, scope, name, None).await?;
    let path = path.join("/");
    let summary = offer.row.files.iter().find(|file| file.path == path).ok_or_else(|| missing(call))?;
    let tagged = Tagged::new(call, &summary.digest);
    let bytes = match tagged.is_known() {
        true => Bytes::new(),
        false => {
            let file = offer.file(&call.app, &path).await?;
            Bytes::from(file.ok_or_else(|| missing(call))?.bytes)
        }
    };
    // Whoever takes a skill file by file takes this one once.
    if path == SKILL_FILE && !tagged.is_known() && !call.is_head() {
        catalog::note_install(&call.app, &call.caller, &offer.id, &offer.row.version);
    }
    // Nothing that a publisher wrote is shown as a page.
    let content_type =
        if path.ends_with(".md") { "text/markdown; charset=utf-8" } else { "application/octet-stream" };
    Ok(tagged.answer(bytes, content_type, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_archives_are_taken_apart_again() {
        for (name, version) in [
            ("tool", "1.0.0"),
            ("tool-1", "1.0.0"),
            ("tool-1-0-0", "1.0.0-rc.1"),
            ("a", "10.20.30-2.0.0+build.5"),
            ("7z", "1.0.0+x"),
        ] {
            let version = version.parse().unwrap();
            let file = file_name(name, &version);
            assert_eq!(name_and_version(&file), Some((name.to_owned(), version)), "{file}");
        }
        for file in [
            "",
            ".zip",
            "tool.zip",
            "tool-1.zip",
            "1.0.0.zip",
            "tool-1.0.0",
            "tool-é.0.0.zip",
            "%FF-1.0.0.zip",
        ] {
            assert_eq!(name_and_version(file), None, "{file}");
        }
    }
}
