//! `skillery approve diff`: what changed in a version.

use skillery_client::DiffQuery;
use skillery_core::api::{DiffEnd, DiffResponse, FileChange, FileDiff, Hunk, HunkLine, LineKind};

use super::Which;
use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Page, Tone, counted, safe, size};
use crate::progress::Progress;
use crate::session::Session;

/// Shows it.
pub(super) async fn run(
    session: &Session,
    which: &Which,
    from: Option<&str>,
    file: Option<&str>,
    as_patch: bool,
) -> CommandResult {
    let client = session.client()?;
    let query = DiffQuery { from: from.map(str::to_owned), path: file.map(str::to_owned) };
    let progress = Progress::spinner(&session.output, &format!("comparing {} {}", which.id, which.version));
    if as_patch {
        let patch = client.patch(&which.id, &which.version, &query).await?;
        drop(progress);
        // On a terminal it is to be read, and a skill must not write to it as it likes.
        let patch = match session.output.is_terminal() {
            true => patch.lines().map(|line| safe(line) + "\n").collect(),
            false => patch,
        };
        session.output.print(&patch)?;
        return Ok(Exit::Done);
    }
    let diff = client.diff(&which.id, &which.version, &query).await?;
    drop(progress);
    session.output.show(&diff, |page| describe(page, &diff))?;
    Ok(Exit::Done)
}

fn describe(page: &mut Page, diff: &DiffResponse) {
    let end = |end: &DiffEnd| format!("{} ({})", end.version, end.status);
    let from = diff.from.as_ref().map_or_else(|| "nothing".to_owned(), end);
    page.line(Line::default().name(diff.id.as_str()).plain(format!(" {from} to {}", end(&diff.to))));
    page.field("digest", diff.to.digest.to_string());
    let files = counted(diff.files.len() as i128, "file", "files");
    let lines = format!("{} added, {} removed", counted(diff.added, "line", "lines"), diff.removed);
    page.field("changed", format!("{files}, {} as before; {lines}", diff.unchanged));
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    for field in &diff.fields {
        let was = match diff.from {
            Some(_) => format!(" (was: {})", value(&field.before)),
            None => String::new(),
        };
        page.field(&field.field, value(&field.after) + &was);
    }
    for one in &diff.dependencies {
        let (tone, told) = match (&one.before, &one.after) {
            (None, Some(after)) => (Tone::Warning, format!("{} {after} (new)", one.id)),
            (Some(before), None) => (Tone::Plain, format!("{} (was: {before})", one.id)),
            _ => (Tone::Plain, format!("{} {} (was: {})", one.id, value(&one.after), value(&one.before))),
        };
        let name = if one.after.is_some() { "needs" } else { "needs no more" };
        page.line(named(name).toned(tone, told));
    }
    for one in &diff.permissions {
        let ask = |sign: &str, what: &String| match &*one.permission {
            "undeclared" => format!("{}: {sign} anything, as it does not say what", one.path),
            "program" => format!("{}: {sign} to be run as a program", one.path),
            permission => format!("{}: {permission} {sign} {what}", one.path),
        };
        one.added.iter().for_each(|what| page.line(named("asks for").toned(Tone::Warning, ask("+", what))));
        one.removed.iter().for_each(|what| page.line(named("asks for").plain(ask("-", what))));
    }
    for one in &diff.findings {
        let line = one.line.map(|line| format!(":{line}")).unwrap_or_default();
        let told = format!("{} {} {}{line}: {}", one.level, one.rule, one.path, one.message);
        page.line(named("found").toned(Tone::Warning, told));
    }
    diff.files.iter().for_each(|file| describe_file(page, file));
    if diff.truncated {
        page.blank();
        let left_out =
            "not all lines are shown; ask for one file with --file, or look at the installed version";
        page.line(Line::default().toned(Tone::Warning, left_out));
    }
}

fn named(name: &str) -> Line {
    Line::default().toned(Tone::Faint, format!("{name:<14}"))
}

fn describe_file(page: &mut Page, file: &FileDiff) {
    page.blank();
    let tone = match file.status {
        FileChange::Added => Tone::Good,
        FileChange::Removed => Tone::Bad,
        FileChange::Changed | FileChange::Renamed => Tone::Warning,
    };
    let mut head = Line::default().toned(tone, file.status.as_str()).plain(" ").name(&file.path);
    let (before, after) = (file.before.as_ref(), file.after.as_ref());
    if let Some(before) = before.filter(|before| before.path != file.path) {
        head = head.plain(format!(" (was: {})", before.path));
    }
    match (before, after) {
        (Some(before), Some(after)) if before.mode != after.mode => {
            head = head.toned(Tone::Warning, format!(" mode {} (was: {})", after.mode, before.mode));
        }
        (None, Some(after)) if after.mode == "0755" => head = head.toned(Tone::Warning, " executable"),
        _ => {}
    }
    if file.hidden > 0 {
        let hidden = counted(file.hidden, "hidden character", "hidden characters");
        head = head.toned(Tone::Bad, format!(" {hidden}"));
    }
    page.line(head);
    if file.binary {
        for (name, side) in [("before", before), ("after", after)] {
            if let Some(side) = side {
                page.field(&format!("  {name}"), format!("{}, {}", size(side.size), side.digest));
            }
        }
    }
    for hunk in &file.hunks {
        let Hunk { old_start, old_lines, new_start, new_lines, .. } = hunk;
        let head = format!("@@ -{old_start},{old_lines} +{new_start},{new_lines} @@");
        page.line(Line::default().toned(Tone::Faint, head));
        hunk.lines.iter().for_each(|line| page.line(shown(line)));
    }
    if file.truncated {
        let more =
            format!("  more lines are left out: {} added and {} removed in all", file.added, file.removed);
        page.line(Line::default().toned(Tone::Warning, more));
    }
}

/// One line with its numbers. What was hidden stands out.
fn shown(line: &HunkLine) -> Line {
    let (tone, sign) = match line.kind {
        LineKind::Context => (Tone::Plain, ' '),
        LineKind::Removed => (Tone::Bad, '-'),
        LineKind::Added => (Tone::Good, '+'),
    };
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut shown = Line::default()
        .toned(Tone::Faint, format!("{:>5} {:>5} ", number(line.old), number(line.new)))
        .toned(tone, sign.to_string());
    // A tab that became blanks is a change, and must be seen.
    let tab = if line.kind == LineKind::Context { "    " } else { "→   " };
    let text = line.text.replace('\t', tab);
    let mut rest = text.as_str();
    while line.hidden > 0
        && let Some(start) = rest.find("⟨U+")
        && let Some(length) = rest[start..].find('⟩')
    {
        let end = start + length + '⟩'.len_utf8();
        shown = shown.toned(tone, &rest[..start]).toned(Tone::Warning, &rest[start..end]);
        rest = &rest[end..];
    }
    shown = shown.toned(tone, rest);
    if line.unended { shown.toned(Tone::Faint, " (no line feed at the end)") } else { shown }
}
