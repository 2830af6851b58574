//! What keeps skills in, as the caller wants it and as the kernel gives it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::interpreter::InterpreterError;

/// Which layers must hold. The default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sandbox {
    /// Whether skills may run where a layer is missing. What held is told then, as always.
    pub allow_weaker: bool,
    /// A root, processes, network and users of their own.
    pub namespaces: bool,
    /// Rights to files, checked by the kernel on each access.
    pub landlock: bool,
    /// A list of system calls that are allowed.
    pub seccomp: bool,
    /// The user that skills run as, when the runner is root.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Sandbox {
    /// The oldest version of Landlock that is enough beside the other layers: the first that knows all rights to files.
    pub const LANDLOCK_FLOOR: u32 = 5;
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            allow_weaker: false,
            namespaces: true,
            landlock: true,
            seccomp: true,
            uid: 65_534,
            gid: 65_534,
        }
    }
}

/// What held of the sandbox, as the process that set it up tells it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Layers {
    /// The version of the interpreter.
    #[serde(default)]
    pub python: String,
    /// Each layer with `true`, its version, or a text that says why it is missing.
    #[serde(flatten)]
    pub layers: BTreeMap<String, Value>,
}

impl Layers {
    /// What holds in both places: of each layer what is less.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (name, theirs) in other.layers {
            match self.layers.get_mut(&name) {
                Some(ours) if is_less(&theirs, ours) => *ours = theirs,
                Some(_) => {}
                None => {
                    self.layers.insert(name, theirs);
                }
            }
        }
        self
    }

    /// Whether all that must hold does.
    pub fn are_strict(&self) -> bool {
        ["namespaces", "landlock", "seccomp"].iter().all(|name| {
            self.layers.get(*name).is_some_and(|value| !value.is_string() && *value != Value::Bool(false))
        })
    }
}

/// Whether a layer is missing, or older, where the other one is not.
fn is_less(one: &Value, other: &Value) -> bool {
    match (one.as_u64(), other.as_u64()) {
        (Some(one), Some(other)) => one < other,
        _ => (one.is_string() || *one == Value::Bool(false)) && !other.is_string(),
    }
}

/// Why skills cannot run safely here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// A layer is missing.
    #[error("the sandbox is not complete on this machine: {0}")]
    Refused(String),
    /// Something that is granted is not there, or cannot be shown. The machine is as it should be.
    #[error("what is granted cannot be given: {0}")]
    Grant(String),
    /// It could not be begun.
    #[error("the sandbox cannot be set up: {0}")]
    SetUp(String),
}

impl SandboxError {
    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Refused(_) => {
                "run `skillery doctor` to see what is missing; `--allow-weaker-sandbox` runs skills without it"
            }
            Self::Grant(_) => {
                "make what is missing, or change the entry of the policy; `skillery policy show` prints it"
            }
            Self::SetUp(_) => "run `skillery doctor` to see what this machine has",
        }
    }
}

/// Why there is nothing to fork workers from.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}
