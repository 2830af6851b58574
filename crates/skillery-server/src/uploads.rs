//! Bundles on their way in: how many at once, and where their bytes are until they are whole.
//!
//! What comes slowly costs a file and no memory. Only what is whole is read into memory, and of that only a few at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use skillery_core::{Limits, Problem, ProblemCode};
use tokio::io::AsyncWriteExt;

use crate::blobs::write_failure;
use crate::failure::{Failure, Result};
use crate::turns::{Turn, Turns};

/// Bytes that are kept in memory rather than in a file.
const SMALL: usize = 256 * 1024;
/// How long what is refused may go on, so that whoever sends it gets to read why.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is being received.
pub struct Uploads {
    folder: PathBuf,
    most: usize,
    most_per_user: usize,
    under_way: Mutex<HashMap<String, usize>>,
    turns: Turns,
}

/// One that is being received. It counts until it is dropped.
pub struct Upload<'a> {
    uploads: &'a Uploads,
    user: String,
}

impl Uploads {
    /// Nothing is being received yet. Files without a name lie in this folder.
    pub fn new(folder: PathBuf, limits: &Limits) -> Self {
        Self {
            folder,
            most: limits.uploads,
            most_per_user: limits.uploads_per_user,
            under_way: Mutex::default(),
            turns: Turns::default(),
        }
    }

    /// Begins to receive one from this user, unless too many are under way.
    pub fn begin(&self, user: &str) -> Result<Upload<'_>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |detail: String| Failure::new(ProblemCode::Busy, detail);
        if under_way.values().sum::<usize>() >= self.most {
            return Err(busy(format!("{} bundles are being received already", self.most)));
        }
        let own = under_way.entry(user.to_owned()).or_default();
        if *own >= self.most_per_user {
            return Err(busy(format!("{} bundles of yours are being received already", self.most_per_user)));
        }
        *own += 1;
        Ok(Upload { uploads: self, user: user.to_owned() })
    }

    /// Whether something is being received.
    #[cfg(test)]
    pub fn is_receiving(&self) -> bool {
        !self.under_way.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether somebody has a turn.
    #[cfg(test)]
    pub fn is_unpacking(&self) -> bool {
        self.turns.are_taken()
    }

    /// Waits for a turn to hold a whole bundle in memory, and what is made of it. Nobody takes a second one.
    pub async fn turn(&self) -> Result<Turn> {
        self.turns.turn().await
    }

    /// A turn to hold these bytes in memory, and nothing else. What is there anyway needs none.
    pub async fn turn_for(&self, spooled: &Spooled) -> Result<Turn> {
        match spooled {
            Spooled::Memory(_) => Ok(Turn::free()),
            Spooled::File(_) => self.turn().await,
        }
    }

    /// Takes in a body of at most so many bytes, which may come slowly but must not stop to for longer than it may.
    pub async fn receive(&self, incoming: &mut Incoming, limit: usize) -> Result<Spooled> {
        let too_large = || {
            let detail = format!("the body has more than {limit} bytes");
            Failure::from(Problem::new(ProblemCode::BodyTooLarge, detail).with("limit", limit))
        };
        if incoming.announced().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut spool = self.spool();
        let mut length = 0;
        loop {
            let stall = incoming.stall();
            let piece = match tokio::time::timeout(stall, incoming.next()).await {
                Ok(piece) => piece,
                Err(_) => return Err(incoming.fell_silent()),
            };
            let Some(piece) = piece else { return spool.finish().await };
            let piece = piece.map_err(|error| {
                Failure::caused(ProblemCode::InvalidField, "the body did not arrive whole", error)
            })?;
            length += piece.len();
            if length > limit {
                return Err(too_large());
            }
            spool.write(&piece).await?;
        }
    }

    /// A place for bytes that come.
    pub fn spool(&self) -> Spool {
        Spool { folder: self.folder.clone(), memory: Vec::new(), file: None }
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        let mut under_way = self.uploads.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = under_way.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                under_way.remove(&self.user);
            }
        }
    }
}

/// A body as it comes. It may be refused at any moment.
pub struct Incoming {
    pieces: BodyDataStream,
    announced: Option<u64>,
    /// Bytes that are taken in at most when they are refused.
    limit: usize,
    stall: Duration,
    /// Whether its sender waits for a word before it sends anything.
    is_held_back: bool,
    is_silent: bool,
}

impl Incoming {
    /// A body of at most so many bytes.
    pub fn new(headers: &HeaderMap, body: Body, limit: usize, limits: &Limits) -> Self {
        Self {
            pieces: body.into_data_stream(),
            announced: headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()),
            limit,
            stall: Duration::from_secs(limits.request_seconds),
            is_held_back: headers.contains_key(EXPECT),
            is_silent: false,
        }
    }

    /// How many bytes it says that it has.
    pub fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Bytes that it may have.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// For how long it may stop.
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// That it has stopped for longer than that.
    pub fn fell_silent(&mut self) -> Failure {
        self.is_silent = true;
        let detail = format!("no more of the body came for {} s", self.stall.as_secs());
        Failure::new(ProblemCode::RequestTimedOut, detail)
    }

    /// What came of it. Where that is a refusal, what is still to come is taken in and forgotten first, as most programs read
    /// the answer only after they have sent everything: for some seconds, and no more bytes than it may have. From who has fallen
    /// silent nothing more comes, and who waits for a word gets the refusal for it.
    pub async fn finish<T, E>(mut self, received: Result<T, E>) -> Result<T, E> {
        if received.is_err() && !self.is_silent && !self.is_held_back {
            let mut left = self.limit;
            let forget = async {
                while let Some(Ok(piece)) = self.next().await
                    && piece.len() <= left
                {
                    left -= piece.len();
                }
            };
            let _ = tokio::time::timeout(PATIENCE, forget).await;
        }
        received
    }
}

impl Stream for Incoming {
    type Item = std::result::Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // To ask for it is the word.
        self.is_held_back = false;
        self.pieces.poll_next_unpin(context)
    }
}

/// Bytes that come: in memory while they are few, then in a file that has no name, so that nothing is left of it.
pub struct Spool {
    folder: PathBuf,
    memory: Vec<u8>,
    file: Option<tokio::fs::File>,
}

impl Spool {
    /// Takes more.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.file.is_none() && self.memory.len() + bytes.len() > SMALL {
            let folder = self.folder.clone();
            let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await;
            let mut file =
                tokio::fs::File::from_std(made.map_err(Failure::internal)?.map_err(write_failure)?);
            file.write_all(&std::mem::take(&mut self.memory)).await.map_err(write_failure)?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).await.map_err(write_failure),
            None => {
                self.memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// That no more comes.
    pub async fn finish(self) -> Result<Spooled> {
        match self.file {
            Some(mut file) => {
                file.flush().await.map_err(write_failure)?;
                Ok(Spooled::File(file.into_std().await))
            }
            None => Ok(Spooled::Memory(self.memory)),
        }
    }
}

/// Bytes that have come whole.
pub enum Spooled {
    /// A few.
    Memory(Vec<u8>),
    /// Many.
    File(File),
}

impl Spooled {
    /// All of them. Blocks.
    pub fn read(self) -> Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File(mut file) => {
                let mut read = || {
                    file.rewind()?;
                    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len()).unwrap_or(0));
                    file.read_to_end(&mut bytes)?;
                    Ok(bytes)
                };
                read().map_err(|error: std::io::Error| {
                    Failure::caused(ProblemCode::StorageUnavailable, "", error)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_takes_all_places_and_all_come_back() {
        let limits = Limits { uploads: 3, uploads_per_user: 2, ..Limits::default() };
        let uploads = Uploads::new(PathBuf::new(), &limits);
        let first = uploads.begin("alice").unwrap();
        let _second = uploads.begin("alice").unwrap();
        assert!(uploads.begin("alice").err().unwrap().problem.detail.contains("yours"));
        let third = uploads.begin("bob").unwrap();
        assert_eq!(uploads.begin("carol").err().unwrap().code(), ProblemCode::Busy);
        drop((first, third));
        assert!(uploads.begin("alice").is_ok());
        assert_eq!(uploads.under_way.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_is_large_lies_in_a_file_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(folder.path().to_owned(), &Limits::default());
        for (size, is_file) in [(10, false), (SMALL + 1, true), (3 * SMALL, true)] {
            let bytes: Vec<u8> = (0..size).map(|number| number as u8).collect();
            let mut spool = uploads.spool();
            for piece in bytes.chunks(1_000) {
                spool.write(piece).await.unwrap();
            }
            let spooled = spool.finish().await.unwrap();
            assert_eq!(matches!(spooled, Spooled::File(_)), is_file);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            assert_eq!(spooled.read().unwrap(), bytes);
        }
    }
}
