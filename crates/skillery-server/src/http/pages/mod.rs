//! Pages for people, made on the server, from the same functions as the API.
//!
//! Every page works without scripts. `place.rs` tells which page an address is of; each page is a file that fills a
//! template with a typed context. Whoever adds a page adds its place, its route and its file.

mod assets;
mod badge;
mod boards;
mod comments;
mod crawlers;
mod dependencies;
mod desk;
mod feed;
mod form;
mod frame;
mod graph;
mod highlight;
mod history;
mod home;
mod insight;
mod installs;
mod listing;
mod markdown;
mod notice;
mod pager;
mod place;
mod ratings;
mod review;
mod said;
mod search;
pub(crate) mod session;
pub(super) mod show;
mod sign_in;
mod skill;
pub(super) mod unsubscribe;
mod versions;

use axum::http::Method;

use skillery_core::api::BoardOf;
use skillery_core::{Namespace, ProblemCode, SkillId};

use super::call::Call;
use super::router::{Answered, Who, not_allowed_by};
use crate::failure::{Failure, Result};
#[cfg(test)]
pub use desk::ROUTES as DESK_ROUTES;
pub use frame::{Frame, page};
pub use markdown::{ByLength, Rendered};
use place::Place;
pub use review::{ByRoom, Shows};

/// Method, path and who may. Pages are not in the OpenAPI document.
pub const ROUTES: &[(&str, &str, Who)] = &[
    ("get", assets::ASSET, Who::Anyone),
    ("get", "/favicon.ico", Who::Anyone),
    ("get", "/", Who::Reader),
    ("get", search::SEARCH, Who::Reader),
    ("get", search::SUGGEST, Who::Reader),
    ("get", sign_in::LOGIN, Who::Anyone),
    ("post", sign_in::LOGIN, Who::Bearer),
    ("post", sign_in::LOGOUT, Who::Anyone),
    ("post", sign_in::THEME, Who::Anyone),
    ("get", listing::TRENDING, Who::Reader),
    ("get", boards::AUTHORS, Who::Reader),
    ("post", boards::AUTHORS, Who::Scope(skillery_core::Scope::Admin)),
    ("get", boards::TEAMS, Who::Reader),
    ("get", listing::TAGS, Who::Reader),
    ("get", listing::TAG, Who::Reader),
    ("get", listing::USER, Who::Reader),
    ("get", listing::NAMESPACE, Who::Reader),
    ("get", dependencies::DEPENDENCIES, Who::Reader),
    ("get", insight::USAGE, Who::Reader),
    ("get", history::LOG, Who::Reader),
    ("get", skill::SKILL, Who::Reader),
    ("get", versions::VERSIONS, Who::Reader),
    ("get", versions::VERSION, Who::Reader),
    ("get", versions::FILES, Who::Reader),
    ("get", versions::FILE, Who::Reader),
    ("get", versions::RAW, Who::Reader),
    ("get", review::DIFF, Who::Reader),
    ("get", review::FINDINGS, Who::Reader),
    ("get", installs::INSTALLS, Who::Scope(skillery_core::Scope::Admin)),
    ("get", review::REVIEW, Who::Scope(skillery_core::Scope::Read)),
    ("post", review::REVIEW, Who::Scope(skillery_core::Scope::Read)),
    ("get", ratings::RATINGS, Who::Reader),
    ("post", ratings::RATINGS, Who::SignedIn),
    ("get", comments::COMMENTS, Who::Reader),
    ("post", comments::COMMENTS, Who::SignedIn),
    ("get", badge::BADGE, Who::Reader),
    ("get", feed::SKILL_FEED, Who::Reader),
    ("get", feed::NAMESPACE_FEED, Who::Reader),
    ("get", feed::SEARCH_FEED, Who::Reader),
    ("get", crawlers::ROBOTS, Who::Anyone),
    ("get", crawlers::SITEMAP, Who::Anyone),
    ("get", crawlers::LLMS, Who::Anyone),
];

/// Whether the page is shown to whoever asks, where this registry answers signed-in callers only.
pub fn is_open(path: &str) -> bool {
    const OPEN: [&str; 12] = [
        crawlers::ROBOTS,
        crawlers::SITEMAP,
        crawlers::LLMS,
        "/login",
        "/theme",
        "/favicon.ico",
        "/docs",
        "/docs/errors",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
    ];
    OPEN.contains(&path) || matches!(place::of(path), Ok(Place::Asset(_))) || asks_provider(path)
}

/// Whether somebody signs in there, however the address is written.
pub fn signs_in(path: &str) -> bool {
    matches!(place::of(path), Ok(Place::Login))
}

/// Whether this server asks a provider of identities there, for somebody who is signing in.
pub fn asks_provider(path: &str) -> bool {
    may_be(path) && matches!(place::of(path), Ok(Place::Desk(place)) if place.signs_in())
}

/// Whether the address may be one of a page, where cookies count.
pub fn may_be(path: &str) -> bool {
    !(path.starts_with("/api/") || path.starts_with("/log/"))
}

/// Whether a form may be sent there. Whoever is not signed in any more gets it back, also where only those are answered who are.
pub fn takes_form(method: &Method, path: &str) -> bool {
    *method == Method::POST && may_be(path) && place::of(path).is_ok_and(|place| place.has_frame())
}

/// Answers a call of a page.
pub async fn dispatch(call: Call) -> Answered {
    let call = call.light();
    let mut frame = Frame::of(&call);
    if frame.viewer.is_some() && place::of(call.head.uri.path()).is_ok_and(|place| place.has_frame()) {
        frame = frame.counted(&call).await;
    }
    let (fallback, reads_pages, method) = (frame.clone(), frame::reads_pages(&call), call.method());
    let (route, result) = answer(call, frame).await;
    (route, result.unwrap_or_else(|failure| frame::failed(fallback, reads_pages, &method, failure)))
}

/// A failure from before there was a call, as whoever asks reads it.
pub fn refused(call: &Call, failure: Failure) -> axum::response::Response {
    frame::failed(Frame::of(call), frame::reads_pages(call), &call.method(), failure)
}

async fn answer(call: Call, frame: Frame) -> (&'static str, Result<axum::response::Response>) {
    let place = match place::of(call.head.uri.path()) {
        Ok(place) => place,
        Err(failure) => return ("none", Err(failure)),
    };
    let route = place.route();
    let place = match place {
        Place::Desk(place) => return (route, Box::pin(desk::answer(call, frame, place)).await),
        other => other,
    };
    let result = match (place, call.method()) {
        (Place::Asset(path), Method::GET) => assets::show(&path),
        (Place::Favicon, Method::GET) => Ok(assets::favicon()),
        (Place::Home, Method::GET) => home::show(&call, frame).await,
        (Place::Search, Method::GET) => search::show(&call, frame).await,
        (Place::Suggest, Method::GET) => search::suggest(&call).await,
        (Place::Login, Method::GET) => sign_in::show(&call, frame).await,
        (Place::Login, Method::POST) => sign_in::sign_in(call, frame).await,
        (Place::Logout, Method::POST) => sign_in::sign_out(call).await,
        (Place::Theme, Method::POST) => sign_in::set_theme(call).await,
        (Place::Trending, Method::GET) => listing::trending(&call, frame).await,
        (Place::Board(of), Method::GET) => boards::show(&call, frame, of).await,
        (Place::Board(BoardOf::Authors), Method::POST) => boards::change(call).await,
        (Place::Tags, Method::GET) => listing::tags(&call, frame).await,
        (Place::Tag(tag), Method::GET) => listing::tag(&call, frame, &tag).await,
        (Place::User(name), Method::GET) => listing::user(&call, frame, &name).await,
        (Place::Org(org), Method::GET) => match listing::namespace(&call, frame, &org).await {
            Ok(shown) => shown.ok_or_else(|| listing::no_namespace(&org)),
            Err(failure) => Err(failure),
        },
        (Place::Dependencies(id), Method::GET) => dependencies::show(&call, frame, &id).await,
        (Place::Usage(id), Method::GET) => insight::show(&call, frame, &id).await,
        (Place::Log(id), Method::GET) => history::show(&call, frame, &id).await,
        (Place::Skill(id), Method::GET) => skill_or_namespace(&call, frame, &id).await,
        (Place::Versions(id), Method::GET) => versions::list(&call, frame, &id).await,
        (Place::Version(id, version), Method::GET) => skill::show(&call, frame, &id, Some(version)).await,
        (Place::Files(id, version), Method::GET) => versions::files(&call, frame, &id, &version).await,
        (Place::File(id, version, path), Method::GET) => {
            versions::file(&call, frame, &id, &version, &path).await
        }
        (Place::Raw(id, version, path), Method::GET) => versions::raw(&call, &id, &version, &path).await,
        (Place::Diff(id, version), Method::GET) => Box::pin(review::diff(&call, frame, &id, &version)).await,
        (Place::Findings(id, version), Method::GET) => {
            Box::pin(review::findings(&call, frame, &id, &version)).await
        }
        (Place::Installs(id, version), Method::GET) => {
            Box::pin(installs::list(&call, frame, &id, &version)).await
        }
        (Place::Review(id, version), Method::GET) => {
            Box::pin(review::show(&call, frame, &id, &version)).await
        }
        (Place::Review(id, version), Method::POST) => {
            Box::pin(review::change(call, frame, &id, &version)).await
        }
        (Place::Ratings(id), Method::GET) => ratings::list(&call, frame, &id).await,
        (Place::Ratings(id), Method::POST) => Box::pin(ratings::change(call, frame, &id)).await,
        (Place::Comments(id), Method::GET) => comments::list(&call, frame, &id).await,
        (Place::Comments(id), Method::POST) => Box::pin(comments::change(call, frame, &id)).await,
        (Place::Badge(id, kind), Method::GET) => badge::show(&call, &id, &kind).await,
        (Place::SkillFeed(id), Method::GET) => feed::of_skill(&call, &id).await,
        (Place::NamespaceFeed(namespace), Method::GET) => feed::of_namespace(&call, &namespace).await,
        (Place::SearchFeed, Method::GET) => feed::of_query(&call).await,
        (Place::Robots, Method::GET) => crawlers::robots(&call),
        (Place::Sitemap, Method::GET) => crawlers::sitemap(&call).await,
        (Place::Llms, Method::GET) => crawlers::llms(&call),
        _ => Err(not_allowed_by(ROUTES, route)),
    };
    (route, result)
}

/// A skill, or where the viewer sees none the namespace that is called so.
async fn skill_or_namespace(call: &Call, frame: Frame, id: &SkillId) -> Result<axum::response::Response> {
    let missing = match skill::show(call, frame.clone(), id, None).await {
        Err(failure) if failure.problem.code == ProblemCode::SkillNotFound => failure,
        shown => return shown,
    };
    let Ok(namespace) = id.as_str().parse::<Namespace>() else { return Err(missing) };
    listing::namespace(call, frame, &namespace).await?.ok_or(missing)
}
