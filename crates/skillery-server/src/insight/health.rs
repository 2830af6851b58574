//! The facts that a version's score is made of. What its files say never changes, and is read once.

use skillery_core::api::HealthResponse;
use skillery_core::bundle::{self, BundleFile, SKILL_FILE};
use skillery_core::health::{Health, HealthFacts, Signed, Source};
use skillery_core::lint::{Level, Strictness, lint};
use skillery_core::{SkillId, SkillKind, Version, VersionStatus};

use crate::access::Caller;
use crate::app::App;
use crate::blobs::BlobKey;
use crate::counters::DAY_MICROS;
use crate::db::signatures;
use crate::db::versions::{self, VersionRow};
use crate::failure::{Failure, Result};
use crate::skill::{self, no_such_version, stored_limits};

/// What the files of a version say, whenever they are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Content {
    documentation: usize,
    has_example: bool,
    tests: usize,
    errors: usize,
    warnings: usize,
}

/// How sound a version is, that the caller may know of.
pub async fn health(app: &App, caller: &Caller, id: &SkillId, version: &Version) -> Result<HealthResponse> {
    let skill = skill::find(app, caller, id).await?;
    let key = skill.id.key();
    let row = versions::find(app.db.reader(), &key, version)
        .await?
        .filter(|row| skill::sees_version(caller, &skill.id.namespace().key(), row))
        .filter(|row| row.status != VersionStatus::Rejected)
        .ok_or_else(|| no_such_version(&skill.id, version))?;
    let content = content(app, &skill.id, &row).await?;
    let own = !signatures::of_version(app.db.reader(), &key, version).await?.is_empty();
    let age = app.environment.now().micros().saturating_sub(row.created_at.micros()) / DAY_MICROS;
    let facts = HealthFacts {
        description: row.description.trim().chars().count(),
        documentation: content.documentation,
        has_example: content.has_example,
        tests: content.tests,
        license: row.license,
        source: match (row.repository, row.homepage) {
            (Some(_), _) => Source::Repository,
            (None, Some(_)) => Source::Page,
            (None, None) => Source::Nothing,
        },
        tags: row.tags.len(),
        signed: match (own, row.signature) {
            (true, _) => Signed::Own,
            (false, Some(_)) => Signed::Shared,
            (false, None) => Signed::Not,
        },
        errors: content.errors,
        warnings: content.warnings,
        days: u64::try_from(age).unwrap_or(0),
    };
    Ok(HealthResponse {
        id: skill.id,
        version: row.version,
        published_at: row.created_at,
        health: Health::of(&facts),
    })
}

/// What the files say. Kept by digest and name, as the rules know the name; read again after a start.
async fn content(app: &App, id: &SkillId, row: &VersionRow) -> Result<Content> {
    let place = format!("{id} {}", row.digest);
    if let Some(known) = app.health.get(&place) {
        return Ok(known);
    }
    let turn = app.reading.turn().await?;
    let packed = app.blobs.get(BlobKey::Bundle(row.digest)).await?;
    let (kind, of) = (row.kind, id.clone());
    let work = move || {
        let files = bundle::unpack(&packed, &stored_limits()).map_err(Failure::internal)?;
        Ok(look(kind, &of, &files))
    };
    let content = turn.work(work).await?;
    app.health.insert(place, content);
    Ok(content)
}

fn look(kind: SkillKind, id: &SkillId, files: &[BundleFile]) -> Content {
    let mut content = Content::default();
    match kind {
        SkillKind::Folder => {
            let linted = lint(files, None, Strictness::Lenient, &stored_limits());
            content.errors = linted.count(Level::Error);
            content.warnings = linted.count(Level::Warning);
            let skill_md = files.iter().find(|file| file.path == SKILL_FILE);
            let text = skill_md.map(|file| String::from_utf8_lossy(&file.bytes)).unwrap_or_default();
            let body = below_head(&text);
            content.documentation = body.chars().count();
            content.has_example = body.contains("```") || body.contains("\n    ");
            content.tests = files.iter().filter(|file| is_test(&file.path)).count();
        }
        SkillKind::Function => {
            let code = bundle::code_of(files, id).unwrap_or_default();
            let code = String::from_utf8_lossy(&code);
            content.documentation = documented(&code);
            content.tests = code.lines().filter(|line| line.trim_start().starts_with(">>> ")).count();
            content.has_example = content.tests > 0 || code.contains("Example");
        }
    }
    content
}

/// What stands below the front matter.
fn below_head(text: &str) -> &str {
    let rest = text.trim_start_matches('\u{feff}');
    let Some(head) = rest.strip_prefix("---") else { return rest.trim() };
    head.find("\n---").map_or(rest, |end| head[end + 4..].trim_start_matches(|letter| letter != '\n')).trim()
}

/// Whether a file is one that tests a skill, by the names that are usual.
fn is_test(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_of = |folder: &str| matches!(folder, "tests" | "test" | "evals" | "__tests__");
    let stem = name.split('.').next().unwrap_or(name);
    folders.split('/').any(is_of)
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || name.contains(".test.")
        || name.contains(".spec.")
}

/// Characters in the texts between three quotes, of Python.
fn documented(code: &str) -> usize {
    let mut count = 0;
    let mut rest = code;
    // Each character is looked at once, whatever quotes there are.
    while let Some(at) = rest.find(['"', '\'']) {
        let found = &rest[at..];
        let Some(quote) = ["\"\"\"", "'''"].into_iter().find(|quote| found.starts_with(quote)) else {
            rest = &found[1..];
            continue;
        };
        let behind = &found[quote.len()..];
        let end = behind.find(quote).unwrap_or(behind.len());
        count += behind[..end].trim().chars().count();
        rest = behind.get(end + quote.len()..).unwrap_or_default();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_measured() {
        assert_eq!(below_head("---\nname: x\n---\n\n# Use\nIt.\n"), "# Use\nIt.");
        assert_eq!(below_head("# Use"), "# Use");
        assert_eq!(below_head("---\nname: x"), "---\nname: x");
        assert_eq!(documented("def f():\n    \"\"\"Ab.\"\"\"\n    return '''c'''\n"), 4);
        assert_eq!(documented("x = \"\"\"open"), 4);
        assert_eq!(documented("x = 1"), 0);
        assert_eq!(documented("x = 'a' + \"b\" + '' + \"\"\"cd\"\"\""), 2);
        assert_eq!(documented(&"'''".repeat(300_000)), 0);
    }

    #[test]
    fn tests_are_known_by_their_names() {
        for path in ["tests/a.json", "scripts/test_a.py", "a/evals/x.md", "a.test.ts", "x_test.go"] {
            assert!(is_test(path), "{path}");
        }
        for path in ["SKILL.md", "attest.py", "latest/a.md", "contests/a.md"] {
            assert!(!is_test(path), "{path}");
        }
    }
}
