//! The one writer: gathers concurrent changes into one transaction, numbers their log entries, and tells nobody before
//! the commit is durable.
//!
//! The commit of the transaction is the moment at which a change happens. The head row of the log is locked first, so
//! that numbers are in commit order and none is missing, with several servers too. The tree over the log grows in the same
//! transaction, and so is never behind.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use skillery_core::event::Event;
use skillery_core::time::Time;
use skillery_core::tlog::Edge;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Executor, Row};
use tokio::sync::{mpsc, oneshot};

use super::log::Head;
use super::{Backend, Db, Unsigned, audit, log};
use crate::environment::Environment;
use crate::failure::{self, Failure, Result};
use crate::origin::{self, Origin};
use crate::tlog::{Batch, LogKey};
use skillery_core::ProblemCode;

/// How long a transaction may take. One that takes longer has lost its database.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many changes share a commit at most.
const BATCH: usize = 256;

/// Why a server that a rotation has left behind writes nothing.
pub const ROTATED: &str = "the log key was rotated, and this server has a former one";
/// Why a server writes nothing under which the log was exchanged for another history.
pub const FORKED: &str = "the log in the database is not the one that this server has answered";

/// Why this server writes nothing more, once that is so. It does not come back before the next start.
pub(super) type Halt = Arc<OnceLock<&'static str>>;

/// One change under way: the connection, the time, and the entries that it appends.
pub struct Tx {
    connection: PoolConnection<Any>,
    /// The time of everything in this transaction; never before that of an earlier entry.
    pub now: Time,
    base: i64,
    entries: Vec<Committed>,
    /// Where the change under way comes from.
    origin: Option<Arc<Origin>>,
}

/// Where the log was after the last commit of this server; before that, where it has found it.
pub(super) struct Last {
    time: Time,
    edge: Edge,
    /// Its checkpoint, as this server has signed it.
    note: String,
}

impl Last {
    /// What a start finds. Its checkpoint is still to be verified.
    pub(super) fn found(head: Head) -> Self {
        Self { time: head.time, edge: head.edge, note: String::new() }
    }

    /// Whether the log can be the one that was left, and of which this many entries were seen: a database may be exchanged for
    /// an older copy of itself under a running server, and going on from that would be a second history.
    fn is_continued_by(&self, now: &Edge, seen: i64) -> bool {
        let is_all = u64::try_from(seen).is_ok_and(|seen| now.size() >= seen);
        is_all && (now.size() > self.edge.size() || *now == self.edge)
    }
}

/// What entries are sealed with.
pub(super) struct Sealer {
    /// Time and salts.
    pub environment: Environment,
    /// What signs.
    pub key: Arc<LogKey>,
    /// Set when the log must not be gone on with.
    pub halt: Halt,
}

/// A log entry of a transaction.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its number.
    pub index: i64,
    /// The id of the user who did it.
    pub actor: Option<String>,
    /// What was done.
    pub event: Event,
    /// Where it comes from.
    pub origin: Option<Arc<Origin>>,
}

impl Tx {
    /// The connection, for statements.
    pub fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    /// Appends an entry to the log, and returns its number.
    pub fn append(&mut self, actor: Option<&str>, event: Event) -> i64 {
        let index = self.base + self.entries.len() as i64;
        let origin = self.origin.clone();
        self.entries.push(Committed { index, actor: actor.map(str::to_owned), event, origin });
        index
    }

    /// What is appended from here on comes from there: of a change that is made for several callers.
    pub fn comes_from(&mut self, origin: Option<Arc<Origin>>) {
        self.origin = origin;
    }

    /// Where the change under way comes from.
    pub fn origin(&self) -> Option<Arc<Origin>> {
        self.origin.clone()
    }
}

/// The entries that a commit has sealed; none when it appended nothing.
pub type Sealed = Option<Arc<Batch>>;
/// What a finished change leaves: a function that answers its caller once the commit is known.
type Answer = Box<dyn FnOnce(Result<Sealed>) + Send>;
/// A change. Done or refused, its caller is told after the commit.
pub(super) type Job = Box<dyn for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<Answer, Answer>> + Send>;

impl Db {
    /// Makes a change: `change` runs in a transaction, together with others that wait. When it fails nothing of it
    /// remains. It returns only when the commit is durable.
    pub async fn write<T, F>(&self, change: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T>> + Send + 'static,
    {
        self.write_sealed(change).await.map(|(value, _)| value)
    }

    /// As [`Db::write`], and gives what proves that the entries are in the log.
    pub async fn write_sealed<T, F>(&self, change: F) -> Result<(T, Sealed)>
    where
        T: Send + 'static,
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let origin = origin::current();
        let job: Job = Box::new(move |tx| {
            Box::pin(async move {
                tx.origin.clone_from(&origin);
                match origin::scope(origin, change(tx)).await {
                    Ok(value) => Ok(Box::new(move |outcome: Result<Sealed>| {
                        let _ = sender.send(outcome.map(|sealed| (value, sealed)));
                    }) as Answer),
                    Err(refused) => Err(Box::new(move |outcome: Result<Sealed>| {
                        // Its own trouble with the database tells more than that of the whole transaction.
                        let is_own = refused.problem.status >= 500;
                        let _ = sender.send(Err(outcome.err().filter(|_| !is_own).unwrap_or(refused)));
                    }) as Answer),
                }
            })
        });
        let stopped = || Failure::new(ProblemCode::Busy, "the registry is stopping");
        self.jobs.send(job).await.map_err(|_| stopped())?;
        receiver.await.map_err(|_| match self.halted() {
            Some(why) => Failure::new(ProblemCode::Busy, why),
            None => Failure::new(ProblemCode::DatabaseUnavailable, "the change was not written"),
        })?
    }
}

/// Starts the writer. It ends when the last sender of `queue` is gone.
pub(super) fn start(
    db: Weak<Db>,
    pool: AnyPool,
    backend: Backend,
    sealer: Sealer,
    mut last: Last,
    mut queue: mpsc::Receiver<Job>,
    on_commit: impl Fn(&[Committed]) + Send + Sync + 'static,
) {
    let writer = tokio::spawn(async move {
        let mut jobs = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut jobs, BATCH).await > 0 {
            let mut answers = Vec::with_capacity(jobs.len());
            // Before the head is locked: whoever committed this much has released it.
            let seen = db.upgrade().map_or(0, |db| db.size());
            let outcome =
                commit(&pool, backend, &sealer, &mut last, seen, jobs.drain(..), &mut answers).await;
            match outcome {
                Ok((size, entries, sealed)) => {
                    on_commit(&entries);
                    if let Some(db) = db.upgrade() {
                        db.saw_size(size);
                    }
                    answers.into_iter().for_each(|answer| answer(Ok(sealed.clone())));
                }
                Err(error) => {
                    tracing::error!(%error, changes = answers.len(), "a transaction failed");
                    fail_all(&error, answers);
                }
            }
        }
    });
    tokio::spawn(async move {
        if writer.await.is_err_and(|error| error.is_panic()) {
            // Without its writer the process can only pretend. A new start recovers.
            tracing::error!("the writer ended by a mistake of this program");
            std::process::abort();
        }
    });
}

/// Everybody in the batch learns that the commit is not known to have happened.
fn fail_all(error: &Arc<sqlx::Error>, answers: Vec<Answer>) {
    let code =
        if failure::is_full(error) { ProblemCode::StorageFull } else { ProblemCode::DatabaseUnavailable };
    for answer in answers {
        let detail = "it is not known whether the change was written";
        answer(Err(Failure::caused(code, detail, Arc::clone(error))));
    }
}

async fn commit(
    pool: &AnyPool,
    backend: Backend,
    sealer: &Sealer,
    last: &mut Last,
    seen: i64,
    jobs: impl ExactSizeIterator<Item = Job> + Send,
    answers: &mut Vec<Answer>,
) -> std::result::Result<(i64, Vec<Committed>, Sealed), Arc<sqlx::Error>> {
    let connection = pool.acquire().await?;
    let mut tx = Tx { connection, now: last.time, base: 0, entries: Vec::new(), origin: None };
    let outcome =
        tokio::time::timeout(PATIENCE, run(&mut tx, backend, sealer, last, seen, jobs, answers)).await;
    let error = match outcome {
        Ok(Ok((size, sealed))) => {
            last.time = tx.now;
            if let Some(batch) = &sealed {
                last.edge = batch.after.clone();
                last.note.clone_from(&batch.note);
            }
            return Ok((size, tx.entries, sealed));
        }
        Ok(Err(error)) => error,
        Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
    };
    // Some failures end the transaction by themselves and some do not: without its connection it surely ends.
    drop(tx.connection.detach());
    Err(Arc::new(error))
}

async fn run(
    tx: &mut Tx,
    backend: Backend,
    sealer: &Sealer,
    last: &Last,
    seen: i64,
    jobs: impl ExactSizeIterator<Item = Job> + Send,
    answers: &mut Vec<Answer>,
) -> sqlx::Result<(i64, Sealed)> {
    if let Some(why) = sealer.halt.get() {
        return Err(sqlx::Error::Protocol((*why).to_owned()));
    }
    // Statements without values go together in one message.
    let begin = AssertSqlSafe(format!("{}; {}", begin(backend), log::LOCK_HEAD));
    let head = sqlx::raw_sql(begin).fetch_all(tx.connection()).await?;
    let head = log::head(head.first().ok_or(sqlx::Error::RowNotFound)?)?;
    if !last.is_continued_by(&head.edge, seen) {
        return Err(sqlx::Error::Protocol(
            "the log in the database went back: it is an older copy".to_owned(),
        ));
    }
    // What this server has not signed itself is read as anybody reads it: signing on says that it is right.
    if head.note != last.note && !sealer.key.has_signed(&head.note) {
        if head.note.is_empty() || sealer.key.is_named_by(&head.note) {
            return Err(sqlx::Error::Protocol("nobody has signed the log in the database".to_owned()));
        }
        // Those who wait for changes that did not begin are told why.
        let _ = sealer.halt.set(ROTATED);
        return Err(sqlx::Error::Protocol(ROTATED.to_owned()));
    }
    let base = i64::try_from(head.edge.size()).unwrap_or(i64::MAX);
    tx.base = base;
    tx.now = sealer.environment.now().max(tx.now).max(head.time);
    // A change that is alone needs no savepoint: the transaction is its own.
    let is_alone = jobs.len() == 1;
    let mut step = "SAVEPOINT job";
    for job in jobs {
        let entries = tx.entries.len();
        if !is_alone {
            tx.connection().execute(step).await?;
        }
        match job(tx).await {
            Ok(answer) => {
                answers.push(answer);
                step = "RELEASE SAVEPOINT job; SAVEPOINT job";
            }
            Err(answer) => {
                tx.entries.truncate(entries);
                // A refusal may rest on what another change of this transaction did: it waits for the commit, too.
                answers.push(answer);
                if is_alone {
                    tx.connection().execute("ROLLBACK").await?;
                    return Ok((base, None));
                }
                step = "ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job; SAVEPOINT job";
            }
        }
    }
    if step.starts_with("ROLLBACK") {
        tx.connection().execute("ROLLBACK TO SAVEPOINT job").await?;
    }
    if tx.entries.is_empty() {
        tx.connection().execute("COMMIT").await?;
        return Ok((base, None));
    }
    let Sealer { environment, key, .. } = sealer;
    let batch = log::append(&mut tx.connection, head.edge, tx.now, &tx.entries, key, environment).await?;
    audit::insert_changes(&mut tx.connection, tx.now, &tx.entries).await?;
    let end = format!("{}; COMMIT", log::set_head(&batch, tx.now));
    sqlx::raw_sql(AssertSqlSafe(end)).execute(tx.connection()).await?;
    Ok((base + tx.entries.len() as i64, Some(Arc::new(batch))))
}

/// Gives the log of an older program, and an empty one, its tree. Returns where it ends; nothing where it stays unsigned.
pub(super) async fn adopt(
    pool: &AnyPool,
    backend: Backend,
    key: &LogKey,
    unsigned: Unsigned,
    environment: &Environment,
) -> sqlx::Result<Option<Head>> {
    let mut connection = pool.acquire().await?;
    let outcome = async {
        let begin = AssertSqlSafe(format!("{}; {}", begin(backend), log::LOCK_HEAD));
        let rows = sqlx::raw_sql(begin).fetch_all(&mut *connection).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let mut head = log::head(row)?;
        if head.note.is_empty() {
            let may_sign = match unsigned {
                Unsigned::Refused => false,
                Unsigned::Begun => log::is_unused(&mut connection).await?,
                Unsigned::Adopted => true,
            };
            if !may_sign {
                return Ok(None);
            }
            head = log::adopt(&mut connection, &head, row.try_get(0)?, key, environment).await?;
        }
        connection.execute("COMMIT").await.map(|_| Some(head))
    }
    .await;
    if !matches!(outcome, Ok(Some(_))) {
        drop(connection.detach());
    }
    outcome
}

pub(super) fn begin(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "BEGIN IMMEDIATE",
        Backend::Postgres => "BEGIN",
    }
}
