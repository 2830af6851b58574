//! `GET` and `POST /account/notifications`: what one is told of.

use askama::Template;
use axum::response::Response;
use skillery_core::api::{Notification, ReadRequest};
use skillery_core::notification::NotificationDetail;
use skillery_core::time::Time;
use skillery_core::{Namespace, NotificationKind, Role, Scope};

use super::super::form::Form;
use super::super::frame::{Frame, page, see_other};
use super::super::pager::fitting_rows;
use super::super::{notice, place, said, show};
use super::namespace::overview;
use crate::access::Caller;
use crate::failure::Result;
use crate::http::api::notifications as api;
use crate::http::call::Call;
use crate::notify;
use crate::text::invalid;

const PATH: &str = "/account/notifications";
/// Bytes of HTML that a row has without its text and addresses.
const ROW: usize = 600;

/// A kind of notifications in plain words: what it is called, and when it is told.
pub fn words(kind: NotificationKind) -> (&'static str, &'static str) {
    match kind {
        NotificationKind::VersionPublished => {
            ("New versions", "A skill that you installed or starred has a new version.")
        }
        NotificationKind::VersionYanked => {
            ("Yanks", "A version that you installed or published was yanked, or is so no more.")
        }
        NotificationKind::VersionQuarantined => (
            "Quarantines",
            "A version that you installed, published or manage was quarantined, or is so no more.",
        ),
        NotificationKind::ApprovalAsked => {
            ("Waits for you", "A version waits for approval where you review.")
        }
        NotificationKind::ApprovalDecided => ("Decisions", "A version of yours was approved or rejected."),
        NotificationKind::ChangesRequested => {
            ("Changes asked for", "A reviewer wants a version of yours changed.")
        }
        NotificationKind::SkillRated => ("Ratings", "A skill of yours was rated."),
        NotificationKind::CommentPosted => {
            ("Comments", "Somebody wrote about a skill of yours, or answered you.")
        }
        NotificationKind::Finding => (
            "Findings",
            "The rules find a warning or an error in a version of a skill of yours, or one that was published where you review.",
        ),
        NotificationKind::AccessChanged => {
            ("Your access", "Your roles, tokens, keys, webhooks or addresses were changed.")
        }
        NotificationKind::WebhookDisabled => {
            ("Webhooks that fail", "A webhook has failed for days, and is off.")
        }
        NotificationKind::VersionForced => {
            ("Released by force", "A version was released without the approvals that it waited for.")
        }
        NotificationKind::VersionDue => {
            ("Due for review", "A version of yours, or that you have, is due to be reviewed again.")
        }
        NotificationKind::VersionReviewed => {
            ("Reviewed again", "A version of yours, or that you have, was reviewed again.")
        }
    }
}

struct Row {
    one: Notification,
    /// What it is called.
    title: &'static str,
    /// Where to see more of it.
    link: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/desk/notifications.html")]
struct NotificationsPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<Row>,
    /// The newest of these: what comes meanwhile is not marked with them.
    newest: Option<i64>,
    next: Option<String>,
    kinds: Vec<(NotificationKind, &'static str)>,
    kind: String,
    is_unread: bool,
    /// Whether some are left out.
    is_filtered: bool,
    now: Time,
}

impl NotificationsPage {
    /// How many are not read, as far as they are counted.
    fn unread(&self) -> Option<&str> {
        self.frame.viewer.as_ref()?.unread.as_deref()
    }

    /// Whether there may be something to mark: the page is shown as well where it cannot be told how many are not read.
    fn has_new(&self) -> bool {
        self.unread().is_some() || self.rows.iter().any(|row| row.one.read_at.is_none())
    }
}

/// The newest, or those of a kind or that are not read.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let (notifications, mut next) =
        notify::newest(&call.app, &call.caller, api::wanted(call)?, call.page()?.limit).await?;
    let newest = notifications.first().map(|newest| newest.id);
    let row = |one: Notification| Row { title: words(one.kind).0, link: link(&one, &call.caller), one };
    let mut rows: Vec<Row> = notifications.into_iter().map(row).collect();
    let here = show::weight(&frame.here);
    let fits = fitting_rows(rows.iter(), said::ROOM, |row| {
        ROW + here + 2 * show::weight(&row.one.text) + row.link.as_ref().map_or(0, String::len)
    });
    if fits < rows.len() {
        rows.truncate(fits);
        next = rows.last().map(|last| last.one.id);
    }
    let kind = call.parameter("kind").unwrap_or_default();
    let is_unread = call.parsed("unread")?.unwrap_or(false);
    let before = call.parameter("before");
    let next = next.map(|next| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !kind.is_empty() {
            query.append_pair("kind", &kind);
        }
        if is_unread {
            query.append_pair("unread", "true");
        }
        if let Some(limit) = call.parameter("limit") {
            query.append_pair("limit", &limit);
        }
        format!("{PATH}?{}", query.append_pair("before", &next.to_string()).finish())
    });
    page(&NotificationsPage {
        frame: frame.titled("Notifications").part("account"),
        tab: "notifications",
        rows,
        newest,
        next,
        kinds: NotificationKind::ALL.iter().map(|kind| (*kind, words(*kind).0)).collect(),
        is_filtered: is_unread || !kind.is_empty() || before.is_some(),
        kind,
        is_unread,
        now: call.app.environment.now(),
    })
}

/// Where to see more of it, if the caller gets in there.
fn link(one: &Notification, caller: &Caller) -> Option<String> {
    if let Some(skill) = &one.skill {
        return Some(match &one.version {
            // What is found stands behind the page of the version, which its publisher has when nobody gets its files any more, too.
            Some(version) => format!("/{skill}/versions/{version}"),
            None if one.kind == NotificationKind::SkillRated => format!("/{skill}/ratings"),
            None => format!("/{skill}"),
        });
    }
    let manages = |namespace: &str| {
        let key = namespace.parse::<Namespace>().map(|namespace| namespace.key()).unwrap_or_default();
        caller
            .identity()
            .is_some_and(|identity| identity.has(Scope::Admin) && identity.acts_as(Role::Admin, &key))
    };
    let own = match one.detail? {
        NotificationDetail::TokenMade | NotificationDetail::TokenRevoked => "/account/tokens",
        NotificationDetail::KeyEnrolled | NotificationDetail::KeyRevoked => match &one.namespace {
            Some(namespace) => return Some(place::address("/account/keys", [("org", namespace.as_str())])),
            None => "/account/keys",
        },
        NotificationDetail::WebhookAdded
        | NotificationDetail::WebhookChanged
        | NotificationDetail::WebhookRemoved => match &one.namespace {
            Some(namespace) if !manages(namespace) => return None,
            Some(namespace) => return Some(format!("/orgs/{namespace}/webhooks")),
            None if caller.require_unbound(Scope::Admin).is_err() => return None,
            None => "/account/webhooks",
        },
        NotificationDetail::AddressChanged | NotificationDetail::ToldLess => {
            "/account/notifications/settings"
        }
        NotificationDetail::RoleGiven => return one.namespace.as_deref().map(overview),
        _ => return None,
    };
    Some(own.to_owned())
}

/// Marks one as read, or all up to the newest that was shown.
pub async fn mark(call: Call) -> Result<Response> {
    let form = Form::read(call).await?;
    let number = |name: &'static str| -> Result<Option<i64>> {
        let sent = form.filled(name);
        sent.map(|sent| sent.parse().map_err(|_| invalid(name, format!("`{name}` is no number")))).transpose()
    };
    let request = ReadRequest { ids: number("notification")?.into_iter().collect(), up_to: number("up_to")? };
    notify::mark_read(&form.app, &form.caller, request).await?;
    Ok(see_other(&notice::with(&form.next(PATH), "read")))
}
