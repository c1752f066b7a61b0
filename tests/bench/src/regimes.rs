//! The two states of a machine in which a dispatch is timed, both with the
//! programs' files in the page cache.
//!
//! A copy of a program can be a tenth faster than another of the same bytes for
//! as long as it stays where it is in memory, so everything is run in several
//! copies and their choice is part of the intervals.

use std::collections::BTreeMap;

use anyhow::Context;

use crate::measure;
use crate::programs::{Event, Kind, Program};
use crate::statistics::Sample;

/// Wall times in milliseconds.
pub type Samples = BTreeMap<(Event, Kind), Vec<Sample>>;

/// How often is run what is run.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// Runs of each copy with cold caches.
    pub cold: usize,
    /// Runs of each copy with hot caches.
    pub hot: usize,
    /// Runs of each copy with hot caches where a run takes long.
    pub hot_slow: usize,
}

/// All programs in turn, in a new random order every round: before a copy runs
/// again, dozens of others have used the caches of the CPU. This is what a unit
/// sees, whose hooks are minutes apart.
///
/// Of slow programs, one copy runs in each round.
pub fn cold(programs: &[Program], rounds: usize) -> anyhow::Result<Samples> {
    let mut samples = Samples::new();
    for round in 0..rounds {
        let mut turns: Vec<(&Program, usize)> = programs
            .iter()
            .flat_map(|program| (0..program.copies.len()).map(move |copy| (program, copy)))
            .filter(|(program, copy)| {
                !program.kind.is_slow() || *copy == round % program.copies.len()
            })
            .collect();
        fastrand::shuffle(&mut turns);
        for (program, copy) in turns {
            run(&mut samples, program, copy, round)?;
        }
    }
    Ok(samples)
}

/// How many programs take turns in a round with cold caches.
pub fn cold_programs(programs: &[Program]) -> usize {
    let turns = programs.iter().map(|program| match program.kind.is_slow() {
        true => 1,
        false => program.copies.len(),
    });
    turns.sum()
}

/// The programs of one event in turn, one copy of each: few enough that the
/// caches hold all of them. Slow programs take turns of their own.
pub fn hot(programs: &[Program], rounds: Rounds) -> anyhow::Result<Samples> {
    let mut samples = Samples::new();
    let mut events: Vec<Event> = programs.iter().map(|program| program.event).collect();
    events.sort();
    events.dedup();
    for event in events {
        let of_event = |program: &&Program| program.event == event;
        let (mut slow, mut fast): (Vec<&Program>, Vec<&Program>) = programs
            .iter()
            .filter(of_event)
            .partition(|program| program.kind.is_slow());
        let copies = fast.first().map_or(0, |program| program.copies.len());
        let mut copies: Vec<usize> = (0..copies).collect();
        fastrand::shuffle(&mut copies);
        for copy in copies {
            take_turns(&mut samples, &mut fast, copy, rounds.hot)?;
            take_turns(&mut samples, &mut slow, copy, rounds.hot_slow)?;
        }
    }
    Ok(samples)
}

/// A round that is not counted, and `rounds` that are.
fn take_turns(
    samples: &mut Samples,
    programs: &mut [&Program],
    copy: usize,
    rounds: usize,
) -> anyhow::Result<()> {
    run_all(&mut Samples::new(), programs, copy, 0)?;
    for round in 0..rounds {
        fastrand::shuffle(programs);
        run_all(samples, programs, copy, round)?;
    }
    Ok(())
}

fn run_all(
    samples: &mut Samples,
    programs: &[&Program],
    copy: usize,
    round: usize,
) -> anyhow::Result<()> {
    let mut turns = programs.iter();
    turns.try_for_each(|program| run(samples, program, copy, round))
}

fn run(samples: &mut Samples, program: &Program, copy: usize, round: usize) -> anyhow::Result<()> {
    let time = measure::time(program.copies.get(copy).context("no such copy")?)?;
    let of_program = samples.entry((program.event, program.kind)).or_default();
    of_program.push(Sample {
        copy,
        round,
        value: time.wall_ms,
    });
    Ok(())
}
