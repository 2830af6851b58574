//! A witness: a small service that has logs show that they only ever grow, and says so with its signature
//! (c2sp.org/tlog-witness).
//!
//! It knows nothing of a registry, nor of what is in a log: for each log it remembers the newest checkpoint that it has
//! cosigned, and cosigns another one only if that is proven to continue it. [`Witness`] decides and remembers, `door.rs`
//! alone knows HTTP.

mod door;
mod memory;
mod settings;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use skillery_core::Digest;
use skillery_core::tlog::{
    AddCheckpoint, AddCheckpointError, Checkpoint, KeyKind, Note, NoteSignature, Refusal, SigningKey,
    VerifierKey,
};

pub(crate) use self::door::Door;
use self::memory::{Latest, Memory, MemoryError};
pub use self::settings::WitnessSettings;
use crate::environment::Environment;
use crate::folder_lock;
use crate::key_file::{self, KeyFileError};
use crate::listen::{ListenError, Listener};
use crate::secrets::make_private_folder;
use crate::settings::SettingsError;

/// The witness accepts connections.
#[derive(Debug, Clone)]
pub struct WitnessReady {
    /// Where, for example `http://127.0.0.1:8701`.
    pub url: String,
    /// The key that its cosignatures are believed by.
    pub key: VerifierKey,
    /// The keys of the logs that it follows.
    pub logs: Vec<VerifierKey>,
}

/// The witness cannot run.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The settings do not go together.
    #[error("the settings cannot be used")]
    Settings(#[from] SettingsError),
    /// A folder or file cannot be made or read.
    #[error("cannot use `{path}`", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process uses the same data folder.
    #[error("another witness uses the data folder `{path}`", path = .0.display())]
    InUse(PathBuf),
    /// The key.
    #[error("cannot use the key of the witness")]
    Key(#[from] KeyFileError),
    /// What it remembers of a log.
    #[error("what the witness remembers cannot be gone on with")]
    Memory(#[from] MemoryError),
    /// It cannot accept connections, or no more.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Runs a witness until `stop` is done. `on_ready` is called once connections are accepted.
pub async fn serve_witness(
    settings: WitnessSettings,
    on_ready: impl FnOnce(&WitnessReady),
    stop: impl Future<Output = ()>,
) -> Result<(), WitnessError> {
    settings.check()?;
    let tls = settings.tls_cert.as_deref().zip(settings.tls_key.as_deref());
    let listener = Listener::bind(settings.listen, tls).await?;
    let witness = Arc::new(Witness::open(&settings, Environment::default())?);
    let url = listener.url();
    let door = Door::new(Arc::clone(&witness), settings.path());
    let running = listener.serve(Duration::from_secs(settings.head_seconds), move |_| door.clone())?;
    let ready = WitnessReady {
        url: format!("{url}{}", settings.path()),
        key: witness.verifier().clone(),
        logs: witness.logs.clone(),
    };
    on_ready(&ready);
    tracing::info!(url = ready.url, "ready");
    running.until(stop, Duration::from_secs(settings.stop_seconds), || ()).await?;
    Ok(())
}

/// The public key of the witness with these settings. Its key is made if there is none.
pub fn witness_key(settings: &WitnessSettings) -> Result<VerifierKey, WitnessError> {
    make_folder(settings)?;
    Ok(open_key(settings, &Environment::default())?.verifier().clone())
}

fn make_folder(settings: &WitnessSettings) -> Result<(), WitnessError> {
    make_private_folder(&settings.data)
        .map_err(|source| WitnessError::File { path: settings.data.clone(), source })
}

fn open_key(settings: &WitnessSettings, environment: &Environment) -> Result<SigningKey, KeyFileError> {
    let name = || {
        let unnamed = || format!("skillery-witness/{}", environment.new_id());
        settings.name.clone().unwrap_or_else(unnamed)
    };
    key_file::open(&settings.key_file(), KeyKind::CosignatureV1, name, environment)
}

/// Decides what is cosigned, and remembers it.
pub(crate) struct Witness {
    key: SigningKey,
    logs: Vec<VerifierKey>,
    memory: Memory,
    environment: Environment,
    /// The time of the newest cosignature, in seconds since 1970.
    newest: Mutex<u64>,
    /// Held as long as the witness lives: two processes could lead each other back.
    _lock: std::fs::File,
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The request is none.
    #[error(transparent)]
    Form(#[from] AddCheckpointError),
    /// The rules of the protocol.
    #[error("{0}")]
    Refusal(#[from] Refusal),
    /// The clock is not one to cosign by.
    #[error(
        "the clock of this witness shows {now}, and it has cosigned at {newest} (seconds since 1970): it cosigns \
         nothing until the clock is right"
    )]
    Clock {
        /// What the clock shows.
        now: i64,
        /// The time of the newest cosignature.
        newest: u64,
    },
    /// It cannot be remembered, and so not cosigned.
    #[error("this witness cannot remember the checkpoint")]
    Memory(#[from] MemoryError),
}

impl Witness {
    /// Opens what there is: the key, and what is remembered of each log.
    pub(crate) fn open(settings: &WitnessSettings, environment: Environment) -> Result<Self, WitnessError> {
        make_folder(settings)?;
        let lock = folder_lock::take(&settings.data)
            .map_err(|source| WitnessError::File { path: settings.data.join("lock"), source })?
            .ok_or_else(|| WitnessError::InUse(settings.data.clone()))?;
        let key = open_key(settings, &environment)?;
        let logs = settings.log_keys()?;
        let memory = Memory::open(&settings.data.join("logs"), &settings.list_file(), key.verifier(), &logs)?;
        let newest = Mutex::new(memory.newest_time());
        Ok(Self { key, logs, memory, environment, newest, _lock: lock })
    }

    /// The key that its cosignatures are believed by.
    pub(crate) fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// Cosigns what this request asks for, if it may be: the line of the cosignature, with its newline. What is cosigned
    /// is remembered before it is returned.
    ///
    /// It waits for the disk. Once begun, it must run to its end.
    pub(crate) fn add_checkpoint(&self, body: &str) -> Result<String, Refused> {
        let request = AddCheckpoint::from_str(body)?;
        let checkpoint = request.open(&self.logs)?;
        self.memory.change(&checkpoint.origin, |latest| self.cosign(&request, &checkpoint, latest))?
    }

    /// Does it while nobody else changes what is remembered of the log.
    fn cosign(
        &self,
        request: &AddCheckpoint,
        checkpoint: &Checkpoint,
        latest: Option<&Latest>,
    ) -> (Result<String, Refused>, Option<Latest>) {
        let cosigned = || {
            let known: Option<(u64, Digest)> = latest.map(|latest| (latest.size, latest.root));
            request.check(checkpoint, known).inspect_err(|refusal| self.report(refusal, request, latest))?;
            let time = self.time()?;
            if let Some(latest) = latest.filter(|latest| latest.is_of(&request.checkpoint.text, time)) {
                // Within the same second the cosignature would be the same.
                return Ok((latest.cosignature.clone(), None));
            }
            let Ok(cosignature) = self.key.cosign(&request.checkpoint.text, time) else {
                // A text that was read as a checkpoint can be signed.
                return Err(Refusal::NotSigned.into());
            };
            // One line of each key: anybody may have written the same one many times, and a note has room for some only.
            let line_of = |key: &VerifierKey| {
                let is_by = |line: &&NoteSignature| key.name() == line.name && key.id() == line.id;
                request.checkpoint.signatures.iter().find(is_by).cloned()
            };
            let of_log = self.logs.iter().filter(|key| key.name() == checkpoint.origin);
            let mut signatures: Vec<NoteSignature> = of_log.filter_map(line_of).collect();
            signatures.push(cosignature.clone());
            let note = Note { text: request.checkpoint.text.clone(), signatures };
            let cosignature = format!("{cosignature}\n");
            let (size, root) = (checkpoint.size, checkpoint.root);
            let latest = Latest { size, root, time, cosignature: cosignature.clone(), note };
            Ok((cosignature, Some(latest)))
        };
        match cosigned() {
            Ok((cosignature, latest)) => (Ok(cosignature), latest),
            Err(refused) => (Err(refused), None),
        }
    }

    /// The time to cosign at: never one before that of an earlier cosignature.
    fn time(&self) -> Result<u64, Refused> {
        // The clock is read under the lock, so that two requests at once do not look like a clock that goes back.
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.environment.now().micros().div_euclid(1_000_000);
        match u64::try_from(now) {
            Ok(seconds) if seconds > 0 && seconds >= *newest => {
                *newest = seconds;
                Ok(seconds)
            }
            _ => Err(Refused::Clock { now, newest: *newest }),
        }
    }

    /// A signed checkpoint that does not follow may be proof that the log has two histories.
    fn report(&self, refusal: &Refusal, request: &AddCheckpoint, latest: Option<&Latest>) {
        if *refusal == Refusal::Inconsistent {
            let known = latest.map(|latest| latest.note.to_string());
            let (known, shown) = (known.unwrap_or_default(), request.checkpoint.to_string());
            tracing::error!(
                known,
                shown,
                "a checkpoint is not proven to follow the one that was cosigned last"
            );
        }
    }
}
