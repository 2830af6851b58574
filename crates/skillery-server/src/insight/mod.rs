//! What is known of how skills are used. Functions that return values; the API answers them as JSON, pages show them.
//!
//! Everything here is read from sums and from what users installed. Nothing is a change, and the log knows none of it.

mod adoption;
mod boards;
#[cfg_attr(not(test), expect(dead_code, reason = "pages draw them"))]
pub mod chart;
mod graph;
mod health;
mod installs;
mod rollup;
mod time;
mod withheld;

pub use adoption::adoption;
pub use boards::{Boards, leaderboard};
pub use graph::{dependencies, dependents};
pub use health::{Content, health};
pub use installs::{Span, of_namespace, of_skill};
pub use rollup::follow;
#[cfg(test)]
pub use rollup::roll_up;
pub use time::start_of;
