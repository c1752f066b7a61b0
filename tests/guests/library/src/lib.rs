//! A charm with a library in a library. Every handler logs that it was called,
//! and then behaves as configured.

use std::cell::RefCell;
use std::rc::Rc;

use charmhost::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Config {
    absent: String,
    defer: String,
    emit: String,
    fail: String,
    status: String,
    swallow: String,
}

/// The data of all custom events.
#[derive(Clone, Serialize, Deserialize)]
struct Numbered {
    n: i64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Calls {
    count: u32,
}

thread_local! {
    /// The custom events of all objects, by name.
    static EVENTS: RefCell<Vec<(&'static str, Source<Numbered>)>> = RefCell::default();
}

fn define<O: 'static>(on: &mut Observe<O>, name: &'static str) -> Source<Numbered> {
    let source = on.define(name);
    EVENTS.with_borrow_mut(|events| events.push((name, source.clone())));
    source
}

fn is_there(handler: &str) -> bool {
    let config: Config = config().unwrap_or_else(|error| panic!("{error}"));
    !config.absent.split(' ').any(|name| name == handler)
}

/// The rest of each word that begins with a handler's name and a colon.
fn orders<'a>(list: &'a str, handler: &str) -> Vec<(&'a str, &'a str)> {
    let words = list.split(' ').filter_map(|word| word.split_once(':'));
    let own = words.filter(|(name, _)| *name == handler);
    own.filter_map(|(_, order)| order.split_once(':')).collect()
}

/// Logs a call, counts it in the object's state, and emits; returns whether to
/// defer the event.
fn called(calls: &Stored<Calls>, handler: &str, details: &str) -> Result<bool> {
    let count = calls.update(|calls| {
        calls.count += 1;
        calls.count
    });
    log::info!("{count} {handler} {details}");
    let config: Config = config()?;
    for (event, number) in orders(&config.emit, handler) {
        let n = number.parse()?;
        let events = EVENTS.with_borrow(|events| events.clone());
        for (_, source) in events.iter().filter(|(name, _)| *name == event) {
            match source.emit(Numbered { n }) {
                Err(_) if config.swallow.split(' ').any(|name| name == handler) => {
                    log::info!("{handler} goes on");
                }
                result => result?,
            }
        }
    }
    if config.fail == handler {
        return Err(Error::exit(3));
    }
    Ok(config.defer.split(' ').any(|name| name == handler))
}

fn collect(handler: &str, event: &CollectStatusEvent) -> Result<()> {
    let config: Config = config()?;
    for (name, message) in orders(&config.status, handler) {
        event.add_status(match name {
            "active" => Status::active(message),
            "blocked" => Status::blocked(message),
            "maintenance" => Status::maintenance(message),
            _ => Status::waiting(message),
        })?;
    }
    Ok(())
}

macro_rules! handlers {
    ($($method:ident($event:ident $(<$data:ident>)?) $label:literal $(about $number:ident)?;)*) => {
        $(fn $method(&self, event: $event $(<$data>)?) -> Result<Settlement> {
            let details = String::new() $(+ &event.$number.to_string())?;
            if called(&self.calls, $label, &details)? {
                return event.defer("configured to defer");
            }
            Ok(Settlement::Handled)
        })*
    };
}

struct Cache {
    calls: Stored<Calls>,
    filled: Source<Numbered>,
}

impl Cache {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.start(Self::on_start);
        Ok(Cache {
            calls: on.stored("_stored")?,
            filled: define(on, "filled"),
        })
    }

    handlers! {
        on_start(StartEvent) "cache_start";
    }
}

struct Db {
    calls: Stored<Calls>,
    ready: Source<Numbered>,
    gone: Source<Numbered>,
}

impl Db {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        let cache = on.library("c", Cache::new)?;
        let ready = define(on, "ready");
        let gone = define(on, "gone");
        on.config_changed(Self::on_config_changed);
        on.relation("db").changed(Self::on_changed);
        on.custom(&cache.filled, Self::on_filled);
        on.collect_unit_status(Self::on_collect_unit_status);
        Ok(Db {
            calls: on.stored("_stored")?,
            ready,
            gone,
        })
    }

    handlers! {
        on_config_changed(ConfigChangedEvent) "db_config_changed";
        on_changed(RelationChangedEvent) "db_changed" about relation_id;
        on_filled(Custom<Numbered>) "db_filled" about n;
    }

    fn on_collect_unit_status(&self, event: CollectStatusEvent) -> Result<()> {
        collect("db_unit", &event)
    }
}

struct Shop {
    calls: Stored<Calls>,
}

impl Charm for Shop {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        let tick = define(on, "tick");
        on.start(Self::on_start);
        if is_there("db") {
            let db: Rc<Db> = on.library("db", Db::new)?;
            if is_there("ready_first") {
                on.custom(&db.ready, Self::on_ready_first);
            }
            on.custom(&db.ready, Self::on_ready_second);
            on.custom(&db.gone, Self::on_gone);
        }
        if is_there("config_changed") {
            on.config_changed(Self::on_config_changed);
        }
        on.update_status(Self::on_update_status);
        on.custom(&tick, Self::on_tick);
        on.custom(&tick, Self::on_tick);
        on.action("act", Self::on_act);
        on.collect_app_status(Self::on_collect_app_status);
        on.collect_unit_status(Self::on_collect_unit_status);
        Ok(Shop {
            calls: on.stored("_stored")?,
        })
    }
}

impl Shop {
    handlers! {
        on_start(StartEvent) "start";
        on_config_changed(ConfigChangedEvent) "config_changed";
        on_update_status(UpdateStatusEvent) "update_status";
        on_ready_first(Custom<Numbered>) "ready_first" about n;
        on_ready_second(Custom<Numbered>) "ready_second" about n;
        on_gone(Custom<Numbered>) "gone" about n;
        on_tick(Custom<Numbered>) "tick" about n;
    }

    fn on_act(&self, _: ActionEvent) -> Result<()> {
        called(&self.calls, "act", "").map(drop)
    }

    fn on_collect_app_status(&self, event: CollectStatusEvent) -> Result<()> {
        collect("app", &event)
    }

    fn on_collect_unit_status(&self, event: CollectStatusEvent) -> Result<()> {
        collect("unit", &event)
    }
}

charmhost::main!(Shop);
