//! Archives of strangers: one for each way in which a ZIP can be wrong, made by hand, as programs that make ZIPs refuse
//! to make most of them.

use proptest::prelude::*;
use skillery_core::Limits;
use skillery_core::bundle::{BundleFile, admit, pack, unwrap_folder};

/// One entry, with everything that its two headers say.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    local_name: Option<Vec<u8>>,
    content: Vec<u8>,
    packed: Option<Vec<u8>>,
    method: u16,
    flags: u16,
    mode: u32,
    crc: Option<u32>,
    size: Option<u32>,
    local_size: Option<u32>,
    descriptor: Option<bool>,
    local_at: Option<u32>,
    behind: Vec<u8>,
    extra: Vec<u8>,
}

fn entry(name: &str, content: &str) -> Entry {
    Entry {
        name: name.as_bytes().to_vec(),
        local_name: None,
        content: content.as_bytes().to_vec(),
        packed: None,
        method: 0,
        flags: 0,
        mode: 0o100_644,
        crc: None,
        size: None,
        local_size: None,
        descriptor: None,
        local_at: None,
        behind: Vec::new(),
        extra: Vec::new(),
    }
}

fn deflated(name: &str, content: &[u8]) -> Entry {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    let packed = encoder.finish().unwrap();
    Entry { content: content.to_vec(), packed: Some(packed), method: 8, ..entry(name, "") }
}

fn zip(entries: &[Entry]) -> Vec<u8> {
    zip_with(entries, b"", b"", entries.len() as u16)
}

fn zip_with(entries: &[Entry], before: &[u8], comment: &[u8], count: u16) -> Vec<u8> {
    let mut bytes = before.to_vec();
    let mut directory = Vec::new();
    for entry in entries {
        let packed = entry.packed.clone().unwrap_or_else(|| entry.content.clone());
        let crc = entry.crc.unwrap_or_else(|| crc32fast::hash(&entry.content));
        let size = entry.size.unwrap_or(entry.content.len() as u32);
        let at = entry.local_at.unwrap_or(bytes.len() as u32);
        let local_name = entry.local_name.as_ref().unwrap_or(&entry.name);
        let streamed = entry.descriptor.is_some();
        let flags = entry.flags | if streamed { 8 } else { 0 };
        let told = |number: u32| if streamed { 0 } else { number };
        bytes.extend(b"PK\x03\x04");
        for number in [20, flags, entry.method, 0, 33] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [told(crc), told(packed.len() as u32), told(entry.local_size.unwrap_or(size))] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((local_name.len() as u16).to_le_bytes());
        bytes.extend(0_u16.to_le_bytes());
        bytes.extend(local_name);
        bytes.extend(&packed);
        if let Some(signature) = entry.descriptor {
            if signature {
                bytes.extend(b"PK\x07\x08");
            }
            for number in [crc, packed.len() as u32, size] {
                bytes.extend(number.to_le_bytes());
            }
        }
        bytes.extend(&entry.behind);
        directory.extend(b"PK\x01\x02");
        for number in [0x0314, 20, flags, entry.method, 0, 33] {
            directory.extend(number.to_le_bytes());
        }
        for number in [crc, packed.len() as u32, size] {
            directory.extend(number.to_le_bytes());
        }
        for number in [entry.name.len() as u16, entry.extra.len() as u16, 0, 0, 0] {
            directory.extend(number.to_le_bytes());
        }
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(&entry.extra);
    }
    let (at, size) = (bytes.len() as u32, directory.len() as u32);
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06");
    for number in [0, 0, count, count] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(size.to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend((comment.len() as u16).to_le_bytes());
    bytes.extend(comment);
    bytes
}

fn refused(bytes: &[u8]) -> String {
    match admit(bytes, &Limits::default()) {
        Ok(files) => format!("ACCEPTED {:?}", files.iter().map(|file| &file.path).collect::<Vec<_>>()),
        Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

fn admitted(bytes: &[u8]) -> Vec<BundleFile> {
    admit(bytes, &Limits::default()).unwrap()
}

#[test]
fn what_ordinary_programs_write_is_read() {
    let large = vec![b'x'; 100_000];
    let folder = Entry { mode: 0o040_755, ..entry("scripts/", "") };
    let script =
        Entry { mode: 0o100_755, descriptor: Some(true), ..deflated("scripts/run.sh", b"#!/bin/sh\n") };
    let streamed = Entry { descriptor: Some(false), ..deflated("b.txt", &large) };
    // Programs of other systems leave the mode out.
    let plain = Entry { mode: 0, ..entry("SKILL.md", "---\n---\n") };
    let files =
        admitted(&zip(&[plain, folder, script, streamed, deflated("empty", b""), entry("nothing", "")]));
    let paths: Vec<_> =
        files.iter().map(|file| (file.path.as_str(), file.executable, file.bytes.len())).collect();
    assert_eq!(
        paths,
        [
            ("SKILL.md", false, 8),
            ("b.txt", false, 100_000),
            ("empty", false, 0),
            ("nothing", false, 0),
            ("scripts/run.sh", true, 10),
        ]
    );
    let packed = pack(files.clone()).unwrap();
    assert_eq!(admitted(&packed), files);
    // The comment that an archive of a repository has.
    let comment = b"0123456789abcdef0123456789abcdef01234567";
    assert_eq!(admitted(&zip_with(&[entry("a", "x")], b"", comment, 1)).len(), 1);
}

/// The number of entries is what a flood is refused by, so nothing is read beyond it: not even what is broken there.
#[test]
fn a_lie_about_the_number_of_entries_ends_the_reading() {
    let second = entry("y", "");
    let mut bytes = zip_with(&[entry("SKILL.md", "text"), second.clone()], b"", b"", 1);
    // The header of the second entry in the directory: 46 bytes and its name before the end.
    let at = bytes.len() - 22 - 46 - second.name.len();
    assert!(bytes[at..].starts_with(b"PK\x01\x02"));
    bytes[at] = b'Q';
    assert_eq!(refused(&bytes), "the archive has another number of entries than it says");
}

#[test]
fn every_wrong_archive_says_why() {
    let good = || entry("SKILL.md", "text");
    let with = |change: &dyn Fn(&mut Entry)| {
        let mut changed = entry("x", "some content");
        change(&mut changed);
        refused(&zip(&[good(), changed]))
    };
    let mut nested = zip(&[entry("inner", "x")]);
    nested.extend([0; 4]);
    let mut second_name = 0x7075_u16.to_le_bytes().to_vec();
    second_name.extend(8_u16.to_le_bytes());
    second_name.extend(b"\x01\0\0\0\0bad");
    let cut = zip(&[good()]);
    let bomb = deflated("bomb", &vec![0; 20_000_000]);
    let lying = Entry { size: Some(100), ..deflated("bomb", &vec![0; 20_000_000]) };
    let inner_end = |name: &str| zip(&[entry(name, "x")]);
    let cases: Vec<(&str, String)> = vec![
        ("nothing", refused(b"")),
        ("no archive", refused(&[b'x'; 100])),
        ("no entry", refused(&zip(&[]))),
        ("only folders", refused(&zip(&[Entry { mode: 0o040_755, ..entry("a/", "") }]))),
        ("cut off", refused(&cut[..cut.len() - 1])),
        ("cut in front", refused(&cut[1..])),
        ("bytes behind", refused(&[cut.clone(), b"junk".to_vec()].concat())),
        ("bytes in front, offsets moved", refused(&[b"#!/bin/sh\n".to_vec(), cut.clone()].concat())),
        ("bytes in front, offsets right", refused(&zip_with(&[good()], b"#!/bin/sh\n", b"", 1))),
        ("an archive in the comment", refused(&zip_with(&[good()], b"", &inner_end("y"), 1))),
        ("an end in the comment", refused(&zip_with(&[good()], b"", &nested, 1))),
        ("two archives", refused(&[cut.clone(), cut.clone()].concat())),
        ("fewer entries than told", refused(&zip_with(&[good()], b"", b"", 2))),
        ("more entries than told", refused(&zip_with(&[good(), entry("y", "")], b"", b"", 1))),
        ("ZIP64", refused(&zip_with(&[good()], b"", b"", u16::MAX))),
        ("..", with(&|entry| entry.name = b"../x".to_vec())),
        ("absolute", with(&|entry| entry.name = b"/etc/passwd".to_vec())),
        ("backslash", with(&|entry| entry.name = b"a\\..\\x".to_vec())),
        ("drive", with(&|entry| entry.name = b"C:x".to_vec())),
        ("not UTF-8", with(&|entry| entry.name = b"\xff\xfe".to_vec())),
        ("bidi", with(&|entry| entry.name = "a\u{202e}fdp.exe".as_bytes().to_vec())),
        ("zero width", with(&|entry| entry.name = "SKILL\u{200b}.md".as_bytes().to_vec())),
        ("NUL", with(&|entry| entry.name = b"SKILL.md\0.txt".to_vec())),
        ("empty name", with(&|entry| entry.name = Vec::new())),
        ("only a slash", with(&|entry| (entry.name, entry.content) = (b"/".to_vec(), Vec::new()))),
        ("device of Windows", with(&|entry| entry.name = b"nul.txt".to_vec())),
        ("symlink", with(&|entry| entry.mode = 0o120_777)),
        ("pipe", with(&|entry| entry.mode = 0o010_644)),
        ("character device", with(&|entry| entry.mode = 0o020_644)),
        ("block device", with(&|entry| entry.mode = 0o060_644)),
        ("socket", with(&|entry| entry.mode = 0o140_644)),
        ("unknown kind", with(&|entry| entry.mode = 0o170_644)),
        ("folder as file", with(&|entry| entry.mode = 0o040_755)),
        ("file as folder", with(&|entry| entry.name = b"x/".to_vec())),
        ("twice", with(&|entry| entry.name = b"SKILL.md".to_vec())),
        ("case", with(&|entry| entry.name = b"skill.MD".to_vec())),
        ("file and folder", with(&|entry| entry.name = b"SKILL.md/x".to_vec())),
        ("encrypted", with(&|entry| entry.flags = 1)),
        ("strongly encrypted", with(&|entry| entry.flags = 1 << 6 | 1)),
        ("hidden headers", with(&|entry| entry.flags = 1 << 13)),
        ("patch", with(&|entry| entry.flags = 1 << 5)),
        ("bzip2", with(&|entry| entry.method = 12)),
        ("zstd", with(&|entry| entry.method = 93)),
        ("stored with two sizes", with(&|entry| entry.size = Some(5))),
        ("wrong CRC", with(&|entry| entry.crc = Some(1))),
        ("other name in the local header", with(&|entry| entry.local_name = Some(b"y".to_vec()))),
        ("other size in the local header", with(&|entry| entry.local_size = Some(3))),
        ("a second name", with(&|entry| entry.extra = second_name.clone())),
        ("a gap", with(&|entry| entry.behind = b"hidden".to_vec())),
        ("no local header", with(&|entry| entry.local_at = Some(3))),
        ("outside", with(&|entry| entry.local_at = Some(9_000))),
        ("overlap", {
            let inner = zip(&[entry("y", "z")])[..32].to_vec();
            let outer = Entry { content: inner, ..entry("x", "") };
            refused(&zip(&[outer, Entry { local_at: Some(31), ..entry("y", "z") }]))
        }),
        (
            "no deflate data",
            refused(&zip(&[Entry { packed: Some(b"\xff\xff".to_vec()), ..deflated("x", b"y") }])),
        ),
        ("deflate data cut", {
            let mut cut = deflated("x", &[7; 5_000]);
            cut.packed.as_mut().unwrap().truncate(6);
            refused(&zip(&[cut]))
        }),
        ("bytes behind deflate data", {
            let mut longer = deflated("x", &[7; 5_000]);
            longer.packed.as_mut().unwrap().extend(b"hidden");
            refused(&zip(&[longer]))
        }),
        ("bomb", refused(&zip(&[bomb]))),
        ("bomb that lies", refused(&zip(&[lying]))),
        ("less than it says", refused(&zip(&[Entry { size: Some(9_000), ..deflated("x", &[7; 5_000]) }]))),
        ("all at once", {
            let link = Entry { mode: 0o120_777, ..entry("link", "/etc/passwd") };
            refused(&zip(&[good(), link, entry("../x", ""), Entry { method: 99, ..entry("y", "") }]))
        }),
    ];
    let wrongly: Vec<_> = cases.iter().filter(|(_, said)| said.starts_with("ACCEPTED")).collect();
    assert!(wrongly.is_empty(), "{wrongly:#?}");
    let text: Vec<String> = cases.iter().map(|(case, said)| format!("{case}: {said}")).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn names_that_differ_by_the_form_of_unicode_are_one() {
    let said = refused(&zip(&[entry("caf\u{e9}", "1"), entry("cafe\u{301}", "2")]));
    assert!(said.contains("ignore case or write accents"), "{said}");
    let said = refused(&zip(&[Entry { mode: 0o040_755, ..entry("Docs/", "") }, entry("docs/a", "2")]));
    assert!(said.contains("ignore case or write accents"), "{said}");
}

#[test]
fn floods_are_refused_before_anything_is_unpacked() {
    let many: Vec<Entry> = (0..60_000).map(|number| entry(&format!("{number}"), "")).collect();
    assert_eq!(refused(&zip(&many)), "there are more than 1000 files");
    // With the form ZIP64 there could be more.
    let said = refused(&zip_with(&many, b"", b"", u16::MAX));
    assert!(said.contains("ZIP64"), "{said}");
    let limits = Limits { bundle_bytes: 1_000, ..Limits::default() };
    let huge = Entry { size: Some(4_000_000_000), ..deflated("x", b"y") };
    let problems = admit(&zip(&[huge]), &limits).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn one_folder_around_everything_is_taken_away_where_it_is_wanted() {
    let mut files = admitted(&zip(&[entry("my-skill/SKILL.md", "a"), entry("my-skill/x/y", "b")]));
    assert_eq!(unwrap_folder(&mut files).as_deref(), Some("my-skill"));
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["SKILL.md", "x/y"]);
    assert_eq!(unwrap_folder(&mut files), None);
    assert_eq!(files[1].path, "x/y");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        let _ = admit(&bytes, &Limits::default());
    }

    /// Whatever is changed in a good archive, it is refused, or still says the same.
    #[test]
    fn one_changed_byte_is_refused_or_harmless(at in any::<prop::sample::Index>(), by in 1_u8..) {
        let files = vec![
            BundleFile { path: "SKILL.md".to_owned(), executable: false, bytes: vec![b'a'; 40] },
            BundleFile { path: "scripts/x".to_owned(), executable: true, bytes: vec![b'b'; 2_000] },
        ];
        let mut bytes = pack(files.clone()).unwrap();
        let position = at.index(bytes.len());
        bytes[position] ^= by;
        if let Ok(mut read) = admit(&bytes, &Limits::default()) {
            read.iter_mut().for_each(|file| file.executable = file.path == "scripts/x");
            prop_assert_eq!(read, files);
        }
    }
}
