//! The registry under test: the release build, with default settings but for its folder and its port.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use skillery_core::api::PublishRequest;

use crate::http::{self, Connection};
use crate::process::Process;
use crate::rounds::Sample;
use crate::{places, workers};

/// A registry that runs until this is dropped.
pub struct Registry {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    /// The first admin's token.
    pub token: String,
}

impl Registry {
    /// Starts it on this folder, and waits until it is ready.
    pub fn start(data: &Path) -> Result<Self> {
        let settings = places::kept("settings.toml")?;
        // One user fills a log with ratings and looks at pages as fast as they come, and webhooks lead to this machine.
        let text = "outbound_allow = [\"127.0.0.0/8\"]\n\n[limits]\ncomments_per_minute = 0\n\
                    requests_per_second_per_token = 0\n";
        fs_err::write(&settings, text)?;
        Self::start_with("skillery", &places::skillery(), data, Some(&settings))
    }

    /// Starts another build of it, whose output goes to a log of this name.
    pub fn start_program(name: &str, program: &Path, data: &Path) -> Result<Self> {
        Self::start_with(name, program, data, None)
    }

    fn start_with(name: &str, program: &Path, data: &Path, settings: Option<&Path>) -> Result<Self> {
        let address = places::free_address()?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--data").arg(data).args(["--listen", &address.to_string()]);
        if let Some(settings) = settings {
            command.arg("--config").arg(settings);
        }
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SKILLERY_")) {
            command.env_remove(name);
        }
        let mut process = Process::start(name, &mut command)?;
        process.wait_until_ok(address, "/readyz")?;
        let token = fs_err::read_to_string(data.join("admin-token"))?.trim().to_owned();
        Ok(Self { process, address, token })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Stops it as an operator would.
    pub fn stop(self) -> Result<()> {
        self.process.stop()
    }

    /// The request that publishes this.
    pub fn publish_request(&self, skill: &PublishRequest) -> Result<Vec<u8>> {
        Ok(http::send_json("POST", "/api/v1/skills", Some(&self.token), &serde_json::to_vec(skill)?))
    }

    /// The request that rates the skill with this id.
    pub fn rate_request(&self, id: &str, rating: f64) -> Vec<u8> {
        let body = format!("{{\"rating\":{rating}}}");
        http::send_json("POST", &format!("/api/v1/skills/{id}/rate"), Some(&self.token), body.as_bytes())
    }

    /// The bodies that these paths are answered with.
    pub fn bodies(&self, paths: &[String]) -> Result<Vec<Vec<u8>>> {
        let mut connection = Connection::open(self.address)?;
        let mut bodies = Vec::with_capacity(paths.len());
        for path in paths {
            let answer =
                connection.exchange(&http::get(path)).with_context(|| format!("asking for {path}"))?;
            ensure!(answer.status == 200, "{path} is answered with {}", answer.status);
            bodies.push(answer.body);
        }
        Ok(bodies)
    }

    /// Waits until all that was published is found.
    pub fn settle(&self) -> Result<()> {
        self.bodies(&["/api/v1/skills?limit=1".to_owned()]).map(drop)
    }
}

/// Sends these publishes on so many connections.
pub fn publish(address: SocketAddr, publishers: usize, requests: &[Vec<u8>]) -> Result<Sample> {
    send(address, publishers, requests, 201)
}

/// Sends these changes on so many connections. Each must be answered with this status.
pub fn send(address: SocketAddr, connections: usize, requests: &[Vec<u8>], status: u16) -> Result<Sample> {
    workers::run(connections, requests.len(), || {
        let mut connection = Connection::open(address)?;
        Ok(move |number: usize| {
            let answer = connection.exchange(&requests[number])?;
            let text = String::from_utf8_lossy(&answer.body);
            ensure!(answer.status == status, "a change is answered with {}: {text}", answer.status);
            Ok(())
        })
    })
}

/// The body of middling length, as the one that stands for all.
pub fn middling(mut bodies: Vec<Vec<u8>>) -> Vec<u8> {
    bodies.sort_by_key(Vec::len);
    let middle = bodies.len() / 2;
    bodies.into_iter().nth(middle).unwrap_or_default()
}
