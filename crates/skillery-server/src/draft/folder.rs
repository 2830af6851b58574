//! Checking a folder that is to be published: the words of its files, and what the request adds to them.

use std::collections::BTreeMap;

use skillery_core::api::BundleRequest;
use skillery_core::bundle::{self, BundleFile, BundleProblem, SKILL_FILE};
use skillery_core::lint::{Finding, Level, Lint, LintRule, Strictness, findings_of, lint};
use skillery_core::script::asked_for;
use skillery_core::{
    Digest, Limits, Problem, ProblemCode, SkillId, SkillKind, SkillMd, Version, VersionStatus, Visibility,
};

use super::{Draft, check_signature, check_tags, check_url, other_digest, summary, words_of};
use crate::access::Identity;
use crate::db::versions::VersionRow;
use crate::failure::{Failure, Result};
use crate::signing::{Checked, Presented};
use crate::text::{check_text, invalid};

/// Characters of words of the instructions that are kept for the search index, and of words of the files' names.
const BODY_LENGTH: usize = 3_000;
const NAMES_LENGTH: usize = 1_000;

/// Checks a folder and what is asked for it, and packs it: the draft, the canonical ZIP, and what was signed. Blocks.
pub fn check(
    request: BundleRequest,
    files: Vec<BundleFile>,
    identity: &Identity,
    limits: &Limits,
) -> Result<(Draft, Vec<u8>, Presented)> {
    let (id, version) = (request.id.parse()?, request.version.parse()?);
    let told = told(&files, &id, &version, request.lenient, limits)?;
    check_text("description", &told.description, limits.description_length, true)?;
    let author = request.author.filter(|author| !author.trim().is_empty());
    // A folder that names no licence has none: nobody else grants one for it.
    let license = told.license.unwrap_or_default();
    for (field, text) in [("author", author.as_deref()), ("license", Some(license.as_str()))] {
        check_text(field, text.unwrap_or_default(), limits.text_length, false)?;
    }
    let homepage = check_url("homepage", request.homepage.or(told.homepage), limits, &["http", "https"])?;
    let repository = check_url(
        "repository",
        request.repository.or(told.repository),
        limits,
        &["http", "https", "git", "ssh"],
    )?;
    let tags = check_tags(told.tags.into_iter().chain(request.tags).collect(), limits)?;
    let signature = check_signature(request.signature)?;
    let names: String = files.iter().map(|file| format!("{}\n", file.path)).collect();
    let body = files.iter().find(|file| file.path == SKILL_FILE);
    let body = body.and_then(|file| SkillMd::body(&file.bytes)).unwrap_or_default();
    let words = words_of(body, BODY_LENGTH) + &words_of(&names, NAMES_LENGTH);
    let summaries = files.iter().map(|file| summary(file, Digest::of(&file.bytes))).collect();
    let permissions = Some(asked_for(&files, told.allowed_tools.as_deref()));
    let packed = bundle::pack(files).map_err(Failure::internal)?;
    let digest = bundle::digest(&packed);
    check_digest(request.digest.as_deref(), digest)?;
    let row = VersionRow {
        status: VersionStatus::Published,
        digest,
        size: packed.len() as i64,
        kind: SkillKind::Folder,
        code_hash: digest,
        signature,
        description: told.description,
        tags,
        author: author.clone().unwrap_or_else(|| identity.user.name.clone()),
        license,
        homepage,
        repository,
        dependencies: Some(told.dependencies),
        files: summaries,
        words,
        publisher: identity.user.id.clone(),
        created_at: Default::default(),
        reason: None,
        log_position: 0,
        notice: None,
        permissions,
        findings: told.findings,
        version,
    };
    let presented = Presented { statement: request.statement, signatures: request.signatures };
    let visibility = request.visibility.or(told.visibility);
    let draft = Draft { id, visibility, has_author: author.is_some(), row, signed: Checked::default() };
    Ok((draft, packed, presented))
}

/// What the folder says, where nothing is wrong with it.
struct Told {
    description: String,
    license: Option<String>,
    tags: Vec<String>,
    homepage: Option<String>,
    repository: Option<String>,
    visibility: Option<Visibility>,
    dependencies: BTreeMap<String, String>,
    allowed_tools: Option<String>,
    /// The worst that a strict look finds.
    findings: Option<Level>,
}

fn told(
    files: &[BundleFile],
    id: &SkillId,
    version: &Version,
    lenient: bool,
    limits: &Limits,
) -> Result<Told> {
    let strictness = if lenient { Strictness::Lenient } else { Strictness::Strict };
    let Lint { skill_md, manifest, mut findings } = lint(files, Some(id.name()), strictness, limits);
    if let Some(skill_md) = &skill_md
        && lenient
        && fold(&skill_md.name) != fold(id.name())
    {
        findings.push(Finding {
            rule: LintRule::NameMismatch,
            level: Level::Error,
            path: SKILL_FILE.to_owned(),
            place: Some(skill_md.name_place),
            message: format!("the skill is published as `{}`, and calls itself otherwise", id.name()),
        });
    }
    let skill_md = match skill_md {
        Some(skill_md) if !findings.iter().any(|finding| finding.level == Level::Error) => skill_md,
        _ => return Err(refused(&findings)),
    };
    // Whoever takes the folder of somebody else may publish it as another one.
    if !lenient {
        if let Some(own) = manifest.id.filter(|own| own.key() != id.key()) {
            return Err(invalid("id", format!("the folder says that it is `{own}`")));
        }
        if let Some(own) = manifest.version.filter(|own| own != version) {
            return Err(invalid("version", format!("the folder says that it is version {own}")));
        }
    }
    let worst = |findings: &[Finding]| findings.iter().map(|finding| finding.level).max();
    let findings = match lenient {
        true => worst(&lint(files, Some(id.name()), Strictness::Strict, limits).findings),
        false => worst(&findings),
    };
    Ok(Told {
        allowed_tools: skill_md.allowed_tools,
        findings,
        dependencies: super::texts_of(&manifest.dependencies),
        description: skill_md.description,
        license: skill_md.license.filter(|license| !license.trim().is_empty()),
        tags: manifest.tags,
        homepage: manifest.homepage,
        repository: manifest.repository,
        visibility: manifest.visibility,
    })
}

/// A name as it is compared: `CSV Summary` and `csv_summary` are one.
fn fold(name: &str) -> String {
    name.to_lowercase().replace(['_', '.', ' '], "-")
}

/// Who says what the digest is, is told where it is another one.
fn check_digest(claimed: Option<&str>, actual: Digest) -> Result<()> {
    match claimed.filter(|claimed| !claimed.is_empty()) {
        Some(claimed) if claimed.parse() != Ok(actual) => {
            Err(other_digest("digest", claimed, "the canonical bundle", actual))
        }
        _ => Ok(()),
    }
}

/// What is wrong with an archive, all of it, as an answer.
pub fn bundle_problems(problems: Vec<BundleProblem>) -> Failure {
    refused(&findings_of(&problems, Strictness::Strict))
}

/// All that was found, as an answer: the first error in words, everything for programs.
fn refused(findings: &[Finding]) -> Failure {
    let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.level == Level::Error).collect();
    let detail = match errors.as_slice() {
        [] => "it cannot be read".to_owned(),
        [one] => in_words(one),
        [first, rest @ ..] => format!("{}; and {} more errors", in_words(first), rest.len()),
    };
    let listed = serde_json::to_value(findings).unwrap_or_default();
    Problem::new(ProblemCode::InvalidBundle, detail).with("findings", listed).into()
}

fn in_words(finding: &Finding) -> String {
    let Finding { path, place, message, .. } = finding;
    match (path.as_str(), place) {
        ("", _) => message.clone(),
        (path, None) => format!("`{path}`: {message}"),
        (path, Some(place)) => format!("`{path}`, line {}: {message}", place.line),
    }
}
