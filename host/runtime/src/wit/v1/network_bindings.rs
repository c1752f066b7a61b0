//! `charmhost:network-bindings/network-bindings`: networks of this unit
//! (ops §16.3).

use charmhost_juju::{InterfaceAddress, NetworkInterface};

use super::bindings::network_bindings::{self as wit, Host};
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn get(
        &mut self,
        binding: String,
        relation_id: Option<u32>,
    ) -> Result<wit::NetworkInfo, Error> {
        let network = self.charm.model.network(&binding, relation_id);
        let network = network.map_err(error)?.clone();
        Ok(wit::NetworkInfo {
            interfaces: network.interfaces.into_iter().map(interface).collect(),
            ingress_addresses: network.ingress_addresses,
            egress_subnets: network.egress_subnets,
        })
    }
}

fn interface(interface: NetworkInterface) -> wit::NetworkInterface {
    let address = |address: InterfaceAddress| wit::InterfaceAddress {
        value: address.value,
        hostname: address.hostname,
        subnet: address.subnet,
    };
    wit::NetworkInterface {
        name: interface.name,
        mac_address: interface.mac_address,
        addresses: interface.addresses.into_iter().map(address).collect(),
    }
}
