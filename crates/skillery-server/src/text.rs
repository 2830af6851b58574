//! Texts that callers send and others will read.

pub use skillery_core::hidden::{excerpt, named, shown};
use skillery_core::{Problem, ProblemCode};

use crate::failure::{Failure, Result};

/// A field of the body has a value that it may not have.
pub fn invalid(field: &str, detail: impl Into<String>) -> Failure {
    Problem::new(ProblemCode::InvalidField, detail).with("field", field).into()
}

/// A text of at most `limit` characters without those that control a terminal or turn the direction of reading.
/// `lines` allows line breaks and tabs.
pub fn check_text(field: &str, text: &str, limit: usize, lines: bool) -> Result<()> {
    if text.chars().count() > limit {
        return Err(invalid(field, format!("`{field}` is longer than {limit} characters")));
    }
    let bad = |character: char| match character {
        '\n' | '\t' | '\r' => !lines,
        // Characters that turn the direction of text around, or are not seen, make a text lie. The joiners U+200C and
        // U+200D belong to ordinary writing.
        '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => true,
        other => other.is_control(),
    };
    match text.chars().find(|character| bad(*character)) {
        None => Ok(()),
        Some(found) => Err(invalid(
            field,
            format!("`{field}` has the character {}, which is not allowed", found.escape_unicode()),
        )),
    }
}

/// What somebody says, without blanks around it: a text of at most `most` characters. `missing` tells whoever says nothing what is missing.
pub fn said(field: &str, text: &str, most: usize, missing: &str) -> Result<String> {
    check_text(field, text, most, true)?;
    match text.trim() {
        "" => Err(invalid(field, missing)),
        text => Ok(text.to_owned()),
    }
}
