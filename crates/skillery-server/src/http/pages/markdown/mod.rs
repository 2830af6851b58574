//! What authors write in Markdown, as harmless HTML.
//!
//! The parser makes events of it. `rewrite.rs` sees to it that they are not too many and not nested too deeply, so that what
//! comes after has not much more to do than the text is long. What they become is parsed once more as HTML, by another program,
//! and only what a list allows is kept; `links.rs` knows where each link leads that is left, whoever wrote it and how.
//! Nothing is fetched from elsewhere: pictures of other sites become links, and those of the skill come from the registry.

mod links;
mod rewrite;

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use ammonia::Builder;
pub use links::Place;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use quick_cache::Weighter;

use super::show;

/// Characters of a text that are looked at.
const MOST: usize = 256 * 1024;
/// Bytes of HTML that are shown of a text at most: so many that a page around it stays light.
pub const ROOM: usize = 40_000;
/// Before the names of places in a text, so that none is one of the page around it.
const PREFIX: &str = "user-content-";

/// Keeps what is harmless of a text that is part of no skill. Making one takes longer than a short text does.
static PLACELESS: LazyLock<Builder<'static>> = LazyLock::new(|| cleaner(None));

/// HTML that can stand in a page as it is.
pub type Rendered = Arc<str>;

/// Counts what rendered texts take in memory.
#[derive(Debug, Clone)]
pub struct ByLength;

impl Weighter<String, Rendered> for ByLength {
    fn weight(&self, key: &String, text: &Rendered) -> u64 {
        (key.len() + text.len()) as u64
    }
}

/// Makes HTML of Markdown, as far as so many bytes of it have room. `place` is where it stands, if it is part of a skill; otherwise it has
/// no links of its own.
pub fn render(text: &str, place: Option<&Place>, room: usize) -> Rendered {
    let end = text.char_indices().nth(MOST).map_or(text.len(), |(end, _)| end);
    let shown = &text[..end];
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let (mut html, is_all) = match rewrite::rewrite(Parser::new_ext(shown, options), place) {
        Some(events) => cleaned(events, place, room).unwrap_or_else(|| beginning(shown, room)),
        None => source(shown, room),
    };
    match place {
        _ if is_all && end == text.len() => {}
        Some(place) => {
            html += &format!(
                "<p>There is more: <a href=\"{}\">all of it as it was written</a>.</p>",
                place.source
            );
        }
        None => html += "<p>The rest is not shown here.</p>",
    }
    html.into()
}

/// What may be shown of these events, as far as there is room, and whether that is all; none where there is no room for the first.
fn cleaned(mut events: Vec<Event<'_>>, place: Option<&Place>, room: usize) -> Option<(String, bool)> {
    let (count, mut left) = (events.len(), room);
    loop {
        let fits = fitting(&events, left);
        if fits == 0 && left < room {
            // How much is left was guessed by what stands behind the first as well: alone, that one may have room.
            let first = ends(&events).next().filter(|end| *end < events.len())?;
            let html = html_of(&events[..first], place);
            return (html.len() <= room).then_some((html, false));
        }
        events.truncate(fits);
        if events.is_empty() && count > 0 {
            return None;
        }
        let html = html_of(&events, place);
        if html.len() <= room || left == 0 {
            return Some((html, events.len() == count));
        }
        // Links are longer by where they lead and what is said of them, so that there was less room than it seemed.
        left = (left * room / html.len()).min(left / 4 * 3);
    }
}

/// All of these events as they may be shown.
fn html_of(events: &[Event<'_>], place: Option<&Place>) -> String {
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events.iter().cloned());
    cleaner(place).clean(&html).to_string()
}

/// How many of these events so many bytes of HTML have room for. It ends between two of those that stand in no other.
fn fitting(events: &[Event<'_>], room: usize) -> usize {
    let (mut from, mut left) = (0, room);
    let mut html = String::new();
    for end in ends(events) {
        html.clear();
        pulldown_cmark::html::push_html(&mut html, events[from..end].iter().cloned());
        let Some(rest) = left.checked_sub(html.len()) else { return from };
        (left, from) = (rest, end);
    }
    events.len()
}

/// Behind which of these events one ends that stands in no other.
fn ends(events: &[Event<'_>]) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    events.iter().enumerate().filter_map(move |(at, event)| {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at + 1)
    })
}

/// Makes HTML of what somebody says in a comment: lines are broken where they were, headings are only bold, and HTML is text. What
/// the page is made of, its headings and the names of its places, is its own.
pub fn said(text: &str) -> Rendered {
    let place = None;
    let Some(events) = rewrite::rewrite(Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH), place) else {
        return source(text, ROOM).0.into();
    };
    let mut plain = Vec::with_capacity(events.len());
    for event in events {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => plain.push(Event::Text(html)),
            Event::Start(Tag::HtmlBlock) => plain.push(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => plain.push(Event::End(TagEnd::Paragraph)),
            Event::Start(Tag::Heading { .. }) => {
                plain.extend([Event::Start(Tag::Paragraph), Event::Start(Tag::Strong)]);
            }
            Event::End(TagEnd::Heading(_)) => {
                plain.extend([Event::End(TagEnd::Strong), Event::End(TagEnd::Paragraph)]);
            }
            Event::SoftBreak => plain.push(Event::HardBreak),
            other => plain.push(other),
        }
    }
    let mut html = String::with_capacity(text.len() * 3 / 2);
    pulldown_cmark::html::push_html(&mut html, plain.into_iter());
    PLACELESS.clean(&html).to_string().into()
}

/// What is too much to be shown as its author meant it, and whether that is all of it.
fn source(text: &str, room: usize) -> (String, bool) {
    let why = "<p>This text is nested too deeply, or has too many parts, to be shown as a page. This is its source.</p>";
    let (source, is_all) = beginning(text, room);
    (why.to_owned() + &source, is_all)
}

/// The beginning of a text as it was written, as far as so many bytes of HTML have room for it, and whether that is all of it.
fn beginning(text: &str, room: usize) -> (String, bool) {
    let mut left = room;
    let has_no_room = |character: char| {
        // As `show::escaped` writes it.
        let rest = left.checked_sub(match character {
            '"' => "&quot;".len(),
            '&' => "&amp;".len(),
            '<' | '>' => "&lt;".len(),
            other => other.len_utf8(),
        });
        left = rest.unwrap_or(0);
        rest.is_none()
    };
    let end = text.find(has_no_room).unwrap_or(text.len());
    (format!("<pre tabindex=\"0\"><code>{}</code></pre>", show::escaped(&text[..end])), end == text.len())
}

fn cleaner(place: Option<&Place>) -> Builder<'static> {
    let place = place.cloned();
    let mut builder = Builder::default();
    for aligned in ["div", "p", "h1", "h2", "h3", "h4", "h5", "h6"] {
        builder.add_tag_attributes(aligned, ["align"]);
    }
    builder
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("img", "src") => links::picture(value, place.as_ref()).map(Into::into),
            (_, "href" | "cite" | "src") => links::link(value, place.as_ref()).map(Into::into),
            (_, "id") => Some(format!("{PREFIX}{value}").into()),
            _ => Some(value.into()),
        })
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("nofollow ugc noopener"))
        .add_generic_attributes(["id"])
        .add_tag_attributes("details", ["open"])
        .set_tag_attribute_value("img", "loading", "lazy")
        // What is wider than the page is reached with the keyboard, too.
        .set_tag_attribute_value("pre", "tabindex", "0");
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        render(text, Some(&Place::of("/a/b/versions/1.0.0", "SKILL.md")), ROOM).to_string()
    }

    #[test]
    fn what_runs_or_reaches_out_is_gone() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "<iframe src=https://evil.example></iframe>",
            "<form action=https://evil.example><button>Sign in</button></form>",
            "<style>body{display:none}</style>",
            "<div style='position:fixed;inset:0'>x</div>",
            "<base href=https://evil.example>",
            "<meta http-equiv=refresh content='0;url=https://evil.example'>",
            "<math><mtext></mtext><mglyph><style><!--</style><img title='--><img src=x onerror=alert(1)>'>",
            "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
            "![x](https://evil.example/pixel.gif)",
            "<a href='vbscript:x' onclick=alert(1)>x</a>",
            "<input type=image src=https://evil.example/x>",
        ] {
            let html = html(text).to_lowercase();
            let tags: Vec<&str> = html.split('<').skip(1).filter_map(|part| part.split('>').next()).collect();
            for tag in tags {
                for bad in
                    ["script", "iframe", "form", "button", "style", "base", "meta", "svg", "math", "noscript"]
                {
                    assert!(!tag.starts_with(bad), "{text} became {html}");
                }
                for bad in [" on", "javascript:", "data:", "vbscript:", " style=", "src=\"http", "src=\"x"] {
                    // A title is text, whatever it says.
                    let tag = tag.split(" title=").next().unwrap_or_default();
                    assert!(!tag.contains(bad), "{text} became {html}");
                }
            }
        }
    }

    #[test]
    fn a_comment_is_text_with_little_around_it() {
        let html = said(
            "# Big\none\ntwo [a](https://example.org) [b](/login) [c](javascript:x) ![p](https://example.org/p.png)\n\n<img src=x onerror=alert(1)>\n<b>x</b>\n\n* `<i>`",
        );
        for part in [
            "<p><strong>Big</strong></p>",
            "one<br>\ntwo ",
            "<a href=\"https://example.org/\" rel=\"nofollow ugc noopener\">a</a>",
            "&lt;img src=x onerror=alert(1)&gt;",
            "&lt;b&gt;x&lt;/b&gt;",
            "<code>&lt;i&gt;</code>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        for gone in ["<img", "<b>", "<h1", " id=", "/login", "javascript:"] {
            assert!(!html.contains(gone), "{gone}: {html}");
        }
    }

    #[test]
    fn links_of_a_skill_stay_in_it() {
        let page = html(
            "[a](references/x.md#y) ![p](assets/p.png) [up](../../secret) [web](https://example.org) [b](./../../x) \
             <a href=../../../secret>c</a> <a href='x.md'>d</a> <img src=assets/q.png> <img src=../../../theme alt=t> \
             <img src=/acme/other/versions/1.0.0/raw/x.png> [e](/login) <a href=/logout>f</a>",
        );
        assert!(page.contains("href=\"/a/b/versions/1.0.0/files/references/x.md#y\""), "{page}");
        assert!(page.contains("src=\"/a/b/versions/1.0.0/raw/assets/p.png\""), "{page}");
        assert!(page.contains("src=\"/a/b/versions/1.0.0/raw/assets/q.png\""), "{page}");
        assert!(page.contains("href=\"/a/b/versions/1.0.0/files/x.md\""), "{page}");
        for gone in ["secret", "src=\"/acme", "theme\"", "href=\"/log"] {
            assert!(!page.contains(gone), "{gone}: {page}");
        }
        assert!(page.contains("rel=\"nofollow ugc noopener\""), "{page}");
    }

    #[test]
    fn tables_tasks_and_code_are_shown() {
        let page = html("| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n\n```python\nprint('<b>')\n```\n");
        assert!(page.contains("<table>") && page.contains("☑ done") && page.contains("&lt;b&gt;"), "{page}");
    }

    #[test]
    fn links_are_not_nested_and_names_of_places_are_a_texts_own() {
        let page = html(
            "[![build](https://ci.example/badge.svg)](https://ci.example) [![](https://x.example/b.svg)](y.md)",
        );
        assert_eq!(page.matches("<a ").count(), 2, "{page}");
        assert!(page.contains(">build</a>") && page.contains(">b.svg</a>"), "{page}");
        let page = html("<a href=x><a href=y>z</a></a> [a <a href=b>c</a>](d)");
        // The second ends the first.
        assert_eq!((page.matches("<a ").count(), page.matches("</a>").count()), (4, 4), "{page}");
        assert!(page.split("<a ").skip(1).all(|link| link.contains("</a>")), "{page}");
        let page = html(
            "# How to `use` it\n\n# How to use it\n\n[a](#how-to-use-it) x[^1]\n\n[^1]: note\n\n<p id=main name=q>p</p>",
        );
        for part in [
            "<h1 id=\"user-content-how-to-use-it\">",
            "<h1 id=\"user-content-how-to-use-it-1\">",
            "href=\"#user-content-how-to-use-it\"",
            "href=\"#user-content-fn-1\"",
            "id=\"user-content-fn-1\"",
            "<p id=\"user-content-main\">",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert_eq!(page.matches(" id=\"").count(), page.matches(" id=\"user-content-").count(), "{page}");
    }

    #[test]
    fn html_around_markdown_is_kept() {
        let page = html("<details open><summary>More</summary>\n\n- **x**\n\n</details>\n\nafter");
        assert!(page.contains("<details open=\"\"><summary>More</summary>"), "{page}");
        assert!(page.find("<li>") < page.find("</details>"), "{page}");
        let page = html("> <div align=center><b>x\n\ny <i>z\n\nafter <kbd>k</kbd> </b> 1 < 2");
        assert!(page.contains("<div align=\"center\"><b>x") && page.contains("<kbd>k</kbd>"), "{page}");
        assert!(page.contains("1 &lt; 2"), "{page}");
    }

    /// What would be much more as a page than it is as a text is shown as it was written.
    #[test]
    fn no_page_is_much_more_than_its_text() {
        let many = |part: &str| part.repeat(MOST / part.len());
        let half = |part: &str| part.repeat(MOST / 2 / part.len());
        for (name, text, is_source) in [
            ("quotes", many(">"), true),
            ("quotes in lines", many("> > > > > > > >\n"), false),
            ("lists", many("1. "), true),
            ("divs", many("<div>"), true),
            ("divs in a line", format!("x {}", many("<div>")), true),
            ("bold", format!("x {}", many("<b>")), true),
            ("bold in quotes", many("> <b title=1><i>some text\n\nmore text\n\n"), true),
            ("bold over paragraphs", format!("{}\n\n{}", "<b title=1>".repeat(50), half("some x\n\n")), true),
            ("bold in cells", format!("<div>{}", "<b><table><td></b></td></table>".repeat(900)), true),
            ("attributes", format!("<div>\n<b {}>\n\n{}", half("a "), half("some x\n\n")), true),
            ("open tags", format!("<div>\n{}", many("<b ")), true),
            ("comments", format!("- <b><!--\n\n{}", half("- <b>some text<!--\n\n")), true),
            ("brackets", many("["), true),
            ("pictures", many("!["), true),
            ("stars", many("*some **text and more "), false),
            ("links", many("[a](b) "), true),
            ("headings", many("# a\n"), true),
            ("columns", format!("{}\n{}\n{}", "|a".repeat(500), "|-".repeat(500), half("|a\n")), true),
            (
                "definitions",
                format!("[a]: https://x.example/{}\n\n{}", half("x"), half("some more text [a] ")),
                false,
            ),
            ("footnotes", many("[^1] "), true),
            // What people write.
            ("a list", "- [a tool](https://example.org) that is good for `something`\n".repeat(1_000), false),
            (
                "a table of HTML among much text",
                format!(
                    "<table>{}</table>\n\n{}",
                    "<tr><td><b>a</b></td><td>b</td></tr>".repeat(20),
                    "## Part\n\nsome text\n\n".repeat(300)
                ),
                false,
            ),
        ] {
            let page = html(&text);
            assert_eq!(page.contains("This is its source."), is_source, "{name}: {:.300}", page);
            assert!(page.len() < MOST * 24, "{name}: {}", page.len());
        }
    }
}
