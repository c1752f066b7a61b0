//! Writes an archive.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::entry::{Content, Entry, Mode, refuse_clash, refuse_lost, refuse_name};
use crate::error::Error;

/// The type bits of a plain file, as Unix has them in a mode.
const REGULAR_FILE: u32 = 0o100_000;

/// Packs a charm into the file `path`. Either the whole archive is there
/// afterwards or what was there before.
///
/// The same entries, in any order, give the same bytes. Refused are names that
/// lead out of the charm, files that Juju would lose, and a charm without
/// `metadata.yaml` or an executable `dispatch`.
pub fn pack(path: &Path, entries: Vec<Entry>) -> Result<(), Error> {
    let temporary = Temporary::beside(path);
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .open(&temporary.0)
        .map_err(Error::io("create", &temporary.0))?;
    let failed = || Error::io("write", path);
    let file = write(BufWriter::new(file), entries)?
        .into_inner()
        .map_err(|error| failed()(error.into_error()))?;
    file.sync_all().map_err(failed())?;
    fs::rename(&temporary.0, path).map_err(failed())
}

/// Packs a charm into a writer, and gives it back; otherwise as [`pack`].
pub fn write<W: Write + Seek>(writer: W, mut entries: Vec<Entry>) -> Result<W, Error> {
    check(&entries)?;
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    let mut zip = ZipWriter::new(writer);
    for entry in entries {
        let refused = |error: io::Error| Error::Member {
            name: entry.name.clone(),
            reason: error.to_string(),
        };
        let attributes = (REGULAR_FILE | entry.mode.bits()) << 16;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::DEFAULT)
            .system(System::Unix)
            .external_attributes(attributes);
        match &entry.content {
            Content::Bytes(bytes) => {
                let options = options.large_file(needs_zip64(bytes.len() as u64));
                zip.start_file(&entry.name, options)
                    .map_err(|error| refused(error.into()))?;
                zip.write_all(bytes).map_err(refused)?;
            }
            Content::File(path) => {
                let mut file = File::open(path).map_err(Error::io("read", path))?;
                let length = file.metadata().map_err(Error::io("read", path))?.len();
                zip.start_file(&entry.name, options.large_file(needs_zip64(length)))
                    .map_err(|error| refused(error.into()))?;
                io::copy(&mut file, &mut zip).map_err(refused)?;
            }
        }
    }
    zip.finish().map_err(|error| Error::Member {
        name: "the archive's index".into(),
        reason: error.to_string(),
    })
}

/// Deflate may make what cannot be compressed a little larger.
fn needs_zip64(length: u64) -> bool {
    length >= 0xff00_0000
}

fn check(entries: &[Entry]) -> Result<(), Error> {
    let refused = |name: &str, reason: &str| {
        Err(Error::Member {
            name: name.to_owned(),
            reason: reason.to_owned(),
        })
    };
    for Entry { name, .. } in entries {
        if let Some(reason) = refuse_name(name).or_else(|| refuse_lost(name)) {
            return refused(name, reason);
        }
    }
    if let Some((name, reason)) = refuse_clash(entries.iter().map(|entry| entry.name.as_str())) {
        return refused(name, reason);
    }
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    if find("metadata.yaml").is_none() {
        return refused(
            "metadata.yaml",
            "it is missing; Juju reads no charm without it",
        );
    }
    match find("dispatch").map(|entry| entry.mode) {
        Some(Mode::Executable) => Ok(()),
        Some(Mode::Data) => refused("dispatch", "it must be executable: Juju runs it"),
        None => refused("dispatch", "it is missing; it is the program Juju runs"),
    }
}

/// A file beside the archive, removed if it is still there when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Temporary(path.with_file_name(format!(".{name}.{}.tmp", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a successful rename there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}
