//! Downloads of skills of 8 KB, beside nginx with the same answers as files.

use anyhow::Result;

use super::Setup;
use crate::corpus::Corpus;
use crate::dataset;
use crate::peers::nginx::{self, Nginx};
use crate::registry::Registry;
use crate::report::{Findings, Row};
use crate::rounds::interleaved;
use crate::wrk::Load;

const SKILLS: usize = 1_000;
const CONNECTIONS: u32 = 64;

pub fn run(setup: &Setup) -> Result<Findings> {
    let corpus = Corpus::new();
    let registry = Registry::start(&dataset::filled(SKILLS, 8_192)?)?;
    let paths: Vec<_> =
        (0..SKILLS).map(|number| format!("/api/v1/skills/{}/download", corpus.id(number))).collect();
    let root = nginx::folder_of(&paths, &registry.bodies(&paths)?)?;
    let nginx = Nginx::start(&root, &paths[0])?;

    let ours = Load::new("download", registry.address, &paths, CONNECTIONS)?;
    let theirs = Load::new("download-nginx", nginx.address, &paths, CONNECTIONS)?;
    let outcomes = interleaved(
        setup.rounds,
        vec![
            ("skillery", Box::new(|| ours.run(setup.seconds))),
            ("nginx", Box::new(|| theirs.run(setup.seconds))),
        ],
    )?;
    let work = "download 8 KB of 1,000, 64 connections";
    Ok(Findings { rows: vec![Row::ratio(work, &outcomes[0], &outcomes[1], 0.5)], notes: Vec::new() })
}
