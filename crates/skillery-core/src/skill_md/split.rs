//! `SKILL.md` taken apart: front matter between two lines `---`, and what stands behind.

use crate::hidden::Hidden;
use crate::limits::{MAX_FRONT_MATTER_BYTES, MAX_SKILL_FILE_BYTES};
use crate::lint::{Findings, LintRule, Place};

/// The two parts of the file.
pub(crate) struct Parts<'a> {
    /// The whole file, without a byte order mark.
    pub(crate) text: &'a str,
    /// What stands between the fences, from line 2 on.
    pub(crate) front_matter: &'a str,
    /// What stands behind them.
    pub(crate) body: &'a str,
    /// The line in which that begins, counted from 1.
    pub(crate) body_line: usize,
}

/// Takes the file apart. `None` where it has no front matter that can be read; the findings say why.
pub(crate) fn split<'a>(bytes: &'a [u8], path: &str, findings: &mut Findings) -> Option<Parts<'a>> {
    if bytes.len() > MAX_SKILL_FILE_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_SKILL_FILE_BYTES} are read", bytes.len());
        findings.push(LintRule::SkillFileTooLarge, path, None, message);
        return None;
    }
    let text = text_of(bytes, path, findings)?;
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => {
            let message = "the file begins with a byte order mark, which some clients do not read past";
            findings.push(LintRule::ByteOrderMark, path, Place::line(1), message);
            rest
        }
        None => text,
    };
    let first = text.split_inclusive('\n').next().unwrap_or_default();
    if !is_fence(first, 1, path, findings) {
        let message = match first.trim() {
            "" if text.trim_start().starts_with("---") => {
                "blank lines stand before the front matter; the first line must be `---`"
            }
            trimmed if trimmed.starts_with("----") => "the first line has more than three dashes; it must be `---`",
            trimmed if trimmed.starts_with("---") => "the first line has more than `---` in it",
            _ => "there is no front matter: the first line must be `---`, with `name` and `description` below it",
        };
        findings.push(LintRule::FrontMatterMissing, path, Place::line(1), message);
        return None;
    }
    let mut end = first.len();
    for (number, line) in text[first.len()..].split_inclusive('\n').enumerate() {
        let line_number = number + 2;
        if is_fence(line, line_number, path, findings) {
            let front_matter = &text[first.len()..end];
            check_line_breaks(front_matter, path, findings)?;
            let body = &text[end + line.len()..];
            return Some(Parts { text, front_matter, body, body_line: line_number + 1 });
        }
        end += line.len();
        if end - first.len() > MAX_FRONT_MATTER_BYTES {
            let message = format!(
                "the front matter is larger than {MAX_FRONT_MATTER_BYTES} bytes, or has no second line `---`"
            );
            findings.push(LintRule::FrontMatterTooLarge, path, Place::line(line_number), message);
            return None;
        }
    }
    let message = "the front matter has no end: a second line `---` is missing";
    findings.push(LintRule::FrontMatterUnclosed, path, Place::line(1), message);
    None
}

/// The bytes as UTF-8.
pub(crate) fn text_of<'a>(bytes: &'a [u8], path: &str, findings: &mut Findings) -> Option<&'a str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let at = error.valid_up_to();
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("the file is not UTF-8, from byte {at} on");
            findings.push(LintRule::NotUtf8, path, Place::line(line), message);
            None
        }
    }
}

/// Whether the line is a fence; blanks behind it are told.
fn is_fence(line: &str, number: usize, path: &str, findings: &mut Findings) -> bool {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.trim_end_matches([' ', '\t']) != "---" {
        return false;
    }
    if line.len() > 3 {
        let message = "blanks stand behind `---`; some clients take the line for another one then";
        findings.push(LintRule::FenceWhitespace, path, Place::new(number, 4), message);
    }
    true
}

/// Every reader must see the same lines, or it sees other fields.
fn check_line_breaks(front_matter: &str, path: &str, findings: &mut Findings) -> Option<()> {
    let mut good = Some(());
    for (number, line) in front_matter.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let strange = |character: char| character == '\r' || Hidden::of(character) == Some(Hidden::LineBreak);
        if let Some(at) = line.find(strange) {
            let column = line[..at].chars().count() + 1;
            let message = "the line has a line break that not every client takes for one";
            findings.push(LintRule::LineBreak, path, Place::new(number + 2, column), message);
            good = None;
        }
    }
    good
}
