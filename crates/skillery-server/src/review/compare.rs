//! Which files of two versions belong together, and what became of each.

use std::collections::{BTreeMap, HashMap};

use skillery_core::api::{FileChange, FileDiff, FileSummary};
use skillery_core::{Digest, Limits};

use super::lines::{Budget, compared};
use super::{Side, is_comparable, text_of};

/// A file before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair<'a> {
    /// What became of it.
    pub status: FileChange,
    /// What it was.
    pub before: Option<&'a FileSummary>,
    /// What it is.
    pub after: Option<&'a FileSummary>,
}

impl<'a> Pair<'a> {
    /// The paths that it has and had.
    pub fn paths(&self) -> impl Iterator<Item = &'a str> {
        self.after.into_iter().chain(self.before).map(|file| file.path.as_str())
    }

    /// Whether only its path or its mode is another.
    pub fn has_same_content(&self) -> bool {
        matches!((self.before, self.after), (Some(before), Some(after)) if before.digest == after.digest)
    }

    /// Its content before and after.
    pub fn contents<'side>(&self, from: Option<&'side Side>, to: &'side Side) -> (&'side [u8], &'side [u8]) {
        let before = self.before.zip(from).map_or(&[][..], |(file, side)| side.bytes(&file.path));
        let after = self.after.map_or(&[][..], |file| to.bytes(&file.path));
        (before, after)
    }

    /// What became of it, with its lines as far as the budget goes.
    pub fn compare(&self, from: Option<&Side>, to: &Side, limits: &Limits, budget: &mut Budget) -> FileDiff {
        let (before, after) = self.contents(from, to);
        let texts = text_of(before).zip(text_of(after));
        let mut diff = FileDiff {
            path: self.paths().next().unwrap_or_default().to_owned(),
            status: self.status,
            before: self.before.cloned(),
            after: self.after.cloned(),
            binary: texts.is_none(),
            added: 0,
            removed: 0,
            hidden: 0,
            truncated: false,
            hunks: Vec::new(),
        };
        let Some((before, after)) = texts.filter(|_| !self.has_same_content()) else { return diff };
        if !is_comparable(before, limits) || !is_comparable(after, limits) || !budget.take_file() {
            diff.truncated = true;
            return diff;
        }
        let compared = compared(before, after, budget);
        diff.added = compared.added;
        diff.removed = compared.removed;
        diff.hidden = compared.hidden;
        diff.truncated = compared.truncated;
        diff.hunks = compared.hunks;
        diff
    }
}

/// The files that are not the same, by path, and how many are.
pub fn pairs<'a>(before: &'a [FileSummary], after: &'a [FileSummary]) -> (Vec<Pair<'a>>, u64) {
    let old: BTreeMap<&str, &FileSummary> = before.iter().map(|file| (file.path.as_str(), file)).collect();
    let new: BTreeMap<&str, &FileSummary> = after.iter().map(|file| (file.path.as_str(), file)).collect();
    let (mut pairs, mut unchanged) = (Vec::new(), 0);
    let mut gone: HashMap<Digest, Vec<&FileSummary>> = HashMap::new();
    for file in old.values().filter(|file| !new.contains_key(file.path.as_str())) {
        gone.entry(file.digest).or_default().push(file);
    }
    for file in new.values() {
        match old.get(file.path.as_str()) {
            Some(known) if known.digest == file.digest && known.mode == file.mode => unchanged += 1,
            Some(known) => {
                pairs.push(Pair { status: FileChange::Changed, before: Some(known), after: Some(file) });
            }
            None => pairs.push(moved(file, &mut gone)),
        }
    }
    let removed = gone.into_values().flatten();
    pairs.extend(removed.map(|file| Pair { status: FileChange::Removed, before: Some(file), after: None }));
    pairs.sort_by_key(|pair| pair.paths().next());
    (pairs, unchanged)
}

/// A file that is new, or has another path: rather one of the same name. Empty files are like each other by chance.
fn moved<'a>(file: &'a FileSummary, gone: &mut HashMap<Digest, Vec<&'a FileSummary>>) -> Pair<'a> {
    let name = |file: &FileSummary| file.path.rsplit('/').next().unwrap_or_default().to_owned();
    let alike = gone.get_mut(&file.digest).filter(|alike| !alike.is_empty() && file.size > 0);
    let before = alike.map(|alike| {
        let place = alike.iter().position(|other| name(other) == name(file)).unwrap_or(0);
        alike.remove(place)
    });
    let status = if before.is_some() { FileChange::Renamed } else { FileChange::Added };
    Pair { status, before, after: Some(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str, mode: &str) -> FileSummary {
        FileSummary {
            path: path.to_owned(),
            size: content.len() as u64,
            mode: mode.to_owned(),
            digest: Digest::of(content.as_bytes()),
        }
    }

    #[test]
    fn files_are_known_again_by_path_and_then_by_content() {
        let before = [
            file("a", "1", "0644"),
            file("b", "2", "0644"),
            file("c", "3", "0644"),
            file("gone", "4", "0644"),
            file("empty", "", "0644"),
            file("x/same", "5", "0644"),
            file("x/other", "5", "0644"),
        ];
        let after = [
            file("a", "1", "0644"),
            file("b", "2", "0755"),
            file("c", "33", "0644"),
            file("empty-too", "", "0644"),
            file("y/same", "5", "0755"),
        ];
        let (pairs, unchanged) = pairs(&before, &after);
        let told: Vec<String> = pairs
            .iter()
            .map(|pair| format!("{} {}", pair.status, pair.paths().collect::<Vec<_>>().join(" < ")))
            .collect();
        let expected = [
            "changed b < b",
            "changed c < c",
            "removed empty",
            "added empty-too",
            "removed gone",
            "removed x/other",
            "renamed y/same < x/same",
        ];
        assert_eq!((told, unchanged), (expected.map(str::to_owned).to_vec(), 1));
    }
}
