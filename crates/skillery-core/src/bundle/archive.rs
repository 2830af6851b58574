//! Reading a ZIP archive of a stranger.
//!
//! A ZIP says everything twice, and two programs that read one archive can see different files in it. So only archives
//! that leave no choice are read: the entries lie one behind the other from the first byte to the central directory, the
//! two headers of each say the same, and behind the directory there is nothing. That excludes overlapping entries, bombs
//! made of them, and archives that are something else as well. Reading the few fixed headers here, rather than with a
//! crate that decides quietly, is what makes that possible. What remains are declared sizes, which are summed up before
//! anything is unpacked and are then exactly what is unpacked.

use flate2::{Decompress, FlushDecompress, Status};

use super::check::{Origin, check_names};
use super::problem::Problems;
use super::{BundleFile, BundleProblem, BundleProblemKind as Kind};
use crate::Limits;

const END: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const CENTRAL: &[u8] = b"PK\x01\x02";
const CENTRAL_SIZE: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_SIZE: usize = 30;
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

/// Bits of the flags that say that something is encrypted: the entry, strongly, its header.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// The bit that says that sizes and checksum stand behind the data.
const STREAMED: u16 = 1 << 3;
/// The bit that says that the entry is a patch of another file.
const PATCH: u16 = 1 << 5;
/// The extra field with another name for the entry.
const UNICODE_PATH: u16 = 0x7075;

/// Reads the files of a ZIP archive that a stranger sent. Folders are dropped, the executable bit is kept, and nothing
/// else of the archive: [`super::pack`] makes the one canonical archive of the result. Everything that is wrong is told
/// at once, as far as it can be known.
pub fn admit(bytes: &[u8], limits: &Limits) -> Result<Vec<BundleFile>, Vec<BundleProblem>> {
    read(bytes, limits, Origin::New)
}

/// As [`admit`], of a bundle whose digest is known to be that of a published version: it may have been published when fewer
/// characters counted as hidden in a path.
pub fn admit_published(bytes: &[u8], limits: &Limits) -> Result<Vec<BundleFile>, Vec<BundleProblem>> {
    read(bytes, limits, Origin::Published)
}

fn read(bytes: &[u8], limits: &Limits, origin: Origin) -> Result<Vec<BundleFile>, Vec<BundleProblem>> {
    let whole = |kind| vec![BundleProblem::whole(kind)];
    let end = End::find(bytes).map_err(|what| whole(Kind::BadArchive(what)))?;
    // Folders are entries too, and dropped later; so many more than files are a flood all the same.
    if end.entries > limits.bundle_files.saturating_mul(2) {
        return Err(whole(Kind::TooManyFiles(limits.bundle_files)));
    }
    let entries = end.directory(bytes).map_err(|what| whole(Kind::BadArchive(what)))?;
    let mut problems = Problems::default();
    let mut places = Vec::with_capacity(entries.len());
    let (mut files, mut declared) = (0_usize, 0_usize);
    for entry in &entries {
        if let Err(kind) = entry.check() {
            problems.push(&entry.name, kind);
        }
        match entry.place(bytes, end.directory_at) {
            Ok(place) => places.push(Some(place)),
            Err(what) => {
                problems.push(&entry.name, Kind::BadEntry(what));
                places.push(None);
            }
        }
        if !entry.is_folder() {
            files += 1;
            declared = declared.saturating_add(entry.size);
            if entry.size > limits.file_bytes {
                problems.push(&entry.name, Kind::FileTooLarge(limits.file_bytes));
            }
        }
    }
    if files > limits.bundle_files {
        problems.whole(Kind::TooManyFiles(limits.bundle_files));
    }
    if declared > limits.bundle_bytes {
        problems.whole(Kind::TooLarge(limits.bundle_bytes));
    }
    if files == 0 {
        problems.whole(Kind::Empty);
    }
    let names = entries.iter().map(|entry| match entry.name.strip_suffix('/') {
        Some(folder) => (folder, true),
        None => (entry.name.as_str(), false),
    });
    problems.append(check_names(names, origin));
    if problems.is_empty() {
        check_tiling(&entries, &places, end.directory_at, bytes, &mut problems);
    }
    // Nothing is unpacked of an archive with a problem: the sums above are what bounds the work.
    if !problems.is_empty() {
        return Err(problems.finish());
    }
    let mut unpacked = Vec::with_capacity(files);
    for (entry, place) in entries.into_iter().zip(places.into_iter().flatten()) {
        if entry.is_folder() {
            continue;
        }
        match entry.unpack(&bytes[place.data..place.data + entry.packed]) {
            Ok(content) => unpacked.push(BundleFile {
                executable: entry.mode & 0o100 != 0,
                path: entry.name,
                bytes: content,
            }),
            Err(what) => problems.push(&entry.name, Kind::BadEntry(what)),
        }
    }
    if !problems.is_empty() {
        return Err(problems.finish());
    }
    unpacked.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(unpacked)
}

/// Takes away the one folder that all files lie in, as archives of repositories and of file managers have it. Files that
/// do not lie in one folder, or have `SKILL.md` at the top, stay as they are. Gives the name of the folder.
pub fn unwrap_folder(files: &mut [BundleFile]) -> Option<String> {
    let folder = files.first()?.path.split_once('/')?.0.to_owned();
    let inner = |file: &BundleFile| {
        file.path.strip_prefix(folder.as_str()).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned)
    };
    let paths: Vec<String> = files.iter().map(inner).collect::<Option<_>>()?;
    for (file, path) in files.iter_mut().zip(paths) {
        file.path = path;
    }
    Some(folder)
}

/// The end of the archive, which says where its directory is.
struct End {
    at: usize,
    entries: usize,
    directory_at: usize,
}

impl End {
    fn find(bytes: &[u8]) -> Result<Self, &'static str> {
        let last = bytes.len().checked_sub(END_SIZE).ok_or("is too short to be a ZIP archive")?;
        // A comment of up to 64 KiB may stand behind it. The last signature counts; a comment that has another in it, with
        // which a second program could begin, does not fit the length then.
        let first = last.saturating_sub(usize::from(u16::MAX));
        let at = (first..=last)
            .rev()
            .find(|at| bytes[*at..].starts_with(END))
            .ok_or("has no end of a ZIP archive: it is something else, or was cut off")?;
        let record = &bytes[at..];
        if at + END_SIZE + usize::from(u16_at(record, 20)) != bytes.len() {
            return Err("goes on behind its end, or was cut off");
        }
        let numbers = [4, 6, 8, 10].map(|offset| u16_at(record, offset));
        let (size, directory_at) = (u32_at(record, 12), u32_at(record, 16));
        if numbers.contains(&u16::MAX) || size == u32::MAX || directory_at == u32::MAX {
            return Err("is in the form ZIP64, or claims to have 65,535 entries");
        }
        let [disk, directory_disk, here, entries] = numbers;
        if disk != 0 || directory_disk != 0 || here != entries {
            return Err("is a part of several");
        }
        let (size, directory_at) = (size as usize, directory_at as usize);
        if directory_at.checked_add(size) != Some(at) {
            return Err(
                "has bytes before its first or behind its last entry, or its directory is not where it should be",
            );
        }
        Ok(Self { at, entries: usize::from(entries), directory_at })
    }

    fn directory(&self, bytes: &[u8]) -> Result<Vec<Entry>, &'static str> {
        let mut rest = &bytes[self.directory_at..self.at];
        let mut entries = Vec::with_capacity(self.entries);
        // The number was compared with the limit, so no more than that are read, whatever the directory has.
        while !rest.is_empty() && entries.len() < self.entries {
            let (entry, length) = Entry::read(rest)?;
            entries.push(entry);
            rest = &rest[length..];
        }
        if rest.is_empty() && entries.len() == self.entries {
            Ok(entries)
        } else {
            Err("has another number of entries than it says")
        }
    }
}

/// What the central directory says of an entry.
struct Entry {
    name: String,
    raw_name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: usize,
    size: usize,
    local_at: usize,
    mode: u32,
    dos_folder: bool,
    other_name: bool,
}

/// Where an entry lies.
struct Place {
    data: usize,
    /// Behind the data; a descriptor may follow.
    end: usize,
}

impl Entry {
    fn read(bytes: &[u8]) -> Result<(Self, usize), &'static str> {
        const CUT: &str = "has a damaged directory";
        if bytes.len() < CENTRAL_SIZE || !bytes.starts_with(CENTRAL) {
            return Err(CUT);
        }
        let [name, extra, comment] = [28, 30, 32].map(|offset| usize::from(u16_at(bytes, offset)));
        let length = CENTRAL_SIZE + name + extra + comment;
        let variable = bytes.get(CENTRAL_SIZE..length).ok_or(CUT)?;
        if u16_at(bytes, 34) != 0 {
            return Err("is a part of several");
        }
        let raw_name = &variable[..name];
        let attributes = u32_at(bytes, 38);
        let other_name = fields(&variable[name..name + extra]).any(|(id, data)| {
            // One byte of version, four of a checksum, then the name.
            id == UNICODE_PATH && data.get(5..) != Some(raw_name)
        });
        let entry = Self {
            name: String::from_utf8_lossy(raw_name).into_owned(),
            raw_name: raw_name.to_vec(),
            flags: u16_at(bytes, 8),
            method: u16_at(bytes, 10),
            crc: u32_at(bytes, 16),
            packed: u32_at(bytes, 20) as usize,
            size: u32_at(bytes, 24) as usize,
            local_at: u32_at(bytes, 42) as usize,
            mode: attributes >> 16,
            dos_folder: attributes & 0x10 != 0,
            other_name,
        };
        Ok((entry, length))
    }

    fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    /// What can be said of the entry by the directory alone.
    fn check(&self) -> Result<(), Kind> {
        // Whichever system wrote the archive: some programs look at these bits under any.
        let kind = match self.mode & 0o170_000 {
            0 | 0o100_000 => None,
            0o040_000 if self.is_folder() => None,
            0o040_000 => Some("a folder under the name of a file"),
            0o120_000 => Some("a symbolic link"),
            0o010_000 => Some("a named pipe"),
            0o020_000 | 0o060_000 => Some("a device"),
            0o140_000 => Some("a socket"),
            _ => Some("an entry of an unknown kind"),
        };
        if let Some(kind) = kind {
            return Err(Kind::NotRegular(kind));
        }
        let bad = |what| Err(Kind::BadEntry(what));
        match () {
            () if std::str::from_utf8(&self.raw_name).is_err() => bad("has a name that is not UTF-8"),
            () if self.other_name => bad("has a second name"),
            () if self.flags & ENCRYPTED != 0 => bad("is encrypted"),
            () if self.flags & PATCH != 0 => bad("is a patch of another file"),
            () if !matches!(self.method, 0 | 8) => bad("is packed by another method than deflate"),
            () if self.method == 0 && self.packed != self.size => bad("is not packed, and has two sizes"),
            () if self.is_folder() && self.size != 0 => bad("is a folder with content"),
            () if self.is_folder() && self.mode & 0o170_000 == 0o100_000 => {
                bad("is a file under the name of a folder")
            }
            () if !self.is_folder() && self.dos_folder => bad("is a folder under the name of a file"),
            () => Ok(()),
        }
    }

    /// Where it lies, by its local header, which must say the same as the directory.
    fn place(&self, bytes: &[u8], directory_at: usize) -> Result<Place, &'static str> {
        const OUTSIDE: &str = "does not lie in the archive";
        let before = &bytes[..directory_at];
        let header = before.get(self.local_at..).filter(|rest| rest.len() >= LOCAL_SIZE).ok_or(OUTSIDE)?;
        if !header.starts_with(LOCAL) {
            return Err("has no header of its own");
        }
        let [name, extra] = [26, 28].map(|offset| usize::from(u16_at(header, offset)));
        let variable = header.get(LOCAL_SIZE..LOCAL_SIZE + name + extra).ok_or(OUTSIDE)?;
        let numbers = [14, 18, 22].map(|offset| u32_at(header, offset));
        let told = [self.crc, self.packed as u32, self.size as u32];
        let streamed = self.flags & STREAMED != 0;
        let same_numbers =
            numbers.iter().zip(told).all(|(here, there)| *here == there || streamed && *here == 0);
        // The bits that choose a speed of packing differ in some archives, and change nothing.
        let same = variable[..name] == self.raw_name[..]
            && same_numbers
            && u16_at(header, 8) == self.method
            && (u16_at(header, 6) ^ self.flags) & !0b110 == 0;
        if !same {
            return Err("has two headers that do not say the same");
        }
        if fields(&variable[name..])
            .any(|(id, data)| id == UNICODE_PATH && data.get(5..) != Some(&self.raw_name[..]))
        {
            return Err("has a second name");
        }
        let data = self.local_at + LOCAL_SIZE + name + extra;
        let end = data.checked_add(self.packed).filter(|end| *end <= directory_at).ok_or(OUTSIDE)?;
        Ok(Place { data, end })
    }

    /// Whether what lies between its data and the next entry is nothing, or its descriptor.
    fn is_followed_by(&self, gap: &[u8]) -> bool {
        if self.flags & STREAMED == 0 {
            return gap.is_empty();
        }
        let numbers = match gap.len() {
            0 => return true,
            16 if gap.starts_with(DESCRIPTOR) => &gap[4..],
            12 => gap,
            _ => return false,
        };
        [0, 4, 8].map(|offset| u32_at(numbers, offset)) == [self.crc, self.packed as u32, self.size as u32]
    }

    /// Unpacks exactly as many bytes as it says, out of exactly those that it has.
    fn unpack(&self, packed: &[u8]) -> Result<Vec<u8>, &'static str> {
        let content = if self.method == 0 { packed.to_vec() } else { inflate(packed, self.size)? };
        if crc32fast::hash(&content) == self.crc {
            Ok(content)
        } else {
            Err("is damaged: its checksum is another one")
        }
    }
}

fn inflate(packed: &[u8], size: usize) -> Result<Vec<u8>, &'static str> {
    let mut inflater = Decompress::new(false);
    // One byte more, so that content that goes on is seen.
    let mut content = Vec::with_capacity(size + 1);
    loop {
        let before = (inflater.total_in(), content.len());
        let status = inflater
            .decompress_vec(&packed[before.0 as usize..], &mut content, FlushDecompress::Finish)
            .map_err(|_| "is damaged: it cannot be unpacked")?;
        if content.len() > size {
            return Err("unpacks to more than it says");
        }
        if status == Status::StreamEnd {
            break;
        }
        if before == (inflater.total_in(), content.len()) {
            return Err("is cut off");
        }
    }
    if content.len() != size {
        return Err("unpacks to less than it says");
    }
    if inflater.total_in() as usize != packed.len() {
        return Err("has bytes behind its content");
    }
    Ok(content)
}

/// The entries must lie one behind the other, without a byte between them that belongs to none.
fn check_tiling(
    entries: &[Entry],
    places: &[Option<Place>],
    directory_at: usize,
    bytes: &[u8],
    problems: &mut Problems,
) {
    let mut order: Vec<(&Entry, &Place)> =
        entries.iter().zip(places).filter_map(|(entry, place)| Some((entry, place.as_ref()?))).collect();
    order.sort_by_key(|(entry, _)| entry.local_at);
    if order.first().is_some_and(|(entry, _)| entry.local_at != 0) {
        problems.whole(Kind::BadArchive("has bytes before its first entry"));
    }
    for (number, (entry, place)) in order.iter().enumerate() {
        let next = order.get(number + 1).map_or(directory_at, |(next, _)| next.local_at);
        match bytes.get(place.end..next) {
            None => problems.push(&entry.name, Kind::BadEntry("overlaps another one")),
            Some(gap) if !entry.is_followed_by(gap) => {
                problems.push(&entry.name, Kind::BadEntry("is followed by bytes that belong to no file"));
            }
            Some(_) => {}
        }
    }
}

fn fields(extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = extra;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest.get(..4)?, 2));
        let field = (u16_at(rest, 0), rest.get(4..4 + length)?);
        rest = &rest[4 + length..];
        Some(field)
    })
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([bytes[offset], bytes[offset + 1]])
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}
