//! What git asks for: both readers never panic, keep the limits, and what they have read means the same when it is written
//! down and read again. What is answered to it can be put into packets.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use skillery_core::git::{Command, Fetch, ObjectId, Protocol, Refs, error, negotiate, parse_v0, parse_v2};
use skillery_core::limits::{MAX_GIT_HAVES, MAX_GIT_PREFIXES, MAX_GIT_WANTS};

fuzz_target!(|bytes: &[u8]| {
    match parse_v0(bytes) {
        Ok(Some(fetch)) => {
            check(&fetch);
            assert_eq!(parse_v0(&as_v0(&fetch)).expect("what was read is written"), Some(fetch.clone()));
            for protocol in [Protocol::V0, Protocol::V1] {
                let (_, has_pack) = negotiate(protocol, &fetch, &fetch.haves);
                assert_eq!(has_pack, fetch.done);
            }
        }
        Ok(None) => {}
        Err(why) => told(&why.to_string()),
    }
    match parse_v2(bytes) {
        Ok(Command::Fetch(fetch)) => {
            check(&fetch);
            let (_, has_pack) = negotiate(Protocol::V2, &fetch, &fetch.haves);
            assert_eq!(has_pack, fetch.done || !fetch.haves.is_empty());
            assert_eq!(
                parse_v2(&fetch_as_v2(&fetch)).expect("what was read is written"),
                Command::Fetch(fetch)
            );
        }
        Ok(Command::LsRefs { prefixes, symrefs }) => {
            assert!(prefixes.len() <= MAX_GIT_PREFIXES);
            let id = ObjectId::from_hex(&[b'a'; 40]).expect("an id");
            let refs = Refs { head: Some(id), tags: vec![("v1.0.0".to_owned(), id)] };
            assert!(refs.list(&prefixes, symrefs).ends_with(b"0000"));
            let written = refs_as_v2(&prefixes, symrefs);
            let again = parse_v2(&written).expect("what was read is written");
            assert_eq!(again, Command::LsRefs { prefixes, symrefs });
        }
        Err(why) => told(&why.to_string()),
    }
});

fn check(fetch: &Fetch) {
    assert!((1..=MAX_GIT_WANTS).contains(&fetch.wants.len()) && fetch.haves.len() <= MAX_GIT_HAVES);
    for ids in [&fetch.wants, &fetch.haves] {
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "each once");
    }
}

/// An error is one line that a terminal can show, and fits into a packet.
fn told(text: &str) {
    assert!(!text.chars().any(char::is_control) && text.len() < 1_000, "{text:?}");
    assert!(error(text).ends_with(text.as_bytes()));
}

fn packet(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(format!("{:04x}", line.len() + 4).as_bytes());
    out.extend_from_slice(line);
}

fn lines(out: &mut Vec<u8>, fetch: &Fetch) {
    fetch.haves.iter().for_each(|id| packet(out, format!("have {id}\n").as_bytes()));
    if fetch.shallow {
        packet(out, b"deepen 1\n");
    }
    if fetch.done {
        packet(out, b"done\n");
    }
}

fn as_v0(fetch: &Fetch) -> Vec<u8> {
    let words = [
        (fetch.side_band, "side-band-64k"),
        (fetch.acknowledged, "multi_ack_detailed"),
        (fetch.quiet, "no-progress"),
    ];
    let words: Vec<&str> = words.into_iter().filter_map(|(is_said, word)| is_said.then_some(word)).collect();
    let mut out = Vec::new();
    for (number, id) in fetch.wants.iter().enumerate() {
        let words = if number == 0 { words.join(" ") } else { String::new() };
        packet(&mut out, format!("want {id} {words}\n").as_bytes());
    }
    out.extend_from_slice(b"0000");
    lines(&mut out, fetch);
    out
}

fn fetch_as_v2(fetch: &Fetch) -> Vec<u8> {
    let mut out = Vec::new();
    packet(&mut out, b"command=fetch\n");
    out.extend_from_slice(b"0001");
    fetch.wants.iter().for_each(|id| packet(&mut out, format!("want {id}\n").as_bytes()));
    if fetch.quiet {
        packet(&mut out, b"no-progress\n");
    }
    lines(&mut out, fetch);
    out.extend_from_slice(b"0000");
    out
}

fn refs_as_v2(prefixes: &[Vec<u8>], symrefs: bool) -> Vec<u8> {
    let mut out = Vec::new();
    packet(&mut out, b"command=ls-refs\n");
    out.extend_from_slice(b"0001");
    if symrefs {
        packet(&mut out, b"symrefs\n");
    }
    for prefix in prefixes {
        let mut line = [b"ref-prefix ", prefix.as_slice()].concat();
        // One line end is taken away, and more than that may not fit.
        if prefix.ends_with(b"\n") {
            line.push(b'\n');
        }
        packet(&mut out, &line);
    }
    out.extend_from_slice(b"0000");
    out
}
