//! Starting the registry, and stopping it so that nothing is lost.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderName;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use skillery_core::token::Secret;
use tower::Layer;
use tower::util::option_layer;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::app::{App, StartError};
use crate::audit;
use crate::bootstrap::AdminToken;
use crate::counters;
use crate::environment::Environment;
use crate::http::Door;
use crate::insight;
use crate::jobs::{self, Job};
use crate::listen::{ListenError, Listener};
use crate::notify;
use crate::origin;
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
    /// It cannot accept connections, or no more.
    #[error(transparent)]
    Listen(#[from] ListenError),
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
    settings.check().map_err(StartError::from)?;
    let tls = settings.tls_cert.as_deref().zip(settings.tls_key.as_deref());
    let listener = Listener::bind(settings.listen, tls).await?;
    let (app, admin_token) =
        origin::working("command:serve", App::open(settings, Environment::default())).await?;
    let background = background(&app);

    let ready = Ready {
        url: app
            .settings
            .public_url
            .as_ref()
            .map_or_else(|| listener.url(), |url| url.as_str().trim_end_matches('/').to_owned()),
        admin_token: match admin_token {
            AdminToken::Made(token) => Some(token),
            AdminToken::Known => None,
        },
        admin_token_file: app.settings.admin_token_file(),
    };
    let (door, cors) = (Door::new(Arc::clone(&app)), cors(&app.settings));
    let head = Duration::from_secs(app.settings.limits.head_seconds);
    let running = listener.serve(head, move |peer| option_layer(cors.clone()).layer(door.with_peer(peer)))?;
    on_ready(&ready);
    tracing::info!(url = ready.url, "ready");

    let patience = Duration::from_secs(app.settings.stop_seconds);
    let outcome = running.until(stop, patience, || app.drain()).await;
    app.stop();
    // What was counted is written first: nothing that runs beside requests may hold it up.
    counters::flush(&app).await.map_err(ServeError::Stop)?;
    audit::flush(&app, true).await.map_err(ServeError::Stop)?;
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
    Ok(outcome?)
}

/// Everything that runs beside requests.
fn background(app: &Arc<App>) -> Vec<tokio::task::JoinHandle<()>> {
    let mut all = Vec::new();
    let mut run = |job: Job, work: Pin<Box<dyn Future<Output = ()> + Send>>| {
        all.push(tokio::spawn(origin::working(job.via(), work)));
    };
    for place in 0..app.settings.audit.streams.len() {
        run(Job::Audit, Box::pin(audit::follow(Arc::clone(app), place)));
    }
    if !app.settings.audit.streams.is_empty() {
        run(Job::Audit, Box::pin(audit::watch(Arc::clone(app))));
    }
    run(Job::Caches, Box::pin(search::listen(Arc::clone(app))));
    run(Job::Checkpoint, Box::pin(tlog::follow(Arc::clone(app))));
    run(Job::Contents, Box::pin(jobs::collect_contents(Arc::clone(app))));
    run(Job::Counters, Box::pin(jobs::flush_counters(Arc::clone(app))));
    run(Job::Deliveries, Box::pin(notify::deliver(Arc::clone(app))));
    run(Job::Digests, Box::pin(notify::keep_house(Arc::clone(app))));
    run(Job::Insight, Box::pin(insight::follow(Arc::clone(app))));
    run(Job::Notifications, Box::pin(notify::follow(Arc::clone(app))));
    run(Job::Reviews, Box::pin(jobs::review_again(Arc::clone(app))));
    run(Job::Search, Box::pin(search::run(Arc::clone(app))));
    run(Job::Tidy, Box::pin(jobs::tidy(Arc::clone(app))));
    run(Job::Witnesses, Box::pin(tlog::feed(Arc::clone(app))));
    all
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
    let others =
        ["x-request-id", "mcp-protocol-version", "mcp-method", "mcp-name"].map(HeaderName::from_static);
    let headers = [AUTHORIZATION, CONTENT_TYPE].into_iter().chain(others).collect::<Vec<_>>();
    let cors =
        CorsLayer::new().allow_origin(origins).allow_methods(Any).allow_headers(headers).expose_headers(Any);
    Some(cors.max_age(Duration::from_secs(3_600)))
}
