//! What witnesses have cosigned, as others read it: checkpoints with the lines of their cosignatures.

use std::collections::HashSet;

use skillery_core::tlog::VerifierKey;
use skillery_core::{Problem, ProblemCode};

use crate::app::App;
use crate::db::cosignatures::{self, Cosignature};
use crate::db::{Db, Tx};
use crate::failure::Result;

/// Newer checkpoints than the newest that has a quorum, of which cosignatures are kept. The log asks for those of the
/// newest only, so that others can get no more; they may do for somebody who wants fewer witnesses.
const KEPT: usize = 8;

/// How a witness is called in the database.
pub fn name_of(key: &VerifierKey) -> String {
    format!("{}+{}", key.name(), hex::encode(key.id()))
}

/// The signed checkpoint of this size with the cosignatures over it, if there are any.
pub async fn with_cosignatures(app: &App, note: String, size: u64) -> Result<String> {
    if app.settings.witnesses.is_empty() {
        return Ok(note);
    }
    let mut lines = cosignatures::of_size(&app.db, size).await?;
    let text = |note: &str| note.split("\n\n").next().map(str::to_owned);
    lines.retain(|one| text(&one.note) == text(&note));
    Ok(joined(note, &lines))
}

/// The newest checkpoint that a quorum has cosigned, with the cosignatures.
pub async fn newest(app: &App) -> Result<String> {
    let quorum = app.settings.quorum();
    let all = cosignatures::all(&app.db).await?;
    let seen = all.iter().map(|one| (one.size, one.witness.as_str()));
    let size = newest_with_quorum(seen, &names(app), quorum);
    let of_size: Vec<Cosignature> = all.iter().filter(|one| Some(one.size) == size).cloned().collect();
    match of_size.first() {
        Some(first) => Ok(joined(first.note.clone(), &of_size)),
        None => {
            let witnesses = app.settings.witnesses.len();
            let detail = match witnesses {
                0 => "this registry has no witnesses".to_owned(),
                _ => format!("no checkpoint is cosigned by {quorum} of the {witnesses} witnesses yet"),
            };
            Err(Problem::new(ProblemCode::NotWitnessed, detail).with("witnesses", witnesses).into())
        }
    }
}

/// Keeps a cosignature, and forgets those that nobody needs any more.
pub async fn keep(db: &Db, new: Cosignature, names: HashSet<String>, quorum: usize) -> Result<()> {
    db.write(move |tx| Box::pin(async move { keep_in(tx, &new, &names, quorum).await })).await
}

async fn keep_in(tx: &mut Tx, new: &Cosignature, names: &HashSet<String>, quorum: usize) -> Result<()> {
    cosignatures::keep(tx, new).await?;
    let all = cosignatures::witnesses(tx).await?;
    let seen = all.iter().map(|(size, witness)| (*size, witness.as_str()));
    let oldest = newest_with_quorum(seen, names, quorum);
    let mut kept: Vec<u64> =
        all.iter().map(|(size, _)| *size).filter(|size| oldest.is_none_or(|oldest| *size > oldest)).collect();
    kept.dedup();
    kept.truncate(KEPT);
    kept.extend(oldest);
    cosignatures::retain(tx, &kept).await
}

/// The names of the witnesses that count.
pub fn names(app: &App) -> HashSet<String> {
    app.settings.witness_keys().unwrap_or_default().iter().map(name_of).collect()
}

/// The largest size that so many of these witnesses have cosigned.
pub fn newest_with_quorum<'a>(
    cosigned: impl Iterator<Item = (u64, &'a str)>,
    names: &HashSet<String>,
    quorum: usize,
) -> Option<u64> {
    let mut counts = std::collections::BTreeMap::<u64, usize>::new();
    for (size, _) in cosigned.filter(|(_, witness)| names.contains(*witness)) {
        *counts.entry(size).or_default() += 1;
    }
    counts.into_iter().rev().find(|(_, count)| *count >= quorum).map(|(size, _)| size)
}

fn joined(mut note: String, cosignatures: &[Cosignature]) -> String {
    for one in cosignatures {
        note += &one.line;
        note.push('\n');
    }
    note
}
