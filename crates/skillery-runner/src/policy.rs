//! What a skill may do beyond computing, and what it was kept from.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use skillery_core::Namespace;
use skillery_core::id::LOCAL_NAMESPACE;
use skillery_core::script::Permissions;

use crate::hosts::{Host, MAX_HOSTS};

const MEBIBYTE: u64 = 1024 * 1024;
const MEMORY_FLOOR: u64 = 64 * MEBIBYTE;
pub(crate) const DEFAULT_MEMORY: u64 = 512 * MEBIBYTE;
/// The longest that an attempt may take: a week.
pub(crate) const MOST_SECONDS: u64 = 7 * 86_400;
/// Paths in each list. Each of them is a mount of its own.
const MAX_PATHS: usize = 256;
/// Seconds that an attempt may take when nothing else is granted.
pub(crate) const DEFAULT_SECONDS: u64 = 60;

/// What the caller grants to a skill. The default is nothing but processor time, memory and a scratch folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Files and folders that it may read, absolute; with all below them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<PathBuf>,
    /// Files and folders that it may read and write, absolute; with all below them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<PathBuf>,
    /// Hosts that it may connect to over TCP: `host:port`, exactly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Environment variables of the caller that it is given, where they are set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// Whether it may start other programs and processes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub subprocess: bool,
    /// Whether it is given the packages that its manifest asks for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub packages: bool,
    /// Skills that it may call although they may do what it may not: ids, and namespaces with all below them. It must name
    /// each of them in its manifest as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// Bytes of memory: of address space for each process, and of what all of them hold together.
    #[serde(skip_serializing_if = "is_default_memory")]
    pub memory_bytes: u64,
    /// The longest an attempt may take, where the step does not say less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_default_memory(bytes: &u64) -> bool {
    *bytes == DEFAULT_MEMORY
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
}

/// Whether granting the path would put something in the place of what a skill's root is made of.
fn is_reserved(path: &Path) -> bool {
    let whole = ["/", "/tmp", "/etc"].iter().any(|reserved| path == Path::new(reserved));
    whole
        || ["/proc", "/sys", "/dev", "/skill", "/again", "/old"]
            .iter()
            .any(|reserved| path.starts_with(reserved))
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            read: Vec::new(),
            write: Vec::new(),
            hosts: Vec::new(),
            environment: Vec::new(),
            subprocess: false,
            packages: false,
            skills: Vec::new(),
            memory_bytes: DEFAULT_MEMORY,
            seconds: None,
        }
    }
}

fn both<T: Clone + PartialEq>(these: &[T], those: &[T]) -> Vec<T> {
    let mut all = these.to_vec();
    all.extend(those.iter().filter(|one| !these.contains(one)).cloned());
    all
}

impl Grants {
    /// The first value that cannot be granted, and why.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        for (list, paths) in [("read", &self.read), ("write", &self.write)] {
            if paths.len() > MAX_PATHS {
                return Err((list.to_owned(), format!("`{list}` has at most {MAX_PATHS} entries")));
            }
        }
        for path in self.read.iter().chain(&self.write) {
            let shown = path.display().to_string();
            if !is_plain(path) {
                return Err((shown.clone(), format!("`{shown}` is not an absolute path without `..`")));
            }
            if is_reserved(path) {
                return Err((
                    shown.clone(),
                    format!("`{shown}` is the sandbox's own, and cannot be granted"),
                ));
            }
        }
        for host in &self.hosts {
            host.parse::<Host>().map_err(|why| (host.clone(), format!("`{host}`: {why}")))?;
        }
        if self.hosts.len() > MAX_HOSTS {
            return Err(("hosts".to_owned(), format!("`hosts` has at most {MAX_HOSTS} entries")));
        }
        if let Some(name) = self.environment.iter().find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return Err((name.clone(), format!("`{name}` is not the name of an environment variable")));
        }
        for skill in &self.skills {
            skill.parse::<Namespace>().map_err(|why| {
                (skill.clone(), format!("`{skill}` is neither the id of a skill nor a namespace: {why}"))
            })?;
        }
        if self.memory_bytes < MEMORY_FLOOR {
            let why = format!("`memory_bytes` is at least {MEMORY_FLOOR}, which Python needs for itself");
            return Err(("memory_bytes".to_owned(), why));
        }
        if self.seconds == Some(0) {
            return Err(("seconds".to_owned(), "`seconds` is at least 1".to_owned()));
        }
        if self.seconds.is_some_and(|seconds| seconds > MOST_SECONDS) {
            let why = format!("`seconds` is at most {MOST_SECONDS}, which is a week");
            return Err(("seconds".to_owned(), why));
        }
        Ok(())
    }

    /// These, and what is asked for as well.
    #[must_use]
    pub fn with(&self, asked: &Permissions) -> Self {
        let Permissions {
            read,
            write,
            hosts,
            environment,
            subprocess,
            memory_bytes,
            seconds,
            packages,
            skills,
        } = asked;
        Self {
            read: both(&self.read, read),
            write: both(&self.write, write),
            hosts: both(&self.hosts, hosts),
            environment: both(&self.environment, environment),
            subprocess: self.subprocess || *subprocess,
            packages: self.packages || !packages.is_empty(),
            skills: both(&self.skills, skills),
            memory_bytes: memory_bytes.unwrap_or_default().max(self.memory_bytes),
            seconds: seconds
                .filter(|seconds| *seconds > self.seconds.unwrap_or(DEFAULT_SECONDS))
                .or(self.seconds),
        }
    }

    /// The entry of a policy that grants these to a skill.
    pub(crate) fn entry(&self, id: &str) -> String {
        #[derive(Serialize)]
        struct Entries<'a> {
            skills: BTreeMap<&'a str, &'a Grants>,
        }
        toml::to_string(&Entries { skills: BTreeMap::from([(id, self)]) }).unwrap_or_default()
    }

    /// The time limit of an attempt: what the step says, or else the run, and never more than granted, or than a week.
    pub(crate) fn timeout(&self, asked: Duration) -> Duration {
        asked.min(Duration::from_secs(self.seconds.map_or(MOST_SECONDS, |seconds| seconds.min(MOST_SECONDS))))
    }

    /// The variables that are granted and set.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let granted = self.environment.iter();
        granted.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
    }
}

/// What which skills are granted, as it stands in a file. The most particular entry counts, and it alone: that of the skill,
/// else that of the nearest namespace, else the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// For skills that no other entry names.
    pub default: Grants,
    /// By namespace; also for those below it.
    pub namespaces: BTreeMap<String, Grants>,
    /// By the skill's id, or the name of a skill that only this machine knows.
    pub skills: BTreeMap<String, Grants>,
}

/// A policy cannot be read. Nothing is granted then, and nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file.
    #[error("cannot read the policy `{}`", path.display())]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What stands in it.
    #[error("the policy `{}` is not valid: {what}", path.display())]
    Invalid {
        /// Where it is.
        path: PathBuf,
        /// What is wrong, with line and column.
        what: String,
    },
}

impl Policy {
    /// Reads a policy, TOML. Without the file, nothing is granted to anybody.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(PolicyError::Unreadable { path: path.to_owned(), source }),
        };
        Self::parse(&text).map_err(|what| PolicyError::Invalid { path: path.to_owned(), what })
    }

    /// Reads the text of a policy; says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let policy: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for (name, grants) in policy.entries() {
            grants.check().map_err(|(_, what)| format!("`{name}`: {what}"))?;
        }
        Ok(policy)
    }

    /// What a skill is granted. One that only this machine knows may be named with or without its namespace.
    pub fn grants(&self, id: &str) -> &Grants {
        let local = if id.contains('/') { None } else { Some(format!("{LOCAL_NAMESPACE}/{id}")) };
        let whole = local.as_deref().unwrap_or(id);
        let bare = whole.strip_prefix(LOCAL_NAMESPACE).and_then(|rest| rest.strip_prefix('/'));
        if let Some(grants) = self.skills.get(whole).or_else(|| self.skills.get(bare?)) {
            return grants;
        }
        whole.rsplit_once('/').map_or(&self.default, |(namespace, _)| self.grants_below(namespace))
    }

    /// What skills of a namespace are granted that have no entry of their own.
    pub fn grants_below(&self, namespace: &str) -> &Grants {
        let mut namespace = Some(namespace);
        while let Some(here) = namespace {
            if let Some(grants) = self.namespaces.get(here) {
                return grants;
            }
            namespace = here.rsplit_once('/').map(|(above, _)| above);
        }
        &self.default
    }

    /// Every entry with its name; the default first.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Grants)> {
        let named = self.namespaces.iter().chain(&self.skills).map(|(name, grants)| (name.as_str(), grants));
        std::iter::once(("default", &self.default)).chain(named)
    }
}

/// What a skill was kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// To read a file that was not granted.
    Read,
    /// To write a file that was not granted.
    Write,
    /// To open a socket.
    Network,
    /// To start a process.
    Subprocess,
    /// To look into, or trace, another process.
    Processes,
    /// To send a signal to a process that is not its own.
    Signal,
    /// To use a part of the kernel that no skill needs.
    Kernel,
    /// To call a skill that its file does not name.
    Skills,
}

impl Rule {
    /// The word as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Network => "network",
            Self::Subprocess => "subprocess",
            Self::Processes => "processes",
            Self::Signal => "signal",
            Self::Kernel => "kernel",
            Self::Skills => "skills",
        }
    }

    /// What to grant so that it would have been allowed, where that can be granted.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Read => "; grant `read` for the path to allow it",
            Self::Write => "; grant `write` for the path to allow it",
            Self::Subprocess => "; grant `subprocess` to allow it",
            Self::Network => "; grant the host with its port under `hosts` to allow it over TCP",
            Self::Skills => {
                "; name it in `skills` of `[tool.skillery]` in the file of the caller to allow it"
            }
            Self::Processes | Self::Signal | Self::Kernel => "; no skill may do that",
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_particular_entry_counts_alone() {
        let text = "
            [default]
            seconds = 10
            [namespaces.acme]
            subprocess = true
            [namespaces.'acme/data']
            read = ['/srv']
            [skills.'acme/data/csv']
            memory_bytes = 1073741824
        ";
        let policy: Policy = toml::from_str(text).unwrap();
        assert_eq!(policy.grants("other/x").seconds, Some(10));
        assert_eq!(policy.grants("local").seconds, Some(10));
        assert!(policy.grants("acme/x").subprocess);
        let local: Policy =
            toml::from_str("[skills.mine]\nseconds = 1\n[skills.'local/other']\nseconds = 2").unwrap();
        for (id, seconds) in [("mine", 1), ("local/mine", 1), ("other", 2), ("local/other", 2)] {
            assert_eq!(local.grants(id).seconds, Some(seconds), "{id}");
        }
        assert_eq!(policy.grants("acme/data/deep/x").read, [PathBuf::from("/srv")]);
        let csv = policy.grants("acme/data/csv");
        assert_eq!((csv.memory_bytes, csv.read.len(), csv.seconds), (1 << 30, 0, None));
    }

    #[test]
    fn what_cannot_be_granted_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        assert_eq!(Policy::read(&path).unwrap(), Policy::default());
        for (text, said) in [
            ("[default]\nread = ['data']", "`default`: `data` is not an absolute path without `..`"),
            (
                "[skills.x]\nwrite = ['/srv/../etc']",
                "`x`: `/srv/../etc` is not an absolute path without `..`",
            ),
            (
                "[skills.x]\nwrite = ['/proc/sys']",
                "`x`: `/proc/sys` is the sandbox's own, and cannot be granted",
            ),
            ("[skills.x]\nmemory_bytes = 1", "`x`: `memory_bytes` is at least 67108864"),
            (
                "[skills.x]\nseconds = 9223372036854775807",
                "`x`: `seconds` is at most 604800, which is a week",
            ),
            ("[skills.x]\nhosts = ['169.254.169.254:80']", "the address has a meaning on one link only"),
            ("[skills.x]\nhosts = ['a']", "`x`: `a`: a host is written `host:port`"),
            (
                "[skills.x]\nskills = ['acme/*']",
                "`x`: `acme/*` is neither the id of a skill nor a namespace: ",
            ),
            ("[default]\nnetwork = true", "unknown field `network`"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Policy::read(&path).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let many = Grants { write: vec!["/srv".into(); MAX_PATHS + 1], ..Grants::default() };
        assert_eq!(many.check().unwrap_err().1, "`write` has at most 256 entries");
    }

    #[test]
    fn no_attempt_takes_longer_than_a_week() {
        let week = Duration::from_secs(MOST_SECONDS);
        let forever = Grants { seconds: Some(u64::MAX), ..Grants::default() };
        assert_eq!(forever.timeout(Duration::MAX), week);
        assert_eq!(Grants::default().timeout(Duration::MAX), week);
        assert_eq!(forever.timeout(Duration::from_secs(3)), Duration::from_secs(3));
    }
}
