//! Messages to a worker and from it: each a length in four bytes and JSON. Two begin it, and one ends it; in between, the
//! worker may ask for other skills, and is answered. Before all, it says that it waits. Every wait can be dropped and begun
//! again.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, send};
use serde::Deserialize;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

use crate::Values;
use crate::messages::receive_with_descriptors;

/// The runner's end of the socket pair.
pub(crate) struct Channel {
    /// Of which the runtime only tells what comes: that a worker has read is no news.
    socket: AsyncFd<StdUnixStream>,
    /// The same for what is sent, from when on there was no room.
    writer: Option<UnixStream>,
    /// What is to be sent, up to `sent` done.
    request: Vec<u8>,
    sent: usize,
    state: State,
    received: Vec<u8>,
    is_closed: bool,
    /// Bytes that a message may have.
    most: usize,
}

/// What a worker has said of itself.
enum State {
    /// Nothing.
    New,
    /// That it waits.
    Ready,
    /// That it cannot begin.
    Refused,
}

/// What came back.
pub(crate) enum Message {
    /// It waits. Calls that the kernel refuses wait on this descriptor, which is of no use when all that made them has
    /// ended; where the kernel cannot tell, there is none.
    Ready(Option<OwnedFd>),
    /// It cannot begin, and why.
    Never(String),
    /// The reply.
    Whole(Vec<u8>),
    /// It asks for another skill.
    Call(Call),
    /// Too large, or not what a worker says.
    Bad,
    /// There will be no more.
    Closed,
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

/// A worker's first word.
const READY: &[u8] = b"+";
const LENGTH: usize = 4;
/// Bytes that are read at once.
const PIECE: usize = 8 * 1024;
/// Bytes of why a worker cannot begin.
const WHY: usize = 4096;
/// No reply begins so.
const CALL: &[u8] = b"{\"call\":";

impl Channel {
    pub(crate) fn new(socket: StdUnixStream, messages: &[Vec<u8>], most: usize) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let mut channel = Self {
            socket: readable(socket)?,
            writer: None,
            request: Vec::new(),
            sent: 0,
            state: State::New,
            received: Vec::new(),
            is_closed: false,
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

    /// Sends what there is and waits for the next message. That the channel is closed is said once: why it closed is known
    /// when the process has ended.
    pub(crate) async fn message(&mut self) -> Message {
        if self.is_closed {
            return std::future::pending().await;
        }
        while self.sent < self.request.len() {
            // As good as always there is room.
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let sent = match send(self.socket.get_ref(), &self.request[self.sent..], flags) {
                Err(Errno::AGAIN) => self.write().await,
                sent => sent.map_err(io::Error::from),
            };
            match sent {
                Ok(count) => self.sent += count,
                // What it said last may still be there.
                Err(_) => break,
            }
        }
        let message = self.receive().await;
        self.is_closed = message.is_none();
        message.unwrap_or(Message::Closed)
    }

    /// Sends some of what there is when there is room.
    async fn write(&mut self) -> io::Result<usize> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            writer => writer.insert(UnixStream::from_std(self.socket.get_ref().try_clone()?)?),
        };
        writer.write(&self.request[self.sent..]).await
    }

    /// Receives some more; 0 at the end.
    async fn read(&mut self) -> io::Result<usize> {
        let received = &mut self.received;
        let read = |mut socket: &StdUnixStream| {
            let before = received.len();
            received.resize(before + PIECE, 0);
            let read = socket.read(&mut received[before..]);
            received.truncate(before + *read.as_ref().unwrap_or(&0));
            read
        };
        self.socket.async_io(Interest::READABLE, read).await
    }

    /// The first message: `+`, or `!` and why not.
    async fn first(&mut self) -> Option<Message> {
        let mut first = [0];
        let mut receive =
            |socket: &StdUnixStream| receive_with_descriptors(socket, &mut first, RecvFlags::DONTWAIT);
        let received = match receive(self.socket.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.async_io(Interest::READABLE, receive).await
            }
            received => received,
        };
        let (count, mut descriptors) = match received {
            Ok(received) => received,
            Err(error) => return Some(Message::Never(error.to_string())),
        };
        match &first[..count] {
            READY => {
                self.state = State::Ready;
                Some(Message::Ready(descriptors.pop()))
            }
            b"!" => {
                self.state = State::Refused;
                Some(self.refusal().await)
            }
            _ => None,
        }
    }

    /// All that follows a `!`.
    async fn refusal(&mut self) -> Message {
        while self.received.len() < WHY && matches!(self.read().await, Ok(count) if count > 0) {}
        Message::Never(String::from_utf8_lossy(&self.received).into_owned())
    }

    /// What is still to come from a worker that has ended; `None` when that is no whole reply. Nobody is left who could be
    /// answered.
    pub(crate) async fn rest(&mut self) -> Option<Message> {
        loop {
            match self.receive().await {
                Some(Message::Call(_) | Message::Ready(_)) => {}
                other => return other,
            }
        }
    }

    async fn receive(&mut self) -> Option<Message> {
        match self.state {
            State::Ready => {}
            State::New => return self.first().await,
            State::Refused => return Some(self.refusal().await),
        }
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
            match self.read().await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

/// A descriptor of which the runtime tells when there is something to read, and when there will be nothing any more.
pub(crate) fn readable<T: AsRawFd + AsFd>(owner: T) -> io::Result<AsyncFd<T>> {
    #[expect(
        deprecated,
        reason = "an owner's descriptor stays open and the same, which not all that it takes do"
    )]
    AsyncFd::with_interest(owner, Interest::READABLE)
}

fn understood(body: &[u8]) -> Message {
    if !body.starts_with(CALL) {
        return Message::Whole(body.to_vec());
    }
    let bytes = body.len();
    serde_json::from_slice(body).map_or(Message::Bad, |Called { call }| Message::Call(Call { bytes, ..call }))
}
