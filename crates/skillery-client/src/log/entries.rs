//! Single entries, in the tree and opened, that others rest on.

use std::collections::HashMap;

use skillery_core::entry::{Entry, Leaf, Opening};
use skillery_core::receipt::Receipt;
use skillery_core::tlog::VerifierKey;

use super::{Log, read};
use crate::error::Result;

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

    /// What opens the entry of this number, which is in the tree. `read` has those that were asked for before.
    async fn opening_of(&mut self, index: u64, read: &mut Openings) -> Result<Opening> {
        if let Some(opening) = read.get(&index) {
            return Ok(opening.clone());
        }
        let leaves = read::leaves(self, index, index + 1).await?;
        let leaf = leaves.first().ok_or_else(|| self.broken(format!("entry {index} is missing")))?;
        let opening = match Leaf::parse(leaf) {
            Ok(Leaf::Open(_)) => {
                let text = String::from_utf8(leaf.clone());
                let entry = text.map_err(|error| self.broken(format!("entry {index}: {error}")))?;
                Opening { entry, salt: None }
            }
            Ok(Leaf::Hidden { .. }) => self.opening(index, leaf).await?.ok_or_else(|| {
                self.broken(format!("entry {index} is hidden, and the registry does not open it"))
            })?,
            Err(error) => return Err(self.broken(format!("entry {index}: {error}"))),
        };
        read.insert(index, opening.clone());
        Ok(opening)
    }

    /// The proof of an entry, under the newest checkpoint (c2sp.org/tlog-proof).
    pub(super) async fn receipt_of(&mut self, index: u64, read: &mut Openings) -> Result<String> {
        let opening = self.opening_of(index, read).await?;
        let (newest, note) = self.newest_or_error()?;
        self.receipt_under(index, opening, &newest, &note).await
    }
}

/// The entry of a proof that is kept, which must be in the log of this key, and its number. What is wrong is told as text.
pub(super) fn proven(text: &str, key: &VerifierKey) -> std::result::Result<(u64, Entry), String> {
    let receipt: Receipt = text.parse().map_err(|error| format!("{error}"))?;
    let (entry, _) = receipt.verify(key).map_err(|error| error.to_string())?;
    Ok((receipt.index(), entry))
}
