//! Tokens: `sky_<kind>_` and 36 characters, of which the last six are a checksum.
//!
//! The prefix lets secret scanners find a leaked token; the checksum lets them, and the registry, rule out junk
//! without a look-up. A registry keeps only the SHA-256 of a token.

use std::fmt;

use crate::Digest;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARACTERS: usize = 30;
const CHECK_CHARACTERS: usize = 6;

/// Whom a token was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A person.
    Personal,
    /// A machine: a build, a bot.
    Service,
    /// One build of a trusted publisher, for some minutes.
    TrustedPublisher,
    /// A browser, for some days.
    Session,
}

impl TokenKind {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Personal, Self::Service, Self::TrustedPublisher, Self::Session];

    /// The part between the two underscores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "pat",
            Self::Service => "svc",
            Self::TrustedPublisher => "tp",
            Self::Session => "web",
        }
    }
}

/// A secret that never shows itself: `Debug` and `Display` print three stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that sends or hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored in its stead.
    pub fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Makes a token from 64 random bytes. Bytes of 248 and more are passed over, so that all 62 characters are equally
/// likely; 64 bytes hold thirty usable ones but for a chance far below that of guessing a token.
pub fn generate(kind: TokenKind, random: &[u8; 64]) -> Secret {
    let body: String = random
        .iter()
        .filter(|byte| **byte < 248)
        .chain(random.iter())
        .take(RANDOM_CHARACTERS)
        .map(|byte| char::from(ALPHABET[usize::from(byte % 62)]))
        .collect();
    let prefix = format!("sky_{}_{body}", kind.as_str());
    let check = checksum(&prefix);
    Secret(prefix + &check)
}

fn checksum(text: &str) -> String {
    let mut number = crc32fast::hash(text.as_bytes());
    let mut characters = [b'0'; CHECK_CHARACTERS];
    for character in characters.iter_mut().rev() {
        *character = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    characters.iter().map(|byte| char::from(*byte)).collect()
}

/// Whether the text has the form of a `sky_` token and its checksum fits. A text without the prefix may still be an
/// admin token that an operator chose.
pub fn checksum_fits(text: &str) -> bool {
    let body = TokenKind::ALL
        .iter()
        .find_map(|kind| text.strip_prefix("sky_")?.strip_prefix(kind.as_str())?.strip_prefix('_'));
    body.is_some_and(|body| body.is_ascii() && body.len() == RANDOM_CHARACTERS + CHECK_CHARACTERS)
        && checksum(&text[..text.len() - CHECK_CHARACTERS]) == text[text.len() - CHECK_CHARACTERS..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_recognised_and_a_typing_error_is_not() {
        let token = generate(TokenKind::Personal, &[7; 64]);
        assert!(checksum_fits(token.expose()));
        assert_eq!(token.expose().len(), 44);
        assert_eq!(format!("{token:?} {token}"), "*** ***");
        let mut altered = token.expose().to_owned();
        altered.replace_range(10..11, "x");
        assert!(!checksum_fits(&altered));
        assert!(!checksum_fits("sky_pat_"));
        assert!(!checksum_fits("sky_xxx_0000000000000000000000000000000000"));
    }

    proptest! {
        #[test]
        fn every_generated_token_fits(random in proptest::collection::vec(any::<u8>(), 64)) {
            let random: [u8; 64] = random.try_into().unwrap();
            for kind in TokenKind::ALL {
                let token = generate(*kind, &random);
                prop_assert!(checksum_fits(token.expose()));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = checksum_fits(&text);
        }
    }
}
