//! Everything here starts real Python processes, through the crate's public functions.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ahead;
mod ends;
mod entry;
mod escapes;
mod examples;
mod harness;
mod results;
mod workflows;
