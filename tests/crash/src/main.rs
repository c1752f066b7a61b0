//! Kills `dispatch` and checks the local state.
//!
//! Without arguments at every point at which it changes something: before and
//! after each system call that writes, in the middle of each write to a file,
//! and before and after each call of a hook tool. With `random` at random
//! points in time: `KILLS` times (2,000; a quarter of it with state that Juju
//! stores), from the seed `SEED` (a fresh one), which is printed; and of one
//! mode only if it is named: `immediate`, `atomic` or `juju`.

mod agent;
mod random;
mod systematic;
mod tracer;
mod unit;

use std::process::ExitCode;

use anyhow::{Context, bail};

fn main() -> ExitCode {
    let passed = match std::env::args().nth(1).as_deref() {
        None => systematic::run(),
        Some("random") => kills(),
        Some(other) => Err(anyhow::anyhow!("no such mode: {other}")),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn kills() -> anyhow::Result<bool> {
    let kills = number("KILLS")?.unwrap_or(2000);
    if kills < 4 {
        bail!("KILLS must be at least 4");
    }
    let seed = number("SEED")?.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}: repeat with SEED={seed} KILLS={kills}");
    random::run(kills, seed, std::env::args().nth(2).as_deref())
}

fn number(variable: &str) -> anyhow::Result<Option<u64>> {
    match std::env::var(variable).ok().filter(|text| !text.is_empty()) {
        Some(text) => Ok(Some(
            text.parse()
                .with_context(|| format!("{variable} is no number"))?,
        )),
        None => Ok(None),
    }
}
