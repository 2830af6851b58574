//! What the clients of others ask for.

mod git;
