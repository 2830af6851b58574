//! What is known of how skills are used. Functions that return values; the API answers them as JSON, pages show them.
//!
//! Everything here is read from sums and from what users installed. Nothing is a change, and the log knows none of it.

mod adoption;
mod boards;
pub mod chart;
mod graph;
mod health;
mod installs;
mod kept;
mod overview;
mod reach;
mod rollup;
mod settings;
mod time;
mod withheld;

pub use adoption::adoption;
pub use boards::{Boards, leaderboard};
pub use graph::dependencies;
pub use health::{Content, health};
pub use installs::{Only, Span, daily, of_namespace, of_skill};
pub use kept::Kept;
pub use overview::{SkillInsight, of_skills};
pub use reach::dependents;
pub use rollup::follow;
#[cfg(test)]
pub use rollup::roll_up;
pub use settings::{listed, of as settings_of, sees_few, set as set_settings, set_listed};
pub use time::start_of;
