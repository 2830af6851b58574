//! Keys to sign with, and signatures that rest on them.

use serde::{Deserialize, Serialize};

use super::hidden::{Said, places};
use super::{Found, Monitor, Rule, key_of};
use crate::api::SignatureMark;
use crate::{Role, SkillId};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KeyState {
    pub(super) user: Option<String>,
    pub(super) org: Option<String>,
    /// The last entry about it.
    pub(super) last: u64,
    pub(super) is_revoked: bool,
}

impl Monitor {
    pub(super) fn enrol(
        &mut self,
        index: u64,
        key: &str,
        user: &Option<String>,
        org: &Option<String>,
        found: &mut Found,
    ) {
        if user.is_some() == org.is_some() {
            found.add(Rule::Key, format!("{key} must be a user's, or an org's"));
        }
        let state = KeyState { user: user.clone(), org: org.clone(), last: index, is_revoked: false };
        if self.keys.insert(key.to_owned(), state).is_some() {
            found.add(Rule::Key, format!("{key} was enrolled before"));
        }
    }

    pub(super) fn revoke(&mut self, index: u64, key: &str, found: &mut Found) {
        match self.keys.get_mut(key) {
            Some(state) if !state.is_revoked => (state.is_revoked, state.last) = (true, index),
            Some(_) => found.add(Rule::Key, format!("{key} was revoked before")),
            None => {
                if !self.excuse(self.may_be(None, &Said::Key(key.to_owned()))) {
                    found.add(Rule::Key, format!("{key} was never enrolled"));
                }
                let state = KeyState { user: None, org: None, last: index, is_revoked: true };
                self.keys.insert(key.to_owned(), state);
            }
        }
    }

    /// A signature is judged where it stands: by the state of its key and of its signer's role at that entry.
    pub(super) fn check_signature(
        &mut self,
        index: u64,
        skill: &SkillId,
        mark: &SignatureMark,
        found: &mut Found,
    ) {
        let SignatureMark { key, signer, enrolled, member, .. } = mark;
        match self.keys.get(key) {
            None if self.hidden.contains(enrolled) => {
                self.unjudged += 1;
                self.say(*enrolled, Said::Key(key.clone()), found);
            }
            None => found.add(Rule::Signature, format!("{key} was never enrolled")),
            Some(state) if state.is_revoked => {
                found.add(Rule::Signature, format!("{key} was revoked by entry {}", state.last));
            }
            Some(state) if state.last != *enrolled => {
                let detail = format!("the last entry about {key} is {}, and it names {enrolled}", state.last);
                found.add(Rule::Signature, detail);
            }
            Some(KeyState { user: Some(user), .. }) if user != signer => {
                found.add(
                    Rule::Signature,
                    format!("{key} is the key of `{user}`, and `{signer}` is said to have signed"),
                );
            }
            Some(KeyState { org: Some(org), .. }) if key_of(org).is_none_or(|org| org != skill.org_key()) => {
                found.add(Rule::Signature, format!("{key} is the authority of another org, `{org}`"));
            }
            Some(_) => {}
        }
        if self.disabled.contains(signer) {
            found.add(Rule::Signature, format!("`{signer}` is switched off"));
        }
        let namespace = skill.namespace().key();
        let roles = self.roles_in(&namespace, signer);
        let is_given = roles.iter().any(|(role, given)| *role >= Role::Publisher && given == member);
        let is_late = self.bound(places(&namespace), signer).is_none_or(|bound| *member > bound);
        if !is_given && self.hidden.contains(member) && is_late {
            self.unjudged += 1;
            self.say(*member, Said::role(&namespace, signer), found);
        } else if !is_given || *member >= index {
            let detail =
                format!("entry {member} does not give `{signer}` a role in `{namespace}` that may publish");
            found.add(Rule::Signature, detail);
        }
    }
}
