//! The database: the only room that knows SQL.
//!
//! Each statement is written once and runs on SQLite and on PostgreSQL. Ids are text, times are integers in
//! microseconds, JSON is text; there are no booleans. Every change goes through [`Db::write`], which gathers
//! concurrent changes into one transaction and numbers their log entries.

pub mod accounts;
pub mod answers;
pub mod approvals;
pub mod audit;
pub mod boards;
pub mod comments;
pub mod consumers;
pub mod contents;
pub mod cosignatures;
pub mod deliveries;
pub mod due;
pub mod figures;
pub mod gates;
pub mod git;
pub mod groups;
mod handover;
pub mod insight;
pub mod installs;
pub mod keys;
pub mod listing;
pub mod log;
pub mod login_links;
pub mod mail;
pub mod migrations;
pub mod needs;
pub mod notifications;
pub mod oidc;
pub mod orgs;
pub mod policy_history;
pub mod publishing;
pub mod ratings;
pub mod registry;
pub mod reports;
pub mod review;
pub mod rollups;
pub mod signatures;
pub mod skills;
pub mod staged;
pub mod stars;
pub mod told;
pub mod usage;
pub mod user_installs;
pub mod versions;
pub mod waiting;
pub mod webhooks;
mod writer;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use skillery_core::Namespace;
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{Any, AnyConnection, AnyPool, Database, Encode, Executor, Sqlite, Type};
use tokio::sync::{mpsc, watch};
use url::Url;

use crate::environment::Environment;
use crate::failure::{Failure, Result};
use crate::settings::Settings;
use crate::tlog::LogKey;
pub use writer::{Committed, FORKED, ROTATED, Tx};

/// What becomes of a log that has no signed checkpoint.
///
/// Whoever can write to the database can take the checkpoint away. So a key that was there before signs nothing over entries
/// that it finds, or it would sign whatever somebody has put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// It is refused: somebody only looks.
    Refused,
    /// That of a registry with nothing in it gets its first one.
    Begun,
    /// It gets one over all its entries, which an older program has written. The key was made for it just now.
    Adopted,
}

/// Which of the two databases it is, for the few places that must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Embedded: one file, one writer.
    Sqlite,
    /// A server.
    Postgres,
}

impl Backend {
    /// What the order of bytes is called, for texts that are compared in it. A server may have another order by itself.
    pub fn by_bytes(self) -> &'static str {
        match self {
            Self::Sqlite => "BINARY",
            Self::Postgres => "\"C\"",
        }
    }
}

/// Reading, writing, and the position that writing has reached.
pub struct Db {
    read: AnyPool,
    write: AnyPool,
    backend: Backend,
    jobs: mpsc::Sender<writer::Job>,
    /// Entries in the log, as far as this server has committed or seen.
    size: AtomicI64,
    changed: watch::Sender<i64>,
    /// Why this server writes nothing more: the log has another key, or another history.
    halt: writer::Halt,
}

/// The database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It does not answer, or refuses.
    #[error("cannot open the database at `{place}`")]
    Connect {
        /// The file, or the URL without its password.
        place: String,
        /// Why.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought to the form that this program needs.
    #[error("cannot bring the tables of the database to this program's form")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// Its log cannot be made a tree.
    #[error("cannot make a tree of the log")]
    Adopt(#[source] sqlx::Error),
    /// Its log has no signed checkpoint, and must have one.
    #[error("the log has no signed checkpoint")]
    Unsigned,
    /// It cannot be read.
    #[error("cannot read the database")]
    Read(#[source] sqlx::Error),
}

/// The newest checkpoint of the log, whoever has signed it; empty where there is none.
pub async fn newest_note(settings: &Settings) -> Result<String, OpenError> {
    let (_, read, write) = connected(settings).await?;
    let note =
        sqlx::query_scalar::<_, String>("SELECT note FROM log_head WHERE id = 1").fetch_one(&read).await;
    write.close().await;
    read.close().await;
    note.map_err(OpenError::Read)
}

/// Connections for reading and for writing, to tables that have this program's form.
async fn connected(settings: &Settings) -> Result<(Backend, AnyPool, AnyPool), OpenError> {
    sqlx::any::install_default_drivers();
    let (backend, url, place) = address(settings);
    let (read, write) =
        connect(backend, &url, settings).await.map_err(|source| OpenError::Connect { place, source })?;
    migrations::run(&write, backend).await.map_err(OpenError::Migrate)?;
    Ok((backend, read, write))
}

impl Db {
    /// Opens the database of these settings, makes or upgrades its tables, and starts the writer. `on_commit` is called
    /// after each commit and before anybody is told of it.
    pub async fn open(
        settings: &Settings,
        environment: &Environment,
        key: std::sync::Arc<LogKey>,
        unsigned: Unsigned,
        on_commit: impl Fn(&[Committed]) + Send + Sync + 'static,
    ) -> Result<std::sync::Arc<Self>, OpenError> {
        let (backend, read, write) = connected(settings).await?;
        let head = writer::adopt(&write, backend, &key, unsigned, environment).await;
        let head = head.map_err(OpenError::Adopt)?.ok_or(OpenError::Unsigned)?;
        let (jobs, queue) = mpsc::channel(4_096);
        let (changed, _) = watch::channel(0);
        let halt = writer::Halt::default();
        let sealer =
            writer::Sealer { environment: environment.clone(), key, halt: std::sync::Arc::clone(&halt) };
        let size = AtomicI64::new(0);
        let db = std::sync::Arc::new(Self { read, write, backend, jobs, size, changed, halt });
        let size = db.read_log_size().await.map_err(OpenError::Read)?;
        db.saw_size(size);
        let (weak, last) = (std::sync::Arc::downgrade(&db), writer::Last::found(head));
        audit::catch_up(&db.write, backend).await.map_err(OpenError::Read)?;
        writer::start(weak, db.write.clone(), backend, sealer, last, queue, on_commit);
        Ok(db)
    }

    /// For statements that change nothing.
    pub fn reader(&self) -> &AnyPool {
        &self.read
    }

    /// Which database it is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Entries in the log that this server knows to be committed.
    pub fn size(&self) -> i64 {
        self.size.load(Ordering::Acquire)
    }

    /// Why this server writes nothing more, if that is so.
    pub fn halted(&self) -> Option<&'static str> {
        self.halt.get().copied()
    }

    /// Writes nothing more from now on, as what is there must not be signed on.
    pub fn halt(&self, why: &'static str) {
        if self.halt.set(why).is_ok() {
            tracing::error!("{why}: this server changes nothing any more");
        }
    }

    /// Tells when [`Db::size`] grows.
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.changed.subscribe()
    }

    /// Notes that the log has so many entries.
    pub fn saw_size(&self, size: i64) {
        let before = self.size.fetch_max(size, Ordering::AcqRel);
        if size > before {
            self.changed.send_replace(size);
        }
    }

    /// Waits for the writer to finish what it has, and closes all connections.
    pub async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
    }

    async fn read_log_size(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar::<_, i64>(log::SIZE).fetch_one(&self.read).await
    }

    /// Looks how far the log is by now; other servers write it too.
    pub async fn refresh_size(&self) -> Result<i64> {
        let size = self.read_log_size().await?;
        self.saw_size(size);
        Ok(size)
    }

    /// Writes a consistent copy of an embedded database to `file`, which must not exist.
    pub async fn copy_to(&self, file: &std::path::Path) -> Result<()> {
        sqlx::query("VACUUM INTO $1").bind(file.display().to_string()).execute(&self.write).await?;
        Ok(())
    }

    /// Whether the database answers and, where it can tell, is whole.
    pub async fn check(&self) -> Result<String> {
        match self.backend {
            Backend::Sqlite => {
                Ok(sqlx::query_scalar::<_, String>("PRAGMA integrity_check").fetch_one(&self.read).await?)
            }
            Backend::Postgres => {
                sqlx::query_scalar::<_, i64>(log::SIZE).fetch_one(&self.read).await?;
                Ok("ok".to_owned())
            }
        }
    }
}

/// Backend, connection URL, and a name of the place that shows no password.
fn address(settings: &Settings) -> (Backend, String, String) {
    match &settings.database {
        Some(url) => {
            let shown = Url::parse(url).map_or_else(
                |_| "postgres://…".to_owned(),
                |mut parsed| {
                    let _ = parsed.set_password(None);
                    parsed.set_query(None);
                    parsed.to_string()
                },
            );
            (Backend::Postgres, url.clone(), shown)
        }
        None => {
            let file = std::path::absolute(settings.sqlite_file()).unwrap_or_else(|_| settings.sqlite_file());
            let url = Url::from_file_path(&file)
                .map(|url| format!("sqlite://{}?mode=rwc", url.path()))
                .unwrap_or_else(|()| format!("sqlite://{}?mode=rwc", file.display()));
            (Backend::Sqlite, url, file.display().to_string())
        }
    }
}

/// What each connection begins with.
const SQLITE_WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
    PRAGMA busy_timeout = 10000; PRAGMA wal_autocheckpoint = 12000; PRAGMA journal_size_limit = 67108864; \
    PRAGMA cache_size = -16000";
const SQLITE_READER: &str = "PRAGMA query_only = ON; PRAGMA busy_timeout = 10000; PRAGMA cache_size = -8000";
/// A server that freezes in a transaction must not hold up all others for ever.
const POSTGRES_WRITER: &str = "SET lock_timeout = '15s'; SET statement_timeout = '30s'; \
    SET idle_in_transaction_session_timeout = '30s'";
const POSTGRES_READER: &str = "SET statement_timeout = '30s'";

/// The connections for reading, and those for writing.
async fn connect(backend: Backend, url: &str, settings: &Settings) -> sqlx::Result<(AnyPool, AnyPool)> {
    let options: AnyConnectOptions = url.parse()?;
    let pool = |connections: u32, first: &'static str| {
        AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(backend == Backend::Postgres)
            .max_lifetime(None)
            .idle_timeout(match backend {
                Backend::Sqlite => None,
                Backend::Postgres => Some(Duration::from_secs(300)),
            })
            .after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(first).await.map(drop) })
            })
            .connect_with(options.clone())
    };
    let readers = settings.read_connections;
    // The writer comes first, as it makes the file.
    let (write, read) = match backend {
        Backend::Sqlite => (pool(1, SQLITE_WRITER).await?, pool(readers, SQLITE_READER).await?),
        Backend::Postgres => (pool(2, POSTGRES_WRITER).await?, pool(readers.max(4), POSTGRES_READER).await?),
    };
    Ok((read, write))
}

/// The keys of a namespace and of those above it, the innermost first.
pub(crate) fn places_of(namespace: &Namespace) -> Result<Vec<String>> {
    let key: Namespace = parsed(&namespace.key())?;
    Ok(key.self_and_ancestors().map(str::to_owned).collect())
}

/// `$1, $2, …` for so many values, from `first` on.
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// The condition that there is a row `FROM …`. Not `EXISTS`, of which SQLite 3.51 makes a join where it is one of the conditions: `OFFSET`
/// then passes over rows of that join, and a row of the outer table comes again on the next page.
pub(crate) fn has_row(from: &str) -> String {
    format!("(SELECT 1 {from} LIMIT 1) IS NOT NULL")
}

/// A statement that takes a list of values.
pub(crate) trait BindAll<'q>: Sized {
    /// Binds these values, in their order, behind those that are bound already.
    fn bind_all<T: 'q + Encode<'q, Any> + Type<Any>>(self, values: impl IntoIterator<Item = T>) -> Self;
}

impl<'q> BindAll<'q> for Query<'q, Any, AnyArguments> {
    fn bind_all<T: 'q + Encode<'q, Any> + Type<Any>>(self, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |query, value| query.bind(value))
    }
}

impl<'q, O> BindAll<'q> for QueryAs<'q, Any, O, AnyArguments> {
    fn bind_all<T: 'q + Encode<'q, Any> + Type<Any>>(self, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |query, value| query.bind(value))
    }
}

impl<'q, O> BindAll<'q> for QueryScalar<'q, Any, O, AnyArguments> {
    fn bind_all<T: 'q + Encode<'q, Any> + Type<Any>>(self, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |query, value| query.bind(value))
    }
}

/// Lengths of statements with many rows: enough of them that most need two statements, and few enough to keep them all
/// prepared.
const LENGTHS: &[usize] = &[64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// The length of the first piece of so many rows; none of none.
pub(crate) fn piece_of(rows: usize) -> Option<usize> {
    LENGTHS.iter().copied().find(|length| *length <= rows)
}

/// Cuts rows into pieces of such lengths.
pub(crate) fn pieces<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let length = piece_of(rest.len())?;
        let (piece, after) = rest.split_at(length);
        rest = after;
        Some(piece)
    })
}

/// `($1, $2…), ($3, $4…), …` for so many rows of so many values each, from `$first` on; `more` ends each row.
pub(crate) fn tuples(first: usize, rows: usize, values: usize, more: &str) -> String {
    let row = |row: usize| format!("({}{more})", placeholders(first + row * values, values));
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// As [`placeholders`], for a statement with very many values that names each once and in order.
///
/// In SQLite they have no names then: sqlx asks for the name of each, which SQLite looks for from the first on, half a million steps for a
/// thousand values.
pub(crate) fn many_placeholders(connection: &AnyConnection, first: usize, count: usize) -> String {
    match connection.backend_name() == Sqlite::NAME {
        true => vec!["?"; count].join(", "),
        false => placeholders(first, count),
    }
}

/// As [`tuples`] from `$1` on, of [`many_placeholders`].
pub(crate) fn many_tuples(connection: &AnyConnection, rows: usize, values: usize, more: &str) -> String {
    let row = |row: usize| format!("({}{more})", many_placeholders(connection, 1 + row * values, values));
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Whether a namespace is this one or below it; both by their keys, each as a column or a value.
pub(crate) fn is_within(namespace: &str, outer: &str) -> String {
    format!("({namespace} = {outer} OR SUBSTR({namespace}, 1, LENGTH({outer}) + 1) = {outer} || '/')")
}

/// Any of these conditions; of none, nothing. It is a tree as flat as can be: SQLite takes none that is deep.
pub(crate) fn any_of(conditions: &[String]) -> String {
    match conditions {
        [] => "1 = 0".to_owned(),
        [one] => one.clone(),
        many => {
            let (some, others) = many.split_at(many.len() / 2);
            format!("({} OR {})", any_of(some), any_of(others))
        }
    }
}

/// Reads JSON that this program has written.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(Failure::internal)
}

/// Reads a word or number that this program has written.
pub(crate) fn parsed<T: std::str::FromStr>(text: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Failure::internal(format!("the database holds `{text}`: {error}")))
}
