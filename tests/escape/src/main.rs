//! Runs a guest that tries to leave its sandbox: every attempt under every grant
//! that could help it and over both hook-tool transports, with and without
//! Landlock.
//!
//! A guest has escaped if it logs that it obtained something forbidden; or if
//! anything outside has changed or was reached, whatever it logs; or if the process
//! exceeded its limits.
//!
//! With `--control`, it runs the attempts that the named guards block, against a
//! `dispatch` from which patches have removed them: each must succeed.

mod agent;
mod flags;
mod judge;
mod kernel;
mod machine;
mod network;
mod process;
mod setups;
mod snapshot;
mod ways;
mod worker;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::{Context, bail};
use clap::Parser;

use judge::Verdict;
use process::{PATIENCE, UNGUARDED_PATIENCE};
use ways::Way;
use worker::{Cell, Worker};

/// Run a guest that tries to leave its sandbox.
#[derive(Parser)]
struct Args {
    /// Path of the dispatch program [default: the one in dist]
    #[arg(long, value_name = "FILE")]
    dispatch: Option<PathBuf>,
    /// Run only the attempts that these guards block, which must now succeed
    #[arg(long, value_name = "GUARDS", value_delimiter = ',')]
    control: Vec<String>,
    /// Run only attempts whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// List the attempts and their guards
    #[arg(long)]
    list: bool,
    /// Print the result of each attempt
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<bool> {
    let built = charmhost_tests::build("tests/guests/escape", "escape")?;
    if let Some(dispatch) = &args.dispatch {
        std::fs::copy(dispatch, built.join("dispatch")).context("cannot copy the program")?;
    }
    let mut ways = Worker::new(&built, true, PATIENCE)?.ways()?;
    check(&ways)?;
    ways.retain(|way| args.only.iter().all(|text| way.name.contains(text)));
    ways.retain(|way| args.control.is_empty() || args.control.contains(&way.control));
    if args.list {
        for way in &ways {
            println!("{}\t{}\t{}", way.control, way.name, way.setups.join(" "));
        }
        return Ok(true);
    }
    match args.control.is_empty() {
        true => escape(&built, &ways, args.verbose),
        false => control(&built, &ways, args.verbose),
    }
}

/// The names must be right, or nothing is tested.
fn check(ways: &[Way]) -> anyhow::Result<()> {
    let names: BTreeSet<&str> = ways.iter().map(|way| way.name.as_str()).collect();
    if names.len() != ways.len() {
        bail!("two ways have the same name");
    }
    for way in ways {
        if way.setups.is_empty() {
            bail!("{} is tried under nothing", way.name);
        }
        for setup in &way.setups {
            setups::find(setup).with_context(|| format!("{} has no set-up {setup}", way.name))?;
        }
    }
    Ok(())
}

/// Makes all attempts, and expects that none succeeds.
fn escape(built: &Path, ways: &[Way], verbose: bool) -> anyhow::Result<bool> {
    let cells: Vec<Cell> = ways.iter().flat_map(Cell::of).collect();
    let found: Mutex<Vec<String>> = Mutex::default();
    let pass = |walled: bool| -> anyhow::Result<usize> {
        // The filter is the thread's, and of the programs that it starts.
        if !walled {
            kernel::hide_landlock()?;
        }
        let wall = if walled { "" } else { ", without Landlock" };
        let mut worker = Worker::new(built, walled, PATIENCE)?;
        worker.check_setups(ways)?;
        for cell in &cells {
            let verdict = worker.attempt(cell)?;
            if verbose {
                println!("{cell}{wall}: {verdict}");
            }
            if !verdict.is_held() {
                println!("{cell}{wall}: {verdict}");
                let mut found = found.lock().unwrap_or_else(|error| error.into_inner());
                found.push(cell.way.name.clone());
            }
        }
        Ok(cells.len())
    };
    let attempts = std::thread::scope(|scope| -> anyhow::Result<usize> {
        let threads = [true, false].map(|walled| scope.spawn(move || pass(walled)));
        let mut attempts = 0;
        for thread in threads {
            attempts += thread.join().ok().context("a thread has panicked")??;
        }
        Ok(attempts)
    })?;
    let found = found
        .into_inner()
        .unwrap_or_else(|error| error.into_inner());
    let escaped: BTreeSet<&String> = found.iter().collect();
    if !escaped.is_empty() {
        let names: Vec<&str> = escaped.iter().map(|name| name.as_str()).collect();
        println!("{} ways out: {}", escaped.len(), names.join(", "));
    }
    println!("{} ways, {} tried each time", ways.len(), cells.len());
    println!("{attempts} attempts, {} escaped", found.len());
    Ok(found.is_empty() && attempts > 0)
}

/// Makes each attempt until it succeeds, and expects that each does.
fn control(built: &Path, ways: &[Way], verbose: bool) -> anyhow::Result<bool> {
    kernel::hide_landlock()?;
    let mut worker = Worker::new(built, false, UNGUARDED_PATIENCE)?;
    let mut works = 0;
    for way in ways {
        let mut results = Vec::new();
        let mut shown = None;
        for cell in Cell::of(way) {
            let verdict = worker.attempt(&cell)?;
            if let Verdict::Escaped { .. } = verdict {
                shown = Some(format!("{cell}: {verdict}"));
                break;
            }
            results.push(format!("  {cell}: {verdict}"));
        }
        match shown {
            Some(shown) => {
                works += 1;
                if verbose {
                    println!("works  {shown}");
                }
            }
            None => println!("FAILS  {}\n{}", way.name, results.join("\n")),
        }
    }
    println!("{works} of {} ways work unguarded", ways.len());
    Ok(works == ways.len() && works > 0)
}
