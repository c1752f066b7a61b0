//! Network destinations that a charm may connect to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Hosts and a port, for example `example.com:443`, `10.0.0.0/8:5432`,
/// `[fd00::]/8:*` or `*:80`.
///
/// Names are compared without case and without a trailing dot. IPv4 addresses
/// mapped to IPv6 (`::ffff:10.0.0.1`) count as IPv4.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkRule {
    host: Host,
    /// `None` for every port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Name(String),
    Network(IpNet),
}

impl NetworkRule {
    /// Whether a name, in lower case and without a trailing dot, may be looked up.
    pub fn allows_name(&self, name: &str) -> bool {
        match &self.host {
            Host::Any => true,
            Host::Name(own) => own == name,
            Host::Network(_) => false,
        }
    }

    /// Whether names may be looked up because of this rule.
    pub fn has_names(&self) -> bool {
        !matches!(self.host, Host::Network(_))
    }

    /// The port; `None` for every port.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether an address may be connected to. `answered` returns whether a name
    /// was looked up and has an address.
    pub fn allows(&self, address: SocketAddr, answered: impl Fn(&str, IpAddr) -> bool) -> bool {
        let has_port = self.port.is_none_or(|port| port == address.port());
        let ip = address.ip().to_canonical();
        has_port
            && match &self.host {
                Host::Any => true,
                Host::Name(name) => answered(name, ip),
                Host::Network(network) => network.contains(&ip),
            }
    }

    /// The destinations that both rules allow.
    pub fn intersection(&self, other: &NetworkRule) -> Option<NetworkRule> {
        let port = match (self.port, other.port) {
            (Some(a), Some(b)) if a != b => return None,
            (port, other) => port.or(other),
        };
        let host = match (&self.host, &other.host) {
            (Host::Any, host) | (host, Host::Any) => host.clone(),
            (Host::Name(a), Host::Name(b)) if a == b => self.host.clone(),
            (Host::Network(a), Host::Network(b)) if b.contains(a) => self.host.clone(),
            (Host::Network(a), Host::Network(b)) if a.contains(b) => other.host.clone(),
            _ => return None,
        };
        Some(NetworkRule { host, port })
    }
}

/// The form in which names are compared: lower case, no trailing dot.
pub fn canonical_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl FromStr for NetworkRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a host and a port, for example \"example.com:443\", \"10.0.0.0/8:5432\", \"[fd00::]/8:*\" or \"*:80\""
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
        Ok(NetworkRule { host, port })
    }
}

impl TryFrom<String> for NetworkRule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<NetworkRule> for String {
    fn from(rule: NetworkRule) -> Self {
        rule.to_string()
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
    if address.is_ipv6() != bare.is_some() {
        return None;
    }
    let width: u8 = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    let network = match address.to_canonical() {
        // A part of ::ffff:0:0/96 is a network of IPv4.
        v4 @ IpAddr::V4(_) if address.is_ipv6() => IpNet::new(v4, bits.checked_sub(96)?),
        _ => IpNet::new(address, bits),
    };
    Some(Host::Network(network.ok()?))
}

fn name(host: &str) -> Option<Host> {
    let name = canonical_name(host);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    let is_whole = name.split('.').all(|label| !label.is_empty());
    let is_name = name.chars().all(fits) && is_whole && !ends_in_number(&name);
    is_name.then_some(Host::Name(name))
}

/// Whether the system would parse a name as an address, for example `0x7f.1` and
/// `127.1`: these end in a number, which no name in the DNS does.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_hex = |digits: &str| digits.chars().all(|c| c.is_ascii_hexdigit());
    last.chars().all(|c| c.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(is_hex)
}

impl fmt::Display for NetworkRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => write!(f, "*")?,
            Host::Name(name) => write!(f, "{name}")?,
            Host::Network(network) => {
                match network.addr() {
                    IpAddr::V4(address) => write!(f, "{address}")?,
                    IpAddr::V6(address) => write!(f, "[{address}]")?,
                }
                if network.prefix_len() != network.max_prefix_len() {
                    write!(f, "/{}", network.prefix_len())?;
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

    fn rule(text: &str) -> NetworkRule {
        text.parse().unwrap()
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in [
            "example.com:443",
            "10.0.0.0/8:5432",
            "127.0.0.1:80",
            "[fd00::]/8:*",
            "[::1]:80",
            "*:80",
            "*:*",
        ] {
            assert_eq!(rule(text).to_string(), text);
        }
        for (text, wanted) in [
            ("EXAMPLE.com.:443", "example.com:443"),
            ("[::ffff:10.0.0.0]/104:1", "10.0.0.0/8:1"),
        ] {
            assert_eq!(rule(text).to_string(), wanted);
        }
    }

    #[test]
    fn what_is_no_destination_is_rejected() {
        for text in [
            "",
            "x",
            "x:99999",
            "10.0.0.0/40:1",
            "::1:80",
            "a b:1",
            "a..b:1",
            ".:1",
            "1.2.3:4",
            "0x7f.1:80",
            "0x7f000001:80",
            "127.0x1:80",
            "2130706433:80",
            "0177.0.0.1.:80",
            "[::ffff:0:0]/64:1",
        ] {
            assert!(text.parse::<NetworkRule>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_match_by_network_name_and_port() {
        let answered = |name: &str, ip: IpAddr| name == "db" && ip == IpAddr::from([10, 1, 2, 3]);
        for (text, address, wanted) in [
            ("10.0.0.0/8:5432", "10.200.0.1:5432", true),
            ("10.0.0.0/8:5432", "10.200.0.1:5433", false),
            ("10.0.0.0/8:*", "11.0.0.1:1", false),
            ("0.0.0.0/0:1", "8.8.8.8:1", true),
            ("[fd00::]/8:*", "[fd12::1]:9", true),
            ("[fd00::]/8:*", "10.0.0.1:9", false),
            ("10.0.0.0/8:*", "[::ffff:10.0.0.1]:9", true),
            ("[::ffff:10.0.0.0]/104:*", "10.9.0.1:9", true),
            ("[::ffff:10.0.0.0]/104:*", "11.0.0.1:9", false),
            ("db:5432", "10.1.2.3:5432", true),
            ("DB.:5432", "[::ffff:10.1.2.3]:5432", true),
            ("db:5432", "10.1.2.4:5432", false),
            ("*:80", "1.1.1.1:80", true),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(
                rule(text).allows(address, answered),
                wanted,
                "{text} {address}"
            );
        }
    }

    #[test]
    fn two_rules_have_in_common_what_both_allow() {
        for (a, b, wanted) in [
            ("*:*", "db:1", Some("db:1")),
            ("*:1", "db:2", None),
            ("*:443", "10.0.0.0/8:*", Some("10.0.0.0/8:443")),
            ("10.0.0.0/8:*", "10.1.0.0/16:80", Some("10.1.0.0/16:80")),
            ("10.1.0.0/16:80", "10.2.0.0/16:80", None),
            ("DB:1", "db.:1", Some("db:1")),
            ("10.0.0.0/8:1", "db:1", None),
            (
                "[::ffff:10.1.0.0]/112:1",
                "10.0.0.0/8:*",
                Some("10.1.0.0/16:1"),
            ),
        ] {
            for (a, b) in [(a, b), (b, a)] {
                let found = rule(a).intersection(&rule(b)).map(|rule| rule.to_string());
                assert_eq!(found.as_deref(), wanted, "{a} {b}");
            }
        }
    }
}
