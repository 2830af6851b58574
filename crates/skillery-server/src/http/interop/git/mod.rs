//! Git smart HTTP, for reading: whatever clones gets skills. No git runs here, and there is no repository on any disk.
//!
//! A version is a commit without parents, made from its bundle when it is asked for; `skillery_core::git` knows what objects
//! and lines look like. Answers are streams: what they hold is read on the way.

mod address;
mod derive;
mod namespace;
mod opened;
mod positions;
mod send;
mod snapshot;
mod state;

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use flate2::read::GzDecoder;
use percent_encoding::percent_decode_str;
use skillery_core::git::{self, Command, Fetch, Protocol};
use skillery_core::limits::MAX_GIT_REQUEST;
use skillery_core::{Problem, ProblemCode};

use self::address::{Address, Repository, Service};
use self::opened::{Contents, Opened, open};
use self::send::{Out, Plan};
#[cfg(test)]
pub use self::state::SENDING;
pub use self::state::State;
use super::Surface;
use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, problem};
use crate::http::router::Answered;

/// Which refs a repository has.
pub const INFO_REFS: &str = "/{namespace}/{repository}.git/info/refs";
/// Its objects.
pub const UPLOAD_PACK: &str = "/{namespace}/{repository}.git/git-upload-pack";

const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";

/// Answers a call.
pub async fn answer(call: Call) -> Answered {
    let path = percent_decode_str(call.head.uri.path()).decode_utf8_lossy().into_owned();
    let Some(Address { repository, service }) = Address::of(&path) else {
        let detail = "there is nothing here; repositories are `/<namespace>/all.git` and `/<namespace>/<skill>.git`, \
                      with `~` for each slash of the namespace";
        return ("none", refuse(Failure::new(ProblemCode::RouteNotFound, detail)));
    };
    let (route, result) = match service {
        Service::InfoRefs => (INFO_REFS, info_refs(call, repository).await),
        Service::UploadPack => (UPLOAD_PACK, upload_pack(call, repository).await),
        Service::ReceivePack => ("none", Err(read_only())),
        Service::Files => ("none", Err(dumb())),
        Service::Page => {
            let detail = "this is a git repository: give its address to `git clone`";
            ("none", Err(Failure::new(ProblemCode::RouteNotFound, detail)))
        }
    };
    (route, result.unwrap_or_else(|failure| Surface::Git.problem(failure)))
}

/// A failure as git shows it: it repeats plain text to its user, and nothing else.
pub fn refuse(failure: Failure) -> Response {
    let text = format!("{}\n{}\n", failure.problem, failure.problem.hint);
    let mut response = problem(failure);
    response.extensions_mut().remove::<Box<Problem>>();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    *response.body_mut() = Body::from(text);
    response
}

fn read_only() -> Failure {
    let detail = "this registry is read through git, and not written: publish with `skillery publish`";
    Failure::new(ProblemCode::Forbidden, detail)
}

fn dumb() -> Failure {
    let detail = "this registry speaks git's smart protocol only: `info/refs?service=git-upload-pack`";
    Failure::new(ProblemCode::Forbidden, detail)
}

fn not_allowed(method: &str) -> Failure {
    Problem::new(ProblemCode::MethodNotAllowed, format!("this address takes {method}"))
        .with("allow", method)
        .into()
}

async fn info_refs(call: Call, repository: Option<Repository>) -> Result<Response> {
    if call.method() != axum::http::Method::GET {
        return Err(not_allowed("GET, HEAD"));
    }
    match call.parameter("service").as_deref() {
        Some("git-upload-pack") => {}
        Some("git-receive-pack") => return Err(read_only()),
        _ => return Err(dumb()),
    }
    let opened = open(&call.app, &call.caller, repository.as_ref()).await?;
    let protocol = Protocol::of(call.header("git-protocol").unwrap_or_default());
    if protocol == Protocol::V2 {
        return Ok(of_type(ADVERTISEMENT, Body::from(git::capabilities())));
    }
    let (app, caller) = (Arc::clone(&call.app), call.caller.clone());
    let (out, answer) = Out::new();
    let most = prompt(&app);
    tokio::spawn(async move {
        let outcome = async {
            let contents = opened.load(&app, &caller).await?;
            out.send(contents.refs.advertise(protocol)).await
        };
        let outcome = outcome.await;
        out.end(outcome);
    });
    Ok(of_type(ADVERTISEMENT, answer.begin(most).await?))
}

async fn upload_pack(call: Call, repository: Option<Repository>) -> Result<Response> {
    if call.method() != axum::http::Method::POST {
        return Err(not_allowed("POST"));
    }
    let opened = open(&call.app, &call.caller, repository.as_ref()).await?;
    if call.header(CONTENT_TYPE.as_str()) != Some(REQUEST) {
        let detail = format!("the body of this request is of the type `{REQUEST}`");
        return Err(Failure::new(ProblemCode::UnsupportedMediaType, detail));
    }
    let protocol = Protocol::of(call.header("git-protocol").unwrap_or_default());
    let encoding = call.header("content-encoding").unwrap_or("identity").to_ascii_lowercase();
    let asks = call.asks();
    let (app, caller, _, body) = call.bytes(MAX_GIT_REQUEST).await?;
    let body = unpacked(body, &encoding)?;
    let command = match protocol {
        Protocol::V2 => git::parse_v2(&body).map(Some),
        Protocol::V0 | Protocol::V1 => git::parse_v0(&body).map(|fetch| fetch.map(Command::Fetch)),
    };
    // What was read of it is less, and may have to wait.
    drop(body);
    match command {
        // What git says when it wants nothing.
        Ok(None) => Ok(of_type(RESULT, Body::empty())),
        Ok(Some(command)) => {
            let place = match &command {
                Command::Fetch(_) => Some(app.git.place(&asks).await?),
                Command::LsRefs { .. } => None,
            };
            let (out, answer) = Out::new();
            let most = prompt(&app);
            tokio::spawn(async move {
                let outcome = run(&app, &caller, opened, protocol, command, &out).await;
                drop(place);
                out.end(outcome);
            });
            Ok(of_type(RESULT, answer.begin(most).await?))
        }
        Err(error) => Ok(of_type(RESULT, Body::from(git::error(&format!("upload-pack: {error}"))))),
    }
}

/// How long an answer may be waited for before it begins: less than a request has.
fn prompt(app: &App) -> Duration {
    Duration::from_secs(app.settings.limits.request_seconds) / 2
}

fn of_type(content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The body without its compression, which is not believed to stay small.
fn unpacked(body: Bytes, encoding: &str) -> Result<Bytes> {
    match encoding {
        "identity" => Ok(body),
        "gzip" | "x-gzip" => {
            let mut bytes = Vec::new();
            let limited = GzDecoder::new(&*body).take(MAX_GIT_REQUEST as u64 + 1).read_to_end(&mut bytes);
            limited.map_err(|error| {
                let detail = "the body is not what `gzip` makes";
                Failure::caused(ProblemCode::InvalidParameter, detail, error)
            })?;
            if bytes.len() > MAX_GIT_REQUEST {
                let detail = format!("the body has more than {MAX_GIT_REQUEST} bytes when it is unpacked");
                return Err(Failure::new(ProblemCode::BodyTooLarge, detail));
            }
            Ok(bytes.into())
        }
        other => {
            let detail = format!("the encoding `{}` is not known", other.escape_debug());
            Err(Failure::new(ProblemCode::UnsupportedMediaType, detail))
        }
    }
}

async fn run(
    app: &App,
    caller: &Caller,
    opened: Opened,
    protocol: Protocol,
    command: Command,
    out: &Out,
) -> Result<()> {
    let contents = opened.load(app, caller).await?;
    match command {
        Command::LsRefs { prefixes, symrefs } => out.send(contents.refs.list(&prefixes, symrefs)).await,
        Command::Fetch(fetch) => self::fetch(app, caller, &contents, protocol, &fetch, out).await,
    }
}

async fn fetch(
    app: &App,
    caller: &Caller,
    contents: &Contents,
    protocol: Protocol,
    fetch: &Fetch,
    out: &Out,
) -> Result<()> {
    if fetch.wants.len() > contents.most_wants() {
        let text = format!("upload-pack: at most {} commits at once", contents.most_wants());
        return out.send(git::error(&text)).await;
    }
    let mut wanted = Vec::with_capacity(fetch.wants.len());
    for id in &fetch.wants {
        match contents.find(app, caller, id).await? {
            Some(snapshot) => wanted.push(snapshot),
            None => return out.send(git::error(&format!("upload-pack: not our ref {id}"))).await,
        }
    }
    let haves = if fetch.acknowledged { fetch.haves.as_slice() } else { &[] };
    let common = contents.common(app, caller, haves).await?;
    let ids: Vec<_> = common.iter().map(|snapshot| snapshot.commit.id).collect();
    let (said, has_pack) = git::negotiate(protocol, fetch, &ids);
    if !has_pack {
        return out.send(said).await;
    }
    Plan::new(app, wanted, &common).await?.send(app, caller, fetch, said, out).await
}
