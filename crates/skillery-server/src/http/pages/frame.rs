//! What all pages have around them, and how a page becomes an answer.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY, VARY};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use skillery_core::{Problem, Scope};

use super::form::Unsent;
use super::{assets, notice, place, session, show};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, problem};
use crate::notify;

/// Who looks at a page.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The user's name.
    pub name: String,
    /// Whether the registry's own pages are shown.
    pub is_admin: bool,
    /// Whether the token of the session has the scope `admin`, and is bound to no namespace.
    pub may_administer: bool,
    /// How many notifications are not read, where there are any.
    pub unread: Option<String>,
}

/// More notifications than this are many.
const MANY: u64 = 99;
/// Bytes of HTML for an address to come back to, where it stands as it is and where it stands in another address.
const ADDRESS: usize = 6_000;
/// Characters of what a page says of a failure: some tell what was sent.
const DETAIL: usize = 2_000;

/// What all pages have around them.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// What the page is called.
    pub title: String,
    /// What it is about, in a sentence, for those who show links to it.
    pub description: String,
    /// Where it is, as from outside; none where that is not known.
    pub address: Option<String>,
    /// Where the picture is that is shown beside links to it, as from outside; none where that is not known.
    pub card: Option<String>,
    /// The path and query of a page to come back to: this one, or what it is behind where it is only an answer.
    pub here: String,
    /// The path and query that were asked for.
    pub asked: String,
    /// Who looks at it, if signed in.
    pub viewer: Option<Viewer>,
    /// What every form sends that changes something.
    pub csrf: String,
    /// Words in the search box.
    pub words: String,
    /// Which part of the registry is shown: a word of the navigation.
    pub part: &'static str,
    /// Where its feed is, if it has one.
    pub feed: Option<String>,
    /// What was done just now.
    pub notice: Option<&'static str>,
    /// Whether others may show and index it.
    pub is_public: bool,
    /// `light` or `dark`, where the viewer chose.
    pub theme: &'static str,
}

impl Frame {
    /// Around what this call asks for.
    pub fn of(call: &Call) -> Self {
        let asked = fitting(call.head.uri.path_and_query().map_or("/", |path| path.as_str()));
        // What was done before is not said again by whoever comes back.
        let mut here = notice::without(asked);
        if !call.method().is_safe() {
            here = place::of(call.head.uri.path())
                .map_or("/".to_owned(), |place| place.behind().unwrap_or(here));
        }
        let viewer = call.caller.identity().map(|identity| {
            let (name, is_admin) = (identity.user.name.clone(), identity.is_site_admin());
            Viewer {
                name,
                is_admin,
                may_administer: call.caller.require_unbound(Scope::Admin).is_ok(),
                unread: None,
            }
        });
        let base = call.base().ok();
        Self {
            address: base.as_ref().map(|base| format!("{base}{here}")),
            card: base.map(|base| format!("{base}{}", assets::card())),
            here,
            asked: asked.to_owned(),
            viewer,
            csrf: session::csrf(&call.app, &call.head),
            notice: call.parameter("notice").and_then(|code| notice::text(&code)),
            theme: session::theme(&call.head.headers),
            ..Self::default()
        }
    }

    /// The same with how many notifications the viewer has not read. A page is shown all the same where that cannot be told.
    pub async fn counted(mut self, call: &Call) -> Self {
        if let Some(viewer) = &mut self.viewer
            && let Ok(unread) = notify::unread(&call.app, &call.caller, MANY as i64).await
        {
            viewer.unread = match unread {
                0 => None,
                1..=MANY => Some(unread.to_string()),
                _ => Some(format!("{MANY}+")),
            };
        }
        self
    }

    /// The same with this title.
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The same as a part of the registry.
    pub fn part(mut self, part: &'static str) -> Self {
        self.part = part;
        self
    }

    /// The address where one signs in and comes back to here.
    pub fn sign_in(&self) -> String {
        format!("/login?next={}", encoded(&self.here))
    }

    /// Whether pages are there for the viewer that need the scope `admin`.
    pub fn may_administer(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.may_administer)
    }

    /// Where the style sheet is.
    pub fn style(&self) -> &'static str {
        assets::style()
    }

    /// Where the script is.
    pub fn script(&self) -> &'static str {
        assets::script()
    }

    /// Where the picture is that stands for the registry.
    pub fn mark(&self) -> &'static str {
        assets::mark()
    }

    /// The version of the registry.
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

fn encoded(address: &str) -> String {
    url::form_urlencoded::byte_serialize(address.as_bytes()).collect()
}

/// An address as far as each page has room for it: anybody may write anything behind it, and parts of no page are that long.
fn fitting(address: &str) -> &str {
    let fits = |address: &str| show::weight(address) + encoded(address).len() <= ADDRESS;
    let path = address.split('?').next().unwrap_or(address);
    [address, path].into_iter().find(|address| fits(address)).unwrap_or("/")
}

/// A page as an answer. What it shows depends on who asks, so nobody on the way keeps it.
pub fn page(template: &impl Template) -> Result<Response> {
    with_status(StatusCode::OK, template)
}

/// As [`page`], with another status.
pub fn with_status(status: StatusCode, template: &impl Template) -> Result<Response> {
    let text = template.render().map_err(Failure::internal)?;
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("cookie"));
    // With `no-referrer`, browsers would not say of a form where it comes from, and it would be refused.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
}

/// Goes on to another page of the registry, with a GET.
pub fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Template)]
#[template(path = "pages/problem.html")]
struct ProblemPage {
    frame: Frame,
    problem: Problem,
}

/// What was sent and not taken, to be sent again.
#[derive(Template)]
#[template(path = "pages/again.html")]
struct AgainPage {
    frame: Frame,
    fields: Vec<(String, String)>,
    /// Whether it was sent from such a page already, before which one has signed in.
    is_again: bool,
}

/// The field that a page sends which one was shown before signing in.
const AGAIN: &str = "again";

fn again(frame: Frame, status: StatusCode, fields: &[(String, String)]) -> Result<Response> {
    let title = if frame.viewer.is_none() { "Sign in, then send it again" } else { "Send it again" };
    let (again, fields): (Vec<_>, Vec<_>) = fields.iter().cloned().partition(|(name, _)| name == AGAIN);
    let template = AgainPage { frame: frame.titled(title), fields, is_again: !again.is_empty() };
    let mut response = with_status(status, &template)?;
    // There may be secrets among it.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Whether whoever asks reads pages: browsers say so, programs do not.
pub fn reads_pages(call: &Call) -> bool {
    call.header("accept").is_some_and(|accept| accept.contains("text/html"))
}

/// A failure as a page, or as programs read it. Who is not signed in and needs to be is sent to where that is done.
pub fn failed(frame: Frame, reads_pages: bool, method: &Method, failure: Failure) -> Response {
    if !reads_pages {
        return problem(failure);
    }
    if failure.problem.status == 401 && frame.viewer.is_none() && method == Method::GET {
        let mut response = see_other(&frame.sign_in());
        response.extensions_mut().insert(failure.code());
        return response;
    }
    let (shown, source) = (failure.problem.clone(), failure.source.clone());
    let mut answer = problem(failure);
    let status = answer.status();
    let page = match source.as_ref().and_then(|source| source.downcast_ref::<Unsent>()) {
        Some(Unsent(fields)) => again(frame, status, fields),
        None => {
            let (frame, mut problem) = (frame.titled(shown.title.clone()), *shown);
            problem.detail = show::clipped(&problem.detail, DETAIL);
            with_status(status, &ProblemPage { frame, problem })
        }
    };
    if let Ok(page) = page {
        // What the log says of a failure stands in the first answer.
        let (mut head, body) = page.into_parts();
        head.extensions = std::mem::take(answer.extensions_mut());
        head.extensions.remove::<Box<Problem>>();
        for name in ["retry-after", "allow"] {
            if let Some(value) = answer.headers().get(name) {
                head.headers.insert(name, value.clone());
            }
        }
        return Response::from_parts(head, body);
    }
    answer
}
