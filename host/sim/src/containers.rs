//! The unit's workload containers, each with its Pebble as Juju runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use charmhost_isolation::{Bind, IsolatedRoot, Network, Spec};
use charmhost_pebble::Client;
use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::Error;
use crate::event::{Change, Event};
use crate::execution_target::ExecutionTarget;
use crate::report::ContainerRecord;
use crate::scenario::file::{Bag, ContainerSpec};

/// How long a Pebble may take to start, and to stop.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The directory that a container shares with the charm, as it sees it.
const SHARED: &str = "/charm/container";
/// Where a container finds its Pebble.
const PEBBLE: &str = "/charm/bin/pebble";
/// Where an image has its layers.
const LAYERS: &str = "/var/lib/pebble/default/layers";
const NO_PEBBLE: &str = "there is no Pebble to run in it; put the program `pebble` beside charmhost or on PATH, or name it with --pebble. `make dist/pebble` in charmhost's repository builds it; so does `go install github.com/canonical/pebble/cmd/pebble@latest`, in ~/go/bin";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The workload containers of a unit.
pub struct Containers {
    specs: BTreeMap<String, ContainerSpec>,
    running: BTreeMap<String, Container>,
    /// The directory with the shared directory of each.
    shared: PathBuf,
    /// The directory with what each Pebble and its services print.
    logs: PathBuf,
    pebble: Option<PathBuf>,
    confine: Option<PathBuf>,
    /// The storage that each container mounts: the directory and where.
    mounts: BTreeMap<String, Vec<(PathBuf, PathBuf)>>,
    /// The missing programs that were reported: container and program.
    reported: BTreeSet<(String, String)>,
    runtime: tokio::runtime::Runtime,
}

struct Container {
    target: ExecutionTarget,
    daemon: Child,
    client: Client,
}

/// How containers are made.
pub struct Setup {
    /// The containers of the charm's metadata.
    pub specs: BTreeMap<String, ContainerSpec>,
    /// A directory of the simulation's.
    pub home: PathBuf,
    /// The Pebble program.
    pub pebble: Option<PathBuf>,
    /// The `confine` program; none to run on the machine itself.
    pub confine: Option<PathBuf>,
    /// The storage that each container mounts: the directory and where.
    pub mounts: BTreeMap<String, Vec<(PathBuf, PathBuf)>>,
}

impl Containers {
    /// None runs yet.
    pub fn new(setup: Setup) -> Result<Self, Error> {
        let (shared, logs) = (setup.home.join("containers"), setup.home.join("logs"));
        for dir in setup
            .specs
            .keys()
            .map(|name| shared.join(name))
            .chain([logs.clone()])
        {
            std::fs::create_dir_all(&dir).map_err(|source| Error::io("make", dir, source))?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::io("talk to the containers in", &shared, source))?;
        Ok(Containers {
            specs: setup.specs,
            running: BTreeMap::new(),
            shared,
            logs,
            pebble: setup.pebble,
            confine: setup.confine,
            mounts: setup.mounts,
            reported: BTreeSet::new(),
            runtime,
        })
    }

    /// The program that a container runs.
    fn pebble(&self, container: &str) -> Result<&Path, Error> {
        let pebble = self.pebble.as_deref().filter(|pebble| pebble.is_file());
        pebble.ok_or_else(|| Error::Container {
            container: container.to_owned(),
            detail: NO_PEBBLE.to_owned(),
        })
    }

    /// Makes sure that the containers that will run can run.
    pub fn check(&self, events: &[Event]) -> Result<(), Error> {
        let first = self.specs.values().filter(|spec| spec.can_connect);
        let first = first.map(|spec| &spec.name);
        let changes = events.iter().flat_map(|event| &event.changes);
        let later = changes.filter_map(|change| match change {
            Change::StartContainer { name } | Change::RestartContainer { name } => Some(name),
            Change::Notify { container, .. } => Some(container),
            _ => None,
        });
        first
            .chain(later)
            .try_for_each(|name| self.pebble(name).map(drop))
    }

    /// Starts the containers that run before the first event.
    pub fn start_first(&mut self, unit: &ExecutionTarget) -> Result<(), Error> {
        let first = self.specs.values().filter(|spec| spec.can_connect);
        let names: Vec<String> = first.map(|spec| spec.name.clone()).collect();
        names.iter().try_for_each(|name| self.start(name, unit))
    }

    /// Starts a container, if it does not run.
    pub fn start(&mut self, name: &str, unit: &ExecutionTarget) -> Result<(), Error> {
        if self.running.contains_key(name) {
            return Ok(());
        }
        let Some(spec) = self.specs.get(name) else {
            return Ok(());
        };
        let container = self.run(spec, unit)?;
        self.running.insert(name.to_owned(), container);
        Ok(())
    }

    /// Starts a container anew: what it wrote is gone.
    pub fn restart(&mut self, name: &str, unit: &ExecutionTarget) -> Result<(), Error> {
        if let Some(container) = self.running.remove(name) {
            container.stop();
        }
        self.start(name, unit)
    }

    /// Stops all; those that ran start again when they are asked for.
    pub fn stop_all(&mut self) {
        for (_, container) in std::mem::take(&mut self.running) {
            container.stop();
        }
    }

    fn run(&self, spec: &ContainerSpec, unit: &ExecutionTarget) -> Result<Container, Error> {
        let name = &spec.name;
        let reject = |detail: String| Error::Container {
            container: name.clone(),
            detail,
        };
        let pebble = self.pebble(name)?;
        let shared = self.shared.join(name);
        let target = match &self.confine {
            Some(confine) => {
                ExecutionTarget::Isolated(self.isolated_root(confine, name, pebble, unit)?)
            }
            None => ExecutionTarget::Host,
        };
        let paths = Paths::new(&target, pebble, &shared);
        let written = write_image(&target, spec, &paths.layers);
        written.map_err(|(path, error)| reject(format!("cannot write {path}: {error}")))?;
        let log_path = self.logs.join(name);
        let log = File::create(&log_path).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|source| Error::io("write", &log_path, source))?;
        let mut command = pebble_command(&target, &paths, name);
        command.stdout(out).stderr(err);
        let daemon = command
            .spawn()
            .map_err(|error| reject(format!("cannot run {}: {error}", pebble.display())))?;
        let mut container = Container {
            target,
            daemon,
            client: Client::new(shared.join("pebble.socket")),
        };
        match self.wait(&mut container) {
            Ok(()) => Ok(container),
            Err(reason) => {
                container.stop();
                let output = std::fs::read_to_string(&log_path).unwrap_or_default();
                Err(reject(format!(
                    "its Pebble {reason}: {}",
                    output.trim_end()
                )))
            }
        }
    }

    fn isolated_root(
        &self,
        confine: &Path,
        name: &str,
        pebble: &Path,
        unit: &ExecutionTarget,
    ) -> Result<IsolatedRoot, Error> {
        let bind = |source: &Path, target: &str, read_only| Bind {
            source: source.to_path_buf(),
            target: PathBuf::from(target),
            read_only,
        };
        let mut binds = vec![
            bind(&self.shared.join(name), SHARED, false),
            bind(pebble, PEBBLE, true),
        ];
        for (source, target) in self.mounts.get(name).into_iter().flatten() {
            binds.push(Bind {
                source: source.clone(),
                target: target.clone(),
                read_only: false,
            });
        }
        let network = match unit {
            ExecutionTarget::Isolated(unit) => Network::Joined(unit),
            ExecutionTarget::Host => Network::Host,
        };
        let spec = Spec {
            confine: confine.to_path_buf(),
            scratch: self.shared.clone(),
            binds,
            hostname: name.to_owned(),
            network,
        };
        Ok(IsolatedRoot::start(&spec)?)
    }

    /// Waits until a Pebble answers. The error is what it did instead.
    fn wait(&self, container: &mut Container) -> Result<(), String> {
        let end = Instant::now() + TIMEOUT;
        loop {
            if self
                .runtime
                .block_on(container.client.system_info())
                .is_ok()
            {
                return Ok(());
            }
            if let Ok(Some(status)) = container.daemon.try_wait() {
                return Err(format!("ended with {status}"));
            }
            if Instant::now() > end {
                return Err(format!("does not answer within {} s", TIMEOUT.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Records a custom notice and returns its id.
    pub fn notify(&self, name: &str, key: &str, data: &Bag) -> Result<String, Error> {
        let reject = |detail: String| Error::Container {
            container: name.to_owned(),
            detail,
        };
        let Some(container) = self.running.get(name) else {
            return Err(reject("it does not run".to_owned()));
        };
        let pairs = data
            .iter()
            .map(|(key, text)| (key.as_str(), text.0.as_str()));
        let notified = self
            .runtime
            .block_on(container.client.notify(key, pairs, None));
        notified.map_err(|error| reject(error.to_string()))
    }

    /// The text of a container's file, if there is one.
    pub fn file(&self, name: &str, path: &str) -> Option<String> {
        let container = self.running.get(name)?;
        let bytes = container.target.read(Path::new(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What a container's services do, by their names.
    pub fn services(&self, name: &str) -> BTreeMap<String, String> {
        let Some(container) = self.running.get(name) else {
            return BTreeMap::new();
        };
        let services = self.runtime.block_on(container.client.services(&[]));
        let services = services.into_iter().flatten();
        services
            .map(|service| (service.name, service.current.as_str().to_owned()))
            .collect()
    }

    /// What to say of each service whose program its container does not have:
    /// the container stands for an image that nobody has here. Each program is
    /// reported once.
    pub fn missing_programs(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, container) in &self.running {
            let plan = self.runtime.block_on(container.client.plan());
            let services = plan.as_ref().ok().and_then(|plan| plan.get("services"));
            let services = services.and_then(Value::as_object);
            for (service, section) in services.into_iter().flatten() {
                if let Some(program) = program(section)
                    && !container.has(program)
                {
                    found.push((name.clone(), service.clone(), program.to_owned()));
                }
            }
        }
        let mut is_new = |(name, _, program): &(String, String, String)| {
            self.reported.insert((name.clone(), program.clone()))
        };
        let new = found
            .into_iter()
            .filter_map(|found| is_new(&found).then_some(found));
        new.map(|(name, service, program)| missing(&name, &service, &program))
            .collect()
    }

    /// What each container is now.
    pub fn records(&self) -> Vec<ContainerRecord> {
        let record = |name: &String| {
            let running = self.running.get(name);
            let plan =
                running.and_then(|container| self.runtime.block_on(container.client.plan()).ok());
            ContainerRecord {
                name: name.clone(),
                can_connect: running.is_some(),
                services: self.services(name),
                plan: plan.unwrap_or(Value::Null),
            }
        };
        self.specs.keys().map(record).collect()
    }
}

/// Paths of a container, as its programs see them.
struct Paths {
    /// Pebble.
    program: PathBuf,
    /// The directory that it shares with the charm.
    shared: PathBuf,
    /// The layers of its image.
    layers: PathBuf,
}

impl Paths {
    /// On the machine itself nothing has the paths of a container.
    fn new(target: &ExecutionTarget, pebble: &Path, shared: &Path) -> Self {
        match target {
            ExecutionTarget::Isolated(_) => Paths {
                program: PathBuf::from(PEBBLE),
                shared: PathBuf::from(SHARED),
                layers: PathBuf::from(LAYERS),
            },
            ExecutionTarget::Host => Paths {
                program: pebble.to_path_buf(),
                shared: shared.to_path_buf(),
                layers: shared.join("pebble/layers"),
            },
        }
    }
}

/// Pebble as Juju runs it in a workload container (juju §1.5).
fn pebble_command(target: &ExecutionTarget, paths: &Paths, container: &str) -> Command {
    let mut command = target.command_in(Path::new("/"), &paths.program);
    command
        .args(["run", "--create-dirs", "--hold", "--verbose"])
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .env("JUJU_CONTAINER_NAME", container)
        .env("PEBBLE", paths.shared.join("pebble"))
        .env("PEBBLE_COPY_ONCE", "/var/lib/pebble/default")
        .env("PEBBLE_SOCKET", paths.shared.join("pebble.socket"))
        // The state ends with the container, and each change of it would be
        // written through to the disk.
        .env("PEBBLE_PERSIST", "never")
        .stdin(Stdio::null())
        .process_group(0);
    command
}

/// Writes the files and layers of an image. The error names the file.
fn write_image(
    target: &ExecutionTarget,
    spec: &ContainerSpec,
    layers: &Path,
) -> Result<(), (String, std::io::Error)> {
    let write = |path: &Path, text: &str, mode: Option<u32>| {
        let written = target.write(path, text.as_bytes(), mode);
        written.map_err(|error| (path.display().to_string(), error))
    };
    for (path, file) in &spec.files {
        write(Path::new(path), &file.content, file.mode)?;
    }
    for (number, (label, layer)) in spec.layers.iter().enumerate() {
        // Pebble orders layers by a number that their files' names begin with.
        let numbered = label.split_once('-').is_some_and(|(number, _)| {
            number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit())
        });
        let file = match numbered {
            true => format!("{label}.yaml"),
            false => format!("{:03}-{label}.yaml", number + 1),
        };
        let text = match layer {
            Value::String(yaml) => yaml.clone(),
            layer => charmhost_yaml::to_string(layer),
        };
        write(&layers.join(file), &text, None)?;
    }
    Ok(())
}

/// The program of a service in a plan. A service with a `PATH` of its own may
/// have it anywhere.
fn program(service: &Value) -> Option<&str> {
    let own_path = service.get("environment").and_then(|vars| vars.get("PATH"));
    let command = service.get("command")?.as_str()?;
    let program = command.split_whitespace().next()?;
    let program = program.trim_matches(['"', '\'']);
    (own_path.is_none() || program.starts_with('/')).then_some(program)
}

fn missing(container: &str, service: &str, program: &str) -> String {
    let file = match program.starts_with('/') {
        true => program.to_owned(),
        false => format!("/usr/bin/{program}"),
    };
    format!(
        "the container {container:?} stands for its image with this machine's files, which have no {program}, the program of the service {service:?}; give it a stand-in in a scenario:\nstate:\n  containers:\n  - name: {container}\n    files:\n      {file}: {{mode: 0755, content: \"#!/bin/sh\\nexec sleep infinity\\n\"}}"
    )
}

impl Container {
    /// Whether it has a program, by its path or on `PATH`.
    fn has(&self, program: &str) -> bool {
        let exists = |path: &Path| match &self.target {
            ExecutionTarget::Isolated(root) => root.path_on_host(path).is_ok(),
            ExecutionTarget::Host => path.exists(),
        };
        match program.contains('/') {
            true => exists(Path::new(program)),
            false => std::env::split_paths(PATH).any(|dir| exists(&dir.join(program))),
        }
    }

    /// In a namespace everything ends with it; on the machine the daemon takes its
    /// services with it, if it is given the time.
    fn stop(mut self) {
        if matches!(self.target, ExecutionTarget::Host) {
            let _ = rustix::process::kill_process(Pid::from_child(&self.daemon), Signal::TERM);
            let end = Instant::now() + TIMEOUT;
            while Instant::now() < end && matches!(self.daemon.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // It fails if there is nobody left, which is what is wanted.
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.daemon), Signal::KILL);
        drop(self.target);
        let _ = self.daemon.wait();
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        self.stop_all();
    }
}
