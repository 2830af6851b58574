//! A form that was refused: what was typed, and what is wrong with it.

use axum::http::StatusCode;
use skillery_core::ProblemCode;

use super::super::form::Form;
use super::super::show;
use crate::failure::{Failure, Result};
use crate::origin;

/// What was tried; nothing where a page is looked at.
#[derive(Default)]
pub struct Tried {
    fields: Vec<(String, String)>,
    field: String,
    why: String,
    weight: usize,
}

/// Bytes of HTML of what was typed that a list leaves room for: keys and certificates are the longest of it.
const BESIDE: usize = 12_000;

/// Characters of why a form was refused: some reasons tell what was sent.
const WHY: usize = 600;

/// Whether a failure is about what was typed, so that typing something else may help.
fn is_about_fields(failure: &Failure) -> bool {
    matches!(failure.problem.status, 400 | 409 | 422)
        || matches!(
            failure.code(),
            ProblemCode::UserNotFound | ProblemCode::IssuerNotAllowed | ProblemCode::RateLimited
        )
}

impl Tried {
    /// A form that was refused, with the status of the answer. The text stands beside the field that the failure names, else
    /// beside `otherwise`. What has nothing to do with what was typed stays a failure, and so does a form that a page has no
    /// room for.
    pub fn new(form: &Form, failure: Failure, otherwise: &str) -> Result<(Self, StatusCode)> {
        if !is_about_fields(&failure) {
            return Err(failure);
        }
        Self::of(form, failure, otherwise)
    }

    /// The same of a form beside a list, which leaves room for what people type there and for no more.
    pub fn beside(form: &Form, failure: Failure, otherwise: &str) -> Result<(Self, StatusCode)> {
        if form.weight() > BESIDE {
            return Err(failure);
        }
        Self::new(form, failure, otherwise)
    }

    /// The same, whatever the failure is about.
    pub fn of(form: &Form, failure: Failure, otherwise: &str) -> Result<(Self, StatusCode)> {
        if form.is_heavy() {
            return Err(failure);
        }
        origin::gave_back(failure.code());
        let problem = &failure.problem;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        let fields: Vec<_> = form.fields().cloned().collect();
        let named = problem.facts.get("field").and_then(serde_json::Value::as_str);
        let named = named.filter(|named| fields.iter().any(|(name, _)| name == named));
        let why = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
        let why = format!("{}.", show::clipped(why.trim_end_matches('.'), WHY));
        let field = named.unwrap_or(otherwise).to_owned();
        Ok((Self { field, why, fields, weight: form.weight() }, status))
    }

    /// Bytes of HTML that what was typed takes on the page, at most nearly; 0 where nothing was.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// What was sent in a field, of whichever form.
    pub fn sent(&self, name: &str) -> &str {
        self.value(name)
    }

    /// Why it was refused; empty where nothing was.
    pub fn reason(&self) -> &str {
        &self.why
    }

    /// What is wrong with a field, of whichever form.
    pub fn wrong(&self, name: &str) -> Option<&str> {
        (!self.why.is_empty() && self.field == name).then_some(self.why.as_str())
    }

    /// Whether it was this form that was tried, by its action.
    pub fn is(&self, form: impl AsRef<str>) -> bool {
        self.value("action") == form.as_ref()
    }

    fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// What was typed into a field of this form.
    pub fn typed(&self, form: impl AsRef<str>, name: impl AsRef<str>) -> &str {
        if self.is(form) { self.value(name.as_ref()) } else { "" }
    }

    /// Whether this was chosen, of several or by a box; `usual` where the form was not tried.
    pub fn chose(
        &self,
        form: impl AsRef<str>,
        name: impl AsRef<str>,
        value: impl AsRef<str>,
        usual: bool,
    ) -> bool {
        if !self.is(form) {
            return usual;
        }
        self.fields.iter().any(|(field, sent)| field == name.as_ref() && sent == value.as_ref())
    }

    /// What is wrong with a field of this form.
    pub fn why(&self, form: impl AsRef<str>, name: impl AsRef<str>) -> Option<&str> {
        (self.is(form) && self.field == name.as_ref()).then_some(self.why.as_str())
    }
}
