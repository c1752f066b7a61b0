//! Saves a number twice: in its local state and in Juju. Logs both before it
//! changes them.

use charmhost::hook_tool;
use charmhost::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Page {
    number: u32,
    /// Makes the state larger than one page of a database.
    text: String,
}

struct AtomicCounter;

impl Charm for AtomicCounter {
    fn new(on: &mut Observe<Self>) -> Self {
        if let Err(error) = say() {
            log::error!("cannot say the numbers: {error}");
        }
        on.start(Self::on_start);
        on.config_changed(Self::on_config_changed);
        on.update_status(Self::on_update_status);
        AtomicCounter
    }
}

fn say() -> Result<()> {
    let own: Stored<Page> = Stored::load("page")?;
    let output = hook_tool("state-get", &["number"], None)?;
    let juju = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    log::info!("own {} juju {juju}", own.number);
    Ok(())
}

/// Increments both numbers.
fn turn() -> Result<()> {
    let mut page: Stored<Page> = Stored::load("page")?;
    page.number += 1;
    page.text = page.number.to_string().repeat(20_000);
    page.save()?;
    let entry = format!("number={}", page.number);
    hook_tool("state-set", &[entry.as_str()], None)?;
    Ok(())
}

impl AtomicCounter {
    /// Deferred once.
    fn on_start(&mut self, event: StartEvent) -> Result<()> {
        let page: Stored<Page> = Stored::load("page")?;
        if page.number == 0 {
            event.defer("the counter is empty");
            return turn();
        }
        Ok(())
    }

    fn on_config_changed(&mut self, event: ConfigChangedEvent) -> Result<()> {
        event.defer("always");
        turn()
    }

    fn on_update_status(&mut self, event: UpdateStatusEvent) {
        event.defer("always");
    }
}

charmhost::main!(AtomicCounter);
