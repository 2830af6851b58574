//! Load of reads, by `wrk`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::places;
use crate::process::ensure_program;
use crate::rounds::Sample;

/// Which paths are asked for, where, on how many connections at once.
pub struct Load {
    address: SocketAddr,
    paths: PathBuf,
    connections: u32,
    token: Option<String>,
}

impl Load {
    /// A load of these paths; `name` tells it from other loads of the same run.
    pub fn new(name: &str, address: SocketAddr, paths: &[String], connections: u32) -> Result<Self> {
        ensure_program("wrk", "wrk")?;
        let file = places::kept(&format!("paths/{name}"))?;
        fs_err::write(&file, paths.join("\n") + "\n")?;
        Ok(Self { address, paths: file, connections, token: None })
    }

    /// The same, asked for by whom this token is of.
    pub fn signed_in(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Asks for so many seconds. An answer that is no success fails it.
    pub fn run(&self, seconds: u32) -> Result<Sample> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wrk.lua");
        let output = Command::new("wrk")
            .args(["--threads", "2", "--connections", &self.connections.to_string()])
            .args(["--duration", &format!("{seconds}s"), "--timeout", "10s", "--script"])
            .arg(script)
            .arg(format!("http://{}", self.address))
            .arg("--")
            .arg(&self.paths)
            .args(&self.token)
            .output()
            .context("cannot run wrk")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<f64> = text
            .lines()
            .find_map(|line| line.strip_prefix("result "))
            .map(|line| line.split(' ').filter_map(|number| number.parse().ok()).collect())
            .unwrap_or_default();
        let &[rate, p50_ms, p99_ms, errors] = numbers.as_slice() else {
            anyhow::bail!("wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
        };
        ensure!(errors == 0.0, "{errors} requests failed: {text}");
        Ok(Sample { rate, p50_ms, p99_ms })
    }
}
