//! What is run, and how a workflow names it.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use skillery_core::script::Permissions;
use skillery_core::{Digest, Segment, SkillId, Version, VersionRequest};

use crate::permissions::{Settled, refusal, settle};
use crate::policy::Grants;
use crate::problems::ProblemKind;
use crate::requirement::Requirement;

/// The code of one version of a skill. The caller has checked its digest and, where it wants to, its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillSource {
    /// `org/name`, or the bare name of a skill that only this machine knows.
    pub id: String,
    /// The version that a run is pinned to.
    pub version: Version,
    /// The Python source.
    pub code: SkillCode,
    /// What the policy grants it. What its manifest does not ask for, it does not have.
    pub grants: Grants,
}

impl SkillSource {
    /// The last segment of the id, which the skill's function is looked up by.
    pub fn name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }
}

/// Where the Python source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkillCode {
    /// The source itself.
    Text(String),
    /// A file, read when the run begins, and not again.
    File(PathBuf),
}

/// How a step names its skill: `name`, `org/name`, with `@version` or `@range` behind it if need be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillReference {
    /// Which skill.
    pub name: SkillName,
    /// Which version; the latest that is installed when the step does not say.
    pub version: VersionRequest,
}

/// A skill's name with or without its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SkillName {
    /// The last segment alone, for the caller to find.
    Name(Segment),
    /// The whole id.
    Id(SkillId),
}

/// Turns the reference of a step into content. The text of its `Err` is shown behind the step's and the skill's
/// name, so it says only why. Called once for each distinct reference of a run, before anything runs.
pub type Resolver<'a> = dyn Fn(&SkillReference) -> Result<SkillSource, String> + Send + Sync + 'a;

/// A skill as a run holds it: the content is in memory, so that nothing can change it before the last step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pinned {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Where the file is, in the folder of the skill.
    pub(crate) path: String,
    pub(crate) code: String,
    pub(crate) code_hash: Digest,
    /// What it has: what it asks for and is granted.
    pub(crate) grants: Grants,
    /// What the policy grants it.
    pub(crate) granted: Grants,
    /// The packages that it has.
    pub(crate) packages: BTreeSet<Requirement>,
    /// The skills that it calls, as it writes them.
    pub(crate) skills: Vec<String>,
    /// How long an attempt may take, where the skill says so.
    seconds: Option<u64>,
}

impl Pinned {
    /// Reads the content, and sees to it that all that it asks for is granted.
    pub(crate) fn read(source: &SkillSource, most: usize) -> Result<Self, (ProblemKind, String)> {
        let unreadable = |why| (ProblemKind::SkillUnreadable, why);
        let name = source.name().to_owned();
        let code = match &source.code {
            SkillCode::Text(code) => code.clone(),
            SkillCode::File(path) => read_text(path, most).map_err(unreadable)?,
        };
        // Some editors put a mark in front of the first line, and Python skips it in files only.
        let code = code.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(code);
        let path = format!("scripts/{name}.py");
        if code.len() > most {
            return Err(unreadable(format!("its code is over {most} bytes")));
        }
        let Settled { asks, missing, grants, packages, skills } =
            settle(&code, &source.grants).map_err(|error| {
                (ProblemKind::BadManifest, format!("what it says of itself cannot be read: {error}"))
            })?;
        if missing != Permissions::default() {
            return Err((ProblemKind::NotGranted, refusal(&source.id, &source.grants, &missing)));
        }
        Ok(Self {
            id: source.id.clone(),
            name,
            version: source.version.to_string(),
            path,
            code_hash: Digest::of(code.as_bytes()),
            code,
            grants,
            granted: source.grants.clone(),
            packages,
            skills,
            seconds: asks.and_then(|asks| asks.seconds),
        })
    }

    /// How long an attempt may take: what the step says, or else the skill, or else the run; never more than granted.
    pub(crate) fn timeout(&self, step: Option<Duration>, run: Duration) -> Duration {
        let asked = step.or(self.seconds.map(Duration::from_secs));
        self.grants.timeout(asked.unwrap_or(run))
    }
}

fn read_text(path: &Path, most: usize) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let mut bytes = Vec::new();
    // One byte more than may be, so that a file that grows meanwhile is noticed too.
    let read = std::fs::File::open(path).map_err(failed)?.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| format!("`{}` is not UTF-8", path.display()))
}

impl FromStr for SkillReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        let name = if name.contains('/') {
            name.parse().map(SkillName::Id)
        } else {
            name.parse().map(SkillName::Name)
        };
        if text.ends_with('@') {
            return Err("nothing stands behind the `@`".to_owned());
        }
        Ok(Self {
            name: name.map_err(|error| error.to_string())?,
            version: version
                .parse()
                .map_err(|error: skillery_core::version::VersionError| error.to_string())?,
        })
    }
}

impl fmt::Display for SkillName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Name(name) => name.as_str(),
            Self::Id(id) => id.as_str(),
        })
    }
}

impl fmt::Display for SkillReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            VersionRequest::Latest => self.name.fmt(formatter),
            version => write!(formatter, "{}@{version}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for text in ["slugify", "acme/slugify", "acme/text/slugify@1.0.0", "slugify@^1.2"] {
            assert_eq!(text.parse::<SkillReference>().unwrap().to_string(), text);
        }
        for text in ["", "@1.0.0", "slugify@", "Slugify", "acme//x", "a@b@c", "slugify@one"] {
            assert!(text.parse::<SkillReference>().is_err(), "{text}");
        }
    }
}
