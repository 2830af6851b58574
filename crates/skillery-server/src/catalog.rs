//! What the clients of others are offered: versions that can be downloaded, of skills that the caller sees.

use std::collections::BTreeMap;

use bytes::Bytes;
use skillery_core::bundle::{self, BundleFile};
use skillery_core::{
    Namespace, Problem, ProblemCode, SkillId, Version, VersionRequest, VersionStatus, Visibility,
};

use crate::access::Caller;
use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::skills::{self, SkillRow};
use crate::db::versions::{self, VersionRow};
use crate::failure::Result;
use crate::skill::{self, version_not_found};

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

    /// What the skill is for, in at most so many UTF-16 code units, as the Agent Skills format counts; never nothing.
    pub fn description(&self, most: usize) -> String {
        described(&self.id, &self.row.description, most)
    }

    /// What whoever gets it is told of it.
    pub fn warning(&self) -> Option<String> {
        skill::said_of(&self.id, &self.row)
    }

    /// The bundle, as it is stored: one ZIP for ever.
    pub async fn bundle(&self, app: &App) -> Result<Bytes> {
        app.blobs.get(BlobKey::Bundle(self.row.digest)).await
    }

    /// One file of the bundle. A turn bounds how many bundles are in memory for it.
    pub async fn file(&self, app: &App, path: &str) -> Result<Option<BundleFile>> {
        if !self.row.files.iter().any(|file| file.path == path) {
            return Ok(None);
        }
        skill::file(app, &self.row, path).await.map(Some)
    }
}

/// What a skill is for, as [`Offer::description`] has it.
pub fn described(id: &SkillId, description: &str, most: usize) -> String {
    match description.trim() {
        "" => format!("The skill {id}."),
        text => shorten(text, most),
    }
}

/// The latest versions of the skills of a namespace that the caller sees, without those of namespaces below, by key: at
/// most `limit` with a key above `after`.
async fn in_namespace(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    after: &str,
    limit: usize,
) -> Result<Vec<Offer>> {
    let key = namespace.key();
    let page = versions::latest_in(&app.db, &key, &caller.visibilities(&key), after, limit as i64).await?;
    Ok(page.into_iter().map(|(skill, row)| offer(skill, row)).collect())
}

/// One version of a skill that the caller sees. Of one that was yanked only when it is named; of one that is quarantined
/// never.
pub async fn one(app: &App, caller: &Caller, id: &SkillId, request: &VersionRequest) -> Result<Offer> {
    let skill = skill::find(app, caller, id).await?;
    let version = skill::choose(app, &skill, request).await?;
    let row = versions::find(app.db.reader(), &id.key(), &version).await?;
    match row {
        Some(row) if is_offered(&row) => Ok(offer(skill, row)),
        Some(row) if row.status == VersionStatus::Quarantined => Err(skill::quarantined(&skill.id, &row)),
        _ => Err(version_not_found(&skill.id, request)),
    }
}

/// As [`one`]; nothing where the caller sees no such skill.
pub async fn one_if_seen(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    request: &VersionRequest,
) -> Result<Option<Offer>> {
    match one(app, caller, id, request).await {
        Err(failure) if failure.problem.code == ProblemCode::SkillNotFound => Ok(None),
        found => found.map(Some),
    }
}

/// How many skills are read at once: each with the list of its files.
const PAGE: usize = 100;

/// What `make` makes of each skill of a namespace that the caller sees, by its name in the Agent Skills format. Where two
/// have the same, the one that is spelled so has it, else the first. `make` says how many bytes each has in the list, which
/// lies in memory as a whole.
pub async fn by_names<T>(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    mut make: impl FnMut(&str, &Offer) -> (T, usize),
) -> Result<BTreeMap<String, T>> {
    let (most, most_bytes) = (app.settings.limits.namespace_skills, app.settings.limits.namespace_bytes);
    let (mut spelled, mut others, mut count, mut bytes) = (BTreeMap::new(), BTreeMap::new(), 0, 0_usize);
    let mut after = String::new();
    loop {
        let page = in_namespace(app, caller, namespace, &after, PAGE).await?;
        count += page.len();
        if count > most {
            let detail = format!("`{namespace}` has more than {most} skills, too many for one list");
            return Err(Problem::new(ProblemCode::TooManySkills, detail).with("limit", most).into());
        }
        for offer in &page {
            let name = offer.name();
            let (made, size) = make(&name, offer);
            bytes = bytes.saturating_add(size);
            if bytes > most_bytes {
                let detail = format!("the list of `{namespace}` has more than {most_bytes} bytes");
                return Err(Problem::new(ProblemCode::TooManySkills, detail)
                    .with("limit", most_bytes)
                    .into());
            }
            match is_spelled(&offer.id, &name) {
                true => drop(spelled.insert(name, made)),
                false => drop(others.entry(name).or_insert(made)),
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.id.key(),
            _ => break,
        }
    }
    for (name, made) in others {
        spelled.entry(name).or_insert(made);
    }
    Ok(spelled)
}

/// What has this name in a namespace: the skill that [`by_names`] lists under it. A version that is wanted by its number need
/// not be of that one: where it has none such, or nothing is listed, it is the next's that is written so.
pub async fn by_name(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    name: &str,
    wanted: Option<&Version>,
) -> Result<Option<Offer>> {
    let space = namespace.key();
    if format!("{space}/{name}").parse::<SkillId>().is_err() {
        return Ok(None);
    }
    let request = wanted.cloned().map_or(VersionRequest::Latest, VersionRequest::Exact);
    let may_be_meant = |skill: &SkillRow| {
        caller.sees(skill.visibility, &space) && (wanted.is_some() || skill.latest.is_some())
    };
    let has_none = |found: &Result<Option<Offer>>| match found {
        Err(failure) => failure.code() == ProblemCode::VersionNotFound,
        Ok(found) => found.is_none(),
    };
    let spelled = skills::find(app.db.reader(), &format!("{space}/{name}")).await?.filter(may_be_meant);
    // Most names are written as they are listed, and then nobody looks for others.
    if let Some(skill) = spelled.as_ref().filter(|skill| skill.latest.is_some()) {
        let found = one_if_seen(app, caller, &skill.id, &request).await;
        if !has_none(&found) {
            return found;
        }
    }
    let odd = skills::with_odd_hyphens(&app.db, &space).await?;
    let odd = odd.into_iter().filter(|skill| bundle::skill_name(&skill.id) == name && may_be_meant(skill));
    let mut candidates: Vec<SkillRow> = spelled.into_iter().chain(odd).collect();
    candidates.sort_by_key(|skill| skill.latest.is_none());
    let mut found = Ok(None);
    for skill in candidates {
        found = one_if_seen(app, caller, &skill.id, &request).await;
        if !has_none(&found) {
            break;
        }
    }
    found
}

/// Whether the last segment of the id is this name, but for `_` and `.`.
fn is_spelled(id: &SkillId, name: &str) -> bool {
    id.key().rsplit('/').next() == Some(name)
}

/// Notes that a version was handed out with its content, and to whom.
pub fn note_install(app: &App, caller: &Caller, id: &SkillId, version: &Version) {
    app.counters.count_install(&id.key(), version, caller, app.environment.now());
    app.metrics.downloaded();
}

fn is_offered(row: &VersionRow) -> bool {
    matches!(row.status, VersionStatus::Published | VersionStatus::Yanked)
}

fn offer(skill: SkillRow, row: VersionRow) -> Offer {
    let skills::SkillRow { id, visibility, .. } = skill;
    Offer { id, visibility, row }
}

/// The text, cut behind a sentence or between words where it has more UTF-16 code units than `most`.
fn shorten(text: &str, most: usize) -> String {
    let end = |limit: usize| {
        let mut units = 0;
        let too_far = text.char_indices().find(|(_, character)| {
            units += character.len_utf16();
            units > limit
        });
        too_far.map(|(at, _)| at)
    };
    if end(most).is_none() {
        return text.to_owned();
    }
    // Room for the mark that something is left out.
    let head = &text[..end(most.saturating_sub(1)).unwrap_or(text.len())];
    // A sentence that would leave out more than half of what fits is not worth its full stop.
    let sentence = [". ", ".\n", "! ", "? "].iter().filter_map(|end| head.rfind(end)).max();
    match (sentence.filter(|at| *at >= head.len() / 2), head.rfind(char::is_whitespace)) {
        (Some(at), _) => head[..=at].to_owned(),
        (None, Some(at)) => format!("{}…", head[..at].trim_end()),
        (None, None) => format!("{head}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_where_it_reads_well() {
        assert_eq!(shorten("One. Two.", 9), "One. Two.");
        assert_eq!(shorten("First one. Second", 16), "First one.");
        assert_eq!(shorten("A. some more words that go on", 20), "A. some more words…");
        assert_eq!(shorten("wordwithoutend", 5), "word…");
        let faces = "😀".repeat(600);
        let short = shorten(&faces, 1_024);
        assert_eq!(short.encode_utf16().count(), 1_023, "a pair is not taken apart");
        for most in 0..40 {
            let short = shorten("é 😀. ab cd ef gh. ij kl mn op qr st", most);
            assert!(short.encode_utf16().count() <= most.max(1), "{most}: {short}");
        }
    }
}
