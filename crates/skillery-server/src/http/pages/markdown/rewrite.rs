//! What may be shown of a text: well nested, not too deep, and with links that lead where they may.
//!
//! A browser, and the program that cleans HTML, mend what is nested badly by writing elements again and again. So nothing
//! is left to mend: what is open is known, is closed where its block ends, and a tag that closes nothing is dropped.

use std::collections::HashMap;

use pulldown_cmark::{CowStr, Event, LinkType, Parser, Tag, TagEnd};

use super::PREFIX;
use super::links::{self, Place};
use super::tags::{self, Kind, Piece};

/// Elements within each other.
const MAX_DEPTH: usize = 64;
/// Parts of a text: elements, and texts between them.
const MAX_PARTS: usize = 100_000;
/// Characters of the name of a place in the text.
const MAX_NAME: usize = 100;

enum Open {
    /// Of Markdown, with what ends it, if it is shown; and whether it is a link.
    Markdown(Option<TagEnd>, bool),
    /// A tag of the author's.
    Tag(&'static str, Kind),
}

impl Open {
    fn is_link(&self) -> bool {
        matches!(self, Self::Markdown(_, true) | Self::Tag("a", _))
    }
}

struct Rewriter<'text, 'place> {
    place: Option<&'place Place>,
    open: Vec<Open>,
    names: HashMap<String, usize>,
    done: Vec<Event<'text>>,
    /// What stands between two lines of Markdown as HTML.
    block: Option<String>,
}

/// The same text as it may be shown; none where it is nested too deeply, or has too many parts.
pub fn rewrite<'text>(parser: Parser<'text>, place: Option<&Place>) -> Option<Vec<Event<'text>>> {
    let events: Vec<Event<'text>> = parser.take(MAX_PARTS + 1).collect();
    if events.len() > MAX_PARTS {
        return None;
    }
    let mut rewriter = Rewriter {
        place,
        open: Vec::new(),
        names: HashMap::new(),
        done: Vec::with_capacity(events.len()),
        block: None,
    };
    let mut rest = events.into_iter();
    while let Some(event) = rest.next() {
        match event {
            // The text of a picture is read by what writes it; nothing in it is shown as an element.
            Event::Start(Tag::Image { dest_url, title, .. }) => {
                let alt = alternative(&mut rest);
                rewriter.picture(&dest_url, &title, &alt);
            }
            Event::Start(tag) => rewriter.start(tag, rest.as_slice()),
            Event::End(end) => rewriter.end(end),
            Event::Html(html) => match &mut rewriter.block {
                Some(block) => block.push_str(&html),
                None => rewriter.html(&html, true),
            },
            Event::InlineHtml(html) => rewriter.html(&html, false),
            Event::FootnoteReference(name) => {
                let name = note(&name);
                // A link within a link is none.
                if !rewriter.is_in_link() {
                    rewriter.done.push(Event::FootnoteReference(name.into()));
                }
            }
            Event::TaskListMarker(is_done) => {
                rewriter.done.push(Event::Text(CowStr::Borrowed(if is_done { "☑ " } else { "☐ " })));
            }
            other => rewriter.done.push(other),
        }
        if rewriter.open.len() > MAX_DEPTH || rewriter.done.len() > MAX_PARTS {
            return None;
        }
    }
    rewriter.close_to(0);
    Some(rewriter.done)
}

/// The text in a picture up to its end.
fn alternative<'text>(rest: &mut impl Iterator<Item = Event<'text>>) -> String {
    let (mut text, mut depth) = (String::new(), 0_usize);
    for event in rest {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) if depth == 0 => break,
            Event::End(_) => depth -= 1,
            Event::Text(part) | Event::Code(part) => text += &part,
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            _ => {}
        }
    }
    text
}

fn note(name: &str) -> String {
    format!("{PREFIX}fn-{name}")
}

impl<'text> Rewriter<'text, '_> {
    fn is_in_link(&self) -> bool {
        self.open.iter().any(Open::is_link)
    }

    fn write(&mut self, html: String) {
        self.done.push(Event::InlineHtml(html.into()));
    }

    fn start(&mut self, tag: Tag<'text>, rest: &[Event<'text>]) {
        let end = tag.to_end();
        let (tag, is_link) = match tag {
            Tag::HtmlBlock => {
                self.block = Some(String::new());
                return;
            }
            Tag::Link { link_type, dest_url, title, id } => {
                let to = match link_type {
                    LinkType::Email => Some(dest_url.to_string()),
                    _ => links::link(&dest_url, self.place),
                };
                let Some(to) = to.filter(|_| !self.is_in_link()) else {
                    self.open.push(Open::Markdown(None, false));
                    return;
                };
                (Tag::Link { link_type, dest_url: to.into(), title, id }, true)
            }
            Tag::Heading { level, .. } => {
                let id = Some(self.name(rest).into());
                (Tag::Heading { level, id, classes: Vec::new(), attrs: Vec::new() }, false)
            }
            Tag::FootnoteDefinition(name) => (Tag::FootnoteDefinition(note(&name).into()), false),
            other => (other, false),
        };
        self.open.push(Open::Markdown(Some(end), is_link));
        self.done.push(Event::Start(tag));
    }

    fn end(&mut self, end: TagEnd) {
        if end == TagEnd::HtmlBlock {
            let html = self.block.take().unwrap_or_default();
            self.html(&html, true);
            self.close_inline();
            return;
        }
        let depth = self.open.iter().rposition(|open| matches!(open, Open::Markdown(..)));
        let Some(depth) = depth else { return };
        self.close_to(depth + 1);
        if let Some(Open::Markdown(Some(end), _)) = self.open.pop() {
            self.done.push(Event::End(end));
        }
    }

    /// Ends tags of the author's until no more than this is open.
    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            if let Some(Open::Tag(name, _)) = self.open.pop() {
                self.write(format!("</{name}>"));
            }
        }
    }

    /// Ends what is a part of a line only.
    fn close_inline(&mut self) {
        while let Some(Open::Tag(_, Kind::Inline)) = self.open.last() {
            self.close_to(self.open.len() - 1);
        }
    }

    /// Takes over HTML of the author's.
    fn html(&mut self, html: &str, is_block: bool) {
        for piece in tags::pieces(html) {
            if self.open.len() > MAX_DEPTH || self.done.len() > MAX_PARTS {
                return;
            }
            match piece {
                Piece::Text(text) => self.write(text.replace('<', "&lt;")),
                Piece::Open(name, attributes) => {
                    let Some((name, kind)) = tags::element(&name) else { continue };
                    let is_part_of_line = matches!(kind, Kind::Inline | Kind::Void);
                    if is_part_of_line || is_block {
                        self.open_tag(name, kind, &attributes);
                    }
                }
                Piece::Close(name) => self.close_tag(&name),
            }
        }
    }

    fn open_tag(&mut self, name: &'static str, kind: Kind, attributes: &[(String, String)]) {
        let value = |wanted: &str| {
            attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        if matches!(kind, Kind::Block | Kind::VoidBlock) {
            self.close_inline();
        }
        let mut kept: Vec<(&str, String)> = attributes
            .iter()
            .filter(|(attribute, value)| tags::keeps(name, attribute, value))
            .map(|(attribute, value)| (attribute.as_str(), value.clone()))
            .collect();
        match name {
            "img" => {
                let (address, title) = (value("src").unwrap_or_default(), value("title").unwrap_or_default());
                if let Some(address) = links::picture(address, self.place) {
                    kept.push(("src", address));
                    if value("alt").is_none() {
                        kept.push(("alt", String::new()));
                    }
                    self.write(tags::written(name, &kept));
                } else {
                    self.picture(address, title, value("alt").unwrap_or_default());
                }
                return;
            }
            "a" => {
                let to = value("href").and_then(|url| links::link(url, self.place));
                match to.filter(|_| !self.is_in_link()) {
                    Some(to) => kept.push(("href", to)),
                    None => return,
                }
            }
            _ => {}
        }
        if let Some(id) = value("id").filter(|id| !id.is_empty()) {
            kept.push(("id", format!("{PREFIX}{id}")));
        }
        self.write(tags::written(name, &kept));
        if matches!(kind, Kind::Inline | Kind::Block) {
            self.open.push(Open::Tag(name, kind));
        }
    }

    /// Ends the last tag of this name in the same piece of Markdown, and what is open in it.
    fn close_tag(&mut self, name: &str) {
        for (place, open) in self.open.iter().enumerate().rev() {
            match open {
                Open::Tag(known, _) if *known == name => return self.close_to(place),
                Open::Tag(..) => {}
                Open::Markdown(..) => return,
            }
        }
    }

    /// A picture of the skill, or a link to one that is elsewhere: a page of the registry asks no other site for anything.
    fn picture(&mut self, url: &str, title: &str, alt: &str) {
        if let Some(address) = links::picture(url, self.place) {
            let mut attributes = vec![("src", address), ("alt", alt.to_owned())];
            if !title.is_empty() {
                attributes.push(("title", title.to_owned()));
            }
            return self.write(tags::written("img", &attributes));
        }
        let last = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').rsplit('/').next();
        let shown = Some(alt.trim()).filter(|alt| !alt.is_empty()).or(last).filter(|text| !text.is_empty());
        let text = Event::Text(shown.unwrap_or("picture").to_owned().into());
        let to = links::link(url, None).filter(|to| !to.starts_with('#') && !self.is_in_link());
        let Some(to) = to else { return self.done.push(text) };
        self.write(tags::written("a", &[("href", to)]));
        self.done.push(text);
        self.write("</a>".to_owned());
    }

    /// The name of the place where a heading stands, as others make it too.
    fn name(&mut self, rest: &[Event<'text>]) -> String {
        let mut name = String::new();
        for event in rest {
            match event {
                Event::End(TagEnd::Heading(_)) => break,
                Event::Text(text) | Event::Code(text) => name += text,
                _ => {}
            }
        }
        let name: String = name
            .trim()
            .chars()
            .take(MAX_NAME)
            .filter_map(|character| match character {
                ' ' => Some('-'),
                '-' | '_' => Some(character),
                _ if character.is_alphanumeric() => Some(character),
                _ => None,
            })
            .flat_map(char::to_lowercase)
            .collect();
        let before = self.names.entry(name.clone()).or_default();
        *before += 1;
        match *before {
            1 => format!("{PREFIX}{name}"),
            number => format!("{PREFIX}{name}-{}", number - 1),
        }
    }
}
