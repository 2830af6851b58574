//! Source with the kinds of its words, as classes of the style sheet.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use super::markdown::Rendered;

/// Bytes of a file that is highlighted at most.
pub const MOST: usize = 256 * 1024;
/// Characters of a line that are shown.
const LINE: usize = 10_000;
/// Characters of a line whose kinds of words are looked for.
const LOOKED_AT: usize = 2_000;
/// How long kinds of words are looked for on one page; what comes after is plain.
const PATIENCE: Duration = Duration::from_millis(1_500);

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// What scopes begin with, and the class of what they are. The first that fits counts.
static CLASSES: LazyLock<Vec<(Scope, &'static str)>> = LazyLock::new(|| {
    [
        ("comment", "c"),
        ("punctuation.definition.comment", "c"),
        ("constant.character.escape", "e"),
        ("string", "s"),
        ("punctuation.definition.string", "s"),
        ("constant.numeric", "n"),
        ("constant.language", "n"),
        ("keyword.operator", ""),
        ("keyword", "k"),
        ("storage", "k"),
        ("entity.name.function", "f"),
        ("support.function", "f"),
        ("variable.function", "f"),
        ("entity.name.tag", "k"),
        ("entity.other.attribute-name", "f"),
        ("entity.name", "t"),
        ("support.type", "t"),
        ("support.class", "t"),
        ("markup.heading", "t"),
        ("markup.raw", "s"),
        ("markup.bold", "k"),
        ("variable.parameter", "p"),
        ("meta.mapping.key string", "f"),
    ]
    .iter()
    .filter_map(|(prefix, class)| Some((Scope::new(prefix).ok()?, *class)))
    .collect()
});

/// When the texts of a page that is made from now on are to be plain.
pub fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// The lines of a text as HTML, with line breaks between, plain from the deadline on. Blocks for as long as the file is
/// large.
pub fn lines(path: &str, text: &str, deadline: Instant) -> Rendered {
    let syntax = if text.len() <= MOST { syntax(path, text) } else { None };
    let mut state = syntax.filter(|_| Instant::now() < deadline).map(ParseState::new);
    let mut stack = ScopeStack::new();
    let mut html = String::with_capacity(text.len() * 2);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if number > 0 {
            html.push('\n');
        }
        let is_long = line.len() > LOOKED_AT;
        let parsed = match &mut state {
            Some(state) if !is_long => state.parse_line(line, &SYNTAXES).ok(),
            _ => None,
        };
        let Some(changes) = parsed else {
            one(&mut html, "", shown(line));
            // Where the text went on is not known any more.
            if !is_long {
                state = None;
            }
            continue;
        };
        let mut pieces: Vec<(&'static str, &str)> = Vec::new();
        let mut from = 0;
        for (place, change) in changes {
            add(&mut pieces, class(&stack), line.get(from..place).unwrap_or_default());
            from = place;
            if stack.apply(&change).is_err() {
                stack = ScopeStack::new();
            }
        }
        add(&mut pieces, class(&stack), line.get(from..).unwrap_or_default());
        for (class, piece) in pieces {
            one(&mut html, class, piece.trim_end_matches(['\n', '\r']));
        }
        if Instant::now() > deadline {
            state = None;
        }
    }
    Arc::from(html)
}

fn syntax(path: &str, text: &str) -> Option<&'static SyntaxReference> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit('.').next().unwrap_or(name);
    let extension = match extension {
        "ts" | "tsx" | "mjs" | "cjs" | "jsx" => "js",
        "toml" | "cfg" | "ini" => "properties",
        other => other,
    };
    let by_first_line = || SYNTAXES.find_syntax_by_first_line(text.lines().next()?);
    SYNTAXES.find_syntax_by_extension(extension).or_else(by_first_line)
}

/// The class of the innermost scope that has one.
fn class(stack: &ScopeStack) -> &'static str {
    let of = |scope: &Scope| {
        CLASSES.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, class)| *class)
    };
    stack.as_slice().iter().rev().find_map(of).unwrap_or_default()
}

fn add<'line>(pieces: &mut Vec<(&'static str, &'line str)>, class: &'static str, piece: &'line str) {
    if !piece.is_empty() {
        pieces.push((class, piece));
    }
}

fn shown(line: &str) -> &str {
    let line = line.trim_end_matches(['\n', '\r']);
    line.char_indices().nth(LINE).map_or(line, |(end, _)| &line[..end])
}

fn one(html: &mut String, class: &str, text: &str) {
    let is_plain = class.is_empty() || text.trim().is_empty();
    if !is_plain {
        html.push_str("<b class=\"");
        html.push_str(class);
        html.push_str("\">");
    }
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            // It would end a line for browsers.
            '\r' => html.push(' '),
            other => html.push(other),
        }
    }
    if !is_plain {
        html.push_str("</b>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_classes_and_nothing_is_html() {
        let html =
            lines("scripts/tool.py", "def tool():\r\n    # <b>&\n    return '<script>' + 1\n", deadline());
        let lines: Vec<&str> = html.split('\n').collect();
        assert_eq!(lines.len(), 3, "{html}");
        assert!(
            lines[0].contains("<b class=\"k\">def</b>") && lines[0].contains("<b class=\"f\">tool</b>"),
            "{html}"
        );
        assert!(lines[1].contains("&lt;b&gt;&amp;") && lines[1].contains("class=\"c\""), "{html}");
        assert!(lines[2].contains("class=\"s\"") && !html.contains("<script"), "{html}");
        // A string over lines ends none of its spans too late.
        let html = super::lines("x.py", "x = '''a\nb\nc'''\ny = 2\n", deadline());
        for line in html.split('\n') {
            assert_eq!(line.matches("<b ").count(), line.matches("</b>").count(), "{html}");
        }
        let late = super::lines("x.py", "def tool():\n    return '<'\n", Instant::now());
        assert_eq!(&*late, "def tool():\n    return '&lt;'");
    }

    #[test]
    fn every_line_is_there_whatever_is_in_it() {
        for text in
            ["", "a", "a\n", "\n\n", "a\n\nb", "\u{0}\u{1b}[0m\n", &"(".repeat(60_000), &"x\n".repeat(9_000)]
        {
            for path in ["x.py", "x.json", "x.md", "x.unknown", "Makefile", ""] {
                let shown = lines(path, text, deadline());
                assert_eq!(shown.split('\n').count(), text.lines().count().max(1), "{path} {}", text.len());
            }
        }
        let long = format!("{}\ny = 1\n", "é".repeat(20_000));
        assert_eq!(lines("x.py", &long, deadline()).split('\n').next().unwrap().chars().count(), LINE);
    }
}
