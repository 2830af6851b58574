//! Reviews: what changed, what was found, and what is said about it.

use reqwest::Method;
use serde::Serialize;
use skillery_core::api::{
    ApprovalsResponse, ChangelogRequest, DiffResponse, FindingsResponse, ReviewCommentPatch,
    ReviewCommentRequest, ReviewThread, ThreadsResponse, VersionDetail,
};
use skillery_core::{SkillId, Version};

use crate::api::{MOST_PAGES, Page, all};
use crate::client::{Call, Client};
use crate::error::Result;

/// What a diff is of.
#[derive(Debug, Clone, Default)]
pub struct DiffQuery {
    /// The older version, or `none`; the last one that was approved before when left out.
    pub from: Option<String>,
    /// Only this file.
    pub path: Option<String>,
}

/// How far a version is, and what is said about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StandingWithComments {
    /// How far it is.
    #[serde(flatten)]
    pub standing: ApprovalsResponse,
    /// The threads.
    pub comments: Vec<ReviewThread>,
}

impl Client {
    /// `GET /skills/{id}/versions/{version}/diff`: what changed.
    pub async fn diff(&self, id: &SkillId, version: &Version, query: &DiffQuery) -> Result<DiffResponse> {
        self.json(Call::of_version(Method::GET, id, version, &["diff"]).diff(query)).await
    }

    /// The same as a patch, which `git apply` takes.
    pub async fn patch(&self, id: &SkillId, version: &Version, query: &DiffQuery) -> Result<String> {
        let call =
            Call::of_version(Method::GET, id, version, &["diff"]).diff(query).query("format", Some("patch"));
        self.text(call).await
    }

    /// `GET /skills/{id}/versions/{version}/findings`: what the rules find in it.
    pub async fn findings(&self, id: &SkillId, version: &Version) -> Result<FindingsResponse> {
        self.json(Call::of_version(Method::GET, id, version, &["findings"])).await
    }

    /// `GET …/approvals/comments`: one page of the threads about a version.
    pub async fn review_threads(
        &self,
        id: &SkillId,
        version: &Version,
        page: Page,
    ) -> Result<ThreadsResponse> {
        self.json(page.add_to(Call::of_version(Method::GET, id, version, COMMENTS))).await
    }

    /// All threads about a version, the oldest first.
    pub async fn all_review_threads(&self, id: &SkillId, version: &Version) -> Result<Vec<ReviewThread>> {
        all(&mut MOST_PAGES.clone(), Page::default(), THREADS, |page| async move {
            let found = self.review_threads(id, version, page).await?;
            let is_more = page.has_more(&found.threads, found.total);
            Ok((found.threads, is_more))
        })
        .await
    }

    /// What is said about a version of which it is known how far it is.
    pub async fn with_comments(&self, standing: ApprovalsResponse) -> Result<StandingWithComments> {
        let comments = match standing.threads {
            0 => Vec::new(),
            _ => self.all_review_threads(&standing.id, &standing.version).await?,
        };
        Ok(StandingWithComments { standing, comments })
    }

    /// `POST …/approvals/comments`: says something about a version, or answers.
    pub async fn add_review_comment(
        &self,
        id: &SkillId,
        version: &Version,
        request: &ReviewCommentRequest,
    ) -> Result<ReviewThread> {
        self.json(Call::of_version(Method::POST, id, version, COMMENTS).body(request)?).await
    }

    /// `PATCH …/approvals/comments/{comment}`: changes what one said, or resolves a thread.
    pub async fn change_review_comment(
        &self,
        id: &SkillId,
        version: &Version,
        comment: &str,
        patch: &ReviewCommentPatch,
    ) -> Result<ReviewThread> {
        let path = [COMMENTS, &[comment]].concat();
        self.json(Call::of_version(Method::PATCH, id, version, &path).body(patch)?.repeatable()).await
    }

    /// `DELETE …/approvals/comments/{comment}`: takes a comment away.
    pub async fn hide_review_comment(
        &self,
        id: &SkillId,
        version: &Version,
        comment: &str,
    ) -> Result<ReviewThread> {
        let path = [COMMENTS, &[comment]].concat();
        self.json(Call::of_version(Method::DELETE, id, version, &path)).await
    }

    /// `PUT /skills/{id}/versions/{version}/changelog`: says what changed with a version.
    pub async fn set_changelog(
        &self,
        id: &SkillId,
        version: &Version,
        changelog: &str,
    ) -> Result<VersionDetail> {
        let request = ChangelogRequest { changelog: changelog.to_owned() };
        self.json(Call::of_version(Method::PUT, id, version, &["changelog"]).body(&request)?).await
    }
}

/// Threads in one answer.
const THREADS: u64 = 200;
const COMMENTS: &[&str] = &["approvals", "comments"];

impl Call {
    fn diff(self, query: &DiffQuery) -> Self {
        self.query("from", query.from.as_ref()).query("path", query.path.as_ref())
    }
}
