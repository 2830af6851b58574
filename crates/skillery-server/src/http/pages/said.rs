//! What comments and reviews have in common on pages: which form is open, where, what a form reports, what may be done about what
//! is hidden, and how much of it there is room for.

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
const BEGINNING: usize = 300;

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

/// Bytes of HTML that are left on a page for rows of what people say.
pub struct RoomLeft(pub usize);

impl RoomLeft {
    /// A row that is to be laid out here, whose texts have so many bytes each at most; none where the row is asked for, so that its
    /// texts go as far as there is room.
    pub fn row(&self, of_text: Option<usize>) -> Row {
        Row { room: self.0, used: 0, of_text, is_cut: false }
    }

    /// Whether the row stands on the page: where there is room for it, or where it has to be there. It takes its room then.
    pub fn take(&mut self, row: &Row, has_to: bool) -> bool {
        let stands = has_to || row.used <= self.0;
        if stands {
            self.0 = self.0.saturating_sub(row.used);
        }
        stands
    }
}

/// How much a row takes of the room that is left on a page.
pub struct Row {
    /// Bytes of HTML that were left before it.
    room: usize,
    /// Bytes of HTML that it takes so far.
    pub used: usize,
    /// Bytes of HTML that each of its texts has at most; none where it is asked for.
    of_text: Option<usize>,
    /// Whether something of it had no room.
    pub is_cut: bool,
}

impl Row {
    /// Bytes that are left behind it.
    pub fn left(&self) -> usize {
        self.room.saturating_sub(self.used)
    }

    /// Bytes that its next text may take.
    pub fn left_for_text(&self) -> usize {
        self.of_text.map_or(self.left(), |most| most.min(self.left()))
    }

    /// Adds a plain text as far as there is room for it.
    pub fn cut(&mut self, text: &mut String) {
        let (start, is_whole) = fitting(text, self.left_for_text(), self.of_text.is_none());
        self.used += weight(&start);
        self.is_cut |= !is_whole;
        *text = start;
    }

    /// Adds why it is hidden, which is whole where the row is asked for and more than half of a page is left.
    pub fn cut_reason(&mut self, reason: &mut Option<String>) {
        let Some(reason) = reason else { return };
        if self.of_text.is_some() || self.room <= ROOM / 2 {
            *reason = show::clipped(reason, BEGINNING);
        }
        self.used += show::weight(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_there_is_room_or_where_they_have_to() {
        let mut left = RoomLeft(100);
        let mut stands = |bytes: usize, has_to: bool| {
            let mut row = left.row(None);
            row.used += bytes;
            left.take(&row, has_to)
        };
        assert!(stands(60, false));
        // What does not stand takes no room.
        assert!(!stands(41, false));
        assert!(stands(40, false));
        assert!(!stands(1, false));
        assert!(stands(1, true));
        assert!(stands(0, false));
    }

    #[test]
    fn texts_are_whole_where_there_is_room_and_go_on_where_they_are_asked_for() {
        let laid_out = |room: usize, of_text: Option<usize>| {
            let mut row = RoomLeft(room).row(of_text);
            let mut texts = ["a".repeat(2_000), "b".repeat(2_000)];
            texts.iter_mut().for_each(|text| row.cut(text));
            (texts.map(|text| text.chars().count()), row.left(), row.is_cut)
        };
        assert_eq!(laid_out(10_000, None), ([2_000, 2_000], 6_000, false));
        assert_eq!(laid_out(10_000, Some(2_000)), ([2_000, 2_000], 6_000, false));
        // The beginning of each, with an ellipsis of three bytes.
        assert_eq!(laid_out(10_000, Some(1_999)), ([301, 301], 9_394, true));
        assert_eq!(laid_out(0, None), ([301, 301], 0, true));
        // A fifth of the 1,999 bytes that the first one leaves, as each character may take five.
        assert_eq!(laid_out(3_999, None), ([2_000, 400], 1_597, true));
    }

    #[test]
    fn reasons_are_whole_where_they_are_asked_for_and_much_is_left() {
        for (room, of_text, length) in
            [(ROOM, None, 1_000), (ROOM / 2, None, 301), (ROOM, Some(ROOM / 4), 301)]
        {
            let mut row = RoomLeft(room).row(of_text);
            let mut reason = Some("a".repeat(1_000));
            row.cut_reason(&mut reason);
            let reason = reason.unwrap();
            assert_eq!((reason.chars().count(), room - row.left()), (length, reason.len()));
        }
    }
}
