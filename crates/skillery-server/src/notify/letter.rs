//! What stands in mail.

use askama::Template;
use skillery_core::api::Notification;
use skillery_core::{MailMode, SkillId};

use crate::failure::{Failure, Result};

/// A mail, before it has an address.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its subject.
    pub subject: String,
    /// As plain text.
    pub plain: String,
    /// As HTML, without pictures, scripts or anything that is asked for elsewhere.
    pub html: String,
    /// By which address one click stops all mail.
    pub unsubscribe: Option<String>,
}

struct Line {
    text: String,
    link: Option<String>,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Page<'a> {
    greeting: &'a str,
    lines: &'a [Line],
    more: u64,
    footer: &'a str,
    unsubscribe: Option<&'a str>,
}

/// Notifications, each on a line. `total` is how many there are with those that find no place.
pub fn of_notifications(
    base: &str,
    registry: &str,
    digest: Option<MailMode>,
    notifications: &[Notification],
    total: u64,
    unsubscribe: String,
) -> Result<Letter> {
    let more = total.saturating_sub(notifications.len() as u64);
    let (subject, greeting) = match (digest, notifications) {
        (Some(mode), _) => {
            let time = if mode == MailMode::Weekly { "week" } else { "day" };
            let what = if total == 1 { "notification" } else { "notifications" };
            (format!("[{registry}] {total} {what} of the {time}"), format!("What happened at {registry}:"))
        }
        (None, [one]) => (format!("[{registry}] {}", one.text), format!("From {registry}:")),
        (None, [one, ..]) => {
            let others = total.saturating_sub(1);
            (format!("[{registry}] {}, and {others} more", one.text), format!("From {registry}:"))
        }
        (None, []) => (format!("[{registry}] notifications"), format!("From {registry}:")),
    };
    let link = |skill: &SkillId| format!("{base}/{skill}");
    let lines: Vec<Line> = notifications
        .iter()
        .map(|one| Line { text: one.text.clone(), link: one.skill.as_ref().map(link) })
        .collect();
    letter(subject, &greeting, &lines, more, Some(unsubscribe), registry)
}

/// The code that confirms an address. Whoever did not ask for it has to do nothing.
pub fn of_code(base: &str, registry: &str, user: &str, code: &str) -> Result<Letter> {
    let greeting = format!(
        "{user} at {registry} has asked to get notifications at this address. If that was you, confirm it within a day:"
    );
    let lines = [
        Line { text: format!("the code is {code}"), link: None },
        Line { text: format!("skillery notifications email confirm {code}"), link: None },
        Line {
            text: "or where you see to it with a browser".to_owned(),
            link: Some(format!("{base}/account/notifications/settings")),
        },
    ];
    letter(format!("[{registry}] confirm this address"), &greeting, &lines, 0, None, registry)
}

/// What was changed about how a user is told, for the address that was theirs until then.
pub fn of_notice(base: &str, registry: &str, user: &str, text: &str) -> Result<Letter> {
    let greeting = format!("For {user} at {registry}:");
    let lines = [
        Line { text: text.to_owned(), link: Some(format!("{base}/account/notifications")) },
        Line {
            text: "if that was not you, somebody has a token of yours: revoke it, and look at your webhooks"
                .to_owned(),
            link: Some(format!("{base}/account/tokens")),
        },
    ];
    let footer = "It is mailed to you whatever your preferences say.";
    finished(format!("[{registry}] {text}"), &greeting, &lines, 0, None, footer.to_owned())
}

fn letter(
    subject: String,
    greeting: &str,
    lines: &[Line],
    more: u64,
    unsubscribe: Option<String>,
    registry: &str,
) -> Result<Letter> {
    let footer = match unsubscribe {
        Some(_) => format!("You get this as notifications of {registry} are mailed to you."),
        None => "If it was not you, do nothing: no other mail comes to an address that is not confirmed."
            .to_owned(),
    };
    finished(subject, greeting, lines, more, unsubscribe, footer)
}

fn finished(
    subject: String,
    greeting: &str,
    lines: &[Line],
    more: u64,
    unsubscribe: Option<String>,
    footer: String,
) -> Result<Letter> {
    let mut plain = format!("{greeting}\n\n");
    for line in lines {
        plain += &format!("* {}\n", line.text);
        if let Some(link) = &line.link {
            plain += &format!("  {link}\n");
        }
    }
    if more > 0 {
        plain += &format!("\nand {more} more: skillery notifications list\n");
    }
    plain += &format!("\n-- \n{footer}\n");
    if let Some(link) = &unsubscribe {
        plain += &format!("No more mail: {link}\n");
    }
    let page = Page { greeting, lines, more, footer: &footer, unsubscribe: unsubscribe.as_deref() };
    let html = page.render().map_err(Failure::internal)?;
    Ok(Letter { subject, plain, html, unsubscribe })
}
