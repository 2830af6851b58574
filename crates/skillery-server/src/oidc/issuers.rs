//! What issuers publish of themselves, remembered: their addresses and their keys.
//!
//! A token that names a key nobody knows makes its issuer be asked again, at most once a minute, so that strangers
//! cannot make this server ask for ever. Keys that were good yesterday are good enough while an issuer does not answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use skillery_core::ProblemCode;
use skillery_core::time::{DAY_SECONDS, Time};
use url::Url;

use super::keys::{Key, parse_keys};
use super::refused;
use super::settings::{is_loopback, secure_url};
use super::web::{Web, WebError, host};
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::text::named;

/// Seconds after which keys are asked for again.
const FRESH_SECONDS: i64 = 3_600;
/// Seconds for which keys are used while their issuer does not answer.
const STALE_SECONDS: i64 = DAY_SECONDS;
/// Seconds between two questions for keys.
const PAUSE_SECONDS: i64 = 60;
/// The same while none are known: then nobody can do anything.
const FIRST_PAUSE_SECONDS: i64 = 5;

/// Every issuer that was asked so far. The settings bound how many there are.
#[derive(Default)]
pub struct Issuers {
    /// How they are asked.
    pub web: Web,
    known: Mutex<HashMap<String, Arc<Issuer>>>,
}

#[derive(Default)]
struct Issuer {
    known: Mutex<Known>,
    /// Held by the one who asks, so that all others get its answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct Known {
    published: Option<Published>,
    /// When it was asked last, whatever came of it.
    asked: Option<Time>,
}

#[derive(Clone)]
struct Published {
    provider: Arc<Provider>,
    keys: Arc<[Key]>,
    at: Time,
}

/// What an issuer says of itself (OpenID Connect Discovery).
#[derive(Debug, Clone, Deserialize)]
pub struct Provider {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    /// How clients show who they are.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
}

impl Provider {
    /// Where signing in by another device begins.
    pub fn device_authorization(&self) -> Result<Url, WebError> {
        self.endpoint("device_authorization_endpoint", self.device_authorization_endpoint.as_deref())
    }

    /// Where people sign in with a browser.
    pub fn authorization(&self) -> Result<Url, WebError> {
        self.endpoint("authorization_endpoint", self.authorization_endpoint.as_deref())
    }

    /// Where tokens are had.
    pub fn token(&self) -> Result<Url, WebError> {
        self.endpoint("token_endpoint", self.token_endpoint.as_deref())
    }

    /// Where more is said of who has signed in, if anywhere.
    pub fn userinfo(&self) -> Option<Url> {
        self.userinfo_endpoint.as_deref().and_then(|url| self.secure(url))
    }

    fn endpoint(&self, name: &str, url: Option<&str>) -> Result<Url, WebError> {
        url.and_then(|url| self.secure(url)).ok_or_else(|| WebError::Form {
            host: self.issuer.clone(),
            reason: format!("it has no `{name}` that begins with `https://`"),
        })
    }

    /// An address that it names. Only an issuer on this machine may name others on it.
    fn secure(&self, url: &str) -> Option<Url> {
        let is_local = Url::parse(&self.issuer).is_ok_and(|issuer| is_loopback(&issuer));
        secure_url(url).filter(|url| is_local || !is_loopback(url))
    }
}

impl Issuers {
    fn of(&self, issuer: &str) -> Arc<Issuer> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(issuer.to_owned()).or_default())
    }

    /// The keys of an issuer that have this name. The issuer must be one of the settings.
    pub async fn keys(&self, app: &App, issuer: &str, id: &str) -> Result<Vec<Key>> {
        let has = |published: &Published| published.keys.iter().any(|key| key.id == id);
        let published = self.published(app, issuer, has).await?;
        let keys: Vec<Key> = published.keys.iter().filter(|key| key.id == id).cloned().collect();
        if keys.is_empty() {
            return Err(refused(format!("its issuer has no key `{}`", named(id))));
        }
        Ok(keys)
    }

    /// What an issuer says of itself. The issuer must be one of the settings.
    pub async fn provider(&self, app: &App, issuer: &str) -> Result<Arc<Provider>> {
        Ok(self.published(app, issuer, |_| true).await?.provider)
    }

    /// What is known of an issuer: new enough and `enough`, or else as new as can be had.
    async fn published(
        &self,
        app: &App,
        issuer: &str,
        enough: impl Fn(&Published) -> bool,
    ) -> Result<Published> {
        let here = self.of(issuer);
        let now = app.environment.now();
        let good = |known: &Known| {
            known
                .published
                .clone()
                .filter(|published| age(now, published.at) < FRESH_SECONDS && enough(published))
        };
        if let Some(published) = good(&here.read()) {
            return Ok(published);
        }
        let _asking = here.asking.lock().await;
        // Somebody else may have asked meanwhile.
        let known = here.read();
        if let Some(published) = good(&known) {
            return Ok(published);
        }
        let pause = if known.published.is_some() { PAUSE_SECONDS } else { FIRST_PAUSE_SECONDS };
        let mut cause = None;
        if known.asked.is_none_or(|asked| age(now, asked) >= pause) {
            here.change(|known| known.asked = Some(now));
            match self.ask(issuer, now).await {
                Ok(published) => here.change(|known| known.published = Some(published)),
                Err(error) => {
                    tracing::warn!(issuer, %error, source = ?std::error::Error::source(&error), "an issuer does not answer as it should");
                    cause = Some(error);
                }
            }
        }
        let usable = |published: &Published| age(now, published.at) < STALE_SECONDS;
        here.read().published.filter(usable).ok_or_else(|| {
            let detail = format!("the keys of `{issuer}` are not known");
            match cause {
                Some(cause) => Failure::caused(ProblemCode::IssuerUnavailable, detail, cause),
                None => Failure::new(ProblemCode::IssuerUnavailable, detail),
            }
        })
    }

    async fn ask(&self, issuer: &str, now: Time) -> Result<Published, WebError> {
        let form = |reason: String| WebError::Form { host: issuer.to_owned(), reason };
        let base = issuer.trim_end_matches('/');
        let address = secure_url(&format!("{base}/.well-known/openid-configuration"))
            .ok_or_else(|| form("its address is not `https://`".to_owned()))?;
        let document = self.web.get(&address, None).await?;
        let provider: Provider = serde_json::from_slice(&document)
            .map_err(|error| form(format!("it is no description of an issuer: {error}")))?;
        if provider.issuer != issuer {
            return Err(form(format!("it says that it is `{}`", named(&provider.issuer))));
        }
        let address = provider.endpoint("jwks_uri", Some(&provider.jwks_uri))?;
        let document = self.web.get(&address, None).await?;
        let keys = parse_keys(&document)
            .map_err(|error| WebError::Form { host: host(&address), reason: error.to_string() })?;
        Ok(Published { provider: Arc::new(provider), keys: keys.into(), at: now })
    }
}

impl Issuer {
    fn read(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Seconds between two moments, in whichever order: a clock that went back must not make anything last.
fn age(now: Time, then: Time) -> i64 {
    now.micros().abs_diff(then.micros()) as i64 / 1_000_000
}
