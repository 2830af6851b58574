//! Which Python runs the skills.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// The oldest Python that skills may count on.
pub(crate) const MINIMUM: (u32, u32) = (3, 9);
/// How long an interpreter may take to tell its version; one that hangs is not one.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
const PROBE: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)";

/// A Python interpreter. Its version is known when it has been started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    path: PathBuf,
}

/// There is no Python that could run skills.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// The program cannot be started.
    #[error("cannot start the Python interpreter `{}`", path.display())]
    NotFound {
        /// The program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The program starts, but does not behave like Python.
    #[error("`{}` does not answer like a Python interpreter: {what}", path.display())]
    NotPython {
        /// The program.
        path: PathBuf,
        /// What it did.
        what: String,
    },
    /// Older than 3.9.
    #[error("`{}` is Python {version}, and skills need {}.{} or newer", path.display(), MINIMUM.0, MINIMUM.1)]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// Running skills needs what only Linux has so far.
    #[error("running skills is not supported on this system")]
    Unsupported,
}

impl InterpreterError {
    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsupported => "run skills on Linux",
            _ => "install Python 3.9 or newer, or set `SKILLERY_PYTHON` to its path",
        }
    }
}

impl Interpreter {
    /// This Python where there is one, else [`Interpreter::discover`].
    pub async fn at_or_discover(path: Option<&Path>) -> Result<Self, InterpreterError> {
        match path {
            Some(path) => Self::at(path).await,
            None => Self::discover().await,
        }
    }

    /// The Python that `SKILLERY_PYTHON` names, or `python3` from the search path.
    pub async fn discover() -> Result<Self, InterpreterError> {
        let path = std::env::var_os("SKILLERY_PYTHON").filter(|path| !path.is_empty());
        Self::at(Path::new(&path.unwrap_or_else(|| OsString::from("python3")))).await
    }

    /// This Python: a path, or a name from the search path. A script, which a version manager may put in its place, is
    /// asked for the interpreter that it starts.
    pub async fn at(path: &Path) -> Result<Self, InterpreterError> {
        if cfg!(not(target_os = "linux")) {
            return Err(InterpreterError::Unsupported);
        }
        let found =
            find(path).map_err(|source| InterpreterError::NotFound { path: path.to_owned(), source })?;
        if is_script(&found) { Self::asked(&found).await } else { Ok(Self { path: found }) }
    }

    /// The program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn asked(path: &Path) -> Result<Self, InterpreterError> {
        let not_found = |source| InterpreterError::NotFound { path: path.to_owned(), source };
        let not_python = |what: String| InterpreterError::NotPython { path: path.to_owned(), what };
        let child = tokio::process::Command::new(path)
            .args(["-I", "-S", "-c", PROBE])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(not_found)?;
        let answer = tokio::time::timeout(PROBE_TIMEOUT, child.wait_with_output())
            .await
            .map_err(|_| not_python("it does not end".to_owned()))?
            .map_err(not_found)?;
        if !answer.status.success() {
            return Err(not_python(answer.status.to_string()));
        }
        let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
        let mut lines = answer.lines();
        let version = lines.next().unwrap_or_default().to_owned();
        match is_new_enough(&version) {
            None => return Err(not_python("it prints no version".to_owned())),
            Some(false) => return Err(InterpreterError::TooOld { path: path.to_owned(), version }),
            Some(true) => {}
        }
        let executable = lines.next().map(PathBuf::from).filter(|executable| executable.is_absolute());
        Ok(Self { path: executable.unwrap_or_else(|| path.to_owned()) })
    }
}

/// Whether a version, as Python tells it, is new enough.
fn is_new_enough(version: &str) -> Option<bool> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor) >= MINIMUM),
        _ => None,
    }
}

/// The file behind a path, or behind a name in the search path; absolute, with its links, as an environment is known by
/// the link in it.
pub(crate) fn find(path: &Path) -> io::Result<PathBuf> {
    let absent = || io::Error::new(io::ErrorKind::NotFound, "the search path has no such program");
    if path.components().count() > 1 {
        let path = std::path::absolute(path)?;
        return std::fs::metadata(&path).map(|_| path);
    }
    let places = std::env::var_os("PATH").ok_or_else(absent)?;
    std::env::split_paths(&places)
        .map(|place| place.join(path))
        .find(|path| path.is_file())
        .ok_or_else(absent)
        .and_then(std::path::absolute)
}

fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"#!"
}
