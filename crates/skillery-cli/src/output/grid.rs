//! Tables.

use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table};

use super::Stream;
use super::harmless::safe;

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

    pub(super) fn render(&self, stream: Stream, text: &mut String) {
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
