//! `GET /{id}/versions/{version}/findings`: what the rules for skills find in a version, in plain words.

use std::cmp::Reverse;

use askama::Template;
use axum::response::Response;
use skillery_core::api::VersionFinding;
use skillery_core::lint::{Level, LintRule};
use skillery_core::{SkillId, Version};

use super::super::frame::{Frame, page};
use super::super::pager::{Pager, Pages};
use super::super::place;
use super::super::show;
use super::super::skill::Header;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::call::Call;
use crate::{review, skill};

/// What is found in a version.
pub const FINDINGS: &str = "/{id}/versions/{version}/findings";

/// How many findings there are of each level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Counts {
    fn of(findings: &[VersionFinding]) -> Self {
        let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
        Self { errors: of(Level::Error), warnings: of(Level::Warning), notes: of(Level::Note) }
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.errors + self.warnings + self.notes
    }

    /// In words, the worst first.
    pub fn words(&self) -> String {
        let kinds = [
            (self.errors, "error", "errors"),
            (self.warnings, "warning", "warnings"),
            (self.notes, "note", "notes"),
        ];
        let told = kinds.iter().filter(|(number, ..)| *number > 0);
        told.map(|(number, one, many)| show::plural(*number, one, many)).collect::<Vec<_>>().join(", ")
    }

    /// The class of the pill that tells them.
    pub fn pill(&self) -> &'static str {
        match self {
            Self { errors: 1.., .. } => "bad",
            Self { warnings: 1.., .. } => "warn",
            Self { notes: 1.., .. } => "",
            _ => "good",
        }
    }
}

/// How many findings a version that is handed out has.
pub async fn counts(app: &App, caller: &Caller, id: &SkillId, version: &Version) -> Result<Counts> {
    Ok(Counts::of(&review::findings(app, caller, id, version).await?.findings))
}

/// Findings of one rule, which stand together.
struct Told {
    rule: String,
    level: Level,
    title: String,
    help: &'static str,
    places: Vec<VersionFinding>,
}

#[derive(Template)]
#[template(path = "pages/review/findings.html")]
struct FindingsPage {
    frame: Frame,
    header: Header,
    version: Version,
    counts: Counts,
    told: Vec<Told>,
    rules: usize,
    files: usize,
    pager: Pager,
}

impl FindingsPage {
    fn file(&self, finding: &VersionFinding) -> String {
        let file =
            format!("/{}/versions/{}/files/{}", self.header.id, self.version, place::encoded(&finding.path));
        match finding.line {
            // A page shows a part of a file: the link says which line has to be on it.
            Some(line) => format!("{file}?line={line}#L{line}"),
            None => file,
        }
    }

    fn is_file(&self, path: &str) -> bool {
        !path.is_empty()
    }
}

/// Rows of a page: a message may be long, and so may the name of a file.
const ROWS: usize = 25;

/// What is found in a version, the worst first.
pub async fn show(call: &Call, frame: Frame, id: &SkillId, version: &Version) -> Result<Response> {
    let (app, caller) = (&call.app, &call.caller);
    let mut rows = call.page()?;
    rows.limit = rows.limit.clamp(1, ROWS);
    let (row, shown) = skill::with_files(app, caller, id, version).await?;
    let mut findings = review::findings(app, caller, &row.id, version).await?.findings;
    let counts = Counts::of(&findings);
    findings.sort_by_key(|finding| (Reverse(finding.level), rule_place(&finding.rule)));
    let total = findings.len();
    let mut told: Vec<Told> = Vec::new();
    for finding in findings.into_iter().skip(rows.offset).take(rows.limit) {
        match told.last_mut().filter(|last| last.rule == finding.rule && last.level == finding.level) {
            Some(last) => last.places.push(finding),
            None => told.push(of_rule(finding)),
        }
    }
    let path = format!("/{}/versions/{version}/findings", row.id);
    page(&FindingsPage {
        frame: frame.titled(format!("Findings in {} {version}", row.id)).part("skill"),
        header: Header::new(row.id.clone(), row.visibility, row.latest.clone(), "version").of(version),
        version: version.clone(),
        counts,
        told,
        rules: LintRule::ALL.len(),
        files: shown.files.len(),
        pager: Pages::of(app, &path, &[]).at_most(ROWS).by_offset(rows, total as u64),
    })
}

fn rule_place(rule: &str) -> Option<usize> {
    LintRule::ALL.iter().position(|known| known.as_str() == rule)
}

fn of_rule(finding: VersionFinding) -> Told {
    let rule = rule_place(&finding.rule).map(|place| LintRule::ALL[place]);
    Told {
        rule: finding.rule.clone(),
        level: finding.level,
        title: rule.map_or_else(|| finding.rule.clone(), |rule| rule.title().to_owned()),
        help: rule.map_or("", LintRule::help),
        places: vec![finding],
    }
}
