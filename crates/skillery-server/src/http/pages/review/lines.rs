//! Files of a diff as rows of tables: as many as a page may have, and where the rest is.

use std::time::Instant;

use skillery_core::api::{DiffResponse, DiffSide, FileChange, FileDiff, Hunk, HunkLine, LineKind};

use super::super::highlight;
use super::super::show::{Count, escaped};
use super::asked::{Asked, At};

/// Characters of a line that are shown.
const LINE: usize = 1_000;
/// What a row has around its text.
const ROW: usize = 190;
/// What a file has above its rows, without its path.
const HEAD: usize = 700;
/// Rows that stand before a line that was asked for.
const BEFORE: usize = 8;

/// How much a page has room for.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Bytes of rows and heads of files.
    pub rows: usize,
    /// Bytes that may be added to tell kinds of words.
    pub colours: usize,
}

impl Space {
    /// What is left of it where so many bytes are something else: rows lose their colours last.
    pub fn without(self, bytes: usize) -> Self {
        let beyond = bytes.saturating_sub(self.rows);
        Self { rows: self.rows.saturating_sub(bytes), colours: self.colours.saturating_sub(beyond) }
    }
}

/// What is left of it while a page is laid out.
struct Left {
    room: Space,
    /// Until when kinds of words are told.
    deadline: Instant,
}

/// A line as it is shown.
#[derive(Debug)]
pub struct Line {
    /// Which version has it.
    pub kind: LineKind,
    /// Its number in the older file.
    pub old: Option<u64>,
    /// Its number in the newer file.
    pub new: Option<u64>,
    /// What it says, as HTML.
    pub html: String,
    /// Characters of it that are not shown.
    pub cut: usize,
    /// Whether the file ends here without a line feed.
    pub unended: bool,
}

impl Line {
    /// The class of its row.
    pub fn class(&self) -> &'static str {
        match self.kind {
            LineKind::Added => "added",
            LineKind::Removed => "removed",
            LineKind::Context => "same",
        }
    }

    /// What stands before it.
    pub fn sign(&self) -> &'static str {
        match self.kind {
            LineKind::Added => "+",
            LineKind::Removed => "−",
            LineKind::Context => "",
        }
    }

    /// Of which version it is spoken of: the newer one where both have it.
    pub fn side(&self) -> DiffSide {
        if self.new.is_some() { DiffSide::New } else { DiffSide::Old }
    }

    /// Its number there.
    pub fn number(&self) -> u64 {
        self.new.or(self.old).unwrap_or_default()
    }
}

/// A row of a file.
#[derive(Debug)]
pub enum Row {
    /// So many lines that both versions have; in the newer file they begin with this one.
    Same {
        /// How many.
        count: u64,
        /// The first of them.
        from: u64,
    },
    /// A line.
    Line(Line),
}

/// What is shown of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// Its rows.
    Rows,
    /// Nothing here, as there is no room: it has a page of its own.
    Elsewhere,
    /// It is no text.
    Binary,
    /// It is too large to be compared.
    Large,
    /// Its content is the same: another path, or another mode.
    Moved,
    /// It is empty.
    Empty,
}

/// One file of a diff.
#[derive(Debug)]
pub struct FileView {
    /// What became of it, without its lines.
    pub file: FileDiff,
    /// What is shown.
    pub shown: Shown,
    /// The rows.
    pub rows: Vec<Row>,
    /// The rows that a page before this one would begin with.
    pub before: Option<usize>,
    /// The row that the next page begins with.
    pub next: Option<usize>,
}

impl FileView {
    /// Bytes that it takes in memory, at most nearly.
    pub fn size(&self) -> usize {
        let of_row = |row: &Row| match row {
            Row::Line(line) => line.html.capacity(),
            Row::Same { .. } => 0,
        };
        // Its path stands in what is said of it before and after, too.
        size_of::<Self>()
            + self.file.path.len() * 3
            + self.rows.capacity() * size_of::<Row>()
            + self.rows.iter().map(of_row).sum::<usize>()
    }

    /// Where it was, if that is another place.
    pub fn was(&self) -> Option<&str> {
        let before = self.file.before.as_ref().map(|file| file.path.as_str());
        before.filter(|path| *path != self.file.path)
    }

    /// Its mode before and after, where that differs.
    pub fn modes(&self) -> Option<(&str, &str)> {
        let modes = self.file.before.as_ref().zip(self.file.after.as_ref());
        modes
            .map(|(before, after)| (before.mode.as_str(), after.mode.as_str()))
            .filter(|(one, other)| one != other)
    }

    /// The mode of a file that is new, where it may run.
    pub fn runs(&self) -> bool {
        self.file.before.is_none() && self.file.after.as_ref().is_some_and(|file| file.mode.ends_with("755"))
    }

    /// The path of the file on this side.
    pub fn path(&self, side: DiffSide) -> Option<&str> {
        let file = match side {
            DiffSide::Old => self.file.before.as_ref(),
            DiffSide::New => self.file.after.as_ref(),
        };
        file.map(|file| file.path.as_str())
    }

    /// The pill of what became of it.
    pub fn pill(&self) -> &'static str {
        match self.file.status {
            FileChange::Added => "good",
            FileChange::Removed => "bad",
            FileChange::Changed | FileChange::Renamed => "",
        }
    }
}

/// The files of a page.
#[derive(Debug, Default)]
pub struct Files {
    /// Those that are shown.
    pub files: Vec<FileView>,
    /// How many come before.
    pub offset: usize,
    /// Where the next page begins.
    pub next: Option<usize>,
    /// Whether only one is shown.
    pub is_one: bool,
    /// Whether time was over before kinds of words were told as far as there was room.
    pub is_late: bool,
}

impl Files {
    /// What links call a line of the file at this place on the page.
    pub fn anchor(&self, place: impl Count, line: &Line) -> String {
        let side = if line.side() == DiffSide::New { "n" } else { "o" };
        format!("f{}{side}{}", self.offset as i64 + place.number(), line.number())
    }
}

/// Lays the files of a diff out on a page, without kinds of words from the deadline on.
pub fn laid_out(diff: &mut DiffResponse, asked: &Asked, room: Space, deadline: Instant) -> Files {
    let mut files = std::mem::take(&mut diff.files);
    let mut left = Left { room, deadline };
    if let Some(path) = &asked.file {
        let has_path = |file: &FileDiff| {
            file.path == *path || file.before.as_ref().is_some_and(|before| before.path == *path)
        };
        files.retain(has_path);
        let views = files.into_iter().take(2).map(|file| {
            let start = start(&file, asked);
            view(file, start, &mut left, true)
        });
        let files = views.collect();
        return Files { files, offset: 0, next: None, is_one: true, is_late: Instant::now() >= deadline };
    }
    let total = files.len();
    let mut laid = Files { offset: asked.offset.min(total), ..Files::default() };
    // Heads come first: without them nobody would know of a file.
    let mut heads = room.rows / 2;
    for (place, file) in files.into_iter().enumerate().skip(laid.offset) {
        let head = HEAD + file.path.len() * 8;
        if !laid.files.is_empty() && heads < head {
            laid.next = Some(place);
            break;
        }
        heads = heads.saturating_sub(head);
        left.room.rows = left.room.rows.saturating_sub(head);
        laid.files.push(view(file, 0, &mut left, false));
    }
    laid.is_late = Instant::now() >= deadline;
    laid
}

/// The row that the page of a file begins with: the one that was asked for, or one before the line that was.
fn start(file: &FileDiff, asked: &Asked) -> usize {
    let Some(at) = &asked.at else { return asked.row };
    let found = flat(&file.hunks).position(|piece| matches!(piece, Piece::Line(line) if is_at(line, at)));
    found.map_or(asked.row, |place| if place > BEFORE * 3 { place - BEFORE } else { 0 })
}

fn is_at(line: &HunkLine, at: &At) -> bool {
    let number = match at.side {
        DiffSide::Old => line.old,
        DiffSide::New => line.new,
    };
    number == Some(u64::from(at.line))
}

/// A row before it is one.
enum Piece<'a> {
    Same { count: u64, from: u64 },
    Line(&'a HunkLine),
}

fn flat(hunks: &[Hunk]) -> impl Iterator<Item = Piece<'_>> {
    let mut end = 1;
    hunks.iter().flat_map(move |hunk| {
        let start = hunk.new_start.max(1);
        let gap = start.saturating_sub(end);
        let same = (gap > 0).then_some(Piece::Same { count: gap, from: end });
        end = hunk.new_start + hunk.new_lines;
        same.into_iter().chain(hunk.lines.iter().map(Piece::Line))
    })
}

fn view(mut file: FileDiff, start: usize, left: &mut Left, is_alone: bool) -> FileView {
    let is_empty =
        |file: &FileDiff| [&file.before, &file.after].into_iter().flatten().all(|summary| summary.size == 0);
    let has_same_content =
        matches!((&file.before, &file.after), (Some(one), Some(other)) if one.digest == other.digest);
    let shown = match &file {
        file if has_same_content => Some(if is_empty(file) { Shown::Empty } else { Shown::Moved }),
        file if file.binary => Some(Shown::Binary),
        file if file.hunks.is_empty() && file.truncated => Some(Shown::Large),
        file if file.hunks.is_empty() => Some(Shown::Empty),
        _ => None,
    };
    let made = |file, shown| FileView { file, shown, rows: Vec::new(), before: None, next: None };
    let hunks = std::mem::take(&mut file.hunks);
    if let Some(shown) = shown {
        return made(file, shown);
    }
    // A file that has no room for some lines is shown elsewhere, unless it is the only one.
    if !is_alone && left.room.rows < ROW * 12 {
        return made(file, Shown::Elsewhere);
    }
    let pieces: Vec<Piece<'_>> = flat(&hunks).collect();
    let first = start.min(pieces.len().saturating_sub(1));
    let (mut rows, mut next) = (Vec::new(), None);
    for (place, piece) in pieces.iter().enumerate().skip(first) {
        let row = match piece {
            Piece::Same { count, from } => Row::Same { count: *count, from: *from },
            Piece::Line(line) => Row::Line(plain(line)),
        };
        let cost = ROW + if let Row::Line(line) = &row { line.html.len() } else { 0 };
        if cost > left.room.rows && !(is_alone && rows.is_empty()) {
            next = Some(place);
            break;
        }
        left.room.rows = left.room.rows.saturating_sub(cost);
        rows.push(row);
    }
    colour(&file.path, &pieces[first..], &mut rows, left);
    let before = (first > 0).then(|| first.saturating_sub(rows.len().max(60)));
    FileView { file, shown: Shown::Rows, rows, before, next }
}

fn plain(line: &HunkLine) -> Line {
    let length = line.text.chars().count();
    let shown: String = line.text.chars().take(LINE).collect();
    let html = if line.hidden > 0 { marked(&shown) } else { escaped(&shown) };
    let cut = length.saturating_sub(LINE);
    Line { kind: line.kind, old: line.old, new: line.new, html, cut, unended: line.unended }
}

/// A text as HTML, in which what was hidden is marked.
fn marked(text: &str) -> String {
    let mut html = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(start) = rest.find("⟨U+") {
        let (before, from) = rest.split_at(start);
        html += &escaped(before);
        let Some(end) = from.find('⟩').map(|end| end + '⟩'.len_utf8()) else {
            rest = from;
            break;
        };
        html += &format!("<mark>{}</mark>", escaped(&from[..end]));
        rest = &from[end..];
    }
    html + &escaped(rest)
}

/// Tells kinds of words in the rows, as far as there is room: of lines that one version has, one after the other.
fn colour(path: &str, pieces: &[Piece<'_>], rows: &mut [Row], left: &mut Left) {
    for side in [DiffSide::Old, DiffSide::New] {
        if left.room.colours == 0 {
            return;
        }
        let is_of = |line: &HunkLine| match side {
            DiffSide::Old => line.new.is_none() || line.old.is_some(),
            DiffSide::New => line.new.is_some(),
        };
        let lines: Vec<(usize, &HunkLine)> = pieces
            .iter()
            .take(rows.len())
            .enumerate()
            .filter_map(|(place, piece)| match piece {
                Piece::Line(line) if is_of(line) => Some((place, *line)),
                _ => None,
            })
            .collect();
        // Lines that are cut stay plain, and are not looked at beyond what is shown of them.
        let shown =
            |line: &&HunkLine| line.text.char_indices().nth(LINE).map_or(line.text.len(), |(end, _)| end);
        let text: Vec<&str> = lines.iter().map(|(_, line)| &line.text[..shown(line)]).collect();
        let html = highlight::lines(path, &text.join("\n"), left.deadline);
        for ((place, source), html) in lines.into_iter().zip(html.split('\n')) {
            let Row::Line(line) = &mut rows[place] else { continue };
            // Lines that both have are told once, by the newer file.
            let is_first = side == DiffSide::New || source.new.is_none();
            let more = html.len().saturating_sub(line.html.len());
            if !is_first || source.hidden > 0 || line.cut > 0 {
                continue;
            }
            if more > left.room.colours {
                left.room.colours = 0;
                return;
            }
            left.room.colours -= more;
            html.clone_into(&mut line.html);
        }
    }
}

#[cfg(test)]
mod tests {
    use skillery_core::Digest;
    use skillery_core::api::FileSummary;

    use super::*;

    fn file(path: &str, lines: usize) -> FileDiff {
        let line = |number: usize| HunkLine {
            kind: LineKind::Added,
            old: None,
            new: Some(number as u64),
            text: format!("line {number} <b>"),
            hidden: 0,
            unended: false,
        };
        let after =
            FileSummary { path: path.to_owned(), size: 9, mode: "0644".to_owned(), digest: Digest::of(b"x") };
        FileDiff {
            path: path.to_owned(),
            status: FileChange::Added,
            before: None,
            after: Some(after),
            binary: false,
            added: lines as u64,
            removed: 0,
            hidden: 0,
            truncated: false,
            hunks: vec![Hunk {
                old_start: 0,
                old_lines: 0,
                new_start: 1,
                new_lines: lines as u64,
                lines: (1..=lines).map(line).collect(),
            }],
        }
    }

    fn diff(files: Vec<FileDiff>) -> DiffResponse {
        let end = |version: &str| skillery_core::api::DiffEnd {
            version: version.parse().unwrap(),
            status: skillery_core::VersionStatus::Published,
            digest: Digest::of(b"x"),
        };
        DiffResponse {
            id: "acme/tool".parse().unwrap(),
            from: None,
            to: end("1.0.0"),
            files,
            unchanged: 0,
            added: 0,
            removed: 0,
            truncated: false,
            fields: Vec::new(),
            dependencies: Vec::new(),
            permissions: Vec::new(),
            findings: Vec::new(),
        }
    }

    #[test]
    fn what_has_no_room_is_named_and_has_pages_of_its_own() {
        let room = Space { rows: 20_000, colours: 0 };
        let mut many = diff((0..40).map(|number| file(&format!("{number:02}.txt"), 50)).collect());
        let first = laid_out(&mut many, &Asked::default(), room, highlight::deadline());
        assert!(first.files.iter().any(|file| file.shown == Shown::Rows));
        assert!(first.files.iter().any(|file| file.shown == Shown::Elsewhere), "{first:?}");
        let next = first.next.unwrap();
        assert_eq!(next, first.files.len());
        // Every file is on some page, and every line of one is.
        let (mut offset, mut seen) = (0, 0);
        loop {
            let mut many = diff((0..40).map(|number| file(&format!("{number:02}.txt"), 50)).collect());
            let page =
                laid_out(&mut many, &Asked { offset, ..Asked::default() }, room, highlight::deadline());
            seen += page.files.len();
            match page.next {
                Some(next) => offset = next,
                None => break,
            }
        }
        assert_eq!(seen, 40);
        let (mut row, mut lines) = (0, Vec::new());
        loop {
            let asked = Asked { file: Some("a.txt".to_owned()), row, ..Asked::default() };
            let page = laid_out(&mut diff(vec![file("a.txt", 500)]), &asked, room, highlight::deadline());
            let [view] = page.files.as_slice() else { panic!("{page:?}") };
            lines.extend(view.rows.iter().filter_map(|row| match row {
                Row::Line(line) => line.new,
                Row::Same { .. } => None,
            }));
            match view.next {
                Some(next) => row = next,
                None => break,
            }
        }
        assert_eq!(lines, (1..=500).collect::<Vec<u64>>());
    }

    #[test]
    fn a_line_that_is_asked_for_is_on_the_page_and_nothing_in_it_is_html() {
        let room = Space { rows: 10_000, colours: 10_000 };
        let at = At { side: DiffSide::New, line: 400, path: "a.py".to_owned() };
        let asked = Asked { file: Some("a.py".to_owned()), at: Some(at), ..Asked::default() };
        let page = laid_out(&mut diff(vec![file("a.py", 500)]), &asked, room, highlight::deadline());
        let found = page.files[0].rows.iter().find_map(|row| match row {
            Row::Line(line) if line.new == Some(400) => Some(line.html.clone()),
            _ => None,
        });
        let html = found.unwrap();
        assert!(!html.contains("<b>") && html.contains("line"), "{html}");
        assert_eq!(marked("a⟨U+202E⟩<"), "a<mark>⟨U+202E⟩</mark>&lt;");
        assert_eq!(marked("⟨U+"), "⟨U+");
    }

    #[test]
    fn what_is_plain_as_time_was_over_says_so() {
        let room = Space { rows: 10_000, colours: 10_000 };
        let one = Asked { file: Some("a.py".to_owned()), ..Asked::default() };
        for asked in [Asked::default(), one] {
            let laid = |deadline| laid_out(&mut diff(vec![file("a.py", 5)]), &asked, room, deadline).is_late;
            assert!(laid(Instant::now()));
            assert!(!laid(Instant::now() + std::time::Duration::from_secs(3_600)));
        }
    }
}
