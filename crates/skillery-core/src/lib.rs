//! The words that both ends of Skillery share.
//!
//! Bytes in, values out: this crate does no I/O, reads no clock, draws no randomness and knows no runtime.
//! What comes from outside is parsed here, once, into types that cannot hold a bad value.

pub mod access;
pub mod api;
pub mod approval;
pub mod bundle;
pub mod canonical;
pub mod dependency;
pub mod digest;
pub mod entry;
pub mod event;
#[cfg(feature = "git")]
pub mod git;
pub mod health;
pub mod hidden;
pub mod id;
pub mod kind;
pub mod limits;
pub mod lint;
pub mod manifest;
pub mod monitor;
pub mod problem;
pub mod program;
pub mod rating;
pub mod receipt;
pub mod reference;
pub mod script;
pub mod sign;
pub mod signature;
pub mod skill_md;
pub mod sort;
pub mod standing;
pub mod time;
pub mod tlog;
pub mod token;
pub mod version;
mod words;

pub use crate::access::{Role, Scope, VersionStatus, Visibility};
pub use crate::approval::{Decision, PublishPolicy};
pub use crate::dependency::Dependencies;
pub use crate::digest::Digest;
pub use crate::id::{Namespace, Segment, SkillId};
pub use crate::kind::SkillKind;
pub use crate::limits::Limits;
pub use crate::manifest::SkillManifest;
pub use crate::problem::{Problem, ProblemCode};
pub use crate::program::Program;
pub use crate::rating::Rating;
pub use crate::reference::{SkillName, SkillReference};
pub use crate::skill_md::SkillMd;
pub use crate::sort::Sort;
pub use crate::version::{Version, VersionRequest};
