//! The registry: HTTP in front, a database and a store of contents behind, a search index beside.
//!
//! `http/` alone knows HTTP, `db/` alone knows SQL, `blobs/` alone knows where contents lie. What has more than one
//! caller is a function in a file of its name: `publish/`, `skill.rs`.

mod access;
pub mod admin;
mod app;
mod approvals;
mod audit;
mod blobs;
mod bootstrap;
mod cache;
mod catalog;
mod counters;
mod db;
mod draft;
mod environment;
mod failure;
mod folder_lock;
mod gather;
mod http;
mod insight;
mod install_lines;
mod jobs;
mod key_file;
mod listen;
mod metrics;
mod notify;
mod oidc;
mod orgs;
mod origin;
mod outbound;
mod publish;
mod review;
mod search;
mod secrets;
mod serve;
mod settings;
mod shelf;
mod signing;
mod signing_secret;
mod skill;
mod talk;
mod text;
mod tlog;
mod totals;
mod turns;
mod uploads;
mod witness;

pub use app::StartError;
pub use failure::Failure;
pub use http::openapi::openapi_json;
pub use listen::ListenError;
pub use oidc::{Algorithm, LoginProvider, TrustedIssuer};
pub use serve::{Ready, ServeError, serve};
pub use settings::{
    AuditSettings, AuditStream, InsightSettings, LogWitness, NamespacePolicy, Settings, SettingsError,
    Surfaces,
};
pub use tlog::LogError;
pub use witness::{WitnessError, WitnessReady, WitnessSettings, serve_witness, witness_key};

#[cfg(test)]
mod tests;
