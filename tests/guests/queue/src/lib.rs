//! Defers what its configuration names, and logs every call.

use charmhost::prelude::*;
use serde::{Deserialize, Serialize};

struct Queue {
    calls: Stored<Calls>,
}

#[derive(Deserialize)]
struct Config {
    defer: String,
    fail: String,
}

/// Saved state: the number of calls, and the names of the last ones.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Calls {
    count: u32,
    last: Vec<String>,
}

impl Charm for Queue {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.start(Self::on_start_first);
        on.start(Self::on_start_second);
        on.start(Self::on_start_first);
        on.config_changed(Self::on_config_changed);
        on.leader_elected(Self::on_leader_elected);
        on.relation("db")
            .joined(Self::on_db_joined)
            .changed(Self::on_db_changed)
            .broken(Self::on_db_broken);
        on.storage("data").attached(Self::on_data_attached);
        let calls = on.stored("_calls")?;
        Ok(Queue { calls })
    }
}

fn shown(name: Option<&str>) -> &str {
    name.unwrap_or("nobody")
}

impl Queue {
    /// Logs a call; returns whether to defer the event.
    fn called(&self, handler: &str, details: String) -> Result<bool> {
        let (count, last) = self.calls.update(|calls| {
            calls.count += 1;
            calls.last.push(handler.to_owned());
            if calls.last.len() > 3 {
                calls.last.remove(0);
            }
            (calls.count, calls.last.join(" "))
        });
        log::info!("{count} {handler} {details} after {last}");
        let Config { defer, fail } = config()?;
        if fail == handler {
            return Err(Error::exit(3));
        }
        Ok(defer.split(' ').any(|name| name == handler))
    }

    fn on_start_first(&self, event: StartEvent) -> Result<Settlement> {
        if self.called("start_first", String::new())? {
            return event.defer("configured to defer");
        }
        Ok(Settlement::Handled)
    }

    fn on_start_second(&self, event: StartEvent) -> Result<Settlement> {
        if self.called("start_second", String::new())? {
            return event.defer("configured to defer");
        }
        Ok(Settlement::Handled)
    }

    fn on_config_changed(&self, event: ConfigChangedEvent) -> Result<Settlement> {
        if self.called("config_changed", String::new())? {
            return event.defer("configured to defer");
        }
        Ok(Settlement::Handled)
    }

    fn on_leader_elected(&self, event: LeaderElectedEvent) -> Result<Settlement> {
        if self.called("leader_elected", String::new())? {
            return event.defer("configured to defer");
        }
        Ok(Settlement::Handled)
    }

    fn on_db_joined(&self, event: RelationJoinedEvent) -> Result<Settlement> {
        let about = format!("{} {} {}", event.relation_id, event.app, event.unit);
        if self.called("db_joined", about)? {
            return event.defer("configured to defer");
        }
        Ok(Settlement::Handled)
    }

    fn on_db_changed(&self, event: RelationChangedEvent) -> Result<Settlement> {
        let about = format!(
            "{} {} {}",
            event.relation_id,
            shown(event.app.as_deref()),
            shown(event.unit.as_deref())
        );
        if self.called("db_changed", about)? {
            return event.defer("configured to defer");
        }
        Ok(Settlement::Handled)
    }

    fn on_db_broken(&self, event: RelationBrokenEvent) -> Result<Settlement> {
        let about = format!("{} {}", event.relation_id, shown(event.app.as_deref()));
        if self.called("db_broken", about)? {
            return event.defer("configured to defer");
        }
        Ok(Settlement::Handled)
    }

    fn on_data_attached(&self, event: StorageAttachedEvent) -> Result<Settlement> {
        let about = format!(
            "{}/{} {}",
            event.name,
            event.index,
            shown(event.location.as_deref())
        );
        if self.called("data_attached", about)? {
            return event.defer("configured to defer");
        }
        Ok(Settlement::Handled)
    }
}

charmhost::main!(Queue);
