//! A program that runs beside a task and never outlives it, however the task ends.
//!
//! A shell stands between: it ignores Ctrl-C, waits for the end of its input, which the kernel brings about even when the
//! task is killed, and then stops the program and removes its folder. A program that was told before it could hear is killed after
//! a minute, and what would have killed it is gone with the rest. What `procps` has is not asked for: small systems do without it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
folder=$1 signal=$2
shift 2
exec 3>"$folder/out" 4>"$folder/log"
"$@" >&3 2>&4 3>&- 4>&- &
program=$!
exec 3>&- 4>&-
echo "$program"
while read -r _; do :; done
kill -s "$signal" "$program" 2>/dev/null
last=
if [ "$signal" != KILL ]; then
    # In a group of its own, so that its `sleep` ends with it.
    setsid sh -c 'sleep 60; kill -s KILL "$0"' "$program" >/dev/null 2>&1 &
    last=$!
fi
{ wait "$program"; } 2>/dev/null
# Before it has its group there is nothing but itself.
[ -z "$last" ] || { kill -s KILL "$last" "-$last"; wait "$last"; } 2>/dev/null
rm -rf -- "$folder"
"#;

/// A guarded program. Dropping it stops the program, waits for its end, and removes the folder.
pub(crate) struct Guarded {
    shell: Child,
    /// Closing it is the request to stop.
    input: Option<ChildStdin>,
    program: String,
    folder: PathBuf,
}

impl Guarded {
    /// Starts the program. Its outputs go to `out` and `log` in the folder.
    pub(crate) fn start(command: &Command, signal: &str, folder: &Path) -> Result<Self> {
        let mut guard = Command::new("sh");
        guard.args(["-c", SCRIPT, "sh"]).arg(folder).arg(signal);
        guard.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guard.env(name, value),
                None => guard.env_remove(name),
            };
        }
        guard.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = guard.spawn().context("cannot start `sh`")?;
        let input = shell.stdin.take();
        let mut program = String::new();
        let output = shell.stdout.take().context("`sh` has no output")?;
        BufReader::new(output).read_line(&mut program)?;
        Ok(Self { shell, input, program: program.trim().to_owned(), folder: folder.to_owned() })
    }

    /// Asks until there is an answer. Fails, with the program's log, when the program ends first or a minute passes.
    pub(crate) fn wait_for<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> Result<T> {
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(answer) = ask() {
                return Ok(answer);
            }
            if Instant::now() > patience || !self.is_running() {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("{what} did not come up:\n{}", log.trim_end());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits for as long as the program runs.
    pub(crate) fn wait_for_end(&self) {
        while self.is_running() {
            sleep(Duration::from_millis(200));
        }
    }

    /// Sends the program a signal; false when it is gone.
    pub(crate) fn signal(&self, name: &str) -> bool {
        // That of the shell, which is always there.
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -s \"$0\" \"$1\"", name, &self.program]).stderr(Stdio::null());
        kill.status().is_ok_and(|status| status.success())
    }

    /// The number of the program's process.
    pub(crate) fn process(&self) -> &str {
        &self.program
    }

    /// Whether the program has not ended yet.
    pub(crate) fn is_running(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.program)).unwrap_or_default();
        // Behind its name, which may have anything in it. The shell has not waited for one that ended, so that its number is no other's.
        status.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.shell.wait();
    }
}

/// A folder for several programs, gone afterwards, however the task ends.
pub(crate) struct Folder {
    path: PathBuf,
    _guard: Guarded,
}

impl Folder {
    /// Makes it.
    pub(crate) fn new(purpose: &str) -> Result<Self> {
        let path = temporary_folder(purpose)?;
        let mut sleep = Command::new("sleep");
        sleep.arg("infinity");
        // Gentler signals are ignored by what a guard starts, unless it sees to them itself.
        let guard = Guarded::start(&sleep, "KILL", &path)?;
        Ok(Self { path, _guard: guard })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A port of this machine that nobody listens on at the moment.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A new folder below the system's temporary one, which only its owner can read.
pub(crate) fn temporary_folder(purpose: &str) -> Result<PathBuf> {
    let template = std::env::temp_dir().join(format!("skillery-{purpose}-XXXXXXXX"));
    let output = Command::new("mktemp").arg("-d").arg(&template).output().context("cannot start `mktemp`")?;
    let path = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    if !output.status.success() || !path.is_dir() {
        bail!("cannot make a folder like `{}`", template.display());
    }
    Ok(path)
}
