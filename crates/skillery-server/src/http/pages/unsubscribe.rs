//! The page that the link of a mail leads to, which needs no signing in.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;

use super::frame::{self, Frame};
use crate::failure::Result;
use crate::http::call::Call;

#[derive(Template)]
#[template(path = "pages/unsubscribe.html")]
struct UnsubscribePage {
    frame: Frame,
    is_done: bool,
    /// Where the button leads.
    action: String,
}

/// Asks whether all mail shall stop, or says that it has.
pub fn page(call: &Call, is_done: bool) -> Result<Response> {
    let action = call.head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // The address of the page is what stops mail: nothing on the page leads back to it.
    let frame = Frame { here: "/".to_owned(), address: None, ..Frame::of(call) };
    let template = UnsubscribePage { frame: frame.titled("Mail of this registry"), is_done, action };
    let mut response = frame::page(&template)?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
