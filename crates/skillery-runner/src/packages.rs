//! Packages that skills ask for: installed once for each set of them and each interpreter, then shared and never changed.
//!
//! `uv` installs, or `pip` where there is no `uv`: only what was pinned, only files with one of the hashes that were given, and
//! only wheels, so that nothing of a package runs outside of the sandbox. They read their own settings, such as
//! `UV_INDEX_URL` and `PIP_FIND_LINKS`, from the caller's environment. A set lies in a folder of its own, which begins to
//! be there, whole, when it is renamed.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use skillery_core::Digest;
use tokio::process::Command;

use crate::event::EventKind;
use crate::interpreter::{self, Interpreter};
use crate::options::RunOptions;
use crate::requirement::Requirement;
use crate::skill::Pinned;
use crate::step::milliseconds;

/// How long an installation may take.
const TIMEOUT: Duration = Duration::from_secs(600);
/// How long a program may take to tell its version.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the end of what a tool said that are shown.
const TAIL: usize = 2_000;
pub(crate) const REQUIREMENTS: &str = "requirements.txt";
const INSTALLED: &str = "packages";
pub(crate) const LOCK: &str = ".lock";
pub(crate) const SCRATCH: &str = ".new-";
const IDENTITY: &str = "import sys; print(sys.version, sys.implementation.cache_tag, sys.platform)";

/// Why packages cannot be had. Nothing is left of the attempt, and nothing has run.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// The caller has no place for them.
    #[error("skill `{skill}` asks for packages, and there is no folder to install them into")]
    NoFolder {
        /// Whose packages.
        skill: String,
    },
    /// There is nothing to install with.
    #[error("skill `{skill}` asks for packages, and neither `uv` nor `pip` is there to install them")]
    NoInstaller {
        /// Whose packages.
        skill: String,
    },
    /// The tool did not do it.
    #[error("`{tool}` cannot install the packages of skill `{skill}`: {said}")]
    Refused {
        /// Whose packages.
        skill: String,
        /// Which tool.
        tool: &'static str,
        /// The end of what it wrote.
        said: String,
    },
    /// It took too long.
    #[error("`{tool}` did not install the packages of skill `{skill}` within {} s", TIMEOUT.as_secs())]
    TimedOut {
        /// Whose packages.
        skill: String,
        /// Which tool.
        tool: &'static str,
    },
    /// The run was cancelled meanwhile.
    #[error("the run was cancelled while packages were installed")]
    Cancelled,
    /// The disk, or a program that does not start.
    #[error("cannot {what}")]
    Failed {
        /// What was being done.
        what: String,
        /// Why.
        source: io::Error,
    },
}

impl PackagesError {
    /// What to try.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoInstaller { .. } => Some("install `uv`, or `pip` for the Python that runs the skills"),
            Self::Refused { .. } => Some(
                "each package needs a wheel for this interpreter with one of its hashes; what it needs in turn must be listed too",
            ),
            _ => None,
        }
    }

    fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Failed { what, source }
    }
}

/// What installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Uv,
    Pip,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Pip => "pip",
        }
    }

    /// The tool itself, for this interpreter. What lies in the folder of the caller has no part in it, least of all a
    /// `pip.py`: that may have come with a skill.
    fn command(self, interpreter: &Interpreter) -> Command {
        let mut command = match self {
            Self::Uv => Command::new("uv"),
            Self::Pip => {
                let mut command = Command::new(interpreter.path());
                command.args(["-I", "-m", "pip", "--disable-pip-version-check"]);
                command
            }
        };
        command.current_dir("/");
        command
    }

    /// Installs what the file lists into a plain folder.
    fn install(self, interpreter: &Interpreter, scratch: &Path) -> Command {
        let mut command = self.command(interpreter);
        match self {
            Self::Uv => {
                command.args([
                    "pip",
                    "install",
                    "--quiet",
                    "--compile-bytecode",
                    "--link-mode",
                    "copy",
                    "--python",
                ]);
                command.arg(interpreter.path());
            }
            Self::Pip => {
                command.args(["install", "--quiet", "--no-input", "--no-warn-script-location"]);
                // Settings that do not go with a folder.
                command.envs([("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0"), ("PIP_DRY_RUN", "0")]);
                for elsewhere in ["PIP_ROOT", "PIP_PREFIX", "PIP_TARGET"] {
                    command.env_remove(elsewhere);
                }
            }
        }
        command.args(["--require-hashes", "--only-binary", ":all:", "--no-deps", "--target"]);
        command.arg(scratch.join(INSTALLED)).arg("-r").arg(scratch.join(REQUIREMENTS));
        // Ctrl-C on a terminal is for the runner, which ends the tool.
        #[cfg(unix)]
        command.process_group(0);
        command
    }

    async fn find(interpreter: &Interpreter) -> Option<(Self, String)> {
        for tool in [Self::Uv, Self::Pip] {
            if tool == Self::Uv && interpreter::find(Path::new("uv")).is_err() {
                continue;
            }
            let mut command = tool.command(interpreter);
            if let Ok(said) = output_of(command.arg("--version"), PROBE_TIMEOUT).await {
                return Some((tool, said.split_whitespace().take(2).collect::<Vec<_>>().join(" ")));
            }
        }
        None
    }
}

/// What would install packages for this interpreter, with its version; none where there is nothing.
pub async fn installer(interpreter: &Interpreter) -> Option<String> {
    Tool::find(interpreter).await.map(|(_, version)| version)
}

/// The packages of a run's skills.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    /// Which interpreter it is, to the last detail; known when somebody needs it.
    identity: Option<String>,
    folders: HashMap<BTreeSet<Requirement>, PathBuf>,
}

impl Packages {
    /// Where the packages of a skill lie, if it has any.
    pub(crate) fn folder(&self, skill: &Pinned) -> Option<PathBuf> {
        self.folders.get(&skill.packages).cloned()
    }

    /// Sees to it that the packages of a skill are there.
    pub(crate) async fn provide(
        &mut self,
        skill: &Pinned,
        options: &RunOptions,
        interpreter: &Interpreter,
        tell: &(dyn Fn(EventKind) + Send + Sync),
    ) -> Result<(), PackagesError> {
        if skill.packages.is_empty() || self.folders.contains_key(&skill.packages) {
            return Ok(());
        }
        let Some(home) = &options.environments else {
            return Err(PackagesError::NoFolder { skill: skill.id.clone() });
        };
        let identity = match &self.identity {
            Some(identity) => identity,
            None => {
                let mut command = Command::new(interpreter.path());
                let said = output_of(command.args(["-I", "-S", "-c", IDENTITY]), PROBE_TIMEOUT).await;
                let said = said.map_err(PackagesError::failed("ask the interpreter for its version"))?;
                self.identity.insert(format!("{} {said}", interpreter.path().display()))
            }
        };
        let mut requirements = String::new();
        for requirement in &skill.packages {
            requirements += &format!("{requirement}\n");
        }
        let digest = Digest::of(format!("{identity}\n{requirements}").as_bytes());
        let environment =
            Environment { home, folder: home.join(digest.to_string()), requirements: &requirements };
        let work = environment.provide(skill, interpreter, tell);
        let provided = tokio::select! {
            provided = work => provided,
            () = options.cancel.cancelled() => Err(PackagesError::Cancelled),
        };
        provided?;
        self.folders.insert(skill.packages.clone(), environment.folder.join(INSTALLED));
        Ok(())
    }
}

/// One set of packages for one interpreter.
struct Environment<'a> {
    home: &'a Path,
    folder: PathBuf,
    requirements: &'a str,
}

impl Environment<'_> {
    async fn provide(
        &self,
        skill: &Pinned,
        interpreter: &Interpreter,
        tell: &(dyn Fn(EventKind) + Send + Sync),
    ) -> Result<(), PackagesError> {
        if self.is_there() {
            return Ok(());
        }
        create_private(self.home)
            .map_err(PackagesError::failed(format!("make the folder `{}`", self.home.display())))?;
        let _lock = locked(self.home.join(LOCK)).await.map_err(PackagesError::failed("lock the packages"))?;
        // Whoever had the lock may have made it.
        if self.is_there() {
            return Ok(());
        }
        let Some((tool, _)) = Tool::find(interpreter).await else {
            return Err(PackagesError::NoInstaller { skill: skill.id.clone() });
        };
        let packages = skill.packages.iter().map(|one| format!("{}=={}", one.name, one.version)).collect();
        tell(EventKind::PackagesStarted { packages, tool: tool.name().to_owned() });
        let started = Instant::now();
        let scratch = tempfile::Builder::new()
            .prefix(SCRATCH)
            .tempdir_in(self.home)
            .map_err(PackagesError::failed("make a folder for packages"))?;
        let list = scratch.path().join(REQUIREMENTS);
        std::fs::write(&list, self.requirements)
            .map_err(PackagesError::failed(format!("write `{}`", list.display())))?;
        let mut command = tool.install(interpreter, scratch.path());
        match output_of(&mut command, TIMEOUT).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(PackagesError::TimedOut { skill: skill.id.clone(), tool: tool.name() });
            }
            Err(error) => {
                let said = tail(&error.to_string());
                return Err(PackagesError::Refused { skill: skill.id.clone(), tool: tool.name(), said });
            }
        }
        // A tool may say that all is well and have done nothing, as with a setting for a dry run.
        if let Some(absent) = absent(&scratch.path().join(INSTALLED), skill) {
            let said = format!("it does not complain, and `{}` is not there", absent.name);
            return Err(PackagesError::Refused { skill: skill.id.clone(), tool: tool.name(), said });
        }
        let (scratch, folder) = (scratch.keep(), self.folder.clone());
        let kept = tokio::task::spawn_blocking(move || {
            keep(&scratch, &folder).inspect_err(|_| {
                let _ = std::fs::remove_dir_all(&scratch);
            })
        });
        kept.await
            .map_err(io::Error::other)
            .and_then(|kept| kept)
            .map_err(PackagesError::failed("put the packages in their place"))?;
        tell(EventKind::PackagesFinished { latency_ms: milliseconds(started.elapsed()) });
        Ok(())
    }

    /// Whether the set is there; if it is, it is used now.
    fn is_there(&self) -> bool {
        let Ok(list) = std::fs::File::options().append(true).open(self.folder.join(REQUIREMENTS)) else {
            return false;
        };
        // Whoever looks for what nobody uses any more goes by this.
        let _ = list.set_modified(SystemTime::now());
        true
    }
}

/// The first package of a skill that was not installed.
fn absent<'a>(installed: &Path, skill: &'a Pinned) -> Option<&'a Requirement> {
    let entries = std::fs::read_dir(installed).into_iter().flatten().filter_map(Result::ok);
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    skill.packages.iter().find(|one| !names.iter().any(|name| one.is_installed_as(name)))
}

/// Makes what was installed durable and readable for the user that skills run as, and gives it its name.
fn keep(scratch: &Path, folder: &Path) -> io::Result<()> {
    let installed = scratch.join(INSTALLED);
    #[cfg(unix)]
    for_all_to_read(&installed)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(std::fs::File::open(&installed)?)?;
    std::fs::rename(scratch, folder)
}

#[cfg(unix)]
fn for_all_to_read(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let kind = path.symlink_metadata()?;
    if kind.is_symlink() {
        return Ok(());
    }
    let more = if kind.is_dir() { 0o555 } else { 0o444 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(kind.permissions().mode() | more))?;
    if kind.is_dir() {
        for entry in std::fs::read_dir(path)? {
            for_all_to_read(&entry?.path())?;
        }
    }
    Ok(())
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Waits until no other process installs.
async fn locked(path: PathBuf) -> io::Result<std::fs::File> {
    let lock = move || {
        let file = std::fs::File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    };
    tokio::task::spawn_blocking(lock).await.map_err(io::Error::other)?
}

/// What a program prints. Where it fails, what it said is the error. Dropping the future kills it.
async fn output_of(command: &mut Command, timeout: Duration) -> io::Result<String> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = tokio::time::timeout(timeout, child.wait_with_output())
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Err(io::Error::other(if said.is_empty() { output.status.to_string() } else { said }))
}

/// The end of a text, from the beginning of a line where that can be.
fn tail(text: &str) -> String {
    if text.len() <= TAIL {
        return text.to_owned();
    }
    let mut start = text.len() - TAIL;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let end = &text[start..];
    end.split_once('\n').map_or(end, |(_, rest)| rest).to_owned()
}
