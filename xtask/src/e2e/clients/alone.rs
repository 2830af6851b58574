//! A network of its own, in which there is only this machine: what works in there needs nobody else, and tells nobody else.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{install_packages, is_root, is_there};

/// An address of this machine that is not its loopback one. Some clients take archives from no loopback address.
pub(crate) const ADDRESS: &str = "10.99.0.1";

/// In the new namespaces: brings the loopback interface up, gives it a second address, and lets `registry.test` mean that
/// address for whoever is in here. `$0` is the file of hosts, the rest is what to run.
const SCRIPT: &str = r#"
set -e
ip link set lo up
ip address add "$1/32" dev lo
mount --bind "$0" /etc/hosts
shift
exec "$@"
"#;

/// Runs this program with these arguments again, without any network but the loopback one.
pub(crate) fn run_again(arguments: &[OsString]) -> Result<()> {
    if !is_there("ip", "-V") {
        install_packages(&["iproute2"])?;
    }
    let hosts = crate::guard::Folder::new("e2e-hosts")?;
    let file = hosts.path().join("hosts");
    std::fs::write(&file, format!("127.0.0.1 localhost\n::1 localhost\n{ADDRESS} {HOST}\n"))?;
    let mut unshare = Command::new("unshare");
    if !is_root() {
        unshare.arg("--map-root-user");
    }
    unshare.args(["--net", "--mount", "--", "sh", "-c", SCRIPT]).arg(&file).arg(ADDRESS);
    unshare.arg(std::env::current_exe()?).args(arguments);
    let status = unshare.status().context("cannot start `unshare`")?;
    if !status.success() {
        bail!("the clients did not do everything that they should");
    }
    Ok(())
}

/// The name of that address.
pub(crate) const HOST: &str = "registry.test";

/// Fails where there is a way to another machine.
pub(crate) fn insist() -> Result<()> {
    let devices = std::fs::read_to_string("/proc/net/dev").context("cannot read `/proc/net/dev`")?;
    let names = devices.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim);
    let others: Vec<&str> = names.filter(|name| *name != "lo").collect();
    if !others.is_empty() {
        bail!("there are other networks than the loopback one: {}", others.join(", "));
    }
    let routes = std::fs::read_to_string("/proc/net/route").context("cannot read `/proc/net/route`")?;
    if routes.lines().count() > 1 {
        bail!("there is a route to other machines");
    }
    Ok(())
}
