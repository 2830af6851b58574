//! What each client was seen to do: the table that a run writes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// What stands above the table.
const HEAD: &str = "# What clients were seen to do\n\nMade by `cargo xtask e2e clients`, from what the clients did on a machine \
that reached no other.\n\n";
/// Lines of the registry's log that a failure shows.
const LOG_LINES: usize = 40;

/// What people do with skills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Search,
    Install,
    Run,
    Pin,
    Update,
    Private,
    Yanked,
    Tampered,
    Remove,
    Publish,
}

impl Operation {
    /// All of them, as the table has them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Search,
        Self::Install,
        Self::Run,
        Self::Pin,
        Self::Update,
        Self::Private,
        Self::Yanked,
        Self::Tampered,
        Self::Remove,
        Self::Publish,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Install => "install",
            Self::Run => "programs stay programs",
            Self::Pin => "pin",
            Self::Update => "update",
            Self::Private => "private, with a token",
            Self::Yanked => "yanked",
            Self::Tampered => "changed on the way",
            Self::Remove => "remove",
            Self::Publish => "publish",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Search => "finds a skill by its words",
            Self::Install => "every file of the version, with the same bytes, and no other",
            Self::Run => "a script can be run where it was installed",
            Self::Pin => "gets a version that is not the newest, and keeps it",
            Self::Update => "gets a version that was published later, without what that has no more",
            Self::Private => {
                "gets a private skill with a token, and without one it is as if it were not there"
            }
            Self::Yanked => "does not get a yanked version, except by its number",
            Self::Tampered => "notices one changed byte, and installs nothing",
            Self::Remove => "takes a skill away",
            Self::Publish => "publishes a folder",
        }
    }
}

/// What came of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cell {
    /// So many steps were as expected.
    Ok(usize),
    /// The client has no way to do it, and why.
    Cannot(String),
    /// At least one step was not as expected.
    Failed,
}

/// A client, and what it was seen to do.
#[derive(Debug)]
pub(crate) struct Row {
    title: String,
    cells: Vec<(Operation, Cell)>,
    failures: Vec<String>,
    log: PathBuf,
}

impl Row {
    /// One for a client whose registry writes this log.
    pub(crate) fn new(title: &str, log: &Path) -> Self {
        println!("\n==> {title}");
        Self { title: title.to_owned(), cells: Vec::new(), failures: Vec::new(), log: log.to_owned() }
    }

    /// One step of an operation. What goes wrong is told with what the registry wrote meanwhile, and the next step is tried.
    pub(crate) fn step(&mut self, operation: Operation, what: &str, step: impl FnOnce() -> Result<()>) {
        println!("  {}: {what}", operation.title());
        let before = self.log_length();
        let began = Instant::now();
        let outcome = step();
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                println!("    ok ({seconds:.1} s)");
                match self.cell(operation) {
                    Some(Cell::Ok(steps)) => *steps += 1,
                    Some(Cell::Cannot(_) | Cell::Failed) => {}
                    None => self.cells.push((operation, Cell::Ok(1))),
                }
            }
            Err(error) => {
                let log = self.log_since(before);
                let log = if log.is_empty() { "    | nothing".to_owned() } else { log };
                let failure = format!(
                    "{}, {}: {what}\n  {error:#}\n  what the registry wrote meanwhile:\n{log}",
                    self.title,
                    operation.title()
                );
                println!("    FAILED ({seconds:.1} s)\n{failure}");
                self.fail(operation, failure);
            }
        }
    }

    /// The client has no way to do it. Steps may still show how it fails.
    pub(crate) fn cannot(&mut self, operation: Operation, why: &str) {
        println!("  {}: cannot, {why}", operation.title());
        match self.cell(operation) {
            Some(Cell::Failed) => {}
            Some(cell) => *cell = Cell::Cannot(why.to_owned()),
            None => self.cells.push((operation, Cell::Cannot(why.to_owned()))),
        }
    }

    /// Something that belongs to no operation went wrong; what was not tried counts as failed.
    pub(crate) fn end(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            let failure = format!("{}\n  {error:#}\n{}", self.title, self.log_since(0));
            println!("    FAILED\n{failure}");
            self.failures.push(failure);
        }
        for operation in Operation::ALL {
            if self.cell(operation).is_none() {
                self.fail(operation, format!("{}, {}: it was not tried", self.title, operation.title()));
            }
        }
    }

    fn fail(&mut self, operation: Operation, failure: String) {
        self.failures.push(failure);
        match self.cell(operation) {
            Some(cell) => *cell = Cell::Failed,
            None => self.cells.push((operation, Cell::Failed)),
        }
    }

    fn cell(&mut self, operation: Operation) -> Option<&mut Cell> {
        self.cells.iter_mut().find(|(found, _)| *found == operation).map(|(_, cell)| cell)
    }

    fn log_length(&self) -> u64 {
        std::fs::metadata(&self.log).map(|found| found.len()).unwrap_or(0)
    }

    fn log_since(&self, before: u64) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let new = bytes.get(usize::try_from(before).unwrap_or(usize::MAX)..).unwrap_or_default();
        let text = String::from_utf8_lossy(new);
        let lines: Vec<&str> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
        shown.iter().map(|line| format!("    | {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// All clients of a run.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    rows: Vec<Row>,
    /// What could not be had, and why.
    missing: Vec<(String, String)>,
}

impl Matrix {
    /// Takes what was seen of a client.
    pub(crate) fn take(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Notes that a client could not be had.
    pub(crate) fn miss(&mut self, title: &str, why: &str) {
        println!("\n==> {title}: skipped, {why}");
        self.missing.push((title.to_owned(), why.to_owned()));
    }

    /// Writes the table, and fails unless everything was as expected.
    pub(crate) fn finish(&self, file: &Path, allow_skips: bool) -> Result<()> {
        let text = self.text();
        std::fs::write(file, &text).with_context(|| format!("cannot write `{}`", file.display()))?;
        let failures: Vec<&str> =
            self.rows.iter().flat_map(|row| row.failures.iter().map(String::as_str)).collect();
        for failure in &failures {
            println!("\n{failure}");
        }
        println!("\n{text}\nwritten to `{}`", file.display());
        if !failures.is_empty() {
            bail!("{} things were not as expected", failures.len());
        }
        if !self.missing.is_empty() && !allow_skips {
            let missing = self.missing.len();
            bail!("{missing} clients were skipped; `--allow-skips` lets that pass");
        }
        Ok(())
    }

    /// The table in Markdown, with the reasons below it.
    fn text(&self) -> String {
        let mut reasons: Vec<&str> = Vec::new();
        let mut text = HEAD.to_owned() + "| client |";
        for operation in Operation::ALL {
            let _ = write!(text, " {} |", operation.title());
        }
        text += "\n| --- |";
        text += &" --- |".repeat(Operation::ALL.len());
        for row in &self.rows {
            let _ = write!(text, "\n| {} |", row.title);
            for operation in Operation::ALL {
                let cell = row.cells.iter().find(|(found, _)| *found == operation).map(|(_, cell)| cell);
                let words = match cell {
                    Some(Cell::Ok(_)) => "ok".to_owned(),
                    Some(Cell::Cannot(why)) => {
                        let number = reasons.iter().position(|reason| reason == why).unwrap_or_else(|| {
                            reasons.push(why);
                            reasons.len() - 1
                        });
                        format!("cannot ({})", number + 1)
                    }
                    Some(Cell::Failed) => "**failed**".to_owned(),
                    None => "not tried".to_owned(),
                };
                let _ = write!(text, " {words} |");
            }
        }
        for (title, why) in &self.missing {
            let _ = write!(text, "\n| {title} | skipped: {why} |{}", " |".repeat(Operation::ALL.len() - 1));
        }
        text += "\n";
        if !reasons.is_empty() {
            text += "\nWhy a client cannot:\n\n";
            for (number, reason) in reasons.iter().enumerate() {
                let _ = writeln!(text, "{}. {reason}", number + 1);
            }
        }
        text += "\nWhat each column means:\n\n";
        for operation in Operation::ALL {
            let _ = writeln!(text, "- {}: {}", operation.title(), operation.meaning());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Folder;

    fn row(fill: impl FnOnce(&mut Row)) -> Row {
        let mut row = Row::new("tool 1.0", Path::new("there-is-no-log"));
        fill(&mut row);
        for operation in Operation::ALL {
            if row.cell(operation).is_none() {
                row.cannot(operation, "it is not made for that");
            }
        }
        row
    }

    fn finish(row: Row) -> (bool, String) {
        let folder = Folder::new("matrix").unwrap();
        let file = folder.path().join("table.md");
        let mut matrix = Matrix::default();
        matrix.take(row);
        let good = matrix.finish(&file, false).is_ok();
        (good, std::fs::read_to_string(file).unwrap())
    }

    #[test]
    fn one_failed_step_fails_the_operation_and_the_run() {
        let (good, text) = finish(row(|row| row.step(Operation::Install, "it", || Ok(()))));
        assert!(good && text.contains("| tool 1.0 | cannot (1) | ok |"), "{text}");
        assert!(text.contains("\n1. it is not made for that\n") && !text.contains("\n2. "), "{text}");
        for order in [[true, false], [false, true]] {
            let (good, text) = finish(row(|row| {
                for passes in order {
                    row.step(Operation::Search, "it", || if passes { Ok(()) } else { bail!("no") });
                }
                row.cannot(Operation::Search, "an excuse");
            }));
            assert!(!good && text.contains("| tool 1.0 | **failed** |"), "{text}");
        }
    }

    #[test]
    fn what_was_not_tried_is_not_ok() {
        let mut row = Row::new("tool 1.0", Path::new("there-is-no-log"));
        row.step(Operation::Search, "it", || Ok(()));
        row.end(Ok(()));
        assert_eq!(row.failures.len(), Operation::ALL.len() - 1);
        assert!(!finish(row).0);
    }

    #[test]
    fn a_failure_shows_what_the_registry_wrote_meanwhile() {
        let folder = Folder::new("matrix").unwrap();
        let log = folder.path().join("registry.log");
        std::fs::write(&log, "before\n").unwrap();
        let mut row = Row::new("tool 1.0", &log);
        row.step(Operation::Pin, "it", || {
            std::fs::write(&log, "before\nrequest refused\n")?;
            bail!("no")
        });
        assert!(row.failures[0].contains("request refused") && !row.failures[0].contains("before"));
    }

    #[test]
    fn a_client_that_could_not_be_had_must_be_allowed() {
        let folder = Folder::new("matrix").unwrap();
        let file = folder.path().join("table.md");
        let mut matrix = Matrix::default();
        matrix.miss("tool 1.0", "npm does not have it");
        assert!(matrix.finish(&file, true).is_ok());
        assert!(matrix.finish(&file, false).is_err());
    }
}
