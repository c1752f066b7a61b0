//! The workload containers that a guest may reach: those of its metadata.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use charmhost_juju::Metadata;
use charmhost_pebble::{Client, Connect, Process, Pull, Push};
use charmhost_sandbox::Reservation;

/// Finds the Pebble of a container.
pub trait PebbleConnector: Send {
    /// A connector to the Pebble of a container, for example of `web`. Whether
    /// Pebble runs is seen at the first call.
    fn connector(&self, container: &str) -> Arc<dyn Connect>;
}

/// A client for each container, once it was used.
pub(crate) struct Containers {
    clients: BTreeMap<String, Option<Client>>,
    pebble: Box<dyn PebbleConnector>,
}

impl Containers {
    pub fn new(metadata: &Metadata, pebble: Box<dyn PebbleConnector>) -> Self {
        // A name is one directory: no other socket is reached by it.
        let is_plain = |name: &&String| {
            let mut parts = Path::new(name.as_str()).components();
            matches!(parts.next(), Some(Component::Normal(part)) if part == name.as_str())
                && parts.next().is_none()
        };
        let names = metadata.containers.keys().filter(is_plain);
        Containers {
            clients: names.map(|name| (name.clone(), None)).collect(),
            pebble,
        }
    }

    /// The client of a container. The error lists the containers of the charm.
    pub fn get(&mut self, name: &str) -> Result<Client, String> {
        let connect = || Client::with_connector(self.pebble.connector(name));
        if let Some(client) = self.clients.get_mut(name) {
            return Ok(client.get_or_insert_with(connect).clone());
        }
        let names: Vec<&str> = self.clients.keys().map(String::as_str).collect();
        let known = match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        Err(format!(
            "there is no container {name:?}: the charm has {known}"
        ))
    }
}

/// A file that a guest reads, and the memory reserved for it.
pub struct PullHandle {
    pub(crate) pull: Pull,
    pub(crate) _reserved: Reservation,
}

/// A file that a guest writes, and the memory reserved for it; none once it is
/// closed.
pub struct PushHandle(pub(crate) Option<(Push, Reservation)>);

/// A command of a guest, and the memory reserved for it; none once it has been
/// waited for.
pub struct ProcessHandle(pub(crate) Option<(Process, Reservation)>);
