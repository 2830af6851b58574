//! What can be wrong with a registry's log.

use std::path::PathBuf;
use std::time::Duration;

use skillery_core::{SkillId, Version};

/// Why the log of a registry is not believed, or does not allow what was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The registry has no log, or keeps it from this caller.
    #[error("the registry at {registry} shows no log")]
    NoLog {
        /// The registry.
        registry: String,
    },
    /// It is signed with another key than the one that is pinned.
    #[error(
        "the log of {registry} is not signed with the key that is pinned or configured for it, {fingerprint}"
    )]
    OtherKey {
        /// The registry.
        registry: String,
        /// The fingerprint of the pinned key.
        fingerprint: String,
    },
    /// It is signed with another key, and what is shown for that does not hold.
    #[error(
        "the log of {registry} was not handed over by the key that is pinned for it, {fingerprint}: {reason}"
    )]
    NotHandedOver {
        /// The registry.
        registry: String,
        /// The fingerprint of the pinned key.
        fingerprint: String,
        /// What does not hold.
        reason: String,
    },
    /// Two histories were shown.
    #[error("the registry at {registry} has shown two different logs, which its key has both signed")]
    Forked {
        /// The registry.
        registry: String,
        /// The file with both signed checkpoints.
        evidence: PathBuf,
    },
    /// What was there before is there no more.
    #[error("the log of {registry} had {seen} entries before, and has {found} now")]
    RolledBack {
        /// The registry.
        registry: String,
        /// Entries of the newest checkpoint that was seen.
        seen: u64,
        /// Entries that it has now.
        found: u64,
    },
    /// The tiles or entries that the registry shows are not those under its checkpoint.
    #[error("what {registry} shows of its log is not what its checkpoint covers: {reason}")]
    Broken {
        /// The registry.
        registry: String,
        /// What does not fit.
        reason: String,
    },
    /// The log does not say what the registry says of a version.
    #[error("the log does not have `{id}` {version} as it came: {reason}")]
    NotLogged {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
        /// What is missing or differs.
        reason: String,
    },
    /// The log says that the version was taken back, and the registry does not.
    #[error("`{id}` {version} {status} (entry {index} of the log), and the registry offers it")]
    Withdrawn {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
        /// `was yanked`, `was quarantined`, `was rejected` or `waits for approval`.
        status: &'static str,
        /// The entry.
        index: u64,
    },
    /// The registry left entries about a skill out.
    #[error("the registry at {registry} kept entry {index} of the log about `{id}` back")]
    Withheld {
        /// The registry.
        registry: String,
        /// The skill.
        id: SkillId,
        /// The entry.
        index: u64,
    },
    /// The version is not signed, or not by somebody whose signature counted then.
    #[error("`{id}` {version} is not signed as it must be: {reason}")]
    NotSigned {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
        /// Why.
        reason: String,
    },
    /// It may be signed, and what that rests on is not on this machine.
    #[error("no signature of `{id}` {version} is kept on this machine")]
    NotKept {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
    },
    /// A file with a signature, or with what one rests on, is another one than was kept.
    #[error("`{path}` is not what was kept: {reason}", path = .path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// Too few of the witnesses that this user trusts have seen the log with the version in it.
    #[error("the log with `{id}` {version} is not witnessed as your policy wants it: {reason}")]
    NotWitnessed {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
        /// What is missing.
        reason: String,
    },
    /// They have, but too long ago.
    #[error("the witnesses of your policy have not seen the log of {registry} within the last {}", age(.max_age))]
    Stale {
        /// The registry.
        registry: String,
        /// How long ago it may be.
        max_age: Duration,
    },
    /// Something witnessed is wanted, and nobody said by whom.
    #[error("`witnessed` is required, and there is no policy that names witnesses: `{path}` is missing", path = .path.display())]
    NoPolicy {
        /// Where it would be.
        path: PathBuf,
    },
    /// Too few others have approved the version, or somebody has rejected it.
    #[error("`{id}` {version} is not approved as it must be: {reason}")]
    NotApproved {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
        /// Why.
        reason: String,
    },
    /// What is kept could be checked, and nobody has said by which key.
    #[error("no key of the log of {registry} is known on this machine")]
    NoKey {
        /// The registry.
        registry: String,
    },
    /// A log has the name of another one that is known here.
    #[error(
        "the log of {registry} is called as the log of another registry that is known here, `{name}`, and has another key"
    )]
    NameTaken {
        /// The registry.
        registry: String,
        /// The name.
        name: String,
    },
    /// What is on disk has no proof with it.
    #[error("there is no proof from a log for `{id}` {version}")]
    NoProof {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
    },
}

impl LogError {
    /// What went wrong, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoLog { .. } => "log-missing",
            Self::OtherKey { .. } => "log-key-changed",
            Self::NotHandedOver { .. } => "log-key-not-handed-over",
            Self::Forked { .. } => "log-forked",
            Self::RolledBack { .. } => "log-rolled-back",
            Self::Broken { .. } => "log-broken",
            Self::NotLogged { .. } => "not-logged",
            Self::Withdrawn { .. } => "version-withdrawn",
            Self::Withheld { .. } => "log-entry-withheld",
            Self::NotSigned { .. } => "not-signed",
            Self::NotKept { .. } => "signature-not-kept",
            Self::Altered { .. } => "signature-altered",
            Self::NotWitnessed { .. } => "not-witnessed",
            Self::Stale { .. } => "log-stale",
            Self::NoPolicy { .. } => "witness-policy-missing",
            Self::NotApproved { .. } => "not-approved",
            Self::NoKey { .. } => "log-key-unknown",
            Self::NameTaken { .. } => "log-name-taken",
            Self::NoProof { .. } => "proof-missing",
        }
    }

    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoLog { .. } => {
                "check the URL and the token; for a registry without a log, set `require` to `hash`"
            }
            Self::OtherKey { .. } => {
                "ask the operator for the key by another way; if it is right, pin it with `skillery log pin`"
            }
            Self::NotHandedOver { .. } => {
                "nothing was changed, and the pinned key is believed as before; ask the operator, by another way, whether \
                 the key was rotated, or stolen"
            }
            Self::RolledBack { .. } => {
                "the registry was restored from an older backup, or something between shows an old answer; ask its operator"
            }
            Self::Forked { .. } => {
                "nothing from this registry is believed any more; `skillery log evidence` shows the proof and how others check it"
            }
            Self::Broken { .. } | Self::NotLogged { .. } | Self::Withheld { .. } => {
                "nothing of it is believed; tell the registry's operator, and others who use it"
            }
            Self::Withdrawn { .. } => "install another version",
            Self::NotSigned { .. } => "ask its publisher to sign it with `skillery sign`",
            Self::NotWitnessed { .. } => {
                "try again in a moment; if it stays so, compare the registry's witnesses with those of your policy"
            }
            Self::Stale { .. } => {
                "the registry may show an old log, or its witnesses may be down; check your clock, then ask the operator"
            }
            Self::NoPolicy { .. } => {
                "write one (c2sp.org/tlog-policy), or name yours with `skillery config set log_policy FILE`"
            }
            Self::NotApproved { .. } => {
                "members see with `skillery approve show` how far it is, and reviewers approve with `skillery approve accept`"
            }
            Self::NoProof { .. } => "install the version again, with the registry at hand",
            Self::NoKey { .. } => {
                "install the version again, with the registry at hand; or set `log_key` to the key, from its operator"
            }
            Self::NameTaken { .. } => {
                "nothing was signed: what is signed for the one would count for the other; ask its operator"
            }
            Self::NotKept { .. } | Self::Altered { .. } => {
                "install the version again with `--require signed`, with the registry at hand"
            }
        }
    }
}

/// In the largest unit that fits.
fn age(age: &Duration) -> String {
    let seconds = age.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    match units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} s"),
    }
}
