//! Settings files, which are TOML documents.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The largest document, in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {detail}", path = path.display())]
pub struct SettingsError {
    path: PathBuf,
    detail: String,
}

impl SettingsError {
    /// Creates the error of a file with its cause.
    pub fn new(path: &Path, detail: impl Into<String>) -> Self {
        SettingsError {
            path: path.to_path_buf(),
            detail: detail.into(),
        }
    }
}

/// Reads a document; none if there is no file. Anything but a regular file is an
/// error, also a pipe, without waiting for it.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, SettingsError> {
    let failed = |error: std::io::Error| SettingsError::new(path, error.to_string());
    let opened = File::options()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SettingsError::new(path, "it is not a regular file"));
    }
    let mut text = String::new();
    let read = file.take(MAX_SIZE + 1).read_to_string(&mut text);
    if read.map_err(failed)? as u64 > MAX_SIZE {
        return Err(SettingsError::new(path, "it is larger than 1 MiB"));
    }
    parse(path, &text).map(Some)
}

/// Parses the text of a document, whose path is part of errors.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, SettingsError> {
    toml::from_str(text)
        .map_err(|error| SettingsError::new(path, error.to_string().trim_end().to_owned()))
}
