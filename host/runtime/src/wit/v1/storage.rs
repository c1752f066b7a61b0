//! `charmhost:storage/storage`: attached storage instances (ops §16.2).

use charmhost_juju::{StorageInstance, StorageKind};

use super::bindings::storage::{self as wit, Host};
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn list(&mut self, name: String) -> Result<Vec<u32>, Error> {
        let listed = self.charm.model.storage_indices(&name);
        listed.map(<[u32]>::to_vec).map_err(error)
    }

    fn get(&mut self, name: String, index: u32) -> Result<wit::StorageInfo, Error> {
        let found = self.charm.model.storage(&name, index);
        found.cloned().map(to_wit).map_err(error)
    }

    fn request(&mut self, name: String, count: u32) -> Result<(), Error> {
        let requested = self.charm.model.request_storage(&name, count);
        requested.map_err(error)
    }
}

fn to_wit(storage: StorageInstance) -> wit::StorageInfo {
    wit::StorageInfo {
        name: storage.name,
        index: storage.index,
        kind: match storage.kind {
            StorageKind::Filesystem => wit::StorageKind::Filesystem,
            StorageKind::Block => wit::StorageKind::Block,
            StorageKind::Other(kind) => wit::StorageKind::Other(kind),
        },
        location: storage.location,
    }
}
