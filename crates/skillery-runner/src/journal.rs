//! The journal of a run that goes on: every event on disk before what comes next begins.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::event::{Event, EventKind};
use crate::history::{CANCEL_FILE, EVENTS_FILE, HistoryError, LOCK_FILE, disk};

/// How often, and how long apart, a lock is tried that somebody holds who may only be looking.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// Where the events of one run are written, and nobody else writes.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    events: File,
    _lock: File,
}

impl Journal {
    pub(crate) fn open(folder: &Path, lock: File) -> Result<Self, HistoryError> {
        let path = folder.join(EVENTS_FILE);
        let open = || {
            let mut events = private_file().read(true).create(true).append(true).open(&path)?;
            // What a crash cut off must not run into the next line.
            if events.metadata()?.len() > 0 {
                events.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                events.read_exact(&mut last)?;
                if last != *b"\n" {
                    events.write_all(b"\n")?;
                }
            }
            File::open(folder)?.sync_all()?;
            io::Result::Ok(events)
        };
        let events = open().map_err(disk("open", &path))?;
        Ok(Self { folder: folder.to_owned(), events, _lock: lock })
    }

    /// Writes an event. Before anything begins, and when all has ended, what was written is on the disk.
    pub(crate) fn append(&self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let before = self.events.metadata()?.len();
        if let Err(error) = (&self.events).write_all(&line) {
            // Half a line would spoil the one that comes next.
            let _ = self.events.set_len(before);
            return Err(error);
        }
        match event.kind {
            EventKind::StepStarted { .. } | EventKind::RunFinished { .. } => self.events.sync_data(),
            _ => Ok(()),
        }
    }

    /// Whether somebody wants the run to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.folder.join(CANCEL_FILE).exists()
    }
}

pub(crate) fn private_folders(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes the lock of a run; it is given back when the process ends, however that comes about.
pub(crate) fn lock(folder: &Path, run_id: &str) -> Result<File, HistoryError> {
    let path = folder.join(LOCK_FILE);
    let file = private_file().create(true).truncate(false).open(&path).map_err(disk("open", &path))?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(fs::TryLockError::Error(error)) => return Err(disk("lock", &path)(error)),
        }
    }
    Err(HistoryError::Running(run_id.to_owned()))
}

pub(crate) fn is_locked(folder: &Path) -> bool {
    // To look takes the lock for a moment, so it is taken for reading, which many may.
    File::open(folder.join(LOCK_FILE))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}
