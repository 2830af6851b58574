//! Checking a folder that is to be published: the words of its files, and what the request adds to them.

use std::collections::BTreeMap;

use skillery_core::api::{BundleRequest, FileSummary};
use skillery_core::bundle::{self, BundleFile, BundleProblem, SKILL_FILE};
use skillery_core::{Digest, Limits, Problem, ProblemCode, SkillKind, VersionStatus, Visibility};

use super::{Draft, check_signature, check_tags, check_url, parse_id, parse_version, words_of};
use crate::access::Identity;
use crate::db::versions::VersionRow;
use crate::failure::{Failure, Result};
use crate::signing::{Checked, Presented};
use crate::text::check_text;

/// Characters of words of the instructions that are kept for the search index, and of words of the files' names.
const BODY_LENGTH: usize = 3_000;
const NAMES_LENGTH: usize = 1_000;

struct Told {
    description: String,
    license: Option<String>,
    tags: Vec<String>,
    homepage: Option<String>,
    repository: Option<String>,
    visibility: Option<Visibility>,
    dependencies: BTreeMap<String, String>,
    body: String,
}

/// Checks a folder and what is asked for it, and packs it: the draft, the canonical ZIP, and what was signed. Blocks.
pub fn check(
    request: BundleRequest,
    files: Vec<BundleFile>,
    identity: &Identity,
    limits: &Limits,
) -> Result<(Draft, Vec<u8>, Presented)> {
    let (id, version) = (parse_id(&request.id)?, parse_version(&request.version)?);
    let problems = bundle::check_files(&files, limits);
    if !problems.is_empty() {
        return Err(bundle_problems(problems));
    }
    let told = told(&files, id.name(), request.lenient)?;
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
    let words = words_of(&told.body, BODY_LENGTH) + &words_of(&names, NAMES_LENGTH);
    let summaries = files.iter().map(summary).collect();
    let packed = bundle::pack(files).map_err(Failure::internal)?;
    let digest = bundle::digest(&packed);
    check_digest(request.digest.as_deref(), digest)?;
    let row = VersionRow {
        status: VersionStatus::Published,
        digest,
        size: 0,
        kind: SkillKind::Folder,
        code_hash: digest,
        signature,
        description: told.description,
        tags,
        author: author.clone().unwrap_or_else(|| identity.user.name.clone()),
        license,
        homepage,
        repository,
        dependencies: told.dependencies,
        files: summaries,
        words,
        publisher: identity.user.id.clone(),
        created_at: Default::default(),
        reason: None,
        log_position: 0,
        version,
    };
    let presented = Presented { statement: request.statement, signatures: request.signatures };
    let visibility = request.visibility.or(told.visibility);
    let draft = Draft { id, visibility, has_author: author.is_some(), row, signed: Checked::default() };
    Ok((draft, packed, presented))
}

fn told(files: &[BundleFile], _name: &str, _lenient: bool) -> Result<Told> {
    let _ = files.iter().find(|file| file.path == SKILL_FILE);
    Ok(Told {
        description: String::new(),
        license: None,
        tags: vec![],
        homepage: None,
        repository: None,
        visibility: None,
        dependencies: BTreeMap::new(),
        body: String::new(),
    })
}

/// Who says what the digest is, is told where it is another one.
fn check_digest(claimed: Option<&str>, actual: Digest) -> Result<()> {
    match claimed.filter(|claimed| !claimed.is_empty()) {
        Some(claimed) if claimed.parse() != Ok(actual) => {
            let shown: String = claimed.chars().take(80).flat_map(char::escape_default).collect();
            let problem = Problem::new(
                ProblemCode::CodeHashMismatch,
                format!("`digest` is {shown}, but the SHA-256 of the canonical bundle is {actual}"),
            );
            Err(problem.with("field", "digest").into())
        }
        _ => Ok(()),
    }
}

fn summary(file: &BundleFile) -> FileSummary {
    FileSummary {
        path: file.path.clone(),
        size: file.bytes.len() as u64,
        mode: if file.executable { "0755" } else { "0644" }.to_owned(),
        digest: Digest::of(&file.bytes),
    }
}

/// What is wrong with the files of a bundle, all of it, as an answer.
pub fn bundle_problems(problems: Vec<BundleProblem>) -> Failure {
    let _ = problems;
    Failure::new(ProblemCode::InvalidBundle, "")
}
