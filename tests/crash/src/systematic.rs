//! Kills at every point, one after the other.

use anyhow::{Context, bail};

use crate::agent::{ControllerState, End};
use crate::tracer::{Change, Cut};
use crate::unit::{Point, Rows, Saved, Unit};

/// The hook that is killed.
const HOOK: &str = "config-changed";
/// The hook after it.
const NEXT: &str = "update-status";

/// Kills at every point; returns whether no state was lost or torn.
pub fn run() -> anyhow::Result<bool> {
    println!("immediate mode: a dispatch is killed, and its state looked at");
    let states = states(&Unit::new("crash", "")?)?;
    println!("{states}");
    println!("atomic mode: a dispatch is killed, or Juju does not apply what it did");
    let unit = Unit::new("crash", "[state]\nmode = \"atomic\"\n")?;
    let sides = sides(&unit)?;
    println!("{sides}");
    Ok(states.torn + states.lost + sides.mixed == 0)
}

/// Counts of resulting local states.
#[derive(Default)]
struct States {
    whole: usize,
    torn: usize,
    lost: usize,
}

impl std::fmt::Display for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let States { whole, torn, lost } = self;
        let points = whole + torn + lost;
        write!(
            f,
            "{points} points: {whole} old-or-new, {torn} torn, {lost} lost"
        )
    }
}

/// Whether the change of a dispatch must be visible afterwards.
#[derive(Default)]
struct Sides {
    neither: usize,
    both: usize,
    mixed: usize,
}

impl std::fmt::Display for Sides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Sides {
            neither,
            both,
            mixed,
        } = self;
        write!(f, "neither {neither}, both {both}, mixed {mixed}")
    }
}

/// Runs the unit up to the hook that is killed; returns the state then, and the
/// points at which the hook can be killed.
fn prepare(unit: &Unit) -> anyhow::Result<(Saved, Vec<Point>)> {
    unit.restore(&Saved::default())?;
    let mut juju = ControllerState::new();
    for hook in ["start", NEXT] {
        let (run, state) = unit.hook(hook, &juju, None, true)?;
        if run.code != Some(0) {
            bail!("{hook} failed: {:?}", unit.logs());
        }
        juju = state;
    }
    let old = unit.save(juju)?;
    let (run, _) = unit.hook(HOOK, &old.juju, None, true)?;
    if run.code != Some(0) {
        bail!("{HOOK} failed: {:?}", unit.logs());
    }
    Ok((old, points(&run.changes, unit.calls())))
}

fn points(changes: &[Change], calls: usize) -> Vec<Point> {
    let mut points = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        let number = index + 1;
        points.push(Point::SystemCall(Cut::Before(number)));
        if change.can_tear {
            points.push(Point::SystemCall(Cut::Torn(number)));
        }
        points.push(Point::SystemCall(Cut::After(number)));
    }
    for call in 1..=calls {
        points.push(Point::HookTool(End::Before(call)));
        points.push(Point::HookTool(End::After(call)));
    }
    points
}

/// Each point in immediate mode.
fn states(unit: &Unit) -> anyhow::Result<States> {
    let (old, points) = prepare(unit)?;
    let new_rows = unit.rows()?;
    unit.restore(&old)?;
    let old_rows = unit.rows()?;
    if old_rows == new_rows {
        bail!("{HOOK} changes nothing, so that nothing can be seen");
    }
    let mut states = States::default();
    let mut seen = (0, 0);
    for point in points {
        unit.restore(&old)?;
        let (run, _) = unit.hook(HOOK, &old.juju, Some(point), true)?;
        let wanted: &[&Rows] = match run.code {
            // It ended before the point was reached.
            Some(_) => &[&new_rows],
            None => &[&old_rows, &new_rows],
        };
        let Ok(rows) = unit.rows() else {
            println!("lost at {point:?}");
            states.lost += 1;
            continue;
        };
        let goes_on = unit.hook(HOOK, &old.juju, None, true)?.0.code == Some(0);
        match (wanted.contains(&&rows), goes_on) {
            (true, true) => states.whole += 1,
            (true, false) => {
                println!("the next dispatch fails after {point:?}: {:?}", unit.logs());
                states.lost += 1;
            }
            (false, _) => {
                println!("torn at {point:?}: {rows:?}");
                states.torn += 1;
            }
        }
        match rows == old_rows {
            true => seen.0 += 1,
            false => seen.1 += 1,
        }
    }
    println!("of which {} old, {} new", seen.0, seen.1);
    Ok(states)
}

/// Each point in atomic mode, with and without a commit by Juju; and each point of
/// the next dispatch, which commits or rolls back.
fn sides(unit: &Unit) -> anyhow::Result<Sides> {
    let (old, points) = prepare(unit)?;
    let mut sides = Sides::default();
    for point in points.into_iter().map(Some).chain([None]) {
        for flush in [true, false] {
            unit.restore(&old)?;
            let (_, juju) = unit.hook(HOOK, &old.juju, point, flush)?;
            sides.look(unit, &juju, &format!("{point:?}, flush {flush}"))?;
        }
    }
    for flush in [true, false] {
        unit.restore(&old)?;
        let (_, juju) = unit.hook(HOOK, &old.juju, None, flush)?;
        let undecided = unit.save(juju)?;
        let (next, _) = unit.hook(NEXT, &undecided.juju, None, true)?;
        for point in self::points(&next.changes, unit.calls()) {
            unit.restore(&undecided)?;
            unit.hook(NEXT, &undecided.juju, Some(point), true)?;
            sides.look(unit, &undecided.juju, &format!("{point:?} of the next"))?;
        }
    }
    Ok(sides)
}

impl Sides {
    /// Runs the next hook, in which the charm logs its state.
    fn look(&mut self, unit: &Unit, juju: &ControllerState, after: &str) -> anyhow::Result<()> {
        let (next, _) = unit.hook(NEXT, juju, None, true)?;
        if next.code != Some(0) {
            bail!("the next dispatch fails after {after}: {:?}", unit.logs());
        }
        match unit
            .logged_numbers()
            .with_context(|| format!("after {after}"))?
        {
            (1, 1) => self.neither += 1,
            (2, 2) => self.both += 1,
            numbers => {
                println!("mixed after {after}: {numbers:?}");
                self.mixed += 1;
            }
        }
        Ok(())
    }
}
