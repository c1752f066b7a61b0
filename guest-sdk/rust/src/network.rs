//! Networks of this unit.

use crate::bindings::network_bindings as wit;
use crate::error::ModelResult;
use crate::{Relation, Result};

/// An address of a network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterfaceAddress {
    /// The address, an IP address or a host name.
    pub value: String,
    /// The host name, if Juju knows one.
    pub hostname: Option<String>,
    /// The subnet in CIDR notation; `None` for a host name.
    pub subnet: Option<String>,
}

/// A network interface of the machine or pod.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkInterface {
    /// The name, for example `eth0`; empty on Kubernetes.
    pub name: String,
    /// The MAC address.
    pub mac_address: Option<String>,
    /// The addresses, at least one.
    pub addresses: Vec<InterfaceAddress>,
}

/// The network of an endpoint or an extra binding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// The interfaces, the preferred one first.
    pub interfaces: Vec<NetworkInterface>,
    /// Addresses at which others reach this unit, the preferred one first.
    pub ingress_addresses: Vec<String>,
    /// Subnets, in CIDR notation, from which connections of this unit come.
    pub egress_subnets: Vec<String>,
}

/// Returns the network of an endpoint or an extra binding. It is read once in a
/// dispatch.
///
/// ```
/// # use charmhost::prelude::*;
/// # fn handler() -> Result<()> {
/// let network = network("db")?;
/// log::info!("listening on {:?}", network.bind_address());
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn network(binding: &str) -> Result<Network> {
    get(binding, None)
}

impl Relation {
    /// The network of the relation; that of its endpoint if the relation is gone.
    #[track_caller]
    pub fn network(&self) -> Result<Network> {
        get(self.endpoint(), Some(self.id()))
    }
}

impl Network {
    /// The preferred address to listen on.
    pub fn bind_address(&self) -> Option<&str> {
        let address = self.interfaces.first()?.addresses.first()?;
        Some(&address.value)
    }

    /// The preferred address at which others reach this unit.
    pub fn ingress_address(&self) -> Option<&str> {
        self.ingress_addresses.first().map(String::as_str)
    }
}

#[track_caller]
fn get(binding: &str, relation: Option<u32>) -> Result<Network> {
    let network = wit::get(binding, relation).model()?;
    Ok(Network {
        interfaces: network.interfaces.into_iter().map(interface).collect(),
        ingress_addresses: network.ingress_addresses,
        egress_subnets: network.egress_subnets,
    })
}

fn interface(interface: wit::NetworkInterface) -> NetworkInterface {
    let address = |address: wit::InterfaceAddress| InterfaceAddress {
        value: address.value,
        hostname: address.hostname,
        subnet: address.subnet,
    };
    NetworkInterface {
        name: interface.name,
        mac_address: interface.mac_address,
        addresses: interface.addresses.into_iter().map(address).collect(),
    }
}
