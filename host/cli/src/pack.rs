//! `charmhost pack`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use charmhost_runtime::Settings;

use crate::build::Target;
use crate::{output, project, staged};

/// Arguments of `charmhost pack`.
#[derive(clap::Args)]
pub struct Args {
    /// The charm project
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The archive [default: NAME_PLATFORM.charm in the current directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Packs a project.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    project::require(&args.dir)?;
    let settings = Settings::load(&args.dir)?;
    let staged = staged::stage(&args.dir, &args.target, scratch.path())?;
    let architecture = staged.architecture;
    let archive = match &args.output {
        Some(archive) => archive.clone(),
        None => staged
            .project
            .platform_file_name(architecture.name())?
            .into(),
    };
    let built = output::built(&staged.built, architecture);
    charmhost_archive::pack(&archive, staged.entries)?;
    let bytes = std::fs::metadata(&archive)
        .map(|metadata| metadata.len())
        .unwrap_or(0);
    let grants = output::grants(&settings.grants);
    let size = output::size(bytes);
    output::print(&format!("{}: {size}; {built}\n{grants}", archive.display()))?;
    Ok(ExitCode::SUCCESS)
}
