//! Errors of the client and the runner as exceptions of `orchestrator.execution.errors`.

use std::error::Error as _;
use std::ffi::CString;

use pyo3::prelude::*;
use skillery_client::log::LogError;
use skillery_client::{Error, ExitClass};

/// Which class of exception stands for an error.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::TokenRequired { .. } => "token-required",
        // Nobody has said which witnesses are to be trusted; nothing was found to be wrong.
        Error::Log(LogError::NoPolicy { .. }) => "invalid",
        Error::Log(_)
        | Error::SignatureMissing { .. }
        | Error::SignatureMismatch { .. }
        | Error::SecretUnknown { .. }
        | Error::CodeHashMismatch { .. }
        | Error::DigestMismatch { .. }
        | Error::ContentDiffers { .. } => "verification",
        Error::Disk { .. } | Error::Internal { .. } => "failed",
        other => match other.exit_class() {
            ExitClass::NotAllowed => "not-allowed",
            ExitClass::NotFound => "not-found",
            ExitClass::Unreachable => "unavailable",
            ExitClass::Usage => "invalid",
            ExitClass::Failed => "failed",
        },
    }
}

/// The exception for an error of the client.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some libraries repeat their cause in their own message.
        if !message.ends_with(&text) {
            message += &format!(": {text}");
        }
        cause = error.source();
    }
    raise_as(py, kind(error), error.code(), &message, error.hint())
}

/// Warns as Python does: once for each place in the caller's program, or as the program wants it.
pub(crate) fn warn(py: Python<'_>, message: &str) -> PyResult<()> {
    let category = py.import("orchestrator.execution.errors")?.getattr("RegistryWarning")?;
    // What comes from elsewhere may hold a NUL, which no warning can.
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    PyErr::warn(py, &category, &message, 2)
}

/// An exception of this kind; see `from_native` in the Python half.
pub(crate) fn raise_as(py: Python<'_>, kind: &str, code: &str, message: &str, hint: Option<&str>) -> PyErr {
    let made = py
        .import("orchestrator.execution.errors")
        .and_then(|errors| errors.getattr("from_native"))
        .and_then(|from_native| from_native.call1((kind, code, message, hint)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
