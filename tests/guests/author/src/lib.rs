//! Makes the mistakes that authors make.

use charmhost::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Misspelt {
    #[serde(rename = "prot")]
    _port: u16,
}

#[derive(Deserialize)]
struct Unset {
    #[serde(rename = "token")]
    _token: String,
}

#[derive(Deserialize)]
struct Config {
    port: u16,
    log_level: String,
}

struct Author;

impl Charm for Author {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("misspelt", Self::on_misspelt);
        on.action("unset", Self::on_unset);
        on.action("port", Self::on_port);
        on.action("log", Self::on_log);
        on.action("trace", Self::on_trace);
        on.action("container", Self::on_container);
        on.action("early", Self::on_early);
        on.action("serve", Self::on_serve);
        on.action("files", Self::on_files);
        on.stop(Self::on_stop);
        Ok(Author)
    }
}

impl Author {
    fn on_misspelt(&self, _event: ActionEvent) -> Result<()> {
        config::<Misspelt>().map(drop)
    }

    fn on_unset(&self, _event: ActionEvent) -> Result<()> {
        config::<Unset>().map(drop)
    }

    fn on_port(&self, event: ActionEvent) -> Result<()> {
        let config: Config = config()?;
        event.set_results(json!({"port": config.port, "log-level": config.log_level}))
    }

    fn on_log(&self, _event: ActionEvent) -> Result<()> {
        for level in [log::Level::Trace, log::Level::Debug, log::Level::Info] {
            log::log!(level, "of the charm");
            log::log!(target: "ureq::proto", level, "of a crate");
        }
        Ok(())
    }

    fn on_trace(&self, event: ActionEvent) -> Result<()> {
        log::set_max_level(log::LevelFilter::Trace);
        self.on_log(event)
    }

    fn on_container(&self, _event: ActionEvent) -> Result<()> {
        unit().container("wbe").can_connect().map(drop)
    }

    fn on_early(&self, _event: ActionEvent) -> Result<()> {
        unit().container("web").push("/page", "early")
    }

    fn on_serve(&self, _event: ActionEvent) -> Result<()> {
        let container = unit().container("web");
        let service = Service::new("/bin/no-such-server --port 80").enabled();
        container.combine_layer("web", Layer::new().service("server", service))?;
        container.replan()
    }

    fn on_files(&self, event: ActionEvent) -> Result<()> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|e| e.to_string());
        event.set_results(json!({
            "template": read("templates/page.txt"),
            "library": read("lib/shared.txt"),
            "data": read("data/public.json"),
        }))
    }

    /// An error that is longer than a line.
    fn on_stop(&self, _event: StopEvent) -> Result<()> {
        log::info!("{}", "information ".repeat(20));
        Err(Error::msg(
            "cannot stop: ".to_owned() + &"because ".repeat(20),
        ))
    }
}

charmhost::main!(Author);
