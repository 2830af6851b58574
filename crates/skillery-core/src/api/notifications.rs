//! Notifications: what somebody is told of, how, and where to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::notification::{NotificationDetail, NotificationKind, Preference, Told};
use crate::time::Time;
use crate::token::Secret;
use crate::words::word_enum;
use crate::{Namespace, SkillId, Version};

/// What somebody is told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notification {
    /// Its number: later ones have higher ones.
    pub id: i64,
    /// Of what kind it is.
    pub kind: NotificationKind,
    /// What exactly, where the kind does not say it.
    pub detail: Option<NotificationDetail>,
    /// The skill that it is about.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub skill: Option<SkillId>,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub version: Option<Version>,
    /// The namespace that it is about, where it is about no skill.
    pub namespace: Option<String>,
    /// A word more: a role, the id of a token, the fingerprint of a key, the id of a comment, the host of a webhook, what became
    /// of an address.
    pub object: Option<String>,
    /// Who did it, by name, where the user may know.
    pub actor: Option<String>,
    /// All of it in one line.
    pub text: String,
    /// The number of the log entry that it came from.
    pub log_index: Option<u64>,
    /// When it happened.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Time,
    /// When it was read.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub read_at: Option<Time>,
}

impl Notification {
    /// What it tells.
    pub fn told(&self) -> Told<'_> {
        Told {
            kind: self.kind,
            detail: self.detail,
            skill: self.skill.as_ref(),
            version: self.version.as_ref(),
            namespace: self.namespace.as_deref(),
            object: self.object.as_deref(),
            actor: self.actor.as_deref(),
        }
    }
}

/// `GET /api/v1/notifications`: the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotificationsResponse {
    /// How many are not read, on all pages.
    pub unread: u64,
    /// This page.
    pub notifications: Vec<Notification>,
    /// What `before` asks for the next page; nothing on the last one.
    pub next: Option<i64>,
}

/// `POST /api/v1/notifications/read`: these, or all up to one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadRequest {
    /// Numbers of notifications, at most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<i64>,
    /// All that have this number or a lower one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<i64>,
}

/// How many are left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadResponse {
    /// How many are not read now.
    pub unread: u64,
}

/// `GET /api/v1/notifications/preferences`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreferencesResponse {
    /// One for each kind.
    pub preferences: Vec<Preference>,
    /// Whether mail is sent at all: the registry sends some, an address is confirmed, and mail was not unsubscribed from.
    pub mail: bool,
}

/// `PUT /api/v1/notifications/preferences`. Kinds that are left out stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreferencesRequest {
    /// Those that change.
    pub preferences: Vec<Preference>,
}

/// `PUT /api/v1/notifications/email`: where mail goes, once it is confirmed. The same address again gets another code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetEmailRequest {
    /// The address, of ASCII letters.
    pub address: String,
}

/// `POST /api/v1/notifications/email/confirm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfirmEmailRequest {
    /// The code that was mailed.
    pub code: String,
}

/// `GET /api/v1/notifications/email`: where mail goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmailResponse {
    /// Whether this registry sends mail.
    pub offered: bool,
    /// The address, if there is one.
    pub address: Option<String>,
    /// When it was confirmed. One that is not gets nothing but the code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub confirmed_at: Option<Time>,
    /// When its owner unsubscribed from all mail; setting and confirming an address again ends that.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub unsubscribed_at: Option<Time>,
    /// An address that was set and is not confirmed, while mail goes to the one before.
    #[serde(default)]
    pub pending: Option<String>,
    /// The last mail that could not be delivered to one of these addresses, until one arrives there or an address is confirmed.
    #[serde(default)]
    pub undelivered: Option<UndeliveredMail>,
}

/// A mail that could not be delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UndeliveredMail {
    /// Where it was sent.
    pub address: String,
    /// When it was given up.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Time,
    /// What the mail server said, where that is about the address, or why it was not sent at all, such as that it has waited for a week:
    /// one line of at most a few hundred characters, in which what nobody would see is written out.
    pub reason: Option<String>,
}

/// `POST /api/v1/notifications/webhooks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateWebhookRequest {
    /// Where to: `https://`, or `http://` into a network that the operator allows.
    pub url: String,
    /// Told of what happens in this namespace and below; left out: of what the user is told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub namespace: Option<Namespace>,
    /// Told of these kinds; empty: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<NotificationKind>,
}

/// `PATCH /api/v1/notifications/webhooks/{webhook}`. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateWebhookRequest {
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Told of these kinds; empty: of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<NotificationKind>>,
    /// Off, or on again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A webhook, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where to.
    pub url: String,
    /// The namespace that it is told of; none: what its user is told of.
    pub namespace: Option<String>,
    /// Told of these kinds; empty: of all.
    pub kinds: Vec<NotificationKind>,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// Since when it has only failed.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub failing_since: Option<Time>,
    /// When it was switched off.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub disabled_at: Option<Time>,
    /// Who made it, where it is one of a namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// When somebody has changed it last, or made it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub changed_at: Option<Time>,
}

/// A webhook that was just made, with the secret that is shown this once.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateWebhookResponse {
    /// What its requests are signed with, as Standard Webhooks writes it: `whsec_` and base64.
    pub secret: String,
    /// The rest.
    #[serde(flatten)]
    pub webhook: Webhook,
}

impl fmt::Debug for CreateWebhookResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret, webhook } = self;
        formatter
            .debug_struct("CreateWebhookResponse")
            .field("secret", &Secret::new(secret))
            .field("webhook", webhook)
            .finish()
    }
}

/// `GET /api/v1/notifications/webhooks`: the caller's own, or those of a namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhooksResponse {
    /// All of them, the oldest first.
    pub webhooks: Vec<Webhook>,
}

word_enum! {
    /// How far a delivery is.
    DeliveryState {
        /// It is sent at `next_at`.
        Waiting = "waiting",
        /// It arrived, or there was nothing left to say.
        Done = "done",
        /// It failed as often as may be, and is not tried again by itself.
        Dead = "dead",
    }
}

/// A request to a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// Its id: what `webhook-id` says, the same each time that it is tried.
    pub id: String,
    /// What it tells of: a kind of notifications, or `test`.
    pub kind: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// When it is tried next, while it waits.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub next_at: Option<Time>,
    /// The HTTP status of the last answer.
    pub status: Option<u16>,
    /// What went wrong the last time. The end may be text of the receiver, with everything but plain letters escaped.
    pub error: Option<String>,
}

/// `GET /api/v1/notifications/webhooks/{webhook}/deliveries`: the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliveriesResponse {
    /// How many there are.
    pub total: u64,
    /// This page.
    pub deliveries: Vec<Delivery>,
}

/// `POST /api/v1/notifications/webhooks/{webhook}/test`: a delivery that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestWebhookResponse {
    /// Its id.
    pub delivery: String,
}

/// `POST /api/v1/notifications/webhooks/{webhook}/redeliver`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedeliverRequest {
    /// This one, dead or done; left out: all that are dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
}

/// How many are sent again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedeliverResponse {
    /// How many.
    pub redelivered: u64,
}

/// The body of a request to a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookBody {
    /// A kind of notifications, or `test`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: Time,
    /// What.
    pub data: WebhookData,
}

/// What a webhook is told. What there is nothing to say of is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WebhookData {
    /// What exactly, where the kind does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<NotificationDetail>,
    /// The skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<SkillId>,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A word more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Who did it, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// All of it in one line.
    pub text: String,
    /// The number of the log entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
}
