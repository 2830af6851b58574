//! `GET /log`: every change, in order. For admins of the registry.

use skillery_core::api::LogResponse;

use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// Entries from this number on: all with 0, and all that follow a page with the number of its last entry and one.
    pub async fn log(&self, after: i64, limit: Option<u64>) -> Result<LogResponse> {
        self.json(Call::get(&["log"]).query("after", Some(after)).query("limit", limit)).await
    }
}
