//! `GET /log`: every change, in order. For admins of the registry.

use skillery_core::api::LogResponse;

use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// Entries after the one with this number; from the beginning with 0.
    pub async fn log(&self, after: i64, limit: Option<u64>) -> Result<LogResponse> {
        self.json(Call::get(&["log"]).query("after", Some(after)).query("limit", limit)).await
    }
}
