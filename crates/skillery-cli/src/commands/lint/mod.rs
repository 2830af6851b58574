//! `skillery lint`: says everything that is wrong with skills, before a registry does.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use skillery_client::folder::{find_skills, read_folder};
use skillery_core::Limits;
use skillery_core::bundle::{self, SKILL_FILE};
use skillery_core::lint::{Finding, Level, Strictness, findings_of, lint};
use skillery_core::manifest::SkillManifest;
use skillery_core::skill_md::SkillMd;

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, counted};
use crate::session::Session;

mod sarif;

/// Arguments of `lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery lint                            the skill in this folder, or all skills below it
  skillery lint skills/pdf skills/xlsx
  skillery lint my-skill.zip
  skillery lint --lenient vendor/          skills that others wrote
  skillery lint --sarif > lint.sarif       for code scanning
  skillery lint --json | jq '.skills[].findings[]'

The rules are explained in docs/lint.md. Exit code 1 where there is an error; warnings and notes alone are 0.")]
pub(crate) struct LintArgs {
    /// A skill's folder, a folder of skills, or a ZIP archive
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Demand what the specification demands, and what every client needs [the default]
    #[arg(long, conflicts_with = "lenient")]
    strict: bool,

    /// Let through with a warning what some client reads
    #[arg(long)]
    lenient: bool,

    /// Print SARIF 2.1.0
    #[arg(long)]
    sarif: bool,
}

/// One skill that was looked at.
#[derive(Debug, Serialize)]
struct Looked {
    /// The folder or archive, as it was named.
    path: String,
    skill: Option<SkillMd>,
    manifest: SkillManifest,
    findings: Vec<Finding>,
}

impl Looked {
    /// The path of a finding as one would open it from here.
    fn place(&self, finding: &Finding) -> String {
        match (self.path.as_str(), finding.path.as_str()) {
            (folder, "") => folder.to_owned(),
            (".", file) => file.to_owned(),
            (folder, file) => format!("{}/{file}", folder.trim_end_matches('/')),
        }
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    errors: usize,
    warnings: usize,
    notes: usize,
    skills: Vec<Looked>,
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &LintArgs) -> CommandResult {
    if args.sarif && session.global.json {
        return Err(Failure::usage("`--json` and `--sarif` are two forms of one result; choose one"));
    }
    let strictness = if args.lenient { Strictness::Lenient } else { Strictness::Strict };
    let mut skills = Vec::new();
    for path in &args.paths {
        look(path, strictness, &mut skills)?;
    }
    let count = |level| {
        skills.iter().flat_map(|skill| &skill.findings).filter(|finding| finding.level == level).count()
    };
    let (errors, warnings, notes) = (count(Level::Error), count(Level::Warning), count(Level::Note));
    let report = Report { ok: errors == 0, errors, warnings, notes, skills };
    if args.sarif {
        session.output.print(&sarif::document(&report.skills, strictness)?)?;
    } else {
        session.output.show(&report, |page| describe(page, &report))?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

/// Looks at what a path leads to.
fn look(path: &Path, strictness: Strictness, skills: &mut Vec<Looked>) -> Result<(), Failure> {
    let metadata = std::fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
    if metadata.is_file() {
        // Editors and hooks of version control know the file and not the folder.
        if path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(SKILL_FILE)) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            skills.push(look_at_folder(folder.unwrap_or(Path::new(".")), strictness)?);
        } else {
            skills.push(look_at_archive(path, metadata.len(), strictness)?);
        }
        return Ok(());
    }
    if !metadata.is_dir() {
        return Err(Failure::usage(format!("`{}` is neither a folder nor a file", path.display())));
    }
    let mut folders = find_skills(path)?;
    if folders.is_empty() {
        // What is wrong with the folder itself is then that it has no `SKILL.md`.
        folders.push(path.to_owned());
    }
    for folder in folders {
        skills.push(look_at_folder(&folder, strictness)?);
    }
    Ok(())
}

fn look_at_folder(folder: &Path, strictness: Strictness) -> Result<Looked, Failure> {
    let limits = Limits::default();
    let read = read_folder(folder, &limits)?;
    // `.` and `..` have no name of their own.
    let name =
        std::fs::canonicalize(folder).ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let found = lint(&read.files, name.as_deref(), strictness, &limits);
    let mut findings = findings_of(&read.problems, strictness);
    findings.extend(found.findings);
    Ok(Looked { path: shown(folder), skill: found.skill_md, manifest: found.manifest, findings })
}

fn look_at_archive(path: &Path, size: u64, strictness: Strictness) -> Result<Looked, Failure> {
    let limits = Limits::default();
    // Packed it is hardly larger than unpacked.
    let most = 2 * limits.bundle_bytes as u64;
    if size > most {
        let message = format!("`{}` has {size} bytes; a skill has at most {most}", path.display());
        return Err(Failure::usage(message));
    }
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    Ok(match bundle::admit(&bytes, &limits) {
        Ok(files) => {
            let found = lint(&files, None, strictness, &limits);
            let (skill, manifest, findings) = (found.skill_md, found.manifest, found.findings);
            Looked { path: shown(path), skill, manifest, findings }
        }
        Err(problems) => Looked {
            path: shown(path),
            skill: None,
            manifest: SkillManifest::default(),
            findings: findings_of(&problems, strictness),
        },
    })
}

/// A path as it is named in places: without `./` in front.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    match text.strip_prefix("./") {
        Some("") | None => text,
        Some(rest) => rest.to_owned(),
    }
}

/// A finding as a compiler would print it; `path` is where one would open it from here.
pub(super) fn line(path: &str, finding: &Finding) -> Line {
    let place = match finding.place {
        Some(at) => format!("{path}:{}:{}", at.line, at.column),
        None => path.to_owned(),
    };
    let tone = match finding.level {
        Level::Error => Tone::Bad,
        Level::Warning => Tone::Warning,
        Level::Note => Tone::Name,
    };
    Line::default()
        .toned(Tone::Strong, format!("{place}: "))
        .toned(tone, finding.level.as_str())
        .toned(Tone::Faint, format!("[{}]", finding.rule))
        .plain(format!(": {}", finding.message))
}

fn describe(page: &mut Page, report: &Report) {
    for skill in &report.skills {
        for finding in &skill.findings {
            page.line(line(&skill.place(finding), finding));
        }
    }
    let counts = [
        (report.errors, "error", "errors"),
        (report.warnings, "warning", "warnings"),
        (report.notes, "note", "notes"),
    ];
    let told: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| counted(count as u64, one, many))
        .collect();
    let skills = counted(report.skills.len() as u64, "skill", "skills");
    let (tone, what) = match (told.is_empty(), report.ok) {
        (true, _) => (Tone::Good, "nothing found".to_owned()),
        (false, true) => (Tone::Good, told.join(", ")),
        (false, false) => (Tone::Bad, told.join(", ")),
    };
    page.line(Line::default().plain(format!("{skills}: ")).toned(tone, what));
}
