//! Git smart HTTP: by git itself, against a real listener, and by bytes that git would not send.

mod access;
mod cloning;
mod history;
mod hostile;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;
use skillery_core::bundle::{self, BundleFile};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::blobs::BlobKey;
use crate::http::Door;
use crate::listen::Listener;
use crate::tests::{ADMIN, Answer, TestApp};

/// Both protocols that git speaks with a registry.
const PROTOCOLS: [&str; 2] = ["protocol.version=0", "protocol.version=2"];

/// A person with git, and a registry that listens.
struct Person {
    url: String,
    home: TempDir,
    stop: oneshot::Sender<()>,
    listening: JoinHandle<()>,
}

/// What git said.
#[derive(Debug)]
struct Said {
    is_good: bool,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn good(self) -> Self {
        assert!(self.is_good, "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn fails(self, text: &str) -> Self {
        assert!(!self.is_good && self.err.contains(text), "{}{}", self.out, self.err);
        self
    }
}

impl Person {
    async fn with(app: &TestApp) -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.unwrap();
        let url = listener.url();
        let door = Door::new(Arc::clone(&app.app));
        let running = listener.serve(Duration::from_secs(15), move |peer| door.with_peer(peer)).unwrap();
        let (stop, stopped) = oneshot::channel();
        let listening = tokio::spawn(async move {
            running.until(async { drop(stopped.await) }, Duration::ZERO, || ()).await.unwrap();
        });
        Self { url, home: tempfile::tempdir().unwrap(), stop, listening }
    }

    /// The registry listens no more.
    async fn leave(self) {
        let _ = self.stop.send(());
        self.listening.await.unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs git in this folder of the person's.
    async fn git_in(&self, folder: &str, arguments: &[&str]) -> Said {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(self.path(folder)).env_clear();
        git.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        git.env("HOME", self.home.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
        git.env("GIT_TERMINAL_PROMPT", "0");
        let output = git.output().await.unwrap();
        Said {
            is_good: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    async fn git(&self, arguments: &[&str]) -> Said {
        self.git_in("", arguments).await
    }

    /// Clones a repository into a folder, and lets git look at every object of it.
    async fn clone(&self, protocol: &str, options: &[&str], repository: &str, folder: &str) -> PathBuf {
        let address = format!("{}{repository}", self.url);
        let arguments = [&["-c", protocol, "clone", "-q"], options, &[&address, folder]].concat();
        self.git(&arguments).await.good();
        let checked = self.git_in(folder, &["fsck", "--full", "--strict", "--no-dangling"]).await.good();
        assert_eq!(format!("{}{}", checked.out, checked.err), "", "{repository}");
        self.path(folder)
    }

    /// What a ref of a repository stands for.
    async fn id_of(&self, repository: &str, name: &str) -> String {
        let address = format!("{}{repository}", self.url);
        let listed = self.git(&["ls-remote", &address, name]).await.good().out;
        listed.split_whitespace().next().unwrap_or_default().to_owned()
    }
}

/// Paths of files below a folder, without those of git, each with `*` behind it where it may be executed.
fn files(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name == ".git") {
                continue;
            }
            if path.is_dir() {
                walk(root, &path, found);
                continue;
            }
            let is_executable = path.metadata().unwrap().permissions().mode() & 0o100 != 0;
            let mark = if is_executable { "*" } else { "" };
            found.push(format!("{}{mark}", path.strip_prefix(root).unwrap().display()));
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

impl TestApp {
    /// Puts other files in the place of those of a version, as a client might have published that can send folders.
    async fn set_files(&self, id: &str, version: &str, files: &[(&str, bool, &[u8])]) {
        let file = |(path, executable, bytes): &(&str, bool, &[u8])| BundleFile {
            path: (*path).to_owned(),
            executable: *executable,
            bytes: bytes.to_vec(),
        };
        let packed = bundle::pack(files.iter().map(file).collect()).unwrap();
        let digest = bundle::digest(&packed);
        self.app.blobs.put(BlobKey::Bundle(digest), packed.into()).await.unwrap();
        let key = id.replace(['_', '.'], "-");
        self.tamper(format!(
            "UPDATE versions SET digest = '{digest}' WHERE skill = '{key}' AND version = '{version}'"
        ))
        .await;
    }

    async fn yank(&self, id: &str, version: &str, reason: &str) {
        let path = format!("/api/v1/skills/{id}/versions/{version}/yank");
        self.put(&path, ADMIN, json!({ "reason": reason })).await.is(200);
    }

    async fn quarantine(&self, id: &str, version: &str) {
        let path = format!("/api/v1/skills/{id}/versions/{version}/quarantine");
        self.put(&path, ADMIN, json!({ "reason": "" })).await.is(200);
    }

    async fn hide(&self, id: &str, visibility: &str) {
        let path = format!("/api/v1/skills/{id}/visibility");
        self.put(&path, ADMIN, json!({ "visibility": visibility })).await.is(200);
    }

    /// A request to `git-upload-pack` as git makes it.
    async fn upload_pack(&self, repository: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request =
            Request::builder().method(Method::POST).uri(format!("{repository}/git-upload-pack"));
        request = request.header("content-type", "application/x-git-upload-pack-request");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}
