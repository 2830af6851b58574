//! Everything that is printed: pages for people, JSON for programs, errors for both.
//!
//! A text may come from a registry that wishes us ill. So a page is not built from strings with colours in them but
//! from plain texts with a [`Tone`]: each text passes [`safe`] on its way in, and colours are added on the way out.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table};
use owo_colors::{OwoColorize, Style};
use serde::Serialize;
use skillery_core::time::Time;
use url::Url;

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

/// How a text is meant; decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    Plain,
    /// A heading.
    Strong,
    /// The name of a thing: an id, a path, a command.
    Name,
    /// Something went well.
    Good,
    /// Something needs a look.
    Warning,
    /// Something is wrong.
    Bad,
    /// Beside the point.
    Faint,
}

impl Tone {
    fn look(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Name => Style::new().cyan(),
            Self::Good => Style::new().green(),
            Self::Warning => Style::new().yellow().bold(),
            Self::Bad => Style::new().red().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// One line of plain texts, each with a tone.
#[derive(Debug, Default)]
pub(crate) struct Line(Vec<(Tone, String)>);

impl Line {
    /// Adds a text in this tone.
    #[must_use]
    pub(crate) fn toned(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        self.0.push((tone, safe(text.as_ref())));
        self
    }

    /// Adds a text as it is.
    #[must_use]
    pub(crate) fn plain(self, text: impl AsRef<str>) -> Self {
        self.toned(Tone::Plain, text)
    }

    /// Adds a command to try, in backticks.
    #[must_use]
    pub(crate) fn command(self, text: impl AsRef<str>) -> Self {
        self.toned(Tone::Good, format!("`{}`", text.as_ref()))
    }

    /// Adds the name of a thing.
    #[must_use]
    pub(crate) fn name(self, text: impl AsRef<str>) -> Self {
        self.toned(Tone::Name, text)
    }

    /// Its words, without colours.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn render(&self, stream: Stream) -> String {
        let mut text = String::new();
        for (tone, part) in &self.0 {
            if stream.colored && *tone != Tone::Plain {
                let _ = write!(text, "{}", part.style(tone.look()));
            } else {
                text.push_str(part);
            }
        }
        text
    }
}

/// What a command prints for people, from top to bottom.
#[derive(Debug, Default)]
pub(crate) struct Page(Vec<Part>);

#[derive(Debug)]
enum Part {
    Line(Line),
    Grid(Grid),
}

impl Page {
    /// Adds a line.
    pub(crate) fn line(&mut self, line: Line) {
        self.0.push(Part::Line(line));
    }

    /// Adds a line of plain text.
    pub(crate) fn text(&mut self, text: impl AsRef<str>) {
        self.line(Line::default().plain(text));
    }

    /// Adds every line of a text, set in.
    pub(crate) fn indented(&mut self, text: &str) {
        self.indented_by("  ", text);
    }

    /// The same, set in by this.
    pub(crate) fn indented_by(&mut self, indent: &str, text: &str) {
        for line in text.lines() {
            self.text(format!("{indent}{line}"));
        }
    }

    /// Adds an empty line.
    pub(crate) fn blank(&mut self) {
        self.line(Line::default());
    }

    /// Adds a heading.
    pub(crate) fn heading(&mut self, text: &str) {
        self.line(Line::default().toned(Tone::Strong, text));
    }

    /// Adds a named value; names of up to thirteen characters stand in a column.
    pub(crate) fn field(&mut self, name: &str, value: impl AsRef<str>) {
        self.line(Line::default().toned(Tone::Faint, format!("{name:<14}")).plain(value));
    }

    /// Adds a table.
    pub(crate) fn grid(&mut self, grid: Grid) {
        self.0.push(Part::Grid(grid));
    }

    fn render(&self, stream: Stream) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Line(line) => {
                    text.push_str(&line.render(stream));
                    text.push('\n');
                }
                Part::Grid(grid) => grid.render(stream, &mut text),
            }
        }
        text
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
}

/// A column of texts.
pub(crate) const fn left(title: &'static str) -> Column {
    Column { title, right: false }
}

/// A column of numbers.
pub(crate) const fn right(title: &'static str) -> Column {
    Column { title, right: true }
}

/// A table without lines: a heading, and one line for each row. On a terminal a row that is too long is cut; in a
/// pipe it is whole.
#[derive(Debug)]
pub(crate) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// An empty table.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| safe(cell.as_ref())).collect());
    }

    fn render(&self, stream: Stream, text: &mut String) {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        if stream.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        }
        if stream.colored {
            table.enforce_styling();
        }
        table.set_header(self.columns.iter().map(|column| {
            let cell = Cell::new(column.title);
            if stream.colored { cell.add_attribute(Attribute::Bold) } else { cell }
        }));
        for cells in &self.rows {
            let mut row = Row::from(cells.clone());
            row.max_height(1);
            table.add_row(row);
        }
        for (column, description) in table.column_iter_mut().zip(&self.columns) {
            column.set_padding((0, 2));
            if description.right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        keep_all_but_the_last(&mut table);
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}

/// Lets the last column alone give way to a narrow terminal, as long as that leaves it readable: it holds the
/// description, the others what one copies from.
fn keep_all_but_the_last(table: &mut Table) {
    const READABLE: usize = 12;
    let Some(width) = table.width() else { return };
    let widths = table.column_max_content_widths();
    let Some((_, others)) = widths.split_last() else { return };
    if others.iter().map(|width| usize::from(*width) + 2).sum::<usize>() + READABLE > usize::from(width) {
        return;
    }
    let count = others.len();
    for column in table.column_iter_mut().take(count) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// A text from outside, made harmless to a terminal: line breaks become spaces, and what would move the cursor,
/// change colours, turn the reading direction or hide is written as its number, for example `\u{1b}`.
pub(crate) fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => shown.push(' '),
            harmful if is_harmful(harmful) => shown.extend(harmful.escape_unicode()),
            other => shown.push(other),
        }
    }
    shown
}

/// Control characters, marks of reading direction, invisible characters, and line separators.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// JSON in which everything that [`safe`] would alter is escaped: the value is the same, and a terminal is safe.
fn json_text<T: Serialize>(value: &T, pretty: bool) -> Result<String, Failure> {
    let json = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let json = json.map_err(|error| {
        Failure::new(Exit::Failed, "output-error", "cannot write the result as JSON").cause(&error)
    })?;
    let mut text = String::with_capacity(json.len() + 1);
    let mut units = [0; 2];
    for character in json.chars() {
        // Between strings JSON has no such character but the line break of the pretty form.
        if character != '\n' && is_harmful(character) {
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(character);
        }
    }
    text.push('\n');
    Ok(text)
}

/// A registry's address as people write it.
pub(crate) fn registry_text(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// `1 version`, `2 versions`.
pub(crate) fn counted(number: impl Into<i128>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A figure about users, or that it is withheld.
pub(crate) fn figure(figure: Option<u64>) -> String {
    figure.map_or_else(|| "withheld".to_owned(), |figure| figure.to_string())
}

/// A moment to the minute, in UTC.
pub(crate) fn moment(time: Time) -> String {
    match jiff::Timestamp::from_microsecond(time.micros()) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => time.to_string(),
    }
}

/// The moment of an RFC 3339 text; what is no such text stays as it is.
pub(crate) fn moment_in(text: &str) -> String {
    Time::try_from(text.to_owned()).map_or_else(|_| text.to_owned(), moment)
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn colours_only_where_wanted() {
        let line = Line::default().toned(Tone::Good, "done").plain(" now");
        assert_eq!(line.render(Stream { terminal: true, colored: false }), "done now");
        assert_eq!(line.render(Stream { terminal: true, colored: true }), "\u{1b}[32mdone\u{1b}[0m now");
    }

    #[test]
    fn sizes_and_moments() {
        assert_eq!(
            (size(12), size(2_048), size(3_145_728)),
            ("12 B".into(), "2.0 KiB".into(), "3.0 MiB".into())
        );
        assert_eq!(moment_in("2026-11-22T10:30:12.5Z"), "2026-11-22 10:30");
        assert_eq!(moment_in("soon"), "soon");
    }
}
