use charmhost::prelude::*;
use serde::Deserialize;

struct {{Name}};

/// The options of charmcraft.yaml, with `_` for `-`.
#[derive(Deserialize)]
struct Config {
    port: u16,
}

impl Charm for {{Name}} {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.config_changed(Self::on_config_changed);
        on.collect_unit_status(Self::on_collect_unit_status);
        Ok({{Name}})
    }
}

impl {{Name}} {
    fn on_config_changed(&self, _event: ConfigChangedEvent) -> Result<()> {
        let config: Config = config_or_blocked()?;
        log::info!("listening on port {}", config.port);
        unit().set_ports([Port::tcp(config.port)])
    }

    fn on_collect_unit_status(&self, event: CollectStatusEvent) -> Result<()> {
        event.add_status(Status::active("ready"))
    }
}

charmhost::main!({{Name}});
