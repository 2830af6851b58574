//! The way from a sandbox to the hosts that are granted: what is accepted inside is copied to the real host, and back.
//!
//! The sockets that listen inside come from the parent of the workers; nothing else inside leads anywhere. Who connects
//! needs to know nothing of it, and what is said is not looked into: TLS is between the skill and the host. A connection
//! ends with the skill that made it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use tokio::io::{AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::hosts::{Host, HostName, places};

/// How long it may take to find a host and to be accepted there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What each address of a host has of that at least, however many come before it.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);
/// Addresses of one host that are tried.
const ADDRESSES: usize = 16;
/// Where a machine in a cloud is told its own secrets, beside an address of the link.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// How long a host may still send when the skill has said all that it will.
const LINGER: Duration = Duration::from_secs(60);
/// How long it usually takes at most until the other side ends, too.
const FAREWELL: Duration = Duration::from_millis(100);
/// Connections at once of all workers of one parent. Others wait.
const CONNECTIONS: usize = 64;

/// Both ends of a connection inside: that of the skill, and the one that it connected to.
type Ends = (SocketAddr, SocketAddr);

/// Connections of the workers of one parent. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Network {
    state: Arc<State>,
    _stop: DropGuard,
}

struct State {
    stop: CancellationToken,
    /// Asks which connections nobody inside holds any more. To look takes the kernel milliseconds.
    look: Box<dyn Fn() + Send + Sync>,
    free: Arc<Semaphore>,
    open: Mutex<HashMap<Ends, CancellationToken>>,
}

impl Network {
    /// Accepts from now on. The sockets are those of the places of the hosts, in their order. `look` asks the parent for
    /// what [`Network::close`] is told. In a runtime.
    pub(crate) fn start(
        hosts: &[String],
        sockets: Vec<OwnedFd>,
        look: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let state = Arc::new(State {
            stop: stop.clone(),
            look: Box::new(look),
            free: Arc::new(Semaphore::new(CONNECTIONS)),
            open: Mutex::default(),
        });
        let network = Self { state, _stop: stop.drop_guard() };
        let targets: Vec<Host> = places(hosts)
            .into_iter()
            .flat_map(|place| {
                let name = place.name.map_or(HostName::Address(place.address), HostName::Name);
                place.ports.into_iter().map(move |port| Host { name: name.clone(), port })
            })
            .collect();
        if targets.len() != sockets.len() {
            return Err(io::Error::other(format!("{} sockets for {} hosts", sockets.len(), targets.len())));
        }
        for (target, socket) in targets.into_iter().zip(sockets) {
            let listener = std::net::TcpListener::from(socket);
            listener.set_nonblocking(true)?;
            tokio::spawn(serve(
                Arc::clone(&network.state),
                TcpListener::from_std(listener)?,
                Arc::new(target),
            ));
        }
        Ok(network)
    }

    /// A worker has ended: what it left open is looked for.
    pub(crate) fn look(&self) {
        if !self.state.open().is_empty() {
            (self.state.look)();
        }
    }

    /// Ends connections that nobody inside holds any more: pairs of addresses, as the parent tells them.
    pub(crate) fn close(&self, pairs: &str) {
        let mut words = pairs.split(' ').map(str::parse::<SocketAddr>);
        while let (Some(Ok(skill)), Some(Ok(place))) = (words.next(), words.next()) {
            if let Some(end) = self.state.open().get(&(skill, place)) {
                end.cancel();
            }
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("State").field("open", &self.open).finish_non_exhaustive()
    }
}

impl State {
    fn open(&self) -> MutexGuard<'_, HashMap<Ends, CancellationToken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts for one port of one host.
async fn serve(state: Arc<State>, listener: TcpListener, target: Arc<Host>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = state.stop.cancelled() => return,
        };
        let ends = accepted.and_then(|(skill, peer)| Ok(((peer, skill.local_addr()?), skill)));
        let (ends, skill) = match ends {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "a connection of a skill cannot be accepted");
                // Too many descriptors, perhaps; others may be done soon.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let end = state.stop.child_token();
        state.open().insert(ends, end.clone());
        // Only now, as a host that nobody connects to needs none.
        let permit = tokio::select! {
            permit = Arc::clone(&state.free).acquire_owned() => permit,
            () = end.cancelled() => {
                state.open().remove(&ends);
                continue;
            }
        };
        let (state, target) = (Arc::clone(&state), Arc::clone(&target));
        tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = carry(skill, &target, &state.look) => {}
            }
            state.open().remove(&ends);
            drop(permit);
        });
    }
}

/// Carries one connection to its end.
async fn carry(mut skill: TcpStream, target: &Host, look: &(dyn Fn() + Send + Sync)) {
    let mut host = match connect(target).await {
        Ok(host) => host,
        Err(error) => {
            tracing::debug!(%target, %error, "a skill cannot be connected");
            // Not as if the host had been there and had nothing to say.
            let _ = skill.set_zero_linger();
            return;
        }
    };
    for stream in [&skill, &host] {
        let _ = stream.set_nodelay(true);
    }
    let (mut from_skill, mut to_skill) = skill.split();
    let (mut from_host, mut to_host) = host.split();
    let up = async {
        let sent = copy(&mut from_skill, &mut to_host).await;
        let _ = to_host.shutdown().await;
        sent
    };
    let down = async {
        let sent = copy(&mut from_host, &mut to_skill).await;
        let _ = to_skill.shutdown().await;
        sent
    };
    tokio::pin!(up, down);
    tokio::select! {
        sent = &mut up => if sent.is_ok() && timeout(FAREWELL, &mut down).await.is_err() {
            // Nobody may be there any more, or somebody who only listens.
            look();
            let _ = timeout(LINGER, down).await;
        },
        sent = &mut down => if sent.is_ok() {
            let _ = up.await;
        },
    }
}

async fn connect(target: &Host) -> io::Result<TcpStream> {
    let (port, end) = (target.port, Instant::now() + CONNECT_TIMEOUT);
    let addresses: Vec<SocketAddr> = match &target.name {
        HostName::Address(address) => vec![(*address, port).into()],
        name if name.is_localhost() => {
            vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
        }
        HostName::Name(name) => {
            let found = timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((name.as_str(), port))).await??;
            let own = own_addresses()?;
            found.filter(|address| !is_near(address.ip(), &own)).take(ADDRESSES).collect()
        }
    };
    let mut last = io::Error::other("the name leads nowhere, or to this machine");
    let count = addresses.len();
    for (tried, address) in addresses.into_iter().enumerate() {
        let share = share(end.saturating_duration_since(Instant::now()), count - tried);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(host)) => return Ok(host),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// How long the first of so many addresses is tried: one that does not answer must not hide the others.
fn share(left: Duration, addresses: usize) -> Duration {
    let addresses = u32::try_from(addresses.max(1)).unwrap_or(u32::MAX);
    (left / addresses).max(ADDRESS_TIMEOUT)
}

/// The addresses that this machine has now.
fn own_addresses() -> io::Result<HashSet<IpAddr>> {
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let four = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        four.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    Ok(getifaddrs()?.filter_map(address).collect())
}

/// Whether an address is that of this machine or of its link: no name from elsewhere may lead there, whoever says so.
fn is_near(address: IpAddr, own: &HashSet<IpAddr>) -> bool {
    let address = address.to_canonical();
    own.contains(&address)
        || match address {
            IpAddr::V4(address) => {
                address.is_loopback() || address.is_link_local() || address.is_unspecified()
            }
            IpAddr::V6(address) => {
                let is_of_link = address.is_unicast_link_local() || address == METADATA;
                address.is_loopback() || is_of_link || address.is_unspecified()
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_elsewhere_do_not_lead_to_this_machine() {
        for address in [
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "169.254.169.254",
            "fe80::1",
            "0.0.0.0",
            "::ffff:127.0.0.1",
            "fd00:ec2::254",
        ] {
            assert!(is_near(address.parse().unwrap(), &HashSet::new()), "{address}");
        }
        let others = ["10.0.0.1", "192.168.1.1", "203.0.113.7", "2001:db8::1"];
        for address in others {
            assert!(!is_near(address.parse().unwrap(), &HashSet::new()), "{address}");
        }
        let own = HashSet::from(others.map(|address| address.parse().unwrap()));
        for address in others.into_iter().chain(["::ffff:10.0.0.1"]) {
            assert!(is_near(address.parse().unwrap(), &own), "{address}");
        }
    }

    #[test]
    fn this_machine_knows_its_addresses() {
        let own = own_addresses().unwrap();
        assert!(own.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{own:?}");
        // Whoever can be listened on is this machine.
        for address in own {
            let is_of_link = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
            assert!(is_of_link || std::net::UdpSocket::bind((address, 0)).is_ok(), "{address}");
        }
    }

    #[test]
    fn each_address_has_its_time() {
        let seconds = Duration::from_secs;
        assert_eq!(share(seconds(10), 1), seconds(10));
        assert_eq!(share(seconds(10), 4), Duration::from_millis(2_500));
        assert_eq!(share(seconds(10), 16), seconds(2));
        assert_eq!(share(Duration::ZERO, 3), seconds(2));
    }
}
