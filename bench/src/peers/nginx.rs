//! nginx, as Debian packages it: serves files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::places;
use crate::process::{Process, ensure_program, is_root};

/// nginx on a folder of files.
pub struct Nginx {
    _process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Makes the folder that nginx serves: each body as a file at its path.
pub fn folder_of(paths: &[String], bodies: &[Vec<u8>]) -> Result<PathBuf> {
    let root = places::emptied("nginx/root")?;
    for (path, body) in paths.iter().zip(bodies) {
        let file = root.join(path.trim_start_matches('/'));
        fs_err::create_dir_all(file.parent().unwrap_or(&root))?;
        fs_err::write(file, body)?;
    }
    Ok(root)
}

impl Nginx {
    /// Starts it on this folder; it is ready when it serves `path`.
    pub fn start(root: &Path, path: &str) -> Result<Self> {
        ensure_program("nginx", "nginx-light")?;
        let place = places::kept("nginx/state")?;
        fs_err::create_dir_all(&place)?;
        let address = places::free_address()?;
        let user = if is_root() { "user root;" } else { "" };
        let (place, root) = (place.display(), root.display());
        // Debian's defaults, but for the log and for how long a connection is kept.
        let configuration = format!(
            "{user}\nworker_processes auto;\ndaemon off;\npid {place}/pid;\nerror_log {place}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 100000000;\n  \
             default_type application/json;\n  client_body_temp_path {place}/body;\n  proxy_temp_path {place}/proxy;\n  \
             fastcgi_temp_path {place}/fastcgi;\n  uwsgi_temp_path {place}/uwsgi;\n  scgi_temp_path {place}/scgi;\n  \
             server {{ listen {address}; root {root}; }}\n}}\n"
        );
        let file = places::kept("nginx/nginx.conf")?;
        fs_err::write(&file, configuration)?;
        let mut process = Process::start("nginx", Command::new("nginx").arg("-c").arg(&file))?;
        process.wait_until_ok(address, path)?;
        Ok(Self { _process: process, address })
    }
}
