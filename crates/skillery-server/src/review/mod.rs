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
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillery_core::api::{DiffEnd, DiffResponse, FindingsResponse, VersionFinding};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::version::VersionError;
use skillery_core::{Limits, SkillId, Version};

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
        match text {
            "none" => Ok(Self::Nothing),
            version => version.parse().map(Self::Version),
        }
    }
}

/// Two versions that the caller may have, and their skill.
struct Ends {
    skill: SkillRow,
    from: Option<VersionRow>,
    to: VersionRow,
}

async fn ends(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    against: &Against,
) -> Result<Ends> {
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
    Ok(Ends { skill, from, to })
}

/// The packed files of both ends, with the right to unpack them.
struct Packed {
    turn: Turn,
    from: Option<Bytes>,
    to: Bytes,
}

async fn packed(app: &App, ends: &Ends) -> Result<Packed> {
    let turn = app.reading.turn().await?;
    let to = app.blobs.get(BlobKey::Bundle(ends.to.digest)).await?;
    let from = match &ends.from {
        Some(row) => Some(app.blobs.get(BlobKey::Bundle(row.digest)).await?),
        None => None,
    };
    Ok(Packed { turn, from, to })
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

fn both(ends: Ends, from: Option<Bytes>, to: &[u8]) -> Result<(SkillId, Option<Side>, Side)> {
    let Ends { skill, from: row, to: newer } = ends;
    let from = match (row, from) {
        (Some(row), Some(packed)) => Some(Side::unpack(row, &packed)?),
        _ => None,
    };
    Ok((skill.id, from, Side::unpack(newer, to)?))
}

/// What changed from one version to another; with a path, of that file alone.
pub async fn diff(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    against: &Against,
    path: Option<String>,
) -> Result<DiffResponse> {
    let ends = ends(app, caller, id, version, against).await?;
    check_path(&ends, path.as_deref())?;
    let limits = app.settings.limits.clone();
    let Packed { turn, from, to } = packed(app, &ends).await?;
    turn.work(move || {
        let (id, from, to) = both(ends, from, &to)?;
        let mut budget = Budget::new(&limits, Instant::now() + MOST_TIME);
        let (pairs, unchanged) = pairs_of(from.as_ref(), &to, path.as_deref());
        let files: Vec<_> =
            pairs.iter().map(|pair| pair.compare(from.as_ref(), &to, &limits, &mut budget)).collect();
        let findings = said::new_findings(&id, from.as_ref(), &to);
        Ok(DiffResponse {
            unchanged,
            added: files.iter().map(|file| file.added).sum(),
            removed: files.iter().map(|file| file.removed).sum(),
            truncated: files.iter().any(|file| file.truncated),
            fields: said::fields(from.as_ref(), &to),
            dependencies: said::dependencies(&id, from.as_ref(), &to),
            permissions: said::permissions(from.as_ref(), &to),
            findings,
            from: from.as_ref().map(Side::end),
            to: to.end(),
            files,
            id,
        })
    })
    .await
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
    let ends = ends(app, caller, id, version, against).await?;
    check_path(&ends, path.as_deref())?;
    let limits = app.settings.limits.clone();
    let Packed { turn, from, to } = packed(app, &ends).await?;
    turn.work(move || {
        let (id, from, to) = both(ends, from, &to)?;
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

fn check_path(ends: &Ends, path: Option<&str>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let sides = ends.from.iter().chain([&ends.to]);
    match sides.flat_map(|row| &row.files).any(|file| file.path == path) {
        true => Ok(()),
        false => Err(skill::file_not_found(&ends.skill.id, &ends.to.version, path)),
    }
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
    // The rules stay the same while this program runs, and the bundle for ever; the name of the skill is looked at, too.
    let key = format!("findings {digest} {id}");
    let ready = match app.rendered.get(&key) {
        Some(ready) => ready,
        None => {
            let turn = app.reading.turn().await?;
            let packed = app.blobs.get(BlobKey::Bundle(digest)).await?;
            let skill = id.clone();
            let look = move || {
                let findings = said::findings(&skill, &Side::unpack(row, &packed)?);
                Ok(Rendered::from(serde_json::to_string(&findings).map_err(Failure::internal)?))
            };
            let ready = turn.work(look).await?;
            app.rendered.insert(key, Rendered::clone(&ready));
            ready
        }
    };
    let findings: Vec<VersionFinding> = serde_json::from_str(&ready).map_err(Failure::internal)?;
    Ok(FindingsResponse { id, version, digest, findings })
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
