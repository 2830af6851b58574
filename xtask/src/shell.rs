//! Programs: said, run, and their failure an error.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_this_package(&mut command);
    command
}

/// Takes away the variables that `cargo run` set for this program alone. Build scripts look at them, and would build
/// everything again after each task.
pub(crate) fn forget_this_package(command: &mut Command) {
    let of_a_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| of_a_package.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// The built `skillery`, with its whole path.
pub(crate) fn skillery_binary(release: bool) -> Result<PathBuf> {
    let path = target_folder().join(if release { "release" } else { "debug" }).join("skillery");
    path.canonicalize().with_context(|| format!("`{}` is not built", path.display()))
}

/// The `skillery` that is given, or the one that is built now.
pub(crate) fn program(given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(path) => path.canonicalize().with_context(|| format!("there is no `{}`", path.display())),
        None => {
            cargo().args(["build", "--package", "skillery-cli"]).say_and_run()?;
            skillery_binary(false)
        }
    }
}

/// Runs commands the way that a person would want to see it.
pub(crate) trait Say {
    /// Prints the command, runs it with our own outputs, and fails when it fails.
    fn say_and_run(&mut self) -> Result<()>;
    /// Runs it without a word, and gives what it prints.
    fn output_text(&mut self) -> Result<String>;
}

impl Say for Command {
    fn say_and_run(&mut self) -> Result<()> {
        println!("$ {}", shown(self));
        let status = self.status().with_context(|| format!("cannot start `{}`", name(self)))?;
        if !status.success() {
            bail!("`{}` failed: {status}", name(self));
        }
        Ok(())
    }

    fn output_text(&mut self) -> Result<String> {
        let output = self
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot start `{}`", name(self)))?;
        if !output.status.success() {
            bail!("`{}` failed: {}", shown(self), output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{}` does not print text", name(self)))
    }
}

/// Whether a program can be started at all.
pub(crate) fn is_there(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether we may install packages.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output_text().is_ok_and(|id| id.trim() == "0")
}

/// Installs packages of Debian, or says how.
pub(crate) fn install_packages(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !is_root() || !is_there("apt-get", "--version") {
        bail!("`{list}` is not installed; run `sudo apt-get install {list}` or what your system has for it");
    }
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    apt().args(["update", "--quiet"]).say_and_run()?;
    apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages).say_and_run()
}

fn name(command: &Command) -> String {
    let path = PathBuf::from(command.get_program());
    path.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned()
}

/// The command as one could type it, with the program's name for its path.
pub(crate) fn shown(command: &Command) -> String {
    let arguments = command.get_args().map(quoted);
    std::iter::once(name(command)).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@,^+%".contains(character);
    if !text.is_empty() && text.chars().all(plain) { text.into_owned() } else { format!("'{text}'") }
}
