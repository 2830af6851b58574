//! Asking again before something is taken away. The question is a page, so that it needs no script.

use askama::Template;
use axum::response::Response;

use super::super::form::{self, Form};
use super::super::frame::{Frame, page};
use crate::failure::Result;

#[derive(Template)]
#[template(path = "pages/desk/ask.html")]
struct AskPage {
    frame: Frame,
    question: String,
    text: String,
    button: &'static str,
    fields: Vec<(String, String)>,
    back: String,
}

/// Whether the question was answered.
pub fn is_answered(form: &Form) -> bool {
    form.text("confirm") == "yes"
}

/// The question, with everything that was sent, to be sent again.
pub fn ask(
    frame: Frame,
    form: &Form,
    question: String,
    text: &str,
    button: &'static str,
    back: &str,
) -> Result<Response> {
    if form.is_heavy() {
        // No page has such a form.
        return Err(form::unknown());
    }
    let fields = form.fields().filter(|(name, _)| name != "confirm").cloned().collect();
    let (text, back) = (text.to_owned(), back.to_owned());
    page(&AskPage { frame: frame.titled(question.clone()), question, text, button, fields, back })
}
