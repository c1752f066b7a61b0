//! Runs attempts one by one, with a machine, an agent and listeners of the worker.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::judge::{self, Verdict};
use crate::machine::{Machine, SECRET};
use crate::network::Network;
use crate::process::{self, Ended, Inherited};
use crate::setups::{self, CHARM, Setup};
use crate::ways::Way;

/// How hook tools are reached.
const TRANSPORTS: [&str; 2] = ["rpc", "exec"];

/// One way under one set-up.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    pub way: &'a Way,
    pub setup: &'static Setup,
    pub transport: &'static str,
}

impl<'a> Cell<'a> {
    /// Everything that a way is crossed with.
    pub fn of(way: &'a Way) -> Vec<Cell<'a>> {
        let setups = way.setups.iter().filter_map(|name| setups::find(name));
        let cells = setups.flat_map(|setup| {
            TRANSPORTS.map(|transport| Cell {
                way,
                setup,
                transport,
            })
        });
        cells.collect()
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}, {})",
            self.way.name, self.setup.name, self.transport
        )
    }
}

/// Runs attempts.
pub struct Worker {
    machine: Machine,
    agent: Agent,
    network: Network,
    inherited: Inherited,
    /// Streams of dispatches.
    dir: tempfile::TempDir,
    /// Whether the kernel's wall is there, for messages.
    walled: bool,
    timeout: Duration,
}

impl Worker {
    /// `timeout` is that of a dispatch.
    pub fn new(built: &Path, walled: bool, timeout: Duration) -> anyhow::Result<Self> {
        // Not in `/tmp`, where a guest has its own.
        let dir = tempfile::tempdir_in("/var/tmp")?;
        Ok(Worker {
            machine: Machine::new(built)?,
            agent: Agent::start(&charmhost_tests::root()?)?,
            network: Network::start()?,
            inherited: Inherited::new(dir.path())?,
            dir,
            walled,
            timeout,
        })
    }

    /// The ways that the guest knows.
    pub fn ways(&mut self) -> anyhow::Result<Vec<Way>> {
        let Some(setup) = setups::find("none") else {
            bail!("there is no set-up without grants");
        };
        self.reset(setup)?;
        let ended = self.dispatch("hooks/update-status", setup, "rpc", json!({}))?;
        let log = self.agent.log();
        let way = |line: &String| line.strip_prefix("ATTEMPT ").map(serde_json::from_str);
        let ways: Vec<Way> = log.lines.iter().filter_map(way).collect::<Result<_, _>>()?;
        if ended.code != Some(0) || ways.is_empty() {
            bail!(
                "the guest does not list its ways: {:#?}\n{}",
                log.lines,
                ended.stderr
            );
        }
        Ok(ways)
    }

    /// Checks that granted access works, so that failures are due to guards.
    pub fn check_setups(&mut self, ways: &[Way]) -> anyhow::Result<()> {
        let names: BTreeSet<&str> = ways
            .iter()
            .flat_map(|way| way.setups.iter().map(String::as_str))
            .collect();
        for setup in names.into_iter().filter_map(setups::find) {
            if setup.may_be_refused {
                continue;
            }
            for transport in TRANSPORTS {
                self.reset(setup)?;
                let params = self.params(setup, "check", false);
                let ended = self.dispatch("actions/attempt", setup, transport, params)?;
                let log = self.agent.log();
                if !log.lines.iter().any(|line| line.starts_with("GOT ")) {
                    bail!(
                        "what {} grants does not work ({transport}, Landlock {}): exit code {:?}, log {:#?}\n{}",
                        setup.name,
                        self.walled,
                        ended.code,
                        log.lines,
                        ended.stderr
                    );
                }
            }
        }
        Ok(())
    }

    pub fn attempt(&mut self, cell: &Cell) -> anyhow::Result<Verdict> {
        let Cell {
            way,
            setup,
            transport,
        } = *cell;
        self.reset(setup)?;
        if way.control == "kinds" {
            self.machine.open_fifos()?;
        }
        let params = self.params(setup, &way.name, false);
        let ended = self.dispatch("actions/attempt", setup, transport, params)?;
        let log = self.agent.log();
        let mut signs = judge::signs(setup, &ended, &log);
        if let Some(path) = &way.then {
            let params = self.params(setup, &way.name, true);
            let then = self.dispatch(path, setup, transport, params)?;
            signs.extend(judge::signs(setup, &then, &self.agent.log()));
        }
        signs.extend(self.machine.signs());
        if self.network.was_reached() {
            signs.push("the network was reached".to_owned());
        }
        Ok(match signs.is_empty() {
            true => judge::held(setup, &ended, &log),
            false => Verdict::Escaped { signs },
        })
    }

    fn reset(&mut self, setup: &'static Setup) -> anyhow::Result<()> {
        let ports = (self.network.port, self.network.granted_port);
        self.machine.reset(setup, ports)
    }

    fn params(&self, setup: &Setup, attempt: &str, again: bool) -> Value {
        let path = |name: &str| self.machine.path(name);
        let paths = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
        let peer = |host: &&str| format!("{host}:{}", self.network.granted_port);
        let tmp = || "/tmp".to_owned();
        json!({
            "attempt": attempt,
            "again": again,
            "outside": path("outside"),
            "port": self.network.port,
            "granted_port": self.network.granted_port,
            "name": self.network.name,
            "descriptor": self.inherited.number(),
            "place": setup.place.map_or_else(tmp, path),
            "read": setup.read.map(path).unwrap_or_default(),
            "above": setup.above.map(path).unwrap_or_default(),
            "root": setup.root.map(path).unwrap_or_default(),
            "wanted": setup.wanted.map(path).unwrap_or_default(),
            "reads": paths(setup.reads),
            "writes": paths(setup.writes),
            "connects": setup.connects.iter().map(peer).collect::<Vec<_>>(),
            "variables": Vec::from_iter(setup.variable.then_some("GRANTED")),
            "tools": Vec::from_iter(setup.tool.then_some("future-tool")),
        })
    }

    /// Runs `dispatch` as Juju does, with secrets in its environment, in a
    /// descriptor that it inherits, and in its input.
    fn dispatch(
        &self,
        path: &str,
        setup: &Setup,
        transport: &str,
        params: Value,
    ) -> anyhow::Result<Ended> {
        self.agent
            .begin(params, setup.storage.map(|name| self.machine.path(name)));
        let charm = match setup.linked_charm {
            true => self.machine.path("linked-charm"),
            false => self.machine.path(CHARM),
        };
        let hook = path.strip_prefix("hooks/").unwrap_or_default();
        let mut vars = vec![
            ("JUJU_DISPATCH_PATH", path.to_owned()),
            ("JUJU_HOOK_NAME", hook.to_owned()),
            ("JUJU_CHARM_DIR", charm.clone()),
            ("JUJU_CONTEXT_ID", "escape/0-hook-1".to_owned()),
            (
                "JUJU_AGENT_SOCKET_ADDRESS",
                self.agent.socket.display().to_string(),
            ),
            ("JUJU_AGENT_SOCKET_NETWORK", "unix".to_owned()),
            ("JUJU_AGENT_TOKEN", SECRET.to_owned()),
            ("CLOUD_API_VERSION", "1.30".to_owned()),
            ("JUJU_UNIT_NAME", "escape/0".to_owned()),
            ("JUJU_MODEL_NAME", "model".to_owned()),
            (
                "JUJU_MODEL_UUID",
                "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a".to_owned(),
            ),
            ("JUJU_VERSION", "3.6.28".to_owned()),
            ("CHARMHOST_HOOK_TOOLS", transport.to_owned()),
            (
                "CHARMHOST_OPERATOR_FILE",
                self.machine.path("operator.toml"),
            ),
            (
                "PATH",
                format!("{}:/usr/bin:/bin", self.agent.tools.display()),
            ),
            ("A_SECRET", SECRET.to_owned()),
            ("GRANTED", "granted".to_owned()),
        ];
        if path.starts_with("actions/") {
            vars.push(("JUJU_ACTION_NAME", "attempt".to_owned()));
            vars.push(("JUJU_ACTION_UUID", "1".to_owned()));
        }
        let vars: Vec<(&str, &str)> = vars
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        process::run(&charm, &vars, self.dir.path(), self.timeout)
    }
}
