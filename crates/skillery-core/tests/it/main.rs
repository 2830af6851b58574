//! What is signed here is read by the programs of others, and the other way round.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends it")]

mod ssh_keygen;
