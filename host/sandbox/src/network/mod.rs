//! Access of a guest to the network.
//!
//! Only granted names are looked up, and the guest may connect to the addresses
//! in the answer: the host never looks a name up again to check an address.

mod rule;
mod wasi;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime_wasi::sockets::SocketAddrUse;

use crate::denials::DenialLog;
pub use rule::NetworkRule;
use rule::canonical_name;
pub use wasi::NetworkView;
pub(crate) use wasi::{Lookups, NetworkAccess};

/// Addresses of names that are remembered.
const MAX_ANSWERS: usize = 10_000;

/// Network destinations that a guest may use. Clones share the answers to
/// look-ups.
#[derive(Debug, Clone)]
pub struct Network(Arc<State>);

#[derive(Debug)]
struct State {
    rules: Vec<NetworkRule>,
    denials: DenialLog,
    /// Addresses in answers to look-ups, by name.
    answers: Mutex<HashMap<String, HashSet<IpAddr>>>,
}

impl Network {
    /// Creates a network of granted destinations.
    pub fn new(rules: Vec<NetworkRule>, denials: DenialLog) -> Self {
        Network(Arc::new(State {
            rules,
            denials,
            answers: Mutex::default(),
        }))
    }

    /// Whether a guest may use an address for a purpose. A denial is logged.
    pub fn allows(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        let allowed = match purpose {
            // Needed before connecting and sending; it opens nothing.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                address.port() == 0 && address.ip().is_unspecified()
            }
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                let answers = self
                    .0
                    .answers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let answered = |name: &str, ip: IpAddr| {
                    answers.get(name).is_some_and(|known| known.contains(&ip))
                };
                let mut rules = self.0.rules.iter();
                rules.any(|rule| rule.allows(address, answered))
            }
        };
        if !allowed {
            self.deny(address, purpose);
        }
        allowed
    }

    fn deny(&self, address: SocketAddr, purpose: SocketAddrUse) {
        match purpose {
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend => {
                let grant = format!("network = [\"{address}\"]");
                let operation = format!("connecting to {address}");
                self.0.denials.add(&operation, Some(&grant));
            }
            // Incoming datagrams are not the guest's doing: no denial is logged.
            SocketAddrUse::UdpReceive => {}
            _ => self.0.denials.add(&format!("listening on {address}"), None),
        }
    }

    /// The rules.
    pub fn rules(&self) -> &[NetworkRule] {
        &self.0.rules
    }

    /// Whether a name may be looked up. A denial is logged.
    fn allows_name(&self, name: &str) -> bool {
        let canonical = canonical_name(name);
        let mut rules = self.0.rules.iter();
        let allowed = rules.any(|rule| rule.allows_name(&canonical));
        if !allowed {
            let grant = format!("network = [\"{name}:PORT\"]");
            let operation = format!("looking up {name}");
            self.0.denials.add(&operation, Some(&grant));
        }
        allowed
    }

    /// Adds an address to those of a name.
    fn remember(&self, name: &str, address: IpAddr) {
        let mut answers = self
            .0
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known: usize = answers.values().map(HashSet::len).sum();
        if known < MAX_ANSWERS {
            let addresses = answers.entry(canonical_name(name)).or_default();
            addresses.insert(address.to_canonical());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_answered_for_a_granted_name_is_connected_to() {
        let denials = DenialLog::default();
        let rules = vec!["db.example:5432".parse().unwrap()];
        let network = Network::new(rules, denials.clone());
        let address: SocketAddr = "10.1.2.3:5432".parse().unwrap();
        assert!(!network.allows(address, SocketAddrUse::TcpConnect));
        assert!(network.allows_name("DB.example."));
        network.remember("DB.example.", address.ip());
        assert!(network.allows(address, SocketAddrUse::TcpConnect));
        assert!(!network.allows("10.1.2.3:5433".parse().unwrap(), SocketAddrUse::TcpConnect));
        assert!(!network.allows_name("data.attacker.example"));
        assert!(!network.allows("0.0.0.0:80".parse().unwrap(), SocketAddrUse::TcpBind));
        assert!(network.allows("0.0.0.0:0".parse().unwrap(), SocketAddrUse::TcpBind));
        let lines = denials.take().join("\n");
        assert!(
            lines.contains("Denied looking up data.attacker.example"),
            "{lines}"
        );
    }
}
