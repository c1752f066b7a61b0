//! Uses what the Rust SDK itself does: errors, deferral, typed databags, saved
//! state, configuration that blocks.

use std::rc::Rc;

use anyhow::Context as _;
use charmhost::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Config {
    defer: String,
    fail: bool,
    port: u16,
    revision: u8,
}

#[derive(Deserialize)]
struct Serve {
    port: u16,
}

#[derive(Default, Serialize, Deserialize)]
struct Memory {
    starts: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Requested {
    database: String,
    extra_roles: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Provided {
    user: String,
    ports: Vec<u16>,
}

#[derive(Serialize, Deserialize)]
struct Ready {
    n: u32,
}

/// The same event in the next revision of the charm.
#[derive(Serialize, Deserialize)]
struct Renamed {
    name: String,
}

#[derive(Debug, thiserror::Error)]
enum OwnError {
    #[error("cannot serve")]
    Model(#[from] charmhost::Error),
}

/// A library, of the same kind as the charm.
struct Database {
    ready: Source<Ready>,
    renamed: Source<Renamed>,
    memory: Stored<Memory>,
}

impl Database {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.relation("db").changed(Self::on_changed);
        Ok(Database {
            ready: on.define("ready"),
            renamed: on.define("ready"),
            memory: on.stored("memory")?,
        })
    }

    fn on_changed(&self, event: RelationChangedEvent) -> Result<()> {
        let relation = event.relation();
        relation.save_unit(&Requested {
            database: "shop".into(),
            extra_roles: None,
        })?;
        let Some(unit) = event.unit else {
            return Ok(());
        };
        match relation.load_remote_unit::<Provided>(&unit)? {
            Some(Provided { user, ports }) => log::info!("{unit}: {user} {ports:?}"),
            None => log::info!("{unit}: nothing"),
        }
        self.memory.update(|memory| memory.starts += 1);
        log::info!("changes {}", self.memory.get().starts);
        Ok(())
    }
}

struct Sdk {
    database: Rc<Database>,
    memory: Stored<Memory>,
    untouched: Stored<Memory>,
}

impl Charm for Sdk {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        let database = on.library("db", Database::new)?;
        // At build time there is no configuration.
        match config::<Config>().map_or(1, |config| config.revision) {
            1 => on.custom(&database.ready, <Self as First>::on_ready),
            _ => on.custom(&database.renamed, <Self as Second>::on_ready),
        }
        on.start(Self::on_start);
        on.config_changed(Self::on_config_changed);
        on.update_status(Self::on_update_status);
        on.action("serve", Self::on_serve);
        on.action("one", Self::on_one);
        on.action("emit", Self::on_emit);
        on.action("anyhow", Self::on_anyhow);
        on.action("thiserror", Self::on_thiserror);
        on.action("exit", Self::on_exit);
        on.action("panic", Self::on_emit);
        Ok(Sdk {
            database,
            memory: on.stored("memory")?,
            untouched: on.stored("untouched")?,
        })
    }
}

/// The handler of the event, in the two revisions.
trait First {
    fn on_ready(&self, event: Custom<Ready>) -> Result<Settlement>;
}

trait Second {
    fn on_ready(&self, event: Custom<Renamed>);
}

impl First for Sdk {
    fn on_ready(&self, event: Custom<Ready>) -> Result<Settlement> {
        log::info!("ready {}", event.n);
        let Config { defer, fail, .. } = config()?;
        if defer.contains("panic") {
            panic!("no ready today");
        }
        if fail {
            Err("ready is not handled")?;
        }
        match defer.contains("ready") {
            true => event.defer("not ready"),
            false => Ok(Settlement::Handled),
        }
    }
}

impl Second for Sdk {
    fn on_ready(&self, event: Custom<Renamed>) {
        log::info!("renamed {}", event.name);
    }
}

impl Sdk {
    fn on_start(&self, event: StartEvent) -> Result<Settlement> {
        match event.deferred() {
            Some(earlier) => log::info!(
                "deferred {} times, last because {:?}, {}",
                earlier.count,
                earlier.reason,
                earlier.since.elapsed().is_ok()
            ),
            None => log::info!("new"),
        }
        self.memory.update(|memory| memory.starts += 1);
        log::info!(
            "starts {} {}",
            self.memory.get().starts,
            self.untouched.get().starts
        );
        let Config { defer, .. } = config()?;
        match defer.contains("start") {
            true => event.defer(format!("start {}", self.memory.get().starts)),
            false => Ok(Settlement::Handled),
        }
    }

    fn on_config_changed(&self, _: ConfigChangedEvent) -> Result<()> {
        let config: Config = config_or_blocked()?;
        log::info!("port {}", config.port);
        Ok(())
    }

    /// Defers its own event although the handler of the emitted one may fail.
    fn on_update_status(&self, event: UpdateStatusEvent) -> Result<Settlement> {
        if event.deferred().is_some() {
            return Ok(Settlement::Handled);
        }
        let deferral = event.defer("the outer one");
        if let Err(error) = self.database.ready.emit(Ready { n: 1 }) {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            log::info!("goes on: {error}: {}", source.unwrap_or_default());
        }
        deferral
    }

    fn on_serve(&self, event: ActionEvent) -> Result<()> {
        let Serve { port } = event.params_or_fail()?;
        event.set_results(json!({ "port": port }))
    }

    fn on_one(&self, event: ActionEvent) -> Result<()> {
        let found = match relation("db") {
            Ok(found) => format!("{:?}", found.map(|relation| relation.id())),
            Err(error) => format!("{}: {error}", error.code().unwrap_or_default()),
        };
        event.set_results(json!({ "found": found }))
    }

    fn on_emit(&self, _: ActionEvent) -> Result<()> {
        self.database.ready.emit(Ready { n: 2 })
    }

    fn on_anyhow(&self, _: ActionEvent) -> anyhow::Result<()> {
        unit().open_port(Port::tcp(0)).context("cannot serve")
    }

    fn on_thiserror(&self, _: ActionEvent) -> Result<(), OwnError> {
        Ok(unit().open_port(Port::tcp(0))?)
    }

    fn on_exit(&self, _: ActionEvent) -> anyhow::Result<()> {
        Err(Error::exit(3)).context("the licence has expired")
    }
}

charmhost::main!(Sdk);
