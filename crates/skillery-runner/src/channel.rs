//! Two messages to a worker and one back: each a length in four bytes and JSON. Every wait can be dropped and begun again.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The runner's end of the socket pair.
pub(crate) struct Channel {
    socket: UnixStream,
    request: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    /// Bytes that a reply may have.
    most: usize,
}

/// What came back.
pub(crate) enum Message {
    Whole(Vec<u8>),
    TooLarge,
}

const LENGTH: usize = 4;

impl Channel {
    pub(crate) fn new(socket: StdUnixStream, messages: &[Vec<u8>], most: usize) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let mut request = Vec::new();
        for message in messages {
            request.extend(u32::try_from(message.len()).map_err(io::Error::other)?.to_be_bytes());
            request.extend(message);
        }
        Ok(Self { socket: UnixStream::from_std(socket)?, request, sent: 0, received: Vec::new(), most })
    }

    /// Sends the request and waits for the reply. A channel that closes says nothing, so then this never ends: why it
    /// closed is known when the process has ended.
    pub(crate) async fn message(&mut self) -> Message {
        while self.sent < self.request.len() {
            match self.socket.write(&self.request[self.sent..]).await {
                Ok(count) => self.sent += count,
                Err(_) => return std::future::pending().await,
            }
        }
        match self.rest().await {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }

    /// What is still to come from a worker that has ended; `None` when that is no whole reply.
    pub(crate) async fn rest(&mut self) -> Option<Message> {
        loop {
            if let Some((length, body)) = self.received.split_first_chunk::<LENGTH>() {
                let length = u32::from_be_bytes(*length) as usize;
                if length > self.most {
                    return Some(Message::TooLarge);
                }
                if body.len() >= length {
                    return Some(Message::Whole(body[..length].to_vec()));
                }
            }
            match self.socket.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}
