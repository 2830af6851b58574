//! The challenge that is signed to prove that somebody has a key that is to be enrolled.
//!
//! A registry makes it, and the seal opens for that registry alone. Whoever signs it reads it first: a key signs nothing
//! that only claims to be a challenge, and none that another registry, or somebody else's account, has been given.

use serde::{Deserialize, Serialize};

use crate::canonical::{canonical_json, from_canonical_json};
use crate::time::Time;

/// Seconds that a challenge may be answered.
pub const CHALLENGE_SECONDS: i64 = 600;
/// Seconds that the clocks of a registry and of who signs may be apart.
pub const CLOCK_SECONDS: i64 = 3600;

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// Until when it may be answered.
    pub expires_at: Time,
    /// The fingerprint of the key.
    pub key: String,
    /// The registry's name in its log.
    pub registry: String,
    /// What only the registry makes and opens.
    pub seal: String,
    /// The name of the user who enrols the key.
    pub user: String,
}

/// The text is not the challenge that is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// It is none.
    #[error("it is no challenge of an enrolment")]
    Form,
    /// It is one for something else.
    #[error("its {field} is `{found}`, and `{expected}` is expected")]
    Other {
        /// What differs.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// It is from another time.
    #[error(
        "it ends at {0}, which is not within an hour of now: the clock here, or that of the registry, is wrong"
    )]
    Time(Time),
}

impl Challenge {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ChallengeError> {
        from_canonical_json(text.as_bytes()).map_err(|_| ChallengeError::Form)
    }

    /// The text that is signed.
    pub fn to_text(&self) -> Result<String, ChallengeError> {
        let bytes = canonical_json(self).map_err(|_| ChallengeError::Form)?;
        String::from_utf8(bytes).map_err(|_| ChallengeError::Form)
    }

    /// Checks that it is one of this registry, for this user and key.
    pub fn check(&self, registry: &str, user: &str, key: &str) -> Result<(), ChallengeError> {
        for (field, found, expected) in
            [("registry", &self.registry, registry), ("user", &self.user, user), ("key", &self.key, key)]
        {
            if found != expected {
                let found = found.chars().take(100).flat_map(char::escape_debug).collect();
                return Err(ChallengeError::Other { field, found, expected: expected.to_owned() });
            }
        }
        Ok(())
    }

    /// Checks that it is of now, as the clock of whoever is about to sign it shows.
    pub fn check_time(&self, now: Time) -> Result<(), ChallengeError> {
        let (earliest, latest) = (now.plus_seconds(-CLOCK_SECONDS), now.plus_seconds(CLOCK_SECONDS));
        if self.expires_at < earliest || self.expires_at > latest {
            return Err(ChallengeError::Time(self.expires_at));
        }
        Ok(())
    }
}
