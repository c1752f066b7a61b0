//! The networks of this unit (`network-get`; ops §16.3).
//!
//! Cache (ops §9): a network is read once per dispatch for each binding, or
//! binding and relation.

use std::collections::BTreeMap;
use std::net::IpAddr;

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;

const TOOL: &str = "network-get";

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// An IP address or a host name.
    pub value: String,
    /// The host name.
    pub hostname: Option<String>,
    /// The subnet in CIDR notation; without one, that of the address alone. None
    /// for a host name.
    pub subnet: Option<String>,
}

/// A network interface of the machine or pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInterface {
    /// The name; empty on Kubernetes.
    pub name: String,
    /// The MAC address.
    pub mac_address: Option<String>,
    /// The addresses, at least one.
    pub addresses: Vec<InterfaceAddress>,
}

/// The network of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The interfaces with addresses, the preferred one first.
    pub interfaces: Vec<NetworkInterface>,
    /// Addresses at which others reach this unit, the preferred one first.
    pub ingress_addresses: Vec<String>,
    /// Subnets, in CIDR notation, from which connections of this unit come.
    pub egress_subnets: Vec<String>,
}

/// The networks that were read in this dispatch, by binding and relation.
#[derive(Debug, Default)]
pub(super) struct NetworkCache(BTreeMap<(String, Option<u32>), Network>);

impl Model {
    /// Returns the network of a binding, for one of its relations if that is
    /// given and exists.
    pub fn network(&mut self, binding: &str, relation: Option<u32>) -> Result<&Network, ToolError> {
        // It must not be read as a flag.
        if binding.starts_with('-') {
            let text = format!("{binding:?} is not the name of a binding");
            return Err(ToolError::invalid(TOOL, text));
        }
        let key = (binding.to_owned(), relation);
        let network = match self.networks.0.remove(&key) {
            Some(network) => network,
            None => self.read_network(binding, relation)?,
        };
        Ok(self.networks.0.entry(key).or_insert(network))
    }

    fn read_network(&mut self, binding: &str, relation: Option<u32>) -> Result<Network, ToolError> {
        let id = relation.map(|id| id.to_string());
        let mut args = vec!["--format=json"];
        if let Some(id) = &id {
            args.extend(["-r", id]);
        }
        args.push(binding);
        match self.call_json(TOOL, &args) {
            Ok(printed) => network(&printed),
            Err(error) if relation.is_some() && error.is_relation_gone() => {
                self.read_network(binding, None)
            }
            Err(error) => Err(not_found_if_unknown(error.relation_gone_if_denied())),
        }
    }
}

/// Turns the failure of `network-get` for a binding that the charm does not have
/// into that case (juju §3.3).
fn not_found_if_unknown(error: ToolError) -> ToolError {
    match error {
        ToolError::Other { tool, text } if text.starts_with("no network config found") => {
            ToolError::NotFound { tool, text }
        }
        other => other,
    }
}

fn network(printed: &Value) -> Result<Network, ToolError> {
    if !printed.is_object() {
        return Err(unexpected(TOOL, "a map", printed));
    }
    let mut interfaces = Vec::new();
    for bound in list(printed, "bind-addresses")? {
        let text = |key: &str| bound.get(key).and_then(Value::as_str).unwrap_or_default();
        let addresses = list(bound, "addresses")?;
        let addresses: Vec<_> = addresses.iter().filter_map(address).collect();
        if !addresses.is_empty() {
            interfaces.push(NetworkInterface {
                name: text("interface-name").to_owned(),
                mac_address: some(text("mac-address")),
                addresses,
            });
        }
    }
    let strings = |key: &str| {
        let text = |item: &Value| item.as_str().map(str::to_owned);
        let items = list(printed, key)?.iter().map(text);
        let items: Option<Vec<String>> = items.collect();
        items.ok_or_else(|| unexpected(TOOL, &format!("a map with strings in {key}"), printed))
    };
    Ok(Network {
        interfaces,
        ingress_addresses: strings("ingress-addresses")?,
        egress_subnets: strings("egress-subnets")?,
    })
}

/// An address that is known; older agents have another key for it.
fn address(entry: &Value) -> Option<InterfaceAddress> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).and_then(some);
    let value = text("value").or_else(|| text("address"))?;
    let alone = match value.parse() {
        Ok(IpAddr::V4(ip)) => Some(format!("{ip}/32")),
        Ok(IpAddr::V6(ip)) => Some(format!("{ip}/128")),
        Err(_) => None,
    };
    Some(InterfaceAddress {
        hostname: text("hostname"),
        subnet: text("cidr").or(alone),
        value,
    })
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// The list of a key; an empty one if it is missing or null.
fn list<'a>(map: &'a Value, key: &str) -> Result<&'a [Value], ToolError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(unexpected(
            TOOL,
            &format!("a map with a list as {key}"),
            map,
        )),
    }
}
