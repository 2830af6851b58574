//! `/log/v1/…`: the transparency log as others read it (C2SP tlog-tiles), and below `/api/v1` what proves one thing.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{LogKeyResponse, LoggedEntry, OpeningsResponse, SkillLogResponse};
use skillery_core::event::{Audience, Event};
use skillery_core::id::key_contains;
use skillery_core::tlog::tile::{Resource, parse_path};
use skillery_core::{Namespace, Problem, ProblemCode, SkillId, Version};

use crate::app::App;
use crate::db::log::HiddenEntry;
use crate::db::{log, versions};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, invalid_parameter, json, plain, text};
use crate::{skill, tlog};

/// The signed checkpoint of the log as it is now: a signed note (c2sp.org/tlog-checkpoint).
///
/// It has those cosignatures of witnesses that there are already.
#[utoipa::path(
    get, path = "/log/v1/checkpoint", tag = "log",
    responses(
        (status = 200, description = "a signed note", body = String, content_type = "text/plain"),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn checkpoint(call: &Call) -> Result<Response> {
    Ok(text(newest_checkpoint(&call.app).await?, "no-cache"))
}

/// The signed checkpoint of the log as it is now.
pub async fn newest_checkpoint(app: &App) -> Result<String> {
    let head = log::read_head(&app.db).await?;
    tlog::with_cosignatures(app, head.note, head.edge.size()).await
}

/// The newest checkpoint that enough witnesses have cosigned, with their cosignatures (c2sp.org/tlog-cosignature).
#[utoipa::path(
    get, path = "/api/v1/log/witnessed", tag = "log",
    responses(
        (status = 200, description = "a signed note", body = String, content_type = "text/plain"),
        (status = 404, description = "`not-witnessed`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn witnessed(call: &Call) -> Result<Response> {
    Ok(text(tlog::newest_witnessed(&call.app).await?, "no-cache"))
}

/// A tile of the tree, or a bundle of entries (c2sp.org/tlog-tiles). What follows `tile/` is a level and a number, or
/// `entries` and a number: `0/x001/234`, `1/000.p/17`, `entries/000`.
#[utoipa::path(
    get, path = "/log/v1/tile/{path}", tag = "log",
    params(("path" = String, Path, description = "level and number of the tile, or `entries` and a number")),
    responses(
        (status = 200, description = "hashes of 32 bytes; or entries, each after its length in two bytes", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "`not-in-log`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn tile(call: &Call, path: &str) -> Result<Response> {
    let app = &call.app;
    let unknown = || Failure::new(ProblemCode::NotInLog, "the address is none of a tile");
    let bytes = match parse_path(path).map_err(|_| unknown())? {
        Resource::Checkpoint => return Err(unknown()),
        Resource::Tile(tile) => tlog::tile(&app.db, &app.tiles, tile).await?,
        Resource::Entries(tile) => tlog::entries(&app.db, &app.tiles, tile).await?,
    };
    // Where readers must sign in, no store on the way may keep it for others.
    let cache = match app.settings.anonymous_reads {
        true => "public, max-age=31536000, immutable",
        false => "private, max-age=31536000, immutable",
    };
    Ok(plain(bytes, "application/octet-stream", cache))
}

/// The public key that the log is signed with, and how the log came to it.
#[utoipa::path(
    get, path = "/api/v1/log/key", tag = "log",
    responses((status = 200, body = LogKeyResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn key(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &present_key(&call.app).await?)
}

/// What the log is signed with.
pub async fn present_key(app: &App) -> Result<LogKeyResponse> {
    let (key, rotations) = tlog::present(&app.db, &app.log_key).await?;
    Ok(LogKeyResponse {
        origin: key.name().to_owned(),
        key: key.to_string(),
        fingerprint: key.fingerprint(),
        rotations,
    })
}

/// What opens those leaves that only say that something happened: about skills and orgs that the caller may know of, in
/// order.
#[utoipa::path(
    get, path = "/api/v1/log/openings", tag = "log",
    params(
        ("after" = Option<u64>, Query, description = "entries from this number on; 0 when left out"),
        ("limit" = Option<u32>, Query, description = "rows to look at; 50 when left out, at most 200"),
    ),
    responses((status = 200, body = OpeningsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn openings(call: &Call) -> Result<Response> {
    let page = call.page()?;
    let after = call.parsed::<u64>("after")?.unwrap_or(0);
    if i64::try_from(after).is_err() {
        return Err(invalid_parameter("after", "it is too large"));
    }
    let hidden = log::hidden(&call.app.db, after, page.limit).await?;
    let next = hidden.last().filter(|_| hidden.len() == page.limit).map(|last| last.index + 1);
    let entries = seen(call, hidden).await?;
    json(StatusCode::OK, &OpeningsResponse { next, entries })
}

/// Those of these entries that the caller may read.
async fn seen(call: &Call, hidden: Vec<HiddenEntry>) -> Result<Vec<LoggedEntry>> {
    let mut entries = Vec::with_capacity(hidden.len());
    for entry in hidden {
        let event = entry.opening.parse().map_err(Failure::internal)?.event;
        entries.push((entry, event));
    }
    let place_of = |event: &Event| match event.audience() {
        Audience::OfOrg(namespace) => namespace.parse::<Namespace>().ok(),
        _ => None,
    };
    let orgs: BTreeSet<String> =
        entries.iter().filter_map(|(_, event)| Some(place_of(event)?.org_key())).collect();
    let orgs: Vec<String> = orgs.into_iter().collect();
    // Where the org has skills that the caller sees: whoever sees one knows of the namespaces above it, and of no others.
    let of_orgs = call.app.totals.places(&call.app, &orgs).await?;
    let shown = of_orgs.values().flat_map(|places| places.shown());
    let places: BTreeSet<&str> = shown
        .filter(|(place, visibility, _)| call.caller.sees(*visibility, place))
        .map(|(place, ..)| place)
        .collect();
    let is_known = |place: &Namespace| {
        let key = place.key();
        call.caller.is_member_around(&key) || places.iter().any(|inner| key_contains(&key, inner))
    };
    let is_admin = call.caller.identity().is_some_and(|identity| identity.is_site_admin());
    let is_seen = |entry: &HiddenEntry, event: &Event| match (&entry.skill, place_of(event)) {
        (Some((visibility, namespace)), _) => call.caller.sees(*visibility, namespace),
        (None, Some(place)) => is_known(&place),
        (None, None) => is_admin,
    };
    let seen = entries.into_iter().filter(|(entry, event)| is_seen(entry, event));
    Ok(seen.map(|(entry, _)| LoggedEntry { index: entry.index, opening: entry.opening }).collect())
}

/// Everything that the log holds about a skill, the newest first. Each entry names the one before it.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/log", tag = "log",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("before" = Option<u64>, Query, description = "entries before this number only"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
    ),
    responses((status = 200, body = SkillLogResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn of_skill(call: &Call, id: &SkillId) -> Result<Response> {
    json(StatusCode::OK, &about_skill(call, id).await?)
}

/// One page of what the log holds about a skill.
pub async fn about_skill(call: &Call, id: &SkillId) -> Result<SkillLogResponse> {
    let page = call.page()?;
    let before = call.parsed::<u64>("before")?;
    if before.is_some_and(|before| i64::try_from(before).is_err()) {
        return Err(invalid_parameter("before", "it is too large"));
    }
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let entries = log::of_skill(&call.app.db, &skill.id.key(), before, page.limit).await?;
    let entries = entries.into_iter().map(|(index, opening)| LoggedEntry { index, opening }).collect();
    Ok(SkillLogResponse { id: skill.id, entries })
}

/// The proof that a version's publication is in the log, with what was logged (c2sp.org/tlog-proof).
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/proof", tag = "log",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
    ),
    responses(
        (status = 200, description = "a proof that needs nobody to be checked", body = String, content_type = "text/plain"),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn proof(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    let app = &call.app;
    let skill = skill::find(app, &call.caller, id).await?;
    let namespace = skill.id.namespace().key();
    let row = versions::find(app.db.reader(), &skill.id.key(), version)
        .await?
        .filter(|row| skill::sees_version(&call.caller, &namespace, row))
        .ok_or_else(|| skill::no_such_version(&skill.id, version))?;
    let index = u64::try_from(row.log_position).map_err(Failure::internal)?;
    let receipt = tlog::receipt(&app.db, &app.tiles, index).await?;
    Ok(text(receipt.to_string(), "no-cache"))
}
