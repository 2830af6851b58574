//! Publishing what is there already: the same again, or something else under the same name.

use skillery_core::api::PublishResponse;
use skillery_core::{Problem, ProblemCode, VersionStatus};

use crate::db::skills::SkillRow;
use crate::db::versions::VersionRow;
use crate::draft::Draft;
use crate::failure::{Failure, Result};

/// What publishing did.
#[derive(Debug)]
pub enum Published {
    /// There is a new version.
    New(PublishResponse),
    /// The identical version was there already.
    Again(PublishResponse),
}

/// A version is there already: the same one answers as the first time, another one is refused.
pub fn compare(skill: &SkillRow, existing: Option<VersionRow>, draft: &Draft) -> Result<Published> {
    let new = &draft.row;
    let Some(existing) = existing else {
        return Err(Failure::internal(format!("{} {} was there a moment ago", draft.id, new.version)));
    };
    let mut different = Vec::new();
    let mut check = |field: &'static str, same: bool| {
        if !same {
            different.push(field);
        }
    };
    check("kind", existing.kind == new.kind);
    check("code", existing.code_hash == new.code_hash);
    check("description", existing.description == new.description);
    check("license", existing.license == new.license);
    check("tags", existing.tags == new.tags);
    check("homepage", existing.homepage == new.homepage);
    check("repository", existing.repository == new.repository);
    check("author", !draft.has_author || existing.author == new.author);
    check("signature", new.signature.is_none() || existing.signature == new.signature);
    if different.is_empty() && existing.digest == new.digest {
        return Ok(Published::Again(response(skill, &existing)));
    }
    let standing = match existing.status {
        VersionStatus::Pending => "waits for approval already",
        VersionStatus::Rejected => "was rejected",
        VersionStatus::Published | VersionStatus::Yanked | VersionStatus::Quarantined => {
            "is published already"
        }
    };
    let detail = format!("{} {} {standing}, and differs in: {}", skill.id, new.version, different.join(", "));
    let problem = Problem::new(ProblemCode::VersionExists, detail);
    Err(problem.with("different", different).into())
}

/// What a publisher is answered.
pub fn response(skill: &SkillRow, row: &VersionRow) -> PublishResponse {
    PublishResponse {
        id: skill.id.to_string(),
        version: row.version.to_string(),
        status: row.status,
        created_at: skill.created_at.to_string(),
        updated_at: row.created_at.to_string(),
        digest: row.digest.to_string(),
        log_index: u64::try_from(row.log_position).unwrap_or(0),
        proof: String::new(),
    }
}
