//! Builds the model that a scenario describes, or reports why Juju could not
//! have it.

use std::collections::BTreeMap;

use charmhost_juju::{Metadata, Role};
use charmhost_sim_model::controller::{
    Consumer, Controller, Member, Owner, Relation, RelationSide, Role as EndpointRole, Secret,
    VersionedData,
};
use charmhost_sim_model::{
    Address, BindAddress, Content, Databag, Grant, Network, PortRange, Status, Storage, secret_id,
    secret_id_of,
};
use serde_json::{Map, Value};

use super::file::{
    Bag, BindAddressSpec, NetworkSpec, REMOTE_APP, RelationSpec, SecretSpec, State, StorageSpec,
    Text,
};
use crate::Error;
use crate::unit_dirs::UnitDirs;

/// The databag of plain text.
pub fn plain(bag: &Bag) -> Databag {
    let plain = |(key, text): (&String, &Text)| (key.clone(), text.0.clone());
    bag.iter().map(plain).collect()
}

fn wrong<T>(detail: impl Into<String>) -> Result<T, Error> {
    Err(Error::State(detail.into()))
}

/// A value of an option as an operator would type it.
pub fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Sets options of an application as its operator would.
pub fn configure(
    controller: &mut Controller,
    app: &str,
    options: &Map<String, Value>,
) -> Result<(), Error> {
    let typed = options.iter().map(|(name, value)| (name, typed(value)));
    let typed: Vec<(&String, String)> = typed.collect();
    let pairs = typed
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(controller.configure(app, pairs)?)
}

/// The application of a unit.
pub fn app_of(unit: &str) -> &str {
    unit.split('/').next().unwrap_or(unit)
}

/// Applies what does not depend on the charm's endpoints, storage and containers.
pub fn apply(state: &State, controller: &mut Controller, unit: &str) -> Result<(), Error> {
    let spec = &state.model;
    for (given, field) in [
        (&spec.name, &mut controller.model_name),
        (&spec.uuid, &mut controller.model_uuid),
    ] {
        if let Some(given) = given {
            field.clone_from(given);
        }
    }
    let app = controller.application_mut(app_of(unit))?;
    for (name, value) in &state.config {
        app.config.set(name, &typed(value))?;
    }
    if let Some(kind) = &spec.r#type {
        app.kubernetes = kind == "kubernetes";
    }
    app.cloud_spec.clone_from(&spec.cloud_spec);
    app.planned_units = Some(state.planned_units.unwrap_or(1).max(1));
    if let Some(status) = &state.app_status {
        let message = status.message.clone().unwrap_or_default();
        app.status = Some(Status::new(&status.name, message));
    }
    let unit = controller.unit_mut(unit)?;
    unit.workload_version.clone_from(&state.workload_version);
    if let Some(status) = &state.unit_status {
        unit.status = Status::new(&status.name, status.message.clone().unwrap_or_default());
        unit.status_was_set = true;
    }
    for port in &state.opened_ports {
        let range = PortRange::parse(port).map_err(Error::State)?;
        let opened = unit.ports.open(range, Default::default());
        opened.map_err(|other| Error::State(format!("{port} conflicts with {other}")))?;
    }
    for network in &state.networks {
        let (name, network) = network_of(network)?;
        unit.networks.by_binding.insert(name, network);
    }
    Ok(())
}

fn network_of(spec: &NetworkSpec) -> Result<(String, Network), Error> {
    if spec.binding_name.is_empty() {
        return wrong("a network has no binding_name");
    }
    let addresses = |bind: &BindAddressSpec| BindAddress {
        mac_address: bind.mac_address.clone(),
        interface_name: bind.interface_name.clone(),
        addresses: bind
            .addresses
            .iter()
            .map(|address| Address {
                hostname: address.hostname.clone(),
                value: address.value.clone(),
                cidr: address.cidr.clone(),
            })
            .collect(),
    };
    let network = Network {
        bind_addresses: spec.bind_addresses.iter().map(addresses).collect(),
        egress_subnets: spec.egress_subnets.clone(),
        ingress_addresses: spec.ingress_addresses.clone(),
    };
    Ok((spec.binding_name.clone(), network))
}

/// The relations of a unit, each with its number and its other side: those of
/// the scenario, and the peer relations that Juju makes by itself.
pub fn relations(specs: &[RelationSpec], metadata: &Metadata) -> Result<Vec<RelationSpec>, Error> {
    let mut relations: Vec<RelationSpec> = specs.to_vec();
    let peers = metadata
        .relations
        .iter()
        .filter(|(_, endpoint)| endpoint.role == Role::Peer);
    for (name, _) in peers {
        match specs.iter().filter(|spec| spec.endpoint == *name).count() {
            0 => relations.push(RelationSpec {
                endpoint: name.clone(),
                ..RelationSpec::default()
            }),
            1 => {}
            _ => {
                return wrong(format!(
                    "a unit has one peer relation {name:?}, not several"
                ));
            }
        }
    }
    let mut taken: Vec<u32> = relations
        .iter()
        .filter_map(|relation| relation.id)
        .collect();
    for relation in &mut relations {
        check_relation(relation, metadata)?;
        let free = (1..).find(|id| !taken.contains(id)).unwrap_or_default();
        if relation.id.is_none() {
            relation.id = Some(free);
            taken.push(free);
        }
        let peer = is_peer(metadata, &relation.endpoint);
        if !peer && relation.remote_app_name.is_none() {
            relation.remote_app_name = Some(REMOTE_APP.to_owned());
        }
    }
    taken.sort_unstable();
    match taken.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(pair) => wrong(format!("two relations have the id {pair:?}")),
        None => Ok(relations),
    }
}

fn is_peer(metadata: &Metadata, endpoint: &str) -> bool {
    let endpoint = metadata.relations.get(endpoint);
    endpoint.is_some_and(|endpoint| endpoint.role == Role::Peer)
}

fn check_relation(relation: &RelationSpec, metadata: &Metadata) -> Result<(), Error> {
    let name = &relation.endpoint;
    let Some(endpoint) = metadata.relations.get(name) else {
        let names: Vec<&str> = metadata.relations.keys().map(String::as_str).collect();
        let known = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        return wrong(format!(
            "there is no endpoint {name:?} for a relation; the charm's metadata has {known}"
        ));
    };
    let interface = relation.interface.as_deref().unwrap_or(&endpoint.interface);
    if interface != endpoint.interface {
        return wrong(format!(
            "the relation {name:?} has the interface {interface:?}, and the charm's metadata says {:?}",
            endpoint.interface
        ));
    }
    let peer = endpoint.role == Role::Peer;
    let remote = relation.remote_app_name.is_some()
        || !relation.remote_units_data.is_empty()
        || !relation.remote_app_data.is_empty();
    if peer && remote {
        return wrong(format!(
            "{name:?} is a peer relation: it has peers_data and local_app_data, and no remote application"
        ));
    }
    if !peer && !relation.peers_data.is_empty() {
        return wrong(format!(
            "{name:?} is no peer relation: it has remote_units_data, and no peers_data"
        ));
    }
    match relation
        .remote_units()
        .iter()
        .find(|(number, _)| number.parse::<u32>().is_err())
    {
        Some((number, _)) => wrong(format!(
            "{number:?} is no number of a unit in the relation {name:?}"
        )),
        None => Ok(()),
    }
}

/// Adds a relation of a unit with a made-up application, or with made-up peers.
pub fn add_relation(
    spec: &RelationSpec,
    controller: &mut Controller,
    unit: &str,
) -> Result<(), Error> {
    let id = spec.id.unwrap_or_default();
    let app = app_of(unit);
    let endpoints = &controller.application_mut(app)?.endpoints;
    let (interface, is_peer) = match endpoints.get(&spec.endpoint) {
        Some(endpoint) => (
            endpoint.interface.clone(),
            endpoint.role == EndpointRole::Peer,
        ),
        None => (String::new(), false),
    };
    let remote_app = match is_peer {
        true => app.to_owned(),
        false => spec.remote_app_name.clone().unwrap_or_default(),
    };
    let data = |bag: Databag| VersionedData { bag, version: 1 };
    let member = |bag: Databag| Member {
        data: data(bag),
        has_left: false,
    };
    let others = spec.remote_units().into_iter();
    let others = others.map(|(number, bag)| (format!("{remote_app}/{number}"), member(plain(bag))));
    let mut own = controller.unit_mut(unit)?.networks.relation_data();
    own.extend(plain(&spec.local_unit_data));
    let mut sides = vec![RelationSide {
        app: app.to_owned(),
        endpoint: spec.endpoint.clone(),
        app_data: data(plain(&spec.local_app_data)),
        members: BTreeMap::from([(unit.to_owned(), member(own))]),
    }];
    if is_peer {
        sides
            .iter_mut()
            .for_each(|side| side.members.extend(others.clone()));
    } else {
        sides.push(RelationSide {
            app: remote_app.clone(),
            endpoint: String::new(),
            app_data: data(plain(&spec.remote_app_data)),
            members: others.collect(),
        });
        controller.applications.entry(remote_app).or_default();
    }
    let relation = Relation {
        id,
        interface,
        sides,
        remote_model_uuid: spec.remote_model_uuid.clone(),
        is_dying: false,
    };
    controller.relations.insert(id, relation);
    let agent = &mut controller.unit_mut(unit)?.agent;
    agent.relations.entry(id).or_default();
    Ok(())
}

/// The names of the storage instances: those of the scenario, and those that a
/// deployment makes.
pub fn storages(specs: &[StorageSpec], metadata: &Metadata) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for spec in specs {
        if !metadata.storage.contains_key(&spec.name) {
            let names: Vec<&str> = metadata.storage.keys().map(String::as_str).collect();
            let known = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return wrong(format!(
                "there is no storage {:?}; the charm's metadata has {known}",
                spec.name
            ));
        }
        let id = format!("{}/{}", spec.name, spec.index);
        if ids.contains(&id) {
            return wrong(format!("there are two storage instances {id}"));
        }
        ids.push(id);
    }
    let of_name = |name: &str| specs.iter().any(|spec| spec.name == name);
    for (name, section) in metadata.storage.iter().filter(|(name, _)| !of_name(name)) {
        let range = section
            .get("multiple")
            .and_then(|multiple| multiple.get("range"));
        let range = range.map(typed).unwrap_or_else(|| "1".to_owned());
        let least = range.split(['-', '+']).next().unwrap_or_default();
        let least: u32 = least.trim().parse().unwrap_or(1);
        ids.extend((0..least).map(|index| format!("{name}/{index}")));
    }
    Ok(ids)
}

/// The section of a storage instance in the metadata.
fn storage_section<'a>(id: &str, metadata: &'a Metadata) -> Option<&'a Value> {
    metadata
        .storage
        .get(id.split('/').next().unwrap_or_default())
}

/// `filesystem` or `block`.
pub fn storage_kind(id: &str, metadata: &Metadata) -> String {
    let section = storage_section(id, metadata);
    let kind = section.and_then(|section| section.get("type")?.as_str());
    kind.unwrap_or("filesystem").to_owned()
}

/// The locations of storage instances that are not the default ones: filesystems
/// at the location that the metadata gives, or below it if there can be several
/// (juju-hook-tools §3.3), and block storage at a device.
pub fn storage_locations(ids: &[String], metadata: &Metadata) -> BTreeMap<String, String> {
    let mut devices = ('b'..='z').map(|letter| format!("/dev/sd{letter}"));
    let mut locations = BTreeMap::new();
    for id in ids {
        let section = storage_section(id, metadata);
        let location = section.and_then(|section| section.get("location")?.as_str());
        let several = section.is_some_and(|section| section.get("multiple").is_some());
        let location = match (storage_kind(id, metadata).as_str(), location) {
            ("block", _) => devices.next(),
            (_, Some(location)) if several => Some(format!("{location}/{id}")),
            (_, location) => location.map(str::to_owned),
        };
        let absolute = location.filter(|location| location.starts_with('/'));
        locations.extend(absolute.map(|location| (id.clone(), location)));
    }
    locations
}

/// Makes a storage instance.
pub fn storage(id: &str, metadata: &Metadata, dirs: &UnitDirs) -> Result<Storage, Error> {
    let kind = storage_kind(id, metadata);
    let location = dirs.storage(id, &kind)?;
    Ok(Storage { kind, location })
}

/// Adds the secrets of a scenario to the model of a unit.
pub fn add_secrets(
    specs: &[SecretSpec],
    controller: &mut Controller,
    unit: &str,
) -> Result<(), Error> {
    for spec in specs {
        let shown = spec.label.as_ref().or(spec.id.as_ref());
        let name = shown
            .cloned()
            .unwrap_or_else(|| "without id and label".to_owned());
        let id = match &spec.id {
            Some(uri) => match secret_id(uri) {
                Some(id) => id.to_owned(),
                None => {
                    return wrong(format!(
                        "{uri:?} is no id of a secret: it has 20 characters of 0-9 and a-v, the last of them 0 or g"
                    ));
                }
            },
            None => {
                controller.secret_ids += 1;
                secret_id_of(controller.secret_ids)
            }
        };
        let secret = secret(spec, &name, controller, unit)?;
        if controller.secrets.insert(id.clone(), secret).is_some() {
            return wrong(format!("there are two secrets with the id {id}"));
        }
    }
    Ok(())
}

/// A secret that a unit owns, or tracks the first revision of.
fn secret(
    spec: &SecretSpec,
    name: &str,
    controller: &Controller,
    unit: &str,
) -> Result<Secret, Error> {
    let app = app_of(unit);
    let owner = match spec.owner.as_deref() {
        Some("unit") => Owner::Unit(unit.to_owned()),
        Some("app" | "application") => Owner::App(app.to_owned()),
        Some(app) if !app.is_empty() => Owner::App(app.to_owned()),
        _ => {
            return wrong(format!(
                "the secret {name:?} has no owner: say `owner: unit`, `owner: app`, or the name of the remote application that owns it"
            ));
        }
    };
    if spec.tracked_content.is_empty() {
        return wrong(format!("the secret {name:?} has no tracked_content"));
    }
    let mut secret = Secret::new(owner, Content::text(plain(&spec.tracked_content)));
    if let Some(latest) = &spec.latest_content {
        secret.add_revision(Content::text(plain(latest)));
    }
    let label = spec.label.clone().unwrap_or_default();
    let mut consumer = Consumer {
        tracked: 1,
        ..Consumer::default()
    };
    match secret.is_owned_by(unit, app) {
        true => secret.label = label,
        false => consumer.label = Some(label).filter(|label| !label.is_empty()),
    }
    secret.consumers.insert(unit.to_owned(), consumer);
    secret.readers.insert(unit.to_owned());
    secret.description = spec.description.clone().unwrap_or_default();
    secret.rotate.clone_from(&spec.rotate);
    secret.expire.clone_from(&spec.expire);
    secret.grants = grants(&spec.remote_grants, controller, name)?;
    Ok(secret)
}

fn grants(
    specs: &BTreeMap<String, Vec<String>>,
    controller: &Controller,
    secret: &str,
) -> Result<Vec<Grant>, Error> {
    let mut grants = Vec::new();
    for (number, names) in specs {
        let relation = number.parse().ok();
        let Some(relation) = relation.filter(|id| controller.relations.contains_key(id)) else {
            return wrong(format!(
                "the secret {secret:?} is granted in relation {number}, which there is not"
            ));
        };
        grants.extend(names.iter().map(|name| Grant {
            relation,
            unit: name.contains('/').then(|| name.clone()),
        }));
    }
    Ok(grants)
}

/// Refuses resources that the charm does not have.
pub fn check_resources(
    resources: &BTreeMap<String, String>,
    known: &Map<String, Value>,
) -> Result<(), Error> {
    let unknown = resources.keys().find(|name| !known.contains_key(*name));
    match unknown {
        Some(name) => wrong(format!(
            "there is no resource {name:?} in the charm's metadata"
        )),
        None => Ok(()),
    }
}
