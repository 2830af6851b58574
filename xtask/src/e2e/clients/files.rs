//! The files of a version, and those that a client has put somewhere: the same names, the same bytes.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use skillery_core::Digest;
use skillery_core::bundle::BundleFile;

/// Differences that a message shows.
const SHOWN: usize = 8;

/// Paths with `/`, and what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files(BTreeMap<String, File>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    digest: Digest,
    executable: bool,
}

impl Files {
    /// Those that the page of a version lists.
    pub(crate) fn of_version(detail: &Value) -> Result<Self> {
        let listed = detail["files"].as_array().context("a version lists no files")?;
        let file = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().with_context(|| format!("a file has no `{key}`"));
            let file = File { digest: text("digest")?.parse()?, executable: text("mode")? == "0755" };
            anyhow::Ok((text("path")?.to_owned(), file))
        };
        Ok(Self(listed.iter().map(file).collect::<Result<_>>()?))
    }

    /// Those of a bundle.
    pub(crate) fn of_bundle(files: &[BundleFile]) -> Self {
        let file = |file: &BundleFile| {
            (file.path.clone(), File { digest: Digest::of(&file.bytes), executable: file.executable })
        };
        Self(files.iter().map(file).collect())
    }

    /// Those of a folder, without what lies under these names, which the client has for itself. Links are followed, as
    /// agents follow them.
    pub(crate) fn of_folder(folder: &Path, without: &[&str]) -> Result<Self> {
        let mut files = Self::default();
        files.read(folder, "", without).with_context(|| format!("cannot read `{}`", folder.display()))?;
        Ok(files)
    }

    fn read(&mut self, folder: &Path, prefix: &str, without: &[&str]) -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string().ok().context("a name is not UTF-8")?;
            let path = format!("{prefix}{name}");
            if without.contains(&path.as_str()) {
                continue;
            }
            let found = std::fs::metadata(entry.path())?;
            if found.is_dir() {
                self.read(&entry.path(), &format!("{path}/"), without)?;
            } else {
                let executable = found.permissions().mode() & 0o111 != 0;
                self.0.insert(path, File { digest: Digest::of(&std::fs::read(entry.path())?), executable });
            }
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The digest of a file.
    pub(crate) fn digest(&self, path: &str) -> Option<Digest> {
        self.0.get(path).map(|file| file.digest)
    }

    /// Fails unless these are the same files as those of the version, byte for byte.
    pub(crate) fn must_be(&self, expected: &Self) -> Result<()> {
        self.differ(expected, |path, found, expected| {
            (found.digest != expected.digest).then(|| format!("`{path}` has other bytes"))
        })
    }

    /// Fails unless programs are programs, and nothing else is.
    pub(crate) fn must_run_like(&self, expected: &Self) -> Result<()> {
        if !expected.0.values().any(|file| file.executable) {
            bail!("no file of the version is a program, so nothing was tried");
        }
        self.must_be_modes(expected)
    }

    /// The same where there may be no program.
    pub(crate) fn must_be_modes(&self, expected: &Self) -> Result<()> {
        self.differ(expected, |path, found, expected| match (found.executable, expected.executable) {
            (false, true) => Some(format!("`{path}` cannot be run any more")),
            (true, false) => Some(format!("`{path}` can be run now")),
            _ => None,
        })
    }

    fn differ(&self, expected: &Self, differs: impl Fn(&str, &File, &File) -> Option<String>) -> Result<()> {
        let mut wrong = Vec::new();
        for (path, file) in &expected.0 {
            match self.0.get(path) {
                Some(found) => wrong.extend(differs(path, found, file)),
                None => wrong.push(format!("`{path}` is missing")),
            }
        }
        let more = self.0.keys().filter(|path| !expected.0.contains_key(*path));
        wrong.extend(more.map(|path| format!("`{path}` is there too")));
        if wrong.is_empty() {
            return Ok(());
        }
        let more = wrong.len().saturating_sub(SHOWN);
        wrong.truncate(SHOWN);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        bail!("these are not the files of the version: {}{more}", wrong.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;
    use crate::guard::Folder;

    #[test]
    fn a_byte_a_name_and_a_mode_are_noticed() {
        let folder = Folder::new("files").unwrap();
        let skill = folder.path().join("skill");
        std::fs::create_dir_all(skill.join("scripts")).unwrap();
        std::fs::write(skill.join("SKILL.md"), "words").unwrap();
        std::fs::write(skill.join("scripts/run"), "#!/bin/sh").unwrap();
        let program = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(skill.join("scripts/run"), program).unwrap();
        std::fs::create_dir(skill.join(".own")).unwrap();
        std::fs::write(skill.join(".own/state"), "").unwrap();
        let entry = |path: &str, bytes: &str, mode: &str| json!({"path": path, "digest": Digest::of(bytes.as_bytes()).to_string(), "mode": mode});
        let version = |words: &str, mode: &str| {
            let files = [entry("SKILL.md", words, "0644"), entry("scripts/run", "#!/bin/sh", mode)];
            Files::of_version(&json!({ "files": files })).unwrap()
        };
        let link = folder.path().join("link");
        symlink(&skill, &link).unwrap();
        let found = Files::of_folder(&link, &[".own"]).unwrap();
        found.must_be(&version("words", "0755")).unwrap();
        found.must_run_like(&version("words", "0755")).unwrap();
        assert!(found.must_be(&version("other", "0755")).is_err());
        assert!(found.must_run_like(&version("words", "0644")).is_err());
        let more = Files::of_folder(&skill, &[]).unwrap();
        let error = more.must_be(&version("words", "0755")).unwrap_err();
        assert_eq!(error.to_string(), "these are not the files of the version: `.own/state` is there too");
        std::fs::remove_file(skill.join("SKILL.md")).unwrap();
        assert!(Files::of_folder(&skill, &[".own"]).unwrap().must_be(&version("words", "0755")).is_err());
    }
}
