//! How the log came to its key: the entries by which one key has handed it over to the next.

use skillery_core::tlog::{Rotation, VerifierKey};

use super::{LogError, LogKey, TileCache, tree};
use crate::db::{Db, log};
use crate::failure::Result;

/// The rotations that the log has entries of. They must lead from one key to the next, each at the place that it names.
async fn chain(db: &Db) -> Result<std::result::Result<Vec<Rotation>, LogError>> {
    let notes = log::rotations(db).await?;
    let broken = |what: String| Ok(Err(LogError::Broken(what)));
    let chain = match Rotation::chain(notes.iter().map(|(_, note)| note.as_str())) {
        Ok(chain) => chain,
        Err(error) => return broken(error.to_string()),
    };
    let mut places = chain.iter().zip(&notes);
    match places.find(|(rotation, (index, _))| rotation.size != *index) {
        Some((_, (index, _))) => broken(format!("the rotation in entry {index} is of another place")),
        None => Ok(Ok(chain)),
    }
}

/// Whether the rotations lead to this key, which has signed the newest checkpoint. Says how many there are.
pub async fn check(db: &Db, key: &LogKey) -> Result<std::result::Result<usize, LogError>> {
    // They are found by a column, which nobody signs.
    if let Some(misfit) = log::filed_rotations(db).await?.iter().find_map(log::Filed::misfit) {
        return Ok(Err(LogError::Broken(misfit)));
    }
    Ok(match chain(db).await? {
        Ok(chain) if chain.last().is_none_or(|last| last.to == *key.verifier()) => Ok(chain.len()),
        Ok(_) => Err(LogError::Broken("its last rotation is to another key than has signed it".to_owned())),
        Err(error) => Err(error),
    })
}

/// Whether every rotation names the tree that was there.
pub async fn audit(db: &Db, cache: &TileCache) -> Result<std::result::Result<(), LogError>> {
    let chain = match chain(db).await? {
        Ok(chain) => chain,
        Err(error) => return Ok(Err(error)),
    };
    for rotation in chain {
        if tree::root(db, cache, rotation.size).await? != rotation.root {
            let what = format!("the rotation in entry {} names another tree", rotation.size);
            return Ok(Err(LogError::Broken(what)));
        }
    }
    Ok(Ok(()))
}

/// Why the log is not signed with this key.
pub async fn why_not(db: &Db, key: &LogKey) -> Result<LogError> {
    let chain = chain(db).await?.unwrap_or_default();
    let last = chain.last().map(|last| last.to.fingerprint());
    let had_it = chain.iter().any(|rotation| rotation.from == *key.verifier());
    Ok(match last.filter(|_| had_it) {
        Some(to) => LogError::Rotated(to),
        None => LogError::OtherKey(key.verifier().to_string()),
    })
}

/// The key that the log is signed with, and the notes by which it came to it, the oldest first. A server that was left
/// behind by a rotation tells of the new key too.
pub async fn present(db: &Db, key: &LogKey) -> Result<(VerifierKey, Vec<String>)> {
    let notes: Vec<String> = log::rotations(db).await?.into_iter().map(|(_, note)| note).collect();
    let last = notes.last().and_then(|note| Rotation::open(note).ok());
    Ok((last.map_or_else(|| key.verifier().clone(), |last| last.to), notes))
}
