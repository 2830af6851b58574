//! Handing the log over to another key, in the transaction that appends the entry about it.

use std::time::Duration;

use skillery_core::event::Event;
use skillery_core::tlog::{Checkpoint, Rotation};
use sqlx::{AnyConnection, AssertSqlSafe, Executor};

use super::{Committed, Db, audit, log, writer};
use crate::environment::Environment;
use crate::failure::{Failure, Result};
use crate::origin;
use crate::tlog::LogKey;
use skillery_core::ProblemCode;

/// How long it may take; another server may hold the head of the log.
const PATIENCE: Duration = Duration::from_secs(60);

impl Db {
    /// Hands the log over from one key to the other. The old key signs where it ends, the new one the checkpoint with the
    /// entry that says so; who holds the head of the log after this commit, with the old key, signs nothing more. Returns
    /// the rotation. This connection's own writer has the old key, and so writes no more.
    pub async fn hand_over(&self, from: &LogKey, to: &LogKey, environment: &Environment) -> Result<Rotation> {
        // Should another server add to them meanwhile, the log is not this key's any more.
        let before = log::rotations(self).await?.into_iter().map(|(_, note)| note).collect();
        let mut connection = self.write.acquire().await?;
        let begin = format!("{}; {}", writer::begin(self.backend), log::LOCK_HEAD);
        let work = run(&mut connection, begin, self.size(), before, from, to, environment);
        let outcome = tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            let detail = "it is not known whether the log was handed over: run it again";
            Err(Failure::new(ProblemCode::DatabaseUnavailable, detail))
        });
        if outcome.is_err() {
            drop(connection.detach());
        }
        outcome
    }
}

async fn run(
    connection: &mut AnyConnection,
    begin: String,
    seen: i64,
    mut notes: Vec<String>,
    from: &LogKey,
    to: &LogKey,
    environment: &Environment,
) -> Result<Rotation> {
    let rows = sqlx::raw_sql(AssertSqlSafe(begin)).fetch_all(&mut *connection).await?;
    let head = log::head(rows.first().ok_or(sqlx::Error::RowNotFound)?)?;
    if Checkpoint::open(&head.note, from.verifier()).is_err() {
        return Err(Failure::internal("another server has handed the log over meanwhile"));
    }
    let (size, root) = (head.edge.size(), head.edge.root());
    if size < seen.unsigned_abs() {
        return Err(Failure::internal("the log in the database went back: it is an older copy"));
    }
    let note = Rotation::sign(from.signing(), to.signing(), size, root).map_err(Failure::internal)?;
    let note = note.to_string();
    // It is read as everybody will read it: what nobody could follow must not become an entry.
    notes.push(note.clone());
    let rotation = Rotation::chain(notes.iter().map(String::as_str)).map_err(Failure::internal)?.pop();
    let rotation = rotation.ok_or_else(|| Failure::internal("the log has no rotation"))?;
    let index = i64::try_from(size).map_err(Failure::internal)?;
    let entries =
        [Committed { index, actor: None, event: Event::LogKeyRotated { note }, origin: origin::current() }];
    let now = environment.now().max(head.time);
    let batch = log::append(connection, head.edge, now, &entries, to, environment).await?;
    audit::insert_changes(connection, now, &entries).await?;
    connection.execute(AssertSqlSafe(format!("{}; COMMIT", log::set_head(&batch, now)))).await?;
    Ok(rotation)
}
