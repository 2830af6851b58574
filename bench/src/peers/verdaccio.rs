//! verdaccio, the registry for npm that is easiest to run beside ours.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::http::{self, Connection};
use crate::process::Process;
use crate::rounds::Sample;
use crate::{places, workers};

/// The newest that runs on Node.js 20. One of its plug-ins asks for `node-fetch` by a tag that not every mirror of npm
/// has; the version is the one that the tag stands for.
const MANIFEST: &str = r#"{"private": true, "dependencies": {"verdaccio": "6.8.0"}, "overrides": {"node-fetch": "2.6.7"}}
"#;
/// Signed-in users publish, as ours do and as is verdaccio's default; their tokens are JWT, which its manual recommends and
/// which are cheap to check. Nothing is fetched from elsewhere.
const CONFIGURATION: &str = "\
storage: ./storage
uplinks: {}
auth:
  htpasswd:
    file: ./htpasswd
security:
  api:
    legacy: false
    jwt:
      sign: { expiresIn: 29d }
packages:
  '**':
    access: $all
    publish: $authenticated
log: { type: stdout, format: pretty, level: warn }
";
const PUBLISHERS: usize = 16;

/// verdaccio on a storage of its own.
pub struct Verdaccio {
    _process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    token: String,
}

impl Verdaccio {
    /// Starts it on the storage of this name, which is a new one where `fresh`.
    pub fn start(storage: &str, fresh: bool) -> Result<Self> {
        install()?;
        let name = format!("verdaccio/{storage}");
        let place = if fresh { places::fresh(&name)? } else { places::kept(&name)? };
        fs_err::create_dir_all(&place)?;
        fs_err::write(place.join("config.yaml"), CONFIGURATION)?;
        // The user is registered anew; one that is there already would have to sign in another way.
        if place.join("htpasswd").exists() {
            fs_err::remove_file(place.join("htpasswd"))?;
        }
        let address = places::free_address()?;
        let mut command = Command::new("node");
        command
            .arg(places::kept("verdaccio/node_modules/verdaccio/bin/verdaccio")?)
            .args(["--config", "config.yaml", "--listen", &address.to_string()])
            .env("NODE_ENV", "production")
            .current_dir(&place);
        let mut process = Process::start("verdaccio", &mut command)?;
        process.wait_until_ok(address, "/-/ping")?;
        let token = sign_in(address)?;
        Ok(Self { _process: process, address, token })
    }

    /// Starts it with so many small packages; they are published once and kept.
    pub fn start_filled(count: usize) -> Result<Self> {
        let storage = format!("packages-{count}");
        let marker = places::kept(&format!("verdaccio/{storage}.complete"))?;
        if marker.exists() {
            return Self::start(&storage, false);
        }
        eprintln!("  publishing {count} packages to verdaccio, once");
        places::emptied(&format!("verdaccio/{storage}"))?;
        let verdaccio = Self::start(&storage, false)?;
        let requests: Vec<_> =
            (0..count).map(|number| verdaccio.publish_request(number, b"module.exports = 1\n")).collect();
        verdaccio.publish(&requests)?;
        fs_err::write(marker, "")?;
        Ok(verdaccio)
    }

    /// The request that publishes a package with this content.
    pub fn publish_request(&self, number: usize, content: &[u8]) -> Vec<u8> {
        request(number, content, &self.token)
    }

    /// Publishes all of these, sixteen at once.
    pub fn publish(&self, requests: &[Vec<u8>]) -> Result<Sample> {
        workers::run(PUBLISHERS, requests.len(), || {
            let mut connection = Connection::open(self.address)?;
            Ok(move |number: usize| {
                let answer = connection.exchange(&requests[number])?;
                let text = String::from_utf8_lossy(&answer.body);
                ensure!(answer.status == 201, "a publish is answered with {}: {text}", answer.status);
                Ok(())
            })
        })
    }
}

/// The path of a package's metadata.
pub fn package_path(number: usize) -> String {
    format!("/package-{number}")
}

/// Registers the one user, or signs in again, as `npm login` does. Returns the token.
fn sign_in(address: SocketAddr) -> Result<String> {
    let user = json!({ "name": "bench", "password": "a long enough password" });
    let request = http::send_json("PUT", "/-/user/org.couchdb.user:bench", None, user.to_string().as_bytes());
    let answer = Connection::open(address)?.exchange(&request)?;
    let body: serde_json::Value =
        serde_json::from_slice(&answer.body).context("verdaccio signs nobody in")?;
    let token = body["token"].as_str().with_context(|| format!("verdaccio signs nobody in: {body}"))?;
    Ok(token.to_owned())
}

/// The request that publishes a package with this content, as npm sends it.
fn request(number: usize, content: &[u8], token: &str) -> Vec<u8> {
    let name = format!("package-{number}");
    let file = format!("{name}-1.0.0.tgz");
    let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, content);
    let body = json!({
        "_id": name,
        "name": name,
        "description": "A package to measure with.",
        "dist-tags": { "latest": "1.0.0" },
        "versions": { "1.0.0": {
            "name": name, "version": "1.0.0", "description": "A package to measure with.", "main": "index.js",
            "license": "MIT",
            "dist": { "shasum": hex::encode(sha1), "tarball": format!("http://localhost/{name}/-/{file}") },
        } },
        "_attachments": { file: {
            "content_type": "application/octet-stream", "data": STANDARD.encode(content), "length": content.len(),
        } },
    });
    http::send_json("PUT", &package_path(number), Some(token), body.to_string().as_bytes())
}

fn install() -> Result<()> {
    let manifest = places::kept("verdaccio/package.json")?;
    let program = places::kept("verdaccio/node_modules/verdaccio/bin/verdaccio")?;
    if program.exists() && fs_err::read_to_string(&manifest).is_ok_and(|text| text == MANIFEST) {
        return Ok(());
    }
    eprintln!("  installing verdaccio from npm");
    fs_err::write(&manifest, MANIFEST)?;
    let status = Command::new("npm")
        .args(["install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"])
        .current_dir(places::kept("verdaccio")?)
        .stdout(Stdio::null())
        .status()
        .context("cannot run npm; verdaccio needs Node.js 20 or newer")?;
    ensure!(status.success(), "npm cannot install verdaccio");
    Ok(())
}
