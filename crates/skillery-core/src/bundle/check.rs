//! Which files may be a skill: names that every system can have, that are different everywhere, and limits.
//!
//! The same rules hold for an archive of a stranger and for a folder on the author's machine, so that who may publish a
//! folder finds out at home.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::problem::Problems;
use super::{BundleFile, BundleProblem, BundleProblemKind, check_path};
use crate::Limits;
use crate::hidden::{excerpt, first_hidden, first_hidden_of_published};
use crate::id::RESERVED_FILES;

/// Checks the files of a skill, and tells all that is wrong with them. No problem means that [`super::pack`] takes them.
pub fn check_files(files: &[BundleFile], limits: &Limits) -> Vec<BundleProblem> {
    let mut problems = Problems::default();
    if files.is_empty() {
        problems.whole(BundleProblemKind::Empty);
    }
    if files.len() > limits.bundle_files {
        problems.whole(BundleProblemKind::TooManyFiles(limits.bundle_files));
    }
    let mut total = 0_usize;
    for file in files {
        total = total.saturating_add(file.bytes.len());
        if file.bytes.len() > limits.file_bytes {
            problems.push(&file.path, BundleProblemKind::FileTooLarge(limits.file_bytes));
        }
    }
    if total > limits.bundle_bytes {
        problems.whole(BundleProblemKind::TooLarge(limits.bundle_bytes));
    }
    problems.append(check_paths(files.iter().map(|file| file.path.as_str())));
    problems.finish()
}

/// Checks paths alone: each one, and all of them beside each other.
pub fn check_paths<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<BundleProblem> {
    check_names(paths.map(|path| (path, false)), Origin::New)
}

/// Where paths come from, and so which of them are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody wants to publish them.
    New,
    /// They were published, perhaps under a rule for hidden characters that was wider.
    Published,
}

/// Checks paths, of which some are those of folders.
pub(super) fn check_names<'a>(
    names: impl Iterator<Item = (&'a str, bool)>,
    origin: Origin,
) -> Vec<BundleProblem> {
    let mut problems = Problems::default();
    // Folded names of files, and of each folder with one path that lies in it. A folder that is written in two ways is one
    // folder on some systems and two on others, so it is a collision too.
    let mut files: HashMap<String, &str> = HashMap::new();
    let mut folders: HashMap<String, (&str, &str)> = HashMap::new();
    for (path, is_folder) in names {
        if let Some(why) = why_bad(path, origin) {
            problems.push(path, BundleProblemKind::BadPath(why));
            continue;
        }
        let folded = fold(path);
        if !is_folder && let Some(other) = files.insert(folded, path) {
            let kind = match other == path {
                true => BundleProblemKind::Duplicate,
                false => BundleProblemKind::Collision(excerpt(other)),
            };
            problems.push(path, kind);
            continue;
        }
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        for folder in above.chain(is_folder.then_some(path)) {
            let (first, inner) = *folders.entry(fold(folder)).or_insert((folder, path));
            if first != folder {
                problems.push(path, BundleProblemKind::FolderCollision(excerpt(inner)));
                break;
            }
        }
    }
    let mut both: Vec<(&str, &str)> = files
        .iter()
        .filter_map(|(folded, path)| folders.get(folded).map(|(_, inner)| (*path, *inner)))
        .collect();
    both.sort_unstable();
    for (path, inner) in both {
        problems.push(path, BundleProblemKind::FileAndFolder(excerpt(inner)));
    }
    problems.finish()
}

/// Why a path is none that every system can have, in words that go on from "the path".
fn why_bad(path: &str, origin: Origin) -> Option<String> {
    if path.is_empty() {
        return Some("is empty".to_owned());
    }
    if path.len() > 240 {
        return Some("is longer than 240 bytes".to_owned());
    }
    if path.starts_with('/') {
        return Some("is absolute".to_owned());
    }
    if path.contains('\\') {
        return Some("has a backslash".to_owned());
    }
    if path.as_bytes().get(1) == Some(&b':') {
        return Some("begins with the letter of a drive".to_owned());
    }
    let hidden = match origin {
        Origin::New => first_hidden(path),
        Origin::Published => first_hidden_of_published(path),
    };
    if let Some((_, character, hidden)) = hidden {
        return Some(format!("has the {hidden} U+{:04X}", u32::from(character)));
    }
    if path.chars().any(char::is_control) {
        return Some("has a control character".to_owned());
    }
    for part in path.split('/') {
        let stem = part.split('.').next().unwrap_or(part).trim_end().to_ascii_lowercase();
        match part {
            "" => return Some("has an empty part".to_owned()),
            "." | ".." => return Some(format!("has the part `{part}`")),
            _ if part.ends_with(['.', ' ']) => {
                return Some("has a part that ends in a dot or a blank".to_owned());
            }
            _ if RESERVED_FILES.contains(&stem.as_str()) || is_superscript_device(&stem) => {
                return Some(format!("has the name of a device of Windows, `{stem}`"));
            }
            _ => {}
        }
    }
    // What remains are the signs that Windows does not take.
    check_path(path).err().map(|_| "has one of the characters `: * ? \" < > |`".to_owned())
}

/// Windows reads `com¹` as it reads `com1`.
fn is_superscript_device(stem: &str) -> bool {
    ["com", "lpt"]
        .iter()
        .any(|device| stem.strip_prefix(device).is_some_and(|rest| matches!(rest, "¹" | "²" | "³" | "0")))
        || matches!(stem, "conin$" | "conout$")
}

/// What two paths have in common that are one on a file system that ignores case, or the form of Unicode.
pub(super) fn fold(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    // By way of capitals, as some small letters share one: σ and ς, s and ſ.
    path.nfd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(paths: &[&str]) -> Vec<String> {
        check_paths(paths.iter().copied()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_paths_are_good() {
        let good =
            ["SKILL.md", "scripts/a.py", ".hidden", "a b/c d.txt", "技能/é.md", "console/common.md", "⚠️.md"];
        assert_eq!(problems(&good), Vec::<String>::new());
    }

    #[test]
    fn every_bad_path_says_why() {
        let long = "a/".repeat(120) + "b";
        let paths = [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a/./b",
            "a//b",
            "a/",
            "a\\b",
            "C:/x",
            "c:x",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\nb",
            "a\u{1b}b",
            "con",
            "NUL.txt",
            "x/aux.py",
            "com1",
            "COM¹.txt",
            "con .txt",
            "a.",
            "a ",
            "a*b",
            "a?b",
            "a:b",
            "x\u{e0041}",
            "\u{feff}x",
            &long,
        ];
        for path in paths {
            assert_eq!(problems(&[path]).len(), 1, "{path:?}");
        }
        let said: Vec<String> = paths.iter().flat_map(|path| problems(&[path])).collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn names_that_are_one_somewhere_are_refused() {
        let pairs = [
            ["a.md", "a.md"],
            ["a.md", "A.md"],
            ["café", "cafe\u{301}"],
            ["ΟΔΟΣ", "οδος"],
            ["straſe", "strase"],
            ["Docs/a", "docs/b"],
            ["a", "a/b"],
            ["A", "a/b"],
            ["x/y/z", "x/Y"],
        ];
        for pair in pairs {
            assert!(!problems(&pair).is_empty(), "{pair:?}");
        }
        assert_eq!(problems(&["a/b", "a/c", "ab"]), Vec::<String>::new());
    }

    #[test]
    fn limits_are_told_together() {
        let limits = Limits { file_bytes: 10, bundle_bytes: 15, bundle_files: 1, ..Limits::default() };
        let file =
            |path: &str, size| BundleFile { path: path.to_owned(), executable: false, bytes: vec![0; size] };
        let said = check_files(&[file("a", 11), file("b", 5)], &limits);
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(check_files(&[], &limits).len(), 1);
    }

    #[test]
    fn a_hundred_problems_are_enough() {
        let paths: Vec<String> = (0..5_000).map(|number| format!("/{number}")).collect();
        let said = check_paths(paths.iter().map(String::as_str));
        assert_eq!(said.len(), 101);
        assert_eq!(said.last().unwrap().kind, BundleProblemKind::More(4_900));
    }
}
