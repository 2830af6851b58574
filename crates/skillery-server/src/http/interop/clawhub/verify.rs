//! `GET /skills/{slug}/verify`: what is known of a version.
//!
//! ClawHub speaks of scans there. This registry makes none, and says so: what it verifies is that the bytes are those that the
//! log has, and that the version is handed out. Whoever trusts keys and not the registry verifies with `skillery verify`.

use axum::response::Response;
use serde_json::json;
use skillery_core::{ProblemCode, VersionRequest, VersionStatus};

use super::forms::millis;
use super::names::{find, slug_of};
use super::show::{request, tagged};
use super::{Result, json as answer};
use crate::catalog;
use crate::db::signatures;
use crate::http::call::Call;
use crate::http::interop::one_segment;

/// What is known of a version.
pub async fn verify(call: &Call, slug: &str) -> Result<Response> {
    let app = &call.app;
    let base = super::base(call);
    let (wanted, from, tag) = match (call.parameter("version"), call.parameter("tag")) {
        (Some(version), _) => (request(&version)?, "version", None),
        (None, Some(tag)) => (tagged(&tag)?, "tag", Some(tag)),
        (None, None) => (VersionRequest::Latest, "latest", None),
    };
    let owner = call.parameter("ownerHandle");
    let skill = find(app, &call.caller, &base, slug, owner.as_deref()).await?;
    let offer = catalog::one(app, &call.caller, &skill.id, &wanted).await?;
    let mut reasons = Vec::new();
    if offer.row.status == VersionStatus::Yanked {
        reasons.push("version_yanked");
    }
    match offer.bundle(app).await {
        Ok(_) => {}
        Err(failure) if failure.code() == ProblemCode::ContentDamaged => reasons.push("content_damaged"),
        Err(failure) if failure.code() == ProblemCode::ContentMissing => reasons.push("content_missing"),
        Err(failure) => return Err(failure.into()),
    }
    let signatures = signatures::of_version(app.db.reader(), &skill.id.key(), &offer.row.version).await?;
    let signers: Vec<_> = signatures
        .iter()
        .map(|signature| {
            json!({
                "kind": signature.kind.to_string(), "key": signature.key, "signer": signature.signer,
                "logIndex": signature.log_index, "signedAt": millis(signature.signed_at),
            })
        })
        .collect();
    let namespace = offer.id.namespace();
    let (handle, version) = (one_segment(&namespace), offer.row.version.to_string());
    let at = format!("{base}/api/v1/skills/{}/versions/{version}", offer.id);
    answer(&json!({
        "schema": "clawhub.skill.verify.v1",
        "ok": reasons.is_empty(),
        "decision": if reasons.is_empty() { "pass" } else { "fail" },
        "reasons": reasons,
        "slug": slug_of(&offer.id),
        "displayName": offer.id.name(),
        "pageUrl": format!("{base}/{}", offer.id),
        "publisherHandle": handle,
        "publisherDisplayName": namespace.as_str(),
        "publisherProfileUrl": null,
        "version": version,
        "resolvedFrom": from,
        "tag": tag,
        "createdAt": millis(offer.row.created_at),
        "card": { "available": false },
        "artifact": { "sha256": offer.row.digest.to_string(), "size": offer.row.size },
        "provenance": {
            "log": app.log_key.verifier().name(), "logIndex": offer.row.log_position, "proofUrl": format!("{at}/proof"),
        },
        "security": { "status": "unscanned", "message": super::NO_SCANS },
        "signature": {
            "status": if signers.is_empty() { "unsigned" } else { "signed" },
            "signatures": signers,
            "url": format!("{at}/signatures"),
        },
    }))
}
