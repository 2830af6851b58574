//! One registry: what the Python class `SkillRegistry` asks it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use serde::Deserialize;
use skillery_client::config::{parse_org, parse_timeout, parse_token, parse_url};
use skillery_client::folder::{Folder, read_folder};
use skillery_client::publish::{publish, publish_folder, read_code};
use skillery_client::resolve::Want;
use skillery_client::{
    AuditQuery, Client, Config, ConfigLayer, Draft, Error, FolderDraft, Home, InstallOptions, Library,
    Lockfile, Page, Progress, SearchQuery, Secret, SignWith, Signer, Sort,
};
use skillery_core::{Limits, Rating, SkillId, VersionRequest, Visibility};

use crate::convert::{parsed, serialized, word};
use crate::failure;
use crate::insight::Question;
use crate::runtime::{wait, wait_for_disk};

/// Rows of the audit that are asked for at once.
const AUDIT_ROWS: u64 = 200;

/// A configured connection.
#[pyclass(frozen, module = "orchestrator._native")]
pub(crate) struct Registry {
    config: Config,
    /// With the process that made it: connections do not survive a fork.
    client: Mutex<Option<(u32, Client)>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftForm {
    id: String,
    version: String,
    code_path: PathBuf,
    description: String,
    tags: Vec<String>,
    license: Option<String>,
    homepage: Option<String>,
    repository: Option<String>,
    author: Option<String>,
    visibility: Option<Visibility>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchForm {
    query: String,
    tags: Vec<String>,
    org: Option<String>,
    publisher: Option<String>,
    min_rating: Option<f64>,
    sort: Option<String>,
    limit: u64,
    offset: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditForm {
    actor: Option<String>,
    subject: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    since: Option<String>,
    until: Option<String>,
    namespace: Option<String>,
}

#[pymethods]
impl Registry {
    #[new]
    #[pyo3(signature = (url, token, verify_signature, timeout))]
    fn new(
        py: Python<'_>,
        url: &str,
        token: Option<&str>,
        verify_signature: bool,
        timeout: f64,
    ) -> PyResult<Self> {
        let config = || -> Result<Config, Error> {
            // What the caller has no word for is as it is configured.
            let url = ConfigLayer { url: Some(parse_url(url, "`url`")?), ..ConfigLayer::default() };
            let configured = Config::load(&Home::locate()?)?.with(&url);
            Ok(Config {
                token: token
                    .filter(|token| !token.trim().is_empty())
                    .map(|token| parse_token(token, "`token`"))
                    .transpose()?,
                verify_signature,
                timeout: parse_timeout(timeout, "`timeout`")?,
                ..configured
            })
        };
        let config = config().map_err(|error| failure::raise(py, &error))?;
        Ok(Self { config, client: Mutex::new(None) })
    }

    /// Publishes what the JSON says; with a secret, signed.
    #[pyo3(signature = (draft, secret=None))]
    fn publish<'py>(
        &self,
        py: Python<'py>,
        draft: &str,
        secret: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let form: DraftForm = parsed(draft, "the skill")?;
        let (client, signing_key) = (self.client(py)?, self.config.signing_key.clone());
        let published = wait(py, async move {
            client.need_token("publishing")?;
            let secret = secret.map(Secret::new);
            let signer = signing_key.as_deref().map(Signer::open).transpose()?;
            let sign_with = SignWith { secret: secret.as_ref(), signer: signer.as_ref(), build: None };
            let home = Home::locate()?;
            match form.code_path.is_dir() {
                true => {
                    let draft = form.read_folder()?;
                    publish_folder(&client, &home, draft, sign_with, Progress::default()).await
                }
                false => publish(&client, &home, form.read()?, sign_with).await,
            }
        })?;
        serialized(py, &published)
    }

    /// Finds skills; the JSON says which.
    fn search<'py>(&self, py: Python<'py>, query: &str) -> PyResult<Bound<'py, PyAny>> {
        let form: SearchForm = parsed(query, "the search")?;
        let client = self.client(py)?;
        let limit = form.limit;
        let found = wait(py, async move { client.search_many(&form.read()?, limit).await })?;
        serialized(py, &found.skills)
    }

    /// Counts the tags and namespaces of all that a search finds; the JSON says which.
    fn facets<'py>(&self, py: Python<'py>, query: &str) -> PyResult<Bound<'py, PyAny>> {
        let form: SearchForm = parsed(query, "the search")?;
        let client = self.client(py)?;
        let limit = Some(form.limit);
        let found = wait(py, async move {
            let query = SearchQuery { page: Page { limit, offset: None }, ..form.read()? };
            client.facets(&query).await
        })?;
        serialized(py, &found)
    }

    /// The record of a skill, or `None`.
    fn skill<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (client, id) = (self.client(py)?, id.to_owned());
        let found = wait(py, async move {
            match client.skill(&id.parse()?).await {
                Ok(record) => Ok(Some(record)),
                Err(error) if error.code() == "skill-not-found" => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        found.map(|record| serialized(py, &record)).transpose()
    }

    /// Verifies and installs a version, and says what is installed now.
    #[pyo3(signature = (id, version=None))]
    fn install<'py>(&self, py: Python<'py>, id: &str, version: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        let (client, id, version) = (self.client(py)?, id.to_owned(), version.unwrap_or("latest").to_owned());
        let options = InstallOptions::of(&self.config);
        let (named, needed) = wait(py, async move {
            let (id, request): (SkillId, VersionRequest) = (id.parse()?, version.trim().parse()?);
            let (library, wants) = (Library::new(Home::locate()?), [Want { id: id.clone(), request }]);
            let together = library
                .install_together(&client, &wants, &Lockfile::default(), &BTreeSet::new(), options, &|_| ())
                .await?;
            let (named, needed): (Vec<_>, Vec<_>) = together
                .installations
                .into_iter()
                .partition(|one| one.installed.manifest.id.key() == id.key());
            Ok((named, needed))
        })?;
        for warning in named.iter().chain(&needed).filter_map(|one| one.warning.as_ref()) {
            failure::warn(py, warning)?;
        }
        serialized(py, &named.first())
    }

    /// Rates a skill as the token's user.
    #[pyo3(signature = (id, rating, review=None))]
    fn rate<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        rating: f64,
        review: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, id) = (self.client(py)?, id.to_owned());
        let rated = wait(py, async move {
            let id: SkillId = id.parse()?;
            let rating =
                Rating::try_from(rating).map_err(|error| Error::invalid("`rating`", error.to_string()))?;
            client.rate(&id, rating, review.as_deref()).await
        })?;
        serialized(py, &rated)
    }

    /// What was done and refused, the newest first, at most so many; the JSON says which.
    fn audit<'py>(&self, py: Python<'py>, query: &str, limit: u64) -> PyResult<Bound<'py, PyAny>> {
        let form: AuditForm = parsed(query, "the query")?;
        let client = self.client(py)?;
        let entries = wait(py, async move {
            let query = form.read()?;
            let (mut entries, mut before) = (Vec::new(), None);
            loop {
                let wanted = (limit.saturating_sub(entries.len() as u64)).min(AUDIT_ROWS);
                if wanted == 0 {
                    return Ok(entries);
                }
                let page = client.audit(&query, before, Some(wanted)).await?;
                entries.extend(page.entries);
                before = page.next;
                if before.is_none() {
                    return Ok(entries);
                }
            }
        })?;
        serialized(py, &entries)
    }

    /// What happened in the last days.
    #[pyo3(signature = (days, namespace=None))]
    fn audit_report<'py>(
        &self,
        py: Python<'py>,
        days: u32,
        namespace: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client(py)?;
        let report = wait(py, async move {
            let namespace = namespace.map(|text| text.parse()).transpose()?;
            client.audit_report(days, namespace.as_ref()).await
        })?;
        serialized(py, &report)
    }

    /// One page of the signed-in users who have downloaded a version, the last first, and how many there are.
    fn version_installs<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        version: &str,
        limit: u64,
        offset: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client(py)?;
        let (id, version) = (id.to_owned(), version.to_owned());
        let installs = wait(py, async move {
            let page = Page { limit: Some(limit), offset: Some(offset) };
            client.installs_of(&id.parse()?, &version.parse()?, page).await
        })?;
        serialized(py, &installs)
    }

    /// Average, histogram, and one page of reviews.
    #[pyo3(signature = (id, limit=None, offset=None))]
    fn ratings<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        limit: Option<u64>,
        offset: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, id) = (self.client(py)?, id.to_owned());
        let ratings = wait(py, async move { client.ratings(&id.parse()?, Page { limit, offset }).await })?;
        serialized(py, &ratings)
    }

    /// What is known of how skills are used; the JSON says what.
    fn insight<'py>(&self, py: Python<'py>, question: &str) -> PyResult<Bound<'py, PyAny>> {
        let question: Question = parsed(question, "the question")?;
        let client = self.client(py)?;
        let answer = wait(py, async move { question.ask(&client).await })?;
        serialized(py, &answer)
    }
}

impl Registry {
    pub(crate) fn client(&self, py: Python<'_>) -> PyResult<Client> {
        let process = std::process::id();
        let made = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((owner, client)) = made
            && owner == process
        {
            return Ok(client);
        }
        let config = self.config.clone();
        let client = wait_for_disk(py, move || Client::new(&config))?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some((process, client.clone()));
        Ok(client)
    }
}

impl DraftForm {
    /// The folder that the path leads to. What it says itself cannot be said beside it.
    fn read_folder(self) -> Result<FolderDraft, Error> {
        let shown = format!("`{}`", self.code_path.display());
        for (name, is_given) in
            [("description", !self.description.is_empty()), ("license", self.license.is_some())]
        {
            if is_given {
                let reason = format!("a folder says its `{name}` in `SKILL.md`");
                return Err(Error::invalid(shown, reason));
            }
        }
        let Folder { files, problems } = read_folder(&self.code_path, &Limits::default())?;
        if let Some(problem) = problems.first() {
            return Err(Error::invalid(shown, problem.to_string()));
        }
        Ok(FolderDraft {
            id: self.id.parse()?,
            version: self.version.parse()?,
            files,
            tags: self.tags,
            homepage: self.homepage,
            repository: self.repository,
            author: self.author,
            visibility: self.visibility,
            lenient: false,
        })
    }

    fn read(self) -> Result<Draft, Error> {
        Ok(Draft {
            id: self.id.parse()?,
            version: self.version.parse()?,
            code: read_code(&self.code_path)?,
            description: self.description,
            tags: self.tags,
            license: self.license,
            homepage: self.homepage,
            repository: self.repository,
            author: self.author,
            visibility: self.visibility,
        })
    }
}

impl AuditForm {
    fn read(self) -> Result<AuditQuery, Error> {
        Ok(AuditQuery {
            actor: self.actor,
            subject: self.subject,
            action: self.action,
            outcome: self.outcome.map(|outcome| word("outcome", &outcome)).transpose()?,
            since: self.since,
            until: self.until,
            address: None,
            namespace: self.namespace,
        })
    }
}

impl SearchForm {
    fn read(self) -> Result<SearchQuery, Error> {
        let sort = self.sort.map(|sort| sort.parse::<Sort>()).transpose();
        Ok(SearchQuery {
            q: self.query,
            tags: self.tags,
            org: self.org.map(|org| parse_org(&org, "`org`")).transpose()?,
            publisher: self.publisher,
            min_rating: self.min_rating,
            sort: sort.map_err(|reason| Error::invalid("`sort`", reason))?,
            page: Page { limit: None, offset: Some(self.offset) },
        })
    }
}
