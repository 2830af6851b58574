//! Prefect, whose tasks are Python functions like our skills, and run in the process of their flow without anything around
//! them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::places;
use crate::process::Process;
use crate::rounds::{Sample, percentile};

const VERSION: &str = "3.9.1";
/// Calls a task that does nothing, again and again, in a flow; each is timed by itself, so that neither the start of the
/// interpreter nor that of the flow counts. A short flow goes before, as everything is slower the first time.
const FLOW: &str = "\
import sys, time
from prefect import flow, task

@task
def nothing():
    return None

@flow
def many(count):
    seconds = []
    for _ in range(count):
        begun = time.perf_counter()
        nothing()
        seconds.append(time.perf_counter() - begun)
    return seconds

many(20)
for second in many(int(sys.argv[1])):
    print('task', second)
";

/// Prefect, installed.
pub struct Prefect {
    place: PathBuf,
}

impl Prefect {
    /// Installs it with this Python, where it is missing.
    pub fn install(python: &Path) -> Result<Self> {
        Ok(Self { place: install(python)? })
    }

    /// Runs a flow of so many tasks, beside a server with a database of its own. The server goes on with what a flow has
    /// told it for a while after that has ended, so it ends with the flow and keeps nobody else from the processors.
    pub fn tasks(&self, count: u32) -> Result<Sample> {
        let address = places::free_address()?;
        let mut command = Command::new(self.place.join("bin/prefect"));
        command.args(["server", "start", "--no-ui", "--host", "127.0.0.1", "--port"]);
        settings(command.arg(address.port().to_string()), address)?;
        let mut server = Process::start("prefect", &mut command)?;
        server.wait_until_ok(address, "/api/health")?;
        let mut command = Command::new(self.place.join("bin/python"));
        settings(command.args(["-c", FLOW, &count.to_string()]), address)?;
        let output = command.stdin(Stdio::null()).output().context("cannot run a flow of Prefect")?;
        drop(server);
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the flow ends with {}: {said}", output.status);
        let text = String::from_utf8(output.stdout)?;
        let seconds = text.lines().filter_map(|line| line.strip_prefix("task "));
        let mut millis =
            seconds.map(|second| Ok(second.parse::<f64>()? * 1_000.0)).collect::<Result<Vec<_>>>()?;
        ensure!(millis.len() == count as usize, "the flow has run {} tasks of {count}", millis.len());
        Ok(Sample {
            rate: f64::from(count) * 1_000.0 / millis.iter().sum::<f64>(),
            p50_ms: percentile(&mut millis, 50.0),
            p99_ms: percentile(&mut millis, 99.0),
        })
    }
}

/// Nothing of it leaves the machine, and nothing is kept where other runs would find it.
fn settings(command: &mut Command, address: SocketAddr) -> Result<()> {
    command
        .env("PREFECT_HOME", places::fresh("prefect")?)
        .env("PREFECT_API_URL", format!("http://{address}/api"))
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("DO_NOT_TRACK", "1")
        .env("PREFECT_LOGGING_LEVEL", "ERROR");
    Ok(())
}

fn install(python: &Path) -> Result<PathBuf> {
    let place = places::kept(&format!("prefect/{VERSION}"))?;
    let marker = places::kept(&format!("prefect/{VERSION}.complete"))?;
    if marker.exists() {
        return Ok(place);
    }
    eprintln!("  installing Prefect from PyPI, once");
    let environment = Command::new(python).args(["-m", "venv", "--clear"]).arg(&place).status();
    ensure!(environment.context("cannot run Python")?.success(), "Python makes no environment");
    let pip = Command::new(place.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", &format!("prefect=={VERSION}")])
        .status()
        .context("cannot run pip")?;
    ensure!(pip.success(), "pip cannot install Prefect");
    fs_err::write(marker, "")?;
    Ok(place)
}
