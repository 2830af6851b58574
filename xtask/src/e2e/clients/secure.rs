//! A registry behind TLS, at an address that is not a loopback one: what some clients want before they send a token, or take
//! an archive. Between the two stands somebody who can change a byte.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::alone::{ADDRESS, HOST};
use super::desk::Desk;
use super::install::{Installed, Source};
use super::proxy::Way;
use crate::e2e::authors::succeeded;
use crate::e2e::registry::Registry;
use crate::guard::{Guarded, free_port, temporary_folder};

const SCRIPT: &str = "xtask/e2e/clients/tls.mjs";

/// The registry with what stands before it. The order is that of the end.
pub(crate) struct Secure {
    _before: Guarded,
    pub(crate) way: Way,
    pub(crate) registry: Registry,
    /// The certificate, which is its own authority.
    certificate: PathBuf,
}

impl Secure {
    /// Starts both.
    pub(crate) fn start(program: &Path, installed: &Installed, folder: &Path, more: &[&str]) -> Result<Self> {
        let folder = folder.join("secure");
        std::fs::create_dir_all(&folder)?;
        let node = installed.program(Source::Node { package: "skills", node: 22, file: None })?;
        let node =
            node.map_err(anyhow::Error::msg)?.node.context("a program of Node has no Node")?.join("node");
        let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let mut make = Command::new("openssl");
        make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        make.args(["-days", "2", "-subj", &format!("/CN={HOST}")]);
        make.args(["-addext", &format!("subjectAltName=DNS:{HOST},IP:{ADDRESS}")]);
        make.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
        succeeded(&mut make)?;
        let port = free_port()?;
        let url = format!("https://{HOST}:{port}");
        let registry = Registry::start_behind(program, &folder.join("data"), "TERM", &url, more)?;
        let way = Way::to(&registry)?;
        let upstream = way.url().rsplit(':').next().unwrap_or_default().to_owned();
        let mut before = Command::new(node);
        before.arg(std::path::absolute(SCRIPT)?).args([ADDRESS, &port.to_string(), &upstream]);
        before.arg(&key).arg(&certificate);
        let outputs = temporary_folder("e2e-tls")?;
        let before = Guarded::start(&before, "TERM", &outputs)?;
        before.wait_for("what speaks TLS", || {
            std::fs::read_to_string(outputs.join("out")).ok().filter(|out| out.contains("listening"))
        })?;
        Ok(Self { _before: before, way, registry, certificate })
    }

    /// A desk of somebody who trusts it.
    pub(crate) fn trusted_by(&self, desk: &Desk) -> Desk {
        let file = self.certificate.display().to_string();
        let variables = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"];
        let desk = desk.with("NO_PROXY", HOST);
        variables.iter().fold(desk, |desk, name| desk.with(name, &file))
    }
}
