//! Sets up a unit: its directories, its containers, and where it runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use charmhost_isolation::{Bind, IsolatedRoot, Spec};
use charmhost_juju::Metadata;
use charmhost_sim_model::{Actions, Storage};
use serde_json::{Map, Value};

use crate::charm_files::{read_actions, read_map};
use crate::containers::{Containers, Setup};
use crate::execution_target::ExecutionTarget;
use crate::interrupt::Interrupt;
use crate::scenario::build;
use crate::scenario::file::{ContainerSpec, State};
use crate::unit_agent::UnitAgent;
use crate::unit_dirs::UnitDirs;
use crate::work_dir::{INSIDE, WorkDir, stage};
use crate::{Error, Network, Options};

/// A unit whose directories exist; nothing of it runs.
pub struct UnitSetup {
    /// Its name.
    pub name: String,
    /// The metadata of its charm.
    pub metadata: Metadata,
    /// The actions of its charm.
    pub actions: Actions,
    /// Its directories.
    pub dirs: UnitDirs,
    /// The ids of its storage instances.
    pub storages: Vec<String>,
    /// The files of its resources, as the charm sees them.
    pub resources: BTreeMap<String, String>,
    work_dir: WorkDir,
    containers: Containers,
}

impl UnitSetup {
    /// Sets up a unit of a charm: the first of an application that is named as the
    /// charm, or the one that is named, whose storage instances are numbered from
    /// the number on.
    pub fn new(
        options: &Options,
        target: &Path,
        state: &State,
        unit: Option<(&str, u32)>,
    ) -> Result<Self, Error> {
        let work_dir = WorkDir::new(options.scratch.as_deref())?;
        let staged = stage(target, work_dir.dir.path())?;
        let metadata = Metadata::load(&staged)?;
        let default = || format!("{}/0", metadata.name);
        let name = unit.map_or_else(default, |(name, _)| name.to_owned());
        let mut dirs = work_dir.unit_dirs(&staged, &name, options)?;
        let mut storages = build::storages(&state.storages, &metadata)?;
        if let Some((_, first)) = unit {
            storages = renumbered(&storages, first);
        }
        // On the machine itself nothing can be mounted.
        if options.confine.is_some() {
            dirs.locations = build::storage_locations(&storages, &metadata);
        }
        let charm = dirs.charm();
        let actions = read_actions(&charm)?;
        let resources = resources(state, &charm, &dirs)?;
        let containers = Containers::new(Setup {
            specs: container_specs(state, &metadata)?,
            home: work_dir.dir.path().to_path_buf(),
            pebble: options.pebble.clone(),
            confine: options.confine.clone(),
            mounts: mounts(&metadata, &storages, &dirs)?,
        })?;
        Ok(UnitSetup {
            name,
            metadata,
            actions,
            dirs,
            storages,
            resources,
            work_dir,
            containers,
        })
    }

    /// The workload containers.
    pub fn containers(&self) -> &Containers {
        &self.containers
    }

    /// Makes the storage instances, by id.
    pub fn make_storages(&self) -> Result<BTreeMap<String, Storage>, Error> {
        let ids = self.storages.iter();
        let made = ids.map(|id| Ok((id.clone(), build::storage(id, &self.metadata, &self.dirs)?)));
        made.collect()
    }

    /// Starts what the unit runs in.
    pub fn start(self, options: &Options, interrupt: &Interrupt) -> Result<UnitAgent, Error> {
        let mut work_dir = self.work_dir;
        link_tools(options, &self.dirs.tools())?;
        if options.confine.is_none() && !self.metadata.containers.is_empty() {
            work_dir.link_containers(interrupt)?;
        }
        let target = execution_target(options, &self.name, &self.metadata, &self.dirs)?;
        Ok(UnitAgent {
            name: self.name,
            metadata: self.metadata,
            dirs: self.dirs,
            target,
            containers: self.containers,
            actions_of_charm: self.actions,
            actions: Vec::new(),
            work_dir,
        })
    }

    /// Removes everything that was made.
    pub fn remove(self) -> Result<(), Error> {
        drop(self.containers);
        self.work_dir.remove()
    }
}

/// Storage instances with numbers that are unique in the model.
fn renumbered(ids: &[String], first: u32) -> Vec<String> {
    let numbered = (first..).zip(ids);
    let new = numbered.map(|(number, id)| {
        let name = id.split('/').next().unwrap_or_default();
        format!("{name}/{number}")
    });
    new.collect()
}

/// The storage that containers mount, by container.
fn mounts(
    metadata: &Metadata,
    storages: &[String],
    dirs: &UnitDirs,
) -> Result<BTreeMap<String, Vec<(PathBuf, PathBuf)>>, Error> {
    let mut mounts = BTreeMap::new();
    for (name, section) in &metadata.containers {
        let listed = section.get("mounts").and_then(Value::as_array);
        let mut of_container = Vec::new();
        for mount in listed.into_iter().flatten() {
            let text = |key: &str| mount.get(key).and_then(Value::as_str);
            let (Some(storage), Some(location)) = (text("storage"), text("location")) else {
                continue;
            };
            let of_storage = |id: &&String| id.split('/').next() == Some(storage);
            let ids: Vec<&String> = storages.iter().filter(of_storage).collect();
            for id in &ids {
                dirs.storage(id, &build::storage_kind(id, metadata))?;
                let location = Path::new(location);
                // Several instances stand beside each other.
                let target = match ids.len() {
                    1 => location.to_path_buf(),
                    _ => location.join(id.split('/').next_back().unwrap_or_default()),
                };
                of_container.push((dirs.storage_source(id), target));
            }
        }
        mounts.insert(name.clone(), of_container);
    }
    Ok(mounts)
}

/// The specification of each container of the metadata.
fn container_specs(
    state: &State,
    metadata: &Metadata,
) -> Result<BTreeMap<String, ContainerSpec>, Error> {
    let mut specs: BTreeMap<String, ContainerSpec> = BTreeMap::new();
    for spec in &state.containers {
        if !metadata.containers.contains_key(&spec.name) {
            let names: Vec<&str> = metadata.containers.keys().map(String::as_str).collect();
            let known = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return Err(Error::State(format!(
                "there is no container {:?}; the charm's metadata has {known}",
                spec.name
            )));
        }
        if let Some(path) = spec.files.keys().find(|path| !path.starts_with('/')) {
            return Err(Error::State(format!(
                "the file {path:?} of the container {:?} has no absolute path",
                spec.name
            )));
        }
        if specs.insert(spec.name.clone(), spec.clone()).is_some() {
            return Err(Error::State(format!(
                "there are two containers {:?}",
                spec.name
            )));
        }
    }
    for name in metadata.containers.keys() {
        specs.entry(name.clone()).or_insert_with(|| ContainerSpec {
            name: name.clone(),
            can_connect: false,
            layers: BTreeMap::new(),
            files: BTreeMap::new(),
        });
    }
    Ok(specs)
}

/// Copies the files of resources to where an agent has them, and returns their
/// paths as the charm sees them.
fn resources(
    state: &State,
    charm: &Path,
    dirs: &UnitDirs,
) -> Result<BTreeMap<String, String>, Error> {
    let metadata = read_map(&charm.join("metadata.yaml"))?.unwrap_or_default();
    let known = metadata.get("resources").and_then(Value::as_object);
    build::check_resources(&state.resources, known.unwrap_or(&Map::new()))?;
    let mut placed = BTreeMap::new();
    for (name, file) in &state.resources {
        let source = Path::new(file);
        let dir = dirs.resources().join(name);
        let target = dir.join(source.file_name().unwrap_or_default());
        std::fs::create_dir_all(&dir)
            .and_then(|()| std::fs::copy(source, &target).map(drop))
            .map_err(|error| Error::io("copy the resource", source, error))?;
        let seen = dirs.seen(&target).display().to_string();
        placed.insert(name.clone(), seen);
    }
    Ok(placed)
}

/// Makes the root and namespaces in which the charm runs.
fn execution_target(
    options: &Options,
    unit: &str,
    metadata: &Metadata,
    dirs: &UnitDirs,
) -> Result<ExecutionTarget, Error> {
    let Some(confine) = &options.confine else {
        return Ok(ExecutionTarget::Host);
    };
    let bind = |source: PathBuf, target: &str, read_only| Bind {
        source,
        target: PathBuf::from(target),
        read_only,
    };
    let mut binds = vec![bind(dirs.home.clone(), INSIDE, false)];
    let kubernetes = !metadata.containers.is_empty();
    if kubernetes {
        let containers = dirs.home.join("containers");
        std::fs::create_dir_all(&containers)
            .map_err(|source| Error::io("make", &containers, source))?;
        binds.push(bind(containers, "/charm/containers", false));
        if let Some(pebble) = options.pebble.as_ref().filter(|pebble| pebble.is_file()) {
            binds.push(bind(pebble.clone(), "/charm/bin/pebble", true));
        }
    }
    for (id, location) in &dirs.locations {
        dirs.storage(id, &build::storage_kind(id, metadata))?;
        binds.push(bind(dirs.storage_source(id), location, false));
    }
    // The packages of a charm in Python may be where the isolated root has nothing.
    if let Ok(venv) = std::fs::read_link(dirs.charm().join("venv"))
        && venv.is_absolute()
    {
        let target = venv.display().to_string();
        binds.push(bind(venv, &target, true));
    }
    let network = match (options.network, kubernetes) {
        (Some(Network::Host), _) | (None, false) => charmhost_isolation::Network::Host,
        (Some(Network::Private), _) | (None, true) => charmhost_isolation::Network::Private,
    };
    Ok(ExecutionTarget::Isolated(IsolatedRoot::start(&Spec {
        confine: confine.clone(),
        scratch: dirs.home.clone(),
        binds,
        hostname: unit.replace('/', "-"),
        network,
    })?))
}

/// Makes the hook tools programs: links to the one that is all of them, which
/// is copied, as an isolated root does not have all directories of the machine.
fn link_tools(options: &Options, dir: &Path) -> Result<(), Error> {
    let Some(program) = &options.hook_tool else {
        return Ok(());
    };
    let copy = dir.join("hook-tool");
    std::fs::copy(program, &copy).map_err(|source| Error::io("copy", program, source))?;
    for name in charmhost_sim_model::tools::names() {
        let link = dir.join(name);
        std::os::unix::fs::symlink("hook-tool", &link)
            .map_err(|source| Error::io("make", link, source))?;
    }
    Ok(())
}
