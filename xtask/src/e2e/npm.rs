//! Packages of npm, pinned by their hashes, in a folder of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::report::Tool;
use crate::shell::{Say, is_there, shown, target_folder};

/// What npm needs to know: where lock files name no addresses, which packages, and which bytes.
const FILES: [&str; 3] = [".npmrc", "package.json", "package-lock.json"];

/// Installed packages.
pub(crate) struct Npm {
    /// The folder that has them.
    pub(crate) folder: PathBuf,
}

/// A Node that is a package itself.
pub(crate) struct Node {
    /// The folder that has `node`.
    pub(crate) folder: PathBuf,
    pub(crate) version: String,
}

impl Npm {
    /// Installs what the folder `from` asks for below the target folder, or takes what is there; where it cannot be had, says
    /// why.
    pub(crate) fn prepare(name: &str, from: &str) -> Result<std::result::Result<Self, String>> {
        for program in ["node", "npm"] {
            if !is_there(program, "--version") {
                return Ok(Err(format!("there is no `{program}`")));
            }
        }
        let folder = std::path::absolute(target_folder().join("e2e").join(name))?;
        std::fs::create_dir_all(&folder)?;
        let mut is_new = false;
        for name in FILES {
            let wanted = std::fs::read(Path::new(from).join(name))?;
            let file = folder.join(name);
            if std::fs::read(&file).ok().as_deref() != Some(&wanted) {
                std::fs::write(file, wanted)?;
                is_new = true;
            }
        }
        let stamp = folder.join("installed");
        if is_new || !stamp.exists() {
            // A stamp that stays from before would vouch for half of an installation.
            let _ = std::fs::remove_file(&stamp);
            let mut npm = Command::new("npm");
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
            println!("$ {}", shown(&npm));
            // Proxies stay in place here: the registry of packages is another machine.
            let ended = npm.output().context("cannot start npm")?;
            let words = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            // Other bytes under a pinned name are no reason to look away.
            if words.contains("EINTEGRITY") {
                bail!("npm found other packages than the pinned ones: {words}");
            }
            if !ended.status.success() {
                let line = words.lines().find(|line| line.contains("error")).unwrap_or("npm failed");
                return Ok(Err(line.to_owned()));
            }
            std::fs::write(&stamp, "")?;
        }
        Ok(Ok(Self { folder }))
    }

    /// The folder of a package.
    pub(crate) fn package(&self, name: &str) -> PathBuf {
        self.folder.join("node_modules").join(name)
    }

    /// The Node of a major version among the packages, where npm has one for this machine.
    pub(crate) fn node(&self, major: u32) -> Option<Node> {
        ["x64", "arm64"].into_iter().find_map(|processor| {
            let folder = self.package(&format!("node-{major}-linux-{processor}")).join("bin");
            let version = Command::new(folder.join("node")).arg("--version").output().ok()?;
            let version = String::from_utf8(version.stdout).ok()?;
            Some(Node { folder, version: version.trim().trim_start_matches('v').to_owned() })
        })
    }

    /// A package as a tool, with its version and that of the Node that runs it.
    pub(crate) fn tool(&self, name: &'static str, node: &Path) -> Result<Tool> {
        let file = self.folder.join("node_modules").join(name).join("package.json");
        let package: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        let version = package["version"].as_str().context("the package does not say its version")?;
        let node = Command::new(node).arg("--version").output_text()?;
        let version = format!("{version} (Node {})", node.trim().trim_start_matches('v'));
        Ok(Tool { name, version })
    }
}
