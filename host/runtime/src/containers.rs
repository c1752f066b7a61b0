//! The workload containers that a guest may reach: those of its metadata.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use charmhost_juju::Metadata;
use charmhost_pebble::{Client, Process, Pull, Push};
use charmhost_sandbox::Reservation;

/// Where Juju puts the sockets of the containers' Pebbles.
const SOCKETS: &str = "/charm/containers";

/// A client for each container. None has connected yet.
pub(crate) struct Containers(BTreeMap<String, Client>);

impl Containers {
    pub fn of(metadata: &Metadata) -> Self {
        let client = |name: &String| {
            let socket = Path::new(SOCKETS).join(name).join("pebble.socket");
            (name.clone(), Client::new(socket))
        };
        // A name is one directory: no other socket is reached by it.
        let is_plain = |name: &&String| {
            let mut parts = Path::new(name.as_str()).components();
            matches!(parts.next(), Some(Component::Normal(part)) if part == name.as_str())
                && parts.next().is_none()
        };
        let names = metadata.containers.keys().filter(is_plain);
        Containers(names.map(client).collect())
    }

    /// The client of a container; the error says which there are.
    pub fn get(&self, name: &str) -> Result<Client, String> {
        if let Some(client) = self.0.get(name) {
            return Ok(client.clone());
        }
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        let known = match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        Err(format!(
            "there is no container {name:?}: the charm has {known}"
        ))
    }
}

/// A file that a guest reads, and what the host holds for it.
pub struct Reader {
    pub(crate) pull: Pull,
    pub(crate) _held: Reservation,
}

/// A file that a guest writes; none once it is closed.
pub struct Writer(pub(crate) Option<(Push, Reservation)>);

/// A command of a guest; none once it has been waited for.
pub struct Running(pub(crate) Option<(Process, Reservation)>);
