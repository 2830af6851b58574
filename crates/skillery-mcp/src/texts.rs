//! What tools answer with, as a program and as a model reads it.

use skillery_core::VersionStatus;
use skillery_core::access::yanked;
use skillery_core::api::{Record, SearchResponse, VersionFinding};

use crate::words::{FileLine, FindingLine, SignatureLine, VersionLine};
use crate::{FileContent, InstallResult, SearchHit, SearchResult, Shown, SkillAddress, SkillDetail};

/// Files that are told one by one in a text.
const TOLD: usize = 50;

fn uri(id: &str, version: &str) -> String {
    let address =
        (id.parse().ok()).zip(version.parse().ok()).map(|(id, version)| SkillAddress::of(&id, &version));
    address.map_or_else(String::new, |address| address.skill_file().to_string())
}

/// A search's answer as the tool has it.
pub(crate) fn result(found: SearchResponse) -> SearchResult {
    let hit = |record: Record| SearchHit {
        uri: uri(&record.id, &record.version),
        id: record.id,
        version: record.version,
        description: record.description,
        tags: record.tags,
        author: record.author,
        license: record.license,
        rating: record.rating,
        rating_count: record.rating_count,
        install_count: record.install_count,
        updated_at: record.updated_at,
    };
    SearchResult { total: found.total, skills: found.skills.into_iter().map(hit).collect() }
}

/// What was found, in words.
pub(crate) fn found(result: &SearchResult) -> String {
    if result.skills.is_empty() {
        return "No skill was found.".to_owned();
    }
    let mut text = match (result.total, result.skills.len()) {
        (1, _) => "1 skill:\n".to_owned(),
        (total, shown) if total == shown as u64 => format!("{total} skills:\n"),
        (total, shown) => format!("{total} skills, of which the first {shown}:\n"),
    };
    for skill in &result.skills {
        text += &format!("\n- {} {}: {}", skill.id, skill.version, one_line(&skill.description));
        if !skill.tags.is_empty() {
            text += &format!(" [{}]", skill.tags.join(", "));
        }
    }
    text
}

/// Everything about a version as the tool has it.
pub(crate) fn detail(shown: Shown) -> SkillDetail {
    let Shown { version: detail, skill, versions, registry } = shown;
    let summary = detail.summary;
    let (id, version) = (detail.id.to_string(), summary.version.to_string());
    let warning = (summary.status == VersionStatus::Yanked)
        .then(|| yanked(&detail.id, &summary.version, summary.reason.as_deref()));
    let mut install = vec![format!("skillery install {id}@{version}")];
    if let Some(registry) = registry {
        let registry = registry.trim_end_matches('/');
        install[0] += &format!(" --registry {registry}");
    }
    let (rating, rating_count, install_count) =
        skill.map_or((0.0, 0, 0), |skill| (skill.rating, skill.rating_count, skill.install_count));
    SkillDetail {
        uri: uri(&id, &version),
        status: summary.status.to_string(),
        warning,
        description: detail.description,
        changelog: summary.changelog,
        tags: detail.tags,
        author: detail.author,
        license: detail.license,
        homepage: detail.homepage,
        repository: detail.repository,
        visibility: detail.visibility.to_string(),
        publisher: summary.publisher,
        published_at: summary.created_at.to_string(),
        digest: summary.digest.to_string(),
        log_position: detail.log_position,
        rating,
        rating_count,
        install_count,
        files: detail
            .files
            .into_iter()
            .map(|file| FileLine { path: file.path, size: file.size, digest: file.digest.to_string() })
            .collect(),
        signatures: detail
            .signatures
            .into_iter()
            .map(|signature| SignatureLine { kind: signature.kind, level: signature.level })
            .collect(),
        findings: detail.findings.map(|found| found.into_iter().map(finding_line).collect()),
        versions: versions
            .into_iter()
            .map(|version| VersionLine {
                version: version.version.to_string(),
                status: version.status.to_string(),
                published_at: version.created_at.to_string(),
            })
            .collect(),
        install,
        id,
        version,
    }
}

fn finding_line(finding: VersionFinding) -> FindingLine {
    FindingLine {
        rule: finding.rule,
        level: finding.level.to_string(),
        path: finding.path,
        line: finding.line,
        message: finding.message,
    }
}

/// What was found, behind where: in a line of a file, in a file, or in all of them.
pub(crate) fn placed(path: &str, line: Option<u32>, message: &str) -> String {
    match (path, line) {
        ("", _) => message.to_owned(),
        (path, None) => format!("{path}: {message}"),
        (path, Some(line)) => format!("{path}:{line}: {message}"),
    }
}

/// Everything about a version, in words.
pub(crate) fn shown(skill: &SkillDetail) -> String {
    let mut text = format!("{} {} ({})\n{}\n", skill.id, skill.version, skill.status, skill.description);
    if let Some(warning) = &skill.warning {
        text += &format!("\nwarning: {warning}\n");
    }
    let mut field = |name: &str, value: String| {
        if !value.is_empty() {
            text += &format!("\n{name}: {value}");
        }
    };
    // Set in, so that no line of it passes for one of these fields, and with all that is hidden written out.
    let changelog = skill.changelog.as_deref().unwrap_or_default();
    let lines: Vec<_> = changelog.split('\n').map(|line| skillery_core::hidden::visible(line).0).collect();
    field("what changed, as its publisher or an admin says", lines.join("\n  "));
    field("tags", skill.tags.join(", "));
    field("author", skill.author.clone());
    field("licence", skill.license.clone());
    field("homepage", skill.homepage.clone().unwrap_or_default());
    field("repository", skill.repository.clone().unwrap_or_default());
    field("visibility", skill.visibility.clone());
    field("published", format!("{} by {}", skill.published_at, skill.publisher));
    field("rating", format!("{} ({} ratings)", skill.rating, skill.rating_count));
    field("installs", skill.install_count.to_string());
    field("sha-256", skill.digest.clone());
    field("log entry", skill.log_position.to_string());
    let signatures =
        skill.signatures.iter().map(|signature| format!("{} ({})", signature.kind, signature.level));
    let signatures = signatures.collect::<Vec<_>>().join(", ");
    field("signatures", if signatures.is_empty() { "none".to_owned() } else { signatures });
    // Nobody gets the files of some versions, and of those nothing is looked for.
    if skill.findings.is_none() && skill.status.parse::<VersionStatus>().is_ok_and(VersionStatus::has_files) {
        field("findings", "not known now".to_owned());
    }
    let findings = skill.findings.as_deref().unwrap_or_default();
    let of_level = |level: &'static str| findings.iter().filter(move |finding| finding.level == level);
    for finding in of_level("error").chain(of_level("warning")).chain(of_level("note")).take(TOLD) {
        let what = placed(&finding.path, finding.line, &finding.message);
        field("finding", format!("{}: {what} ({})", finding.level, finding.rule));
    }
    if findings.len() > TOLD {
        field("and", format!("{} more findings", findings.len() - TOLD));
    }
    field("address", skill.uri.clone());
    field("install", skill.install.join("; "));
    let lines = skill.files.iter().take(TOLD).map(|file| format!("\n- {} ({} bytes)", file.path, file.size));
    field("files", lines.collect());
    if skill.files.len() > TOLD {
        field("and", format!("{} more files", skill.files.len() - TOLD));
    }
    let versions = skill.versions.iter().map(|line| match line.status.as_str() {
        "published" => line.version.clone(),
        status => format!("{} ({status})", line.version),
    });
    field("versions", versions.collect::<Vec<_>>().join(", "));
    text
}

/// A file, in words: the text as it is, so that a model reads nothing but the file.
pub(crate) fn content(file: &FileContent) -> String {
    let warning = file.warning.as_ref().map(|warning| format!("warning: {warning}\n\n")).unwrap_or_default();
    match file.encoding.as_str() {
        "text" => format!("{warning}{}", file.content),
        _ => format!("{warning}`{}` is no text: {} bytes in base64\n{}", file.path, file.size, file.content),
    }
}

/// What was installed, in words.
pub(crate) fn installed(result: &InstallResult) -> String {
    let done = if result.added { "was installed" } else { "was installed already" };
    let mut text = format!("{} {} {done}. Its files are in {}", result.id, result.version, result.folder);
    if !result.needed.is_empty() {
        text += &format!("\nit needs, and so there is now: {}", result.needed.join(", "));
    }
    for folder in &result.placed {
        text += &format!("\nplaced in {folder}");
    }
    if let Some(warning) = &result.warning {
        text += &format!("\nwarning: {warning}");
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
