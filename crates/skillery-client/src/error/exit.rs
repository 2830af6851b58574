//! What errors mean for whoever called the program.

use super::Error;

/// What an error means for whoever called the program: the exit codes of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitClass {
    /// A check failed, or this machine got in the way: 1.
    Failed,
    /// Wrong usage or input: 2.
    Usage,
    /// Not allowed: 3.
    NotAllowed,
    /// Not found: 4.
    NotFound,
    /// The registry cannot be reached, or cannot answer: 5.
    Unreachable,
}

impl ExitClass {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotAllowed => 3,
            Self::NotFound => 4,
            Self::Unreachable => 5,
        }
    }

    fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::NotAllowed,
            404 => Self::NotFound,
            429 | 500.. => Self::Unreachable,
            _ => Self::Usage,
        }
    }
}

impl Error {
    /// What it means for the caller of a program.
    pub fn exit_class(&self) -> ExitClass {
        match self {
            Self::Agent(error) => error.exit_class(),
            Self::Import(error) => error.exit_class(),
            Self::Problem(problem) => ExitClass::of_status(problem.status),
            Self::Refused { status, .. } => ExitClass::of_status(*status),
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Redirected { .. }
            | Self::BadAnswer { .. } => ExitClass::Unreachable,
            Self::TokenRequired { .. } | Self::NoIdentity { .. } | Self::SignInTooLate => {
                ExitClass::NotAllowed
            }
            Self::Id(_)
            | Self::Version(_)
            | Self::Invalid { .. }
            | Self::Ambiguous { .. }
            | Self::DependencyCycle { .. }
            | Self::NoChoice { .. }
            | Self::TooManyNeeds { .. }
            | Self::TooHard { .. }
            | Self::BadFile { .. } => ExitClass::Usage,
            Self::NotCached { .. } => ExitClass::Unreachable,
            Self::NotInstalled { .. } | Self::VersionNotInstalled { .. } | Self::WorkflowNotSaved { .. } => {
                ExitClass::NotFound
            }
            Self::CodeHashMismatch { .. }
            | Self::DigestMismatch { .. }
            | Self::BadBundle { .. }
            | Self::SignatureMissing { .. }
            | Self::SignatureMismatch { .. }
            | Self::SecretUnknown { .. }
            | Self::ContentDiffers { .. }
            | Self::NeedsDiffer { .. }
            | Self::Log(_)
            | Self::Disk { .. }
            | Self::Internal { .. } => ExitClass::Failed,
        }
    }
}
