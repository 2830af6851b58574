//! Sending a pack: which objects it has is known before the first byte, what is in them is read on the way.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use skillery_core::bundle;
use skillery_core::git::{self, Fetch, ObjectId, PackWriter, band, flush, of_files, progress};
use skillery_core::limits::MAX_GIT_OBJECTS;
use skillery_core::{Digest, ProblemCode};
use tokio::sync::mpsc;

use super::derive::{self, AHEAD};
use super::snapshot::{Entry, Snapshot};
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
/// Warnings in one answer.
const WARNINGS: usize = 20;

/// Where the bytes of an answer go.
pub struct Out {
    sender: mpsc::Sender<std::io::Result<Bytes>>,
    has_begun: AtomicBool,
}

impl Out {
    /// An answer, and its body.
    pub fn new() -> (Self, Body) {
        let (sender, receiver) = mpsc::channel(2);
        let chunks = stream::unfold(receiver, |mut receiver: mpsc::Receiver<std::io::Result<Bytes>>| async {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        (Self { sender, has_begun: AtomicBool::new(false) }, Body::from_stream(chunks))
    }

    /// Sends bytes when the client has taken what was sent before.
    pub async fn send(&self, bytes: Vec<u8>) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.has_begun.store(true, Ordering::Relaxed);
        let sent = self.sender.send_timeout(Ok(bytes.into()), PATIENCE).await;
        sent.map_err(|_| Failure::new(ProblemCode::RequestTimedOut, "the client does not take the answer"))
    }

    /// Ends the answer. One that has failed says so where git expects it; one that was cut off is never taken for whole.
    pub async fn end(self, outcome: Result<()>) {
        let Err(failure) = outcome else { return };
        tracing::warn!(%failure, cause = ?failure.source, "an answer to git is not finished");
        let text = failure.problem.to_string();
        if !self.has_begun.load(Ordering::Relaxed) {
            let _ = self.send(git::error(&text)).await;
            return;
        }
        let cut_off = std::io::Error::other("the answer cannot be finished");
        let _ = self.sender.send_timeout(Err(cut_off), PATIENCE).await;
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

    /// Sends it.
    pub async fn send(mut self, app: &App, fetch: &Fetch, mut out: Vec<u8>, to: &Out) -> Result<()> {
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
        let read = |digest: Digest| app.blobs.get(BlobKey::Bundle(digest));
        let mut contents = stream::iter(self.bundles.clone()).map(read).buffered(AHEAD);
        while let Some(content) = contents.next().await {
            let content = content?;
            let turn = app.git.turn().await;
            let work = move || -> Result<_> {
                let files = bundle::unpack(&content, &stored_limits()).map_err(Failure::internal)?;
                for object in of_files(files).map_err(Failure::internal)? {
                    if ids.remove(&object.id) {
                        writer.push(&object, &mut pack).map_err(Failure::internal)?;
                    }
                }
                Ok((writer, pack, ids))
            };
            (writer, pack, ids) = tokio::task::spawn_blocking(work).await.map_err(Failure::internal)??;
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
        self.count_installs(app);
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.snapshots.iter().flat_map(|snapshot| &snapshot.entries)
    }

    /// What was sent with its content was installed; what the client had before was not.
    fn count_installs(&self, app: &App) {
        let mut sent: HashSet<Digest> = self.bundles.iter().copied().collect();
        for entry in self.entries() {
            if sent.remove(&entry.digest) {
                catalog::note_install(app, &entry.id, &entry.version);
            }
        }
    }
}

/// The bundles of these, each once, in their order.
fn bundles_of(snapshots: &[Arc<Snapshot>]) -> Vec<Digest> {
    let mut known = HashSet::new();
    let digests = snapshots.iter().flat_map(|snapshot| &snapshot.entries).map(|entry| entry.digest);
    digests.filter(|digest| known.insert(*digest)).collect()
}
