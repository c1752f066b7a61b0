//! A dispatch that handles many deferred events.

use std::path::Path;

use anyhow::Context;
use charmhost_store::{DEFAULT_LIMIT, FILE_NAME, Notice, Store};
use serde_json::json;

use crate::agent::Agent;
use crate::measure::{median, one};
use crate::subjects::{Subject, vars};

/// The lengths of the queue.
const LENGTHS: [u32; 2] = [1_000, 10_000];
/// How often each is run.
const RUNS: usize = 5;

/// Prints the processor time of each length, and the exponent of the growth.
pub fn run(agent: &Agent) -> anyhow::Result<()> {
    let charm = charmhost_tests::build("tests/guests/state", "bench-deferred")?;
    std::fs::write(charm.join("metadata.yaml"), "name: state\n")?;
    // An event that the charm does not observe, so that only the queue counts.
    let path = ("JUJU_DISPATCH_PATH", "hooks/config-changed");
    let vars = vars(agent, &charm)
        .into_iter()
        .filter(|(name, _)| name != path.0)
        .chain([(path.0.to_owned(), path.1.to_owned())])
        .collect();
    let subject = Subject {
        name: "deferred events",
        command: vec![charm.join("dispatch").display().to_string()],
        vars,
        dir: charm,
    };
    let mut seconds = Vec::new();
    for length in LENGTHS {
        let mut samples = Vec::new();
        for _ in 0..RUNS {
            defer(&subject.dir.join(FILE_NAME), length)?;
            let sample = one(&subject).with_context(|| format!("{length} deferred events"))?;
            samples.push(sample.cpu_s);
        }
        let store = Store::open(&subject.dir.join(FILE_NAME), DEFAULT_LIMIT)?;
        anyhow::ensure!(store.notices()?.is_empty(), "not all events were handled");
        let middle = median(samples.into_iter());
        println!("{length:>6} deferred events handled: {middle:.3} s of processor time");
        seconds.push(middle);
    }
    if let [few, many] = seconds.as_slice() {
        println!("exponent of the growth: {:.2}", (many / few).log10());
    }
    Ok(())
}

/// Makes a state file with so many events in its queue, each for one handler.
fn defer(path: &Path, length: u32) -> anyhow::Result<()> {
    let _ = std::fs::remove_file(path);
    let store = Store::open(path, DEFAULT_LIMIT)?;
    for number in 1..=length {
        let notice = Notice {
            event_path: format!("State/on/leader_elected[{number}]"),
            observer_path: "State".to_owned(),
            method: "on_leader_elected".to_owned(),
        };
        store.save(&notice.event_path, &json!({}))?;
        store.add_notice(&notice)?;
    }
    let counted = json!({ "event_count": length });
    store.save("StoredStateData[_stored]", &counted)?;
    Ok(store.commit()?)
}
