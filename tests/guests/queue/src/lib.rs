//! Defers what its configuration names, and logs every call.

use charmhost::prelude::*;
use serde::{Deserialize, Serialize};

struct Queue;

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
    fn new(on: &mut Observe<Self>) -> Self {
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
        Queue
    }
}

/// Logs a call; returns whether to defer the event.
fn called(handler: &str, details: String) -> Result<bool> {
    let mut calls: Stored<Calls> = Stored::load("_calls")?;
    calls.count += 1;
    calls.last.push(handler.to_owned());
    if calls.last.len() > 3 {
        calls.last.remove(0);
    }
    calls.save()?;
    log::info!(
        "{} {handler} {details} after {}",
        calls.count,
        calls.last.join(" ")
    );
    let Config { defer, fail } = config()?;
    if fail == handler {
        return Err(Error::exit(3));
    }
    Ok(defer.split(' ').any(|name| name == handler))
}

fn shown(name: Option<&str>) -> &str {
    name.unwrap_or("nobody")
}

impl Queue {
    fn on_start_first(&mut self, event: StartEvent) -> Result<()> {
        if called("start_first", String::new())? {
            event.defer("configured to defer");
        }
        Ok(())
    }

    fn on_start_second(&mut self, event: StartEvent) -> Result<()> {
        if called("start_second", String::new())? {
            event.defer("configured to defer");
        }
        Ok(())
    }

    fn on_config_changed(&mut self, event: ConfigChangedEvent) -> Result<()> {
        if called("config_changed", String::new())? {
            event.defer("configured to defer");
        }
        Ok(())
    }

    fn on_leader_elected(&mut self, event: LeaderElectedEvent) -> Result<()> {
        if called("leader_elected", String::new())? {
            event.defer("configured to defer");
        }
        Ok(())
    }

    fn on_db_joined(&mut self, event: RelationJoinedEvent) -> Result<()> {
        let about = format!("{} {} {}", event.relation_id, event.app, event.unit);
        if called("db_joined", about)? {
            event.defer("configured to defer");
        }
        Ok(())
    }

    fn on_db_changed(&mut self, event: RelationChangedEvent) -> Result<()> {
        let about = format!(
            "{} {} {}",
            event.relation_id,
            shown(event.app.as_deref()),
            shown(event.unit.as_deref())
        );
        if called("db_changed", about)? {
            event.defer("configured to defer");
        }
        Ok(())
    }

    fn on_db_broken(&mut self, event: RelationBrokenEvent) -> Result<()> {
        let about = format!("{} {}", event.relation_id, shown(event.app.as_deref()));
        if called("db_broken", about)? {
            event.defer("configured to defer");
        }
        Ok(())
    }

    fn on_data_attached(&mut self, event: StorageAttachedEvent) -> Result<()> {
        let about = format!(
            "{}/{} {}",
            event.name,
            event.index,
            shown(event.location.as_deref())
        );
        if called("data_attached", about)? {
            event.defer("configured to defer");
        }
        Ok(())
    }
}

charmhost::main!(Queue);
