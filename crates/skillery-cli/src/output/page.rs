//! Pages: lines of plain texts, each with a tone, and tables.

use std::fmt::Write as _;

use owo_colors::{OwoColorize, Style};

use super::Stream;
use super::grid::Grid;
use super::harmless::safe;

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

    pub(super) fn render(&self, stream: Stream) -> String {
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

    pub(super) fn render(&self, stream: Stream) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_wanted() {
        let line = Line::default().toned(Tone::Good, "done").plain(" now");
        assert_eq!(line.render(Stream { terminal: true, colored: false }), "done now");
        assert_eq!(line.render(Stream { terminal: true, colored: true }), "\u{1b}[32mdone\u{1b}[0m now");
    }
}
