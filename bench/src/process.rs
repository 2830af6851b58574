//! Programs that run beside the measurement, and their end: each is ended by its process id, whatever happens.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use crate::http;
use crate::places;

/// How long a program may take to stop by itself, and to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(1);

static RUNNING: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// A program that runs until this is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it. What it prints goes to `target/bench/logs/<name>.log`.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let log = places::kept(&format!("logs/{name}.log"))?;
        let output = fs_err::File::create(&log)?.into_file();
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let process = Self { child, log };
        running(|all| all.push(process.pid()));
        Ok(process)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Waits for the first 200 from `path`.
    pub fn wait_until_ok(&mut self, address: SocketAddr, path: &str) -> Result<()> {
        let request = http::get(path);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}; see {}", self.log.display());
            }
            let answer = http::Connection::open(address).and_then(|mut open| open.exchange(&request));
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        bail!("it does not answer; see {}", self.log.display())
    }

    /// Asks it to stop, and fails when it does not stop cleanly.
    pub fn stop(mut self) -> Result<()> {
        let status = self.end()?.with_context(|| format!("it did not stop; see {}", self.log.display()))?;
        ensure!(status.success(), "it stopped with {status}; see {}", self.log.display());
        Ok(())
    }

    fn end(&mut self) -> Result<Option<ExitStatus>> {
        let begun = Instant::now();
        let mut asked = false;
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if !asked {
                kill(Pid::from_raw(self.pid()), Signal::SIGTERM)?;
                asked = true;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(None)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.end(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let pid = self.pid();
        running(|all| all.retain(|other| *other != pid));
    }
}

fn running<T>(look: impl FnOnce(&mut Vec<i32>) -> T) -> T {
    look(&mut RUNNING.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Ends all programs when this one is told to stop.
pub fn end_all_on_signal() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::spawn(move || -> Result<()> {
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
            running(|all| {
                for pid in all.iter() {
                    let _ = kill(Pid::from_raw(*pid), Signal::SIGTERM);
                }
            });
            std::process::exit(130)
        })
    });
    Ok(())
}

/// Whether this program may do everything here.
pub fn is_root() -> bool {
    fs_err::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Whether the program is there; where it is not and we may, it is installed from this package of Debian.
pub fn ensure_program(program: &str, package: &str) -> Result<()> {
    let is_there = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    if !is_there() && is_root() {
        eprintln!("  installing {package}");
        for arguments in
            [&["-qq", "update"][..], &["-qq", "-y", "install", "--no-install-recommends", package]]
        {
            let _ = Command::new("apt-get").args(arguments).stdout(Stdio::null()).status();
        }
    }
    ensure!(is_there(), "`{program}` is missing; install it with `apt-get install {package}`");
    Ok(())
}
