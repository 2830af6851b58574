//! What a user would have instead, or what does only the plainest part of the work.

pub mod nginx;
pub mod prefect;
pub mod verdaccio;
