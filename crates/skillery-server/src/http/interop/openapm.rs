//! OpenAPM's registry API, version 1, below `/apm`: what versions a package has, and their archives.
//!
//! A package is `owner/repo` there: a namespace and a name, whose slashes may be percent-encoded.

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::json;
use skillery_core::api::BundleRequest;
use skillery_core::{Problem, ProblemCode, Scope, SkillId, VersionRequest, VersionStatus, bundle};

use super::{Surface, discovery, not_allowed};
use crate::access::Caller;
use crate::app::App;
use crate::catalog;
use crate::db::versions;
use crate::draft;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};
use crate::http::router::Answered;
use crate::publish::{Published, check_request, publish_bundle};
use crate::skill;
use crate::uploads::{Incoming, Spooled, Upload};

pub(super) const VERSIONS: &str = "/apm/v1/packages/{package}/versions";
pub(super) const VERSION: &str = "/apm/v1/packages/{package}/versions/{version}";
pub(super) const DOWNLOAD: &str = "/apm/v1/packages/{package}/versions/{version}/download";

/// Answers what is below `/apm`.
pub(super) async fn answer(call: Call) -> Answered {
    let path = call.head.uri.path().to_owned();
    let (route, result) = match take_apart(&path) {
        Some((route, package, version)) => (route, routed(call, route, package, version).await),
        None => ("none", Err(missing(&call))),
    };
    (route, result.unwrap_or_else(|failure| Surface::Openapm.problem(with_errors(failure))))
}

async fn routed(call: Call, route: &'static str, package: &str, version: &str) -> Result<Response> {
    let id = id(package).ok_or_else(|| missing(&call));
    match (route, call.method()) {
        (VERSIONS, Method::GET) => versions(&call, &id?).await,
        (DOWNLOAD, Method::GET) => download(&call, &id?, version).await,
        (VERSION, Method::PUT) => publish(call, package, version).await,
        _ => Err(not_allowed(route)),
    }
}

fn missing(call: &Call) -> Failure {
    Surface::Openapm.not_found(call.head.uri.path())
}

/// What is wrong with a package is listed where this protocol has it, too.
fn with_errors(mut failure: Failure) -> Failure {
    if let Some(findings) = failure.problem.facts.get("findings").cloned() {
        failure.problem.facts.insert("extensions".to_owned(), json!({ "errors": findings }));
    }
    failure
}

/// The route of a path, its package and its version, as they are written.
fn take_apart(path: &str) -> Option<(&'static str, &str, &str)> {
    let rest = path.strip_prefix("/apm/v1/packages/")?;
    if let Some(package) = rest.strip_suffix("/versions") {
        return Some((VERSIONS, package, ""));
    }
    let (package, version) = rest.rsplit_once("/versions/")?;
    match version.split_once('/') {
        None if !version.is_empty() => Some((VERSION, package, version)),
        Some((version, "download")) => Some((DOWNLOAD, package, version)),
        _ => None,
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

fn id(package: &str) -> Option<SkillId> {
    decoded(package)?.parse().ok()
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
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let released = versions::released(&call.app.db, &skill.id.key()).await?;
    let versions = released.into_iter().map(|release| Version {
        version: release.version.to_string(),
        digest: format!("sha256:{}", release.digest),
        published_at: release.created_at.to_string(),
        size_bytes: release.size,
    });
    json(StatusCode::OK, &Versions { package: id.as_str(), versions: versions.collect() })
}

async fn download(call: &Call, id: &SkillId, version: &str) -> Result<Response> {
    let version = decoded(version).and_then(|version| version.parse().ok());
    let request = VersionRequest::Exact(version.ok_or_else(|| missing(call))?);
    let offer = catalog::one(&call.app, &call.caller, id, &request).await?;
    let mut response = discovery::zip(call, &offer, true).await?;
    let digest = format!("sha256={}", STANDARD.encode(offer.row.digest.bytes()));
    if let Ok(digest) = HeaderValue::from_str(&digest) {
        response.headers_mut().insert("digest", digest);
    }
    Ok(response)
}

/// Publishes a folder. A version is there once: the same again is refused, as this protocol wants it.
async fn publish(call: Call, package: &str, version: &str) -> Result<Response> {
    call.caller.require(Scope::Publish)?;
    let request = BundleRequest {
        id: decoded(package).unwrap_or_default(),
        version: decoded(version).unwrap_or_default(),
        // The program has no word for it, and its packages are written for agents that take more than the format has.
        lenient: true,
        ..BundleRequest::default()
    };
    let (app, caller, head, body) = call.stream();
    let limits = app.settings.limits.clone();
    let mut incoming = Incoming::new(&head.headers, body, limits.bundle_bytes, &limits);
    let received = receive(&app, &caller, &head.headers, &request, &mut incoming).await;
    let (_upload, spooled) = incoming.finish(received).await?;
    let turn = app.uploads.turn().await?;
    let admit = move || bundle::admit(&spooled.read()?, &limits).map_err(draft::bundle_problems);
    let files = turn.work(admit).await?;
    match publish_bundle(&app, &caller, request, files, turn).await? {
        Published::Again(there) => {
            let detail = format!("version {} already published at {}", there.version, there.updated_at);
            Err(Problem::new(ProblemCode::VersionExists, detail).into())
        }
        Published::New(new) => {
            let status = match new.status {
                VersionStatus::Pending => StatusCode::ACCEPTED,
                _ => StatusCode::CREATED,
            };
            let answer = json!({
                "package": new.id,
                "version": new.version,
                "digest": format!("sha256:{}", new.digest),
                "published_at": new.updated_at,
                "status": new.status,
            });
            json(status, &answer)
        }
    }
}

/// The archive, once it has come whole.
async fn receive<'app>(
    app: &'app App,
    caller: &Caller,
    headers: &HeaderMap,
    request: &BundleRequest,
    incoming: &mut Incoming,
) -> Result<(Upload<'app>, Spooled)> {
    let announced = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if announced != Some("application/zip") {
        let detail = "a package is sent as `Content-Type: application/zip`; other archives are not taken";
        return Err(Failure::new(ProblemCode::UnsupportedMediaType, detail));
    }
    // Who may not publish this is told before the bundle is taken in.
    check_request(app, caller, request).await?;
    let upload = app.uploads.begin(&caller.require(Scope::Publish)?.user.id)?;
    let limit = incoming.limit();
    Ok((upload, app.uploads.receive(incoming, limit).await?))
}
