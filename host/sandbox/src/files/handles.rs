//! Open files and directories of a guest.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::{FsError, FsResult};

use super::roots::FileId;
use super::walk::{Node, moved};

/// An open file.
#[derive(Debug, Clone)]
pub(super) struct OpenFile {
    pub file: Arc<File>,
    pub id: FileId,
    pub reads: bool,
    pub writes: bool,
}

/// An open directory, with its path in the guest's tree.
#[derive(Debug, Clone)]
pub(super) struct OpenDirectory {
    pub path: String,
    pub node: Node,
}

#[derive(Debug, Clone)]
pub(super) enum Open {
    File(OpenFile),
    Directory(OpenDirectory),
}

/// Represents an open file or directory in the table of resources, so that all
/// handles of a guest count together.
struct HandleSlot;

/// Open files and directories, by the number of the handle.
#[derive(Debug, Default)]
pub(super) struct Handles {
    open: HashMap<u32, Open>,
    /// Number of handles of each open file.
    files: HashMap<FileId, u32>,
}

impl Handles {
    pub fn add(&mut self, table: &mut ResourceTable, open: Open) -> FsResult<Resource<Descriptor>> {
        let slot = table.push(HandleSlot).map_err(FsError::trap)?;
        if let Open::File(file) = &open {
            *self.files.entry(file.id).or_default() += 1;
        }
        self.open.insert(slot.rep(), open);
        Ok(Resource::new_own(slot.rep()))
    }

    pub fn remove(
        &mut self,
        table: &mut ResourceTable,
        handle: &Resource<Descriptor>,
    ) -> wasmtime::Result<()> {
        table.delete(Resource::<HandleSlot>::new_own(handle.rep()))?;
        if let Some(Open::File(file)) = self.open.remove(&handle.rep())
            && let Some(count) = self.files.get_mut(&file.id)
        {
            *count -= 1;
            if *count == 0 {
                self.files.remove(&file.id);
            }
        }
        Ok(())
    }

    pub fn get(&self, handle: &Resource<Descriptor>) -> Result<&Open, ErrorCode> {
        self.open.get(&handle.rep()).ok_or(ErrorCode::BadDescriptor)
    }

    pub fn file(&self, handle: &Resource<Descriptor>) -> Result<&OpenFile, ErrorCode> {
        match self.get(handle)? {
            Open::File(file) => Ok(file),
            Open::Directory(_) => Err(ErrorCode::BadDescriptor),
        }
    }

    pub fn directory(&self, handle: &Resource<Descriptor>) -> Result<&OpenDirectory, ErrorCode> {
        match self.get(handle)? {
            Open::Directory(directory) => Ok(directory),
            Open::File(_) => Err(ErrorCode::NotDirectory),
        }
    }

    /// Whether a file is open: then it uses disk space after it is removed.
    pub fn has_file(&self, id: FileId) -> bool {
        self.files.contains_key(&id)
    }

    /// Updates the paths of open directories after a rename.
    pub fn rename(&mut self, from: &str, to: &str) {
        for open in self.open.values_mut() {
            if let Open::Directory(directory) = open
                && let Some(path) = moved(&directory.path, from, to)
            {
                directory.path = path;
            }
        }
    }
}
