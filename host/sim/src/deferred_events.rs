//! Which events a charm has deferred.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use charmhost_store::{Notice, StateFile};
use rustix::fs::{Mode, OFlags};
use serde_json::{Map, Value};

/// The largest state that is looked at, in bytes.
const MAX_STATE: u64 = 256 << 20;

/// The names of the events that a charm has deferred, in their order: in its
/// file, or with Juju. A charm may store anything there.
pub fn deferred(charm: &Path, state: &Map<String, Value>) -> Vec<String> {
    let path = charm.join(charmhost_store::FILE_NAME);
    let stored = |key: &str| state.get(key).and_then(Value::as_str);
    let notices = match path.is_file() {
        true => in_file(&path, stored(charmhost_store::COMMIT_KEY)).unwrap_or_default(),
        false => {
            let text = stored(charmhost_store::controller::NOTICES_KEY).unwrap_or_default();
            charmhost_store::controller::parse_notices(text).unwrap_or_default()
        }
    };
    let names = notices
        .iter()
        .filter_map(|notice| Some(notice.event()?.1.to_owned()));
    names.collect()
}

/// The notices in a file, as the next dispatch will find them. They are read
/// from a copy: opening the file itself would lock, create and change what is
/// the charm's, and wait for a process of the charm that still has it.
fn in_file(path: &Path, committed: Option<&str>) -> Option<Vec<Notice>> {
    let dir = tempfile::tempdir().ok()?;
    let copied = dir.path().join(charmhost_store::FILE_NAME);
    copy(path, &copied)?;
    let with_journal = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-journal");
        name
    };
    // Of a dispatch that was killed; most have none.
    let _ = copy(with_journal(path).as_ref(), with_journal(&copied).as_ref());
    let store = StateFile::open(&copied, charmhost_store::DEFAULT_LIMIT).ok()?;
    if let Some(number) = store.prepared().ok()? {
        match committed == Some(number.to_string().as_str()) {
            true => store.commit_prepared().ok()?,
            false => store.rollback_prepared().ok()?,
        }
    }
    store.notices().ok()
}

/// Copies a regular file of the charm's; a link could lead anywhere.
fn copy(from: &Path, to: &Path) -> Option<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(from, flags, Mode::empty()).ok()?);
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > MAX_STATE {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_STATE).read_to_end(&mut bytes).ok()?;
    File::create_new(to)
        .and_then(|mut copy| copy.write_all(&bytes))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, Instant};

    use super::*;

    /// A charm's directory with one deferred event.
    fn charm() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let store = StateFile::open(&dir.path().join(charmhost_store::FILE_NAME), 1 << 20).unwrap();
        let notice = Notice {
            event_path: "Hello/on/start[1]".to_owned(),
            observer_path: "Hello".to_owned(),
            method: "on_start".to_owned(),
        };
        let mut changes = charmhost_store::Changes::default();
        changes.add_notice(notice);
        store.apply(&changes).unwrap();
        store.commit().unwrap();
        dir
    }

    #[test]
    fn looking_waits_for_nobody_and_changes_nothing() {
        let dir = charm();
        let path = dir.path().join(charmhost_store::FILE_NAME);
        let mode = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&path, mode).unwrap();
        let locked = charmhost_store::StateFile::open(&path, 1 << 20).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let started = Instant::now();
        assert_eq!(deferred(dir.path(), &Map::new()), ["start"]);
        assert!(started.elapsed() < Duration::from_secs(8));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        drop(locked);
    }

    #[test]
    fn a_link_in_place_of_the_state_is_not_followed() {
        let (dir, other) = (charm(), charm());
        let path = dir.path().join(charmhost_store::FILE_NAME);
        std::fs::remove_file(&path).unwrap();
        let target = other.path().join(charmhost_store::FILE_NAME);
        std::os::unix::fs::symlink(target, &path).unwrap();
        assert!(deferred(dir.path(), &Map::new()).is_empty());
    }
}
