//! Results as a table, on the terminal and in `bench/RESULTS.md`.

use std::io::Write;
use std::process::Command;

use anyhow::Result;

use crate::parts::{Part, Setup};
use crate::places;
use crate::rounds::Outcome;

/// What a result must reach.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// One comparison.
#[derive(Debug)]
pub struct Row {
    /// What was done, at which load.
    pub work: String,
    /// What the registry reached.
    pub ours: String,
    /// What stands beside it.
    pub beside: String,
    /// The figure that is judged.
    pub result: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it must reach.
    pub target: Target,
}

impl Row {
    /// Rates beside each other.
    pub fn ratio(work: impl Into<String>, ours: &Outcome, theirs: &Outcome, at_least: f64) -> Self {
        Self {
            work: work.into(),
            ours: rate(ours),
            beside: format!("{}: {}", theirs.name, rate(theirs)),
            result: ours.over(theirs),
            unit: "x",
            target: Target::AtLeast(at_least),
        }
    }

    fn is_met(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.result >= least,
            Target::AtMost(most) => self.result <= most,
        }
    }

    fn cells(&self) -> [String; 6] {
        let target = match self.target {
            Target::AtLeast(least) => format!(">= {least} {}", self.unit),
            Target::AtMost(most) => format!("<= {most} {}", self.unit),
        };
        let met = if self.is_met() { "yes" } else { "NO" };
        let result = format!("{} {}", short(self.result), self.unit);
        [self.work.clone(), self.ours.clone(), self.beside.clone(), result, target, met.to_owned()]
    }
}

/// A rate with its 99th percentile.
pub fn rate(outcome: &Outcome) -> String {
    format!("{}/s, p99 {} ms", thousands(outcome.rate()), short(outcome.p99_ms()))
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits, more or less.
pub fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// What a part found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Comparisons.
    pub rows: Vec<Row>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

impl Findings {
    /// How many targets were missed.
    pub fn missed(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_met()).count()
    }

    fn table(&self) -> String {
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let widths: Vec<usize> = (0..HEAD.len())
            .map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} |"));
            text += &format!("|{}\n", cells.collect::<String>());
            if number == 0 {
                text += &format!(
                    "|{}\n",
                    widths.iter().map(|width| "-".repeat(width + 2) + "|").collect::<String>()
                );
            }
        }
        for note in &self.notes {
            text += &format!("\n{note}\n");
        }
        text
    }
}

const HEAD: [&str; 6] = ["work", "skillery", "beside", "result", "target", "met"];

/// Date, machine and settings of a run.
pub struct Report {
    date: String,
    machine: String,
    settings: String,
}

impl Report {
    /// Notes when and where. Whatever else the machine does is in its load average.
    pub fn begin(setup: &Setup) -> Self {
        let read = |file: &str| fs_err::read_to_string(file).unwrap_or_default();
        let field = |file: &str, name: &str| {
            let line = read(file).lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            line.unwrap_or_default().trim_start_matches([' ', '\t', ':']).trim().to_owned()
        };
        let memory = field("/proc/meminfo", "MemTotal");
        let kilobytes: f64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0);
        let machine = format!(
            "{} x {}, {:.0} GB, Linux {}",
            std::thread::available_parallelism().map_or(1, usize::from),
            field("/proc/cpuinfo", "model name"),
            kilobytes / 1e6,
            read("/proc/sys/kernel/osrelease").trim(),
        );
        let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
        let settings = format!(
            "version {}; {} rounds in turns after one to warm up, {} s of each load of reads; medians; load average before: {load}",
            version().unwrap_or_else(|| "unknown".to_owned()),
            setup.rounds,
            setup.seconds
        );
        Self { date: jiff::Zoned::now().strftime("%Y-%m-%d %H:%M").to_string(), machine, settings }
    }

    /// Prints a part's table.
    #[expect(clippy::unused_self, reason = "showing and recording belong together")]
    pub fn show(&self, part: Part, findings: &Findings) {
        println!("\n{}\n\n{}", part.name(), findings.table());
    }

    /// Appends a part's table to `bench/RESULTS.md`.
    pub fn record(&self, part: Part, findings: &Findings) -> Result<()> {
        let path = places::root().join("bench/RESULTS.md");
        let is_new = !path.exists();
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
        if is_new {
            file.write_all(INTRODUCTION.as_bytes())?;
        }
        let Self { date, machine, settings } = self;
        let table = findings.table();
        write!(file, "\n## {date} `{}`\n\n{machine}; {settings}.\n\n{table}", part.name())?;
        Ok(())
    }
}

/// The commit that is measured, and whether there was more than it.
fn version() -> Option<String> {
    let mut git = Command::new("git");
    let output = git.args(["describe", "--always", "--dirty"]).current_dir(places::root()).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|version| !version.is_empty())
}

const INTRODUCTION: &str = "\
# Results

What `cargo xtask bench` measured, the newest last. Everything runs on one machine, load and all, on loopback; absolute
figures move by half between runs on small machines, and only what stands in one row was measured in turns. A ratio is
the median of the rounds' ratios, so it need not be the quotient of the two medians beside it.
";
