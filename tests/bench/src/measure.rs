//! Runs one process and tells how long it took and how much it held.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::subjects::Subject;

/// The argument with which this program measures a single process.
pub const CHILD: &str = "measure-one";

/// One run.
#[derive(Clone, Copy)]
pub struct Sample {
    /// From the start of the process to its end, in milliseconds.
    pub wall_ms: f64,
    /// The largest of its resident sets and its children's, in MiB.
    pub peak_mib: f64,
    /// Processor time of it and its children, in seconds.
    pub cpu_s: f64,
}

/// Measures one run of a subject.
///
/// The system tells the peak of all children a process ever had, so each run
/// gets a process of its own to ask.
pub fn one(subject: &Subject) -> anyhow::Result<Sample> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(CHILD)
        .args(&subject.command)
        .env_clear()
        .envs(subject.vars.iter().cloned());
    command
        .current_dir(&subject.dir)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{} failed: {text}", subject.command.join(" "));
    }
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(wall_ms)), Some(Ok(peak_mib)), Some(Ok(cpu_s))) => Ok(Sample {
            wall_ms,
            peak_mib,
            cpu_s,
        }),
        _ => bail!("{} printed {text:?}", subject.command.join(" ")),
    }
}

/// Runs the command once and prints the numbers.
pub fn child(command: &[String]) -> anyhow::Result<()> {
    let (program, args) = command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status()?;
    let wall = started.elapsed();
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    println!(
        "{} {} {}",
        wall.as_secs_f64() * 1000.0,
        usage.max_rss() as f64 / 1024.0,
        seconds(usage.user_time()) + seconds(usage.system_time())
    );
    Ok(())
}

/// The middle value.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(below), Some(above)) if values.len().is_multiple_of(2) => (below + above) / 2.0,
        (_, Some(value)) => *value,
        _ => f64::NAN,
    }
}
