//! Who may do what: roles of members, scopes of tokens, and what a skill and a version may be seen as.

use crate::words::word_enum;
use crate::{SkillId, Version};

word_enum! {
    /// What a member may do in a namespace and everything below it. Each role includes those before it.
    Role {
        /// Sees private skills.
        Reader = "reader",
        /// Publishes and yanks.
        Publisher = "publisher",
        /// Approves what others published.
        Reviewer = "reviewer",
        /// Manages members, policy and the signing secret.
        Admin = "admin",
        /// As admin, and may remove other owners.
        Owner = "owner",
    }
}

word_enum! {
    /// What a token may be used for. What its user may do limits it further.
    Scope {
        /// Look and download.
        Read = "read",
        /// Publish and yank.
        Publish = "publish",
        /// Rate and review as a user.
        Rate = "rate",
        /// Approve.
        Review = "review",
        /// Manage orgs, members and tokens; the whole registry where the user is its admin.
        Admin = "admin",
    }
}

word_enum! {
    /// Who sees a skill.
    Visibility {
        /// Everybody.
        Public = "public",
        /// Every signed-in caller.
        Internal = "internal",
        /// Members of the namespace.
        Private = "private",
    }
}

word_enum! {
    /// Where a version stands.
    VersionStatus {
        /// Waits for approval; only reviewers see it.
        Pending = "pending",
        /// Found and downloaded.
        Published = "published",
        /// A reviewer refused it.
        Rejected = "rejected",
        /// Not found; downloaded only by its exact version, with a warning.
        Yanked = "yanked",
        /// Never downloaded.
        Quarantined = "quarantined",
    }
}

impl VersionStatus {
    /// Whether those who may see it get its files. Of a version that waits these are few, and of one that is handed out all who see
    /// the skill.
    pub fn has_files(self) -> bool {
        match self {
            Self::Pending | Self::Published | Self::Yanked => true,
            Self::Rejected | Self::Quarantined => false,
        }
    }
}

/// What is said of a version that its publisher took back.
pub fn yanked(id: &SkillId, version: &Version, reason: Option<&str>) -> String {
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{id} {version} was yanked: {reason}"),
        None => format!("{id} {version} was yanked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_words_round_trip() {
        assert!(Role::Reader < Role::Publisher && Role::Publisher < Role::Reviewer);
        assert!(Role::Reviewer < Role::Admin && Role::Admin < Role::Owner);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), *role);
        }
        assert_eq!(
            "king".parse::<Role>().unwrap_err(),
            "`king` is none of `reader`, `publisher`, `reviewer`, `admin`, `owner`"
        );
    }
}
