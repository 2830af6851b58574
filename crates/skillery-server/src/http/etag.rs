//! Answers that others may keep: what they are called, and for how long they are good.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use skillery_core::{Digest, Visibility};

use super::call::Call;

/// What never becomes something else, and is for everybody. Stores on the way keep it for an hour, so that what is quarantined
/// is gone from them by then.
const FOR_ALL: &str = "public, max-age=3600, immutable";
/// The same, but not for everybody.
const FOR_ONE: &str = "private, max-age=3600, immutable";

/// An answer that has a digest: 304 without a body for a caller who has it, else what `body` makes. Who asks must be known
/// to see it.
pub struct Tagged {
    tag: String,
    is_known: bool,
}

impl Tagged {
    /// The answer to this call has this digest.
    pub fn new(call: &Call, digest: &Digest) -> Self {
        let tag = format!("\"sha256:{digest}\"");
        let is_known = is_known(&call.head.headers, &tag);
        Self { tag, is_known }
    }

    /// Whether the caller has it.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// The answer with these bytes, which are not looked at where the caller has them. `cache` says how long it may be kept;
    /// none: it is asked for again each time.
    pub fn answer(self, bytes: Bytes, content_type: &'static str, cache: Option<&'static str>) -> Response {
        let mut response = match self.is_known {
            true => Response::new(Body::empty()),
            false => Response::new(Body::from(bytes)),
        };
        if self.is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        if !self.is_known {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(ETAG, tag);
        }
        if let Some(cache) = cache {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        }
        if cache == Some(FOR_ONE) {
            headers.insert(VARY, HeaderValue::from_static("authorization"));
        }
        response
    }
}

/// How long the content of a version may be kept, and by whom: for an hour, by all where everybody sees it.
pub fn immutable(call: &Call, visibility: Visibility) -> &'static str {
    let is_open = visibility == Visibility::Public && call.app.settings.anonymous_reads;
    if is_open { FOR_ALL } else { FOR_ONE }
}

/// Whether `If-None-Match` names the tag, so that the caller has what it stands for.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|known| {
        // A proxy that compresses makes a tag weak; the content is the same.
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_in_lists() {
        for (value, wanted) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(is_known(&headers, "\"a\""), wanted, "{value}");
        }
    }
}
