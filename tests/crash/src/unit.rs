//! A unit with the charm `atomic-counter`: its directory, its state, and its hooks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use charmhost_store::{COMMIT_KEY, DEFAULT_LIMIT, FILE_NAME, Notice, StateFile};
use serde_json::Value;

use crate::agent::{Agent, ControllerState, End};
use crate::tracer::{self, Cut, Run};

/// Local state of the unit, and its state in Juju.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    file: Option<Vec<u8>>,
    pub juju: ControllerState,
}

/// The rows of the state file, without times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    snapshots: BTreeMap<String, Value>,
    notices: Vec<Notice>,
}

/// How a hook is killed.
#[derive(Debug, Clone, Copy)]
pub enum Point {
    SystemCall(Cut),
    HookTool(End),
}

pub struct Unit {
    dir: PathBuf,
    agent: Agent,
}

impl Unit {
    /// Makes a unit in `target/NAME`; `settings` is its `charmhost.toml`.
    pub fn new(name: &str, settings: &str) -> anyhow::Result<Self> {
        let dir = charmhost_tests::build("tests/guests/atomic-counter", name)?;
        std::fs::write(dir.join("metadata.yaml"), "name: atomic-counter\n")?;
        std::fs::write(dir.join("charmhost.toml"), settings)?;
        let agent = Agent::start()?;
        Ok(Unit { dir, agent })
    }

    fn file(&self) -> PathBuf {
        self.dir.join(FILE_NAME)
    }

    /// Restores a state.
    pub fn restore(&self, saved: &Saved) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(FILE_NAME) {
                std::fs::remove_file(&path)?;
            }
        }
        if let Some(bytes) = &saved.file {
            std::fs::write(self.file(), bytes)?;
        }
        Ok(())
    }

    /// Runs a hook; Juju commits its changes if it succeeds and `flush` is true.
    pub fn hook(
        &self,
        name: &str,
        juju: &ControllerState,
        point: Option<Point>,
        flush: bool,
    ) -> anyhow::Result<(Run, ControllerState)> {
        let (cut, end) = match point {
            Some(Point::SystemCall(cut)) => (Some(cut), None),
            Some(Point::HookTool(end)) => (None, Some(end)),
            None => (None, None),
        };
        self.agent.begin(juju, end);
        let mut shell = Command::new("/bin/sh");
        shell.current_dir(&self.dir).env_clear();
        for (key, value) in [
            ("JUJU_DISPATCH_PATH", format!("hooks/{name}")),
            ("JUJU_HOOK_NAME", name.to_owned()),
            ("JUJU_CHARM_DIR", self.dir.display().to_string()),
            ("JUJU_CONTEXT_ID", "atomic-counter/0-hook-1".to_owned()),
            (
                "JUJU_AGENT_SOCKET_ADDRESS",
                self.agent.socket.display().to_string(),
            ),
            ("JUJU_AGENT_SOCKET_NETWORK", "unix".to_owned()),
            ("JUJU_UNIT_NAME", "atomic-counter/0".to_owned()),
            ("JUJU_MODEL_NAME", "model".to_owned()),
            (
                "JUJU_MODEL_UUID",
                "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a".to_owned(),
            ),
            ("JUJU_VERSION", "3.6.28".to_owned()),
        ] {
            shell.env(key, value);
        }
        let run = tracer::run(shell, "./dispatch", cut, |pid| self.agent.watch(pid))?;
        let state = match run.code == Some(0) && flush {
            true => self.agent.flushed(),
            false => juju.clone(),
        };
        Ok((run, state))
    }

    /// How many hook tools the last hook has called.
    pub fn calls(&self) -> usize {
        self.agent.calls()
    }

    /// The number that the charm had and the one that Juju had when the last
    /// hook began.
    pub fn logged_numbers(&self) -> anyhow::Result<(u32, u32)> {
        let logs = self.agent.logs();
        let line = logs.iter().find_map(|line| line.strip_prefix("own "));
        let (own, juju) = line
            .and_then(|line| line.split_once(" juju"))
            .with_context(|| format!("the charm did not say its numbers: {logs:?}"))?;
        let number = |text: &str| match text.trim() {
            "" => Ok(0),
            text => text.parse(),
        };
        Ok((number(own)?, number(juju)?))
    }

    pub fn logs(&self) -> Vec<String> {
        self.agent.logs()
    }

    /// Returns the current state, given the state in Juju.
    pub fn save(&self, juju: ControllerState) -> anyhow::Result<Saved> {
        let file = match self.file().exists() {
            true => Some(std::fs::read(self.file())?),
            false => None,
        };
        Ok(Saved { file, juju })
    }

    /// Reads the state file; this rolls back an interrupted change.
    pub fn rows(&self) -> anyhow::Result<Rows> {
        rows(&StateFile::open(&self.file(), DEFAULT_LIMIT)?)
    }

    /// The rows as the next dispatch will see them, given what Juju stores;
    /// read from a copy, so that the next dispatch finds what was left. None
    /// if there is no file.
    pub fn seen(&self, juju: &ControllerState) -> anyhow::Result<Option<Rows>> {
        let copy = tempfile::tempdir()?;
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(FILE_NAME) {
                std::fs::copy(entry.path(), copy.path().join(entry.file_name()))?;
            }
        }
        let path = copy.path().join(FILE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        let store = StateFile::open(&path, DEFAULT_LIMIT)?;
        if let Some(number) = store.prepared()? {
            match juju.get(COMMIT_KEY) == Some(&number.to_string()) {
                true => store.commit_prepared()?,
                false => store.rollback_prepared()?,
            }
        }
        let rows = rows(&store)?;
        drop(store);
        check_integrity(&path)?;
        Ok(Some(rows).filter(|rows| *rows != Rows::default()))
    }

    /// How many calls have changed what Juju stores in the last hook.
    pub fn sets(&self) -> usize {
        self.agent.sets()
    }
}

fn check_integrity(path: &Path) -> anyhow::Result<()> {
    let connection = rusqlite::Connection::open(path)?;
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    anyhow::ensure!(found == "ok", "the state file is damaged: {found}");
    Ok(())
}

fn rows(store: &StateFile) -> anyhow::Result<Rows> {
    let mut snapshots = BTreeMap::new();
    for handle in store.handles()? {
        let value = store.value(&handle)?;
        let mut value = value
            .context("a row is gone")?
            .map_err(anyhow::Error::msg)?;
        if handle == "charmhost/deferrals" {
            without_times(&mut value);
        }
        snapshots.insert(handle, value);
    }
    let notices = store.notices()?;
    Ok(Rows { snapshots, notices })
}

/// Deferrals without the times at which they began.
pub fn without_times(deferrals: &mut Value) {
    let deferrals = deferrals.as_object_mut();
    for deferral in deferrals.into_iter().flat_map(|map| map.values_mut()) {
        deferral["since"] = Value::Null;
    }
}
