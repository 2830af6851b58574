//! What a user is told when somebody, who may have nothing but a token of theirs, changes how and where they are told.
//!
//! Preferences count for nothing here, since they may have been changed just before: it stands on the page, and is mailed to the
//! address that was confirmed until then. Where something new may lead each is told by itself; of what is no more than another choice of
//! kinds, it is told once an hour.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use skillery_core::time::Time;
use skillery_core::{NotificationDetail, NotificationKind};

use crate::app::App;
use crate::db::Tx;
use crate::db::deliveries::{self, Channel, NewDelivery};
use crate::db::mail::{self, AddressRow};
use crate::db::notifications::{self, NewNotification};
use crate::environment::Environment;
use crate::failure::{Failure, Result};

/// Seconds within which another choice is told once.
const WINDOW: i64 = 3_600;
/// Notices that are mailed to a user in that time: more stand on the page alone, or whoever has a token fills a mailbox by it.
const MOST: i64 = 20;

/// What was changed.
#[derive(Debug, Clone)]
pub enum Changed {
    /// A webhook was added.
    WebhookAdded(Place),
    /// One leads to another address.
    WebhookMoved(Place),
    /// Something else of one was changed.
    WebhookEdited(Place),
    /// One was removed.
    WebhookRemoved(Place),
    /// An address was named; what was mailed goes on to the one before, if there is one.
    AddressNamed,
    /// It was confirmed.
    AddressConfirmed,
    /// There is none any more.
    AddressRemoved,
    /// The user is told less of such changes.
    ToldLess,
}

/// A webhook, and the host that it leads to.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its id.
    pub webhook: String,
    /// The host.
    pub host: String,
}

impl Changed {
    /// What names this change, by an id that is new: another one of the same name is not told.
    fn source(&self, now: Time, id: &str) -> String {
        let hour = now.micros().div_euclid(WINDOW * 1_000_000);
        match self {
            Self::WebhookAdded(place) => format!("webhook-added:{}", place.webhook),
            Self::WebhookMoved(place) => format!("webhook-moved:{}:{id}", place.webhook),
            Self::WebhookEdited(place) => format!("webhook-changed:{}:{hour}", place.webhook),
            Self::WebhookRemoved(place) => format!("webhook-removed:{}", place.webhook),
            Self::AddressNamed => format!("address-named:{id}"),
            Self::AddressConfirmed => format!("address-confirmed:{id}"),
            Self::AddressRemoved => format!("address-removed:{id}"),
            Self::ToldLess => format!("told-less:{hour}"),
        }
    }

    fn words(self) -> (NotificationDetail, Option<String>) {
        match self {
            Self::WebhookAdded(place) => (NotificationDetail::WebhookAdded, Some(place.host)),
            Self::WebhookMoved(place) | Self::WebhookEdited(place) => {
                (NotificationDetail::WebhookChanged, Some(place.host))
            }
            Self::WebhookRemoved(place) => (NotificationDetail::WebhookRemoved, Some(place.host)),
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

/// Who tells it, in the transaction of the change.
#[derive(Debug, Clone)]
pub struct Teller {
    environment: Environment,
    /// Whether the registry sends mail. Where it sends none, none is made: it would wait, and be no news whenever a mail server is named.
    has_mailer: bool,
}

impl Teller {
    /// Of this server.
    pub fn of(app: &App) -> Self {
        Self { environment: app.environment.clone(), has_mailer: app.mailer.is_some() }
    }

    /// Tells the user, on the page and at this address where it is good.
    pub async fn tell(
        &self,
        tx: &mut Tx,
        user: &str,
        changed: Changed,
        address: Option<&AddressRow>,
    ) -> Result<()> {
        let address = address.filter(|address| self.has_mailer && address.is_good());
        tell(tx, self.environment.new_id(), user, changed, address).await
    }
}

async fn tell(
    tx: &mut Tx,
    id: String,
    user: &str,
    changed: Changed,
    address: Option<&AddressRow>,
) -> Result<()> {
    let source = changed.source(tx.now, &id);
    let (detail, object) = changed.words();
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
    let Some(address) = address else { return Ok(()) };
    let since = tx.now.plus_seconds(-WINDOW);
    // What becomes of the address itself is always mailed: codes bound how often that may be.
    let is_of_webhook = matches!(
        detail,
        NotificationDetail::WebhookAdded
            | NotificationDetail::WebhookChanged
            | NotificationDetail::WebhookRemoved
    );
    if is_of_webhook && mail::notices_since(tx, user, since).await? >= MOST {
        return Ok(());
    }
    let notice = Notice { to: address.address.clone(), text };
    let delivery = NewDelivery {
        id,
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
