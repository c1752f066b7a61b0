//! Reads and writes databags. Handlers of relation events perform the
//! words of the option `orders`, and log the result of each.

use charmhost::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Config {
    orders: String,
}

#[derive(Deserialize)]
struct Params {
    /// Keys and values. Keys of parameters themselves do not arrive as they are.
    data: Vec<(String, String)>,
}

struct Databags {
    object: Object,
}

impl Charm for Databags {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("write", Self::on_write);
        on.action("save", Self::on_save);
        on.relation("db")
            .changed(Self::on_changed)
            .broken(Self::on_broken);
        let object = on.object();
        Ok(Databags { object })
    }
}

impl Databags {
    fn on_write(&self, event: ActionEvent) -> Result<()> {
        let Params { data } = event.params()?;
        let relation = relation("db")?.ok_or_else(|| Error::msg("no relation"))?;
        relation.set_unit_data(data)
    }

    /// Saves all data under the name that is the first key.
    fn on_save(&self, event: ActionEvent) -> Result<()> {
        let Params { data } = event.params()?;
        let (name, _) = data.first().ok_or_else(|| Error::msg("no data"))?;
        let saved: Stored<Vec<(String, String)>> = self.object.stored(name)?;
        saved.set(data);
        Ok(())
    }

    fn on_changed(&self, event: RelationChangedEvent) -> Result<()> {
        follow(&event.relation())
    }

    fn on_broken(&self, event: RelationBrokenEvent) -> Result<()> {
        follow(&event.relation())
    }
}

fn follow(relation: &Relation) -> Result<()> {
    let config: Config = config()?;
    for order in config.orders.split_whitespace() {
        match obey(relation, order) {
            Ok(seen) => log::info!("{order}: {seen}"),
            Err(error) => log::info!("{order}: {:?}: {error}", error.kind()),
        }
    }
    Ok(())
}

fn obey(relation: &Relation, order: &str) -> Result<String> {
    let (order, size) = order.split_once('=').unwrap_or((order, "0"));
    // Two bytes each.
    let long = "é".repeat(size.parse()?);
    Ok(match order {
        "list" => {
            let listed = relations("db")?;
            let ids: Vec<u32> = listed.iter().map(Relation::id).collect();
            format!("{ids:?}")
        }
        "is-active" => relation.is_active()?.to_string(),
        "read-app" => format!("{:?}", relation.app_data()?),
        "set" => format!("{:?}", relation.set_unit_data([("key", "value")])?),
        "set-app" => format!("{:?}", relation.set_app_data([("key", "value")])?),
        "app-status" => format!("{:?}", app().status()?),
        "log" => {
            log::warn!("{long}");
            String::new()
        }
        "panic" => panic!("it's over"),
        "version" => format!("{:?}", unit().set_workload_version(long)?),
        other => return Err(Error::msg(format!("unknown order {other}"))),
    })
}

charmhost::main!(Databags);
