//! One finding, and the list in which they are gathered.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Level, LintRule, Strictness};

/// A line and a column, both counted from 1, the column in Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// The first column of a line, counted from 1.
    pub fn line(line: usize) -> Self {
        Self::new(line, 1)
    }

    /// A line and a column, counted from 1.
    pub fn new(line: usize, column: usize) -> Self {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: number(line), column: number(column) }
    }
}

/// One thing that a rule has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: LintRule,
    /// What it weighs here.
    pub level: Level,
    /// The file within the skill; empty where it is about all of them. Safe to show.
    pub path: String,
    /// Where in the file.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What is wrong, and what to do. Safe to show.
    pub message: String,
}

/// So many findings of one rule are told, so that a hostile file does not make a report larger than itself.
const MOST_OF_ONE_RULE: usize = 50;

/// Gathers findings.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) strictness: Strictness,
    told: Vec<Finding>,
    counts: BTreeMap<LintRule, usize>,
}

impl Findings {
    pub(crate) fn new(strictness: Strictness) -> Self {
        Self { strictness, told: Vec::new(), counts: BTreeMap::new() }
    }

    /// Adds a finding. The path and what the message repeats must be safe to show: see [`quoted`].
    pub(crate) fn push(
        &mut self,
        rule: LintRule,
        path: &str,
        place: impl Into<Option<Place>>,
        message: impl Into<String>,
    ) {
        let full = self.is_full(rule);
        *self.counts.entry(rule).or_default() += 1;
        if !full {
            let level = rule.level(self.strictness);
            let (path, place, message) = (path.to_owned(), place.into(), message.into());
            self.told.push(Finding { rule, level, path, place, message });
        }
    }

    /// Whether another finding of this rule would only be counted.
    pub(crate) fn is_full(&self, rule: LintRule) -> bool {
        self.counts.get(&rule).is_some_and(|count| *count >= MOST_OF_ONE_RULE)
    }

    /// All of them, those of the whole first, then by file and place.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        let counts = std::mem::take(&mut self.counts);
        for (rule, count) in counts.into_iter().filter(|(_, count)| *count > MOST_OF_ONE_RULE) {
            let message = format!("there are {} more findings of `{rule}`", count - MOST_OF_ONE_RULE);
            self.push(LintRule::FindingsOmitted, "", None, message);
        }
        self.told.sort_by(|left, right| {
            (&left.path, left.place, left.rule, &left.message).cmp(&(
                &right.path,
                right.place,
                right.rule,
                &right.message,
            ))
        });
        self.told
    }
}

/// A foreign text made safe to repeat in a message, in backticks: what is hidden is escaped, it is one line, and cut at 80
/// characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    for character in text.chars().take(80) {
        match crate::hidden::Hidden::of(character) {
            None if !matches!(character, '\t' | '\n' | '\r' | '`') => shown.push(character),
            _ => shown.extend(character.escape_default()),
        }
    }
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}

/// Where lines begin, for places from offsets.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let feeds = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, starts: std::iter::once(0).chain(feeds.map(|(at, _)| at + 1)).collect() }
    }

    /// The place of a byte. It costs time in proportion to the length of the line.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        Place::new(line, self.text[start..offset].chars().count() + 1)
    }
}
