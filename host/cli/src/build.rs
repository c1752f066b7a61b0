//! `charmhost build`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use charmhost_builder::{Architecture, Options};

use crate::{output, project};

/// Arguments of `charmhost build`.
#[derive(clap::Args)]
pub struct Args {
    /// The charm project
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Output directory [default: DIR/build]
    #[arg(long, short, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Options that select what a charm is built from and for.
#[derive(clap::Args)]
pub struct Target {
    /// Architecture of the units: amd64 or arm64 [default: this machine's]
    #[arg(long = "target", value_name = "ARCH")]
    pub architecture: Option<Architecture>,
    /// Path of the dispatch program to include [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub dispatch: Option<PathBuf>,
    /// Path of the charm's component, if another toolchain has built it
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
}

impl Target {
    /// How to build the project in `dir`, with what the environment adds:
    /// `CHARMHOST_DISPATCH` names a dispatch program, and paths of Cargo's home
    /// are to be removed from components.
    pub fn options(&self, dir: &Path, output: &Path, architecture: Architecture) -> Options {
        let var = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let dispatch = self.dispatch.clone();
        let program = std::env::current_exe().unwrap_or_default();
        Options {
            dir: dir.to_path_buf(),
            output: output.to_path_buf(),
            architecture,
            dispatch: dispatch.or_else(|| var("CHARMHOST_DISPATCH")),
            program_dir: program.parent().unwrap_or(Path::new(".")).to_path_buf(),
            cargo_home: var("CARGO_HOME").or_else(|| Some(var("HOME")?.join(".cargo"))),
            component: self.component.clone(),
        }
    }
}

/// Builds a project.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let is_project = args.dir.join("Cargo.toml").is_file() || args.target.component.is_some();
    if !is_project && args.dir.is_dir() {
        project::require(&args.dir)?;
    }
    let architecture = args.target.architecture.unwrap_or(Architecture::host());
    let output = args.output.clone();
    let output = output.unwrap_or_else(|| args.dir.join("build"));
    let options = args.target.options(&args.dir, &output, architecture);
    let built = charmhost_builder::build(&options, &mut |step| output::progress(&step))?;
    let built = output::built(&built, architecture);
    output::print(&format!("{}: {built}", options.output.display()))?;
    Ok(ExitCode::SUCCESS)
}
