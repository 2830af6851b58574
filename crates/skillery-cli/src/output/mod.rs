//! Everything that is printed: pages for people, JSON for programs, errors for both.
//!
//! A text may come from a registry that wishes us ill. So a page is not built from strings with colours in them but
//! from plain texts with a [`Tone`]: each text passes [`safe`] on its way in, and colours are added on the way out.

mod grid;
mod harmless;
mod page;
mod words;

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use serde::Serialize;

pub(crate) use self::grid::{Grid, left, right};
use self::harmless::json_text;
pub(crate) use self::harmless::safe;
pub(crate) use self::page::{Line, Page, Tone};
pub(crate) use self::words::{counted, figure, moment, moment_in, registry_text, size};
use crate::cli::{ColorChoice, GlobalArgs};
use crate::failure::{Exit, Failure};

/// Where output goes, and in which form.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    stdout: Stream,
    stderr: Stream,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    terminal: bool,
    colored: bool,
}

impl Output {
    /// As the options and the environment want it.
    pub(crate) fn new(global: &GlobalArgs) -> Self {
        let stream = |terminal: bool| Stream { terminal, colored: colored(global.color, terminal) };
        Self {
            json: global.json,
            quiet: global.quiet,
            stdout: stream(io::stdout().is_terminal()),
            stderr: stream(io::stderr().is_terminal()),
        }
    }

    /// Whether a spinner would be seen, and wanted.
    pub(crate) fn shows_progress(&self) -> bool {
        self.stderr.terminal && !self.quiet && !self.json
    }

    /// Whether the result is looked at by a person, who sees more in a bar than in a number.
    pub(crate) fn draws_bars(&self) -> bool {
        self.stdout.terminal && !self.json
    }

    /// Whether the result goes to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout.terminal
    }

    /// Prints a command's result: as JSON, or as the page that `describe` makes of it.
    pub(crate) fn show<T: Serialize>(
        &self,
        value: &T,
        describe: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        let text = if self.json {
            json_text(value, true)?
        } else {
            let mut page = Page::default();
            describe(&mut page);
            page.render(self.stdout)
        };
        self.print(&text)
    }

    /// Prints a result as one line of JSON, for a program that reads line by line; or as a page.
    pub(crate) fn show_line<T: Serialize>(
        &self,
        value: &T,
        describe: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        if self.json { self.print(&json_text(value, false)?) } else { self.show(value, describe) }
    }

    /// Prints a document that is the same for people and programs.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes()).map(drop)
    }

    /// Writes a part of a document. It breaks off where whoever reads has seen enough, as in `skillery list | head -1`.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<ControlFlow<()>, Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
            Err(error) => {
                Err(Failure::new(Exit::Failed, "output-error", "cannot write the result").cause(&error))
            }
            Ok(()) => Ok(ControlFlow::Continue(())),
        }
    }

    /// Says something beside the result, on stderr: a next step, a summary. Programs do not get it.
    pub(crate) fn note(&self, line: Line) {
        if !self.quiet && !self.json {
            print_error_text(&(line.render(self.stderr) + "\n"));
        }
    }

    /// Says what a person must do now, on stderr; programs get `value` as one line of JSON.
    pub(crate) fn request<T: Serialize>(&self, name: &str, value: &T, lines: Vec<Line>) {
        if self.json {
            let value = serde_json::json!({ name: value });
            print_error_text(&json_text(&value, false).unwrap_or_default());
            return;
        }
        for line in lines {
            print_error_text(&(line.render(self.stderr) + "\n"));
        }
    }

    /// Says that something is not as it should be although the command goes on.
    pub(crate) fn warning(&self, message: &str) {
        if self.json {
            let value = serde_json::json!({ "warning": { "message": message } });
            print_error_text(&json_text(&value, false).unwrap_or_default());
        } else {
            let line = Line::default().toned(Tone::Warning, "warning").plain(format!(": {message}"));
            print_error_text(&(line.render(self.stderr) + "\n"));
        }
    }

    /// Says why the command was not done: what went wrong, the causes, the hint.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            print_error_text(&json_text(&failure.for_programs(), true).unwrap_or_default());
            return;
        }
        let mut page = Page::default();
        page.line(Line::default().toned(Tone::Bad, "error").plain(format!(": {}", failure.message())));
        for cause in failure.causes() {
            let mut lines = cause.lines();
            page.text(format!("  caused by: {}", lines.next().unwrap_or_default()));
            lines.for_each(|line| page.text(format!("    {line}")));
        }
        if let Some(hint) = failure.hint_text() {
            page.blank();
            page.line(Line::default().toned(Tone::Name, "hint").plain(format!(": {hint}")));
        }
        print_error_text(&page.render(self.stderr));
    }
}

fn colored(choice: ColorChoice, terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// There is nobody left to tell when stderr itself cannot be written.
fn print_error_text(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::harmless::is_harmful;
    use super::*;

    const HOSTILE: &str = "a\u{1b}[31mb\u{202e}c\u{9b}d\u{7f}e\u{200b}f\u{e0041}g\nh";

    #[test]
    fn hostile_text_is_shown_and_not_obeyed() {
        assert_eq!(safe(HOSTILE), "a\\u{1b}[31mb\\u{202e}c\\u{9b}d\\u{7f}e\\u{200b}f\\u{e0041}g h");
        assert_eq!(safe("naïve 日本語 👩‍🚀 é"), "naïve 日本語 👩‍🚀 é");
        let mut grid = Grid::new(&[left("A")]);
        grid.row([HOSTILE]);
        let mut page = Page::default();
        page.grid(grid);
        page.line(Line::default().name(HOSTILE));
        page.indented(HOSTILE);
        page.field("name", HOSTILE);
        let text = page.render(Stream { terminal: false, colored: false });
        assert!(!text.chars().any(|character| character != '\n' && is_harmful(character)), "{text:?}");
    }

    #[test]
    fn json_keeps_the_value_and_is_harmless() {
        for pretty in [true, false] {
            let text = json_text(&HOSTILE, pretty).unwrap();
            assert!(text.trim_end().is_ascii(), "{text}");
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), HOSTILE);
        }
    }
}
