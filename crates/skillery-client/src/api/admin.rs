//! How a registry goes and how it is set, for its admins.

use skillery_core::api::{JobsResponse, SettingsResponse};

use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// `GET /admin/jobs`: what runs beside requests, how it went, and what waits. For admins of the registry.
    pub async fn jobs(&self) -> Result<JobsResponse> {
        self.json(Call::get(&["admin", "jobs"])).await
    }

    /// `GET /admin/settings`: settings and limits in force. For admins of the registry.
    pub async fn settings(&self) -> Result<SettingsResponse> {
        self.json(Call::get(&["admin", "settings"])).await
    }
}
