//! What was checked by whom, and what came of it.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::shell::shown;

/// What a tool says of what it was shown. Not being able to say is an error instead.
#[derive(Debug)]
pub(crate) enum Verdict {
    Accepted(String),
    Refused(String),
}

/// Who checks.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: String,
}

/// One check: what must be accepted, and the same with something changed, which must not be.
#[derive(Debug)]
pub(crate) struct Row {
    tool: Tool,
    what: String,
    began: Instant,
    seconds: f64,
    accepted: usize,
    refused: usize,
    wrong: usize,
    skipped: Option<String>,
}

impl Row {
    /// Something that must hold.
    pub(crate) fn accepts(&mut self, how: &str, outcome: Result<Verdict>) {
        match outcome {
            Ok(Verdict::Accepted(words)) => {
                self.accepted += 1;
                println!("  accepted  {how}: {words}");
            }
            Ok(Verdict::Refused(words)) => self.wrong(&format!("{how}: refused, {words}")),
            Err(error) => self.wrong(&format!("{how}: {error:#}")),
        }
    }

    /// Something that must not.
    pub(crate) fn refuses(&mut self, change: &str, outcome: Result<Verdict>) {
        match outcome {
            Ok(Verdict::Refused(words)) => {
                self.refused += 1;
                println!("  refused   {change}: {words}");
            }
            Ok(Verdict::Accepted(words)) => self.wrong(&format!("{change}: accepted, {words}")),
            Err(error) => self.wrong(&format!("{change}: {error:#}")),
        }
    }

    fn wrong(&mut self, words: &str) {
        self.wrong += 1;
        println!("  WRONG     {words}");
    }

    /// A check that accepts everything, or was never tried on something changed, proves nothing.
    fn is_good(&self) -> bool {
        self.wrong == 0 && self.accepted > 0 && self.refused > 0
    }

    fn cells(&self) -> [String; 5] {
        let (result, changed) = match &self.skipped {
            Some(_) => ("skipped".to_owned(), String::new()),
            None => {
                let word = if self.is_good() { "ok" } else { "WRONG" };
                let wrong =
                    if self.wrong > 0 { format!(", {} not as expected", self.wrong) } else { String::new() };
                (
                    format!("{word}: {} accepted{wrong} ({:.1} s)", self.accepted, self.seconds),
                    format!("{} refused", self.refused),
                )
            }
        };
        [self.tool.name.to_owned(), self.tool.version.clone(), self.what.clone(), result, changed]
    }
}

/// All checks of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Does one check. What the check itself returns as an error counts as something unexpected.
    pub(crate) fn check(&mut self, tool: &Tool, what: &str, check: impl FnOnce(&mut Row) -> Result<()>) {
        println!("\n==> {} {}: {what}", tool.name, tool.version);
        let mut row = Row::new(tool, what);
        if let Err(error) = check(&mut row) {
            row.wrong(&format!("{error:#}"));
        }
        row.seconds = row.began.elapsed().as_secs_f64();
        self.rows.push(row);
    }

    /// Notes that a tool could not be had.
    pub(crate) fn skip(&mut self, name: &'static str, what: &str, why: &str) {
        println!("\n==> {name}: {what}: skipped, {why}");
        let mut row = Row::new(&Tool { name, version: "-".to_owned() }, what);
        row.skipped = Some(why.to_owned());
        self.rows.push(row);
    }

    /// Prints the table, and fails unless everything is as it must be.
    pub(crate) fn finish(&self, allow_skips: bool) -> Result<()> {
        let head = ["tool", "version", "checked", "result", "with a change"].map(str::to_owned);
        let mut table = vec![head];
        table.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..5).map(width).collect();
        println!();
        for (number, row) in table.iter().enumerate() {
            let cell = |(text, width): (&String, &usize)| format!(" {text:<width$} ");
            println!("|{}|", row.iter().zip(&widths).map(cell).collect::<Vec<_>>().join("|"));
            if number == 0 {
                println!(
                    "|{}|",
                    widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|")
                );
            }
        }
        let reasons: BTreeSet<_> =
            self.rows.iter().filter_map(|row| Some((row.tool.name, row.skipped.as_ref()?))).collect();
        reasons.iter().for_each(|(name, why)| println!("{name} was skipped: {why}"));
        let skipped = self.rows.iter().filter(|row| row.skipped.is_some()).count();
        let bad = self.rows.iter().filter(|row| row.skipped.is_none() && !row.is_good()).count();
        if bad > 0 {
            bail!("{bad} of {} checks are not as expected", self.rows.len());
        }
        if skipped > 0 && !allow_skips {
            bail!("{skipped} of {} checks were skipped; `--allow-skips` lets that pass", self.rows.len());
        }
        Ok(())
    }
}

impl Row {
    fn new(tool: &Tool, what: &str) -> Self {
        Self {
            tool: tool.clone(),
            what: what.to_owned(),
            began: Instant::now(),
            seconds: 0.0,
            accepted: 0,
            refused: 0,
            wrong: 0,
            skipped: None,
        }
    }
}

/// The end of a program: its status, and what it printed.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program without a word and without input. Proxies are for other machines than this one.
pub(crate) fn quietly(command: &mut Command) -> Result<Ended> {
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    Ok(Ended { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted() -> Result<Verdict> {
        Ok(Verdict::Accepted("yes".to_owned()))
    }

    fn refused() -> Result<Verdict> {
        Ok(Verdict::Refused("no".to_owned()))
    }

    fn finish(allow_skips: bool, check: impl FnOnce(&mut Row)) -> bool {
        let mut report = Report::default();
        report.check(&Tool { name: "tool", version: "1".to_owned() }, "something", |row| {
            check(row);
            Ok(())
        });
        report.finish(allow_skips).is_ok()
    }

    #[test]
    fn a_check_is_good_only_if_it_was_seen_to_refuse() {
        assert!(finish(false, |row| {
            row.accepts("as it is", accepted());
            row.refuses("a byte", refused());
        }));
        assert!(!finish(true, |row| row.accepts("as it is", accepted())));
        assert!(!finish(true, |row| row.refuses("a byte", refused())));
        for outcome in [accepted, || bail!("cannot tell")] {
            assert!(!finish(true, |row| {
                row.accepts("as it is", accepted());
                row.refuses("a byte", refused());
                row.refuses("another byte", outcome());
            }));
        }
        assert!(!finish(true, |row| {
            row.accepts("as it is", refused());
            row.refuses("a byte", refused());
        }));
    }

    #[test]
    fn what_was_skipped_must_be_allowed() {
        let mut report = Report::default();
        report.skip("tool", "something", "it is not there");
        assert!(report.finish(true).is_ok());
        assert!(report.finish(false).is_err());
    }
}
