//! What is due to be sent, and whose turn it is.
//!
//! However much waits, a look reads a bounded part of it: the oldest of what is due, and where that is not all, the next on a round
//! over those for whom anything waits. So one who has very much due is passed on the round, and so is one who waits for later.

use std::collections::{HashMap, HashSet};

use skillery_core::time::Time;
use sqlx::{AssertSqlSafe, Row};

use super::Db;
use crate::failure::Result;

/// How much of what is due is looked at, the oldest first. Less than that is all that is due.
const OLDEST: usize = 500;
/// Users whom one statement of the round passes, how many statements there are in one look, and how many users that have something due
/// are enough.
const STEP: usize = 64;
const STEPS: usize = 8;
const ENOUGH: usize = 32;

/// Who sends it: mail and webhooks have workers of their own, so that neither waits for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Mail of all kinds.
    Mail,
    /// Requests to webhooks.
    Webhooks,
}

impl Way {
    fn condition(self) -> &'static str {
        match self {
            Self::Mail => "state = 'waiting' AND channel <> 'webhook'",
            Self::Webhooks => "state = 'waiting' AND channel = 'webhook'",
        }
    }
}

/// Something that comes to its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The id of the delivery.
    pub id: String,
    /// The user to whom the round has come with it.
    pub reaches: Option<String>,
}

/// What a look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What comes to its turn, in that order.
    pub turns: Vec<Turn>,
    /// The user to whom the round has come before any of these.
    pub after: String,
}

/// One who was passed on the round, with what is due first, if anything is.
type Passed = (String, Option<String>);

/// What comes next of what is due, at most `most`; the round goes on behind the user `after`. Of one user not more than `each` are under
/// way at a time, on all servers together, and users take turns: however much one has waiting, the others' comes next.
pub async fn due(db: &Db, way: Way, now: Time, most: usize, each: usize, after: &str) -> Result<Found> {
    let oldest = oldest(db, way, now).await?;
    if oldest.is_empty() {
        return Ok(Found { turns: Vec::new(), after: after.to_owned() });
    }
    let (round, last) = match oldest.len() {
        OLDEST => round(db, way, now, after).await?,
        _ => (Vec::new(), after.to_owned()),
    };
    let turns = in_turn(oldest, round, busy(db, way, now).await?, most, each);
    // What is found and not taken is come to again.
    let reaches_any = turns.iter().any(|turn| turn.reaches.is_some());
    Ok(Found { turns, after: if reaches_any { after.to_owned() } else { last } })
}

/// Puts the oldest, as pairs of user and id, and those of the round in the order of turns: the first of everybody, then the second.
fn in_turn(
    oldest: Vec<(String, String)>,
    round: Vec<(String, String)>,
    mut under_way: HashMap<String, usize>,
    most: usize,
    each: usize,
) -> Vec<Turn> {
    let mut known = HashSet::new();
    let mut lines = Vec::new();
    for (is_round, line) in [(true, round), (false, oldest)] {
        for (place, (user, id)) in line.into_iter().enumerate() {
            let number = under_way.entry(user.clone()).or_default();
            if *number >= each || !known.insert(id.clone()) {
                continue;
            }
            // Where both have somebody, each has every other place.
            let reaches = (is_round && *number == 0).then_some(user);
            lines.push(((*number, place, !is_round), Turn { id, reaches }));
            *number += 1;
        }
    }
    lines.sort_by_key(|(place, _)| *place);
    lines.into_iter().take(most).map(|(_, turn)| turn).collect()
}

fn oldest_text(way: Way) -> String {
    let waits = way.condition();
    format!(
        "SELECT user_id, id FROM deliveries WHERE {waits} AND next_at <= $1 ORDER BY next_at LIMIT {OLDEST}"
    )
}

async fn oldest(db: &Db, way: Way, now: Time) -> Result<Vec<(String, String)>> {
    let query = sqlx::query_as(AssertSqlSafe(oldest_text(way))).bind(now.micros());
    Ok(query.fetch_all(db.reader()).await?)
}

fn busy_text(way: Way) -> String {
    let waits = way.condition();
    format!(
        "SELECT user_id, CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE taken_by IS NOT NULL AND {waits} AND next_at > $1 \
         GROUP BY user_id"
    )
}

/// How many of whose are under way.
async fn busy(db: &Db, way: Way, now: Time) -> Result<HashMap<String, usize>> {
    let query = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(busy_text(way))).bind(now.micros());
    let rows = query.fetch_all(db.reader()).await?;
    Ok(rows.into_iter().map(|(user, number)| (user, usize::try_from(number).unwrap_or(usize::MAX))).collect())
}

/// The next user behind this one for whom anything waits.
fn next_text(way: Way, after: &str) -> String {
    let waits = way.condition();
    format!("SELECT MIN(user_id) FROM deliveries WHERE {waits} AND user_id > {after}")
}

/// Goes from user to user by the index: each is looked up by two places of it, whatever there is between them.
fn step_text(way: Way) -> String {
    let (waits, next) = (way.condition(), next_text(way, "passed.id"));
    format!(
        "WITH RECURSIVE passed(number, id) AS (SELECT 0, CAST($2 AS TEXT) UNION ALL SELECT passed.number + 1, \
         ({next}) FROM passed \
         WHERE passed.id IS NOT NULL AND passed.number < {STEP}) \
         SELECT passed.id, (SELECT id FROM deliveries WHERE {waits} AND user_id = passed.id AND next_at <= $1 \
         ORDER BY next_at, id LIMIT 1) FROM passed WHERE passed.number > 0 AND passed.id IS NOT NULL ORDER BY passed.number"
    )
}

/// The next users for whom anything waits, at most [`STEP`].
async fn step(db: &Db, way: Way, now: Time, after: &str) -> Result<Vec<Passed>> {
    let query = sqlx::query(AssertSqlSafe(step_text(way))).bind(now.micros()).bind(after.to_owned());
    let rows = query.fetch_all(db.reader()).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Those of the next users who have something due, and the last one who was passed. At the end it begins again.
async fn round(db: &Db, way: Way, now: Time, after: &str) -> Result<(Vec<(String, String)>, String)> {
    let (mut last, mut found) = (after.to_owned(), Vec::new());
    let mut is_again = after.is_empty();
    for _ in 0..STEPS {
        let passed = step(db, way, now, &last).await?;
        let is_end = passed.len() < STEP;
        for (user, id) in passed {
            found.extend(id.map(|id| (user.clone(), id)));
            last = user;
            if found.len() == ENOUGH {
                return Ok((found, last));
            }
        }
        if is_end {
            last = String::new();
            if is_again {
                break;
            }
            is_again = true;
        }
    }
    Ok((found, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Backend;
    use crate::tests::TestApp;

    const WAYS: [(Way, &str, &str); 2] = [
        (Way::Mail, "deliveries_turns_mail", "deliveries_due_mail"),
        (Way::Webhooks, "deliveries_turns_webhooks", "deliveries_due_webhooks"),
    ];

    #[tokio::test(flavor = "multi_thread")]
    async fn turns_are_taken_by_the_index() {
        let app = TestApp::new().await;
        for (way, turns, due) in WAYS {
            if app.app.db.backend() == Backend::Postgres {
                // Of an empty table it takes whichever index has what waits.
                if way == Way::Mail {
                    wait(&app, "u", 200, 20, app.app.environment.now().plus_seconds(3_600)).await;
                } else {
                    app.tamper("UPDATE deliveries SET channel = 'webhook'".to_owned()).await;
                }
                app.tamper("ANALYZE deliveries".to_owned()).await;
            }
            // All that waits is due by then: of nothing, any index would do.
            let then = app.app.environment.now().plus_seconds(7_200).micros();
            let oldest = app.plan(&oldest_text(way), &[then], &[]).await;
            assert!(oldest.contains(due), "{oldest}");
            let step = app.plan(&step_text(way), &[then], &[""]).await;
            let next = app.plan(&next_text(way, "'u'"), &[], &[]).await;
            assert!(step.contains(turns) && next.contains(turns), "{step}\n{next}");
            // Nothing is read but by an index.
            for plan in [oldest, step, next] {
                let others = ["SCAN deliveries", "Seq Scan"];
                assert!(!others.iter().any(|word| plan.contains(word)), "{plan}");
            }
        }
    }

    /// Has `each` wait for each of so many users until then.
    async fn wait(app: &TestApp, prefix: &str, users: usize, each: usize, next_at: Time) {
        let numbers = |name: &str, most: usize| {
            format!("{name}(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM {name} WHERE n < {most})")
        };
        let next_at = next_at.micros();
        app.tamper(format!(
            "INSERT INTO users (id, name, key, site_admin, created_at) WITH RECURSIVE {} \
             SELECT '{prefix}' || n, '{prefix}' || n, '{prefix}' || n, 0, 0 FROM u; \
             INSERT INTO deliveries (id, channel, user_id, kind, source, target, state, attempts, next_at, created_at) \
             WITH RECURSIVE {}, {} SELECT '{prefix}' || u.n || ':' || d.n, 'mail', '{prefix}' || u.n, 'x', \
             'x:' || d.n, 'mail:{prefix}' || u.n, 'waiting', 0, {next_at}, 0 FROM u CROSS JOIN d",
            numbers("u", users),
            numbers("u", users),
            numbers("d", each)
        ))
        .await;
    }

    async fn look(app: &TestApp, after: &str) -> Found {
        due(&app.app.db, Way::Mail, app.app.environment.now(), 64, 4, after).await.unwrap()
    }

    /// Whose are found, each once.
    fn users(found: &Found) -> HashSet<&str> {
        found.turns.iter().map(|turn| turn.id.split(':').next().unwrap()).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_has_one_due_comes_to_it_between_few_who_have_much_and_many_who_wait_for_later() {
        let app = TestApp::new().await;
        let now = app.app.environment.now();
        wait(&app, "much", 3, 700, now.plus_seconds(-60)).await;
        wait(&app, "later", 2_000, 1, now.plus_seconds(3_600)).await;
        wait(&app, "one", 1, 1, now).await;
        // How much is under way is read of what is under way, as soon as the database knows how little that is.
        if app.app.db.backend() == Backend::Postgres {
            app.tamper("ANALYZE deliveries".to_owned()).await;
        }
        let busy = app.plan(&busy_text(Way::Mail), &[0], &[]).await;
        assert!(busy.contains("deliveries_taken"), "{busy}");
        let (mut after, mut looks) = (String::new(), 0);
        let found = loop {
            let found = look(&app, &after).await;
            looks += 1;
            // Those who have much are there at each look, with no more than may be under way.
            let much = found.turns.iter().filter(|turn| turn.id.starts_with("much")).count();
            assert!(users(&found).contains("much1") && much <= 12, "{found:?}");
            if users(&found).contains("one1") {
                break found;
            }
            assert!(looks < 6, "{found:?}");
            after = found.turns.iter().rev().find_map(|turn| turn.reaches.clone()).unwrap_or(found.after);
        };
        // It is among the first ones, and not behind what others have waiting.
        let place = found.turns.iter().position(|turn| turn.id == "one1:1").unwrap();
        assert!(place < 4, "{found:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_very_many_who_have_one_due_all_come_to_it() {
        let app = TestApp::new().await;
        let now = app.app.environment.now();
        wait(&app, "u", 2_000, 1, now).await;
        let (mut after, mut seen) = (String::new(), HashSet::new());
        for _ in 0..8 {
            let found = look(&app, &after).await;
            assert_eq!(users(&found).len(), 64);
            assert_eq!(found.turns.iter().filter(|turn| turn.reaches.is_some()).count(), 32);
            let ids: Vec<String> = found.turns.iter().map(|turn| format!("'{}'", turn.id)).collect();
            app.tamper(format!("UPDATE deliveries SET state = 'done' WHERE id IN ({})", ids.join(", ")))
                .await;
            after = found.turns.iter().rev().find_map(|turn| turn.reaches.clone()).unwrap();
            seen.extend(found.turns.into_iter().map(|turn| turn.id));
        }
        assert_eq!(seen.len(), 512);
        // Of few that are due among many who wait, what is due is all that is read.
        app.tamper(format!(
            "UPDATE deliveries SET next_at = {} WHERE state = 'waiting' AND id NOT LIKE 'u7%'",
            now.plus_seconds(60).micros()
        ))
        .await;
        let oldest = oldest(&app.app.db, Way::Mail, now).await.unwrap();
        assert!(!oldest.is_empty() && oldest.len() < OLDEST, "{}", oldest.len());
        assert_eq!(users(&look(&app, "").await).len(), 64.min(oldest.len()));
        // A statement of the round passes so many, and no more.
        assert_eq!(step(&app.app.db, Way::Mail, now, "").await.unwrap().len(), STEP);
    }

    #[test]
    fn the_first_of_everybody_comes_before_the_second_of_anybody() {
        let line = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(user, id)| ((*user).to_owned(), (*id).to_owned())).collect()
        };
        let oldest = line(&[("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("d", "d1")]);
        let round = line(&[("x", "x1"), ("b", "b1"), ("y", "y1")]);
        let under_way = HashMap::from([("c".to_owned(), 1), ("d".to_owned(), 2), ("y".to_owned(), 1)]);
        let turns = in_turn(oldest, round, under_way, 64, 2);
        let ids: Vec<&str> = turns.iter().map(|turn| turn.id.as_str()).collect();
        assert_eq!(ids, ["x1", "a1", "b1", "a2", "y1", "c1"]);
        let reached: Vec<_> = turns.iter().filter_map(|turn| turn.reaches.as_deref()).collect();
        assert_eq!(reached, ["x", "b"]);
    }
}
