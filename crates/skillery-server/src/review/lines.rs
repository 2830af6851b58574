//! Lines of two texts: which are the same, and which are shown.

use std::collections::HashMap;
use std::time::Instant;

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops};
use skillery_core::Limits;
use skillery_core::api::{Hunk, HunkLine, LineKind};
use skillery_core::hidden::visible;

/// Lines that stand around what changed.
const CONTEXT: usize = 3;

/// What one diff may still show.
pub struct Budget {
    files: usize,
    lines: usize,
    bytes: usize,
    deadline: Instant,
}

impl Budget {
    /// All of it.
    pub fn new(limits: &Limits, deadline: Instant) -> Self {
        Self { files: limits.diff_files, lines: limits.diff_lines, bytes: limits.diff_bytes, deadline }
    }

    /// Takes room for a file, where there is some.
    pub fn take_file(&mut self) -> bool {
        let is_there = self.files > 0 && self.lines > 0 && self.bytes > 0;
        self.files = self.files.saturating_sub(1);
        is_there
    }

    fn take_line(&mut self, text: &str) -> bool {
        let is_there = self.lines > 0 && text.len() <= self.bytes;
        match is_there {
            true => (self.lines, self.bytes) = (self.lines - 1, self.bytes - text.len()),
            // What comes later is left out as well, so that what is shown is the beginning.
            false => self.lines = 0,
        }
        is_there
    }
}

/// The lines of a text, each with its end.
pub fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// What changed, in groups with lines around them. When the time is over, what is left is taken as changed as a whole.
pub fn changes<'a>(old: &[&'a str], new: &[&'a str], deadline: Instant) -> Vec<Vec<DiffOp>> {
    // Numbers are compared instead of lines, as long ones that are nearly the same would take time each time.
    let mut known: HashMap<&'a str, usize> = HashMap::new();
    let (old, new) = (numbers(old, &mut known), numbers(new, &mut known));
    group_diff_ops(capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline)), CONTEXT)
}

fn numbers<'a>(lines: &[&'a str], known: &mut HashMap<&'a str, usize>) -> Vec<usize> {
    let mut numbers = Vec::with_capacity(lines.len());
    for line in lines {
        let next = known.len();
        numbers.push(*known.entry(line).or_insert(next));
    }
    numbers
}

/// What the lines of two texts come to.
#[derive(Debug, Default)]
pub struct Compared {
    /// What changed.
    pub hunks: Vec<Hunk>,
    /// Lines that were added, shown or not.
    pub added: u64,
    /// Lines that were removed, shown or not.
    pub removed: u64,
    /// Hidden characters in the lines that are shown.
    pub hidden: u64,
    /// Whether lines are left out.
    pub truncated: bool,
}

/// Compares two texts, and shows what changed as far as the budget goes.
pub fn compared(old: &str, new: &str, budget: &mut Budget) -> Compared {
    let (old, new) = (split(old), split(new));
    // Where all lines end like this, that says nothing. Where some do, it may be all that changed.
    let is_dos =
        old.iter().chain(&new).filter(|line| line.ends_with('\n')).all(|line| line.ends_with("\r\n"));
    let mut compared = Compared::default();
    for group in changes(&old, &new, budget.deadline) {
        for op in &group {
            if !matches!(op, DiffOp::Equal { .. }) {
                compared.added += op.new_range().len() as u64;
                compared.removed += op.old_range().len() as u64;
            }
        }
        if compared.truncated {
            continue;
        }
        let mut hunk = Hunk { old_start: 0, old_lines: 0, new_start: 0, new_lines: 0, lines: Vec::new() };
        if let Some(first) = group.first() {
            (hunk.old_start, hunk.new_start) =
                (first.old_range().start as u64, first.new_range().start as u64);
        }
        for (kind, old_place, new_place) in group.iter().flat_map(lines_of) {
            let line = match kind {
                LineKind::Added => new.get(new_place),
                LineKind::Context | LineKind::Removed => old.get(old_place),
            };
            let Some(line) = line else { continue };
            let unended = !line.ends_with('\n');
            let line = line.strip_suffix('\n').unwrap_or(line);
            let (text, hidden) = visible(if is_dos { line.strip_suffix('\r').unwrap_or(line) } else { line });
            if !budget.take_line(&text) {
                compared.truncated = true;
                break;
            }
            let number = |is_there: bool, place: usize| is_there.then_some(place as u64 + 1);
            let (is_old, is_new) = (kind != LineKind::Added, kind != LineKind::Removed);
            hunk.old_lines += u64::from(is_old);
            hunk.new_lines += u64::from(is_new);
            compared.hidden += hidden;
            let (old, new) = (number(is_old, old_place), number(is_new, new_place));
            hunk.lines.push(HunkLine { kind, old, new, text: text.into_owned(), hidden, unended });
        }
        hunk.old_start += u64::from(hunk.old_lines > 0);
        hunk.new_start += u64::from(hunk.new_lines > 0);
        if !hunk.lines.is_empty() {
            compared.hunks.push(hunk);
        }
    }
    compared
}

/// The lines of a change, with their places in both texts: those that are gone before those that came.
pub fn lines_of(op: &DiffOp) -> impl Iterator<Item = (LineKind, usize, usize)> + use<> {
    let (old, new) = (op.old_range(), op.new_range());
    let is_equal = matches!(op, DiffOp::Equal { .. });
    let first = if is_equal { LineKind::Context } else { LineKind::Removed };
    let start = new.start;
    let behind = old.clone().zip(start..).map(move |(old, new)| (first, old, new));
    let added = if is_equal { 0..0 } else { new };
    let end = old.end;
    behind.chain(added.map(move |new| (LineKind::Added, end, new)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn budget(lines: usize) -> Budget {
        let limits = Limits { diff_lines: lines, ..Limits::default() };
        Budget::new(&limits, Instant::now() + Duration::from_secs(60))
    }

    fn told(old: &str, new: &str) -> Vec<String> {
        let compared = compared(old, new, &mut budget(1_000));
        let mut told = Vec::new();
        for hunk in compared.hunks {
            let Hunk { old_start, old_lines, new_start, new_lines, .. } = hunk;
            told.push(format!("@ {old_start},{old_lines} {new_start},{new_lines}"));
            for line in hunk.lines {
                let sign = match line.kind {
                    LineKind::Context => ' ',
                    LineKind::Removed => '-',
                    LineKind::Added => '+',
                };
                let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |at| at.to_string());
                let unended = if line.unended { " (unended)" } else { "" };
                told.push(format!("{sign}{} {} {}{unended}", number(line.old), number(line.new), line.text));
            }
        }
        told
    }

    #[test]
    fn lines_have_their_numbers_on_both_sides() {
        assert_eq!(told("a\nb\nc\n", "a\nB\nc\n"), ["@ 1,3 1,3", " 1 1 a", "-2 - b", "+- 2 B", " 3 3 c"]);
        assert_eq!(told("", "a\nb"), ["@ 0,0 1,2", "+- 1 a", "+- 2 b (unended)"]);
        assert_eq!(told("a\n", ""), ["@ 1,1 0,0", "-1 - a"]);
        assert_eq!(told("a", "a\n"), ["@ 1,1 1,1", "-1 - a (unended)", "+- 1 a"]);
        let long: String = (1..=20).map(|number| format!("{number}\n")).collect();
        assert_eq!(
            told(&long, &long.replace("20\n", "20\n21\n")),
            ["@ 18,3 18,4", " 18 18 18", " 19 19 19", " 20 20 20", "+- 21 21"]
        );
        assert!(told("same\n", "same\n").is_empty());
    }

    #[test]
    fn what_is_hidden_is_shown() {
        assert_eq!(told("a\n", "a\u{202e}\n"), ["@ 1,1 1,1", "-1 - a", "+- 1 a⟨U+202E⟩"]);
        // Ends of lines are told where they are not all alike.
        assert_eq!(told("a\r\nb\r\n", "a\r\nc\r\n"), ["@ 1,2 1,2", " 1 1 a", "-2 - b", "+- 2 c"]);
        assert_eq!(told("a\n", "a\r\n"), ["@ 1,1 1,1", "-1 - a", "+- 1 a⟨U+000D⟩"]);
    }

    #[test]
    fn what_is_left_out_is_told_and_counted() {
        let (old, new): (String, String) = ("old\n".repeat(30), "new\n".repeat(30));
        let mut budget = budget(10);
        let first = compared(&old, &new, &mut budget);
        assert!(first.truncated && first.added == 30 && first.removed == 30);
        assert_eq!(
            (first.hunks[0].old_lines, first.hunks[0].new_lines, first.hunks[0].lines.len()),
            (10, 0, 10)
        );
        assert!(!budget.take_file());
        // Time that is over makes a diff larger, and no lines get lost.
        let late = Budget { deadline: Instant::now(), ..super::tests::budget(1_000) };
        let mut late = late;
        let (old, new): (String, String) = (
            (0..200).map(|n| format!("{n}\n")).collect(),
            (0..200).map(|n| format!("{}\n", n / 2)).collect(),
        );
        let compared = compared(&old, &new, &mut late);
        assert_eq!(compared.added, compared.removed);
        assert!(!compared.truncated && compared.added > 0);
    }
}
