//! The audit as a file, of any length: CSV, or a line of JSON for each row. Only some rows are in memory at a time.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use skillery_core::api::AuditEntry;
pub use skillery_core::api::AuditFormat as Format;

use super::read::Asked;
use crate::app::App;
use crate::db::audit as table;
use crate::failure::{Failure, Result};

/// Rows read at once.
const ROWS: usize = 500;
/// The columns of CSV.
const COLUMNS: [&str; 19] = [
    "id",
    "time",
    "last_time",
    "times",
    "outcome",
    "action",
    "actor",
    "actor_id",
    "subject",
    "version",
    "namespace",
    "affected",
    "code",
    "log_index",
    "via",
    "token",
    "address",
    "agent",
    "request",
];

fn head(format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Csv => csv([COLUMNS.map(str::to_owned)]),
        Format::Jsonl => Ok(Vec::new()),
    }
}

/// These rows in this format.
pub fn rows(format: Format, entries: &[AuditEntry]) -> Result<Vec<u8>> {
    match format {
        Format::Csv => csv(entries.iter().map(cells)),
        Format::Jsonl => {
            let mut lines = Vec::new();
            for entry in entries {
                serde_json::to_writer(&mut lines, entry).map_err(Failure::internal)?;
                lines.push(b'\n');
            }
            Ok(lines)
        }
    }
}

struct Position {
    app: Arc<App>,
    asked: Asked,
    format: Format,
    before: Option<i64>,
    left: usize,
    is_begun: bool,
}

/// The rows that are asked for, the newest first, at most so many. It breaks off where the database fails, so that nobody takes
/// a part for the whole.
pub fn body(app: Arc<App>, asked: Asked, format: Format, before: Option<i64>, limit: usize) -> Body {
    let start = Position { app, asked, format, before, left: limit, is_begun: false };
    Body::from_stream(stream::try_unfold(start, next))
}

async fn next(mut at: Position) -> Result<Option<(Bytes, Position)>> {
    let mut bytes = Vec::new();
    if !at.is_begun {
        at.is_begun = true;
        bytes = head(at.format)?;
    } else if at.left == 0 {
        return Ok(None);
    }
    let limit = at.left.min(ROWS);
    // A turn for each piece: whoever reads slowly keeps nobody waiting.
    let turn = at.app.auditing.turn().await?;
    let rows = table::page(&at.app.db, &at.asked.filter, at.before, limit).await?;
    drop(turn);
    at.left = if rows.len() < limit { 0 } else { at.left - rows.len() };
    at.before = rows.last().map(|row| row.entry.id).or(at.before);
    let entries: Vec<AuditEntry> = rows.into_iter().map(|row| at.asked.shown(row)).collect();
    bytes.extend(self::rows(at.format, &entries)?);
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some((bytes.into(), at)))
}

fn csv<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(Failure::internal)?;
    }
    writer.into_inner().map_err(|error| Failure::internal(error.to_string()))
}

fn cells(entry: &AuditEntry) -> [String; 19] {
    let text = |value: &Option<String>| harmless(value.as_deref().unwrap_or_default());
    [
        entry.id.to_string(),
        entry.time.to_string(),
        entry.last_time.to_string(),
        entry.times.to_string(),
        entry.outcome.to_string(),
        harmless(&entry.action),
        text(&entry.actor),
        text(&entry.actor_id),
        text(&entry.subject),
        text(&entry.version),
        text(&entry.namespace),
        text(&entry.affected),
        text(&entry.code),
        entry.log_index.map(|index| index.to_string()).unwrap_or_default(),
        text(&entry.via),
        text(&entry.token),
        text(&entry.address),
        text(&entry.agent),
        text(&entry.request),
    ]
}

/// A cell that no program for tables takes for a formula.
fn harmless(text: &str) -> String {
    let is_formula =
        text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    match is_formula || text.starts_with(['\t', '\r', '\n']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+x", "'+x"),
            ("-x", "'-x"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\t=1", "'\t=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("acme/tool", "acme/tool"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), cell);
        }
        let written =
            csv([["=cmd|'/C calc'!A0".to_owned(), "a \"b\", c\r\nd".to_owned()].map(|text| harmless(&text))]);
        assert_eq!(
            String::from_utf8(written.unwrap()).unwrap(),
            "'=cmd|'/C calc'!A0,\"a \"\"b\"\", c\r\nd\"\r\n"
        );
    }
}
