//! Fetching a repository with the system's `git`, which knows everybody's helpers and agents.
//!
//! A stranger's repository gets as little as it can: one commit, no hooks, no submodules, no filters, and nothing is written
//! to the disk as files before it is known how much that is. What it fetches it fetches into a folder of the caller's.

use std::path::{Component, Path};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::error::ImportError;
use super::source::{Repository, SCHEMES};
use super::{MAX_BYTES, MAX_FILES};

/// How long a repository may take.
const SECONDS: u64 = 600;
/// What is read of what `git` says.
const MAX_SAID: u64 = 16 * 1024;
/// How often it is looked how much has come.
const LOOK: Duration = Duration::from_millis(500);

/// Settings that hold whatever the user's own are.
const SETTINGS: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "core.symlinks=true",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",
    "advice.detachedHead=false",
    "gc.auto=0",
];

/// Counts more than what the repository says: no filters of the user run over it, and no byte becomes another.
const ATTRIBUTES: &str = "* -text -filter -ident -working-tree-encoding\n";

/// Fetches the files of one commit, those below `inner` alone where it is given, and says which commit it is.
pub(super) async fn fetch(
    repository: &Repository,
    inner: Option<&Path>,
    folder: &Path,
) -> Result<String, ImportError> {
    let work = fetch_whole(repository, inner, folder);
    let timed_out = || ImportError::GitTimedOut { shown: repository.shown.clone(), seconds: SECONDS };
    tokio::time::timeout(Duration::from_secs(SECONDS), work).await.map_err(|_| timed_out())?
}

async fn fetch_whole(
    repository: &Repository,
    inner: Option<&Path>,
    folder: &Path,
) -> Result<String, ImportError> {
    let git = Git { repository, folder };
    git.run(&["init", "-q", "--template="]).await?;
    let failed = |error: std::io::Error| ImportError::GitFailed {
        shown: repository.shown.clone(),
        reason: error.to_string(),
    };
    let info = folder.join(".git/info");
    std::fs::create_dir_all(&info)
        .and_then(|()| std::fs::write(info.join("attributes"), ATTRIBUTES))
        .map_err(failed)?;
    let reference = repository.reference.as_deref().unwrap_or("HEAD");
    let url = repository.url.expose();
    let fetch = ["fetch", "-q", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", url, reference];
    tokio::select! {
        fetched = git.run(&fetch) => fetched?,
        error = git.too_much() => return Err(error),
    };
    let commit = git.run(&["rev-parse", "--verify", "-q", "FETCH_HEAD^{commit}"]).await?.trim().to_owned();
    // Git wants `/` on every system, and takes `./a` for a name.
    let parts = |inner: &Path| {
        let names = inner.components().filter(|part| matches!(part, Component::Normal(_)));
        names.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
    };
    let inner = inner.map(parts).filter(|inner| !inner.is_empty());
    git.measure(&commit, inner.as_deref()).await?;
    git.run(&["checkout", "-q", "--force", &commit, "--", inner.as_deref().unwrap_or(".")]).await?;
    Ok(commit)
}

/// Runs `git` in the folder.
struct Git<'a> {
    repository: &'a Repository,
    folder: &'a Path,
}

impl Git<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.folder);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
            .args(arguments)
            .env("GIT_ALLOW_PROTOCOL", SCHEMES.join(":"))
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_ADVICE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // In a hook of Git these would lead into another repository.
        for name in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_COMMON_DIR",
            "GIT_NAMESPACE",
            "GIT_PREFIX",
            "GIT_OBJECT_DIRECTORY",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_TEMPLATE_DIR",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs it to its end, and gives what it printed.
    async fn run(&self, arguments: &[&str]) -> Result<String, ImportError> {
        let mut child = self.command(arguments).spawn().map_err(|error| self.not_started(&error))?;
        let (printed, said) = (child.stdout.take(), child.stderr.take());
        let (printed, said) = tokio::join!(beginning(printed), beginning(said));
        let status = child.wait().await.map_err(|error| self.not_started(&error))?;
        self.check(status, &said)?;
        Ok(printed)
    }

    /// Sums up what the commit holds, and refuses what is too much before it is written. A few objects that hold each other
    /// many times over are a commit of any size.
    async fn measure(&self, commit: &str, inner: Option<&str>) -> Result<(), ImportError> {
        let mut command = self.command(&["ls-tree", "-r", "-l", "-z", "--full-tree", commit]);
        if let Some(inner) = inner {
            command.args(["--", inner]);
        }
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let said = child.stderr.take();
        let (mut files, mut bytes) = (0_usize, 0_u64);
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout);
            let mut line = Vec::new();
            while lines.read_until(0, &mut line).await.is_ok_and(|read| read > 0) {
                // `<mode> <type> <object> <size>`, a tab, and the path. A submodule has no size, and does not come.
                let head = line.split(|byte| *byte == b'\t').next().unwrap_or_default();
                let size = head.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
                let size = std::str::from_utf8(size).ok().and_then(|size| size.parse::<u64>().ok());
                (files, bytes) = (files + 1, bytes.saturating_add(size.unwrap_or(0)));
                if files > MAX_FILES {
                    return Err(self.too_large(format!("it has more than {MAX_FILES} files")));
                }
                if bytes > MAX_BYTES {
                    return Err(self.too_large(format!("its files have more than {MAX_BYTES} bytes")));
                }
                line.clear();
            }
        }
        let said = beginning(said).await;
        let status = child.wait().await.map_err(|error| self.not_started(&error))?;
        self.check(status, &said)?;
        match inner.filter(|_| files == 0) {
            Some(inner) => Err(ImportError::not_there(Path::new(inner))),
            None => Ok(()),
        }
    }

    /// Looks how much has come, until it is too much.
    async fn too_much(&self) -> ImportError {
        let packs = self.folder.join(".git/objects/pack");
        loop {
            tokio::time::sleep(LOOK).await;
            let sizes = std::fs::read_dir(&packs).into_iter().flatten().flatten();
            let bytes: u64 = sizes.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
            if bytes > MAX_BYTES {
                return self.too_large(format!("it sends more than {MAX_BYTES} bytes"));
            }
        }
    }

    fn too_large(&self, reason: String) -> ImportError {
        ImportError::TooMuch { shown: self.repository.shown.clone(), reason }
    }

    fn not_started(&self, error: &std::io::Error) -> ImportError {
        let shown = self.repository.shown.clone();
        match error.kind() {
            std::io::ErrorKind::NotFound => ImportError::GitMissing { shown },
            _ => ImportError::GitFailed { shown, reason: error.to_string() },
        }
    }

    fn check(&self, status: ExitStatus, said: &str) -> Result<(), ImportError> {
        if status.success() {
            return Ok(());
        }
        let lines = said.trim().lines().map(str::trim).filter(|line| !line.is_empty());
        let mut reason = self.repository.redacted(&lines.collect::<Vec<_>>().join("; "));
        if reason.is_empty() {
            reason = format!("it ended with {status}");
        }
        Err(ImportError::GitFailed { shown: self.repository.shown.clone(), reason })
    }
}

/// The beginning of what a program says; the rest is read and forgotten, so that it does not wait for a reader.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut said = Vec::new();
    let _ = (&mut stream).take(MAX_SAID).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).into_owned()
}
