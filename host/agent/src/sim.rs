//! A whole simulation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use charmhost_isolation::{Bind, IsolatedRoot, Spec};
use charmhost_juju::Metadata;
use serde_json::{Map, Value};

use crate::containers::{Containers, Setup};
use crate::event::{Event, Resolver};
use crate::files::read_map;
use crate::home::{Home, INSIDE, stage};
use crate::life::Life;
use crate::model::{Actions, Config, Model, Networks, secret_id};
use crate::place::Place;
use crate::play::Play;
use crate::report::{Observer, Report};
use crate::scenario::{self, ContainerSpec, RelationSpec, Scenario, StepSpec, build};
use crate::unit::{Dirs, Unit, random_hex};
use crate::veil::Veil;
use crate::{Error, HookTools, Interrupt, Network, Options};

/// Runs a charm through the life of a unit, or through the events named.
///
/// The charm is copied first: what it writes goes to the copy, which is removed
/// at the end. Everything that can be wrong with the options is found before
/// anything runs.
pub fn run(options: &Options, observer: &mut dyn Observer) -> Result<Report, Error> {
    let interrupt = match &options.interrupt {
        Some(interrupt) => interrupt.clone(),
        None => Interrupt::new().map_err(|source| Error::io("watch", "an interruption", source))?,
    };
    interrupt.starts();
    let Checked {
        scenario,
        mut home,
        dirs,
        prepared,
        containers,
    } = Checked::new(options)?;
    link_tools(options, &dirs.tools())?;
    if options.confine.is_none() && !prepared.metadata.containers.is_empty() {
        home.put_on_machine(&interrupt)?;
    }
    let place = place(options, &prepared, &dirs, &home)?;
    let mut unit = Unit {
        model: prepared.model,
        metadata: prepared.metadata,
        dirs,
        place,
        containers,
        limit: options.limit,
        keep_going: options.keep_going,
        retries: options.retries,
        hook_tools: options.hook_tools.map(|choice| match choice {
            HookTools::Rpc => "rpc",
            HookTools::Exec => "exec",
        }),
        veil: match options.show_secrets {
            true => Veil::open(),
            false => Veil::closed(),
        },
        interrupt,
        actions: Vec::new(),
    };
    unit.model.root = unit.place.root();
    let report = Play::new(&mut unit, observer).run(prepared.events, scenario.expect.as_ref())?;
    drop(unit);
    home.remove()?;
    Ok(report)
}

/// Checks everything that can be wrong with the options, without running the
/// charm. Of the target only `metadata.yaml`, `config.yaml` and `actions.yaml`
/// are needed, so that a project can be checked before it is built.
pub fn check(options: &Options) -> Result<(), Error> {
    let checked = Checked::new(options)?;
    drop(checked.containers);
    checked.home.remove()
}

/// A simulation that could begin.
struct Checked {
    scenario: Scenario,
    home: Home,
    dirs: Dirs,
    prepared: Prepared,
    containers: Containers,
}

impl Checked {
    fn new(options: &Options) -> Result<Self, Error> {
        let scenario = match &options.scenario {
            Some(path) => scenario::read(path)?,
            None => Scenario::default(),
        };
        let home = Home::new(options.scratch.as_deref())?;
        let charm = stage(&options.target, home.dir.path())?;
        let metadata = Metadata::load(&charm)?;
        let mut dirs = home.dirs(&charm, &metadata.name, options)?;
        // On the machine itself nothing can be mounted.
        if options.confine.is_some() {
            let storages = build::storages(&scenario.state.storages, &metadata)?;
            dirs.locations = build::storage_locations(&storages, &metadata);
        }
        let prepared = Prepared::new(options, &scenario, metadata, &dirs)?;
        let containers = Containers::new(Setup {
            specs: containers(&scenario, &prepared.metadata)?,
            home: home.dir.path().to_path_buf(),
            pebble: options.pebble.clone(),
            confine: options.confine.clone(),
            mounts: prepared.mounts(&dirs)?,
        })?;
        containers.check(&prepared.events)?;
        Ok(Checked {
            scenario,
            home,
            dirs,
            prepared,
            containers,
        })
    }
}

/// What can be read and checked before anything runs.
struct Prepared {
    metadata: Metadata,
    model: Model,
    events: Vec<Event>,
    storages: Vec<String>,
}

impl Prepared {
    fn new(
        options: &Options,
        scenario: &Scenario,
        metadata: Metadata,
        dirs: &Dirs,
    ) -> Result<Self, Error> {
        let state = &scenario.state;
        let charm = dirs.charm();
        let mut model = model(options, scenario, &charm, &metadata)?;
        resources(scenario, &charm, dirs, &mut model)?;
        let relations = build::relations(&state.relations, &metadata)?;
        let storages = build::storages(&state.storages, &metadata)?;
        let actions = Actions::load(&charm)?;
        let steps = steps(options, scenario);
        let whole = steps.is_none();
        // In a whole life, relations and storage come with their events.
        if !whole {
            for spec in &relations {
                let relation = build::relation(spec, &model, &metadata);
                model.relations.insert(relation.id, relation);
            }
            for id in &storages {
                let storage = build::storage(id, &metadata, dirs)?;
                model.storages.insert(id.clone(), storage);
            }
        }
        build::add_secrets(&state.secrets, &mut model)?;
        let events = match steps {
            Some(steps) => {
                let resolver = Resolver::new(&metadata, &actions, &model.app, &options.declared_in);
                resolve(&steps, resolver, &model, &relations)?
            }
            None => Life {
                metadata: &metadata,
                actions: &actions,
                unit: &model.unit,
                leader: model.leader,
                before_juju_4: model.is_before_juju_4(),
                relations: &relations,
                storages: &storages,
            }
            .events(),
        };
        Ok(Prepared {
            metadata,
            model,
            events,
            storages,
        })
    }

    /// The storage that containers mount, by container.
    fn mounts(&self, dirs: &Dirs) -> Result<BTreeMap<String, Vec<(PathBuf, PathBuf)>>, Error> {
        let mut mounts = BTreeMap::new();
        for (name, section) in &self.metadata.containers {
            let listed = section.get("mounts").and_then(Value::as_array);
            let mut of_container = Vec::new();
            for mount in listed.into_iter().flatten() {
                let text = |key: &str| mount.get(key).and_then(Value::as_str);
                let (Some(storage), Some(location)) = (text("storage"), text("location")) else {
                    continue;
                };
                let of_storage = |id: &&String| id.split('/').next() == Some(storage);
                let ids: Vec<&String> = self.storages.iter().filter(of_storage).collect();
                for id in &ids {
                    dirs.storage(id, &build::storage_kind(id, &self.metadata))?;
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
}

/// The steps that were asked for; none for a whole life.
fn steps(options: &Options, scenario: &Scenario) -> Option<Vec<StepSpec>> {
    if options.events.is_empty() && scenario.events.is_none() {
        return None;
    }
    let named = options.events.iter().map(|event| StepSpec {
        event: event.clone(),
        ..StepSpec::default()
    });
    let listed = scenario.events.iter().flatten().map(|step| step.0.clone());
    Some(named.chain(listed).collect())
}

fn resolve(
    steps: &[StepSpec],
    mut resolver: Resolver<'_>,
    model: &Model,
    relations: &[RelationSpec],
) -> Result<Vec<Event>, Error> {
    for spec in relations {
        let id = spec.id.unwrap_or_default();
        if let Some(relation) = model.relations.get(&id) {
            let units = relation.remote_units_data.keys().cloned().collect();
            resolver.add_relation(&spec.endpoint, id, &relation.remote_app, units);
        }
    }
    for secret in model.secrets.values() {
        let label = match secret.is_own() {
            true => secret.label.clone(),
            false => secret.consumer_label.clone().unwrap_or_default(),
        };
        let id = secret_id(&secret.id).unwrap_or_default();
        resolver.add_secret(id, &label);
    }
    steps.iter().map(|step| resolver.event(step)).collect()
}

/// What a scenario says of each container of the metadata.
fn containers(
    scenario: &Scenario,
    metadata: &Metadata,
) -> Result<BTreeMap<String, ContainerSpec>, Error> {
    let mut specs: BTreeMap<String, ContainerSpec> = BTreeMap::new();
    for spec in &scenario.state.containers {
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

fn model(
    options: &Options,
    scenario: &Scenario,
    charm: &Path,
    metadata: &Metadata,
) -> Result<Model, Error> {
    let kubernetes = !metadata.containers.is_empty();
    let said = scenario.juju_version.as_ref();
    let mut model = Model {
        name: options.model_name.clone(),
        uuid: uuid(),
        juju_version: said.unwrap_or(&options.juju_version).clone(),
        app: metadata.name.clone(),
        unit: format!("{}/0", metadata.name),
        kubernetes,
        leader: scenario.state.leader.unwrap_or(options.leader),
        endpoints: metadata.relations.keys().cloned().collect(),
        config: Config::load(charm)?,
        networks: Networks::of_substrate(kubernetes),
        ..Model::default()
    };
    build::apply(&scenario.state, &mut model)?;
    for (name, value) in &options.config {
        model.config.set(name, value)?;
    }
    let subordinate = read_map(&charm.join("metadata.yaml"))?
        .and_then(|metadata| metadata.get("subordinate").and_then(Value::as_bool));
    if subordinate == Some(true) {
        let mut principals = scenario.state.relations.iter().filter(|relation| {
            relation.remote_unit_id.is_some() || !relation.remote_unit_data.is_empty()
        });
        let principal = principals.next_back().map(|relation| {
            let app = relation
                .remote_app_name
                .as_deref()
                .unwrap_or(crate::event::REMOTE_APP);
            format!("{app}/{}", relation.remote_unit_id.unwrap_or_default())
        });
        let default = || format!("{}/0", crate::event::REMOTE_APP);
        model.principal = Some(principal.unwrap_or_else(default));
    }
    Ok(model)
}

/// Puts the files of resources where an agent has them.
fn resources(
    scenario: &Scenario,
    charm: &Path,
    dirs: &Dirs,
    model: &mut Model,
) -> Result<(), Error> {
    let metadata = read_map(&charm.join("metadata.yaml"))?.unwrap_or_default();
    let known = metadata.get("resources").and_then(Value::as_object);
    build::check_resources(&scenario.state.resources, known.unwrap_or(&Map::new()))?;
    for (name, file) in &scenario.state.resources {
        let source = Path::new(file);
        let dir = dirs.resources().join(name);
        let target = dir.join(source.file_name().unwrap_or_default());
        std::fs::create_dir_all(&dir)
            .and_then(|()| std::fs::copy(source, &target).map(drop))
            .map_err(|error| Error::io("copy the resource", source, error))?;
        let seen = dirs.seen(&target).display().to_string();
        model.resources.insert(name.clone(), seen);
    }
    Ok(())
}

/// Makes the place where the charm runs.
fn place(options: &Options, prepared: &Prepared, dirs: &Dirs, home: &Home) -> Result<Place, Error> {
    let Some(confine) = &options.confine else {
        return Ok(Place::Machine);
    };
    let bind = |source: PathBuf, target: &str, read_only| Bind {
        source,
        target: PathBuf::from(target),
        read_only,
    };
    let mut binds = vec![bind(dirs.home.clone(), INSIDE, false)];
    let kubernetes = !prepared.metadata.containers.is_empty();
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
        dirs.storage(id, &build::storage_kind(id, &prepared.metadata))?;
        binds.push(bind(dirs.storage_source(id), location, false));
    }
    // The packages of a charm in Python may be where the world has nothing.
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
    Ok(Place::IsolatedRoot(IsolatedRoot::start(&Spec {
        confine: confine.clone(),
        scratch: home.dir.path().to_path_buf(),
        binds,
        hostname: prepared.model.unit.replace('/', "-"),
        network,
    })?))
}

/// Makes the hook tools programs: links to the one that is all of them, which
/// is copied, as a world does not have all directories of the machine.
fn link_tools(options: &Options, dir: &Path) -> Result<(), Error> {
    let Some(program) = &options.hook_tool else {
        return Ok(());
    };
    let copy = dir.join("hook-tool");
    std::fs::copy(program, &copy).map_err(|source| Error::io("copy", program, source))?;
    for name in crate::tools::names() {
        let link = dir.join(name);
        std::os::unix::fs::symlink("hook-tool", &link)
            .map_err(|source| Error::io("make", link, source))?;
    }
    Ok(())
}

/// A random UUID, version 4.
fn uuid() -> String {
    let hex = random_hex();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}
