//! Webhooks: whose they are, and where they may lead.

use skillery_core::api::{
    CreateWebhookRequest, CreateWebhookResponse, DeliveriesResponse, DeliveryState, RedeliverRequest,
    RedeliverResponse, UpdateWebhookRequest, Webhook, WebhookBody, WebhookData, WebhooksResponse,
};
use skillery_core::event::Event;
use skillery_core::notification::MAX_WEBHOOK_URL_LENGTH;
use skillery_core::time::Time;
use skillery_core::{Namespace, NotificationDetail, NotificationKind, Problem, ProblemCode, Role, Scope};
use url::{Position, Url};

use super::deliver::secret_of;
use super::follow::Telling;
use super::notice::{Changed, Place, Teller};
use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::audit::{self, About};
use crate::db::deliveries::{self, Channel, NewDelivery};
use crate::db::notifications::NewNotification;
use crate::db::webhooks::{self as table, WebhookRow};
use crate::db::{Tx, mail, orgs};
use crate::failure::{Failure, Result};
use crate::http::api::orgs::org_not_found;
use crate::origin;
use crate::outbound::Reach;
use crate::text::invalid;

/// Webhooks of one user, and of one namespace.
const MAX_WEBHOOKS: usize = 20;
/// Webhooks of an org and of all namespaces below it, there or not.
const MAX_ORG_WEBHOOKS: i64 = 100;
/// Actions of the audit that count as changes.
const ADDED: &str = "webhook.added";
const CHANGED: &str = "webhook.changed";
/// What a delivery that somebody asked for is of.
const TEST: &str = "test";
/// How often somebody tries webhooks, or sends something again, in a minute.
const TRIES: i64 = 10;
/// How often somebody adds or changes webhooks of an org and of what lies below it, in an hour.
const CHANGES: i64 = 60;

fn not_found() -> Failure {
    Failure::new(ProblemCode::WebhookNotFound, "")
}

/// What the secret of a webhook is encrypted for.
pub(super) fn context(id: &str) -> String {
    format!("webhook {id}")
}

/// Where an address leads, and how far it may reach. Without TLS nothing goes over networks of others.
pub(super) fn place(text: &str) -> Result<(Url, Reach)> {
    let refused = |why: &str| -> Failure {
        Problem::new(ProblemCode::AddressNotAllowed, why).with("field", "url").into()
    };
    if text.len() > MAX_WEBHOOK_URL_LENGTH {
        return Err(invalid("url", format!("`url` is longer than {MAX_WEBHOOK_URL_LENGTH} characters")));
    }
    let mut url =
        Url::parse(text).map_err(|error| invalid("url", format!("`url` is no address: {error}")))?;
    let reach = match url.scheme() {
        "https" => Reach::Public,
        "http" => Reach::Listed,
        _ => return Err(refused("`url` begins with neither `https://` nor `http://`")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("`url` has a name or a password in it"));
    }
    url.set_fragment(None);
    Ok((url, reach))
}

/// The address, where something may be sent to it. Of one that is refused the audit has host and port: what else stands in it may be
/// secret.
fn checked(app: &App, text: &str, namespace: Option<&str>) -> Result<String> {
    reached(app, text).inspect_err(|failure| {
        if failure.code() == ProblemCode::AddressNotAllowed
            && let Ok(url) = Url::parse(text)
        {
            origin::refused_address(&url[Position::BeforeHost..Position::AfterPort], namespace);
        }
    })
}

fn reached(app: &App, text: &str) -> Result<String> {
    let (url, reach) = place(text)?;
    let refused = |why: String| -> Failure {
        Problem::new(ProblemCode::AddressNotAllowed, why).with("field", "url").into()
    };
    if reach == Reach::Listed && app.settings.outbound_allow.is_empty() {
        return Err(refused("`url` begins with `http://`, which can be read on the way".to_owned()));
    }
    app.outbound.check(&url, reach).map_err(|error| refused(error.to_string()))?;
    Ok(url.into())
}

/// What of a webhook the audit is told.
pub(super) fn about(row: &WebhookRow) -> About {
    let namespace = row.namespace.as_deref().map(str::parse::<Namespace>);
    match namespace {
        Some(Ok(namespace)) => About { subject: Some(row.id.clone()), ..About::namespace(&namespace) },
        _ => About::of_user(&row.user, Some(&row.id)),
    }
}

/// The host that a webhook leads to, which says enough to people.
pub fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

fn named(row: &WebhookRow) -> Place {
    Place { webhook: row.id.clone(), host: host(&row.url) }
}

/// Has the receiver asked once more, which is for nobody to do again and again. That is counted for whoever asks, whosever webhook it is.
async fn once_more(tx: &mut Tx, user: &str) -> Result<()> {
    let since = tx.now.plus_seconds(-60);
    let Some(first) = table::note_try(tx, user, since, TRIES).await? else { return Ok(()) };
    let detail = format!("webhooks are tried, and sent something again, {TRIES} times in a minute at most");
    Err(rate_limited(detail, first, since))
}

/// Has the admins of a namespace told once more, which is for nobody to do again and again, as each of them would read it and have it
/// mailed. What is removed was added before, and may always be. Names below an org are free, so all of them are counted together.
async fn tell_once_more(tx: &mut Tx, user: &str, row: &WebhookRow) -> Result<()> {
    let Some(org) = about(row).org else { return Ok(()) };
    let since = tx.now.plus_seconds(-3_600);
    let Some(first) = audit::has_done(tx, user, &org, [ADDED, CHANGED], since, CHANGES).await? else {
        return Ok(());
    };
    let detail = format!("webhooks of an org are added and changed {CHANGES} times in an hour at most");
    Err(rate_limited(detail, first, since))
}

/// It may be done again once `first`, the first of what counts, is no later than what is `since` by then.
fn rate_limited(detail: String, first: Time, since: Time) -> Failure {
    let wait = (first.micros() - since.micros() + 999_999).div_euclid(1_000_000).max(1);
    Problem::new(ProblemCode::RateLimited, detail).with("retry_after", wait).into()
}

fn must_be_on(row: &WebhookRow) -> Result<()> {
    match row.disabled_at {
        Some(_) => Err(invalid("enabled", "the webhook is switched off: switch it on first")),
        None => Ok(()),
    }
}

fn kinds(mut kinds: Vec<NotificationKind>) -> Vec<NotificationKind> {
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Whoever may see to this webhook: its user, or an admin of its namespace as things stand in this transaction.
async fn allowed(tx: &mut Tx, identity: &Identity, row: &WebhookRow) -> Result<Identity> {
    match &row.namespace {
        None if row.user == identity.user.id => identity.again(tx).await,
        None => Err(not_found()),
        Some(namespace) => {
            let namespace: Namespace = namespace.parse().map_err(|_| not_found())?;
            identity.still(tx, Role::Admin, &namespace).await
        }
    }
}

/// The webhook, when the caller may see to it; otherwise the answer of one that does not exist.
async fn visible(app: &App, caller: &Caller, id: &str) -> Result<(Identity, WebhookRow)> {
    let identity = caller.require(Scope::Admin)?;
    let row = table::find(app.db.reader(), id).await?.ok_or_else(not_found)?;
    let is_allowed = match &row.namespace {
        None => row.user == identity.user.id && caller.require_unbound(Scope::Admin).is_ok(),
        Some(namespace) => identity.acts_as(Role::Admin, namespace),
    };
    if is_allowed { Ok(((**identity).clone(), row)) } else { Err(not_found()) }
}

/// The caller's own webhooks, or those of a namespace.
pub async fn all(app: &App, caller: &Caller, namespace: Option<&Namespace>) -> Result<WebhooksResponse> {
    let rows = match namespace {
        None => table::of_user(app.db.reader(), &caller.require_unbound(Scope::Admin)?.user.id).await?,
        Some(namespace) => {
            caller.require_role(Scope::Admin, Role::Admin, namespace)?;
            table::of_namespaces(app.db.reader(), &[namespace.key()]).await?
        }
    };
    Ok(WebhooksResponse { webhooks: rows.iter().map(WebhookRow::summary).collect() })
}

/// One webhook that the caller may see to.
pub async fn one(app: &App, caller: &Caller, id: &str) -> Result<Webhook> {
    Ok(visible(app, caller, id).await?.1.summary())
}

/// Adds a webhook, and gives its secret this once.
pub async fn add(app: &App, caller: &Caller, request: CreateWebhookRequest) -> Result<CreateWebhookResponse> {
    let identity = match &request.namespace {
        None => caller.require_unbound(Scope::Admin)?.clone(),
        Some(namespace) => (**caller.require_role(Scope::Admin, Role::Admin, namespace)?).clone(),
    };
    let url = checked(app, &request.url, request.namespace.as_ref().map(Namespace::as_str))?;
    let (id, secret) = (app.environment.new_id(), secret_of(app.environment.random()));
    let row = WebhookRow {
        secret: app.secret_key.seal(&app.environment, &context(&id), &secret)?,
        id,
        user: identity.user.id.clone(),
        made_by: identity.user.name.clone(),
        namespace: request.namespace.as_ref().map(Namespace::key),
        url,
        kinds: kinds(request.kinds),
        created_at: app.environment.now(),
        failing_since: None,
        disabled_at: None,
        changed_at: app.environment.now(),
        moved_at: app.environment.now(),
    };
    let namespace = request.namespace;
    let telling = leads(app, &row, &row.url, NotificationDetail::WebhookAdded).await?;
    let (teller, environment) = (Teller::of(app), app.environment.clone());
    let row = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let row = WebhookRow { created_at: tx.now, changed_at: tx.now, moved_at: tx.now, ..row };
                let actor = allowed(tx, &identity, &row).await?.user.id;
                let there = match &namespace {
                    None => table::of_user(tx.connection(), &row.user).await?,
                    Some(namespace) => {
                        let org = orgs::find(tx.connection(), &namespace.org_key()).await?;
                        org.ok_or_else(|| org_not_found(namespace))?;
                        if table::count_of_org(tx, &namespace.org_key()).await? >= MAX_ORG_WEBHOOKS {
                            let detail = format!("the org has {MAX_ORG_WEBHOOKS} webhooks already");
                            return Err(invalid("url", detail));
                        }
                        table::of_namespaces(tx.connection(), &[namespace.key()]).await?
                    }
                };
                if there.len() >= MAX_WEBHOOKS {
                    return Err(invalid("url", format!("there are {MAX_WEBHOOKS} webhooks already")));
                }
                tell_once_more(tx, &actor, &row).await?;
                table::insert(tx, &row).await?;
                match namespace {
                    Some(namespace) => {
                        let (webhook, namespace) = (row.id.clone(), namespace.to_string());
                        let index = tx.append(Some(&actor), Event::WebhookAdded { webhook, namespace });
                        if let Some(telling) = telling {
                            telling.logged(index).insert(tx, || environment.new_id()).await?;
                        }
                    }
                    None => {
                        audit::insert_private(tx, Some(&actor), ADDED, about(&row)).await?;
                        let address = mail::find(tx.connection(), &actor).await?;
                        let changed = Changed::WebhookAdded(named(&row));
                        teller.tell(tx, &actor, changed, address.as_ref()).await?;
                    }
                }
                Ok(row)
            })
        })
        .await?;
    app.due.tell();
    Ok(CreateWebhookResponse { secret, webhook: row.summary() })
}

/// What the admins of a namespace are told when a webhook of it is added, or leads elsewhere: it gets what is private there.
async fn leads(
    app: &App,
    row: &WebhookRow,
    url: &str,
    detail: NotificationDetail,
) -> Result<Option<Telling>> {
    if row.namespace.is_none() {
        return Ok(None);
    }
    let now = app.environment.now();
    let notification = NewNotification {
        kind: NotificationKind::AccessChanged,
        source: format!("{detail}:{}:{}", row.id, app.environment.new_id()),
        detail: Some(detail),
        skill: None,
        version: None,
        namespace: row.namespace.clone(),
        object: Some(host(url)),
        actor: None,
        log_index: None,
        at: now,
    };
    Ok(Some(Telling::of_webhook(app, notification, &row.user).await?))
}

/// Changes a webhook. One that is switched on again has not failed. `seen` is when it was changed last, as whoever changes it has seen
/// it.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &str,
    request: UpdateWebhookRequest,
    seen: Option<Time>,
) -> Result<Webhook> {
    let (identity, row) = visible(app, caller, id).await?;
    let namespace = row.namespace.as_deref();
    let url = request.url.as_deref().map(|url| checked(app, url, namespace)).transpose()?;
    let (teller, environment) = (Teller::of(app), app.environment.clone());
    let telling = match &url {
        Some(url) => leads(app, &row, url, NotificationDetail::WebhookChanged).await?,
        None => None,
    };
    let changed = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let mut row = table::find(tx.connection(), &row.id).await?.ok_or_else(not_found)?;
                let actor = allowed(tx, &identity, &row).await?.user.id;
                if seen.is_some_and(|seen| seen != row.changed_at) {
                    let detail = "the webhook was changed since the page was shown: look at it as it is now";
                    return Err(Failure::new(ProblemCode::StatusConflict, detail));
                }
                let before = row.clone();
                let url = url.filter(|url| *url != row.url);
                let is_moved = url.is_some();
                if let Some(url) = url {
                    row.url = url;
                    row.moved_at = tx.now;
                    // It has not failed there.
                    row.failing_since = None;
                }
                if let Some(wanted) = request.kinds {
                    row.kinds = kinds(wanted);
                }
                match request.enabled {
                    Some(true) => (row.disabled_at, row.failing_since) = (None, None),
                    Some(false) => row.disabled_at = row.disabled_at.or(Some(tx.now)),
                    None => {}
                }
                // Whoever says that it is on means what is under way, too.
                if row == before && request.enabled != Some(true) {
                    return Ok(row.summary());
                }
                // One that leaks can be switched off however often it was changed.
                let is_switched_off = row.disabled_at.is_some()
                    && row == WebhookRow { disabled_at: row.disabled_at, ..before.clone() };
                if !is_switched_off {
                    tell_once_more(tx, &actor, &row).await?;
                }
                row.changed_at = tx.now;
                table::update(tx, &row).await?;
                audit::insert_private(tx, Some(&actor), CHANGED, about(&row)).await?;
                if row.namespace.is_none() {
                    let address = mail::find(tx.connection(), &actor).await?;
                    let changed = match is_moved {
                        true => Changed::WebhookMoved(named(&row)),
                        false => Changed::WebhookEdited(named(&row)),
                    };
                    teller.tell(tx, &actor, changed, address.as_ref()).await?;
                } else if let Some(telling) = telling.filter(|_| is_moved) {
                    telling.insert(tx, || environment.new_id()).await?;
                }
                Ok(row.summary())
            })
        })
        .await?;
    app.due.tell();
    Ok(changed)
}

/// Removes a webhook. What waits for it is not sent.
pub async fn remove(app: &App, caller: &Caller, id: &str) -> Result<()> {
    let (identity, row) = visible(app, caller, id).await?;
    let teller = Teller::of(app);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let row = table::find(tx.connection(), &row.id).await?.ok_or_else(not_found)?;
                let actor = allowed(tx, &identity, &row).await?.user.id;
                deliveries::give_up(tx, &row.id, "the webhook was removed").await?;
                table::remove(tx, &row.id).await?;
                match row.namespace {
                    Some(namespace) => {
                        tx.append(Some(&actor), Event::WebhookRemoved { webhook: row.id, namespace });
                        Ok(())
                    }
                    None => {
                        audit::insert_private(tx, Some(&actor), "webhook.removed", about(&row)).await?;
                        let address = mail::find(tx.connection(), &actor).await?;
                        let changed = Changed::WebhookRemoved(named(&row));
                        teller.tell(tx, &actor, changed, address.as_ref()).await
                    }
                }
            })
        })
        .await
}

/// Sends a delivery that tells of nothing, and gives its id. Where one waits already, it is that one, and due now.
pub async fn test(app: &App, caller: &Caller, id: &str) -> Result<String> {
    let (identity, row) = visible(app, caller, id).await?;
    let text = serde_json::to_string(&WebhookBody {
        kind: TEST.to_owned(),
        timestamp: app.environment.now(),
        data: WebhookData { text: "this webhook is being tried".to_owned(), ..WebhookData::default() },
    })
    .map_err(Failure::internal)?;
    let delivery = app.environment.new_id();
    let new = NewDelivery {
        id: delivery.clone(),
        channel: Channel::Webhook,
        user: row.user.clone(),
        webhook: Some(row.id.clone()),
        kind: TEST.to_owned(),
        source: format!("{TEST}:{delivery}"),
        notification: None,
        body: Some(text),
        next_at: app.environment.now(),
    };
    let delivery = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let asks = allowed(tx, &identity, &row).await?.user.id;
                let row = table::find(tx.connection(), &row.id).await?.ok_or_else(not_found)?;
                must_be_on(&row)?;
                once_more(tx, &asks).await?;
                audit::insert_private(tx, Some(&asks), "webhook.tested", about(&row)).await?;
                if let Some(waiting) = deliveries::hurry(tx, &row.id, TEST).await? {
                    return Ok(waiting);
                }
                deliveries::insert(tx, &[NewDelivery { next_at: tx.now, ..new }]).await?;
                Ok(delivery)
            })
        })
        .await?;
    app.due.tell();
    Ok(delivery)
}

/// One page of what was or is sent, the newest first.
pub async fn deliveries(
    app: &App,
    caller: &Caller,
    id: &str,
    state: Option<DeliveryState>,
    limit: usize,
    offset: usize,
) -> Result<DeliveriesResponse> {
    let (_, row) = visible(app, caller, id).await?;
    let (limit, offset) = (i64::try_from(limit).unwrap_or(0), i64::try_from(offset).unwrap_or(0));
    let (total, deliveries) = deliveries::of_webhook(&app.db, &row.id, state, limit, offset).await?;
    Ok(DeliveriesResponse { total, deliveries })
}

/// Sends again what is dead, as far as there is room for it to wait, or one that is not waiting.
pub async fn redeliver(
    app: &App,
    caller: &Caller,
    id: &str,
    request: RedeliverRequest,
) -> Result<RedeliverResponse> {
    let (identity, row) = visible(app, caller, id).await?;
    let is_one = request.delivery.is_some();
    let unknown = || {
        let detail =
            "the webhook has no such delivery, or it is waiting, or it has arrived at a former address";
        Failure::new(ProblemCode::WebhookNotFound, detail)
    };
    if request.delivery.as_ref().is_some_and(|id| uuid::Uuid::try_parse(id).is_err()) {
        return Err(unknown());
    }
    let redelivered = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let asks = allowed(tx, &identity, &row).await?.user.id;
                let now = table::find(tx.connection(), &row.id).await?.ok_or_else(not_found)?;
                must_be_on(&now)?;
                once_more(tx, &asks).await?;
                let room = deliveries::MAX_WAITING - deliveries::waiting(tx, &now.id).await?;
                if room <= 0 {
                    let detail = "so many deliveries wait for the webhook already";
                    let problem = Problem::new(ProblemCode::RateLimited, detail);
                    return Err(problem.with("retry_after", 60).into());
                }
                let one = request.delivery.as_deref();
                let redelivered = deliveries::again(tx, &now.id, one, now.moved_at, room).await?;
                if redelivered > 0 {
                    audit::insert_private(tx, Some(&asks), "webhook.redelivered", about(&now)).await?;
                }
                Ok(redelivered)
            })
        })
        .await?;
    if is_one && redelivered == 0 {
        return Err(unknown());
    }
    app.due.tell();
    Ok(RedeliverResponse { redelivered })
}
