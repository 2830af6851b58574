//! What can go wrong between a client and a registry, with a code for programs and a hint for people.
//!
//! `Display` says what was being done to what; the cause is in `source`, the remedy in [`Error::hint`].

mod exit;

use std::error::Error as StdError;
use std::io;

use skillery_core::id::IdError;
use skillery_core::version::VersionError;
use skillery_core::{Problem, SkillId, Version};

pub use self::exit::ExitClass;
use crate::agents::AgentError;
use crate::import::ImportError;
use crate::log::LogError;

/// The result of whatever this crate does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of another library, kept as a cause.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry refused and said why.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The registry refused in words that this client does not know.
    #[error("the registry at {url} answered {status}: {message}")]
    Refused {
        /// The registry.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The problem's code; `http-<status>` where there was none.
        code: String,
        /// What it said.
        message: String,
        /// What it says to try.
        hint: Option<String>,
    },
    /// No connection, or one that broke.
    #[error("the registry at {url} cannot be reached")]
    Unreachable {
        /// The registry.
        url: String,
        /// What the connection said.
        #[source]
        source: Cause,
    },
    /// No answer in time.
    #[error("the registry at {url} did not answer within {seconds} s")]
    TimedOut {
        /// The registry.
        url: String,
        /// The configured time limit.
        seconds: f64,
    },
    /// It answered with a redirect to another origin, where the token must not go.
    #[error("the registry at {url} redirects to another address: {to}")]
    Redirected {
        /// The registry.
        url: String,
        /// Where it wants the request to go.
        to: String,
    },
    /// The answer is no answer of a registry.
    #[error("the answer of {url} is not that of a registry: {reason}")]
    BadAnswer {
        /// The registry.
        url: String,
        /// What was wrong with it.
        reason: String,
    },
    /// Publishing, rating and managing need a token, and none is configured.
    #[error("registry token required for {purpose}")]
    TokenRequired {
        /// `publishing`, `rating`.
        purpose: &'static str,
    },
    /// This build cannot say which one it is.
    #[error("this build has no identity to publish with: {reason}")]
    NoIdentity {
        /// Why.
        reason: String,
    },
    /// The person did not sign in in time.
    #[error("nobody signed in in time")]
    SignInTooLate,
    /// Not the id of a skill, or not a namespace.
    #[error(transparent)]
    Id(#[from] IdError),
    /// Not a version, or not a range.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A setting, or an argument, that may not be what it is.
    #[error("{what} is not valid: {reason}")]
    Invalid {
        /// The argument, variable or file, in backticks where it is a name.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The code that came is not the code that was published.
    #[error("the code of `{id}` {version} does not have the published digest")]
    CodeHashMismatch {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
    },
    /// The bundle, rebuilt here, is not the one that was published.
    #[error("the bundle of `{id}` {version} has the digest {found}, not {expected}")]
    DigestMismatch {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// What came as the bundle of a folder has the right digest and is none.
    #[error("the bundle of `{id}` {version} is not one that may be installed: {reason}")]
    BadBundle {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
        /// Why not.
        reason: String,
    },
    /// Signatures are to be verified, and there is none.
    #[error("signature verification failed: `{id}` {version} is not signed")]
    SignatureMissing {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
    },
    /// The signature was made with another secret, or for another skill or code.
    #[error("signature verification failed: the signature of `{id}` {version} does not fit")]
    SignatureMismatch {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
    },
    /// Signatures are to be verified, and nothing to verify with is known.
    #[error(
        "signature verification failed: no signing secret of `{org}` is known to verify `{id}` {version}"
    )]
    SecretUnknown {
        /// The org whose secret is needed.
        org: String,
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
    },
    /// The log of the registry.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The folders of agents.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// What is to be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The library, or the cache, has other content under the same version.
    #[error("`{id}` {version} is {place} with other content, and versions never change")]
    ContentDiffers {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
        /// `in the library (from …)`, `in the cache`, `in the lock file`.
        place: String,
    },
    /// The registry cannot be asked, and nothing that was fetched earlier fits.
    #[error("`{id}` {request} was never downloaded from {registry}, and the registry is not asked")]
    NotCached {
        /// The skill.
        id: SkillId,
        /// The version or range that was wanted.
        request: String,
        /// The registry.
        registry: String,
    },
    /// No workflow of this name was saved.
    #[error("no workflow `{name}` was saved")]
    WorkflowNotSaved {
        /// The name.
        name: String,
    },
    /// The library has no such skill.
    #[error("`{name}` is not in the library")]
    NotInstalled {
        /// What was asked for.
        name: String,
    },
    /// The library has the skill, but not this version.
    #[error("`{id}` is in the library, but not in version {request}; there are {}", listed(.present))]
    VersionNotInstalled {
        /// The skill.
        id: SkillId,
        /// The version or range that was wanted.
        request: String,
        /// The versions that there are, highest first.
        present: Vec<Version>,
    },
    /// A bare name that several skills of the library have.
    #[error("`{name}` may be any of {}", listed(.candidates))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The skills that have the name.
        candidates: Vec<SkillId>,
    },
    /// What the registry lists as needed is not what the files of a version say.
    #[error("`{id}` {version} needs other skills than the registry says")]
    NeedsDiffer {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
    },
    /// What is wanted cannot be had together.
    #[error("no choice of versions will do. {explanation}")]
    NoChoice {
        /// Why, in sentences.
        explanation: String,
    },
    /// What is wanted needs more skills, and those more, than anybody would want.
    #[error("what is wanted needs over {limit} skills")]
    TooManyNeeds {
        /// How many are looked at.
        limit: usize,
    },
    /// Whether versions go together is not found out within what the search may take.
    #[error("which versions go together was not found out {within}")]
    TooHard {
        /// Within what: `in 20000 steps`.
        within: String,
    },
    /// Skills that call each other in a circle cannot be put in an order.
    #[error("skills depend on each other in a circle: {}", arrows(.path))]
    DependencyCycle {
        /// The skills, each of which lists the next; the first is the last, too.
        path: Vec<SkillId>,
    },
    /// A file that this crate wrote, or a person, cannot be understood.
    #[error("{path} cannot be understood")]
    BadFile {
        /// The file.
        path: String,
        /// What the parser said.
        #[source]
        source: Cause,
    },
    /// The disk.
    #[error("cannot {doing}")]
    Disk {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A mistake of this crate.
    #[error("cannot {doing}")]
    Internal {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: Cause,
    },
}

fn listed<T: std::fmt::Display>(things: &[T]) -> String {
    things.iter().map(|thing| format!("`{thing}`")).collect::<Vec<_>>().join(", ")
}

/// `a -> b -> a`.
pub(crate) fn arrows(path: &[SkillId]) -> String {
    path.iter().map(SkillId::as_str).collect::<Vec<_>>().join(" -> ")
}

impl Error {
    /// What went wrong, for programs: a problem's code, or one of this crate's own.
    pub fn code(&self) -> &str {
        match self {
            Self::Problem(problem) => problem.code.as_str(),
            Self::Refused { code, .. } => code,
            Self::Unreachable { .. } => "registry-unreachable",
            Self::TimedOut { .. } => "registry-timed-out",
            Self::Redirected { .. } => "registry-redirects",
            Self::BadAnswer { .. } => "bad-answer",
            Self::TokenRequired { .. } => "token-required",
            Self::NoIdentity { .. } => "no-identity",
            Self::SignInTooLate => "login-refused",
            Self::Id(_) => "invalid-id",
            Self::Version(_) => "invalid-version",
            Self::Invalid { .. } => "invalid-input",
            Self::CodeHashMismatch { .. } => "code-hash-mismatch",
            Self::DigestMismatch { .. } => "digest-mismatch",
            Self::BadBundle { .. } => "bad-bundle",
            Self::SignatureMissing { .. } => "signature-missing",
            Self::SignatureMismatch { .. } => "signature-mismatch",
            Self::SecretUnknown { .. } => "secret-unknown",
            Self::Log(error) => error.code(),
            Self::Agent(error) => error.code(),
            Self::Import(error) => error.code(),
            Self::ContentDiffers { .. } => "content-differs",
            Self::NotCached { .. } => "not-cached",
            Self::NotInstalled { .. } => "not-installed",
            Self::WorkflowNotSaved { .. } => "workflow-not-found",
            Self::VersionNotInstalled { .. } => "version-not-installed",
            Self::Ambiguous { .. } => "ambiguous-name",
            Self::NeedsDiffer { .. } => "needs-differ",
            Self::NoChoice { .. } => "no-choice",
            Self::TooManyNeeds { .. } => "too-many-needs",
            Self::TooHard { .. } => "too-hard",
            Self::DependencyCycle { .. } => "dependency-cycle",
            Self::BadFile { .. } => "bad-file",
            Self::Disk { .. } => "disk",
            Self::Internal { .. } => "internal",
        }
    }

    /// What to try, if there is something.
    pub fn hint(&self) -> Option<&str> {
        Some(match self {
            Self::Problem(problem) if problem.hint.is_empty() => problem.code.hint(),
            Self::Problem(problem) => &problem.hint,
            Self::Refused { hint, .. } => return hint.as_deref(),
            Self::Unreachable { .. } => {
                "check the registry's URL and that it runs; `skillery serve` starts one"
            }
            Self::TimedOut { .. } => "raise the timeout, or check the registry's URL",
            Self::Redirected { .. } => "set the registry's URL to that address, if you trust it",
            Self::BadAnswer { .. } => "check the registry's URL: something else may answer there",
            Self::TokenRequired { .. } => "set one with `skillery login` or `REGISTRY_TOKEN`",
            Self::NoIdentity { .. } => {
                "let the build have identity tokens: `permissions: id-token: write` of GitHub, `id_tokens` of GitLab"
            }
            Self::SignInTooLate => "begin again with `skillery login --oidc`",
            Self::Id(_) => "an id is `org/name`: segments of a-z, 0-9, `.`, `_` and `-`",
            Self::Version(_) => "use a version such as `1.0.0`, or a range such as `^1.2`",
            Self::Invalid { .. } | Self::Internal { .. } | Self::Disk { .. } => return None,
            Self::CodeHashMismatch { .. } | Self::DigestMismatch { .. } | Self::BadBundle { .. } => {
                "nothing was installed; tell the registry's operator, since its content may be damaged or altered"
            }
            Self::SignatureMissing { .. } => {
                "ask its publisher to sign it, or switch off `verify_signature` for testing"
            }
            Self::SignatureMismatch { .. } => {
                "check that your signing secret is the publisher's; nothing was installed"
            }
            Self::SecretUnknown { .. } => {
                "get the secret from the org and keep it with `skillery key add`, or use a token of a member"
            }
            Self::Log(error) => error.hint(),
            Self::Agent(error) => error.hint(),
            Self::Import(error) => return error.hint(),
            Self::ContentDiffers { .. } => {
                "find out which is the right one; `skillery remove` takes away the one that is here"
            }
            Self::NotCached { .. } => "ask again when the registry can be reached",
            Self::WorkflowNotSaved { .. } => "`skillery workflow list` lists what was saved",
            Self::NotInstalled { .. } => "list what there is with `skillery list`, or install it",
            Self::VersionNotInstalled { .. } => "install the version first",
            Self::Ambiguous { .. } => "name the skill with its namespace",
            Self::NeedsDiffer { .. } => "do not use this registry until its operator has explained this",
            Self::NoChoice { .. } => "ask for other versions, or leave `@` and what follows out",
            Self::TooManyNeeds { .. } => "see with `skillery info` what the skills need",
            Self::TooHard { .. } => "name versions behind `@`, so that there is less to choose from",
            Self::DependencyCycle { .. } => {
                "take one of them out of `skills` in the `[tool.skillery]` of another"
            }
            Self::BadFile { .. } => "correct the file, or remove it",
        })
    }

    /// Whether the registry could not be asked, so that what was fetched earlier may stand in.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Problem(problem) => matches!(problem.status, 502..=504),
            Self::Refused { status, .. } => matches!(status, 502..=504),
            _ => false,
        }
    }

    /// Whether the skill, version, org or user is not there, or not for this caller.
    pub fn is_not_found(&self) -> bool {
        self.exit_class() == ExitClass::NotFound
    }

    /// What was given makes no sense.
    pub fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), reason: reason.into() }
    }

    pub(crate) fn disk(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Disk { doing, source }
    }

    pub(crate) fn internal<E: Into<Cause>>(doing: &str) -> impl FnOnce(E) -> Self {
        move |source| Self::Internal { doing: doing.to_owned(), source: source.into() }
    }
}
