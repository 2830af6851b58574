//! Texts from outside that a terminal only shows, for people and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::failure::{Exit, Failure};

/// A text from outside, made harmless to a terminal: line breaks become spaces, and what would move the cursor,
/// change colours, turn the reading direction or hide is written as its number, for example `\u{1b}`.
pub(crate) fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => shown.push(' '),
            harmful if is_harmful(harmful) => shown.extend(harmful.escape_unicode()),
            other => shown.push(other),
        }
    }
    shown
}

/// Control characters, marks of reading direction, invisible characters, and line separators.
pub(super) fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// JSON in which everything that [`safe`] would alter is escaped: the value is the same, and a terminal is safe.
pub(super) fn json_text<T: Serialize>(value: &T, pretty: bool) -> Result<String, Failure> {
    let json = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let json = json.map_err(|error| {
        Failure::new(Exit::Failed, "output-error", "cannot write the result as JSON").cause(&error)
    })?;
    let mut text = String::with_capacity(json.len() + 1);
    let mut units = [0; 2];
    for character in json.chars() {
        // Between strings JSON has no such character but the line break of the pretty form.
        if character != '\n' && is_harmful(character) {
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(character);
        }
    }
    text.push('\n');
    Ok(text)
}
