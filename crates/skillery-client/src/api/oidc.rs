//! Builds that may publish, and people who sign in with an account elsewhere.

use std::time::{Duration, Instant};

use reqwest::Method;
use skillery_core::api::{
    CreatePublisherRequest, CreateTokenResponse, ExchangeRequest, ExchangeResponse, LinkUserRequest,
    OidcResponse, PollLoginRequest, PollLoginResponse, Publisher, PublishersResponse, StartLoginRequest,
    StartLoginResponse,
};
use skillery_core::{Namespace, Segment};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::{Error, Result};

/// Seconds that a person has to sign in, whatever the registry says.
const LONGEST_LOGIN: u64 = 24 * 60 * 60;

/// Seconds between two questions at least, whatever a registry says.
const SHORTEST_PAUSE: u64 = 1;
/// Seconds between two questions at most.
const LONGEST_PAUSE: u64 = 60;

impl Client {
    /// `GET /oidc`: whose identity tokens the registry takes.
    pub async fn oidc(&self) -> Result<OidcResponse> {
        self.json(Call::get(&["oidc"])).await
    }

    /// `POST /oidc/exchange`. Sent once only: each identity token is good for one exchange.
    pub async fn exchange(&self, request: &ExchangeRequest) -> Result<ExchangeResponse> {
        self.json(Call::post(&["oidc", "exchange"]).body(request)?).await
    }

    /// `GET /orgs/{namespace}/publishers`: builds that are trusted there and above.
    pub async fn publishers(&self, namespace: &Namespace, page: Page) -> Result<PublishersResponse> {
        self.json(page.add_to(Call::of_namespace(Method::GET, namespace, &["publishers"]))).await
    }

    /// `POST /orgs/{namespace}/publishers`.
    pub async fn add_publisher(
        &self,
        namespace: &Namespace,
        request: &CreatePublisherRequest,
    ) -> Result<Publisher> {
        let call = Call::of_namespace(Method::POST, namespace, &["publishers"]);
        self.json(call.body(request)?).await
    }

    /// `DELETE /orgs/{namespace}/publishers/{id}`.
    pub async fn remove_publisher(&self, namespace: &Namespace, id: &str) -> Result<()> {
        self.empty(Call::of_namespace(Method::DELETE, namespace, &["publishers", id])).await
    }

    /// `PUT /users/{name}/subject`. For admins of the registry.
    pub async fn link_user(&self, name: &Segment, request: &LinkUserRequest) -> Result<()> {
        self.empty(Call::put(&["users", name.as_str(), "subject"]).body(request)?).await
    }

    /// `POST /oidc/login`: begins to sign a person in.
    pub async fn start_login(&self, request: &StartLoginRequest) -> Result<StartLoginResponse> {
        self.json(Call::post(&["oidc", "login"]).body(request)?).await
    }

    /// Asks again and again whether the person is done, until it is too late. Gives the person's token.
    pub async fn finish_login(&self, started: &StartLoginResponse) -> Result<CreateTokenResponse> {
        let deadline = Instant::now() + Duration::from_secs(started.expires_in.min(LONGEST_LOGIN));
        let request = PollLoginRequest { login: started.login.clone() };
        let mut pause = started.interval;
        loop {
            tokio::time::sleep(Duration::from_secs(pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))).await;
            let asked: Result<PollLoginResponse> =
                self.json(Call::post(&["oidc", "login", "poll"]).body(&request)?).await;
            match asked {
                Ok(PollLoginResponse { token: Some(token), .. }) => return Ok(token),
                Ok(answer) => pause = answer.interval.unwrap_or(pause),
                // The registry, or the provider behind it, may answer the next time.
                Err(error) if error.is_unreachable() && Instant::now() < deadline => {
                    tracing::debug!(%error, "asking again");
                }
                Err(error) => return Err(error),
            }
            if Instant::now() >= deadline {
                return Err(Error::SignInTooLate);
            }
        }
    }
}
