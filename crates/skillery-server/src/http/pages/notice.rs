//! What a page says of a change that was made just before it. The address has a word of this list, never a text.

const NOTICES: &[(&str, &str)] = &[
    ("signed-in", "You are signed in."),
    ("signed-out", "You are signed out."),
    ("saved", "Saved."),
    ("removed", "Removed."),
    ("read", "Marked as read."),
    ("code-mailed", "A code was mailed there. It is good for a day."),
    ("address-kept", "It is your address already. Nothing was mailed."),
    ("confirmed", "The address is confirmed."),
    ("tested", "A test is on its way. The list of deliveries says what becomes of it."),
    ("again", "It is sent again."),
    ("nothing-dead", "There was nothing to send again."),
    ("token-revoked", "The token is revoked."),
    ("key-enrolled", "The key is enrolled."),
    ("key-revoked", "The key is revoked. What it signs from now on counts no more."),
    ("user-made", "The user is made."),
    ("org-made", "The org is made."),
    ("yanked", "The version is yanked."),
    ("unyanked", "The yank is taken back."),
    ("quarantined", "The version is quarantined. Nobody gets it."),
    ("released", "The quarantine is taken back."),
    ("said", "Your comment is there."),
    ("edited", "It says something else now. Moderators see what it said."),
    ("deleted", "Your comment is taken back."),
    ("hidden", "It is hidden. Moderators and its author go on seeing it."),
    ("unhidden", "It is shown again."),
    ("reported", "It is reported. Moderators look at it."),
    ("skill-reported", "The skill is reported. Admins of the registry look at it."),
    ("answered", "The review is answered."),
    ("answer-removed", "The answer is taken back."),
    ("resolved", "The report is resolved."),
    ("reopened", "The report is open again."),
    ("thread-said", "It is said."),
    ("thread-resolved", "The thread is resolved."),
    ("thread-reopened", "The thread is open again."),
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
    let (path, fragment) = path.find('#').map_or((path, ""), |at| path.split_at(at));
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}notice={code}{fragment}")
}

/// The address without one.
pub fn without(address: &str) -> String {
    let Some((path, query)) = address.split_once('?') else { return address.to_owned() };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("notice=")).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_stands_in_the_query() {
        assert_eq!(with("/a?b=c#d", "saved"), "/a?b=c&notice=saved#d");
        assert_eq!(with("/a#d", "saved"), "/a?notice=saved#d");
        assert_eq!(without("/a?notice=saved&b=c"), "/a?b=c");
        assert_eq!(without("/a?notice=saved"), "/a");
        assert_eq!(without("/a?b=c"), "/a?b=c");
    }
}
