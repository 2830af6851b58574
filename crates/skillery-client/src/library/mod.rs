//! The local library: every installed version of every skill, on disk.
//!
//! `store` knows the disk, `cache` what was downloaded, `install` what to ask a registry; the rest is in the file
//! of its name. What is there is found without a registry.

mod beside;
mod cache;
mod code;
mod disk;
mod find;
mod graph;
mod graph_text;
mod install;
mod local;
mod manifest;
mod offline;
mod outdated;
mod peek;
mod proof;
mod remove;
mod review;
mod rollback;
mod store;
mod together;
mod update;
mod verify;

use skillery_core::time::Time;

use crate::error::{Error, Result};
use crate::home::Home;

pub use self::code::InstalledCode;
pub(crate) use self::find::fold;
pub use self::graph::{Dependency, Dependent, Graph, Node, State};
pub use self::graph_text::GraphFormat;
pub use self::install::InstallOptions;
pub use self::local::{LOCAL_NAMESPACE, LocalChange, LocalSkill, local_id};
pub use self::manifest::{Installation, Installed, Manifest};
pub use self::outdated::Outdated;
pub use self::peek::Peeked;
pub use self::proof::ProofView;
pub use self::remove::Removed;
pub use self::review::Verdict;
pub use self::together::Together;
pub use self::update::Update;
pub use self::verify::{RegistryView, Verified};

use self::cache::Cache;
use self::store::Store;

/// The installed skills of one home. Cheap to clone; any number of processes may use the same home.
#[derive(Debug, Clone)]
pub struct Library {
    home: Home,
    store: Store,
    cache: Cache,
}

impl Library {
    /// The library of this home. Nothing is read or made yet.
    pub fn new(home: Home) -> Self {
        let store = Store::new(home.library_folder());
        let cache = Cache::new(home.cache_folder());
        Self { home, store, cache }
    }

    /// Where it is kept.
    pub fn home(&self) -> &Home {
        &self.home
    }
}

/// Runs what waits for the disk where it may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal("work on the library"))?
}

/// This machine's clock.
fn now() -> Time {
    Time::from_micros(jiff::Timestamp::now().as_microsecond())
}
