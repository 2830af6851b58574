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
use crate::notify;
use crate::settings::{AuditStream, NamespacePolicy, Settings, SmtpTls};

/// Settings and limits in force on this server, each with what it means. Files, passwords and keys are not among them; of some it is told
/// whether they are set. For admins of the registry.
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
    url.set_fragment(None);
    url.to_string()
}

/// Where a stream of the audit leads. What stands behind the host of a webhook is often a secret, too.
fn stream(stream: &AuditStream) -> String {
    let (name, to) = (&stream.name, &stream.to);
    let port = to.port().map_or_else(String::new, |port| format!(":{port}"));
    let place = match to.host_str().filter(|host| !host.is_empty()) {
        Some(host) => format!("{}://{host}{port}", to.scheme()),
        None => to.scheme().to_owned(),
    };
    let is_signed = stream.secret.as_ref().is_some_and(|secret| !secret.is_empty());
    format!("{name} {place}{}", if is_signed { " (signed)" } else { "" })
}

fn word(word: &str) -> Option<SettingValue> {
    Some(Text(word.to_owned()))
}

fn row(name: &str, value: Option<SettingValue>, what: &str) -> Setting {
    Setting { name: name.to_owned(), value, what: what.to_owned() }
}

fn in_force(settings: &Settings) -> Vec<Setting> {
    let mut told = of_server(settings);
    told.extend(of_mail(settings));
    told.extend(of_insight(settings));
    told.extend(of_audit(settings));
    told
}

fn of_server(settings: &Settings) -> Vec<Setting> {
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
            "oidc_login.client_secret",
            settings.oidc_login.as_ref().map(|login| Switch(login.secret().is_some())),
            "Whether the registry has a secret to show there.",
        ),
        row("log_origin", settings.log_origin().map(Text), "What the log is called when its key is made."),
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
        row(
            "witness_minutes",
            Some(Number(settings.witness_minutes.into())),
            "Minutes after which they are asked again if the log has not grown.",
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

fn of_mail(settings: &Settings) -> Vec<Setting> {
    let connection = notify::connection(settings);
    let encryption = |tls: SmtpTls| match tls {
        SmtpTls::Implicit => "implicit",
        SmtpTls::Starttls => "starttls",
        SmtpTls::None => "none",
    };
    let has_password = settings.smtp_password.is_some() || settings.smtp_password_file.is_some();
    let networks = settings.outbound_allow.iter().map(ToString::to_string).collect();
    vec![
        row(
            "smtp_host",
            settings.smtp_host.clone().map(Text),
            "The mail server; without one no mail is sent.",
        ),
        row("smtp_port", connection.map(|(_, port)| Number(port.into())), "Its port."),
        row(
            "smtp_tls",
            connection.and_then(|(tls, _)| word(encryption(tls))),
            "How the connection to it is encrypted: `implicit`, `starttls`, or `none`.",
        ),
        row(
            "smtp_ca_file",
            Some(Switch(settings.smtp_ca_file.is_some())),
            "Whether certificates are trusted for it besides the system's.",
        ),
        row("smtp_user", Some(Switch(settings.smtp_user.is_some())), "Whether the registry signs in to it."),
        row("smtp_password", Some(Switch(has_password)), "Whether there is a password for that."),
        row("mail_from", settings.mail_from.clone().map(Text), "Whom mail is from."),
        row(
            "digest_hour",
            Some(Number(settings.digest_hour.into())),
            "The hour, in UTC, after which digests are mailed; those of a week on Monday.",
        ),
        row(
            "notification_days",
            Some(Number(settings.notification_days.into())),
            "Days that notifications are kept after they were read; unread ones four times as long.",
        ),
        row(
            "outbound_allow",
            Some(List(networks)),
            "Networks into which webhooks may lead although they are private.",
        ),
    ]
}

fn of_insight(settings: &Settings) -> Vec<Setting> {
    let insight = &settings.insight;
    vec![
        row(
            "insight.keep_days",
            Some(Number(insight.keep_days.into())),
            "Days for which installs are kept by day; weeks and months are kept for ever.",
        ),
        row(
            "insight.keep_user_days",
            Some(Number(insight.keep_user_days.into())),
            "Days after the last download of a version for which it is known who has installed it; 0 is for ever.",
        ),
        row(
            "insight.k",
            Some(Number(insight.k.into())),
            "Figures about fewer users are withheld from all but admins of the namespace; 1 withholds nothing.",
        ),
        row("insight.leaderboards", Some(Switch(insight.leaderboards)), "Whether there are leaderboards."),
    ]
}

fn of_audit(settings: &Settings) -> Vec<Setting> {
    let audit = &settings.audit;
    vec![
        row(
            "audit.denied_days",
            Some(Number(audit.denied_days.into())),
            "Days that what was refused is kept.",
        ),
        row(
            "audit.denied_rows",
            Some(Number(audit.denied_rows.unsigned_abs())),
            "Rows of what was refused that are kept at most; the oldest go first.",
        ),
        row(
            "audit.address_days",
            Some(Number(audit.address_days.into())),
            "Days after which addresses and names of clients are forgotten; 0 is never.",
        ),
        row(
            "audit.streams",
            Some(List(audit.streams.iter().map(stream).collect())),
            "Where it is sent: the name and the host of each, and whether what is sent there is signed.",
        ),
    ]
}
