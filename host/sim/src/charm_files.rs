//! Reading the YAML files of a charm, and copying its directory.

use std::io::ErrorKind;
use std::path::Path;

use charmhost_sim_model::{Actions, Config};
use serde_json::{Map, Value};

use crate::Error;

/// A YAML map, empty if the document is, or none if there is no file.
pub fn read_map(path: &Path) -> Result<Option<Map<String, Value>>, Error> {
    let fail = |detail: String| {
        Err(Error::File {
            path: path.to_path_buf(),
            detail,
        })
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return fail(error.to_string()),
    };
    match charmhost_yaml::parse(&text) {
        Ok(Value::Object(map)) => Ok(Some(map)),
        Ok(Value::Null) => Ok(Some(Map::new())),
        Ok(_) => fail("it is not a map".to_owned()),
        Err(error) => fail(error.to_string()),
    }
}

/// The configuration options of a charm; without `config.yaml` it has none.
pub fn read_config(charm: &Path) -> Result<Config, Error> {
    let path = charm.join("config.yaml");
    match read_map(&path)? {
        None => Ok(Config::default()),
        Some(document) => Config::new(&document).map_err(|detail| Error::File { path, detail }),
    }
}

/// The actions of a charm; without `actions.yaml` it has none.
pub fn read_actions(charm: &Path) -> Result<Actions, Error> {
    let definitions = read_map(&charm.join("actions.yaml"))?;
    Ok(Actions::new(definitions.unwrap_or_default()))
}

/// Copies a directory with its modes; symbolic links stay links. Sockets and
/// devices are no part of a charm and are left out.
pub fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(to).map_err(|source| Error::io("make", to, source))?;
    let entries = std::fs::read_dir(from).map_err(|source| Error::io("read", from, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| Error::io("read", from, source))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry
            .file_type()
            .map_err(|error| Error::io("read", &source, error))?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            let copied = std::fs::read_link(&source)
                .and_then(|link| std::os::unix::fs::symlink(link, &target));
            copied.map_err(|error| Error::io("copy", &source, error))?;
        } else if kind.is_file() {
            std::fs::copy(&source, &target).map_err(|error| Error::io("copy", &source, error))?;
        }
    }
    Ok(())
}
