//! Everything here starts real Python processes, through the crate's public functions.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ahead;
mod calls;
mod ends;
mod entry;
mod escapes;
mod examples;
mod flow;
mod folders;
mod harness;
mod history;
mod neighbours;
mod network;
mod permissions;
mod results;
mod workflows;
