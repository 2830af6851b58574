//! Cosignatures of witnesses over checkpoints of the log.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Db, Tx, placeholders};
use crate::failure::{Failure, Result};

const COLUMNS: &str = "size, witness, seconds, note, line";

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Entries that the checkpoint covers.
    pub size: u64,
    /// The witness: the name of its key, and the key's id.
    pub witness: String,
    /// When it has signed, in seconds since 1970.
    pub seconds: u64,
    /// The checkpoint, with the signature of the log.
    pub note: String,
    /// The line of the cosignature, without a newline.
    pub line: String,
}

fn read(row: &AnyRow) -> Result<Cosignature> {
    let number = |index: usize| -> Result<u64> {
        u64::try_from(row.try_get::<i64, _>(index)?).map_err(Failure::internal)
    };
    Ok(Cosignature {
        size: number(0)?,
        witness: row.try_get(1)?,
        seconds: number(2)?,
        note: row.try_get(3)?,
        line: row.try_get(4)?,
    })
}

/// All that are kept, the newest checkpoint first.
pub async fn all(db: &Db) -> Result<Vec<Cosignature>> {
    let text = format!("SELECT {COLUMNS} FROM cosignatures ORDER BY size DESC, witness");
    let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(db.reader()).await?;
    rows.iter().map(read).collect()
}

/// Those over the checkpoint of this size.
pub async fn of_size(db: &Db, size: u64) -> Result<Vec<Cosignature>> {
    let text = format!("SELECT {COLUMNS} FROM cosignatures WHERE size = $1 ORDER BY witness");
    let size = i64::try_from(size).map_err(Failure::internal)?;
    let rows = sqlx::query(AssertSqlSafe(text)).bind(size).fetch_all(db.reader()).await?;
    rows.iter().map(read).collect()
}

/// Keeps one, unless a fresher one of the same witness over the same checkpoint is kept.
pub async fn keep(tx: &mut Tx, new: &Cosignature) -> Result<()> {
    let number = |number: u64| i64::try_from(number).map_err(Failure::internal);
    sqlx::query(
        "INSERT INTO cosignatures (size, witness, seconds, note, line) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (size, witness) DO UPDATE SET seconds = $3, note = $4, line = $5 \
         WHERE cosignatures.seconds < $3",
    )
    .bind(number(new.size)?)
    .bind(new.witness.clone())
    .bind(number(new.seconds)?)
    .bind(new.note.clone())
    .bind(new.line.clone())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Which checkpoints have cosignatures of which witnesses, the newest first.
pub async fn witnesses(tx: &mut Tx) -> Result<Vec<(u64, String)>> {
    let rows = sqlx::query("SELECT size, witness FROM cosignatures ORDER BY size DESC")
        .fetch_all(tx.connection())
        .await?;
    rows.iter()
        .map(|row| {
            Ok((u64::try_from(row.try_get::<i64, _>(0)?).map_err(Failure::internal)?, row.try_get(1)?))
        })
        .collect()
}

/// Forgets the cosignatures over checkpoints of other sizes than these, of which there is at least one.
pub async fn retain(tx: &mut Tx, sizes: &[u64]) -> Result<()> {
    let text = format!("DELETE FROM cosignatures WHERE size NOT IN ({})", placeholders(1, sizes.len()));
    let mut query = sqlx::query(AssertSqlSafe(text));
    for size in sizes {
        query = query.bind(i64::try_from(*size).map_err(Failure::internal)?);
    }
    query.execute(tx.connection()).await?;
    Ok(())
}
