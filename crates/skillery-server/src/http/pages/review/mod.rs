//! Pages of review: what changed, what was found, what is demanded, what is said, and deciding.
//!
//! All of it is what the API tells and does. A page shows as much of a diff as it has room for, and says where the rest is:
//! nothing that a reviewer should see is left out silently.

mod act;
mod asked;
mod changes;
mod compare;
mod findings;
mod lines;
mod show;
mod standing;
mod talking;
mod thread;

use skillery_core::{Role, Scope, SkillId};

use crate::access::Caller;
pub use act::change;
pub use compare::{ByRoom, DIFF, Shows, show as diff};
pub use findings::{Counts, FINDINGS, counts, show as findings};
pub use show::{REVIEW, show};
pub use standing::{few, needs};

/// Whether the review of a version by this publisher is for the caller: reviewers of the namespace, and whoever published it
/// and is a member still.
pub fn may_review(caller: &Caller, id: &SkillId, publisher: &str) -> bool {
    let namespace = id.namespace();
    let has = |role| caller.require_role(Scope::Read, role, &namespace).is_ok();
    has(Role::Reviewer) || (has(Role::Reader) && is_by(caller, publisher))
}

/// Whether the viewer may say what changed with a version by this publisher, where nobody has said it: who published it, and admins of
/// the namespace.
pub fn may_tell(caller: &Caller, id: &SkillId, publisher: &str) -> bool {
    let namespace = id.namespace();
    let has = |role| caller.require_role(Scope::Publish, role, &namespace).is_ok();
    has(Role::Admin) || (has(Role::Publisher) && is_by(caller, publisher))
}

fn is_by(caller: &Caller, publisher: &str) -> bool {
    caller.identity().is_some_and(|identity| identity.user.name == publisher)
}
