//! The workload containers that a guest may reach: those of its metadata.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use charmhost_juju::Metadata;
use charmhost_pebble::{Client, Connect};

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
        Err(self.unknown(name))
    }

    /// Connects to a container without a client. Errors as [`Containers::get`].
    pub fn connector(&self, name: &str) -> Result<Arc<dyn Connect>, String> {
        match self.clients.contains_key(name) {
            true => Ok(self.pebble.connector(name)),
            false => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let names: Vec<&str> = self.clients.keys().map(String::as_str).collect();
        let known = match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        format!("there is no container {name:?}: the charm has {known}")
    }
}
