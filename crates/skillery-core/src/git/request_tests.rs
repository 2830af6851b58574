use gix_packetline::blocking_io::encode;
use proptest::prelude::*;

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A body of these lines, where `0000` and `0001` are packets without text.
fn body(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        match *line {
            "0000" | "0001" => out.extend_from_slice(line.as_bytes()),
            line => {
                encode::text_to_write(line.as_bytes(), &mut out).unwrap();
            }
        }
    }
    out
}

fn ids(texts: &[&str]) -> Vec<ObjectId> {
    texts.iter().map(|text| ObjectId::from_hex(text.as_bytes()).unwrap()).collect()
}

#[test]
fn what_git_sends_to_clone() {
    // Written down from git 2.47, of `clone --depth 1`, with and without version 2.
    let first =
        format!("want {A} multi_ack_detailed side-band-64k object-format=sha1 agent=git/2.47.3-Linux");
    let want = format!("want {A}");
    let parsed = parse_v0(&body(&[&first, &want, "deepen 1", "0000"])).unwrap().unwrap();
    let expected =
        Fetch { wants: ids(&[A]), shallow: true, side_band: true, acknowledged: true, ..Fetch::default() };
    assert_eq!(parsed, expected);
    let parsed = parse_v0(&body(&[&first, "deepen 1", "0000", "done"])).unwrap().unwrap();
    assert_eq!(parsed, Fetch { done: true, ..expected.clone() });

    let capabilities = ["command=fetch", "agent=git/2.47.3-Linux", "object-format=sha1", "0001"];
    let arguments =
        ["thin-pack", "no-progress", "include-tag", "ofs-delta", "deepen 1", &want, "done", "0000"];
    let parsed = parse_v2(&body(&[&capabilities[..], &arguments[..]].concat())).unwrap();
    assert_eq!(parsed, Command::Fetch(Fetch { done: true, quiet: true, ..expected }));

    let lines =
        ["command=ls-refs", "agent=x", "0001", "peel", "symrefs", "unborn", "ref-prefix HEAD", "0000"];
    let expected = Command::LsRefs { prefixes: vec![b"HEAD".to_vec()], symrefs: true };
    assert_eq!(parse_v2(&body(&lines)).unwrap(), expected);
}

#[test]
fn what_git_sends_to_update() {
    let first = format!("want {A} no-progress side-band-64k");
    let (have, shallow) = (format!("have {B}"), format!("shallow {B}"));
    let parsed = parse_v0(&body(&[&first, &shallow, "0000", &have, &have, "0000"])).unwrap().unwrap();
    let expected = Fetch {
        wants: ids(&[A]),
        haves: ids(&[B]),
        shallow: true,
        done: false,
        side_band: true,
        acknowledged: false,
        quiet: true,
    };
    assert_eq!(parsed, expected);
    // Nothing is wanted.
    assert_eq!(parse_v0(b"0000").unwrap(), None);
    assert_eq!(parse_v0(b"").unwrap(), None);
}

#[test]
fn bad_requests() {
    let want = format!("want {A}");
    let none = |lines: &[&str]| parse_v0(&body(lines)).unwrap_err();
    assert_eq!(parse_v0(b"0032want"), Err(RequestError::Packets));
    assert_eq!(parse_v0(b"zzzz"), Err(RequestError::Packets));
    assert_eq!(parse_v0(b"0003"), Err(RequestError::Packets));
    assert_eq!(none(&[&want, "0001"]), RequestError::Packets);
    assert_eq!(none(&["want abc"]), RequestError::Id);
    assert_eq!(none(&[&format!("want {}", A.repeat(2))]), RequestError::Id);
    assert_eq!(none(&[&format!("want {A} object-format=sha256")]), RequestError::ObjectFormat);
    assert_eq!(none(&[&want, "filter blob:none"]), RequestError::Line("filter blob:none".to_owned()));
    assert_eq!(none(&[&want, "deepen -1"]), RequestError::Line("deepen -1".to_owned()));
    assert_eq!(none(&[&want, "done", &want]), RequestError::Line(want.clone()));
    assert_eq!(none(&["done"]), RequestError::Empty);
    assert_eq!(none(&["\u{1b}[31m"]), RequestError::Line("\\u{1b}[31m".to_owned()));
    assert_eq!(parse_v2(&body(&["command=fetch", "0001"])), Err(RequestError::Packets));
    assert_eq!(parse_v2(&body(&["command=fetch", "0001", "0000"])), Err(RequestError::Empty));
    assert_eq!(parse_v2(&body(&["0000"])), Err(RequestError::Empty));
    assert!(matches!(parse_v2(&body(&["command=push", "0000"])), Err(RequestError::Line(_))));
}

#[test]
fn too_much_of_something() {
    let lines = |word: &str, count: usize| -> Vec<String> {
        (0..count).map(|number| format!("{word} {number:040x}")).collect()
    };
    let parse = |lines: &[String]| parse_v0(&body(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!(parse(&lines("want", MAX_GIT_WANTS)).is_ok());
    assert_eq!(parse(&lines("want", MAX_GIT_WANTS + 1)), Err(RequestError::TooMany(MAX_GIT_WANTS, "wants")));
    let mut haves = vec![format!("want {A}")];
    haves.extend(lines("have", MAX_GIT_HAVES + 1));
    assert_eq!(parse(&haves), Err(RequestError::TooMany(MAX_GIT_HAVES, "haves")));
}

#[test]
fn protocols() {
    for (header, protocol) in [
        ("", Protocol::V0),
        ("version=1", Protocol::V1),
        ("version=2", Protocol::V2),
        ("a=b:version=1:version=2", Protocol::V2),
        ("version=3", Protocol::V0),
    ] {
        assert_eq!(Protocol::of(header), protocol, "{header}");
    }
}

fn hex() -> impl Strategy<Value = String> {
    any::<[u8; 20]>().prop_map(hex::encode)
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        let _ = parse_v0(&bytes);
        let _ = parse_v2(&bytes);
    }

    /// Whole packets of whatever words, so that what lies behind the packets is reached.
    #[test]
    fn no_lines_panic(lines in proptest::collection::vec("(want|have|shallow|deepen|done|command=fetch|command=ls-refs|ref-prefix|0000|0001)?( [ -~]{0,44})?", 0..20)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        let bytes = body(&lines);
        let _ = parse_v0(&bytes);
        let _ = parse_v2(&bytes);
    }

    #[test]
    fn what_is_sent_arrives(wants in proptest::collection::hash_set(hex(), 1..20), haves in proptest::collection::hash_set(hex(), 0..20), done: bool) {
        let wants: Vec<&str> = wants.iter().map(String::as_str).collect();
        let haves: Vec<&str> = haves.iter().map(String::as_str).collect();
        let mut lines: Vec<String> = wants.iter().map(|id| format!("want {id}")).collect();
        lines[0] += " side-band-64k";
        lines.push("0000".to_owned());
        lines.extend(haves.iter().map(|id| format!("have {id}")));
        lines.push(if done { "done" } else { "0000" }.to_owned());
        let parsed = parse_v0(&body(&lines.iter().map(String::as_str).collect::<Vec<_>>())).unwrap().unwrap();
        let expected = Fetch { wants: ids(&wants), haves: ids(&haves), done, side_band: true, ..Fetch::default() };
        prop_assert_eq!(parsed, expected);
    }
}
