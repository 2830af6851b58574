//! The log: one entry for every change, numbered without gaps.

use std::collections::{BTreeSet, HashMap};

use skillery_core::entry::{Entry, Opening};
use skillery_core::event::{Event, LogEntry};
use skillery_core::time::Time;
use skillery_core::tlog::{Checkpoint, Edge};
use skillery_core::{Digest, Version, Visibility};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::{BindAll, Committed, Db, from_json, many_tuples, parsed, pieces, placeholders, registry};
use crate::environment::Environment;
use crate::failure::{Failure, Result};
use crate::tlog::{Batch, Draft, LogKey, Standing, seal};

/// Entries that become leaves at once when a log gets its tree.
const ADOPTED: i64 = 1_000;

pub(super) const SIZE: &str = "SELECT entries FROM log_head WHERE id = 1";
/// An update that changes nothing locks the row on PostgreSQL; SQLite holds its one write lock already.
pub(super) const LOCK_HEAD: &str =
    "UPDATE log_head SET entries = entries WHERE id = 1 RETURNING entries, at, edge, note";

/// Where the log ends.
#[derive(Debug, Clone)]
pub struct Head {
    /// The time of the last entry.
    pub time: Time,
    /// The tree over all entries.
    pub edge: Edge,
    /// Its signed checkpoint; empty in a database that an older program has written.
    pub note: String,
}

pub(super) fn head(row: &AnyRow) -> sqlx::Result<Head> {
    let size: i64 = row.try_get(0)?;
    let note: String = row.try_get(3)?;
    let edge = match note.as_str() {
        "" => Edge::default(),
        note => {
            let edge = edge(size, row.try_get(2)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
            // Whatever is signed next rests on it: the edge must be the one that was signed.
            let signed = note.split("\n\n").next().map(|text| format!("{text}\n").parse::<Checkpoint>());
            let fits = matches!(signed, Some(Ok(signed)) if signed.size == edge.size() && signed.root == edge.root());
            if !fits {
                return Err(sqlx::Error::Decode("the log does not fit its signed checkpoint".into()));
            }
            edge
        }
    };
    Ok(Head { time: Time::from_micros(row.try_get(1)?), edge, note })
}

fn edge(size: i64, text: &str) -> std::result::Result<Edge, String> {
    let nodes: Vec<Digest> =
        text.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>().map_err(
            |error: skillery_core::digest::DigestError| format!("the edge of the log is damaged: {error}"),
        )?;
    let size = u64::try_from(size).map_err(|error| error.to_string())?;
    Edge::from_parts(size, nodes).map_err(|error| format!("the edge of the log is damaged: {error}"))
}

/// The statement that ends the log with this batch. Its texts are digits, base64 and the plain name of the log, so that it
/// needs no values and goes with the commit in one message.
pub(super) fn set_head(batch: &Batch, now: Time) -> String {
    let nodes: Vec<String> = batch.after.nodes().iter().map(ToString::to_string).collect();
    format!(
        "UPDATE log_head SET entries = {}, at = {}, edge = '{}', note = '{}' WHERE id = 1",
        batch.after.size(),
        now.micros(),
        nodes.join(" "),
        batch.note,
    )
}

/// Where the log ends now.
pub async fn read_head(db: &Db) -> Result<Head> {
    let text = "SELECT entries, at, edge, note FROM log_head WHERE id = 1";
    Ok(head(&sqlx::query(text).fetch_one(db.reader()).await?)?)
}

/// The entries by which the log was handed over to other keys, the oldest first: their numbers and signed notes.
pub async fn rotations(db: &Db) -> Result<Vec<(u64, String)>> {
    let text = "SELECT idx, body FROM log WHERE kind = 'log.key-rotated' ORDER BY idx";
    let rows = sqlx::query(text).fetch_all(db.reader()).await?;
    let rotation = |row: &AnyRow| match from_json::<Event>(row.try_get(1)?)? {
        Event::LogKeyRotated { note } => Ok((row.try_get::<i64, _>(0)?.cast_unsigned(), note)),
        other => Err(Failure::internal(format!("an entry is no rotation but `{}`", other.kind()))),
    };
    rows.iter().map(rotation).collect()
}

/// Makes these entries leaves of the tree, and writes them.
pub(super) async fn append(
    connection: &mut AnyConnection,
    before: Edge,
    now: Time,
    entries: &[Committed],
    key: &LogKey,
    environment: &Environment,
) -> sqlx::Result<Batch> {
    let mut standings = standings(connection, entries).await?;
    let drafts: Vec<Draft<'_>> =
        entries.iter().map(|entry| Draft { actor: entry.actor.as_deref(), event: &entry.event }).collect();
    let batch = seal(before, now, &drafts, &mut standings, key, environment)
        .map_err(|failure| sqlx::Error::Encode(failure.to_string().into()))?;
    let rows: Vec<(&Committed, &Opening)> = entries.iter().zip(&batch.openings).collect();
    for piece in pieces(&rows) {
        let rows = many_tuples(connection, piece.len(), 7, "");
        let text = format!("INSERT INTO log (idx, at, kind, actor, skill, body, salt) VALUES {rows}");
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (entry, opening) in piece {
            query = query
                .bind(entry.index)
                .bind(now.micros())
                .bind(entry.event.kind())
                .bind(entry.actor.clone())
                .bind(entry.event.skill().map(skillery_core::SkillId::key))
                .bind(opening.entry.clone())
                .bind(opening.salt.map(|salt| salt.to_string()));
        }
        query.execute(&mut *connection).await?;
    }
    insert_nodes(connection, &batch).await?;
    Ok(batch)
}

async fn insert_nodes(connection: &mut AnyConnection, batch: &Batch) -> sqlx::Result<()> {
    for piece in pieces(&batch.tile_nodes()) {
        let text = format!(
            "INSERT INTO log_nodes (level, idx, hash) VALUES {}",
            many_tuples(connection, piece.len(), 3, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (node, hash) in piece {
            query = query
                .bind(i64::from(node.level))
                .bind(i64::try_from(node.index).unwrap_or(i64::MAX))
                .bind(hash.to_string());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// How the skills of these entries stand.
async fn standings(
    connection: &mut AnyConnection,
    entries: &[Committed],
) -> sqlx::Result<HashMap<String, Standing>> {
    let keys: BTreeSet<String> =
        entries.iter().filter_map(|entry| entry.event.skill().map(skillery_core::SkillId::key)).collect();
    let keys: Vec<String> = keys.into_iter().collect();
    let mut standings = HashMap::new();
    for piece in pieces(&keys) {
        let text = format!(
            "SELECT s.key, s.visibility, (SELECT MAX(idx) FROM log WHERE skill = s.key) FROM skills s \
             WHERE s.key IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for row in query.fetch_all(&mut *connection).await? {
            standings.insert(row.try_get(0)?, standing(row.try_get(1)?, row.try_get(2)?));
        }
    }
    Ok(standings)
}

fn standing(visibility: &str, last: Option<i64>) -> Standing {
    Standing {
        last: last.and_then(|index| u64::try_from(index).ok()),
        is_public: visibility == Visibility::Public.as_str(),
    }
}

/// Whether the registry has nothing yet: no entry, and no name.
pub(super) async fn is_unused(connection: &mut AnyConnection) -> sqlx::Result<bool> {
    let text = "SELECT (SELECT COUNT(*) FROM log) + (SELECT COUNT(*) FROM settings WHERE name = $1)";
    let count: i64 = sqlx::query_scalar(text).bind(registry::ID).fetch_one(connection).await?;
    Ok(count == 0)
}

/// Gives a log that an older program has written its tree, or makes the tree of an empty one. Returns where it ends then.
pub(super) async fn adopt(
    connection: &mut AnyConnection,
    head: &Head,
    size: i64,
    key: &LogKey,
    environment: &Environment,
) -> sqlx::Result<Head> {
    let mut edge = Edge::default();
    let mut note = key.sign(0, edge.root()).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let mut standings: HashMap<String, Standing> = HashMap::new();
    let admins: Vec<String> =
        sqlx::query_scalar("SELECT id FROM users WHERE site_admin <> 0").fetch_all(&mut *connection).await?;
    let mut next = 0;
    while next < size {
        let rows = sqlx::query(
            "SELECT l.idx, l.at, l.actor, l.body, s.visibility FROM log l LEFT JOIN skills s ON s.key = l.skill \
             WHERE l.idx >= $1 ORDER BY l.idx LIMIT $2",
        )
        .bind(next)
        .bind(ADOPTED)
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            return Err(sqlx::Error::Decode(format!("entry {next} of the log is missing").into()));
        }
        for row in &rows {
            let index: i64 = row.try_get(0)?;
            if index != next {
                return Err(sqlx::Error::Decode(format!("entry {next} of the log is missing").into()));
            }
            next += 1;
            let mut event: Event = serde_json::from_str(row.try_get(3)?)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            // Older programs did not say who is an admin of the registry.
            if let Event::UserCreated { user, admin } = &mut event {
                *admin = admins.contains(user);
            }
            if let (Some(skill), Some(visibility)) = (event.skill(), row.try_get::<Option<&str>, _>(4)?) {
                standings.entry(skill.key()).or_insert_with(|| standing(visibility, None));
            }
            let actor: Option<String> = row.try_get(2)?;
            let draft = Draft { actor: actor.as_deref(), event: &event };
            let time = Time::from_micros(row.try_get(1)?);
            let batch = seal(edge, time, &[draft], &mut standings, key, environment)
                .map_err(|failure| sqlx::Error::Encode(failure.to_string().into()))?;
            for opening in &batch.openings {
                sqlx::query("UPDATE log SET body = $2, salt = $3 WHERE idx = $1")
                    .bind(index)
                    .bind(opening.entry.clone())
                    .bind(opening.salt.map(|salt| salt.to_string()))
                    .execute(&mut *connection)
                    .await?;
            }
            insert_nodes(connection, &batch).await?;
            edge = batch.after;
            note = batch.note;
        }
    }
    let batch = Batch::adopted(edge, note);
    sqlx::raw_sql(AssertSqlSafe(set_head(&batch, head.time))).execute(&mut *connection).await?;
    Ok(Head { time: head.time, edge: batch.after, note: batch.note })
}

/// The openings of the entries from number `from` on, `count` of them.
pub async fn openings(db: &Db, from: u64, count: u64) -> Result<Vec<Opening>> {
    let rows = page(db, "idx, body, salt", signed(from)?, signed(count)?).await?;
    let openings = rows.iter().map(opening).collect::<Result<Vec<(u64, Opening)>>>()?;
    let is_whole = openings.iter().zip(from..).all(|((index, _), wanted)| *index == wanted);
    if is_whole && openings.len() as u64 == count {
        return Ok(openings.into_iter().map(|(_, opening)| opening).collect());
    }
    Err(Failure::internal(format!("entries {from} to {} of the log are not all there", from + count)))
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(Failure::internal)
}

fn opening(row: &AnyRow) -> Result<(u64, Opening)> {
    let index = u64::try_from(row.try_get::<i64, _>(0)?).map_err(Failure::internal)?;
    let salt = row.try_get::<Option<&str>, _>(2)?.map(parsed).transpose()?;
    Ok((index, Opening { entry: row.try_get(1)?, salt }))
}

/// The entries about the skill with this key, the newest first: at most `limit`, before number `before`.
pub async fn of_skill(db: &Db, key: &str, before: Option<u64>, limit: usize) -> Result<Vec<(u64, Opening)>> {
    let rows = sqlx::query(
        "SELECT idx, body, salt FROM log WHERE skill = $1 AND idx < $2 ORDER BY idx DESC LIMIT $3",
    )
    .bind(key.to_owned())
    .bind(before.map_or(Ok(i64::MAX), signed)?)
    .bind(limit as i64)
    .fetch_all(db.reader())
    .await?;
    rows.iter().map(opening).collect()
}

/// The entries that say of versions of the skill with this key that they are yanked, or are so no more, the newest first.
pub async fn yanks(db: &Db, key: &str, limit: usize) -> Result<Vec<Opening>> {
    let rows = sqlx::query(YANKS).bind(key.to_owned()).bind(limit as i64).fetch_all(db.reader()).await?;
    rows.iter().map(|row| Ok(opening(row)?.1)).collect()
}

const YANKS: &str = "SELECT idx, body, salt FROM log WHERE skill = $1 \
    AND kind IN ('version.yanked', 'version.unyanked') ORDER BY idx DESC LIMIT $2";

/// The entries about a version of the skill with this key, the newest first, each with the name of who made it: at most
/// `limit`.
pub async fn of_version(
    db: &Db,
    key: &str,
    version: &Version,
    limit: usize,
) -> Result<Vec<(u64, Opening, Option<String>)>> {
    // None is older than the one that published it. No version has a sign that `LIKE` takes for another.
    let rows = sqlx::query(
        "SELECT l.idx, l.body, l.salt, u.name FROM log l LEFT JOIN users u ON u.id = l.actor WHERE l.skill = $1 \
         AND l.idx >= (SELECT v.log_position FROM versions v WHERE v.skill = $1 AND v.version = $4) \
         AND l.kind LIKE 'version.%' AND l.body LIKE $2 ORDER BY l.idx DESC LIMIT $3",
    )
    .bind(key.to_owned())
    .bind(format!("%\"version\":\"{version}\"%"))
    .bind(limit as i64)
    .bind(version.to_string())
    .fetch_all(db.reader())
    .await?;
    rows.iter()
        .map(|row| {
            let (index, opening) = opening(row)?;
            Ok((index, opening, row.try_get(3)?))
        })
        .collect()
}

/// Hidden entries from number `from` on, with the visibility and namespace of the skill that they are about: at most
/// `limit`.
pub async fn hidden(db: &Db, from: u64, limit: usize) -> Result<Vec<HiddenEntry>> {
    let rows = sqlx::query(
        "SELECT l.idx, l.body, l.salt, s.visibility, s.namespace FROM log l LEFT JOIN skills s ON s.key = l.skill \
         WHERE l.idx >= $1 AND l.salt IS NOT NULL ORDER BY l.idx LIMIT $2",
    )
    .bind(signed(from)?)
    .bind(limit as i64)
    .fetch_all(db.reader())
    .await?;
    rows.iter()
        .map(|row| {
            let (index, opening) = opening(row)?;
            let visibility = row.try_get::<Option<&str>, _>(3)?.map(parsed).transpose()?;
            let namespace: Option<String> = row.try_get(4)?;
            Ok(HiddenEntry { index, opening, skill: visibility.zip(namespace) })
        })
        .collect()
}

/// An entry that not everybody may see, and who may.
#[derive(Debug, Clone)]
pub struct HiddenEntry {
    /// Its number.
    pub index: u64,
    /// What opens its leaf.
    pub opening: Opening,
    /// Who sees the skill that it is about, and the key of that skill's namespace.
    pub skill: Option<(Visibility, String)>,
}

/// Roots of complete subtrees of this level, one of those that tiles hold: `count` of them from number `from` on.
pub async fn nodes(db: &Db, level: u8, from: u64, count: u64) -> Result<Vec<Digest>> {
    let texts = sqlx::query_scalar::<_, String>(
        "SELECT hash FROM log_nodes WHERE level = $1 AND idx >= $2 AND idx < $3 ORDER BY idx",
    )
    .bind(i64::from(level))
    .bind(signed(from)?)
    .bind(signed(from + count)?)
    .fetch_all(db.reader())
    .await?;
    if texts.len() as u64 != count {
        return Err(Failure::internal(format!("nodes of level {level} of the log are not all there")));
    }
    texts.iter().map(|text| parsed(text)).collect()
}

/// These columns of the first `limit` entries from number `from` on.
async fn page(db: &Db, columns: &str, from: i64, limit: i64) -> sqlx::Result<Vec<AnyRow>> {
    let text = format!("SELECT {columns} FROM log WHERE idx >= $1 ORDER BY idx LIMIT $2");
    sqlx::query(AssertSqlSafe(text)).bind(from).bind(limit).fetch_all(db.reader()).await
}

/// An entry, and the columns beside it by which it is found. The entry alone is signed.
#[derive(Debug)]
pub struct Filed {
    /// Its number.
    pub index: i64,
    /// When, as its column says.
    pub time: Time,
    kind: String,
    actor: Option<String>,
    skill: Option<String>,
    entry: String,
}

const FILED: &str = "idx, at, kind, actor, skill, body";

impl Filed {
    fn read(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            index: row.try_get(0)?,
            time: Time::from_micros(row.try_get(1)?),
            kind: row.try_get(2)?,
            actor: row.try_get(3)?,
            skill: row.try_get(4)?,
            entry: row.try_get(5)?,
        })
    }

    /// What is wrong with it, if a column says something else than the entry.
    pub fn misfit(&self) -> Option<String> {
        let entry = match Entry::parse(&self.entry) {
            Ok(entry) => entry,
            Err(error) => return Some(format!("entry {}: {error}", self.index)),
        };
        // Of a kind that this program does not know, it knows the name alone.
        let is_known = entry.event != Event::Unknown;
        let skill = entry.event.skill().map(skillery_core::SkillId::key);
        let columns = [
            ("kind", !is_known || self.kind == entry.event.kind()),
            ("at", self.time == entry.time),
            ("actor", self.actor == entry.actor),
            ("skill", !is_known || self.skill == skill),
        ];
        let (column, _) = columns.into_iter().find(|(_, fits)| !fits)?;
        Some(format!("`{column}` of entry {} says something else than the entry", self.index))
    }
}

/// The first `limit` entries from number `from` on, with the columns beside them.
pub async fn filed(db: &Db, from: i64, limit: i64) -> Result<Vec<Filed>> {
    page(db, FILED, from, limit).await?.iter().map(Filed::read).collect()
}

/// Those that are found as rotations of the key.
pub async fn filed_rotations(db: &Db) -> Result<Vec<Filed>> {
    let text = format!("SELECT {FILED} FROM log WHERE kind = 'log.key-rotated' ORDER BY idx");
    let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(db.reader()).await?;
    rows.iter().map(Filed::read).collect()
}

/// The first `limit` entries from number `from` on.
pub async fn entries(db: &Db, from: i64, limit: i64) -> Result<Vec<LogEntry>> {
    page(db, "idx, at, actor, body", from, limit)
        .await?
        .iter()
        .map(|row| {
            Ok(LogEntry {
                index: row.try_get(0)?,
                time: Time::from_micros(row.try_get(1)?),
                actor: row.try_get(2)?,
                event: from_json::<Event>(row.try_get(3)?)?,
            })
        })
        .collect()
}

/// What an entry has changed, for followers.
#[derive(Debug)]
pub struct Change {
    /// The entry's number.
    pub index: i64,
    /// The key of the skill that it is about, if it is about one.
    pub skill: Option<String>,
    /// What was done.
    pub event: Event,
}

/// The first `limit` changes from number `from` on.
pub async fn changes(db: &Db, from: i64, limit: i64) -> Result<Vec<Change>> {
    page(db, "idx, skill, body", from, limit)
        .await?
        .iter()
        .map(|row| {
            Ok(Change { index: row.try_get(0)?, skill: row.try_get(1)?, event: from_json(row.try_get(2)?)? })
        })
        .collect()
}

/// The time of the entry before number `index` in microseconds; 0 when there is none.
pub async fn time_before(db: &Db, index: i64) -> Result<i64> {
    let time = sqlx::query_scalar::<_, i64>("SELECT at FROM log WHERE idx = $1")
        .bind(index - 1)
        .fetch_optional(db.reader())
        .await?;
    Ok(time.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn yanks_are_found_without_the_rest_of_the_log_of_a_skill() {
        let app = TestApp::new().await;
        // No entry has such a number, so that nobody takes these for entries.
        app.tamper(
            "INSERT INTO log (idx, at, kind, skill, body) WITH RECURSIVE n(i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT -i, 0, \
             CASE WHEN i % 500 = 0 THEN 'version.yanked' ELSE 'skill.rated' END, 'acme/tool', '{}' FROM n"
                .to_owned(),
        )
        .await;
        if app.app.db.backend() == Backend::Postgres {
            app.tamper("ANALYZE log".to_owned()).await;
        }
        let yanks = YANKS.replace("$1", "'acme/tool'").replace("$2", "200");
        let plan = app.plan_in_order(&yanks, &[], &[]).await;
        assert!(plan.contains("log_yanks"), "{plan}");
    }
}
