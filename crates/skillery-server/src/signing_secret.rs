//! The orgs' shared HMAC secrets, decrypted for those who may have them.

use std::sync::Arc;

use skillery_core::SkillId;
use skillery_core::token::Secret;

use crate::app::App;
use crate::db::orgs;
use crate::failure::Result;

/// A registered secret.
#[derive(Debug)]
pub struct SigningSecret {
    /// As the database has it; tells one registration from another.
    pub sealed: String,
    /// The secret itself.
    pub secret: Secret,
}

/// The signing secret of the skill's org, if one is registered.
pub async fn of(app: &App, id: &SkillId) -> Result<Option<Arc<SigningSecret>>> {
    let org = &*id.org_key();
    // Whatever changes access, a new secret too, raises this epoch.
    let epoch = app.identities.epoch();
    if let Some((known_at, known)) = app.signing_secrets.get(org)
        && known_at == epoch
    {
        return Ok(known);
    }
    let sealed = orgs::find(app.db.reader(), org).await?.and_then(|org| org.signing_secret);
    let found = match sealed {
        Some(sealed) => {
            let secret = app.secret_key.open_sealed(org, &sealed)?;
            Some(Arc::new(SigningSecret { sealed, secret }))
        }
        None => None,
    };
    app.signing_secrets.insert(org.to_owned(), (epoch, found.clone()));
    Ok(found)
}
