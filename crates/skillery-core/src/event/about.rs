//! What a change is called, what it is about, and who may read of it.

use super::{Audience, Event, OfComment, OfReview};
use crate::{SkillId, Version};

impl Event {
    /// The kind, as it stands in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Genesis => "log.genesis",
            Self::LogKeyRotated { .. } => "log.key-rotated",
            Self::UserCreated { .. } => "user.created",
            Self::UserDisabled { .. } => "user.disabled",
            Self::UserListed { .. } => "user.listed",
            Self::OrgCreated { .. } => "org.created",
            Self::MemberSet { .. } => "member.set",
            Self::MemberRemoved { .. } => "member.removed",
            Self::TokenIssued { .. } => "token.issued",
            Self::TokenRevoked { .. } => "token.revoked",
            Self::UserLinked { .. } => "user.linked",
            Self::PublisherTrusted { .. } => "publisher.trusted",
            Self::PublisherUntrusted { .. } => "publisher.untrusted",
            Self::SigningSecretSet { .. } => "org.signing-secret-set",
            Self::SigningSecretRemoved { .. } => "org.signing-secret-removed",
            Self::WebhookAdded { .. } => "webhook.added",
            Self::WebhookRemoved { .. } => "webhook.removed",
            Self::InsightSet { .. } => "insight.set",
            Self::PolicySet { .. } => "policy.set",
            Self::PolicyRemoved { .. } => "policy.removed",
            Self::GroupSet { .. } => "group.set",
            Self::GroupRemoved { .. } => "group.removed",
            Self::KeyEnrolled { .. } => "key.enrolled",
            Self::KeyRevoked { .. } => "key.revoked",
            Self::VersionPublished { .. } => "version.published",
            Self::VersionSigned { .. } => "version.signed",
            Self::VersionApproved { .. } => "version.approved",
            Self::VersionRejected { .. } => "version.rejected",
            Self::VersionChangesRequested { .. } => "version.changes-requested",
            Self::VersionYanked { .. } => "version.yanked",
            Self::VersionUnyanked { .. } => "version.unyanked",
            Self::VersionQuarantined { .. } => "version.quarantined",
            Self::VersionReleased { .. } => "version.released",
            Self::VersionForced { .. } => "version.forced",
            Self::VersionHeld { .. } => "version.held",
            Self::VersionDue { .. } => "version.due",
            Self::VersionReviewed { .. } => "version.reviewed",
            Self::VisibilityChanged { .. } => "skill.visibility-changed",
            Self::SkillRated { .. } => "skill.rated",
            Self::SkillUnrated { .. } => "skill.unrated",
            Self::SkillStarred { .. } => "skill.starred",
            Self::SkillUnstarred { .. } => "skill.unstarred",
            Self::CommentPosted(_) => "comment.posted",
            Self::CommentEdited(_) => "comment.edited",
            Self::CommentDeleted(_) => "comment.deleted",
            Self::CommentHidden(_) => "comment.hidden",
            Self::CommentUnhidden(_) => "comment.unhidden",
            Self::ReviewAnswered { .. } => "review.answered",
            Self::ReviewAnswerRemoved(_) => "review.answer-removed",
            Self::ReviewHidden(_) => "review.hidden",
            Self::ReviewUnhidden(_) => "review.unhidden",
            Self::Unknown => "unknown",
        }
    }

    /// The version that the change is about, if it is about one.
    pub fn version(&self) -> Option<&Version> {
        match self {
            Self::VersionPublished { version, .. }
            | Self::VersionSigned { version, .. }
            | Self::VersionApproved { version, .. }
            | Self::VersionRejected { version, .. }
            | Self::VersionChangesRequested { version, .. }
            | Self::VersionYanked { version, .. }
            | Self::VersionUnyanked { version, .. }
            | Self::VersionQuarantined { version, .. }
            | Self::VersionReleased { version, .. }
            | Self::VersionForced { version, .. }
            | Self::VersionHeld { version, .. }
            | Self::VersionDue { version, .. }
            | Self::VersionReviewed { version, .. } => Some(version),
            _ => None,
        }
    }

    /// The skill that the change is about, if it is about one.
    pub fn skill(&self) -> Option<&SkillId> {
        match self {
            Self::VersionPublished { skill, .. }
            | Self::VersionSigned { skill, .. }
            | Self::VersionApproved { skill, .. }
            | Self::VersionRejected { skill, .. }
            | Self::VersionChangesRequested { skill, .. }
            | Self::VersionYanked { skill, .. }
            | Self::VersionUnyanked { skill, .. }
            | Self::VersionQuarantined { skill, .. }
            | Self::VersionReleased { skill, .. }
            | Self::VersionForced { skill, .. }
            | Self::VersionHeld { skill, .. }
            | Self::VersionDue { skill, .. }
            | Self::VersionReviewed { skill, .. }
            | Self::VisibilityChanged { skill, .. }
            | Self::SkillRated { skill, .. }
            | Self::SkillUnrated { skill }
            | Self::SkillStarred { skill }
            | Self::SkillUnstarred { skill }
            | Self::CommentPosted(OfComment { skill, .. })
            | Self::CommentEdited(OfComment { skill, .. })
            | Self::CommentDeleted(OfComment { skill, .. })
            | Self::CommentHidden(OfComment { skill, .. })
            | Self::CommentUnhidden(OfComment { skill, .. })
            | Self::ReviewAnswered { skill, .. }
            | Self::ReviewAnswerRemoved(OfReview { skill, .. })
            | Self::ReviewHidden(OfReview { skill, .. })
            | Self::ReviewUnhidden(OfReview { skill, .. }) => Some(skill),
            Self::Genesis
            | Self::LogKeyRotated { .. }
            | Self::Unknown
            | Self::UserCreated { .. }
            | Self::UserDisabled { .. }
            | Self::UserListed { .. }
            | Self::OrgCreated { .. }
            | Self::WebhookAdded { .. }
            | Self::WebhookRemoved { .. }
            | Self::InsightSet { .. }
            | Self::PolicySet { .. }
            | Self::PolicyRemoved { .. }
            | Self::GroupSet { .. }
            | Self::GroupRemoved { .. }
            | Self::KeyEnrolled { .. }
            | Self::KeyRevoked { .. }
            | Self::MemberSet { .. }
            | Self::MemberRemoved { .. }
            | Self::TokenIssued { .. }
            | Self::TokenRevoked { .. }
            | Self::UserLinked { .. }
            | Self::PublisherTrusted { .. }
            | Self::PublisherUntrusted { .. }
            | Self::SigningSecretSet { .. }
            | Self::SigningSecretRemoved { .. } => None,
        }
    }

    /// Whether it is what somebody says of a skill, by which nothing else about it changes.
    pub fn is_said(&self) -> bool {
        matches!(
            self,
            Self::CommentPosted(_)
                | Self::CommentEdited(_)
                | Self::CommentDeleted(_)
                | Self::CommentHidden(_)
                | Self::CommentUnhidden(_)
                | Self::ReviewAnswered { .. }
                | Self::ReviewAnswerRemoved(_)
                | Self::ReviewHidden(_)
                | Self::ReviewUnhidden(_)
        )
    }

    /// Who may read of the change in the log. Names of skills, of orgs and of what lies below them are not for everybody.
    pub fn audience(&self) -> Audience<'_> {
        if let Some(skill) = self.skill() {
            return Audience::OfSkill(skill);
        }
        match self {
            Self::OrgCreated { org }
            | Self::SigningSecretSet { org }
            | Self::SigningSecretRemoved { org }
            | Self::KeyEnrolled { org: Some(org), .. } => Audience::OfOrg(org),
            Self::MemberSet { namespace, .. }
            | Self::MemberRemoved { namespace, .. }
            | Self::PublisherTrusted { namespace, .. }
            | Self::PublisherUntrusted { namespace, .. }
            | Self::WebhookAdded { namespace, .. }
            | Self::WebhookRemoved { namespace, .. }
            | Self::InsightSet { namespace, .. }
            | Self::PolicySet { namespace, .. }
            | Self::PolicyRemoved { namespace }
            | Self::GroupSet { namespace, .. }
            | Self::GroupRemoved { namespace, .. } => Audience::OfOrg(namespace),
            Self::TokenIssued { namespaces, .. } if !namespaces.is_empty() => Audience::Admins,
            // Whether somebody wants to be compared is nobody else's business.
            Self::UserListed { .. } => Audience::Admins,
            _ => Audience::Everybody,
        }
    }

    /// Whether only members of the org may do this. What everybody may do, whoever does it does as anybody.
    pub fn is_of_members(&self) -> bool {
        match self {
            Self::Unknown
            | Self::Genesis
            | Self::LogKeyRotated { .. }
            | Self::UserCreated { .. }
            | Self::UserDisabled { .. }
            | Self::UserLinked { .. }
            | Self::UserListed { .. }
            | Self::TokenIssued { .. }
            | Self::TokenRevoked { .. }
            | Self::SkillRated { .. }
            | Self::SkillUnrated { .. }
            | Self::SkillStarred { .. }
            | Self::SkillUnstarred { .. }
            | Self::CommentPosted(_)
            | Self::CommentEdited(_)
            | Self::CommentDeleted(_) => false,
            Self::OrgCreated { .. }
            | Self::MemberSet { .. }
            | Self::MemberRemoved { .. }
            | Self::PublisherTrusted { .. }
            | Self::PublisherUntrusted { .. }
            | Self::SigningSecretSet { .. }
            | Self::SigningSecretRemoved { .. }
            | Self::WebhookAdded { .. }
            | Self::WebhookRemoved { .. }
            | Self::InsightSet { .. }
            | Self::PolicySet { .. }
            | Self::PolicyRemoved { .. }
            | Self::GroupSet { .. }
            | Self::GroupRemoved { .. }
            | Self::KeyEnrolled { .. }
            | Self::KeyRevoked { .. }
            | Self::VersionPublished { .. }
            | Self::VersionSigned { .. }
            | Self::VersionApproved { .. }
            | Self::VersionRejected { .. }
            | Self::VersionChangesRequested { .. }
            | Self::VersionYanked { .. }
            | Self::VersionUnyanked { .. }
            | Self::VersionQuarantined { .. }
            | Self::VersionReleased { .. }
            | Self::VersionForced { .. }
            | Self::VersionHeld { .. }
            | Self::VersionDue { .. }
            | Self::VersionReviewed { .. }
            | Self::VisibilityChanged { .. }
            | Self::CommentHidden(_)
            | Self::CommentUnhidden(_)
            | Self::ReviewAnswered { .. }
            | Self::ReviewAnswerRemoved(_)
            | Self::ReviewHidden(_)
            | Self::ReviewUnhidden(_) => true,
        }
    }

    /// Whether it changes what callers may do or see, so that what is remembered of callers must go.
    pub fn changes_access(&self) -> bool {
        match self {
            // Better to look once too often.
            Self::Unknown
            | Self::UserCreated { .. }
            | Self::UserDisabled { .. }
            | Self::OrgCreated { .. }
            | Self::MemberSet { .. }
            | Self::MemberRemoved { .. }
            | Self::TokenRevoked { .. }
            | Self::PublisherTrusted { .. }
            | Self::PublisherUntrusted { .. }
            | Self::SigningSecretSet { .. }
            | Self::SigningSecretRemoved { .. } => true,
            Self::Genesis
            | Self::LogKeyRotated { .. }
            | Self::TokenIssued { .. }
            | Self::UserLinked { .. }
            | Self::UserListed { .. }
            | Self::WebhookAdded { .. }
            | Self::WebhookRemoved { .. }
            | Self::InsightSet { .. }
            | Self::PolicySet { .. }
            | Self::PolicyRemoved { .. }
            | Self::GroupSet { .. }
            | Self::GroupRemoved { .. }
            | Self::KeyEnrolled { .. }
            | Self::KeyRevoked { .. } => false,
            about_a_skill => about_a_skill.skill().is_none(),
        }
    }
}
