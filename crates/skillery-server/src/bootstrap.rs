//! The first start: the registry's id, its first log entry, its first admin and that admin's token.

use skillery_core::event::Event;
use skillery_core::token::{self, Secret, TokenKind};
use skillery_core::{Digest, Scope};

use crate::app::StartError;
use crate::db::accounts::{self, TokenRow};
use crate::db::{Db, Tx, registry};
use crate::environment::Environment;
use crate::failure::Result;
use crate::secrets::{SecretKey, SecretKeyError, write_private};
use crate::settings::Settings;

const ADMIN_NAME: &str = "admin";
const ADMIN_LABEL: &str = "admin token of the first start";
const SET_LABEL: &str = "admin token from the environment";

/// What became of the admin token.
#[derive(Debug, Clone)]
pub enum AdminToken {
    /// It was made just now.
    Made(Secret),
    /// It was made before, or is set from outside.
    Known,
}

/// Makes the registry's id and first log entry if there are none, and checks that the secret key is the one of this
/// database. Returns the id.
pub async fn genesis(db: &Db, environment: &Environment, key: &SecretKey) -> Result<String, StartError> {
    let id = environment.new_id();
    let fingerprint = key.fingerprint().to_owned();
    let (id, known) = db
        .write(move |tx| {
            Box::pin(async move {
                if let Some(id) = registry::value(tx, registry::ID).await? {
                    let known = registry::value(tx, registry::SECRET_KEY).await?;
                    if known.is_none() {
                        // The operator has given the old key up.
                        registry::set(tx, registry::SECRET_KEY, &fingerprint).await?;
                    }
                    return Ok((id, known.is_none_or(|known| known == fingerprint)));
                }
                registry::set(tx, registry::ID, &id).await?;
                registry::set(tx, registry::SECRET_KEY, &fingerprint).await?;
                tx.append(None, Event::Genesis);
                Ok((id, true))
            })
        })
        .await?;
    if known { Ok(id) } else { Err(SecretKeyError::Other.into()) }
}

/// Sees to it that there is an admin with a token: the one from the settings, or the one in the data folder, or a new
/// one that is kept there.
pub async fn admin_token(
    db: &Db,
    environment: &Environment,
    settings: &Settings,
) -> Result<AdminToken, StartError> {
    let file = settings.admin_token_file();
    let file_error = |source| StartError::File { path: settings.admin_token_file(), source };
    if let Some(token) = settings.admin_token.clone() {
        ensure(db, environment, &token, SET_LABEL).await?;
        return Ok(AdminToken::Known);
    }
    if file.exists() {
        let token = Secret::new(fs_err::read_to_string(&file).map_err(file_error)?.trim());
        ensure(db, environment, &token, ADMIN_LABEL).await?;
        return Ok(AdminToken::Known);
    }
    if accounts::any_site_admin(db.reader()).await?.is_some() {
        return Ok(AdminToken::Known);
    }
    // The file first: a token that nobody can read again would lock everybody out.
    let token = token::generate(TokenKind::Personal, &environment.random());
    write_private(&file, token.expose()).map_err(file_error)?;
    ensure(db, environment, &token, ADMIN_LABEL).await?;
    Ok(AdminToken::Made(token))
}

async fn ensure(db: &Db, environment: &Environment, token: &Secret, label: &'static str) -> Result<()> {
    let hash = token.hash();
    let (user_id, token_id) = (environment.new_id(), environment.new_id());
    db.write(move |tx| Box::pin(async move { set(tx, user_id, token_id, &hash, label).await })).await
}

/// Makes this the one live token of its label.
async fn set(tx: &mut Tx, user_id: String, token_id: String, hash: &Digest, label: &str) -> Result<()> {
    let Some((token, user)) = accounts::token_by_hash(tx.connection(), hash).await? else {
        return insert(tx, user_id, token_id, hash, label).await;
    };
    revoke_others(tx, &user.id, label, &token.id).await?;
    if token.revoked_at.is_some() {
        accounts::revive_token(tx, &user.id, &token).await?;
    }
    Ok(())
}

/// A token that was set from outside and is another now is not good any more.
async fn revoke_others(tx: &mut Tx, user: &str, label: &str, kept: &str) -> Result<()> {
    for old in accounts::live_with_label(tx, user, label).await? {
        if old != kept {
            accounts::revoke(tx, None, &old).await?;
        }
    }
    Ok(())
}

async fn insert(tx: &mut Tx, user_id: String, token_id: String, hash: &Digest, label: &str) -> Result<()> {
    let user = match accounts::any_site_admin(tx.connection()).await? {
        Some(user) => user,
        None => {
            let user = accounts::insert_user(tx, user_id, ADMIN_NAME, true).await?;
            tx.append(None, Event::UserCreated { user: user.id.clone(), admin: true });
            user
        }
    };
    revoke_others(tx, &user.id, label, &token_id).await?;
    let token = TokenRow::new(token_id, label, Scope::ALL.to_vec(), tx.now);
    accounts::issue_token(tx, None, &user.id, hash, &token, None).await
}
