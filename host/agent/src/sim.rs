//! A whole simulation.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charmhost_archive::Archive;
use charmhost_juju::Metadata;
use tempfile::TempDir;

use crate::Error;
use crate::files::copy_tree;
use crate::life::{self, Event};
use crate::model::{Actions, Config, Model};
use crate::report::{ModelRecord, Observer, Report};
use crate::unit::{Dirs, Unit, random_hex};

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// The charm: a directory with `metadata.yaml` and `dispatch` (or `hooks/`
    /// and `actions/`), or a `.charm` archive.
    pub target: PathBuf,
    /// The events, in their order; none for a whole life. A hook is named as
    /// `config-changed`, an action as `NAME-action`, `actions/NAME` or
    /// `action:NAME`, with parameters as in `action:backup,count=3`.
    pub events: Vec<String>,
    /// Config options and their values, as they are typed.
    pub config: Vec<(String, String)>,
    /// Whether the unit leads its application.
    pub leader: bool,
    /// Whether hooks run although one has failed. Juju would first retry that
    /// one until it succeeds, and run nothing else but actions.
    pub keep_going: bool,
    /// How long a dispatch may take. Juju has no limit.
    pub limit: Option<Duration>,
    /// The agent's version of Juju.
    pub juju_version: String,
    /// The model's name.
    pub model_name: String,
    /// The program that is every hook tool, by the name it is called by, for
    /// charms that start programs.
    pub hook_tool: Option<PathBuf>,
}

impl Default for Options {
    /// The whole life of a leader, five minutes at most for each dispatch, with
    /// the program `hook-tool` that is beside this one, if it is.
    fn default() -> Self {
        let model = Model::default();
        let this = std::env::current_exe().ok();
        let beside = this.map(|this| this.with_file_name("hook-tool"));
        Options {
            target: PathBuf::new(),
            events: Vec::new(),
            config: Vec::new(),
            leader: true,
            keep_going: false,
            limit: Some(Duration::from_secs(300)),
            juju_version: model.juju_version,
            model_name: model.name,
            hook_tool: beside.filter(|program| program.is_file()),
        }
    }
}

/// Runs a charm through the life of a unit, or through the events named.
///
/// The charm is copied first: what it writes goes to the copy, which is removed
/// at the end. Everything that can be wrong with the options is found before
/// anything runs.
pub fn run(options: &Options, observer: &mut dyn Observer) -> Result<Report, Error> {
    let home = Home::new()?;
    let charm = stage(&options.target, home.dir.path())?;
    let metadata = Metadata::load(&charm)?;
    let model = model(options, &charm, &metadata)?;
    let events = events(options, &charm, &metadata, &model)?;
    let dirs = home.dirs(&charm, &metadata.name)?;
    link_tools(options, &dirs.tools)?;
    let mut unit = Unit {
        model,
        dirs,
        limit: options.limit,
        keep_going: options.keep_going,
        actions: Vec::new(),
    };
    observer.unit_made(&unit.model);
    let mut dispatches = Vec::new();
    for event in &events {
        dispatches.extend(unit.run(event, observer)?);
    }
    let report = Report {
        dispatches,
        model: ModelRecord::new(&unit.model, unit.actions),
    };
    observer.finished(&report);
    home.remove()?;
    Ok(report)
}

/// Puts the charm where nobody else uses it.
fn stage(target: &Path, home: &Path) -> Result<PathBuf, Error> {
    let refuse = |detail: String| Error::Target {
        target: target.to_path_buf(),
        detail,
    };
    let staged = home.join("staged");
    if target.is_file() {
        let unpacked = Archive::open(target).and_then(|mut archive| archive.unpack(&staged));
        unpacked.map_err(|error| refuse(error.to_string()))?;
        return Ok(staged);
    }
    if !target.exists() {
        return Err(refuse("there is no such file or directory".to_owned()));
    }
    if !target.join("metadata.yaml").exists() {
        let detail = if target.join("charmcraft.yaml").exists() {
            "it is a project and no charm yet: build it first"
        } else {
            "it has no metadata.yaml; a charm's directory has one"
        };
        return Err(refuse(detail.to_owned()));
    }
    copy_tree(target, &staged)?;
    Ok(staged)
}

fn model(options: &Options, charm: &Path, metadata: &Metadata) -> Result<Model, Error> {
    let mut config = Config::load(charm)?;
    for (name, value) in &options.config {
        config.set(name, value)?;
    }
    Ok(Model {
        name: options.model_name.clone(),
        uuid: uuid(),
        juju_version: options.juju_version.clone(),
        app: metadata.name.clone(),
        unit: format!("{}/0", metadata.name),
        kubernetes: !metadata.containers.is_empty(),
        leader: options.leader,
        endpoints: metadata.relations.keys().cloned().collect(),
        config,
        ..Model::default()
    })
}

fn events(
    options: &Options,
    charm: &Path,
    metadata: &Metadata,
    model: &Model,
) -> Result<Vec<Event>, Error> {
    let actions = Actions::load(charm)?;
    if options.events.is_empty() {
        return Ok(life::whole(model, &actions));
    }
    let named = options.events.iter();
    named
        .map(|text| life::parse(text, metadata, &actions))
        .collect()
}

/// Makes the hook tools programs: links to the one that is all of them.
fn link_tools(options: &Options, dir: &Path) -> Result<(), Error> {
    let Some(program) = &options.hook_tool else {
        return Ok(());
    };
    let program =
        std::path::absolute(program).map_err(|source| Error::io("find", program, source))?;
    for name in crate::tools::names() {
        let link = dir.join(name);
        std::os::unix::fs::symlink(&program, &link)
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

/// The directory of everything that the simulation makes.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Result<Self, Error> {
        let private = std::fs::Permissions::from_mode(0o700);
        let made = tempfile::Builder::new()
            .prefix("charmhost-sim-")
            .permissions(private)
            .tempdir();
        let dir =
            made.map_err(|source| Error::io("make a directory in", std::env::temp_dir(), source))?;
        Ok(Home { dir })
    }

    /// Gives the staged charm its place, and makes the directories beside it.
    fn dirs(&self, staged: &Path, app: &str) -> Result<Dirs, Error> {
        let home = self.dir.path();
        let agent = home.join("agents").join(format!("unit-{app}-0"));
        let tools = home.join("tools").join(format!("unit-{app}-0"));
        for dir in [&agent, &tools] {
            std::fs::create_dir_all(dir).map_err(|source| Error::io("make", dir, source))?;
        }
        let charm = agent.join("charm");
        std::fs::rename(staged, &charm).map_err(|source| Error::io("move", staged, source))?;
        // Not beside the charm: the path of a socket has 107 bytes at most,
        // and the name of an application can be long.
        let socket = home.join("agent.socket");
        Ok(Dirs {
            charm,
            tools,
            socket,
        })
    }

    /// Removes everything, also what the charm made read-only.
    fn remove(self) -> Result<(), Error> {
        let path = self.dir.path().to_path_buf();
        if self.dir.close().is_ok() {
            return Ok(());
        }
        make_removable(&path);
        std::fs::remove_dir_all(&path).map_err(|source| Error::io("remove", path, source))
    }
}

/// Nothing can be removed from a directory that cannot be written.
fn make_removable(dir: &Path) {
    let writable = std::fs::Permissions::from_mode(0o700);
    // What stays as it was shows in the attempt to remove it.
    let _ = std::fs::set_permissions(dir, writable);
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_removable(&entry.path());
        }
    }
}
