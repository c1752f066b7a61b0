//! Networks of a unit (juju §3.3).

use std::collections::{BTreeMap, BTreeSet};

use crate::databag::Databag;

/// The keys of a unit's databag that Juju itself writes.
pub const JUJU_KEYS: [&str; 3] = ["egress-subnets", "ingress-address", "private-address"];

/// The network of a binding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The interfaces with their addresses.
    pub bind_addresses: Vec<BindAddress>,
    /// From where others see the unit come.
    pub egress_subnets: Vec<String>,
    /// Where others reach the unit.
    pub ingress_addresses: Vec<String>,
}

/// An interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindAddress {
    /// For example `00:16:3e:00:00:01`; empty on Kubernetes.
    pub mac_address: String,
    /// For example `eth0`; empty on Kubernetes.
    pub interface_name: String,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// An address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// Its name, if it has one.
    pub hostname: String,
    /// For example `10.0.0.7`.
    pub value: String,
    /// For example `10.0.0.0/24`.
    pub cidr: String,
}

/// The networks by binding; other bindings have the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// The one that most bindings have.
    pub default: Network,
    /// The networks of other bindings.
    pub by_binding: BTreeMap<String, Network>,
    /// Where others than the model's reach the unit.
    pub public_address: String,
}

impl Networks {
    /// One network with one address, as a unit of a fresh model has it.
    pub fn of_substrate(kubernetes: bool) -> Self {
        Networks::with_address(kubernetes, 7)
    }

    /// The same with the address `10.0.0.HOST`.
    pub fn with_address(kubernetes: bool, host: u8) -> Self {
        let text = |machine: String| match kubernetes {
            true => String::new(),
            false => machine,
        };
        let address = format!("10.0.0.{host}");
        Networks {
            default: Network {
                bind_addresses: vec![BindAddress {
                    mac_address: text(format!("00:16:3e:00:00:{:02x}", host - host.min(6))),
                    interface_name: text("eth0".to_owned()),
                    addresses: vec![Address {
                        hostname: String::new(),
                        value: address.clone(),
                        cidr: text("10.0.0.0/24".to_owned()),
                    }],
                }],
                egress_subnets: vec![format!("{address}/32")],
                ingress_addresses: vec![address.clone()],
            },
            by_binding: BTreeMap::new(),
            public_address: address,
        }
    }

    /// What Juju itself writes into the databag of a unit that enters a relation.
    pub fn relation_data(&self) -> Databag {
        let network = &self.default;
        let ingress = network.ingress_addresses.first().cloned();
        let values = [
            network.egress_subnets.join(","),
            ingress.unwrap_or_default(),
            self.private_address().to_owned(),
        ];
        let pairs = JUJU_KEYS.iter().map(|key| (*key).to_owned()).zip(values);
        pairs.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The network of a binding: an endpoint, or one that has its own.
    pub fn get(&self, binding: &str, endpoints: &BTreeSet<String>) -> Option<&Network> {
        let known = endpoints.contains(binding) || binding == "juju-info";
        self.by_binding
            .get(binding)
            .or(known.then_some(&self.default))
    }

    /// The unit's address in the model.
    pub fn private_address(&self) -> &str {
        let mut addresses = self
            .default
            .bind_addresses
            .iter()
            .flat_map(|bind| &bind.addresses);
        addresses
            .next()
            .map_or("", |address| address.value.as_str())
    }
}
