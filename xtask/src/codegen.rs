//! Documents that are made from code: written by `cargo xtask codegen`, compared by `cargo xtask test`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{Say, cargo, skillery_binary};

/// Builds the program and writes all documents.
pub(crate) fn write() -> Result<()> {
    cargo().args(["build", "--package", "skillery-cli"]).say_and_run()?;
    for (path, text) in documents(&skillery_binary(false)?)? {
        if std::fs::read_to_string(path).ok().as_deref() == Some(&text) {
            continue;
        }
        if let Some(folder) = Path::new(path).parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text).with_context(|| format!("cannot write `{path}`"))?;
        println!("wrote {path}");
    }
    Ok(())
}

/// Fails when a document is not what this program would write.
pub(crate) fn check(skillery: &Path) -> Result<()> {
    let mut stale = Vec::new();
    for (path, text) in documents(skillery)? {
        if std::fs::read_to_string(path).ok().as_deref() != Some(&text) {
            stale.push(format!("`{path}`"));
        }
    }
    if !stale.is_empty() {
        bail!("{} is not up to date; run `cargo xtask codegen`", stale.join(", "));
    }
    Ok(())
}

fn documents(skillery: &Path) -> Result<[(&'static str, String); 5]> {
    let openapi = Command::new(skillery).arg("openapi").output_text()?;
    let workflow = Command::new(skillery).args(["workflow", "schema"]).output_text()?;
    Ok([
        ("docs/ERRORS.md", skillery_core::problem::errors_document()),
        ("docs/limits.md", skillery_core::limits::limits_document()?),
        ("docs/lint.md", skillery_core::lint::rules_document()),
        ("docs/openapi.json", openapi),
        ("docs/workflow.schema.json", workflow),
    ])
}
