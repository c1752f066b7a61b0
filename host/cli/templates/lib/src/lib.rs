use charmhost::prelude::*;
use serde::{Deserialize, Serialize};

/// One side of a relation: what the charm wants, and an event when it has it.
pub struct {{Name}} {
    endpoint: String,
    /// The other side has answered.
    pub ready: Source<Ready>,
}

/// Data of the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    pub address: String,
}

/// What the other side writes.
#[derive(Deserialize)]
struct Provided {
    address: String,
}

impl {{Name}} {
    /// Creates it for an endpoint of the charm:
    /// `on.library("db", |on| {{Name}}::new(on, "db"))?`.
    pub fn new(on: &mut Observe<Self>, endpoint: &str) -> Result<Self> {
        on.relation(endpoint).changed(Self::on_changed);
        Ok({{Name}} {
            endpoint: endpoint.to_owned(),
            ready: on.define("ready"),
        })
    }

    /// The address that the other side has given, if it has.
    pub fn address(&self) -> Result<Option<String>> {
        let provided = match relation(&self.endpoint)? {
            Some(relation) => relation.load_remote_app::<Provided>()?,
            None => None,
        };
        Ok(provided.map(|provided| provided.address))
    }

    fn on_changed(&self, _event: RelationChangedEvent) -> Result<()> {
        match self.address()? {
            Some(address) => self.ready.emit(Ready { address }),
            None => Ok(()),
        }
    }
}
