//! The calls, but for files and commands.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::transport::{Envelope, Transport, encoded};
use crate::{CheckInfo, Error, ServiceInfo, SystemInfo};

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long services may take to start and stop.
const SERVICES: Duration = Duration::from_secs(30);

/// A client of the daemon behind one socket.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    deadline: Duration,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Client {
            transport: Transport::new(socket.into()),
            deadline: DEADLINE,
        }
    }

    /// The same with another time that a call may take, instead of 5 seconds.
    /// What runs in the background has times of its own.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Client { deadline, ..self }
    }

    /// The daemon's socket.
    pub fn socket(&self) -> &Path {
        self.transport.socket()
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Envelope, Error> {
        self.transport
            .call(Method::GET, path, None, self.deadline)
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Envelope, Error> {
        self.transport
            .call(Method::POST, path, Some(body), self.deadline)
            .await
    }

    /// What the daemon says of itself: the way to ask whether it is there.
    pub async fn system_info(&self) -> Result<SystemInfo, Error> {
        parse(self.get("/v1/system-info").await?.result)
    }

    /// Adds a layer, YAML text, on top of the others; with `combine` it is
    /// merged into the one of the same label, if there is one.
    pub async fn add_layer(&self, label: &str, layer: &str, combine: bool) -> Result<(), Error> {
        let body = json!({
            "action": "add",
            "combine": combine,
            "label": label,
            "format": "yaml",
            "layer": layer,
        });
        self.post("/v1/layers", &body).await.map(drop)
    }

    /// The layers combined: YAML text.
    pub async fn plan(&self) -> Result<String, Error> {
        parse(self.get("/v1/plan?format=yaml").await?.result)
    }

    /// The services of these names, or all if none is named, sorted by name.
    /// Names that there are not are left out.
    pub async fn services(&self, names: &[String]) -> Result<Vec<ServiceInfo>, Error> {
        let query = query("/v1/services", names);
        parse(self.get(&query).await?.result)
    }

    /// The checks of these names, or all if none is named, sorted by name.
    pub async fn checks(&self, names: &[String]) -> Result<Vec<CheckInfo>, Error> {
        let query = query("/v1/checks", names);
        parse(self.get(&query).await?.result)
    }

    /// Starts the services that start by themselves, and waits for it.
    pub async fn autostart(&self) -> Result<(), Error> {
        self.act("autostart", &[]).await
    }

    /// Restarts the services whose configuration changed, starts those that
    /// start by themselves, and waits for it.
    pub async fn replan(&self) -> Result<(), Error> {
        self.act("replan", &[]).await
    }

    /// Starts services and what they require, and waits for it.
    pub async fn start(&self, services: &[String]) -> Result<(), Error> {
        named("start", services)?;
        self.act("start", services).await
    }

    /// Stops services and what requires them, and waits for it.
    pub async fn stop(&self, services: &[String]) -> Result<(), Error> {
        named("stop", services)?;
        self.act("stop", services).await
    }

    /// Stops services if they run, starts them, and waits for it.
    pub async fn restart(&self, services: &[String]) -> Result<(), Error> {
        named("restart", services)?;
        self.act("restart", services).await
    }

    async fn act(&self, action: &str, services: &[String]) -> Result<(), Error> {
        let body = json!({"action": action, "services": services});
        let envelope = self.post("/v1/services", &body).await?;
        let change = change_id(&envelope)?;
        self.wait_change(&change, Some(SERVICES)).await.map(drop)
    }

    /// Adds a custom notice and gives its id. The key looks like
    /// `example.com/backup-done`.
    pub async fn notify<'a>(
        &self,
        key: &str,
        data: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<String, Error> {
        let data: serde_json::Map<String, Value> = data
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        let body = json!({"action": "add", "type": "custom", "key": key, "data": data});
        let result = self.post("/v1/notices", &body).await?.result;
        match result.get("id").and_then(Value::as_str) {
            Some(id) => Ok(id.to_owned()),
            None => Err(Error::Protocol("a new notice has no id".to_owned())),
        }
    }
}

fn named(action: &str, services: &[String]) -> Result<(), Error> {
    match services.is_empty() {
        true => Err(Error::Invalid(format!(
            "cannot {action} services: name at least one"
        ))),
        false => Ok(()),
    }
}

fn query(path: &str, names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("names={}", encoded(name)))
        .collect();
    match names.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", names.join("&")),
    }
}

pub(crate) fn change_id(envelope: &Envelope) -> Result<String, Error> {
    let missing = || Error::Protocol("an answer about a change does not name it".to_owned());
    envelope.change.clone().ok_or_else(missing)
}

/// A result of the form that was asked for. Nothing is an empty list.
pub(crate) fn parse<T: DeserializeOwned>(result: Value) -> Result<T, Error> {
    let result = match result {
        Value::Null => Value::Array(Vec::new()),
        other => other,
    };
    serde_json::from_value(result)
        .map_err(|error| Error::Protocol(format!("its answer has another form: {error}")))
}
