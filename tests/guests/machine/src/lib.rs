//! Follows the orders in its configuration, and logs the result of each: storage,
//! resources, ports, metadata and reboots.

use std::collections::BTreeMap;

use charmhost::prelude::*;
use charmhost::serde_json::Value;
use charmhost::{OpenedPort, RebootTime, RelationMeta, StorageKind, metadata_json};
use serde::{Deserialize, Serialize};

struct Machine {
    calls: Stored<Calls>,
}

/// Saved state: the number of calls.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Calls {
    count: u32,
}

impl Charm for Machine {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        // Tests replace the metadata, and only what it has can be observed.
        match context().dispatch_path.as_str() {
            "hooks/data-storage-detaching" => {
                on.storage("data").detaching(Self::on_data_detaching);
            }
            "actions/act" => {
                on.action("act", Self::on_act);
            }
            _ => {
                on.config_changed(Self::on_config_changed);
            }
        }
        let calls = on.stored("_calls")?;
        Ok(Machine { calls })
    }
}

impl Machine {
    fn on_config_changed(&self, _: ConfigChangedEvent) -> Result {
        self.follow()
    }

    fn on_data_detaching(&self, _: StorageDetachingEvent) -> Result {
        self.follow()
    }

    fn on_act(&self, _: ActionEvent) -> Result {
        self.follow()
    }

    /// Follows all orders. One that fails does not stop the next.
    fn follow(&self) -> Result {
        let count = self.calls.update(|calls| {
            calls.count += 1;
            calls.count
        });
        let options: BTreeMap<String, Value> = config()?;
        let orders = options.get("orders").and_then(Value::as_str);
        let orders = orders.unwrap_or_default().split(';').map(str::trim);
        for order in orders.filter(|order| !order.is_empty()) {
            if order == "fail" {
                return Err(Error::exit(3));
            }
            match obey(order, count, &options) {
                Ok(result) => log::info!("{order}: {result}"),
                Err(error) => log::info!("{order}: {}", reason(&error)),
            }
        }
        Ok(())
    }
}

/// Why an order failed: the case of the error or its code.
fn reason(error: &Error) -> String {
    match (error.kind(), error.code()) {
        (_, Some(code)) => code.to_owned(),
        (ErrorKind::NotFound, _) => "not-found".to_owned(),
        (ErrorKind::InvalidInput, _) => "invalid-input".to_owned(),
        _ => format!("{error:?}"),
    }
}

fn obey(order: &str, count: u32, options: &BTreeMap<String, Value>) -> Result<String> {
    let words: Vec<&str> = order.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["count"] => count.to_string(),
        ["list", name] => {
            let storages = storages(name)?.into_iter();
            joined(storages.map(|found| found.index().to_string()))
        }
        ["get", name, index] => {
            let storage = Storage::new(*name, index.parse()?);
            let kind = match storage.kind()? {
                StorageKind::Filesystem => "filesystem".to_owned(),
                StorageKind::Block => "block".to_owned(),
                kind => format!("{kind:?}"),
            };
            format!("{kind} {}", storage.location()?.display())
        }
        ["write", name, index, text] => {
            let index: u32 = index.parse()?;
            let mut storages = storages(name)?.into_iter();
            let storage = storages.find(|found| found.index() == index);
            let location = storage.ok_or("no such instance")?.location()?;
            std::fs::write(location.join("written"), text)?;
            std::fs::read_to_string(location.join("written"))?
        }
        ["request", name, count] => request_storage(name, count.parse()?).map(done)?,
        ["fetch", name] => {
            let path = resource(name)?;
            let text = std::fs::read_to_string(&path)?;
            format!("{}: {}", path.display(), text.trim())
        }
        ["fetch-path", name] => resource(name)?.display().to_string(),
        ["open", port] => unit().open_port(parse(port)?).map(done)?,
        ["open", port, endpoints] => {
            let endpoints = endpoints.split(',');
            unit().open_port_for(parse(port)?, endpoints).map(done)?
        }
        ["close", port] => unit().close_port(parse(port)?).map(done)?,
        ["close", port, endpoints] => {
            let endpoints = endpoints.split(',');
            unit().close_port_for(parse(port)?, endpoints).map(done)?
        }
        ["set", ports @ ..] => {
            let ports: Result<Vec<Port>> = ports.iter().map(|port| parse(port)).collect();
            unit().set_ports(ports?).map(done)?
        }
        ["opened"] => {
            let opened = unit().opened_ports()?.into_iter();
            joined(opened.map(shown))
        }
        ["opened-with-endpoints"] => {
            let opened = unit().opened_ports_with_endpoints()?.into_iter();
            let shown = |opened: OpenedPort| {
                format!("{} ({})", shown(opened.port), opened.endpoints.join(","))
            };
            joined(opened.map(shown))
        }
        ["metadata"] => {
            let mut document: Value = charmhost::serde_json::from_str(&metadata_json()?)?;
            document.sort_all_objects();
            document.to_string()
        }
        ["roles"] => {
            let metadata = metadata()?;
            let role = |(name, endpoint): (&&str, &&RelationMeta)| {
                format!("{name} {:?} {}", endpoint.role, endpoint.interface)
            };
            let roles: Vec<String> = metadata.relations().iter().map(role).collect();
            roles.join(", ")
        }
        ["option", name] => options.get(*name).unwrap_or(&Value::Null).to_string(),
        ["reboot"] => unit().reboot(RebootTime::AfterHook).map(done)?,
        ["reboot-now"] => unit().reboot(RebootTime::Now).map(done)?,
        _ => return Err(Error::msg("no such order")),
    })
}

fn done((): ()) -> String {
    "done".to_owned()
}

fn joined(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.join(" "),
    }
}

/// Parses `80/tcp`, `8000-8010/udp` or `icmp`.
fn parse(text: &str) -> Result<Port> {
    let Some((numbers, protocol)) = text.split_once('/') else {
        return Ok(Port::icmp());
    };
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let port: fn(u16) -> Port = match protocol {
        "tcp" => Port::tcp,
        _ => Port::udp,
    };
    Ok(port(first.parse()?).to(last.parse()?))
}

fn shown(port: Port) -> String {
    let Port {
        protocol,
        first,
        last,
    } = port;
    let protocol = match protocol {
        Protocol::Icmp => return "icmp".to_owned(),
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    match first == last {
        true => format!("{first}/{protocol}"),
        false => format!("{first}-{last}/{protocol}"),
    }
}

charmhost::main!(Machine);
