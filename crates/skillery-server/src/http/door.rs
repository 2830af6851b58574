//! The registry as a service: what a connection hands its requests to.
//!
//! Routes are matched by `router/` itself, as ids with slashes need it anyway; no other router stands in between.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use tower::Service;

use super::middleware;
use crate::app::App;

/// Answers every request of one connection.
#[derive(Clone)]
pub struct Door {
    app: Arc<App>,
    peer: Option<IpAddr>,
}

impl Door {
    /// A door for callers of whom no address is known.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, peer: None }
    }

    /// The same door for a connection from this address.
    pub fn with_peer(&self, peer: SocketAddr) -> Self {
        Self { app: Arc::clone(&self.app), peer: Some(peer.ip()) }
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
        let (app, peer) = (Arc::clone(&self.app), self.peer);
        let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
        Box::pin(async move { Ok(middleware::around(app, peer, request).await) })
    }
}
