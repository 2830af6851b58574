//! Searches: how many, and how long one takes when there are ten times as many skills.

use anyhow::Result;

use super::Setup;
use crate::bare::Bare;
use crate::corpus::Corpus;
use crate::dataset;
use crate::registry::{Registry, middling};
use crate::report::{Findings, Row, Target, rate};
use crate::rounds::{Outcome, interleaved};
use crate::wrk::Load;

const FEW: usize = 10_000;
const MANY: usize = 100_000;
const CODE_BYTES: usize = 1_024;
const QUERIES: usize = 2_000;

pub fn run(setup: &Setup) -> Result<Findings> {
    let few = Registry::start(&dataset::filled(FEW, CODE_BYTES)?)?;
    let mut rows = many_at_once(setup, &few)?;
    let many = Registry::start(&dataset::filled(MANY, CODE_BYTES)?)?;
    rows.extend(one_by_one(setup, &few, &many)?);
    Ok(Findings { rows, notes: Vec::new() })
}

/// One-word and three-word searches, half of each.
fn mixed(limit: Option<usize>) -> Vec<String> {
    let corpus = Corpus::new();
    let words = |words| corpus.searches(QUERIES, words, FEW, limit);
    words(1).into_iter().zip(words(3)).flat_map(|(one, three)| [one, three]).collect()
}

fn many_at_once(setup: &Setup, registry: &Registry) -> Result<Vec<Row>> {
    const CONNECTIONS: u32 = 64;
    let (ten, page) = (mixed(Some(10)), mixed(None));
    let record = middling(registry.bodies(&[format!("/api/v1/skills/{}", Corpus::new().id(0))])?);
    let bare_record = Bare::start("bare-record", &record)?;
    let bare_page = Bare::start("bare-page", &middling(registry.bodies(&page)?))?;
    let loads = [
        Load::new("search-ten", registry.address, &ten, CONNECTIONS)?,
        Load::new("search-page", registry.address, &page, CONNECTIONS)?,
        Load::new("search-bare-record", bare_record.address, &ten, CONNECTIONS)?,
        Load::new("search-bare-page", bare_page.address, &page, CONNECTIONS)?,
    ];
    let names = ["skillery 10 rows", "skillery 50 rows", "bare axum, a record", "bare axum, a page"];
    let outcomes = interleaved(setup.rounds, in_turns(setup, names, &loads))?;
    Ok(vec![
        Row::ratio("search 10,000, 10 rows, 64 connections", &outcomes[0], &outcomes[2], 0.15),
        Row::ratio("search 10,000, 50 rows, 64 connections", &outcomes[1], &outcomes[3], 0.15),
    ])
}

fn one_by_one(setup: &Setup, few: &Registry, many: &Registry) -> Result<Vec<Row>> {
    const CONNECTIONS: u32 = 2;
    let corpus = Corpus::new();
    let mut rows = Vec::new();
    for (words, name) in [(1, "one word"), (3, "three words")] {
        let paths = corpus.searches(QUERIES, words, FEW, None);
        let loads = [
            Load::new(&format!("search-{words}-few"), few.address, &paths, CONNECTIONS)?,
            Load::new(&format!("search-{words}-many"), many.address, &paths, CONNECTIONS)?,
        ];
        let outcomes =
            interleaved(setup.rounds, in_turns(setup, ["10,000 skills", "100,000 skills"], &loads))?;
        let [few, many] = outcomes.as_slice() else { continue };
        rows.push(slowest(format!("search 10,000, {name}, 50 rows, 2 connections"), few));
        rows.push(slowest(format!("search 100,000, {name}, 50 rows, 2 connections"), many));
        rows.push(Row {
            work: format!("cost of {name} at 100,000 over 10,000"),
            ours: rate(many),
            beside: format!("{}: {}", few.name, rate(few)),
            result: few.over(many),
            unit: "x",
            target: Target::AtMost(4.0),
        });
    }
    Ok(rows)
}

fn slowest(work: String, outcome: &Outcome) -> Row {
    Row {
        work,
        ours: rate(outcome),
        beside: format!("p50 {:.2} ms", outcome.p50_ms()),
        result: outcome.p99_ms(),
        unit: "ms",
        target: Target::AtMost(10.0),
    }
}

fn in_turns<'run, const COUNT: usize>(
    setup: &'run Setup,
    names: [&'static str; COUNT],
    loads: &'run [Load; COUNT],
) -> Vec<crate::rounds::Contender<'run>> {
    let run = |load: &'run Load| Box::new(move || load.run(setup.seconds)) as Box<_>;
    names.into_iter().zip(loads).map(|(name, load)| (name, run(load) as Box<_>)).collect()
}
