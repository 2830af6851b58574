//! What is run, and how a workflow names it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use skillery_core::bundle::{BundleFile, check_path};
use skillery_core::script::Permissions;
use skillery_core::{Digest, Version};
pub use skillery_core::{SkillName, SkillReference};

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
    /// Which of its scripts that is, without `.py`; the one with the skill's name where none is said.
    pub script: Option<String>,
    /// The other files of its folder, which lie beside the source when it runs.
    pub files: Vec<SkillFile>,
    /// What the policy grants it. What its manifest does not ask for, it does not have.
    pub grants: Grants,
}

impl SkillSource {
    /// What the skill's function is looked up by: the name of the script, or the last segment of the id.
    pub fn name(&self) -> &str {
        self.script.as_deref().unwrap_or_else(|| self.id.rsplit('/').next().unwrap_or(&self.id))
    }
}

/// A file of a skill that is a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillFile {
    /// Relative to the folder, with `/`.
    pub path: String,
    /// Whether it may be executed.
    pub executable: bool,
    /// Its content.
    pub bytes: Arc<[u8]>,
}

impl From<BundleFile> for SkillFile {
    fn from(file: BundleFile) -> Self {
        let BundleFile { path, executable, bytes } = file;
        Self { path, executable, bytes: bytes.into() }
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

/// Bytes of all files beside the code: what a sandbox has room for.
const MAX_FILES_BYTES: usize = 60 * 1024 * 1024;
/// Files and folders beside the code: the sandbox has room for some more (`nr_inodes` in `rooms.py`). The thousand files that a
/// registry takes fit, each fourteen folders deep.
const MAX_ENTRIES: usize = 16_000;

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
    /// The other files of its folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<PinnedFile>,
    /// Of the code; where there are other files, of all.
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

/// A file beside the code, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PinnedFile {
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) executable: bool,
    /// In base64.
    #[serde(serialize_with = "written", deserialize_with = "read")]
    pub(crate) content: Arc<str>,
}

fn written<S: Serializer>(content: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(content)
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(deserializer).map(Arc::from)
}

/// Contents of files, as they travel. Each script of a folder has all files of it, and they are in memory once.
#[derive(Debug, Default)]
pub(crate) struct Contents(HashMap<Digest, Arc<str>>);

impl Contents {
    fn of(&mut self, bytes: &[u8]) -> Arc<str> {
        let encode = || STANDARD.encode(bytes).into();
        Arc::clone(self.0.entry(Digest::of(bytes)).or_insert_with(encode))
    }
}

impl Pinned {
    /// Reads the content, and sees to it that all that it asks for is granted.
    pub(crate) fn read(
        source: &SkillSource,
        most: usize,
        contents: &mut Contents,
    ) -> Result<Self, (ProblemKind, String)> {
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
        let files = beside(&source.files, &path, contents).map_err(unreadable)?;
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
            code_hash: hash_of(&code, &files),
            code,
            files,
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

/// The files of the folder beside the code, by path.
fn beside(files: &[SkillFile], code: &str, contents: &mut Contents) -> Result<Vec<PinnedFile>, String> {
    let size: usize = files.iter().map(|file| file.bytes.len()).sum();
    if size > MAX_FILES_BYTES {
        return Err(format!("its files are over {MAX_FILES_BYTES} bytes"));
    }
    if !are_few(files) {
        return Err(format!("its files and the folders that they lie in are over {MAX_ENTRIES}"));
    }
    let mut pinned = Vec::with_capacity(files.len());
    for file in files.iter().filter(|file| file.path != code) {
        if check_path(&file.path).is_err() {
            return Err(format!("it has a path that is not allowed: `{}`", file.path.escape_debug()));
        }
        pinned.push(PinnedFile {
            path: file.path.clone(),
            executable: file.executable,
            content: contents.of(&file.bytes),
        });
    }
    pinned.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(pinned)
}

/// Whether files and folders are no more than a sandbox has room for.
fn are_few(files: &[SkillFile]) -> bool {
    let mut folders = HashSet::new();
    for (number, file) in files.iter().enumerate() {
        // From the innermost, as all that are above a known one are known.
        let mut path = file.path.as_str();
        while let Some((folder, _)) = path.rsplit_once('/')
            && folders.insert(folder)
        {
            path = folder;
        }
        if number + 1 + folders.len() > MAX_ENTRIES {
            return false;
        }
    }
    true
}

fn hash_of(code: &str, files: &[PinnedFile]) -> Digest {
    let mut hash = Digest::of(code.as_bytes());
    for file in files {
        let line = format!("{hash}\n{}\n{}\n{}", file.path, file.executable, file.content);
        hash = Digest::of(line.as_bytes());
    }
    hash
}

fn read_text(path: &Path, most: usize) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let mut bytes = Vec::new();
    // One byte more than may be, so that a file that grows meanwhile is noticed too.
    let read = std::fs::File::open(path).map_err(failed)?.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| format!("`{}` is not UTF-8", path.display()))
}
