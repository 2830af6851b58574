//! One method for each route of the registry, on [`Client`](crate::Client).

mod accounts;
mod admin;
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
use crate::error::Result;

/// Which part of a listing to get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// Rows; the registry's default when left out.
    pub limit: Option<u64>,
    /// Rows to skip.
    pub offset: Option<u64>,
}

/// Answers that are asked for at most, whatever a registry says that there is.
pub(crate) const MOST_PAGES: usize = 500;

/// As many rows of a listing as are wanted, all where no number is said, page by page: each answer has its rows, `most` at most, and
/// whether there are more. At most so many answers are asked for as are left, together with those before.
async fn all<T, Answer: Future<Output = Result<(Vec<T>, bool)>>>(
    left: &mut usize,
    wanted: Page,
    most: u64,
    mut next: impl FnMut(Page) -> Answer,
) -> Result<Vec<T>> {
    let (from, wanted) = (wanted.offset.unwrap_or(0), wanted.limit.unwrap_or(u64::MAX));
    let mut rows = Vec::new();
    while *left > 0 {
        *left -= 1;
        let got = rows.len() as u64;
        let page = Page { limit: Some(most.min(wanted - got)), offset: Some(from.saturating_add(got)) };
        let (some, is_more) = next(page).await?;
        let is_last = some.is_empty() || !is_more;
        rows.extend(some);
        rows.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        if is_last || rows.len() as u64 >= wanted {
            break;
        }
    }
    Ok(rows)
}

impl Page {
    /// Whether there are rows behind these, of so many.
    fn has_more<T>(self, rows: &[T], total: u64) -> bool {
        self.offset.unwrap_or(0).saturating_add(rows.len() as u64) < total
    }

    fn add_to(self, call: Call) -> Call {
        call.query("limit", self.limit).query("offset", self.offset)
    }
}
