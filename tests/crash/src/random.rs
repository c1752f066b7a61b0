//! Kills at random points in time.
//!
//! A hook is run from one of several states, and killed. The rows that are
//! left must be those before the hook or those after it; then Juju repeats the
//! hook, which must end with the rows of an undisturbed run. Both are known
//! from undisturbed runs at the start.
//!
//! A kill comes a random time after the program's start, or after a system
//! call that changes something has begun, so that enough of them fall into the
//! short time in which the state is written.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use fastrand::Rng;
use serde_json::Value;

use crate::agent::ControllerState;
use crate::tracer::{Change, Cut, Run};
use crate::unit::{Point, Rows, Saved, Unit};

/// The hooks of a unit; each is killed in turn.
const LIFE: [&str; 7] = [
    "start",
    "update-status",
    "config-changed",
    "update-status",
    "config-changed",
    "start",
    "config-changed",
];

/// Runs all modes, or one; returns whether all checks passed.
pub fn run(kills: u64, seed: u64, only: Option<&str>) -> anyhow::Result<bool> {
    let modes = [
        ("immediate", "", kills, true),
        ("atomic", "[state]\nmode = \"atomic\"\n", kills, true),
        ("juju", "[state]\nstorage = \"juju\"\n", kills / 4, false),
    ];
    let mut passed = true;
    for (name, settings, kills, in_file) in modes {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let unit = Unit::new(&format!("kills-{name}"), settings)?;
        let is_atomic = name != "immediate";
        let mut campaign = Campaign {
            cases: cases(&unit, in_file, is_atomic)
                .with_context(|| format!("{name}: undisturbed"))?,
            unit,
            rng: Rng::with_seed(seed),
            in_file,
            is_atomic,
            tally: Tally {
                last: if in_file {
                    "the last fsync"
                } else {
                    "the last state-set"
                },
                ..Tally::default()
            },
        };
        while campaign.tally.kills < kills {
            campaign.kill()?;
        }
        let Campaign { tally, .. } = campaign;
        println!("{name}: {tally}");
        let [before, between, after] = tally.phases;
        if in_file && between * 4 < before + between + after {
            println!("{name}: too few kills fell between the first change and the last fsync");
            passed = false;
        }
        passed &= tally.wrong == 0;
    }
    Ok(passed)
}

/// Results of the kills.
#[derive(Default)]
struct Tally {
    kills: u64,
    /// Before the first change, between it and the last, and after.
    phases: [u64; 3],
    /// The last change.
    last: &'static str,
    /// Runs that ended before they were killed.
    ended: u64,
    /// Of these, those whose success Juju did not commit.
    rejected: u64,
    old: u64,
    new: u64,
    wrong: u64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally {
            kills,
            phases: [before, between, after],
            last,
            ended,
            rejected,
            old,
            new,
            wrong,
        } = self;
        writeln!(f, "{kills} kills")?;
        for (count, phase) in [
            (before, "before the first change".to_owned()),
            (between, format!("between the first change and {last}")),
            (after, format!("after {last}")),
        ] {
            let bar = "#".repeat(usize::try_from(count * 50 / kills.max(&1)).unwrap_or(0));
            writeln!(f, "  {count:>5} {phase:<44} {bar}")?;
        }
        writeln!(
            f,
            "  {ended} more runs ended before their kill, of which Juju did not commit {rejected}"
        )?;
        write!(
            f,
            "  state after a kill: {old} as before the hook, {new} as after it (the hook is repeated), {wrong} lost, torn or doubled"
        )
    }
}

/// A hook, its initial state, and its result without a kill.
struct Case {
    hook: &'static str,
    start: Saved,
    /// The state before the hook, after it, and after it was repeated.
    states: [State; 3],
    /// How many calls change something.
    changes: usize,
    /// The first and the last of them that are about the state file.
    window: Option<(usize, usize)>,
    /// How many calls of hook tools change what Juju stores.
    sets: usize,
    duration: Duration,
}

/// State of a unit, without times.
#[derive(Debug, Clone, PartialEq)]
struct State {
    rows: Option<Rows>,
    juju: Vec<(String, Value)>,
}

/// The state that the next dispatch finds, including state in Juju where the two
/// must match.
fn state(unit: &Unit, is_atomic: bool, juju: &ControllerState) -> anyhow::Result<State> {
    let rows = unit.seen(juju)?;
    let mut stored = Vec::new();
    if !is_atomic {
        return Ok(State { rows, juju: stored });
    }
    for (key, text) in juju
        .iter()
        .filter(|(key, _)| *key != charmhost_store::COMMIT_KEY)
    {
        let mut value = match charmhost_store::controller::parse_value(text) {
            Ok(value) => value,
            Err(error) => bail!("Juju stores what cannot be read under {key}: {error}"),
        };
        if key == "charmhost/deferrals" {
            crate::unit::without_times(&mut value);
        }
        stored.push((key.clone(), value));
    }
    Ok(State { rows, juju: stored })
}

/// Runs the hooks of a unit without kills, and repeats each.
fn cases(unit: &Unit, in_file: bool, is_atomic: bool) -> anyhow::Result<Vec<Case>> {
    unit.restore(&Saved::default())?;
    let mut juju = ControllerState::new();
    let mut cases = Vec::new();
    for hook in LIFE {
        let start = unit.save(juju.clone())?;
        let before = state(unit, is_atomic, &juju)?;
        let started = Instant::now();
        let (run, after_juju) = undisturbed(unit, hook, &juju)?;
        let duration = started.elapsed();
        let sets = unit.sets();
        let after = state(unit, is_atomic, &after_juju)?;
        let next = unit.save(after_juju.clone())?;
        let (_, twice_juju) = undisturbed(unit, hook, &after_juju)?;
        let twice = state(unit, is_atomic, &twice_juju)?;
        unit.restore(&next)?;
        ensure!(before != after, "{hook} changes nothing");
        let window = window(&run.changes);
        ensure!(window.is_some() == in_file, "{hook}: {:?}", run.changes);
        cases.push(Case {
            hook,
            start,
            states: [before, after, twice],
            changes: run.changes.len(),
            window,
            sets,
            duration,
        });
        juju = after_juju;
    }
    Ok(cases)
}

fn undisturbed(
    unit: &Unit,
    hook: &str,
    juju: &ControllerState,
) -> anyhow::Result<(Run, ControllerState)> {
    let (run, after) = unit.hook(hook, juju, None, true)?;
    if run.code != Some(0) {
        bail!("{hook} failed: {:?}", unit.logs());
    }
    Ok((run, after))
}

/// The numbers of the first change of the state file and of the last fsync.
fn window(changes: &[Change]) -> Option<(usize, usize)> {
    let first = changes.iter().position(|change| change.of_state)?;
    let is_sync = |change: &Change| change.of_state && change.name.ends_with("sync");
    let last = changes.iter().rposition(is_sync)?;
    Some((first + 1, last + 1))
}

struct Campaign {
    unit: Unit,
    cases: Vec<Case>,
    rng: Rng,
    in_file: bool,
    is_atomic: bool,
    tally: Tally,
}

impl Campaign {
    fn kill(&mut self) -> anyhow::Result<()> {
        let index = self.rng.usize(..self.cases.len());
        let Some(case) = self.cases.get(index) else {
            return Ok(());
        };
        let cut = draw(case, &mut self.rng);
        let commits = !self.is_atomic || self.rng.u8(..4) != 0;
        self.unit.restore(&case.start)?;
        let point = Some(Point::SystemCall(cut));
        let (run, juju) = self
            .unit
            .hook(case.hook, &case.start.juju, point, commits)?;
        let after = format!("{cut:?} in {} from state {index}", case.hook);
        let [old, new, twice] = &case.states;
        let wanted: &[&State] = match run.code {
            None if self.is_atomic => &[old],
            None => &[old, new],
            Some(0) if commits => &[new],
            Some(0) => &[old],
            Some(code) => bail!("exit code {code} at {after}: {:?}", self.unit.logs()),
        };
        match run.code {
            Some(_) => {
                self.tally.ended += 1;
                self.tally.rejected += u64::from(!commits);
            }
            None => {
                self.tally.kills += 1;
                let phase = self.phase(case, &run);
                if let Some(count) = self.tally.phases.get_mut(phase) {
                    *count += 1;
                }
            }
        }
        let left = state(&self.unit, self.is_atomic, &juju);
        let Some(found) = left
            .as_ref()
            .ok()
            .and_then(|left| wanted.iter().find(|wanted| **wanted == left))
        else {
            println!("wrong after {after}: {}", shown(&left));
            self.tally.wrong += 1;
            return Ok(());
        };
        let is_old = *found == old;
        if run.code.is_none() {
            match is_old {
                true => self.tally.old += 1,
                false => self.tally.new += 1,
            }
        }
        // Juju repeats the hook, or it comes again.
        let (_, juju) = undisturbed(&self.unit, case.hook, &juju).context(after.clone())?;
        let repeated = state(&self.unit, self.is_atomic, &juju)?;
        let wanted = if is_old { new } else { twice };
        let together = !self.is_atomic || {
            let (own, juju) = self.unit.logged_numbers()?;
            own == juju
        };
        if repeated != *wanted || !together {
            println!("wrong when repeated after {after}: {}", shown(&repeated));
            self.tally.wrong += 1;
        }
        Ok(())
    }

    /// 0 before the first change, 2 after the last fsync, else 1.
    fn phase(&self, case: &Case, run: &Run) -> usize {
        let (begun, is_over) = match case.window {
            Some((first, last)) if self.in_file => {
                let done = run
                    .changes
                    .get(last - 1)
                    .is_some_and(|change| change.is_done);
                (run.changes.len() >= first, done)
            }
            _ => (self.unit.sets() > 0, self.unit.sets() >= case.sets),
        };
        match (begun, is_over) {
            (_, true) => 2,
            (true, false) => 1,
            (false, false) => 0,
        }
    }
}

/// When the program is killed: some time after its start, after any change, after
/// a change of the state file, or after the last of them.
fn draw(case: &Case, rng: &mut Rng) -> Cut {
    let any = (1, case.changes);
    let (first, last) = case.window.unwrap_or(any);
    let ((first, last), most) = match rng.u8(..8) {
        0 | 1 => ((0, 0), micros_of(case.duration)),
        2 => (any, 500),
        3..=5 => {
            let most = [0, 100, 1000].get(rng.usize(..3)).copied();
            ((first, last), most.unwrap_or(0))
        }
        _ => ((last, last), 5000),
    };
    let delay = Duration::from_micros(rng.u64(0..=most));
    Cut::Delayed(rng.usize(first..=last), delay)
}

fn micros_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The beginning of a value; the text of the charm is long.
fn shown(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take(500).collect()
}
