//! Talks to a registry: find, fetch, verify, install, lock, publish. A library to embed.
//!
//! A [`Client`] sends requests and knows nothing of the disk; a [`Library`] keeps installed versions and asks a
//! client for what it lacks; [`publish`](publish::publish) and [`verify`] stand between the two. What a registry
//! answers is believed only as far as its digests fit. This crate must never run the code of a skill, and must
//! never know how a registry stores anything.

pub mod agents;
pub mod api;
mod call;
pub mod client;
pub mod config;
pub mod error;
mod files;
pub mod folder;
pub mod history;
pub mod home;
pub mod import;
pub mod keys;
pub mod library;
pub mod lockfile;
pub mod log;
pub mod metrics;
mod most;
pub mod oms;
pub mod project;
pub mod publish;
pub mod require;
pub mod resolve;
mod retry;
pub mod sbom;
pub mod sign;
pub mod signer;
pub mod trusted;
pub mod verify;
pub mod workflows;

pub use skillery_core::token::Secret;

pub use crate::api::{ApprovalFilter, AuditQuery, DiffQuery, Page, SearchQuery, Sort, StandingWithComments};
pub use crate::client::{Client, Progress};
pub use crate::config::{Config, ConfigLayer};
pub use crate::error::{Error, ExitClass, Result};
pub use crate::history::Change;
pub use crate::home::Home;
pub use crate::keys::Keys;
pub use crate::library::{InstallOptions, Installation, Installed, Library, Manifest, Update, Verdict};
pub use crate::lockfile::{LockedSkill, Lockfile};
pub use crate::log::{Log, LogError};
pub use crate::metrics::Metrics;
pub use crate::publish::{Draft, FolderDraft, Published, SignWith};
pub use crate::require::Require;
pub use crate::signer::Signer;
pub use crate::workflows::SavedWorkflows;
