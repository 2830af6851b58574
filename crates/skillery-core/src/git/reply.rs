//! What git is told: which refs there are, and what stands before a pack.

use gix_hash::{Kind as HashKind, ObjectId};
use gix_packetline::Channel;
use gix_packetline::blocking_io::encode;

use super::{Fetch, Protocol};

/// What `HEAD` stands for.
const MAIN: &str = "refs/heads/main";
/// Bytes of a pack that fit into one packet with the number of its band.
const BAND: usize = 65_515;

/// What an advertisement says that this side can do. The two `allow-…` are what makes `#<id>` work in clients; `filter` is
/// not there, as nothing would be left of so small a repository.
const CAPABILITIES: &str = "multi_ack_detailed side-band-64k shallow no-progress allow-tip-sha1-in-want allow-reachable-sha1-in-want \
    object-format=sha1";

/// Named commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refs {
    /// What is newest, `HEAD` and `refs/heads/main`.
    pub head: Option<ObjectId>,
    /// Tags by name, without `refs/tags/`.
    pub tags: Vec<(String, ObjectId)>,
}

impl Refs {
    /// All, as git orders them.
    fn all(&self) -> impl Iterator<Item = (String, ObjectId)> {
        let heads = self.head.into_iter().flat_map(|id| [("HEAD".to_owned(), id), (MAIN.to_owned(), id)]);
        let mut tags: Vec<_> =
            self.tags.iter().map(|(name, id)| (format!("refs/tags/{name}"), *id)).collect();
        tags.sort();
        heads.chain(tags)
    }

    /// The answer to `info/refs` of protocol version 0 or 1.
    pub fn advertise(&self, protocol: Protocol) -> Vec<u8> {
        let mut out = service();
        if protocol == Protocol::V1 {
            line(&mut out, "version 1");
        }
        let symref = if self.head.is_some() { format!(" symref=HEAD:{MAIN}") } else { String::new() };
        let mut capabilities = Some(format!("{CAPABILITIES}{symref} agent={}", agent()));
        for (name, id) in self.all() {
            match capabilities.take() {
                Some(capabilities) => line(&mut out, &format!("{id} {name}\0{capabilities}")),
                None => line(&mut out, &format!("{id} {name}")),
            }
        }
        if let Some(capabilities) = capabilities {
            let none = ObjectId::null(HashKind::Sha1);
            line(&mut out, &format!("{none} capabilities^{{}}\0{capabilities}"));
        }
        flush(&mut out);
        out
    }

    /// The answer to `ls-refs` of protocol version 2.
    pub fn list(&self, prefixes: &[Vec<u8>], symrefs: bool) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, id) in self.all() {
            let is_asked_for = |prefix: &Vec<u8>| name.as_bytes().starts_with(prefix);
            if !prefixes.is_empty() && !prefixes.iter().any(is_asked_for) {
                continue;
            }
            let target =
                if symrefs && name == "HEAD" { format!(" symref-target:{MAIN}") } else { String::new() };
            line(&mut out, &format!("{id} {name}{target}"));
        }
        flush(&mut out);
        out
    }
}

/// The answer to `info/refs` of protocol version 2: what can be asked for. It says nothing of what there is.
pub fn capabilities() -> Vec<u8> {
    let mut out = service();
    for text in ["version 2", &format!("agent={}", agent()), "ls-refs", "fetch=shallow", "object-format=sha1"]
    {
        line(&mut out, text);
    }
    flush(&mut out);
    out
}

fn service() -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, "# service=git-upload-pack");
    flush(&mut out);
    out
}

fn agent() -> &'static str {
    concat!("skillery/", env!("CARGO_PKG_VERSION"))
}

/// What is said before a pack, and whether one follows. `common` are those of the client's commits that are known here.
pub fn negotiate(protocol: Protocol, fetch: &Fetch, common: &[ObjectId]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    if protocol != Protocol::V2 {
        if fetch.shallow {
            flush(&mut out);
        }
        for id in common {
            line(&mut out, &format!("ACK {id} common"));
        }
        match common.last() {
            Some(id) if fetch.done => line(&mut out, &format!("ACK {id}")),
            Some(id) => {
                line(&mut out, &format!("ACK {id} ready"));
                line(&mut out, "NAK");
            }
            None if fetch.done || !fetch.haves.is_empty() => line(&mut out, "NAK"),
            None => {}
        }
        return (out, fetch.done);
    }
    // One commit that both have is enough, as none has a past; without any the client may have others.
    let is_ready = fetch.done || !common.is_empty();
    if !fetch.done {
        line(&mut out, "acknowledgments");
        for id in common {
            line(&mut out, &format!("ACK {id}"));
        }
        if !is_ready {
            line(&mut out, "NAK");
            flush(&mut out);
            return (out, false);
        }
        line(&mut out, "ready");
        delimiter(&mut out);
    }
    if fetch.shallow {
        line(&mut out, "shallow-info");
        delimiter(&mut out);
    }
    line(&mut out, "packfile");
    (out, true)
}

/// Bytes of a pack as packets.
pub fn band(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(BAND) {
        written(encode::band_to_write(Channel::Data, piece, &mut *out));
    }
}

/// A line for the person in front of git.
pub fn progress(text: &str, out: &mut Vec<u8>) {
    let end = text.floor_char_boundary(BAND - 1);
    written(encode::band_to_write(Channel::Progress, format!("{}\n", &text[..end]).as_bytes(), out));
}

/// An error that git shows to its user.
pub fn error(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let end = text.floor_char_boundary(1_000);
    written(encode::error_to_write(&text.as_bytes()[..end], &mut out));
    out
}

/// The end of what belongs together.
pub fn flush(out: &mut Vec<u8>) {
    written(encode::flush_to_write(out));
}

fn delimiter(out: &mut Vec<u8>) {
    written(encode::delim_to_write(out));
}

fn line(out: &mut Vec<u8>, text: &str) {
    written(encode::text_to_write(text.as_bytes(), out));
}

/// Writing to memory fails only for packets that are empty or too long. None here is.
fn written(outcome: std::io::Result<usize>) {
    debug_assert!(outcome.is_ok(), "{outcome:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace('\0', "\\0").replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    fn refs() -> Refs {
        Refs {
            head: Some(id('a')),
            tags: vec![("v2.0.0".to_owned(), id('a')), ("v1.0.0".to_owned(), id('b'))],
        }
    }

    #[test]
    fn advertisements() {
        insta::assert_snapshot!("advertise", text(&refs().advertise(Protocol::V0)));
        insta::assert_snapshot!(
            "advertise_v1_without_head",
            text(&Refs { head: None, ..refs() }.advertise(Protocol::V1))
        );
        insta::assert_snapshot!("advertise_nothing", text(&Refs::default().advertise(Protocol::V0)));
        insta::assert_snapshot!("capabilities", text(&capabilities()));
        insta::assert_snapshot!("list", text(&refs().list(&[], true)));
        insta::assert_snapshot!("list_tags", text(&refs().list(&[b"refs/tags/v1".to_vec()], false)));
    }

    #[test]
    fn negotiations() {
        let fetch = Fetch { wants: vec![id('a')], ..Fetch::default() };
        let (haves, yes, no) = (vec![id('c')], true, false);
        let said = |protocol, fetch: &Fetch, common: &[ObjectId]| {
            let (bytes, has_pack) = negotiate(protocol, fetch, common);
            (text(&bytes), has_pack)
        };
        let (v0, v2) = (Protocol::V0, Protocol::V2);
        let c = "c".repeat(40);
        // The first request of a shallow clone, and the second.
        let shallow = Fetch { shallow: true, ..fetch.clone() };
        assert_eq!(said(v0, &shallow, &[]), ("0000".into(), no));
        assert_eq!(said(v0, &Fetch { done: true, ..shallow.clone() }, &[]), ("00000008NAK\n".into(), yes));
        let asking = Fetch { haves, ..fetch.clone() };
        assert_eq!(said(v0, &asking, &[]), ("0008NAK\n".into(), no));
        assert_eq!(
            said(v0, &asking, &[id('c')]),
            (format!("0038ACK {c} common\n0037ACK {c} ready\n0008NAK\n"), no)
        );
        let done = Fetch { done: true, ..asking.clone() };
        assert_eq!(said(v0, &done, &[id('c')]), (format!("0038ACK {c} common\n0031ACK {c}\n"), yes));
        assert_eq!(said(v2, &asking, &[]), ("0014acknowledgments\n0008NAK\n0000".into(), no));
        assert_eq!(
            said(v2, &asking, &[id('c')]),
            (format!("0014acknowledgments\n0031ACK {c}\n000aready\n0001000dpackfile\n"), yes)
        );
        assert_eq!(
            said(v2, &Fetch { done: true, ..shallow }, &[]),
            ("0011shallow-info\n0001000dpackfile\n".into(), yes)
        );
    }

    #[test]
    fn packs_are_cut_into_packets() {
        let mut out = Vec::new();
        band(&vec![7; BAND + 1], &mut out);
        assert_eq!(&out[..6], b"fff0\x01\x07");
        assert_eq!(&out[BAND + 5..], b"0006\x01\x07");
        assert_eq!(error("x"), b"0009ERR x");
    }
}
