//! Copies directories up into the upper directory of an overlay where their owner
//! does not exist inside, so that root inside may change their content.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::XattrFlags;

use crate::host_mounts::Mounts;

/// Depth below the directories of `/`, for example `/var/lib/mysql`.
const LEVELS: u32 = 2;
/// The id that the kernel reports for an owner that is not mapped.
const OVERFLOW_ID: u32 = 65534;
/// Limit of copied files in bytes: larger ones are not configuration.
const MAX_FILE: u64 = 256 * 1024;

/// Copies directories up, and in `/etc` files too. Whatever cannot be copied
/// stays read-only.
pub fn copy_up(path: &Path, upper: &Path, machine: &Mounts) {
    if path.starts_with("/etc") {
        copy_up_below(path, upper, machine, u32::MAX);
    } else {
        copy_up_below(path, upper, machine, LEVELS);
    }
}

fn copy_up_below(path: &Path, upper: &Path, machine: &Mounts, levels: u32) {
    let Some(levels) = levels.checked_sub(1) else {
        return;
    };
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let (path, upper) = (entry.path(), upper.join(entry.file_name()));
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        // Root inside is the user who runs `sim`. The overlay cannot change
        // files whose owner or group is not mapped.
        let foreign = metadata.uid() != 0 || metadata.gid() == OVERFLOW_ID;
        let foreign = foreign && !machine.has(&path);
        let search = foreign || path.starts_with("/etc") && !machine.has(&path);
        if search && metadata.is_dir() {
            directory(&path, &upper, &metadata, machine, levels);
        } else if foreign && metadata.is_file() && path.starts_with("/etc") {
            file(&path, &upper, &metadata);
        }
    }
}

fn directory(path: &Path, upper: &Path, metadata: &Metadata, machine: &Mounts, levels: u32) {
    if fs::create_dir(upper).is_err() {
        return;
    }
    let mode = fs::Permissions::from_mode(metadata.mode() & 0o7777);
    // The default mode serves as well.
    let _ = fs::set_permissions(upper, mode);
    if fs::read_dir(path).is_ok() {
        copy_up_below(path, upper, machine, levels);
    } else {
        // The overlay may not read it either: it is empty inside.
        let _ = rustix::fs::setxattr(upper, "user.overlay.opaque", b"y", XattrFlags::empty());
    }
}

/// Copies a file. One that this user may not read, for example `/etc/shadow`, is
/// empty inside, where root expects to write it.
fn file(path: &Path, upper: &Path, metadata: &Metadata) {
    if metadata.len() > MAX_FILE {
        return;
    }
    let bytes = fs::read(path).unwrap_or_default();
    let mode = fs::Permissions::from_mode(metadata.mode() & 0o7777);
    let copied = fs::write(upper, bytes).and_then(|()| fs::set_permissions(upper, mode));
    if copied.is_err() {
        // A partial file would hide the machine's.
        let _ = fs::remove_file(upper);
    }
}
