//! Where things lie: the repository, what is built, and what the benchmarks keep between runs.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A file or folder below `target/bench`. Its parent is made.
pub fn kept(name: &str) -> Result<PathBuf> {
    let place = root().join("target/bench").join(name);
    if let Some(parent) = place.parent() {
        fs_err::create_dir_all(parent)?;
    }
    Ok(place)
}

/// A new, empty folder below `target/bench`, in place of an older one.
pub fn emptied(name: &str) -> Result<PathBuf> {
    let place = kept(name)?;
    if place.exists() {
        fs_err::remove_dir_all(&place)?;
    }
    fs_err::create_dir_all(&place)?;
    Ok(place)
}

/// A new, empty folder with another path in each run. ext4 is slow to make files for minutes after many were removed, so
/// what earlier runs have left is removed only by [`remove_fresh`].
pub fn fresh(name: &str) -> Result<PathBuf> {
    let place = kept(FRESH)?.join(std::process::id().to_string()).join(name);
    fs_err::create_dir_all(&place)?;
    Ok(place)
}

/// Removes the fresh folders of this run and of those that were cut off.
pub fn remove_fresh() -> Result<()> {
    let place = kept(FRESH)?;
    if place.exists() {
        fs_err::remove_dir_all(place)?;
    }
    Ok(())
}

const FRESH: &str = "fresh";

/// Waits until no other benchmark runs in this repository, and keeps others waiting while the file is held.
pub fn lock() -> Result<std::fs::File> {
    let file = fs_err::File::create(kept("lock")?)?.into_file();
    if file.try_lock().is_err() {
        eprintln!("waiting for another benchmark to end");
        file.lock()?;
    }
    Ok(file)
}

/// The program under test.
pub fn skillery() -> PathBuf {
    root().join("target/release/skillery")
}

/// Builds the program under test, if it is not up to date.
pub fn build_skillery() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--quiet", "-p", "skillery-cli"])
        .current_dir(root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "`skillery` cannot be built");
    Ok(())
}

/// An address on loopback that nobody listens on.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
