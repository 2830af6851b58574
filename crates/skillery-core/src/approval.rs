//! Approvals: what a namespace demands before a version is handed out, and which approvals count.
//!
//! The registry, the client and whoever follows the log judge by the same few lines, each from what it knows itself.

mod ladder;
mod preset;
mod reason;

use serde::{Deserialize, Serialize};

use crate::words::word_enum;
use crate::{Role, Segment};

pub use ladder::{Approval, Demand, Group, InForce, Judgement, Ladder, StageCount, StageMark};
pub use preset::Preset;
pub use reason::{AutoMark, AutoReason, Fact, Passing, baseline, holds, is_trusted_patch, of_history};

/// Approvals that a stage may demand.
pub const MAX_APPROVALS: u32 = 16;
/// Stages of one policy.
pub const MAX_STAGES: usize = 8;
/// Members of a group, so that the entry with all of them fits into the log.
pub const MAX_GROUP_MEMBERS: usize = 200;
/// Groups that one approval names.
pub const MAX_GROUPS_NAMED: usize = 32;
/// Days that an approval may count at most, and a release may last until it is looked at again.
pub const MAX_DAYS: u32 = 3_650;

word_enum! {
    /// What a reviewer decides about a version.
    Decision {
        /// It may be handed out.
        Approved = "approved",
        /// It is not ready as it is. It waits on.
        ChangesRequested = "changes-requested",
        /// It is never handed out.
        Rejected = "rejected",
    }
}

word_enum! {
    /// What becomes of a released version that nobody looked at again in time.
    Overdue {
        /// It is listed as due, and handed out as before.
        List = "list",
        /// It is handed out with a warning.
        Warn = "warn",
        /// It waits for approval again, and is handed out to nobody.
        Hold = "hold",
    }
}

word_enum! {
    /// Why a version that was handed out waits again.
    HeldFor {
        /// Its skill is seen by everybody from now on, and the policy asks for more then.
        Public = "public",
        /// Nobody looked at it again in time.
        Review = "review",
    }
}

word_enum! {
    /// What is to be said of a version that is handed out.
    Notice {
        /// An owner has released it without the approvals that it waited for.
        Forced = "forced",
        /// It should have been looked at again.
        Due = "due",
    }
}

/// One step of a policy. The next one opens when it has its approvals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stage {
    /// What it is called: one word, as names of skills are.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: Segment,
    /// How many people must approve: 1 to 16.
    #[serde(default = "one")]
    pub approvals: u32,
    /// The role that they hold at least: `reviewer`, `admin` or `owner`.
    #[serde(default = "reviewer")]
    pub role: Role,
    /// The group of the policy's namespace that they are in, if only its members count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub group: Option<Segment>,
    /// It is there only for versions of which one of these is true; without any, for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Fact>,
}

/// What a policy lets pass without anybody's approval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AutoApproval {
    /// What a build publishes that a namespace trusts.
    #[serde(default, skip_serializing_if = "is_not")]
    pub builds: bool,
    /// A patch of a released version that asks for nothing new: neither a first version, nor one with new permissions, with
    /// warnings or errors among its findings, or with a dependency of another org, nor one for which a stage with `when` is there.
    #[serde(default, skip_serializing_if = "is_not")]
    pub patches: bool,
    /// What members of these groups of the namespace publish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub groups: Vec<Segment>,
}

impl AutoApproval {
    const NONE: Self = Self { builds: false, patches: false, groups: Vec::new() };

    /// Whether nothing passes.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// That released versions are looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReReview {
    /// Days after which it is due: 1 to 3,650.
    pub days: u32,
    /// What becomes of those that are due.
    #[serde(default = "list")]
    pub overdue: Overdue,
}

/// What a namespace demands of every version that is published in it or below it.
///
/// With `approvals` and `role` alone it has one stage. With `stages` it has these, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishPolicy {
    /// How many people must approve before it is handed out, at most 16: none of them published or signed it. 0 where
    /// nobody must, and where there are `stages`.
    #[serde(default)]
    pub approvals: u32,
    /// The role that they must hold: `reviewer`, `admin` or `owner`.
    #[serde(default = "reviewer")]
    pub role: Role,
    /// Whether it must be signed when it is published, by a signature that counts.
    #[serde(default, skip_serializing_if = "is_not")]
    pub signed: bool,
    /// The stages, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Versions wait only if one of these is true of them; without any, all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Fact>,
    /// What passes without approval.
    #[serde(default, skip_serializing_if = "AutoApproval::is_none")]
    pub auto: AutoApproval,
    /// Whether one person may count for several stages. Usually it is for one.
    #[serde(default, skip_serializing_if = "is_not")]
    pub same_people: bool,
    /// Whether an approval counts only if it is signed with a key that the reviewer has enrolled.
    #[serde(default, skip_serializing_if = "is_not")]
    pub signed_reviews: bool,
    /// Days after which an approval of what still waits counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_days: Option<u32>,
    /// When released versions are looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReReview>,
}

fn one() -> u32 {
    1
}

fn reviewer() -> Role {
    Role::Reviewer
}

fn list() -> Overdue {
    Overdue::List
}

fn is_not(value: &bool) -> bool {
    !value
}

/// Why a policy cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishPolicyError {
    /// Too many, or nothing is demanded.
    #[error("`approvals` is 1 to {MAX_APPROVALS}, or 0 where `signed` is demanded")]
    Approvals,
    /// The role lets nobody approve.
    #[error("`role` is `reviewer`, `admin` or `owner`")]
    Role,
    /// One stage and many at once, or more than there may be, or two of one name.
    #[error(
        "`stages` has at most {MAX_STAGES}, each with a name of its own, and stands instead of `approvals`"
    )]
    Stages,
    /// A condition that is none.
    #[error("`when` has other conditions than `patch`, and each once")]
    When,
    /// Signed reviews, where nobody reviews.
    #[error("`signed_reviews` and `same_people` are about approvals, and none are demanded")]
    Reviews,
    /// What passes, where nothing waits.
    #[error("`auto` has each group once, and says what passes where approvals are demanded")]
    Auto,
    /// Days that are none.
    #[error("`expires_days` is 1 to {MAX_DAYS}, where approvals are demanded")]
    Expires,
    /// As many.
    #[error("`review.days` is 1 to {MAX_DAYS}, where approvals are demanded")]
    Review,
}

impl PublishPolicyError {
    /// The field that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Approvals => "approvals",
            Self::Role => "role",
            Self::Stages => "stages",
            Self::When => "when",
            Self::Reviews => "signed_reviews",
            Self::Auto => "auto",
            Self::Expires => "expires_days",
            Self::Review => "review",
        }
    }
}

#[expect(
    clippy::derivable_impls,
    reason = "roles have no default, and what is demanded stands in `LEAST` alone"
)]
impl Default for PublishPolicy {
    fn default() -> Self {
        Self { approvals: 0, ..Self::LEAST }
    }
}

impl PublishPolicy {
    /// What is demanded where nothing is: one person, who is another.
    pub const LEAST: Self = Self {
        approvals: 1,
        role: Role::Reviewer,
        signed: false,
        stages: Vec::new(),
        when: Vec::new(),
        auto: AutoApproval::NONE,
        same_people: false,
        signed_reviews: false,
        expires_days: None,
        review: None,
    };

    /// Whether it can be one.
    pub fn check(&self) -> Result<(), PublishPolicyError> {
        use PublishPolicyError as Wrong;
        let is_staged = !self.stages.is_empty();
        if is_staged && (self.approvals > 0 || self.stages.len() > MAX_STAGES) {
            return Err(Wrong::Stages);
        }
        if self.approvals > MAX_APPROVALS || (!self.waits() && !self.signed) {
            return Err(Wrong::Approvals);
        }
        if self.role < Role::Reviewer {
            return Err(Wrong::Role);
        }
        for (place, stage) in self.stages.iter().enumerate() {
            if self.stages[..place].iter().any(|earlier| earlier.name == stage.name) {
                return Err(Wrong::Stages);
            }
            if !(1..=MAX_APPROVALS).contains(&stage.approvals) {
                return Err(Wrong::Approvals);
            }
            if stage.role < Role::Reviewer {
                return Err(Wrong::Role);
            }
        }
        let conditions = std::iter::once(&self.when).chain(self.stages.iter().map(|stage| &stage.when));
        for when in conditions {
            let is_once = |place: usize| !when[..place].contains(&when[place]);
            if when.contains(&Fact::Patch) || !(0..when.len()).all(is_once) {
                return Err(Wrong::When);
            }
        }
        if !self.waits() && !self.when.is_empty() {
            return Err(Wrong::When);
        }
        if !self.waits() && (self.signed_reviews || self.same_people) {
            return Err(Wrong::Reviews);
        }
        let groups = &self.auto.groups;
        let is_once = (0..groups.len()).all(|place| !groups[..place].contains(&groups[place]));
        if !is_once || groups.len() > MAX_STAGES || (!self.waits() && !self.auto.is_none()) {
            return Err(Wrong::Auto);
        }
        let is_right = |days: u32| self.waits() && (1..=MAX_DAYS).contains(&days);
        if self.expires_days.is_some_and(|days| !is_right(days)) {
            return Err(Wrong::Expires);
        }
        if self.review.is_some_and(|review| !is_right(review.days)) {
            return Err(Wrong::Review);
        }
        Ok(())
    }

    /// Whether versions wait for approvals, some of them at least.
    pub fn waits(&self) -> bool {
        self.approvals > 0 || !self.stages.is_empty()
    }

    /// Whether it is of the form that adds up with others of its form: so many approvals, by people of one role.
    pub fn is_plain(&self) -> bool {
        let Self { approvals, role, signed, .. } = *self;
        *self == Self { approvals, role, signed, ..Self::LEAST }
    }

    /// Whether it must be known what is true of a version.
    pub fn asks_for_facts(&self) -> bool {
        !self.when.is_empty() || self.auto.patches || self.stages.iter().any(|stage| !stage.when.is_empty())
    }

    /// Whether it asks for more where everybody sees the skill.
    pub fn asks_for_public(&self) -> bool {
        self.when.contains(&Fact::Public)
            || self.stages.iter().any(|stage| stage.when.contains(&Fact::Public))
    }

    /// The groups of its namespace that it names.
    pub fn groups(&self) -> impl Iterator<Item = &Segment> {
        self.stages.iter().filter_map(|stage| stage.group.as_ref()).chain(&self.auto.groups)
    }

    /// What all of these demand together, in short: the most people and the highest role of them. None where there are none.
    /// What counts is [`Demand`].
    pub fn together<'a>(policies: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let short = |policy: &Self| match policy.stages.as_slice() {
            [] => {
                Self { approvals: policy.approvals, role: policy.role, signed: policy.signed, ..Self::LEAST }
            }
            [first, ..] => Self {
                approvals: policy.stages.iter().map(|stage| stage.approvals).sum(),
                role: policy.stages.iter().map(|stage| stage.role).min().unwrap_or(first.role),
                signed: policy.signed,
                ..Self::LEAST
            },
        };
        policies.into_iter().map(short).reduce(|one, other| Self {
            approvals: one.approvals.max(other.approvals),
            // Of one that demands no approvals, the role says nothing.
            role: match (one.waits(), other.waits()) {
                (true, false) => one.role,
                (false, true) => other.role,
                _ => one.role.max(other.role),
            },
            signed: one.signed || other.signed,
            ..Self::LEAST
        })
    }
}

#[cfg(test)]
mod tests;
