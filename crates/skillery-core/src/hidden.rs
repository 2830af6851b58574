//! Characters that nobody sees, or that make a text look like another one.
//!
//! A model reads them all the same, and so a skill can tell it what no reviewer saw.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;

use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_properties::UnicodeEmoji;

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
    /// What the character hides, wherever it stands. Tabs, line feeds and carriage returns hide nothing.
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
            '\u{fe00}'..='\u{fe0f}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{e0100}'..='\u{e01ef}' => {
                Some(Self::Selector)
            }
            '\u{e0000}'..='\u{e007f}' => Some(Self::Tag),
            other if other.is_control() => Some(Self::Control),
            _ => None,
        }
    }
}

/// Scripts whose letters take other forms beside a joiner: Arabic and those like it, those of India and its neighbours.
const JOINING: &[RangeInclusive<char>] = &[
    '\u{600}'..='\u{6ff}',
    '\u{700}'..='\u{74f}',
    '\u{750}'..='\u{77f}',
    '\u{7c0}'..='\u{7ff}',
    '\u{840}'..='\u{86f}',
    '\u{870}'..='\u{8ff}',
    '\u{900}'..='\u{97f}',
    '\u{980}'..='\u{9ff}',
    '\u{a00}'..='\u{a7f}',
    '\u{a80}'..='\u{aff}',
    '\u{b00}'..='\u{b7f}',
    '\u{b80}'..='\u{bff}',
    '\u{c00}'..='\u{c7f}',
    '\u{c80}'..='\u{cff}',
    '\u{d00}'..='\u{d7f}',
    '\u{d80}'..='\u{dff}',
    '\u{f00}'..='\u{fff}',
    '\u{1000}'..='\u{109f}',
    '\u{1780}'..='\u{17ff}',
    '\u{1800}'..='\u{18af}',
    '\u{1b00}'..='\u{1b7f}',
    '\u{a840}'..='\u{a87f}',
    '\u{a980}'..='\u{a9df}',
    '\u{10d00}'..='\u{10d3f}',
    '\u{1e900}'..='\u{1e95f}',
];
/// The combining class of signs that take the vowel from a letter, behind which a joiner says how the two are drawn.
const VIRAMA: u8 = 9;

/// The script, by its place in [`JOINING`], of a letter, mark or digit that stands in words beside a joiner or is drawn otherwise
/// there. The blocks of Arabic are one.
fn joining_script(character: char) -> Option<usize> {
    let place = JOINING.iter().position(|script| script.contains(&character))?;
    let writes = character.is_alphanumeric() || canonical_combining_class(character) != 0;
    let is_arabic = matches!(*JOINING[place].start(), '\u{600}' | '\u{750}' | '\u{870}');
    writes.then_some(if is_arabic { 0 } else { place })
}

/// Whether it is drawn as an emoji, or can be: digits can only with a key around them.
fn is_emoji(character: char) -> bool {
    !character.is_ascii() && character.is_emoji_char()
}

/// Whether what hides elsewhere belongs to the writing between these two. One does, a second one beside it never: neither of
/// them stands beside an emoji or a letter then. The selectors of ideographs are not here, of which 240 write any bytes.
fn is_needed(before: char, character: char, after: char) -> bool {
    match character {
        // A joiner: of two emoji to one, or of two letters.
        '\u{200d}' if is_emoji(before) || before == '\u{fe0f}' => is_emoji(after),
        '\u{200c}' | '\u{200d}' => {
            canonical_combining_class(before) == VIRAMA
                || joining_script(before).is_some_and(|script| joining_script(after) == Some(script))
        }
        // Whether a sign is drawn as an emoji; a digit is within a key.
        '\u{fe0f}' if matches!(before, '#' | '*' | '0'..='9') => after == '\u{20e3}',
        '\u{fe0e}' | '\u{fe0f}' => is_emoji(before),
        // The form of a Mongolian letter.
        '\u{180b}'..='\u{180d}' | '\u{180f}' => {
            matches!(before, '\u{1820}'..='\u{1878}' | '\u{1880}'..='\u{18aa}')
        }
        _ => false,
    }
}

/// The first hidden character of a line, with its number of characters from the left, beginning at 0. Joiners within emoji and
/// within words of the scripts that have them, and the selectors behind an emoji, belong to the writing, one at a time.
pub fn first_hidden(line: &str) -> Option<(usize, char, Hidden)> {
    first(line, is_needed)
}

/// The first hidden character of a text of several lines, as [`first_hidden`] finds it in one.
pub fn first_hidden_of_lines(text: &str) -> Option<(char, Hidden)> {
    text.split('\n').find_map(first_hidden).map(|(_, character, hidden)| (character, hidden))
}

/// As [`first_hidden`], by the wider rule that paths of bundles were once published under: what it let through is let through
/// too. It is for bundles whose digest is known; nothing new comes in by it.
pub(crate) fn first_hidden_of_published(line: &str) -> Option<(usize, char, Hidden)> {
    first(line, |before, character, after| {
        let was_let_through = match character {
            '\u{200c}' | '\u{200d}' => !before.is_ascii() && !after.is_ascii(),
            '\u{fe0e}' | '\u{fe0f}' | '\u{180f}' => true,
            _ => false,
        };
        was_let_through || is_needed(before, character, after)
    })
}

fn first(line: &str, is_needed: impl Fn(char, char, char) -> bool) -> Option<(usize, char, Hidden)> {
    if line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let mut before = '\n';
    let mut rest = line.chars().enumerate().peekable();
    while let Some((column, character)) = rest.next() {
        let after = rest.peek().map_or('\n', |(_, next)| *next);
        if let Some(hidden) = Hidden::of(character)
            && !is_needed(before, character, after)
        {
            return Some((column, character, hidden));
        }
        before = character;
    }
    None
}

/// A line in which everything hidden is written out, such as `⟨U+202E⟩`, and how many characters that were. A carriage return
/// is among them: it lets a terminal write over what stands before it.
pub fn visible(line: &str) -> (Cow<'_, str>, u64) {
    let is_plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    if line.as_bytes().iter().all(is_plain) {
        return (Cow::Borrowed(line), 0);
    }
    let (mut shown, mut hidden, mut before) = (String::with_capacity(line.len() + 16), 0, '\n');
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        let after = rest.peek().copied().unwrap_or('\n');
        let hides = character == '\r' || Hidden::of(character).is_some();
        if hides && !is_needed(before, character, after) {
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(character));
            hidden += 1;
        } else {
            shown.push(character);
        }
        before = character;
    }
    (Cow::Owned(shown), hidden)
}

/// Marks on one letter that are shown. Writing has fewer; more of them paint over the lines around.
const MAX_MARKS: usize = 8;

/// A text in one line, with all that nobody would see written out as in Rust, such as `\u{202e}` and `\n`: what is hidden, and marks
/// that have no letter to stand on, or too many others on it. What writing needs stays, such as accents, vowels and emoji.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // How many more marks the letter takes.
    let (mut before, mut room) = ('\n', 0_usize);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let after = rest.peek().copied().unwrap_or('\n');
        let (last, hides) = (std::mem::replace(&mut before, character), Hidden::of(character).is_some());
        if hides && is_needed(last, character, after) {
            shown.push(character);
        } else if hides {
            shown.extend(character.escape_unicode());
            room = 0;
        } else if is_mark(character) {
            match room {
                0 => shown.extend(character.escape_unicode()),
                _ => shown.push(character),
            }
            room = room.saturating_sub(1);
        } else if matches!(character, '\'' | '"' | '\\') || is_blank(character) {
            shown.push(character);
            room = MAX_MARKS;
        } else {
            let escaped = character.escape_debug();
            room = if escaped.len() == 1 { MAX_MARKS } else { 0 };
            shown.extend(escaped);
        }
    }
    shown
}

/// Characters that an excerpt has at most, and what is repeated of a name.
const MAX_EXCERPT: usize = 240;
const MAX_NAME: usize = 100;

/// The beginning of a text as [`shown`], short enough to be repeated in a message; `…` stands for the rest.
pub fn excerpt(text: &str) -> String {
    cut(text, MAX_EXCERPT, shown)
}

/// The beginning of what should be a name, short enough to be repeated in a message; `…` stands for the rest. All that is not ASCII is
/// written out as in Rust, and quotes and backslashes have a backslash before them, so that no letter passes for one that it looks like.
pub fn named(text: &str) -> String {
    cut(text, MAX_NAME, |text| text.escape_default().to_string())
}

fn cut(text: &str, most: usize, harmless: impl Fn(&str) -> String) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => harmless(&text[..end]) + "…",
        None => harmless(text),
    }
}

/// Whether it stands on the letter before it. The voiced marks of halfwidth katakana are letters by name, and marks by what they do.
fn is_mark(character: char) -> bool {
    is_combining_mark(character) || matches!(character, '\u{ff9e}' | '\u{ff9f}')
}

/// Whether it is a blank within a line, of whichever width.
fn is_blank(character: char) -> bool {
    character.is_whitespace() && !character.is_control()
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
            // Joiners and selectors that no writing needs.
            ("技\u{200d}能", Hidden::ZeroWidth),
            ("é\u{200c}é", Hidden::ZeroWidth),
            ("می\u{200c}\u{200c}خواهم", Hidden::ZeroWidth),
            ("می\u{200c}\u{200d}خواهم", Hidden::ZeroWidth),
            ("می\u{200c}क", Hidden::ZeroWidth),
            ("می\u{200c}", Hidden::ZeroWidth),
            ("می\u{200c}2", Hidden::ZeroWidth),
            ("۲\u{200c}२", Hidden::ZeroWidth),
            ("क्\u{200d}\u{200d}ष", Hidden::ZeroWidth),
            ("👩\u{200d}\u{200d}💻", Hidden::ZeroWidth),
            ("👩\u{200c}💻", Hidden::ZeroWidth),
            ("👩\u{200d}", Hidden::ZeroWidth),
            ("a\u{fe0f}", Hidden::Selector),
            ("\u{fe0f}", Hidden::Selector),
            ("技\u{fe0e}", Hidden::Selector),
            ("1\u{fe0f}", Hidden::Selector),
            ("1\u{fe0e}\u{20e3}", Hidden::Selector),
            ("⚠\u{fe0f}\u{fe0f}", Hidden::Selector),
            ("⚠\u{fe0f}\u{fe0e}", Hidden::Selector),
            ("⚠\u{fe00}", Hidden::Selector),
            ("ᠠ\u{180b}\u{180b}", Hidden::Selector),
            ("x\u{180f}", Hidden::Selector),
        ];
        for (text, expected) in hidden {
            assert_eq!(first_hidden(text).map(|(_, _, hidden)| hidden), Some(expected), "{text:?}");
        }
        assert_eq!(first_hidden("ab\u{202e}c").unwrap().0, 2);
        for text in [
            "plain\ttext",
            "⚠\u{fe0f} naïve 技能",
            "©\u{fe0e} ↔\u{fe0f}",
            "1\u{fe0f}\u{20e3} #\u{fe0f}\u{20e3}",
            "👩\u{200d}💻",
            "👩🏽\u{200d}⚕\u{fe0f}",
            "🏳\u{fe0f}\u{200d}🌈",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "می\u{200c}خواهم",
            "نسخه\u{200c}۲ ۱۰\u{200c}ساله",
            "संस्करण\u{200c}२",
            "क्\u{200d}ष क्\u{200c}ष",
            "ശ\u{d4d}\u{200d} ക\u{d4d}\u{200d}",
            "ක්\u{200d}ෂ",
            "র\u{200d}্য",
            "ᠠ\u{180b}",
            "",
        ] {
            assert_eq!(first_hidden(text), None, "{text:?}");
        }
    }

    #[test]
    fn all_that_is_hidden_is_written_out() {
        assert_eq!(visible("plain\ttext"), (Cow::Borrowed("plain\ttext"), 0));
        assert_eq!(visible("a\u{202e}b\u{200b}"), ("a⟨U+202E⟩b⟨U+200B⟩".into(), 2));
        assert_eq!(visible("x\u{e0041}\r"), ("x⟨U+E0041⟩⟨U+000D⟩".into(), 2));
        assert_eq!(visible("naïve 👩\u{200d}💻 می\u{200c}خواهم").1, 0);
    }

    #[test]
    fn writing_is_shown_and_what_nobody_sees_is_written_out() {
        for text in [
            "de\u{301}ja\u{300} l\u{ea}",
            "t\u{302}\u{301} \"it's\" C:\\x",
            "हिन्दी தமிழ் ไทยที่",
            "مَرْحَبًا می\u{200c}خواهم שָׁלוֹם",
            "❤\u{fe0f} 👩\u{200d}💻 1\u{fe0f}\u{20e3}",
            "日本語\u{3000}です",
            "ﾊﾟｿｺﾝ ｶﾞｲﾄﾞ",
        ] {
            assert_eq!(shown(text), text);
        }
        for (text, expected) in [
            ("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c"),
            ("a\nb\t\u{1b}[31m", "a\\nb\\t\\u{1b}[31m"),
            ("x\u{200d}y\u{fe0f}", "x\\u{200d}y\\u{fe0f}"),
            ("\u{301}x\n\u{301}", "\\u{301}x\\n\\u{301}"),
            ("\u{ff9e}", "\\u{ff9e}"),
            ("a\u{2028}b\u{115f}", "a\\u{2028}b\\u{115f}"),
        ] {
            assert_eq!(shown(text), expected);
        }
        let heap = format!("Z{}algo", "\u{315}".repeat(50));
        let expected = format!("Z{}{}algo", "\u{315}".repeat(8), "\\u{315}".repeat(42));
        assert_eq!(shown(&heap), expected);
    }

    #[test]
    fn messages_repeat_the_beginning_of_what_came() {
        let text = "De\u{301}ja\u{300} \u{202e}";
        assert_eq!(excerpt(text), "De\u{301}ja\u{300} \\u{202e}");
        assert_eq!(named(text), "De\\u{301}ja\\u{300} \\u{202e}");
        assert_eq!(
            (excerpt(&"日".repeat(240)), named(&"a".repeat(100))),
            ("日".repeat(240), "a".repeat(100))
        );
        assert_eq!(excerpt(&"日".repeat(241)), "日".repeat(240) + "…");
        assert_eq!(named(&"a".repeat(101)), "a".repeat(100) + "…");
    }

    #[test]
    fn what_was_published_under_the_wider_rule_stays_readable() {
        for text in ["技\u{200d}能", "é\u{200c}\u{200d}é", "a\u{fe0f}", "1\u{fe0e}", "x\u{180f}"] {
            assert!(first_hidden(text).is_some() && first_hidden_of_published(text).is_none(), "{text:?}");
        }
        for text in ["می\u{200c}خواهم", "ക\u{d4d}\u{200d} ", "ᠠ\u{180b}", "👩\u{200d}💻", "plain"]
        {
            assert!(first_hidden(text).is_none() && first_hidden_of_published(text).is_none(), "{text:?}");
        }
        for text in ["a\u{200d}b", "ab\u{202e}c", "a\u{200b}b", "x\u{e0101}", "⚠\u{fe00}", "x\u{180b}"] {
            assert!(first_hidden_of_published(text).is_some(), "{text:?}");
        }
    }
}
