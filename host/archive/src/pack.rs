//! Writes an archive (`archive §3`, `archive §7`).

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::entry::{Content, Entry, Mode, clash, invalid_name, lost_by_juju};
use crate::error::Error;

/// The type bits of a regular file in a Unix mode.
const REGULAR_FILE: u32 = 0o100_000;

/// Packs a charm into the file `path`, which is replaced atomically.
///
/// The same entries, in any order, produce the same bytes. Returns an error for
/// names that lead out of the charm, for files that Juju would lose, and without
/// `metadata.yaml` or an executable `dispatch`.
pub fn pack(path: &Path, entries: Vec<Entry>) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = || Error::io("write", path);
    let temporary = tempfile::Builder::new()
        // As for any new file, the umask applies.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(failed())?;
    let file = write(BufWriter::new(temporary), entries)?
        .into_inner()
        .map_err(|error| failed()(error.into_error()))?;
    file.as_file().sync_all().map_err(failed())?;
    let packed = file.persist(path).map_err(|error| failed()(error.error));
    packed.map(drop)
}

/// Packs a charm into a writer, and returns it; otherwise as [`pack`].
pub fn write<W: Write + Seek>(writer: W, mut entries: Vec<Entry>) -> Result<W, Error> {
    check(&entries)?;
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    let mut zip = ZipWriter::new(writer);
    for entry in entries {
        let rejected = |error: io::Error| Error::Member {
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
                    .map_err(|error| rejected(error.into()))?;
                zip.write_all(bytes).map_err(rejected)?;
            }
            Content::File(path) => {
                let mut file = File::open(path).map_err(Error::io("read", path))?;
                let length = file.metadata().map_err(Error::io("read", path))?.len();
                zip.start_file(&entry.name, options.large_file(needs_zip64(length)))
                    .map_err(|error| rejected(error.into()))?;
                io::copy(&mut file, &mut zip).map_err(rejected)?;
            }
        }
    }
    zip.finish().map_err(|error| Error::Member {
        name: "the archive's index".into(),
        reason: error.to_string(),
    })
}

/// Whether a file may need more than 32 bits for its size. Deflate makes data that
/// cannot be compressed a little larger.
fn needs_zip64(length: u64) -> bool {
    length >= 0xff00_0000
}

fn check(entries: &[Entry]) -> Result<(), Error> {
    let rejected = |name: &str, reason: &str| {
        Err(Error::Member {
            name: name.to_owned(),
            reason: reason.to_owned(),
        })
    };
    for Entry { name, .. } in entries {
        if let Some(reason) = invalid_name(name).or_else(|| lost_by_juju(name)) {
            return rejected(name, reason);
        }
    }
    if let Some((name, reason)) = clash(entries.iter().map(|entry| entry.name.as_str())) {
        return rejected(name, reason);
    }
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    if find("metadata.yaml").is_none() {
        return rejected(
            "metadata.yaml",
            "it is missing; Juju cannot read a charm without it",
        );
    }
    match find("dispatch").map(|entry| entry.mode) {
        Some(Mode::Executable) => Ok(()),
        Some(Mode::Data) => rejected("dispatch", "it must be executable: Juju runs it"),
        None => rejected("dispatch", "it is missing; it is the program Juju runs"),
    }
}
