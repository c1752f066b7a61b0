//! Prints which features of ops the Rust SDK has.
//!
//! `features.yaml` lists the features by group and number, each with the test of
//! the black-box suite that shows it. A feature passes if its test passed in this
//! run: the named tests are run here.

mod features;
mod run;

use anyhow::Result;

use features::{Feature, Features, State};

fn main() -> Result<()> {
    let features = Features::load()?;
    let passed = run::passed(&features.tests())?;
    let mut failed = Vec::new();
    for Feature { id, name, state } in features.iter() {
        let shown = match state {
            State::Tested(test) if passed.contains(test.as_str()) => format!("pass  {test}"),
            State::Tested(test) => {
                failed.push(id.clone());
                format!("FAIL  {test}")
            }
            State::Raw(tool) => format!("raw   {tool}"),
            State::DoesNotApply(reason) => format!("n/a   {reason}"),
            State::Open => "open".to_owned(),
        };
        println!("{id:<4} {name:<44.44} {shown}");
    }
    let count = |is: fn(&State) -> bool| features.iter().filter(|row| is(&row.state)).count();
    println!(
        "{} rows: {} pass, {} raw only, {} do not apply, {} open",
        features.iter().count(),
        count(|state| matches!(state, State::Tested(_))) - failed.len(),
        count(|state| matches!(state, State::Raw(_))),
        count(|state| matches!(state, State::DoesNotApply(_))),
        count(|state| matches!(state, State::Open)) + failed.len(),
    );
    anyhow::ensure!(failed.is_empty(), "tests failed for {}", failed.join(", "));
    Ok(())
}
