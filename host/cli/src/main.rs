//! The `charmhost` command.

mod build;
mod inspect;
mod native;
mod new;
mod output;
mod pack;
mod project;
mod python;
mod sdk;
mod sim;
mod staged;
mod update;

use std::process::ExitCode;

use charmhost_error_chain::ErrorChain;
use clap::{Parser, Subcommand};

/// Run Juju charms as WebAssembly: make, build, pack, inspect and simulate them.
#[derive(Parser)]
#[command(name = "charmhost", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a new charm in Rust, ready to build, run and pack
    New(new::Args),
    /// Build a charm project: `dispatch`, the compiled charm, and its settings
    Build(build::Args),
    /// Build a charm project and pack it as a .charm archive
    Pack(pack::Args),
    /// Print the limits, state settings and grants of a charm
    Inspect(inspect::Args),
    /// Run a charm through the lifecycle of a unit, without Juju
    Sim(sim::Args),
    /// Replace the SDK of a Rust project with the one of this program
    Update(update::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::New(args) => new::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Pack(args) => pack::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Update(args) => update::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let error: &dyn std::error::Error = error.as_ref();
            output::print_error(&format!("ERROR {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}
