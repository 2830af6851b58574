//! Making an org: by its first publisher, or on request.

use skillery_core::event::Event;
use skillery_core::{Namespace, ProblemCode, Role};

use crate::db::orgs::OrgRow;
use crate::db::{Tx, orgs};
use crate::failure::{Failure, Result};

/// No org of a registry: the clients' own.
const LOCAL: &str = "local";

/// Whether an org may have this key.
pub fn check_name(key: &str) -> Result<()> {
    if key == LOCAL {
        let detail = format!("`{LOCAL}` is where clients keep what was never published");
        return Err(Failure::new(ProblemCode::InvalidId, detail));
    }
    Ok(())
}

/// Makes an org with its first owner. Both are user ids.
pub async fn create(tx: &mut Tx, org: &Namespace, actor: &str, owner: &str) -> Result<OrgRow> {
    let key = org.key();
    check_name(&key)?;
    if let Some(existing) = orgs::find(tx.connection(), &key).await? {
        let code =
            if existing.name == org.as_str() { ProblemCode::OrgExists } else { ProblemCode::NameTaken };
        return Err(Failure::new(code, format!("there is an org `{}` already", existing.name)));
    }
    let row = orgs::insert(tx, &key, org.as_str()).await?;
    tx.append(Some(actor), Event::OrgCreated { org: org.to_string() });
    let index = tx.append(
        Some(actor),
        Event::MemberSet { namespace: org.to_string(), user: owner.to_owned(), role: Role::Owner },
    );
    orgs::set_member(tx, org, owner, Role::Owner, index).await?;
    Ok(row)
}
