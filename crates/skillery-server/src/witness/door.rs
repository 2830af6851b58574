//! The witness as a service: addresses, limits, and the form of each answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use skillery_core::tlog::Refusal;
use tower::Service;

use super::{Refused, Witness};

/// Bytes of a request: the longest proof, and a checkpoint with more signatures than any log has.
const MAX_BODY: usize = 128 * 1024;
/// How long a request may take to arrive, and to be answered.
const PATIENCE: Duration = Duration::from_secs(20);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// The size of a tree (tlog-witness, add-checkpoint).
const SIZE: HeaderValue = HeaderValue::from_static("text/x.tlog.size");

/// Answers every request of one connection.
#[derive(Clone)]
pub(crate) struct Door {
    witness: Arc<Witness>,
    prefix: Arc<str>,
}

impl Door {
    /// A door whose addresses begin with this prefix.
    pub(crate) fn new(witness: Arc<Witness>, prefix: String) -> Self {
        Self { witness, prefix: prefix.into() }
    }
}

impl<B> Service<Request<B>> for Door
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { witness, prefix } = self.clone();
        Box::pin(async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let late = || answer(StatusCode::REQUEST_TIMEOUT, "the request took too long\n");
            let response = tokio::time::timeout(PATIENCE, respond(witness, &prefix, request)).await;
            let response = response.unwrap_or_else(|_| late());
            tracing::debug!(%method, path, status = response.status().as_u16(), "request");
            Ok(response)
        })
    }
}

async fn respond<B>(witness: Arc<Witness>, prefix: &str, request: Request<B>) -> Response
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let method = request.method().clone();
    let is_read = matches!(method, Method::GET | Method::HEAD);
    match request.uri().path().strip_prefix(prefix) {
        Some("/add-checkpoint") if method == Method::POST => {
            add_checkpoint(witness, request.into_body()).await
        }
        Some("/add-checkpoint") => not_allowed("POST"),
        Some("" | "/" | "/key") if is_read => answer(StatusCode::OK, format!("{}\n", witness.verifier())),
        Some("/healthz") if is_read => answer(StatusCode::OK, "ok\n"),
        Some("" | "/" | "/key" | "/healthz") => not_allowed("GET, HEAD"),
        _ => answer(StatusCode::NOT_FOUND, "there is nothing at this address\n"),
    }
}

async fn add_checkpoint<B>(witness: Arc<Witness>, body: B) -> Response
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let bytes = match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            let text = format!("the request has more than {MAX_BODY} bytes\n");
            return answer(StatusCode::PAYLOAD_TOO_LARGE, text);
        }
        Err(_) => return answer(StatusCode::BAD_REQUEST, "the request did not arrive whole\n"),
    };
    let Ok(body) = String::from_utf8(bytes.into()) else {
        return answer(StatusCode::BAD_REQUEST, "the request is not UTF-8\n");
    };
    // A thread of its own runs to the end, even if nobody waits for the answer any more.
    match tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await {
        Ok(Ok(cosignature)) => answer(StatusCode::OK, cosignature),
        Ok(Err(refused)) => refuse(&refused),
        Err(error) => {
            tracing::error!(%error, "a request was not answered");
            answer(StatusCode::INTERNAL_SERVER_ERROR, "the witness made a mistake\n")
        }
    }
}

fn refuse(refused: &Refused) -> Response {
    let status = match refused {
        Refused::Form(_) | Refused::Refusal(Refusal::Order) => StatusCode::BAD_REQUEST,
        Refused::Refusal(Refusal::UnknownLog) => StatusCode::NOT_FOUND,
        Refused::Refusal(Refusal::NotSigned) => StatusCode::FORBIDDEN,
        Refused::Refusal(Refusal::Conflict(size)) => {
            let mut response = answer(StatusCode::CONFLICT, format!("{size}\n"));
            response.headers_mut().insert(CONTENT_TYPE, SIZE);
            return response;
        }
        Refused::Refusal(Refusal::Inconsistent) => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Clock { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refused::Memory(error) => {
            tracing::error!(%error, cause = ?std::error::Error::source(error), "a checkpoint cannot be remembered");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let mut response = answer(status, format!("{refused}\n"));
    if let Refused::Clock { .. } = refused {
        tracing::error!(%refused, "no checkpoint is cosigned");
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
    }
    response
}

fn not_allowed(methods: &'static str) -> Response {
    let text = format!("this address takes {methods}\n");
    let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn answer(status: StatusCode, text: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
