//! Which calls need a grant. A skill that calls one that may do no more than itself gains nothing by it; one that may do more
//! lends it what it has, so that is for the policy to allow.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use skillery_core::id::LOCAL_NAMESPACE;
use skillery_core::script::Permissions;

use crate::permissions::{Settled, missing, settle};
use crate::policy::{DEFAULT_MEMORY, Grants};
use crate::skill::{SkillCode, SkillReference, SkillSource};

/// Skills that are looked at. A run has fewer.
const MOST: usize = 1_000;

/// Whether the caller needs a grant to call the other one, and lacks it.
pub(crate) fn lacks_grant(caller: (&str, &Grants), called: (&str, &Grants)) -> bool {
    gains(caller, called.1) && !is_granted(caller.1, called.0)
}

/// Whether what is called may do what the caller may not.
fn gains((id, caller): (&str, &Grants), called: &Grants) -> bool {
    let has = Permissions {
        read: called.read.clone(),
        write: called.write.clone(),
        hosts: called.hosts.clone(),
        environment: called.environment.clone(),
        subprocess: called.subprocess,
        memory_bytes: Some(called.memory_bytes).filter(|bytes| *bytes > DEFAULT_MEMORY),
        ..Permissions::default()
    };
    // What it may call in turn counts too, but for the caller itself.
    missing(&has, caller) != Permissions::default()
        || called.skills.iter().any(|skill| whole(skill) != whole(id) && !is_granted(caller, skill))
}

/// Whether the skill is among those that may be called: itself, or a namespace above it.
fn is_granted(grants: &Grants, id: &str) -> bool {
    let id = whole(id);
    let names =
        |granted: &str| id.strip_prefix(granted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    grants.skills.iter().any(|granted| names(granted) || id == whole(granted))
}

/// The id of a skill that only this machine knows may be written without its namespace.
fn whole(id: &str) -> Cow<'_, str> {
    if id.contains('/') { id.into() } else { format!("{LOCAL_NAMESPACE}/{id}").into() }
}

/// Compares what these skills, and all that they call, ask for with what they are granted, calls among it: each as it would be
/// if it had what it asks for. What is not there or cannot be read is left out; a run tells why.
pub fn settle_all(
    named: &[SkillReference],
    find: &dyn Fn(&SkillReference) -> Option<SkillSource>,
) -> Vec<(SkillSource, Settled)> {
    let mut found: Vec<(SkillSource, Settled)> = Vec::new();
    let mut calls: Vec<(usize, usize)> = Vec::new();
    let mut known: HashMap<String, Option<usize>> = HashMap::new();
    let mut waiting: VecDeque<(Option<usize>, String)> =
        named.iter().map(|reference| (None, reference.to_string())).collect();
    while let Some((caller, written)) = waiting.pop_front() {
        let position = *known.entry(written.clone()).or_insert_with(|| {
            let source = find(&written.parse().ok()?)?;
            let is_it =
                |other: &(SkillSource, _)| other.0.id == source.id && other.0.version == source.version;
            if let Some(position) = found.iter().position(is_it) {
                return Some(position);
            }
            let SkillCode::Text(code) = &source.code else { return None };
            let settled = settle(code, &source.grants).ok().filter(|_| found.len() < MOST)?;
            waiting.extend(settled.skills.iter().map(|skill| (Some(found.len()), skill.clone())));
            found.push((source, settled));
            Some(found.len() - 1)
        });
        calls.extend(caller.zip(position));
    }
    let mut would_have: Vec<Grants> =
        found.iter().map(|(_, settled)| settled.grants.with(&settled.missing)).collect();
    // Who may call more is more to call, so this goes on until nothing changes.
    let mut is_done = false;
    while !is_done {
        is_done = true;
        for (caller, called) in &calls {
            let (id, other) = (found[*caller].0.id.clone(), found[*called].0.id.clone());
            if lacks_grant((&id, &would_have[*caller]), (&other, &would_have[*called])) {
                found[*caller].1.missing.skills.push(other.clone());
                would_have[*caller].skills.push(other);
                is_done = false;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_gains_by_a_call_needs_a_grant() {
        let granted = |skills: &[&str]| Grants {
            skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
            ..Grants::default()
        };
        let hosts = Grants { hosts: vec!["a:1".into()], ..Grants::default() };
        let lacks = |caller: &Grants, called: &Grants| lacks_grant(("acme/x", caller), ("acme/y/z", called));
        let bare = Grants::default();
        assert!(!lacks(&bare, &bare));
        assert!(!lacks(&hosts, &hosts));
        assert!(lacks(&bare, &hosts));
        for skills in [&["acme/y/z"][..], &["acme/y"], &["acme"], &["other/x", "acme/y"]] {
            assert!(!lacks(&granted(skills), &hosts), "{skills:?}");
        }
        for skills in [&["acme/y/zz"][..], &["acme/y/z/more"], &["ac"], &["other"]] {
            assert!(lacks(&granted(skills), &hosts), "{skills:?}");
        }
        // Those that may call what may do more may do more, but for calling the caller.
        assert!(lacks(&bare, &granted(&["acme/w"])));
        assert!(!lacks(&bare, &granted(&["acme/x"])));
        for (written, id) in [("y", "local/y"), ("local/y", "y"), ("local", "y"), ("y", "y")] {
            assert!(!lacks_grant(("x", &granted(&[written])), (id, &hosts)), "{written} {id}");
        }
        assert!(lacks_grant(("x", &granted(&["y"])), ("acme/y", &hosts)));
        let subprocess = Grants { subprocess: true, ..Grants::default() };
        let memory = Grants { memory_bytes: DEFAULT_MEMORY + 1, ..Grants::default() };
        assert!(lacks(&bare, &subprocess) && lacks(&bare, &memory));
    }
}
