//! The audit as messages of syslog (RFC 5424): over UDP, over TCP with their lengths (RFC 6587), to a local socket.

use std::io;
use std::time::Duration;

use skillery_core::api::{AuditEntry, AuditOutcome};
use syslog_fmt::v5424::{Config, Formatter, Timestamp};
use syslog_fmt::{Facility, Severity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use url::{Host, Url};

use super::brief::brief;

/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the other side may take to say that it has all.
const GOODBYE: Duration = Duration::from_secs(3);
/// Bytes of a datagram, beyond which the event is left out, and then all but the first words of each text: its number says
/// where the rest is.
const MAX_DATAGRAM: usize = 8 * 1024;
/// The port of syslog.
const PORT: u16 = 514;
/// Characters of a name of a machine.
const MAX_HOST: usize = 255;

/// Makes messages.
pub struct Messages {
    formatter: Formatter,
}

impl Messages {
    /// Messages of this machine: as it is called from outside, where that is known.
    pub fn new(host: Option<&str>) -> Self {
        let plain = |host: &&str| host.len() <= MAX_HOST && host.bytes().all(|byte| byte.is_ascii_graphic());
        let process = std::process::id().to_string();
        let config = Config {
            facility: Facility::Authpriv,
            hostname: host.filter(plain),
            app_name: Some("skillery"),
            proc_id: Some(&process),
        };
        Self { formatter: config.into_formatter() }
    }

    /// One entry: its JSON is the text, so that whoever collects it needs no other form.
    pub fn message(&self, entry: &AuditEntry) -> io::Result<Vec<u8>> {
        let severity = match entry.outcome {
            AuditOutcome::Allowed => Severity::Info,
            AuditOutcome::Denied => Severity::Warning,
        };
        let mut message = Vec::new();
        let (time, text) = (entry.last_time.to_string(), serde_json::to_string(entry)?);
        self.formatter.write_without_data(
            &mut message,
            severity,
            Timestamp::PreformattedStr(&time),
            format_args!("{text}"),
            Some(entry.outcome.as_str()),
        )?;
        Ok(message)
    }

    fn datagrams(&self, entries: Vec<AuditEntry>) -> io::Result<Vec<Vec<u8>>> {
        let datagram = |mut entry: AuditEntry| {
            let message = self.message(&entry)?;
            if message.len() <= MAX_DATAGRAM {
                return Ok(message);
            }
            entry.event = None;
            let message = self.message(&entry)?;
            if message.len() <= MAX_DATAGRAM {
                return Ok(message);
            }
            self.message(&brief(entry))
        };
        entries.into_iter().map(datagram).collect()
    }
}

/// Sends these.
pub async fn send(to: &Url, messages: &Messages, entries: Vec<AuditEntry>) -> io::Result<()> {
    let sending = async {
        match to.scheme() {
            "udp" => udp(to, messages.datagrams(entries)?).await,
            "tcp" => tcp(to, messages, &entries).await,
            _ => local(to, messages.datagrams(entries)?).await,
        }
    };
    tokio::time::timeout(PATIENCE, sending).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn place(to: &Url) -> io::Result<(String, u16)> {
    let host = match to.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(io::ErrorKind::InvalidInput.into()),
    };
    Ok((host, to.port().unwrap_or(PORT)))
}

async fn udp(to: &Url, datagrams: Vec<Vec<u8>>) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in tokio::net::lookup_host(place(to)?).await? {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await?;
        match socket.connect(address).await {
            Ok(()) => {
                for datagram in &datagrams {
                    socket.send(datagram).await?;
                }
                return Ok(());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection for each batch: when the other side closes it after us, it has taken all of it.
async fn tcp(to: &Url, messages: &Messages, entries: &[AuditEntry]) -> io::Result<()> {
    let mut frames = Vec::new();
    for entry in entries {
        let message = messages.message(entry)?;
        frames.extend_from_slice(format!("{} ", message.len()).as_bytes());
        frames.extend_from_slice(&message);
    }
    let mut connection = TcpStream::connect(place(to)?).await?;
    connection.write_all(&frames).await?;
    connection.shutdown().await?;
    let mut rest = [0; 256];
    let goodbye = async {
        while connection.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // One that only never closes may still have it; one that breaks off has not.
    tokio::time::timeout(GOODBYE, goodbye).await.unwrap_or(Ok(()))
}

#[cfg(unix)]
async fn local(to: &Url, datagrams: Vec<Vec<u8>>) -> io::Result<()> {
    let socket = tokio::net::UnixDatagram::unbound()?;
    socket.connect(to.path())?;
    for datagram in &datagrams {
        socket.send(datagram).await?;
    }
    Ok(())
}

#[cfg(not(unix))]
async fn local(_: &Url, _: Vec<Vec<u8>>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
