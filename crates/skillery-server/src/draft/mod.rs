//! Checking a request to publish: everything that needs no database.

mod folder;

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashSet, HashSetExt};
use skillery_core::api::{FileSummary, PublishRequest};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::lint::{Level, Lint, LintRule, Strictness, lint};
use skillery_core::script::asked_for;
use skillery_core::{
    Dependencies, Digest, Limits, Problem, ProblemCode, SkillId, SkillKind, Version, VersionStatus,
    Visibility,
};

use crate::access::Identity;
use crate::db::versions::VersionRow;
use crate::failure::{Failure, Result};
use crate::signing::{Checked, Presented};
use crate::text::{check_text, invalid, named};

pub use folder::{bundle_problems, check as check_folder};

/// Characters of words that are kept for the search index.
const WORDS_LENGTH: usize = 2_000;

/// A checked request: everything about the version but its place in the log.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The id as it was sent.
    pub id: SkillId,
    /// Who is to see the skill, if the request says so.
    pub visibility: Option<Visibility>,
    /// Whether the request names the author.
    pub has_author: bool,
    /// What is to be stored.
    pub row: VersionRow,
    /// What was signed of it.
    pub signed: Checked,
}

/// Checks a request, and makes the files of its bundle. What was signed is given back as it came.
pub fn check(
    request: PublishRequest,
    identity: &Identity,
    limits: &Limits,
) -> Result<(Draft, Vec<BundleFile>, Presented)> {
    let id: SkillId = request.id.parse()?;
    if request.name.as_ref().is_some_and(|name| name != id.name()) {
        return Err(invalid("name", format!("`name` must be `{}`, the last segment of `id`", id.name())));
    }
    if request.org.as_ref().is_some_and(|org| *org != id.namespace().as_str()) {
        return Err(invalid("org", format!("`org` must be `{}`, the namespace of `id`", id.namespace())));
    }
    let version: Version = request.version.parse()?;
    let code_hash = check_code(&request.code, request.code_hash.as_deref(), limits)?;
    let signature = check_signature(request.signature)?;
    check_text("description", &request.description, limits.description_length, true)?;
    let author = request.author.filter(|author| !author.trim().is_empty());
    let license =
        request.license.filter(|license| !license.trim().is_empty()).unwrap_or_else(|| "MIT".to_owned());
    for (field, text) in [("author", author.as_deref()), ("license", Some(license.as_str()))] {
        check_text(field, text.unwrap_or_default(), limits.text_length, false)?;
    }
    let homepage = check_url("homepage", request.homepage, limits, &["http", "https"])?;
    let repository = check_url("repository", request.repository, limits, &["http", "https", "git", "ssh"])?;
    let tags = check_tags(request.tags, limits)?;
    let files = bundle::from_code(&id, &version, &request.description, &license, &request.code);
    let digest_of = |file: &BundleFile| match file.bytes == request.code.as_bytes() {
        true => code_hash,
        false => Digest::of(&file.bytes),
    };
    let row = VersionRow {
        status: VersionStatus::Published,
        digest: code_hash,
        size: 0,
        code_hash,
        signature,
        description: request.description,
        tags,
        author: author.clone().unwrap_or_else(|| identity.user.name.clone()),
        license,
        homepage,
        repository,
        kind: SkillKind::Function,
        dependencies: Some(texts_of(&Dependencies::of_code(&request.code))),
        files: files.iter().map(|file| summary(file, digest_of(file))).collect(),
        words: words_of(&request.code, WORDS_LENGTH),
        publisher: identity.user.id.clone(),
        created_at: Default::default(),
        reason: None,
        log_position: 0,
        notice: None,
        permissions: Some(asked_for(&files, None)),
        findings: worst(&lint(&files, Some(id.name()), Strictness::Strict, limits)),
        version,
    };
    let presented = Presented { statement: request.statement, signatures: request.signatures };
    let (visibility, has_author) = (request.visibility, author.is_some());
    Ok((Draft { id, visibility, has_author, row, signed: Checked::default() }, files, presented))
}

/// The worst of the findings. What a function is called is for its language to say.
fn worst(lint: &Lint) -> Option<Level> {
    let counted = lint.findings.iter().filter(|finding| finding.rule != LintRule::NameMismatch);
    counted.map(|finding| finding.level).max()
}

/// Dependencies as they are stored and answered.
pub fn texts_of(dependencies: &Dependencies) -> BTreeMap<String, String> {
    dependencies.iter().map(|(id, wanted)| (id.to_string(), wanted.to_string())).collect()
}

fn check_signature(signature: Option<String>) -> Result<Option<String>> {
    let signature = signature.filter(|signature| !signature.is_empty());
    let is_hmac = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match signature.as_ref().is_none_or(is_hmac) {
        true => Ok(signature),
        false => Err(invalid("signature", "`signature` must be 64 hexadecimal digits: an HMAC-SHA256")),
    }
}

fn summary(file: &BundleFile, digest: Digest) -> FileSummary {
    FileSummary {
        path: file.path.clone(),
        size: file.bytes.len() as u64,
        mode: if file.executable { "0755" } else { "0644" }.to_owned(),
        digest,
    }
}

/// Notes the bundle that the files were packed to.
pub fn with_bundle(mut draft: Draft, digest: Digest, size: usize) -> Draft {
    draft.row.digest = digest;
    draft.row.size = size as i64;
    draft
}

fn check_code(code: &str, code_hash: Option<&str>, limits: &Limits) -> Result<Digest> {
    if code.len() > limits.code_bytes {
        let problem = Problem::new(
            ProblemCode::CodeTooLarge,
            format!("`code` has {} bytes, the limit is {}", code.len(), limits.code_bytes),
        );
        return Err(problem.with("limit", limits.code_bytes).into());
    }
    if code.trim().is_empty() {
        return Err(Failure::new(ProblemCode::InvalidCode, "`code` is empty"));
    }
    if let Some(position) = code.find('\0') {
        return Err(Failure::new(
            ProblemCode::InvalidCode,
            format!("`code` has a NUL character at byte {position}"),
        ));
    }
    let actual = Digest::of(code.as_bytes());
    match code_hash.filter(|hash| !hash.is_empty()) {
        None => Ok(actual),
        Some(claimed) if claimed.parse() == Ok(actual) => Ok(actual),
        Some(claimed) => Err(other_digest("code_hash", claimed, "`code`", actual)),
    }
}

/// The request says another digest in this field than that of what it sends.
fn other_digest(field: &str, claimed: &str, what: &str, actual: Digest) -> Failure {
    let shown = named(claimed);
    let detail = format!("`{field}` is {shown}, but the SHA-256 of {what} is {actual}");
    Problem::new(ProblemCode::CodeHashMismatch, detail).with("field", field).into()
}

fn check_url(field: &str, text: Option<String>, limits: &Limits, schemes: &[&str]) -> Result<Option<String>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    check_text(field, &text, limits.text_length, false)?;
    let good = url::Url::parse(&text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
    if good {
        return Ok(Some(text));
    }
    Err(invalid(field, format!("`{field}` must be a URL with one of the schemes {}", schemes.join(", "))))
}

fn check_tags(tags: Vec<String>, limits: &Limits) -> Result<Vec<String>> {
    if tags.len() > limits.tags {
        return Err(invalid("tags", format!("there are {} tags, the limit is {}", tags.len(), limits.tags)));
    }
    let mut seen = BTreeSet::new();
    let mut kept = Vec::with_capacity(tags.len());
    for tag in tags {
        check_text("tags", &tag, limits.tag_length, false)?;
        if tag.trim() != tag || tag.is_empty() || tag.contains(',') {
            return Err(invalid(
                "tags",
                format!("the tag `{}` is empty, or has a comma or outer blanks", tag.escape_debug()),
            ));
        }
        if seen.insert(tag.to_lowercase()) {
            kept.push(tag);
        }
    }
    Ok(kept)
}

/// The different words of the content, in order, for the search index.
fn words_of(code: &str, length: usize) -> String {
    let mut seen = HashSet::<&str>::new();
    let mut words = String::with_capacity(length);
    // Most code is ASCII, where letters are told from signs without a look into tables.
    let ascii = code.is_ascii();
    let is_sign = |character: char| match ascii {
        true => !character.is_ascii_alphanumeric(),
        false => !character.is_alphanumeric(),
    };
    for word in code.split(is_sign) {
        if !(3..=30).contains(&word.len()) || word.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        if words.len() + word.len() > length {
            break;
        }
        if seen.insert(word) {
            words.push_str(word);
            words.push(' ');
        }
    }
    words
}
