//! Test vectors of others, from a package that has them: fetched, never built, and never a part of this repository.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::shell::{Say, cargo};

const MANIFEST: &str = "xtask/vectors/Cargo.toml";
const PACKAGE: &str = "sigstore-merkle";

/// The folder with the vectors of transparency-dev/merkle.
pub(crate) fn fetch() -> Result<PathBuf> {
    cargo().args(["fetch", "--locked", "--manifest-path", MANIFEST]).say_and_run()?;
    let mut metadata = cargo();
    metadata.args(["metadata", "--offline", "--locked", "--format-version=1", "--manifest-path", MANIFEST]);
    let text = metadata.output_text()?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == PACKAGE);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = PathBuf::from(manifest.with_context(|| format!("`{PACKAGE}` is not among the packages"))?);
    let folder = manifest.parent().unwrap_or(&manifest).join("test-data/merkle/testdata");
    anyhow::ensure!(folder.is_dir(), "`{PACKAGE}` has no test vectors in `{}`", folder.display());
    Ok(folder)
}
