//! Publishing from a build without a token: the build's own identity token is exchanged for one.
//!
//! GitHub gives a build an address to ask for identity tokens at, GitLab puts one into a variable. Whoever it is from, it
//! is sent to the registry and nowhere else.

use std::time::Duration;

use reqwest::redirect;
use serde::Deserialize;
use skillery_core::Namespace;
use skillery_core::api::{ExchangeRequest, ExchangeResponse, PublisherKind};
use skillery_core::token::Secret;
use url::Url;

use crate::client::{Client, is_loopback};
use crate::config::Config;
use crate::error::{Error, Result};

/// The variable that holds an identity token when no other is named.
pub const TOKEN_VARIABLE: &str = "SKILLERY_ID_TOKEN";

/// Bytes of GitHub's answer at most.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where this build has its identity from.
#[derive(Debug, Clone)]
pub enum Identity {
    /// GitHub issues a token for whom the build asks.
    Github {
        /// Where to ask.
        url: Url,
        /// With what.
        token: Secret,
    },
    /// It is there already.
    Token(Secret),
}

#[derive(Deserialize)]
struct GithubAnswer {
    value: String,
}

impl Identity {
    /// What the variables of this build say; nothing where this is no build. `variable` holds a token, where there is one.
    pub fn find(variable: &str) -> Result<Option<Self>> {
        Self::from_variables(variable, |name| std::env::var(name).ok())
    }

    fn from_variables(variable: &str, look_up: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let set =
            |name: &str| look_up(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if let Some(token) = set(variable) {
            return Ok(Some(Self::Token(Secret::new(token))));
        }
        let names = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
        let (Some(url), Some(token)) = (set(names.0), set(names.1)) else { return Ok(None) };
        // The address may hold more than others should see.
        let bad = || Error::invalid(format!("`{}`", names.0), "it is no `https://` address");
        let url = Url::parse(&url).map_err(|_| bad())?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(bad());
        }
        Ok(Some(Self::Github { url, token: Secret::new(token) }))
    }
}

/// Exchanges the build's identity for a token of the registry that publishes into this namespace, and nothing else.
/// `audience` is whom an identity token must be for; the registry says it where it is left out.
pub async fn exchange(
    config: &Config,
    identity: &Identity,
    audience: Option<&str>,
    namespace: &Namespace,
) -> Result<ExchangeResponse> {
    let client = Client::new(&Config { token: None, ..config.clone() })?;
    let token = match (identity, audience) {
        (Identity::Token(token), _) => token.clone(),
        (Identity::Github { url, token }, Some(audience)) => ask_github(url, token, audience).await?,
        (Identity::Github { url, token }, None) => {
            let offered = client.oidc().await?;
            let issuer = offered.issuers.iter().find(|issuer| issuer.kind == PublisherKind::Github);
            let issuer = issuer.ok_or_else(|| Error::NoIdentity {
                reason: "the registry takes no identity tokens of GitHub".to_owned(),
            })?;
            if !is_of(&issuer.audience, &config.url) {
                let reason = format!(
                    "the registry wants one that is for `{}`; say so with `--oidc-audience` if you want that, too",
                    issuer.audience.escape_debug()
                );
                return Err(Error::NoIdentity { reason });
            }
            ask_github(url, token, &issuer.audience).await?
        }
    };
    let request =
        ExchangeRequest { token: token.expose().to_owned(), namespace: Some(namespace.to_string()) };
    client.exchange(&request).await
}

/// Whether an audience names this registry. A token that is for somebody else, another registry of packages perhaps, is
/// good there, and a registry that asks for one must not get it.
fn is_of(audience: &str, registry: &Url) -> bool {
    match Url::parse(audience) {
        Ok(audience) if audience.has_host() => audience.host() == registry.host(),
        _ => registry.host_str() == Some(audience),
    }
}

async fn ask_github(url: &Url, token: &Secret, audience: &str) -> Result<Secret> {
    let no_identity = |reason: String| Error::NoIdentity { reason };
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("audience", audience);
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("skillery/", env!("CARGO_PKG_VERSION")))
        .timeout(PATIENCE)
        .redirect(redirect::Policy::none());
    if is_loopback(&url) {
        builder = builder.no_proxy();
    }
    let http = builder.build().map_err(Error::internal("set up the HTTP client"))?;
    let asked = http.get(url).bearer_auth(token.expose()).header("accept", "application/json").send().await;
    let mut response =
        asked.map_err(|error| no_identity(format!("GitHub cannot be asked: {}", error.without_url())))?;
    if response.status() != 200 {
        return Err(no_identity(format!("GitHub answered {}", response.status().as_u16())));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| no_identity(format!("GitHub's answer broke off: {}", error.without_url())))?
    {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(no_identity("GitHub's answer is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    let answer: GithubAnswer = serde_json::from_slice(&body)
        .map_err(|_| no_identity("GitHub's answer has no token in it".to_owned()))?;
    Ok(Secret::new(answer.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_for_the_registry_are_asked_for() {
        let registry = Url::parse("https://registry.example:8700/path").unwrap();
        for good in ["https://registry.example", "https://registry.example:8700/path", "registry.example"] {
            assert!(is_of(good, &registry), "{good}");
        }
        for bad in [
            "sigstore",
            "pypi",
            "https://registry.example.evil",
            "https://crates.io",
            "",
            "registry.example:1",
        ] {
            assert!(!is_of(bad, &registry), "{bad}");
        }
    }

    #[test]
    fn where_the_identity_is_from() {
        let find = |variables: &[(&str, &str)]| {
            Identity::from_variables("ID", |name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let url = ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://github.example/token?x=1");
        let token = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hidden");
        assert!(find(&[]).unwrap().is_none());
        assert!(find(&[url]).unwrap().is_none());
        assert!(find(&[("ID", " ")]).unwrap().is_none());
        let found = find(&[url, token]).unwrap().unwrap();
        assert!(matches!(&found, Identity::Github { .. }) && !format!("{found:?}").contains("hidden"));
        // The one that is named comes first.
        assert!(matches!(find(&[url, token, ("ID", "a.b.c")]).unwrap(), Some(Identity::Token(_))));
        for bad in ["http://github.example/token", "ftp://127.0.0.1/", "token"] {
            let error = find(&[("ACTIONS_ID_TOKEN_REQUEST_URL", bad), token]).unwrap_err();
            assert!(!error.to_string().contains("github.example"), "{error}");
        }
        assert!(find(&[("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:1/"), token]).unwrap().is_some());
    }
}
