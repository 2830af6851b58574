//! Whether those witnesses that this user trusts have seen the log with a version in it, and lately.
//!
//! A registry that shows this machine another log than everybody else would have to show it to the witnesses, too; and one
//! that shows an old log would have to make them sign what they have long left behind.

use std::path::PathBuf;
use std::time::Duration;

use skillery_core::receipt::Receipt;
use skillery_core::tlog::policy::RefusedError;
use skillery_core::tlog::{Checkpoint, Policy, VerifierKey};
use tokio::time::Instant;

use super::{Log, LogError, Logged, Offered};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::home::Home;

/// How long a checkpoint that has the version may still be short of cosignatures: witnesses answer one after the other.
const GATHERING: Duration = Duration::from_secs(5);
/// From one question to the next, growing from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What this user wants of witnesses.
#[derive(Debug, Clone)]
pub(crate) struct Witnessing {
    text: Vec<u8>,
    policy: Policy,
    file: PathBuf,
    max_age: Duration,
}

/// Why a checkpoint will not do.
enum Refusal {
    /// It may come: there is none, or it does not have the version yet.
    NotYet(String),
    /// It has the version, and too few have cosigned it.
    Quorum(String),
    /// They have, too long ago.
    Stale,
    /// It will not come.
    Never(String),
}

impl Witnessing {
    /// What the configured policy says, or that of the home.
    pub(crate) fn load(home: &Home, client: &Client) -> Result<Self> {
        let file = client.log_policy().map_or_else(|| home.witnesses_file(), ToOwned::to_owned);
        let text = match fs_err::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LogError::NoPolicy { path: file }.into());
            }
            Err(error) => return Err(Error::disk("read the policy of witnesses")(error)),
        };
        let bad = |source| Error::BadFile { path: file.display().to_string(), source };
        let policy = Policy::parse(&text).map_err(|error| bad(error.into()))?;
        if policy.is_satisfied(&[]) {
            return Err(bad("its quorum is `none`, so that nothing would be witnessed".into()));
        }
        Ok(Self { text, policy, file, max_age: client.log_max_age() })
    }

    /// The policy for a log that has these keys. One that names no logs is for every log; one that names a log by a key of
    /// these is for all of them.
    fn policy(&self, keys: &[VerifierKey]) -> Result<Policy> {
        let named = |key: &VerifierKey| self.policy.logs().iter().any(|log| log.key.key() == key.key());
        if !self.policy.logs().is_empty() && !keys.iter().any(named) {
            return Ok(self.policy.clone());
        }
        let lines = keys.iter().filter(|key| !named(key)).map(|key| format!("log {key}\n"));
        let text = [lines.collect::<String>().into_bytes(), self.text.clone()].concat();
        let bad = |error| Error::BadFile { path: self.file.display().to_string(), source: Box::new(error) };
        Policy::parse(text).map_err(bad)
    }

    /// Whether a checkpoint of the log with these keys will do now; without a time, whether it would have done once.
    fn check(&self, note: &str, keys: &[VerifierKey], now: Option<u64>) -> Result<Option<Refusal>> {
        let max_age = now.map(|_| self.max_age.as_secs());
        Ok(match self.policy(keys)?.check(note, now, max_age) {
            Ok(_) => None,
            Err(RefusedError::Quorum) => Some(Refusal::Quorum(RefusedError::Quorum.to_string())),
            Err(RefusedError::Stale) => Some(Refusal::Stale),
            Err(other) => Some(Refusal::Never(other.to_string())),
        })
    }

    /// Checks a proof that is kept, without asking anybody: enough witnesses have seen the log that it is from. How long
    /// ago does not matter, since nobody can have seen it anew.
    pub(crate) fn check_kept(&self, proof: &str, keys: &[VerifierKey], offered: &Offered<'_>) -> Result<()> {
        let receipt: Receipt = proof
            .parse()
            .map_err(|error| not_witnessed(offered, format!("its proof cannot be read: {error}")))?;
        match self.check(&receipt.checkpoint(), keys, None)? {
            None => Ok(()),
            Some(Refusal::NotYet(reason) | Refusal::Quorum(reason) | Refusal::Never(reason)) => {
                Err(not_witnessed(offered, reason))
            }
            Some(Refusal::Stale) => Err(not_witnessed(offered, "its cosignatures have no time".to_owned())),
        }
    }
}

impl Log {
    /// Checks that the witnesses have seen the log with a version that was found in it. Waits for them as long as a request
    /// may take. Returns the proof under the checkpoint that they have cosigned.
    pub(crate) async fn check_witnessed(
        &mut self,
        offered: &Offered<'_>,
        logged: Logged,
        witnessing: &Witnessing,
    ) -> Result<Logged> {
        let mut deadline = Instant::now() + self.client.timeout();
        let (mut pause, longest) = PAUSES;
        loop {
            let refusal = match self.look(logged.rests_on, witnessing).await? {
                Ok((checkpoint, note)) => return self.witnessed(logged, &checkpoint, &note).await,
                Err(refusal) => refusal,
            };
            let error = match refusal {
                Refusal::Never(reason) => return Err(not_witnessed(offered, reason)),
                Refusal::NotYet(reason) => not_witnessed(offered, reason),
                Refusal::Quorum(reason) => {
                    deadline = deadline.min(Instant::now() + GATHERING);
                    not_witnessed(offered, reason)
                }
                Refusal::Stale => {
                    deadline = deadline.min(Instant::now() + GATHERING);
                    LogError::Stale { registry: self.registry(), max_age: witnessing.max_age }.into()
                }
            };
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(longest);
        }
    }

    /// Looks for a checkpoint that has the entry of this number, on which everything rests, and that the witnesses have seen: the newest one may be it.
    async fn look(
        &mut self,
        index: u64,
        witnessing: &Witnessing,
    ) -> Result<std::result::Result<(Checkpoint, String), Refusal>> {
        let keys: Vec<VerifierKey> = self.keys()?.into_iter().map(|believed| believed.key).collect();
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        let (newest, newest_note) = self.newest_or_error()?;
        if newest.size > index && witnessing.check(&newest_note, &keys, Some(now))?.is_none() {
            return Ok(Ok((newest, newest_note)));
        }
        let note = match self.client.witnessed().await {
            Ok(note) => note,
            Err(Error::Problem(problem)) if problem.code == skillery_core::ProblemCode::NotWitnessed => {
                let has_none = problem.facts.get("witnesses").is_some_and(|count| count == 0);
                let refusal = if has_none { Refusal::Never } else { Refusal::NotYet };
                return Ok(Err(refusal(problem.to_string())));
            }
            Err(error) if error.is_not_found() => {
                return Ok(Err(Refusal::Never("the registry has no witnesses".to_owned())));
            }
            Err(error) => return Err(error),
        };
        // Until they know of a new key, what they have seen under the one before counts, as far as that one answered for it.
        let size = match self.opened(&note) {
            Ok((_, checkpoint)) => checkpoint.size,
            // It may be newer than what is known here, and signed with the next key.
            Err(_) => {
                self.update().await?;
                self.opened(&note)?.1.size
            }
        };
        if size > newest.size {
            self.update().await?;
        }
        let checkpoint = self.check_older(&note).await?;
        if checkpoint.size <= index {
            let reason =
                format!("they have seen {size} entries, and what is demanded rests on entry {index}");
            return Ok(Err(Refusal::NotYet(reason)));
        }
        Ok(match witnessing.check(&note, &keys, Some(now))? {
            None => Ok((checkpoint, note)),
            Some(refusal) => Err(refusal),
        })
    }

    /// The proof of an entry under this checkpoint.
    async fn witnessed(&mut self, logged: Logged, checkpoint: &Checkpoint, note: &str) -> Result<Logged> {
        let read = logged.receipt.parse::<Receipt>();
        let receipt = read.map_err(|error| self.broken(error.to_string()))?;
        let receipt = self.receipt_under(logged.index, receipt.opening, checkpoint, note).await?;
        let (key, _) = self.opened(note)?;
        Ok(Logged { receipt, key, ..logged })
    }
}

fn not_witnessed(offered: &Offered<'_>, reason: String) -> Error {
    LogError::NotWitnessed { id: offered.id.clone(), version: offered.version.clone(), reason }.into()
}
