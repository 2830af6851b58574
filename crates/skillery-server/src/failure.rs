//! What a request can fail with: a problem for the caller, and its cause for the log.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use skillery_core::id::IdError;
use skillery_core::version::VersionError;
use skillery_core::{Problem, ProblemCode};

/// A problem to answer with, and what caused it. The cause is logged, never answered.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What the caller gets.
    pub problem: Box<Problem>,
    /// What the operator gets.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A problem of this code.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// A problem with a cause that only the log shows.
    pub fn caused(
        code: ProblemCode,
        detail: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { problem: Box::new(Problem::new(code, detail)), source: Some(source.into().into()) }
    }

    /// The registry's own mistake.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused(ProblemCode::Internal, "", source)
    }

    /// The code.
    pub fn code(&self) -> ProblemCode {
        self.problem.code
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), source: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.problem.code, self.problem)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// SQLITE_FULL, and PostgreSQL's `disk_full`.
const FULL_CODES: &[&str] = &["13", "53100"];
/// SQLITE_BUSY, SQLITE_IOERR, SQLITE_CANTOPEN; PostgreSQL's time-outs, shutdowns and want of connections.
const GONE_CODES: &[&str] = &["5", "10", "14", "25P03", "53300", "55P03", "57014", "57P01", "57P02", "57P03"];

/// The primary code: SQLite puts details into the higher bits of its numbers.
fn primary_code(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?.into_owned();
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => Some((number % 256).to_string()),
        _ => Some(code),
    }
}

/// Whether the disk under the database is full.
pub fn is_full(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| FULL_CODES.contains(&code.as_str()))
}

fn is_gone(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    matches!(
        error,
        E::Io(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) | E::Tls(_)
    ) || primary_code(error).is_some_and(|code| GONE_CODES.contains(&code.as_str()) || code.starts_with("08"))
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let code = if is_full(&error) {
            ProblemCode::StorageFull
        } else if is_gone(&error) {
            ProblemCode::DatabaseUnavailable
        } else {
            ProblemCode::Internal
        };
        Self::caused(code, "", error)
    }
}

/// What a caller has named so is no name of anything. What the database holds is read by [`crate::db`], and is none of theirs.
impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::new(ProblemCode::InvalidId, error.to_string())
    }
}

/// What a caller has named so is no version.
impl From<VersionError> for Failure {
    fn from(error: VersionError) -> Self {
        Self::new(ProblemCode::InvalidVersion, error.to_string())
    }
}

/// What most of the server returns.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
