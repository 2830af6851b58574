//! Whom an entry of the log concerns.

use std::collections::{BTreeSet, HashSet};

use skillery_core::event::{Event, LogEntry, OfComment};
use skillery_core::lint::Level;
use skillery_core::{Namespace, NotificationDetail, NotificationKind, Version, VersionStatus};

use crate::counters::day_of;
use crate::db::Db;
use crate::db::comments::{self, CommentRow};
use crate::db::notifications::NewNotification;
use crate::db::told::{self, Group, REVIEWERS};
use crate::db::{accounts, answers, keys, places_of, versions, webhooks};
use crate::failure::Result;

/// Who manages a namespace.
pub const ADMINS: &[&str] = &["admin", "owner"];

/// What is found at or above this level is told of.
const WORTH_TELLING: Level = Level::Warning;

/// Some who are told of something.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What they are told.
    pub notification: NewNotification,
    /// Who they are.
    pub groups: Vec<Group>,
    /// But for these: who did it, and who is told by another rule.
    pub skip: Vec<String>,
    /// The status that the version must have still for it to be told.
    pub status: Option<VersionStatus>,
    /// The namespace, or that of the skill.
    pub namespace: Option<Namespace>,
}

impl Rule {
    fn new(entry: &LogEntry, kind: NotificationKind, groups: Vec<Group>) -> Self {
        let skill = entry.event.skill();
        let namespace = skill.map(skillery_core::SkillId::namespace);
        Self {
            notification: NewNotification {
                kind,
                source: format!("log:{}", entry.index),
                detail: None,
                skill: skill.map(skillery_core::SkillId::key),
                version: entry.event.version().map(ToString::to_string),
                namespace: namespace.as_ref().map(Namespace::key),
                object: None,
                actor: entry.actor.clone(),
                log_index: Some(entry.index),
                at: entry.time,
            },
            groups,
            skip: entry.actor.iter().cloned().collect(),
            status: None,
            namespace,
        }
    }

    fn detail(mut self, detail: NotificationDetail) -> Self {
        self.notification.detail = Some(detail);
        self
    }

    fn object(mut self, object: impl ToString) -> Self {
        self.notification.object = Some(object.to_string());
        self
    }

    fn within(mut self, namespace: &str) -> Self {
        self.namespace = namespace.parse().ok();
        self.notification.namespace = self.namespace.as_ref().map(Namespace::key);
        self
    }

    fn only_while(mut self, status: VersionStatus) -> Self {
        self.status = Some(status);
        self
    }
}

/// The numbers of those of these entries that concern nobody: versions of skills that nobody follows, which most are. Found out
/// for all entries at once, as one that is looked at alone takes a handful of questions to the database.
///
/// Who follows a skill, or adds a webhook, after this look did so after the version was published; but for a download in the moment
/// before, which is counted a little later.
pub async fn without_concern(db: &Db, entries: &[LogEntry]) -> Result<HashSet<i64>> {
    let mut asked = Vec::new();
    for entry in entries {
        if let Event::VersionPublished { skill, version, policies, .. } = &entry.event
            && policies.is_empty()
        {
            asked.push((entry.index, places_of(&skill.namespace())?, (skill.key(), version.to_string())));
        }
    }
    let places: BTreeSet<String> = asked.iter().flat_map(|(_, places, _)| places.clone()).collect();
    let hooked = webhooks::namespaces_with_some(db, &Vec::from_iter(places)).await?;
    asked.retain(|(_, places, _)| !places.iter().any(|place| hooked.contains(place)));
    let versions: Vec<_> = asked.iter().map(|(_, _, version)| version.clone()).collect();
    let of_interest = told::of_interest(db, &versions, WORTH_TELLING).await?;
    let quiet = asked.into_iter().filter(|(_, _, version)| !of_interest.contains(version));
    Ok(quiet.map(|(index, ..)| index).collect())
}

/// Whom this entry concerns. Kinds that are not known here concern nobody.
pub async fn of(db: &Db, entry: &LogEntry) -> Result<Vec<Rule>> {
    let access = |groups| Rule::new(entry, NotificationKind::AccessChanged, groups);
    let me = |user: &String| vec![Group::User(user.clone())];
    Ok(match &entry.event {
        Event::VersionPublished { policies, .. } if policies.is_empty() => {
            let groups = vec![Group::Published(None), Group::Roles(REVIEWERS)];
            let rule = found(db, entry, groups).await?.map(|rule| rule.only_while(VersionStatus::Published));
            [published(entry)].into_iter().chain(rule).collect()
        }
        Event::VersionPublished { version, .. } => {
            // Its reviewers see what is found where they decide.
            let author = vec![Group::Published(Some(version.to_string()))];
            [asked(entry)].into_iter().chain(found(db, entry, author).await?).collect()
        }
        Event::VersionHeld { .. } => {
            let mut rule = asked(entry);
            // Who made it wait is not who published it.
            rule.notification.actor = None;
            vec![rule]
        }
        Event::VersionForced { version, .. } => {
            let groups = vec![Group::Published(Some(version.to_string())), Group::Roles(ADMINS)];
            vec![Rule::new(entry, NotificationKind::VersionForced, groups), published(entry)]
        }
        Event::VersionDue { version, .. } => {
            let asked = Rule::new(entry, NotificationKind::ApprovalAsked, vec![Group::Roles(REVIEWERS)])
                .detail(NotificationDetail::Due)
                .only_while(VersionStatus::Published);
            vec![asked, looked_at(entry, NotificationKind::VersionDue, version)]
        }
        Event::VersionReviewed { version, .. } => {
            vec![looked_at(entry, NotificationKind::VersionReviewed, version)]
        }
        Event::VersionReleased { approvals, policies, version, .. }
            if !(approvals.is_empty() && policies.is_empty()) =>
        {
            let author = Group::Published(Some(version.to_string()));
            vec![
                Rule::new(entry, NotificationKind::ApprovalDecided, vec![author])
                    .detail(NotificationDetail::Approved),
                published(entry),
            ]
        }
        Event::VersionRejected { version, .. } => {
            let author = Group::Published(Some(version.to_string()));
            vec![
                Rule::new(entry, NotificationKind::ApprovalDecided, vec![author])
                    .detail(NotificationDetail::Rejected),
            ]
        }
        Event::VersionChangesRequested { version, .. } => {
            let author = Group::Published(Some(version.to_string()));
            vec![
                Rule::new(entry, NotificationKind::ChangesRequested, vec![author])
                    .only_while(VersionStatus::Pending),
            ]
        }
        Event::VersionYanked { version, .. } => vec![yanked(entry, version)],
        Event::VersionUnyanked { version, .. } => vec![taken_back(yanked(entry, version))],
        Event::VersionQuarantined { version, .. } => vec![quarantined(entry, version)],
        // Only what was in quarantine is released by nobody's approval and no policy.
        Event::VersionReleased { version, .. } => vec![taken_back(quarantined(entry, version))],
        Event::SkillRated { skill, .. } => {
            let groups = vec![Group::Published(None), Group::Roles(ADMINS)];
            let mut rule = Rule::new(entry, NotificationKind::SkillRated, groups);
            // Whoever rates again and again is told of once.
            let actor = entry.actor.as_deref().unwrap_or_default();
            rule.notification.source = format!("rated:{}:{actor}", skill.key());
            vec![rule]
        }
        Event::CommentPosted(OfComment { skill, comment }) => {
            commented(db, entry, &skill.key(), comment).await?
        }
        // Of an answer that was taken back meanwhile nobody is told.
        Event::ReviewAnswered { skill, user, .. } => {
            let key = skill.key();
            let is_there = answers::find(db.reader(), &key, user).await?.is_some();
            let mut rule = Rule::new(entry, NotificationKind::CommentPosted, me(user))
                .detail(NotificationDetail::ReviewAnswered);
            // Who changes an answer again and again has answered once that day.
            let day = day_of(entry.time);
            rule.notification.source = format!("answered:{key}:{user}:{day}");
            if is_there { vec![rule] } else { Vec::new() }
        }
        Event::MemberSet { namespace, user, role } => {
            vec![access(me(user)).detail(NotificationDetail::RoleGiven).object(role).within(namespace)]
        }
        Event::MemberRemoved { namespace, user } => {
            vec![access(me(user)).detail(NotificationDetail::RoleRemoved).within(namespace)]
        }
        // Whose builds publish, or who signs in with another account, has made it themselves.
        Event::TokenIssued { token, user, publisher: None, .. } if entry.actor.is_some() => {
            vec![access(me(user)).detail(NotificationDetail::TokenMade).object(token)]
        }
        Event::TokenRevoked { token } if entry.actor.is_some() => {
            let owner = accounts::token_by_id(db.reader(), token).await?.map(|(_, owner)| owner);
            owner
                .iter()
                .map(|owner| access(me(owner)).detail(NotificationDetail::TokenRevoked).object(token))
                .collect()
        }
        Event::KeyEnrolled { key, user: Some(user), .. } => {
            // It lasts when the token is gone by which it was enrolled, so its user hears of it in any case.
            let rule = access(me(user)).detail(NotificationDetail::KeyEnrolled).object(key);
            vec![Rule { skip: Vec::new(), ..rule }]
        }
        Event::KeyEnrolled { key, org: Some(org), .. } => {
            vec![
                access(vec![Group::Roles(ADMINS)])
                    .detail(NotificationDetail::KeyEnrolled)
                    .object(key)
                    .within(org),
            ]
        }
        // Of one that is added, or leads elsewhere, admins are told with the change: it may lead elsewhere again before this is read.
        Event::WebhookRemoved { namespace, .. } => {
            vec![of_webhook(entry, NotificationDetail::WebhookRemoved, namespace)]
        }
        Event::KeyRevoked { key } => match keys::find(db.reader(), key).await? {
            Some(keys::KeyRow { user: Some((user, _)), .. }) => {
                vec![access(me(&user)).detail(NotificationDetail::KeyRevoked).object(key)]
            }
            Some(keys::KeyRow { org: Some(org), .. }) => vec![
                access(vec![Group::Roles(ADMINS)])
                    .detail(NotificationDetail::KeyRevoked)
                    .object(key)
                    .within(&org),
            ],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    })
}

/// Whoever sees to a namespace is told of its webhooks, which get what is private there, and so is who has changed them: that may be
/// somebody who has no more than the token.
fn of_webhook(entry: &LogEntry, detail: NotificationDetail, namespace: &str) -> Rule {
    let rule = Rule::new(entry, NotificationKind::AccessChanged, vec![Group::Roles(ADMINS)]);
    Rule { skip: Vec::new(), ..rule }.detail(detail).within(namespace)
}

fn yanked(entry: &LogEntry, version: &Version) -> Rule {
    let version = Some(version.to_string());
    let groups = vec![Group::Published(version.clone()), Group::Installed(version, entry.time)];
    Rule::new(entry, NotificationKind::VersionYanked, groups)
}

fn quarantined(entry: &LogEntry, version: &Version) -> Rule {
    let version = Some(version.to_string());
    let groups =
        vec![Group::Published(version.clone()), Group::Roles(ADMINS), Group::Installed(version, entry.time)];
    Rule::new(entry, NotificationKind::VersionQuarantined, groups)
}

/// The same is told when it was taken back. Where the version has to be approved first nobody gets it yet, and it is told of when it
/// is handed out.
fn taken_back(rule: Rule) -> Rule {
    rule.detail(NotificationDetail::TakenBack).only_while(VersionStatus::Published)
}

fn asked(entry: &LogEntry) -> Rule {
    Rule::new(entry, NotificationKind::ApprovalAsked, vec![Group::Roles(REVIEWERS)])
        .only_while(VersionStatus::Pending)
}

/// Whoever has published the version has not found it, and is told, too.
async fn found(db: &Db, entry: &LogEntry, groups: Vec<Group>) -> Result<Option<Rule>> {
    let (Some(skill), Some(version)) = (entry.event.skill(), entry.event.version()) else { return Ok(None) };
    let worst = versions::findings(db.reader(), &skill.key(), version).await?;
    let rule = || Rule { skip: Vec::new(), ..Rule::new(entry, NotificationKind::Finding, groups) };
    Ok((worst >= Some(WORTH_TELLING)).then(rule))
}

/// Of what was taken back or hidden meanwhile nobody is told.
async fn commented(db: &Db, entry: &LogEntry, skill: &str, id: &str) -> Result<Vec<Rule>> {
    let is_shown = |comment: &CommentRow| comment.deleted_at.is_none() && !comment.is_hidden;
    let Some(comment) = comments::find(db.reader(), skill, id).await?.filter(is_shown) else {
        return Ok(Vec::new());
    };
    let mut groups = vec![Group::Published(None), Group::Roles(ADMINS)];
    if let Some(answered) = &comment.parent {
        groups.extend(comments::find(db.reader(), skill, answered).await?.map(|row| Group::User(row.user)));
    }
    Ok(vec![Rule::new(entry, NotificationKind::CommentPosted, groups).object(id)])
}

/// Of a version that is to be reviewed again, or was: whose it is, and who has it.
fn looked_at(entry: &LogEntry, kind: NotificationKind, version: &Version) -> Rule {
    let version = Some(version.to_string());
    let groups = vec![Group::Published(version.clone()), Group::Installed(version, entry.time)];
    Rule::new(entry, kind, groups).only_while(VersionStatus::Published)
}

fn published(entry: &LogEntry) -> Rule {
    Rule::new(
        entry,
        NotificationKind::VersionPublished,
        vec![Group::Installed(None, entry.time), Group::Starred(entry.time)],
    )
    .only_while(VersionStatus::Published)
}
