//! The settings of this room: whose tokens are taken, and where people sign in.

use serde::{Deserialize, Serialize};
use skillery_core::Scope;
use skillery_core::api::PublisherKind;
use skillery_core::token::Secret;
use url::{Host, Url};

use crate::settings::{Settings, SettingsError};

/// How tokens are signed. It is set, and never taken from a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256.
    #[default]
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
}

impl Algorithm {
    /// As headers and keys name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// An issuer whose builds namespaces may trust.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedIssuer {
    /// Exactly as its tokens name it.
    pub issuer: String,
    /// Whose tokens they are.
    pub kind: PublisherKind,
    /// Whom a token must be for; none: the public URL of the registry.
    #[serde(default)]
    pub audience: Option<String>,
    /// How its tokens are signed.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Seconds that a token may be good for; none: an hour, and a day for `gitlab`, whose tokens last as long as jobs.
    #[serde(default)]
    pub max_lifetime_seconds: Option<u32>,
}

impl TrustedIssuer {
    /// Seconds that a token may be good for.
    pub fn lifetime(&self) -> i64 {
        let usual = if self.kind == PublisherKind::Gitlab { 86_400 } else { 3_600 };
        self.max_lifetime_seconds.map_or(usual, i64::from)
    }
}

/// Where people sign in. There is no `Debug`: it may hold the secret of a client.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginProvider {
    /// The provider, exactly as its tokens name it.
    pub issuer: String,
    /// What people call the provider; none: its host.
    #[serde(default)]
    pub name: Option<String>,
    /// What the provider knows this registry as.
    pub client_id: String,
    /// What this registry shows the provider that it is; none for a public client.
    #[serde(default, skip_serializing)]
    pub client_secret: Option<String>,
    /// The claim that new users are named by.
    #[serde(default = "user_claim")]
    pub user_claim: String,
    /// Whether whoever can sign in at the provider becomes a user here; else only who was linked by an admin.
    #[serde(default)]
    pub create_users: bool,
    /// What tokens of people who sign in may be for, at most.
    #[serde(default = "all_scopes")]
    pub scopes: Vec<Scope>,
    /// Days that such a token is good for.
    #[serde(default = "token_days")]
    pub token_days: u32,
    /// What the provider is asked for.
    #[serde(default = "request_scopes")]
    pub request_scopes: String,
    /// How the provider signs.
    #[serde(default)]
    pub algorithm: Algorithm,
}

impl LoginProvider {
    /// What people call the provider.
    pub fn title(&self) -> String {
        let host = || Url::parse(&self.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
        self.name.clone().or_else(host).unwrap_or_else(|| self.issuer.clone())
    }

    /// The secret of the client.
    pub fn secret(&self) -> Option<Secret> {
        self.client_secret.as_ref().filter(|secret| !secret.is_empty()).map(Secret::new)
    }
}

fn user_claim() -> String {
    "preferred_username".to_owned()
}

fn all_scopes() -> Vec<Scope> {
    Scope::ALL.to_vec()
}

fn token_days() -> u32 {
    7
}

fn request_scopes() -> String {
    "openid profile email".to_owned()
}

/// Whether what the settings say of identity tokens goes together.
pub fn check(settings: &Settings) -> Result<(), SettingsError> {
    let invalid = |text: String| Err(SettingsError::Invalid(text));
    let mut seen = std::collections::HashSet::new();
    for issuer in &settings.oidc_issuers {
        check_issuer("oidc_issuers", &issuer.issuer)?;
        if !seen.insert(&issuer.issuer) {
            return invalid(format!("`oidc_issuers` has `{}` twice", issuer.issuer));
        }
        if audience(settings, issuer).is_none_or(|audience| audience.is_empty()) {
            return invalid(format!(
                "`oidc_issuers` needs an `audience` for `{}`, or the registry a `public_url`",
                issuer.issuer
            ));
        }
        if !(60..=7 * 86_400).contains(&issuer.lifetime()) {
            return invalid("`max_lifetime_seconds` must be from 60 to 604800".to_owned());
        }
    }
    let Some(login) = &settings.oidc_login else { return Ok(()) };
    check_issuer("oidc_login", &login.issuer)?;
    if login.client_id.is_empty() || login.user_claim.is_empty() || login.scopes.is_empty() {
        return invalid("`oidc_login` needs a `client_id`, a `user_claim` and `scopes`".to_owned());
    }
    let is_name =
        |name: &String| !name.is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control);
    if !login.name.iter().all(is_name) {
        return invalid("`name` of `oidc_login` has 1 to 64 characters".to_owned());
    }
    if !login.request_scopes.split(' ').any(|scope| scope == "openid") {
        return invalid("`request_scopes` of `oidc_login` must have `openid` in it".to_owned());
    }
    if !(1..=settings.limits.token_days).contains(&login.token_days) {
        return invalid(format!(
            "`token_days` of `oidc_login` must be from 1 to {}",
            settings.limits.token_days
        ));
    }
    Ok(())
}

fn check_issuer(setting: &str, issuer: &str) -> Result<(), SettingsError> {
    let url = secure_url(issuer).filter(|url| url.query().is_none() && url.fragment().is_none());
    match url {
        Some(_) => Ok(()),
        None => Err(SettingsError::Invalid(format!(
            "`{setting}` has the issuer `{}`, which is no `https://` address without a query",
            crate::text::named(issuer)
        ))),
    }
}

/// Whom tokens of this issuer must be for.
pub fn audience(settings: &Settings, issuer: &TrustedIssuer) -> Option<String> {
    let own = || settings.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    issuer.audience.clone().or_else(own)
}

/// An address that nobody on the way can answer for: `https://`, or this machine.
pub(super) fn secure_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.has_host();
    let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    (is_plain && is_secure).then_some(url)
}

/// Whether an address is of this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
