//! Whom a charm may talk to on the network.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host and a port, as `example.com:443`, `10.0.0.0/8:5432`, `[fd00::]/8:*`
/// or `*:80`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Peer {
    host: Host,
    /// None for every port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Name(String),
    /// Addresses that begin with the same so many bits.
    Network(IpAddr, u8),
}

impl Peer {
    /// Whether the peer is named, so that its addresses have to be looked up.
    pub fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Whether names may be looked up to reach it.
    pub fn has_names(&self) -> bool {
        !matches!(self.host, Host::Network(..))
    }

    /// Whether it is at an address; `lookup` gives the addresses of a name.
    pub fn is_at(&self, address: SocketAddr, lookup: impl Fn(&str) -> Vec<IpAddr>) -> bool {
        let has_port = self.port.is_none_or(|port| port == address.port());
        has_port
            && match &self.host {
                Host::Any => true,
                Host::Name(name) => lookup(name).contains(&address.ip()),
                Host::Network(network, bits) => begins_alike(*network, address.ip(), *bits),
            }
    }

    /// Whom both stand for.
    pub fn common(&self, other: &Peer) -> Option<Peer> {
        let port = match (self.port, other.port) {
            (Some(a), Some(b)) if a != b => return None,
            (port, other) => port.or(other),
        };
        let host = match (&self.host, &other.host) {
            (Host::Any, host) | (host, Host::Any) => host.clone(),
            (Host::Name(a), Host::Name(b)) if a.eq_ignore_ascii_case(b) => self.host.clone(),
            (Host::Network(a, a_bits), Host::Network(b, b_bits))
                if begins_alike(*a, *b, *a_bits.min(b_bits)) =>
            {
                match a_bits > b_bits {
                    true => self.host.clone(),
                    false => other.host.clone(),
                }
            }
            _ => return None,
        };
        Some(Peer { host, port })
    }
}

fn begins_alike(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    let (a, b, width) = match (a.to_canonical(), b.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let rest = u32::saturating_sub(width, u32::from(bits));
    a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a host and a port, as \"example.com:443\", \"10.0.0.0/8:5432\", \"[fd00::]/8:*\" or \"*:80\""
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = match port {
            "*" => None,
            port => Some(port.parse().map_err(|_| wrong())?),
        };
        let host = match host {
            "*" => Host::Any,
            host => network(host).or_else(|| name(host)).ok_or_else(wrong)?,
        };
        Ok(Peer { host, port })
    }
}

impl TryFrom<String> for Peer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Peer> for String {
    fn from(peer: Peer) -> Self {
        peer.to_string()
    }
}

fn network(host: &str) -> Option<Host> {
    let (address, bits) = match host.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse().ok()?)),
        None => (host, None),
    };
    let bare = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(address).parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits: u8 = bits.unwrap_or(width);
    (bits <= width && address.is_ipv6() == bare.is_some()).then_some(Host::Network(address, bits))
}

fn name(host: &str) -> Option<Host> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    let has_letter = host.chars().any(|c| c.is_ascii_alphabetic());
    (host.chars().all(fits) && has_letter).then(|| Host::Name(host.to_owned()))
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => write!(f, "*")?,
            Host::Name(name) => write!(f, "{name}")?,
            Host::Network(address, bits) => {
                let width = if address.is_ipv4() { 32 } else { 128 };
                match address {
                    IpAddr::V4(address) => write!(f, "{address}")?,
                    IpAddr::V6(address) => write!(f, "[{address}]")?,
                }
                if *bits != width {
                    write!(f, "/{bits}")?;
                }
            }
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => write!(f, ":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        text.parse().unwrap()
    }

    #[test]
    fn peers_are_written_as_they_are_read() {
        for text in [
            "example.com:443",
            "10.0.0.0/8:5432",
            "127.0.0.1:80",
            "[fd00::]/8:*",
            "[::1]:80",
            "*:80",
            "*:*",
        ] {
            assert_eq!(peer(text).to_string(), text);
        }
        for text in [
            "",
            "x",
            "x:99999",
            "10.0.0.0/40:1",
            "::1:80",
            "a b:1",
            "1.2.3:4",
        ] {
            assert!(text.parse::<Peer>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_are_matched_by_network_name_and_port() {
        let lookup = |name: &str| match name {
            "db" => vec![IpAddr::from([10, 1, 2, 3])],
            _ => Vec::new(),
        };
        for (text, address, wanted) in [
            ("10.0.0.0/8:5432", "10.200.0.1:5432", true),
            ("10.0.0.0/8:5432", "10.200.0.1:5433", false),
            ("10.0.0.0/8:*", "11.0.0.1:1", false),
            ("0.0.0.0/0:1", "8.8.8.8:1", true),
            ("[fd00::]/8:*", "[fd12::1]:9", true),
            ("[fd00::]/8:*", "10.0.0.1:9", false),
            ("10.0.0.0/8:*", "[::ffff:10.0.0.1]:9", true),
            ("db:5432", "10.1.2.3:5432", true),
            ("db:5432", "10.1.2.4:5432", false),
            ("*:80", "1.1.1.1:80", true),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(
                peer(text).is_at(address, lookup),
                wanted,
                "{text} {address}"
            );
        }
    }

    #[test]
    fn two_peers_have_in_common_what_both_stand_for() {
        for (a, b, wanted) in [
            ("*:*", "db:1", Some("db:1")),
            ("*:1", "db:2", None),
            ("*:443", "10.0.0.0/8:*", Some("10.0.0.0/8:443")),
            ("10.0.0.0/8:*", "10.1.0.0/16:80", Some("10.1.0.0/16:80")),
            ("10.1.0.0/16:80", "10.2.0.0/16:80", None),
            ("DB:1", "db:1", Some("DB:1")),
            ("10.0.0.0/8:1", "db:1", None),
        ] {
            let found = peer(a).common(&peer(b)).map(|peer| peer.to_string());
            assert_eq!(found.as_deref(), wanted, "{a} {b}");
        }
    }
}
