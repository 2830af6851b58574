//! What must be known of a version before it is installed.

use std::fmt;
use std::str::FromStr;

/// What an installation demands beyond right digests. Each word includes what it rests on: nothing is signed, approved or
/// witnessed outside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Require {
    /// The version is in the log of the registry, and the log has not taken it back.
    pub logged: bool,
    /// It is signed with a key that was enrolled, by somebody who might publish it, when it was published.
    pub signed: bool,
    /// Others have approved it, as the policy of its namespace wants it.
    pub approved: bool,
    /// Where that is demanded: an owner may have released it by force instead.
    pub or_forced: bool,
    /// Witnesses have seen the log that it is in.
    pub witnessed: bool,
}

impl Require {
    /// The words, in the order of what they rest on.
    pub const WORDS: [&str; 6] = ["hash", "logged", "signed", "approved-or-forced", "approved", "witnessed"];

    /// Right digests are enough.
    pub const HASH: Self =
        Self { logged: false, signed: false, approved: false, or_forced: false, witnessed: false };
    /// The version is in the log.
    pub const LOGGED: Self = Self { logged: true, ..Self::HASH };
    /// It is signed, too.
    pub const SIGNED: Self = Self { signed: true, ..Self::LOGGED };

    /// What either demands.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            logged: self.logged || other.logged,
            signed: self.signed || other.signed,
            approved: self.approved || other.approved,
            // Whoever demands approvals without a way around them has none.
            or_forced: (self.or_forced || !self.approved)
                && (other.or_forced || !other.approved)
                && (self.approved || other.approved),
            witnessed: self.witnessed || other.witnessed,
        }
    }
}

impl Default for Require {
    fn default() -> Self {
        Self::LOGGED
    }
}

/// The text is none of the words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is one or more of {}, with commas between them", Require::WORDS.map(|word| format!("`{word}`")).join(", "))]
pub struct RequireError;

impl FromStr for Require {
    type Err = RequireError;

    fn from_str(text: &str) -> Result<Self, RequireError> {
        let mut require = Self::HASH;
        for word in text.split(',') {
            require = require.and(match word.trim() {
                "hash" => Self::HASH,
                "logged" => Self::LOGGED,
                "signed" => Self::SIGNED,
                "approved" => Self { approved: true, ..Self::SIGNED },
                "approved-or-forced" => Self { approved: true, or_forced: true, ..Self::SIGNED },
                "witnessed" => Self { witnessed: true, ..Self::LOGGED },
                _ => return Err(RequireError),
            });
        }
        Ok(require)
    }
}

impl fmt::Display for Require {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [hash, logged, signed, or_forced, approved, witnessed] = Self::WORDS;
        let kind = match *self {
            Self { approved: true, or_forced: true, .. } => or_forced,
            Self { approved: true, .. } => approved,
            Self { signed: true, .. } => signed,
            Self { witnessed: true, .. } => "",
            Self { logged: true, .. } => logged,
            _ => hash,
        };
        formatter.write_str(kind)?;
        if self.witnessed {
            formatter.write_str(if kind.is_empty() { "" } else { "," })?;
            formatter.write_str(witnessed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_includes_what_it_rests_on() {
        for (text, shown) in [
            ("hash", "hash"),
            ("logged", "logged"),
            ("signed", "signed"),
            ("approved", "approved"),
            ("witnessed", "witnessed"),
            ("witnessed, signed", "signed,witnessed"),
            ("approved,signed,logged,hash", "approved"),
            ("signed,approved-or-forced", "approved-or-forced"),
            ("approved-or-forced,approved", "approved"),
        ] {
            let require: Require = text.parse().unwrap();
            assert_eq!(require.to_string(), shown);
            assert_eq!(require.to_string().parse::<Require>().unwrap(), require);
            assert_eq!(require.logged, text != "hash");
        }
        assert_eq!("trusted".parse::<Require>(), Err(RequireError));
        assert_eq!("".parse::<Require>(), Err(RequireError));
    }
}
