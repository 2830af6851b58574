//! ClawHub's API, as its own program `clawhub` uses it.
//!
//! A namespace is an owner there, and the last segment of an id a slug: `acme/email/validator` is `@acme~email/validator`.
//! What has no counterpart here is refused in a sentence, which the program shows to its user.

mod browse;
mod change;
mod download;
mod fingerprint;
mod forms;
mod names;
mod publish;
mod show;
mod sign_in;
mod stage;
mod stars;
mod verify;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use skillery_core::{Problem, ProblemCode, Scope};

pub use fingerprint::Fingerprints;
pub(crate) use names::slug_of;

use crate::failure::Failure;
use crate::http::call::{self, Call};
use crate::http::router::{Answered, Who};
use crate::text::named;
use skillery_core::Scope::{Admin, Publish, Rate};

/// Where the API begins: what its paths are relative to.
const BASE: &str = "/clawhub";
const API: &str = "/clawhub/api/v1";

/// Method, path and who may. Of two that fit a path the first is meant.
pub const ROUTES: &[(&str, &str, Who)] = &[
    ("get", "/.well-known/clawhub.json", Who::Anyone),
    ("get", "/.well-known/clawdhub.json", Who::Anyone),
    ("post", "/api/cli/device/code", Who::Bearer),
    ("post", "/api/cli/device/token", Who::Bearer),
    ("post", "/clawhub/api/cli/telemetry/install", Who::SignedIn),
    ("get", "/clawhub/api/v1/whoami", Who::SignedIn),
    ("get", "/clawhub/api/v1/search", Who::Reader),
    ("get", "/clawhub/api/v1/skills", Who::Reader),
    ("post", "/clawhub/api/v1/skills", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/-/upload-url", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/uploads/{upload}", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/-/scan", Who::SignedIn),
    ("get", "/clawhub/api/v1/resolve", Who::Reader),
    ("get", "/clawhub/api/v1/download", Who::Reader),
    ("get", "/clawhub/api/v1/skills/{slug}", Who::Reader),
    ("delete", "/clawhub/api/v1/skills/{slug}", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/{slug}/undelete", Who::Scope(Publish)),
    ("get", "/clawhub/api/v1/skills/{slug}/versions", Who::Reader),
    ("get", "/clawhub/api/v1/skills/{slug}/versions/{version}", Who::Reader),
    ("delete", "/clawhub/api/v1/skills/{slug}/versions/{version}", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/{slug}/versions/{version}/restore", Who::Scope(Publish)),
    ("get", "/clawhub/api/v1/skills/{slug}/file", Who::Reader),
    ("get", "/clawhub/api/v1/skills/{slug}/install", Who::Reader),
    ("get", "/clawhub/api/v1/skills/{slug}/moderation", Who::SignedIn),
    ("get", "/clawhub/api/v1/skills/{slug}/verify", Who::Reader),
    ("post", "/clawhub/api/v1/skills/{slug}/tags/{tag}", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/{slug}/rename", Who::SignedIn),
    ("post", "/clawhub/api/v1/skills/{slug}/merge", Who::SignedIn),
    ("post", "/clawhub/api/v1/skills/{slug}/transfer", Who::SignedIn),
    ("post", "/clawhub/api/v1/skills/{slug}/transfer/{answer}", Who::SignedIn),
    ("get", "/clawhub/api/v1/transfers/{direction}", Who::SignedIn),
    ("post", "/clawhub/api/v1/stars/{slug}", Who::Scope(Rate)),
    ("delete", "/clawhub/api/v1/stars/{slug}", Who::Scope(Rate)),
    ("post", "/clawhub/api/v1/publishers", Who::Scope(Admin)),
];

/// What a call is answered with when it is not done.
enum Refused {
    /// As everywhere.
    Failure(Failure),
    /// In a form of ClawHub's own.
    Ready(Box<Response>),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

type Result<T, E = Refused> = std::result::Result<T, E>;

/// Answers a call.
pub async fn dispatch(call: Call) -> Answered {
    let path = call.head.uri.path().to_owned();
    let Some((route, values)) = route_of(&path) else {
        return ("none", problem(nothing(&path)));
    };
    let method = call.method();
    if !ROUTES
        .iter()
        .any(|(known, pattern, _)| *pattern == route && known.eq_ignore_ascii_case(method.as_str()))
    {
        return (route, problem(not_allowed(route)));
    }
    let Some(values) = decoded(&values) else {
        return (route, problem(Failure::new(ProblemCode::InvalidId, "the address is not UTF-8")));
    };
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let answer = answer(call, route, method, &values).await.unwrap_or_else(|refused| match refused {
        Refused::Failure(failure) => problem(failure),
        Refused::Ready(response) => *response,
    });
    (route, answer)
}

async fn answer(call: Call, route: &'static str, method: Method, values: &[&str]) -> Result<Response> {
    let is_get = method == Method::GET;
    let is_delete = method == Method::DELETE;
    if !route.starts_with(BASE) {
        return match route {
            "/api/cli/device/code" => sign_in::begin(call).await,
            "/api/cli/device/token" => sign_in::ask(call).await,
            _ => sign_in::discover(&call),
        };
    }
    match (route.strip_prefix(API).unwrap_or(route), values) {
        ("/clawhub/api/cli/telemetry/install", _) => sign_in::telemetry(call).await,
        ("/whoami", _) => sign_in::whoami(&call),
        ("/search", _) => browse::search(&call).await,
        ("/skills", _) if is_get => browse::explore(&call).await,
        ("/skills", _) => publish::publish(call).await,
        ("/skills/-/upload-url", _) => stage::announce(call).await,
        ("/uploads/{upload}", [id]) => stage::receive(call, id).await,
        ("/resolve", _) => show::resolve(&call).await,
        ("/download", _) => download::download(&call).await,
        ("/skills/{slug}", [slug]) if is_delete => change::delete(call, slug).await,
        ("/skills/{slug}", [slug]) => show::skill(&call, slug).await,
        ("/skills/{slug}/undelete", [slug]) => change::undelete(call, slug).await,
        ("/skills/{slug}/versions", [slug]) => show::versions(&call, slug).await,
        ("/skills/{slug}/versions/{version}", [slug, version]) if is_delete => {
            change::delete_version(call, slug, version).await
        }
        ("/skills/{slug}/versions/{version}", [slug, version]) => show::version(&call, slug, version).await,
        ("/skills/{slug}/versions/{version}/restore", [slug, version]) => {
            change::restore_version(call, slug, version).await
        }
        ("/skills/{slug}/file", [slug]) => show::file(&call, slug).await,
        ("/skills/{slug}/install", [slug]) => show::install(&call, slug).await,
        ("/skills/{slug}/moderation", [slug]) => show::moderation(&call, slug).await,
        ("/skills/{slug}/verify", [slug]) => verify::verify(&call, slug).await,
        ("/skills/{slug}/tags/{tag}", [slug, tag]) => change::tag(call, slug, tag).await,
        ("/stars/{slug}", [slug]) if is_delete => stars::unstar(&call, slug).await,
        ("/stars/{slug}", [slug]) => stars::star(&call, slug).await,
        ("/publishers", _) => change::create_owner(call).await,
        ("/transfers/{direction}", _) => change::transfers(&call),
        (other, _) => change::refuse(&call, other),
    }
}

/// The pattern that the path fits, and what stands at its names.
fn route_of(path: &str) -> Option<(&'static str, Vec<&str>)> {
    let segments: Vec<&str> = path.split('/').collect();
    ROUTES.iter().find_map(|(_, pattern, _)| Some((*pattern, values_of(pattern, &segments)?)))
}

fn values_of<'path>(pattern: &str, segments: &[&'path str]) -> Option<Vec<&'path str>> {
    let parts: Vec<&str> = pattern.split('/').collect();
    if parts.len() != segments.len() {
        return None;
    }
    let mut values = Vec::new();
    for (part, segment) in parts.iter().zip(segments) {
        if part.starts_with('{') {
            // `-` is where ClawHub keeps what is about no skill.
            if segment.is_empty() || *segment == "-" {
                return None;
            }
            values.push(*segment);
        } else if part != segment {
            return None;
        }
    }
    Some(values)
}

fn decoded(values: &[&str]) -> Option<Vec<String>> {
    values.iter().map(|value| Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())).collect()
}

fn not_allowed(route: &str) -> Failure {
    let methods = ROUTES.iter().filter(|(_, pattern, _)| *pattern == route);
    let allowed = methods.map(|(method, ..)| method.to_uppercase()).collect::<Vec<_>>().join(", ");
    Problem::new(ProblemCode::MethodNotAllowed, format!("this address takes {allowed}"))
        .with("allow", allowed)
        .into()
}

/// There is nothing at this address; of what ClawHub has there, it is said that this registry has it not.
fn nothing(path: &str) -> Failure {
    let rest = path.strip_prefix(API).unwrap_or(path);
    let is_of = |words: &[&str]| words.iter().any(|word| rest.starts_with(word));
    let detail = if is_of(&["/packages", "/code-plugins", "/bundle-plugins", "/publish"]) {
        "this registry has skills and no packages".to_owned()
    } else if is_of(&["/skills-sh/"]) {
        "this registry has no skills of skills.sh".to_owned()
    } else if is_of(&["/skills/-/scan"]) {
        NO_SCANS.to_owned()
    } else {
        let shown = named(path);
        format!("there is nothing at `{shown}`")
    };
    Failure::new(ProblemCode::RouteNotFound, detail)
}

const NO_SCANS: &str = "this registry makes no scans";

/// A failure as text, which the program shows as it is; of some it knows the word and says more itself.
pub fn problem(failure: Failure) -> Response {
    let Problem { title, detail, .. } = &*failure.problem;
    let text = match failure.code() {
        ProblemCode::Unauthenticated | ProblemCode::InvalidToken => "Unauthorized".to_owned(),
        ProblemCode::SkillNotFound => "Skill not found".to_owned(),
        ProblemCode::InvalidBundle => all_findings(&failure.problem).unwrap_or_else(|| detail.clone()),
        _ if detail.is_empty() => title.clone(),
        ProblemCode::TokenExpired | ProblemCode::Forbidden | ProblemCode::RateLimited => {
            format!("{title}: {detail}")
        }
        _ => detail.clone(),
    };
    let mut response = call::problem(failure);
    response.extensions_mut().remove::<Box<Problem>>();
    put_text(&mut response, text);
    response
}

/// All that is wrong with a folder, a line for each.
fn all_findings(problem: &Problem) -> Option<String> {
    let findings = problem.facts.get("findings")?.as_array()?;
    let errors = findings.iter().filter(|finding| finding["level"] == "error");
    let lines: Vec<String> = errors
        .filter_map(|finding| {
            let message = finding["message"].as_str()?;
            let path = finding["path"].as_str().filter(|path| !path.is_empty());
            Some(match (path, finding["line"].as_u64()) {
                (None, _) => message.to_owned(),
                (Some(path), None) => format!("{path}: {message}"),
                (Some(path), Some(line)) => format!("{path}:{line}: {message}"),
            })
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn put_text(response: &mut Response, text: String) {
    *response.body_mut() = Body::from(text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
}

/// What this registry does not do, in a sentence.
fn refusal(status: StatusCode, text: impl Into<String>) -> Refused {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    put_text(&mut response, text.into());
    Refused::Ready(Box::new(response))
}

/// 400 with a sentence. Not 501: the program would ask three times.
fn not_done(text: impl Into<String>) -> Refused {
    refusal(StatusCode::BAD_REQUEST, text)
}

fn json<T: Serialize>(value: &T) -> Result<Response> {
    Ok(call::json(StatusCode::OK, value)?)
}

/// How the registry is reached from outside, for addresses that are told beside what was asked for.
fn base(call: &Call) -> String {
    call.base().unwrap_or_default()
}

/// The caller, signed in.
fn signed_in(call: &Call) -> Result<()> {
    match call.caller.identity() {
        Some(_) => Ok(()),
        None => Err(Failure::new(ProblemCode::Unauthenticated, "").into()),
    }
}

/// The parameters that the program puts into a body, where there is one. What else stands in it is its own.
async fn body<T: DeserializeOwned + Default>(
    call: Call,
) -> Result<(std::sync::Arc<crate::app::App>, crate::access::Caller, T)> {
    let limit = call.app.settings.limits.body_bytes;
    let (app, caller, _, bytes) = call.bytes(limit).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok((app, caller, T::default()));
    }
    let value = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(ProblemCode::InvalidJson, error.to_string()))?;
    Ok((app, caller, value))
}

/// Checks the scope before anything else is looked at.
fn require(call: &Call, scope: Scope) -> Result<()> {
    Ok(call.caller.require(scope).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_route() {
        let route = |path: &str| route_of(path).map(|(route, values)| (route, values.join(" ")));
        let found = |route: &'static str, values: &str| Some((route, values.to_owned()));
        assert_eq!(route("/clawhub/api/v1/skills/tool"), found("/clawhub/api/v1/skills/{slug}", "tool"));
        assert_eq!(
            route("/clawhub/api/v1/skills/-/upload-url"),
            found("/clawhub/api/v1/skills/-/upload-url", "")
        );
        assert_eq!(
            route("/clawhub/api/v1/skills/a%2Fb/versions/1.0.0"),
            found("/clawhub/api/v1/skills/{slug}/versions/{version}", "a%2Fb 1.0.0")
        );
        assert_eq!(route("/.well-known/clawdhub.json"), found("/.well-known/clawdhub.json", ""));
        for path in [
            "/clawhub",
            "/clawhub/api/v1/skills/",
            "/clawhub/api/v1/skills/-",
            "/clawhub/api/v1/skills/-/versions",
            "/clawhub/api/v1/packages",
            "/api/v1/skills",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
