//! Durable publishes beside an older build of the registry: what a change of the program has cost.

use std::path::Path;

use anyhow::{Context, Result};

use super::Setup;
use crate::corpus::Corpus;
use crate::places;
use crate::registry::{self, Registry};
use crate::report::{Findings, Row, Target, short};
use crate::rounds::{Contender, interleaved};

const CODE_BYTES: usize = 8 * 1_024;
const WRITERS: usize = 64;
/// Publishes of one round.
const COUNT: usize = 8_000;

pub fn run(setup: &Setup) -> Result<Findings> {
    let Some(before) = &setup.before else {
        let note = "Not measured: name a release build of an older version with `--before`.".to_owned();
        return Ok(Findings { rows: Vec::new(), notes: vec![note] });
    };
    let corpus = Corpus::new();
    let start = |name: &str, program: &Path| {
        Registry::start_program(name, program, &places::fresh(&format!("log-publish/{name}"))?)
            .with_context(|| format!("starting {}", program.display()))
    };
    let (old, new) = (start("before", before)?, start("skillery", &places::skillery())?);
    let outcomes = interleaved(
        setup.rounds,
        vec![contender("skillery", &new, &corpus), contender("before", &old, &corpus)],
    )?;
    let (new, old) = (&outcomes[0], &outcomes[1]);
    let work = "publish 8 KiB, 64 publishers";
    Ok(Findings {
        rows: vec![
            Row::ratio(work, new, old, 0.8),
            Row {
                work: format!("median wait, {work}"),
                ours: format!("{} ms", short(new.p50_ms())),
                beside: format!("before: {} ms", short(old.p50_ms())),
                result: new.p50_ms(),
                unit: "ms",
                target: Target::AtMost(250.0),
            },
        ],
        notes: vec![format!("Before is `{}`.", version_of(before)?)],
    })
}

fn contender<'run>(name: &'static str, registry: &'run Registry, corpus: &'run Corpus) -> Contender<'run> {
    let mut published = 0;
    let run = move || {
        // Everything that is sent is made before the clock runs.
        let requests = (published..published + COUNT)
            .map(|number| registry.publish_request(&corpus.skill(number, CODE_BYTES)))
            .collect::<Result<Vec<_>>>()?;
        published += COUNT;
        let sample = registry::publish(registry.address, WRITERS, &requests)?;
        // What is still being indexed must not slow down the other one.
        registry.settle()?;
        Ok(sample)
    };
    (name, Box::new(run))
}

/// The version that a build says it is, which is all that can be known of it, and the name of its file.
fn version_of(program: &Path) -> Result<String> {
    let output = std::process::Command::new(program).arg("--version").output()?;
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{name}, {}", String::from_utf8_lossy(&output.stdout).trim()))
}
