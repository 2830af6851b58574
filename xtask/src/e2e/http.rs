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
        match message.header("transfer-encoding") {
            Some("chunked") => {
                message.body = read_chunks(&mut from)?;
                message.headers.retain(|(name, _)| name != "transfer-encoding");
                return Ok(message);
            }
            Some(other) => bail!("`transfer-encoding: {other}` is not understood here"),
            None => {}
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

/// A body that comes in chunks, up to the one that has nothing. What may stand behind it is left out.
fn read_chunks(from: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let size = line.trim_end().split(';').next().unwrap_or_default();
        let size =
            u64::from_str_radix(size, 16).with_context(|| format!("`{size}` is no size of a chunk"))?;
        let before = body.len() as u64;
        from.take(size).read_to_end(&mut body)?;
        if body.len() as u64 - before < size {
            bail!("a chunk ended early");
        }
        let mut end = String::new();
        from.read_line(&mut end)?;
        if size == 0 {
            return Ok(body);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_chunks_is_put_together() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n there\r\n0\r\n\r\n";
        let message = Message::read(&answer[..], false).unwrap();
        assert_eq!(message.text().unwrap(), "hello there");
        assert_eq!(message.header("transfer-encoding"), None);
        for cut in [answer.len() - 9, answer.len() - 20] {
            assert!(Message::read(&answer[..cut], false).is_err(), "{cut}");
        }
        let other = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n";
        assert!(Message::read(&other[..], false).is_err());
    }
}
