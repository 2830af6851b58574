//! The JSON that the program reads. It tells what is missing from what is null: what has no value is left out, unless the
//! program wants to see that there is none. Times are milliseconds since 1970.

use std::collections::BTreeMap;

use serde::Serialize;
use skillery_core::access::yanked;
use skillery_core::api::FileSummary;
use skillery_core::time::Time;
use skillery_core::{Namespace, SkillId, VersionStatus};

use super::names::slug_of;
use crate::db::skills::FullSkill;
use crate::db::versions::VersionRow;
use crate::http::interop::one_segment;

/// The only licence that the program takes: another text fails the whole answer.
const MIT_0: &str = "MIT-0";

/// A moment.
pub fn millis(time: Time) -> i64 {
    time.micros().div_euclid(1_000)
}

/// A skill with what a listing has to tell of it.
pub struct Listed {
    /// The skill and its latest version.
    pub full: FullSkill,
    /// How many stars it has.
    pub stars: i64,
    /// What is said to have changed with the latest version.
    pub changelog: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    downloads: i64,
    installs_all_time: i64,
    stars: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skill {
    slug: String,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    tags: BTreeMap<&'static str, String>,
    stats: Stats,
    created_at: i64,
    updated_at: i64,
    /// The program knows it not; others find out by it whose the skill is.
    owner_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    pub version: String,
    pub created_at: i64,
    pub changelog: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<File>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    path: String,
    size: u64,
    sha256: String,
    content_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    handle: String,
    display_name: String,
    kind: &'static str,
}

impl Owner {
    pub fn of(namespace: &Namespace) -> Self {
        Self { handle: one_segment(namespace), display_name: namespace.to_string(), kind: "org" }
    }
}

impl Skill {
    pub fn of(listed: &Listed) -> Self {
        let FullSkill { skill, record, updated_at, .. } = &listed.full;
        let downloads = record.as_ref().map_or(0, |record| record.install_count);
        let latest = skill.latest.as_ref().map(|latest| ("latest", latest.to_string()));
        Self {
            slug: slug_of(&skill.id),
            display_name: skill.id.name().to_owned(),
            summary: record.as_ref().map(|record| record.description.clone()),
            tags: latest.into_iter().collect(),
            stats: Stats { downloads, installs_all_time: downloads, stars: listed.stars },
            created_at: millis(skill.created_at),
            updated_at: millis(*updated_at),
            owner_handle: one_segment(&skill.id.namespace()),
        }
    }
}

/// A skill of a listing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    #[serde(flatten)]
    pub skill: Skill,
    /// Left out where there is none: `null` would fail the whole page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<Version>,
}

/// The latest version, as far as a listing knows it.
pub fn latest_of(listed: &Listed) -> Option<Version> {
    let record = listed.full.record.as_ref()?;
    Some(Version {
        version: record.version.clone(),
        created_at: millis(listed.full.updated_at),
        changelog: listed.changelog.clone(),
        license: license(&record.license),
        files: None,
    })
}

impl Item {
    pub fn of(listed: &Listed) -> Self {
        Self { skill: Skill::of(listed), latest_version: latest_of(listed) }
    }
}

/// What a search finds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    score: f64,
    slug: String,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    downloads: i64,
    updated_at: i64,
    owner_handle: String,
    owner: Owner,
    canonical_url: String,
}

impl Hit {
    /// `place` is how many were found before it: the index tells an order and no measure that means something elsewhere.
    pub fn of(listed: &Listed, place: usize, base: &str) -> Self {
        let FullSkill { skill, record, updated_at, .. } = &listed.full;
        let namespace = skill.id.namespace();
        Self {
            score: 1.0 / (1.0 + place as f64),
            slug: slug_of(&skill.id),
            display_name: skill.id.name().to_owned(),
            summary: record.as_ref().map(|record| record.description.clone()),
            version: record.as_ref().map(|record| record.version.clone()),
            downloads: record.as_ref().map_or(0, |record| record.install_count),
            updated_at: millis(*updated_at),
            owner_handle: one_segment(&namespace),
            owner: Owner::of(&namespace),
            canonical_url: format!("{base}/{}", skill.id),
        }
    }
}

/// A version, with what is said to have changed. Of one that was yanked it must be known, and stands at that place.
pub fn version(id: &SkillId, row: &VersionRow, changelog: Option<String>) -> Version {
    let changelog = match row.status {
        VersionStatus::Yanked => yanked(id, &row.version, row.reason.as_deref()),
        _ => changelog.unwrap_or_default(),
    };
    Version {
        version: row.version.to_string(),
        created_at: millis(row.created_at),
        changelog,
        license: license(&row.license),
        files: Some(row.files.iter().map(file).collect()),
    }
}

fn license(text: &str) -> Option<&'static str> {
    (text == MIT_0).then_some(MIT_0)
}

fn file(file: &FileSummary) -> File {
    File {
        path: file.path.clone(),
        size: file.size,
        sha256: file.digest.to_string(),
        content_type: content_type(&file.path),
    }
}

/// What kind of file the name says it is.
pub fn content_type(path: &str) -> &'static str {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("md") => "text/markdown",
        Some("json") => "application/json",
        Some("txt" | "py" | "sh" | "js" | "ts" | "toml" | "yaml" | "yml" | "csv" | "html" | "xml" | "rs") => {
            "text/plain"
        }
        _ => "application/octet-stream",
    }
}
