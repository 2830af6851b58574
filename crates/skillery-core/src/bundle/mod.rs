//! Bundles: the files of a version in one ZIP that is the same, byte for byte, on every machine.
//!
//! Files are sorted by path, stamped 1980-01-01, mode 0644 or 0755, without folders; those of at least 1 KiB are deflated,
//! at level 1 below 64 KiB and at level 6 from there on. All clients that read skills from archives accept this form.
//!
//! Level 1 takes a third of the time of level 6 and leaves source code a quarter larger, which for a file of a few
//! kilobytes is rarely another block of a disk.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::{Digest, Limits, SkillId, Version};

mod archive;
mod check;
mod problem;

pub use self::archive::{admit, admit_published, unwrap_folder};
pub use self::check::{check_files, check_paths};
pub use self::problem::{BundleProblem, BundleProblemKind};

/// The folder's description, and the one file that every skill has.
pub const SKILL_FILE: &str = "SKILL.md";

/// Files of fewer bytes are stored as they are.
const DEFLATED: usize = 1_024;
/// Files of fewer bytes are deflated fast, larger ones well.
const LARGE: usize = 64 * 1_024;

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    /// Relative, with `/`, for example `scripts/email_validator.py`.
    pub path: String,
    /// Whether it may be executed: mode 0755 instead of 0644.
    pub executable: bool,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Why bytes are no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The archive cannot be read.
    #[error("the bundle is not a readable ZIP archive")]
    Zip(#[from] zip::result::ZipError),
    /// A file of it cannot be read.
    #[error("a file of the bundle cannot be unpacked")]
    Read(#[from] std::io::Error),
    /// More files than allowed.
    #[error("the bundle has more than {0} files")]
    TooManyFiles(usize),
    /// Too large when unpacked.
    #[error("the bundle unpacks to more than {0} bytes")]
    TooLarge(usize),
    /// A path that could leave its folder.
    #[error("the bundle has a path that is not allowed: `{0}`")]
    BadPath(String),
}

/// The path of the one Python file of a skill that was published as `code`.
pub fn code_path(id: &SkillId) -> String {
    format!("scripts/{}.py", id.name())
}

/// Packs files into the canonical ZIP. The same files give the same bytes.
pub fn pack(mut files: Vec<BundleFile>) -> Result<Vec<u8>, BundleError> {
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let size: usize = files.iter().map(|file| file.bytes.len() / 2 + 256).sum();
    let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(size)));
    for file in &files {
        check_path(&file.path)?;
        let (method, level) = match file.bytes.len() {
            0..DEFLATED => (CompressionMethod::Stored, None),
            DEFLATED..LARGE => (CompressionMethod::Deflated, Some(1)),
            _ => (CompressionMethod::Deflated, Some(6)),
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .compression_level(level)
            .last_modified_time(DateTime::default())
            .unix_permissions(if file.executable { 0o755 } else { 0o644 });
        writer.start_file(file.path.as_str(), options)?;
        writer.write_all(&file.bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// Unpacks a bundle that this registry, or one like it, has packed. What stands in the archive is believed about
/// nothing: sizes are counted while unpacking.
pub fn unpack(bytes: &[u8], limits: &Limits) -> Result<Vec<BundleFile>, BundleError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() > limits.bundle_files {
        return Err(BundleError::TooManyFiles(limits.bundle_files));
    }
    let mut left = limits.bundle_bytes;
    let mut files: Vec<BundleFile> = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        let path = entry.name()?.into_owned();
        check_path(&path)?;
        if !entry.is_file() || files.iter().any(|file| file.path == path) {
            return Err(BundleError::BadPath(path.escape_debug().to_string()));
        }
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
        let most = left.min(limits.file_bytes);
        let mut content = Vec::new();
        entry.take(most as u64 + 1).read_to_end(&mut content)?;
        if content.len() > most {
            return Err(BundleError::TooLarge(most));
        }
        left -= content.len();
        files.push(BundleFile { path, executable, bytes: content });
    }
    Ok(files)
}

/// One file of a bundle, as [`unpack`] would give it; none where there is no such file.
pub fn unpack_file(bytes: &[u8], path: &str, limits: &Limits) -> Result<Option<BundleFile>, BundleError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let Some(index) = archive.index_for_name(path) else { return Ok(None) };
    check_path(path)?;
    let entry = archive.by_index(index)?;
    if !entry.is_file() {
        return Err(BundleError::BadPath(path.escape_debug().to_string()));
    }
    let executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
    let mut content = Vec::new();
    entry.take(limits.file_bytes as u64 + 1).read_to_end(&mut content)?;
    if content.len() > limits.file_bytes {
        return Err(BundleError::TooLarge(limits.file_bytes));
    }
    Ok(Some(BundleFile { path: path.to_owned(), executable, bytes: content }))
}

/// Whether the path is one that a bundle may have.
pub fn check_path(path: &str) -> Result<(), BundleError> {
    let good = !path.is_empty()
        && path.len() <= 240
        && path.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && !part.ends_with(['.', ' '])
                && !part.contains(['\\', ':', '*', '?', '"', '<', '>', '|'])
                && !part.chars().any(char::is_control)
        });
    if good { Ok(()) } else { Err(BundleError::BadPath(path.escape_debug().to_string())) }
}

/// What a skill that is published as one piece of code looks like as files: `SKILL.md`, made here, and the code.
/// The result never changes for the same arguments, as it is part of a published version.
pub fn from_code(
    id: &SkillId,
    version: &Version,
    description: &str,
    license: &str,
    code: &str,
) -> Vec<BundleFile> {
    vec![
        BundleFile {
            path: SKILL_FILE.to_owned(),
            executable: false,
            bytes: skill_file(id, version, description, license).into_bytes(),
        },
        BundleFile { path: code_path(id), executable: false, bytes: code.as_bytes().to_vec() },
    ]
}

/// What the skill is called in the Agent Skills format, which knows letters, digits and single hyphens: the last segment
/// of the id with a hyphen for what is none of these.
pub fn skill_name(id: &SkillId) -> String {
    let key = id.key();
    let parts = key.rsplit('/').next().unwrap_or_default().split('-').filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

fn skill_file(id: &SkillId, version: &Version, description: &str, license: &str) -> String {
    let name = skill_name(id);
    let described =
        if description.trim().is_empty() { format!("The skill {id}.") } else { description.to_owned() };
    // JSON strings are YAML strings; the Agent Skills format allows 1,024 characters.
    let short: String = described.chars().take(1_024).collect();
    let path = code_path(id);
    format!(
        "---\nname: {name}\ndescription: {description}\nlicense: {license}\nmetadata:\n  version: \"{version}\"\n  \
         skill: \"{id}\"\n---\n\n# {title}\n\n{described}\n\nThe code is in [`{path}`]({path}). Call the function \
         named like the skill, or `main`, or `run`.\n",
        description = quoted(&short),
        license = quoted(license),
        title = id.name(),
    )
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The Python file of a folder that is run under its name, of these paths: `scripts/<name>.py`, where `-`, `_` and `.`
/// compare equal, as Python's files cannot have a hyphen.
pub fn script_of<'a>(mut paths: impl Iterator<Item = &'a str>, id: &SkillId) -> Option<&'a str> {
    let fold = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
    let wanted = fold(id.name());
    paths.find(|path| {
        path.strip_prefix("scripts/")
            .and_then(|name| name.strip_suffix(".py"))
            .is_some_and(|name| !name.contains('/') && fold(name) == wanted)
    })
}

/// The code in a bundle that was made by [`from_code`].
pub fn code_of(files: &[BundleFile], id: &SkillId) -> Option<Vec<u8>> {
    let path = code_path(id);
    files.iter().find(|file| file.path == path).map(|file| file.bytes.clone())
}

/// The digest of a bundle: what versions, blobs and clients call it by.
pub fn digest(bundle: &[u8]) -> Digest {
    Digest::of(bundle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Vec<BundleFile> {
        from_code(
            &"acme/email_validator".parse().unwrap(),
            &"1.0.0".parse().unwrap(),
            "Validates \"email\" addresses: all of them",
            "MIT",
            "def email_validator(email):\n    return '@' in email\n",
        )
    }

    /// A text of so many bytes, always the same: words of a small stock, in an order without end.
    fn words(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let stock: Vec<Vec<u8>> =
            (0..1_000).map(|_| (0..2 + next(9)).map(|_| b'a' + next(26) as u8).collect()).collect();
        let mut text = Vec::with_capacity(length + 16);
        while text.len() < length {
            // Small numbers come often, as common words do.
            let rank = next(1_000).min(next(1_000));
            text.extend(&stock[rank as usize]);
            text.push(if next(12) == 0 { b'\n' } else { b' ' });
        }
        text.truncate(length);
        text
    }

    #[test]
    fn the_bytes_are_always_the_same() {
        // If this fails, a published version would get another digest when it is packed again.
        assert_eq!(
            digest(&pack(example()).unwrap()).to_string(),
            "6b9a949efea95d3fbb31953f24e33571d07ed0d660e176b1b66f19e38a5951be"
        );
        let mut larger = example();
        larger[1].bytes =
            (0..400).flat_map(|line| format!("value_{line} = {}\n", line * line).into_bytes()).collect();
        let packed = pack(larger.clone()).unwrap();
        assert!(packed.len() < larger[1].bytes.len());
        assert_eq!(
            digest(&packed).to_string(),
            "6c990c152b92b284c065e3576c3c95dd451654e57a9c7fe9df94d7edf8a250c0"
        );
        // Large enough for level 6, of words that come back at all distances, so that how far it looks back tells.
        let mut folder = larger;
        folder.push(BundleFile { path: "words.txt".to_owned(), executable: true, bytes: words(200 * 1_024) });
        let packed = pack(folder.clone()).unwrap();
        assert_eq!(
            digest(&packed).to_string(),
            "fc2c38ae2f3b51f27ce55fcc5b0b788a0f087e190c71791541fd213e4b22bd66"
        );
        assert_eq!(unpack(&packed, &Limits::default()).unwrap(), folder);
        let mut reversed = example();
        reversed.reverse();
        assert_eq!(pack(reversed).unwrap(), pack(example()).unwrap());
    }

    #[test]
    fn the_generated_skill_file() {
        insta::assert_snapshot!(String::from_utf8(example()[0].bytes.clone()).unwrap());
    }

    #[test]
    fn bombs_and_bad_paths_are_refused() {
        let limits = Limits { file_bytes: 1_000, bundle_bytes: 1_500, bundle_files: 2, ..Limits::default() };
        let file =
            |path: &str, size| BundleFile { path: path.to_owned(), executable: false, bytes: vec![0; size] };
        assert!(matches!(
            unpack(&pack(vec![file("a", 100_000)]).unwrap(), &limits),
            Err(BundleError::TooLarge(1_000))
        ));
        assert!(matches!(
            unpack(&pack(vec![file("a", 900), file("b", 900)]).unwrap(), &limits),
            Err(BundleError::TooLarge(600))
        ));
        assert!(matches!(
            unpack(&pack(vec![file("a", 1), file("b", 1), file("c", 1)]).unwrap(), &limits),
            Err(BundleError::TooManyFiles(2))
        ));
        for path in ["../x", "/x", "a//b", "a/./b", "c:x", "a\\b", "", "a\nb", "a."] {
            assert!(pack(vec![file(path, 1)]).is_err(), "{path}");
        }
        assert!(unpack(b"no archive", &limits).is_err());
    }

    proptest! {
        #[test]
        fn pack_and_unpack_are_inverse(contents in proptest::collection::vec(any::<Vec<u8>>(), 0..5)) {
            let files: Vec<_> = contents.into_iter().enumerate().map(|(number, bytes)| BundleFile {
                path: format!("folder/{number}"), executable: number % 2 == 0, bytes,
            }).collect();
            let packed = pack(files.clone()).unwrap();
            for file in &files {
                let one = unpack_file(&packed, &file.path, &Limits::default()).unwrap();
                prop_assert_eq!(one.as_ref(), Some(file));
            }
            prop_assert!(unpack_file(&packed, "folder", &Limits::default()).unwrap().is_none());
            let unpacked = unpack(&packed, &Limits::default()).unwrap();
            prop_assert_eq!(unpacked, files);
        }

        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = unpack(&bytes, &Limits::default());
        }
    }
}
