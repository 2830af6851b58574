//! A diff as git writes it.

use std::io::Write as _;
use std::time::Instant;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use skillery_core::api::{FileChange, FileSummary, LineKind};
use skillery_core::git::blob;
use skillery_core::{Limits, SkillId};

use super::compare::Pair;
use super::lines::{changes, lines_of, split};
use super::{Side, base85, is_comparable, text_of};
use crate::failure::{Failure, Result};

/// Writes all of it. What is too large is named in lines at the head, which those who apply patches pass over.
pub fn write(
    id: &SkillId,
    from: Option<&Side>,
    to: &Side,
    pairs: &[Pair<'_>],
    limits: &Limits,
    deadline: Instant,
) -> Result<Vec<u8>> {
    let mut head = match from {
        Some(from) => format!("{id} {} to {}\n", from.row.version, to.row.version),
        None => format!("{id} {}\n", to.row.version),
    };
    let mut patch = Vec::new();
    for (place, pair) in pairs.iter().enumerate() {
        // What has no room is not made first.
        let has_room = place < limits.diff_files && patch.len() < limits.diff_bytes;
        let written = if has_room { file(pair, from, to, limits, deadline)? } else { None };
        match written.filter(|written| patch.len() + written.len() <= limits.diff_bytes) {
            Some(written) => patch.extend_from_slice(&written),
            None => {
                head +=
                    &format!("left out, as it is too large: {}\n", pair.paths().next().unwrap_or_default())
            }
        }
    }
    let mut all = head.into_bytes();
    all.push(b'\n');
    all.extend_from_slice(&patch);
    Ok(all)
}

fn mode(file: &FileSummary) -> &'static str {
    if file.mode == "0755" { "100755" } else { "100644" }
}

/// One file; nothing where it is too large.
fn file(
    pair: &Pair<'_>,
    from: Option<&Side>,
    to: &Side,
    limits: &Limits,
    deadline: Instant,
) -> Result<Option<Vec<u8>>> {
    let new = pair.paths().next().unwrap_or_default();
    let old = pair.paths().last().unwrap_or_default();
    // No path of a bundle has a character in it that would have to be quoted.
    let mut text = format!("diff --git a/{old} b/{new}\n");
    match (pair.before, pair.after) {
        (None, Some(after)) => text += &format!("new file mode {}\n", mode(after)),
        (Some(before), None) => text += &format!("deleted file mode {}\n", mode(before)),
        (Some(before), Some(after)) if before.mode != after.mode => {
            text += &format!("old mode {}\nnew mode {}\n", mode(before), mode(after));
        }
        _ => {}
    }
    if pair.status == FileChange::Renamed {
        text += &format!("similarity index 100%\nrename from {old}\nrename to {new}\n");
    }
    let mut out = text.into_bytes();
    if pair.has_same_content() {
        return Ok(Some(out));
    }
    let (before, after) = pair.contents(from, to);
    match text_of(before).zip(text_of(after)) {
        Some((old_text, new_text)) => {
            if !is_comparable(old_text, limits) || !is_comparable(new_text, limits) {
                return Ok(None);
            }
            lines(pair, old, new, old_text, new_text, deadline, &mut out);
        }
        None if after.len() > limits.diff_file_bytes => return Ok(None),
        None => binary(pair, before, after, &mut out)?,
    }
    Ok(Some(out))
}

fn lines(
    pair: &Pair<'_>,
    old: &str,
    new: &str,
    old_text: &str,
    new_text: &str,
    deadline: Instant,
    out: &mut Vec<u8>,
) {
    let (old_lines, new_lines) = (split(old_text), split(new_text));
    let groups = changes(&old_lines, &new_lines, deadline);
    if groups.is_empty() {
        return;
    }
    // A tab ends a path that has spaces in it.
    let end = |path: &str| if path.contains(' ') { "\t" } else { "" };
    let old = pair.before.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{old}{}", end(old)));
    let new = pair.after.map_or_else(|| "/dev/null".to_owned(), |_| format!("b/{new}{}", end(new)));
    out.extend_from_slice(format!("--- {old}\n+++ {new}\n").as_bytes());
    for group in groups {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let of = |start: usize, end: usize| format!("{},{}", start + usize::from(end > start), end - start);
        let (old, new) =
            (first.old_range().start..last.old_range().end, first.new_range().start..last.new_range().end);
        out.extend_from_slice(
            format!("@@ -{} +{} @@\n", of(old.start, old.end), of(new.start, new.end)).as_bytes(),
        );
        for (kind, old_place, new_place) in group.iter().flat_map(lines_of) {
            let (sign, line) = match kind {
                LineKind::Context => (b' ', old_lines.get(old_place)),
                LineKind::Removed => (b'-', old_lines.get(old_place)),
                LineKind::Added => (b'+', new_lines.get(new_place)),
            };
            let Some(line) = line else { continue };
            out.push(sign);
            out.extend_from_slice(line.as_bytes());
            if !line.ends_with('\n') {
                out.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
    }
}

/// Bytes that are no text, as a whole. They can be applied where the file is the one before, and not be taken back.
fn binary(pair: &Pair<'_>, before: &[u8], after: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let id = |is_there: bool, bytes: &[u8]| -> Result<String> {
        match is_there {
            true => Ok(blob(bytes.to_vec()).map_err(Failure::internal)?.id.to_string()),
            false => Ok("0".repeat(40)),
        }
    };
    let (old, new) = (id(pair.before.is_some(), before)?, id(pair.after.is_some(), after)?);
    out.extend_from_slice(
        format!("index {old}..{new}\nGIT binary patch\nliteral {}\n", after.len()).as_bytes(),
    );
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(after).map_err(Failure::internal)?;
    base85::write(&encoder.finish().map_err(Failure::internal)?, out);
    out.push(b'\n');
    Ok(())
}
