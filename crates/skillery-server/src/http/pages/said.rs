//! What comments and reviews have in common on pages: which form is open, where, and what a form reports.

use skillery_core::SkillId;
use skillery_core::api::ReportRequest;

use super::form::Form;
use crate::failure::Result;
use crate::http::call::Call;
use crate::text::invalid;

/// Which form is open, and at which comment, or at whose review.
#[derive(Default)]
pub struct Open {
    /// The id of the comment, or the name of the reviewer.
    pub at: String,
    /// What the form does.
    pub form: String,
}

impl Open {
    /// As the address says; the comment or user is the parameter of this name.
    pub fn of(call: &Call, at: &str) -> Self {
        Self { at: call.parameter(at).unwrap_or_default(), form: call.parameter("form").unwrap_or_default() }
    }
}

/// The field beside which stands why a form was refused, where that names none.
pub fn field(action: &str) -> &'static str {
    if action == "hide" { "reason" } else { "text" }
}

/// What a form reports, about a skill.
pub fn report(form: &Form, id: &SkillId) -> Result<ReportRequest> {
    let reason = form.text("reason").parse().map_err(|error: String| invalid("reason", error))?;
    Ok(ReportRequest::of_skill(id, reason, form.text("text").into_owned()))
}
