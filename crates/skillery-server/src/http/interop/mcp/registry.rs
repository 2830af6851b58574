//! The registry as the caller of one message sees it.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use skillery_core::api::{FileSummary, Record, SearchResponse};
use skillery_core::bundle::SKILL_FILE;
use skillery_core::id::key_contains;
use skillery_core::{Namespace, SkillId, Sort, Version, VersionRequest, VersionStatus};
use skillery_mcp::{
    Backend, FileEntry, Listed, Listing, Manifest, Refusal, SearchArguments, Shown, SkillFile,
};

use crate::access::{Caller, skill_not_found};
use crate::app::App;
use crate::catalog::{self, Offer};
use crate::db::versions;
use crate::failure::{Failure, Result};
use crate::http::api;
use crate::origin::{self, Origin};
use crate::search::SearchQuery;
use crate::skill;
use crate::text::invalid;

/// Versions that are told of.
const VERSIONS: usize = 50;

/// What the caller of one message sees.
pub(super) struct Registry {
    pub(super) app: Arc<App>,
    pub(super) caller: Caller,
    /// The namespace that all is within, if it is one.
    pub(super) scope: Option<Namespace>,
    /// How the registry is reached.
    pub(super) base: Option<String>,
    /// Where the message comes from: it is answered by another task.
    pub(super) origin: Option<Arc<Origin>>,
}

impl Registry {
    fn query(&self, sort: Sort, limit: usize) -> SearchQuery {
        let limit = limit.min(self.app.settings.limits.page_rows);
        SearchQuery {
            namespace: self.scope.clone(),
            ..SearchQuery::all(&self.app, &self.caller, sort, limit, 0)
        }
    }

    async fn records(&self, numbers: &[i64]) -> Result<Vec<Record>> {
        let records = skill::records(&self.app, &self.caller, numbers).await?;
        let parsed = |bytes: Bytes| serde_json::from_slice(&bytes).map_err(Failure::internal);
        records.into_iter().map(parsed).collect()
    }

    /// The version that is asked for, where it is within the scope.
    async fn offer(&self, id: &SkillId, request: &VersionRequest) -> Result<Offer> {
        let outside = |scope: &Namespace| !key_contains(&scope.key(), &id.namespace().key());
        if self.scope.as_ref().is_some_and(outside) {
            return Err(skill_not_found(id));
        }
        let asking = catalog::one(&self.app, &self.caller, id, request);
        origin::scope(self.origin.clone(), asking).await
    }

    async fn found(&self, arguments: &SearchArguments) -> Result<SearchResponse> {
        // The tool's own limits are those that its schema tells; an operator may have set lower ones.
        let limits = &self.app.settings.limits;
        if arguments.query.chars().count() > limits.query_length {
            return Err(invalid("query", format!("it is longer than {} characters", limits.query_length)));
        }
        let tags = arguments.tags.as_deref().unwrap_or_default();
        if tags.len() > limits.tags {
            return Err(invalid("tags", format!("at most {} tags can be asked for", limits.tags)));
        }
        let nothing = SearchResponse { total: 0, skills: Vec::new() };
        let default = Sort::usual(&arguments.query);
        let mut query = self.query(default, arguments.limit.unwrap_or_default() as usize);
        // What is asked for within the scope narrows it; the scope within what is asked for stays.
        let asked = arguments.namespace.as_deref().and_then(|text| text.parse::<Namespace>().ok());
        if let Some(asked) = asked {
            match &self.scope {
                Some(scope) if key_contains(&asked.key(), &scope.key()) => {}
                Some(scope) if !key_contains(&scope.key(), &asked.key()) => return Ok(nothing),
                _ => query.namespace = Some(asked),
            }
        }
        query.words.clone_from(&arguments.query);
        query.tags = tags.to_vec();
        self.app.search.wait_for(self.app.db.size()).await?;
        let found = self.app.search.find(&query).await?;
        Ok(SearchResponse { total: found.total as u64, skills: self.records(&found.numbers).await? })
    }

    async fn shown(&self, id: &SkillId, request: &VersionRequest) -> Result<Shown> {
        let Offer { id, row, .. } = self.offer(id, request).await?;
        let version = api::versions::whole(&self.app, &self.caller, &id, &row.version).await?;
        let mut others = versions::summaries(&self.app.db, &id.key()).await?;
        others.retain(|other| matches!(other.status, VersionStatus::Published | VersionStatus::Yanked));
        others.sort_by(|left, right| right.version.cmp(&left.version));
        others.truncate(VERSIONS);
        let record = skill::load(&self.app, &self.caller, &id).await?.record.clone();
        let record = record.map(|record| serde_json::from_slice(&record)).transpose();
        Ok(Shown {
            version,
            skill: record.map_err(Failure::internal)?,
            versions: others,
            registry: self.base.clone(),
        })
    }

    async fn one_file(&self, id: &SkillId, request: &VersionRequest, path: &str) -> Result<SkillFile> {
        let offer = self.offer(id, request).await?;
        let file = offer.file(&self.app, path).await?;
        let warning = offer.warning();
        let Offer { id, row, .. } = offer;
        let paths = row.files.into_iter().map(|file| file.path).collect();
        Ok(SkillFile { id, version: row.version, warning, file, paths })
    }

    async fn remembered(&self, id: &SkillId, request: &VersionRequest) -> Result<Arc<Manifest>> {
        let offer = self.offer(id, request).await?;
        // A version never changes; whether it may be seen was just asked.
        let key = format!("{}@{}", offer.id, offer.row.version);
        if let Some(manifest) = self.app.manifests.get(&key) {
            return Ok(manifest);
        }
        // What the files are is known since they were published; only what `SKILL.md` says is not.
        let skill_file = offer.file(&self.app, SKILL_FILE).await?.map(|file| file.bytes).unwrap_or_default();
        let Offer { id, row, .. } = offer;
        let entry = |file: FileSummary| FileEntry { path: file.path, digest: file.digest, size: file.size };
        let entries = row.files.into_iter().map(entry).collect();
        let manifest = Arc::new(Manifest::new(id, row.version, entries, &skill_file));
        self.app.manifests.insert(key, Arc::clone(&manifest));
        Ok(manifest)
    }

    async fn listed(&self, after: Option<&str>, limit: usize) -> Result<Listing> {
        let query = self.query(Sort::Name, limit);
        self.app.search.wait_for(self.app.db.size()).await?;
        let found = match after {
            Some(after) => self.app.search.find_behind(&query, after)?,
            None => self.app.search.find(&query).await?,
        };
        let records = self.records(&found.numbers).await?;
        let mut skills = Vec::with_capacity(records.len());
        for record in records {
            skills.push(Listed {
                id: record.id.parse().map_err(Failure::internal)?,
                version: record.version.parse().map_err(Failure::internal)?,
                description: record.description,
            });
        }
        // Where a whole page went out of sight since the index was written, the list ends early: to go on behind it would tell
        // what was there.
        let is_last = found.total <= found.numbers.len();
        let next = skills.last().filter(|_| !is_last).map(|skill| skill.id.key());
        Ok(Listing { skills, next })
    }
}

impl Backend for Registry {
    const INSTALLS: bool = false;

    async fn search(&self, query: &SearchArguments) -> Result<SearchResponse, Refusal> {
        self.found(query).await.map_err(refused)
    }

    async fn show(&self, id: &SkillId, request: &VersionRequest) -> Result<Shown, Refusal> {
        self.shown(id, request).await.map_err(refused)
    }

    async fn file(&self, id: &SkillId, request: &VersionRequest, path: &str) -> Result<SkillFile, Refusal> {
        self.one_file(id, request, path).await.map_err(refused)
    }

    async fn manifest(&self, id: &SkillId, request: &VersionRequest) -> Result<Arc<Manifest>, Refusal> {
        self.remembered(id, request).await.map_err(refused)
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Listing, Refusal> {
        self.listed(after, limit).await.map_err(refused)
    }

    fn note_use(&self, id: &SkillId, version: &Version) {
        catalog::note_install(&self.app, &self.caller, id, version);
    }
}

/// The caller gets the problem, the operator its cause: the answer of the request as a whole is no failure.
fn refused(failure: Failure) -> Refusal {
    if let Some(source) = failure.source() {
        tracing::warn!(code = %failure.code(), cause = %source, "a message of MCP failed");
    }
    (*failure.problem).into()
}
