//! Charms written in shell, and an observer that calls hook tools.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use charmhost_jujuc::{Address, Call, Connection, Error, Reply};
use charmhost_sim::{DispatchRecord, Observer, Options, Report, run};
use tempfile::TempDir;

/// A charm in a directory of its own.
pub struct Charm {
    pub dir: TempDir,
}

impl Charm {
    /// A charm whose `dispatch` is this shell script.
    pub fn new(script: &str) -> Self {
        let charm = Charm::without_dispatch();
        charm.program("dispatch", script);
        charm
    }

    pub fn without_dispatch() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let charm = Charm { dir };
        charm.file("metadata.yaml", "name: demo\n");
        charm.file(
            "config.yaml",
            "options:\n  port: {type: int, default: 80}\n",
        );
        charm.file(
            "actions.yaml",
            "backup:\n  params: {count: {type: integer, default: 3}}\n",
        );
        charm
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn program(&self, name: &str, script: &str) {
        let path = self.file(name, &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn options(&self, events: &[&str]) -> Options {
        Options {
            target: self.dir.path().to_path_buf(),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            hook_tool: None,
            confine: None,
            ..Options::default()
        }
    }

    pub fn run(&self, events: &[&str]) -> Report {
        run(&self.options(events), &mut ()).unwrap()
    }
}

pub type Script = Box<dyn FnMut(&str, &mut Caller)>;

/// Calls hook tools at the start of each dispatch.
pub struct Caller {
    pub environment: BTreeMap<String, String>,
    script: Option<Script>,
    pub left_out: Vec<String>,
    pub kept: Option<Connection>,
}

impl Caller {
    pub fn new(script: impl FnMut(&str, &mut Caller) + 'static) -> Self {
        Caller {
            environment: BTreeMap::new(),
            script: Some(Box::new(script)),
            left_out: Vec::new(),
            kept: None,
        }
    }

    pub fn address(&self) -> Address {
        let address = &self.environment["JUJU_AGENT_SOCKET_ADDRESS"];
        Address::parse(&self.environment["JUJU_AGENT_SOCKET_NETWORK"], address).unwrap()
    }

    pub fn connect(&self) -> Connection {
        Connection::connect(&self.address()).unwrap()
    }

    pub fn call(&self, tool: &str, args: &[&str]) -> Reply {
        self.try_call(&self.environment["JUJU_CONTEXT_ID"], "/", tool, args)
            .unwrap()
    }

    pub fn try_call(
        &self,
        context_id: &str,
        dir: &str,
        tool: &str,
        args: &[&str],
    ) -> Result<Reply, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let call = Call {
            context_id,
            dir,
            tool,
            args: &args,
            stdin: None,
        };
        match self.connect().call(&call) {
            Ok(reply) => Ok(reply),
            Err(Error::Rpc { message, .. }) => Err(message),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Observer for Caller {
    fn dispatch_starts(&mut self, event: &str, environment: &[(String, String)]) {
        self.environment = environment.iter().cloned().collect();
        let mut script = self.script.take().unwrap();
        script(event, self);
        self.script = Some(script);
    }

    fn dispatch_ends(&mut self, _record: &DispatchRecord) {
        self.kept = None;
    }

    fn event_skipped(&mut self, event: &str, _reason: &str) {
        self.left_out.push(event.to_owned());
    }
}

/// The log of a whole simulation, a message a line.
pub fn logs(report: &Report) -> Vec<String> {
    let lines = report.dispatches.iter().flat_map(|record| &record.logs);
    lines
        .map(|line| format!("{} {}", line.level.as_str(), line.message))
        .collect()
}
