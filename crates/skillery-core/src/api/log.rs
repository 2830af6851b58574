//! The log.

use serde::{Deserialize, Serialize};

use crate::event::LogEntry;

/// `GET /api/v1/log`: entries from `after` on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogResponse {
    /// Entries in the whole log.
    pub size: i64,
    /// Those of this page, in order.
    pub entries: Vec<LogEntry>,
}
