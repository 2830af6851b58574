//! What is known of how skills are used: one file for each thing that can be asked.

pub mod adoption;
pub mod dependencies;
pub mod dependents;
pub mod health;
pub mod installs;
pub mod leaderboard;
pub mod of_namespace;
pub mod settings;
