//! `charmhost sim`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use charmhost_agent::{Options, Report, Timeline};

use crate::build::Target;
use crate::{native, staged};

/// What to run, and through which events.
#[derive(clap::Args)]
pub struct Args {
    /// A charm project, a directory with an unpacked charm, or a .charm archive
    target: PathBuf,
    /// An event to run instead of the default life; can be given several times.
    /// A hook's name, as config-changed, or an action's followed by -action
    #[arg(long = "event", value_name = "NAME")]
    events: Vec<String>,
    /// A configuration option's value; can be given several times
    #[arg(long = "config", value_name = "K=V", value_parser = pair)]
    config: Vec<(String, String)>,
    /// The unit is not the leader
    #[arg(long)]
    follower: bool,
    /// How the result is told
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    build: Target,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A timeline, while it runs
    Text,
    /// One JSON document, at the end
    Json,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it must be an option and its value, as port=8080".to_owned()),
    }
}

/// Runs a charm. The exit code is 0 when every dispatch succeeded.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let target = prepare(args, scratch.path())?;
    let options = Options {
        target,
        events: args.events.clone(),
        config: args.config.clone(),
        leader: !args.follower,
        ..Options::default()
    };
    let report = match args.format {
        Format::Text => charmhost_agent::run(&options, &mut Timeline::stdout())?,
        Format::Json => {
            let report = charmhost_agent::run(&options, &mut ())?;
            print_json(&report)?;
            report
        }
    };
    Ok(if report.succeeded() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print_json(report: &Report) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, report)?;
    writeln!(stdout)?;
    Ok(())
}

/// A charm that can be run: built first, if the target is a project.
fn prepare(args: &Args, scratch: &std::path::Path) -> anyhow::Result<PathBuf> {
    let target = &args.target;
    if !target.exists() {
        bail!(
            "cannot run {}: there is no such file or directory",
            target.display()
        );
    }
    let charm = scratch.join("charm");
    if target.is_file() || !target.join("charmcraft.yaml").is_file() {
        return Ok(target.clone());
    }
    if target.join("metadata.yaml").is_file() && target.join("dispatch").exists() {
        return Ok(target.clone());
    }
    if let Some(kind) = native::kind(target) {
        native::stage(target, &kind, &charm)?;
        return Ok(charm);
    }
    if !target.join("Cargo.toml").is_file() {
        native::refuse(target)?;
    }
    let staged = staged::stage(target, &args.build, &scratch.join("built"))?;
    std::fs::create_dir(&charm).context("cannot make a temporary directory")?;
    staged.unpack(&charm)?;
    Ok(charm)
}
