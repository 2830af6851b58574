//! What comments and reviews have in common on pages: which form is open, where, what a form reports, what may be done about what
//! is hidden, and how much of a text there is room for.

use skillery_core::SkillId;
use skillery_core::api::ReportRequest;

use super::form::Form;
use super::frame::Frame;
use super::show;
use crate::failure::Result;
use crate::http::call::Call;
use crate::origin;
use crate::talk::check_may_show;
use crate::text::invalid;

/// Bytes of HTML for what people say on a page, or for what one has filled in oneself and is given back: so many that it stays light
/// with all that is around it.
pub const ROOM: usize = 53_000;
/// Characters that are shown of a text for which there is no more room.
pub const BEGINNING: usize = 300;

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

/// A form with this action is about to be looked at: no namespace learns who reports something that is answered as if it did not exist.
pub fn begin(action: &str) {
    if action.starts_with("report") {
        origin::reports();
    }
}

/// What a form reports, about a skill.
pub fn report(form: &Form, id: &SkillId) -> Result<ReportRequest> {
    // What was sent instead is nothing that somebody has typed, and is not said again.
    let reason = form.text("reason").parse();
    let reason = reason.map_err(|_: String| invalid("reason", "choose what is wrong with it"))?;
    Ok(ReportRequest::of_skill(id, reason, form.text("text").into_owned()))
}

/// What the viewer may do about something that may be hidden.
pub struct Hiding {
    /// Hide what a namespace has hidden, so that it does not show it again.
    pub may_hide_again: bool,
    /// Show it again, as far as the registry has not hidden it.
    pub may_show: bool,
}

impl Hiding {
    /// Of something that is hidden, and by the registry, and is the viewer's own, or not.
    pub fn of(frame: &Frame, is_hidden: bool, by_registry: bool, is_own: bool) -> Self {
        let is_site_admin = frame.viewer.as_ref().is_some_and(|viewer| viewer.is_admin);
        Self {
            may_hide_again: is_site_admin && is_hidden && !by_registry,
            may_show: is_hidden && check_may_show(is_site_admin, by_registry, is_own).is_ok(),
        }
    }
}

/// What a plain text weighs as HTML with its paragraphs, at most nearly.
pub fn weight(text: &str) -> usize {
    show::weight(text) + text.matches("\n\n").count() * "</p><p>".len()
}

/// As much of a plain text as so many bytes of HTML have room for, and whether that is all. One that is asked for goes as far as there
/// is room, another one is shown by its beginning.
pub fn fitting(text: &str, room: usize, is_asked: bool) -> (String, bool) {
    // No character takes more than five bytes.
    let most = if is_asked { BEGINNING.max(room / 5) } else { BEGINNING };
    match show::cut(text, most) {
        Some((start, _)) if weight(text) > room => (format!("{start}…"), false),
        _ => (text.to_owned(), true),
    }
}
