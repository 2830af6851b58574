//! Identity tokens of others (OpenID Connect): builds that publish, and people who sign in.
//!
//! A token is a text that anybody may send. It is believed only after all of this, in this order: its issuer is one that
//! the settings name and that somebody trusts, so that no stranger makes this server ask other servers; it is signed by
//! a key that the issuer publishes, with the algorithm that the settings name; it is for this registry and for nobody
//! else; its time is now; it was not used before. What decides is in `jws.rs`, `claims.rs`, `build.rs` and
//! `matching.rs` and does no I/O; what asks others is in `web.rs`, `issuers.rs` and `device.rs`.

mod browser;
mod build;
mod claims;
mod device;
mod exchange;
mod issuers;
mod jws;
mod keys;
mod login;
mod matching;
mod publisher;
mod settings;
mod verify;
mod web;

pub use browser::{Arrived, Back, arrive, begin};
pub use exchange::exchange;
pub use issuers::Issuers;
pub use login::{MAX_SUBJECT, poll, provider_of, start};
pub use publisher::{checked, is_service_name, trust, untrust};
pub use settings::{Algorithm, LoginProvider, TrustedIssuer, audience, check as check_settings};

use skillery_core::ProblemCode;

use crate::failure::Failure;

/// Seconds that clocks may differ by.
const LEEWAY_SECONDS: i64 = 60;

/// The token is not believed.
fn refused(why: impl std::fmt::Display) -> Failure {
    Failure::new(ProblemCode::InvalidIdToken, format!("the identity token is not taken: {why}"))
}
