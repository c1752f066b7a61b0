//! Units, and sessions of their charms.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use anyhow::{Context, ensure};
use charmhost_juju::{Environment, Stderr, SystemClock};
use charmhost_runtime::{Charm, Ending, Host, Session};
use charmhost_sandbox::{GuestOutput, SharedTicker};
use charmhost_store::MemoryBackend;
use serde_json::json;

use crate::LoadedCharm;
use crate::model::Model;
use crate::pebble::MemoryPebble;

/// A unit with its own model and local state.
pub struct Unit<'a> {
    charm: &'a LoadedCharm,
    name: &'static str,
    hooks: &'static [&'static str],
    model: Model,
    state: MemoryBackend,
}

impl<'a> Unit<'a> {
    pub fn new(charm: &'a LoadedCharm, name: &'static str, hooks: &'static [&'static str]) -> Self {
        Unit {
            charm,
            name,
            hooks,
            model: Model::default(),
            state: MemoryBackend::default(),
        }
    }

    /// Runs a session: the hooks follow each other in turn.
    pub fn run(&mut self, number: usize, ticker: &SharedTicker) -> anyhow::Result<()> {
        let hook = self.hooks[number % self.hooks.len()];
        // Every second time round, the handlers of the charm queue defer.
        let defer = match number / self.hooks.len() % 2 {
            0 => "config_changed start_first leader_elected",
            _ => "",
        };
        self.model.lock().config =
            json!({"greeting": "Hello", "port": 8080, "defer": defer, "fail": ""});
        let variables = self.variables(hook);
        let environment = Environment::read(|name| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        });
        let host = Host {
            hook_tools: self.model.hook_tools(),
            store: Box::new(self.state.clone()),
            pebble: Box::new(MemoryPebble {
                is_ready: hook == "update-status",
            }),
            clock: Arc::new(SystemClock::default()),
            cpu_ticker: &mut &*ticker,
            stderr: Stderr::new(io::stderr()),
            guest_output: GuestOutput {
                stdout: Box::new(io::empty()),
                stderr: Box::new(io::empty()),
            },
            variables,
            legacy_hooks: None,
            restriction: None,
        };
        let charm = Charm {
            environment: environment?,
            definition: Ok(self.charm.definition.clone()),
            code: Box::new(|| Ok(self.charm.code.clone())),
            revision: Box::new(|| None),
        };
        let outcome = Session::new(host, charm).run();
        let model = self.model.lock();
        ensure!(
            outcome.ending == Ending::Completed && model.problems.is_empty(),
            "{} of {hook}: {:?}",
            self.name,
            model.problems
        );
        Ok(())
    }

    fn variables(&self, hook: &str) -> Vec<(OsString, OsString)> {
        let path = format!("hooks/{hook}");
        let texts = [
            ("JUJU_UNIT_NAME", self.name),
            ("JUJU_DISPATCH_PATH", &path),
            ("JUJU_HOOK_NAME", hook),
            ("JUJU_MODEL_NAME", "memory"),
            ("JUJU_MODEL_UUID", "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a"),
            ("JUJU_VERSION", "3.6.28"),
        ];
        let texts = texts.map(|(name, value)| (name.into(), value.into()));
        let dir = ("JUJU_CHARM_DIR".into(), self.charm.dir.clone().into());
        texts.into_iter().chain([dir]).collect()
    }

    /// Checks that the charm has counted every call of its handlers in its local
    /// state, and no other unit's: it logs the count with each call.
    pub fn check_queue(&self) -> anyhow::Result<()> {
        let model = self.model.lock();
        let counted = model.last_call.split(' ').next().context("no call")?;
        ensure!(
            counted == model.calls.to_string(),
            "{} calls, and the last one is {:?}",
            model.calls,
            model.last_call
        );
        Ok(())
    }

    /// Checks that the charm has written to its relation, and has seen a Pebble that
    /// is ready and one that is not.
    pub fn check_web(&self) -> anyhow::Result<()> {
        let model = self.model.lock();
        ensure!(model.data.contains_key("written"), "no relation data");
        let statuses = ["active", "waiting"].map(str::to_owned);
        ensure!(model.statuses == statuses.into(), "{:?}", model.statuses);
        Ok(())
    }
}
