//! The file with which `ssh-keygen -Y verify` checks signatures: who may sign, with which key, and when.
//!
//! Its format is in `ssh-keygen(1)`, section ALLOWED SIGNERS. Times are written in UTC with a `Z` behind them, which
//! OpenSSH reads since 9.1: without it a time is one of the reader's time zone, and means up to 14 hours earlier or
//! later. Older ones do not take such a line, and so find no key. For them there is [`Form::Undated`], which has no times
//! and only the keys that are good now, and is read by every OpenSSH that knows signatures over files.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sign::ssh::PublicKey;
use crate::time::Time;

/// Characters in the name of a signer.
const MAX_PRINCIPAL_LENGTH: usize = 255;

/// One key of one signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigner {
    /// The names that the signer has, for `ssh-keygen -I`. For an authority they may have `*` and `?` in them, and say
    /// for whom its certificates count.
    pub principals: Vec<String>,
    /// The signer's key, or that of the authority.
    pub key: PublicKey,
    /// Since when the key counts.
    pub enrolled_at: Time,
    /// Since when it does not count any more.
    pub revoked_at: Option<Time>,
    /// Whether the key issues certificates, and signs nothing itself.
    pub is_authority: bool,
}

/// What the file says of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Every key with the time in which it counted: `ssh-keygen -O verify-time=…` judges old signatures with it. Wants
    /// OpenSSH 9.1.
    Dated,
    /// The keys that are not revoked, without times.
    Undated,
}

/// Why there is no such file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowedSignersError {
    /// A name that would mean something else in the file than itself, or break its line.
    #[error(
        "the signer's name `{0}` cannot stand in the file: it needs 1 to {MAX_PRINCIPAL_LENGTH} visible ASCII \
         characters, and none of `\"`, `'`, `\\`, `,`, `!`, `#`, and `*` or `?` only for an authority"
    )]
    Principal(String),
    /// A signer without a name.
    #[error("the key {0} has no signer")]
    NoPrincipal(String),
    /// A namespace that cannot be written.
    #[error("the namespace `{0}` cannot stand in the file")]
    Namespace(String),
    /// A time after the year 9999.
    #[error("the time {0} cannot stand in the file")]
    Time(String),
}

/// The text of the file. `namespaces` are those that the keys may sign for, such as
/// [`RELEASE_NAMESPACE`](crate::sign::sshsig::RELEASE_NAMESPACE); at least one.
///
/// Keys that count come before those that are revoked. The comments of keys are left out: they are not to be believed.
pub fn render(
    signers: &[AllowedSigner],
    namespaces: &[&str],
    form: Form,
) -> Result<String, AllowedSignersError> {
    for namespace in namespaces {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_".contains(&byte);
        if namespace.is_empty() || !namespace.bytes().all(good) {
            return Err(AllowedSignersError::Namespace(namespace.escape_debug().to_string()));
        }
    }
    if namespaces.is_empty() {
        return Err(AllowedSignersError::Namespace(String::new()));
    }
    let mut text = String::new();
    let (revoked, good): (Vec<_>, Vec<_>) = signers.iter().partition(|signer| signer.revoked_at.is_some());
    for signer in good.into_iter().chain(revoked) {
        check_principals(signer)?;
        if let Some(times) = times(signer, form)? {
            text += &signer.principals.join(",");
            text += if signer.is_authority { " cert-authority," } else { " " };
            let (kind, key) = (signer.key.algorithm().name(), STANDARD.encode(signer.key.blob()));
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "namespaces=\"{}\"{times} {kind} {key}", namespaces.join(","));
        }
    }
    Ok(text)
}

fn check_principals(signer: &AllowedSigner) -> Result<(), AllowedSignersError> {
    if signer.principals.is_empty() {
        return Err(AllowedSignersError::NoPrincipal(signer.key.fingerprint().to_string()));
    }
    for principal in &signer.principals {
        let good = |byte: u8| {
            byte.is_ascii_graphic()
                && !b"\"'\\,!#".contains(&byte)
                && (signer.is_authority || !b"*?".contains(&byte))
        };
        if !(1..=MAX_PRINCIPAL_LENGTH).contains(&principal.len()) || !principal.bytes().all(good) {
            let shown = principal.chars().take(100).flat_map(char::escape_debug).collect();
            return Err(AllowedSignersError::Principal(shown));
        }
    }
    Ok(())
}

/// The options for the times of a signer; `None` where it has no line.
fn times(signer: &AllowedSigner, form: Form) -> Result<Option<String>, AllowedSignersError> {
    if form == Form::Undated {
        return Ok(signer.revoked_at.is_none().then(String::new));
    }
    let enrolled = signer.enrolled_at.micros().div_euclid(1_000_000);
    let mut times = String::new();
    // A time that is not after 1970 is none for OpenSSH.
    if enrolled > 0 {
        times += &format!(",valid-after=\"{}\"", stamp(enrolled)?);
    }
    if let Some(revoked) = signer.revoked_at {
        let revoked = revoked.micros().div_euclid(1_000_000);
        // OpenSSH takes no line whose end is not after its beginning, and complains.
        if revoked <= enrolled.max(0) {
            return Ok(None);
        }
        times += &format!(",valid-before=\"{}\"", stamp(revoked)?);
    }
    Ok(Some(times))
}

fn stamp(seconds: i64) -> Result<String, AllowedSignersError> {
    let text = Time::from_micros(seconds.saturating_mul(1_000_000)).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if text.len() == "2026-01-01T00:00:00Z".len() && digits.len() == 14 {
        Ok(digits + "Z")
    } else {
        Err(AllowedSignersError::Time(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sign::sshsig::{RELEASE_NAMESPACE, REVIEW_NAMESPACE};

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEehn1nZUgPVP65ReujXFDXuQqwBAzr7mNZKb1nOSin evil\tcomment";
    const NAMESPACES: &[&str] = &[RELEASE_NAMESPACE, REVIEW_NAMESPACE];

    fn signer(principal: &str, enrolled: i64, revoked: Option<i64>) -> AllowedSigner {
        AllowedSigner {
            principals: vec![principal.to_owned()],
            key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEehn1nZUgPVP65ReujXFDXuQqwBAzr7mNZKb1nOSin comment"
                .parse()
                .unwrap(),
            enrolled_at: Time::from_micros(enrolled * 1_000_000),
            revoked_at: revoked.map(|revoked| Time::from_micros(revoked * 1_000_000)),
            is_authority: false,
        }
    }

    #[test]
    fn the_file_of_allowed_signers() {
        assert!(KEY.parse::<PublicKey>().is_err());
        let mut signers = vec![
            signer("revoked@example.com", 1_795_339_800, Some(1_795_340_000)),
            signer("alice@example.com", 1_795_339_800, None),
            signer("hasty@example.com", 1_795_339_800, Some(1_795_339_800)),
            AllowedSigner { is_authority: true, ..signer("*@example.com", 0, None) },
        ];
        signers[1].principals.push("alice".to_owned());
        let text = |form| render(&signers, NAMESPACES, form).unwrap();
        insta::assert_snapshot!(format!("{}\n{}", text(Form::Dated), text(Form::Undated)));
    }

    #[test]
    fn a_name_that_would_mean_something_else_is_refused() {
        for name in [
            "",
            "*",
            "*@example.com",
            "a?",
            "!a",
            "a,b",
            "a b",
            "a\tb",
            "a\nb ssh-ed25519 AAAA",
            "a\"b",
            "#a",
            "ä",
            "a\\",
            &"a".repeat(256),
        ] {
            let error = render(&[signer(name, 1, None)], NAMESPACES, Form::Dated).unwrap_err();
            assert!(matches!(error, AllowedSignersError::Principal(_)), "{name}");
        }
        let authority = AllowedSigner { is_authority: true, ..signer("a\n*", 0, None) };
        assert!(render(&[authority], NAMESPACES, Form::Undated).is_err());
        let nobody = AllowedSigner { principals: vec![], ..signer("a", 0, None) };
        assert!(matches!(
            render(&[nobody], NAMESPACES, Form::Dated),
            Err(AllowedSignersError::NoPrincipal(_))
        ));
        for namespaces in [&["a\"b"][..], &["a,b"], &[""], &[]] {
            assert!(render(&[], namespaces, Form::Dated).is_err(), "{namespaces:?}");
        }
        assert!(render(&[signer("a", 253_402_300_800, None)], NAMESPACES, Form::Dated).is_err());
        assert!(render(&[signer("a", -1, None)], NAMESPACES, Form::Dated).unwrap().contains("@v1\" ssh-"));
    }

    proptest! {
        #[test]
        fn every_line_is_one_signer(name in any::<String>(), authority in any::<bool>(), enrolled in any::<i32>()) {
            let signer = AllowedSigner { is_authority: authority, ..signer(&name, i64::from(enrolled), None) };
            if let Ok(text) = render(&[signer.clone(), signer], NAMESPACES, Form::Dated) {
                prop_assert_eq!(text.lines().count(), 2);
                for line in text.lines() {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    prop_assert_eq!(words.len(), 4);
                    prop_assert_eq!(words[0], name.as_str());
                }
            }
        }
    }
}
