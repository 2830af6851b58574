//! Accepting connections, and stopping so that requests under way get their answers. It knows nothing of what is
//! answered.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use axum::http::{Request, Response};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tower::Service;

/// Connections cannot be accepted.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
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
}

/// An address that was taken; nobody is answered yet.
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
}

/// A server that answers.
pub struct Running {
    handle: Handle<SocketAddr>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Listener {
    /// Takes the address. With the files of a certificate chain and its key, in PEM, TLS is spoken.
    pub async fn bind(address: SocketAddr, tls: Option<(&Path, &Path)>) -> Result<Self, ListenError> {
        // More than one crate may try to install it; the first one wins and is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = match tls {
            Some((cert, key)) => Some(read_tls(cert, key).await?),
            None => None,
        };
        let error = |source| ListenError::Listen { address, source };
        let socket = std::net::TcpListener::bind(address).map_err(error)?;
        socket.set_nonblocking(true).map_err(error)?;
        let address = socket.local_addr().map_err(error)?;
        Ok(Self { socket, address, tls })
    }

    /// Where it is, for example `http://127.0.0.1:8700`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
    }

    /// Answers from now on. `service` makes what answers a connection from an address; a client gets `head` for the
    /// head of a request.
    pub fn serve<F, S, B>(self, head: Duration, service: F) -> Result<Running, ListenError>
    where
        F: Fn(SocketAddr) -> S + Clone + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let handle = Handle::new();
        let service =
            tower::service_fn(move |peer: SocketAddr| std::future::ready(Ok::<_, Infallible>(service(peer))));
        macro_rules! run {
            ($server:expr) => {{
                let mut server = $server.map_err(ListenError::Run)?.handle(handle.clone());
                // HTTP/1.1 alone: telling it from HTTP/2 would wait for a silent client without end, and a proxy in
                // front speaks HTTP/2 to the world.
                *server.http_builder() = Builder::new(TokioExecutor::new()).http1_only();
                server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(head);
                tokio::spawn(server.serve(service))
            }};
        }
        let task = match self.tls {
            Some(tls) => run!(axum_server::from_tcp_rustls(self.socket, tls)),
            None => run!(axum_server::from_tcp(self.socket)),
        };
        Ok(Running { handle, task })
    }
}

impl Running {
    /// Answers until `stop` is done. Then `on_stop` is called, and requests under way get `patience` to end.
    pub async fn until(
        mut self,
        stop: impl Future<Output = ()>,
        patience: Duration,
        on_stop: impl FnOnce(),
    ) -> Result<(), ListenError> {
        let outcome = tokio::select! {
            () = stop => {
                tracing::info!("stopping");
                on_stop();
                self.handle.graceful_shutdown(Some(patience));
                (&mut self.task).await
            }
            ended = &mut self.task => ended,
        };
        outcome.map_err(|error| ListenError::Run(std::io::Error::other(error)))?.map_err(ListenError::Run)
    }
}

async fn read_tls(cert: &Path, key: &Path) -> Result<RustlsConfig, ListenError> {
    let config = RustlsConfig::from_pem_file(cert, key).await;
    let config = config.map_err(|source| ListenError::Tls { cert: cert.to_owned(), source })?;
    // What is offered is what is spoken.
    let mut inner = (*config.get_inner()).clone();
    inner.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.reload_from_config(Arc::new(inner));
    Ok(config)
}
