//! `network-get` and `unit-get` (juju §3.3).

use serde_json::{Map, Value, json};

use super::output::ToolOutput;
use super::{Call, ToolError, relations};
use crate::{BindAddress, Hook, Network};

pub fn unit(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let networks = &hook.view().networks;
    let address = match call.arguments.at_most_one().map_err(ToolError::Usage)? {
        Some("private-address") if hook.view().kubernetes => {
            let text = "private address not found";
            return Err(ToolError::Failed(text.to_owned()));
        }
        Some("private-address") => networks.private_address(),
        Some("public-address") => &networks.public_address,
        Some(other) => return Err(ToolError::Usage(format!("unknown setting {other:?}"))),
        None => return Err(ToolError::Usage("no setting specified".to_owned())),
    };
    Ok(Some(ToolOutput::Value(address.into())))
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    relations::chosen(hook, call)?;
    let binding = match call.arguments.at_most_one().map_err(ToolError::Usage)? {
        None => return Err(ToolError::Usage("no arguments specified".to_owned())),
        Some("") => return Err(ToolError::Usage("no binding name specified".to_owned())),
        Some(binding) => binding,
    };
    let network = known(hook, binding)?;
    let first_bind = || {
        let all = network.bind_addresses.iter();
        let mut addresses = all.flat_map(|bind| &bind.addresses);
        let first = addresses.next().map(|address| address.value.clone());
        first.ok_or_else(|| {
            ToolError::Failed(format!(
                "no bind address attached to space for binding {binding:?}"
            ))
        })
    };
    let wanted = |flag| call.arguments.is(flag);
    let mut shown = Vec::new();
    if wanted("bind-address") {
        shown.push(("bind-address", ToolOutput::Value(first_bind()?.into())));
    }
    if wanted("egress-subnets") {
        let subnets = ToolOutput::Lines(network.egress_subnets.clone());
        shown.push(("egress-subnets", subnets));
    }
    if wanted("ingress-address") {
        let first = network.ingress_addresses.first().cloned();
        let first = ToolOutput::Value(first.unwrap_or_default().into());
        shown.push(("ingress-address", first));
    }
    if wanted("primary-address") {
        if !shown.is_empty() {
            let text = "--primary-address must be the only flag specified";
            return Err(ToolError::Failed(text.to_owned()));
        }
        shown.push(("primary-address", ToolOutput::Value(first_bind()?.into())));
    }
    if shown.len() < 2 {
        let only = shown.pop().map(|(_, only)| only);
        return Ok(Some(only.unwrap_or_else(|| ToolOutput::Document {
            json: document(network, false),
            yaml: document(network, true),
            plain: Vec::new(),
        })));
    }
    let named = shown.into_iter().map(|(flag, shown)| {
        let value = match shown {
            ToolOutput::Value(value) => value,
            ToolOutput::Lines(lines) => lines.into(),
            _ => Value::Null,
        };
        (flag.to_owned(), value)
    });
    Ok(Some(ToolOutput::Value(Value::Object(named.collect()))))
}

/// The network of a binding. A network without addresses does not count; to Juju 3
/// neither does one without an address to bind to (juju §3.3).
fn known<'a>(hook: &'a Hook, binding: &str) -> Result<&'a Network, ToolError> {
    let model = hook.view();
    let has_address = |network: &&Network| {
        let binds = !network.bind_addresses.is_empty();
        let others = !network.egress_subnets.is_empty() || !network.ingress_addresses.is_empty();
        binds || others && !model.is_before_juju_4()
    };
    let network = model.networks.get(binding, &model.endpoints);
    let network = network.filter(has_address);
    network.ok_or_else(|| {
        ToolError::Failed(format!("no network config found for binding {binding:?}"))
    })
}

/// In YAML, some keys are repeated under their old names (juju §3.3).
fn document(network: &Network, yaml: bool) -> Value {
    let mut document = Map::new();
    let bind = |bind: &BindAddress| {
        let addresses: Vec<Value> = bind
            .addresses
            .iter()
            .map(|address| {
                let mut entry = json!({
                    "hostname": address.hostname,
                    "value": address.value,
                    "cidr": address.cidr,
                });
                if let (true, Some(entry)) = (yaml, entry.as_object_mut()) {
                    entry.insert("address".to_owned(), address.value.as_str().into());
                }
                entry
            })
            .collect();
        let mut entry = json!({
            "mac-address": bind.mac_address,
            "interface-name": bind.interface_name,
            "addresses": addresses,
        });
        if let (true, Some(entry)) = (yaml, entry.as_object_mut()) {
            entry.insert("macaddress".to_owned(), bind.mac_address.as_str().into());
            entry.insert(
                "interfacename".to_owned(),
                bind.interface_name.as_str().into(),
            );
        }
        entry
    };
    let binds: Vec<Value> = network.bind_addresses.iter().map(bind).collect();
    for (key, value) in [
        ("bind-addresses", json!(binds)),
        ("egress-subnets", json!(network.egress_subnets)),
        ("ingress-addresses", json!(network.ingress_addresses)),
    ] {
        if value.as_array().is_some_and(|list| !list.is_empty()) {
            document.insert(key.to_owned(), value);
        }
    }
    Value::Object(document)
}
