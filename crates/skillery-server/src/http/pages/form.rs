//! What people fill in, and whether it came from a page of this registry.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use skillery_core::{Digest, Problem, ProblemCode};

use super::{said, session, show};
use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::http::call::Call;
use crate::text::invalid;

/// A form that was sent.
pub struct Form {
    /// The registry.
    pub app: Arc<App>,
    /// Who sent it.
    pub caller: Caller,
    /// The head of the request.
    pub head: Parts,
    fields: Vec<(String, String)>,
}

impl Form {
    /// Reads a form of somebody who is signed in, if it came from a page of this registry: a browser says where it came from,
    /// and the form has a word that pages elsewhere cannot know.
    ///
    /// Who is not signed in any more, or is anew, gets what was sent back, to send it again, where a page has room for it: see
    /// [`Unsent`].
    pub async fn read(call: Call) -> Result<Self> {
        let form = Self::parsed(call).await?;
        let code = match (form.caller.identity().is_some(), form.is_of_session()) {
            (false, _) => ProblemCode::Unauthenticated,
            (true, false) => ProblemCode::Forbidden,
            (true, true) => return Ok(form),
        };
        let detail = if code == ProblemCode::Forbidden { STRANGE } else { "" };
        // Anybody may send anything here, and is given back no more than people type.
        if form.is_heavy() {
            return Err(Failure::new(code, detail));
        }
        Err(Failure::caused(code, detail, Unsent(form.fields().cloned().collect())))
    }

    /// The same of anybody.
    pub async fn of_anybody(call: Call) -> Result<Self> {
        let form = Self::parsed(call).await?;
        match form.caller.identity().is_none() || form.is_of_session() {
            true => Ok(form),
            false => Err(strange()),
        }
    }

    async fn parsed(call: Call) -> Result<Self> {
        check_origin(&call)?;
        let is_form = call
            .header("content-type")
            .is_some_and(|kind| kind.split(';').next() == Some("application/x-www-form-urlencoded"));
        if !is_form {
            return Err(Failure::new(ProblemCode::UnsupportedMediaType, "this address takes a form"));
        }
        let limit = call.app.settings.limits.body_bytes;
        let (app, caller, head, bytes) = call.bytes(limit).await?;
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(&bytes)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Ok(Self { app, caller, head, fields })
    }

    fn is_of_session(&self) -> bool {
        let (sent, expected) = (self.text("csrf"), session::csrf(&self.app, &self.head));
        // Digests are compared, so that how long it takes tells nothing.
        Digest::of(sent.as_bytes()) == Digest::of(expected.as_bytes())
    }

    /// A field, empty where it is missing. Lines end as they do here, and not as browsers send them.
    pub fn text(&self, name: &str) -> Cow<'_, str> {
        let value = self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value);
        if value.contains('\r') { Cow::Owned(value.replace("\r\n", "\n")) } else { Cow::Borrowed(value) }
    }

    /// A field without blanks around it; none where it is empty.
    pub fn filled(&self, name: &str) -> Option<String> {
        Some(self.text(name).trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The entry of what the form was made from; none where there was nothing.
    pub fn seen(&self) -> Result<Option<u64>> {
        let number = self.filled("seen").map(|text| text.parse()).transpose();
        number.map_err(|_| invalid("seen", "the form is none of this page"))
    }

    /// All values of a field that may be sent several times.
    pub fn all<'form>(&'form self, name: &'form str) -> impl Iterator<Item = &'form str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box was ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Everything that was filled in, without what tells where it came from.
    pub fn fields(&self) -> impl Iterator<Item = &(String, String)> {
        self.fields.iter().filter(|(name, _)| name != "csrf")
    }

    /// Whether a page with all of it would be no light one any more.
    pub fn is_heavy(&self) -> bool {
        self.weight() > said::ROOM
    }

    /// Bytes of HTML that everything takes that was filled in, at most nearly.
    pub fn weight(&self) -> usize {
        let weights = self.fields().map(|(name, value)| AROUND + show::weight(name) + show::weight(value));
        weights.sum()
    }

    /// Where to go afterwards: a page of this registry, or this one.
    pub fn next(&self, otherwise: &str) -> String {
        local(&self.text("next")).map_or_else(|| otherwise.to_owned(), str::to_owned)
    }
}

/// Bytes of HTML around a field.
const AROUND: usize = 45;
/// Bytes of a path that is gone to, at most.
const MOST_PATH: usize = 4_096;

/// A form whose action the page does not know.
pub fn unknown() -> Failure {
    Failure::new(ProblemCode::InvalidParameter, "there is no such form here")
}

/// A path on this registry. An address elsewhere, or what a browser could take for one, is none.
pub fn local(path: &str) -> Option<&str> {
    let is_plain =
        path.len() <= MOST_PATH && path.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\');
    (path.starts_with('/') && !path.starts_with("//") && is_plain).then_some(path)
}

/// What was filled in and not taken, as whoever sent it is not signed in, or has signed in anew meanwhile. It came from a page of
/// this registry, so it may be shown again, with the word that is right now.
pub struct Unsent(pub Vec<(String, String)>);

// What was filled in may be a secret, and is in no log.
impl fmt::Debug for Unsent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Unsent")
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a form of an earlier sign-in")
    }
}

impl std::error::Error for Unsent {}

const STRANGE: &str = "this did not come from a page of this registry, or the page is of an earlier sign-in";

fn strange() -> Failure {
    Problem::new(ProblemCode::Forbidden, STRANGE).into()
}

/// Browsers say where a request comes from. One that says nothing could be made to send anything.
fn check_origin(call: &Call) -> Result<()> {
    let headers: &HeaderMap = &call.head.headers;
    if let Some(site) = headers.get("sec-fetch-site") {
        return if site == "same-origin" { Ok(()) } else { Err(strange()) };
    }
    let base = call.base()?;
    let origin = url::Url::parse(&base).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    match call.header("origin") {
        Some(sent) if sent == origin => Ok(()),
        _ => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_registry_are_gone_to() {
        for good in ["/", "/acme/tool", "/search?q=a%20b&sort=name"] {
            assert_eq!(local(good), Some(good));
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nset-cookie: x",
            "a",
            "/\t/e",
            &format!("/{}", "a".repeat(4_096)),
        ] {
            assert_eq!(local(bad), None, "{bad:?}");
        }
    }
}
