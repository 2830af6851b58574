//! Usage: tell of it, and read what others told.

use reqwest::Method;
use skillery_core::SkillId;
use skillery_core::api::{UsageRequest, UsageResponse};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// `POST /usage`. Safe to repeat: a report counts once, whoever sends it again.
    pub async fn report_usage(&self, report: &UsageRequest) -> Result<()> {
        self.need_token("sharing usage")?;
        self.empty(Call::post(&["usage"]).body(report)?.repeatable()).await
    }

    /// `GET /skills/{id}/usage`: how often each version is run, as users told; one page, the highest first.
    pub async fn usage(&self, id: &SkillId, page: Page) -> Result<UsageResponse> {
        self.json(page.add_to(Call::of_skill(Method::GET, id, &["usage"]))).await
    }
}
