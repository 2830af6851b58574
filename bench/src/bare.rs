//! The bare handler: axum that answers with the same bytes every time. More than this no axum service can do.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;

use crate::places;
use crate::process::Process;

/// The bare handler in a process of its own.
pub struct Bare {
    _process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Bare {
    /// Starts it with this body; `name` tells it from other ones of the same run.
    pub fn start(name: &str, body: &[u8]) -> Result<Self> {
        let address = places::free_address()?;
        let file = places::kept(&format!("bodies/{name}"))?;
        fs_err::write(&file, body)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--bare").arg(file).args(["--listen", &address.to_string()]);
        let mut process = Process::start(name, &mut command)?;
        process.wait_until_ok(address, "/api/v1/skills")?;
        Ok(Self { _process: process, address })
    }
}

/// Is the bare handler.
pub fn serve(file: &Path, address: SocketAddr) -> Result<()> {
    let body = Bytes::from(fs_err::read(file)?);
    let router = Router::new()
        .route("/api/v1/skills", get(answer))
        .route("/api/v1/skills/{*rest}", get(answer))
        .with_state(body);
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn answer(State(body): State<Bytes>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], body)
}
