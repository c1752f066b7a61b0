use charmhost::prelude::*;
use serde::Deserialize;

/// The container in charmcraft.yaml, and the service that runs in it.
const CONTAINER: &str = "app";
const SERVICE: &str = "app";
/// The program of the image. scenario.yaml has a stand-in for it.
const PROGRAM: &str = "/usr/bin/app";

struct {{Name}};

/// The options of charmcraft.yaml, with `_` for `-`.
#[derive(Deserialize)]
struct Config {
    port: u16,
}

impl Charm for {{Name}} {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.container(CONTAINER).pebble_ready(Self::on_pebble_ready);
        on.config_changed(Self::on_config_changed);
        on.collect_unit_status(Self::on_collect_unit_status);
        Ok({{Name}})
    }
}

impl {{Name}} {
    fn on_pebble_ready(&self, _event: PebbleReadyEvent) -> Result<()> {
        self.run()
    }

    fn on_config_changed(&self, _event: ConfigChangedEvent) -> Result<()> {
        self.run()
    }

    /// Runs the program with the configured port, once the container is ready.
    fn run(&self) -> Result<()> {
        let container = unit().container(CONTAINER);
        if !container.can_connect()? {
            return Ok(());
        }
        let config: Config = config_or_blocked()?;
        let service = Service::new(format!("{PROGRAM} --port {}", config.port))
            .summary("What the charm operates")
            .enabled();
        container.combine_layer(CONTAINER, Layer::new().service(SERVICE, service))?;
        container.replan()?;
        unit().set_ports([Port::tcp(config.port)])
    }

    fn on_collect_unit_status(&self, event: CollectStatusEvent) -> Result<()> {
        let container = unit().container(CONTAINER);
        if !container.can_connect()? {
            return event.add_status(Status::waiting("waiting for the container"));
        }
        event.add_status(match container.service(SERVICE)? {
            Some(service) if service.is_running() => Status::active("ready"),
            _ => Status::blocked("the program does not run"),
        })
    }
}

charmhost::main!({{Name}});
