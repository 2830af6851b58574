//! Following the log, and telling whom an entry concerns: a batch of people in one transaction with how far that is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use skillery_core::api::{WebhookBody, WebhookData};
use skillery_core::event::{Event, LogEntry};
use skillery_core::notification::Told;
use skillery_core::time::Time;
use skillery_core::{MailMode, Namespace, NotificationKind, Preference, VersionStatus, Visibility};

use super::rules::{self, ADMINS, Rule};
use crate::app::App;
use crate::db::deliveries::{self, Channel, NewDelivery};
use crate::db::notifications::{self as table, Head, NewNotification};
use crate::db::told::{self, Group, Seen};
use crate::db::webhooks::{self, WebhookRow};
use crate::db::{Tx, accounts, log, mail, places_of, skills};
use crate::failure::{Failure, Result};
use crate::jobs::Job;

/// How often the log is looked at when nothing is heard: other servers may have written it.
const TURN: Duration = Duration::from_secs(1);
/// Entries read at once.
const ENTRIES: i64 = 500;
/// Users who are told in one transaction.
const BATCH: usize = 250;
/// Entries that concern nobody after which it is written how far this is, so that a start does not begin long before.
const UNWRITTEN: i64 = 1_000;
/// Seconds that mail waits for more that goes into it.
pub const GATHER: i64 = 30;

/// Where this server is, and what of it the database knows.
struct Cursor {
    at: Head,
    written: i64,
}

/// Follows until the app stops.
pub async fn run(app: Arc<App>) {
    let mut changes = app.db.changes();
    loop {
        let outcome = catch_up(&app).await;
        app.work.turned(Job::Notifications, app.environment.now(), &outcome);
        if outcome.is_err() {
            tokio::time::sleep(TURN).await;
        }
        tokio::select! {
            () = app.stopping() => return,
            _ = changes.changed() => {}
            () = tokio::time::sleep(TURN) => {}
        }
    }
}

/// Tells everybody of everything up to the end of the log.
pub async fn catch_up(app: &App) -> Result<()> {
    let known = app.notify_cursor.load(std::sync::atomic::Ordering::Acquire);
    let size = app.db.size();
    if known >= size {
        return Ok(());
    }
    let written = table::head(&app.db).await?;
    let mut cursor = Cursor { written: written.log_index, at: written.max(Head::at(known)) };
    while cursor.at.log_index < size && !app.is_stopping() {
        let entries = log::entries(&app.db, cursor.at.log_index, ENTRIES).await?;
        if entries.is_empty() {
            break;
        }
        let quiet = rules::without_concern(&app.db, &entries).await?;
        for entry in &entries {
            if entry.index != cursor.at.log_index {
                continue;
            }
            if cursor.at.step == 0 && quiet.contains(&entry.index) {
                cursor.at = Head::at(entry.index + 1);
            } else if !tell_of(app, &mut cursor, entry).await? {
                // Another server is ahead: on from where it is.
                let written = table::head(&app.db).await?;
                cursor = Cursor { written: written.log_index, at: written };
                break;
            }
            if app.is_stopping() {
                return Ok(());
            }
        }
    }
    if cursor.at.log_index - cursor.written >= UNWRITTEN {
        let (from, to) = (cursor.at.clone(), cursor.at.clone());
        app.db.write(move |tx| Box::pin(async move { table::advance(tx, &from, &to).await })).await?;
    }
    app.notify_cursor.fetch_max(cursor.at.log_index, std::sync::atomic::Ordering::AcqRel);
    Ok(())
}

/// Tells everybody of an entry. False when another server does.
async fn tell_of(app: &App, cursor: &mut Cursor, entry: &LogEntry) -> Result<bool> {
    let rules = rules::of(&app.db, entry).await?;
    if cursor.at.step == 0 {
        let next = Head { step: 1, ..Head::at(entry.index) };
        let deliveries = of_namespace(app, entry, &rules).await?;
        if !deliveries.is_empty() {
            let (from, to) = (cursor.at.clone(), next.clone());
            let write = app.db.write(move |tx| {
                Box::pin(async move {
                    let is_ours = table::advance(tx, &from, &to).await?;
                    if is_ours {
                        deliveries::insert(tx, &deliveries).await?;
                    }
                    Ok(is_ours)
                })
            });
            if !write.await? {
                return Ok(false);
            }
            cursor.written = entry.index;
            app.due.tell();
        }
        cursor.at = next;
    }
    for (step, rule) in (1..).zip(&rules) {
        if cursor.at.step > step {
            continue;
        }
        let known = of_rule(app, rule).await?;
        loop {
            let users = match &known {
                Some(known) => {
                    let skill = rule.notification.skill.as_deref().unwrap_or_default();
                    told::members_of(&app.db, &rule.groups, skill, &known.places, &cursor.at.after, BATCH)
                        .await?
                }
                None => Vec::new(),
            };
            let is_last = users.len() < BATCH;
            let next = match users.last() {
                Some(last) if !is_last => Head { log_index: entry.index, step, after: last.clone() },
                _ => Head { log_index: entry.index, step: step + 1, after: String::new() },
            };
            if let Some(known) = &known {
                let telling = Telling::new(app, rule, known, &users).await?;
                if !telling.users.is_empty() || !is_last {
                    if !telling.write(app, Some((cursor.at.clone(), next.clone()))).await? {
                        return Ok(false);
                    }
                    cursor.written = entry.index;
                }
            }
            cursor.at = next;
            if is_last || app.is_stopping() {
                break;
            }
        }
        if app.is_stopping() {
            return Ok(true);
        }
    }
    cursor.at = Head::at(entry.index + 1);
    Ok(true)
}

/// What decides who sees what a rule tells.
struct Known {
    /// Keys of the namespace and of those above it.
    places: Vec<String>,
    visibility: Option<Visibility>,
    waits_of: Option<String>,
}

impl Known {
    /// Of something that is about no skill.
    fn of_places(places: Vec<String>) -> Self {
        Self { places, visibility: None, waits_of: None }
    }
}

/// None when there is nothing to be told any more.
async fn of_rule(app: &App, rule: &Rule) -> Result<Option<Known>> {
    let places = rule.namespace.as_ref().map(places_of).transpose()?.unwrap_or_default();
    let Some(key) = &rule.notification.skill else { return Ok(Some(Known::of_places(places))) };
    let Some(skill) = skills::find(app.db.reader(), key).await? else { return Ok(None) };
    let mut known = Known { places, visibility: Some(skill.visibility), waits_of: None };
    if let Some(version) = &rule.notification.version {
        let Some(facts) = told::version(&app.db, key, version).await? else { return Ok(None) };
        if rule.status.is_some_and(|status| status != facts.status) {
            return Ok(None);
        }
        if matches!(facts.status, VersionStatus::Pending | VersionStatus::Rejected) {
            known.waits_of = Some(facts.publisher);
        }
    }
    Ok(Some(known))
}

/// What some people are told, and by which ways, before it is written.
pub struct Telling {
    notification: NewNotification,
    users: Vec<(String, bool)>,
    /// Who of them is mailed at once.
    mailed: HashSet<String>,
    hooks: Vec<WebhookRow>,
}

impl Telling {
    /// For whoever sees to a webhook: its user, or the admins of the namespace that the notification names.
    pub async fn of_webhook(app: &App, notification: NewNotification, user: &str) -> Result<Self> {
        let places = match notification.namespace.as_deref().map(str::parse::<Namespace>) {
            Some(Ok(namespace)) => places_of(&namespace)?,
            _ => Vec::new(),
        };
        let group = match notification.namespace {
            Some(_) => Group::Roles(ADMINS),
            None => Group::User(user.to_owned()),
        };
        let groups = vec![group];
        let mut users: Vec<String> = Vec::new();
        loop {
            let after = users.last().cloned().unwrap_or_default();
            let more = told::members_of(&app.db, &groups, "", &places, &after, BATCH).await?;
            let is_last = more.len() < BATCH;
            users.extend(more);
            if is_last {
                break;
            }
        }
        let rule = Rule { notification, groups, skip: Vec::new(), status: None, namespace: None };
        Self::new(app, &rule, &Known::of_places(places), &users).await
    }

    /// With the number of the log entry that tells the same.
    pub fn logged(mut self, index: i64) -> Self {
        self.notification.log_index = Some(index);
        self
    }

    /// For those of these users who may know of it and want to.
    async fn new(app: &App, rule: &Rule, known: &Known, users: &[String]) -> Result<Self> {
        let kind = rule.notification.kind;
        let candidates: Vec<String> =
            users.iter().filter(|user| !rule.skip.contains(user)).cloned().collect();
        let seen =
            Seen { visibility: known.visibility, places: &known.places, waits_of: known.waits_of.as_deref() };
        let users = told::who_see(&app.db, &candidates, &seen).await?;
        let said = told::preferences(&app.db, &users, Some(kind)).await?;
        let preference = |user: &String| -> Preference {
            said.get(user).and_then(|all| all.first()).copied().unwrap_or_else(|| Preference::usual(kind))
        };
        let users: Vec<String> = users.into_iter().filter(|user| !preference(user).is_off()).collect();
        let reachable = match app.mailer {
            Some(_) => mail::reachable(&app.db, &users).await?,
            None => HashSet::new(),
        };
        let hooks = webhooks::of_users(&app.db, &users).await?;
        let hooks: Vec<WebhookRow> =
            hooks.into_iter().filter(|hook| hook.wants(kind) && preference(&hook.user).webhook).collect();
        // Who is told by no way that leads anywhere has nothing of it.
        let is_told = |user: &String| {
            let preference = preference(user);
            preference.page
                || (preference.mail != MailMode::Off && reachable.contains(user))
                || hooks.iter().any(|hook| hook.user == *user)
        };
        let mailed =
            |user: &&String| reachable.contains(*user) && preference(user).mail == MailMode::Immediate;
        Ok(Self {
            notification: rule.notification.clone(),
            mailed: users.iter().filter(mailed).cloned().collect(),
            users: users
                .iter()
                .filter(|user| is_told(user))
                .map(|user| (user.clone(), preference(user).page))
                .collect(),
            hooks,
        })
    }

    /// Writes it, with how far that is; false where another server has come further.
    pub async fn write(self, app: &App, step: Option<(Head, Head)>) -> Result<bool> {
        let environment = app.environment.clone();
        let written = app
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if let Some((from, to)) = &step
                        && !table::advance(tx, from, to).await?
                    {
                        return Ok(false);
                    }
                    self.insert(tx, || environment.new_id()).await?;
                    Ok(true)
                })
            })
            .await?;
        app.due.tell();
        Ok(written)
    }

    /// Writes it in a transaction.
    pub async fn insert(self, tx: &mut Tx, new_id: impl Fn() -> String + Send + Sync) -> Result<()> {
        let kind = self.notification.kind.as_str();
        let mailed: Vec<String> = self
            .users
            .iter()
            .filter(|(user, _)| self.mailed.contains(user))
            .map(|(user, _)| user.clone())
            .collect();
        let open = mail::open(tx, &mailed).await?;
        let mails: HashMap<String, String> = mailed
            .into_iter()
            .map(|user| {
                let mail = open.get(&user).cloned().unwrap_or_else(&new_id);
                (user, mail)
            })
            .collect();
        let numbers = table::insert(tx, &self.notification, &self.users, &mails).await?;
        let now = tx.now;
        let mut send = Vec::new();
        for (user, mail) in mails {
            if numbers.contains_key(&user) && !open.contains_key(&user) {
                send.push(NewDelivery {
                    source: format!("mail:{mail}"),
                    id: mail,
                    channel: Channel::Mail,
                    user,
                    webhook: None,
                    kind: kind.to_owned(),
                    notification: None,
                    body: None,
                    next_at: now.plus_seconds(GATHER),
                });
            }
        }
        for hook in self.hooks {
            let Some(number) = numbers.get(&hook.user) else { continue };
            send.push(NewDelivery {
                id: new_id(),
                channel: Channel::Webhook,
                user: hook.user,
                webhook: Some(hook.id),
                kind: kind.to_owned(),
                source: format!("{}:{kind}", self.notification.source),
                notification: Some(*number),
                body: None,
                next_at: now,
            });
        }
        deliveries::insert(tx, &send).await
    }
}

async fn name_of(app: &App, user: Option<&str>) -> Result<Option<String>> {
    Ok(match user {
        Some(user) => accounts::user_by_id(app.db.reader(), user).await?.map(|user| user.name),
        None => None,
    })
}

/// What webhooks of namespaces are told of an entry. Their admins see whatever happens there.
async fn of_namespace(app: &App, entry: &LogEntry, rules: &[Rule]) -> Result<Vec<NewDelivery>> {
    let Some(skill) = entry.event.skill().filter(|_| !rules.is_empty()) else { return Ok(Vec::new()) };
    let hooks = webhooks::of_namespaces(app.db.reader(), &places_of(&skill.namespace())?).await?;
    if hooks.is_empty() {
        return Ok(Vec::new());
    }
    let mut deliveries = Vec::new();
    for rule in rules {
        let kind = rule.notification.kind;
        // Who did it, as far as the rule says: who made a version wait is not who published it.
        let actor = name_of(app, rule.notification.actor.as_deref()).await?;
        let reviewer = match &entry.event {
            Event::ReviewAnswered { user, .. } => name_of(app, Some(user)).await?,
            _ => None,
        };
        let told = Told {
            kind,
            detail: rule.notification.detail,
            skill: Some(skill),
            version: entry.event.version(),
            namespace: None,
            object: reviewer.as_deref(),
            actor: actor.as_deref(),
        };
        let text = body(&told, entry.time, u64::try_from(entry.index).ok())?;
        for hook in hooks.iter().filter(|hook| hook.wants(kind)) {
            deliveries.push(NewDelivery {
                id: app.environment.new_id(),
                channel: Channel::Webhook,
                user: hook.user.clone(),
                webhook: Some(hook.id.clone()),
                kind: kind.as_str().to_owned(),
                // As for users: whoever rates again and again is told of once.
                source: format!("{}:{kind}", rule.notification.source),
                notification: None,
                body: Some(text.clone()),
                next_at: app.environment.now(),
            });
        }
    }
    Ok(deliveries)
}

/// The body of a request to a webhook.
pub fn body(told: &Told<'_>, at: Time, log_index: Option<u64>) -> Result<String> {
    let body = WebhookBody {
        kind: told.kind.to_string(),
        timestamp: at,
        data: WebhookData {
            detail: told.detail,
            skill: told.skill.cloned(),
            version: told.version.cloned(),
            namespace: told.namespace.map(str::to_owned),
            object: told.object.map(str::to_owned),
            actor: told.actor.map(str::to_owned),
            text: told.sentence(),
            log_index,
        },
    };
    serde_json::to_string(&body).map_err(Failure::internal)
}

/// The kinds that a digest of this mode has, as a user wants them.
pub fn kinds_of(said: Option<&Vec<Preference>>, mode: MailMode) -> Vec<NotificationKind> {
    let preference = |kind: NotificationKind| {
        let said = said.and_then(|all| all.iter().find(|preference| preference.kind == kind));
        said.copied().unwrap_or_else(|| Preference::usual(kind))
    };
    NotificationKind::ALL.iter().copied().filter(|kind| preference(*kind).mail == mode).collect()
}
