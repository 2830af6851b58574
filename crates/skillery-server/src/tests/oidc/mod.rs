//! Identity tokens of others, against an issuer that really listens: on this machine, over HTTP.

mod exchange;
mod hostile;
mod keys;
mod login;
mod publishers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http_body_util::BodyExt;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use skillery_core::api::PublisherKind;

use super::{ADMIN, Answer, TestApp};
use crate::oidc::{Algorithm, TrustedIssuer};
use crate::settings::Settings;

/// Whom the tokens of these tests are for.
pub(super) const AUDIENCE: &str = "https://registry.example";

/// The key that issuers sign with here, and one that they do not.
pub(super) const ISSUERS_KEY: &[u8] = include_bytes!("rsa-1.p8");
pub(super) const OTHER_KEY: &[u8] = include_bytes!("rsa-2.p8");

/// A private key.
pub(super) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Signer {
    pub(super) fn rsa(key: &[u8]) -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(key).unwrap())
    }

    pub(super) fn ec() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Self::Ec(pair.unwrap())
    }

    /// The public key as an issuer publishes it.
    pub(super) fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "use": "sig", "kid": id, "n": BASE64.encode(n), "e": BASE64.encode(e) })
            }
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": BASE64.encode(x), "y": BASE64.encode(y) })
            }
        }
    }

    /// A token with this header and these claims, as text, so that anything can be signed.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", BASE64.encode(signature))
    }
}

/// An issuer. What it answers at each path can be changed at any time.
pub(super) struct Issuer {
    pub(super) url: String,
    pub(super) signer: Signer,
    inside: Arc<Inside>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Inside {
    answers: Mutex<HashMap<String, (u16, Vec<u8>)>>,
    /// Requests so far: the path, the authorization, and the body.
    requests: Mutex<Vec<(String, String, String)>>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let authorization = request
        .headers()
        .get("authorization")
        .map_or_else(String::new, |value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    inside.requests.lock().unwrap().push((path.clone(), authorization, body));
    let answer = inside.answers.lock().unwrap().get(&path).cloned();
    let (status, body) = answer.unwrap_or((404, b"nothing here".to_vec()));
    let mut response = Body::from(Bytes::from(body)).into_response();
    *response.status_mut() = status.try_into().unwrap();
    if (300..400).contains(&status) {
        response.headers_mut().insert("location", "/moved".parse().unwrap());
    }
    response
}

impl Issuer {
    /// One that publishes an RSA key.
    pub(super) async fn new() -> Self {
        Self::with(Signer::rsa(ISSUERS_KEY)).await
    }

    pub(super) async fn with(signer: Signer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Inside::default());
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&inside));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let issuer = Self { url, signer, inside, server };
        issuer.describe(json!({}));
        issuer.publish(json!([issuer.signer.jwk("key-1")]));
        issuer
    }

    /// What is answered at this path from now on.
    pub(super) fn answers(&self, path: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.inside.answers.lock().unwrap().insert(path.to_owned(), (status, body.into()));
    }

    /// Describes itself, with these changes.
    pub(super) fn describe(&self, changes: Value) {
        let url = &self.url;
        let mut document = json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"), "token_endpoint": format!("{url}/token"),
            "device_authorization_endpoint": format!("{url}/device"), "userinfo_endpoint": format!("{url}/me"),
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        self.answers("/.well-known/openid-configuration", 200, document.to_string());
    }

    /// Publishes these keys.
    pub(super) fn publish(&self, keys: Value) {
        self.answers("/jwks", 200, json!({ "keys": keys }).to_string());
    }

    /// How often this path was asked for.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.inside.requests.lock().unwrap().iter().filter(|(asked, ..)| asked == path).count()
    }

    /// Authorization and body of the last request to this path.
    pub(super) fn last(&self, path: &str) -> (String, String) {
        let requests = self.inside.requests.lock().unwrap();
        let (_, authorization, body) = requests.iter().rev().find(|(asked, ..)| asked == path).unwrap();
        (authorization.clone(), body.clone())
    }

    /// A good token with these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        let algorithm = if matches!(self.signer, Signer::Rsa(_)) { "RS256" } else { "ES256" };
        let header = json!({ "alg": algorithm, "kid": "key-1", "typ": "JWT" });
        self.signer.sign(&header.to_string(), &claims.to_string())
    }

    /// As a setting.
    pub(super) fn trusted(&self, kind: PublisherKind) -> TrustedIssuer {
        let algorithm =
            if matches!(self.signer, Signer::Rsa(_)) { Algorithm::Rs256 } else { Algorithm::Es256 };
        TrustedIssuer {
            issuer: self.url.clone(),
            kind,
            audience: Some(AUDIENCE.to_owned()),
            algorithm,
            max_lifetime_seconds: None,
        }
    }
}

/// A registry that takes tokens of this issuer, with the org `acme`.
pub(super) async fn registry(issuer: &Issuer, kind: PublisherKind) -> TestApp {
    let trusted = issuer.trusted(kind);
    registry_with(|settings| settings.oidc_issuers = vec![trusted]).await
}

pub(super) async fn registry_with(change: impl FnOnce(&mut Settings)) -> TestApp {
    let app = TestApp::with(change).await;
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "acme" })).await.is(201);
    app
}

/// Trusts the builds of [`build`], with these changes.
pub(super) async fn trust(app: &TestApp, changes: Value) -> Value {
    let mut request =
        json!({ "kind": "github", "repository": "octo/tools", "owner_id": "65", "workflow": "release.yml" });
    for (name, value) in changes.as_object().unwrap() {
        request[name] = value.clone();
    }
    app.post("/api/v1/orgs/acme/publishers", ADMIN, request).await.is(201)
}

/// What GitHub says of a build, now, with these changes; `null` leaves a claim out.
pub(super) fn build(app: &TestApp, issuer: &Issuer, changes: Value) -> Value {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let now = app.app.environment.now().micros() / 1_000_000;
    let mut claims = json!({
        "iss": issuer.url, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300,
        "jti": format!("token-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        "sub": "repo:octo/tools:ref:refs/heads/main", "event_name": "push",
        "repository": "octo/tools", "repository_id": "7", "repository_owner": "octo", "repository_owner_id": "65",
        "workflow_ref": "octo/tools/.github/workflows/release.yml@refs/heads/main", "ref": "refs/heads/main",
        "ref_type": "branch", "ref_protected": "true", "run_id": "4711", "sha": "0fe1", "actor": "a-person",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

pub(super) async fn exchange(app: &TestApp, token: &str) -> Answer {
    app.post("/api/v1/oidc/exchange", "", json!({ "token": token })).await
}
