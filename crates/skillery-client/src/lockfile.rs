//! `skillery.lock`: exactly which versions a project uses, so that everybody installs the same bytes.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use skillery_core::tlog::VerifierKey;
use skillery_core::{Dependencies, Digest, SkillId, Version, VersionRequest};

use crate::error::{Error, Result};
use crate::files::{self, Readers};
use crate::library::Manifest;
use crate::log::{Believed, LogError, Offered, STATEMENT_FILE, check_kept_by};
use crate::resolve::Want;

/// The file's name.
pub const LOCK_FILE: &str = "skillery.lock";

/// The form that is written. What is not `wanted` in it is only needed.
const FORMAT: u32 = 2;
/// The form before, which may not say what was wanted: it had what somebody asked for, and later what that needs too.
const FORMAT_OF_BEFORE: u32 = 1;

const HEAD: &str = "# Made by `skillery install`. Keep it in version control, and do not edit it.\n";

/// One version of one skill, pinned by its digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedSkill {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// SHA-256 of the bundle.
    pub digest: Digest,
    /// SHA-256 of the code.
    pub code_hash: Digest,
    /// Where it came from.
    pub registry: String,
    /// The key of the log that it was proven to be in: `origin+id+base64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_key: Option<String>,
    /// The number of the log entry that published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// The proof of that (c2sp.org/tlog-proof).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// SHA-256 of the statement that was signed, where a signature was demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Digest>,
    /// What was asked for, where it was, and not only needed: `^1.2`, or `latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The skills that it needs: `acme/base ^1.2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

/// The locked skills of a project, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockfile {
    skills: Vec<LockedSkill>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    version: u32,
    #[serde(default, rename = "skill", skip_serializing_if = "Vec::is_empty")]
    skills: Vec<LockedSkill>,
}

impl Lockfile {
    /// Reads a lock file; nothing when there is none.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::disk("read the lock file")(error)),
        };
        let bad = |reason: String| Error::BadFile { path: path.display().to_string(), source: reason.into() };
        let form: FileForm = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if !matches!(form.version, FORMAT | FORMAT_OF_BEFORE) {
            let version = form.version;
            return Err(bad(format!(
                "its format is {version}, and this program reads {FORMAT_OF_BEFORE} and {FORMAT}"
            )));
        }
        let mut lockfile = Self::default();
        for skill in form.skills {
            if lockfile.get(&skill.id).is_some() {
                return Err(bad(format!("`{}` is in it twice", skill.id)));
            }
            lockfile.insert(skill);
        }
        if form.version == FORMAT_OF_BEFORE {
            lockfile.fill_wanted()?;
        }
        Ok(Some(lockfile))
    }

    /// Writes the file: the old one or the new one, never half. The same skills give the same bytes.
    pub fn save(&self, path: &Path) -> Result<()> {
        let form = FileForm { version: FORMAT, skills: self.skills.clone() };
        let body = toml::to_string(&form).map_err(Error::internal("write the lock file as TOML"))?;
        files::write_atomically(path, format!("{HEAD}{body}").as_bytes(), Readers::Mask)
            .map_err(Error::disk(format!("write {}", path.display())))
    }

    /// All skills, by id.
    pub fn skills(&self) -> &[LockedSkill] {
        &self.skills
    }

    /// In the form before, what nobody needs was wanted, if that is not written: of a prerelease that very version, as nothing else
    /// brings one.
    fn fill_wanted(&mut self) -> Result<()> {
        let needed = self.needed()?;
        for skill in &mut self.skills {
            if skill.wanted.is_none() && !needed.contains(&skill.id.key()) {
                skill.wanted = Some(match skill.version.is_prerelease() {
                    true => skill.version.to_string(),
                    false => VersionRequest::Latest.to_string(),
                });
            }
        }
        Ok(())
    }

    /// The keys of what its skills need.
    fn needed(&self) -> Result<BTreeSet<String>> {
        let mut needed = BTreeSet::new();
        for skill in &self.skills {
            needed.extend(skill.needs()?.into_iter().map(|need| need.id.key()));
        }
        Ok(needed)
    }

    /// What was asked for of this registry.
    pub fn wants(&self, registry: &str) -> Result<Vec<Want>> {
        let of_here = self.skills.iter().filter(|skill| skill.registry == registry);
        of_here
            .filter_map(|skill| Some((skill, skill.wanted.as_deref()?)))
            .map(|(skill, wanted)| Ok(Want { id: skill.id.clone(), request: wanted.parse()? }))
            .collect()
    }

    /// Locks a skill no more for its own sake: it stays as long as others need it, and what nobody needs then goes.
    pub fn release(&mut self, id: &SkillId) -> Result<()> {
        let Some(place) = self.skills.iter().position(|skill| skill.id.key() == id.key()) else {
            return Ok(());
        };
        self.skills[place].wanted = None;
        let mut kept = BTreeSet::new();
        let mut next: Vec<&LockedSkill> = self.skills.iter().filter(|skill| skill.wanted.is_some()).collect();
        while let Some(skill) = next.pop() {
            if kept.insert(skill.id.key()) {
                next.extend(skill.needs()?.iter().filter_map(|need| self.get(&need.id)));
            }
        }
        self.skills.retain(|skill| kept.contains(&skill.id.key()));
        Ok(())
    }

    /// Whether everything that its skills need is in it, in a version that will do.
    pub fn check_complete(&self) -> Result<()> {
        let bad = |reason: String| Error::BadFile { path: LOCK_FILE.to_owned(), source: reason.into() };
        for skill in &self.skills {
            for need in skill.needs()? {
                match self.get(&need.id) {
                    None => return Err(bad(format!("`{}` needs {need}, which is not in it", skill.id))),
                    Some(locked) if need.will_do(&locked.version) => {}
                    Some(locked) => {
                        let version = &locked.version;
                        return Err(bad(format!("`{}` needs {need}, and it has {version}", skill.id)));
                    }
                }
            }
        }
        Ok(())
    }

    /// What is locked for a skill.
    pub fn get(&self, id: &SkillId) -> Option<&LockedSkill> {
        self.skills.iter().find(|skill| skill.id.key() == id.key())
    }

    /// Locks a version, in place of the one that was locked before.
    pub fn insert(&mut self, skill: LockedSkill) {
        self.remove(&skill.id);
        let place = self.skills.partition_point(|other| other.id < skill.id);
        self.skills.insert(place, skill);
    }

    /// Locks a skill no more. Whether it was.
    pub fn remove(&mut self, id: &SkillId) -> bool {
        let before = self.skills.len();
        self.skills.retain(|skill| skill.id.key() != id.key());
        self.skills.len() < before
    }
}

impl LockedSkill {
    /// What to lock for an installed version with its proof; nothing for one that was made here, as nobody else can get
    /// it.
    pub fn of(manifest: &Manifest, proof: Option<String>) -> Option<Self> {
        Some(Self {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            digest: manifest.digest,
            code_hash: manifest.code_hash,
            registry: manifest.registry.clone()?,
            log_key: manifest.log_key.clone(),
            log_index: manifest.log_index,
            proof,
            statement: manifest.kept_files.get(STATEMENT_FILE).copied(),
            wanted: None,
            needs: Vec::new(),
        })
    }

    /// The skills that it needs.
    pub fn needs(&self) -> Result<Vec<Want>> {
        let bad = |error: skillery_core::dependency::DependencyError| Error::BadFile {
            path: LOCK_FILE.to_owned(),
            source: format!("`needs` of `{}`: {error}", self.id).into(),
        };
        self.needs
            .iter()
            .map(|text| {
                let (id, range) = text.split_once(' ').unwrap_or((text, ""));
                let (id, request) = Dependencies::one(id, range).map_err(bad)?;
                Ok(Want { id, request })
            })
            .collect()
    }

    /// The key of the log.
    pub fn log_key(&self) -> Result<Option<VerifierKey>> {
        let what = || format!("`log_key` of `{}` in `{LOCK_FILE}`", self.id);
        self.log_key.as_deref().map(|key| crate::config::parse_log_key(key, &what())).transpose()
    }

    /// Checks the proof in the lock file by itself: that the version was published with these digests in the log of this
    /// key.
    pub fn check_proof(&self) -> Result<u64> {
        let (id, version) = (self.id.clone(), self.version.clone());
        let key = self.log_key()?.ok_or(LogError::NoProof { id, version })?;
        self.check_proof_by(&[key.into()])
    }

    /// As [`LockedSkill::check_proof`], by keys that are known otherwise.
    pub fn check_proof_by(&self, keys: &[Believed]) -> Result<u64> {
        let (id, version) = (&self.id, &self.version);
        let no_proof = || LogError::NoProof { id: id.clone(), version: version.clone() };
        let text = self.proof.as_deref().ok_or_else(no_proof)?;
        let (digest, code_hash) = (self.digest, self.code_hash);
        let offered = Offered { id, version, digest, code_hash, files: &[], said: None };
        Ok(check_kept_by(text, keys, &offered)?.1)
    }
}
