//! What the caller is told of, how, and where to.

use skillery_core::api::{
    ConfirmEmailRequest, CreateWebhookRequest, CreateWebhookResponse, DeliveriesResponse, DeliveryState,
    EmailResponse, NotificationsResponse, PreferencesRequest, PreferencesResponse, ReadRequest, ReadResponse,
    RedeliverRequest, RedeliverResponse, SetEmailRequest, TestWebhookResponse, UpdateWebhookRequest, Webhook,
    WebhooksResponse,
};
use skillery_core::{Namespace, Preference};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

const WEBHOOKS: [&str; 2] = ["notifications", "webhooks"];

impl Client {
    /// `GET /notifications`: the newest first, those before a number.
    pub async fn notifications(
        &self,
        unread: bool,
        before: Option<i64>,
        limit: Option<u64>,
    ) -> Result<NotificationsResponse> {
        let call = Call::get(&["notifications"]).query("unread", unread.then_some(true));
        self.json(call.query("before", before).query("limit", limit)).await
    }

    /// `POST /notifications/read`: marks as read.
    pub async fn read_notifications(&self, request: &ReadRequest) -> Result<ReadResponse> {
        self.json(Call::post(&["notifications", "read"]).body(request)?.repeatable()).await
    }

    /// `GET /notifications/preferences`: how the caller is told of each kind.
    pub async fn preferences(&self) -> Result<PreferencesResponse> {
        self.json(Call::get(&["notifications", "preferences"])).await
    }

    /// `PUT /notifications/preferences`: changes some.
    pub async fn set_preferences(&self, preferences: Vec<Preference>) -> Result<PreferencesResponse> {
        let request = PreferencesRequest { preferences };
        self.json(Call::put(&["notifications", "preferences"]).body(&request)?).await
    }

    /// `GET /notifications/email`: where the caller gets mail.
    pub async fn email(&self) -> Result<EmailResponse> {
        self.json(Call::get(&["notifications", "email"])).await
    }

    /// `PUT /notifications/email`: sets it, and has a code mailed there.
    pub async fn set_email(&self, address: &str) -> Result<EmailResponse> {
        let request = SetEmailRequest { address: address.to_owned() };
        self.json(Call::put(&["notifications", "email"]).body(&request)?).await
    }

    /// `POST /notifications/email/confirm`: confirms it by that code.
    pub async fn confirm_email(&self, code: &str) -> Result<EmailResponse> {
        let request = ConfirmEmailRequest { code: code.to_owned() };
        self.json(Call::post(&["notifications", "email", "confirm"]).body(&request)?).await
    }

    /// `DELETE /notifications/email`.
    pub async fn remove_email(&self) -> Result<()> {
        self.empty(Call::delete(&["notifications", "email"])).await
    }

    /// `GET /notifications/webhooks`: the caller's own, or those of a namespace.
    pub async fn webhooks(&self, namespace: Option<&Namespace>) -> Result<WebhooksResponse> {
        self.json(Call::get(&WEBHOOKS).query("namespace", namespace)).await
    }

    /// `POST /notifications/webhooks`. The answer has the secret this once.
    pub async fn add_webhook(&self, request: &CreateWebhookRequest) -> Result<CreateWebhookResponse> {
        self.json(Call::post(&WEBHOOKS).body(request)?).await
    }

    /// `PATCH /notifications/webhooks/{webhook}`.
    pub async fn update_webhook(&self, id: &str, request: &UpdateWebhookRequest) -> Result<Webhook> {
        self.json(Call::patch(&["notifications", "webhooks", id]).body(request)?).await
    }

    /// `DELETE /notifications/webhooks/{webhook}`.
    pub async fn remove_webhook(&self, id: &str) -> Result<()> {
        self.empty(Call::delete(&["notifications", "webhooks", id])).await
    }

    /// `POST /notifications/webhooks/{webhook}/test`: sends a delivery that tells of nothing.
    pub async fn test_webhook(&self, id: &str) -> Result<TestWebhookResponse> {
        self.json(Call::post(&["notifications", "webhooks", id, "test"])).await
    }

    /// `GET /notifications/webhooks/{webhook}/deliveries`: the newest first.
    pub async fn deliveries(
        &self,
        id: &str,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<DeliveriesResponse> {
        let call = Call::get(&["notifications", "webhooks", id, "deliveries"]).query("state", state);
        self.json(page.add_to(call)).await
    }

    /// `POST /notifications/webhooks/{webhook}/redeliver`: one, or all that are dead.
    pub async fn redeliver(&self, id: &str, delivery: Option<String>) -> Result<RedeliverResponse> {
        let call = Call::post(&["notifications", "webhooks", id, "redeliver"]);
        self.json(call.body(&RedeliverRequest { delivery })?).await
    }
}
