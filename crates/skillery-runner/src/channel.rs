//! Messages to a worker and from it: each a length in four bytes and JSON. Two begin it, and one ends it; in between, the
//! worker may ask for other skills, and is answered. Every wait can be dropped and begun again.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::Values;

/// The runner's end of the socket pair.
pub(crate) struct Channel {
    socket: UnixStream,
    /// What is to be sent, up to `sent` done.
    request: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    /// Bytes that a message may have.
    most: usize,
}

/// What came back.
pub(crate) enum Message {
    /// The reply.
    Whole(Vec<u8>),
    /// It asks for another skill.
    Call(Call),
    /// Too large, or not what a worker says.
    Bad,
}

/// Another skill that is to be run, and answered for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The answer has it too.
    pub(crate) id: u64,
    pub(crate) skill: String,
    pub(crate) inputs: Values,
    /// The longest that the caller wants to wait.
    pub(crate) seconds: Option<f64>,
    /// Of the message.
    #[serde(skip)]
    pub(crate) bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Called {
    call: Call,
}

const LENGTH: usize = 4;
/// No reply begins so.
const CALL: &[u8] = b"{\"call\":";

impl Channel {
    pub(crate) fn new(socket: StdUnixStream, messages: &[Vec<u8>], most: usize) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let mut channel = Self {
            socket: UnixStream::from_std(socket)?,
            request: Vec::new(),
            sent: 0,
            received: Vec::new(),
            most,
        };
        messages.iter().try_for_each(|message| channel.send(message))?;
        Ok(channel)
    }

    /// Has it sent with the next wait.
    pub(crate) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if self.sent == self.request.len() {
            self.request.clear();
            self.sent = 0;
        }
        self.request.extend(u32::try_from(message.len()).map_err(io::Error::other)?.to_be_bytes());
        self.request.extend(message);
        Ok(())
    }

    /// Sends what there is and waits for the next message. A channel that closes says nothing, so then this never ends: why it
    /// closed is known when the process has ended.
    pub(crate) async fn message(&mut self) -> Message {
        while self.sent < self.request.len() {
            match self.socket.write(&self.request[self.sent..]).await {
                Ok(count) => self.sent += count,
                Err(_) => return std::future::pending().await,
            }
        }
        match self.receive().await {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }

    /// What is still to come from a worker that has ended; `None` when that is no whole reply. Nobody is left who could be
    /// answered.
    pub(crate) async fn rest(&mut self) -> Option<Message> {
        loop {
            match self.receive().await {
                Some(Message::Call(_)) => {}
                other => return other,
            }
        }
    }

    async fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some((length, body)) = self.received.split_first_chunk::<LENGTH>() {
                let length = u32::from_be_bytes(*length) as usize;
                if length > self.most {
                    return Some(Message::Bad);
                }
                if body.len() >= length {
                    let message = understood(&body[..length]);
                    self.received.drain(..LENGTH + length);
                    return Some(message);
                }
            }
            match self.socket.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

fn understood(body: &[u8]) -> Message {
    if !body.starts_with(CALL) {
        return Message::Whole(body.to_vec());
    }
    let bytes = body.len();
    serde_json::from_slice(body).map_or(Message::Bad, |Called { call }| Message::Call(Call { bytes, ..call }))
}
