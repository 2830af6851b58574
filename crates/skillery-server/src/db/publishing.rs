//! Publishing many versions at once: everything that must be known of the registry in one look, and all rows in a few
//! statements.
//!
//! A statement costs a message to the database's thread or process and back. One publish that asked one question at a
//! time would spend most of its time in the one writer on that; many that ask and write together share the cost.

use skillery_core::time::Time;
use skillery_core::{Digest, Namespace, SkillId, Version};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::orgs::OrgRow;
use super::skills::SkillRow;
use super::versions::VersionRow;
use super::{BindAll, Tx, many_placeholders, many_tuples, needs, parsed, pieces, tuples};
use crate::failure::{Failure, Result};
use skillery_core::limits::MAX_NAMESPACE_DEPTH;

/// What a publish asks about.
#[derive(Debug, Clone)]
pub struct Question {
    /// The skill, as it is to be spelled.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// The content.
    pub digest: Digest,
    /// The id of the user who publishes.
    pub user: String,
    /// The id of the token.
    pub token: String,
}

/// How things stand for one version that is to be published.
#[derive(Debug, Clone)]
pub struct Situation {
    /// How many collections of contents have ended.
    pub collections: i64,
    /// Whether the same content is being collected.
    pub is_doomed: bool,
    /// The org, if it exists.
    pub org: Option<OrgRow>,
    /// Whether the user has a role in the namespace, or one above, that lets members publish.
    pub may_publish: bool,
    /// Whether the token is not revoked, and its user not switched off.
    pub is_good: bool,
    /// The skill, if it exists.
    pub skill: Option<SkillRow>,
    /// How many versions it has.
    pub versions: i64,
    /// Whether this version is one of them.
    pub has_version: bool,
    /// The highest number that a skill has.
    pub last_number: i64,
    /// How many policies hold in the namespace: its own, and those above.
    pub policies: i64,
}

/// The names of what a question binds: the place of the question, six texts, and the namespace and those above it,
/// filled up with empty texts.
const ASKED: &str =
    "asked (place, digest, publisher, token, skill, version, org, n1, n2, n3, n4, n5, n6, n7, n8)";
const VALUES: usize = 6 + MAX_NAMESPACE_DEPTH;

const LOOK: &str = "SELECT c.collections, \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM doomed_contents WHERE digest = asked.digest), \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM members WHERE user_id = asked.publisher \
     AND role IN ('publisher', 'reviewer', 'admin', 'owner') \
     AND namespace IN (n1, n2, n3, n4, n5, n6, n7, n8)), \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM versions WHERE skill = asked.skill), \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM versions WHERE skill = asked.skill AND version = asked.version), \
    (SELECT COALESCE(MAX(number), 0) FROM skills), \
    o.name, o.created_at, o.signing_secret, s.id, s.number, s.visibility, s.latest, s.created_at, \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM policies WHERE namespace IN (n1, n2, n3, n4, n5, n6, n7, n8)), \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.id = asked.token \
     AND t.revoked_at IS NULL AND u.disabled_at IS NULL) \
    FROM asked CROSS JOIN collector c LEFT JOIN orgs o ON o.key = asked.org LEFT JOIN skills s ON s.key = asked.skill \
    WHERE c.id = 1 ORDER BY asked.place";

/// How things stand for each of these.
pub async fn situations(connection: &mut AnyConnection, questions: &[Question]) -> Result<Vec<Situation>> {
    let mut situations = Vec::with_capacity(questions.len());
    for piece in pieces(questions) {
        let asked: Vec<String> = (0..piece.len())
            .map(|place| format!("({place}, {})", many_placeholders(connection, place * VALUES + 1, VALUES)))
            .collect();
        let text = format!("WITH {ASKED} AS (VALUES {}) {LOOK}", asked.join(", "));
        let mut query = sqlx::query(AssertSqlSafe(text));
        for question in piece {
            let namespace: Namespace = parsed(&question.id.namespace().key())?;
            query = query
                .bind(question.digest.to_string())
                .bind(question.user.clone())
                .bind(question.token.clone())
                .bind(question.id.key())
                .bind(question.version.to_string())
                .bind(namespace.org().to_owned());
            let mut places: Vec<String> = namespace.self_and_ancestors().map(str::to_owned).collect();
            places.resize(MAX_NAMESPACE_DEPTH, String::new());
            query = query.bind_all(places);
        }
        let rows = query.fetch_all(&mut *connection).await?;
        if rows.len() != piece.len() {
            return Err(Failure::internal(format!("{} questions have {} answers", piece.len(), rows.len())));
        }
        for row in &rows {
            situations.push(situation(row)?);
        }
    }
    Ok(situations)
}

fn situation(row: &AnyRow) -> Result<Situation> {
    let org = match row.try_get::<Option<String>, _>(6)? {
        Some(name) => Some(OrgRow {
            name,
            created_at: Time::from_micros(row.try_get(7)?),
            signing_secret: row.try_get(8)?,
        }),
        None => None,
    };
    let skill = match row.try_get::<Option<String>, _>(9)? {
        Some(id) => Some(SkillRow {
            id: parsed(&id)?,
            number: row.try_get(10)?,
            visibility: parsed(row.try_get(11)?)?,
            latest: row.try_get::<Option<String>, _>(12)?.as_deref().map(parsed).transpose()?,
            created_at: Time::from_micros(row.try_get(13)?),
        }),
        None => None,
    };
    Ok(Situation {
        collections: row.try_get(0)?,
        is_doomed: row.try_get::<i64, _>(1)? > 0,
        may_publish: row.try_get::<i64, _>(2)? > 0,
        versions: row.try_get(3)?,
        has_version: row.try_get::<i64, _>(4)? > 0,
        last_number: row.try_get(5)?,
        policies: row.try_get(14)?,
        is_good: row.try_get::<i64, _>(15)? > 0,
        org,
        skill,
    })
}

/// Rows that are written together.
#[derive(Debug, Default)]
pub struct Rows {
    /// Skills whose first version is among the versions.
    pub skills: Vec<SkillRow>,
    /// Versions, each with the key of its skill.
    pub versions: Vec<(String, VersionRow)>,
    /// Keys of skills that were there, with the version that is their latest from now on.
    pub latest: Vec<(String, Version)>,
}

impl Rows {
    /// Writes them.
    pub async fn write(&self, tx: &mut Tx) -> Result<()> {
        insert_skills(tx, &self.skills).await?;
        insert_versions(tx, &self.versions).await?;
        let told = |(skill, row): &'_ (String, VersionRow)| {
            let needs = row.dependencies.clone().filter(|needs| !needs.is_empty())?;
            Some((skill.clone(), row.version.to_string(), needs))
        };
        needs::add(tx, &self.versions.iter().filter_map(told).collect::<Vec<_>>()).await?;
        set_latest(tx, &self.latest).await
    }
}

async fn insert_skills(tx: &mut Tx, skills: &[SkillRow]) -> Result<()> {
    for piece in pieces(skills) {
        let text = format!(
            "INSERT INTO skills (key, number, id, namespace, org, visibility, latest, created_at, updated_at, \
             rating_sum, rating_count, stars_1, stars_2, stars_3, stars_4, stars_5, install_count, install_position) \
             VALUES {}",
            many_tuples(tx.connection(), piece.len(), 9, ", 0, 0, 0, 0, 0, 0, 0, 0, 0"),
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for skill in piece {
            let created_at = skill.created_at.micros();
            query = query
                .bind(skill.id.key())
                .bind(skill.number)
                .bind(skill.id.to_string())
                .bind(skill.id.namespace().key())
                .bind(skill.id.org_key())
                .bind(skill.visibility.as_str())
                .bind(skill.latest.as_ref().map(Version::to_string))
                .bind(created_at)
                .bind(created_at);
        }
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

async fn insert_versions(tx: &mut Tx, versions: &[(String, VersionRow)]) -> Result<()> {
    let json = |value: serde_json::Result<String>| value.map_err(Failure::internal);
    for piece in pieces(versions) {
        let text = format!(
            "INSERT INTO versions (skill, version, status, digest, size, code_hash, signature, description, tags, \
             author, license, homepage, repository, files, words, publisher, created_at, reason, log_position, \
             kind, dependencies, permissions, findings) VALUES {}",
            many_tuples(tx.connection(), piece.len(), 23, ""),
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (skill, row) in piece {
            query = query
                .bind(skill.clone())
                .bind(row.version.to_string())
                .bind(row.status.as_str())
                .bind(row.digest.to_string())
                .bind(row.size)
                .bind(row.code_hash.to_string())
                .bind(row.signature.clone())
                .bind(row.description.clone())
                .bind(json(serde_json::to_string(&row.tags))?)
                .bind(row.author.clone())
                .bind(row.license.clone())
                .bind(row.homepage.clone())
                .bind(row.repository.clone())
                .bind(json(serde_json::to_string(&row.files))?)
                .bind(row.words.clone())
                .bind(row.publisher.clone())
                .bind(row.created_at.micros())
                .bind(row.reason.clone())
                .bind(row.log_position)
                .bind(row.kind.as_str())
                .bind(row.dependencies.as_ref().map(|told| json(serde_json::to_string(told))).transpose()?)
                .bind(row.permissions.as_ref().map(|asked| json(serde_json::to_string(asked))).transpose()?)
                .bind(row.findings.map(|level| level.as_str()));
        }
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

/// Their latest versions are of this transaction, and so is their last change.
async fn set_latest(tx: &mut Tx, latest: &[(String, Version)]) -> Result<()> {
    let now = tx.now.micros();
    for piece in pieces(latest) {
        let text = format!(
            "WITH chosen (skill, latest) AS (VALUES {}) UPDATE skills SET latest = chosen.latest, updated_at = ${} \
             FROM chosen WHERE key = chosen.skill",
            tuples(1, piece.len(), 2, ""),
            piece.len() * 2 + 1,
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (skill, version) in piece {
            query = query.bind(skill.clone()).bind(version.to_string());
        }
        query.bind(now).execute(tx.connection()).await?;
    }
    Ok(())
}

/// Versions that are published in one transaction at most.
pub const TOGETHER: usize = 64;
