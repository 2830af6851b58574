//! Publishing together: publishes that come at the same time look and write as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use skillery_core::ProblemCode;

use super::compare::Published;
use super::insert::{Entry, Outcome, Rules, insert};
use crate::db::Db;
use crate::db::publishing::{Question, Situation, TOGETHER, situations};
use crate::failure::{Failure, Result};
use crate::gather::Gather;
use crate::tlog::Batch;

/// Gathers what concurrent publishes ask of the database.
pub struct Publishing {
    looks: Gather<Question, Situation>,
    inserts: Gather<Entry, Outcome>,
    /// The highest number of collections seen. One that is out of date makes a publish store its content again.
    collections: AtomicI64,
}

const UNKNOWN: i64 = -1;
/// How long a look may take: the next ones wait for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Puts the proof that a new version is in the log into its answer.
fn proven(outcome: Outcome, sealed: Option<&Batch>) -> Result<Outcome> {
    match (outcome, sealed) {
        (Outcome::Done(Published::New(mut response)), Some(batch)) => {
            response.proof = batch.receipt(response.log_index)?.to_string();
            Ok(Outcome::Done(Published::New(response)))
        }
        (outcome, _) => Ok(outcome),
    }
}

impl Publishing {
    /// Starts gathering.
    pub fn new(db: &Arc<Db>, rules: Rules) -> Self {
        let (reader, writer) = (Arc::clone(db), Arc::clone(db));
        Self {
            looks: Gather::new(TOGETHER, move |questions| {
                let db = Arc::clone(&reader);
                Box::pin(async move {
                    let look = async {
                        let mut connection = db.reader().acquire().await?;
                        situations(&mut connection, &questions).await
                    };
                    match tokio::time::timeout(PATIENCE, look).await {
                        Ok(situations) => Ok(situations?.into_iter().map(Ok).collect()),
                        Err(late) => Err(Failure::caused(ProblemCode::DatabaseUnavailable, "", late)),
                    }
                })
            }),
            inserts: Gather::new(TOGETHER, move |entries| {
                let (db, rules) = (Arc::clone(&writer), rules.clone());
                Box::pin(async move {
                    let (outcomes, sealed) = db
                        .write_sealed(move |tx| Box::pin(async move { insert(tx, entries, &rules).await }))
                        .await?;
                    Ok(outcomes.into_iter().map(|outcome| proven(outcome?, sealed.as_deref())).collect())
                })
            }),
            collections: AtomicI64::new(UNKNOWN),
        }
    }

    /// How many collections had ended at some time before now, if it is known.
    pub fn collections(&self) -> Option<i64> {
        Some(self.collections.load(Ordering::Acquire)).filter(|collections| *collections != UNKNOWN)
    }

    /// How things stand for this question.
    pub async fn look(&self, question: Question) -> Result<Situation> {
        let situation = self.looks.ask(question).await?;
        self.collections.fetch_max(situation.collections, Ordering::AcqRel);
        Ok(situation)
    }

    /// Publishes what is checked and whose content is stored.
    pub async fn insert(&self, entry: Entry) -> Result<Outcome> {
        self.inserts.ask(entry).await
    }
}
