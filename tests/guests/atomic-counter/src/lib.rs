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

struct AtomicCounter {
    page: Stored<Page>,
}

impl Charm for AtomicCounter {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        let page = on.stored("page")?;
        if let Err(error) = say(&page) {
            log::error!("cannot say the numbers: {error}");
        }
        on.start(Self::on_start);
        on.config_changed(Self::on_config_changed);
        on.update_status(Self::on_update_status);
        Ok(AtomicCounter { page })
    }
}

fn say(own: &Stored<Page>) -> Result<()> {
    let output = hook_tool("state-get", &["number"], None)?;
    let juju = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    log::info!("own {} juju {juju}", own.get().number);
    Ok(())
}

impl AtomicCounter {
    /// Deferred once.
    fn on_start(&self, event: StartEvent) -> Result<Settlement> {
        if self.page.get().number > 0 {
            return Ok(Settlement::Handled);
        }
        self.turn()?;
        event.defer("the counter is empty")
    }

    fn on_config_changed(&self, event: ConfigChangedEvent) -> Result<Settlement> {
        self.turn()?;
        event.defer("always")
    }

    fn on_update_status(&self, event: UpdateStatusEvent) -> Result<Settlement> {
        event.defer("always")
    }

    /// Increments both numbers.
    fn turn(&self) -> Result<()> {
        let number = self.page.update(|page| {
            page.number += 1;
            page.text = page.number.to_string().repeat(20_000);
            page.number
        });
        let entry = format!("number={number}");
        hook_tool("state-set", &[entry.as_str()], None)?;
        Ok(())
    }
}

charmhost::main!(AtomicCounter);
