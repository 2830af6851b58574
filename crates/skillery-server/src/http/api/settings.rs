//! `GET /api/v1/admin/settings`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::SettingValue::{List, Number, Switch, Text};
use skillery_core::api::{LimitSetting, Setting, SettingValue, SettingsResponse};
use skillery_core::{Limits, Problem};
use url::Url;
use utoipa::PartialSchema;

use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};
use crate::settings::{NamespacePolicy, Settings};

/// Settings and limits in force on this server, each with what it means. Files, passwords and keys are not among them. For admins
/// of the registry.
#[utoipa::path(
    get, path = "/api/v1/admin/settings", tag = "operations", security(("token" = ["admin"])),
    responses((status = 200, body = SettingsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub fn show(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &all(&call.app, &call.caller)?)
}

/// Settings in force.
pub fn all(app: &App, caller: &Caller) -> Result<SettingsResponse> {
    caller.require_site_admin()?;
    let settings = &app.settings;
    Ok(SettingsResponse { settings: in_force(settings), limits: limits(&settings.limits)? })
}

/// Each limit with its value, and what its documentation says of it.
fn limits(limits: &Limits) -> Result<Vec<LimitSetting>> {
    let schema = serde_json::to_value(Limits::schema()).map_err(Failure::internal)?;
    let values = serde_json::to_value(limits).map_err(Failure::internal)?;
    let mut told = Vec::new();
    for (name, value) in values.as_object().into_iter().flatten() {
        let value = value.as_u64().ok_or_else(|| Failure::internal("a limit that is no number"))?;
        let what = schema["properties"][name]["description"].as_str().unwrap_or_default().to_owned();
        told.push(LimitSetting { name: name.clone(), value, what });
    }
    Ok(told)
}

/// An address without a name or a password, and without what may be one in a query.
fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    // What cannot have a name has none.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.to_string()
}

fn in_force(settings: &Settings) -> Vec<Setting> {
    let word = |word: &str| Some(Text(word.to_owned()));
    let surfaces = &settings.surfaces;
    let spoken = [
        ("discovery", surfaces.discovery),
        ("marketplace", surfaces.marketplace),
        ("git", surfaces.git),
        ("clawhub", surfaces.clawhub),
        ("mcp", surfaces.mcp),
        ("openapm", surfaces.openapm),
    ];
    let spoken = spoken.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name.to_owned()).collect();
    let issuers = settings.oidc_issuers.iter().map(|issuer| issuer.issuer.clone()).collect();
    let row = |name: &str, value: Option<SettingValue>, what: &str| Setting {
        name: name.to_owned(),
        value,
        what: what.to_owned(),
    };
    vec![
        row(
            "public_url",
            settings.public_url.as_ref().map(|url| Text(without_secrets(url))),
            "How the registry is reached from outside.",
        ),
        row(
            "database",
            word(if settings.database.is_some() { "PostgreSQL" } else { "SQLite" }),
            "Where facts are kept.",
        ),
        row(
            "namespaces",
            word(if settings.namespaces == NamespacePolicy::Open { "open" } else { "managed" }),
            "Who makes orgs: whoever publishes first, or admins of the registry.",
        ),
        row(
            "anonymous_reads",
            Some(Switch(settings.anonymous_reads)),
            "Whether callers without a token may look at public skills.",
        ),
        row("tls", Some(Switch(settings.tls_cert.is_some())), "Whether this server speaks TLS itself."),
        row(
            "trust_forwarded",
            Some(Switch(settings.trust_forwarded)),
            "Whether `X-Forwarded-For` is believed; only behind a proxy that sets it.",
        ),
        row(
            "cors_origins",
            Some(List(settings.cors_origins.clone())),
            "Origins whose pages may call the API from a browser.",
        ),
        row("surfaces", Some(List(spoken)), "Protocols of others that it speaks."),
        row("oidc_issuers", Some(List(issuers)), "Whose builds namespaces may trust to publish."),
        row(
            "oidc_login",
            settings.oidc_login.as_ref().map(|login| Text(login.issuer.clone())),
            "Where people sign in.",
        ),
        row(
            "witnesses",
            Some(List(settings.witnesses.iter().map(|witness| without_secrets(&witness.url)).collect())),
            "Who is asked to cosign the log.",
        ),
        row(
            "witness_quorum",
            Some(Number(settings.quorum() as u64)),
            "How many of them must have cosigned a checkpoint for it to count.",
        ),
        row("cache_megabytes", Some(Number(settings.cache_megabytes)), "Ready answers to keep in memory."),
        row(
            "orphan_hours",
            Some(Number(settings.orphan_hours)),
            "Hours that content without a version is kept.",
        ),
        row(
            "read_connections",
            Some(Number(settings.read_connections.into())),
            "Database connections for reading.",
        ),
        row(
            "stop_seconds",
            Some(Number(settings.stop_seconds)),
            "Seconds that requests under way get at a stop.",
        ),
    ]
}
