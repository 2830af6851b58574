//! Signatures of OpenSSF Model Signing over the files of a skill, for those who check with `model-signing`.
//!
//! They stand for files and nothing else: no id, no version and no registry is signed. So they count for nothing when a skill
//! is installed; for that there is [`sign`](crate::sign).

use std::path::Path;

use fs_err as fs;
use ring::rand::SystemRandom;
use skillery_core::bundle::BundleFile;
use skillery_core::sign::oms::{self, OmsError, OmsSigned, OmsVerified};
use skillery_core::sign::pem::{PemPrivateKey, PemPublicKey};
use skillery_core::sign::x509::Roots;
use skillery_core::time::Time;

use crate::error::{Error, Result};
use crate::files::{Readers, write_atomically};
use crate::most;

/// What is trusted.
#[derive(Debug, Clone)]
pub enum OmsTrust {
    /// The signature of this key.
    Key(PemPublicKey),
    /// The signature of whoever has a certificate from one of these that is valid now.
    Authorities(Roots),
}

impl OmsTrust {
    /// The public key in this file, in PEM.
    pub fn key(path: &Path) -> Result<Self> {
        read_text(path)?.parse().map(Self::Key).map_err(bad(path))
    }

    /// The certificates of authorities in this file, in PEM.
    pub fn authorities(path: &Path) -> Result<Self> {
        read_text(path)?.parse().map(Self::Authorities).map_err(bad(path))
    }
}

/// Signs files with the private key in this file, ECDSA in PEM. `name` is what the whole is called.
pub fn sign(name: &str, files: &[BundleFile], key: &Path) -> Result<OmsSigned> {
    let random = SystemRandom::new();
    let private = PemPrivateKey::from_pem(&read_text(key)?, &random).map_err(bad(key))?;
    oms::sign(name, files, &private, &random).map_err(bad(key))
}

/// Writes a signature to a file, whole or not at all.
pub fn write(path: &Path, signed: &OmsSigned) -> Result<()> {
    write_atomically(path, signed.json.as_bytes(), Readers::Mask)
        .map_err(Error::disk(format!("write the signature `{}`", path.display())))
}

/// Checks the signature in this file over files. What cannot be read is an error; what the signature is worth is the answer.
pub fn verify(
    signature: &Path,
    files: &[BundleFile],
    trust: &OmsTrust,
) -> Result<std::result::Result<OmsVerified, OmsError>> {
    let bytes = read(signature)?;
    let trust = match trust {
        OmsTrust::Key(key) => oms::Trust::Key(key),
        OmsTrust::Authorities(roots) => {
            let at = Time::from_micros(jiff::Timestamp::now().as_microsecond());
            oms::Trust::Authorities { roots, at }
        }
    };
    Ok(oms::verify(&bytes, files, trust))
}

/// All files of a folder, whatever they are called and wherever they came from: what was not signed is to be found. A folder
/// that holds more than a skill may, a link, and a name that is no text are errors, so that nothing is passed over.
pub fn read_folder(folder: &Path) -> Result<Vec<BundleFile>> {
    let mut files = Vec::new();
    walk(folder, "", &mut files, &mut (most::limits().bundle_bytes as u64))?;
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<BundleFile>, left: &mut u64) -> Result<()> {
    let limits = most::limits();
    let cannot = |reason: &str| Error::invalid(format!("the folder `{}`", folder.display()), reason);
    let failed = || Error::disk(format!("read the folder `{}`", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(cannot("it holds a file whose name is no text"));
        };
        let (path, name) = (entry.path(), format!("{prefix}{name}"));
        let metadata = fs::symlink_metadata(&path).map_err(failed())?;
        if metadata.is_dir() {
            walk(&path, &format!("{name}/"), files, left)?;
        } else if !metadata.is_file() {
            return Err(cannot("it holds a link, or something else that is no file"));
        } else if files.len() >= limits.bundle_files || metadata.len() > *left {
            return Err(cannot("it holds more than a skill may"));
        } else {
            *left -= metadata.len();
            // Signatures of this kind do not say whether a file can be executed.
            files.push(BundleFile { path: name, executable: false, bytes: read(&path)? });
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::disk(format!("read `{}`", path.display())))
}

fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(bad(path))
}

fn bad<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Error {
    move |error| Error::invalid(format!("`{}`", path.display()), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_folder_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        for path in ["SKILL.md", "scripts/__pycache__/x.pyc", ".hidden/a/b", "skill.json"] {
            file(path);
        }
        let paths = || {
            let mut paths: Vec<String> =
                read_folder(folder.path()).unwrap().into_iter().map(|file| file.path).collect();
            paths.sort();
            paths
        };
        assert_eq!(paths(), [".hidden/a/b", "SKILL.md", "scripts/__pycache__/x.pyc", "skill.json"]);
        assert!(read_folder(&folder.path().join("nowhere")).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let strange = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
            fs::write(&strange, "x").unwrap();
            assert!(read_folder(folder.path()).is_err());
            fs::remove_file(strange).unwrap();
            std::os::unix::fs::symlink("SKILL.md", folder.path().join("link")).unwrap();
            assert!(read_folder(folder.path()).is_err());
        }
    }
}
