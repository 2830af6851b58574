//! What git asks for: the bodies of `git-upload-pack`, as they come from whoever likes to send something.

use std::collections::HashSet;

use gix_hash::ObjectId;
use gix_packetline::PacketLineRef;
use gix_packetline::decode::{Stream, streaming};

use crate::limits::{MAX_GIT_HAVES, MAX_GIT_PREFIXES, MAX_GIT_WANTS};

/// Which form of the protocol a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Refs are told first, and everything is asked for at once.
    #[default]
    V0,
    /// The same, with a line that says so.
    V1,
    /// One command after the other.
    V2,
}

impl Protocol {
    /// By the header `Git-Protocol`: words with colons between them, of which the highest version counts.
    pub fn of(header: &str) -> Self {
        let versions = header.split(':').filter_map(|word| match word {
            "version=2" => Some(Self::V2),
            "version=1" => Some(Self::V1),
            _ => None,
        });
        versions.max_by_key(|version| *version as u8).unwrap_or_default()
    }
}

/// What is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetch {
    /// Commits, each once.
    pub wants: Vec<ObjectId>,
    /// Commits that the client has, each once.
    pub haves: Vec<ObjectId>,
    /// Whether it wants to hear where histories end. None of ours goes on, so that nothing has to be said.
    pub shallow: bool,
    /// Whether nothing more is to be negotiated.
    pub done: bool,
    /// Whether the pack comes in packets beside what is said.
    pub side_band: bool,
    /// Whether it understands which of its commits are known, and so whether less can be sent. Over HTTP one that does not
    /// loses its place when it is told.
    pub acknowledged: bool,
    /// Whether nothing is to be said beside the pack.
    pub quiet: bool,
}

/// A request of protocol version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Which refs there are.
    LsRefs {
        /// Only those that begin with one of these; empty: all.
        prefixes: Vec<Vec<u8>>,
        /// Whether to say what `HEAD` stands for.
        symrefs: bool,
    },
    /// Objects.
    Fetch(Fetch),
}

/// Why a request is none. The text is for the person in front of git.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Bytes that are no packets.
    #[error("the request is not made of whole packets")]
    Packets,
    /// A line that no client sends who has read what is offered.
    #[error("the request has a line that is not known here: `{0}`")]
    Line(String),
    /// An id that is no SHA-1.
    #[error("the request has an id that is none")]
    Id,
    /// Too much of something.
    #[error("the request has more than {0} {1}")]
    TooMany(usize, &'static str),
    /// Another kind of ids.
    #[error("this registry has objects with SHA-1 ids only")]
    ObjectFormat,
    /// Nothing is asked for.
    #[error("the request asks for nothing")]
    Empty,
}

type Result<T> = std::result::Result<T, RequestError>;

/// The packets of a body, without the line ends of texts.
struct Packets<'body>(&'body [u8]);

impl<'body> Packets<'body> {
    fn next(&mut self) -> Result<Option<PacketLineRef<'body>>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        match streaming(self.0).map_err(|_| RequestError::Packets)? {
            Stream::Complete { line, bytes_consumed } => {
                self.0 = &self.0[bytes_consumed..];
                Ok(Some(match line {
                    PacketLineRef::Data(data) => {
                        PacketLineRef::Data(data.strip_suffix(b"\n").unwrap_or(data))
                    }
                    other => other,
                }))
            }
            Stream::Incomplete { .. } => Err(RequestError::Packets),
        }
    }
}

/// Ids in the order in which they came, each once.
struct Ids {
    most: usize,
    what: &'static str,
    list: Vec<ObjectId>,
    seen: HashSet<ObjectId>,
}

impl Ids {
    fn new(most: usize, what: &'static str) -> Self {
        Self { most, what, list: Vec::new(), seen: HashSet::new() }
    }

    fn add(&mut self, hex: &[u8]) -> Result<()> {
        let id = id(hex)?;
        if self.seen.insert(id) {
            if self.list.len() == self.most {
                return Err(RequestError::TooMany(self.most, self.what));
            }
            self.list.push(id);
        }
        Ok(())
    }
}

fn id(hex: &[u8]) -> Result<ObjectId> {
    ObjectId::from_hex(hex).map_err(|_| RequestError::Id)
}

fn unknown(line: &[u8]) -> RequestError {
    let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
    RequestError::Line(shown.escape_debug().to_string())
}

/// Lines that both versions have alike. Whether it was one.
fn common_line(line: &[u8], fetch: &mut Fetch, haves: &mut Ids) -> Result<bool> {
    if let Some(hex) = line.strip_prefix(b"have ") {
        haves.add(hex)?;
    } else if let Some(hex) = line.strip_prefix(b"shallow ") {
        id(hex)?;
        fetch.shallow = true;
    } else if let Some(depth) = line.strip_prefix(b"deepen ") {
        // However deep: a commit has no parents.
        let depth = std::str::from_utf8(depth).ok().and_then(|text| text.parse::<u32>().ok());
        depth.ok_or_else(|| unknown(line))?;
        fetch.shallow = true;
    } else if line == b"done" {
        fetch.done = true;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// A request of version 0 or 1; none where the client has what it wants, and says goodbye.
pub fn parse_v0(body: &[u8]) -> Result<Option<Fetch>> {
    let mut packets = Packets(body);
    let mut fetch = Fetch::default();
    let (mut wants, mut haves) = (Ids::new(MAX_GIT_WANTS, "wants"), Ids::new(MAX_GIT_HAVES, "haves"));
    while let Some(packet) = packets.next()? {
        let line = match packet {
            PacketLineRef::Data(line) => line,
            PacketLineRef::Flush => continue,
            PacketLineRef::Delimiter | PacketLineRef::ResponseEnd => return Err(RequestError::Packets),
        };
        if fetch.done {
            return Err(unknown(line));
        }
        if let Some(want) = line.strip_prefix(b"want ") {
            let (hex, capabilities) = match want.iter().position(|byte| *byte == b' ') {
                Some(end) => (&want[..end], &want[end + 1..]),
                None => (want, &b""[..]),
            };
            // They stand behind the first one.
            if wants.list.is_empty() {
                read_capabilities(capabilities, &mut fetch)?;
            }
            wants.add(hex)?;
        } else if !common_line(line, &mut fetch, &mut haves)? {
            return Err(unknown(line));
        }
    }
    (fetch.wants, fetch.haves) = (wants.list, haves.list);
    match (fetch.wants.is_empty(), fetch.haves.is_empty() && !fetch.done) {
        (false, _) => Ok(Some(fetch)),
        (true, true) => Ok(None),
        (true, false) => Err(RequestError::Empty),
    }
}

fn read_capabilities(words: &[u8], fetch: &mut Fetch) -> Result<()> {
    for word in words.split(|byte| *byte == b' ') {
        match word {
            b"side-band-64k" => fetch.side_band = true,
            b"multi_ack_detailed" => fetch.acknowledged = true,
            b"no-progress" => fetch.quiet = true,
            _ => check_format(word)?,
        }
    }
    Ok(())
}

fn check_format(word: &[u8]) -> Result<()> {
    match word.strip_prefix(b"object-format=") {
        Some(format) if format != b"sha1" => Err(RequestError::ObjectFormat),
        _ => Ok(()),
    }
}

/// A request of version 2.
pub fn parse_v2(body: &[u8]) -> Result<Command> {
    let mut packets = Packets(body);
    let mut command = None;
    let mut arguments = Vec::new();
    let mut is_below = false;
    loop {
        match packets.next()?.ok_or(RequestError::Packets)? {
            PacketLineRef::Flush => break,
            PacketLineRef::Delimiter if !is_below => is_below = true,
            PacketLineRef::Delimiter | PacketLineRef::ResponseEnd => return Err(RequestError::Packets),
            PacketLineRef::Data(line) if is_below => arguments.push(line),
            PacketLineRef::Data(line) => match line.strip_prefix(b"command=") {
                Some(name) if command.is_none() => command = Some(name),
                Some(_) => return Err(unknown(line)),
                None => check_format(line)?,
            },
        }
    }
    match command.ok_or(RequestError::Empty)? {
        b"ls-refs" => ls_refs(&arguments),
        b"fetch" => fetch_v2(&arguments),
        other => Err(unknown(other)),
    }
}

fn ls_refs(arguments: &[&[u8]]) -> Result<Command> {
    let (mut prefixes, mut symrefs) = (Vec::new(), false);
    for line in arguments {
        match *line {
            b"symrefs" => symrefs = true,
            // No tag here has an object of its own that could be peeled off; no ref is yet to be born.
            b"peel" | b"unborn" => {}
            line => {
                let prefix = line.strip_prefix(b"ref-prefix ").ok_or_else(|| unknown(line))?;
                if prefixes.len() == MAX_GIT_PREFIXES {
                    return Err(RequestError::TooMany(MAX_GIT_PREFIXES, "prefixes of refs"));
                }
                prefixes.push(prefix.to_vec());
            }
        }
    }
    Ok(Command::LsRefs { prefixes, symrefs })
}

fn fetch_v2(arguments: &[&[u8]]) -> Result<Command> {
    let mut fetch = Fetch { side_band: true, acknowledged: true, ..Fetch::default() };
    let (mut wants, mut haves) = (Ids::new(MAX_GIT_WANTS, "wants"), Ids::new(MAX_GIT_HAVES, "haves"));
    for line in arguments {
        match *line {
            b"no-progress" => fetch.quiet = true,
            b"thin-pack" | b"include-tag" | b"ofs-delta" => {}
            line => match line.strip_prefix(b"want ") {
                Some(hex) => wants.add(hex)?,
                None if common_line(line, &mut fetch, &mut haves)? => {}
                None => return Err(unknown(line)),
            },
        }
    }
    (fetch.wants, fetch.haves) = (wants.list, haves.list);
    if fetch.wants.is_empty() { Err(RequestError::Empty) } else { Ok(Command::Fetch(fetch)) }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
