//! Owners and slugs: what ClawHub calls namespaces and names.

use axum::http::StatusCode;
use serde::Serialize;
use skillery_core::id::SkillId;
use skillery_core::{Namespace, ProblemCode};

use super::{Refused, Result};
use crate::access::Caller;
use crate::app::App;
use crate::db::listing;
use crate::db::skills::{self, SkillRow};
use crate::failure::Failure;
use crate::http::call;
use crate::http::interop::one_segment;

/// Rows that are looked at at once.
const ROWS: i64 = 200;
/// Skills of one name that an answer lists.
const MATCHES: usize = 20;

/// What a skill is called there: the last segment of its key, which is unique in its namespace and has no `_` and `.`.
pub fn slug_of(id: &SkillId) -> String {
    id.key().rsplit('/').next().unwrap_or_default().to_owned()
}

/// The namespace that an owner is. Some commands put an `@` before it, and some keep the case in which it was typed.
pub fn namespace_of(owner: &str) -> Option<Namespace> {
    let owner = owner.trim();
    owner.strip_prefix('@').unwrap_or(owner).to_lowercase().replace('~', "/").parse().ok()
}

/// The id that owner and slug are together.
pub fn id_of(owner: &str, slug: &str) -> Option<SkillId> {
    format!("{}/{}", namespace_of(owner)?, slug.trim().to_lowercase()).parse().ok()
}

fn not_found() -> Failure {
    Failure::new(ProblemCode::SkillNotFound, "")
}

/// The skill that is meant, of those that the caller sees. Without an owner it must be the only one of its name. `base` is
/// how the registry is reached from outside.
pub async fn find(
    app: &App,
    caller: &Caller,
    base: &str,
    slug: &str,
    owner: Option<&str>,
) -> Result<SkillRow> {
    if let Some(owner) = named_owner(owner) {
        return owned(app, caller, slug, owner).await;
    }
    let mut seen = named(app, caller, slug, MATCHES + 1).await?;
    // One that nobody can install stands in nobody's way, but can be named.
    if seen.iter().any(|skill| skill.latest.is_some()) {
        seen.retain(|skill| skill.latest.is_some());
    }
    only(base, slug, seen)
}

/// As [`find`], for a skill that is to be changed: it must be the only one of its name, whether it can be installed or not.
/// Otherwise whoever takes back that theirs was deleted would change somebody else's.
pub async fn find_to_change(
    app: &App,
    caller: &Caller,
    base: &str,
    slug: &str,
    owner: Option<&str>,
) -> Result<SkillRow> {
    match named_owner(owner) {
        Some(owner) => owned(app, caller, slug, owner).await,
        None => only(base, slug, named(app, caller, slug, MATCHES + 1).await?),
    }
}

fn named_owner(owner: Option<&str>) -> Option<&str> {
    owner.filter(|owner| !owner.trim().is_empty())
}

async fn owned(app: &App, caller: &Caller, slug: &str, owner: &str) -> Result<SkillRow> {
    let id = id_of(owner, slug).ok_or_else(not_found)?;
    let skill = skills::find(app.db.reader(), &id.key()).await?;
    Ok(caller.see(&id, skill)?)
}

fn only(base: &str, slug: &str, mut seen: Vec<SkillRow>) -> Result<SkillRow> {
    match seen.len() {
        0 => Err(not_found().into()),
        1 => Ok(seen.remove(0)),
        _ => Err(ambiguous(base, slug, &seen)),
    }
}

/// Skills of this name in any namespace that the caller sees, at most so many.
pub async fn named(app: &App, caller: &Caller, slug: &str, limit: usize) -> Result<Vec<SkillRow>> {
    // Any namespace makes a good id of a good name.
    let Some(id) = id_of("any", slug) else { return Ok(Vec::new()) };
    let name = slug_of(&id);
    let mut seen = Vec::new();
    let mut after = i64::MIN;
    loop {
        let page = listing::named(&app.db, &name, after, ROWS).await?;
        let is_last = page.len() < ROWS as usize;
        if let Some(last) = page.last() {
            after = last.number;
        }
        seen.extend(
            page.into_iter().filter(|skill| caller.sees(skill.visibility, &skill.id.namespace().key())),
        );
        if is_last || seen.len() >= limit {
            seen.truncate(limit);
            return Ok(seen);
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    owner_handle: String,
    slug: String,
    #[serde(rename = "ref")]
    reference: String,
    url: String,
}

#[derive(Serialize)]
struct Ambiguous {
    code: &'static str,
    message: String,
    matches: Vec<Match>,
}

/// The one failure that the program reads as JSON: it lists what could be meant.
fn ambiguous(base: &str, slug: &str, skills: &[SkillRow]) -> Refused {
    let matches: Vec<Match> = skills
        .iter()
        .take(MATCHES)
        .map(|skill| {
            let (owner, slug) = (one_segment(&skill.id.namespace()), slug_of(&skill.id));
            Match {
                reference: format!("@{owner}/{slug}"),
                url: format!("{base}/{}", skill.id),
                owner_handle: owner,
                slug,
            }
        })
        .collect();
    let shown = crate::text::named(slug);
    let message = format!("several skills are called `{shown}`; say whose, as `{}`", matches[0].reference);
    let body = Ambiguous { code: "AMBIGUOUS_SKILL_SLUG", message, matches };
    match call::json(StatusCode::CONFLICT, &body) {
        Ok(response) => Refused::Ready(Box::new(response)),
        Err(failure) => failure.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_and_slugs_are_ids_and_back() {
        let id: SkillId = "acme/email/check_it".parse().unwrap();
        assert_eq!((one_segment(&id.namespace()), slug_of(&id)), ("acme~email".into(), "check-it".into()));
        let back = id_of("@Acme~Email", " Check-It ").unwrap();
        assert_eq!(back.key(), id.key());
        for (owner, slug) in
            [("", "x"), ("@", "x"), ("a/../b", "x"), ("acme", "../x"), ("acme", ""), ("acme", "download")]
        {
            assert!(id_of(owner, slug).is_none(), "{owner} {slug}");
        }
    }
}
