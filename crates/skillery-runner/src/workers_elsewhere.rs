//! Where skills cannot be run, there are no workers.

use std::path::PathBuf;

use crate::interpreter::{Interpreter, InterpreterError};
use crate::policy::Grants;
use crate::run::RunError;
use crate::sandbox::{Layers, Sandbox, StartError};

/// Workers, on systems that have them.
#[derive(Debug, Clone, Default)]
pub struct Workers;

/// What workers must have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) interpreter: PathBuf,
    pub(crate) grants: Grants,
    /// The folder of packages that they have.
    pub(crate) packages: Option<PathBuf>,
    pub(crate) sandbox: Sandbox,
}

impl Workers {
    /// Workers, on systems that have them.
    pub fn with_cache(_: impl Into<PathBuf>) -> Self {
        Self
    }

    /// What keeps skills in: nothing, as none run.
    pub async fn probe(&self, _: &Interpreter, _: &Sandbox) -> Result<Layers, RunError> {
        Err(InterpreterError::Unsupported.into())
    }

    pub(crate) async fn prepare(&self, _: &Kind) -> Result<Layers, StartError> {
        Err(InterpreterError::Unsupported.into())
    }
}
