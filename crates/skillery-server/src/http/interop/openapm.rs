//! OpenAPM's registry API, version 1, below `/apm`: what versions a package has, and their archives.
//!
//! A package is `owner/repo` there: a namespace and a name, whose slashes may be percent-encoded.

use axum::http::header::HeaderValue;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use skillery_core::{SkillId, VersionRequest};

use super::{Surface, discovery, not_allowed};
use crate::catalog;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};

pub(super) const VERSIONS: &str = "/apm/v1/packages/{package}/versions";
pub(super) const DOWNLOAD: &str = "/apm/v1/packages/{package}/versions/{version}/download";

/// Answers what is below `/apm`, with the name of its route.
pub(super) async fn answer(call: &Call) -> (&'static str, Result<Response>) {
    let Some((route, package, version)) = take_apart(call.head.uri.path()) else {
        return ("none", Err(missing(call)));
    };
    if call.method() != Method::GET {
        return (route, Err(not_allowed(route)));
    }
    let Some(id) = id(package) else { return (route, Err(missing(call))) };
    match version {
        None => (route, versions(call, &id).await),
        Some(version) => (route, download(call, &id, version).await),
    }
}

fn missing(call: &Call) -> Failure {
    Surface::Openapm.not_found(call.head.uri.path())
}

/// The route of a path, its package and its version, as they are written.
fn take_apart(path: &str) -> Option<(&'static str, &str, Option<&str>)> {
    let rest = path.strip_prefix("/apm/v1/packages/")?;
    if let Some(package) = rest.strip_suffix("/versions") {
        return Some((VERSIONS, package, None));
    }
    let (package, version) = rest.strip_suffix("/download")?.rsplit_once("/versions/")?;
    (!version.contains('/')).then_some((DOWNLOAD, package, Some(version)))
}

fn id(package: &str) -> Option<SkillId> {
    percent_decode_str(package).decode_utf8().ok()?.parse().ok()
}

#[derive(Serialize)]
struct Versions<'a> {
    package: &'a str,
    versions: Vec<Version>,
}

#[derive(Serialize)]
struct Version {
    version: String,
    digest: String,
    published_at: String,
    size_bytes: i64,
}

async fn versions(call: &Call, id: &SkillId) -> Result<Response> {
    let mut offers = catalog::published(&call.app, &call.caller, id).await?;
    offers.sort_by_key(|offer| std::cmp::Reverse(offer.row.log_position));
    let versions = offers.iter().map(|offer| Version {
        version: offer.row.version.to_string(),
        digest: format!("sha256:{}", offer.row.digest),
        published_at: offer.row.created_at.to_string(),
        size_bytes: offer.row.size,
    });
    json(StatusCode::OK, &Versions { package: id.as_str(), versions: versions.collect() })
}

async fn download(call: &Call, id: &SkillId, version: &str) -> Result<Response> {
    let version = percent_decode_str(version).decode_utf8().ok().and_then(|version| version.parse().ok());
    let request = VersionRequest::Exact(version.ok_or_else(|| missing(call))?);
    let offer = catalog::one(&call.app, &call.caller, id, &request).await?;
    let mut response = discovery::zip(call, &offer).await?;
    let digest = format!("sha256={}", STANDARD.encode(offer.row.digest.bytes()));
    if let Ok(digest) = HeaderValue::from_str(&digest) {
        response.headers_mut().insert("digest", digest);
    }
    Ok(response)
}
