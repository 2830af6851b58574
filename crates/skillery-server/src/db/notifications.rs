//! What people are told of, how far the log was gone through for it, and who is told.

use std::collections::HashMap;

use skillery_core::api::Notification;
use skillery_core::notification::Told;
use skillery_core::time::Time;
use skillery_core::{NotificationDetail, NotificationKind, SkillId};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Db, Tx, is_within, parsed, pieces, placeholders, tuples};
use crate::failure::Result;

/// How far the log was gone through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// The entry that is under way, or comes next.
    pub log_index: i64,
    /// Which part of those who are told of it.
    pub step: i64,
    /// Users up to this id are done.
    pub after: String,
}

impl Head {
    /// Before anything of this entry.
    pub fn at(log_index: i64) -> Self {
        Self { log_index, step: 0, after: String::new() }
    }
}

const HEAD: &str = "SELECT log_index, step, after_user, next_id FROM notification_head WHERE id = 1";

async fn read_head(executor: impl Executor<'_, Database = Any>) -> Result<(Head, i64)> {
    let row = sqlx::query(HEAD).fetch_one(executor).await?;
    let head = Head { log_index: row.try_get(0)?, step: row.try_get(1)?, after: row.try_get(2)? };
    Ok((head, row.try_get(3)?))
}

/// How far the log was gone through.
pub async fn head(db: &Db) -> Result<Head> {
    Ok(read_head(db.reader()).await?.0)
}

/// Goes on from `from` to `to`, unless another server has gone on from there meanwhile; tells whether it did. Nothing else may be
/// written in the transaction otherwise.
pub async fn advance(tx: &mut Tx, from: &Head, to: &Head) -> Result<bool> {
    let (now, _) = read_head(tx.connection()).await?;
    if now > *from {
        return Ok(false);
    }
    sqlx::query("UPDATE notification_head SET log_index = $1, step = $2, after_user = $3 WHERE id = 1")
        .bind(to.log_index)
        .bind(to.step)
        .bind(to.after.clone())
        .execute(tx.connection())
        .await?;
    Ok(true)
}

/// What somebody is told of, before it is written.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// Of what kind it is.
    pub kind: NotificationKind,
    /// What it came from.
    pub source: String,
    /// What exactly.
    pub detail: Option<NotificationDetail>,
    /// The skill's key.
    pub skill: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The key of the namespace.
    pub namespace: Option<String>,
    /// A word more.
    pub object: Option<String>,
    /// The id of who did it.
    pub actor: Option<String>,
    /// The number of the log entry.
    pub log_index: Option<i64>,
    /// When it happened.
    pub at: Time,
}

impl NewNotification {
    /// What it tells, in one line, where it is about no skill.
    pub fn sentence(&self) -> String {
        let told = Told {
            kind: self.kind,
            detail: self.detail,
            skill: None,
            version: None,
            namespace: self.namespace.as_deref(),
            object: self.object.as_deref(),
            actor: None,
        };
        told.sentence()
    }
}

/// Tells these users, each whether on the page, and by which of these mails. Returns whom by which number; who was told before is
/// left out.
pub async fn insert(
    tx: &mut Tx,
    notification: &NewNotification,
    users: &[(String, bool)],
    mails: &HashMap<String, String>,
) -> Result<HashMap<String, i64>> {
    let (_, mut next) = read_head(tx.connection()).await?;
    let first = next;
    for piece in pieces(users) {
        let text = format!(
            "INSERT INTO notifications (id, user_id, kind, source, detail, skill, version, namespace, object, actor, log_index, \
             at, on_page, mail) VALUES {} ON CONFLICT (user_id, source, kind) DO NOTHING",
            tuples(1, piece.len(), 14, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (user, on_page) in piece {
            let NewNotification {
                kind,
                source,
                detail,
                skill,
                version,
                namespace,
                object,
                actor,
                log_index,
                at,
            } = notification;
            query = query.bind(next).bind(user.clone()).bind(kind.as_str()).bind(source.clone());
            query =
                query.bind(detail.map(NotificationDetail::as_str)).bind(skill.clone()).bind(version.clone());
            query = query.bind(namespace.clone()).bind(object.clone()).bind(actor.clone()).bind(*log_index);
            query = query.bind(at.micros()).bind(i64::from(*on_page)).bind(mails.get(user).cloned());
            next += 1;
        }
        query.execute(tx.connection()).await?;
    }
    sqlx::query("UPDATE notification_head SET next_id = $1 WHERE id = 1")
        .bind(next)
        .execute(tx.connection())
        .await?;
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT user_id, id FROM notifications WHERE id >= $1 AND id < $2")
            .bind(first)
            .bind(next)
            .fetch_all(tx.connection())
            .await?;
    Ok(rows.into_iter().collect())
}

/// Who looks: what of a user's notifications is shown.
#[derive(Debug, Clone)]
pub struct Looker<'a> {
    /// The user's id.
    pub user: &'a str,
    /// Whether an admin of the registry, who sees everything.
    pub is_admin: bool,
    /// Keys of namespaces that they must be in or below; none stands for everywhere.
    pub within: &'a [String],
}

/// The condition under which a notification is shown, with the values of `$1` and on; `n`, `s` and `v` are the notification, its
/// skill and its version.
fn condition(looker: &Looker<'_>) -> (String, Vec<String>) {
    let mut values = vec![looker.user.to_owned()];
    let mut text = "n.user_id = $1".to_owned();
    if !looker.is_admin {
        let role = |place: &str, more: &str| {
            let is_within = is_within(place, "m.namespace");
            format!("EXISTS (SELECT 1 FROM members m WHERE m.user_id = n.user_id AND {is_within}{more})")
        };
        let own = NotificationDetail::ALL.iter().filter(|detail| detail.is_of_addressee());
        let own: Vec<String> = own.map(|detail| format!("'{detail}'")).collect();
        let own = own.join(", ");
        text += &format!(
            " AND (s.key IS NULL OR s.visibility <> 'private' OR {})\
             AND (v.version IS NULL OR v.status NOT IN ('pending', 'rejected') OR v.publisher = n.user_id OR {}) \
             AND (n.skill IS NOT NULL OR n.namespace IS NULL OR n.detail IN ({own}) OR {})",
            role("s.namespace", ""),
            role("s.namespace", " AND m.role IN ('reviewer', 'admin', 'owner')"),
            role("n.namespace", " AND m.role IN ('admin', 'owner')")
        );
    }
    if !looker.within.is_empty() {
        let below = looker.within.iter().map(|bound| {
            values.push(bound.clone());
            is_within("n.namespace", &format!("${}", values.len()))
        });
        let below: Vec<String> = below.collect();
        // What is about no namespace is about the user, and no business of a token that is bound.
        text += &format!(" AND ({})", below.join(" OR "));
    }
    (text, values)
}

const FROM: &str = "FROM notifications n LEFT JOIN skills s ON s.key = n.skill \
    LEFT JOIN versions v ON v.skill = n.skill AND v.version = n.version LEFT JOIN users a ON a.id = n.actor";
const COLUMNS: &str =
    "n.id, n.kind, n.detail, s.id, n.version, n.namespace, n.object, a.name, n.log_index, n.at, n.read_at";

fn notification_row(row: &AnyRow) -> Result<Notification> {
    let kind: NotificationKind = parsed(row.try_get(1)?)?;
    let skill: Option<SkillId> = row.try_get::<Option<String>, _>(3)?.as_deref().map(parsed).transpose()?;
    let namespace: Option<String> = row.try_get(5)?;
    let log_index: Option<i64> = row.try_get(8)?;
    let mut notification = Notification {
        id: row.try_get(0)?,
        kind,
        detail: row.try_get::<Option<String>, _>(2)?.as_deref().map(parsed).transpose()?,
        version: row.try_get::<Option<String>, _>(4)?.as_deref().map(parsed).transpose()?,
        namespace: namespace.filter(|_| skill.is_none()),
        skill,
        object: row.try_get(6)?,
        actor: row.try_get::<Option<String>, _>(7)?.filter(|_| kind.names_actor()),
        text: String::new(),
        log_index: log_index.and_then(|index| u64::try_from(index).ok()),
        at: Time::from_micros(row.try_get(9)?),
        read_at: row.try_get::<Option<i64>, _>(10)?.map(Time::from_micros),
    };
    notification.text = notification.told().sentence();
    Ok(notification)
}

/// What of a user's notifications is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Only what is not read.
    pub unread: bool,
    /// Only what has a lower number.
    pub before: Option<i64>,
    /// Only of this kind.
    pub kind: Option<NotificationKind>,
}

/// The newest notifications of the page, at most `limit`.
pub async fn list(db: &Db, looker: &Looker<'_>, wanted: Wanted, limit: i64) -> Result<Vec<Notification>> {
    let (condition, values) = condition(looker);
    let next = values.len() + 1;
    let unread = if wanted.unread { " AND n.read_at IS NULL" } else { "" };
    let kind = wanted.kind.map(|kind| format!(" AND n.kind = '{kind}'")).unwrap_or_default();
    let text = format!(
        "SELECT {COLUMNS} {FROM} WHERE {condition} AND n.on_page = 1{unread}{kind} AND n.id < ${next} ORDER BY n.id DESC LIMIT ${}",
        next + 1
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(values);
    let rows = query.bind(wanted.before.unwrap_or(i64::MAX)).bind(limit).fetch_all(db.reader()).await?;
    rows.iter().map(notification_row).collect()
}

/// How many of the page are not read.
pub async fn unread(executor: impl Executor<'_, Database = Any>, looker: &Looker<'_>) -> Result<u64> {
    let (condition, values) = condition(looker);
    // What admins are shown depends on nothing else.
    let from = if looker.is_admin { "FROM notifications n" } else { FROM };
    let text = format!(
        "SELECT CAST(COUNT(*) AS BIGINT) {from} WHERE {condition} AND n.on_page = 1 AND n.read_at IS NULL"
    );
    let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(text)).bind_all(values);
    Ok(u64::try_from(query.fetch_one(executor).await?).unwrap_or(0))
}

/// As [`unread`], counted up to a limit.
pub async fn some_unread(db: &Db, looker: &Looker<'_>, limit: i64) -> Result<u64> {
    let (condition, values) = condition(looker);
    let text = format!(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT n.id {FROM} WHERE {condition} AND n.on_page = 1 AND n.read_at IS NULL \
         LIMIT ${}) AS counted",
        values.len() + 1
    );
    let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(text)).bind_all(values);
    Ok(u64::try_from(query.bind(limit).fetch_one(db.reader()).await?).unwrap_or(0))
}

/// The user's notification of this number, if it may still be told.
pub async fn one(db: &Db, looker: &Looker<'_>, id: i64) -> Result<Option<Notification>> {
    let (condition, values) = condition(looker);
    let text = format!("SELECT {COLUMNS} {FROM} WHERE {condition} AND n.id = ${}", values.len() + 1);
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(values);
    query.bind(id).fetch_optional(db.reader()).await?.as_ref().map(notification_row).transpose()
}

/// What this delivery mails, as far as it may still be told: the oldest `limit`, and how many there are.
pub async fn of_mail(
    db: &Db,
    looker: &Looker<'_>,
    mail: &str,
    limit: i64,
) -> Result<(u64, Vec<Notification>)> {
    let (condition, values) = condition(looker);
    let next = values.len() + 1;
    let count = format!("SELECT CAST(COUNT(*) AS BIGINT) {FROM} WHERE {condition} AND n.mail = ${next}");
    let text = format!(
        "SELECT {COLUMNS} {FROM} WHERE {condition} AND n.mail = ${next} ORDER BY n.id LIMIT ${}",
        next + 1
    );
    let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(count)).bind_all(values.iter().cloned());
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(values);
    let total = count.bind(mail.to_owned()).fetch_one(db.reader()).await?;
    let rows = query.bind(mail.to_owned()).bind(limit).fetch_all(db.reader()).await?;
    Ok((u64::try_from(total).unwrap_or(0), rows.iter().map(notification_row).collect::<Result<_>>()?))
}

/// Marks these as read, as far as the looker is shown them.
pub async fn read(tx: &mut Tx, looker: &Looker<'_>, ids: &[i64]) -> Result<()> {
    for piece in pieces(ids) {
        mark(tx, looker, |first| format!("n.id IN ({})", placeholders(first, piece.len())), piece).await?;
    }
    Ok(())
}

/// Marks the oldest `limit` up to this number as read, of what the looker is shown. Returns how many.
pub async fn read_up_to(tx: &mut Tx, looker: &Looker<'_>, up_to: i64, limit: i64) -> Result<u64> {
    let which = |first: usize| format!("n.id <= ${first} ORDER BY n.id LIMIT ${}", first + 1);
    mark(tx, looker, which, &[up_to, limit]).await
}

/// Marks as read what `which` says; it is given the number of the first of its values.
async fn mark(
    tx: &mut Tx,
    looker: &Looker<'_>,
    which: impl Fn(usize) -> String,
    numbers: &[i64],
) -> Result<u64> {
    let now = tx.now.micros();
    let (condition, values) = condition(looker);
    let next = values.len() + 1;
    let text = format!(
        "UPDATE notifications SET read_at = ${next} WHERE id IN \
         (SELECT n.id {FROM} WHERE {condition} AND n.read_at IS NULL AND {})",
        which(next + 1)
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(values).bind(now).bind_all(numbers.iter().copied());
    Ok(query.execute(tx.connection()).await?.rows_affected())
}

/// What is not read and was not mailed of what these kinds tell a user since then, the oldest first, at most `limit`.
pub async fn unmailed(
    db: &Db,
    user: &str,
    kinds: &[NotificationKind],
    since: Time,
    limit: i64,
) -> Result<Vec<i64>> {
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(unmailed_text(kinds)))
        .bind(user.to_owned())
        .bind(since.micros())
        .bind(limit)
        .bind_all(kinds.iter().map(|kind| kind.as_str()));
    Ok(query.fetch_all(db.reader()).await?)
}

fn unmailed_text(kinds: &[NotificationKind]) -> String {
    format!(
        "SELECT id FROM notifications WHERE user_id = $1 AND read_at IS NULL AND mail IS NULL AND at >= $2 AND kind IN ({}) \
         ORDER BY id LIMIT $3",
        placeholders(4, kinds.len())
    )
}

/// This delivery mails those of these that nobody has read or mailed meanwhile.
pub async fn set_mail(tx: &mut Tx, ids: &[i64], mail: &str) -> Result<()> {
    for piece in pieces(ids) {
        let text = format!(
            "UPDATE notifications SET mail = $1 WHERE read_at IS NULL AND mail IS NULL AND id IN ({})",
            placeholders(2, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(mail.to_owned()).bind_all(piece.iter().copied());
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

/// The next behind this one of those that were read, or stand on no page, before `read`, and of any kind from before `any`, the oldest
/// first: when each was, and its number.
pub async fn old(
    db: &Db,
    read: Time,
    any: Time,
    (at, id): (i64, i64),
    limit: i64,
) -> Result<Vec<(i64, i64)>> {
    Ok(sqlx::query_as(OLD)
        .bind(read.micros())
        .bind(any.micros())
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(db.reader())
        .await?)
}

const OLD: &str = "SELECT at, id FROM notifications WHERE at < $1 AND (at, id) > ($3, $4) \
    AND (read_at < $1 OR on_page = 0 OR at < $2) ORDER BY at, id LIMIT $5";

/// Removes these.
pub async fn remove(tx: &mut Tx, ids: &[i64]) -> Result<()> {
    for piece in pieces(ids) {
        let text = format!("DELETE FROM notifications WHERE id IN ({})", placeholders(1, piece.len()));
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().copied());
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_old_unread_or_not_mailed_is_found_by_an_index() {
        let app = TestApp::new().await;
        let old = app.plan_in_order(OLD, &[1, 1, 0, 0, 500], &[]).await;
        assert!(old.contains("notifications_by_time"), "{old}");
        let kinds = [NotificationKind::Finding];
        let unmailed = unmailed_text(&kinds).replace("$1", "'u'").replace("$4", "'finding'");
        let unmailed = app.plan(&unmailed.replace("$2", "0").replace("$3", "9"), &[], &[]).await;
        assert!(unmailed.contains("notifications_unmailed"), "{unmailed}");
    }
}
