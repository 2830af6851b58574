//! Pages for people at 100,000 skills: how long the slowest of a hundred takes.

use anyhow::Result;

use super::Setup;
use crate::corpus::Corpus;
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
/// The 99th percentile that no page may be above.
const MOST_MS: f64 = 50.0;

pub fn run(setup: &Setup) -> Result<Findings> {
    let registry = Registry::start(&dataset::furnished(SKILLS, CODE_BYTES)?)?;
    let mut loads = Vec::new();
    for (name, paths) in open() {
        registry.bodies(&paths[..1])?;
        loads.push((name, Load::new(&format!("pages-{name}"), registry.address, &paths, CONNECTIONS)?));
    }
    for (name, path) in signed_in() {
        let load = Load::new(&format!("pages-{name}"), registry.address, &[path], CONNECTIONS)?;
        loads.push((name, load.signed_in(&registry.token)));
    }
    let contenders = loads
        .iter()
        .map(|(name, load)| (*name, Box::new(|| load.run(setup.seconds)) as Box<dyn FnMut() -> _>))
        .collect();
    let outcomes = interleaved(setup.rounds, contenders)?;
    Ok(Findings { rows: outcomes.iter().map(row).collect(), notes: Vec::new() })
}

/// Pages that anybody may look at, with their addresses.
fn open() -> Vec<(&'static str, Vec<String>)> {
    let corpus = Corpus::new();
    let skills: Vec<_> = (0..ADDRESSES).map(|number| corpus.skill(number * 47, 0)).collect();
    let each = |page: &str| skills.iter().map(|skill| format!("/{}{page}", skill.id)).collect::<Vec<_>>();
    let searches = |words, more: &str| {
        let found = corpus.searches(ADDRESSES, words, SKILLS, None);
        found.iter().map(|path| path.replace("/api/v1/skills", "/search") + more).collect::<Vec<_>>()
    };
    let manual = |page: &str| vec![format!("/{}{page}", furnish::ID)];
    let of_version = |page: &str| vec![format!("/{}/versions/{}{page}", furnish::ID, furnish::NEWEST)];
    let tags = skills.iter().flat_map(|skill| skill.tags.first()).map(|tag| format!("/tags/{tag}"));
    vec![
        ("start", vec!["/".to_owned()]),
        ("search of one word", searches(1, "")),
        ("search of three words", searches(3, "")),
        ("search, by installs", searches(1, "&sort=installs")),
        ("search of nothing", vec!["/search".to_owned()]),
        ("search, far behind", vec!["/search?offset=9000".to_owned()]),
        (
            "suggestions",
            searches(1, "").iter().map(|path| path.replace("/search", "/search/suggest")).collect(),
        ),
        ("trending", vec!["/trending".to_owned()]),
        ("tags", vec!["/tags".to_owned()]),
        ("one tag", tags.collect()),
        ("a namespace", (0..200).map(|team| format!("/team-{team:03}")).collect()),
        ("a user", vec!["/users/admin".to_owned()]),
        ("a skill of many", each("")),
        ("the long skill", manual("")),
        ("its versions", manual("/versions")),
        ("its dependencies", manual("/dependencies")),
        ("its log", manual("/log")),
        ("its ratings", manual("/ratings")),
        ("its comments", manual("/comments")),
        ("its usage", manual("/usage")),
        ("what changed in a version of it", of_version("/diff")),
        ("what was found in it", of_version("/findings")),
        ("leading authors", vec!["/trending/authors".to_owned()]),
        ("leading teams", vec!["/trending/teams?period=all".to_owned()]),
        ("its files", of_version("/files")),
        ("one of its files", of_version(&format!("/files/{}", furnish::FILE))),
        ("its feed", manual("/feed")),
        ("its badge", manual("/badge/version")),
        ("sign in", vec!["/login".to_owned()]),
        ("sitemap", vec!["/sitemap.xml".to_owned()]),
        ("a piece of the sitemap", vec!["/sitemap.xml?page=1".to_owned()]),
        ("documents of the API", vec!["/docs".to_owned()]),
    ]
}

/// Pages of somebody who is signed in, an admin.
fn signed_in() -> Vec<(&'static str, String)> {
    let pending = |page: &str| format!("/{}/versions/{}{page}", furnish::ID, furnish::PENDING);
    let fixed = [
        ("account", "/account"),
        ("tokens", "/account/tokens"),
        ("keys", "/account/keys"),
        ("notifications", "/account/notifications"),
        ("how one is told", "/account/notifications/settings"),
        ("webhooks", "/account/webhooks"),
        ("what waits for approval", "/account/approvals"),
        ("what was decided", "/account/approvals?show=decided"),
        ("what is due", "/account/approvals?show=due"),
        ("settings of a namespace", "/orgs/handbook"),
        ("its members", "/orgs/handbook/members"),
        ("its policy", "/orgs/handbook/policy"),
        ("its policy before", "/orgs/handbook/policy/history"),
        ("its groups", "/orgs/handbook/policy/groups"),
        ("its usage as a whole", "/orgs/handbook/usage"),
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
    ];
    let reviewed = [
        ("review", pending("/review")),
        ("what changed in what waits", pending("/diff")),
        ("one line of it", pending("/review?at=new:7:SKILL.md")),
    ];
    fixed.into_iter().map(|(name, path)| (name, path.to_owned())).chain(reviewed).collect()
}

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
