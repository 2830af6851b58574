//! What a reviewer needs to see: what changed from one version to another, and what was found.
//!
//! Reviewers read what a model will read. So what nobody would see is written out, and what is left out is told.

mod base85;
pub mod changelog;
pub mod comments;
mod compare;
mod lines;
mod patch;
mod said;

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillery_core::api::{DiffEnd, DiffResponse, FindingsResponse, VersionFinding};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::version::VersionError;
use skillery_core::{Digest, Limits, SkillId, Version};

use self::compare::{Pair, pairs};
use self::lines::Budget;
use crate::access::Caller;
use crate::app::App;
use crate::approvals::base;
use crate::blobs::BlobKey;
use crate::db::review as table;
use crate::db::skills::SkillRow;
use crate::db::versions::{self, VersionRow};
use crate::failure::{Failure, Result};
use crate::http::pages::Rendered;
use crate::skill;
use crate::turns::Turn;

/// How long lines of one diff are compared as well as can be; what is left then is compared as a whole.
const MOST_TIME: Duration = Duration::from_secs(1);

/// What a version is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Against {
    /// The version before it: the last one that reviewers approved before it was published, as [`base`] says. Nothing where
    /// there is none.
    #[default]
    Before,
    /// Nothing, so that everything is new.
    Nothing,
    /// This version.
    Version(Version),
}

impl FromStr for Against {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match text.trim() {
            // Telephones begin what is typed with a capital letter.
            none if none.eq_ignore_ascii_case("none") => Ok(Self::Nothing),
            version => version.parse().map(Self::Version),
        }
    }
}

/// Two versions that the caller may have, and their skill.
pub struct Ends {
    skill: SkillRow,
    from: Option<VersionRow>,
    to: VersionRow,
    /// The one file that is compared; nothing where all are.
    path: Option<String>,
}

impl Ends {
    /// The version and what it is compared with; with a path, that file of them alone.
    pub async fn of(
        app: &App,
        caller: &Caller,
        id: &SkillId,
        version: &Version,
        against: &Against,
        path: Option<String>,
    ) -> Result<Self> {
        let (skill, to) = skill::with_files(app, caller, id, version).await?;
        let from = match against {
            Against::Nothing => None,
            Against::Version(version) => Some(skill::with_files(app, caller, id, version).await?.1),
            Against::Before => {
                let position = Some(to.log_position);
                let before = table::handed_out_before(app.db.reader(), &skill.id.key(), position).await?;
                match base(&before, &to.version) {
                    Some(version) => versions::find(app.db.reader(), &skill.id.key(), version).await?,
                    None => None,
                }
            }
        };
        let ends = Self { skill, from, to, path };
        ends.check_path()?;
        Ok(ends)
    }

    fn check_path(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let sides = self.from.iter().chain([&self.to]);
        match sides.flat_map(|row| &row.files).any(|file| file.path == *path) {
            true => Ok(()),
            false => Err(skill::file_not_found(&self.skill.id, &self.to.version, path)),
        }
    }

    /// The older version; nothing where everything is new.
    pub fn older(&self) -> Option<&Version> {
        self.from.as_ref().map(|row| &row.version)
    }

    /// Everything that their lines, and what is said of them, depend on. What was published of a version never changes, but where
    /// it stands does: that is no part of what is kept by this.
    pub fn key(&self) -> String {
        let of = |row: &VersionRow| format!("{} {}", row.version, row.digest);
        let from = self.from.as_ref().map_or_else(|| "none".to_owned(), of);
        format!("{} {from} {} {}", self.skill.id, of(&self.to), self.path.as_deref().unwrap_or_default())
    }

    /// The packed files of both.
    async fn packed(&self, app: &App) -> Result<(Option<Bytes>, Bytes)> {
        let to = app.blobs.get(BlobKey::Bundle(self.to.digest)).await?;
        let from = match &self.from {
            Some(row) => Some(app.blobs.get(BlobKey::Bundle(row.digest)).await?),
            None => None,
        };
        Ok((from, to))
    }

    /// Compares them in this turn, and makes something of what they come to, on the same thread.
    pub async fn compare<T: Send + 'static>(
        self,
        app: &Arc<App>,
        turn: Turn,
        make: impl FnOnce(Compared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (from, to) = self.packed(app).await?;
        let app = Arc::clone(app);
        turn.work(move || make(self.compared(&app, from, &to)?)).await
    }

    fn compared(self, app: &App, from: Option<Bytes>, to: &[u8]) -> Result<Compared> {
        let limits = &app.settings.limits;
        let (id, from, to, path) = both(self, from, to)?;
        let deadline = Instant::now() + MOST_TIME;
        let mut budget = Budget::new(limits, deadline);
        let (pairs, unchanged) = pairs_of(from.as_ref(), &to, path.as_deref());
        let files: Vec<_> =
            pairs.iter().map(|pair| pair.compare(from.as_ref(), &to, limits, &mut budget)).collect();
        let in_time = Instant::now() < deadline;
        let before = match &from {
            Some(side) => found(app, &id, side)?,
            None => Vec::new(),
        };
        let diff = DiffResponse {
            unchanged,
            added: files.iter().map(|file| file.added).sum(),
            removed: files.iter().map(|file| file.removed).sum(),
            truncated: files.iter().any(|file| file.truncated),
            fields: said::fields(from.as_ref(), &to),
            dependencies: said::dependencies(&id, from.as_ref(), &to),
            permissions: said::permissions(from.as_ref(), &to),
            findings: said::new_findings(before, found(app, &id, &to)?),
            from: from.as_ref().map(Side::end),
            to: to.end(),
            files,
            id,
        };
        Ok(Compared { diff, in_time })
    }
}

/// What two versions come to.
pub struct Compared {
    /// What changed.
    pub diff: DiffResponse,
    /// Whether there was time to compare all lines as well as can be. Another time there may be.
    pub in_time: bool,
}

/// The files of one end.
struct Side {
    row: VersionRow,
    files: Vec<BundleFile>,
}

impl Side {
    fn unpack(row: VersionRow, packed: &[u8]) -> Result<Self> {
        let files = bundle::unpack(packed, &skill::stored_limits()).map_err(Failure::internal)?;
        Ok(Self { row, files })
    }

    fn bytes(&self, path: &str) -> &[u8] {
        self.files.iter().find(|file| file.path == path).map_or(&[], |file| &file.bytes)
    }

    fn end(&self) -> DiffEnd {
        DiffEnd { version: self.row.version.clone(), status: self.row.status, digest: self.row.digest }
    }
}

fn both(ends: Ends, from: Option<Bytes>, to: &[u8]) -> Result<(SkillId, Option<Side>, Side, Option<String>)> {
    let Ends { skill, from: row, to: newer, path } = ends;
    let from = match (row, from) {
        (Some(row), Some(packed)) => Some(Side::unpack(row, &packed)?),
        _ => None,
    };
    Ok((skill.id, from, Side::unpack(newer, to)?, path))
}

/// What changed from one version to another; with a path, of that file alone.
pub async fn diff(
    app: &Arc<App>,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    against: &Against,
    path: Option<String>,
) -> Result<DiffResponse> {
    let ends = Ends::of(app, caller, id, version, against, path).await?;
    let turn = app.reading.turn().await?;
    ends.compare(app, turn, |compared| Ok(compared.diff)).await
}

/// The same as a patch, which `git apply` and `patch` take. What is too large for it is named at its head.
pub async fn patch(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    against: &Against,
    path: Option<String>,
) -> Result<Vec<u8>> {
    let ends = Ends::of(app, caller, id, version, against, path).await?;
    let limits = app.settings.limits.clone();
    let turn = app.reading.turn().await?;
    let (from, to) = ends.packed(app).await?;
    turn.work(move || {
        let (id, from, to, path) = both(ends, from, &to)?;
        let (pairs, _) = pairs_of(from.as_ref(), &to, path.as_deref());
        patch::write(&id, from.as_ref(), &to, &pairs, &limits, Instant::now() + MOST_TIME)
    })
    .await
}

fn pairs_of<'a>(from: Option<&'a Side>, to: &'a Side, path: Option<&str>) -> (Vec<Pair<'a>>, u64) {
    let (mut pairs, unchanged) = pairs(from.map_or(&[], |side| &side.row.files), &to.row.files);
    if let Some(path) = path {
        pairs.retain(|pair| pair.paths().any(|known| known == path));
    }
    (pairs, unchanged)
}

/// What is found in a version that the caller may have: by the rules of today, whatever was found when it was published.
pub async fn findings(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
) -> Result<FindingsResponse> {
    let (skill, row) = skill::with_files(app, caller, id, version).await?;
    let (id, version, digest) = (skill.id, row.version.clone(), row.digest);
    let findings = match known(app, &id, &row)? {
        Some(known) => known,
        None => {
            let turn = app.reading.turn().await?;
            let packed = app.blobs.get(BlobKey::Bundle(digest)).await?;
            let skill = id.clone();
            let look = move || Ok(said::findings(&skill, &Side::unpack(row, &packed)?));
            let findings = turn.work(look).await?;
            remember(app, &id, digest, &findings)?;
            findings
        }
    };
    Ok(FindingsResponse { id, version, digest, findings })
}

/// What is found in one end, looked for where that is not known.
fn found(app: &App, id: &SkillId, side: &Side) -> Result<Vec<VersionFinding>> {
    if let Some(known) = known(app, id, &side.row)? {
        return Ok(known);
    }
    let findings = said::findings(id, side);
    remember(app, id, side.row.digest, &findings)?;
    Ok(findings)
}

/// By what it is known what was found. The rules stay the same while this program runs, and the bundle for ever; the name of the
/// skill is looked at, too.
fn findings_key(id: &SkillId, digest: Digest) -> String {
    format!("findings {digest} {id}")
}

fn known(app: &App, id: &SkillId, row: &VersionRow) -> Result<Option<Vec<VersionFinding>>> {
    let ready = app.rendered.get(&findings_key(id, row.digest));
    ready.map(|ready| serde_json::from_str(&ready).map_err(Failure::internal)).transpose()
}

fn remember(app: &App, id: &SkillId, digest: Digest, findings: &[VersionFinding]) -> Result<()> {
    let told = serde_json::to_string(findings).map_err(Failure::internal)?;
    app.rendered.insert(findings_key(id, digest), Rendered::from(told));
    Ok(())
}

/// Whether a file is text, and which.
fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// Whether a file is small enough for its lines to be compared.
fn is_comparable(text: &str, limits: &Limits) -> bool {
    text.len() <= limits.diff_file_bytes
        && text.bytes().filter(|byte| *byte == b'\n').count() < limits.diff_file_lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_may_be_compared_with_nothing() {
        assert_eq!("none".parse(), Ok(Against::Nothing));
        assert_eq!("1.0.0".parse(), "1.0.0".parse().map(Against::Version));
    }
}
