//! Reading notifications, and how somebody wants to be told.

use std::collections::BTreeSet;

use skillery_core::api::{
    Notification, NotificationsResponse, PreferencesRequest, PreferencesResponse, ReadRequest, ReadResponse,
};
use skillery_core::{MailMode, NotificationKind, Preference, Scope};

use super::notice::{Changed, Teller};
use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::audit::{self, About};
use crate::db::notifications::{self as table, Looker, Wanted};
use crate::db::{mail, told};
use crate::failure::Result;
use crate::text::invalid;

/// Notifications that are marked as read by their numbers in one request.
const MAX_IDS: usize = 200;

/// Notifications that are marked as read in one transaction.
const READ: i64 = 1_000;

fn looker(identity: &Identity) -> Looker<'_> {
    Looker { user: &identity.user.id, is_admin: identity.is_site_admin(), within: &identity.token.namespaces }
}

/// One page of what the caller is told of, the newest first.
pub async fn list(app: &App, caller: &Caller, wanted: Wanted, limit: usize) -> Result<NotificationsResponse> {
    let (notifications, next) = newest(app, caller, wanted, limit).await?;
    let unread = table::unread(app.db.reader(), &looker(caller.require(Scope::Read)?)).await?;
    Ok(NotificationsResponse { unread, notifications, next })
}

/// The same without how many are not read, which takes longer the more there are; and where to go on.
pub async fn newest(
    app: &App,
    caller: &Caller,
    wanted: Wanted,
    limit: usize,
) -> Result<(Vec<Notification>, Option<i64>)> {
    let looker = looker(caller.require(Scope::Read)?);
    let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut notifications = table::list(&app.db, &looker, wanted, rows).await?;
    let is_more = notifications.len() > limit;
    notifications.truncate(limit);
    let next = notifications.last().map(|last| last.id).filter(|_| is_more);
    Ok((notifications, next))
}

/// How many the caller has not read; of more than `most` it is only known that there are more.
pub async fn unread(app: &App, caller: &Caller, most: i64) -> Result<u64> {
    let identity = caller.require(Scope::Read)?;
    table::some_unread(&app.db, &looker(identity), most + 1).await
}

/// Marks what the caller is told of as read.
pub async fn mark_read(app: &App, caller: &Caller, request: ReadRequest) -> Result<ReadResponse> {
    let identity = caller.require(Scope::Read)?.clone();
    if request.ids.len() > MAX_IDS {
        return Err(invalid("ids", format!("`ids` has more than {MAX_IDS} numbers")));
    }
    if request.ids.is_empty() && request.up_to.is_none() {
        return Err(invalid("ids", "say which, in `ids` or by `up_to`"));
    }
    let ids: Vec<i64> = request.ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let mut ids = Some(ids);
    loop {
        let (ids, up_to, identity) = (ids.take(), request.up_to, identity.clone());
        let write = app.db.write(move |tx| {
            Box::pin(async move {
                let identity = identity.again(tx).await?;
                let looker = looker(&identity);
                if let Some(ids) = ids {
                    table::read(tx, &looker, &ids).await?;
                }
                if let Some(up_to) = up_to
                    && table::read_up_to(tx, &looker, up_to, READ).await? == READ.unsigned_abs()
                {
                    return Ok(None);
                }
                table::unread(tx.connection(), &looker).await.map(Some)
            })
        });
        if let Some(unread) = write.await? {
            return Ok(ReadResponse { unread });
        }
    }
}

/// How the caller is told of each kind.
pub async fn preferences(app: &App, caller: &Caller) -> Result<PreferencesResponse> {
    let identity = caller.require(Scope::Read)?;
    let user = identity.user.id.clone();
    let said = told::preferences(&app.db, std::slice::from_ref(&user), None).await?.remove(&user);
    let said = said.unwrap_or_default();
    let one = |kind: &NotificationKind| {
        let mine = said.iter().find(|preference| preference.kind == *kind);
        mine.copied().unwrap_or_else(|| Preference::usual(*kind))
    };
    let address = mail::find(app.db.reader(), &user).await?;
    Ok(PreferencesResponse {
        preferences: NotificationKind::ALL.iter().map(one).collect(),
        mail: app.mailer.is_some() && address.is_some_and(|address| address.is_good()),
    })
}

/// Whether somebody is told by one way less, or later.
fn is_less(before: Preference, after: Preference) -> bool {
    let rank = |mode: MailMode| match mode {
        MailMode::Off => 0,
        MailMode::Weekly => 1,
        MailMode::Daily => 2,
        MailMode::Immediate => 3,
    };
    (before.page && !after.page) || (before.webhook && !after.webhook) || rank(after.mail) < rank(before.mail)
}

/// Changes how the caller is told of some kinds.
pub async fn set_preferences(
    app: &App,
    caller: &Caller,
    request: PreferencesRequest,
) -> Result<PreferencesResponse> {
    let identity = caller.require_unbound(Scope::Admin)?.clone();
    if request.preferences.is_empty() {
        return preferences(app, caller).await;
    }
    let kinds: BTreeSet<NotificationKind> = request.preferences.iter().map(|one| one.kind).collect();
    if kinds.len() != request.preferences.len() {
        return Err(invalid("preferences", "`preferences` has a kind twice"));
    }
    let teller = Teller::of(app);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let user = identity.again(tx).await?.user.id;
                let kind = NotificationKind::AccessChanged;
                let before = told::preference(tx, &user, kind).await?;
                for preference in request.preferences {
                    told::set_preference(tx, &user, preference).await?;
                }
                let after = told::preference(tx, &user, kind).await?;
                let about = About::of_user(&user, None);
                audit::insert_private(tx, Some(&user), "notifications.preferences-set", about).await?;
                if is_less(before, after) {
                    let address = mail::find(tx.connection(), &user).await?;
                    teller.tell(tx, &user, Changed::ToldLess, address.as_ref()).await?;
                }
                Ok(())
            })
        })
        .await?;
    preferences(app, caller).await
}
