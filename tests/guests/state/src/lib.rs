//! Saves, loads and emits what its configuration orders, and logs the outcome.

use charmhost::prelude::*;
use charmhost::serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Config {
    order: String,
}

/// So many lists in one another.
#[derive(Clone, Default)]
struct Nested(usize);

impl Serialize for Nested {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.0.min(1)).map(|_| Nested(self.0 - 1)))
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let inner: Vec<Nested> = Deserialize::deserialize(deserializer)?;
        Ok(Nested(inner.first().map_or(0, |inner| inner.0 + 1)))
    }
}

struct State {
    object: Object,
    ready: Source<Nested>,
}

impl Charm for State {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        let ready = on.define("ready");
        on.custom(&ready, Self::on_ready);
        on.start(Self::on_start);
        on.leader_elected(Self::on_leader_elected);
        on.collect_metrics(Self::on_collect_metrics);
        on.update_status(Self::on_update_status);
        Ok(State {
            object: on.object(),
            ready,
        })
    }
}

fn log(what: &str, result: Result<String>) {
    match result {
        Ok(value) => log::info!("{what}: done {value}"),
        Err(error) => log::info!("{what}: failed {error}"),
    }
}

impl State {
    /// Deferred once more each time.
    fn on_start(&self, event: StartEvent) -> Result<Settlement> {
        event.defer("ordered")
    }

    /// Handled, whatever comes.
    fn on_leader_elected(&self, _: LeaderElectedEvent) {}

    fn on_collect_metrics(&self, _: CollectMetricsEvent) -> Result<()> {
        let calls: Stored<u32> = self.object.stored("metrics")?;
        calls.update(|calls| *calls += 1);
        log::info!("metrics {}", calls.get());
        Ok(())
    }

    fn on_ready(&self, event: Custom<Nested>) -> Result<Settlement> {
        event.defer("ordered")
    }

    fn load<T>(&self, name: &str) -> Result<Stored<T>>
    where
        T: Serialize + DeserializeOwned + Default + 'static,
    {
        self.object.stored(name)
    }

    fn save<T>(&self, name: &str, value: T) -> Result<String>
    where
        T: Serialize + DeserializeOwned + Default + 'static,
    {
        let stored = self.load(name)?;
        stored.set(value);
        stored.save()?;
        Ok(String::new())
    }

    fn on_update_status(&self, _: UpdateStatusEvent) -> Result<()> {
        let Config { order } = config()?;
        let (verb, number) = order.split_once(' ').unwrap_or((&order, "0"));
        let number: usize = number.parse()?;
        let result = match verb {
            "save" => self.save("value", Nested(number)),
            "save-large-integer" => self.save("integer", u128::MAX),
            "load" => self
                .load::<Nested>("value")
                .map(|value| value.get().0.to_string()),
            "load-text" => self
                .load::<Vec<String>>("value")
                .map(|value| value.get().len().to_string()),
            "emit" => self.ready.emit(Nested(number)).map(|()| String::new()),
            _ => return Ok(()),
        };
        log(&order, result);
        Ok(())
    }
}

charmhost::main!(State);
