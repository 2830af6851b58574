//! What people who are signed in see to: their account, their namespaces, and for admins the registry itself.
//!
//! Each page shows and changes by the functions of the API, so that a browser may do what the token of its session may and
//! no more. A form that is refused comes back with what was typed; what takes something away asks again first.

mod account;
mod admin;
mod approvals;
pub(super) mod ask;
mod audit;
mod groups;
mod insight;
mod jobs;
mod keys;
mod limits;
mod log;
mod members;
mod namespace;
mod notifications;
mod orgs;
mod policy;
mod provider;
mod publishers;
mod reports;
mod room;
mod secret;
mod skill;
mod telling;
mod tokens;
pub(super) mod tried;
mod users;
mod webhooks;

use axum::http::Method;
use axum::response::Response;
use skillery_core::{Namespace, Scope, SkillId, Version};

use super::frame::Frame;
use crate::failure::Result;
use crate::http::call::Call;
use crate::http::router::{Who, not_allowed_by};
pub use ask::{ask, is_answered};
pub use namespace::overview;
#[cfg(test)]
pub use provider::{ARRIVAL, BEGIN};
pub use skill::Manage;
pub use tried::Tried;

/// A page of this room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Who one is.
    Account,
    /// One's tokens.
    Tokens,
    /// One's keys.
    Keys,
    /// What one is told of.
    Notifications,
    /// How one is told, and where mail goes.
    Telling,
    /// What is called when something happens: to oneself, or in a namespace.
    Webhooks(Option<Namespace>),
    /// One of them, by its id.
    Webhook(Option<Namespace>, String),
    /// Who did what: everywhere, or in a namespace.
    Audit(Option<Namespace>),
    /// What waits, and for whom.
    Approvals,
    /// What a namespace is, for those who have a role there.
    Namespace(Namespace),
    /// Who has which role.
    Members(Namespace),
    /// How its skills are used.
    Insight(Namespace),
    /// What is demanded of versions.
    Policy(Namespace),
    /// What was demanded.
    PolicyHistory(Namespace),
    /// Whom policies ask.
    Groups(Namespace),
    /// Which builds may publish.
    Publishers(Namespace),
    /// The shared secret of an org.
    SigningSecret(Namespace),
    /// What was reported in a namespace.
    Reports(Namespace),
    /// What was reported anywhere.
    AllReports,
    /// Who sees a skill.
    Visibility(SkillId),
    /// Whether a version is yanked.
    Yank(SkillId, Version),
    /// Whether a version is quarantined.
    Quarantine(SkillId, Version),
    /// The registry itself.
    Admin,
    /// Everybody.
    Users,
    /// All orgs.
    Orgs,
    /// How it runs.
    Limits,
    /// What runs beside requests.
    Jobs,
    /// What was changed.
    Log,
    /// Where signing in with an account elsewhere begins.
    Provider,
    /// Where it ends.
    Arrival,
}

const ACCOUNT: &str = "/account";
const TOKENS: &str = "/account/tokens";
const KEYS: &str = "/account/keys";
const NOTIFICATIONS: &str = "/account/notifications";
const TELLING: &str = "/account/notifications/settings";
const WEBHOOKS: &str = "/account/webhooks";
const WEBHOOK: &str = "/account/webhooks/{webhook}";
const ORG_WEBHOOKS: &str = "/orgs/{namespace}/webhooks";
const ORG_WEBHOOK: &str = "/orgs/{namespace}/webhooks/{webhook}";
const ORG_AUDIT: &str = "/orgs/{namespace}/audit";
const AUDIT: &str = "/admin/audit";
const APPROVALS: &str = "/account/approvals";
const NAMESPACE: &str = "/orgs/{namespace}";
const MEMBERS: &str = "/orgs/{namespace}/members";
const INSIGHT: &str = "/orgs/{namespace}/usage";
const POLICY: &str = "/orgs/{namespace}/policy";
const POLICY_HISTORY: &str = "/orgs/{namespace}/policy/history";
const GROUPS: &str = "/orgs/{namespace}/policy/groups";
const PUBLISHERS: &str = "/orgs/{namespace}/publishers";
const SIGNING_SECRET: &str = "/orgs/{namespace}/signing-secret";
const REPORTS: &str = "/orgs/{namespace}/comments";
const ALL_REPORTS: &str = "/admin/reports";
const VISIBILITY: &str = "/{id}/visibility";
const YANK: &str = "/{id}/versions/{version}/yank";
const QUARANTINE: &str = "/{id}/versions/{version}/quarantine";
const ADMIN: &str = "/admin";
const USERS: &str = "/admin/users";
const ORGS: &str = "/admin/orgs";
const LIMITS: &str = "/admin/limits";
const JOBS: &str = "/admin/jobs";
const LOG: &str = "/admin/log";

/// Method, path and who may.
pub const ROUTES: &[(&str, &str, Who)] = &[
    ("get", ACCOUNT, Who::SignedIn),
    ("post", ACCOUNT, Who::Scope(Scope::Admin)),
    ("get", TOKENS, Who::Scope(Scope::Read)),
    ("post", TOKENS, Who::SignedIn),
    ("get", KEYS, Who::Scope(Scope::Read)),
    ("post", KEYS, Who::Scope(Scope::Admin)),
    ("get", NOTIFICATIONS, Who::Scope(Scope::Read)),
    ("post", NOTIFICATIONS, Who::Scope(Scope::Read)),
    ("get", TELLING, Who::Scope(Scope::Read)),
    ("post", TELLING, Who::Scope(Scope::Admin)),
    ("get", WEBHOOKS, Who::Scope(Scope::Admin)),
    ("post", WEBHOOKS, Who::Scope(Scope::Admin)),
    ("get", WEBHOOK, Who::Scope(Scope::Admin)),
    ("post", WEBHOOK, Who::Scope(Scope::Admin)),
    ("get", ORG_WEBHOOKS, Who::Scope(Scope::Admin)),
    ("post", ORG_WEBHOOKS, Who::Scope(Scope::Admin)),
    ("get", ORG_WEBHOOK, Who::Scope(Scope::Admin)),
    ("post", ORG_WEBHOOK, Who::Scope(Scope::Admin)),
    ("get", ORG_AUDIT, Who::Scope(Scope::Admin)),
    ("get", AUDIT, Who::SiteAdmin),
    ("get", APPROVALS, Who::Scope(Scope::Read)),
    ("get", NAMESPACE, Who::Scope(Scope::Read)),
    ("get", MEMBERS, Who::Scope(Scope::Read)),
    ("post", MEMBERS, Who::Scope(Scope::Admin)),
    ("get", INSIGHT, Who::Scope(Scope::Read)),
    ("post", INSIGHT, Who::Scope(Scope::Admin)),
    ("get", POLICY, Who::Scope(Scope::Read)),
    ("post", POLICY, Who::Scope(Scope::Admin)),
    ("get", POLICY_HISTORY, Who::Scope(Scope::Read)),
    ("get", GROUPS, Who::Scope(Scope::Read)),
    ("post", GROUPS, Who::Scope(Scope::Admin)),
    ("get", PUBLISHERS, Who::Scope(Scope::Admin)),
    ("post", PUBLISHERS, Who::Scope(Scope::Admin)),
    ("get", SIGNING_SECRET, Who::Scope(Scope::Read)),
    ("post", SIGNING_SECRET, Who::Scope(Scope::Admin)),
    ("get", REPORTS, Who::Scope(Scope::Admin)),
    ("post", REPORTS, Who::Scope(Scope::Admin)),
    ("get", ALL_REPORTS, Who::SiteAdmin),
    ("post", ALL_REPORTS, Who::SiteAdmin),
    ("post", VISIBILITY, Who::Scope(Scope::Admin)),
    ("post", YANK, Who::Scope(Scope::Publish)),
    ("post", QUARANTINE, Who::SiteAdmin),
    ("get", ADMIN, Who::SiteAdmin),
    ("get", USERS, Who::SiteAdmin),
    ("post", USERS, Who::SiteAdmin),
    ("get", ORGS, Who::SiteAdmin),
    ("post", ORGS, Who::SiteAdmin),
    ("get", LIMITS, Who::SiteAdmin),
    ("get", JOBS, Who::SiteAdmin),
    ("get", LOG, Who::SiteAdmin),
    ("get", provider::BEGIN, Who::Anyone),
    ("get", provider::ARRIVAL, Who::Bearer),
];

impl Place {
    /// The page that it is sent to from, where it has none itself.
    pub fn behind(&self) -> Option<String> {
        match self {
            Self::Visibility(id) => Some(format!("/{id}")),
            Self::Yank(id, version) | Self::Quarantine(id, version) => {
                Some(format!("/{id}/versions/{version}"))
            }
            _ => None,
        }
    }

    /// The name of its route.
    pub fn route(&self) -> &'static str {
        match self {
            Self::Account => ACCOUNT,
            Self::Tokens => TOKENS,
            Self::Keys => KEYS,
            Self::Notifications => NOTIFICATIONS,
            Self::Telling => TELLING,
            Self::Webhooks(None) => WEBHOOKS,
            Self::Webhook(None, _) => WEBHOOK,
            Self::Webhooks(Some(_)) => ORG_WEBHOOKS,
            Self::Webhook(Some(_), _) => ORG_WEBHOOK,
            Self::Audit(Some(_)) => ORG_AUDIT,
            Self::Audit(None) => AUDIT,
            Self::Approvals => APPROVALS,
            Self::Namespace(_) => NAMESPACE,
            Self::Members(_) => MEMBERS,
            Self::Insight(_) => INSIGHT,
            Self::Policy(_) => POLICY,
            Self::PolicyHistory(_) => POLICY_HISTORY,
            Self::Groups(_) => GROUPS,
            Self::Publishers(_) => PUBLISHERS,
            Self::SigningSecret(_) => SIGNING_SECRET,
            Self::Reports(_) => REPORTS,
            Self::AllReports => ALL_REPORTS,
            Self::Visibility(_) => VISIBILITY,
            Self::Yank(..) => YANK,
            Self::Quarantine(..) => QUARANTINE,
            Self::Admin => ADMIN,
            Self::Users => USERS,
            Self::Orgs => ORGS,
            Self::Limits => LIMITS,
            Self::Jobs => JOBS,
            Self::Log => LOG,
            Self::Provider => provider::BEGIN,
            Self::Arrival => provider::ARRIVAL,
        }
    }
}

impl Place {
    /// Whether somebody who is not signed in is on the way to be.
    pub fn signs_in(&self) -> bool {
        matches!(self, Self::Provider | Self::Arrival)
    }
}

/// The page of these segments of a path, if it is one of this room.
pub fn of(segments: &[&str]) -> Option<Place> {
    let namespace = |segments: &[&str]| -> Option<Namespace> { segments.join("/").parse().ok() };
    let skill = |segments: &[&str]| -> Option<SkillId> { segments.join("/").parse().ok() };
    match segments {
        ["account"] => Some(Place::Account),
        ["account", "tokens"] => Some(Place::Tokens),
        ["account", "keys"] => Some(Place::Keys),
        ["account", "notifications"] => Some(Place::Notifications),
        ["account", "notifications", "settings"] => Some(Place::Telling),
        ["account", "webhooks"] => Some(Place::Webhooks(None)),
        ["account", "webhooks", id] => Some(Place::Webhook(None, (*id).to_owned())),
        ["admin", "audit"] => Some(Place::Audit(None)),
        ["account", "approvals"] => Some(Place::Approvals),
        ["admin"] => Some(Place::Admin),
        ["admin", "reports"] => Some(Place::AllReports),
        ["admin", "users"] => Some(Place::Users),
        ["admin", "orgs"] => Some(Place::Orgs),
        ["admin", "limits"] => Some(Place::Limits),
        ["admin", "jobs"] => Some(Place::Jobs),
        ["admin", "log"] => Some(Place::Log),
        ["login", "oidc"] => Some(Place::Provider),
        ["login", "oidc", "callback"] => Some(Place::Arrival),
        ["orgs", place @ .., "members"] => Some(Place::Members(namespace(place)?)),
        ["orgs", place @ .., "usage"] => Some(Place::Insight(namespace(place)?)),
        ["orgs", place @ .., "policy"] => Some(Place::Policy(namespace(place)?)),
        ["orgs", place @ .., "policy", "history"] => Some(Place::PolicyHistory(namespace(place)?)),
        ["orgs", place @ .., "policy", "groups"] => Some(Place::Groups(namespace(place)?)),
        ["orgs", place @ .., "publishers"] => Some(Place::Publishers(namespace(place)?)),
        ["orgs", place @ .., "comments"] => Some(Place::Reports(namespace(place)?)),
        // Names that a namespace may have as well: its own page is behind a slash then.
        ["orgs", place @ .., "webhooks"] if !place.is_empty() => {
            Some(Place::Webhooks(Some(namespace(place)?)))
        }
        ["orgs", place @ .., "webhooks", id] if !place.is_empty() && is_id(id) => {
            Some(Place::Webhook(Some(namespace(place)?), (*id).to_owned()))
        }
        ["orgs", place @ .., "audit"] if !place.is_empty() => Some(Place::Audit(Some(namespace(place)?))),
        ["orgs", place @ .., ""] => Some(Place::Namespace(namespace(place)?)),
        ["orgs", org, "signing-secret"] => Some(Place::SigningSecret(org.parse().ok()?)),
        ["orgs", place @ ..] => Some(Place::Namespace(namespace(place)?)),
        [id @ .., "visibility"] => Some(Place::Visibility(skill(id)?)),
        [id @ .., "versions", version, "yank"] => Some(Place::Yank(skill(id)?, version.parse().ok()?)),
        [id @ .., "versions", version, "quarantine"] => {
            Some(Place::Quarantine(skill(id)?, version.parse().ok()?))
        }
        _ => None,
    }
}

/// Whether it is the id of a webhook, and no name.
fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// Answers a call of a page of this room.
pub async fn answer(call: Call, frame: Frame, place: Place) -> Result<Response> {
    let route = place.route();
    match (place, call.method()) {
        (Place::Account, Method::GET) => account::show(&call, frame).await,
        (Place::Account, Method::POST) => account::change(call, frame).await,
        (Place::Tokens, Method::GET) => tokens::show(&call, frame).await,
        (Place::Tokens, Method::POST) => tokens::change(call, frame).await,
        (Place::Keys, Method::GET) => keys::show(&call, frame).await,
        (Place::Keys, Method::POST) => keys::change(call, frame).await,
        (Place::Notifications, Method::GET) => notifications::show(&call, frame).await,
        (Place::Notifications, Method::POST) => notifications::mark(call).await,
        (Place::Telling, Method::GET) => telling::show(&call, frame).await,
        (Place::Telling, Method::POST) => telling::change(call, frame).await,
        (Place::Webhooks(place), Method::GET) => webhooks::show(&call, frame, place).await,
        (Place::Webhooks(place), Method::POST) => webhooks::add(call, frame, place).await,
        (Place::Webhook(place, id), Method::GET) => webhooks::one(&call, frame, place, &id).await,
        (Place::Webhook(place, id), Method::POST) => webhooks::change(call, frame, place, &id).await,
        (Place::Audit(place), Method::GET) => audit::show(&call, frame, place).await,
        (Place::Approvals, Method::GET) => approvals::show(&call, frame).await,
        (Place::Namespace(namespace), Method::GET) => namespace::show(&call, frame, &namespace).await,
        (Place::Members(namespace), Method::GET) => members::show(&call, frame, &namespace).await,
        (Place::Members(namespace), Method::POST) => members::change(call, frame, &namespace).await,
        (Place::Insight(namespace), Method::GET) => insight::show(&call, frame, &namespace).await,
        (Place::Insight(namespace), Method::POST) => insight::change(call, frame, &namespace).await,
        (Place::Policy(namespace), Method::GET) => policy::show(&call, frame, &namespace).await,
        (Place::Policy(namespace), Method::POST) => policy::change(call, frame, &namespace).await,
        (Place::PolicyHistory(namespace), Method::GET) => policy::history(&call, frame, &namespace).await,
        (Place::Groups(namespace), Method::GET) => groups::show(&call, frame, &namespace).await,
        (Place::Groups(namespace), Method::POST) => groups::change(call, frame, &namespace).await,
        (Place::Publishers(namespace), Method::GET) => publishers::show(&call, frame, &namespace).await,
        (Place::Publishers(namespace), Method::POST) => publishers::change(call, frame, &namespace).await,
        (Place::SigningSecret(org), Method::GET) => secret::show(&call, frame, &org).await,
        (Place::SigningSecret(org), Method::POST) => secret::change(call, frame, &org).await,
        (Place::Reports(namespace), Method::GET) => reports::show(&call, frame, Some(&namespace)).await,
        (Place::Reports(namespace), Method::POST) => reports::change(call, frame, Some(&namespace)).await,
        (Place::AllReports, Method::GET) => reports::show(&call, frame, None).await,
        (Place::AllReports, Method::POST) => reports::change(call, frame, None).await,
        (Place::Visibility(id), Method::POST) => skill::set_visibility(call, &id).await,
        (Place::Yank(id, version), Method::POST) => skill::yank(call, frame, &id, &version).await,
        (Place::Quarantine(id, version), Method::POST) => skill::quarantine(call, frame, &id, &version).await,
        (Place::Admin, Method::GET) => admin::show(&call, frame).await,
        (Place::Users, Method::GET) => users::show(&call, frame).await,
        (Place::Users, Method::POST) => users::change(call, frame).await,
        (Place::Orgs, Method::GET) => orgs::show(&call, frame).await,
        (Place::Orgs, Method::POST) => orgs::change(call, frame).await,
        (Place::Limits, Method::GET) => limits::show(&call, frame),
        (Place::Jobs, Method::GET) => jobs::show(&call, frame).await,
        (Place::Log, Method::GET) => log::show(&call, frame).await,
        (Place::Provider, Method::GET) => provider::begin(&call).await,
        (Place::Arrival, Method::GET) => provider::arrive(&call, frame).await,
        _ => Err(not_allowed_by(ROUTES, route)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_pages() {
        let namespace = || "acme/email".parse::<Namespace>().unwrap();
        for (path, place) in [
            ("account", Some(Place::Account)),
            ("account/tokens", Some(Place::Tokens)),
            ("account/tool", None),
            ("orgs/acme/email", Some(Place::Namespace(namespace()))),
            ("orgs/acme/email/members", Some(Place::Members(namespace()))),
            ("orgs/acme/email/webhooks", Some(Place::Webhooks(Some(namespace())))),
            (
                "orgs/acme/email/webhooks/00000000-0000-7000-8000-000000000000",
                Some(Place::Webhook(Some(namespace()), "00000000-0000-7000-8000-000000000000".to_owned())),
            ),
            ("orgs/acme/email/audit", Some(Place::Audit(Some(namespace())))),
            ("orgs/acme/audit/", Some(Place::Namespace("acme/audit".parse().unwrap()))),
            ("orgs/acme/webhooks/x", Some(Place::Namespace("acme/webhooks/x".parse().unwrap()))),
            ("orgs/audit", Some(Place::Namespace("audit".parse().unwrap()))),
            ("account/webhooks", Some(Place::Webhooks(None))),
            ("orgs/acme/email/usage", Some(Place::Insight(namespace()))),
            ("orgs/members", None),
            ("orgs/acme/email/comments", Some(Place::Reports(namespace()))),
            ("orgs", None),
            ("orgs/acme/email/signing-secret", None),
            ("orgs/acme/email/policy/groups", Some(Place::Groups(namespace()))),
            ("orgs/acme/email/policy/history", Some(Place::PolicyHistory(namespace()))),
            ("account/approvals", Some(Place::Approvals)),
            ("acme/tool/visibility", Some(Place::Visibility("acme/tool".parse().unwrap()))),
            ("visibility", None),
            ("acme/tool/versions/one/yank", None),
            (
                "acme/tool/versions/1.0.0/quarantine",
                Some(Place::Quarantine("acme/tool".parse().unwrap(), "1.0.0".parse().unwrap())),
            ),
            ("acme/tool/versions/one/quarantine", None),
            ("acme/tool", None),
            ("admin/log", Some(Place::Log)),
            ("login/oidc/callback", Some(Place::Arrival)),
        ] {
            assert_eq!(of(&path.split('/').collect::<Vec<_>>()), place, "{path}");
        }
    }
}
