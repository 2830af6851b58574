//! Asking addresses that somebody has named: only where everybody could ask, and never anywhere else than asked.
//!
//! A registry stands where much can be reached that nobody else reaches. So an address is looked at when the connection is
//! made, and not before, as a name may mean another address a moment later; what an answer says is not followed; and no proxy
//! is used, which would look names up by itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use ring::hmac;
use skillery_core::time::Time;
use url::{Host, Url};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// What the secrets of Standard Webhooks begin with; base64 follows.
const SECRET_PREFIX: &str = "whsec_";

/// Bytes of an answer that are read at most.
const MAX_ANSWER: usize = 512;
/// Characters that are told of why there is no connection: a certificate for other names lists all of these.
const MAX_REASON: usize = 300;

/// Connections to addresses that others have named.
#[derive(Default)]
pub struct Outbound {
    /// Networks that count as public.
    listed: Vec<IpNet>,
    guarded: OnceLock<reqwest::Client>,
    inside: OnceLock<reqwest::Client>,
    open: OnceLock<reqwest::Client>,
}

/// An address cannot be asked, or did not take what it was sent.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// What stands in the URL is in a private network that is not listed, or no address that everybody could ask.
    #[error("`{0}` is an address of a private network")]
    Private(String),
    /// A name that has no address, or none that may be asked. Which of both is not told: it is nobody's business which names
    /// there are in the networks around this registry.
    #[error("`{0}` has no address that may be asked")]
    NoAddress(String),
    /// No connection, or one that broke.
    #[error("cannot reach `{host}`: {reason}")]
    Unreachable {
        /// Whom.
        host: String,
        /// Why.
        reason: String,
    },
    /// Another status than success.
    #[error("`{host}` answered {status}{}", said(.text))]
    Status {
        /// Who.
        host: String,
        /// What.
        status: u16,
        /// The beginning of what it said in one line, with what nobody would see written out.
        text: String,
    },
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// Where something may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Wherever it says.
    Anywhere,
    /// Where everybody could ask, and into networks that the operator lists.
    Public,
    /// Into networks that the operator lists alone: whoever is between would read what is sent without TLS.
    Listed,
}

/// What is sent, signed as Standard Webhooks say (standardwebhooks.com).
#[derive(Debug)]
pub struct Hook<'a> {
    /// Where to.
    pub url: &'a Url,
    /// Whether that may be in a private network.
    pub allow_private: bool,
    /// The same whenever the same is sent again.
    pub id: &'a str,
    /// Now.
    pub now: Time,
    /// What it is signed with.
    pub secret: &'a str,
    /// What the body is.
    pub content_type: &'static str,
    /// What is sent.
    pub body: Vec<u8>,
}

impl Outbound {
    /// With these networks, into which may be sent although they are private.
    pub fn new(listed: Vec<IpNet>) -> Self {
        Self { listed, ..Self::default() }
    }

    /// Sends it. Only an answer of success counts.
    pub async fn post(&self, hook: Hook<'_>) -> Result<(), OutboundError> {
        let reach = if hook.allow_private { Reach::Anywhere } else { Reach::Public };
        self.send(hook, reach).await.map(drop)
    }

    /// Whether an address that stands in a URL may be asked. What a name means is looked at when it is asked.
    pub fn check(&self, url: &Url, reach: Reach) -> Result<(), OutboundError> {
        // An address that stands in the URL is asked for by no name.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if literal.is_some_and(|address| !may_ask(address, reach, &self.listed)) {
            return Err(OutboundError::Private(url.host_str().unwrap_or_default().to_owned()));
        }
        Ok(())
    }

    /// Sends it as far as it may reach, and returns the status. Only an answer of success counts.
    pub async fn send(&self, hook: Hook<'_>, reach: Reach) -> Result<u16, OutboundError> {
        let name = hook.url.host_str().unwrap_or_default().to_owned();
        self.check(hook.url, reach)?;
        let seconds = hook.now.micros().div_euclid(1_000_000);
        let signature = sign(hook.secret, hook.id, seconds, &hook.body);
        let request = self
            .client(reach)
            .map_err(|error| unreachable(&name, &error))?
            .post(hook.url.clone())
            .header(CONTENT_TYPE, hook.content_type)
            .header("webhook-id", hook.id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(hook.body);
        let mut response = request.send().await.map_err(|error| unreachable(&name, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(status.as_u16());
        }
        let mut answer = Vec::new();
        while answer.len() < MAX_ANSWER
            && let Ok(Some(chunk)) = response.chunk().await
        {
            answer.extend_from_slice(&chunk);
        }
        answer.truncate(MAX_ANSWER);
        let text = crate::text::shown(String::from_utf8_lossy(&answer).trim());
        Err(OutboundError::Status { host: name, status: status.as_u16(), text })
    }

    fn client(&self, reach: Reach) -> reqwest::Result<&reqwest::Client> {
        let place = match reach {
            Reach::Anywhere => &self.open,
            Reach::Public => &self.guarded,
            Reach::Listed => &self.inside,
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        // More than one crate may try to install it; the first one wins and is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("skillery/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(PATIENCE / 3)
            .timeout(PATIENCE)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        if reach != Reach::Anywhere {
            builder = builder.dns_resolver(Guard { reach, listed: self.listed.clone().into() });
        }
        let client = builder.build()?;
        Ok(place.get_or_init(|| client))
    }
}

fn unreachable(host: &str, error: &reqwest::Error) -> OutboundError {
    let mut source = std::error::Error::source(error);
    let mut reason = if error.is_timeout() { "it took too long".to_owned() } else { String::new() };
    while let Some(cause) = source {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if cause.is::<Refused>() || inner.is_some_and(|inner| inner.is::<Refused>()) {
            return OutboundError::NoAddress(host.to_owned());
        }
        reason = cause.to_string();
        source = cause.source();
    }
    let reason = crate::text::shown(&reason.chars().take(MAX_REASON).collect::<String>());
    OutboundError::Unreachable { host: host.to_owned(), reason }
}

/// Looks names up, and drops what is in private networks: what is left is what is connected with.
struct Guard {
    reach: Reach,
    listed: Arc<[IpNet]>,
}

fn may_ask(address: IpAddr, reach: Reach, listed: &[IpNet]) -> bool {
    // An address of version 4 in other clothes is in the network of what it means.
    let is_listed = || listed.iter().any(|network| network.contains(&address.to_canonical()));
    match reach {
        Reach::Anywhere => true,
        Reach::Public => is_public(address) || is_listed(),
        Reach::Listed => is_listed(),
    }
}

/// A name has no addresses, or only such as are not asked.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address that may be asked")]
struct Refused;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, listed) = (self.reach, Arc::clone(&self.listed));
        Box::pin(async move {
            let found =
                tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| io::Error::other(Refused))?;
            let public: Vec<SocketAddr> =
                found.filter(|address| may_ask(address.ip(), reach, &listed)).collect();
            if public.is_empty() {
                return Err(io::Error::other(Refused).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// The header that proves who sends this, and when.
pub fn sign(secret: &str, id: &str, seconds: i64, body: &[u8]) -> String {
    let decoded = secret.strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(secret.as_bytes()));
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{seconds}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign()))
}

/// Whether everybody could ask this address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = first == 0
        || (first == 100 && (64..128).contains(&second))
        || (first == 192 && second == 0 && third == 0)
        || (first == 192 && second == 88 && third == 99)
        || (first == 198 && (18..20).contains(&second))
        || first >= 224;
    !(is_special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Addresses of version 4 in other clothes: what they mean decides.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        // Of what is handed out, this is handed out to nobody: Teredo and other protocols, documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Nothing else is handed out to everybody.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_everybody_could_ask_are_asked() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:0:127.0.0.1",
            "::ffff:0:1.1.1.1",
            "4000::1",
            "1000::1",
            "e000::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "3fff::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.169.0.1",
            "198.20.0.1",
            "223.255.255.1",
            "2606:4700::1",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        // The example of the specification.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[tokio::test]
    async fn private_networks_are_refused_by_name_and_by_number() {
        let outbound = Outbound::default();
        for url in [
            "http://127.0.0.1:9/",
            "http://[::1]:9/",
            "http://0x7f.1:9/",
            "http://2130706433:9/",
            "http://169.254.169.254/latest/meta-data/",
        ] {
            let url: Url = url.parse().unwrap();
            let hook = |allow_private| Hook {
                url: &url,
                allow_private,
                id: "1",
                now: Time::from_micros(0),
                secret: "secret",
                content_type: "text/plain",
                body: Vec::new(),
            };
            let refused = outbound.post(hook(false)).await.unwrap_err();
            assert!(matches!(refused, OutboundError::Private(_)), "{url}: {refused:?}");
        }
        // Of a name nobody learns whether it is there.
        for name in ["localhost", "no-such-name.invalid"] {
            let url: Url = format!("http://{name}:9/").parse().unwrap();
            let hook = Hook {
                url: &url,
                allow_private: false,
                id: "1",
                now: Time::from_micros(0),
                secret: "secret",
                content_type: "text/plain",
                body: Vec::new(),
            };
            let refused = outbound.post(hook).await.unwrap_err();
            assert_eq!(refused.to_string(), format!("`{name}` has no address that may be asked"));
        }
        let url: Url = "http://localhost:9/".parse().unwrap();
        let hook = Hook {
            url: &url,
            allow_private: true,
            id: "1",
            now: Time::from_micros(0),
            secret: "secret",
            content_type: "text/plain",
            body: Vec::new(),
        };
        let tried = outbound.post(hook).await.unwrap_err();
        assert!(matches!(tried, OutboundError::Unreachable { .. }), "{tried:?}");
    }
}
