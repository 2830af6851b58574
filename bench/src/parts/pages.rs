//! Pages for people at 100,000 skills: how long the slowest of a hundred takes.

use anyhow::{Result, ensure};

use super::Setup;
use crate::corpus::Corpus;
use crate::dataset::hooks::Hooks;
use crate::dataset::{self, furnish};
use crate::registry::Registry;
use crate::report::{Findings, Row, Target, rate};
use crate::rounds::{Outcome, interleaved};
use crate::wrk::Load;

const SKILLS: usize = 100_000;
const CODE_BYTES: usize = 1_024;
const CONNECTIONS: u32 = 8;
/// Different addresses of pages that there are many of.
const ADDRESSES: usize = 2_000;
/// Addresses of each that are looked at before they are measured.
const LOOKED_AT: usize = 20;
/// What is said where nothing is found, by pages and by suggestions.
const NOTHING: [&[u8]; 2] = [b"Nothing was found", b"[]"];
const NOTE: &str = "Besides 100,000 skills there are 10,000 that were approved, with the same words and tags as the first of these.";
/// The 99th percentile that no page may be above.
const MOST_MS: f64 = 50.0;

/// Whether a page or suggestions say that nothing is found, or a feed has no entry.
fn is_empty(body: &[u8]) -> bool {
    let contains = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    NOTHING.iter().any(|nothing| contains(nothing)) || (contains(b"<feed") && !contains(b"<entry"))
}

pub fn run(setup: &Setup) -> Result<Findings> {
    let registry = Registry::start(&dataset::furnished(SKILLS, CODE_BYTES)?)?;
    let hooks = Hooks::of(&registry)?;
    let mut loads = Vec::new();
    for (name, paths) in open() {
        // What finds nothing is quick, and says nothing.
        for body in registry.bodies(&paths[..paths.len().min(LOOKED_AT)])? {
            ensure!(!is_empty(&body), "{name} finds nothing");
        }
        loads.push((name, Load::new(&format!("pages-{name}"), registry.address, &paths, CONNECTIONS)?));
    }
    for (name, path) in SIGNED_IN {
        let path =
            address(path).replace("{own_webhook}", &hooks.own).replace("{handbook_webhook}", &hooks.handbook);
        let load = Load::new(&format!("pages-{name}"), registry.address, &[path], CONNECTIONS)?;
        loads.push((*name, load.signed_in(&registry.token)));
    }
    let approver = dataset::decisions::approver(&registry)?;
    for (name, path) in OF_A_MEMBER {
        let load = Load::new(&format!("pages-{name}"), registry.address, &[address(path)], CONNECTIONS)?;
        loads.push((*name, load.signed_in(&approver)));
    }
    let contenders = loads
        .iter()
        .map(|(name, load)| (*name, Box::new(|| load.run(setup.seconds)) as Box<dyn FnMut() -> _>))
        .collect();
    let outcomes = interleaved(setup.rounds, contenders)?;
    Ok(Findings { rows: outcomes.iter().map(row).collect(), notes: vec![NOTE.to_owned()] })
}

/// Pages that anybody may look at, with their addresses.
fn open() -> Vec<(&'static str, Vec<String>)> {
    let corpus = Corpus::new();
    let skills: Vec<_> = (0..ADDRESSES).map(|number| corpus.skill(number * 47, 0)).collect();
    let searches = |words, more: &str| {
        let found = corpus.searches(ADDRESSES, words, SKILLS, None);
        found.iter().map(|path| path.replace("/api/v1/skills", "/search") + more).collect::<Vec<_>>()
    };
    let tags = skills.iter().flat_map(|skill| skill.tags.first()).map(|tag| format!("/tags/{tag}"));
    let filtered = skills.iter().flat_map(|skill| {
        let team = skill.id.split('/').next()?;
        Some(format!("/search?org={team}&tags={}&min_rating=0", skill.tags.first()?))
    });
    let many = vec![
        ("search of one word", searches(1, "")),
        ("search of three words", searches(3, "")),
        ("search, by installs", searches(1, "&sort=installs")),
        ("search, by rating", searches(1, "&sort=rating")),
        ("search, by time", searches(1, "&sort=updated")),
        ("search, by name", searches(1, "&sort=name")),
        ("search, by trend", searches(1, "&sort=trending")),
        ("search of one publisher", searches(1, "&publisher=admin")),
        ("search with filters", filtered.collect()),
        (
            "suggestions",
            searches(1, "").iter().map(|path| path.replace("/search", "/search/suggest")).collect(),
        ),
        ("one tag", tags.collect()),
        ("a namespace", (0..200).map(|team| format!("/team-{team:03}")).collect()),
        ("a skill of many", skills.iter().map(|skill| format!("/{}", skill.id)).collect()),
    ];
    many.into_iter().chain(OPEN.iter().map(|(name, path)| (*name, vec![address(path)]))).collect()
}

/// An address with what is furnished. A test of the server looks at the addresses of this file, and misses no page.
fn address(path: &str) -> String {
    path.replace("{id}", furnish::ID)
        .replace("{newest}", furnish::NEWEST)
        .replace("{pending}", furnish::PENDING)
        .replace("{file}", furnish::FILE)
}

/// Pages that there is one of.
const OPEN: &[(&str, &str)] = &[
    ("start", "/"),
    ("search of nothing", "/search"),
    ("search, far behind", "/search?offset=9000"),
    ("feed of a search", "/search/feed?q=skill"),
    ("trending", "/trending"),
    ("tags", "/tags"),
    ("a user", "/users/admin"),
    ("the long skill", "/{id}"),
    ("its versions", "/{id}/versions"),
    ("one of its versions", "/{id}/versions/{newest}"),
    ("its dependencies", "/{id}/dependencies"),
    ("its log", "/{id}/log"),
    ("its ratings", "/{id}/ratings"),
    ("its comments", "/{id}/comments"),
    ("its usage", "/{id}/usage"),
    ("usage of one of its versions", "/{id}/usage?by=week&version={newest}"),
    ("its usage with one program", "/{id}/usage?program=skillery"),
    ("what changed in a version of it", "/{id}/versions/{newest}/diff"),
    ("what was found in it", "/{id}/versions/{newest}/findings"),
    ("leading authors", "/trending/authors"),
    ("leading teams", "/trending/teams?period=all"),
    ("its files", "/{id}/versions/{newest}/files"),
    ("one of its files", "/{id}/versions/{newest}/files/{file}"),
    ("one of its files as it is", "/{id}/versions/{newest}/raw/{file}"),
    ("its feed", "/{id}/feed"),
    ("feed of its namespace", "/handbook/feed"),
    ("its badge", "/{id}/badge/version.svg"),
    ("sign in", "/login"),
    ("sitemap", "/sitemap.xml"),
    ("a piece of the sitemap", "/sitemap.xml?page=1"),
    ("what crawlers may look at", "/robots.txt"),
    ("what language models read", "/llms.txt"),
    ("icon", "/favicon.ico"),
    ("documents of the API", "/docs"),
    ("errors of the API", "/docs/errors"),
];

/// Pages of somebody who is signed in, an admin.
const SIGNED_IN: &[(&str, &str)] = &[
    ("account", "/account"),
    ("tokens", "/account/tokens"),
    ("keys", "/account/keys"),
    ("notifications", "/account/notifications"),
    ("how one is told", "/account/notifications/settings"),
    ("webhooks", "/account/webhooks"),
    ("a webhook", "/account/webhooks/{own_webhook}"),
    ("what waits for approval", "/account/approvals"),
    ("what was decided", "/account/approvals?show=decided"),
    ("what is due", "/account/approvals?show=due"),
    ("settings of a namespace", "/orgs/handbook"),
    ("its members", "/orgs/handbook/members"),
    ("its policy", "/orgs/handbook/policy"),
    ("its policy before", "/orgs/handbook/policy/history"),
    ("its groups", "/orgs/handbook/policy/groups"),
    ("its usage as a whole", "/orgs/handbook/usage"),
    ("its publishers", "/orgs/handbook/publishers"),
    ("its signing secret", "/orgs/handbook/signing-secret"),
    ("its webhooks", "/orgs/handbook/webhooks"),
    ("one of its webhooks", "/orgs/handbook/webhooks/{handbook_webhook}"),
    ("its reports", "/orgs/handbook/comments"),
    ("its audit", "/orgs/handbook/audit"),
    ("admin", "/admin"),
    ("users", "/admin/users"),
    ("orgs", "/admin/orgs"),
    ("limits", "/admin/limits"),
    ("jobs", "/admin/jobs"),
    ("admin's log", "/admin/log"),
    ("reports", "/admin/reports"),
    ("audit", "/admin/audit"),
    ("audit of one actor", "/admin/audit?actor=reader-007"),
    ("audit of one action", "/admin/audit?action=skill.rated"),
    ("report of the audit", "/admin/audit?show=report&days=7"),
    ("who downloaded a version", "/{id}/versions/{newest}/installs"),
    ("review", "/{id}/versions/{pending}/review"),
    ("what changed in what waits", "/{id}/versions/{pending}/diff"),
    ("one line of it", "/{id}/versions/{pending}/review?at=new:7:SKILL.md"),
];

/// Pages of somebody who is signed in, reviews in one org and is nobody anywhere else.
const OF_A_MEMBER: &[(&str, &str)] = &[
    ("start, of a member", "/"),
    ("search of nothing, of a member", "/search"),
    ("the long skill, of a member", "/{id}"),
    ("account of a member", "/account"),
    ("notifications of a member", "/account/notifications"),
    ("what waits for a reviewer", "/account/approvals"),
    ("what a reviewer has decided", "/account/approvals?show=decided"),
];

fn row(outcome: &Outcome) -> Row {
    Row {
        work: format!("page at 100,000: {}, 8 connections", outcome.name),
        ours: rate(outcome),
        beside: format!("p50 {:.2} ms", outcome.p50_ms()),
        result: outcome.p99_ms(),
        unit: "ms",
        target: Target::AtMost(MOST_MS),
    }
}
