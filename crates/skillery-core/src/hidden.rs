//! Characters that nobody sees, or that make a text look like another one.
//!
//! A model reads them all the same, and so a skill can tell it what no reviewer saw.

use std::fmt;

/// What a hidden character does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hidden {
    /// Turns the direction of reading around.
    Bidi,
    /// Takes no room.
    ZeroWidth,
    /// An invisible copy of ASCII, made for tags of languages.
    Tag,
    /// An invisible choice between glyphs, of which there are enough to write any bytes in.
    Selector,
    /// A control character of terminals or of old devices.
    Control,
    /// Breaks a line for some readers and not for others.
    LineBreak,
}

impl fmt::Display for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bidi => "bidirectional control",
            Self::ZeroWidth => "zero-width character",
            Self::Tag => "tag character",
            Self::Selector => "variation selector",
            Self::Control => "control character",
            Self::LineBreak => "unusual line break",
        })
    }
}

impl Hidden {
    /// What the character hides. Tabs, line feeds and carriage returns hide nothing, nor do the two selectors that
    /// say whether a sign is drawn as an emoji.
    pub fn of(character: char) -> Option<Self> {
        match character {
            '\t' | '\n' | '\r' => None,
            '\u{85}' | '\u{2028}' | '\u{2029}' => Some(Self::LineBreak),
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                Some(Self::Bidi)
            }
            '\u{ad}'
            | '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' => Some(Self::ZeroWidth),
            '\u{fe00}'..='\u{fe0d}' | '\u{180b}'..='\u{180d}' | '\u{e0100}'..='\u{e01ef}' => {
                Some(Self::Selector)
            }
            '\u{e0000}'..='\u{e007f}' => Some(Self::Tag),
            other if other.is_control() => Some(Self::Control),
            _ => None,
        }
    }
}

/// The first hidden character of a line, with its number of characters from the left, beginning at 0. The joiners
/// U+200C and U+200D count only beside ASCII: within emoji and within words of many scripts they belong to the writing.
pub fn first_hidden(line: &str) -> Option<(usize, char, Hidden)> {
    if line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let mut before = '\n';
    let mut rest = line.chars().enumerate().peekable();
    while let Some((column, character)) = rest.next() {
        let after = rest.peek().map_or('\n', |(_, next)| *next);
        let joins = matches!(character, '\u{200c}' | '\u{200d}') && !before.is_ascii() && !after.is_ascii();
        if let Some(hidden) = Hidden::of(character).filter(|_| !joins) {
            return Some((column, character, hidden));
        }
        before = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_found_and_ordinary_writing_is_not() {
        let hidden = [
            ("ab\u{202e}c", Hidden::Bidi),
            ("ab\u{200b}c", Hidden::ZeroWidth),
            ("a\u{200d}b", Hidden::ZeroWidth),
            ("x\u{e0041}", Hidden::Tag),
            ("x\u{e0101}", Hidden::Selector),
            ("\u{1b}[31m", Hidden::Control),
            ("a\u{2028}b", Hidden::LineBreak),
        ];
        for (text, expected) in hidden {
            assert_eq!(first_hidden(text).map(|(_, _, hidden)| hidden), Some(expected), "{text:?}");
        }
        assert_eq!(first_hidden("ab\u{202e}c").unwrap().0, 2);
        for text in ["plain\ttext", "⚠️ naïve 技能", "👩\u{200d}💻", "می\u{200c}خواهم", ""]
        {
            assert_eq!(first_hidden(text), None, "{text:?}");
        }
    }
}
