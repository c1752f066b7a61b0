//! Logs a greeting, and opens a configurable port.

use charmhost::prelude::*;
use serde::Deserialize;

struct Hello;

#[derive(Deserialize)]
struct Config {
    greeting: String,
    port: u16,
}

#[derive(Deserialize)]
struct Greet {
    name: String,
}

impl Charm for Hello {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.config_changed(Self::on_config_changed);
        on.start(Self::on_start);
        on.action("greet", Self::on_greet);
        on.collect_unit_status(Self::on_collect_unit_status);
        Ok(Hello)
    }
}

impl Hello {
    fn on_config_changed(&self, _event: ConfigChangedEvent) -> Result<()> {
        let config: Config = config_or_blocked()?;
        log::info!("saying {:?} on port {}", config.greeting, config.port);
        unit().set_ports([Port::tcp(config.port)])
    }

    fn on_start(&self, _event: StartEvent) -> Result<()> {
        unit().set_workload_version(env!("CARGO_PKG_VERSION"))
    }

    fn on_greet(&self, event: ActionEvent) -> Result<()> {
        let Greet { name } = event.params()?;
        if name.is_empty() {
            return event.fail("cannot greet nobody: give a name");
        }
        event.log(format!("greeting {name}"))?;
        event.set_results(json!({ "text": format!("{}, {name}!", config::<Config>()?.greeting) }))
    }

    fn on_collect_unit_status(&self, event: CollectStatusEvent) -> Result<()> {
        let Config { greeting, port } = config_or_blocked()?;
        event.add_status(match greeting.as_str() {
            "" => Status::blocked("the greeting is empty: set one with juju config"),
            _ => Status::active(format!("saying {greeting} on port {port}")),
        })
    }
}

charmhost::main!(Hello);
