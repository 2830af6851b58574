//! Checking a token against its issuer's keys: what all tokens have in common.

use super::claims::{Claims, Rules};
use super::jws::Jws;
use super::refused;
use super::settings::Algorithm;
use crate::app::App;
use crate::failure::Result;

/// A token that its issuer has vouched for, for this registry and this time.
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// What tells it from every other token of its issuer.
    pub unique: String,
}

/// Believes a token of this issuer, or says why not. Only here are keys asked for: what is refused before that costs
/// nobody a request.
pub async fn verify(app: &App, token: Jws<'_>, algorithm: Algorithm, rules: &Rules<'_>) -> Result<Verified> {
    if token.algorithm != algorithm.as_str() {
        return Err(refused(format!("it must be signed with {}", algorithm.as_str())));
    }
    // What does not fit by its own words needs no key.
    token.claims.check(rules, app.environment.now())?;
    let keys = app.oidc.keys(app, rules.issuer, &token.key_id).await?;
    let is_signed = keys.iter().any(|key| key.algorithm == algorithm && token.is_signed_by(key));
    if !is_signed {
        return Err(refused("its signature is not the issuer's"));
    }
    // Time has passed while the issuer was asked.
    let expires = token.claims.check(rules, app.environment.now())?;
    // The signature is left out: of some kinds there are several for the same token.
    let unique = match token.claims.text("jti").filter(|id| !id.is_empty()) {
        Some(id) => format!("jti {id}"),
        None => format!("signed {}", token.signed),
    };
    Ok(Verified { unique: format!("{} {unique}", rules.issuer), claims: token.claims, expires })
}
