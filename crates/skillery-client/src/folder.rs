//! Reading a skill from its folder, the same way on every machine: what is left out is decided by this program and by
//! files in the folder, never by what else is configured for the user.
//!
//! Nothing outside of the folder is read: a symbolic link is told, and not followed.

use std::fs::FileType;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fs_err as fs;
use ignore::{DirEntry, Walk, WalkBuilder};
use skillery_core::Limits;
use skillery_core::bundle::{BundleFile, BundleProblem, BundleProblemKind, SKILL_FILE};

use crate::error::{Error, Result};
use crate::files;

/// The file that says, in the words of `.gitignore`, what does not belong to the skill. It counts more than `.gitignore`.
pub const IGNORE_FILE: &str = ".skilleryignore";

/// What never belongs to a skill: what version control, systems, Python and Node leave behind.
pub const LEFT_OUT: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".DS_Store",
    "__pycache__",
    "node_modules",
    ".venv",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    IGNORE_FILE,
];

/// Bytes of a file with patterns.
const MAX_PATTERNS: u64 = 1024 * 1024;
/// Folders within each other in which skills are looked for.
const DEPTH: usize = 16;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The files, by path.
    pub files: Vec<BundleFile>,
    /// What could not be read, and so is not among them. A folder with a problem is not published.
    pub problems: Vec<BundleProblem>,
}

/// Reads the files of a skill. It blocks. What is too large or too much is told and not read on.
pub fn read_folder(folder: &Path, limits: &Limits) -> Result<Folder> {
    let mut files: Vec<BundleFile> = Vec::new();
    let mut problems = Vec::new();
    let mut left = limits.bundle_bytes;
    let bad_patterns = BadPatterns::default();
    for entry in walk(folder, None, &bad_patterns) {
        let entry = checked(entry)?;
        let Some(kind) = entry.file_type().filter(|_| entry.depth() > 0) else { continue };
        if kind.is_dir() {
            continue;
        }
        let path = match name_within(folder, entry.path()) {
            Ok(path) => path,
            Err(shown) => {
                let kind = BundleProblemKind::BadPath("is not UTF-8".to_owned());
                problems.push(BundleProblem::new(&shown, kind));
                continue;
            }
        };
        if let Some(what) = why_not_regular(kind) {
            problems.push(BundleProblem::new(&path, BundleProblemKind::NotRegular(what)));
            continue;
        }
        if files.len() >= limits.bundle_files {
            problems.push(BundleProblem::whole(BundleProblemKind::TooManyFiles(limits.bundle_files)));
            break;
        }
        let file = fs::File::open(entry.path()).map_err(reading)?;
        let metadata = file.metadata().map_err(reading)?;
        let most = left.min(limits.file_bytes);
        let mut bytes = Vec::new();
        let read = file.take(most as u64 + 1).read_to_end(&mut bytes);
        read.map_err(reading)?;
        if bytes.len() > limits.file_bytes {
            problems.push(BundleProblem::new(&path, BundleProblemKind::FileTooLarge(limits.file_bytes)));
            continue;
        }
        if bytes.len() > left {
            problems.push(BundleProblem::whole(BundleProblemKind::TooLarge(limits.bundle_bytes)));
            break;
        }
        left -= bytes.len();
        files.push(BundleFile { path, executable: files::is_executable(&metadata), bytes });
    }
    problems.extend(bad_patterns.problems(folder));
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(Folder { files, problems })
}

/// The skills below a folder: those folders, by path, that have a `SKILL.md`, in whichever capitals. What lies below a
/// skill belongs to it. A folder that is a skill itself is the only one.
pub fn find_skills(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in walk(folder, Some(DEPTH), &BadPatterns::default()) {
        let entry = checked(entry)?;
        let is_skill = entry.file_type().is_some_and(|kind| kind.is_file())
            && entry.file_name().eq_ignore_ascii_case(SKILL_FILE);
        if let Some(parent) = entry.path().parent().filter(|_| is_skill) {
            found.push(parent.to_owned());
        }
    }
    found.sort();
    found.dedup();
    // In this order what lies within a skill follows it at once.
    let mut skills: Vec<PathBuf> = Vec::new();
    for folder in found {
        if !skills.last().is_some_and(|skill| folder.starts_with(skill)) {
            skills.push(folder);
        }
    }
    Ok(skills)
}

/// Files with patterns that are not read: a link to somewhere, or a device that never ends. Whoever fetches a folder from
/// elsewhere may get one. A folder with such a file is left out, and told.
#[derive(Debug, Clone, Default)]
struct BadPatterns(Arc<Mutex<Vec<(PathBuf, BundleProblemKind)>>>);

impl BadPatterns {
    /// Whether the files with patterns in the folder may be read.
    fn may_enter(&self, folder: &Path) -> bool {
        let mut good = true;
        for name in [".gitignore", IGNORE_FILE] {
            let path = folder.join(name);
            let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
            let kind = match why_not_regular(metadata.file_type()) {
                // A folder of this name has no patterns.
                _ if metadata.is_dir() => continue,
                Some(what) => BundleProblemKind::NotRegular(what),
                None if metadata.len() > MAX_PATTERNS => {
                    BundleProblemKind::FileTooLarge(MAX_PATTERNS as usize)
                }
                None => continue,
            };
            good = false;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((path, kind));
        }
        good
    }

    fn problems(&self, folder: &Path) -> Vec<BundleProblem> {
        let told = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let named = |path: &Path| name_within(folder, path).unwrap_or_else(|shown| shown);
        told.into_iter().map(|(path, kind)| BundleProblem::new(&named(&path), kind)).collect()
    }
}

fn walk(folder: &Path, depth: Option<usize>, bad_patterns: &BadPatterns) -> Walk {
    let bad_patterns = bad_patterns.clone();
    // The folder itself is no entry that is asked about.
    let depth = if bad_patterns.may_enter(folder) { depth } else { Some(0) };
    WalkBuilder::new(folder)
        // Only files within the folder decide: no `.gitignore` above it or of the user, no `.git/info/exclude`.
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .ignore(false)
        .git_ignore(true)
        .require_git(false)
        .add_custom_ignore_filename(IGNORE_FILE)
        .hidden(false)
        .follow_links(false)
        .max_depth(depth)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(move |entry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            entry.depth() == 0 || !is_left_out(entry) && (!is_folder || bad_patterns.may_enter(entry.path()))
        })
        .build()
}

fn is_left_out(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    LEFT_OUT.iter().any(|other| name == *other)
        || Path::new(name).extension().is_some_and(|extension| extension == "pyc")
}

/// An entry, unless it or a file with patterns in it could not be read: a pattern that is not understood might be the one
/// that keeps a secret out.
fn checked(entry: Result<DirEntry, ignore::Error>) -> Result<DirEntry> {
    let invalid = |error: &ignore::Error| Error::Invalid {
        what: "a pattern of what to leave out".to_owned(),
        reason: error.to_string(),
    };
    match entry {
        Ok(entry) => match entry.error() {
            Some(error) => Err(invalid(error)),
            None => Ok(entry),
        },
        Err(error) => match error.io_error() {
            Some(cause) => {
                let cause = std::io::Error::new(cause.kind(), error.to_string());
                Err(reading(cause))
            }
            None => Err(invalid(&error)),
        },
    }
}

fn reading(error: std::io::Error) -> Error {
    Error::disk("read the folder of the skill")(error)
}

/// The path within the folder, with `/`; or, where it is not UTF-8, something to show.
fn name_within(folder: &Path, path: &Path) -> Result<String, String> {
    let inner = path.strip_prefix(folder).unwrap_or(path);
    let parts: Option<Vec<&str>> = inner
        .components()
        .map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| inner.to_string_lossy().into_owned())
}

fn why_not_regular(kind: FileType) -> Option<&'static str> {
    if kind.is_symlink() {
        return Some("a symbolic link");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a named pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_block_device() || kind.is_char_device() {
            return Some("a device");
        }
    }
    (!kind.is_file()).then_some("an entry of an unknown kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn paths(folder: &Path) -> Vec<String> {
        let read = read_folder(folder, &Limits::default()).unwrap();
        assert_eq!(read.problems, []);
        read.files.into_iter().map(|file| file.path).collect()
    }

    fn problems(folder: &Path, limits: &Limits) -> Vec<String> {
        read_folder(folder, limits).unwrap().problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_belongs_to_a_skill_is_read_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        // What lies around the folder must not decide.
        write(place.path(), ".gitignore", "*.md\n");
        write(place.path(), ".git/info/exclude", "*.md\n");
        let folder = &place.path().join("my-skill");
        for path in [
            "SKILL.md",
            "scripts/run.py",
            "scripts/__pycache__/run.pyc",
            "old.pyc",
            "node_modules/x/index.js",
            ".git/config",
            ".hg/x",
            ".svn/x",
            ".venv/bin/python",
            "docs/.DS_Store",
            ".hidden",
            ".env",
            "build/out.bin",
            "docs/draft.txt",
            "docs/kept.txt",
            ".ignore",
            "noted.log",
        ] {
            write(folder, path, "x");
        }
        write(folder, ".ignore", "SKILL.md\n");
        write(folder, ".gitignore", "build/\n*.log\n!noted.log\n");
        write(folder, "docs/.gitignore", "draft.txt\n");
        write(folder, ".skilleryignore", ".env\n");
        let expected = [
            ".gitignore",
            ".hidden",
            ".ignore",
            "SKILL.md",
            "docs/.gitignore",
            "docs/kept.txt",
            "noted.log",
            "scripts/run.py",
        ];
        assert_eq!(paths(folder), expected);
        // The patterns of this program count more.
        write(folder, ".skilleryignore", "!build/\n.*\n");
        let expected = ["SKILL.md", "build/out.bin", "docs/kept.txt", "noted.log", "scripts/run.py"];
        assert_eq!(paths(folder), expected);
        write(folder, ".skilleryignore", "a{b\n");
        let error = read_folder(folder, &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("a{b"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_told_and_not_read() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let place = tempfile::tempdir().unwrap();
        let folder = &place.path().join("my-skill");
        write(place.path(), "outside/secret", "x");
        write(folder, "SKILL.md", "x");
        write(folder, "run.sh", "x");
        std::fs::set_permissions(folder.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("../outside/secret", folder.join("link")).unwrap();
        symlink("../outside", folder.join("folder")).unwrap();
        symlink("nowhere", folder.join("broken")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
        let read = read_folder(folder, &Limits::default()).unwrap();
        drop(socket);
        let files: Vec<_> = read.files.iter().map(|file| (file.path.as_str(), file.executable)).collect();
        assert_eq!(files, [("SKILL.md", false), ("run.sh", true)]);
        let told: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "`broken`: a symbolic link is no regular file",
                "`folder`: a symbolic link is no regular file",
                "`link`: a symbolic link is no regular file",
                "`pipe`: a named pipe is no regular file",
                "`socket`: a socket is no regular file",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn patterns_are_not_read_from_elsewhere() {
        let place = tempfile::tempdir().unwrap();
        write(place.path(), "SKILL.md", "x");
        write(place.path(), "docs/a", "x");
        std::os::unix::fs::symlink("/dev/zero", place.path().join("docs/.gitignore")).unwrap();
        let said = problems(place.path(), &Limits::default());
        assert_eq!(said, ["`docs/.gitignore`: a symbolic link is no regular file"]);
        std::os::unix::fs::symlink("/dev/zero", place.path().join(".skilleryignore")).unwrap();
        let said = problems(place.path(), &Limits::default());
        assert_eq!(said, ["`.skilleryignore`: a symbolic link is no regular file"]);
        assert_eq!(find_skills(place.path()).unwrap(), Vec::<PathBuf>::new());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf_8_is_told() {
        use std::os::unix::ffi::OsStrExt;
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join(std::ffi::OsStr::from_bytes(b"a\xff")), "x").unwrap();
        assert_eq!(problems(place.path(), &Limits::default()), ["`a\u{fffd}`: the path is not UTF-8"]);
    }

    #[test]
    fn limits_are_counted_while_reading() {
        let place = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            write(place.path(), name, "0123456789");
        }
        let limits = |file_bytes, bundle_bytes, bundle_files| Limits {
            file_bytes,
            bundle_bytes,
            bundle_files,
            ..Limits::default()
        };
        assert_eq!(problems(place.path(), &limits(10, 30, 3)), Vec::<String>::new());
        assert_eq!(problems(place.path(), &limits(9, 30, 3)).len(), 3);
        assert_eq!(
            problems(place.path(), &limits(10, 29, 3)),
            ["the files have more than 29 bytes together"]
        );
        assert_eq!(problems(place.path(), &limits(10, 30, 2)), ["there are more than 2 files"]);
    }

    #[test]
    fn skills_are_found_and_not_those_within_skills() {
        let place = tempfile::tempdir().unwrap();
        for path in [
            "plugins/one/skills/a/SKILL.md",
            "plugins/one/skills/a/examples/b/SKILL.md",
            "plugins/two/c/skill.md",
            "node_modules/d/SKILL.md",
            "README.md",
            ".claude/skills/e/SKILL.md",
        ] {
            write(place.path(), path, "x");
        }
        let found = find_skills(place.path()).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.strip_prefix(place.path()).unwrap()).collect();
        let expected = [".claude/skills/e", "plugins/one/skills/a", "plugins/two/c"];
        assert_eq!(found, expected.map(Path::new));
    }
}
