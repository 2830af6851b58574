//! Starting the registry, and stopping it so that nothing is lost.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderName;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use skillery_core::token::Secret;
use tower::Layer;
use tower::util::option_layer;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::app::{App, StartError};
use crate::bootstrap::AdminToken;
use crate::counters;
use crate::environment::Environment;
use crate::http::Door;
use crate::jobs;
use crate::search;
use crate::settings::Settings;
use crate::tlog;

/// The server accepts connections.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where, for example `http://127.0.0.1:8700`.
    pub url: String,
    /// The admin token, when this start made it.
    pub admin_token: Option<Secret>,
    /// Where the admin token of the first start is kept.
    pub admin_token_file: PathBuf,
}

/// The server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The certificate or key cannot be used.
    #[error("cannot use the TLS certificate `{cert}` with its key", cert = .cert.display())]
    Tls {
        /// Which certificate.
        cert: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Accepting connections failed.
    #[error("the server stopped")]
    Run(#[source] std::io::Error),
    /// What was counted could not be written at the stop.
    #[error("not everything was written at the stop")]
    Stop(#[source] crate::failure::Failure),
}

/// How long each work beside the requests gets to end.
const GOODBYE: Duration = Duration::from_secs(5);

/// Runs a registry until `stop` is done. `on_ready` is called once connections are accepted.
pub async fn serve(
    settings: Settings,
    on_ready: impl FnOnce(&Ready),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    // More than one crate may try to install it; the first one wins and is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    settings.check().map_err(StartError::from)?;
    let tls = tls(&settings).await?;
    let listen_error = |source| ServeError::Listen { address: settings.listen, source };
    let listener = std::net::TcpListener::bind(settings.listen).map_err(listen_error)?;
    listener.set_nonblocking(true).map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    let (app, admin_token) = App::open(settings, Environment::default()).await?;
    let background = background(&app);

    let handle = Handle::new();
    let (door, cors) = (Door::new(Arc::clone(&app)), cors(&app.settings));
    let service = tower::service_fn(move |peer: SocketAddr| {
        std::future::ready(Ok::<_, Infallible>(option_layer(cors.clone()).layer(door.with_peer(peer))))
    });
    let ready = Ready {
        url: app.settings.public_url.as_ref().map_or_else(
            || format!("{}://{address}", if tls.is_some() { "https" } else { "http" }),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        ),
        admin_token: match admin_token {
            AdminToken::Made(token) => Some(token),
            AdminToken::Known => None,
        },
        admin_token_file: app.settings.admin_token_file(),
    };
    macro_rules! run {
        ($server:expr) => {{
            let mut server = $server.map_err(ServeError::Run)?.handle(handle.clone());
            // HTTP/1.1 alone: telling it from HTTP/2 would wait for a silent client without end, and a proxy in front
            // speaks HTTP/2 to the world.
            *server.http_builder() = Builder::new(TokioExecutor::new()).http1_only();
            server
                .http_builder()
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(app.settings.limits.head_seconds));
            tokio::spawn(server.serve(service))
        }};
    }
    let running = match tls {
        Some(tls) => run!(axum_server::from_tcp_rustls(listener, tls)),
        None => run!(axum_server::from_tcp(listener)),
    };
    on_ready(&ready);
    tracing::info!(url = ready.url, "ready");

    tokio::pin!(stop);
    let mut running = running;
    let outcome = tokio::select! {
        () = &mut stop => {
            tracing::info!("stopping");
            app.drain();
            handle.graceful_shutdown(Some(Duration::from_secs(app.settings.stop_seconds)));
            (&mut running).await
        }
        ended = &mut running => ended,
    };
    app.stop();
    // What was counted is written first: nothing that runs beside requests may hold it up.
    counters::flush(&app).await.map_err(ServeError::Stop)?;
    for task in background {
        if tokio::time::timeout(GOODBYE, task).await.is_err() {
            tracing::warn!("work beside the requests was cut off");
        }
    }
    if let Err(failure) = app.blobs.settle().await {
        // Nothing is lost: the journal keeps what the next start will write.
        tracing::warn!(%failure, "the journal of contents stays");
    }
    app.db.close().await;
    outcome.map_err(|error| ServeError::Run(std::io::Error::other(error)))?.map_err(ServeError::Run)
}

/// Everything that runs beside requests.
fn background(app: &Arc<App>) -> Vec<tokio::task::JoinHandle<()>> {
    vec![
        tokio::spawn(search::listen(Arc::clone(app))),
        tokio::spawn(search::run(Arc::clone(app))),
        tokio::spawn(tlog::follow(Arc::clone(app))),
        tokio::spawn(jobs::flush_counters(Arc::clone(app))),
        tokio::spawn(jobs::collect_contents(Arc::clone(app))),
        tokio::spawn(jobs::tidy(Arc::clone(app))),
    ]
}

async fn tls(settings: &Settings) -> Result<Option<RustlsConfig>, ServeError> {
    let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) else { return Ok(None) };
    let config = RustlsConfig::from_pem_file(cert, key).await;
    let config = config.map_err(|source| ServeError::Tls { cert: cert.clone(), source })?;
    // What is offered is what is spoken.
    let mut inner = (*config.get_inner()).clone();
    inner.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.reload_from_config(Arc::new(inner));
    Ok(Some(config))
}

/// Pages of the configured origins may call the API; without any, no answer says a word about it.
fn cors(settings: &Settings) -> Option<CorsLayer> {
    if settings.cors_origins.is_empty() {
        return None;
    }
    let origins = if settings.cors_origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(settings.cors_origins.iter().filter_map(|origin| origin.parse().ok()))
    };
    // `*` would not cover the header that holds the token.
    let headers = [AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-request-id")];
    let cors =
        CorsLayer::new().allow_origin(origins).allow_methods(Any).allow_headers(headers).expose_headers(Any);
    Some(cors.max_age(Duration::from_secs(3_600)))
}
