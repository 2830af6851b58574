//! A repository that the caller may read: its refs, and its commits by their ids.

use std::collections::HashMap;
use std::sync::Arc;

use skillery_core::git::{ObjectId, Refs};
use skillery_core::limits::MAX_GIT_WANTS;
use skillery_core::{Namespace, ProblemCode, SkillId, VersionStatus};

use super::address::Repository;
use super::derive::derive;
use super::namespace;
use super::snapshot::Snapshot;
use crate::access::Caller;
use crate::app::App;
use crate::db::git::{self, RepositoryVersion};
use crate::db::skills::SkillRow;
use crate::failure::{Failure, Result};
use crate::skill;

/// A repository that is there, for this caller. What is in it is not loaded yet.
pub enum Opened {
    /// Of a namespace.
    Namespace(Namespace),
    /// Of a skill, with its versions.
    Skill(Box<SkillRow>, Vec<RepositoryVersion>),
}

/// What is in a repository.
pub struct Contents {
    /// What its commits are called.
    pub refs: Refs,
    commits: HashMap<ObjectId, Arc<Snapshot>>,
    /// None for a skill, all of whose commits are there.
    namespace: Option<Namespace>,
}

/// Opens the repository, when it exists and the caller sees something in it. Otherwise the same answer for both: git asks for
/// credentials only when it is told that they are missing, and so that is what everybody is told who has none.
pub async fn open(app: &App, caller: &Caller, repository: Option<&Repository>) -> Result<Opened> {
    let found = match repository {
        Some(Repository::Members(_)) if caller.identity().is_none() => None,
        Some(Repository::Namespace(named) | Repository::Members(named)) => {
            // By whatever name it was asked for: the name is part of what commits say.
            let namespace: Namespace = named.key().parse().map_err(Failure::internal)?;
            namespace::exists(app, caller, &namespace).await?.then_some(Opened::Namespace(namespace))
        }
        Some(Repository::Skill(id)) => of_skill(app, caller, id).await?,
        None => None,
    };
    found.ok_or_else(|| match caller.identity() {
        None => Failure::new(
            ProblemCode::Unauthenticated,
            "there is no such repository that everybody may read; sign in with a token as the password",
        ),
        Some(_) => Failure::new(ProblemCode::RouteNotFound, "there is no such repository that you may read"),
    })
}

async fn of_skill(app: &App, caller: &Caller, id: &SkillId) -> Result<Option<Opened>> {
    let skill = match skill::find(app, caller, id).await {
        Ok(skill) => skill,
        Err(failure) if failure.code() == ProblemCode::SkillNotFound => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let versions = git::of_skill(&app.db, &id.key()).await?;
    Ok((!versions.is_empty()).then(|| Opened::Skill(Box::new(skill), versions)))
}

impl Opened {
    /// Loads what is in it. That can take long where nobody has asked before.
    pub async fn load(self, app: &App, caller: &Caller) -> Result<Contents> {
        match self {
            Self::Namespace(namespace) => {
                let current = namespace::current(app, caller, &namespace).await?;
                let refs = Refs { head: current.as_ref().map(|now| now.commit.id), tags: Vec::new() };
                let commits = current.into_iter().map(|snapshot| (snapshot.commit.id, snapshot)).collect();
                Ok(Contents { refs, commits, namespace: Some(namespace) })
            }
            Self::Skill(skill, versions) => {
                let mut contents =
                    Contents { refs: Refs::default(), commits: HashMap::new(), namespace: None };
                for derived in derive(app, versions).await? {
                    let is_listed = derived.row.status == VersionStatus::Published;
                    let version = derived.row.version.clone();
                    let snapshot = Arc::new(Snapshot::of_version(derived)?);
                    let id = snapshot.commit.id;
                    if is_listed {
                        if skill.latest.as_ref() == Some(&version) {
                            contents.refs.head = Some(id);
                        }
                        let tag = format!("v{version}");
                        // Git keeps files of such names for itself.
                        if !tag.ends_with(".lock") {
                            contents.refs.tags.push((tag, id));
                        }
                    }
                    contents.commits.insert(id, snapshot);
                }
                Ok(contents)
            }
        }
    }
}

/// Commits of a namespace in one request: each may have to be made again from what the log says.
const SNAPSHOTS: usize = 8;

impl Contents {
    /// How many commits one request may want.
    pub fn most_wants(&self) -> usize {
        if self.namespace.is_some() { SNAPSHOTS } else { MAX_GIT_WANTS }
    }

    /// The commit with this id, if the caller may have it. One that has no name any more is found too: who has pinned it is
    /// to get it.
    pub async fn find(&self, app: &App, caller: &Caller, id: &ObjectId) -> Result<Option<Arc<Snapshot>>> {
        match (self.commits.get(id), &self.namespace) {
            (Some(snapshot), _) => Ok(Some(Arc::clone(snapshot))),
            (None, Some(namespace)) => namespace::past(app, caller, namespace, id).await,
            (None, None) => Ok(None),
        }
    }

    /// Those of these commits of a client that are known here.
    pub async fn common(&self, app: &App, caller: &Caller, ids: &[ObjectId]) -> Result<Vec<Arc<Snapshot>>> {
        let mut common: Vec<_> = ids.iter().filter_map(|id| self.commits.get(id)).map(Arc::clone).collect();
        if let Some(namespace) = &self.namespace
            && common.is_empty()
            && !ids.is_empty()
        {
            common.extend(namespace::newest_of(app, caller, namespace, ids).await?);
        }
        Ok(common)
    }
}
