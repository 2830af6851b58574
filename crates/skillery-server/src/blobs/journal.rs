//! The journal of small contents: writes that come together share one sync.
//!
//! A file of its own costs each content two syncs, its own and its folder's, and a disk does only so many in a second.
//! So the bytes of all writes that wait go into one file, the journal, which is synced once for all of them; only then
//! each gets its own file, unsynced, and its caller an answer. When the journal is full, or nothing has come for a
//! while, all those files are synced in one go, and the journal is done with. A start writes again what a journal
//! holds, so that a content that was acknowledged survives a loss of power at any moment.
//!
//! One thread appends and syncs, the next one makes the files of what is synced. The file of a journal that is done with
//! is written over by a later one: to sync a file that does not grow, the disk has only the bytes to write. What an
//! earlier journal has left behind the end is harmless: at worst it brings back a content that was collected.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillery_core::Digest;
use tokio::sync::oneshot;

use super::{BlobKey, file_of};

/// Bytes of a journal that is full. A start after a crash reads and compares as many.
const FULL: u64 = 16 * 1024 * 1024;
/// Contents that share one sync at most.
const BATCH: usize = 256;
/// How long contents are in the journal alone, more or less.
const AGE: Duration = Duration::from_secs(5);
/// What the file of a journal that is done with is called until the next one.
const SPARE: &str = "spare";
/// Before the bytes of each content: their digest, and their count as eight bytes, the lowest first.
const HEAD: usize = DIGEST + 8;
const DIGEST: usize = 32;

/// What a write ended with. One failed sync is the failure of many.
type Outcome = Result<(), Arc<io::Error>>;

enum Message {
    Put(Put),
    Settle(oneshot::Sender<Outcome>),
}

struct Put {
    key: BlobKey,
    bytes: Bytes,
    done: oneshot::Sender<Outcome>,
}

/// Writes small contents, on threads of its own that end when this is dropped.
pub(super) struct Journal {
    queue: Option<Sender<Message>>,
    threads: Option<JoinHandle<()>>,
}

impl Drop for Journal {
    /// Waits until nothing works on the folder any more: who drops this may let another process have it.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(threads) = self.threads.take() {
            let _ = threads.join();
        }
    }
}

fn thread(name: &str) -> std::thread::Builder {
    std::thread::Builder::new().name(name.to_owned())
}

impl Journal {
    /// Opens the journal in `folder` for the contents in `contents`: what a crash has left in it is written first.
    /// Only one process may have it open.
    pub(super) fn open(folder: &Path, contents: &Path) -> io::Result<Self> {
        fs_err::create_dir_all(folder)?;
        let mut place = Place { root: contents.to_owned(), handle: Arc::new(File::open(contents)?) };
        let mut number = 0;
        for (left, path) in generations(folder)? {
            number = left;
            if let Err(error) = place.replay(&path) {
                // On a full disk what can be read is still to be served.
                tracing::error!(%error, journal = %path.display(), "contents cannot be written again and stay in the journal");
            }
        }
        let (places, placed) = mpsc::channel();
        let placer = Placer { folder: folder.to_owned(), place, settling: None, failed: None };
        let placer = thread("contents").spawn(move || placer.run(&placed))?;
        let appender = Appender { folder: folder.to_owned(), number, current: None, places };
        let (queue, messages) = mpsc::channel();
        let threads = thread("journal").spawn(move || {
            appender.run(&messages);
            // It ends as the other end of its channel is gone.
            let _ = placer.join();
        })?;
        Ok(Self { queue: Some(queue), threads: Some(threads) })
    }

    /// Writes these bytes durably, and makes their file.
    pub(super) async fn put(&self, key: BlobKey, bytes: Bytes) -> Outcome {
        self.ask(|done| Message::Put(Put { key, bytes, done })).await
    }

    /// Syncs the files of all contents, and drops the journal.
    pub(super) async fn settle(&self) -> Outcome {
        self.ask(Message::Settle).await
    }

    async fn ask(&self, message: impl FnOnce(oneshot::Sender<Outcome>) -> Message) -> Outcome {
        let ended = || Arc::new(io::Error::other("the journal of contents has ended"));
        let (done, outcome) = oneshot::channel();
        self.queue.as_ref().ok_or_else(ended)?.send(message(done)).map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }
}

/// The journals that are there, with their numbers, the oldest first.
fn generations(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// One journal file.
struct Generation {
    file: File,
    path: PathBuf,
    length: u64,
    begun: Instant,
}

impl Generation {
    fn create(folder: &Path, number: u64) -> io::Result<Self> {
        let path = folder.join(format!("{number:020}"));
        match std::fs::rename(folder.join(SPARE), &path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = File::options().write(true).create(true).truncate(false).open(&path)?;
        sync_folder(folder)?;
        Ok(Self { file, path, length: 0, begun: Instant::now() })
    }

    /// Appends the contents of these writes, and syncs.
    fn append(&mut self, puts: &[Put]) -> io::Result<()> {
        let mut records = Vec::with_capacity(puts.iter().map(|put| HEAD + put.bytes.len()).sum());
        for put in puts {
            records.extend_from_slice(put.key.digest().bytes());
            records.extend_from_slice(&(put.bytes.len() as u64).to_le_bytes());
            records.extend_from_slice(&put.bytes);
        }
        let outcome = self
            .file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| self.file.write_all(&records))
            .and_then(|()| self.file.sync_data());
        match outcome {
            Ok(()) => self.length += records.len() as u64,
            // The next write begins at the same place; what cannot be cut off now ends where it is written over.
            Err(_) => drop(self.file.set_len(self.length)),
        }
        outcome
    }
}

/// The contents of a journal, up to where a crash has cut it off.
fn records(journal: &[u8]) -> impl Iterator<Item = (Digest, &[u8])> {
    let mut rest = journal;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(HEAD)?;
        let (digest, length) = head.split_at(DIGEST);
        let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
        let (bytes, after) = after.split_at_checked(length)?;
        rest = after;
        let actual = Digest::of(bytes);
        (actual.bytes() == digest).then_some((actual, bytes))
    })
}

/// Where the files of contents are made.
#[derive(Clone)]
struct Place {
    root: PathBuf,
    /// Kept open, as it is told of writes that failed since it was opened.
    handle: Arc<File>,
}

impl Place {
    /// Makes the file of this content. It is durable only after [`Place::sync`].
    fn put(&self, key: BlobKey, bytes: &[u8]) -> io::Result<()> {
        let path = file_of(&self.root, key);
        let file = match File::options().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs_err::create_dir_all(path.parent().unwrap_or(&self.root))?;
                File::options().write(true).create_new(true).open(&path)
            }
            outcome => outcome,
        };
        match file {
            Ok(mut file) => file.write_all(bytes).inspect_err(|_| {
                // Half a file under its final name would be found damaged.
                let _ = std::fs::remove_file(&path);
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs_err::read(&path).is_ok_and(|stored| stored == bytes) {
                    return Ok(());
                }
                self.replace(&path, bytes)
            }
            Err(error) => Err(error),
        }
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs_err::create_dir_all(path.parent().unwrap_or(&self.root))?;
        let written = super::unfinished(path);
        fs_err::write(&written, bytes)?;
        fs_err::rename(&written, path)
    }

    /// Writes again what this journal holds, and drops it.
    fn replay(&mut self, journal: &Path) -> io::Result<()> {
        let stored = fs_err::read(journal)?;
        for (digest, bytes) in records(&stored) {
            // Without a look at what is there: after a failure of the disk memory may have what the disk has not.
            self.replace(&file_of(&self.root, BlobKey::Bundle(digest)), bytes)?;
        }
        self.sync(journal)?;
        fs_err::remove_file(journal)
    }

    /// Makes the files of all contents of this journal durable.
    #[cfg(target_os = "linux")]
    fn sync(&self, _journal: &Path) -> io::Result<()> {
        Ok(nix::unistd::syncfs(&*self.handle)?)
    }

    /// Makes the files of all contents of this journal durable.
    #[cfg(not(target_os = "linux"))]
    fn sync(&self, journal: &Path) -> io::Result<()> {
        let mut folders = std::collections::BTreeSet::new();
        for (digest, _) in records(&fs_err::read(journal)?) {
            let path = file_of(&self.root, BlobKey::Bundle(digest));
            match File::options().write(true).open(&path) {
                Ok(file) => file.sync_all()?,
                // It was collected meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            folders.extend(path.ancestors().skip(1).take(2).map(Path::to_owned));
        }
        folders.iter().try_for_each(|folder| sync_folder(folder))?;
        self.handle.sync_all()
    }
}

/// Makes the names in a folder durable. Windows has no such call, and does it by itself.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(folder)?.sync_all() }
}

/// Appends to the journal, and syncs it.
struct Appender {
    folder: PathBuf,
    number: u64,
    current: Option<Generation>,
    places: Sender<Work>,
}

/// What the second thread gets.
enum Work {
    /// These are synced in the journal, or are not.
    Put(Vec<Put>, Outcome),
    /// This journal is done with once the files of its contents are synced.
    Settle(Generation),
    /// Tell when all of that is done.
    Tell(oneshot::Sender<Outcome>),
}

impl Appender {
    fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let first = match messages.recv_timeout(AGE) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    self.settle();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut puts = Vec::new();
            let mut settles = Vec::new();
            for message in std::iter::once(first).chain(messages.try_iter().take(BATCH - 1)) {
                match message {
                    Message::Put(put) => puts.push(put),
                    Message::Settle(done) => settles.push(done),
                }
            }
            if !puts.is_empty() {
                let outcome = self.current().and_then(|journal| journal.append(&puts)).map_err(Arc::new);
                self.hand_on(Work::Put(puts, outcome));
            }
            let is_due = |journal: &Generation| journal.length >= FULL || journal.begun.elapsed() >= AGE;
            if !settles.is_empty() || self.current.as_ref().is_some_and(is_due) {
                self.settle();
            }
            settles.into_iter().for_each(|done| self.hand_on(Work::Tell(done)));
        }
        self.settle();
    }

    /// The second thread ends after this one; if it ended by a mistake, whoever waits is told so by that.
    fn hand_on(&self, work: Work) {
        let _ = self.places.send(work);
    }

    fn current(&mut self) -> io::Result<&mut Generation> {
        match &mut self.current {
            Some(journal) => Ok(journal),
            empty => {
                self.number += 1;
                Ok(empty.insert(Generation::create(&self.folder, self.number)?))
            }
        }
    }

    /// What comes from now on goes into the next journal.
    fn settle(&mut self) {
        if let Some(full) = self.current.take() {
            self.hand_on(Work::Settle(full));
        }
    }
}

/// Makes the files of what is in the journal.
struct Placer {
    folder: PathBuf,
    place: Place,
    settling: Option<JoinHandle<Outcome>>,
    /// Once files could not be synced no later answer of the system can be believed: the journals stay.
    failed: Option<Arc<io::Error>>,
}

impl Placer {
    fn run(mut self, work: &Receiver<Work>) {
        for work in work {
            match work {
                Work::Put(puts, appended) => {
                    for put in puts {
                        let place = || self.place.put(put.key, &put.bytes).map_err(Arc::new);
                        let _ = put.done.send(appended.clone().and_then(|()| place()));
                    }
                }
                Work::Settle(full) => self.settle(full),
                Work::Tell(done) => {
                    let _ = done.send(self.settled());
                }
            }
        }
        let _ = self.settled();
    }

    /// Begins to sync the files of this journal; writes go on meanwhile.
    fn settle(&mut self, full: Generation) {
        // One at a time: who writes faster than the disk waits here.
        if self.settled().is_err() {
            return;
        }
        let (place, spare) = (self.place.clone(), self.folder.join(SPARE));
        let work =
            move || place.sync(&full.path).and_then(|()| fs_err::rename(&full.path, spare)).map_err(Arc::new);
        match thread("settle").spawn(work) {
            Ok(settling) => self.settling = Some(settling),
            Err(error) => self.fail(Arc::new(error)),
        }
    }

    fn fail(&mut self, error: Arc<io::Error>) {
        tracing::error!(%error, "contents cannot be synced; the next start writes them again");
        self.failed = Some(error);
    }

    fn settled(&mut self) -> Outcome {
        if let Some(settling) = self.settling.take() {
            let panicked = |_| Err(Arc::new(io::Error::other("syncing contents panicked")));
            if let Err(error) = settling.join().unwrap_or_else(panicked) {
                self.fail(error);
            }
        }
        self.failed.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> BlobKey {
        BlobKey::Bundle(Digest::of(bytes))
    }

    #[tokio::test]
    async fn what_a_crash_takes_a_start_brings_back() {
        let folder = tempfile::tempdir().unwrap();
        let (contents, journals) = (folder.path().join("blobs"), folder.path().join("journal"));
        fs_err::create_dir(&contents).unwrap();
        let journal = Journal::open(&journals, &contents).unwrap();
        for bytes in ["one", "two", "three", "two"] {
            journal.put(key(bytes.as_bytes()), bytes.into()).await.unwrap();
        }
        // As after a loss of power: one file never came, one is empty, one is half there, and so is the last record.
        fs_err::remove_file(file_of(&contents, key(b"one"))).unwrap();
        fs_err::write(file_of(&contents, key(b"two")), "").unwrap();
        fs_err::write(file_of(&contents, key(b"three")), "thr").unwrap();
        let copy = folder.path().join("copy");
        fs_err::create_dir(&copy).unwrap();
        let (number, file) = generations(&journals).unwrap().remove(0);
        let mut left = fs_err::read(&file).unwrap();
        left.extend_from_slice(Digest::of(b"four").bytes());
        left.extend_from_slice(&[4, 0, 0, 0, 0, 0, 0, 0, b'f']);
        fs_err::write(copy.join(format!("{number:020}")), left).unwrap();

        let again = Journal::open(&copy, &contents).unwrap();
        for bytes in ["one", "two", "three"] {
            assert_eq!(fs_err::read_to_string(file_of(&contents, key(bytes.as_bytes()))).unwrap(), bytes);
        }
        assert!(!file_of(&contents, key(b"four")).exists());
        assert!(generations(&copy).unwrap().is_empty());
        again.put(key(b"five"), "five".into()).await.unwrap();
        assert_eq!(generations(&copy).unwrap()[0].0, number + 1);
        again.settle().await.unwrap();
        assert!(generations(&copy).unwrap().is_empty());

        // The next journal is written over the one before, of which an end stays.
        again.put(key(b"much longer"), "much longer".into()).await.unwrap();
        again.settle().await.unwrap();
        again.put(key(b"six"), "six".into()).await.unwrap();
        let (_, file) = generations(&copy).unwrap().remove(0);
        let left = fs_err::read(file).unwrap();
        assert!(left.len() > HEAD + 3);
        assert_eq!(records(&left).map(|(_, bytes)| bytes).collect::<Vec<_>>(), [b"six"]);
    }

    #[tokio::test]
    async fn a_damaged_file_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal"), folder.path()).unwrap();
        journal.put(key(b"whole"), "whole".into()).await.unwrap();
        fs_err::write(file_of(folder.path(), key(b"whole")), "w#ole").unwrap();
        journal.put(key(b"whole"), "whole".into()).await.unwrap();
        assert_eq!(fs_err::read(file_of(folder.path(), key(b"whole"))).unwrap(), b"whole");
    }

    #[test]
    fn a_journal_ends_where_it_is_cut_off_or_altered() {
        let mut journal = Vec::new();
        for bytes in [&b"first"[..], b"second"] {
            journal.extend_from_slice(Digest::of(bytes).bytes());
            journal.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            journal.extend_from_slice(bytes);
        }
        let count = |bytes: &[u8]| records(bytes).count();
        assert_eq!(count(&journal), 2);
        for end in 0..journal.len() {
            let whole = usize::from(end >= HEAD + 5);
            assert_eq!(count(&journal[..end]), whole);
        }
        let last = journal.len() - 1;
        journal[last] ^= 1;
        assert_eq!(count(&journal), 1);
        assert_eq!(count(&[0; 200]), 0);
    }
}
