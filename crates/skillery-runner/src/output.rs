//! What a skill writes to its two outputs: told as it comes, bounded, the end of it kept. Every wait can be dropped
//! and begun again.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe::Receiver;

use crate::attempt::OnOutput;
use crate::event::Stream;
use crate::options::RunLimits;

/// A line longer than this is told in pieces.
const MAX_LINE: usize = 8 * 1024;

/// Both outputs of a worker.
pub(crate) struct Outputs<'a> {
    stdout: Output<Receiver>,
    stderr: Output<Receiver>,
    /// Bytes that may still come.
    left: usize,
    too_large: bool,
    on_output: &'a OnOutput<'a>,
}

impl<'a> Outputs<'a> {
    pub(crate) fn new(
        stdout: OwnedFd,
        stderr: OwnedFd,
        limits: &RunLimits,
        on_output: &'a OnOutput<'a>,
    ) -> io::Result<Self> {
        let open = |pipe| Receiver::from_owned_fd(pipe).map(Some);
        Ok(Self {
            stdout: Output::new(Stream::Stdout, open(stdout)?, limits),
            stderr: Output::new(Stream::Stderr, open(stderr)?, limits),
            left: limits.log_bytes,
            too_large: false,
            on_output,
        })
    }

    /// Reads for as long as the worker may write. Ends only when that is too much.
    pub(crate) async fn flood(&mut self) {
        if !self.rest().await {
            std::future::pending().await
        }
    }

    /// Reads to the end; whether that was too much.
    pub(crate) async fn rest(&mut self) -> bool {
        while !self.too_large && (self.stdout.is_open() || self.stderr.is_open()) {
            let count = tokio::select! {
                count = self.stdout.read(self.on_output), if self.stdout.is_open() => count,
                count = self.stderr.read(self.on_output), if self.stderr.is_open() => count,
            };
            self.count(count);
        }
        self.too_large
    }

    fn count(&mut self, count: usize) {
        self.too_large = count > self.left;
        self.left = self.left.saturating_sub(count);
    }

    /// Reads what is there, of a worker that can write no more; whether that was too much.
    pub(crate) fn drain(&mut self) -> bool {
        while !self.too_large
            && let Some(count) =
                self.stdout.read_now(self.on_output).or_else(|| self.stderr.read_now(self.on_output))
        {
            self.count(count);
        }
        self.too_large
    }

    /// Tells what was held back, and gives the ends of standard output and standard error.
    pub(crate) fn finish(self) -> (String, String) {
        (self.stdout.finish(self.on_output), self.stderr.finish(self.on_output))
    }
}

struct Output<P> {
    stream: Stream,
    pipe: Option<P>,
    /// Read, not told yet.
    held: Vec<u8>,
    tail: VecDeque<u8>,
    tail_bytes: usize,
}

impl Output<Receiver> {
    /// As [`read`](Self::read), and `None` where there is nothing to read now. What the runtime knows of the pipe may be older.
    fn read_now(&mut self, on_output: &OnOutput<'_>) -> Option<usize> {
        let pipe = self.pipe.as_ref()?;
        let before = self.held.len();
        self.held.resize(before + MAX_LINE, 0);
        let read = rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut self.held[before..]));
        self.held.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Err(rustix::io::Errno::AGAIN) => None,
            Ok(0) | Err(_) => {
                self.pipe = None;
                Some(0)
            }
            Ok(count) => {
                self.take_in(before, on_output);
                Some(count)
            }
        }
    }
}

impl<P: AsyncRead + Unpin> Output<P> {
    fn new(stream: Stream, pipe: Option<P>, limits: &RunLimits) -> Self {
        Self { stream, pipe, held: Vec::new(), tail: VecDeque::new(), tail_bytes: limits.tail_bytes }
    }

    fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Reads once, tells what are whole lines, and says how many bytes came.
    async fn read(&mut self, on_output: &OnOutput<'_>) -> usize {
        let Some(pipe) = &mut self.pipe else { return 0 };
        let before = self.held.len();
        self.held.reserve(MAX_LINE);
        let count = match pipe.read_buf(&mut self.held).await {
            Ok(0) | Err(_) => {
                self.pipe = None;
                return 0;
            }
            Ok(count) => count,
        };
        self.take_in(before, on_output);
        count
    }

    /// Keeps what has come, and tells what are whole lines.
    fn take_in(&mut self, before: usize, on_output: &OnOutput<'_>) {
        self.tail.extend(&self.held[before..]);
        let surplus = self.tail.len().saturating_sub(self.tail_bytes);
        self.tail.drain(..surplus);
        let whole = match self.held.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if self.held.len() >= MAX_LINE => whole_characters(&self.held),
            None => 0,
        };
        if whole > 0 {
            let rest = self.held.split_off(whole);
            let told = std::mem::replace(&mut self.held, rest);
            on_output(self.stream, text(&told));
        }
    }

    fn finish(mut self, on_output: &OnOutput<'_>) -> String {
        if !self.held.is_empty() {
            on_output(self.stream, text(&self.held));
        }
        let tail = self.tail.make_contiguous();
        // The cut may have gone through a character.
        let start = tail.iter().take(3).take_while(|byte| (0x80..0xC0).contains(*byte)).count();
        text(&tail[start..])
    }
}

/// How many bytes stand before a character that is not whole yet.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
