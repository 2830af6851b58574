//! What a witness remembers: for each log the newest checkpoint that it has cosigned, in a file of its own, which is the
//! signed checkpoint with the cosignature; and beside the key a list of the logs that there must be such files of, so that
//! lost ones are missed. The only place that knows these files.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use skillery_core::Digest;
use skillery_core::tlog::{Checkpoint, Note, VerifierKey};

use crate::secrets::{make_private_folder, write_private};

/// It cannot be read, written or believed.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// A file cannot be read or written.
    #[error("cannot read or write `{path}`", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of a log is not there, and the log was cosigned. Going on without it could be going back.
    #[error(
        "`{path}` is not there, and this witness has cosigned `{origin}`, as `{list}` says; it must be as it was, or the \
         witness must begin anew, with another key and another data folder",
        path = .path.display(), list = .list.display()
    )]
    Missing {
        /// Which file.
        path: PathBuf,
        /// The log.
        origin: String,
        /// What says that there was one.
        list: PathBuf,
    },
    /// What is to be written could not be read again, so it is not written.
    #[error("what is to be remembered in `{path}` could not be read again", path = .0.display())]
    Unreadable(PathBuf),
    /// A file is damaged, or was written with another key of a witness. Going on without it could be going back.
    #[error(
        "`{path}` is not a checkpoint of `{origin}` that this witness has cosigned; it must be as it was, or the witness \
         must begin anew, with another key and another data folder",
        path = .path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The log.
        origin: String,
    },
}

/// The newest checkpoint of a log that was cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Latest {
    /// The leaves of its tree.
    pub(super) size: u64,
    /// The root of its tree.
    pub(super) root: Digest,
    /// When it was cosigned, in seconds since 1970.
    pub(super) time: u64,
    /// The line of the cosignature, with its newline.
    pub(super) cosignature: String,
    /// All of it: the checkpoint, signatures of the log, and the cosignature.
    pub(super) note: Note,
}

impl Latest {
    /// Whether it is the cosignature over this text at this time.
    pub(super) fn is_of(&self, text: &str, time: u64) -> bool {
        self.time == time && self.note.text == text
    }

    fn read(text: &str, origin: &str, key: &VerifierKey) -> Option<Self> {
        let note = Note::parse(text).ok()?;
        let checkpoint: Checkpoint = note.text.parse().ok()?;
        let time = note.verify(std::slice::from_ref(key)).ok()?.first()?.time?;
        let is_ours = |name: &str, id: [u8; 4]| name == key.name() && id == key.id();
        let cosignature = note.signatures.iter().find(|one| is_ours(&one.name, one.id))?;
        let cosignature = format!("{cosignature}\n");
        let Checkpoint { size, root, .. } = checkpoint;
        (checkpoint.origin == origin).then_some(Self { size, root, time, cosignature, note })
    }
}

/// All logs that are followed.
pub(super) struct Memory {
    key: VerifierKey,
    cosigned: Cosigned,
    logs: HashMap<String, Remembered>,
}

/// The logs that were cosigned with a key: a file with the key in its first line and the name of a log in each other.
struct Cosigned {
    file: PathBuf,
    origins: Mutex<BTreeSet<String>>,
}

impl Cosigned {
    /// Reads the list. One of another key says nothing of this one.
    fn open(file: &Path, key: &VerifierKey) -> Result<Self, MemoryError> {
        let text = match fs_err::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(MemoryError::File { path: file.to_owned(), source }),
        };
        let mut lines = text.lines();
        let is_ours = lines.next() == Some(key.to_string().as_str());
        let origins = if is_ours { lines.map(str::to_owned).collect() } else { BTreeSet::new() };
        Ok(Self { file: file.to_owned(), origins: Mutex::new(origins) })
    }

    fn has(&self, origin: &str) -> bool {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).contains(origin)
    }

    /// Notes that a log was cosigned. It is on disk when this returns.
    fn add(&self, origin: &str, key: &VerifierKey) -> Result<(), MemoryError> {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.contains(origin) {
            return Ok(());
        }
        let mut lines = vec![key.to_string()];
        lines.extend(origins.iter().cloned().chain([origin.to_owned()]));
        write_private(&self.file, &lines.join("\n"))
            .map_err(|source| MemoryError::File { path: self.file.clone(), source })?;
        origins.insert(origin.to_owned());
        Ok(())
    }
}

/// One of them. Who holds the lock decides, writes and answers; nobody else does meanwhile.
struct Remembered {
    file: PathBuf,
    latest: Mutex<Option<Latest>>,
}

impl Memory {
    /// Reads what is remembered of the logs of these keys, as the witness with this key has written it.
    /// `list` is where it has noted which logs it has cosigned.
    pub(super) fn open(
        folder: &Path,
        list: &Path,
        key: &VerifierKey,
        logs: &[VerifierKey],
    ) -> Result<Self, MemoryError> {
        make_private_folder(folder)
            .map_err(|source| MemoryError::File { path: folder.to_owned(), source })?;
        let cosigned = Cosigned::open(list, key)?;
        let mut remembered = HashMap::new();
        for log in logs {
            let origin = log.name();
            // A name may be longer than that of a file can be.
            let file = folder.join(format!("{}.checkpoint", Digest::of(origin.as_bytes())));
            let latest =
                match fs_err::read_to_string(&file) {
                    Ok(text) => Some(Latest::read(&text, origin, key).ok_or_else(|| {
                        MemoryError::Damaged { path: file.clone(), origin: origin.to_owned() }
                    })?),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                    Err(source) => return Err(MemoryError::File { path: file, source }),
                };
            match &latest {
                // One that was written before there was a list, or by a process that ended before it wrote that.
                Some(_) => cosigned.add(origin, key)?,
                None if cosigned.has(origin) => {
                    let (origin, list) = (origin.to_owned(), list.to_owned());
                    return Err(MemoryError::Missing { path: file, origin, list });
                }
                None => {}
            }
            remembered.insert(origin.to_owned(), Remembered { file, latest: Mutex::new(latest) });
        }
        Ok(Self { key: key.clone(), cosigned, logs: remembered })
    }

    /// The time of the newest cosignature; 0 if there is none.
    pub(super) fn newest_time(&self) -> u64 {
        let time = |log: &Remembered| {
            let latest = log.latest.lock().unwrap_or_else(PoisonError::into_inner);
            latest.as_ref().map_or(0, |latest| latest.time)
        };
        self.logs.values().map(time).max().unwrap_or(0)
    }

    /// Gives what is remembered of a log to `decide`, which returns an answer and what is to be remembered instead. It is
    /// on disk when the answer is returned. If it cannot be written, there is no answer, and all is as before.
    pub(super) fn change<T, E>(
        &self,
        origin: &str,
        decide: impl FnOnce(Option<&Latest>) -> (Result<T, E>, Option<Latest>),
    ) -> Result<Result<T, E>, MemoryError> {
        let Some(log) = self.logs.get(origin) else {
            // Every log that has a key is remembered.
            return Ok(decide(None).0);
        };
        let mut latest = log.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, new) = decide(latest.as_ref());
        if let Some(new) = new {
            let text = new.note.to_string();
            // What the next start could not read would keep the witness from ever starting again.
            if Latest::read(&text, origin, &self.key).as_ref() != Some(&new) {
                return Err(MemoryError::Unreadable(log.file.clone()));
            }
            // What is written gets a newline at its end, which the note has already.
            write_private(&log.file, text.trim_end_matches('\n'))
                .map_err(|source| MemoryError::File { path: log.file.clone(), source })?;
            *latest = Some(new);
            self.cosigned.add(origin, &self.key)?;
        }
        Ok(answer)
    }
}
