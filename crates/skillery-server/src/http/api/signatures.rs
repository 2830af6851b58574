//! What was signed of a version, and signing it.

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{SignRequest, SignaturesResponse};
use skillery_core::sign::author::SignatureKind;
use skillery_core::{Problem, ProblemCode, Role, Scope, SkillId, Version};

use crate::db::skills::SkillRow;
use crate::db::versions::VersionRow;
use crate::db::{signatures as table, versions};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json, plain, text};
use crate::signing::{self, Presented};
use crate::skill;

async fn find(call: &Call, id: &SkillId, version: &Version) -> Result<(SkillRow, VersionRow)> {
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let namespace = skill.id.namespace().key();
    let row = versions::find(call.app.db.reader(), &skill.id.key(), version)
        .await?
        .filter(|row| skill::sees_version(&call.caller, &namespace, row))
        .ok_or_else(|| skill::no_such_version(&skill.id, version))?;
    Ok((skill, row))
}

fn not_signed(id: &SkillId, version: &Version) -> Failure {
    Failure::new(ProblemCode::NotSigned, format!("nobody has signed {id} {version}"))
}

/// The statement about a version and the signatures over it, with the keys that they are checked with.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/signatures", tag = "keys",
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses((status = 200, body = SignaturesResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    let (skill, row) = find(call, id, version).await?;
    let (reader, key) = (call.app.db.reader(), skill.id.key());
    let statement = table::statement(reader, &key, &row.version).await?;
    let signatures = table::of_version(reader, &key, &row.version).await?;
    json(StatusCode::OK, &SignaturesResponse { statement, signatures })
}

/// The statement about a version, byte for byte as it was signed.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/statement", tag = "keys",
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses(
        (status = 200, description = "an in-toto statement as canonical JSON", body = Object, content_type = "application/vnd.in-toto+json"),
        (status = 404, description = "`not-signed`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn statement(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    let (skill, row) = find(call, id, version).await?;
    let statement = table::statement(call.app.db.reader(), &skill.id.key(), &row.version).await?;
    let statement = statement.ok_or_else(|| not_signed(&skill.id, version))?;
    Ok(plain(statement.into(), "application/vnd.in-toto+json", "no-cache"))
}

/// The first signature over the statement, as `ssh-keygen -Y verify` reads it.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/signature", tag = "keys",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
        ("kind" = Option<String>, Query, description = "the form of the signature; `sshsig` when left out"),
        ("signer" = Option<String>, Query, description = "the name of the user who signed; anybody when left out"),
    ),
    responses(
        (status = 200, description = "a signature", body = String, content_type = "text/plain"),
        (status = 404, description = "`not-signed`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn signature(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    let kind = call.parsed::<SignatureKind>("kind")?.unwrap_or(SignatureKind::SshSig);
    let signer = call.parameter("signer");
    let (skill, row) = find(call, id, version).await?;
    let signatures = table::of_version(call.app.db.reader(), &skill.id.key(), &row.version).await?;
    let found = signatures.into_iter().find(|signature| {
        signature.kind == kind && signer.as_ref().is_none_or(|signer| *signer == signature.signer)
    });
    Ok(text(found.ok_or_else(|| not_signed(&skill.id, version))?.value, "no-cache"))
}

/// Signs a version that is published: with the statement that it has, or, where it has none, with the one that comes along.
#[utoipa::path(
    post, path = "/api/v1/skills/{id}/versions/{version}/signatures", tag = "keys", security(("token" = ["publish"])),
    request_body = SignRequest,
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses((status = 200, body = SignaturesResponse), (status = 409, description = "`statement-exists`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn sign(call: Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require(Scope::Publish)?;
    let (skill, row) = find(&call, id, version).await?;
    let (app, caller, request) = call.json::<SignRequest>().await?;
    let identity = caller.require_role(Scope::Publish, Role::Publisher, &skill.id.namespace())?;
    let presented = Presented { statement: Some(request.statement), signatures: vec![request.signature] };
    let checked = signing::check(&app, presented, &skill.id, &row, identity).await?;
    let (identity, id, version, key) =
        ((**identity).clone(), skill.id.clone(), row.version.clone(), skill.id.key());
    let wanted = row.version.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let actor = identity.still(tx, Role::Publisher, &id.namespace()).await?.user.id;
                signing::add(tx, &id, &version, &actor, checked).await
            })
        })
        .await?;
    let statement = table::statement(app.db.reader(), &key, &wanted).await?;
    let signatures = table::of_version(app.db.reader(), &key, &wanted).await?;
    json(StatusCode::OK, &SignaturesResponse { statement, signatures })
}
