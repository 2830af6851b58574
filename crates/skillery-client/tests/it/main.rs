//! The client from the outside: the disk in a temporary home, and registries that misbehave on purpose.

#![expect(clippy::unwrap_used, reason = "a test panics where something is not as it should be")]

mod approvals;
mod configuration;
mod graph;
mod hostile;
mod install;
mod library;
mod lockfile;
mod metrics;
mod needs;
mod proxy;
mod registry;
mod rotation;
mod scripted;
mod signing;
mod transport;
mod usage;

use skillery_client::Home;

/// A home that is deleted at the end of the test.
pub(crate) struct TestHome {
    folder: tempfile::TempDir,
}

impl TestHome {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn home(&self) -> Home {
        Home::at(self.folder.path().join("home"))
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }
}
