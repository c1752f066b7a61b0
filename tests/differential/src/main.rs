//! Runs scenarios through a charm on this host and its reference on Python `ops`,
//! under the same simulated agent, and compares the two: hook-tool calls in their
//! order, logs, exit codes, and the resulting model.
//!
//! A difference fails a scenario unless `differences.yaml` lists it with a
//! reason; a listed difference that is not needed fails the run.

// What it prints is its report.
#![allow(clippy::print_stderr, clippy::print_stdout)]

mod compare;
mod differences;
mod record;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use clap::Parser;

use crate::differences::Differences;
use crate::run::Subjects;

/// Compare charms on this host with their references on Python ops.
#[derive(Parser)]
struct Args {
    /// Run only scenarios whose name contains this
    name: Option<String>,
    /// Path of the charmhost program
    #[arg(long, default_value = "dist/charmhost")]
    charmhost: PathBuf,
    /// Path of the dispatch program [default: the one beside charmhost]
    #[arg(long)]
    dispatch: Option<PathBuf>,
    /// The directory with the scenarios, the references on Python ops, and the listed differences
    #[arg(long, default_value = "tests/differential")]
    dir: PathBuf,
    /// Stop at the first scenario that fails
    #[arg(long)]
    fail_fast: bool,
    /// Number of scenarios that run in parallel
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

fn main() -> ExitCode {
    match compare_all(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all scenarios agree.
fn compare_all(args: &Args) -> anyhow::Result<bool> {
    let differences = Differences::read(&args.dir.join("differences.yaml"))?;
    let scenarios = run::scenarios(&args.dir.join("scenarios"), args.name.as_deref())?;
    let subjects = Subjects::prepare(args, &scenarios)?;
    let failures = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failed = |failures: &Mutex<Vec<String>>| {
                        failures.lock().map(|list| !list.is_empty()).unwrap_or(true)
                    };
                    if args.fail_fast && failed(&failures) {
                        break;
                    }
                    let found = subjects
                        .run(scenario)
                        .map(|pair| compare::compare(&scenario.name, &pair, &differences));
                    let report = match found {
                        Ok(found) if found.is_empty() => {
                            println!("ok    {}", scenario.name);
                            continue;
                        }
                        Ok(found) => found.join("\n"),
                        Err(error) => format!("  {error:#}"),
                    };
                    println!("FAIL  {}\n{report}", scenario.name);
                    if let Ok(mut list) = failures.lock() {
                        list.push(scenario.name.clone());
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().ok().context("a thread panicked")?;
    println!(
        "{} of {} scenarios agree",
        scenarios.len() - failures.len(),
        scenarios.len()
    );
    let unused = differences.unused();
    if args.name.is_none() && failures.is_empty() && !unused.is_empty() {
        println!(
            "differences.yaml lists what no scenario needs: {}",
            unused.join("; ")
        );
        return Ok(false);
    }
    Ok(failures.is_empty())
}
