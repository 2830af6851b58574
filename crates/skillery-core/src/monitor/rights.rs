//! Who may do what, by the roles that entries have given.

use super::hidden::places;
use super::{Found, Monitor, Rule};
use crate::Role;
use crate::id::key_contains;

impl Monitor {
    pub(super) fn roles_in(&self, namespace: &str, user: &str) -> Vec<(Role, u64)> {
        places(namespace).filter_map(|place| self.roles.get(place)?.get(user).copied()).collect()
    }

    pub(super) fn must_be_admin(&self, actor: Option<&str>, found: &mut Found) {
        // What the registry does by itself, at its start, has no actor.
        if let Some(user) = actor.filter(|user| !self.admins.contains(*user)) {
            found.add(Rule::Right, format!("`{user}` is no admin of the registry"));
        }
    }

    pub(super) fn must_have(&mut self, actor: Option<&str>, namespace: &str, role: Role, found: &mut Found) {
        let Some(user) = actor else {
            found.add(Rule::Right, "nobody is said to have done it".to_owned());
            return;
        };
        if self.disabled.contains(user) {
            found.add(Rule::Right, format!("`{user}` is switched off"));
            return;
        }
        let held = self.roles_in(namespace, user).into_iter().any(|(held, _)| held >= role);
        if !held && !self.admins.contains(user) && !self.excuse(self.may_have_role(namespace, user)) {
            found.add(Rule::Right, format!("`{user}` is no {role} of `{namespace}`"));
        }
    }

    /// Roles are given and taken by admins; the first owner of an org makes itself one.
    pub(super) fn check_member(&mut self, actor: Option<&str>, place: &str, user: &str, found: &mut Found) {
        let org = place.split('/').next().unwrap_or(place);
        let below = self.roles.range(org.to_owned()..).take_while(|(known, _)| known.starts_with(org));
        let is_first =
            !below.into_iter().any(|(known, members)| key_contains(org, known) && !members.is_empty());
        if !(is_first && actor.is_some() && place == org) || user.is_empty() {
            self.must_have(actor, place, Role::Admin, found);
        }
    }
}
