//! Which versions need which skills. What each version needs stands in its own row; this is the way back.

use std::collections::BTreeMap;

use skillery_core::{SkillId, Version, VersionStatus};
use sqlx::{AssertSqlSafe, Row};

use super::skills::{SkillRow, skill_row};
use super::{BindAll, Db, Tx, from_json, parsed, pieces, placeholders, registry, tuples};
use crate::access::Sight;
use crate::failure::Result;

/// Up to which entry of the log versions that an older program has written were looked at.
const CURSOR: &str = "needs-position";
/// Versions that are looked at in one transaction.
const STEP: i64 = 200;

/// A skill whose latest version needs another one.
#[derive(Debug, Clone)]
pub struct Dependent {
    /// The skill.
    pub skill: SkillRow,
    /// How often it was installed.
    pub installs: i64,
    /// The key of what it needs.
    pub needed: String,
    /// Which versions of that.
    pub wanted: String,
}

/// What a version needs: the skill's key and the range, for each.
pub type Told = BTreeMap<String, String>;

/// Writes what these versions need: key of the skill, version, what it needs.
pub async fn add(tx: &mut Tx, told: &[(String, String, Told)]) -> Result<()> {
    let mut rows = Vec::new();
    for (skill, version, needs) in told {
        for (id, wanted) in needs {
            let id: SkillId = parsed(id)?;
            rows.push((skill.clone(), version.clone(), id.key(), wanted.clone()));
        }
    }
    for piece in pieces(&rows) {
        let text = format!(
            "INSERT INTO needs (skill, version, needed, wanted) VALUES {} \
             ON CONFLICT (skill, version, needed) DO NOTHING",
            tuples(1, piece.len(), 4, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (skill, version, needed, wanted) in piece {
            query = query.bind(skill.clone()).bind(version.clone()).bind(needed.clone()).bind(wanted.clone());
        }
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

/// Looks at the next versions that may have been written without this, as older programs do. Whether there may be more.
pub async fn catch_up(tx: &mut Tx) -> Result<bool> {
    let cursor = registry::value(tx, CURSOR).await?.and_then(|text| text.parse().ok()).unwrap_or(-1_i64);
    let rows: Vec<(String, String, Option<String>, i64)> = sqlx::query_as(
        "SELECT skill, version, dependencies, log_position FROM versions WHERE log_position > $1 \
         ORDER BY log_position LIMIT $2",
    )
    .bind(cursor)
    .bind(STEP)
    .fetch_all(tx.connection())
    .await?;
    let Some(last) = rows.last().map(|row| row.3) else { return Ok(false) };
    let mut told = Vec::new();
    for (skill, version, dependencies, _) in &rows {
        if let Some(text) = dependencies.as_deref().filter(|text| *text != "{}") {
            told.push((skill.clone(), version.clone(), from_json::<Told>(text)?));
        }
    }
    add(tx, &told).await?;
    registry::set(tx, CURSOR, &last.to_string()).await?;
    Ok(rows.len() as i64 == STEP)
}

/// The skills whose latest version needs one of these, that somebody may see; and what the text asks for behind the limit. What
/// nobody but members of its org sees is left out where the caller has no role in that org, so that skills of strangers take no
/// places. Who sees which of the others is looked at again.
fn dependents_text(needed: &[String], sight: &Sight) -> (String, Vec<String>) {
    let mut values = Vec::new();
    let is_seen = match (sight.is_all, sight.is_public) {
        (true, _) => String::new(),
        (false, true) => "AND s.visibility = 'public' ".to_owned(),
        (false, false) => {
            values.push(sight.user.clone());
            let mut orgs: Vec<String> =
                sight.bounds.iter().filter_map(|bound| bound.split('/').next().map(str::to_owned)).collect();
            orgs.dedup();
            let is_within = match orgs.len() {
                0 => String::new(),
                count => format!("s.org IN ({}) AND ", placeholders(3, count)),
            };
            values.extend(orgs);
            format!(
                "AND (s.visibility = 'public' OR ({is_within}(s.visibility = 'internal' OR EXISTS \
                 (SELECT 1 FROM members m WHERE m.user_id = $2 AND m.org = s.org)))) "
            )
        }
    };
    let text = format!(
        "SELECT s.id, s.number, s.visibility, s.latest, s.created_at, s.install_count, n.needed, n.wanted \
         FROM needs n JOIN skills s ON s.key = n.skill AND s.latest = n.version WHERE n.needed IN ({}) {is_seen}\
         ORDER BY s.install_count DESC, s.key, n.needed LIMIT $1",
        placeholders(2 + values.len(), needed.len())
    );
    values.extend(needed.iter().cloned());
    (text, values)
}

/// Skills whose latest version needs one of these, as far as somebody who sees so much may see them: at most so many rows in all,
/// of the first of these the most installed.
pub async fn dependents(db: &Db, needed: &[String], sight: &Sight, most: usize) -> Result<Vec<Dependent>> {
    let mut found = Vec::new();
    for piece in pieces(needed) {
        let room = most.saturating_sub(found.len());
        if room == 0 {
            break;
        }
        let (text, values) = dependents_text(piece, sight);
        let query = sqlx::query(AssertSqlSafe(text)).bind(room as i64).bind_all(values);
        for row in query.fetch_all(db.reader()).await? {
            found.push(Dependent {
                skill: skill_row(&row, 0)?,
                installs: row.try_get(5)?,
                needed: row.try_get(6)?,
                wanted: row.try_get(7)?,
            });
        }
    }
    Ok(found)
}

/// Those of these skills that are there.
pub async fn skills(db: &Db, keys: &[String]) -> Result<Vec<SkillRow>> {
    let mut found = Vec::with_capacity(keys.len());
    for piece in pieces(keys) {
        let text = format!(
            "SELECT id, number, visibility, latest, created_at FROM skills WHERE key IN ({}) ORDER BY key",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for row in query.fetch_all(db.reader()).await? {
            found.push(skill_row(&row, 0)?);
        }
    }
    Ok(found)
}

/// Of which skill somebody has published versions that are in a state.
#[derive(Debug)]
pub struct InState {
    /// The key of the skill.
    pub skill: String,
    /// The state.
    pub status: VersionStatus,
    /// The id of who published them.
    pub publisher: String,
}

/// In which states versions of these skills are, and of whom.
pub async fn states(db: &Db, keys: &[String]) -> Result<Vec<InState>> {
    let mut found = Vec::new();
    for piece in pieces(keys) {
        let text = format!(
            "SELECT DISTINCT skill, status, publisher FROM versions WHERE skill IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query_as::<_, (String, String, String)>(AssertSqlSafe(text))
            .bind_all(piece.iter().cloned());
        for (skill, status, publisher) in query.fetch_all(db.reader()).await? {
            found.push(InState { skill, status: parsed(&status)?, publisher });
        }
    }
    Ok(found)
}

/// Versions by the key of their skill.
pub type Versions = BTreeMap<String, Vec<Version>>;

/// The published versions of these skills, of all together at most so many; and whether those are all. A skill of which there
/// was no room for all is left out.
pub async fn published(db: &Db, keys: &[String], most: usize) -> Result<(Versions, bool)> {
    let (mut found, mut room) = (Versions::new(), most);
    for piece in pieces(keys) {
        let text = format!(
            "SELECT skill, version FROM versions WHERE skill IN ({}) AND status = 'published' \
             ORDER BY skill LIMIT $1",
            placeholders(2, piece.len())
        );
        let query = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(text))
            .bind(room.saturating_add(1) as i64)
            .bind_all(piece.iter().cloned());
        let rows = query.fetch_all(db.reader()).await?;
        let last = rows.last().map(|(skill, _)| skill.clone());
        let is_cut = rows.len() > room;
        room = room.saturating_sub(rows.len());
        for (skill, version) in rows {
            found.entry(skill).or_default().push(parsed(&version)?);
        }
        if let Some(last) = last.filter(|_| is_cut) {
            found.remove(&last);
            return Ok((found, false));
        }
    }
    Ok((found, true))
}

/// What these versions need (key of the skill, version); nothing where that was not looked for.
pub async fn told(db: &Db, wanted: &[(String, String)]) -> Result<BTreeMap<(String, String), Option<Told>>> {
    let mut found = BTreeMap::new();
    for piece in pieces(wanted) {
        let one = |at: usize| format!("(skill = ${} AND version = ${})", at * 2 + 1, at * 2 + 2);
        let text = format!(
            "SELECT skill, version, dependencies FROM versions WHERE {}",
            (0..piece.len()).map(one).collect::<Vec<_>>().join(" OR ")
        );
        let mut query = sqlx::query_as::<_, (String, String, Option<String>)>(AssertSqlSafe(text));
        for (skill, version) in piece {
            query = query.bind(skill.clone()).bind(version.clone());
        }
        for (skill, version, text) in query.fetch_all(db.reader()).await? {
            found.insert((skill, version), text.as_deref().map(from_json).transpose()?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn dependents_are_looked_up_in_their_index() {
        let app = TestApp::new().await;
        if app.app.db.backend() == Backend::Postgres {
            // Of a few rows it would look at all, one way or another.
            sqlx::query("DROP INDEX skills_by_place").execute(app.app.db.reader()).await.unwrap();
        }
        let needed = ["acme/a".to_owned(), "acme/b".to_owned()];
        let seen = Sight { user: "u".to_owned(), bounds: vec!["acme/x".to_owned()], ..Sight::default() };
        for sight in [Sight { is_public: true, ..Sight::default() }, seen] {
            let (text, values) = dependents_text(&needed, &sight);
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let plan = app.plan(&text, &[10], &values).await;
            assert!(plan.contains("needs_by_needed"), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("Seq Scan"), "{plan}");
        }
    }
}
