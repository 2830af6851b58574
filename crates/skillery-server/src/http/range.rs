//! The part of a content that a request wants (RFC 9110, section 14): one range, as downloads ask for that broke off.

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    All,
    /// These bytes.
    Part(Range<usize>),
    /// Something that it does not have.
    Nothing,
}

/// What is wanted of a content of this length. What is not understood, or asks for several ranges, gets all, as the RFC
/// allows; so does who has a part of another content.
pub fn wanted(headers: &HeaderMap, etag: &str, length: usize) -> Wanted {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let Some(range) = text(RANGE) else { return Wanted::All };
    if headers.contains_key(IF_RANGE) && text(IF_RANGE) != Some(etag) {
        return Wanted::All;
    }
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::All;
    };
    let part = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(last)) if first.is_empty() => length.saturating_sub(last)..length,
        _ => return Wanted::All,
    };
    if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood() {
        let wanted = |range: &str, if_range: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, range.parse().unwrap());
            if let Some(tag) = if_range {
                headers.insert(IF_RANGE, tag.parse().unwrap());
            }
            wanted(&headers, "\"tag\"", 10)
        };
        for (range, part) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=3-", Wanted::Part(3..10)),
            ("bytes=3-5", Wanted::Part(3..6)),
            ("bytes=3-99", Wanted::Part(3..10)),
            ("bytes=-4", Wanted::Part(6..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-3", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=18446744073709551615-18446744073709551615", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::All),
        ] {
            assert_eq!(wanted(range, None), part, "{range}");
        }
        assert_eq!(wanted("bytes=3-5", Some("\"tag\"")), Wanted::Part(3..6));
        assert_eq!(wanted("bytes=3-5", Some("\"another\"")), Wanted::All);
        assert_eq!(super::wanted(&HeaderMap::new(), "\"tag\"", 10), Wanted::All);
    }
}
