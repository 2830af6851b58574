//! Runs the real program against a real registry, and looks at exit codes, output, and what is on disk.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends it")]

mod accounts;
mod admin;
mod agents;
mod approve;
mod audit;
mod calling;
mod comments;
mod config;
mod crash;
mod dependencies;
mod exit_codes;
mod flows;
mod folders;
mod help;
mod hostile;
mod import;
mod insight;
mod interrupt;
mod library;
mod lint;
mod main_job;
mod mcp;
mod model_signing;
mod moderation;
mod needed;
mod notifications;
mod oidc;
mod oidc_provider;
mod outdated;
mod packages;
mod policy;
mod proofs;
mod rotation;
mod serve;
mod stats;
mod support;
mod tree;
mod witness;
mod witnessed;
mod witnesses;
mod workflow;
