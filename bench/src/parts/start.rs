//! From the start of the process to the first answer, at 100,000 skills, and how much memory it holds then.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use super::Setup;
use crate::corpus::Corpus;
use crate::dataset;
use crate::registry::Registry;
use crate::report::{Findings, Row, Target};
use crate::rounds::percentile;

const SKILLS: usize = 100_000;
const REQUESTS: usize = 1_000;

pub fn run(setup: &Setup) -> Result<Findings> {
    let data = dataset::filled(SKILLS, 1_024)?;
    let paths = mixed();
    let (mut ready, mut answered, mut memory, mut own) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=setup.rounds {
        let (ready_ms, answered_ms, registry) = start(&data, &paths[0])?;
        registry.bodies(&paths)?;
        let (resident, anonymous) =
            (memory_of(registry.pid(), "VmRSS:")?, memory_of(registry.pid(), "RssAnon:")?);
        registry.stop()?;
        eprintln!(
            "  round {round}: ready {ready_ms:.0} ms, answered {answered_ms:.0} ms, resident {resident:.0} MB"
        );
        if round > 0 {
            ready.push(ready_ms);
            answered.push(answered_ms);
            memory.push(resident);
            own.push(anonymous);
        }
    }
    let row = |work: &str, beside: String, values: &mut [f64], unit, most| Row {
        work: work.to_owned(),
        ours: format!("{:.0} to {:.0} {unit}", percentile(values, 0.0), percentile(values, 100.0)),
        beside,
        result: percentile(values, 50.0),
        unit,
        target: Target::AtMost(most),
    };
    let own = format!("{:.0} MB without mapped files", percentile(&mut own, 50.0));
    Ok(Findings {
        rows: vec![
            row("start at 100,000 skills to `/readyz`", String::new(), &mut ready, "ms", 300.0),
            row("start at 100,000 skills to a skill's record", String::new(), &mut answered, "ms", 300.0),
            row("resident at 100,000 skills after 1,000 mixed requests", own, &mut memory, "MB", 300.0),
        ],
        notes: Vec::new(),
    })
}

/// Milliseconds until it is ready, and until it has answered this path.
fn start(data: &Path, path: &str) -> Result<(f64, f64, Registry)> {
    let begun = Instant::now();
    let millis = || begun.elapsed().as_secs_f64() * 1_000.0;
    let registry = Registry::start(data)?;
    let ready = millis();
    registry.bodies(&[path.to_owned()])?;
    Ok((ready, millis(), registry))
}

/// Records, downloads and searches in equal parts.
fn mixed() -> Vec<String> {
    let corpus = Corpus::new();
    let (one, three) =
        (corpus.searches(REQUESTS, 1, SKILLS, None), corpus.searches(REQUESTS, 3, SKILLS, None));
    (0..REQUESTS)
        .map(|turn| {
            let id = corpus.id(turn * 97 % SKILLS);
            match turn % 4 {
                0 => format!("/api/v1/skills/{id}"),
                1 => format!("/api/v1/skills/{id}/download"),
                2 => one[turn].clone(),
                _ => three[turn].clone(),
            }
        })
        .collect()
}

/// Megabytes of this line of the process's status.
fn memory_of(pid: i32, line: &str) -> Result<f64> {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let kilobytes = found.and_then(|text| text.trim().split(' ').next()?.parse::<f64>().ok());
    Ok(kilobytes.with_context(|| format!("no {line} in the process's status"))? / 1_024.0)
}
