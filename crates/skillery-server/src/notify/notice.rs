//! What a user is told when somebody, who may have nothing but a token of theirs, changes how and where they are told.
//!
//! Preferences count for nothing here, since they may have been changed just before: it stands on the page, and is mailed to the
//! address that was confirmed until then. Of the same, it is told once an hour.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use skillery_core::{NotificationDetail, NotificationKind};

use crate::db::Tx;
use crate::db::deliveries::{self, Channel, NewDelivery};
use crate::db::mail::AddressRow;
use crate::db::notifications::{self, NewNotification};
use crate::environment::Environment;
use crate::failure::{Failure, Result};

/// Microseconds within which the same is told once.
const WINDOW: i64 = 3_600_000_000;

/// What was changed.
#[derive(Debug, Clone)]
pub enum Changed {
    /// A webhook was added, which leads to this host.
    WebhookAdded(String),
    /// One was changed.
    WebhookEdited(String),
    /// Another address was named; what was mailed goes on to the one before.
    AddressNamed,
    /// It was confirmed.
    AddressConfirmed,
    /// There is none any more.
    AddressRemoved,
    /// The user is told less of such changes.
    ToldLess,
}

impl Changed {
    fn words(self) -> (NotificationDetail, Option<String>) {
        match self {
            Self::WebhookAdded(host) => (NotificationDetail::WebhookAdded, Some(host)),
            Self::WebhookEdited(host) => (NotificationDetail::WebhookChanged, Some(host)),
            Self::AddressNamed => (NotificationDetail::AddressChanged, Some("named".to_owned())),
            Self::AddressConfirmed => (NotificationDetail::AddressChanged, Some("confirmed".to_owned())),
            Self::AddressRemoved => (NotificationDetail::AddressChanged, Some("removed".to_owned())),
            Self::ToldLess => (NotificationDetail::ToldLess, None),
        }
    }
}

/// What is kept of a notice until it is mailed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    /// The address.
    pub to: String,
    /// What is said.
    pub text: String,
}

/// Tells the user, on the page and at this address where it is good, in the transaction of the change.
pub async fn tell(
    tx: &mut Tx,
    environment: &Environment,
    user: &str,
    changed: Changed,
    address: Option<&AddressRow>,
) -> Result<()> {
    let (detail, object) = changed.words();
    let hour = tx.now.micros().div_euclid(WINDOW);
    let source = format!("{detail}:{}:{hour}", object.as_deref().unwrap_or_default());
    let notification = NewNotification {
        kind: NotificationKind::AccessChanged,
        source: source.clone(),
        detail: Some(detail),
        skill: None,
        version: None,
        namespace: None,
        object,
        actor: None,
        log_index: None,
        at: tx.now,
    };
    let text = notification.sentence();
    notifications::insert(tx, &notification, &[(user.to_owned(), true)], &HashMap::new()).await?;
    let Some(address) = address.filter(|address| address.is_good()) else { return Ok(()) };
    let notice = Notice { to: address.address.clone(), text };
    let delivery = NewDelivery {
        id: environment.new_id(),
        channel: Channel::Notice,
        user: user.to_owned(),
        webhook: None,
        kind: detail.as_str().to_owned(),
        source,
        notification: None,
        body: Some(serde_json::to_string(&notice).map_err(Failure::internal)?),
        next_at: tx.now,
    };
    deliveries::insert(tx, &[delivery]).await
}
