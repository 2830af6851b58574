//! What a witness remembers: for each log the newest checkpoint that it has cosigned, in a file of its own, which is the
//! signed checkpoint with the cosignature. The only place that knows these files.

use std::collections::HashMap;
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
    logs: HashMap<String, Remembered>,
}

/// One of them. Who holds the lock decides, writes and answers; nobody else does meanwhile.
struct Remembered {
    file: PathBuf,
    latest: Mutex<Option<Latest>>,
}

impl Memory {
    /// Reads what is remembered of the logs of these keys, as the witness with this key has written it.
    pub(super) fn open(folder: &Path, key: &VerifierKey, logs: &[VerifierKey]) -> Result<Self, MemoryError> {
        make_private_folder(folder)
            .map_err(|source| MemoryError::File { path: folder.to_owned(), source })?;
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
            remembered.insert(origin.to_owned(), Remembered { file, latest: Mutex::new(latest) });
        }
        Ok(Self { key: key.clone(), logs: remembered })
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
        }
        Ok(answer)
    }
}
