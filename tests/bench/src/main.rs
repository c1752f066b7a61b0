//! Measures dispatches of `tests/guests/bench` side by side with the same charm
//! on Python ops, with bare wasmtime, and with a native program that makes the
//! same calls to the agent.
//!
//! Times are taken in two regimes, see [`regimes`]; of both, the report has the
//! ratios of runs in the same round, with 95 % intervals. The README shows those
//! with cold caches. What can be counted is counted, see [`trace`].

mod agent;
mod counts;
mod deferred;
mod measure;
mod programs;
mod regimes;
mod report;
mod statistics;
mod trace;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use measure::Disturbance;
use regimes::Rounds;
use report::{Machine, Report};

/// Path of the last report.
const FILE: &str = "target/bench.json";
/// Lines of the README around the part that `readme` writes.
const MARKS: (&str, &str) = ("<!-- make bench-readme -->\n", "<!-- end -->\n");

/// Measures dispatches side by side, and writes target/bench.json.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    task: Option<Task>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Measure little: figures that only show that the bench works
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Task {
    /// Write the last report into the README
    Readme,
    /// Run one command and count something: for this program itself
    #[command(hide = true)]
    Trace {
        mode: trace::Mode,
        #[arg(last = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.task {
        Some(Task::Trace { mode, command }) => trace::main(*mode, command),
        Some(Task::Readme) => charmhost_tests::root().and_then(|root| readme(&root)),
        None => bench(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &Args) -> anyhow::Result<()> {
    let root = charmhost_tests::root()?;
    let report = run(&root, args.quick)?;
    let json = serde_json::to_string_pretty(&report)? + "\n";
    if !args.quick {
        let path = root.join(FILE);
        std::fs::write(&path, &json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    match args.format {
        Format::Text => print!("{}", report.text()),
        Format::Json => print!("{json}"),
    }
    Ok(())
}

fn run(root: &Path, quick: bool) -> anyhow::Result<Report> {
    let (copies, deferrals) = if quick { (2, 2) } else { (6, 6) };
    let rounds = match quick {
        true => Rounds {
            cold: 2,
            hot: 2,
            hot_slow: 1,
        },
        false => Rounds {
            cold: 24,
            hot: 20,
            hot_slow: 3,
        },
    };
    let dir = root.join("target/bench");
    let _ = std::fs::remove_dir_all(&dir);
    let agent = agent::Agent::start(root)?;
    eprintln!("making {copies} copies of each program");
    let programs = programs::make(root, &agent, copies)?;
    let disturbance = Disturbance::start()?;
    let cold_programs = regimes::cold_programs(&programs);
    eprintln!(
        "cold caches: {} rounds of {cold_programs} programs",
        rounds.cold
    );
    let cold = regimes::cold(&programs, rounds.cold)?;
    eprintln!("hot caches");
    let hot = regimes::hot(&programs, rounds)?;
    eprintln!("deferred events");
    let (deferred, deferred_exponent) = deferred::run(root, &programs, deferrals)?;
    let used_by_others = disturbance.share()?;
    eprintln!("counting instructions, page faults and memory");
    let counts = counts::count(&programs, quick)?;
    std::fs::remove_dir_all(&dir)?;
    Ok(Report {
        machine: Machine::describe(used_by_others)?,
        copies,
        cold_programs,
        times: [report::compare("cold", &cold), report::compare("hot", &hot)]
            .into_iter()
            .flatten()
            .collect(),
        counts,
        deferred,
        deferred_exponent,
    })
}

/// Writes the tables of the last report into the README.
fn readme(root: &Path) -> anyhow::Result<()> {
    let (report, readme) = (root.join(FILE), root.join("README.md"));
    let report = std::fs::read_to_string(&report)
        .with_context(|| format!("cannot read {}: run `make bench`", report.display()))?;
    let report: Report = serde_json::from_str(&report)?;
    let text = std::fs::read_to_string(&readme)?;
    let parts = text.split_once(MARKS.0).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(MARKS.1)?;
        Some((before, after))
    });
    let (before, after) = parts.with_context(|| format!("README.md has no {MARKS:?}"))?;
    let text = format!("{before}{}{}{}{after}", MARKS.0, report.markdown(), MARKS.1);
    Ok(std::fs::write(readme, text)?)
}
