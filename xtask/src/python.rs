//! The Python side: a virtual environment with pinned tools, and the wheel in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::{Say, forget_this_package, install_packages, is_there, target_folder};

const CRATE: &str = "crates/skillery-py";

/// The virtual environment below the target folder.
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// Makes the environment, or brings it up to date with the pinned requirements.
    pub(crate) fn prepare() -> Result<Self> {
        let environment = Self { folder: std::path::absolute(target_folder().join("venv"))? };
        let python = environment.program("python");
        // An environment whose making was cut off has an interpreter and no pip.
        let whole = is_there(&python.to_string_lossy(), "--version")
            && Command::new(&python)
                .args(["-m", "pip", "--version"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?
                .success();
        if !whole {
            environment.make()?;
        }
        let requirements = Path::new(CRATE).join("requirements-test.txt");
        let wanted = std::fs::read_to_string(&requirements)
            .with_context(|| format!("cannot read `{}`", requirements.display()))?;
        let stamp = environment.folder.join("installed-requirements.txt");
        if std::fs::read_to_string(&stamp).ok().as_deref() != Some(&wanted) {
            environment.pip().arg("--requirement").arg(&requirements).say_and_run()?;
            std::fs::write(&stamp, wanted)?;
        }
        Ok(environment)
    }

    /// A program of the environment.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Builds the wheel and installs it.
    pub(crate) fn install_wheel(&self, release: bool) -> Result<()> {
        let wheels = target_folder().join("wheels");
        // Only the new one is to be found there.
        if wheels.exists() {
            std::fs::remove_dir_all(&wheels)?;
        }
        let mut maturin = Command::new(self.program("maturin"));
        maturin.args(["build", "--locked", "--manifest-path"]).arg(Path::new(CRATE).join("Cargo.toml"));
        maturin.arg("--interpreter").arg(self.program("python")).arg("--out").arg(&wheels);
        forget_this_package(&mut maturin);
        if release {
            maturin.arg("--release");
        }
        maturin.say_and_run()?;
        let wheel = std::fs::read_dir(&wheels)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .context("maturin made no wheel")?;
        self.pip().args(["--force-reinstall", "--no-deps"]).arg(wheel).say_and_run()
    }

    fn make(&self) -> Result<()> {
        let python = std::env::var("SKILLERY_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let new_enough = "import sys; sys.exit(sys.version_info < (3, 9))";
        if !Command::new(&python).args(["-c", new_enough]).status().is_ok_and(|status| status.success()) {
            bail!("`{python}` is not Python 3.9 or newer; install one, or set `SKILLERY_PYTHON` to its path");
        }
        // Debian has it in a package of its own.
        if !Command::new(&python).args(["-c", "import ensurepip, venv"]).status()?.success() {
            install_packages(&["python3-venv"])?;
        }
        Command::new(&python).args(["-m", "venv", "--clear"]).arg(&self.folder).say_and_run()
    }

    fn pip(&self) -> Command {
        let mut pip = Command::new(self.program("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip
    }
}
