//! The storage instances of this unit (`storage-list`, `storage-get`,
//! `storage-add`; ops §16.2).
//!
//! Cache (ops §9): the instances of a storage are listed once per dispatch, and
//! each is looked up once; a call that failed is repeated by the next one (ops
//! caches an empty list, a defect). A request takes effect when the hook
//! succeeds, so nothing that is cached becomes wrong.

use std::collections::BTreeMap;

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;

/// What a storage instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageKind {
    /// A mounted file system.
    Filesystem,
    /// A block device.
    Block,
    /// A kind of a newer Juju.
    Other(String),
}

/// An attached storage instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageInstance {
    /// The storage's name in the metadata.
    pub name: String,
    /// The instance's index: the 0 of `data/0`.
    pub index: u32,
    /// What it is.
    pub kind: StorageKind,
    /// The path of the mount point or of the device.
    pub location: String,
}

/// The instances that were listed, and those that were looked up.
#[derive(Debug, Default)]
pub(super) struct StorageCache {
    listed: BTreeMap<String, Vec<u32>>,
    instances: BTreeMap<(String, u32), StorageInstance>,
}

impl Model {
    /// Returns the indices of a storage's instances, in ascending order.
    ///
    /// # Errors
    ///
    /// [`ToolError::NotFound`] if the charm has no such storage.
    pub fn storage_indices(&mut self, name: &str) -> Result<&[u32], ToolError> {
        self.check_storage("storage-list", name)?;
        let indices = match self.storage.listed.remove(name) {
            Some(indices) => indices,
            None => self.list_storage(name)?,
        };
        let listed = &mut self.storage.listed;
        Ok(listed.entry(name.to_owned()).or_insert(indices))
    }

    fn list_storage(&mut self, name: &str) -> Result<Vec<u32>, ToolError> {
        const TOOL: &str = "storage-list";
        let listed = self.call_json(TOOL, &["--format=json", name])?;
        let ids = match &listed {
            Value::Null => return Ok(Vec::new()),
            Value::Array(ids) => ids,
            other => return Err(unexpected(TOOL, "a list", other)),
        };
        let index = |id: &Value| {
            let (_, index) = id.as_str()?.rsplit_once('/')?;
            index.parse().ok()
        };
        let indices = ids
            .iter()
            .map(|id| index(id).ok_or_else(|| unexpected(TOOL, "a storage ID", id)));
        let mut indices: Vec<u32> = indices.collect::<Result<_, _>>()?;
        indices.sort_unstable();
        Ok(indices)
    }

    /// Returns a storage instance.
    ///
    /// # Errors
    ///
    /// [`ToolError::NotFound`] if the charm has no such storage, or the unit no
    /// such instance.
    pub fn storage(&mut self, name: &str, index: u32) -> Result<&StorageInstance, ToolError> {
        self.check_storage("storage-get", name)?;
        let key = (name.to_owned(), index);
        let instance = match self.storage.instances.remove(&key) {
            Some(instance) => instance,
            None => self.read_storage(name, index)?,
        };
        Ok(self.storage.instances.entry(key).or_insert(instance))
    }

    fn read_storage(&mut self, name: &str, index: u32) -> Result<StorageInstance, ToolError> {
        let id = format!("{name}/{index}");
        let found = self.call_json("storage-get", &["--format=json", "-s", &id]);
        let found = found.map_err(not_found)?;
        let text = |key: &str| found.get(key).and_then(Value::as_str);
        let (Some(kind), Some(location)) = (text("kind"), text("location")) else {
            let wanted = "a map with kind and location";
            return Err(unexpected("storage-get", wanted, &found));
        };
        Ok(StorageInstance {
            name: name.to_owned(),
            index,
            kind: match kind {
                "filesystem" => StorageKind::Filesystem,
                "block" => StorageKind::Block,
                other => StorageKind::Other(other.to_owned()),
            },
            location: location.to_owned(),
        })
    }

    /// Requests more instances of a storage, which are attached some time after
    /// the hook has succeeded.
    ///
    /// # Errors
    ///
    /// [`ToolError::NotFound`] if the charm has no such storage;
    /// [`ToolError::InvalidInput`] for a count of 0.
    pub fn request_storage(&mut self, name: &str, count: u32) -> Result<(), ToolError> {
        self.check_storage("storage-add", name)?;
        let request = format!("{name}={count}");
        self.call("storage-add", &[&request]).map(drop)
    }

    /// Returns the locations of the unit's storage instances, as far as Juju
    /// has them. Nothing of it is cached: the guest's files need it once.
    pub fn storage_locations(&mut self) -> Result<Vec<String>, ToolError> {
        let listed = self.call_json("storage-list", &["--format=json"])?;
        let ids = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut locations = Vec::new();
        for id in ids.iter().filter_map(Value::as_str) {
            // An instance that is not attached yet has no location.
            let found = self.call_json("storage-get", &["--format=json", "-s", id]);
            let location = found.ok().and_then(|found| {
                let location = found.get("location")?.as_str()?;
                Some(location.to_owned())
            });
            locations.extend(location);
        }
        Ok(locations)
    }

    /// Rejects a storage that the metadata does not have (ops §16.2).
    fn check_storage(&self, tool: &str, name: &str) -> Result<(), ToolError> {
        let storage = &self.metadata.storage;
        if storage.contains_key(name) {
            return Ok(());
        }
        let names = storage.keys().map(String::as_str);
        Err(ToolError::undeclared(tool, "storage", name, names))
    }
}

/// Juju reports an instance that the unit does not have as a wrong value of a
/// flag (juju §3.1).
fn not_found(error: ToolError) -> ToolError {
    match error {
        ToolError::InvalidInput { tool, text } if text.ends_with("storage not found") => {
            ToolError::NotFound { tool, text }
        }
        other => other,
    }
}
