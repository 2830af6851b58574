//! A PostgreSQL for the tests: its own cluster, in a temporary folder, gone afterwards.

use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::guard::{Guarded, free_port, temporary_folder};
use crate::shell::{Say, install_packages, is_root};

/// The server refuses to run as root, and then runs as the user that Debian's package makes.
const USER: &str = "postgres";

/// A running cluster. Dropping it stops and removes it.
pub(crate) struct Cluster {
    /// For `SKILLERY_TEST_DATABASE`.
    pub(crate) url: String,
    port: u16,
    programs: PathBuf,
    _server: Guarded,
}

impl Cluster {
    /// Finds the programs, installs them where they are missing, and starts a cluster.
    pub(crate) fn start() -> Result<Self> {
        let programs = match find_programs() {
            Some(programs) => programs,
            None => {
                install_packages(&["postgresql"])?;
                find_programs().context("PostgreSQL was installed, and its programs are not to be found")?
            }
        };
        let folder = temporary_folder("postgres")?;
        let as_root = is_root();
        if as_root {
            let id = |flag| -> Result<u32> {
                Ok(Command::new("id").args([flag, USER]).output_text()?.trim().parse()?)
            };
            chown(&folder, Some(id("-u")?), Some(id("-g")?))?;
        }
        let data = folder.join("data");
        let program = |name: &str| {
            let path = programs.join(name);
            if !as_root {
                return Command::new(path);
            }
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={USER}"))
                .arg(format!("--regid={USER}"))
                .arg("--clear-groups")
                .arg(path);
            command
        };

        let initialised = program("initdb")
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status()
            .context("cannot start `initdb`")?;
        if !initialised.success() {
            bail!("`initdb` failed: {initialised}");
        }
        let port = free_port()?;
        let mut server = program("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(&folder).arg("-p").arg(port.to_string());
        // Nothing of this has to outlive a crash of the machine.
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "max_connections=500",
            "shared_buffers=128MB",
        ] {
            server.arg("-c").arg(setting);
        }
        let server = Guarded::start(&server, "INT", &folder)?;
        server.wait_for("PostgreSQL", || {
            let mut ask = Command::new(programs.join("pg_isready"));
            ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            ask.status().is_ok_and(|status| status.success()).then_some(())
        })?;
        println!("PostgreSQL from `{}` listens on 127.0.0.1:{port}", programs.display());
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        Ok(Self { url, port, programs, _server: server })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The one value that a statement gives.
    pub(crate) fn ask(&self, statement: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--dbname", &self.url]);
        Ok(psql.args(["--command", statement]).output_text()?.trim().to_owned())
    }
}

/// The folder with the newest `postgres`, `initdb`, `pg_isready` and `psql`.
fn find_programs() -> Option<PathBuf> {
    let complete = |folder: &Path| {
        ["postgres", "initdb", "pg_isready", "psql"].iter().all(|program| folder.join(program).is_file())
    };
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| complete(folder))
        .collect();
    found.sort();
    let from_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| complete(folder))
    };
    found.pop().map(|(_, folder)| folder).or_else(from_path)
}
