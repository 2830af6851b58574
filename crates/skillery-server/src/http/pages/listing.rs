//! Skills of one kind: `GET /trending`, `/tags`, `/tags/{tag}`, `/users/{user}` and `/{namespace}`.

use askama::Template;
use axum::response::Response;
use skillery_core::api::Record;
use skillery_core::{Namespace, ProblemCode, Role, Sort};

use super::feed::SEARCH_FEED;
use super::frame::{Frame, page};
use super::pager::{Fit, Pager, Pages};
use super::search::{found, records};
use super::{desk, place, said, show};
use crate::db::accounts;
use crate::failure::{Failure, Result};
use crate::http::api::{orgs, search as api};
use crate::http::call::{Call, Page};
use crate::search::{Counted, Facet, SearchQuery};

/// What is installed most this week.
pub const TRENDING: &str = "/trending";
/// All tags.
pub const TAGS: &str = "/tags";
/// Skills with one.
pub const TAG: &str = "/tags/{tag}";
/// Skills of a user.
pub const USER: &str = "/users/{user}";
/// Skills of a namespace.
pub const NAMESPACE: &str = "/{namespace}";

/// Skills on a page.
const ROWS: usize = 20;
/// Tags that are listed.
const TAGS_SHOWN: usize = 200;
/// Bytes of HTML for the tags beside a list, and for the namespaces there, and for a link to one without its name.
const ROOM_BESIDE: usize = 5_000;
const LINK: usize = 80;
/// Tags, and namespaces, beside a list.
const BESIDE: usize = 20;

#[derive(Template)]
#[template(path = "pages/listing.html")]
struct ListingPage {
    frame: Frame,
    /// Namespaces above, each with the whole of it.
    crumbs: Vec<(String, String)>,
    heading: String,
    /// What this is, in a sentence.
    lead: String,
    /// Whether there are lists of authors and teams beside it.
    has_boards: bool,
    total: usize,
    records: Vec<Record>,
    /// Namespaces within.
    namespaces: Vec<Counted>,
    /// Where others of these are.
    more_namespaces: Pager,
    tags: Vec<Counted>,
    /// The same as a search, to be narrowed down.
    search: String,
    /// Where those who have a role here see to it.
    settings: Option<String>,
    pager: Pager,
}

struct Words {
    crumbs: Vec<(String, String)>,
    heading: String,
    lead: String,
    path: String,
    search: String,
    /// Where what is new here is told.
    feed: Option<String>,
    settings: Option<String>,
    /// The namespaces within, and where others of these are; the commonest where there are none.
    namespaces: Option<(Vec<Counted>, Pager)>,
    part: &'static str,
}

/// All skills in this order.
pub(super) fn all(call: &Call, sort: Sort) -> Result<SearchQuery> {
    let rows = call.page()?;
    Ok(SearchQuery::all(&call.app, &call.caller, sort, rows.limit.min(ROWS), rows.offset))
}

/// A number in the address, as short as it can be written; empty where it says nothing.
fn number(call: &Call, name: &str) -> Result<String> {
    let number = call.parsed::<usize>(name)?.filter(|number| *number > 0);
    Ok(number.map_or_else(String::new, |number| number.to_string()))
}

/// Whether everybody sees what the viewer sees.
pub(super) fn is_open(call: &Call) -> bool {
    call.app.settings.anonymous_reads && call.caller.identity().is_none()
}

/// The page of what is found, if something is or `is_known` says that it may be looked at without.
async fn list(
    call: &Call,
    frame: Frame,
    query: SearchQuery,
    words: Words,
    is_known: bool,
) -> Result<Option<Response>> {
    let found = found(call, &query).await?;
    if found.total == 0 && !is_known {
        return Ok(None);
    }
    let records = records(call, &found).await?;
    let counted = api::count(&call.app, &query, &[Facet::Tag, Facet::Namespace], BESIDE).await?;
    let (mut tags, mut commonest) = (counted.tags, counted.namespaces);
    show::fitting_tags(&mut tags, ROOM_BESIDE);
    // Beside what is of no namespace, orgs alone are listed.
    commonest.retain(|(namespace, _)| !namespace.contains('/'));
    // Going on among skills leaves the namespaces where they are.
    let begin = if words.namespaces.is_some() { number(call, "namespaces")? } else { String::new() };
    let (namespaces, more_namespaces) = words.namespaces.unwrap_or((commonest, Pager::default()));
    let mut frame = frame.titled(words.heading.clone()).part(words.part);
    frame.description.clone_from(&words.lead);
    // Of people no lists are made elsewhere.
    frame.is_public = words.part != "user" && is_open(call);
    let rows = Page { limit: query.limit, offset: query.offset };
    // Of what has nothing in it, there is none.
    frame.feed = words.feed.filter(|_| found.total > 0);
    page(&ListingPage {
        frame,
        crumbs: words.crumbs,
        heading: words.heading,
        lead: words.lead,
        has_boards: words.part == "trending" && call.app.settings.insight.leaderboards,
        total: found.total,
        records,
        namespaces,
        more_namespaces,
        tags,
        search: words.search,
        settings: words.settings,
        pager: Pages::of(&call.app, &words.path, &[("namespaces", begin.as_str())])
            .at_most(ROWS)
            .by_offset(rows, found.total as u64),
    })
    .map(Some)
}

/// What is installed most in the last seven days.
pub async fn trending(call: &Call, frame: Frame) -> Result<Response> {
    let words = Words {
        crumbs: Vec::new(),
        heading: "Trending".to_owned(),
        lead: "What was installed most in the last seven days.".to_owned(),
        path: TRENDING.to_owned(),
        search: "/search?sort=trending".to_owned(),
        feed: Some(format!("{SEARCH_FEED}?sort=trending")),
        settings: None,
        namespaces: None,
        part: "trending",
    };
    let shown = list(call, frame, all(call, Sort::Trending)?, words, true).await?;
    shown.ok_or_else(|| Failure::internal("a list that is always known"))
}

#[derive(Template)]
#[template(path = "pages/tags.html")]
struct TagsPage {
    frame: Frame,
    tags: Vec<Counted>,
    is_cut: bool,
}

/// The tags of what the viewer sees.
pub async fn tags(call: &Call, frame: Frame) -> Result<Response> {
    let query = all(call, Sort::Installs)?;
    let counted = api::count(&call.app, &query, &[Facet::Tag], TAGS_SHOWN).await?;
    let mut tags = counted.tags;
    let given = tags.len();
    // The commonest are first, and have the room.
    show::fitting_tags(&mut tags, said::ROOM);
    let is_cut = counted.is_cut || tags.len() < given;
    tags.sort();
    let mut frame = frame.titled("Tags").part("tags");
    "What skills are about, with how many have each tag.".clone_into(&mut frame.description);
    frame.is_public = is_open(call);
    page(&TagsPage { frame, tags, is_cut })
}

/// Skills with a tag.
pub async fn tag(call: &Call, frame: Frame, tag: &str) -> Result<Response> {
    let encoded: String = url::form_urlencoded::byte_serialize(tag.as_bytes()).collect();
    let words = Words {
        crumbs: Vec::new(),
        heading: tag.to_owned(),
        lead: format!("Skills that are tagged “{tag}”."),
        path: format!("/tags/{}", place::encoded(tag)),
        search: format!("/search?tags={encoded}"),
        feed: Some(format!("{SEARCH_FEED}?tags={encoded}")),
        settings: None,
        namespaces: None,
        part: "tags",
    };
    let query = SearchQuery { tags: vec![tag.to_owned()], ..all(call, Sort::Installs)? };
    let shown = list(call, frame, query, words, false).await?;
    shown.ok_or_else(|| Failure::new(ProblemCode::RouteNotFound, "nothing here has this tag"))
}

/// Skills whose newest version a user has published. Of whom the viewer sees nothing, there is nobody here.
pub async fn user(call: &Call, frame: Frame, name: &str) -> Result<Response> {
    let nobody = || Failure::new(ProblemCode::UserNotFound, format!("there is no user `{name}` here"));
    let user = accounts::user_by_name(call.app.db.reader(), name).await?.ok_or_else(nobody)?;
    let words = Words {
        crumbs: Vec::new(),
        heading: user.name.clone(),
        lead: format!("Skills whose newest version {} has published.", user.name),
        path: format!("/users/{}", user.name),
        search: format!("/search?publisher={}", user.name),
        feed: Some(format!("{SEARCH_FEED}?publisher={}", user.name)),
        settings: None,
        namespaces: None,
        part: "user",
    };
    let is_oneself = call.caller.user_id() == Some(&user.id);
    let query = api::published_by(Some(&user), all(call, Sort::Installs)?);
    list(call, frame, query, words, is_oneself).await?.ok_or_else(nobody)
}

/// Skills of a namespace and below; none where the viewer may not know of it.
pub async fn namespace(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Option<Response>> {
    let Some(mut within) = orgs::known_below(&call.app, &call.caller, namespace).await? else {
        return Ok(None);
    };
    let (text, key) = (namespace.as_str(), namespace.key());
    let has_role = call.caller.identity().is_some_and(|identity| identity.acts_as(Role::Reader, &key));
    let crumbs = text.match_indices('/').map(|(end, _)| {
        let whole = &text[..end];
        (whole.rsplit('/').next().unwrap_or(whole).to_owned(), whole.to_owned())
    });
    let begin = call.parsed::<usize>("namespaces")?.unwrap_or(0);
    let offset = number(call, "offset")?;
    // From behind the end of the list one comes back to those that it ends with.
    let asked = Page { limit: BESIDE, offset: begin };
    let fit = Fit::of(&within, asked, ROOM_BESIDE, |within| LINK + 2 * within.namespace.len());
    let more = Pages::of(&call.app, &format!("/{text}"), &[("offset", offset.as_str())]).at(
        "namespaces",
        call.app.settings.limits.default_page_rows,
        fit.previous,
        fit.next,
    );
    fit.cut(&mut within);
    let within = within.into_iter();
    let within = within.map(|within| (within.namespace, usize::try_from(within.skills).unwrap_or(0)));
    let words = Words {
        crumbs: crumbs.collect(),
        heading: text.rsplit('/').next().unwrap_or(text).to_owned(),
        lead: format!("Skills in the namespace {text}."),
        path: format!("/{text}"),
        search: format!("/search?org={text}"),
        feed: Some(format!("/{text}/feed")),
        settings: has_role.then(|| desk::overview(text)),
        namespaces: Some((within.collect(), more)),
        part: "namespace",
    };
    let query = SearchQuery { namespace: Some(namespace.clone()), ..all(call, Sort::Installs)? };
    list(call, frame, query, words, true).await
}

/// There is no such namespace, or the viewer may not know of it.
pub fn no_namespace(namespace: &Namespace) -> Failure {
    orgs::org_not_found(namespace)
}
