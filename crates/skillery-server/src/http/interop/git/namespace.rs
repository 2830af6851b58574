//! The repository of a namespace: what it is now, and what it has been.
//!
//! What it is depends on who looks, as callers see different skills. What was told to somebody is noted, so that its commit
//! can be fetched again when skills have changed: as long as who asks sees all that is in it, and none of it is quarantined.

use std::sync::Arc;

use skillery_core::git::ObjectId;
use skillery_core::{Namespace, VersionStatus, Visibility};

use super::derive::{Derived, derive};
use super::positions;
use super::snapshot::Snapshot;
use crate::access::Caller;
use crate::app::App;
use crate::db::git::{self, RepositoryVersion, SnapshotRow};
use crate::failure::Result;

/// Versions that are read at once.
const PAGE: usize = 500;
/// Commits of a client that are looked for among snapshots. It begins with its newest.
const LOOKED_FOR: usize = 256;

/// Whether the caller sees a skill in the namespace.
pub async fn exists(app: &App, caller: &Caller, namespace: &Namespace) -> Result<bool> {
    let key = namespace.key();
    Ok(!git::latest_in(&app.db, &key, &caller.visibilities(&key), "", 1).await?.is_empty())
}

fn audience(visibilities: &[Visibility]) -> String {
    visibilities.iter().map(|visibility| visibility.as_str()).collect::<Vec<_>>().join(",")
}

/// What it is now for the caller; none where nothing in it can be shown to git.
pub async fn current(app: &App, caller: &Caller, namespace: &Namespace) -> Result<Option<Arc<Snapshot>>> {
    let key = namespace.key();
    let visibilities = caller.visibilities(&key);
    let place = (key.clone(), audience(&visibilities));
    let ready = |epoch| app.git.ready(&place).filter(|(of, _)| *of == epoch).map(|(_, snapshot)| snapshot);
    if let Some(snapshot) = ready(app.ready.namespaces.of(&key)) {
        return Ok(Some(snapshot));
    }
    // Whoever asks at the same time waits, and finds it ready.
    let _turn = app.git.building().await;
    let epoch = app.ready.namespaces.of(&key);
    if let Some(snapshot) = ready(epoch) {
        return Ok(Some(snapshot));
    }
    let versions = latest(app, &key, &visibilities).await?;
    if versions.is_empty() {
        return Ok(None);
    }
    let snapshot = Arc::new(Snapshot::of_namespace(namespace, versions)?);
    if let Err(failure) = note(app, &key, &place.1, &snapshot).await {
        // It is answered all the same; only what comes later may not find it.
        tracing::warn!(%failure, cause = ?failure.source, "a snapshot for git is not noted");
    }
    app.git.keep(place, epoch, &snapshot);
    Ok(Some(snapshot))
}

async fn latest(app: &App, namespace: &str, visibilities: &[Visibility]) -> Result<Vec<Derived>> {
    let mut versions = Vec::new();
    let mut after = String::new();
    loop {
        let page = git::latest_in(&app.db, namespace, visibilities, &after, PAGE as i64).await?;
        let is_last = page.len() < PAGE;
        if let Some(last) = page.last() {
            after = last.id.key();
        }
        versions.extend(derive(app, page).await?);
        if is_last {
            return Ok(versions);
        }
    }
}

/// What it has been, when it had this commit: if it had, and all of it may be handed to the caller now.
pub async fn past(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    commit: &ObjectId,
) -> Result<Option<Arc<Snapshot>>> {
    let key = namespace.key();
    let Some(noted) = git::snapshot(&app.db, &key, &commit.to_string()).await? else { return Ok(None) };
    let _turn = app.git.building().await;
    let positions = match noted.base.as_str() {
        "" => positions::read(&noted.positions)?,
        base => match git::snapshot(&app.db, &key, base).await? {
            Some(base) => positions::apply(&noted.positions, &positions::read(&base.positions)?)?,
            None => return Ok(None),
        },
    };
    let rows = git::published_by(&app.db, &positions).await?;
    let is_handed_out = |row: &RepositoryVersion| {
        matches!(row.status, VersionStatus::Published | VersionStatus::Yanked)
            && caller.sees(row.visibility, &key)
    };
    if rows.len() != positions.len() || !rows.iter().all(is_handed_out) {
        return Ok(None);
    }
    let versions = derive(app, rows).await?;
    let snapshot = Snapshot::of_namespace(namespace, versions)?;
    Ok((snapshot.commit.id == *commit).then(|| Arc::new(snapshot)))
}

/// The newest of these commits that is one of its snapshots, as [`past`].
pub async fn newest_of(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    commits: &[ObjectId],
) -> Result<Option<Arc<Snapshot>>> {
    let texts: Vec<String> = commits.iter().take(LOOKED_FOR).map(ObjectId::to_string).collect();
    let known = git::known_snapshots(&app.db, &namespace.key(), &texts).await?;
    let Some(newest) = known.first() else { return Ok(None) };
    let Some(id) = commits.iter().find(|id| id.to_string() == *newest) else { return Ok(None) };
    past(app, caller, namespace, id).await
}

/// Notes what it is, so that it is found later.
async fn note(app: &App, namespace: &str, audience: &str, snapshot: &Snapshot) -> Result<()> {
    let commit = snapshot.commit.id.to_string();
    if git::snapshot(&app.db, namespace, &commit).await?.is_some() {
        return Ok(());
    }
    let mut now: Vec<i64> = snapshot.entries.iter().map(|entry| entry.position).collect();
    now.sort_unstable();
    let mut row = SnapshotRow {
        namespace: namespace.to_owned(),
        commit,
        audience: audience.to_owned(),
        base: String::new(),
        positions: positions::all(&now),
    };
    if let Some(base) = git::newest_base(&app.db, namespace, audience).await?
        && let Some(difference) = positions::difference(&now, &positions::read(&base.positions)?)
    {
        (row.base, row.positions) = (base.commit, difference);
    }
    app.db.write(move |tx| Box::pin(async move { git::keep_snapshot(tx, &row).await })).await
}
