//! The files of a guest.
//!
//! A guest has one tree, `/`, made of roots: the charm's directory, at its path on
//! the machine; a private `/tmp`; and granted directories, resources and storage,
//! each at its own path. A path outside of all roots is resolved in the charm's
//! directory, which thereby is the working directory of programs that assume `/`.
//!
//! Roots are opened once, without following a link. Every path is walked from
//! them (`walk`), and system calls get a directory and one name in it (`ops`). In
//! the charm's directory a guest writes as a native charm does, except for
//! protected files (`protected`).

mod errors;
mod handles;
mod listing;
mod ops;
mod protected;
mod read;
mod roots;
mod scratch;
mod streams;
mod walk;
mod wasi;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use charmhost_error_chain::ErrorChain;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::denials::DenialLog;
use crate::disk::DiskQuota;
use crate::memory::HostMemory;
use handles::{Handles, OpenDirectory};
use listing::Listings;
use protected::Zone;
pub use read::{FileContent, ReadError};
use roots::{CHARM, Roots};
pub use roots::{RootError, system_part};
use walk::{Last, Located, Walk, WalkError};

/// The host's directory in the charm's directory.
pub(crate) const HOST_DIR: &str = ".charmhost";

/// Roots whose paths are determined when a guest first needs them, because that
/// takes a call to Juju.
pub trait LateRoots: Send {
    /// The directories, which a guest may write. Called at most once in a
    /// session.
    fn locations(&mut self) -> Vec<PathBuf>;
}

/// The files of a guest.
pub struct Files {
    roots: Roots,
    handles: Handles,
    listings: Listings,
    quota: DiskQuota,
    memory: HostMemory,
    denials: DenialLog,
    scratch: Option<Arc<OwnedFd>>,
    asked_late: bool,
}

/// The context of a guest's operations on files.
pub struct FilesView<'a> {
    /// The files.
    pub files: &'a mut Files,
    /// The guest's handles.
    pub table: &'a mut ResourceTable,
    /// Roots whose paths are not determined yet.
    pub late: &'a mut dyn LateRoots,
}

/// The marker of [`FilesView`] for a linker.
pub struct FilesAccess;

impl HasData for FilesAccess {
    type Data<'a> = FilesView<'a>;
}

/// The kind of access to a path, for the log line of its denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Why a path of the guest is not resolved.
enum Refused {
    Code(ErrorCode),
    /// This path leads to a hidden entry of the charm's directory.
    Hidden(String),
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Refused::Code(code)
    }
}

impl Files {
    /// Creates the files of a charm: its directory and a private `/tmp`.
    pub fn new(
        charm_dir: &Path,
        quota: DiskQuota,
        memory: HostMemory,
        denials: DenialLog,
    ) -> Result<Self, RootError> {
        let mut roots = Roots::new(charm_dir)?;
        roots.defer(scratch::PATH);
        Ok(Files {
            roots,
            handles: Handles::default(),
            listings: Listings::default(),
            quota,
            memory,
            denials,
            scratch: None,
            asked_late: false,
        })
    }

    /// Adds a file or a directory that may be read.
    pub fn add_readable(&mut self, path: &Path) -> Result<(), RootError> {
        self.roots.add(path, Zone::ReadOnly)
    }

    /// Adds a directory that may be read and written.
    pub fn add_writable(&mut self, path: &Path) -> Result<(), RootError> {
        self.roots.add(path, Zone::Writable)
    }

    /// Every root with whether it is writable and whether it is a directory.
    pub fn opened(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool, bool)> {
        use std::os::fd::AsFd;
        self.roots.iter().map(|root| {
            let writable = root.zone == Zone::Writable;
            (root.fd.as_fd(), writable, root.is_directory)
        })
    }

    /// Denied operations of the guest.
    pub fn denials(&self) -> &DenialLog {
        &self.denials
    }

    /// Removes the private `/tmp`.
    pub fn remove_scratch(&mut self) {
        let Some(charm) = self.roots.get(CHARM) else {
            return;
        };
        if let Some(scratch) = self.scratch.take() {
            // If that fails, it is emptied before it is used again.
            let _ = scratch::remove(&charm.fd, &scratch);
        }
    }

    /// Creates `/tmp`, which the guest now uses.
    fn open_scratch(&mut self) -> Result<(), ErrorCode> {
        self.roots.defer("");
        let charm = self.roots.get(CHARM).ok_or(ErrorCode::NoEntry)?;
        let opened = scratch::open(&charm.fd).map_err(|errno| {
            let line = format!(
                "Cannot make the charm's private /tmp in its directory .charmhost: {errno}. Is that a directory which the unit's user may write?"
            );
            self.denials.note(&line);
            errors::code(errno)
        })?;
        let opened = Arc::new(opened);
        self.scratch = Some(opened.clone());
        self.roots.insert(roots::Root {
            path: scratch::PATH.to_owned(),
            device: rustix::fs::fstat(&opened).map_or(0, |stat| roots::id_of(&stat).0),
            fd: opened,
            is_directory: true,
            zone: Zone::Writable,
        });
        Ok(())
    }

    /// Logs the denial of access to a hidden entry of the charm's directory.
    fn denied_hidden(&self, path: &str) {
        let charm = self.roots.get(CHARM).map_or("", |root| root.path.as_str());
        let name = path.strip_prefix(charm).unwrap_or(path);
        let name = name.trim_start_matches('/');
        let why = protected::why_hidden(name);
        self.denials.add(&format!("using {path}: {why}"), None);
    }

    /// Logs a denied operation with the grant that would allow it, if there is
    /// one.
    fn denied(&self, path: &str, access: Access, error: &ErrorCode) {
        let root = self.roots.holding(path);
        let is_denial = match error {
            ErrorCode::NotPermitted | ErrorCode::ReadOnly => true,
            ErrorCode::NoEntry => root.is_none(),
            _ => false,
        };
        if !is_denial
            || root.is_some_and(|(index, root)| index != CHARM && root.zone == Zone::Writable)
        {
            return;
        }
        let on_machine = Path::new(path);
        let charm = self.roots.get(CHARM).map_or("", |root| root.path.as_str());
        let inside = path
            .strip_prefix(charm)
            .filter(|_| root.is_some_and(|(index, _)| index == CHARM));
        let first = inside.unwrap_or(path).trim_start_matches('/');
        let first = first.split('/').next().unwrap_or_default();
        if matches!(error, ErrorCode::NotPermitted)
            && (inside.is_some() || root.is_none())
            && protected::is_protected(first)
        {
            let operation = format!("changing {path} of the charm");
            return self.denials.add(&operation, None);
        }
        let operation = match access {
            Access::Read => format!("reading {path}"),
            Access::Write => format!("writing {path}"),
        };
        if system_part(on_machine).is_some() {
            if on_machine.exists() {
                self.denials.add(&operation, None);
            }
            return;
        }
        // Only the log reveals what is on the machine, not the error.
        match access {
            Access::Read if on_machine.exists() => {
                let grant = format!("read = [{on_machine:?}]");
                self.denials.add(&operation, Some(&grant));
            }
            Access::Write => {
                let directory = on_machine.parent().unwrap_or(on_machine);
                if directory.exists() {
                    let grant = format!("write = [{directory:?}]");
                    self.denials.add(&operation, Some(&grant));
                }
            }
            Access::Read => {}
        }
    }
}

impl FilesView<'_> {
    /// Resolves a path from an open directory of the guest.
    fn locate(
        &mut self,
        handle: &Resource<Descriptor>,
        path: &str,
        last: Last,
        access: Access,
    ) -> Result<Located, ErrorCode> {
        let from = self.files.handles.directory(handle)?.clone();
        self.locate_from(&from, path, last, access)
    }

    fn locate_from(
        &mut self,
        from: &OpenDirectory,
        path: &str,
        last: Last,
        access: Access,
    ) -> Result<Located, ErrorCode> {
        self.walk(from, path, last).map_err(|error| match error {
            Refused::Hidden(hidden) => {
                self.files.denied_hidden(&hidden);
                ErrorCode::NotPermitted
            }
            Refused::Code(error) => {
                let full = lexical(&from.path, path);
                self.files.denied(&full, access, &error);
                error
            }
        })
    }

    fn walk(&mut self, from: &OpenDirectory, path: &str, last: Last) -> Result<Located, Refused> {
        loop {
            let from = (from.path.as_str(), &from.node);
            let found = Walk::resolve(&self.files.roots, from, path, last);
            let found = match found {
                Err(WalkError::Deferred) => {
                    self.files.open_scratch()?;
                    continue;
                }
                Err(WalkError::Code(error)) => Err(Refused::Code(error)),
                Err(WalkError::Hidden(path)) => Err(Refused::Hidden(path)),
                Ok(located) => Ok(located),
            };
            // Storage can be anywhere, also beneath `/tmp` and what is granted.
            let may_be_late = match &found {
                Ok(located) => !self.files.roots.is_in_charm(&located.path),
                Err(refused) => matches!(refused, Refused::Code(ErrorCode::NoEntry)),
            };
            if !may_be_late || !self.ask_late() {
                return found;
            }
        }
    }

    /// Determines the paths of late roots. Returns whether there are any.
    fn ask_late(&mut self) -> bool {
        if std::mem::replace(&mut self.files.asked_late, true) {
            return false;
        }
        let locations = self.late.locations();
        for location in &locations {
            if let Err(error) = self.files.roots.add_named(location) {
                let (location, reason) = (location.display(), error.chain());
                let line = format!("Cannot give the charm access to {location}: {reason}.");
                self.files.denials.note(&line);
            }
        }
        !locations.is_empty()
    }

    /// Logs why an operation was denied; returns the error.
    fn explain(&self, path: &str, access: Access, error: ErrorCode) -> ErrorCode {
        self.files.denied(path, access, &error);
        error
    }
}

/// A path without dots, for messages.
fn lexical(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = match path.starts_with('/') {
        true => Vec::new(),
        false => from.split('/').collect(),
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.retain(|part| !part.is_empty());
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use wasmtime_wasi::p2::bindings::filesystem::preopens::Host;

    use super::*;

    struct NoRoots;

    impl LateRoots for NoRoots {
        fn locations(&mut self) -> Vec<PathBuf> {
            Vec::new()
        }
    }

    /// Files of a charm's directory below a base directory.
    fn files(base: &Path, memory: HostMemory) -> Files {
        let denials = DenialLog::default();
        let quota = DiskQuota::new(1 << 20, denials.clone());
        Files::new(&base.join("charm"), quota, memory, denials).unwrap()
    }

    #[test]
    fn the_host_reads_what_the_guest_can_read_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for name in ["charm/src", "grant", "outside"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        for name in [
            "charm/src/a",
            "grant/b",
            "file",
            "outside/secret",
            "charm/.unit-state.db",
        ] {
            std::fs::write(base.join(name), name).unwrap();
        }
        symlink("src/a", base.join("charm/link")).unwrap();
        symlink(base.join("grant/b"), base.join("charm/granted")).unwrap();
        symlink(base.join("outside/secret"), base.join("charm/out")).unwrap();
        symlink(".unit-state.db", base.join("charm/state")).unwrap();
        let memory = HostMemory::new(1000);
        let mut files = files(&base, memory.clone());
        files.add_readable(&base.join("grant")).unwrap();
        files.add_readable(&base.join("file")).unwrap();
        let mut view = FilesView {
            files: &mut files,
            table: &mut ResourceTable::new(),
            late: &mut NoRoots,
        };
        // The guest's `/tmp` is its own.
        view.files.open_scratch().unwrap();
        std::fs::write(base.join("charm/.charmhost/scratch/t"), "temporary").unwrap();
        for (path, wanted) in [
            ("src/a", Ok("charm/src/a")),
            ("./src/../link", Ok("charm/src/a")),
            ("/src/a", Ok("charm/src/a")),
            ("BASE/charm/src/a", Ok("charm/src/a")),
            ("BASE/grant/b", Ok("grant/b")),
            ("granted", Ok("grant/b")),
            ("BASE/file", Ok("file")),
            ("BASE/file", Ok("file")),
            ("/tmp/t", Ok("temporary")),
            ("src", Err("it is a directory")),
            ("src/none", Err("no such file")),
            ("src/a/b", Err("not-directory")),
            ("", Err("no such file")),
            ("BASE/outside/secret", Err("no such file")),
            ("out", Err("no such file")),
            ("../outside/secret", Err("no such file")),
            ("/etc/passwd", Err("no such file")),
            ("/proc/self/environ", Err("no such file")),
            ("state", Err("the sandbox denies it")),
            (".charmhost/scratch/t", Err("the sandbox denies it")),
        ] {
            let read = view.read(&path.replace("BASE", base.to_str().unwrap()));
            match (read, wanted) {
                (Ok(content), Ok(wanted)) => assert_eq!(content.bytes, wanted.as_bytes()),
                (Err(ReadError::Unreadable { reason, .. }), Err(wanted)) => {
                    assert_eq!(reason, wanted, "{path}");
                }
                (other, wanted) => panic!("{path}: {other:?}, not {wanted:?}"),
            }
        }
        let denied = view.files.denials.take();
        assert!(
            denied
                .iter()
                .any(|line| line.contains("reading /etc/passwd")),
            "{denied:?}"
        );
        std::fs::write(base.join("charm/large"), [b'x'; 600]).unwrap();
        let held = view.read("large").unwrap();
        assert!(matches!(
            view.read("large"),
            Err(ReadError::TooLarge { .. })
        ));
        drop(held);
        assert_eq!(view.read("large").unwrap().bytes.len(), 600);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn whichever_way_leads_to_the_state_its_denial_names_the_interface() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let charm = base.join("charm");
        for name in ["charm/src/deep", "charm/.charmhost", "grant"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        std::fs::write(charm.join(".unit-state.db"), "").unwrap();
        symlink(".unit-state.db", charm.join("link")).unwrap();
        symlink("../../link", charm.join("src/deep/far")).unwrap();
        symlink(charm.join(".unit-state.db"), base.join("grant/link")).unwrap();
        let mut files = files(&base, HostMemory::new(1 << 20));
        files.add_writable(&base.join("grant")).unwrap();
        let mut view = FilesView {
            files: &mut files,
            table: &mut ResourceTable::new(),
            late: &mut NoRoots,
        };
        let (top, _) = view.get_directories().unwrap().remove(0);
        let state = "the unit's state through its interface only (charmhost:store/store)";
        let own = "the host's own files are not accessible to a charm";
        for (path, hidden, why) in [
            ("BASE/charm/.unit-state.db", "/.unit-state.db", state),
            (".unit-state.db", ".unit-state.db", state),
            (".unit-state.db-journal", ".unit-state.db-journal", state),
            ("src/../.unit-state.db-wal", ".unit-state.db-wal", state),
            ("src/deep/../../.unit-state.db", ".unit-state.db", state),
            ("link", ".unit-state.db", state),
            ("src/deep/far", ".unit-state.db", state),
            ("BASE/grant/link", "/charm/.unit-state.db", state),
            (".charmhost/x", ".charmhost", own),
        ] {
            for access in [Access::Read, Access::Write] {
                // Each is logged once in a session.
                view.files.denials = DenialLog::default();
                let path = path.replace("BASE", base.to_str().unwrap());
                let located = view.locate(&top, &path, Last::Follow, access);
                assert_eq!(located.unwrap_err(), ErrorCode::NotPermitted, "{path}");
                let lines = view.files.denials.take();
                let [line] = lines.as_slice() else {
                    panic!("{path}: {lines:?}");
                };
                assert!(line.contains(&format!("{hidden}: ")), "{path}: {line}");
                assert!(line.contains(why), "{path}: {line}");
                assert!(line.ends_with("; this cannot be granted."), "{line}");
            }
        }
        // The link itself is the guest's.
        assert!(
            view.locate(&top, "link", Last::Entry, Access::Write)
                .is_ok()
        );
    }
}
