//! Measures a cold dispatch of `charms/hello` at `update-status`, side by side
//! with the same charm on Python ops, with bare wasmtime, and with a native
//! program that makes the same calls. Prints a table and writes
//! `target/bench.json`. Prints also what dispatches cost that handle many
//! deferred events; with the argument `deferred`, only that.

mod agent;
mod deferred;
mod measure;
mod subjects;

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use measure::{Sample, median};
use subjects::Subject;

/// How often each is run, in turns.
const RUNS: usize = 60;
/// Runs that warm the page cache and are not counted.
const WARM_UP: usize = 3;

/// One measured quantity of one baseline against ours.
struct Row {
    case: &'static str,
    baseline: &'static str,
    unit: &'static str,
    subject_median: f64,
    baseline_median: f64,
}

fn main() -> anyhow::Result<()> {
    // This program runs itself to measure one process: see `measure`.
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, command @ ..] = args.as_slice()
        && mode == measure::CHILD
    {
        return measure::child(command);
    }
    let root = charmhost_tests::root()?;
    let agent = agent::Agent::start(&root)?;
    if args == ["deferred"] {
        return deferred::run(&agent);
    }
    let subjects = subjects::all(&root, &agent)?;
    let samples = run(&subjects)?;
    let rows = rows(&subjects, &samples);
    print(&rows);
    deferred::run(&agent)?;
    write(&root.join("target/bench.json"), &rows)
}

/// Runs every subject once, then every one again, so that a busy moment of
/// the machine hits them all.
fn run(subjects: &[Subject]) -> anyhow::Result<Vec<Vec<Sample>>> {
    let mut samples = vec![Vec::with_capacity(RUNS); subjects.len()];
    for round in 0..WARM_UP + RUNS {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            let sample = measure::one(subject)
                .with_context(|| format!("cannot measure {}", subject.name))?;
            if round >= WARM_UP {
                samples.push(sample);
            }
        }
    }
    Ok(samples)
}

fn rows(subjects: &[Subject], samples: &[Vec<Sample>]) -> Vec<Row> {
    type Quantity = (&'static str, &'static str, fn(&Sample) -> f64);
    let quantities: [Quantity; 2] = [
        (
            "cold dispatch of update-status: wall time",
            "ms",
            |sample| sample.wall_ms,
        ),
        (
            "cold dispatch of update-status: peak memory",
            "MiB",
            |sample| sample.peak_mib,
        ),
    ];
    let mut rows = Vec::new();
    let Some((ours, baselines)) = samples.split_first() else {
        return rows;
    };
    for (case, unit, quantity) in quantities {
        for (subject, samples) in subjects.iter().skip(1).zip(baselines) {
            rows.push(Row {
                case,
                baseline: subject.name,
                unit,
                subject_median: median(ours.iter().map(quantity)),
                baseline_median: median(samples.iter().map(quantity)),
            });
        }
    }
    rows
}

fn print(rows: &[Row]) {
    println!(
        "{:<46} {:<24} {:>10} {:>10} {:>8}",
        "case", "baseline", "ours", "baseline", "ratio"
    );
    for row in rows {
        println!(
            "{:<46} {:<24} {:>6.2} {:<3} {:>6.2} {:<3} {:>8}",
            row.case,
            row.baseline,
            row.subject_median,
            row.unit,
            row.baseline_median,
            row.unit,
            ratio(row.subject_median / row.baseline_median)
        );
    }
}

/// `1/80` where ours is less, `1.30x` where it is more.
fn ratio(ratio: f64) -> String {
    if ratio < 0.5 {
        format!("1/{:.0}", 1.0 / ratio)
    } else {
        format!("{ratio:.2}x")
    }
}

fn write(path: &PathBuf, rows: &[Row]) -> anyhow::Result<()> {
    let rows: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            json!({
                "case": row.case,
                "subject": "charms/hello on charmhost",
                "baseline": row.baseline,
                "unit": row.unit,
                "subject_median": row.subject_median,
                "baseline_median": row.baseline_median,
                "ratio": row.subject_median / row.baseline_median,
                "runs": RUNS,
            })
        })
        .collect();
    std::fs::write(path, serde_json::to_string_pretty(&rows)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))
}
