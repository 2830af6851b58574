//! What people are told of, and how.

use serde::{Deserialize, Serialize};

use crate::words::word_enum;
use crate::{SkillId, Version};

/// Characters in an address of mail.
pub const MAX_ADDRESS_LENGTH: usize = 254;
/// Characters in the address of a webhook.
pub const MAX_WEBHOOK_URL_LENGTH: usize = 2_048;

word_enum! {
    /// What somebody is told of.
    NotificationKind {
        /// A new version of a skill that the user installed or starred is handed out.
        VersionPublished = "version-published",
        /// A version that the user installed or published was yanked, or is so no more.
        VersionYanked = "version-yanked",
        /// A version that the user installed or published was quarantined, or is so no more.
        VersionQuarantined = "version-quarantined",
        /// A version waits, and the user may decide about it.
        ApprovalAsked = "approval-asked",
        /// A version of the user was approved or rejected.
        ApprovalDecided = "approval-decided",
        /// A reviewer wants a version of the user changed.
        ChangesRequested = "changes-requested",
        /// A skill of the user was rated or reviewed.
        SkillRated = "skill-rated",
        /// Somebody wrote about a skill of the user, or answered.
        CommentPosted = "comment-posted",
        /// The rules find a warning or an error in a version of a skill of the user, or one that was published where the user reviews.
        Finding = "finding",
        /// Somebody else has changed what the user may do, or who else may act as the user.
        AccessChanged = "access-changed",
        /// A webhook has failed for days, and gets nothing any more.
        WebhookDisabled = "webhook-disabled",
        /// A version that the user published, or that the namespace of the user has, was released without the approvals that it
        /// waited for.
        VersionForced = "version-forced",
        /// A version that the user published or installed is to be reviewed again.
        VersionDue = "version-due",
        /// A version that the user published or installed was reviewed again, or after it was released by force.
        VersionReviewed = "version-reviewed",
    }
}

word_enum! {
    /// Which mail somebody gets.
    MailMode {
        /// None.
        Off = "off",
        /// One soon after it happened.
        Immediate = "immediate",
        /// Together with the rest of a day.
        Daily = "daily",
        /// Together with the rest of a week.
        Weekly = "weekly",
    }
}

word_enum! {
    /// What exactly has happened, where the kind does not say it.
    NotificationDetail {
        /// Approved, and handed out from now on.
        Approved = "approved",
        /// Rejected.
        Rejected = "rejected",
        /// A role was given, or another one.
        RoleGiven = "role-given",
        /// A role was taken away.
        RoleRemoved = "role-removed",
        /// A token was made for the user.
        TokenMade = "token-made",
        /// A token of the user was revoked.
        TokenRevoked = "token-revoked",
        /// A key to sign with was enrolled for the user, or for an org of theirs.
        KeyEnrolled = "key-enrolled",
        /// A key to sign with was revoked.
        KeyRevoked = "key-revoked",
        /// An author of a skill answered the user's review of it.
        ReviewAnswered = "review-answered",
        /// The user's notifications, or what happens in a namespace that the user manages, are sent to one more address of the web.
        WebhookAdded = "webhook-added",
        /// They are sent to another address of the web; those of the user, or of other kinds.
        WebhookChanged = "webhook-changed",
        /// They are sent to one address of the web less.
        WebhookRemoved = "webhook-removed",
        /// An address for the user's mail was named, or confirmed, or the one that there was is removed.
        AddressChanged = "address-changed",
        /// The user is told less of what others may do as the user.
        ToldLess = "told-less",
        /// What was released is due to be reviewed again.
        Due = "due",
        /// A webhook has answered that there is nobody who wants anything any more.
        Gone = "gone",
        /// The yank, or the quarantine, was taken back.
        TakenBack = "taken-back",
    }
}

impl NotificationDetail {
    /// Whether it is about whoever is told, although it names a namespace: it is read by who has no part in that any more. What else
    /// happens to a namespace is for those who manage it.
    pub fn is_of_addressee(self) -> bool {
        match self {
            Self::RoleGiven | Self::RoleRemoved => true,
            Self::Approved
            | Self::Rejected
            | Self::TokenMade
            | Self::TokenRevoked
            | Self::KeyEnrolled
            | Self::KeyRevoked
            | Self::ReviewAnswered
            | Self::WebhookAdded
            | Self::WebhookChanged
            | Self::WebhookRemoved
            | Self::AddressChanged
            | Self::ToldLess
            | Self::Due
            | Self::Gone
            | Self::TakenBack => false,
        }
    }
}

impl NotificationKind {
    /// What is sent by mail where nobody has said anything: at once what waits for somebody or what is about safety, and
    /// the rest once a day. Nothing is sent before an address is confirmed.
    pub fn usual_mail(self) -> MailMode {
        match self {
            Self::VersionQuarantined
            | Self::ApprovalAsked
            | Self::ApprovalDecided
            | Self::ChangesRequested
            | Self::Finding
            | Self::AccessChanged
            | Self::WebhookDisabled
            | Self::VersionForced => MailMode::Immediate,
            Self::VersionPublished
            | Self::VersionYanked
            | Self::SkillRated
            | Self::CommentPosted
            | Self::VersionDue
            | Self::VersionReviewed => MailMode::Daily,
        }
    }

    /// Whether whoever is told learns who did it. Who yanks or publishes is known to members only, and others are told of it
    /// too.
    pub fn names_actor(self) -> bool {
        matches!(
            self,
            Self::ApprovalAsked
                | Self::ApprovalDecided
                | Self::ChangesRequested
                | Self::SkillRated
                | Self::CommentPosted
                | Self::VersionForced
        )
    }
}

/// What a notification is about, as far as it says.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Of what kind it is.
    pub kind: NotificationKind,
    /// What exactly.
    pub detail: Option<NotificationDetail>,
    /// The skill.
    pub skill: Option<&'a SkillId>,
    /// The version.
    pub version: Option<&'a Version>,
    /// The namespace, where it is about no skill.
    pub namespace: Option<&'a str>,
    /// A word more: a role, the id of a token, the fingerprint of a key, the id of a comment, the host of a webhook, what became
    /// of an address, whose review it is.
    pub object: Option<&'a str>,
    /// Who did it, by name.
    pub actor: Option<&'a str>,
}

impl Told<'_> {
    /// One line of plain text: what pages, mails and the command line show.
    pub fn sentence(&self) -> String {
        let skill = match (self.skill, self.version) {
            (Some(skill), Some(version)) => format!("{skill} {version}"),
            (Some(skill), None) => skill.to_string(),
            (None, _) => "a skill".to_owned(),
        };
        let place = self.namespace.unwrap_or("the registry");
        let object = self.object.unwrap_or_default();
        let by = self.actor.map(|actor| format!(" by {actor}")).unwrap_or_default();
        let who = self.actor.unwrap_or("somebody");
        match self.kind {
            NotificationKind::VersionPublished => format!("{skill} was published"),
            NotificationKind::VersionYanked if self.detail == Some(NotificationDetail::TakenBack) => {
                format!("the yank of {skill} was taken back")
            }
            NotificationKind::VersionYanked => format!("{skill} was yanked"),
            NotificationKind::VersionQuarantined if self.detail == Some(NotificationDetail::TakenBack) => {
                format!("the quarantine of {skill} was taken back")
            }
            NotificationKind::VersionQuarantined => format!("{skill} was quarantined"),
            NotificationKind::ApprovalAsked if self.detail == Some(NotificationDetail::Due) => {
                format!("{skill} is due to be reviewed again")
            }
            NotificationKind::ApprovalAsked => format!("{skill}, published{by}, waits for approval"),
            NotificationKind::VersionForced => {
                format!("{skill} was released{by} without the approvals that it waited for")
            }
            NotificationKind::VersionDue => format!("{skill} is due to be reviewed again"),
            NotificationKind::VersionReviewed => format!("{skill} was reviewed again"),
            NotificationKind::ApprovalDecided if self.detail == Some(NotificationDetail::Rejected) => {
                format!("{skill} was rejected{by}")
            }
            NotificationKind::ApprovalDecided => format!("{skill} was approved and is published"),
            NotificationKind::ChangesRequested => format!("{who} asks for changes of {skill}"),
            NotificationKind::SkillRated => format!("{who} rated {skill}"),
            NotificationKind::CommentPosted if self.detail == Some(NotificationDetail::ReviewAnswered) => {
                match self.object {
                    Some(reviewer) => format!("{who} answered {reviewer}'s review of {skill}"),
                    None => format!("{who} answered your review of {skill}"),
                }
            }
            NotificationKind::CommentPosted => format!("{who} wrote about {skill}"),
            NotificationKind::Finding => format!("the rules find something in {skill}"),
            NotificationKind::WebhookDisabled if self.detail == Some(NotificationDetail::Gone) => {
                format!("the webhook to {object} wants nothing any more and is off")
            }
            NotificationKind::WebhookDisabled => {
                format!("the webhook to {object} has failed for days and is off")
            }
            NotificationKind::AccessChanged => match self.detail {
                Some(NotificationDetail::RoleGiven) => format!("you have the role {object} in {place}"),
                Some(NotificationDetail::RoleRemoved) => format!("your role in {place} was taken away"),
                Some(NotificationDetail::TokenMade) => format!("the token {object} was made for you"),
                Some(NotificationDetail::TokenRevoked) => format!("your token {object} was revoked"),
                Some(NotificationDetail::KeyEnrolled) => {
                    format!("the key {object} was enrolled for {}", self.whose())
                }
                Some(NotificationDetail::KeyRevoked) => {
                    format!("the key {object} of {} was revoked", self.whose())
                }
                Some(NotificationDetail::WebhookAdded) => match self.namespace {
                    Some(place) => {
                        format!("a webhook to {object} was added, which is sent what happens in {place}")
                    }
                    None => format!("a webhook to {object} was added, which is sent what you are told"),
                },
                Some(NotificationDetail::WebhookChanged) => match self.namespace {
                    Some(place) => format!("a webhook of {place} leads to {object} now"),
                    None => format!("your webhook to {object} was changed"),
                },
                Some(NotificationDetail::WebhookRemoved) => match self.namespace {
                    Some(place) => format!("a webhook of {place} was removed"),
                    None => format!("your webhook to {object} was removed"),
                },
                Some(NotificationDetail::AddressChanged) => match object {
                    "confirmed" => "your mail goes to an address that was confirmed just now".to_owned(),
                    "removed" => "your address for mail was removed".to_owned(),
                    _ => "an address for your mail was named".to_owned(),
                },
                Some(NotificationDetail::ToldLess) => {
                    "you are told less of what changes what you may do".to_owned()
                }
                _ => "what you may do has changed".to_owned(),
            },
        }
    }

    fn whose(&self) -> &str {
        self.namespace.unwrap_or("you")
    }
}

/// How somebody is told of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preference {
    /// Of what.
    pub kind: NotificationKind,
    /// Whether it stands in the list of notifications.
    pub page: bool,
    /// Which mail is sent.
    pub mail: MailMode,
    /// Whether the user's own webhooks get it.
    pub webhook: bool,
}

impl Preference {
    /// As it is where the user has said nothing.
    pub fn usual(kind: NotificationKind) -> Self {
        Self { kind, page: true, mail: kind.usual_mail(), webhook: true }
    }

    /// Whether the user is told nowhere.
    pub fn is_off(&self) -> bool {
        !self.page && self.mail == MailMode::Off && !self.webhook
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_sentence_of_one_line() {
        let skill: SkillId = "acme/tool".parse().unwrap();
        let version: Version = "1.2.0".parse().unwrap();
        let mut lines = Vec::new();
        for kind in NotificationKind::ALL {
            let told = Told {
                kind: *kind,
                detail: None,
                skill: Some(&skill),
                version: Some(&version),
                namespace: Some("acme"),
                object: Some("hooks.example"),
                actor: kind.names_actor().then_some("anna"),
            };
            lines.push(told.sentence());
        }
        for detail in NotificationDetail::ALL {
            let told = Told {
                kind: NotificationKind::AccessChanged,
                detail: Some(*detail),
                skill: None,
                version: None,
                namespace: None,
                object: Some("x"),
                actor: None,
            };
            lines.push(told.sentence());
        }
        assert!(lines.iter().all(|line| !line.contains('\n') && !line.is_empty()));
        assert_eq!(lines[0], "acme/tool 1.2.0 was published");
        assert_eq!(lines[3], "acme/tool 1.2.0, published by anna, waits for approval");
        assert_eq!(lines[16], "you have the role x in the registry");
    }
}
