//! What namespaces and users want told of how skills are used. A namespace may withhold more than the registry does, and never
//! less; and who wants to is on no leaderboard.

use skillery_core::api::{Listed, MAX_K, NamespaceInsight, NamespaceInsightRequest};
use skillery_core::event::Event;
use skillery_core::{Namespace, Role, Scope};

use crate::access::Caller;
use crate::app::App;
use crate::db::insight::{self as wishes, Wish};
use crate::db::orgs;
use crate::failure::Result;
use crate::http::api::orgs::org_not_found;
use crate::text::invalid;

/// Below how many users figures of this namespace are withheld.
pub(super) async fn k_of(app: &App, namespace: &Namespace) -> Result<u32> {
    Ok(most(app, &wishes::around(app.db.reader(), namespace).await?))
}

/// Whether figures about few are told to this caller, too: whoever looks after the namespace must be able to ask people to change.
pub fn sees_few(caller: &Caller, namespace: &Namespace) -> bool {
    caller.require_role(Scope::Read, Role::Admin, namespace).is_ok()
}

/// Below how many users figures are withheld from this caller, where that is `k` for others.
pub(super) fn withheld_from(caller: &Caller, namespace: &Namespace, k: u32) -> u32 {
    if sees_few(caller, namespace) { 0 } else { k }
}

fn most(app: &App, wishes: &[Wish]) -> u32 {
    wishes.iter().filter_map(|wish| wish.k).fold(app.settings.insight.k, u32::max)
}

/// What holds in a namespace, for those who have a role there.
pub async fn of(app: &App, caller: &Caller, namespace: &Namespace) -> Result<NamespaceInsight> {
    let identity = caller.require(Scope::Read)?;
    let key = namespace.key();
    if !identity.acts_as(Role::Reader, &key)
        || orgs::find(app.db.reader(), &namespace.org_key()).await?.is_none()
    {
        return Err(org_not_found(namespace));
    }
    let wishes = wishes::around(app.db.reader(), namespace).await?;
    let own = wishes.iter().find(|wish| wish.namespace == key);
    Ok(NamespaceInsight {
        namespace: namespace.to_string(),
        k: own.and_then(|own| own.k),
        leaderboards: own.is_none_or(|own| own.listed),
        effective_k: most(app, &wishes),
        effective_leaderboards: app.settings.insight.leaderboards && wishes.iter().all(|wish| wish.listed),
    })
}

/// Sets what a namespace wants, for its admins.
pub async fn set(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    request: NamespaceInsightRequest,
) -> Result<NamespaceInsight> {
    let identity = (**caller.require_role(Scope::Admin, Role::Admin, namespace)?).clone();
    let least = app.settings.insight.k;
    if let Some(k) = request.k.filter(|k| *k < least || *k > MAX_K) {
        let detail = format!("{k} is not from {least}, which the registry has, to {MAX_K}");
        return Err(invalid("k", detail));
    }
    let place = namespace.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let key = place.key();
                orgs::find(tx.connection(), &place.org_key()).await?.ok_or_else(|| org_not_found(&place))?;
                let actor = identity.still(tx, Role::Admin, &place).await?.user.id;
                let before = wishes::around(tx.connection(), &place).await?;
                let own = before.iter().find(|wish| wish.namespace == key);
                let (k, listed) = (request.k, request.leaderboards);
                if own.map_or((None, true), |own| (own.k, own.listed)) == (k, listed) {
                    return Ok(());
                }
                let index =
                    tx.append(Some(&actor), Event::InsightSet { namespace: place.to_string(), k, listed });
                wishes::set(tx, &place, k, listed, index).await
            })
        })
        .await?;
    of(app, caller, namespace).await
}

/// Whether the caller may be on leaderboards.
pub async fn listed(app: &App, caller: &Caller) -> Result<Listed> {
    let identity = caller.require(Scope::Read)?;
    Ok(Listed { listed: wishes::is_listed(app.db.reader(), &identity.user.id).await? })
}

/// Sets whether the caller may be on leaderboards.
pub async fn set_listed(app: &App, caller: &Caller, Listed { listed }: Listed) -> Result<Listed> {
    let identity = caller.require_unbound(Scope::Admin)?.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let user = identity.again(tx).await?.user.id;
                if wishes::is_listed(tx.connection(), &user).await? != listed {
                    wishes::set_listed(tx, &user, listed).await?;
                    tx.append(Some(&user), Event::UserListed { user: user.clone(), listed });
                }
                Ok(())
            })
        })
        .await?;
    Ok(Listed { listed })
}
