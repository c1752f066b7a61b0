//! The network that a guest sees.
//!
//! Names are looked up only if they are granted, and what was answered is what
//! may be connected to: an address is never looked up again to see whether it
//! belongs to a granted name.

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

/// How many addresses of names are remembered.
const MAX_ANSWERS: usize = 10_000;

/// What a guest may reach on the network. Cloned, it is the same one.
#[derive(Debug, Clone)]
pub struct Network(Arc<State>);

#[derive(Debug)]
struct State {
    rules: Vec<NetworkRule>,
    denials: DenialLog,
    /// The addresses that were answered, by name.
    answers: Mutex<HashMap<String, HashSet<IpAddr>>>,
}

impl Network {
    /// A network of granted destinations.
    pub fn new(rules: Vec<NetworkRule>, denials: DenialLog) -> Self {
        Network(Arc::new(State {
            rules,
            denials,
            answers: Mutex::default(),
        }))
    }

    /// Whether a guest may use an address so; a denial is logged.
    pub fn allows(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        let allowed = match purpose {
            // What comes before connecting and sending, and opens nothing.
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
            // The guest has not asked for what arrives.
            SocketAddrUse::UdpReceive => {}
            _ => self.0.denials.add(&format!("listening on {address}"), None),
        }
    }

    /// The rules.
    pub fn rules(&self) -> &[NetworkRule] {
        &self.0.rules
    }

    /// Whether a name may be looked up; a denial is logged.
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

    /// Remembers an address of a name.
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
