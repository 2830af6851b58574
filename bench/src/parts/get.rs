//! `GET /api/v1/skills/{id}` of 1,000 skills.

use anyhow::Result;

use super::Setup;
use crate::bare::Bare;
use crate::corpus::Corpus;
use crate::dataset;
use crate::peers::verdaccio::{self, Verdaccio};
use crate::registry::{Registry, middling};
use crate::report::{Findings, Row};
use crate::rounds::interleaved;
use crate::wrk::Load;

const SKILLS: usize = 1_000;
const CONNECTIONS: u32 = 64;

pub fn run(setup: &Setup) -> Result<Findings> {
    let corpus = Corpus::new();
    let registry = Registry::start(&dataset::filled(SKILLS, 8_192)?)?;
    let paths: Vec<_> = (0..SKILLS).map(|number| format!("/api/v1/skills/{}", corpus.id(number))).collect();
    let bare = Bare::start("bare", &middling(registry.bodies(&paths)?))?;
    let verdaccio = Verdaccio::start_filled(SKILLS)?;
    let packages: Vec<_> = (0..SKILLS).map(verdaccio::package_path).collect();

    let ours = Load::new("get", registry.address, &paths, CONNECTIONS)?;
    let theirs = Load::new("get-bare", bare.address, &paths, CONNECTIONS)?;
    let npm = Load::new("get-verdaccio", verdaccio.address, &packages, CONNECTIONS)?;
    let outcomes = interleaved(
        setup.rounds,
        vec![
            ("skillery", Box::new(|| ours.run(setup.seconds))),
            ("bare axum", Box::new(|| theirs.run(setup.seconds))),
            ("verdaccio", Box::new(|| npm.run(setup.seconds))),
        ],
    )?;
    let work = "GET a skill of 1,000, 64 connections";
    Ok(Findings {
        rows: vec![
            Row::ratio(work, &outcomes[0], &outcomes[1], 0.7),
            Row::ratio(work, &outcomes[0], &outcomes[2], 15.0),
        ],
        notes: Vec::new(),
    })
}
