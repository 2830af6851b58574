//! What a request can fail with: a problem for the caller, and its cause for the log.

use std::error::Error;
use std::fmt;

use skillery_core::{Problem, ProblemCode};

/// A problem to answer with, and what caused it. The cause is logged, never answered.
#[derive(Debug)]
pub struct Failure {
    /// What the caller gets.
    pub problem: Box<Problem>,
    /// What the operator gets.
    pub source: Option<Box<dyn Error + Send + Sync>>,
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
        Self { problem: Box::new(Problem::new(code, detail)), source: Some(source.into()) }
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
/// SQLITE_BUSY, SQLITE_IOERR, SQLITE_CANTOPEN; PostgreSQL's shutdown and connection classes.
const GONE_CODES: &[&str] = &["5", "10", "14", "57P01", "57P02", "57P03", "53300"];

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let code = match &error {
            E::Io(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) | E::Tls(_) => {
                ProblemCode::DatabaseUnavailable
            }
            E::Database(database) => match database.code().as_deref() {
                Some(code) if FULL_CODES.contains(&code) => ProblemCode::StorageFull,
                Some(code) if GONE_CODES.contains(&code) || code.starts_with("08") => {
                    ProblemCode::DatabaseUnavailable
                }
                _ if database.message().contains("database or disk is full") => ProblemCode::StorageFull,
                _ if database.message().contains("disk I/O error") => ProblemCode::DatabaseUnavailable,
                _ => ProblemCode::Internal,
            },
            _ => ProblemCode::Internal,
        };
        Self::caused(code, "", error)
    }
}

/// What most of the server returns.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
