//! Tags that authors write themselves: read as browsers read them, and written anew.

/// Tags that do not end, after which nothing more is taken for one.
const MAX_BROKEN: usize = 8;

/// A part of what an author wrote as HTML.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'text> {
    /// Text, with references to characters as they are.
    Text(&'text str),
    /// A tag that begins something.
    Open(String, Vec<(String, String)>),
    /// A tag that ends something.
    Close(String),
}

/// What an element may stand in, and around what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A part of a line.
    Inline,
    /// A part of a line with nothing in it.
    Void,
    /// A block.
    Block,
    /// A block with nothing in it.
    VoidBlock,
}

/// The element with this name, if authors may use it.
pub fn element(name: &str) -> Option<(&'static str, Kind)> {
    const INLINE: [&str; 30] = [
        "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "i", "ins", "kbd", "mark", "q",
        "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt",
        "u", "var",
    ];
    const VOID: [&str; 3] = ["br", "img", "wbr"];
    const BLOCK: [&str; 29] = [
        "blockquote",
        "caption",
        "center",
        "colgroup",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "li",
        "ol",
        "p",
        "pre",
        "summary",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    const VOID_BLOCK: [&str; 2] = ["col", "hr"];
    let among =
        |names: &[&'static str], kind| names.iter().find(|known| **known == name).map(|name| (*name, kind));
    among(&INLINE, Kind::Inline)
        .or_else(|| among(&VOID, Kind::Void))
        .or_else(|| among(&BLOCK, Kind::Block))
        .or_else(|| among(&VOID_BLOCK, Kind::VoidBlock))
}

/// Whether the attribute is kept as it is. Links and names of places are seen to elsewhere.
pub fn keeps(element: &str, attribute: &str, value: &str) -> bool {
    let is_size = || !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'%');
    match attribute {
        "title" | "lang" | "dir" => true,
        "align" => {
            !matches!(element, "a" | "span") && matches!(value, "left" | "right" | "center" | "justify")
        }
        "alt" => element == "img",
        "width" | "height" => element == "img" && is_size(),
        "colspan" | "rowspan" => matches!(element, "td" | "th") && is_size(),
        "start" => element == "ol" && is_size(),
        "open" => element == "details",
        _ => false,
    }
}

/// Takes HTML apart. Comments, declarations, scripts and style sheets are no part of it.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut broken = 0;
    while let Some(place) = rest.find('<') {
        if place > 0 {
            pieces.push(Piece::Text(&rest[..place]));
        }
        let tag = &rest[place..];
        let (piece, length) = one(tag);
        if piece == Piece::Text("<") {
            // Each was looked at to the end of the text.
            broken += 1;
            if broken > MAX_BROKEN {
                rest = tag;
                break;
            }
        }
        rest = &tag[length..];
        if let Piece::Open(name, _) = &piece
            && matches!(name.as_str(), "script" | "style")
        {
            let is_end = |place: &usize| {
                rest.get(place + 2..place + 2 + name.len()).is_some_and(|end| end.eq_ignore_ascii_case(name))
            };
            let end = rest.match_indices("</").map(|(place, _)| place).find(is_end);
            rest = &rest[end.unwrap_or(rest.len())..];
            continue;
        }
        if piece != Piece::Text("") {
            pieces.push(piece);
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// What begins with this `<`, and how long it is.
fn one(text: &str) -> (Piece<'_>, usize) {
    let until = |end: &str| text.find(end).map_or(text.len(), |place| place + end.len());
    let second = text.as_bytes().get(1).copied().unwrap_or_default();
    if text.starts_with("<!--") {
        return (Piece::Text(""), until("-->"));
    }
    if matches!(second, b'!' | b'?') {
        return (Piece::Text(""), until(">"));
    }
    let is_end = second == b'/';
    let name = &text[if is_end { 2 } else { 1 }..];
    if !name.starts_with(|character: char| character.is_ascii_alphabetic()) {
        return (Piece::Text(&text[..1]), 1);
    }
    let is_name = |character: char| !character.is_ascii_whitespace() && !matches!(character, '/' | '>');
    let length = name.find(|character| !is_name(character)).unwrap_or(name.len());
    let lower = name[..length].to_ascii_lowercase();
    let Some((attributes, left)) = attributes(&name[length..]) else {
        // A tag that does not end is none.
        return (Piece::Text(&text[..1]), 1);
    };
    let length = text.len() - left.len();
    match is_end {
        true => (Piece::Close(lower), length),
        false => (Piece::Open(lower, attributes), length),
    }
}

/// Attributes up to the end of a tag, and what stands behind it.
fn attributes(mut text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches(|character: char| character.is_ascii_whitespace() || character == '/');
        if let Some(rest) = text.strip_prefix('>') {
            return Some((found, rest));
        }
        let is_end =
            |character: char| character.is_ascii_whitespace() || matches!(character, '/' | '>' | '=');
        // What begins with `=` is a name to browsers.
        let first = text.chars().next()?.len_utf8();
        let end = text[first..].find(is_end).map(|end| end + first)?;
        let name = text[..end].to_ascii_lowercase();
        text = text[end..].trim_start_matches(|character: char| character.is_ascii_whitespace());
        let mut value = "";
        if let Some(rest) = text.strip_prefix('=') {
            let rest = rest.trim_start_matches(|character: char| character.is_ascii_whitespace());
            (value, text) = match rest.chars().next()? {
                quote @ ('"' | '\'') => rest[1..].split_once(quote)?,
                '>' => ("", rest),
                _ => {
                    let is_end = |character: char| character.is_ascii_whitespace() || character == '>';
                    rest.split_at(rest.find(is_end)?)
                }
            };
        }
        if found.iter().all(|(known, _)| *known != name) && found.len() < 32 {
            found.push((name, unescaped(value)));
        }
    }
}

fn unescaped(value: &str) -> String {
    if !value.contains('&') {
        return value.to_owned();
    }
    // The last, so that nothing is taken for a reference that was none.
    [("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .iter()
        .fold(value.to_owned(), |text, (reference, character)| text.replace(reference, character))
}

/// A tag with these attributes.
pub fn written(name: &str, attributes: &[(&str, String)]) -> String {
    let mut tag = format!("<{name}");
    for (name, value) in attributes {
        let value =
            value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
        tag += &format!(" {name}=\"{value}\"");
    }
    tag + ">"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_taken_apart() {
        let open = |name: &str, attributes: &[(&str, &str)]| {
            let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Piece::Open(name.to_owned(), attributes.collect())
        };
        let close = |name: &str| Piece::Close(name.to_owned());
        for (text, expected) in [
            ("a &amp; b", vec![Piece::Text("a &amp; b")]),
            ("<B>x</B >", vec![open("b", &[]), Piece::Text("x"), close("b")]),
            ("<br/>", vec![open("br", &[])]),
            (
                "<a href='x>y' title=a&amp;b c>",
                vec![open("a", &[("href", "x>y"), ("title", "a&b"), ("c", "")])],
            ),
            ("<a/href=\"1\"/href=2>", vec![open("a", &[("href", "1")])]),
            ("x <!-- <b> --> y", vec![Piece::Text("x "), Piece::Text(" y")]),
            ("<!-- <b>", vec![]),
            ("<?php x ?><!DOCTYPE html>", vec![]),
            ("<script>if (a < b) '<b>'</SCRIPT>x", vec![close("script"), Piece::Text("x")]),
            ("<style>a { b: c }", vec![]),
            (
                "1 < 2 <3",
                vec![
                    Piece::Text("1 "),
                    Piece::Text("<"),
                    Piece::Text(" 2 "),
                    Piece::Text("<"),
                    Piece::Text("3"),
                ],
            ),
            ("<b title=\"x", vec![Piece::Text("<"), Piece::Text("b title=\"x")]),
            ("<é>", vec![Piece::Text("<"), Piece::Text("é>")]),
            ("<b é=ü>", vec![open("b", &[("é", "ü")])]),
        ] {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }
}
