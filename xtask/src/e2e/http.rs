//! As much of HTTP/1.1 as a task needs to talk to programs on this machine: one request for each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long anything may take before the other side counts as stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a message at most.
const MOST: u64 = 64 << 20;

/// A request or an answer.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The request line or the status line.
    pub(crate) start: String,
    /// In their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads one. An answer without a length ends with its connection, a request without one has no body.
    pub(crate) fn read(from: impl Read, is_request: bool) -> Result<Self> {
        let mut from = BufReader::new(from.take(MOST));
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                bail!("the connection ended inside the head of a message");
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut lines = lines.into_iter();
        let start = lines.next().context("a message has no first line")?;
        let header = |line: String| {
            let (name, value) = line.split_once(':').context("a header has no colon")?;
            anyhow::Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.map(header).collect::<Result<Vec<_>>>()?;
        let mut message = Self { start, headers, body: Vec::new() };
        if message.header("transfer-encoding").is_some() {
            bail!("`transfer-encoding` is not understood here");
        }
        match message.header("content-length").map(str::parse::<usize>).transpose()? {
            Some(length) => {
                message.body = vec![0; length];
                from.read_exact(&mut message.body).context("a body ended early")?;
            }
            None if is_request => {}
            None => {
                from.read_to_end(&mut message.body)?;
            }
        }
        Ok(message)
    }

    /// The value of a header, whose name is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Writes it, as the only one of its connection.
    pub(crate) fn write(&self, mut to: impl Write) -> Result<()> {
        let mut bytes = format!("{}\r\n", self.start);
        let own = ["connection", "content-length"];
        for (name, value) in self.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            bytes += &format!("{name}: {value}\r\n");
        }
        bytes += &format!("connection: close\r\ncontent-length: {}\r\n\r\n", self.body.len());
        to.write_all(bytes.as_bytes())?;
        to.write_all(&self.body)?;
        Ok(to.flush()?)
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> Result<u16> {
        let status = self.start.split(' ').nth(1).context("an answer has no status")?;
        Ok(status.parse()?)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> Result<String> {
        String::from_utf8(self.body.clone()).context("the body is not text")
    }
}

/// Sends a request and waits for its answer, whatever its status.
pub(crate) fn exchange(address: SocketAddr, request: &Message) -> Result<Message> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    request.write(&stream)?;
    Message::read(&stream, false)
}

/// Asks for something.
pub(crate) fn get(address: SocketAddr, target: &str) -> Result<Message> {
    let request =
        Message { start: format!("GET {target} HTTP/1.1"), headers: host(address), body: Vec::new() };
    exchange(address, &request)
}

/// Asks for something that must be there.
pub(crate) fn get_body(address: SocketAddr, target: &str) -> Result<Vec<u8>> {
    let answer = get(address, target)?;
    if answer.status()? != 200 {
        bail!("`{target}` is answered with `{}`", answer.start);
    }
    Ok(answer.body)
}

/// The header that every request must have.
pub(crate) fn host(address: SocketAddr) -> Vec<(String, String)> {
    vec![("host".to_owned(), address.to_string())]
}
