//! Which page an address is of.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use skillery_core::api::BoardOf;
use skillery_core::{Namespace, ProblemCode, SkillId, Version};

use super::{
    assets, badge, boards, comments, crawlers, dependencies, desk, feed, history, insight, installs, listing,
    ratings, review, search, sign_in, skill, versions,
};
use crate::failure::{Failure, Result};

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// One of the files that pages need.
    Asset(String),
    /// What browsers ask for by themselves.
    Favicon,
    /// Where one begins.
    Home,
    /// What was found.
    Search,
    /// What may be meant.
    Suggest,
    /// Signing in.
    Login,
    /// Signing out.
    Logout,
    /// Light or dark.
    Theme,
    /// What is installed most now.
    Trending,
    /// Whose skills are used most.
    Board(BoardOf),
    /// All tags.
    Tags,
    /// Skills with one.
    Tag(String),
    /// Skills of a user.
    User(String),
    /// An org.
    Org(Namespace),
    /// A skill, or where there is none the namespace of this name.
    Skill(SkillId),
    /// What it needs, and what needs it.
    Dependencies(SkillId),
    /// How it is used.
    Usage(SkillId),
    /// What became of it.
    Log(SkillId),
    /// Its versions.
    Versions(SkillId),
    /// One of them.
    Version(SkillId, Version),
    /// The files of one.
    Files(SkillId, Version),
    /// One file of one.
    File(SkillId, Version, String),
    /// The same as it is.
    Raw(SkillId, Version, String),
    /// What changed with one.
    Diff(SkillId, Version),
    /// What is found in one.
    Findings(SkillId, Version),
    /// Who has one.
    Installs(SkillId, Version),
    /// Deciding about one.
    Review(SkillId, Version),
    /// What people think of it.
    Ratings(SkillId),
    /// What they say of it.
    Comments(SkillId),
    /// A picture of one fact about it.
    Badge(SkillId, String),
    /// What is new of a skill.
    SkillFeed(SkillId),
    /// What is new in a namespace.
    NamespaceFeed(Namespace),
    /// What is new of what is found.
    SearchFeed,
    /// What programs may look at.
    Robots,
    /// The public skills.
    Sitemap,
    /// What language models need to know.
    Llms,
    /// What people who are signed in see to.
    Desk(desk::Place),
}

impl Place {
    /// The name of its route.
    pub fn route(&self) -> &'static str {
        match self {
            Self::Asset(_) => assets::ASSET,
            Self::Favicon => "/favicon.ico",
            Self::Home => "/",
            Self::Search => search::SEARCH,
            Self::Suggest => search::SUGGEST,
            Self::Login => sign_in::LOGIN,
            Self::Logout => sign_in::LOGOUT,
            Self::Theme => sign_in::THEME,
            Self::Trending => listing::TRENDING,
            Self::Board(BoardOf::Authors) => boards::AUTHORS,
            Self::Board(BoardOf::Teams) => boards::TEAMS,
            Self::Tags => listing::TAGS,
            Self::Tag(_) => listing::TAG,
            Self::User(_) => listing::USER,
            Self::Org(_) => listing::NAMESPACE,
            Self::Dependencies(_) => dependencies::DEPENDENCIES,
            Self::Usage(_) => insight::USAGE,
            Self::Log(_) => history::LOG,
            Self::Skill(_) => skill::SKILL,
            Self::Versions(_) => versions::VERSIONS,
            Self::Version(..) => versions::VERSION,
            Self::Files(..) => versions::FILES,
            Self::File(..) => versions::FILE,
            Self::Raw(..) => versions::RAW,
            Self::Diff(..) => review::DIFF,
            Self::Findings(..) => review::FINDINGS,
            Self::Installs(..) => installs::INSTALLS,
            Self::Review(..) => review::REVIEW,
            Self::Ratings(_) => ratings::RATINGS,
            Self::Comments(_) => comments::COMMENTS,
            Self::Badge(..) => badge::BADGE,
            Self::SkillFeed(_) => feed::SKILL_FEED,
            Self::NamespaceFeed(_) => feed::NAMESPACE_FEED,
            Self::SearchFeed => feed::SEARCH_FEED,
            Self::Robots => crawlers::ROBOTS,
            Self::Sitemap => crawlers::SITEMAP,
            Self::Llms => crawlers::LLMS,
            Self::Desk(place) => place.route(),
        }
    }
}

impl Place {
    /// The page that one comes from where there is none at its own address: what is only sent to.
    pub fn behind(&self) -> Option<String> {
        match self {
            Self::Logout | Self::Theme => Some("/".to_owned()),
            Self::Desk(place) => place.behind(),
            _ => None,
        }
    }

    /// Whether it is shown in a frame, and not for itself.
    pub fn has_frame(&self) -> bool {
        !matches!(
            self,
            Self::Asset(_)
                | Self::Favicon
                | Self::Suggest
                | Self::Raw(..)
                | Self::Badge(..)
                | Self::SkillFeed(_)
                | Self::NamespaceFeed(_)
                | Self::SearchFeed
                | Self::Robots
                | Self::Sitemap
                | Self::Llms
        )
    }
}

/// The page of this path.
pub fn of(path: &str) -> Result<Place> {
    let not_found = || Failure::new(ProblemCode::RouteNotFound, "");
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| not_found())?;
    let segments: Vec<&str> = decoded.split('/').skip(1).collect();
    let place = match segments.as_slice() {
        [""] => Place::Home,
        ["assets", _] => Place::Asset(path.to_owned()),
        ["favicon.ico"] => Place::Favicon,
        ["search"] => Place::Search,
        ["search", "suggest"] => Place::Suggest,
        ["search", "feed"] => Place::SearchFeed,
        ["robots.txt"] => Place::Robots,
        ["sitemap.xml"] => Place::Sitemap,
        ["llms.txt"] => Place::Llms,
        ["login"] => Place::Login,
        ["logout"] => Place::Logout,
        ["theme"] => Place::Theme,
        ["trending"] => Place::Trending,
        ["trending", "authors"] => Place::Board(BoardOf::Authors),
        ["trending", "teams"] => Place::Board(BoardOf::Teams),
        ["tags"] => Place::Tags,
        ["tags", tag @ ..] => Place::Tag(tag.join("/")),
        ["users", name] => Place::User((*name).to_owned()),
        rest => of_desk_or_skill(rest).ok_or_else(not_found)?,
    };
    Ok(place)
}

/// One of the pages that people see to things on, a namespace, or a page of a skill.
fn of_desk_or_skill(segments: &[&str]) -> Option<Place> {
    match (desk::of(segments), segments) {
        (Some(page), _) => Some(Place::Desk(page)),
        (None, [org]) => Some(Place::Org(org.parse().ok()?)),
        (None, rest) => of_skill(rest),
    }
}

/// A page of a skill. The shortest id has two segments; words that stand behind an id are part of none.
fn of_skill(segments: &[&str]) -> Option<Place> {
    let id = |segments: &[&str]| -> Option<SkillId> { segments.join("/").parse().ok() };
    // A file's path may have any words in it, so it is looked for first, and from the front.
    let versions = segments.iter().skip(2).position(|segment| *segment == "versions").map(|place| place + 2);
    let Some(place) = versions else {
        return match segments {
            [skill @ .., "ratings"] if skill.len() >= 2 => Some(Place::Ratings(id(skill)?)),
            [skill @ .., "comments"] if skill.len() >= 2 => Some(Place::Comments(id(skill)?)),
            [skill @ .., "dependencies"] if skill.len() >= 2 => Some(Place::Dependencies(id(skill)?)),
            [skill @ .., "usage"] if skill.len() >= 2 => Some(Place::Usage(id(skill)?)),
            [skill @ .., "log"] if skill.len() >= 2 => Some(Place::Log(id(skill)?)),
            [skill @ .., "badge", kind] if skill.len() >= 2 => {
                Some(Place::Badge(id(skill)?, (*kind).to_owned()))
            }
            // What has one segment is a namespace. So may be what has more, where there is no such skill.
            [namespace, "feed"] => Some(Place::NamespaceFeed(namespace.parse().ok()?)),
            [skill @ .., "feed"] if skill.len() >= 2 => Some(Place::SkillFeed(id(skill)?)),
            skill => Some(Place::Skill(id(skill)?)),
        };
    };
    let skill = id(&segments[..place])?;
    match &segments[place + 1..] {
        [] => Some(Place::Versions(skill)),
        [version] => Some(Place::Version(skill, version.parse().ok()?)),
        [version, "diff"] => Some(Place::Diff(skill, version.parse().ok()?)),
        [version, "findings"] => Some(Place::Findings(skill, version.parse().ok()?)),
        [version, "installs"] => Some(Place::Installs(skill, version.parse().ok()?)),
        [version, "review"] => Some(Place::Review(skill, version.parse().ok()?)),
        [version, "files"] => Some(Place::Files(skill, version.parse().ok()?)),
        [version, "files", path @ ..] if !path.is_empty() => {
            Some(Place::File(skill, version.parse().ok()?, path.join("/")))
        }
        [version, "raw", path @ ..] if !path.is_empty() => {
            Some(Place::Raw(skill, version.parse().ok()?, path.join("/")))
        }
        _ => None,
    }
}

const PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An address with what is not empty of these pairs.
pub fn address<'pair>(path: &str, pairs: impl IntoIterator<Item = (&'pair str, &'pair str)>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A file's path as a part of an address.
pub fn encoded(path: &str) -> String {
    utf8_percent_encode(path, &PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_pages() {
        let id = || "acme/email/tool".parse::<SkillId>().unwrap();
        let version = || "1.0.0".parse::<Version>().unwrap();
        for (path, place) in [
            ("/acme/email/tool", Some(Place::Skill(id()))),
            ("/acme/email%2Ftool", Some(Place::Skill(id()))),
            ("/acme/email/tool/versions", Some(Place::Versions(id()))),
            ("/acme/email/tool/versions/1.0.0", Some(Place::Version(id(), version()))),
            (
                "/acme/email/tool/versions/1.0.0/files/versions/raw/x%20y",
                Some(Place::File(id(), version(), "versions/raw/x y".to_owned())),
            ),
            (
                "/acme/email/tool/versions/1.0.0/raw/a.png",
                Some(Place::Raw(id(), version(), "a.png".to_owned())),
            ),
            ("/acme/email/tool/versions/1.0.0/files", Some(Place::Files(id(), version()))),
            ("/acme/email/tool/versions/1.0.0/diff", Some(Place::Diff(id(), version()))),
            ("/acme/email/tool/versions/1.0.0/findings", Some(Place::Findings(id(), version()))),
            ("/acme/email/tool/versions/1.0.0/installs", Some(Place::Installs(id(), version()))),
            ("/acme/email/tool/versions/1.0.0/review", Some(Place::Review(id(), version()))),
            ("/acme/email/tool/versions/1.0.0/review/x", None),
            ("/acme/email/tool/review", Some(Place::Skill("acme/email/tool/review".parse().unwrap()))),
            ("/acme/email/tool/ratings", Some(Place::Ratings(id()))),
            ("/acme/email/tool/comments", Some(Place::Comments(id()))),
            ("/acme/email/tool/versions/one", None),
            ("/acme/email/tool/versions/1.0.0/files/", Some(Place::File(id(), version(), String::new()))),
            ("/acme/email/tool/", None),
            ("/acme", Some(Place::Org("acme".parse().unwrap()))),
            ("/acme/email/tool/dependencies", Some(Place::Dependencies(id()))),
            ("/acme/email/tool/log", Some(Place::Log(id()))),
            ("/acme/email/tool/usage", Some(Place::Usage(id()))),
            ("/acme/usage", None),
            ("/trending/authors", Some(Place::Board(BoardOf::Authors))),
            ("/trending/tools", None),
            ("/tags/a%2Fb%20c", Some(Place::Tag("a/b c".to_owned()))),
            ("/users/ada", Some(Place::User("ada".to_owned()))),
            ("/users", None),
            ("/api", None),
            ("/acme/../x", None),
            ("/%ff/x", None),
        ] {
            assert_eq!(of(path).ok(), place, "{path}");
        }
    }

    /// Rows of the pages that a browser is made to look at.
    const ROWS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/e2e/pages/pages.mjs"));

    #[test]
    fn a_browser_looks_at_every_page() {
        // What is no page for people, or leads to another site.
        const OTHERS: &[&str] = &[
            assets::ASSET,
            "/favicon.ico",
            search::SUGGEST,
            versions::RAW,
            badge::BADGE,
            feed::SKILL_FEED,
            feed::NAMESPACE_FEED,
            feed::SEARCH_FEED,
            crawlers::ROBOTS,
            crawlers::SITEMAP,
            crawlers::LLMS,
            desk::BEGIN,
            desk::ARRIVAL,
        ];
        let paths = ROWS.split("path: \"").skip(1).filter_map(|rest| rest.split(['"', '?']).next());
        // What a run makes has another id each time.
        let path = |path: &str| path.replace("{webhook}", "00000000-0000-7000-8000-000000000000");
        let looked_at: Vec<_> = paths.filter_map(|row| Some(of(&path(row)).ok()?.route())).collect();
        for (method, route, _) in super::super::ROUTES.iter().chain(desk::ROUTES) {
            let is_page = *method == "get" && !OTHERS.contains(route);
            assert!(!is_page || looked_at.contains(route), "{route} has no row in pages.mjs");
        }
    }

    /// Addresses of the pages that are measured, with what is put into them in braces.
    const MEASURED: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/src/parts/pages.rs"));

    #[test]
    fn every_page_is_measured() {
        // Each with why it is not.
        const OTHERS: &[(&str, &str)] = &[
            (assets::ASSET, "its address has a digest, and its bytes are always in memory"),
            (desk::BEGIN, "it leads to another site"),
            (desk::ARRIVAL, "it is come to from another site"),
        ];
        let texts = MEASURED.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
        let filled = |text: &str| {
            let path = text.split('?').next().unwrap_or_default();
            let known =
                [("{id}", "acme/tool"), ("{file}", "SKILL.md"), ("{tag}", "pdf"), ("{team:03}", "000")];
            let path = path.replace("{newest}", "1.0.0").replace("{pending}", "1.0.0");
            let hook = "00000000-0000-7000-8000-000000000000";
            let path = path.replace("{own_webhook}", hook).replace("{handbook_webhook}", hook);
            known.iter().fold(path, |path, (name, value)| path.replace(name, value))
        };
        let measured: Vec<_> = texts.filter_map(|text| Some(of(&filled(text)).ok()?.route())).collect();
        for (method, route, _) in super::super::ROUTES.iter().chain(desk::ROUTES) {
            let reason = OTHERS.iter().find(|(other, _)| other == route);
            let has_row = measured.contains(route);
            assert!(*method != "get" || has_row != reason.is_some(), "{route}: {has_row}, {reason:?}");
        }
    }
}
