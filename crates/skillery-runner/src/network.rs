//! The way from a sandbox to the hosts that are granted: what is accepted inside is copied to the real host, and back.
//!
//! The sockets that listen inside come from the parent of the workers; nothing else inside leads anywhere. Who connects
//! needs to know nothing of it, and what is said is not looked into: TLS is between the skill and the host. A connection
//! ends with the skill that made it.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::hosts::{Host, HostName, MAX_HOSTS, places};

/// How long it may take to find a host and to be accepted there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a host may still send when the skill has said all that it will.
const LINGER: Duration = Duration::from_secs(60);
/// How long it usually takes at most until the other side ends, too.
const FAREWELL: Duration = Duration::from_millis(100);
/// Connections at once of all workers of one parent. Others wait.
const CONNECTIONS: usize = 64;

/// Both ends of a connection inside: that of the skill, and the one that it connected to.
type Ends = (SocketAddr, SocketAddr);

/// Connections of the workers of one parent. Dropping it ends them.
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

impl State {
    fn open(&self) -> MutexGuard<'_, HashMap<Ends, CancellationToken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts for one port of one host.
async fn serve(state: Arc<State>, listener: TcpListener, target: Arc<Host>) {
    loop {
        let Ok(permit) = Arc::clone(&state.free).acquire_owned().await else { return };
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
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect(target)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let mut host = match connected {
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
        sent = &mut up => if sent.is_ok() && tokio::time::timeout(FAREWELL, &mut down).await.is_err() {
            // Nobody may be there any more, or somebody who only listens.
            look();
            let _ = tokio::time::timeout(LINGER, down).await;
        },
        sent = &mut down => if sent.is_ok() {
            let _ = up.await;
        },
    }
}

async fn connect(target: &Host) -> io::Result<TcpStream> {
    let port = target.port;
    let addresses: Vec<SocketAddr> = match &target.name {
        HostName::Address(address) => vec![(*address, port).into()],
        name if name.is_localhost() => {
            vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
        }
        HostName::Name(name) => {
            let found = tokio::net::lookup_host((name.as_str(), port)).await?;
            found.filter(|address| !is_near(address.ip())).collect()
        }
    };
    let mut last = io::Error::other("the name leads nowhere, or to this machine");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(host) => return Ok(host),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether an address is that of this machine or of its link: no name from elsewhere may lead there, whoever says so.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified()
        }
    }
}

/// One message, and the sockets that come with it; empty at the end.
pub(crate) fn receive_with_sockets(
    control: &OwnedFd,
    timeout: Duration,
    most: usize,
) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    set_socket_timeout(control, Timeout::Recv, Some(timeout))?;
    let mut message = vec![0; most];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_HOSTS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let count = loop {
        let pieces = &mut [IoSliceMut::new(&mut message)];
        match recvmsg(control, pieces, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            received => break received?.bytes,
        }
    };
    message.truncate(count);
    let mut sockets = Vec::new();
    for came in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = came {
            sockets.extend(descriptors);
        }
    }
    set_socket_timeout(control, Timeout::Recv, None)?;
    Ok((message, sockets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_elsewhere_do_not_lead_to_this_machine() {
        for address in
            ["127.0.0.1", "127.1.2.3", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "::ffff:127.0.0.1"]
        {
            assert!(is_near(address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.1", "192.168.1.1", "203.0.113.7", "2001:db8::1"] {
            assert!(!is_near(address.parse().unwrap()), "{address}");
        }
    }
}
