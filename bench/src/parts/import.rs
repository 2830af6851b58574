//! What `import orchestrator.execution` adds to an empty Python program.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Setup;
use crate::places;
use crate::report::{Findings, Row, Target};
use crate::rounds::percentile;

const IMPORT: &str = "import orchestrator.execution";
const EMPTY: &[&str] = &["-c", "pass"];
/// Starts of each in a round: one takes milliseconds.
const STARTS: u32 = 10;

pub fn run(setup: &Setup) -> Result<Findings> {
    let python = places::root().join("target/venv/bin/python");
    if let Err(error) = millis(&python, &["-c", IMPORT]) {
        let note =
            format!("`{IMPORT}` was not measured: {error:#}. Build the wheel into `target/venv` first.");
        return Ok(Findings { rows: Vec::new(), notes: vec![note] });
    }
    millis(&python, EMPTY)?;
    let (mut with, mut without, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setup.rounds * STARTS {
        with.push(millis(&python, &["-c", IMPORT])?);
        without.push(millis(&python, EMPTY)?);
        more.extend(with.last().zip(without.last()).map(|(with, without)| with - without));
    }
    let middle = |values: &mut Vec<f64>| percentile(values, 50.0);
    Ok(Findings {
        rows: vec![Row {
            work: format!("`{IMPORT}`"),
            ours: format!("{:.1} ms", middle(&mut with)),
            beside: format!("python -c pass: {:.1} ms", middle(&mut without)),
            result: middle(&mut more),
            unit: "ms more",
            target: Target::AtMost(50.0),
        }],
        notes: Vec::new(),
    })
}

/// How long Python takes with these arguments.
pub(super) fn millis(python: &Path, arguments: &[&str]) -> Result<f64> {
    ensure!(python.exists(), "there is no {}", python.display());
    let begun = Instant::now();
    let mut command = Command::new(python);
    command.args(arguments).current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
    let status = command.status().with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(status.success(), "Python ends with {status}");
    Ok(begun.elapsed().as_secs_f64() * 1_000.0)
}
