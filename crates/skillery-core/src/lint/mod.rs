//! Everything that can be said of a skill before it is published, at once and with places.
//!
//! The registry, the command line and whoever imports from elsewhere ask here, so that an author sees at home what a
//! reviewer will see.

use serde::Serialize;

use crate::bundle::{BundleFile, BundleProblem, BundleProblemKind, SKILL_FILE, check_files};
use crate::manifest::{self, MANIFEST_FILE, Partial, SkillManifest};
use crate::skill_md::{self, SkillMd};
use crate::{Limits, SkillId};

mod body;
mod finding;
mod rule;

pub use self::finding::{Finding, Place};
pub(crate) use self::finding::{Findings, Lines, quoted};
pub use self::rule::{Level, LintRule, Strictness, rules_document};

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lint {
    /// What `SKILL.md` says, where that can be known.
    pub skill_md: Option<SkillMd>,
    /// What the skill says to the registry.
    pub manifest: SkillManifest,
    /// What is wrong, by file and place.
    pub findings: Vec<Finding>,
}

impl Lint {
    /// Whether something keeps the skill from being published.
    pub fn has_errors(&self) -> bool {
        self.count(Level::Error) > 0
    }

    /// How many findings have this level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// Looks at the files of a skill. `expected_name` is the name of the folder, or the last part of the id, where either is
/// known.
pub fn lint(
    files: &[BundleFile],
    expected_name: Option<&str>,
    strictness: Strictness,
    limits: &Limits,
) -> Lint {
    let mut findings = Findings::new(strictness);
    for problem in check_files(files, limits) {
        // A folder without any file has no `SKILL.md` either, which says more.
        if problem.kind != BundleProblemKind::Empty {
            add_problem(&problem, &mut findings);
        }
    }
    let (mut skill_md, mut in_metadata) = (None, Partial::default());
    let file = skill_file(files, &mut findings);
    if let Some(file) = file {
        let path = file.path.as_str();
        if let Some(read) = skill_md::read(&file.bytes, path, &mut findings) {
            if let Some(metadata) = &read.metadata {
                in_metadata = manifest::from_metadata(metadata, path, limits, &mut findings);
            }
            body::check(&read.parts, read.skill_md.as_ref(), path, files, &mut findings);
            skill_md = read.skill_md;
        }
    }
    let in_file = match files.iter().find(|file| file.path == MANIFEST_FILE) {
        Some(file) => manifest::from_toml(&file.bytes, limits, &mut findings),
        None => Partial::default(),
    };
    let path = file.map_or(SKILL_FILE, |file| file.path.as_str());
    let manifest = manifest::merge(in_file, in_metadata, path, &mut findings);
    if let Some(skill_md) = &skill_md {
        check_names(skill_md, expected_name, manifest.id.as_ref(), path, &mut findings);
    }
    if let Some(id) = &manifest.id
        && manifest.dependencies.find(id).is_some()
    {
        findings.push(LintRule::DependencyInvalid, MANIFEST_FILE, None, format!("`{id}` depends on itself"));
    }
    check_scripts(files, &mut findings);
    Lint { skill_md, manifest, findings: findings.finish() }
}

/// What is wrong with files or an archive, as findings.
pub fn findings_of(problems: &[BundleProblem], strictness: Strictness) -> Vec<Finding> {
    let mut findings = Findings::new(strictness);
    for problem in problems {
        add_problem(problem, &mut findings);
    }
    findings.finish()
}

fn add_problem(problem: &BundleProblem, findings: &mut Findings) {
    use BundleProblemKind as Kind;
    let rule = match &problem.kind {
        Kind::BadPath(_) => LintRule::BadPath,
        Kind::Duplicate | Kind::Collision(_) | Kind::FolderCollision(_) | Kind::FileAndFolder(_) => {
            LintRule::PathCollision
        }
        Kind::NotRegular(_) => LintRule::NotRegular,
        Kind::FileTooLarge(_) | Kind::TooLarge(_) | Kind::TooManyFiles(_) => LintRule::TooLarge,
        Kind::Empty => LintRule::SkillFileMissing,
        Kind::BadArchive(_) | Kind::BadEntry(_) => LintRule::BadArchive,
        Kind::More(_) => LintRule::FindingsOmitted,
    };
    findings.push(rule, &problem.path, None, problem.kind.to_string());
}

/// The file that is read as `SKILL.md`.
fn skill_file<'a>(files: &'a [BundleFile], findings: &mut Findings) -> Option<&'a BundleFile> {
    if let Some(file) = files.iter().find(|file| file.path == SKILL_FILE) {
        return Some(file);
    }
    if let Some(file) = files.iter().find(|file| file.path.eq_ignore_ascii_case(SKILL_FILE)) {
        let message = format!("the file must be called `{SKILL_FILE}`, with these capitals");
        findings.push(LintRule::SkillFileCase, &file.path, None, message);
        return Some(file);
    }
    let below = |file: &&BundleFile| {
        file.path.split_once('/').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(SKILL_FILE))
    };
    let message = match files.iter().find(below) {
        Some(file) => format!(
            "there is no `{SKILL_FILE}` at the top; is the skill what lies in {}?",
            quoted(file.path.split_once('/').map_or("", |(folder, _)| folder))
        ),
        None => format!("there is no `{SKILL_FILE}`"),
    };
    findings.push(LintRule::SkillFileMissing, "", None, message);
    None
}

fn check_names(
    skill_md: &SkillMd,
    expected: Option<&str>,
    id: Option<&SkillId>,
    path: &str,
    findings: &mut Findings,
) {
    let place = skill_md.name_place;
    let name = quoted(&skill_md.name);
    if let Some(expected) = expected
        && expected != skill_md.name
    {
        let message = format!("`name` is {name}, and the folder is called {}", quoted(expected));
        findings.push(LintRule::NameMismatch, path, place, message);
    }
    // An id may have `_` and `.` where a name has `-`.
    let folded = |text: &str| text.replace(['_', '.'], "-");
    if let Some(id) = id
        && folded(id.name()) != folded(&skill_md.name)
    {
        let message = format!("`name` is {name}, and the id is `{id}`");
        findings.push(LintRule::NameMismatch, path, place, message);
    }
}

fn check_scripts(files: &[BundleFile], findings: &mut Findings) {
    let is_script = |file: &&BundleFile| file.bytes.starts_with(b"#!/") || file.bytes.starts_with(b"#! /");
    for file in files.iter().filter(is_script).filter(|file| !file.executable) {
        let path = BundleProblem::new(&file.path, BundleProblemKind::Empty).path;
        let message = "the file begins with `#!` and is not executable";
        findings.push(LintRule::ScriptNotExecutable, &path, Place::line(1), message);
    }
}
