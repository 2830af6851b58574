//! A registry of its own for each test, and a place with a home and a working folder to run the program in.
//!
//! Whatever the program prints is searched for secrets: a test must say [`Run::reveals`] where one is expected.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// However slow the machine is, what the registry does beside requests is done then.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_skillery");

/// A skill that works; its bytes, and so its digests, never change.
pub(crate) const VALIDATOR: &str = r#""""Validates email addresses."""


def email_validator(email):
    return "@" in email
"#;

/// A signing secret that must never be printed.
pub(crate) const SECRET: &str = "correct horse battery staple";

/// A running `skillery serve`. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) admin_token: String,
    pub(crate) data: PathBuf,
    _folder: TempDir,
}

impl Server {
    /// Starts one on a free port, with its data in a folder of its own.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let (child, started) = spawn_server(&data, arguments);
        Self {
            url: started["url"].as_str().unwrap().to_owned(),
            admin_token: started["admin_token"].as_str().unwrap().to_owned(),
            child,
            data,
            _folder: folder,
        }
    }

    /// A place whose user is the admin of this registry.
    pub(crate) fn place(&self) -> Place {
        let mut place = Place::new();
        place.set("REGISTRY_URL", &self.url);
        place.set("REGISTRY_TOKEN", &self.admin_token);
        place.replace(&self.url, "[REGISTRY]");
        place.replace(self.url.trim_start_matches("http://"), "[ADDRESS]");
        place.replace(&self.data.display().to_string(), "[DATA]");
        place
    }

    /// Stops it and starts it again on the same data, at another address.
    pub(crate) fn restart(&mut self) {
        assert!(self.stop());
        self.start_again();
    }

    /// Starts it again on the same data, at another address.
    pub(crate) fn start_again(&mut self) {
        let (child, started) = spawn_server(&self.data, &[]);
        self.child = child;
        self.url = started["url"].as_str().unwrap().to_owned();
    }

    /// Starts it again on the same data, at the same address.
    pub(crate) fn start_again_here(&mut self) {
        let listen = self.url.trim_start_matches("http://").to_owned();
        let (child, started) = spawn_server_at(&self.data, &listen, &[]);
        self.child = child;
        assert_eq!(started["url"], self.url);
    }

    /// Asks it to stop and waits until it has; whether it did so cleanly.
    pub(crate) fn stop(&mut self) -> bool {
        signal(self.child.id(), "TERM");
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `skillery serve` and reads the line that it prints when it answers.
pub(crate) fn spawn_server(data: &Path, arguments: &[&str]) -> (Child, Value) {
    spawn_server_at(data, "127.0.0.1:0", arguments)
}

fn spawn_server_at(data: &Path, listen: &str, arguments: &[&str]) -> (Child, Value) {
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--json", "--listen", listen, "--log-level", "error", "--data"])
        .arg(data)
        .args(arguments)
        .env_remove("SKILLERY_ADMIN_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    (child, started)
}

/// Sends a signal to a process that this test started.
pub(crate) fn signal(process: u32, name: &str) {
    // That of the shell, which is there where `procps` is not.
    let kill = format!("kill -{name} {process}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Every file below a folder, with its bytes and whether it may be executed.
pub(crate) fn files_below(folder: &Path) -> BTreeMap<String, (Vec<u8>, bool)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let executable = path.metadata().unwrap().permissions().mode() & 0o100 != 0;
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.insert(name, (std::fs::read(&path).unwrap(), executable));
        }
    }
    found
}

/// A home and a working folder, and the environment to run in.
pub(crate) struct Place {
    folder: TempDir,
    environment: Vec<(String, String)>,
    replacements: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        let mut place = Self { folder, environment: Vec::new(), replacements: Vec::new() };
        place.replace(&place.home().display().to_string(), "[HOME]");
        place.replace(&place.work().display().to_string(), "[WORK]");
        place.replace(&place.folder.path().display().to_string(), "[PLACE]");
        place
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Sets a variable for every run.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.environment.retain(|(other, _)| other != name);
    }

    /// Shows this text as another in snapshots.
    pub(crate) fn replace(&mut self, text: &str, shown: &str) {
        self.replacements.push((text.to_owned(), shown.to_owned()));
    }

    /// Writes a file into the working folder.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.work().join(name), text).unwrap();
    }

    /// Reads a file of the working folder.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.work().join(name)).unwrap()
    }

    /// Publishes [`VALIDATOR`] under this id.
    pub(crate) fn publish(&self, id: &str, version: &str) {
        self.publish_code(id, version, VALIDATOR);
    }

    pub(crate) fn publish_code(&self, id: &str, version: &str, code: &str) {
        self.write("published.py", code);
        self.run(["publish", "published.py", "--id", id, "--version", version]).ok();
    }

    /// Asks until the registry shows so many installs: it writes counts down some time after the downloads.
    pub(crate) fn wait_for_installs(&self, id: &str, count: u64) {
        until(&format!("{count} installs of {id}"), || {
            let shown = self.run(["info", id, "--json"]).ok().json()["skill"]["install_count"].as_u64();
            assert!(shown <= Some(count), "{shown:?}");
            (shown == Some(count)).then_some(())
        });
    }

    /// The program with these arguments, ready to start.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.command_of(Path::new(PROGRAM), arguments)
    }

    /// The same of a copy of the program.
    pub(crate) fn command_of<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("SKILLERY_HOME", self.home())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    #[must_use]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    /// Runs the program with this on its standard input.
    #[must_use]
    pub(crate) fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Run {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        self.finish(child)
    }

    /// Waits for a program that was started with [`Place::command`].
    #[must_use]
    pub(crate) fn finish(&self, child: Child) -> Run {
        let output = child.wait_with_output().unwrap();
        Run {
            replacements: self.replacements.clone(),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            revealed: false,
        }
    }
}

/// What one run came to.
pub(crate) struct Run {
    replacements: Vec<(String, String)>,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    revealed: bool,
}

impl Run {
    /// This run is the one place where a token is shown.
    pub(crate) fn reveals(mut self) -> Self {
        self.revealed = true;
        self
    }

    /// It succeeded.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.report());
        self
    }

    /// It ended with this code.
    pub(crate) fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.report());
        self
    }

    /// The result, of a run with `--json`.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.report()))
    }

    /// The error, of a run with `--json`.
    pub(crate) fn error(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {}", self.report()));
        value["error"].clone()
    }

    /// Exit code and output, with what differs from run to run replaced.
    pub(crate) fn report(&self) -> String {
        let code = self.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        let mut report = format!("exit code: {code}\n");
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                let _ = write!(report, "----- {name} -----\n{}", self.shown(text));
            }
        }
        report
    }

    fn shown(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for (text, replacement) in &self.replacements {
            shown = shown.replace(text, replacement);
        }
        shown
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() || self.revealed {
            return;
        }
        for text in [&self.stdout, &self.stderr] {
            for secret in ["sky_pat_", "sky_svc_", "sky_tp_", SECRET] {
                assert!(!text.contains(secret), "a secret was printed:\n{text}");
            }
        }
    }
}

/// Compares the report of a run with its snapshot.
macro_rules! snapshot {
    ($name:expr, $run:expr) => {{
        let run = $run;
        let mut settings = insta::Settings::clone_current();
        for (pattern, shown) in $crate::support::FILTERS {
            settings.add_filter(pattern, *shown);
        }
        settings.set_omit_expression(true);
        settings.set_prepend_module_to_snapshot(true);
        settings.bind(|| insta::assert_snapshot!($name, run.report()));
        run
    }};
}
pub(crate) use snapshot;

/// What differs from run to run, beside addresses and paths.
pub(crate) const FILTERS: &[(&str, &str)] = &[
    // Written down some time after the use.
    (r#""last_used_at": (null|".*?")"#, r#""last_used_at": [TIME OR NULL]"#),
    // Keys and proofs of the log; before the patterns that are part of them.
    (r"c2sp\.org/tlog-proof@v1[^\x22]*", "[PROOF]"),
    (r"skillery/[-0-9a-f]{36}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", "[LOG KEY]"),
    (r"skillery-witness/[-0-9a-f]{36}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", "[WITNESS KEY]"),
    (r"urn:uuid:[-0-9a-f]{36}", "urn:uuid:[SERIAL]"),
    (r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:[FINGERPRINT]"),
    (r"(root|leaf hash)( +)[0-9a-f]{64}", "$1$2[HASH]"),
    (r"sky_(pat|svc|tp)_[0-9A-Za-z]{36}", "[TOKEN]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "[MOMENT]"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[ID]"),
    // Of the ports that the system chooses.
    (r"127\.0\.0\.1:\d{5}", "[ADDRESS]"),
    (r#""latency_ms": \d+(\.\d+)?"#, r#""latency_ms": [MS]"#),
    (r"\d+ ms\b", "[MS] ms"),
    (r"\bin \d+(\.\d+)? s\b", "in [SECONDS] s"),
];

/// Asks until it is there: the registry does some things a while after the request.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LONGEST_WAIT;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "there never were {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
