//! A log of a million entries: auditing it as a whole, starting with it, and looking it over.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Setup;
use crate::cpu::Spent;
use crate::registry::Registry;
use crate::report::{Findings, Row, Target, short};
use crate::rounds::percentile;
use crate::{dataset, places};

const ENTRIES: usize = 1_000_000;

pub fn run(setup: &Setup) -> Result<Findings> {
    let data = dataset::logged(ENTRIES)?;
    let (mut ready, mut audit, mut client, mut server) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut size = 0;
    for round in 0..=setup.rounds {
        let begun = Instant::now();
        let registry = Registry::start(&data)?;
        let ready_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        let home = places::fresh(&format!("log-audit/home-{round}"))?;
        let (of_client, of_server) = (Spent::by_ended()?, Spent::by(registry.pid())?);
        let begun = Instant::now();
        size = monitor(&registry, &home)?;
        let seconds = begun.elapsed().as_secs_f64();
        let of_client = (Spent::by_ended()? - of_client).ms() / 1_000.0;
        let of_server = (Spent::by(registry.pid())? - of_server).ms() / 1_000.0;
        registry.stop()?;
        eprintln!(
            "  round {round}: ready {ready_ms:.0} ms, audit {seconds:.1} s; CPU: client {of_client:.1} s, \
             server {of_server:.1} s"
        );
        if round > 0 {
            ready.push(ready_ms);
            audit.push(seconds);
            client.push(of_client);
            server.push(of_server);
        }
    }
    let doctor = doctor(&data)?;
    let spread = |values: &mut [f64], unit: &str| {
        format!("{} to {} {unit}", short(percentile(values, 0.0)), short(percentile(values, 100.0)))
    };
    Ok(Findings {
        rows: vec![
            Row {
                work: format!("`log monitor --from-start`, {size} entries"),
                ours: spread(&mut audit, "s"),
                beside: format!(
                    "CPU: client {} s, server {} s",
                    short(percentile(&mut client, 50.0)),
                    short(percentile(&mut server, 50.0))
                ),
                result: percentile(&mut audit, 50.0),
                unit: "s",
                target: Target::AtMost(30.0),
            },
            Row {
                work: format!("start with {size} entries to `/readyz`"),
                ours: spread(&mut ready, "ms"),
                beside: String::new(),
                result: percentile(&mut ready, 50.0),
                unit: "ms",
                target: Target::AtMost(300.0),
            },
        ],
        notes: vec![format!(
            "`admin doctor` of it, which hashes every entry again and reads {} contents, takes {doctor:.1} s.",
            dataset::skills_of(ENTRIES)
        )],
    })
}

/// Audits the log as somebody who has never seen it. Gives the number of its entries.
fn monitor(registry: &Registry, home: &Path) -> Result<u64> {
    let mut command = Command::new(places::skillery());
    command.args(["--json", "--registry", &format!("http://{}", registry.address)]);
    command.args(["log", "monitor", "--from-start"]).env("SKILLERY_HOME", home);
    let report: serde_json::Value = serde_json::from_slice(&output(&mut command)?)?;
    let size = report["size"].as_u64().context("the audit does not say how many entries there are")?;
    ensure!(size >= ENTRIES as u64, "the log has {size} entries");
    Ok(size)
}

/// Seconds that looking the registry over takes.
fn doctor(data: &Path) -> Result<f64> {
    let begun = Instant::now();
    output(Command::new(places::skillery()).args(["admin", "doctor", "--data"]).arg(data))?;
    Ok(begun.elapsed().as_secs_f64())
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(output.stdout)
}
