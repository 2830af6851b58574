//! What the log holds: one entry for every change.

mod about;
mod entry;
mod of_comment;
mod publisher;

use serde::{Deserialize, Serialize};

use crate::api::SignatureMark;
use crate::approval::{AutoMark, Fact, HeldFor, PublishPolicy, StageMark};
use crate::sign::review::ReviewMark;
use crate::{Digest, Role, Scope, Segment, SkillId, Version, Visibility};

pub use entry::{Audience, LogEntry};
pub use of_comment::{OfComment, OfReview};
pub use publisher::PublisherMatch;

/// A change. The tag is the entry's kind; the rest its body. Bodies hold no name of a person, no text that a person
/// wrote and no secret, so that an entry never has to be taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Event {
    /// The registry began.
    #[serde(rename = "log.genesis")]
    Genesis,
    /// The log is signed with another key from this entry on.
    #[serde(rename = "log.key-rotated")]
    LogKeyRotated {
        /// The note by which the key before hands the log over, signed by both: see `tlog/rotation.rs`.
        note: String,
    },
    /// A user was made.
    #[serde(rename = "user.created")]
    UserCreated {
        /// The new user.
        user: String,
        /// Whether it is an admin of the whole registry.
        #[serde(default, skip_serializing_if = "is_not")]
        admin: bool,
    },
    /// A user was switched off, or on again.
    #[serde(rename = "user.disabled")]
    UserDisabled {
        /// Whose.
        user: String,
        /// Off, or on again.
        disabled: bool,
    },
    /// A user is on no leaderboard any more, or may be on them again.
    #[serde(rename = "user.listed")]
    UserListed {
        /// Whom.
        user: String,
        /// Whether the user may be on them.
        listed: bool,
    },
    /// An org was made, or claimed by its first publisher.
    #[serde(rename = "org.created")]
    OrgCreated {
        /// Its name.
        org: String,
    },
    /// A user was given a role in a namespace, or another one.
    #[serde(rename = "member.set")]
    MemberSet {
        /// Where.
        namespace: String,
        /// Who.
        user: String,
        /// As what.
        role: Role,
    },
    /// A user's role in a namespace was taken away.
    #[serde(rename = "member.removed")]
    MemberRemoved {
        /// Where.
        namespace: String,
        /// Who.
        user: String,
    },
    /// A token was made.
    #[serde(rename = "token.issued")]
    TokenIssued {
        /// The token's id, not the token.
        token: String,
        /// Whose.
        user: String,
        /// What for.
        scopes: Vec<Scope>,
        /// Bound to these namespaces; empty: to none.
        namespaces: Vec<String>,
        /// The trusted publisher that it was made for, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        publisher: Option<String>,
        /// SHA-256 of what [`Event::VersionPublished`] will call the build that it was made for. Everybody may read this
        /// entry, and not everybody may know what is built for private skills.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        build: Option<Digest>,
    },
    /// A token was revoked.
    #[serde(rename = "token.revoked")]
    TokenRevoked {
        /// The token's id.
        token: String,
    },
    /// A user was linked with an account at a provider of identities. Which account is not said: it is a person's.
    #[serde(rename = "user.linked")]
    UserLinked {
        /// Who.
        user: String,
        /// The provider.
        issuer: String,
    },
    /// A namespace lets builds of a repository publish.
    #[serde(rename = "publisher.trusted")]
    PublisherTrusted {
        /// The publisher's id.
        publisher: String,
        /// Where it may publish.
        namespace: String,
        /// The user that its versions are published as.
        user: String,
        /// Who says which build it is.
        issuer: String,
        /// What the builds must be.
        matches: PublisherMatch,
    },
    /// A namespace does not let these builds publish any more.
    #[serde(rename = "publisher.untrusted")]
    PublisherUntrusted {
        /// The publisher's id.
        publisher: String,
        /// Where it could publish.
        namespace: String,
    },
    /// An org registered its signing secret, or replaced it.
    #[serde(rename = "org.signing-secret-set")]
    SigningSecretSet {
        /// Whose.
        org: String,
    },
    /// An org removed its signing secret.
    #[serde(rename = "org.signing-secret-removed")]
    SigningSecretRemoved {
        /// Whose.
        org: String,
    },
    /// A webhook is told of what happens in a namespace. Where it is is not said.
    #[serde(rename = "webhook.added")]
    WebhookAdded {
        /// The webhook's id.
        webhook: String,
        /// Where.
        namespace: String,
    },
    /// A webhook is told of what happens in a namespace no more.
    #[serde(rename = "webhook.removed")]
    WebhookRemoved {
        /// The webhook's id.
        webhook: String,
        /// Where.
        namespace: String,
    },
    /// What is told of how the skills of a namespace and below it are used.
    #[serde(rename = "insight.set")]
    InsightSet {
        /// Where.
        namespace: String,
        /// Figures about fewer users are withheld, where that is more than the registry has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        k: Option<u32>,
        /// Whether they count on leaderboards.
        listed: bool,
    },
    /// A namespace demands approvals of what is published in it and below it, or demands others.
    #[serde(rename = "policy.set")]
    PolicySet {
        /// Where.
        namespace: String,
        /// What it demands.
        policy: PublishPolicy,
    },
    /// A namespace demands no approvals any more. Those above it may.
    #[serde(rename = "policy.removed")]
    PolicyRemoved {
        /// Where.
        namespace: String,
    },
    /// A group of a namespace, whose members policies ask for, has these members from now on.
    #[serde(rename = "group.set")]
    GroupSet {
        /// Where.
        namespace: String,
        /// Which.
        group: Segment,
        /// The ids of all its members, in order.
        users: Vec<String>,
    },
    /// A group of a namespace is there no more.
    #[serde(rename = "group.removed")]
    GroupRemoved {
        /// Where.
        namespace: String,
        /// Which.
        group: Segment,
    },
    /// A key to sign with was enrolled.
    #[serde(rename = "key.enrolled")]
    KeyEnrolled {
        /// Its fingerprint: `SHA256:` and base64.
        key: String,
        /// The id of the user whose key it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The org whose authority it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        org: Option<String>,
    },
    /// A key to sign with is good no more, from this entry on.
    #[serde(rename = "key.revoked")]
    KeyRevoked {
        /// Its fingerprint.
        key: String,
    },
    /// A version was published.
    #[serde(rename = "version.published")]
    VersionPublished {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// SHA-256 of the bundle.
        digest: Digest,
        /// Bytes of the bundle.
        size: u64,
        /// SHA-256 of the code.
        code_hash: Digest,
        /// The build that published it, where one was trusted to:
        /// `oidc:<issuer>|<repository>/<workflow>@<ref>|run <id>|sha <commit>`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<String>,
        /// SHA-256 of the statement that was signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        statement: Option<Digest>,
        /// Signatures over the statement.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signatures: Vec<SignatureMark>,
        /// The entries of the policies by which it waits until it is released; without any it waits for nothing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        policies: Vec<u64>,
        /// What is true of it, of what policies ask for; where none of those in force asks, it was not looked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        facts: Option<Vec<Fact>>,
        /// Policies that let it pass, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        passed: Vec<AutoMark>,
    },
    /// A version that was published before was signed.
    #[serde(rename = "version.signed")]
    VersionSigned {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// SHA-256 of the statement that was signed.
        statement: Digest,
        /// The signature.
        signature: SignatureMark,
    },
    /// A reviewer approved a version.
    #[serde(rename = "version.approved")]
    VersionApproved {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// SHA-256 of the bundle that was approved.
        digest: Digest,
        /// The entry by which the reviewer had the role.
        member: u64,
        /// The entries of the groups that the reviewer is in, there and above.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        groups: Vec<u64>,
        /// The stages that it is given for, where a policy has several.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stages: Vec<StageMark>,
        /// The reviewer's signature, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<ReviewMark>,
    },
    /// A reviewer refused a version that waited. It is never handed out.
    #[serde(rename = "version.rejected")]
    VersionRejected {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// SHA-256 of the bundle that was refused.
        digest: Digest,
        /// The entry by which the reviewer had the role.
        member: u64,
        /// The reviewer's signature, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<ReviewMark>,
    },
    /// A reviewer asked for changes of a version that waits. It waits on, and an approval of the same reviewer before this
    /// entry counts no more.
    #[serde(rename = "version.changes-requested")]
    VersionChangesRequested {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// SHA-256 of the bundle that was looked at.
        digest: Digest,
        /// The entry by which the reviewer had the role.
        member: u64,
        /// The reviewer's signature, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<ReviewMark>,
    },
    /// A version was yanked.
    #[serde(rename = "version.yanked")]
    VersionYanked {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
    },
    /// A yank was taken back.
    #[serde(rename = "version.unyanked")]
    VersionUnyanked {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
    },
    /// A version was quarantined.
    #[serde(rename = "version.quarantined")]
    VersionQuarantined {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
    },
    /// A version is handed out from now on: one that waited has the approvals that it needs, or a quarantined one was
    /// released again.
    #[serde(rename = "version.released")]
    VersionReleased {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// The entries of the policies that it is approved by, of one that waited.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        policies: Vec<u64>,
        /// The entries of the approvals that count, of one that waited.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<u64>,
    },
    /// An owner has released what waited, without the approvals that it waited for.
    #[serde(rename = "version.forced")]
    VersionForced {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// SHA-256 of the bundle.
        digest: Digest,
        /// The entry by which whoever did it had a role there.
        member: u64,
        /// SHA-256 of 64 hexadecimal digits, a line feed and the reason, which members of the namespace are told.
        reason: Digest,
        /// The entries of the policies that it waited for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        policies: Vec<u64>,
    },
    /// A version that was handed out waits again.
    #[serde(rename = "version.held")]
    VersionHeld {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// Why.
        why: HeldFor,
        /// The entries of the policies that it waits for.
        policies: Vec<u64>,
    },
    /// A version that is handed out is to be looked at again.
    #[serde(rename = "version.due")]
    VersionDue {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// The entries of the policies that demand it.
        policies: Vec<u64>,
    },
    /// A version that is handed out, and was due or released by force, has the approvals that are demanded.
    #[serde(rename = "version.reviewed")]
    VersionReviewed {
        /// The skill.
        skill: SkillId,
        /// The version.
        version: Version,
        /// The entries of the policies that it is approved by.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        policies: Vec<u64>,
        /// The entries of the approvals that count.
        approvals: Vec<u64>,
    },
    /// A skill is seen by others now.
    #[serde(rename = "skill.visibility-changed")]
    VisibilityChanged {
        /// The skill.
        skill: SkillId,
        /// By whom.
        visibility: Visibility,
    },
    /// A user rated a skill, for the first time or again.
    #[serde(rename = "skill.rated")]
    SkillRated {
        /// The skill.
        skill: SkillId,
        /// In tenths: 10 to 50.
        tenths: i64,
    },
    /// A user took a rating back.
    #[serde(rename = "skill.unrated")]
    SkillUnrated {
        /// The skill.
        skill: SkillId,
    },
    /// A user starred a skill.
    #[serde(rename = "skill.starred")]
    SkillStarred {
        /// The skill.
        skill: SkillId,
    },
    /// A user took a star back.
    #[serde(rename = "skill.unstarred")]
    SkillUnstarred {
        /// The skill.
        skill: SkillId,
    },
    /// A user commented on a skill, or answered a comment. What it says is none of the log's, and neither is its digest: of a
    /// short text it would tell what it was.
    #[serde(rename = "comment.posted")]
    CommentPosted(OfComment),
    /// A comment says something else.
    #[serde(rename = "comment.edited")]
    CommentEdited(OfComment),
    /// A comment was taken back by its author.
    #[serde(rename = "comment.deleted")]
    CommentDeleted(OfComment),
    /// A moderator hid a comment.
    #[serde(rename = "comment.hidden")]
    CommentHidden(OfComment),
    /// A moderator showed a comment again.
    #[serde(rename = "comment.unhidden")]
    CommentUnhidden(OfComment),
    /// An author of a skill answered a review, or answers something else.
    #[serde(rename = "review.answered")]
    ReviewAnswered {
        /// The skill.
        skill: SkillId,
        /// The id of the user whose review it is.
        user: String,
        /// SHA-256 of 64 hexadecimal digits, a line feed and the answer, which stand beside the review.
        answer: Digest,
    },
    /// An answer to a review was taken back.
    #[serde(rename = "review.answer-removed")]
    ReviewAnswerRemoved(OfReview),
    /// A moderator hid the text of a review.
    #[serde(rename = "review.hidden")]
    ReviewHidden(OfReview),
    /// A moderator showed the text of a review again.
    #[serde(rename = "review.unhidden")]
    ReviewUnhidden(OfReview),
    /// A kind that a newer program has written and this one does not know. It is never written.
    #[serde(other, rename = "unknown")]
    Unknown,
}

fn is_not(value: &bool) -> bool {
    !value
}
