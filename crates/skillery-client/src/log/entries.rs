//! Single entries, in the tree and opened, that others rest on.

use std::collections::HashMap;

use skillery_core::entry::{Entry, Leaf, Opening};
use skillery_core::receipt::Receipt;

use super::rotation::Believed;
use super::{Log, read};
use crate::error::Result;

/// Signatures, and approvals, of one version that are looked at: each rests on entries that are asked for, and a registry may
/// name any number of them. Of signatures these are the oldest; of approvals the newest of each person, of those persons who were
/// the first to approve. One that comes after so many neither counts nor is kept; no policy demands more than 16 approvals.
pub(super) const MOST_OF_A_VERSION: usize = 64;

/// What opens entries that were asked for, by their numbers.
pub(super) type Openings = HashMap<u64, Opening>;

impl Log {
    /// An entry that another one rests on, which must come later.
    pub(super) async fn entry_before(
        &mut self,
        index: u64,
        before: u64,
        read: &mut Openings,
    ) -> Result<Entry> {
        if index >= before {
            return Err(self.broken(format!("an entry rests on entry {index}, which comes later")));
        }
        let opening = self.opening_of(index, read).await?;
        opening.parse().map_err(|error| self.broken(format!("entry {index}: {error}")))
    }

    /// An entry that another one rests on, if it comes before that and the registry opens it.
    pub(super) async fn entry_if_opened(
        &mut self,
        index: u64,
        before: u64,
        read: &mut Openings,
    ) -> Result<Option<Entry>> {
        if index >= before {
            return Ok(None);
        }
        Ok(self.opening_if_any(index, read).await?.and_then(|opening| opening.parse().ok()))
    }

    /// What opens the entry of this number, which is in the tree. `read` has those that were asked for before.
    async fn opening_of(&mut self, index: u64, read: &mut Openings) -> Result<Opening> {
        self.opening_if_any(index, read)
            .await?
            .ok_or_else(|| self.broken(format!("entry {index} is hidden, and the registry does not open it")))
    }

    /// As [`Self::opening_of`]; nothing where it is hidden, and the registry does not open it.
    async fn opening_if_any(&mut self, index: u64, read: &mut Openings) -> Result<Option<Opening>> {
        if let Some(opening) = read.get(&index) {
            return Ok(Some(opening.clone()));
        }
        let leaves = read::leaves(self, index, index + 1).await?;
        let leaf = leaves.first().ok_or_else(|| self.broken(format!("entry {index} is missing")))?;
        let opening = match Leaf::parse(leaf) {
            Ok(Leaf::Open(_)) => {
                let text = String::from_utf8(leaf.clone());
                let entry = text.map_err(|error| self.broken(format!("entry {index}: {error}")))?;
                Opening { entry, salt: None }
            }
            Ok(Leaf::Hidden { .. }) => match self.opening(index, leaf).await? {
                Some(opening) => opening,
                None => return Ok(None),
            },
            Err(error) => return Err(self.broken(format!("entry {index}: {error}"))),
        };
        read.insert(index, opening.clone());
        Ok(Some(opening))
    }

    /// The proof of an entry, under the newest checkpoint (c2sp.org/tlog-proof).
    pub(super) async fn receipt_of(&mut self, index: u64, read: &mut Openings) -> Result<String> {
        let opening = self.opening_of(index, read).await?;
        let (newest, note) = self.newest_or_error()?;
        self.receipt_under(index, opening, &newest, &note).await
    }
}

/// The entry of a proof that is kept, which must be in the log of one of these keys, and its number. What is wrong is told
/// as text.
pub(super) fn proven(text: &str, keys: &[Believed]) -> std::result::Result<(u64, Entry), String> {
    let receipt: Receipt = text.parse().map_err(|error| format!("{error}"))?;
    let mut reason = "no key of its log is known".to_owned();
    for believed in keys {
        match receipt.verify(&believed.key) {
            Ok((entry, checkpoint)) if believed.answers_for(checkpoint.size) => {
                return Ok((receipt.index(), entry));
            }
            Ok(_) => reason = "its key has handed the log over before".to_owned(),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}
