//! Costs of a run that can be counted, independent of other load.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::programs::{Event, Kind, Program};
use crate::statistics::median;
use crate::trace;

/// Costs of a program for an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub event: String,
    pub program: String,
    /// Executed in user mode by one run.
    pub instructions: Option<u64>,
    /// Why there are no instructions.
    pub instructions_skipped: Option<String>,
    /// Medians over the copies.
    pub minor_faults: f64,
    pub major_faults: f64,
    pub peak_mib: f64,
    /// The smallest and the largest peak of any copy.
    pub peak_range_mib: (f64, f64),
    /// Anonymous memory when the program ends.
    pub anonymous_mib: f64,
    /// The program and the compiled charm.
    pub size_bytes: Option<u64>,
}

/// Counts all programs; in quick mode, without the instructions of those that
/// execute many.
pub fn count(programs: &[Program], quick: bool) -> anyhow::Result<Vec<Counts>> {
    let usages: Vec<Vec<trace::Usage>> = programs
        .iter()
        .map(|program| {
            let usages = program.copies.iter().map(trace::usage);
            let usages = usages.collect::<anyhow::Result<_>>();
            usages.with_context(|| format!("cannot count {}", name(program)))
        })
        .collect::<anyhow::Result<_>>()?;
    let counted = instructions(programs, quick)?;
    let counts = std::iter::zip(programs, usages).zip(counted);
    Ok(counts
        .map(|((program, usages), counted)| summary(program, &usages, counted))
        .collect())
}

fn name(program: &Program) -> String {
    format!("{} at {}", program.kind.name(), program.event.name())
}

fn summary(program: &Program, usages: &[trace::Usage], counted: anyhow::Result<u64>) -> Counts {
    let over_copies = |value: fn(&trace::Usage) -> u64| -> Vec<f64> {
        usages.iter().map(|usage| value(usage) as f64).collect()
    };
    let peaks = over_copies(|usage| usage.peak_kib);
    Counts {
        event: program.event.name().to_owned(),
        program: program.kind.name().to_owned(),
        instructions: counted.as_ref().ok().copied(),
        instructions_skipped: counted.err().map(|error| format!("{error:#}")),
        minor_faults: median(&over_copies(|usage| usage.minor_faults)),
        major_faults: median(&over_copies(|usage| usage.major_faults)),
        peak_mib: median(&peaks) / 1024.0,
        peak_range_mib: (
            peaks.iter().copied().fold(f64::INFINITY, f64::min) / 1024.0,
            peaks.iter().copied().fold(0.0, f64::max) / 1024.0,
        ),
        anonymous_mib: median(&over_copies(|usage| usage.anonymous_kib)) / 1024.0,
        size_bytes: program.size,
    }
}

/// The instructions of all programs, in their order, counted on all CPUs at
/// once: what else runs does not matter.
fn instructions(programs: &[Program], quick: bool) -> anyhow::Result<Vec<anyhow::Result<u64>>> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu) == Ok(true));
    let next = AtomicUsize::new(0);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for cpu in cpus {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                // On one CPU a single step is a switch between two processes
                // and wakes nobody; where that is refused, it only takes longer.
                let mut one = CpuSet::new();
                let _ = one
                    .set(cpu)
                    .and_then(|()| sched_setaffinity(Pid::from_raw(0), &one));
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(program) = programs.get(index) else {
                        break;
                    };
                    // The receiver lives as long as the scope.
                    let _ = sender.send((index, of_program(program, quick)));
                }
            });
        }
    });
    drop(sender);
    let mut counted: Vec<_> = receiver.into_iter().collect();
    counted.sort_by_key(|(index, _)| *index);
    Ok(counted.into_iter().map(|(_, counted)| counted).collect())
}

fn of_program(program: &Program, quick: bool) -> anyhow::Result<u64> {
    let run = program.copies.first().context("no copies")?;
    if let Ok(counted) = trace::instructions_by_counter(run) {
        return Ok(counted);
    }
    match (program.kind, program.event) {
        (Kind::Native, _) => trace::instructions_by_steps(run),
        _ if quick => bail!("left out with --quick"),
        (Kind::Python, Event::UpdateStatus) => trace::instructions_by_valgrind(run),
        (_, Event::UpdateStatus) => trace::instructions_by_steps(run),
        _ => bail!("no CPU counter, and single steps take too long"),
    }
}
