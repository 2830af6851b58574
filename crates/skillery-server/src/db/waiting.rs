//! Which versions wait for approvals, are due, or have been decided about.

use skillery_core::api::{ApprovalState, PendingVersion};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row};

use super::{BindAll, Db, has_row, is_within, parsed, placeholders};
use crate::failure::Result;

/// Which of the versions that wait, or have been decided about, are asked for.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The user who asks.
    pub user: &'a str,
    /// Whether they wait.
    pub state: ApprovalState,
    /// Whose they are.
    pub whose: Whose,
    /// Keys of namespaces that they must be in or below; none stands for everywhere.
    pub within: &'a [String],
    /// Whether those are wanted that are handed out, and due or released by force; else those that wait.
    pub is_due: bool,
}

/// Whose versions are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    All,
    /// Those that the user may decide about, as a reviewer there.
    Reviewed,
    /// Those of them that the user has no part in, and has neither rejected nor asked to be changed.
    Open,
    /// What the user published, where the user still sees it.
    Own,
}

const WAITING: &str = "v.created_at, v.skill, v.version";
const GATE: &str = "FROM gates g WHERE g.skill = v.skill AND g.version = v.version";
const DECIDED: &str = "FROM decisions d WHERE d.skill = v.skill AND d.version = v.version";

/// From where versions (`v`) of skills (`s`) are read, on which conditions and in which order. The first values are the namespaces that
/// they must be in, and the next one is the user.
struct Selection {
    from: String,
    conditions: String,
    order: String,
    me: String,
}

fn selection(wanted: &Wanted<'_>) -> Selection {
    let Wanted { state, whose, within, is_due, .. } = *wanted;
    const OWN: &str = "versions v";
    // Each begins with a table or an index that has few rows, and not with all versions.
    let (from, state, order) = match state {
        _ if is_due => (
            "gates w CROSS JOIN versions v",
            "v.skill = w.skill AND v.version = w.version AND v.status = 'published' \
             AND (w.due_at IS NOT NULL OR w.forced_by IS NOT NULL)"
                .to_owned(),
            WAITING.to_owned(),
        ),
        ApprovalState::Pending => (OWN, "v.status = 'pending'".to_owned(), WAITING.to_owned()),
        ApprovalState::Decided if whose == Whose::Own => (
            OWN,
            format!("v.status <> 'pending' AND {}", has_row(DECIDED)),
            format!("(SELECT MAX(d.at) {DECIDED}) DESC, v.skill, v.version"),
        ),
        ApprovalState::Decided => (
            "(SELECT skill, version, MAX(at) AS last_at FROM decisions GROUP BY skill, version) w \
             JOIN versions v ON v.skill = w.skill AND v.version = w.version",
            "v.status <> 'pending'".to_owned(),
            "w.last_at DESC, v.skill, v.version".to_owned(),
        ),
    };
    let mut conditions = vec![state];
    if !within.is_empty() {
        let places: Vec<String> =
            (1..=within.len()).map(|place| is_within("s.namespace", &format!("${place}"))).collect();
        conditions.push(format!("({})", places.join(" OR ")));
    }
    let me = format!("${}", within.len() + 1);
    let has_role = |roles: &str| {
        let is_within = is_within("s.namespace", "m.namespace");
        has_row(&format!("FROM members m WHERE m.user_id = {me}{roles} AND {is_within}"))
    };
    let reviews = has_role(" AND m.role IN ('reviewer', 'admin', 'owner')");
    match whose {
        Whose::All => {}
        Whose::Reviewed => conditions.push(reviews),
        Whose::Open => {
            conditions.push(reviews);
            // An approval that does not count, or not any more, is no answer.
            conditions.push(format!(
                "v.publisher <> {me} AND NOT EXISTS (SELECT 1 {DECIDED} AND d.user_id = {me} \
                 AND d.decision <> 'approved' AND d.log_index >= COALESCE((SELECT g.counts_from {GATE}), 0))"
            ));
            conditions.push(format!(
                "NOT EXISTS (SELECT 1 FROM signatures g WHERE g.skill = v.skill AND g.version = v.version \
                 AND g.signer = {me})"
            ));
        }
        Whose::Own => {
            conditions.push(format!("v.publisher = {me} AND (s.visibility <> 'private' OR {})", has_role("")))
        }
    }
    let from = format!("{from} JOIN skills s ON s.key = v.skill");
    Selection { from, conditions: conditions.join(" AND "), order, me }
}

type PendingQuery = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

/// The rows of a selection, with one more condition and an end. What these need is bound behind the user.
fn pending_rows(wanted: &Wanted<'_>, selection: &Selection, and: &str, end: &str) -> PendingQuery {
    let Selection { from, conditions, order, me } = selection;
    let of =
        |decision: &str| format!("(SELECT CAST(COUNT(*) AS BIGINT) {DECIDED} AND d.decision = '{decision}')");
    let (approved, changes) = (of("approved"), of("changes-requested"));
    // Why it was released by force is for members, and whoever published it may have left. What is not forced any more keeps its reason.
    let why = match wanted.is_due && wanted.whose != Whose::Own {
        true => format!(
            "(SELECT g.due_at {GATE}), (SELECT f.name FROM users f WHERE f.id = (SELECT g.forced_by {GATE})), \
             (SELECT g.forced_reason {GATE} AND g.forced_by IS NOT NULL)"
        ),
        false => "CAST(NULL AS BIGINT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)".to_owned(),
    };
    sqlx::query(AssertSqlSafe(format!(
        "SELECT s.id, v.version, u.name, v.description, v.created_at, {approved}, \
         (SELECT d.decision {DECIDED} AND d.user_id = {me}), v.status, (SELECT MAX(d.at) {DECIDED}), {changes}, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM review_comments c WHERE c.skill = v.skill AND c.version = v.version \
          AND c.thread = c.id AND c.resolved_at IS NULL AND EXISTS (SELECT 1 FROM review_comments r \
          WHERE r.thread = c.id AND r.hidden_at IS NULL)), {why} \
         FROM {from} JOIN users u ON u.id = v.publisher WHERE {conditions}{and} ORDER BY {order} {end}"
    )))
    .bind_all(wanted.within.iter().cloned())
    .bind(wanted.user.to_owned())
}

fn pending_row(row: &AnyRow) -> Result<PendingVersion> {
    let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(PendingVersion {
        id: parsed(row.try_get(0)?)?,
        version: parsed(row.try_get(1)?)?,
        publisher: row.try_get(2)?,
        description: row.try_get(3)?,
        published_at: Time::from_micros(row.try_get(4)?),
        given: number(row.try_get(5)?),
        mine: row.try_get::<Option<String>, _>(6)?.as_deref().map(parsed).transpose()?,
        status: parsed(row.try_get(7)?)?,
        decided_at: row.try_get::<Option<i64>, _>(8)?.map(Time::from_micros),
        changes_requested: number(row.try_get(9)?),
        unresolved: u64::try_from(row.try_get::<i64, _>(10)?).unwrap_or(0),
        due_since: row.try_get::<Option<i64>, _>(11)?.map(Time::from_micros),
        forced_by: row.try_get(12)?,
        forced_reason: row.try_get(13)?,
    })
}

/// One page of them, and how many there are: of those that wait the oldest first, of others the one that was decided last.
pub async fn listed(
    db: &Db,
    wanted: &Wanted<'_>,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<PendingVersion>)> {
    let selection = selection(wanted);
    let mut count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM {} WHERE {}",
        selection.from, selection.conditions
    )))
    .bind_all(wanted.within.iter().cloned());
    if wanted.whose != Whose::All {
        count = count.bind(wanted.user.to_owned());
    }
    let total = count.fetch_one(db.reader()).await?;
    let next = wanted.within.len() + 2;
    let page = pending_rows(wanted, &selection, "", &format!("LIMIT ${next} OFFSET ${}", next + 1));
    let rows = page.bind(limit).bind(offset).fetch_all(db.reader()).await?;
    Ok((u64::try_from(total).unwrap_or(0), rows.iter().map(pending_row).collect::<Result<_>>()?))
}

/// The next of those that wait, or are due, behind this one: at most `limit`, the oldest first. They are not counted.
pub async fn behind(
    db: &Db,
    wanted: &Wanted<'_>,
    behind: Option<&PendingVersion>,
    limit: i64,
) -> Result<Vec<PendingVersion>> {
    let next = wanted.within.len() + 2;
    let and = format!(" AND ({WAITING}) > ({})", placeholders(next, 3));
    let rows = pending_rows(wanted, &selection(wanted), &and, &format!("LIMIT ${}", next + 3))
        .bind(behind.map_or(i64::MIN, |behind| behind.published_at.micros()))
        .bind(behind.map(|behind| behind.id.key()).unwrap_or_default())
        .bind(behind.map(|behind| behind.version.to_string()).unwrap_or_default())
        .bind(limit)
        .fetch_all(db.reader())
        .await?;
    rows.iter().map(pending_row).collect()
}
