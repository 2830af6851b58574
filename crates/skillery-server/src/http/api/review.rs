//! `/api/v1/skills/{id}/versions/{version}/approvals/comments` and `…/changelog`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{
    ChangelogRequest, ReviewCommentPatch, ReviewCommentRequest, ReviewThread, ThreadsResponse, VersionDetail,
};
use skillery_core::{Problem, Scope, SkillId, Version};

use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::review::changelog;
use crate::review::comments::{self, Change};

/// What is said about a version while it is reviewed. For members of the namespace who see the version.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/approvals/comments", tag = "approvals", security(("token" = ["read"])),
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
        ("limit" = Option<u32>, Query, description = "threads; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "threads to pass over"),
    ),
    responses((status = 200, body = ThreadsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    let page = call.page()?;
    json(StatusCode::OK, &comments::threads(&call.app, &call.caller, id, version, page).await?)
}

/// Says something about a version, one of its files or a line of it; or answers a thread. For publishers and reviewers of the
/// namespace, with the scope `review` or `publish`.
#[utoipa::path(
    post, path = "/api/v1/skills/{id}/versions/{version}/approvals/comments", tag = "approvals", security(("token" = ["review"])),
    request_body = ReviewCommentRequest,
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses(
        (status = 201, body = ReviewThread),
        (status = 404, description = "`version-not-found`; `file-not-found`; `comment-not-found`", body = Problem),
        (status = 409, description = "`too-many-comments`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn say(call: Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require(Scope::Read)?;
    let (app, caller, request) = call.json::<ReviewCommentRequest>().await?;
    json(StatusCode::CREATED, &comments::say(&app, &caller, id, version, request).await?)
}

/// Changes what one said, which keeps what it said before; resolves a thread, or opens it again: for who began it, who
/// published the version, and reviewers.
#[utoipa::path(
    patch, path = "/api/v1/skills/{id}/versions/{version}/approvals/comments/{comment}", tag = "approvals",
    security(("token" = ["review"])), request_body = ReviewCommentPatch,
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
        ("comment" = String, Path, description = "its id; of a thread, that of its first comment"),
    ),
    responses(
        (status = 200, body = ReviewThread),
        (status = 404, description = "`comment-not-found`", body = Problem),
        (status = 409, description = "`too-many-comments`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn patch(call: Call, id: &SkillId, version: &Version, comment: &str) -> Result<Response> {
    call.caller.require(Scope::Read)?;
    let (app, caller, patch) = call.json::<ReviewCommentPatch>().await?;
    let change = Change::Patch(patch);
    json(StatusCode::OK, &comments::change(&app, &caller, id, version, comment, change).await?)
}

/// Takes a comment away: what one said oneself; what others said, an admin of the namespace. It is kept, and not shown.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/versions/{version}/approvals/comments/{comment}", tag = "approvals",
    security(("token" = ["review"])),
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
        ("comment" = String, Path, description = "its id"),
    ),
    responses(
        (status = 200, body = ReviewThread),
        (status = 404, description = "`comment-not-found`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn hide(call: &Call, id: &SkillId, version: &Version, comment: &str) -> Result<Response> {
    let (app, caller) = (&call.app, &call.caller);
    json(StatusCode::OK, &comments::change(app, caller, id, version, comment, Change::Hide).await?)
}

/// Says what changed with a version. It can be said otherwise as long as the version waits, and is said once of one that is
/// handed out.
#[utoipa::path(
    put, path = "/api/v1/skills/{id}/versions/{version}/changelog", tag = "skills", security(("token" = ["publish"])),
    request_body = ChangelogRequest,
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses(
        (status = 200, body = VersionDetail),
        (status = 409, description = "`status-conflict`: it was said, and the version does not wait", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn changelog(call: Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require(Scope::Publish)?;
    let (app, caller, request) = call.json::<ChangelogRequest>().await?;
    json(StatusCode::OK, &changelog::set(&app, &caller, id, version, request).await?)
}
