//! `charmhost sim`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use charmhost_sim::{HookTools, Interrupt, Model, Network, Options, Timeline};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::build::Target;
use crate::{native, output, project, staged};

/// Arguments of `charmhost sim`.
#[derive(clap::Args)]
pub struct Args {
    /// A charm project, a directory with an unpacked charm, or a .charm archive;
    /// several are deployed in one model and related
    #[arg(default_value = ".")]
    targets: Vec<PathBuf>,
    /// A YAML file with the model, the events and the expectations
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Two endpoints to relate, in the form APP:ENDPOINT APP:ENDPOINT; can be given several
    /// times [default: each endpoint with the only one that matches]
    #[arg(long, num_args = 2, value_names = ["APP:ENDPOINT", "APP:ENDPOINT"])]
    relate: Vec<String>,
    /// An event to run instead of the default lifecycle; can be given several
    /// times. A hook name, for example config-changed, or an action name followed
    /// by -action
    #[arg(long = "event", value_name = "NAME")]
    events: Vec<String>,
    /// A configuration option and its value; can be given several times
    #[arg(long = "config", value_name = "K=V", value_parser = pair)]
    config: Vec<(String, String)>,
    /// The unit is not the leader
    #[arg(long)]
    follower: bool,
    /// Transport of hook tools: the agent's socket, or programs. It has no effect
    /// on charms that are not run by charmhost's dispatch [default: the charm's
    /// choice]
    #[arg(long, value_enum, value_name = "HOW")]
    hook_tools: Option<Tools>,
    /// Run the charm on this machine itself: it can then change and delete
    /// every file that you can
    #[arg(long)]
    unconfined: bool,
    /// Network of the isolated unit [default: private for a Kubernetes charm; host
    /// for a machine charm, because most install packages]
    #[arg(long, value_enum, value_name = "WHICH", conflicts_with = "unconfined")]
    network: Option<Net>,
    /// Time limit of a hook or action in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0, value_parser = seconds)]
    timeout: f64,
    /// Number of retries of a failed hook
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Continue with the next event after a failed hook
    #[arg(long)]
    keep_going: bool,
    /// Print the content of secrets instead of digests
    #[arg(long)]
    show_secrets: bool,
    /// The Pebble program for workload containers [default: the one beside this
    /// program, or on PATH]
    #[arg(long, value_name = "FILE")]
    pebble: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    build: Target,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A timeline, printed while the simulation runs
    Text,
    /// One JSON document, printed at the end
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tools {
    /// By the agent's socket
    Rpc,
    /// As programs on PATH
    Exec,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Net {
    /// The machine's, including services on its loopback interface and abstract
    /// sockets, for example of X11 and D-Bus. Not for charms that you do not
    /// trust
    Host,
    /// A new one with only a loopback interface
    Private,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds < 1e9 => Ok(seconds),
        _ => Err("it must be a number of seconds above 0".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it must be an option and its value, for example port=8080".to_owned()),
    }
}

/// Runs a charm, or several. The exit code is 0 when every dispatch succeeded and
/// everything expected came.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let interrupt = interrupted_by_signals(scratch.path().to_path_buf())?;
    let mut options = options(args)?;
    options.scratch = Some(scratch.path().to_path_buf());
    let succeeded = match model(args, &options, scratch.path())? {
        Some(model) => {
            options.interrupt = Some(interrupt.clone());
            run_model(args, &model, &options)
        }
        None => run_unit(args, &mut options, &interrupt, scratch.path()),
    };
    if let Some(signal) = interrupt.signal() {
        return Ok(exit_code(signal));
    }
    Ok(match succeeded? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Runs one unit of one charm.
fn run_unit(
    args: &Args,
    options: &mut Options,
    interrupt: &Interrupt,
    scratch: &Path,
) -> anyhow::Result<bool> {
    let target = args.target()?;
    if !args.relate.is_empty() {
        bail!("cannot relate anything: --relate is for several charms");
    }
    let kind = kind(target, &args.build)?;
    if !matches!(kind, Kind::Charm) {
        // Invalid options are reported before a build begins.
        options.target = scratch.join("documents");
        std::fs::create_dir(&options.target).context("cannot make a temporary directory")?;
        project::write_documents(target, &options.target)?;
        charmhost_sim::check(options)?;
    }
    options.target = prepare(target, &args.build, kind, scratch)?;
    options.interrupt = Some(interrupt.clone());
    let report = match args.format {
        Format::Text => charmhost_sim::run(options, &mut Timeline::stdout())?,
        Format::Json => charmhost_sim::run(options, &mut ())?,
    };
    if args.format == Format::Json {
        output::print(&serde_json::to_string_pretty(&report)?)?;
    }
    Ok(report.succeeded())
}

/// Runs the units of several charms in one model.
fn run_model(args: &Args, model: &Model, options: &Options) -> anyhow::Result<bool> {
    let report = match args.format {
        Format::Text => charmhost_sim::run_model(model, options, &mut Timeline::stdout())?,
        Format::Json => charmhost_sim::run_model(model, options, &mut ())?,
    };
    if args.format == Format::Json {
        output::print(&serde_json::to_string_pretty(&report)?)?;
    }
    Ok(report.succeeded())
}

/// The model of several charms, each ready to be run: of a scenario with `model:`,
/// or of the charms on the command line. None for one charm.
fn model(args: &Args, options: &Options, scratch: &Path) -> anyhow::Result<Option<Model>> {
    let of_scenario = args.scenario.as_deref().map(Model::read).transpose()?;
    let ready = |target: &Path, name: &str| {
        let dir = scratch.join("charms").join(name);
        std::fs::create_dir_all(&dir).context("cannot make a temporary directory")?;
        prepare(target, &args.build, kind(target, &args.build)?, &dir)
    };
    let model = match (of_scenario.flatten(), args.targets.as_slice()) {
        (Some(mut model), [only]) if only == Path::new(".") => {
            for (app, charm) in model.charms() {
                model.set_charm(&app, ready(&charm, &app)?);
            }
            model
        }
        (Some(_), _) => bail!(
            "cannot run these charms with this scenario: its `model:` names the charms; leave them out of the command"
        ),
        (None, [_]) => return Ok(None),
        (None, _) if args.scenario.is_some() => {
            bail!("cannot run several charms with this scenario: name them in its `model:`")
        }
        (None, targets) => {
            let numbered = targets.iter().enumerate();
            let charms = numbered.map(|(place, target)| ready(target, &place.to_string()));
            let charms: Vec<PathBuf> = charms.collect::<anyhow::Result<_>>()?;
            let pairs = args.relate.chunks(2).map(|pair| pair.join(" "));
            Model::of_charms(&charms, &pairs.collect::<Vec<_>>(), options)?
        }
    };
    let ignored = [
        (!args.events.is_empty(), "--event"),
        (!args.config.is_empty(), "--config"),
        (args.follower, "--follower"),
        (args.build.component.is_some(), "--component"),
    ];
    if let Some((_, flag)) = ignored.iter().find(|(given, _)| *given) {
        bail!("cannot use {flag} with several charms: write it in a scenario with `model:`");
    }
    Ok(Some(model))
}

impl Args {
    /// The only charm.
    fn target(&self) -> anyhow::Result<&Path> {
        let target = self
            .targets
            .first()
            .context("cannot run anything: name a charm")?;
        Ok(target)
    }
}

/// Time that an interrupted simulation has to clean up.
const GRACE: Duration = Duration::from_secs(10);

/// Ends the simulation on a signal. If it does not end in time, the process exits
/// anyway; its namespaces end by themselves.
fn interrupted_by_signals(scratch: PathBuf) -> anyhow::Result<Interrupt> {
    let interrupt = Interrupt::new().context("cannot make an event file")?;
    let hangup = (!ignores_hangup()).then_some(SIGHUP);
    let signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup));
    let mut signals = signals.context("cannot listen for Ctrl-C")?;
    let raised = interrupt.clone();
    std::thread::spawn(move || {
        let Some(signal) = signals.forever().next() else {
            return;
        };
        let deadline = Instant::now() + GRACE;
        if raised.raise(signal) {
            while Instant::now() < deadline && signals.pending().next().is_none() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        raised.remove_link();
        // Whatever cannot be removed is in the system's temporary directory.
        let _ = std::fs::remove_dir_all(&scratch);
        std::process::exit(128 + signal);
    });
    Ok(interrupt)
}

/// Whether this process ignores SIGHUP, for example under `nohup`.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let ignored = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 << (SIGHUP - 1) != 0)
}

fn exit_code(signal: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
}

fn options(args: &Args) -> anyhow::Result<Options> {
    let defaults = Options::default();
    let confine = match args.unconfined {
        true => None,
        false => Some(defaults.confine.clone().context(
            "cannot isolate the charm: the program confine is not beside charmhost; put it there, or run the charm on this machine itself with --unconfined",
        )?),
    };
    if let Some(pebble) = args.pebble.as_ref().filter(|pebble| !pebble.is_file()) {
        bail!(
            "cannot use {} as Pebble: there is no such file",
            pebble.display()
        );
    }
    let declared_in = match args.target()?.join("charmcraft.yaml").is_file() {
        true => "charmcraft.yaml".to_owned(),
        false => defaults.declared_in.clone(),
    };
    Ok(Options {
        declared_in,
        scenario: args.scenario.clone(),
        events: args.events.clone(),
        config: args.config.clone(),
        leader: !args.follower,
        keep_going: args.keep_going,
        retries: args.retries,
        limit: Some(Duration::from_secs_f64(args.timeout)),
        hook_tools: args.hook_tools.map(|tools| match tools {
            Tools::Rpc => HookTools::Rpc,
            Tools::Exec => HookTools::Exec,
        }),
        confine,
        network: args.network.map(|network| match network {
            Net::Host => Network::Host,
            Net::Private => Network::Private,
        }),
        pebble: args.pebble.clone().or(defaults.pebble.clone()),
        show_secrets: args.show_secrets,
        ..defaults
    })
}

/// Kind of a target.
enum Kind {
    /// A packed charm: an archive, or an unpacked one in a directory.
    Charm,
    /// A project that runs without a build.
    Native(native::Kind),
    /// A project that is compiled.
    Compiled,
}

fn kind(target: &Path, build: &Target) -> anyhow::Result<Kind> {
    if !target.exists() {
        bail!(
            "cannot run {}: there is no such file or directory",
            target.display()
        );
    }
    let has = |name: &str| target.join(name).exists();
    let is_compiled = build.component.is_some();
    let is_project = has("charmcraft.yaml") && (has("Cargo.toml") || is_compiled);
    let is_charm = has("metadata.yaml") && (has("dispatch") || has("hooks"));
    if target.is_file() || is_charm && !is_project {
        return Ok(Kind::Charm);
    }
    if let Some(kind) = native::kind(target).filter(|_| !is_compiled) {
        return Ok(Kind::Native(kind));
    }
    if has("metadata.yaml") && !has("charmcraft.yaml") {
        return Ok(Kind::Charm);
    }
    project::require(target)?;
    if !is_project {
        native::reject(target)?;
    }
    Ok(Kind::Compiled)
}

/// Builds or lays out the target, and returns the directory or archive to run.
fn prepare(target: &Path, build: &Target, kind: Kind, scratch: &Path) -> anyhow::Result<PathBuf> {
    let charm = scratch.join("charm");
    match kind {
        Kind::Charm => return Ok(target.to_path_buf()),
        Kind::Native(kind) => native::stage(target, &kind, &charm)?,
        Kind::Compiled => {
            let staged = staged::stage(target, build, &scratch.join("built"))?;
            std::fs::create_dir(&charm).context("cannot make a temporary directory")?;
            staged.unpack(&charm)?;
        }
    }
    Ok(charm)
}
