use super::*;
use crate::Visibility;
use crate::approval::PublishPolicy;
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
fn a_version_has_one_digest_for_ever() {
    let mut log = Log::begun();
    log.append("pub", published("1.0.0", Vec::new()));
    log.append("pub", published("1.0.0", Vec::new()));
    log.breaks(Rule::Digest);
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
fn a_signature_is_judged_where_it_stands() {
    // A key that was never enrolled, one of somebody else, one that was revoked, an entry that is not the last one.
    let mut log = Log::begun();
    log.append("pub", published("1.0.0", vec![mark("pub", 3, MEMBER)]));
    log.breaks(Rule::Signature);
    let mut log = Log::begun();
    let key = log.append("eve", enrolled("eve"));
    log.append("pub", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.breaks(Rule::Signature);
    // Of somebody who is switched off.
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("root", Event::UserDisabled { user: "pub".into(), disabled: true });
    log.append("ann", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.breaks(Rule::Signature);
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("pub", Event::KeyRevoked { key: "SHA256:k".into() });
    log.append("pub", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.breaks(Rule::Signature);
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("pub", published("1.0.0", vec![mark("pub", key - 1, MEMBER)]));
    log.breaks(Rule::Signature);
    // Somebody who has left, and a role that was another one then.
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    log.append("ann", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.breaks(Rule::Signature);
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    let reader = log.append("ann", member("acme", "pub", Role::Reader));
    log.append("ann", published("1.0.0", vec![mark("pub", key, reader)]));
    log.breaks(Rule::Signature);
    // Afterwards, and without a statement.
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("ann", published("1.0.0", Vec::new()));
    let signed = |enrolled| Event::VersionSigned {
        skill: tool(),
        version: "1.0.0".parse().unwrap(),
        statement: Digest::of(b"statement"),
        signature: mark("pub", enrolled, MEMBER),
    };
    log.append("pub", signed(key));
    assert_eq!(log.violations, []);
    log.append("pub", signed(key + 1));
    log.breaks(Rule::Signature);
}

#[test]
fn keys_are_enrolled_once_and_revoked_after_that() {
    let mut log = Log::begun();
    log.append("pub", enrolled("pub"));
    log.append("eve", enrolled("eve"));
    log.breaks(Rule::Key);
    let mut log = Log::begun();
    log.append("pub", Event::KeyRevoked { key: "SHA256:k".into() });
    log.breaks(Rule::Key);
    let mut log = Log::begun();
    log.append("pub", Event::KeyEnrolled { key: "SHA256:k".into(), user: None, org: None });
    log.breaks(Rule::Key);
}

#[test]
fn what_was_never_published_is_not_yanked() {
    let mut log = Log::begun();
    log.append("pub", yanked("1.0.0"));
    log.breaks(Rule::Status);
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
    Event::PolicySet {
        namespace: "acme".into(),
        policy: PublishPolicy { approvals, role: Role::Reviewer, signed: false },
    }
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
    Event::VersionApproved { skill: tool(), version, digest, member }
}

fn rejected(member: u64) -> Event {
    let (version, digest) = ("1.0.0".parse().unwrap(), Digest::of(b"1.0.0"));
    Event::VersionRejected { skill: tool(), version, digest, member }
}

fn changes_requested(member: u64) -> Event {
    let (version, digest) = ("1.0.0".parse().unwrap(), Digest::of(b"1.0.0"));
    Event::VersionChangesRequested { skill: tool(), version, digest, member }
}

fn released(policies: &[u64], approvals: &[u64]) -> Event {
    let (policies, approvals) = (policies.to_vec(), approvals.to_vec());
    Event::VersionReleased { skill: tool(), version: "1.0.0".parse().unwrap(), policies, approvals }
}

#[test]
fn what_waits_is_released_by_those_who_may() {
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    let first = log.append("rita", approved(rita));
    let second = log.append("rob", approved(rob));
    log.append("rob", released(&[policy], &[first, second]));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 0));
    // What is released waits no more; it may be approved still, and is taken back and given again by admins.
    log.append("rita", approved(rita));
    log.append("root", Event::VersionQuarantined { skill: tool(), version: "1.0.0".parse().unwrap() });
    log.append("root", released(&[], &[]));
    assert_eq!(log.violations, []);
    log.append("rob", released(&[policy], &[first, second]));
    log.breaks(Rule::Status);
}

#[test]
fn who_asks_for_changes_approves_no_more() {
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    let first = log.append("rita", approved(rita));
    log.append("rita", changes_requested(rita));
    let second = log.append("rob", approved(rob));
    assert_eq!(log.violations, []);
    log.append("rob", released(&[policy], &[first, second]));
    assert!(!log.violations.is_empty() && log.violations.iter().all(|found| found.rule == Rule::Approval));
    // Their own later approval takes the place of it.
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    log.append("rita", changes_requested(rita));
    let approvals = [log.append("rita", approved(rita)), log.append("rob", approved(rob))];
    log.append("rob", released(&[policy], &approvals));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 0));
    // Of what does not wait, and by who is no reviewer, none are asked for.
    log.append("rita", changes_requested(rita));
    log.breaks(Rule::Status);
    let (mut log, policy, [rita, _]) = governed();
    log.append("pub", waiting(policy));
    log.append("pub", changes_requested(rita));
    log.breaks(Rule::Right);
}

#[test]
fn policies_are_not_passed_over() {
    // A version that should wait, one that waits for another policy, one whose policy is gone.
    let (mut log, ..) = governed();
    log.append("pub", published("1.0.0", Vec::new()));
    log.breaks(Rule::Approval);
    let (mut log, policy, _) = governed();
    log.append("ann", demanding(3));
    log.append("pub", waiting(policy));
    assert_eq!(log.violations.len(), 2, "{:?}", log.violations);
    log.violations.clear();
    log.append("pub", published("1.1.0", Vec::new()));
    log.breaks(Rule::Approval);
    let (mut log, policy, _) = governed();
    log.append("ann", Event::PolicyRemoved { namespace: "acme".into() });
    log.append("pub", waiting(policy));
    log.breaks(Rule::Approval);
    // Those of a namespace above hold below.
    let (mut log, ..) = governed();
    let mut below = published("1.0.0", Vec::new());
    if let Event::VersionPublished { skill, .. } = &mut below {
        *skill = "acme/team/tool".parse().unwrap();
    }
    log.append("pub", below);
    log.breaks(Rule::Approval);
    // Who sets them is an admin, and what they demand is possible.
    let (mut log, ..) = governed();
    log.append("pub", demanding(1));
    log.breaks(Rule::Right);
    let (mut log, ..) = governed();
    log.append("ann", demanding(0));
    log.breaks(Rule::Form);
    let mut log = Log::begun();
    log.append("ann", Event::PolicyRemoved { namespace: "acme".into() });
    log.breaks(Rule::Approval);
}

#[test]
fn too_few_approvals_release_nothing() {
    type Release = fn(&mut Log, u64, [u64; 2]) -> Vec<u64>;
    let cases: [(&str, Release); 6] = [
        ("one", |log, _, [rita, _]| vec![log.append("rita", approved(rita))]),
        ("one person twice", |log, _, [rita, _]| {
            vec![log.append("rita", approved(rita)), log.append("rita", approved(rita))]
        }),
        ("the same entry twice", |log, _, [rita, _]| {
            let entry = log.append("rita", approved(rita));
            vec![entry, entry]
        }),
        ("of somebody who has left", |log, _, [rita, rob]| {
            let both = vec![log.append("rita", approved(rita)), log.append("rob", approved(rob))];
            log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "rob".into() });
            both
        }),
        ("of somebody who is switched off", |log, _, [rita, rob]| {
            let both = vec![log.append("rita", approved(rita)), log.append("rob", approved(rob))];
            log.append("root", Event::UserDisabled { user: "rob".into(), disabled: true });
            both
        }),
        ("too few for a policy that came later", |log, policy, [rita, rob]| {
            let both = vec![log.append("rita", approved(rita)), log.append("rob", approved(rob))];
            log.append("ann", Event::PolicyRemoved { namespace: "acme".into() });
            assert_eq!(log.append("ann", demanding(3)), policy + 5);
            both
        }),
    ];
    for (name, prepare) in cases {
        let (mut log, policy, roles) = governed();
        log.append("pub", waiting(policy));
        let approvals = prepare(&mut log, policy, roles);
        let in_force = if name.contains("later") { policy + 5 } else { policy };
        assert_eq!(log.violations, [], "{name}");
        log.append("rita", released(&[in_force], &approvals));
        log.breaks(Rule::Approval);
    }
}

#[test]
fn nobody_decides_who_may_not() {
    // What is one's own: published, or signed.
    let (mut log, policy, _) = governed();
    let own = log.append("ann", member("acme", "pub", Role::Admin));
    log.append("pub", waiting(policy));
    log.append("pub", approved(own));
    log.breaks(Rule::Approval);
    // By the role of another, by one that is no reviewer's, by an entry that is not the last one about it.
    let (mut log, policy, [rita, _]) = governed();
    log.append("pub", waiting(policy));
    log.append("rob", approved(rita));
    log.breaks(Rule::Right);
    let (mut log, policy, _) = governed();
    let publisher = log.append("ann", member("acme", "eve", Role::Publisher));
    log.append("pub", waiting(policy));
    log.append("eve", approved(publisher));
    log.breaks(Rule::Right);
    let (mut log, policy, [rita, _]) = governed();
    log.append("ann", member("acme", "rita", Role::Admin));
    log.append("pub", waiting(policy));
    log.append("rita", approved(rita));
    log.breaks(Rule::Right);
    // Another bundle, and none at all.
    let (mut log, policy, [rita, _]) = governed();
    log.append("pub", waiting(policy));
    let other = Event::VersionApproved {
        skill: tool(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(b"other"),
        member: rita,
    };
    log.append("rita", other);
    log.breaks(Rule::Approval);
    let (mut log, _, [rita, _]) = governed();
    log.append("rita", approved(rita));
    log.breaks(Rule::Status);
}

#[test]
fn what_is_rejected_is_never_released() {
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    let first = log.append("rita", approved(rita));
    log.append("rob", rejected(rob));
    assert_eq!(log.violations, []);
    log.append("rita", released(&[policy], &[first]));
    log.breaks(Rule::Status);
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    log.append("rob", rejected(rob));
    log.append("rita", rejected(rita));
    log.breaks(Rule::Status);
}

#[test]
fn what_waits_or_was_rejected_becomes_nothing_by_detours() {
    let quarantined = || Event::VersionQuarantined { skill: tool(), version: "1.0.0".parse().unwrap() };
    let unyanked = || Event::VersionUnyanked { skill: tool(), version: "1.0.0".parse().unwrap() };
    for detour in [yanked("1.0.0"), unyanked(), quarantined(), released(&[], &[])] {
        let (mut log, policy, _) = governed();
        log.append("ann", member("acme", "root", Role::Admin));
        log.append("pub", waiting(policy));
        log.append("root", detour.clone());
        log.breaks(Rule::Status);
        let (mut log, policy, [rita, _]) = governed();
        log.append("ann", member("acme", "root", Role::Admin));
        log.append("pub", waiting(policy));
        log.append("rita", rejected(rita));
        log.append("root", detour);
        log.breaks(Rule::Status);
    }
    // Nor of what is handed out already is something approved that is one's own.
    let mut log = Log::begun();
    let owner = log.append("ann", member("acme", "ann", Role::Owner));
    log.append("ann", published("1.0.0", Vec::new()));
    log.append("ann", approved(owner));
    log.breaks(Rule::Approval);
}

#[test]
fn a_role_counts_that_was_held_when_approving_and_is_held_still() {
    let (mut log, _, [rita, _]) = governed();
    let policy = log.append(
        "ann",
        Event::PolicySet {
            namespace: "acme".into(),
            policy: PublishPolicy { approvals: 1, role: Role::Admin, signed: false },
        },
    );
    log.append("pub", waiting(policy));
    let early = log.append("rita", approved(rita));
    let admin = log.append("ann", member("acme", "rita", Role::Admin));
    assert_eq!(log.violations, []);
    let before = log.monitor.clone();
    log.append("rita", released(&[policy], &[early]));
    assert_eq!(log.violations.len(), 1, "{:?}", log.violations);
    (log.monitor, log.violations) = (before, Vec::new());
    log.heads.insert(tool().key(), early);
    let again = log.append("rita", approved(admin));
    log.append("rita", released(&[policy], &[again]));
    assert_eq!(log.violations, []);
}

#[test]
fn what_is_hidden_excuses_what_it_may_explain() {
    // The approval of somebody is an entry that nobody opened.
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    let first = log.append("rita", approved(rita));
    let entry =
        Entry::new(Time::from_micros(1_767_323_046_000_000), Some("rob".into()), Some(first), approved(rob));
    let opening = Opening { entry: entry.to_text().unwrap(), salt: Some(Digest::of(b"salt")) };
    let hidden = log.monitor.size();
    assert_eq!(log.monitor.follow(&opening.leaf().unwrap(), None), []);
    log.append_with("rob", released(&[policy], &[first, hidden]), |entry| {
        entry.prev = Some(hidden);
        entry.time = entry.time.plus_seconds(10);
    });
    assert_eq!(log.violations, []);
    assert!(log.monitor.unjudged() > 0);
}

/// An org that is there before somebody gets something hidden, which might be a role in it.
fn with_secret() -> Log {
    let mut log = Log::begun();
    log.hide("root", Event::OrgCreated { org: "secret".into() });
    log
}

#[test]
fn whoever_opens_everything_has_nothing_unjudged() {
    let mut log = Log::default();
    let open = |log: &mut Log, actor: &str, event: Event| log.hide_from(actor, event, false);
    log.append("", Event::Genesis);
    log.append("", Event::UserCreated { user: "root".into(), admin: true });
    for user in ["ann", "pub", "eve"] {
        log.append("root", Event::UserCreated { user: user.into(), admin: false });
    }
    open(&mut log, "ann", Event::OrgCreated { org: "acme".into() });
    open(&mut log, "ann", member("acme", "ann", Role::Owner));
    open(&mut log, "ann", member("acme", "pub", Role::Publisher));
    open(
        &mut log,
        "ann",
        Event::KeyEnrolled { key: "SHA256:k".into(), user: None, org: Some("acme".into()) },
    );
    open(&mut log, "pub", published("1.0.0", vec![mark("pub", 8, MEMBER)]));
    open(&mut log, "ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged(), log.monitor.hidden()), (&[][..], 0, 0));
    // And excuses nothing.
    open(&mut log, "pub", published("1.1.0", Vec::new()));
    assert_eq!(log.monitor.unjudged(), 0);
    log.breaks(Rule::Right);
}

#[test]
fn a_hidden_entry_excuses_what_it_may_give_and_nothing_else() {
    // It may be her role.
    let mut log = with_secret();
    log.append("eve", published("1.0.0", Vec::new()));
    log.leaves_unjudged(1);
    // It came before her, and before the org.
    let mut log = with_secret();
    log.append("root", Event::UserCreated { user: "late".into(), admin: false });
    log.append("late", published("1.0.0", Vec::new()));
    log.breaks(Rule::Right);
    let mut log = with_secret();
    log.append("ann", Event::OrgCreated { org: "other".into() });
    log.append("ann", member("other", "ann", Role::Owner));
    log.append("eve", member("other", "eve", Role::Owner));
    log.breaks(Rule::Right);
    // It came before her role was taken, or given as less. In a namespace below it may be another role.
    for (place, is_excused) in [("acme", false), ("acme/inner", true)] {
        let mut log = with_secret();
        log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
        let skill: SkillId = format!("{place}/tool").parse().unwrap();
        let mut event = published("1.0.0", Vec::new());
        if let Event::VersionPublished { skill: there, .. } = &mut event {
            *there = skill;
        }
        log.append("pub", event);
        match is_excused {
            true => log.leaves_unjudged(1),
            false => log.breaks(Rule::Right),
        }
    }
    let mut log = with_secret();
    log.append("ann", member("acme", "pub", Role::Reader));
    log.append("pub", published("1.0.0", Vec::new()));
    log.breaks(Rule::Right);
    let mut log = with_secret();
    log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    log.breaks(Rule::Right);
    // It is about a skill: the next entry about that says so.
    let mut log = Log::begun();
    log.hide("pub", published("1.0.0", Vec::new()));
    log.append("pub", yanked("1.0.0"));
    log.append("eve", yanked("1.0.0"));
    assert_eq!(log.monitor.unjudged(), 2, "both may be of a version that was published where it is hidden");
    log.breaks(Rule::Right);
    // It is the role of somebody else: a signature says so.
    let mut log = Log::begun();
    let key = log.append("eve", enrolled("eve"));
    let role = log.hide("ann", member("acme", "eve", Role::Publisher));
    log.append("ann", published("1.0.0", vec![mark("eve", key, role)]));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 1));
    log.append("eve", published("1.1.0", Vec::new()));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 2));
    log.append("root", Event::UserCreated { user: "joe".into(), admin: false });
    log.append("joe", published("1.2.0", Vec::new()));
    log.breaks(Rule::Right);
}

#[test]
fn a_hidden_entry_is_one_thing() {
    // A role cannot be two people's, nor an entry about a skill.
    let mut log = Log::begun();
    let hers = log.append("eve", enrolled("eve"));
    let role = log.hide("ann", member("acme", "eve", Role::Publisher));
    log.append("ann", published("1.0.0", vec![mark("eve", hers, role)]));
    let SignatureMark { kind, sha256, .. } = mark("pub", 0, 0);
    log.append("root", Event::KeyEnrolled { key: "SHA256:r".into(), user: Some("root".into()), org: None });
    let at = log.monitor.size() - 1;
    let of_root = SignatureMark {
        kind,
        sha256,
        key: "SHA256:r".into(),
        signer: "root".into(),
        enrolled: at,
        member: role,
    };
    log.append("ann", published("1.1.0", vec![of_root]));
    log.breaks(Rule::Form);
    // One that is named as a role and came before the role was taken.
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    let role = log.hide("ann", member("acme", "pub", Role::Publisher));
    log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    log.append("ann", published("1.0.0", vec![mark("pub", key, role)]));
    log.breaks(Rule::Signature);
}

#[test]
fn a_skill_without_a_gap_has_nothing_hidden() {
    let mut log = with_secret();
    log.append("pub", published("1.0.0", Vec::new()));
    log.append("pub", yanked("2.0.0"));
    log.breaks(Rule::Status);
    let mut log = Log::begun();
    log.hide("pub", published("2.0.0", Vec::new()));
    log.append("pub", yanked("2.0.0"));
    let text = serde_json::to_string(&log.monitor).unwrap();
    assert_eq!(serde_json::from_str::<Monitor>(&text).unwrap(), log.monitor);
    log.leaves_unjudged(1);
}

#[test]
fn a_policy_is_passed_over_only_where_its_end_may_be_hidden() {
    let policy = Event::PolicySet { namespace: "acme".into(), policy: crate::PublishPolicy::LEAST };
    let mut log = with_secret();
    log.append("ann", policy.clone());
    log.append("pub", published("1.0.0", Vec::new()));
    log.breaks(Rule::Approval);
    let mut log = Log::begun();
    log.append("ann", policy);
    log.hide("ann", Event::PolicyRemoved { namespace: "acme".into() });
    log.append("pub", published("1.0.0", Vec::new()));
    log.leaves_unjudged(1);
}

#[test]
fn what_is_not_signed_is_not_published_where_that_is_demanded() {
    let policy = Event::PolicySet {
        namespace: "acme".into(),
        policy: PublishPolicy { approvals: 0, role: Role::Reviewer, signed: true },
    };
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("pub", published("0.9.0", Vec::new()));
    log.append("ann", policy.clone());
    log.append("pub", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    assert_eq!(log.violations, []);
    log.append("pub", published("1.1.0", Vec::new()));
    log.breaks(Rule::Signature);
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
