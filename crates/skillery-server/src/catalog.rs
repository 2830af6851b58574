//! What the clients of others are offered: versions that can be downloaded, of skills that the caller sees.

use std::sync::Arc;

use bytes::Bytes;
use skillery_core::bundle::{self, BundleFile};
use skillery_core::{Namespace, ProblemCode, SkillId, Version, VersionRequest, VersionStatus, Visibility};

use crate::access::Caller;
use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::skills::{self, SkillRow};
use crate::db::versions::{self, VersionRow};
use crate::failure::{Failure, Result};
use crate::skill::{self, stored_limits, version_not_found};

/// A version of a skill as it is offered.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The id as it was first spelled.
    pub id: SkillId,
    /// Who sees the skill.
    pub visibility: Visibility,
    /// The version.
    pub row: VersionRow,
}

impl Offer {
    /// What the skill is called where names are those of the Agent Skills format: letters, digits and single hyphens.
    pub fn name(&self) -> String {
        bundle::skill_name(&self.id)
    }

    /// The bundle, as it is stored: one ZIP for ever.
    pub async fn bundle(&self, app: &App) -> Result<Bytes> {
        app.blobs.get(BlobKey::Bundle(self.row.digest)).await
    }

    /// The files of the bundle.
    pub async fn files(&self, app: &App) -> Result<Vec<BundleFile>> {
        let packed = self.bundle(app).await?;
        let unpack = move || bundle::unpack(&packed, &stored_limits());
        tokio::task::spawn_blocking(unpack).await.map_err(Failure::internal)?.map_err(Failure::internal)
    }
}

/// The latest versions of the skills of a namespace that the caller sees, without those of namespaces below, by key: at
/// most `limit` with a key above `after`.
pub async fn in_namespace(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    after: &str,
    limit: usize,
) -> Result<Vec<Offer>> {
    let mut offers = Vec::new();
    let mut after = after.to_owned();
    while offers.len() < limit {
        let wanted = limit - offers.len();
        let page = versions::latest_in(&app.db, &namespace.key(), &after, wanted as i64).await?;
        let is_last = page.len() < wanted;
        if let Some((skill, _)) = page.last() {
            after = skill.id.key();
        }
        let seen = page.into_iter().filter(|(skill, _)| caller.sees(skill.visibility, &namespace.key()));
        offers.extend(seen.map(|(skill, row)| offer(skill, row)));
        if is_last {
            break;
        }
    }
    Ok(offers)
}

/// One version of a skill that the caller sees. Of one that was yanked only when it is named; of one that is quarantined
/// never.
pub async fn one(app: &App, caller: &Caller, id: &SkillId, request: &VersionRequest) -> Result<Offer> {
    let skill = skill::find(app, caller, id).await?;
    let version = skill::choose(app, &skill, request).await?;
    let row = versions::find(app.db.reader(), &id.key(), &version).await?;
    match row {
        Some(row) if is_offered(&row) => Ok(offer(skill, row)),
        Some(row) if row.status == VersionStatus::Quarantined => Err(Failure::new(
            ProblemCode::VersionQuarantined,
            format!("{} {} is quarantined: {}", skill.id, row.version, row.reason.unwrap_or_default()),
        )),
        _ => Err(version_not_found(&skill.id, request)),
    }
}

/// The versions of a skill that are published, the highest first. Those that were yanked are not among them.
pub async fn published(app: &App, caller: &Caller, id: &SkillId) -> Result<Vec<Offer>> {
    let skill = Arc::new(skill::find(app, caller, id).await?);
    let mut rows = versions::all(&app.db, &id.key()).await?;
    rows.retain(|row| row.status == VersionStatus::Published);
    rows.sort_by(|left, right| right.version.cmp(&left.version));
    Ok(rows.into_iter().map(|row| offer(SkillRow::clone(&skill), row)).collect())
}

/// Notes that a version was handed out with its content.
pub fn note_install(app: &App, id: &SkillId, version: &Version) {
    app.counters.count_install(&id.key(), version);
    app.metrics.downloaded();
}

fn is_offered(row: &VersionRow) -> bool {
    matches!(row.status, VersionStatus::Published | VersionStatus::Yanked)
}

fn offer(skill: SkillRow, row: VersionRow) -> Offer {
    let skills::SkillRow { id, visibility, .. } = skill;
    Offer { id, visibility, row }
}
