//! `network-get` and `unit-get`.

use serde_json::{Map, Value, json};

use super::format::Shown;
use super::{Call, Refusal, relations};
use crate::model::{BindAddress, Hook, Network};

pub fn unit(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let networks = &hook.model().networks;
    let address = match call.arguments.at_most_one().map_err(Refusal::Usage)? {
        Some("private-address") => networks.private_address(),
        Some("public-address") => &networks.public_address,
        Some(other) => return Err(Refusal::Usage(format!("unknown setting {other:?}"))),
        None => return Err(Refusal::Usage("no setting specified".to_owned())),
    };
    Ok(Some(Shown::Value(address.into())))
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    relations::chosen(hook, call)?;
    let binding = match call.arguments.at_most_one().map_err(Refusal::Usage)? {
        None => return Err(Refusal::Usage("no arguments specified".to_owned())),
        Some("") => return Err(Refusal::Usage("no binding name specified".to_owned())),
        Some(binding) => binding,
    };
    let model = hook.model();
    let Some(network) = model.networks.get(binding, &model.endpoints) else {
        return Err(Refusal::Failed(format!(
            "no network config found for binding {binding:?}"
        )));
    };
    let mut wanted = Map::new();
    let first_bind = || {
        let mut addresses = network
            .bind_addresses
            .iter()
            .flat_map(|bind| &bind.addresses);
        addresses
            .next()
            .map(|address| address.value.clone())
            .unwrap_or_default()
    };
    let first_ingress = || {
        network
            .ingress_addresses
            .first()
            .cloned()
            .unwrap_or_default()
    };
    for (flag, value) in [
        ("bind-address", json!(first_bind())),
        ("egress-subnets", json!(network.egress_subnets)),
        ("ingress-address", json!(first_ingress())),
        ("primary-address", json!(first_bind())),
    ] {
        if call.arguments.is(flag) {
            wanted.insert(flag.to_owned(), value);
        }
    }
    let mut values = wanted.values();
    Ok(Some(match (values.next(), values.next()) {
        (None, _) => Shown::Document {
            json: document(network, false),
            yaml: document(network, true),
            plain: Vec::new(),
        },
        (Some(only), None) => Shown::Value(only.clone()),
        _ => Shown::Value(Value::Object(wanted)),
    }))
}

/// In YAML, some keys come again under the names that they once had.
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
