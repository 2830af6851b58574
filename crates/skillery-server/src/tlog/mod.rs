//! The transparency log: the tree over the sequence, its signed checkpoints, and what proves that an entry is in it.
//!
//! Everything here is made from rows that are committed, so that it can be neither ahead of the database nor behind it.
//! The arithmetic is in core.

mod feed;
mod key;
mod rotation;
mod seal;
mod seen;
mod tree;
mod witnessed;

#[cfg(test)]
pub use feed::Feeder;
pub use feed::feed;
pub use key::{LogKey, LogKeyError, existing, fitting, next_file, old_file};
pub use rotation::present;
pub use seal::{Batch, Draft, Standing, seal};
#[cfg(test)]
pub use seen::keep_newest;
pub use seen::{Seen, follow};
pub use tree::{TileCache, audit, check, entries, receipt, tile};
pub use witnessed::{newest as newest_witnessed, with_cosignatures};

/// Levels of the tree in a tile.
const TILE_HEIGHT: u8 = 8;

impl LogError {
    /// What the operator can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OtherKey(_) | Self::NoKey(_) => {
                "put the `log-key` of this registry into the data folder, or name it with `log_key_file`"
            }
            Self::Rotated(_) => {
                "put the `log-key` of the server on which it was rotated in the place of this one"
            }
            Self::Unsigned => {
                "a database of a release that had no tree is signed at the first start of the server, where there is no \
                 `log-key` yet; any other one was altered: restore a backup"
            }
            Self::Broken(_) => "the database was altered or is damaged: restore a backup",
            Self::Unreadable { .. } => {
                "make it readable, or bring it back; remove it only where this is surely the newest copy of the database"
            }
            Self::OlderCopy { .. } | Self::Forked(_) => {
                "use the newest copy of the database: clients that have seen more take a registry that goes on from an \
                 older one for a fraud; where there is no newer one, see `docs/operating.md`"
            }
        }
    }
}

/// The log is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The database was used with another key.
    #[error("the log key is `{0}`, and the log is signed with another one")]
    OtherKey(String),
    /// The database was used with a key, and there is none.
    #[error("there is no log key at `{path}`, and the log is signed with one", path = .0.display())]
    NoKey(std::path::PathBuf),
    /// A key is there, and it has not signed the log, nor anybody else.
    #[error("the log has no signed checkpoint")]
    Unsigned,
    /// The log was handed over to another key.
    #[error("the log key was rotated, to {0}, and this server has a former one")]
    Rotated(String),
    /// The entries and the checkpoint do not go together.
    #[error("the log does not fit its signed checkpoint: {0}")]
    Broken(String),
    /// The database has less than was shown to others.
    #[error(
        "the log has {size} entries, and this server has signed a log with {seen}: the database is an older copy"
    )]
    OlderCopy {
        /// Entries in the database.
        size: u64,
        /// Entries of the newest checkpoint that this server knows to have been answered.
        seen: u64,
    },
    /// What was shown to others is not known, though it was kept.
    #[error("the newest checkpoint that was answered cannot be read from `{path}`: {reason}", path = .path.display())]
    Unreadable {
        /// Where it is kept.
        path: std::path::PathBuf,
        /// Why not.
        reason: String,
    },
    /// The database has something else than was shown to others.
    #[error("the first {0} entries of the log are not those that this server has signed before")]
    Forked(u64),
}
