//! A log that keeps the rules, and ones that break them.

mod approvals;
mod hidden;
mod keys;
mod policies;
mod released;
mod versions;

use super::*;
use crate::Visibility;
use crate::api::SignatureMark;
use crate::approval::{AutoMark, Fact, PublishPolicy};
use crate::entry::Opening;
use crate::sign::author::SignatureKind;
use crate::tlog::{KeyKind, SigningKey};

/// Entries as a registry would append them.
#[derive(Default)]
struct Log {
    monitor: Monitor,
    heads: BTreeMap<String, u64>,
    violations: Vec<Violation>,
}

impl Log {
    fn append(&mut self, actor: &str, event: Event) -> u64 {
        self.append_with(actor, event, |_| ())
    }

    /// As [`Log::append`], with something wrong in it.
    fn append_with(&mut self, actor: &str, event: Event, change: impl FnOnce(&mut Entry)) -> u64 {
        let index = self.monitor.size();
        let mut entry = Entry::new(
            Time::from_micros(1_767_323_045_000_000 + i64::try_from(index).unwrap()),
            (!actor.is_empty()).then(|| actor.to_owned()),
            event.skill().and_then(|skill| self.heads.insert(skill.key(), index)),
            event,
        );
        change(&mut entry);
        let text = entry.to_text().unwrap();
        self.violations.extend(self.monitor.follow(text.as_bytes(), None));
        index
    }

    /// A registry with an admin, an org and a publisher in it.
    fn begun() -> Self {
        let mut log = Self::default();
        log.append("", Event::Genesis);
        log.append("", Event::UserCreated { user: "root".into(), admin: true });
        for user in ["ann", "pub", "eve"] {
            log.append("root", Event::UserCreated { user: user.into(), admin: false });
        }
        log.append("ann", Event::OrgCreated { org: "acme".into() });
        log.append("ann", member("acme", "ann", Role::Owner));
        log.append("ann", member("acme", "pub", Role::Publisher));
        assert_eq!(log.violations, []);
        log
    }

    /// Appends an entry whose leaf is hidden, and which nobody opens.
    fn hide(&mut self, actor: &str, event: Event) -> u64 {
        self.hide_from(actor, event, true)
    }

    fn hide_from(&mut self, actor: &str, event: Event, is_hidden: bool) -> u64 {
        let index = self.monitor.size();
        let entry = Entry::new(
            Time::from_micros(1_767_323_045_000_000 + i64::try_from(index).unwrap()),
            Some(actor.to_owned()),
            event.skill().and_then(|skill| self.heads.insert(skill.key(), index)),
            event,
        );
        let opening = Opening { entry: entry.to_text().unwrap(), salt: Some(Digest::of(b"salt")) };
        let opened = (!is_hidden).then_some(entry);
        self.violations.extend(self.monitor.follow(&opening.leaf().unwrap(), opened));
        index
    }

    #[track_caller]
    fn leaves_unjudged(self, count: u64) {
        assert_eq!((self.violations.as_slice(), self.monitor.unjudged()), (&[][..], count));
    }

    #[track_caller]
    fn breaks(mut self, rule: Rule) {
        assert_eq!(self.violations.len(), 1, "{:?}", self.violations);
        let violation = self.violations.remove(0);
        assert_eq!((violation.rule, violation.index), (rule, self.monitor.size() - 1), "{violation}");
    }
}

fn member(namespace: &str, user: &str, role: Role) -> Event {
    Event::MemberSet { namespace: namespace.into(), user: user.into(), role }
}

fn tool() -> SkillId {
    "acme/tool".parse().unwrap()
}

fn published(version: &str, signatures: Vec<SignatureMark>) -> Event {
    Event::VersionPublished {
        skill: tool(),
        version: version.parse().unwrap(),
        digest: Digest::of(version.as_bytes()),
        size: 1,
        code_hash: Digest::of(b"code"),
        via: None,
        statement: (!signatures.is_empty()).then(|| Digest::of(b"statement")),
        signatures,
        policies: Vec::new(),
        facts: None,
        passed: Vec::new(),
    }
}

fn yanked(version: &str) -> Event {
    Event::VersionYanked { skill: tool(), version: version.parse().unwrap() }
}

fn mark(signer: &str, enrolled: u64, member: u64) -> SignatureMark {
    let (key, kind, sha256) = ("SHA256:k".to_owned(), SignatureKind::SshSig, Digest::of(b"signature"));
    SignatureMark { kind, key, sha256, signer: signer.into(), enrolled, member }
}

fn enrolled(user: &str) -> Event {
    Event::KeyEnrolled { key: "SHA256:k".into(), user: Some(user.into()), org: None }
}

/// The entry that made `pub` a publisher.
const MEMBER: u64 = 7;

#[test]
fn a_right_history_breaks_no_rule() {
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("pub", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.append("root", published("1.1.0", Vec::new()));
    log.append("pub", yanked("1.0.0"));
    log.append("root", Event::VersionQuarantined { skill: tool(), version: "1.1.0".parse().unwrap() });
    log.append("ann", Event::VisibilityChanged { skill: tool(), visibility: Visibility::Internal });
    log.append("eve", Event::SkillRated { skill: tool(), tenths: 50 });
    log.append("eve", Event::SkillStarred { skill: tool() });
    log.append("pub", Event::KeyRevoked { key: "SHA256:k".into() });
    log.append("pub", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    assert_eq!(log.violations, []);
    // What is known is kept and gone on with.
    let text = serde_json::to_string(&log.monitor).unwrap();
    assert_eq!(serde_json::from_str::<Monitor>(&text).unwrap(), log.monitor);
    assert_eq!(log.monitor.counts(), (1, 2, 1));
}

#[test]
fn the_log_is_handed_over_by_the_key_that_it_has() {
    let key = |seed| SigningKey::from_seed("log.example", KeyKind::Ed25519, &[seed; 32]).unwrap();
    let rotated = |from: u8, to: u8, size: u64| {
        let note = Rotation::sign(&key(from), &key(to), size, Digest::of(b"a tree")).unwrap();
        Event::LogKeyRotated { note: note.to_string() }
    };
    let mut log = Log::begun();
    let first = log.append("", rotated(1, 2, 8));
    log.append("", rotated(2, 3, 9));
    assert_eq!((first, log.violations.as_slice()), (8, [].as_slice()));
    assert_eq!(log.monitor.handover().unwrap().to, key(3).verifier().to_string());
    // By one that has handed it over before; what is known is kept and gone on with.
    let text = serde_json::to_string(&log.monitor).unwrap();
    log.monitor = serde_json::from_str(&text).unwrap();
    log.append("", rotated(2, 4, 10));
    log.breaks(Rule::LogKey);
    // At another place, and by no rotation.
    for event in [rotated(1, 2, 7), Event::LogKeyRotated { note: "nonsense".into() }] {
        let mut log = Log::begun();
        log.append("", event);
        log.breaks(Rule::LogKey);
    }
}

#[test]
fn chains_have_no_gap() {
    let mut log = Log::begun();
    log.append("pub", published("1.0.0", Vec::new()));
    log.append_with("pub", published("1.1.0", Vec::new()), |entry| entry.prev = None);
    log.breaks(Rule::Chain);
    let mut log = Log::begun();
    let first = log.append("pub", published("1.0.0", Vec::new()));
    log.append("pub", published("1.1.0", Vec::new()));
    log.append_with("pub", published("1.2.0", Vec::new()), |entry| entry.prev = Some(first));
    log.breaks(Rule::Chain);
    let mut log = Log::begun();
    log.append_with("root", enrolled("root"), |entry| entry.prev = Some(1));
    log.breaks(Rule::Chain);
}

#[test]
fn the_chain_of_a_skill_that_was_hidden_goes_on() {
    let mut log = Log::begun();
    let first = log.append("pub", published("1.0.0", Vec::new()));
    let entry = Entry::new(
        Time::from_micros(1_767_323_046_000_000),
        Some("pub".into()),
        Some(first),
        yanked("1.0.0"),
    );
    let opening = Opening { entry: entry.to_text().unwrap(), salt: Some(Digest::of(b"salt")) };
    let hidden = log.monitor.size();
    let opened = log.monitor.clone().follow(&opening.leaf().unwrap(), Some(entry));
    assert_eq!(opened, []);
    assert_eq!(log.monitor.follow(&opening.leaf().unwrap(), None), []);
    assert_eq!(log.monitor.hidden(), 1);
    log.append_with("pub", published("1.1.0", Vec::new()), |entry| {
        entry.prev = Some(hidden);
        entry.time = entry.time.plus_seconds(10);
    });
    assert_eq!(log.violations, []);
}

#[test]
fn times_do_not_go_back_and_leaves_are_entries() {
    let mut log = Log::begun();
    log.append_with("pub", published("1.0.0", Vec::new()), |entry| entry.time = Time::from_micros(1));
    log.breaks(Rule::Time);
    let mut log = Log::begun();
    log.violations.extend(log.monitor.follow(b"{\"v\": 1}", None));
    log.breaks(Rule::Form);
    let mut log = Log::begun();
    log.append("", Event::Genesis);
    log.breaks(Rule::Genesis);
}

#[test]
fn nobody_acts_without_the_right() {
    let cases: [(&str, Event); 9] = [
        ("eve", published("2.0.0", Vec::new())),
        ("", published("2.0.0", Vec::new())),
        ("eve", yanked("1.0.0")),
        ("pub", Event::VersionQuarantined { skill: tool(), version: "1.0.0".parse().unwrap() }),
        ("pub", Event::VisibilityChanged { skill: tool(), visibility: Visibility::Public }),
        ("eve", member("acme", "eve", Role::Owner)),
        ("pub", member("acme/inner", "pub", Role::Admin)),
        ("eve", Event::MemberRemoved { namespace: "acme".into(), user: "ann".into() }),
        ("ann", Event::UserCreated { user: "mallory".into(), admin: true }),
    ];
    for (actor, event) in cases {
        let mut log = Log::begun();
        log.append("pub", published("1.0.0", Vec::new()));
        log.append(actor, event);
        log.breaks(Rule::Right);
    }
}

#[test]
fn what_is_no_namespace_is_named_by_no_entry() {
    let nowhere = || "a b".to_owned();
    let cases: [(&str, Event); 9] = [
        ("ann", Event::OrgCreated { org: nowhere() }),
        ("ann", policies::trusted(&nowhere())),
        ("ann", Event::PublisherUntrusted { publisher: "pub1".into(), namespace: nowhere() }),
        ("ann", member("a b", "eve", Role::Owner)),
        ("ann", Event::MemberRemoved { namespace: nowhere(), user: "pub".into() }),
        ("pub", Event::MemberRemoved { namespace: nowhere(), user: "pub".into() }),
        ("ann", Event::KeyEnrolled { key: "SHA256:k".into(), user: None, org: Some(nowhere()) }),
        ("ann", Event::PolicyRemoved { namespace: nowhere() }),
        ("ann", Event::GroupRemoved { namespace: nowhere(), group: "security".parse().unwrap() }),
    ];
    for (actor, event) in cases {
        let mut log = Log::begun();
        log.append(actor, event);
        log.breaks(Rule::Form);
    }
}

/// A registry where versions wait for approvals of two reviewers, `rita` and `rob`; with the entries of the policy and of
/// their roles.
fn governed() -> (Log, u64, [u64; 2]) {
    let mut log = Log::begun();
    let roles = ["rita", "rob"].map(|user| {
        log.append("root", Event::UserCreated { user: user.into(), admin: false });
        log.append("ann", member("acme", user, Role::Reviewer))
    });
    let policy = log.append("ann", demanding(2));
    (log, policy, roles)
}

fn demanding(approvals: u32) -> Event {
    Event::PolicySet { namespace: "acme".into(), policy: PublishPolicy { approvals, ..PublishPolicy::LEAST } }
}

fn waiting(policy: u64) -> Event {
    let mut event = published("1.0.0", Vec::new());
    if let Event::VersionPublished { policies, .. } = &mut event {
        policies.push(policy);
    }
    event
}

fn approved(member: u64) -> Event {
    let (version, digest) = ("1.0.0".parse().unwrap(), Digest::of(b"1.0.0"));
    Event::VersionApproved {
        skill: tool(),
        version,
        digest,
        member,
        groups: Vec::new(),
        stages: Vec::new(),
        signature: None,
    }
}

fn rejected(member: u64) -> Event {
    let (version, digest) = ("1.0.0".parse().unwrap(), Digest::of(b"1.0.0"));
    Event::VersionRejected { skill: tool(), version, digest, member, signature: None }
}

fn changes_requested(member: u64) -> Event {
    let (version, digest) = ("1.0.0".parse().unwrap(), Digest::of(b"1.0.0"));
    Event::VersionChangesRequested { skill: tool(), version, digest, member, signature: None }
}

fn released(policies: &[u64], approvals: &[u64]) -> Event {
    let (policies, approvals) = (policies.to_vec(), approvals.to_vec());
    Event::VersionReleased { skill: tool(), version: "1.0.0".parse().unwrap(), policies, approvals }
}

const NEW: [Fact; 2] = [Fact::FirstVersion, Fact::Public];

fn set(change: impl FnOnce(&mut PublishPolicy)) -> Event {
    let mut policy = PublishPolicy::LEAST;
    change(&mut policy);
    Event::PolicySet { namespace: "acme".into(), policy }
}

fn group(users: &[&str]) -> Event {
    let users = users.iter().map(|user| (*user).to_owned()).collect();
    Event::GroupSet { namespace: "acme".into(), group: "security".parse().unwrap(), users }
}

/// A version with these facts, which waits for these policies and is let pass by those.
fn version(version: &str, told: &[Fact], waits_for: &[u64], lets_pass: &[AutoMark]) -> Event {
    let mut event = published(version, Vec::new());
    if let Event::VersionPublished { policies, facts, passed, .. } = &mut event {
        (*policies, *passed) = (waits_for.to_vec(), lets_pass.to_vec());
        *facts = Some(told.to_vec());
    }
    event
}

#[test]
fn entries_of_kinds_that_are_not_known_are_in_the_chain_of_their_skill() {
    let unknown = |log: &mut Log, prev: Option<u64>, skill: &str| {
        let index = log.monitor.size();
        let time = Time::from_micros(1_767_323_045_000_000 + i64::try_from(index).unwrap());
        let prev = prev.map(|prev| format!(r#""prev":{prev},"#)).unwrap_or_default();
        let skill = if skill.is_empty() { String::new() } else { format!(r#""skill":"{skill}","#) };
        let text = format!(r#"{{"actor":"pub","kind":"version.zapped",{prev}{skill}"time":"{time}","v":1}}"#);
        log.violations.extend(log.monitor.follow(text.as_bytes(), None));
        index
    };
    let mut log = Log::begun();
    let first = log.append("pub", published("1.0.0", Vec::new()));
    let zapped = unknown(&mut log, Some(first), "acme/tool");
    log.append_with("pub", yanked("1.0.0"), |entry| entry.prev = Some(zapped));
    assert_eq!((log.violations.as_slice(), log.monitor.hidden()), (&[][..], 0));
    // One that passes over another, and one that names none it is about, are seen.
    unknown(&mut log, Some(first), "acme/tool");
    log.breaks(Rule::Chain);
    let mut log = Log::begun();
    let first = log.append("pub", published("1.0.0", Vec::new()));
    unknown(&mut log, Some(first), "");
    log.breaks(Rule::Chain);
}
