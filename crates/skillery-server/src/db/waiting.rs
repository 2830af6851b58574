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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
const SKILLS: &str = " JOIN skills s ON s.key = v.skill";
const MAY_REVIEW: &str = " AND m.role IN ('reviewer', 'admin', 'owner')";

/// Of versions that were decided in some namespaces, all are gathered and put in order where there are no more than so many. Where there
/// are more, decisions of all namespaces are read from the last one on: of the latest, many are among these then, unless nothing was decided
/// there for long.
const IN_ORDER: u64 = if cfg!(test) { 2_000 } else { 8_000 };

/// Whether a decision is the last one about its version: time never goes back in the log. It is asked in this way because PostgreSQL takes a
/// bare comparison for something that hardly ever holds, and would then read all decisions.
const IS_LAST: &str = "CASE WHEN w.log_index = (SELECT MAX(d.log_index) FROM decisions d WHERE d.skill = w.skill \
    AND d.version = w.version) THEN 1 END IS NOT NULL";

/// From where versions (`v`) of skills (`s`) are read, on which conditions and in which order. The first values are the namespaces that
/// they must be in, and the next one is the user.
struct Selection {
    from: String,
    conditions: String,
    order: String,
    me: String,
}

impl Wanted<'_> {
    /// The value that is the user.
    fn me(&self) -> String {
        format!("${}", self.within.len() + 1)
    }

    /// The condition that a namespace is one of those they must be in or below; nothing where that is everywhere.
    fn is_within(&self, namespace: &str) -> Option<String> {
        let place = |place: usize| is_within(namespace, &format!("${place}"));
        let places: Vec<String> = (1..=self.within.len()).map(place).collect();
        (!places.is_empty()).then(|| format!("({})", places.join(" OR ")))
    }

    /// The condition that the user has one of these roles in a namespace, or above it.
    fn has_role(&self, namespace: &str, roles: &str) -> String {
        let (me, is_within) = (self.me(), is_within(namespace, "m.namespace"));
        has_row(&format!("FROM members m WHERE m.user_id = {me}{roles} AND {is_within}"))
    }

    /// Whether others than the user's own are asked for that have been decided about.
    fn is_decided(&self) -> bool {
        self.state == ApprovalState::Decided && self.whose != Whose::Own && !self.is_due
    }

    /// The condition that a skill (`s`) is where decided versions are asked for; nothing where that is everywhere. A namespace is
    /// looked at once, and not again for each of its skills.
    fn is_in_place(&self) -> Option<String> {
        let mut conditions = Vec::from_iter(self.is_within("n.namespace"));
        let mut of_orgs = String::new();
        if self.whose == Whose::Reviewed {
            conditions.push(self.has_role("n.namespace", MAY_REVIEW));
            let me = self.me();
            of_orgs =
                format!(" WHERE org IN (SELECT m.org FROM members m WHERE m.user_id = {me}{MAY_REVIEW})");
        }
        (!conditions.is_empty()).then(|| {
            let conditions = conditions.join(" AND ");
            format!(
                "s.namespace IN (SELECT n.namespace FROM (SELECT DISTINCT namespace FROM skills{of_orgs}) n \
                 WHERE {conditions})"
            )
        })
    }

    /// How many there are.
    fn count_text(&self) -> String {
        if !self.is_decided() {
            let Selection { from, conditions, .. } = selection(self);
            return format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {from} WHERE {conditions}");
        }
        // An index has which versions there are decisions about. Whether one of them waits is not in it: these are subtracted, as few wait.
        let place = self.is_in_place();
        let decided = match &place {
            Some(place) => format!(
                "SELECT DISTINCT w.skill, w.version FROM skills s CROSS JOIN decisions w WHERE w.skill = s.key AND {place}"
            ),
            None => "SELECT DISTINCT skill, version FROM decisions".to_owned(),
        };
        let and = place.map_or_else(String::new, |place| format!(" AND {place}"));
        let has_decision = has_row(DECIDED);
        format!(
            "SELECT CAST((SELECT COUNT(*) FROM ({decided}) c) - (SELECT COUNT(*) FROM versions v CROSS JOIN skills s \
             WHERE s.key = v.skill AND v.status = 'pending' AND {has_decision}{and}) AS BIGINT)"
        )
    }
}

/// Of all but those that others have published and that were decided.
fn selection(wanted: &Wanted<'_>) -> Selection {
    let Wanted { state, whose, is_due, .. } = *wanted;
    let me = wanted.me();
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
        ApprovalState::Decided => (
            OWN,
            format!("v.status <> 'pending' AND {}", has_row(DECIDED)),
            format!("(SELECT MAX(d.at) {DECIDED}) DESC, v.skill, v.version"),
        ),
    };
    let mut conditions = vec![state];
    conditions.extend(wanted.is_within("s.namespace"));
    let reviews = wanted.has_role("s.namespace", MAY_REVIEW);
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
            let has_role = wanted.has_role("s.namespace", "");
            conditions.push(format!("v.publisher = {me} AND (s.visibility <> 'private' OR {has_role})"));
        }
    }
    Selection { from: format!("{from}{SKILLS}"), conditions: conditions.join(" AND "), order, me }
}

/// Of those that were decided, which are so many in all. Either way SQLite takes the tables in the order in which they are named.
fn decided(wanted: &Wanted<'_>, total: u64) -> Selection {
    let of_version = "v.skill = w.skill AND v.version = w.version AND v.status <> 'pending'";
    let place = wanted.is_in_place();
    let (from, conditions) = match place {
        Some(place) if total <= IN_ORDER => (
            format!(
                "(SELECT w.skill, w.version, MAX(w.at) AS at FROM skills s CROSS JOIN decisions w \
                 WHERE w.skill = s.key AND {place} GROUP BY w.skill, w.version) w CROSS JOIN versions v{SKILLS}"
            ),
            of_version.to_owned(),
        ),
        place => (
            "decisions w CROSS JOIN skills s CROSS JOIN versions v".to_owned(),
            format!(
                "{of_version} AND s.key = w.skill AND {IS_LAST}{}",
                place.map_or_else(String::new, |place| format!(" AND {place}"))
            ),
        ),
    };
    Selection { from, conditions, order: "w.at DESC, w.skill, w.version".to_owned(), me: wanted.me() }
}

type PendingQuery = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

/// The rows of a selection, with one more condition and an end. What these need is bound behind the user.
fn rows_text(wanted: &Wanted<'_>, selection: &Selection, and: &str, end: &str) -> String {
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
    format!(
        "SELECT s.id, v.version, u.name, v.description, v.created_at, {approved}, \
         (SELECT d.decision {DECIDED} AND d.user_id = {me}), v.status, (SELECT MAX(d.at) {DECIDED}), {changes}, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM review_comments c WHERE c.skill = v.skill AND c.version = v.version \
          AND c.thread = c.id AND c.resolved_at IS NULL AND EXISTS (SELECT 1 FROM review_comments r \
          WHERE r.thread = c.id AND r.hidden_at IS NULL)), {why} \
         FROM {from} JOIN users u ON u.id = v.publisher WHERE {conditions}{and} ORDER BY {order} {end}"
    )
}

fn pending_rows(wanted: &Wanted<'_>, selection: &Selection, and: &str, end: &str) -> PendingQuery {
    sqlx::query(AssertSqlSafe(rows_text(wanted, selection, and, end)))
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

/// How many there are.
pub async fn count(db: &Db, wanted: &Wanted<'_>) -> Result<u64> {
    let mut count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(wanted.count_text()))
        .bind_all(wanted.within.iter().cloned());
    if wanted.whose != Whose::All {
        count = count.bind(wanted.user.to_owned());
    }
    Ok(u64::try_from(count.fetch_one(db.reader()).await?).unwrap_or(0))
}

/// One page of them, which are so many in all: of those that wait the oldest first, of others the one that was decided last.
pub async fn listed(
    db: &Db,
    wanted: &Wanted<'_>,
    total: u64,
    limit: i64,
    offset: i64,
) -> Result<Vec<PendingVersion>> {
    let selection = if wanted.is_decided() { decided(wanted, total) } else { selection(wanted) };
    let next = wanted.within.len() + 2;
    let page = pending_rows(wanted, &selection, "", &format!("LIMIT ${next} OFFSET ${}", next + 1));
    let rows = page.bind(limit).bind(offset).fetch_all(db.reader()).await?;
    rows.iter().map(pending_row).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_decided_is_read_from_the_last_one_on() {
        let app = TestApp::new().await;
        let state = ApprovalState::Decided;
        let wanted = Wanted { user: "u", state, whose: Whose::All, within: &[], is_due: false };
        let text = rows_text(&wanted, &decided(&wanted, u64::MAX), "", "LIMIT 9 OFFSET 9");
        let plan = app.plan_in_order(&text.replace("$1", "'u'"), &[], &[]).await;
        assert!(plan.contains("decisions_by_time"), "{plan}");
    }
}
