//! What may be shown of a text: not nested too deeply, without pictures of other sites, with names for its headings.

use std::collections::HashMap;

use pulldown_cmark::{CowStr, Event, LinkType, Parser, Tag, TagEnd};

use super::links::{self, Place};

/// Elements of Markdown within each other.
const MAX_DEPTH: usize = 64;
/// Parts of a text: elements, and texts between them.
const MAX_PARTS: usize = 100_000;
/// Tags of the author's times blocks. Whatever reads HTML repeats in each block what was not ended before it.
const MAX_REPEATED: usize = 250_000;
/// Bytes of HTML that count as a tag: what is repeated may have attributes.
const TAG_BYTES: usize = 32;
/// Characters of the name of a place in the text.
const MAX_NAME: usize = 100;

/// The same text as it may be shown; none where it is nested too deeply, or has too many parts.
pub fn rewrite<'text>(parser: Parser<'text>, place: Option<&Place>) -> Option<Vec<Event<'text>>> {
    let events: Vec<Event<'text>> = parser.take(MAX_PARTS + 1).collect();
    if events.len() > MAX_PARTS || repeated(&events) > MAX_REPEATED {
        return None;
    }
    let mut rewriter =
        Rewriter { place, links: Vec::new(), names: HashMap::new(), done: Vec::with_capacity(events.len()) };
    let (mut rest, mut depth) = (events.into_iter(), 0_usize);
    while let Some(event) = rest.next() {
        match event {
            // The text of a picture is read by what writes it; nothing in it is shown as an element.
            Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
                let alt = alternative(&mut rest);
                rewriter.picture(link_type, dest_url, title, id, alt);
            }
            Event::Start(tag) => {
                depth += 1;
                rewriter.start(tag, rest.as_slice());
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                rewriter.end(end);
            }
            // Forms are the registry's own.
            Event::TaskListMarker(is_done) => {
                rewriter.done.push(Event::Text(CowStr::Borrowed(if is_done { "☑ " } else { "☐ " })));
            }
            // A link within a link is none.
            Event::FootnoteReference(_) if !rewriter.links.is_empty() => {}
            Event::FootnoteReference(name) => rewriter.done.push(Event::FootnoteReference(note(&name))),
            other => rewriter.done.push(other),
        }
        if depth > MAX_DEPTH {
            return None;
        }
    }
    Some(rewriter.done)
}

/// How often something may be repeated at most.
fn repeated(events: &[Event<'_>]) -> usize {
    let (mut tags, mut bytes, mut blocks) = (0_usize, 0_usize, 0_usize);
    for event in events {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                tags += html.matches('<').count();
                bytes += html.len();
            }
            Event::Start(
                Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strong | Tag::Strikethrough,
            ) => {}
            Event::Start(_) => blocks += 1,
            _ => {}
        }
    }
    let tags = tags.max(bytes / TAG_BYTES);
    tags * (blocks + tags)
}

/// The name of a note, which is none of a heading.
fn note(name: &str) -> CowStr<'static> {
    format!("fn-{name}").into()
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

struct Rewriter<'text, 'place> {
    place: Option<&'place Place>,
    /// Links that are open, and whether each leads somewhere.
    links: Vec<bool>,
    names: HashMap<String, usize>,
    done: Vec<Event<'text>>,
}

impl<'text> Rewriter<'text, '_> {
    fn start(&mut self, tag: Tag<'text>, rest: &[Event<'text>]) {
        let tag = match tag {
            Tag::Link { link_type, ref dest_url, .. } => {
                // One that leads nowhere is text.
                let leads = link_type == LinkType::Email || links::link(dest_url, self.place).is_some();
                self.links.push(leads);
                if !leads {
                    return;
                }
                tag
            }
            Tag::Heading { level, .. } => {
                let id = Some(self.name(rest).into());
                Tag::Heading { level, id, classes: Vec::new(), attrs: Vec::new() }
            }
            Tag::FootnoteDefinition(name) => Tag::FootnoteDefinition(note(&name)),
            other => other,
        };
        self.done.push(Event::Start(tag));
    }

    fn end(&mut self, end: TagEnd) {
        if end == TagEnd::Link && self.links.pop() == Some(false) {
            return;
        }
        self.done.push(Event::End(end));
    }

    /// A picture of the skill, or a link to one that is elsewhere: a page of the registry asks no other site for anything.
    fn picture(
        &mut self,
        link_type: LinkType,
        dest_url: CowStr<'text>,
        title: CowStr<'text>,
        id: CowStr<'text>,
        alt: String,
    ) {
        if links::picture(&dest_url, self.place).is_some() {
            self.done.push(Event::Start(Tag::Image { link_type, dest_url, title, id }));
            self.done.push(Event::Text(alt.into()));
            self.done.push(Event::End(TagEnd::Image));
            return;
        }
        let path = dest_url.split(['?', '#']).next().unwrap_or_default();
        let last = path.trim_end_matches('/').rsplit('/').next();
        let shown = Some(alt.trim()).filter(|alt| !alt.is_empty()).or(last).filter(|text| !text.is_empty());
        let text = Event::Text(shown.unwrap_or("picture").to_owned().into());
        if !self.links.is_empty() || links::link(&dest_url, None).is_none_or(|to| to.starts_with('#')) {
            return self.done.push(text);
        }
        let link_type = LinkType::Inline;
        self.done.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
        self.done.push(text);
        self.done.push(Event::End(TagEnd::Link));
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
            1 => name,
            number => format!("{name}-{}", number - 1),
        }
    }
}
