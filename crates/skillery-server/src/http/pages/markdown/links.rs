//! Where links of a text lead: elsewhere, to another file of the same skill, or nowhere.

use url::{ParseError, Url};

use super::PREFIX;

/// The skill that a text is part of, and where in it the text stands.
#[derive(Debug, Clone)]
pub struct Place {
    /// The address of the version, without a slash at its end.
    pub version: String,
    /// The address of its files, with a slash at its end.
    pub pages: String,
    /// The same for pictures.
    pub raw: String,
    /// The folder of the text below either, with a slash at its end if it has a name.
    pub folder: String,
    /// The page of the text as it was written.
    pub source: String,
}

impl Place {
    /// The place of this file of the version with this address.
    pub fn of(version: &str, file: &str) -> Self {
        let folder = file.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
        Self {
            version: version.to_owned(),
            pages: format!("{version}/files/"),
            raw: format!("{version}/raw/"),
            folder: crate::http::pages::place::encoded(&folder),
            source: format!("{version}/files/{}", crate::http::pages::place::encoded(file)),
        }
    }
}

/// Where the link leads, as it may stand in a page.
pub fn link(url: &str, place: Option<&Place>) -> Option<String> {
    if let Some(name) = url.strip_prefix('#') {
        return Some(format!("#{PREFIX}{name}"));
    }
    match Url::parse(url) {
        Ok(absolute) => elsewhere(&absolute),
        Err(ParseError::RelativeUrlWithoutBase) => {
            let place = place?;
            match below(url, &place.pages, &place.folder)? {
                Found::Elsewhere(url) => elsewhere(&url),
                Found::Below(path, _) if path == place.pages => Some(place.version.clone()),
                Found::Below(path, None) => Some(path),
                Found::Below(path, Some(fragment)) => Some(format!("{path}#{fragment}")),
            }
        }
        Err(_) => None,
    }
}

/// The address of a picture, if it is one of the skill.
pub fn picture(url: &str, place: Option<&Place>) -> Option<String> {
    let place = place?;
    if Url::parse(url) != Err(ParseError::RelativeUrlWithoutBase) {
        return None;
    }
    match below(url, &place.raw, &place.folder)? {
        Found::Below(path, _) if path != place.raw => Some(path),
        _ => None,
    }
}

fn elsewhere(url: &Url) -> Option<String> {
    matches!(url.scheme(), "http" | "https" | "mailto").then(|| url.to_string())
}

enum Found {
    Elsewhere(Url),
    /// A path, and what stands behind `#`.
    Below(String, Option<String>),
}

/// What a browser would make of the link, as far as it stays below `root`.
fn below(url: &str, root: &str, folder: &str) -> Option<Found> {
    let base = Url::parse(&format!("https://skill.invalid{root}{folder}")).ok()?;
    let joined = base.join(url).ok()?;
    if joined.origin() != base.origin() {
        return Some(Found::Elsewhere(joined));
    }
    // Browsers pass over blanks before, and over line breaks and tabs anywhere.
    let first = url.chars().find(|character| *character > ' ')?;
    let is_within = !matches!(first, '/' | '\\') && joined.path().starts_with(root);
    is_within.then(|| Found::Below(joined.path().to_owned(), joined.fragment().map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_skill_or_lead_elsewhere() {
        let place = Place::of("/a/b/versions/1.0.0", "docs/x.md");
        for (url, to) in [
            ("y.md#L3", Some("/a/b/versions/1.0.0/files/docs/y.md#L3")),
            ("../SKILL.md?x=1", Some("/a/b/versions/1.0.0/files/SKILL.md")),
            ("..", Some("/a/b/versions/1.0.0")),
            ("a b.md", Some("/a/b/versions/1.0.0/files/docs/a%20b.md")),
            ("#usage", Some("#user-content-usage")),
            ("https://example.org/x", Some("https://example.org/x")),
            ("//example.org/x", Some("https://example.org/x")),
            ("mailto:a@example.org", Some("mailto:a@example.org")),
            ("../../../../../c/d", None),
            ("../../raw/x", None),
            ("%2e%2e/%2E./x", None),
            ("..\\..\\x", None),
            ("/login", None),
            (" \t/login", None),
            ("\\login", None),
            ("/a/b/versions/1.0.0/files/x", None),
            ("javascript:alert(1)", None),
            ("java\nscript:alert(1)", None),
            ("data:text/html,x", None),
            // A scheme without slashes is of a site of that name.
            ("https:login", Some("https://login/")),
        ] {
            assert_eq!(link(url, Some(&place)).as_deref(), to, "{url}");
        }
        assert_eq!(link("y.md", None), None);
        for (url, to) in [
            ("p.png", Some("/a/b/versions/1.0.0/raw/docs/p.png")),
            ("../p.png", Some("/a/b/versions/1.0.0/raw/p.png")),
            ("../../files/p.png", None),
            ("../../../../../../theme", None),
            ("/a/b/versions/1.0.0/raw/p.png", None),
            ("//example.org/p.png", None),
            ("https://example.org/p.png", None),
            ("#x", Some("/a/b/versions/1.0.0/raw/docs/")),
        ] {
            assert_eq!(picture(url, Some(&place)).as_deref(), to, "{url}");
        }
    }
}
