//! `GET /admin/limits`: how the registry runs, and what that means.

use askama::Template;
use axum::response::Response;
use serde_json::Value;
use skillery_core::Limits;
use url::Url;
use utoipa::PartialSchema;

use super::super::frame::{Frame, page};
use crate::failure::{Failure, Result};
use crate::http::call::Call;
use crate::settings::{NamespacePolicy, Settings};

struct Row {
    name: String,
    value: String,
    what: String,
}

#[derive(Template)]
#[template(path = "pages/desk/limits.html")]
struct LimitsPage {
    frame: Frame,
    tab: &'static str,
    settings: Vec<Row>,
    limits: Vec<Row>,
}

/// Settings in force. Files, passwords and keys are not among them.
pub fn show(call: &Call, frame: Frame) -> Result<Response> {
    call.caller.require_site_admin()?;
    let settings = &call.app.settings;
    page(&LimitsPage {
        frame: frame.titled("Settings and limits").part("admin"),
        tab: "limits",
        settings: settings_rows(settings),
        limits: limit_rows(&settings.limits)?,
    })
}

/// Each limit with its value, and what its documentation says of it.
fn limit_rows(limits: &Limits) -> Result<Vec<Row>> {
    let schema = serde_json::to_value(Limits::schema()).map_err(Failure::internal)?;
    let values = serde_json::to_value(limits).map_err(Failure::internal)?;
    let what = |name: &str| schema["properties"][name]["description"].as_str().unwrap_or_default().to_owned();
    let row = |(name, value): (&String, &Value)| Row {
        what: what(name),
        name: name.clone(),
        value: value.as_i64().map_or_else(|| value.to_string(), super::super::show::count),
    };
    Ok(values.as_object().into_iter().flatten().map(row).collect())
}

/// An address without a name or a password, and without what may be one in a query.
fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    // What cannot have a name has none.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.to_string()
}

fn settings_rows(settings: &Settings) -> Vec<Row> {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let none = || "none".to_owned();
    let list = |items: Vec<String>| if items.is_empty() { none() } else { items.join(", ") };
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
    let row =
        |name: &str, value: String, what: &str| Row { name: name.to_owned(), value, what: what.to_owned() };
    vec![
        row(
            "public_url",
            settings.public_url.as_ref().map_or_else(none, without_secrets),
            "How the registry is reached from outside.",
        ),
        row(
            "database",
            if settings.database.is_some() { "PostgreSQL" } else { "SQLite" }.to_owned(),
            "Where facts are kept.",
        ),
        row(
            "namespaces",
            if settings.namespaces == NamespacePolicy::Open { "open" } else { "managed" }.to_owned(),
            "Who makes orgs: whoever publishes first, or admins of the registry.",
        ),
        row(
            "anonymous_reads",
            yes(settings.anonymous_reads),
            "Whether callers without a token may look at public skills.",
        ),
        row("tls", yes(settings.tls_cert.is_some()), "Whether this server speaks TLS itself."),
        row(
            "trust_forwarded",
            yes(settings.trust_forwarded),
            "Whether `X-Forwarded-For` is believed; only behind a proxy that sets it.",
        ),
        row(
            "cors_origins",
            list(settings.cors_origins.clone()),
            "Origins whose pages may call the API from a browser.",
        ),
        row("surfaces", list(spoken), "Protocols of others that it speaks."),
        row("oidc_issuers", list(issuers), "Whose builds namespaces may trust to publish."),
        row(
            "oidc_login",
            settings.oidc_login.as_ref().map_or_else(none, |login| login.issuer.clone()),
            "Where people sign in.",
        ),
        row(
            "witnesses",
            list(settings.witnesses.iter().map(|witness| without_secrets(&witness.url)).collect()),
            "Who is asked to cosign the log.",
        ),
        row(
            "witness_quorum",
            settings.quorum().to_string(),
            "How many of them must have cosigned a checkpoint for it to count.",
        ),
        row("cache_megabytes", settings.cache_megabytes.to_string(), "Ready answers to keep in memory."),
        row(
            "orphan_hours",
            settings.orphan_hours.to_string(),
            "Hours that content without a version is kept.",
        ),
        row("read_connections", settings.read_connections.to_string(), "Database connections for reading."),
        row(
            "stop_seconds",
            settings.stop_seconds.to_string(),
            "Seconds that requests under way get at a stop.",
        ),
    ]
}
