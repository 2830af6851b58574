//! A body as `multipart/form-data`, part by part, as it comes.
//!
//! The parser takes whatever is there to take. So bytes are handed to it in small pieces, and no more than a window of
//! them before they are passed on: a body without an end of a head, or without any boundary, is refused instead of kept.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use skillery_core::{Limits, Problem, ProblemCode};

use crate::failure::{Failure, Result};
use crate::text::named;
use crate::uploads::{Incoming, Spool, Spooled};

/// Bytes that the parser gets at once.
const PIECE: usize = 64 * 1024;
/// Bytes that it holds at most before something of them is passed on.
const WINDOW: usize = 512 * 1024;

/// Whether the body is announced as a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    content_type(headers).is_some_and(|value| {
        value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data")
    })
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// A form that is being read.
pub struct Form {
    parser: multer::Multipart<'static>,
    source: Source,
}

/// A part of it. Parts come one after the other: the next one begins where this one was read to its end.
pub struct Part {
    field: multer::Field<'static>,
    source: Source,
}

impl Form {
    /// Begins to read a form that brings a folder and what is asked for it.
    pub fn open(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Self> {
        let boundary = multer::parse_boundary(content_type(headers).unwrap_or_default())
            .map_err(|error| malformed(error.to_string()))?;
        let limit = limits.bundle_bytes.saturating_add(limits.body_bytes);
        let body = Incoming::new(headers, body, limit, limits);
        let source = Source(Arc::new(Mutex::new(Feed {
            is_too_long: body.announced().is_some_and(|length| length > limit as u64),
            body: Some(body),
            piece: Bytes::new(),
            left: limit,
            limit,
            window: WINDOW,
            is_resting: false,
        })));
        let parser = multer::Multipart::new(source.clone(), boundary);
        Ok(Self { parser, source })
    }

    /// The next part, if there is one. A part that was begun is passed over.
    pub async fn next(&mut self) -> Result<Option<Part>> {
        self.source.lock().window = WINDOW;
        let field = self.source.in_time(self.parser.next_field()).await?;
        Ok(field.map(|field| Part { field, source: self.source.clone() }))
    }

    /// The next part, which must have this name.
    pub async fn expect(&mut self, name: &str) -> Result<Part> {
        match self.next().await? {
            Some(part) if part.name() == name => Ok(part),
            Some(part) => {
                Err(malformed(format!("the part `{name}` is expected, and `{}` came", named(part.name()))))
            }
            None => Err(malformed(format!("the part `{name}` is missing"))),
        }
    }

    /// That no further part comes.
    pub async fn end(&mut self) -> Result<()> {
        match self.next().await? {
            Some(part) => Err(malformed(format!("there is a part too many, `{}`", named(part.name())))),
            None => Ok(()),
        }
    }

    /// What was received, by whoever was given the form: [`Incoming::finish`].
    pub async fn finish<T, E>(self, received: Result<T, E>) -> Result<T, E> {
        let Self { parser, source } = self;
        drop(parser);
        let body = source.lock().body.take();
        match body {
            Some(body) => body.finish(received).await,
            None => received,
        }
    }
}

impl Part {
    /// Its name; empty where it has none.
    pub fn name(&self) -> &str {
        self.field.name().unwrap_or_default()
    }

    /// The name of the file that it is, where it says one.
    pub fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// Its media type without parameters, in small letters, where it says one.
    pub fn media_type(&self) -> Option<String> {
        self.field.content_type().map(|kind| kind.essence_str().to_ascii_lowercase())
    }

    /// More of its content, until there is none.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = self.source.in_time(self.field.chunk()).await?;
        if let Some(chunk) = &chunk {
            let mut source = self.source.lock();
            source.window = (source.window + chunk.len()).min(WINDOW);
        }
        Ok(chunk)
    }

    /// Its whole content, of at most so many bytes.
    pub async fn bytes(mut self, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > limit {
                let detail = format!("the part `{}` has more than {limit} bytes", named(self.name()));
                return Err(Problem::new(ProblemCode::BodyTooLarge, detail).with("limit", limit).into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Its whole content, of at most so many bytes, where there is room for it.
    pub async fn spool(mut self, mut spool: Spool, limit: usize) -> Result<Spooled> {
        let mut length = 0;
        while let Some(chunk) = self.chunk().await? {
            length += chunk.len();
            if length > limit {
                return Err(too_large(limit));
            }
            spool.write(&chunk).await?;
        }
        spool.finish().await
    }
}

/// The body as the parser sees it.
#[derive(Clone)]
struct Source(Arc<Mutex<Feed>>);

struct Feed {
    /// None once nothing is read any more.
    body: Option<Incoming>,
    /// Whether it says that it has more bytes than it may have.
    is_too_long: bool,
    /// What has come and was not passed on.
    piece: Bytes,
    /// Bytes that may still come.
    left: usize,
    limit: usize,
    /// Bytes that the parser may still get before it passes something on.
    window: usize,
    /// Whether the parser was given something just now: it takes all that is ready, and is to work on this first.
    is_resting: bool,
}

/// Why no more is read.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("the body is too long")]
    TooLong(usize),
    #[error("what stands before a part is too long")]
    NoPart,
    #[error("the body did not arrive whole")]
    Broken(#[source] axum::Error),
}

impl Source {
    fn lock(&self) -> MutexGuard<'_, Feed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step, for which the body must not stop for too long.
    async fn in_time<T>(&self, step: impl Future<Output = multer::Result<T>>) -> Result<T> {
        let Some(stall) = self.lock().body.as_ref().map(Incoming::stall) else {
            return Err(malformed("the body is over"));
        };
        match tokio::time::timeout(stall, step).await {
            Ok(outcome) => outcome.map_err(failure),
            Err(_) => Err(match &mut self.lock().body {
                Some(body) => body.fell_silent(),
                None => malformed("the body is over"),
            }),
        }
    }
}

impl Stream for Source {
    type Item = Result<Bytes, Stopped>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut guard = self.lock();
        let feed = &mut *guard;
        if std::mem::take(&mut feed.is_resting) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if feed.is_too_long {
            return Poll::Ready(Some(Err(Stopped::TooLong(feed.limit))));
        }
        while feed.piece.is_empty() {
            let Some(body) = &mut feed.body else { return Poll::Ready(None) };
            match std::task::ready!(body.poll_next_unpin(context)) {
                Some(Ok(bytes)) => feed.piece = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(Stopped::Broken(error)))),
                None => return Poll::Ready(None),
            }
        }
        let length = feed.piece.len().min(PIECE);
        if length > feed.left {
            return Poll::Ready(Some(Err(Stopped::TooLong(feed.limit))));
        }
        if length > feed.window {
            return Poll::Ready(Some(Err(Stopped::NoPart)));
        }
        feed.left -= length;
        feed.window -= length;
        feed.is_resting = true;
        Poll::Ready(Some(Ok(feed.piece.split_to(length))))
    }
}

fn failure(error: multer::Error) -> Failure {
    let multer::Error::StreamReadFailed(cause) = error else { return malformed(error.to_string()) };
    match cause.downcast::<Stopped>() {
        Ok(stopped) => match *stopped {
            Stopped::TooLong(limit) => too_large(limit),
            Stopped::NoPart => malformed(format!("what stands before a part has more than {WINDOW} bytes")),
            Stopped::Broken(cause) => {
                Failure::caused(ProblemCode::InvalidMultipart, "the body did not arrive whole", cause)
            }
        },
        Err(cause) => Failure::caused(ProblemCode::InvalidMultipart, "the body did not arrive whole", cause),
    }
}

fn malformed(detail: impl Into<String>) -> Failure {
    Failure::new(ProblemCode::InvalidMultipart, detail)
}

fn too_large(limit: usize) -> Failure {
    let detail = format!("it has more than {limit} bytes");
    Problem::new(ProblemCode::BundleTooLarge, detail).with("limit", limit).into()
}
