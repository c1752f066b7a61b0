//! The charm of the benchmark: `charms/hello`, a relation that is read and
//! written much, stored state, and an event that may be deferred many times.
//! The same charm on Python ops is `tests/bench/python`.

use charmhost::prelude::*;
use serde::{Deserialize, Serialize};

/// Keys that are written at each change of the relation.
const WRITES: usize = 20;

struct Bench {
    stored: Stored<State>,
}

#[derive(Deserialize)]
struct Config {
    greeting: String,
    port: u16,
}

#[derive(Deserialize)]
struct Greet {
    name: String,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    starts: u32,
}

impl Charm for Bench {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.start(Self::on_start);
        on.config_changed(Self::on_config_changed);
        on.leader_elected(Self::on_leader_elected);
        on.relation("db").changed(Self::on_db_changed);
        on.action("greet", Self::on_greet);
        on.collect_unit_status(Self::on_collect_unit_status);
        let stored = on.stored("_stored")?;
        Ok(Bench { stored })
    }
}

impl Bench {
    fn on_start(&self, _event: StartEvent) {
        self.stored.update(|state| state.starts += 1);
    }

    fn on_config_changed(&self, _event: ConfigChangedEvent) -> Result<()> {
        let config: Config = config()?;
        log::info!("saying {:?} on port {}", config.greeting, config.port);
        unit().set_ports([Port::tcp(config.port)])
    }

    /// The event that is deferred in the cases of a long queue.
    fn on_leader_elected(&self, _event: LeaderElectedEvent) {}

    fn on_db_changed(&self, event: RelationChangedEvent) -> Result<()> {
        let relation = event.relation();
        let mut keys = 0;
        for unit in relation.units()? {
            keys += relation.remote_unit_data(unit)?.len();
        }
        for number in 0..WRITES {
            relation.set_unit_data([(format!("key-{number}"), keys.to_string())])?;
        }
        Ok(())
    }

    fn on_greet(&self, event: ActionEvent) -> Result<()> {
        let Greet { name } = event.params()?;
        event.log(format!("greeting {name}"))?;
        event.set_results(json!({ "text": format!("{}, {name}!", config::<Config>()?.greeting) }))
    }

    fn on_collect_unit_status(&self, event: CollectStatusEvent) -> Result<()> {
        let Config { greeting, port } = config()?;
        event.add_status(Status::active(format!("saying {greeting} on port {port}")))
    }
}

charmhost::main!(Bench);
