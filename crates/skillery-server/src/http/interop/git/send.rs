//! Sending a pack: which objects it has is known before the first byte, what is in them is read on the way.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use skillery_core::bundle;
use skillery_core::git::{self, Fetch, ObjectId, PackWriter, band, flush, of_files, progress};
use skillery_core::limits::MAX_GIT_OBJECTS;
use skillery_core::{Digest, ProblemCode, Version};
use tokio::sync::{mpsc, oneshot};

use super::derive;
use super::snapshot::{Entry, Snapshot};
use crate::access::Caller;
use crate::app::App;
use crate::blobs::BlobKey;
use crate::catalog;
use crate::failure::{Failure, Result};
use crate::skill::stored_limits;

/// Bytes that are gathered before they are sent.
const PIECE: usize = 64 * 1024;
/// Bundles whose ids are looked up at once.
const PAGE: usize = 512;
/// How long a client may leave what it asked for where it is.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that it takes in a second at least, once it has been waited for so long.
const RATE: u64 = 16 * 1024;
/// How long it is waited for in one answer, however much it takes.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long the beginning of an answer is waited for: one that fails before can say so by its status.
const PROMPT: Duration = Duration::from_secs(10);
/// Warnings in one answer.
const WARNINGS: usize = 20;

/// Where the bytes of an answer go.
pub struct Out {
    chunks: mpsc::Sender<Bytes>,
    outcome: oneshot::Sender<Result<()>>,
    /// How long the client was waited for, and what it took.
    waited: Mutex<(Duration, u64)>,
}

/// An answer that is being made.
pub struct Answer {
    chunks: mpsc::Receiver<Bytes>,
    outcome: oneshot::Receiver<Result<()>>,
}

impl Out {
    /// A place for an answer, and the answer.
    pub fn new() -> (Self, Answer) {
        let (chunks, taken) = mpsc::channel(2);
        let (outcome, told) = oneshot::channel();
        (Self { chunks, outcome, waited: Mutex::default() }, Answer { chunks: taken, outcome: told })
    }

    /// Sends bytes when the client has taken what was sent before. In small pieces, so that of a client that does not read
    /// no more than a few are held by its connection.
    pub async fn send(&self, bytes: Vec<u8>) -> Result<()> {
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            let length = piece.len() as u64;
            let begun = Instant::now();
            let (waited, taken) = *self.waited.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = self.chunks.send_timeout(piece, patience(waited, taken)).await;
            sent.map_err(|_| {
                Failure::new(ProblemCode::RequestTimedOut, "the client does not take the answer")
            })?;
            let mut waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
            waited.0 += begun.elapsed();
            waited.1 += length;
        }
        Ok(())
    }

    /// Ends the answer.
    pub fn end(self, outcome: Result<()>) {
        if let Err(failure) = &outcome {
            tracing::warn!(%failure, cause = ?failure.source, "an answer to git is not finished");
        }
        let _ = self.outcome.send(outcome);
    }
}

/// How long a client is still waited for that has been waited for so long, and has taken so many bytes: it may stop for a while,
/// but not again and again.
fn patience(waited: Duration, taken: u64) -> Duration {
    let earned = PATIENCE + Duration::from_secs(taken / RATE);
    earned.min(LONGEST).saturating_sub(waited).min(PATIENCE)
}

impl Answer {
    /// The answer when its first bytes are there, or when they are waited for no longer; why there is none where that is known
    /// by then.
    pub async fn begin(mut self, most: Duration) -> Result<Body> {
        match tokio::time::timeout(PROMPT.min(most), self.chunks.recv()).await {
            Ok(Some(first)) => Ok(self.body(Some(first))),
            Ok(None) => self.ended().map(|()| Body::empty()),
            Err(_) => Ok(self.body(None)),
        }
    }

    /// What came of it, when no more bytes come.
    fn ended(&mut self) -> Result<()> {
        self.outcome.try_recv().unwrap_or_else(|_| Err(Failure::internal("an answer to git was dropped")))
    }

    /// One that has failed says so where git expects it; one that was cut off is never taken for whole.
    fn body(self, first: Option<Bytes>) -> Body {
        let has_begun = first.is_some();
        let rest = stream::unfold((Some(self), has_begun), |(answer, has_begun)| async move {
            let mut answer = answer?;
            if let Some(bytes) = answer.chunks.recv().await {
                return Some((Ok(bytes), (Some(answer), true)));
            }
            let failure = answer.ended().err()?;
            let said = match has_begun {
                false => Ok(git::error(&failure.problem.to_string()).into()),
                true => Err(std::io::Error::other("the answer cannot be finished")),
            };
            Some((said, (None, true)))
        });
        Body::from_stream(stream::iter(first.map(Ok)).chain(rest))
    }
}

/// What a pack has.
pub struct Plan {
    /// The ids of its objects.
    ids: HashSet<ObjectId>,
    snapshots: Vec<Arc<Snapshot>>,
    /// Bundles that have some of them, each once.
    bundles: Vec<Digest>,
}

impl Plan {
    /// All of the first, without what is in the second.
    pub async fn new(app: &App, wanted: Vec<Arc<Snapshot>>, common: &[Arc<Snapshot>]) -> Result<Self> {
        let mut ids: HashSet<ObjectId> = wanted.iter().flat_map(|snapshot| snapshot.own_ids()).collect();
        let all = bundles_of(&wanted);
        // Most of what both have is the same bundles.
        let theirs: HashSet<Digest> = bundles_of(common).into_iter().collect();
        let bundles: Vec<Digest> = all.into_iter().filter(|digest| !theirs.contains(digest)).collect();
        for page in bundles.chunks(PAGE) {
            ids.extend(derive::objects(app, page).await?.into_iter().flatten());
            if ids.len() > MAX_GIT_OBJECTS {
                let detail = format!("more than {MAX_GIT_OBJECTS} objects; fetch fewer commits at once");
                return Err(Failure::new(ProblemCode::BodyTooLarge, detail));
            }
        }
        for id in common.iter().flat_map(|snapshot| snapshot.own_ids()) {
            ids.remove(&id);
        }
        let theirs: Vec<Digest> = theirs.into_iter().collect();
        for page in theirs.chunks(PAGE) {
            for id in derive::objects(app, page).await?.into_iter().flatten() {
                ids.remove(&id);
            }
        }
        Ok(Self { ids, snapshots: wanted, bundles })
    }

    /// Sends it, and counts what the caller has installed by that.
    pub async fn send(
        mut self,
        app: &App,
        caller: &Caller,
        fetch: &Fetch,
        mut out: Vec<u8>,
        to: &Out,
    ) -> Result<()> {
        let (snapshots, mut ids) = (&self.snapshots, std::mem::take(&mut self.ids));
        let warnings = self.entries().filter_map(|entry| entry.warning.as_deref());
        if fetch.side_band && !fetch.quiet {
            warnings.take(WARNINGS).for_each(|warning| progress(&format!("warning: {warning}"), &mut out));
        }
        let packets = |bytes: &mut Vec<u8>, out: &mut Vec<u8>| match fetch.side_band {
            true => {
                band(bytes, out);
                bytes.clear();
            }
            false => out.append(bytes),
        };
        let mut pack = Vec::new();
        let count = u32::try_from(ids.len()).map_err(Failure::internal)?;
        let mut writer = PackWriter::new(count, &mut pack);
        for object in snapshots.iter().flat_map(|snapshot| snapshot.own_objects()) {
            if ids.remove(&object.id) {
                writer.push(object, &mut pack).map_err(Failure::internal)?;
            }
        }
        // Something is sent before anything is read.
        packets(&mut pack, &mut out);
        to.send(std::mem::take(&mut out)).await?;
        for digest in &self.bundles {
            // Nothing is read ahead: of a client that is slow there is no more in memory than what it has not taken.
            let turn = app.reading.turn().await?;
            let content = app.blobs.get(BlobKey::Bundle(*digest)).await?;
            let work = move || -> Result<_> {
                let files = bundle::unpack(&content, &stored_limits()).map_err(Failure::internal)?;
                for object in of_files(files).map_err(Failure::internal)? {
                    if ids.remove(&object.id) {
                        writer.push(&object, &mut pack).map_err(Failure::internal)?;
                    }
                }
                Ok((writer, pack, ids))
            };
            (writer, pack, ids) = turn.work(work).await?;
            drop(turn);
            if pack.len() >= PIECE {
                packets(&mut pack, &mut out);
                to.send(std::mem::take(&mut out)).await?;
            }
        }
        writer.finish(&mut pack).map_err(Failure::internal)?;
        packets(&mut pack, &mut out);
        if fetch.side_band {
            flush(&mut out);
        }
        to.send(out).await?;
        self.count_installs(app, caller);
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.snapshots.iter().flat_map(|snapshot| &snapshot.entries)
    }

    /// A skill that was sent with its content was installed, once: with all its versions come those that nobody asked for, and the
    /// highest is what is checked out. What the client had before was not.
    fn count_installs(&self, app: &App, caller: &Caller) {
        let sent: HashSet<Digest> = self.bundles.iter().copied().collect();
        let mut highest: HashMap<String, &Entry> = HashMap::new();
        for entry in self.entries().filter(|entry| sent.contains(&entry.digest)) {
            let known = highest.entry(entry.id.key()).or_insert(entry);
            if rank(entry) > rank(known) {
                *known = entry;
            }
        }
        for entry in highest.into_values() {
            catalog::note_install(app, caller, &entry.id, &entry.version);
        }
    }
}

/// Orders versions of a skill as they are chosen: prereleases before all others.
fn rank(entry: &Entry) -> (bool, &Version) {
    (!entry.version.is_prerelease(), &entry.version)
}

/// The bundles of these, each once, in their order.
fn bundles_of(snapshots: &[Arc<Snapshot>]) -> Vec<Digest> {
    let mut known = HashSet::new();
    let digests = snapshots.iter().flat_map(|snapshot| &snapshot.entries).map(|entry| entry.digest);
    digests.filter(|digest| known.insert(*digest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a client is waited for that takes a piece in each such time.
    fn waited_for(each: Duration) -> Duration {
        let (mut waited, mut taken) = (Duration::ZERO, 0);
        loop {
            let patience = patience(waited, taken);
            if patience < each {
                return waited + patience;
            }
            waited += each;
            taken += PIECE as u64;
        }
    }

    #[test]
    fn a_client_that_does_not_read_is_cut_off() {
        let second = Duration::from_secs(1);
        assert_eq!(waited_for(Duration::MAX), PATIENCE);
        // One that takes a little again and again is not waited for each time.
        assert!(waited_for(50 * second) < 2 * PATIENCE);
        // One that is slow has its time, and no more.
        assert_eq!(waited_for(second), LONGEST);
    }
}
