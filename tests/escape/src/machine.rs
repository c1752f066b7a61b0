//! The machine on which the guest runs: its charm, another unit, granted files, and
//! files outside of all of them.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::setups::{CHARM, Setup};
use crate::snapshot::{self, Entry};

/// Content that no guest may ever log.
pub const SECRET: &str = "the crown jewels";

/// Protected paths in the charm's directory.
const PROTECTED: &[&str] = &[
    "dispatch",
    "charm.cwasm",
    "charmhost.toml",
    "metadata.yaml",
    "charmcraft.yaml",
    "config.yaml",
    "actions.yaml",
    "manifest.yaml",
    "lxd-profile.yaml",
    "hooks",
    "actions",
    ".charmhost/secret",
];
/// Legacy hooks of the charm.
const PROGRAMS: [&str; 3] = ["hooks/start", "hooks/update-status", "actions/attempt"];
/// Large files, which are not made again for each attempt.
const LARGE: [&str; 2] = ["dispatch", "charm.cwasm"];

/// The machine, restored for each attempt.
pub struct Machine {
    dir: tempfile::TempDir,
    built: PathBuf,
    large: BTreeMap<&'static str, Entry>,
    /// Snapshot of everything before the attempt.
    all: BTreeMap<PathBuf, Entry>,
    /// Snapshot of protected files before the attempt.
    before: BTreeMap<PathBuf, Entry>,
    setup: Option<&'static Setup>,
    /// Other ends of FIFOs, and of a socket.
    ends: Vec<File>,
    socket: Option<UnixListener>,
}

impl Machine {
    pub fn new(built: &Path) -> anyhow::Result<Self> {
        Ok(Machine {
            // Not in `/tmp`, where a guest has its own.
            dir: tempfile::tempdir_in("/var/tmp")?,
            built: built.to_path_buf(),
            large: BTreeMap::new(),
            all: BTreeMap::new(),
            before: BTreeMap::new(),
            setup: None,
            ends: Vec::new(),
            socket: None,
        })
    }

    pub fn path(&self, name: &str) -> String {
        let path = match name {
            "" => self.dir.path().to_path_buf(),
            name => self.dir.path().join(name),
        };
        path.display().to_string()
    }

    /// Restores the initial state, with these grants; the ports are the forbidden one
    /// and the one that can be granted.
    pub fn reset(&mut self, setup: &'static Setup, ports: (u16, u16)) -> anyhow::Result<()> {
        // Most attempts change nothing, and removing and creating files is slow.
        let is_as_it_was =
            self.setup.is_some() && self.everything().is_ok_and(|now| now == self.all);
        self.ends.clear();
        if !is_as_it_was {
            self.socket = None;
            self.clear().context("cannot put the machine back")?;
            self.charm()?;
            self.others()?;
            self.granted()?;
        }
        if !is_as_it_was || self.setup.map(|setup| setup.name) != Some(setup.name) {
            self.configure(setup, ports)?;
            self.setup = Some(setup);
        }
        self.all = self.everything()?;
        self.before = self.take()?;
        Ok(())
    }

    /// What a set-up decides.
    fn configure(&self, setup: &Setup, ports: (u16, u16)) -> anyhow::Result<()> {
        let fill = |text: &str| {
            text.replace("CHARM", &self.path(CHARM))
                .replace("DIR", &self.path(""))
                .replace("PORT", &ports.0.to_string())
                .replace("ALLOWED", &ports.1.to_string())
        };
        let location = self.path(setup.storage.unwrap_or("srv/storage"));
        let metadata = format!(
            "name: escape\ncontainers: {{app: {{}}}}\nrequires: {{db: {{interface: db}}}}\nstorage: {{data: {{type: filesystem, location: {location}}}}}\n"
        );
        let charm = self.dir.path().join(CHARM);
        fs::write(charm.join("charmhost.toml"), fill(setup.settings))?;
        fs::write(charm.join("metadata.yaml"), metadata)?;
        fs::write(self.path("operator.toml"), fill(setup.operator))?;
        let script = match setup.legacy_hooks {
            true => "#!/bin/sh\nexit 0\n",
            false => "#!/bin/sh\ntouch ../../../outside/program\n",
        };
        for name in PROGRAMS {
            fs::write(charm.join(name), script)?;
        }
        let link = self.path("linked-charm");
        match setup.linked_charm {
            true => symlink(CHARM, link)?,
            false => drop(fs::remove_file(link)),
        }
        Ok(())
    }

    /// Removes everything but the programs of the charm, if they are what they
    /// were.
    fn clear(&mut self) -> anyhow::Result<()> {
        let charm = self.dir.path().join(CHARM);
        let spare = self.dir.path().join("spare");
        fs::create_dir_all(&spare)?;
        let mut unchanged = Vec::new();
        for name in LARGE {
            let path = charm.join(name);
            let found = Entry::of_large(&path);
            if found.is_some() && found.as_ref() == self.large.get(name) {
                fs::rename(&path, spare.join(name))?;
                unchanged.push(name);
            }
        }
        for entry in fs::read_dir(self.dir.path())? {
            let path = entry?.path();
            if path == spare {
                continue;
            }
            match fs::symlink_metadata(&path)?.is_dir() {
                true => fs::remove_dir_all(&path)?,
                false => fs::remove_file(&path)?,
            }
        }
        fs::create_dir_all(&charm)?;
        for name in LARGE {
            match unchanged.contains(&name) {
                true => fs::rename(spare.join(name), charm.join(name))?,
                false => {
                    fs::copy(self.built.join(name), charm.join(name))?;
                }
            }
        }
        fs::remove_dir_all(spare)?;
        let entry = |name: &'static str| Some((name, Entry::of_large(&charm.join(name))?));
        self.large = LARGE.into_iter().filter_map(entry).collect();
        Ok(())
    }

    fn charm(&self) -> anyhow::Result<()> {
        let charm = self.dir.path().join(CHARM);
        for directory in [".charmhost", "hooks", "actions"] {
            fs::create_dir(charm.join(directory))?;
        }
        for (name, text) in [
            ("actions.yaml", "attempt: {}\n"),
            ("../secret", SECRET),
            (".charmhost/secret", SECRET),
        ] {
            fs::write(charm.join(name), text)?;
        }
        for name in PROGRAMS {
            let program = File::create(charm.join(name))?;
            program.set_permissions(Permissions::from_mode(0o755))?;
        }
        let outside = self.path("outside");
        symlink(format!("{outside}/secret"), charm.join("link-absolute"))?;
        symlink("../../../outside/secret", charm.join("link-relative"))?;
        symlink("../../../outside", charm.join("link-directory"))?;
        Ok(())
    }

    fn others(&mut self) -> anyhow::Result<()> {
        let dir = self.dir.path();
        for directory in [
            "agents/unit-other-0/charm",
            "outside/empty",
            "outside/inner",
            "srv/operator",
        ] {
            fs::create_dir_all(dir.join(directory))?;
        }
        for name in [
            "agents/unit-other-0/charm/secret",
            "outside/secret",
            "outside/inner/secret",
            "srv/private",
        ] {
            fs::write(dir.join(name), SECRET)?;
        }
        fs::write(dir.join("srv/file"), "public")?;
        symlink(SECRET, dir.join("outside/to-nowhere"))?;
        symlink("../../outside", dir.join("srv/operator/to"))?;
        symlink("/proc", dir.join("srv/proc"))?;
        symlink(dir.join(CHARM), dir.join("srv/charm"))?;
        self.socket = Some(UnixListener::bind(dir.join("outside/pebble.socket"))?);
        Ok(())
    }

    /// Directories to be granted, each with the same in it.
    fn granted(&mut self) -> anyhow::Result<()> {
        let outside = self.dir.path().join("outside");
        for name in [
            "srv/read",
            "srv/write",
            "srv/storage",
            "srv/outer",
            "srv/outer/mid/inner",
        ] {
            let granted = self.dir.path().join(name);
            fs::create_dir_all(granted.join("sub/empty"))?;
            fs::write(granted.join("public"), "public")?;
            symlink("public", granted.join("again"))?;
            symlink(&outside, granted.join("out"))?;
            symlink(outside.join("inner"), granted.join("inner-out"))?;
            mknodat(
                CWD,
                granted.join("fifo"),
                FileType::Fifo,
                Mode::RUSR | Mode::WUSR,
                0,
            )?;
        }
        Ok(())
    }

    /// A process at the other end of every FIFO, which writes to it.
    pub fn open_fifos(&mut self) -> anyhow::Result<()> {
        for name in ["srv/read/fifo", "srv/write/fifo", "srv/storage/fifo"] {
            let path = self.dir.path().join(name);
            let mut end = File::options().read(true).write(true).open(path)?;
            end.write_all(SECRET.as_bytes())?;
            self.ends.push(end);
        }
        Ok(())
    }

    fn everything(&self) -> std::io::Result<BTreeMap<PathBuf, Entry>> {
        snapshot::take(self.dir.path(), |_| false)
    }

    /// Everything that the guest may not change.
    fn take(&self) -> std::io::Result<BTreeMap<PathBuf, Entry>> {
        snapshot::take(self.dir.path(), |path| self.is_the_guests(path))
    }

    fn is_the_guests(&self, path: &Path) -> bool {
        if let Ok(rest) = path.strip_prefix(CHARM) {
            let is_whole = rest.as_os_str().is_empty();
            return !is_whole && !PROTECTED.iter().any(|name| rest.starts_with(name));
        }
        let Some(setup) = self.setup else {
            return false;
        };
        let is_in = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
        is_in(setup.writable) && !is_in(setup.frozen)
    }

    /// Returns signs of an escape.
    pub fn signs(&self) -> Vec<String> {
        let mut signs = Vec::new();
        match self.take() {
            Ok(after) => {
                let changed = snapshot::differences(&self.before, &after);
                let sign = |path: &PathBuf| format!("{} has changed", path.display());
                signs.extend(changed.iter().map(sign));
            }
            Err(error) => signs.push(format!("files are gone: {error}")),
        }
        if let Some(socket) = &self.socket
            && socket.set_nonblocking(true).is_ok()
            && socket.accept().is_ok()
        {
            signs.push("a socket was reached".to_owned());
        }
        signs
    }
}
