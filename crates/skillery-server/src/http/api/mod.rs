//! The API, version 1: one file for each thing that can be asked.

pub mod approvals;
pub mod bundle;
pub mod download;
pub mod keys;
pub mod log;
pub mod members;
pub mod oidc;
pub mod orgs;
pub mod policy;
pub mod publish;
pub mod publishers;
pub mod rate;
pub mod ratings;
pub mod search;
pub mod show;
pub mod signatures;
pub mod signing_secret;
pub mod status;
pub mod subject;
pub mod tlog;
pub mod tokens;
pub mod usage;
pub mod users;
pub mod versions;
pub mod visibility;
pub mod whoami;
