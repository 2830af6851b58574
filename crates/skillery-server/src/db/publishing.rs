//! Everything that a publish must know of the registry, in one look.
//!
//! A statement costs a message to the database's thread or process and back; a publish that asked one question at a
//! time would spend most of its time in the one writer on that.

use skillery_core::time::Time;
use skillery_core::{Digest, Namespace, SkillId, Version};
use sqlx::{Any, Executor, Row};

use super::orgs::OrgRow;
use super::parsed;
use super::skills::SkillRow;
use crate::failure::Result;
use skillery_core::limits::MAX_NAMESPACE_DEPTH;

/// How things stand for one version that is to be published.
#[derive(Debug)]
pub struct Situation {
    /// How many collections of contents have ended.
    pub collections: i64,
    /// Whether the same content is being collected.
    pub is_doomed: bool,
    /// The org, if it exists.
    pub org: Option<OrgRow>,
    /// Whether the user has a role in the namespace, or one above, that lets members publish.
    pub may_publish: bool,
    /// The skill, if it exists.
    pub skill: Option<SkillRow>,
    /// How many versions it has.
    pub versions: i64,
    /// Whether this version is one of them.
    pub has_version: bool,
}

/// Looks. The placeholders from `$6` on are the namespace and those above it, filled up with empty texts.
const SITUATION: &str = "SELECT c.collections, \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM doomed_contents WHERE digest = $1), \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM members WHERE user_id = $2 \
     AND role IN ('publisher', 'reviewer', 'admin', 'owner') \
     AND namespace IN ($6, $7, $8, $9, $10, $11, $12, $13)), \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM versions WHERE skill = $3), \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM versions WHERE skill = $3 AND version = $4), \
    o.name, o.created_at, o.signing_secret, s.id, s.number, s.visibility, s.latest, s.created_at \
    FROM collector c LEFT JOIN orgs o ON o.key = $5 LEFT JOIN skills s ON s.key = $3 WHERE c.id = 1";

/// How things stand for this version, this content and this user.
pub async fn situation(
    executor: impl Executor<'_, Database = Any>,
    id: &SkillId,
    version: &Version,
    digest: &Digest,
    user: &str,
) -> Result<Situation> {
    let namespace: Namespace = parsed(&id.namespace().key())?;
    let mut query = sqlx::query(SITUATION)
        .bind(digest.to_string())
        .bind(user.to_owned())
        .bind(id.key())
        .bind(version.to_string())
        .bind(namespace.org().to_owned());
    let mut places: Vec<String> = namespace.self_and_ancestors().map(str::to_owned).collect();
    places.resize(MAX_NAMESPACE_DEPTH, String::new());
    for place in places {
        query = query.bind(place);
    }
    let row = query.fetch_one(executor).await?;
    let org = match row.try_get::<Option<String>, _>(5)? {
        Some(name) => Some(OrgRow {
            name,
            created_at: Time::from_micros(row.try_get(6)?),
            signing_secret: row.try_get(7)?,
        }),
        None => None,
    };
    let skill = match row.try_get::<Option<String>, _>(8)? {
        Some(id) => Some(SkillRow {
            id: parsed(&id)?,
            number: row.try_get(9)?,
            visibility: parsed(row.try_get(10)?)?,
            latest: row.try_get::<Option<String>, _>(11)?.as_deref().map(parsed).transpose()?,
            created_at: Time::from_micros(row.try_get(12)?),
        }),
        None => None,
    };
    Ok(Situation {
        collections: row.try_get(0)?,
        is_doomed: row.try_get::<i64, _>(1)? > 0,
        may_publish: row.try_get::<i64, _>(2)? > 0,
        versions: row.try_get(3)?,
        has_version: row.try_get::<i64, _>(4)? > 0,
        org,
        skill,
    })
}
