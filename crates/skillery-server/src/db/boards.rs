//! How orgs and authors stand by who installed and rated something of theirs.

use std::collections::HashMap;

use skillery_core::api::BoardOf;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Db, is_within};
use crate::failure::Result;

/// Figures of the boards of a week, a month and of all time: first of public skills, then of those and internal ones.
pub type Figures = [i64; 6];

/// What users outside of an org did with what is of somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Users who installed something.
    pub consumers: Figures,
    /// Users who rated something.
    pub raters: Figures,
    /// What these rated, each with the mean of theirs, together, in tenths.
    pub tenths: Figures,
    /// The most that namespaces withhold figures below in which something counts: public skills, and internal ones as well.
    pub k: [u32; 2],
}

/// Of whom something is.
struct Subject {
    name: &'static str,
    /// How that is joined to a skill `s`.
    join: String,
    /// What keeps a user `d.user_id` from counting for it.
    own: &'static str,
}

/// `among` selects the keys of the skills that anything is known of: they are few beside all that was published, and who has
/// published nothing of them need not be looked at.
fn subject(of: BoardOf, among: &str) -> Subject {
    match of {
        BoardOf::Teams => {
            Subject { name: "o.name", join: "JOIN orgs o ON o.key = s.org".to_owned(), own: "" }
        }
        BoardOf::Authors => Subject {
            name: "a.name",
            join: format!(
                "JOIN (SELECT DISTINCT skill, publisher FROM versions WHERE status = 'published' AND skill IN ({among})) p \
                 ON p.skill = s.key \
                 JOIN users a ON a.id = p.publisher AND a.disabled_at IS NULL AND a.unlisted_at IS NULL"
            ),
            own: "AND d.user_id <> p.publisher",
        },
    }
}

/// Which skills `s` count. Private ones count nowhere: a place would tell that they are there. Nor does what is in a namespace
/// that wants to be on no board.
fn counted() -> String {
    format!(
        "s.visibility IN ('public', 'internal') AND s.latest IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM namespace_insight w WHERE w.org = s.org AND w.unlisted_at IS NOT NULL AND {})",
        is_within("s.namespace", "w.namespace")
    )
}

/// How all authors or orgs stand, by name: `since` is when the week and the month began. Members of the skill's org do not
/// count, nor authors for themselves, nor users who are switched off.
///
/// All boards are made of one look at each table, so that they are of one moment and fit together.
pub async fn tallies(db: &Db, of: BoardOf, since: [i64; 2]) -> Result<HashMap<String, Tally>> {
    let counted = counted();
    let name = subject(of, "").name;
    let from = |table: &str| {
        let Subject { join, own, .. } = subject(of, &format!("SELECT skill FROM {table}"));
        format!(
            "FROM {table} d JOIN skills s ON s.key = d.skill JOIN users u ON u.id = d.user_id {join} \
             WHERE u.disabled_at IS NULL AND {counted} {own} \
             AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user_id = d.user_id AND m.org = s.org)"
        )
    };
    let open = "s.visibility = 'public'";
    let mut found: HashMap<String, Tally> = HashMap::new();
    // Each user counts once, by what they installed last of all that is open, and of all.
    let counts: Vec<String> = ["open_at", "last_at"]
        .iter()
        .flat_map(|at| [format!("{at} >= $1"), format!("{at} >= $2"), format!("{at} IS NOT NULL")])
        .map(|within| format!("CAST(COUNT(CASE WHEN {within} THEN 1 END) AS BIGINT)"))
        .collect();
    let consumers = format!(
        "SELECT name, {} FROM (SELECT {name} AS name, MAX(CASE WHEN {open} THEN d.last_at END) AS open_at, \
         MAX(d.last_at) AS last_at {} GROUP BY {name}, d.user_id) c GROUP BY name",
        counts.join(", "),
        from("user_installs")
    );
    let week_month = |text| sqlx::query(AssertSqlSafe(text)).bind(since[0]).bind(since[1]);
    for row in week_month(consumers).fetch_all(db.reader()).await? {
        found.entry(row.try_get(0)?).or_default().consumers = figures(&row, 1)?;
    }
    // Each rater counts once, whatever many skills were rated. Both databases divide whole numbers alike.
    let within: Vec<String> = [open, "1 = 1"]
        .iter()
        .flat_map(|seen| {
            [format!("{seen} AND d.at >= $1"), format!("{seen} AND d.at >= $2"), (*seen).to_owned()]
        })
        .collect();
    let means: String = within
        .iter()
        .enumerate()
        .map(|(place, within)| {
            format!(
                ", CAST(SUM(CASE WHEN {within} THEN d.tenths END) AS BIGINT) \
                 / NULLIF(CAST(COUNT(CASE WHEN {within} THEN 1 END) AS BIGINT), 0) AS mean_{place}"
            )
        })
        .collect();
    let counts: String =
        (0..within.len()).map(|place| format!(", CAST(COUNT(mean_{place}) AS BIGINT)")).collect();
    let sums: String =
        (0..within.len()).map(|place| format!(", CAST(COALESCE(SUM(mean_{place}), 0) AS BIGINT)")).collect();
    let ratings = format!(
        "SELECT name{counts}{sums} FROM (SELECT {name} AS name{means} {} GROUP BY {name}, d.user_id) r GROUP BY name",
        from("ratings")
    );
    for row in week_month(ratings).fetch_all(db.reader()).await? {
        let tally = found.entry(row.try_get(0)?).or_default();
        (tally.raters, tally.tenths) = (figures(&row, 1)?, figures(&row, 7)?);
    }
    let withheld =
        "SELECT x.key FROM namespace_insight y JOIN skills x ON x.org = y.org WHERE y.k IS NOT NULL";
    let join = subject(of, withheld).join;
    let most = format!(
        "SELECT {name}, MAX(CASE WHEN {open} THEN n.k END), MAX(n.k) FROM namespace_insight n \
         JOIN skills s ON s.org = n.org AND {} \
         {join} WHERE n.k IS NOT NULL AND {counted} GROUP BY {name}",
        is_within("s.namespace", "n.namespace")
    );
    for row in sqlx::query(AssertSqlSafe(most)).fetch_all(db.reader()).await? {
        let k = |column| -> Result<u32> {
            let k: Option<i64> = row.try_get(column)?;
            Ok(k.map_or(0, |k| u32::try_from(k).unwrap_or(u32::MAX)))
        };
        if let Some(tally) = found.get_mut(row.try_get::<&str, _>(0)?) {
            tally.k = [k(1)?, k(2)?];
        }
    }
    Ok(found)
}

fn figures(row: &AnyRow, first: usize) -> Result<Figures> {
    let mut found = Figures::default();
    for (place, figure) in found.iter_mut().enumerate() {
        *figure = row.try_get(first + place)?;
    }
    Ok(found)
}
