//! `charmhost build`.

use std::path::PathBuf;
use std::process::ExitCode;

use charmhost_builder::{Architecture, Options};

use crate::{output, project};

/// What to build, and where to.
#[derive(clap::Args)]
pub struct Args {
    /// The charm project
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Where the built charm goes [default: DIR/build]
    #[arg(long, short, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// For which units.
#[derive(clap::Args)]
pub struct Target {
    /// The architecture of the units: amd64 or arm64 [default: this machine's]
    #[arg(long = "target", value_name = "ARCH")]
    pub architecture: Option<Architecture>,
    /// The dispatch program to put in [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub dispatch: Option<PathBuf>,
    /// The component of the charm, if another toolchain has built it
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
}

/// Builds a project.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let is_project = args.dir.join("Cargo.toml").is_file() || args.target.component.is_some();
    if !is_project && args.dir.is_dir() {
        project::require(&args.dir)?;
    }
    let architecture = args.target.architecture.unwrap_or(Architecture::host());
    let options = Options {
        dir: args.dir.clone(),
        output: args
            .output
            .clone()
            .unwrap_or_else(|| args.dir.join("build")),
        architecture,
        dispatch: args.target.dispatch.clone(),
        component: args.target.component.clone(),
    };
    let built = charmhost_builder::build(&options, &mut |step| output::progress(&step))?;
    let built = output::built(&built, architecture);
    output::print(&format!("{}: {built}", options.output.display()))?;
    Ok(ExitCode::SUCCESS)
}
