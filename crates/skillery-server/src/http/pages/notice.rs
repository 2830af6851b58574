//! What a page says of a change that was made just before it. The address has a word of this list, never a text.

const NOTICES: &[(&str, &str)] = &[
    ("signed-in", "You are signed in."),
    ("signed-out", "You are signed out."),
    ("saved", "Saved."),
    ("removed", "Removed."),
    ("token-revoked", "The token is revoked."),
    ("key-enrolled", "The key is enrolled."),
    ("key-revoked", "The key is revoked. What it signs from now on counts no more."),
    ("user-made", "The user is made."),
    ("org-made", "The org is made."),
    ("yanked", "The version is yanked."),
    ("unyanked", "The yank is taken back."),
    ("said", "It is said."),
    ("resolved", "The thread is resolved."),
    ("reopened", "The thread is open again."),
    ("approved", "Your approval is kept."),
    ("changes-requested", "Changes are asked for. The version waits on."),
    ("rejected", "The version is rejected. Nobody gets it."),
    ("forced", "The version is released, and everybody is told how."),
    ("rated", "Your rating is counted."),
    ("rating-removed", "Your rating is removed."),
];

/// The sentence of a word.
pub fn text(code: &str) -> Option<&'static str> {
    NOTICES.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// The address with the notice in it.
pub fn with(path: &str, code: &str) -> String {
    debug_assert!(text(code).is_some(), "`{code}` is no notice");
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}notice={code}")
}
