//! What a world without the machine's root takes over: directories whose owner
//! does not exist in it, so that its root may change what is in them.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::XattrFlags;

use crate::machine::Mounts;

/// How far below the directories of `/`: `/var/lib/mysql`.
const LEVELS: u32 = 2;
/// Whom the kernel shows in place of one who does not exist in the world.
const NOBODY: u32 = 65534;
/// Configuration is written in place; larger files are none.
const MAX_FILE: u64 = 256 * 1024;

/// Makes directories over those of the machine in what will hide them, and
/// files too in `/etc`. What cannot be taken over stays as it is, read-only.
pub fn adopt(path: &Path, upper: &Path, machine: &Mounts) {
    if path.starts_with("/etc") {
        below(path, upper, machine, u32::MAX);
    } else {
        below(path, upper, machine, LEVELS);
    }
}

fn below(path: &Path, upper: &Path, machine: &Mounts, levels: u32) {
    let Some(levels) = levels.checked_sub(1) else {
        return;
    };
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let (path, upper) = (entry.path(), upper.join(entry.file_name()));
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        // In the world, root is the user who starts it. The overlay cannot
        // change what has an owner or a group that the world does not have.
        let foreign = metadata.uid() != 0 || metadata.gid() == NOBODY;
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
    // It has the default mode otherwise, which serves as well.
    let _ = fs::set_permissions(upper, mode);
    if fs::read_dir(path).is_ok() {
        below(path, upper, machine, levels);
    } else {
        // The overlay may not read it either: the world sees an empty one.
        let _ = rustix::fs::setxattr(upper, "user.overlay.opaque", b"y", XattrFlags::empty());
    }
}

/// Copies a file. One that this user may not read is empty in the world, where
/// root expects to write it: `/etc/shadow`.
fn file(path: &Path, upper: &Path, metadata: &Metadata) {
    if metadata.len() > MAX_FILE {
        return;
    }
    let bytes = fs::read(path).unwrap_or_default();
    let mode = fs::Permissions::from_mode(metadata.mode() & 0o7777);
    let copied = fs::write(upper, bytes).and_then(|()| fs::set_permissions(upper, mode));
    if copied.is_err() {
        // Half a file would hide the machine's.
        let _ = fs::remove_file(upper);
    }
}
