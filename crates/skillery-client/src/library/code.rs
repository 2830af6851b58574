//! Code that may be run: of a function the one file, of a folder one of its scripts with all that lies beside it.

use skillery_core::bundle::{self, BundleFile};
use skillery_core::{Digest, SkillKind, VersionRequest};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::library::{Installed, Library, Manifest};

/// Code that may be run.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledCode {
    /// Of which version.
    pub manifest: Manifest,
    /// The Python source.
    pub code: String,
    /// The script that it is, of a folder, without `.py`.
    pub script: Option<String>,
    /// All files of a folder.
    pub files: Vec<BundleFile>,
}

impl Library {
    /// The code of an installed version, to run it: the bytes that were installed, whatever happened to the file
    /// meanwhile is an error. With `verify_signature`, what came from a registry must be signed with a secret that
    /// is, or was then, known, or, where none is, by authors whose signatures are kept beside it; what was made here needs
    /// no signature.
    pub fn code(
        &self,
        name: &str,
        version: Option<&VersionRequest>,
        script: Option<&str>,
        verify_signature: bool,
    ) -> Result<InstalledCode> {
        let installed = self.get(name, version)?;
        let manifest = installed.manifest.clone();
        let found = match (manifest.kind, script) {
            (SkillKind::Function, None) => {
                let code = function_code(&installed)?;
                InstalledCode { manifest, code, script: None, files: Vec::new() }
            }
            (SkillKind::Function, Some(_)) => {
                let what = format!("`{}` {}", manifest.id, manifest.version);
                return Err(Error::invalid(what, "it is one function, and has no other scripts"));
            }
            // Whoever alters a file is found out here, as all of them have one digest.
            (SkillKind::Folder, script) => script_of(manifest, self.files(&installed)?, script)?,
        };
        if verify_signature && let Some(registry) = &found.manifest.registry {
            self.check_signature_of(&installed, registry, &found)?;
        }
        Ok(found)
    }

    fn check_signature_of(&self, installed: &Installed, registry: &str, found: &InstalledCode) -> Result<()> {
        let manifest = &found.manifest;
        let kept = self.store.kept(installed)?.signatures;
        let files = match &kept {
            Some(_) => self.store.files(installed)?,
            None => Vec::new(),
        };
        let configured = Config::load(self.home())?.log_key;
        self.require_any_signature(registry, manifest, &files, kept.as_ref(), configured.as_ref())?;
        // What was signed are the files, and what is handed out are they, or one of them.
        let path = bundle::code_path(&manifest.id);
        let is_same = match manifest.kind {
            SkillKind::Function => {
                files.iter().all(|file| file.path != path || file.bytes == found.code.as_bytes())
            }
            SkillKind::Folder => files.is_empty() || files == found.files,
        };
        match is_same {
            true => Ok(()),
            false => {
                Err(Error::CodeHashMismatch { id: manifest.id.clone(), version: manifest.version.clone() })
            }
        }
    }
}

fn function_code(installed: &Installed) -> Result<String> {
    let manifest = &installed.manifest;
    let bytes = fs_err::read(&installed.code_path).map_err(Error::disk("read the code of a skill"))?;
    let intact = Digest::of(&bytes) == manifest.code_hash;
    String::from_utf8(bytes)
        .ok()
        .filter(|_| intact)
        .ok_or_else(|| Error::CodeHashMismatch { id: manifest.id.clone(), version: manifest.version.clone() })
}

/// The script that is meant: the one that is named, else the one with the skill's name, else the only one.
fn script_of(manifest: Manifest, files: Vec<BundleFile>, script: Option<&str>) -> Result<InstalledCode> {
    let mut scripts: Vec<&str> = files.iter().filter_map(|file| script_name(&file.path)).collect();
    scripts.sort_unstable();
    let own = bundle::script_of(files.iter().map(|file| file.path.as_str()), &manifest.id);
    let name = match (script, own.and_then(script_name), scripts.as_slice()) {
        (Some(named), ..) => scripts.iter().find(|name| **name == named),
        (None, Some(own), _) => scripts.iter().find(|name| **name == own),
        (None, None, [only]) => Some(only),
        (None, None, _) => None,
    };
    let what = || format!("`{}` {}", manifest.id, manifest.version);
    let Some(name) = name.map(|name| (*name).to_owned()) else {
        let wanted =
            script.map_or_else(|| bundle::code_path(&manifest.id), |named| format!("scripts/{named}.py"));
        let reason = match scripts.is_empty() {
            true => format!("it is a folder without `{wanted}`, or any other Python script"),
            false => {
                format!(
                    "it is a folder without `{wanted}`; add `#` and one of its scripts: {}",
                    scripts.join(", ")
                )
            }
        };
        return Err(Error::invalid(what(), reason));
    };
    let path = format!("scripts/{name}.py");
    let bytes =
        files.iter().find(|file| file.path == path).map(|file| file.bytes.clone()).unwrap_or_default();
    let code = String::from_utf8(bytes)
        .map_err(|_| Error::invalid(format!("`{path}` of {}", what()), "it is not UTF-8 text"))?;
    Ok(InstalledCode { manifest, code, script: Some(name), files })
}

/// The name of a script that may be a step: of a Python file in `scripts`.
fn script_name(path: &str) -> Option<&str> {
    let name = path.strip_prefix("scripts/")?.strip_suffix(".py")?;
    (!name.contains('/') && !name.is_empty()).then_some(name)
}
