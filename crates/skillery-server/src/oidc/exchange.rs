//! A build's identity token for a token that publishes.

use skillery_core::api::{ExchangeRequest, ExchangeResponse};
use skillery_core::time::Time;
use skillery_core::token::{self, TokenKind};
use skillery_core::{Digest, Namespace, ProblemCode, Scope};

use super::build::Build;
use super::claims::Rules;
use super::jws::Jws;
use super::settings::{TrustedIssuer, audience};
use super::verify::verify;
use super::{LEEWAY_SECONDS, matching};
use crate::app::App;
use crate::db::accounts::{self, TokenRow};
use crate::db::{Tx, oidc};
use crate::failure::{Failure, Result};
use crate::text::named;

/// Seconds that a build may publish for.
const LIFETIME_SECONDS: i64 = 15 * 60;
/// Seconds that a used token is remembered for after it ended: servers whose clock is behind take it for longer.
const MARGIN_SECONDS: i64 = 3_600;
/// What listings call such tokens.
const LABEL: &str = "a build";

/// Exchanges a build's identity token. It can be used once, on whichever server.
pub async fn exchange(app: &App, request: ExchangeRequest) -> Result<ExchangeResponse> {
    let namespace: Option<Namespace> = request.namespace.as_deref().map(str::parse).transpose()?;
    let token = Jws::parse(&request.token)?;
    let issuer = issuer(app, token.claims.needed("iss")?).await?;
    let audience = audience(&app.settings, issuer).unwrap_or_default();
    let rules = Rules { issuer: &issuer.issuer, audience: &audience, lifetime: issuer.lifetime() };
    let verified = verify(app, token, issuer.algorithm, &rules).await?;
    let build = Build::of(issuer.kind, &issuer.issuer, verified.claims)?;
    let candidates =
        oidc::publishers_for(app.db.reader(), &issuer.issuer, issuer.kind.as_str(), build.name()?).await?;
    let publisher = matching::choose(&candidates, &build, namespace.as_ref())?;

    let secret = token::generate(TokenKind::TrustedPublisher, &app.environment.random());
    let issue = Issue {
        publisher: publisher.id.clone(),
        via: build.via(&issuer.issuer, &publisher.id),
        row: TokenRow {
            namespaces: vec![namespace.as_ref().map_or_else(|| publisher.namespace.clone(), Namespace::key)],
            ..TokenRow::new(app.environment.new_id(), LABEL, vec![Scope::Publish], app.environment.now())
        },
        hash: secret.hash(),
        unique: verified.unique,
        ends: verified.expires + LEEWAY_SECONDS,
        most: app.settings.limits.tokens_per_user as i64,
    };
    let (row, publisher) = app.db.write(move |tx| Box::pin(async move { issue.write(tx).await })).await?;
    Ok(ExchangeResponse {
        token: secret.expose().to_owned(),
        expires_at: row.expires_at.unwrap_or_default(),
        namespaces: row.namespaces,
        publisher,
        via: row.via.unwrap_or_default(),
    })
}

/// The issuer that a token claims to be of, when the settings name it and somebody trusts builds of it.
async fn issuer<'a>(app: &'a App, claimed: &str) -> Result<&'a TrustedIssuer> {
    let issuer =
        app.settings.oidc_issuers.iter().find(|issuer| issuer.issuer == claimed).ok_or_else(|| {
            let detail = format!("`{}` is no issuer of this registry", named(claimed));
            Failure::new(ProblemCode::IssuerNotAllowed, detail)
        })?;
    if !oidc::is_issuer_trusted(app.db.reader(), &issuer.issuer).await? {
        let detail = format!("no namespace trusts builds of `{}`", issuer.issuer);
        return Err(Failure::new(ProblemCode::PublisherNotTrusted, detail));
    }
    Ok(issuer)
}

/// A token that is to be issued.
struct Issue {
    publisher: String,
    via: String,
    row: TokenRow,
    hash: Digest,
    unique: String,
    /// When nobody may use the identity token any more, in seconds since 1970.
    ends: i64,
    most: i64,
}

impl Issue {
    /// Notes that the identity token was used, and issues the token, in one transaction.
    async fn write(self, tx: &mut Tx) -> Result<(TokenRow, String)> {
        // It may have been told no more while its issuer was asked for keys.
        let (publisher, user) =
            oidc::publisher(tx.connection(), &self.publisher).await?.ok_or_else(|| {
                Failure::new(ProblemCode::PublisherNotTrusted, "the publisher is not trusted any more")
            })?;
        let row = accounts::user_by_id(tx.connection(), &user).await?;
        if row.is_none_or(|row| row.disabled_at.is_some()) {
            let detail = "the user of the publisher is switched off";
            return Err(Failure::new(ProblemCode::PublisherNotTrusted, detail));
        }
        let ends = Time::from_micros(self.ends.saturating_mul(1_000_000));
        if ends <= tx.now {
            return Err(super::refused("it has expired"));
        }
        if !oidc::use_id_token(tx, &self.unique, ends.plus_seconds(MARGIN_SECONDS)).await? {
            return Err(Failure::new(ProblemCode::IdTokenUsed, ""));
        }
        if accounts::live_tokens(tx, &user).await? >= self.most {
            let detail = format!("the publisher has {} live tokens already", self.most);
            return Err(Failure::new(ProblemCode::RateLimited, detail));
        }
        let row = TokenRow {
            created_at: tx.now,
            expires_at: Some(tx.now.plus_seconds(LIFETIME_SECONDS)),
            via: Some(self.via.clone()),
            ..self.row
        };
        let id = publisher.id.clone();
        accounts::issue_token(tx, Some(&user), &user, &self.hash, &row, Some(id)).await?;
        Ok((row, publisher.id))
    }
}
