//! Options of a simulation.

use std::path::PathBuf;
use std::time::Duration;

use charmhost_sim_model::UnitView;

use crate::Interrupt;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// The charm: a directory with `metadata.yaml` and `dispatch` (or `hooks/`
    /// and `actions/`), or a `.charm` archive.
    pub target: PathBuf,
    /// What lists the charm's actions and endpoints, as errors name it:
    /// `charmcraft.yaml`, or `the charm` where that file is not at hand.
    pub declared_in: String,
    /// A file with the model, the events and what is expected.
    pub scenario: Option<PathBuf>,
    /// The events, in their order, before those of the scenario; none of both
    /// for a whole lifecycle. A hook is named like `config-changed`, an action like
    /// `NAME-action`, `actions/NAME` or `action:NAME`, with parameters as in
    /// `action:backup,count=3`.
    pub events: Vec<String>,
    /// Config options and their values, as they are typed.
    pub config: Vec<(String, String)>,
    /// Whether the unit leads its application, unless the scenario sets it.
    pub leader: bool,
    /// Whether hooks run although one has failed. Juju would first retry that
    /// one until it succeeds, and run nothing else but actions.
    pub keep_going: bool,
    /// How often a hook that failed is run again. Juju does so for ever.
    pub retries: u32,
    /// How long a dispatch may take. Juju has no limit.
    pub limit: Option<Duration>,
    /// The agent's version of Juju, unless the scenario sets it.
    pub juju_version: String,
    /// The model's name.
    pub model_name: String,
    /// The way in which `dispatch` of this host calls hook tools, if it is forced.
    pub hook_tools: Option<HookTools>,
    /// The program that is every hook tool, by the name it is called by, for
    /// charms that start programs.
    pub hook_tool: Option<PathBuf>,
    /// The program `confine`, which isolates units; none to run everything on this
    /// machine itself.
    pub confine: Option<PathBuf>,
    /// Which network an isolated unit has; by default a
    /// Kubernetes charm has its own, as a pod has, and a machine charm the machine's.
    pub network: Option<Network>,
    /// The Pebble program, for workload containers.
    pub pebble: Option<PathBuf>,
    /// Whether values of secrets are reported as they are.
    pub show_secrets: bool,
    /// Where the simulation makes its directory; none for the system's directory of temporary files.
    pub scratch: Option<PathBuf>,
    /// What ends the simulation early; none if nothing does.
    pub interrupt: Option<Interrupt>,
}

/// A way to call hook tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookTools {
    /// The agent's socket.
    Rpc,
    /// The programs on `PATH`.
    Exec,
}

/// A network of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The machine's.
    Host,
    /// Its own, with nothing but loopback.
    Private,
}

impl Default for Options {
    /// The whole lifecycle of a leader, five minutes at most for each dispatch, with
    /// the programs `hook-tool`, `confine` and `pebble` that are beside this
    /// one, if they are; `pebble` may also be on `PATH`.
    fn default() -> Self {
        let model = UnitView::default();
        Options {
            target: PathBuf::new(),
            declared_in: "the charm".to_owned(),
            scenario: None,
            events: Vec::new(),
            config: Vec::new(),
            leader: true,
            keep_going: false,
            retries: 0,
            limit: Some(Duration::from_secs(300)),
            juju_version: model.juju_version,
            model_name: model.name,
            hook_tools: None,
            hook_tool: beside("hook-tool"),
            confine: beside("confine"),
            network: None,
            pebble: beside("pebble").or_else(|| on_path("pebble")),
            show_secrets: false,
            scratch: None,
            interrupt: None,
        }
    }
}

fn beside(name: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(name);
    path.is_file().then_some(path)
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut candidates = std::env::split_paths(&path).map(|dir| dir.join(name));
    candidates.find(|candidate| candidate.is_file())
}
