//! Packages of PyPI, pinned by their hashes, in an environment of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::report::{Tool, quietly};
use crate::shell::{Say, install_packages, shown, target_folder};

/// What there is to install.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requirements {
    /// The folder of the environment, below that of this task.
    pub(crate) folder: &'static str,
    pub(crate) file: &'static str,
    /// What the packages say that they need.
    pub(crate) python: (u32, u32),
}

/// The tools for logs.
pub(crate) const LOG_TOOLS: Requirements =
    Requirements { folder: "venv", file: "xtask/e2e/python/requirements.txt", python: (3, 12) };
/// OpenSSF Model Signing, which has many dependencies that must not come between the others.
pub(crate) const MODEL_SIGNING: Requirements = Requirements {
    folder: "venv-model-signing",
    file: "xtask/e2e/model-signing/requirements.txt",
    python: (3, 10),
};
/// Schemathesis.
pub(crate) const API_TOOLS: Requirements =
    Requirements { folder: "venv-api", file: "xtask/e2e/api/requirements.txt", python: (3, 11) };

/// The environment.
pub(crate) struct Packages {
    folder: PathBuf,
    python: (u32, u32),
    wanted: (u32, u32),
}

impl Packages {
    /// Makes the environment, or takes the one that is there; where the packages cannot be had, says why.
    pub(crate) fn prepare(requirements: Requirements) -> Result<std::result::Result<Self, String>> {
        let Some((interpreter, python)) = newest_interpreter() else {
            return Ok(Err("there is no Python 3".to_owned()));
        };
        let folder = std::path::absolute(target_folder().join("e2e").join(requirements.folder))?;
        let packages = Self { folder, python, wanted: requirements.python };
        let wanted = std::fs::read_to_string(requirements.file)
            .with_context(|| format!("cannot read `{}`", requirements.file))?;
        let stamp = packages.folder.join("installed.txt");
        let wanted = format!("{}\n{wanted}", interpreter.display());
        if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&wanted) {
            return Ok(Ok(packages));
        }
        let has_venv = is_good(&interpreter, "import ensurepip, venv");
        if !has_venv && let Err(error) = install_packages(&["python3-venv"]) {
            return Ok(Err(format!("{error:#}")));
        }
        Command::new(&interpreter).args(["-m", "venv", "--clear"]).arg(&packages.folder).say_and_run()?;
        let mut pip = Command::new(packages.program("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]);
        pip.args(["--only-binary", ":all:", "--requirement", requirements.file]);
        if python < requirements.python {
            println!(
                "the packages ask for Python {}.{}; they are tried with {}.{}",
                requirements.python.0, requirements.python.1, python.0, python.1
            );
            pip.arg("--ignore-requires-python");
        }
        println!("$ {}", shown(&pip));
        let ended = pip.output().context("cannot start pip")?;
        let words = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        if ended.status.success() {
            std::fs::write(&stamp, wanted)?;
            return Ok(Ok(packages));
        }
        // Other bytes under a pinned name are no reason to look away.
        if words.contains("HASH") {
            bail!("pip found other packages than the pinned ones: {words}");
        }
        Ok(Err(words.lines().last().unwrap_or("pip failed").to_owned()))
    }

    /// A program of the environment.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// A package as a tool, with its version and that of Python.
    pub(crate) fn tool(&self, name: &'static str) -> Result<Tool> {
        let mut ask = Command::new(self.program("python"));
        ask.args(["-c", "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))", name]);
        let (major, minor) = self.python;
        let note = if self.python < self.wanted { ", which it does not promise to run on" } else { "" };
        let version = format!("{} (Python {major}.{minor}{note})", ask.output_text()?.trim());
        Ok(Tool { name, version })
    }
}

/// The newest interpreter that there is, and its version. Not all that are installed are on the path.
fn newest_interpreter() -> Option<(PathBuf, (u32, u32))> {
    let mut names: Vec<PathBuf> =
        std::env::var_os("SKILLERY_E2E_PYTHON").into_iter().map(PathBuf::from).collect();
    if names.is_empty() {
        let on_path = ["python3.15", "python3.14", "python3.13", "python3.12", "python3"];
        names.extend(on_path.map(PathBuf::from));
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let pyenv = std::env::var_os("PYENV_ROOT").map_or_else(|| home.join(".pyenv"), PathBuf::from);
        for folder in [pyenv.join("versions"), home.join(".local/share/uv/python")] {
            let installed = std::fs::read_dir(folder).into_iter().flatten().flatten();
            names.extend(installed.map(|version| version.path().join("bin/python3")));
        }
    }
    let found = names.into_iter().filter_map(|name| {
        let version = version_of(&name)?;
        Some((name, version))
    });
    found.max_by_key(|(_, version)| *version)
}

fn version_of(python: &Path) -> Option<(u32, u32)> {
    let mut ask = Command::new(python);
    let ended = quietly(ask.args(["-c", "import sys; print(*sys.version_info[:2])"])).ok()?;
    let (major, minor) = ended.out.split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn is_good(python: &Path, code: &str) -> bool {
    quietly(Command::new(python).args(["-c", code])).is_ok_and(|ended| ended.status == Some(0))
}
