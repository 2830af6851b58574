//! What authors write in Markdown, as harmless HTML.
//!
//! The parser makes HTML of it, and what is left is only what a list allows. Nothing is fetched from elsewhere: pictures
//! of other sites become links, and those of the skill come from the registry.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use ammonia::Builder;
use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};
use quick_cache::Weighter;

/// Characters that are shown of a text.
const MOST: usize = 256 * 1024;

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

/// Where links that begin with no scheme lead.
#[derive(Debug, Clone)]
pub struct Place {
    /// The address of the folder that the text stands in, with a slash at its end.
    pub pages: String,
    /// The same for pictures.
    pub raw: String,
}

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder
        // Pictures are those of the registry, also where HTML asks for them.
        .attribute_filter(|element, attribute, value| {
            let is_own = value.starts_with('/') && !value.starts_with("//");
            (element != "img" || attribute != "src" || is_own).then_some(value.into())
        })
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("nofollow ugc noopener"))
        // A task is done or not, and nothing is filled in, whatever HTML asks for.
        .add_tag_attributes("input", ["checked"])
        .add_tags(["input"])
        .set_tag_attribute_value("input", "type", "checkbox")
        .set_tag_attribute_value("input", "disabled", "")
        .set_tag_attribute_value("input", "aria-label", "done")
        .add_tag_attribute_values("code", "class", [] as [&str; 0])
        .set_tag_attribute_value("img", "loading", "lazy")
        // What is wider than the page is reached with the keyboard, too.
        .set_tag_attribute_value("pre", "tabindex", "0");
    builder
});

/// Makes HTML of Markdown. `place` is where it stands, if it is part of a skill; otherwise it has no links of its own.
pub fn render(text: &str, place: Option<&Place>) -> Rendered {
    let end = text.char_indices().nth(MOST).map_or(text.len(), |(end, _)| end);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let mut pictures = Vec::new();
    let events = Parser::new_ext(&text[..end], options).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = address(&dest_url, place.map(|place| place.pages.as_str()));
            Event::Start(Tag::Link { link_type, dest_url: dest_url.into(), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let is_own = is_relative(&dest_url) && place.is_some();
            pictures.push(is_own);
            match is_own {
                true => {
                    let dest_url = address(&dest_url, place.map(|place| place.raw.as_str()));
                    Event::Start(Tag::Image { link_type, dest_url: dest_url.into(), title, id })
                }
                // A page of the registry asks no other site for anything.
                false => Event::Start(Tag::Link {
                    link_type: LinkType::Inline,
                    dest_url,
                    title,
                    id: CowStr::Borrowed(""),
                }),
            }
        }
        Event::End(TagEnd::Image) => match pictures.pop() {
            Some(false) => Event::End(TagEnd::Link),
            _ => Event::End(TagEnd::Image),
        },
        other => other,
    });
    let mut html = String::with_capacity(text.len() * 3 / 2);
    pulldown_cmark::html::push_html(&mut html, events);
    CLEANER.clean(&html).to_string().into()
}

fn is_relative(url: &str) -> bool {
    let has_scheme = url.split_once(':').is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']));
    !has_scheme && !url.starts_with('/') && !url.starts_with('#')
}

/// A link with the place before it, where it has none of its own. One that leads out of the skill leads nowhere.
fn address(url: &str, place: Option<&str>) -> String {
    let Some(place) = place.filter(|_| is_relative(url)) else { return url.to_owned() };
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let mut depth = 0_i32;
    for segment in path.split('/') {
        depth += match segment {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        if depth < 0 {
            return "#".to_owned();
        }
    }
    format!("{place}{url}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        let place = Place { pages: "/a/b/versions/1.0.0/files/".to_owned(), raw: "/raw/a/b/".to_owned() };
        render(text, Some(&place)).to_string()
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
    fn links_of_a_skill_stay_in_it() {
        let page = html(
            "[a](references/x.md#y) ![p](assets/p.png) [up](../../secret) [web](https://example.org) [b](./../../x)",
        );
        assert!(page.contains("href=\"/a/b/versions/1.0.0/files/references/x.md#y\""), "{page}");
        assert!(page.contains("src=\"/raw/a/b/assets/p.png\""), "{page}");
        assert!(page.contains("href=\"#\"") && !page.contains("secret"), "{page}");
        assert!(page.contains("rel=\"nofollow ugc noopener\""), "{page}");
    }

    #[test]
    fn tables_tasks_and_code_are_shown() {
        let page = html("| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n\n```python\nprint('<b>')\n```\n");
        assert!(page.contains("<table>") && page.contains("checked") && page.contains("&lt;b&gt;"), "{page}");
        let page = html("<input name=token type=password autofocus>");
        assert!(page.contains("type=\"checkbox\"") && page.contains("disabled"), "{page}");
        assert!(
            !page.contains("password") && !page.contains("name=") && !page.contains("autofocus"),
            "{page}"
        );
    }
}
