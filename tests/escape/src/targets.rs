//! What a guest must not get hold of.

use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What no guest may ever say.
pub const SECRET: &str = "the crown jewels";
/// Files of the machine that a guest might leave.
const MARKS: [&str; 1] = ["/etc/cron.d/guest"];

/// A unit as Juju has it, with another one beside it; a directory outside of
/// both; and a port on which somebody listens.
pub struct Targets {
    dir: tempfile::TempDir,
    before: BTreeMap<PathBuf, Vec<u8>>,
    port: u16,
    was_reached: Arc<AtomicBool>,
}

impl Targets {
    pub fn new(built: &Path) -> anyhow::Result<Self> {
        // Not in `/tmp`, where a guest has its own.
        let dir = tempfile::tempdir_in("/var/tmp")?;
        let charm = dir.path().join("agents/unit-escape-0/charm");
        let other = dir.path().join("agents/unit-other-0/charm");
        let outside = dir.path().join("outside");
        for directory in [&charm, &other, &outside, &charm.join(".charmhost")] {
            std::fs::create_dir_all(directory)?;
        }
        for file in [
            outside.join("secret"),
            other.join("secret"),
            charm.join("../secret"),
            charm.join(".charmhost/secret"),
        ] {
            std::fs::write(file, SECRET)?;
        }
        for name in ["dispatch", "charm.cwasm"] {
            std::fs::copy(built.join(name), charm.join(name))?;
        }
        std::fs::write(
            charm.join("charmhost.toml"),
            "[limits]\nmemory-mib = 1024\n",
        )?;
        std::fs::write(
            charm.join("metadata.yaml"),
            "name: escape\ncontainers: {app: {}}\n",
        )?;
        std::fs::write(charm.join("actions.yaml"), "attempt: {}\n")?;
        symlink(outside.join("secret"), charm.join("link-absolute"))?;
        symlink("../../../outside/secret", charm.join("link-relative"))?;
        symlink("../../../outside", charm.join("link-directory"))?;
        legacy_hook(&charm)?;
        let was_reached = Arc::new(AtomicBool::new(false));
        let port = listen(&was_reached)?;
        let mut targets = Targets {
            dir,
            before: BTreeMap::new(),
            port,
            was_reached,
        };
        targets.before = targets.files()?;
        Ok(targets)
    }

    pub fn charm(&self) -> PathBuf {
        self.dir.path().join("agents/unit-escape-0/charm")
    }

    pub fn outside(&self) -> String {
        self.dir.path().join("outside").display().to_string()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that is not the guest's: not what lies over its charm, and
    /// not what the host itself keeps.
    fn files(&self) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        let work = self.charm().join(".charmhost/work");
        let mut left = vec![self.dir.path().to_path_buf()];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory)? {
                let path = entry?.path();
                let is_state = path.to_string_lossy().contains(".unit-state.db");
                if path == work || is_state {
                    continue;
                }
                let kind = std::fs::symlink_metadata(&path)?;
                if kind.is_dir() {
                    left.push(path.clone());
                    files.insert(path, Vec::new());
                } else if kind.is_file() {
                    let bytes = std::fs::read(&path)?;
                    files.insert(path, bytes);
                } else {
                    let target = std::fs::read_link(&path)?;
                    files.insert(path, target.to_string_lossy().into_owned().into_bytes());
                }
            }
        }
        Ok(files)
    }

    /// Signs that the guest was where it should not be.
    pub fn signs(&self) -> Vec<String> {
        let mut signs = Vec::new();
        match self.files() {
            Ok(after) => {
                let changed = |path: &&PathBuf| self.before.get(*path) != after.get(*path);
                let paths = self.before.keys().chain(after.keys());
                let mut paths: Vec<&PathBuf> = paths.filter(changed).collect();
                paths.dedup();
                signs.extend(
                    paths
                        .iter()
                        .map(|path| format!("{} has changed", path.display())),
                );
            }
            Err(error) => signs.push(format!("files are gone: {error}")),
        }
        for mark in MARKS {
            if std::fs::remove_file(mark).is_ok() {
                signs.push(format!("{mark} was made"));
            }
        }
        if self.was_reached.load(Ordering::SeqCst) {
            signs.push("the network was reached".to_owned());
        }
        signs
    }
}

/// A hook from before `dispatch`, which nobody has granted.
fn legacy_hook(charm: &Path) -> anyhow::Result<()> {
    let hooks = charm.join("hooks");
    std::fs::create_dir(&hooks)?;
    let script = "#!/bin/sh\ntouch ../../../outside/hook\n";
    for name in ["update-status", "start"] {
        let hook = hooks.join(name);
        std::fs::write(&hook, script)?;
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755))?;
    }
    let actions = charm.join("actions");
    std::fs::create_dir(&actions)?;
    let action = actions.join("attempt");
    std::fs::write(&action, script)?;
    std::fs::set_permissions(&action, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Listens over TCP and UDP, and notes when somebody comes.
fn listen(was_reached: &Arc<AtomicBool>) -> anyhow::Result<u16> {
    let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"))?;
    let port = listener.local_addr()?.port();
    let noted = was_reached.clone();
    std::thread::spawn(move || {
        if listener.accept().is_ok() {
            noted.store(true, Ordering::SeqCst);
        }
    });
    if let Ok(socket) = UdpSocket::bind(("0.0.0.0", port)) {
        let noted = was_reached.clone();
        std::thread::spawn(move || {
            if socket.recv(&mut [0; 64]).is_ok() {
                noted.store(true, Ordering::SeqCst);
            }
        });
    }
    Ok(port)
}
