//! A registry, started as anybody would start it, and calls of its API.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use skillery_core::Digest;
use skillery_core::bundle::{self, BundleFile};
use skillery_core::tlog::{Checkpoint, MissingNode, Tile, VerifierKey, consistency_proof, node_in_tile};

use super::http::{Message, exchange, get_body, host};
use crate::guard::{Guarded, free_port, temporary_folder};
use crate::shell::shown;

/// A running `skillery serve`.
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    /// The admin token, which only the first start on a data folder tells.
    pub(crate) admin: Option<String>,
    /// Where it writes what it does.
    pub(crate) log: PathBuf,
    server: Guarded,
}

impl Registry {
    /// Starts one on this data folder, and a port that is free. `signal` is what ends it.
    pub(crate) fn start(program: &Path, data: &Path, signal: &str) -> Result<Self> {
        Self::start_with(program, data, signal, &[])
    }

    /// Starts one with more options.
    pub(crate) fn start_with(program: &Path, data: &Path, signal: &str, more: &[&str]) -> Result<Self> {
        let mut registry = Self::launch(program, data, signal, "127.0.0.1:0", more)?;
        let address = registry.url.strip_prefix("http://").context("the registry does not speak HTTP")?;
        registry.address = address.parse()?;
        Ok(registry)
    }

    /// Starts one that is reached under another address from outside.
    pub(crate) fn start_behind(
        program: &Path,
        data: &Path,
        signal: &str,
        url: &str,
        more: &[&str],
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let options = [more, &["--public-url", url]].concat();
        let registry = Self::launch(program, data, signal, &address.to_string(), &options)?;
        Ok(Self { address, ..registry })
    }

    /// Starts one that knows the address that it is reached at, as one that sends mail must.
    pub(crate) fn start_knowing(program: &Path, data: &Path, signal: &str, more: &[&str]) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let url = format!("http://{address}");
        let registry = Self::launch(
            program,
            data,
            signal,
            &address.to_string(),
            &[more, &["--public-url", &url]].concat(),
        )?;
        Ok(Self { address, ..registry })
    }

    fn launch(program: &Path, data: &Path, signal: &str, listen: &str, more: &[&str]) -> Result<Self> {
        let folder = temporary_folder("e2e-server")?;
        let mut serve = Command::new(program);
        serve.args(["serve", "--json", "--listen", listen, "--data"]).arg(data).args(more);
        println!("$ {}", shown(&serve));
        let server = Guarded::start(&serve, signal, &folder)?;
        let started = server.wait_for("the registry", || {
            serde_json::from_str::<Value>(&std::fs::read_to_string(folder.join("out")).ok()?).ok()
        })?;
        let text = |key: &str| started.get(key).and_then(Value::as_str).map(str::to_owned);
        let url = text("url").context("the registry did not say its address")?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Self { address, url, admin: text("admin_token"), log: folder.join("log"), server })
    }

    /// Ends it with its signal, and waits for that.
    pub(crate) fn stop(self) {
        drop(self.server);
    }

    /// Waits for as long as it runs.
    pub(crate) fn wait_for_end(&self) {
        self.server.wait_for_end();
    }

    /// Where the log begins, as tools for logs want it.
    pub(crate) fn log_url(&self) -> String {
        format!("{}/log/v1/", self.url)
    }

    /// The key that the log is signed with.
    pub(crate) fn key(&self) -> Result<VerifierKey> {
        let body: Value = serde_json::from_slice(&get_body(self.address, "/api/v1/log/key")?)?;
        let key = body.get("key").and_then(Value::as_str).context("the registry does not say its log key")?;
        key.parse().with_context(|| format!("`{key}` is no key"))
    }

    /// The newest checkpoint with its signature.
    pub(crate) fn checkpoint(&self) -> Result<String> {
        Ok(String::from_utf8(get_body(self.address, "/log/v1/checkpoint")?)?)
    }

    /// The proof that one tree of this log is the beginning of another, made from its tiles.
    pub(crate) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Digest>> {
        let read = |node| -> Result<Digest> {
            let (tile, _) = Tile::of(node, new).ok_or(MissingNode(node))?;
            let bytes = get_body(self.address, &format!("/log/v1/{}", tile.path()))?;
            Ok(node_in_tile(&tile, &bytes, node).ok_or(MissingNode(node))?)
        };
        Ok(consistency_proof(old, new, |node| read(node).map_err(|error| Unread(format!("{error:#}"))))?)
    }
}

/// A node could not be read, and why.
#[derive(Debug)]
struct Unread(String);

impl std::fmt::Display for Unread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unread {}

/// Somebody with a token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

impl Caller {
    /// A new user of a registry, with a token for these scopes.
    pub(crate) fn of_new_user(admin: &Self, name: &str, scopes: &[&str]) -> Result<Self> {
        admin.call("POST", "/users", &json!({ "name": name }))?;
        let asked = json!({"label": "e2e", "user": name, "scopes": scopes});
        let made = admin.call("POST", "/tokens", &asked)?;
        let token = made["token"].as_str().context("no token was made")?.to_owned();
        Ok(Self { address: admin.address, token })
    }

    /// Calls the API below `/api/v1` and gives the body of a success as text.
    pub(crate) fn text(&self, method: &str, path: &str, body: &Value) -> Result<String> {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        let answer = self.send(method, &format!("/api/v1{path}"), "application/json", body)?;
        if !(200..300).contains(&answer.status()?) {
            bail!("`{method} {path}` is answered with `{}`: {}", answer.start, answer.text()?);
        }
        answer.text()
    }

    /// Sends any request, and gives any answer.
    pub(crate) fn send(&self, method: &str, target: &str, kind: &str, body: Vec<u8>) -> Result<Message> {
        let mut headers = host(self.address);
        headers.push(("authorization".to_owned(), format!("Bearer {}", self.token)));
        headers.push(("content-type".to_owned(), kind.to_owned()));
        exchange(self.address, &Message { start: format!("{method} {target} HTTP/1.1"), headers, body })
    }

    /// The body of a success, which is JSON or empty.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        match self.text(method, path, body)?.as_str() {
            "" => Ok(Value::Null),
            text => Ok(serde_json::from_str(text)?),
        }
    }
}

/// Publishes a folder as anybody's program would: a form with the request and a ZIP. Returns the status of the answer: 202 where
/// it waits for approval.
pub(crate) fn publish(author: &Caller, request: &Value, files: Vec<BundleFile>) -> Result<u16> {
    const BOUNDARY: &str = "a-line-that-no-file-has-4c1d";
    let head = |name: &str, kind: &str, more: &str| {
        let disposition = format!("Content-Disposition: form-data; name=\"{name}\"{more}");
        format!("--{BOUNDARY}\r\n{disposition}\r\nContent-Type: {kind}\r\n\r\n")
    };
    let mut body = head("request", "application/json", "").into_bytes();
    serde_json::to_writer(&mut body, request)?;
    body.extend(b"\r\n");
    body.extend(head("bundle", "application/zip", "; filename=\"bundle.zip\"").into_bytes());
    body.extend(bundle::pack(files)?);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = author.send("POST", "/api/v1/skills", &kind, body)?;
    match answer.status()? {
        status @ 200..=202 => Ok(status),
        _ => bail!("publishing is answered with `{}`: {}", answer.start, answer.text()?),
    }
}

/// The size of a checkpoint, whoever signed it.
pub(crate) fn size_of(note: &str) -> Result<u64> {
    let end = note.find("\n\n").context("a checkpoint has no signatures")?;
    Ok(note[..=end].parse::<Checkpoint>()?.size)
}
