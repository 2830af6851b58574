//! What was done to the registry, how often, and what did not hold.

use std::time::Instant;

use anyhow::{Result, bail};

/// Characters that are told of a violation.
const MOST: usize = 1_500;

/// One kind of fault.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    /// Faults that were brought about.
    pub(crate) count: usize,
    /// What was seen besides, for people.
    pub(crate) seen: String,
    /// What did not hold.
    pub(crate) violations: Vec<String>,
    seconds: f64,
}

impl Row {
    /// Notes something that must not be.
    pub(crate) fn violation(&mut self, words: String) {
        // A log that is quoted may be a long one, and says what it is about at its beginning.
        let words: String = words.chars().take(MOST).collect();
        println!("  VIOLATION {words}");
        self.violations.push(words);
    }

    fn cells(&self) -> [String; 5] {
        [
            self.what.clone(),
            self.count.to_string(),
            self.violations.len().to_string(),
            self.seen.clone(),
            format!("{:.0} s", self.seconds),
        ]
    }
}

/// All kinds of faults of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Does one kind. What it returns as an error counts as a violation, and so does a kind that did nothing.
    pub(crate) fn check(&mut self, what: &str, check: impl FnOnce(&mut Row) -> Result<()>) {
        println!("\n==> {what}");
        let began = Instant::now();
        let mut row = Row {
            what: what.to_owned(),
            count: 0,
            seen: String::new(),
            violations: Vec::new(),
            seconds: 0.0,
        };
        if let Err(error) = check(&mut row) {
            row.violation(format!("{error:#}"));
        } else if row.count == 0 {
            row.violation("nothing was done".to_owned());
        }
        row.seconds = began.elapsed().as_secs_f64();
        println!("  {} faults, {} violations, {}", row.count, row.violations.len(), row.seen);
        self.rows.push(row);
    }

    /// Prints the table, and fails if anything did not hold.
    pub(crate) fn finish(&self) -> Result<()> {
        let mut table = vec![["fault", "how many", "violations", "seen", "time"].map(str::to_owned)];
        table.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..5).map(width).collect();
        println!();
        for (number, row) in table.iter().enumerate() {
            let cell = |(text, width): (&String, &usize)| format!(" {text:<width$} ");
            println!("|{}|", row.iter().zip(&widths).map(cell).collect::<Vec<_>>().join("|"));
            if number == 0 {
                let line = |width: &usize| "-".repeat(width + 2);
                println!("|{}|", widths.iter().map(line).collect::<Vec<_>>().join("|"));
            }
        }
        let violations: Vec<_> = self
            .rows
            .iter()
            .flat_map(|row| row.violations.iter().map(|words| format!("{}: {words}", row.what)))
            .collect();
        if violations.is_empty() {
            return Ok(());
        }
        bail!("{} things did not hold:\n{}", violations.len(), violations.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(check: impl FnOnce(&mut Row) -> Result<()>) -> bool {
        let mut report = Report::default();
        report.check("something", check);
        report.finish().is_ok()
    }

    #[test]
    fn errors_violations_and_idleness_fail_the_run() {
        assert!(finish(|row| {
            row.count = 1;
            Ok(())
        }));
        assert!(!finish(|_| Ok(())));
        assert!(!finish(|_| bail!("it broke")));
        assert!(!finish(|row| {
            row.count = 1;
            row.violation("an entry is gone".to_owned());
            Ok(())
        }));
    }
}
