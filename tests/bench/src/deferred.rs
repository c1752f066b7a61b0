//! A dispatch that handles many deferred events.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use charmhost_store::{DEFAULT_LIMIT, FILE_NAME, Notice, StateFile};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::measure;
use crate::programs::{Event, Kind, Program, Run};
use crate::statistics::{Estimate, estimate, exponent};

/// The lengths of the queue.
const LENGTHS: [u32; 4] = [10, 100, 1_000, 10_000];
/// Between these two the exponent is taken.
const GROWTH: (u32, u32) = (1_000, 10_000);
/// With Python ops, the longest queue.
const LONGEST_SLOW: u32 = 1_000;

/// What it takes to handle a number of deferred events, and `update-status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deferred {
    pub program: String,
    pub events: u32,
    /// CPU time, because the disk's speed is not measured.
    pub cpu_ms: Estimate,
}

/// The costs of all lengths, and the exponent with which charmhost's grows.
pub fn run(
    root: &Path,
    programs: &[Program],
    runs: usize,
) -> anyhow::Result<(Vec<Deferred>, Estimate)> {
    let queues: Vec<(u32, PathBuf)> = LENGTHS
        .into_iter()
        .map(|length| Ok((length, queue(root, length)?)))
        .collect::<anyhow::Result<_>>()?;
    let mut deferred = Vec::new();
    let mut growth = Vec::new();
    for kind in [Kind::WithState, Kind::Python] {
        let program = programs
            .iter()
            .find(|program| (program.kind, program.event) == (kind, Event::UpdateStatus))
            .context("no program")?;
        let queues: Vec<&(u32, PathBuf)> = queues
            .iter()
            .filter(|(length, _)| !kind.is_slow() || *length <= LONGEST_SLOW)
            .collect();
        let times = times(program, &queues, runs)?;
        let of = |length: u32| -> Vec<f64> {
            let of_length = times.iter().filter(|(other, _)| *other == length);
            of_length.map(|(_, ms)| *ms).collect()
        };
        if kind == Kind::WithState {
            let (few, many) = GROWTH;
            growth = std::iter::zip(of(few), of(many))
                .map(|pair| exponent((few.into(), pair.0), (many.into(), pair.1)))
                .collect();
        }
        deferred.extend(queues.iter().map(|(length, _)| Deferred {
            program: kind.name().to_owned(),
            events: *length,
            cpu_ms: estimate(&one_by_one(&of(*length))),
        }));
    }
    Ok((deferred, estimate(&one_by_one(&growth))))
}

/// Each run is of another copy: there are no groups.
fn one_by_one(values: &[f64]) -> Vec<Vec<f64>> {
    values.iter().map(|value| vec![*value]).collect()
}

/// The lengths and milliseconds of all runs, those of a length in the order of
/// the rounds.
fn times(
    program: &Program,
    queues: &[&(u32, PathBuf)],
    runs: usize,
) -> anyhow::Result<Vec<(u32, f64)>> {
    let mut times = Vec::new();
    for round in 0..runs {
        let run = program
            .copies
            .get(round % program.copies.len())
            .context("no copies")?;
        let mut queues = queues.to_vec();
        fastrand::shuffle(&mut queues);
        for (length, queue) in queues {
            let ms = handle(run, queue).with_context(|| format!("{length} deferred events"))?;
            times.push((*length, ms));
        }
    }
    Ok(times)
}

/// Handles all events of a queue and puts the program's own state back.
fn handle(run: &Run, queue: &Path) -> anyhow::Result<f64> {
    let state = run.dir.join(FILE_NAME);
    let own = std::fs::read(&state)?;
    std::fs::copy(queue, &state)?;
    let time = measure::time(run)?;
    let store = StateFile::open(&state, DEFAULT_LIMIT)?;
    ensure!(store.notices()?.is_empty(), "not all of them were handled");
    drop(store);
    std::fs::write(&state, own)?;
    Ok(time.cpu_ms)
}

/// A state file with so many events in its queue, each for one handler.
fn queue(root: &Path, length: u32) -> anyhow::Result<PathBuf> {
    let path = root.join(format!("target/bench/deferred-{length}.db"));
    let _ = std::fs::remove_file(&path);
    let store = StateFile::open(&path, DEFAULT_LIMIT)?;
    for number in 1..=length {
        let notice = Notice {
            event_path: format!("Bench/on/leader_elected[{number}]"),
            observer_path: "Bench".to_owned(),
            method: "on_leader_elected".to_owned(),
        };
        store.save(&notice.event_path, &json!({}))?;
        store.add_notice(&notice)?;
    }
    let counted = json!({ "event_count": length });
    store.save("StoredStateData[_stored]", &counted)?;
    store.commit()?;
    Ok(path)
}
