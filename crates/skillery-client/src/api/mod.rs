//! One method for each route of the registry, on [`Client`](crate::Client).

mod accounts;
mod approvals;
mod audit;
mod comments;
mod insight;
mod keys;
mod log;
mod notifications;
mod oidc;
mod ratings;
mod review;
mod search;
mod skills;
mod usage;
mod versions;

pub use self::approvals::ApprovalFilter;
pub use self::audit::AuditQuery;
pub use self::review::{DiffQuery, StandingWithComments};
pub use self::search::{SearchQuery, Sort};
pub use self::skills::{Downloaded, PublishAnswer};

use crate::client::Call;

/// Which part of a listing to get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// Rows; the registry's default when left out.
    pub limit: Option<u64>,
    /// Rows to skip.
    pub offset: Option<u64>,
}

impl Page {
    fn add_to(self, call: Call) -> Call {
        call.query("limit", self.limit).query("offset", self.offset)
    }
}
