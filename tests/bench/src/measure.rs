//! Runs one process and reads the clock.

use std::time::Instant;

use anyhow::{Context, ensure};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::programs::Run;

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// From the start of the process to its end, in milliseconds.
    pub wall_ms: f64,
    /// CPU time of it and its children, in milliseconds.
    pub cpu_ms: f64,
}

/// Measures one run. No other child may run or end meanwhile.
pub fn time(run: &Run) -> anyhow::Result<Time> {
    let mut command = run.command(&[])?;
    let cpu_before = cpu_ms(getrusage(UsageWho::RUSAGE_CHILDREN)?);
    let started = Instant::now();
    let status = command.status();
    let wall = started.elapsed();
    let cpu_ms = cpu_ms(getrusage(UsageWho::RUSAGE_CHILDREN)?) - cpu_before;
    let program = run.command.first().map_or("", String::as_str);
    let status = status.with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} failed: {status}");
    Ok(Time {
        wall_ms: wall.as_secs_f64() * 1000.0,
        cpu_ms,
    })
}

fn cpu_ms(usage: Usage) -> f64 {
    let ms = |time: TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    ms(usage.user_time()) + ms(usage.system_time())
}

/// CPU time that other processes use.
pub struct Disturbance {
    started: Instant,
    busy: f64,
    own: f64,
    cpus: f64,
}

impl Disturbance {
    pub fn start() -> anyhow::Result<Self> {
        Ok(Disturbance {
            started: Instant::now(),
            busy: busy_ms()?,
            own: own_ms()?,
            cpus: std::thread::available_parallelism()?.get() as f64,
        })
    }

    /// The share of the CPUs' time since the start that was neither idle nor
    /// this program's and its children's; 0 on a quiet machine.
    pub fn share(&self) -> anyhow::Result<f64> {
        let others = (busy_ms()? - self.busy) - (own_ms()? - self.own);
        let all = self.started.elapsed().as_secs_f64() * 1e3 * self.cpus;
        Ok((others / all).max(0.0))
    }
}

fn own_ms() -> anyhow::Result<f64> {
    let of = |who| anyhow::Ok(cpu_ms(getrusage(who)?));
    Ok(of(UsageWho::RUSAGE_SELF)? + of(UsageWho::RUSAGE_CHILDREN)?)
}

/// Busy time of all CPUs, including time stolen by a hypervisor.
fn busy_ms() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().flat_map(str::parse).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; in hundredths of a
    // second. Guests' time is in user already.
    match ticks.as_slice() {
        [user, nice, system, _, _, irq, softirq, steal, ..] => {
            Ok((user + nice + system + irq + softirq + steal) * 10.0)
        }
        _ => anyhow::bail!("/proc/stat begins with {line:?}"),
    }
}
