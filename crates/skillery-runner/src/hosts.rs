//! Hosts that skills connect to: how they are written, and where each of them lies inside the sandbox. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::Serialize;

/// Hosts with ports that one skill may have.
pub(crate) const MAX_HOSTS: usize = 64;
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A host and one port of it, as it is granted: exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Host {
    pub(crate) name: HostName,
    pub(crate) port: u16,
}

/// A name in lower case, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum HostName {
    Name(String),
    Address(IpAddr),
}

/// Where a host lies for those inside, and the ports that somebody listens on there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    /// What the name is looked up as; none for an address, which stands for itself.
    pub(crate) name: Option<String>,
    pub(crate) address: IpAddr,
    pub(crate) ports: Vec<u16>,
}

/// The place of each host. The same hosts always have the same places.
pub(crate) fn places(hosts: &[String]) -> Vec<Place> {
    let mut ports: BTreeMap<HostName, BTreeSet<u16>> = BTreeMap::new();
    for host in hosts.iter().filter_map(|host| host.parse::<Host>().ok()) {
        ports.entry(host.name).or_default().insert(host.port);
    }
    let taken: BTreeSet<IpAddr> = ports.keys().filter_map(HostName::address).collect();
    let mut free = (1..=u8::MAX).map(|last| IpAddr::from([127, 1, 0, last]));
    let mut next = || free.find(|address| !taken.contains(address));
    let place = |(name, ports): (HostName, BTreeSet<u16>)| {
        let address = name.address().or_else(&mut next)?;
        let name = match name {
            HostName::Name(name) => Some(name),
            HostName::Address(_) => None,
        };
        Some(Place { name, address, ports: ports.into_iter().collect() })
    };
    ports.into_iter().filter_map(place).collect()
}

impl HostName {
    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Address(address) => Some(*address),
        }
    }

    /// Whether the name stands for this machine by definition, without asking anybody.
    pub(crate) fn is_localhost(&self) -> bool {
        matches!(self, Self::Name(name) if name == "localhost" || name.ends_with(".localhost"))
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, port) = text.rsplit_once(':').ok_or("a host is written `host:port`")?;
        let port = match port.parse::<u16>() {
            Ok(port) if port > 0 && port.to_string().len() == text.len() - name.len() - 1 => port,
            _ => return Err("its port is a number from 1 to 65535".to_owned()),
        };
        let name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(address) => HostName::Address(IpAddr::V6(
                address.parse().map_err(|_| "no IPv6 address stands in the brackets")?,
            )),
            None => match name.parse::<Ipv4Addr>() {
                Ok(address) => HostName::Address(IpAddr::V4(address)),
                Err(_) => HostName::Name(parse_name(name)?),
            },
        };
        if name.address().is_some_and(|address| !is_of_one(address)) {
            return Err("the address is not that of one host".to_owned());
        }
        if name.address().is_some_and(is_of_link) {
            return Err("the address has a meaning on one link only".to_owned());
        }
        Ok(Self { name, port })
    }
}

/// Whether the address can be that of a host.
fn is_of_one(address: IpAddr) -> bool {
    let is_mapped = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    !address.is_unspecified() && !address.is_multicast() && !is_mapped && address != Ipv4Addr::BROADCAST
}

/// Whether the address says nothing without a device that it is seen from.
fn is_of_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn parse_name(name: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.is_empty() || name.len() > MAX_NAME || !name.split('.').all(is_label) {
        return Err(
            "its name has letters, digits, `-`, `_` and dots, and stands alone: no scheme, no `*`".to_owned()
        );
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    // What libraries take for an address in one of its other forms.
    if last.starts_with(|first: char| first.is_ascii_digit()) && u64::from_str_radix(last, 16).is_ok()
        || last.starts_with("0x")
        || last.starts_with("0X")
    {
        return Err("an IPv4 address is written as four numbers".to_owned());
    }
    Ok(name.to_ascii_lowercase())
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            HostName::Name(name) => write!(formatter, "{name}:{}", self.port),
            HostName::Address(IpAddr::V4(address)) => write!(formatter, "{address}:{}", self.port),
            HostName::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exact() {
        for (text, shown) in [
            ("API.Example.com:443", "api.example.com:443"),
            ("localhost:80", "localhost:80"),
            ("my_host:5432", "my_host:5432"),
            ("10.0.0.5:22", "10.0.0.5:22"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), shown);
        }
        for text in [
            "example.com",
            "example.com:",
            "example.com:0",
            "example.com:65536",
            "example.com:+80",
            "example.com:080",
            "*.example.com:443",
            "https://example.com:443",
            ":443",
            "a..b:1",
            "-a:1",
            "a b:1",
            "2130706433:80",
            "127.1:80",
            "0x7f000001:80",
            "1.2.3.0x4:80",
            "0.0.0.0:80",
            "224.0.0.1:80",
            "[::]:80",
            "[::ffff:127.0.0.1]:80",
            "::1:80",
            "[localhost]:80",
            "user@example.com:80",
            "255.255.255.255:1",
            "169.254.169.254:80",
            "[fe80::1]:80",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_name_has_an_address_of_its_own() {
        let hosts = ["b:2", "a:1", "B:3", "127.1.0.1:9", "a:1"].map(str::to_owned);
        let found: Vec<_> = places(&hosts)
            .into_iter()
            .map(|place| (place.name, place.address.to_string(), place.ports))
            .collect();
        assert_eq!(
            found,
            [
                (Some("a".to_owned()), "127.1.0.2".to_owned(), vec![1]),
                (Some("b".to_owned()), "127.1.0.3".to_owned(), vec![2, 3]),
                (None, "127.1.0.1".to_owned(), vec![9]),
            ]
        );
    }
}
