//! An entry of the log, as it is answered.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::time::Time;

/// One entry of the log as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogEntry {
    /// Its number: the first is 0, and none is missing.
    pub index: i64,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub time: Time,
    /// The id of the user who did it; none for the registry itself.
    pub actor: Option<String>,
    /// What was done.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub event: Event,
}
