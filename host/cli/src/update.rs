//! `charmhost update`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::{output, sdk};

/// Arguments of `charmhost update`.
#[derive(clap::Args)]
pub struct Args {
    /// The project of a charm or a library in Rust
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// Replaces the SDK of a project with the one of this program.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let dir = args.dir.join(sdk::DIR);
    let Ok(old) = std::fs::read_to_string(dir.join("Cargo.toml")) else {
        bail!(
            "cannot update {}: it has no {}, where `charmhost new` puts the SDK; run this in a project that it has made",
            args.dir.display(),
            sdk::DIR
        );
    };
    sdk::install(&args.dir)?;
    let (old, new) = (sdk::version(&old), sdk::version(sdk::manifest()));
    output::print(&format!(
        "{}: SDK {new} of charmhost {} in place of {old}",
        dir.display(),
        env!("CARGO_PKG_VERSION")
    ))?;
    Ok(ExitCode::SUCCESS)
}
