//! Test vectors of others, from a package that has them: fetched, never built, and never a part of this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::shell::{Say, cargo};

const FOLDER: &str = "target/vectors";
const PACKAGE: &str = "sigstore-merkle";
const MANIFEST: &str = r#"[package]
name = "vectors"
version = "0.0.0"
edition = "2024"

[lib]
path = "lib.rs"

[dependencies]
sigstore-merkle = { version = "=0.15.1", default-features = false }

[workspace]
"#;

/// The folder with the vectors of transparency-dev/merkle.
pub(crate) fn fetch() -> Result<PathBuf> {
    let folder = Path::new(FOLDER);
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("Cargo.toml"), MANIFEST)?;
    std::fs::write(folder.join("lib.rs"), "")?;
    let manifest = format!("{FOLDER}/Cargo.toml");
    cargo().args(["fetch", "--manifest-path", &manifest]).say_and_run()?;
    let mut metadata = cargo();
    metadata.args(["metadata", "--offline", "--format-version=1", "--manifest-path", &manifest]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata.output_text()?)?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == PACKAGE);
    let found = package.and_then(|package| package["manifest_path"].as_str());
    let found = PathBuf::from(found.with_context(|| format!("`{PACKAGE}` is not among the packages"))?);
    let vectors = found.parent().unwrap_or(&found).join("test-data/merkle/testdata");
    ensure!(vectors.is_dir(), "`{PACKAGE}` has no test vectors in `{}`", vectors.display());
    Ok(vectors)
}
