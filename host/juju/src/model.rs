//! The hook tools, typed, with ops's rules about what is asked once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use charmhost_hook_tools::{MAX_ARGUMENT, ToolError, ToolOutput, Transport, names_file};
use serde_json::Value;

use crate::security::Identity;
use crate::stderr::print_error;
use crate::{ConfigValue, Environment, Level, Metadata, Port, Scope, StatusName, StatusValue};

/// How long Juju guarantees leadership after it has confirmed it.
const LEADERSHIP: Duration = Duration::from_secs(30);

/// The model as this unit sees it and may change it.
///
/// Configuration is read once, leadership is kept for 30 seconds, and a status
/// that was read or set is known; everything else is asked each time.
pub struct Model {
    transport: Box<dyn Transport>,
    charm_dir: std::path::PathBuf,
    config: Option<BTreeMap<String, ConfigValue>>,
    leadership: Option<(Instant, bool)>,
    unit_status: Option<StatusValue>,
    app_status: Option<StatusValue>,
    echo: bool,
    complained: bool,
    pub(crate) identity: Identity,
    /// The security event, with its description, of the last call that was
    /// refused, if it is not logged.
    pub(crate) refusal: Option<(String, String)>,
}

impl Model {
    /// A model reached by a transport; `charm_dir` tells which options are
    /// secrets.
    pub fn new(transport: Box<dyn Transport>, charm_dir: &Path) -> Self {
        Model {
            transport,
            charm_dir: charm_dir.to_path_buf(),
            config: None,
            leadership: None,
            unit_status: None,
            app_status: None,
            echo: false,
            complained: false,
            identity: Identity::default(),
            refusal: None,
        }
    }

    /// Sets whose security events are logged.
    pub fn identify(&mut self, environment: &Environment) {
        self.identity = environment.into();
    }

    /// Writes log lines to the error stream too, as in a debug session.
    pub fn echo_logs(&mut self) {
        self.echo = true;
    }

    /// Sets how long one call of a hook tool may take; without it, calls wait
    /// for ever.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        self.transport.set_timeout(limit);
    }

    /// Makes ready for a restriction of this process: see
    /// [`Transport::prepare_restriction`].
    pub fn prepare_restriction(&mut self) -> std::io::Result<()> {
        self.transport.prepare_restriction()
    }

    /// Runs any tool. One that ran and failed is an output.
    ///
    /// What a guest may pass is not decided here, but no value in any call may
    /// become a flag that has the agent open a file.
    pub fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        if args.iter().any(|arg| arg.contains('\0')) {
            return Err(ToolError::invalid(tool, "an argument contains a NUL byte"));
        }
        if let Some(arg) = names_file(tool, args) {
            return Err(ToolError::opens_file(tool, &arg));
        }
        // The socket knows no limit, but a charm must not depend on how its
        // hook tools are called.
        if let Some(arg) = args.iter().find(|arg| arg.len() > MAX_ARGUMENT) {
            return Err(ToolError::argument_too_long(tool, arg.len()));
        }
        self.transport.run(tool, args, stdin)
    }

    /// Runs a tool that must succeed and gives what it printed.
    fn call(&mut self, tool: &str, args: &[&str]) -> Result<Vec<u8>, ToolError> {
        self.call_with(tool, args, None)
    }

    /// The same for a tool that reads its input.
    pub(crate) fn call_with(
        &mut self,
        tool: &str,
        args: &[&str],
        stdin: Option<&[u8]>,
    ) -> Result<Vec<u8>, ToolError> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let output = self.run(tool, &args, stdin)?;
        match output.code {
            0 => Ok(output.stdout),
            code => {
                // What ops runs beside its model is none of its events.
                if tool != "juju-log" && !tool.starts_with("state-") {
                    self.note_refusal(tool, code, &output.stderr);
                }
                Err(ToolError::failed(tool, code, &output.stderr))
            }
        }
    }

    pub(crate) fn call_json(&mut self, tool: &str, args: &[&str]) -> Result<Value, ToolError> {
        let output = self.call(tool, args)?;
        serde_json::from_slice(&output).map_err(|error| {
            ToolError::unexpected(tool, format!("its output is not JSON: {error}"))
        })
    }

    /// What Juju keeps for the unit: texts by their keys.
    pub fn state_all(&mut self) -> Result<BTreeMap<String, String>, ToolError> {
        let entries = match self.call_json("state-get", &["--format=json"])? {
            Value::Object(map) => map,
            Value::Null => serde_json::Map::new(),
            other => return Err(unexpected("state-get", "a map", &other)),
        };
        let text = |(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            other => Err(unexpected("state-get", "a map of texts", &other)),
        };
        entries.into_iter().map(text).collect()
    }

    /// What Juju keeps under a key, with a line break at its end; empty if
    /// there is nothing.
    pub fn state(&mut self, key: &str) -> Result<String, ToolError> {
        let output = self.call("state-get", &[key])?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Keeps texts when the hook succeeds; `entries` is a YAML map.
    pub fn state_set(&mut self, entries: &str) -> Result<(), ToolError> {
        let args = ["--file", "-"];
        self.call_with("state-set", &args, Some(entries.as_bytes()))?;
        Ok(())
    }

    /// Deletes a key when the hook succeeds.
    pub fn state_delete(&mut self, key: &str) -> Result<(), ToolError> {
        self.call("state-delete", &[key]).map(drop)
    }

    /// Where the unit's storage is, as far as Juju says.
    pub fn storage_locations(&mut self) -> Result<Vec<String>, ToolError> {
        let listed = self.call_json("storage-list", &["--format=json"])?;
        let ids = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut locations = Vec::new();
        for id in ids.iter().filter_map(Value::as_str) {
            // An instance that is not attached yet has no location.
            let found = self.call_json("storage-get", &["--format=json", "-s", id]);
            let location = found.ok().and_then(|found| {
                let location = found.get("location")?.as_str()?;
                Some(location.to_owned())
            });
            locations.extend(location);
        }
        Ok(locations)
    }

    /// Whether this unit leads its application.
    pub fn is_leader(&mut self) -> Result<bool, ToolError> {
        if let Some(leader) = self.known_leadership() {
            return Ok(leader);
        }
        let asked = Instant::now();
        let leader = match self.call_json("is-leader", &["--format=json"])? {
            Value::Bool(leader) => leader,
            other => return Err(unexpected("is-leader", "a boolean", &other)),
        };
        self.leadership = Some((asked, leader));
        Ok(leader)
    }

    /// Whether this unit leads, as far as that can be said without a call.
    pub(crate) fn known_leadership(&self) -> Option<bool> {
        let (since, leader) = self.leadership?;
        (since.elapsed() < LEADERSHIP).then_some(leader)
    }

    /// The options that have a value.
    pub fn config(&mut self) -> Result<&BTreeMap<String, ConfigValue>, ToolError> {
        let config = match self.config.take() {
            Some(config) => config,
            None => self.read_config()?,
        };
        Ok(self.config.insert(config))
    }

    fn read_config(&mut self) -> Result<BTreeMap<String, ConfigValue>, ToolError> {
        let values = match self.call_json("config-get", &["--format=json"])? {
            Value::Object(map) => map,
            Value::Null => serde_json::Map::new(),
            other => return Err(unexpected("config-get", "a map", &other)),
        };
        // Most charms have no secret among their options, and then config.yaml
        // need not be read.
        let may_be_secret = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| text.starts_with("secret:"))
        };
        let types = if values.values().any(may_be_secret) {
            Metadata::load(&self.charm_dir)
                .and_then(|metadata| metadata.config_options())
                .map_err(|error| ToolError::unexpected("config-get", error.to_string()))?
        } else {
            BTreeMap::new()
        };
        let is_secret = |name: &str| types.get(name).is_some_and(|ty| ty == "secret");
        let read = |(name, value): (String, Value)| {
            let value = config_value(value, is_secret(&name))?;
            Some((name, value))
        };
        Ok(values.into_iter().filter_map(read).collect())
    }

    /// The current status; the application's only for the leader (ops §13.2).
    pub fn status_get(&mut self, scope: Scope) -> Result<StatusValue, ToolError> {
        let event = "Attempted to get application status when not leader";
        self.check_status(scope, "status-get", "read", event)?;
        if let Some(status) = self.known_status(scope) {
            return Ok(status.clone());
        }
        let of_app = match scope {
            Scope::Unit => "--application=false",
            Scope::App => "--application=true",
        };
        let mut value =
            self.call_json("status-get", &["--include-data", "--format=json", of_app])?;
        if scope == Scope::App
            && let Some(inner) = value.get_mut("application-status")
        {
            value = inner.take();
        }
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let Some(name) = text("status") else {
            return Err(unexpected("status-get", "a status", &value));
        };
        let name = StatusName::from_juju(name);
        let message = match name {
            StatusName::Unknown => String::new(),
            _ => text("message").unwrap_or_default().to_owned(),
        };
        let status = StatusValue { name, message };
        *self.known_status(scope) = Some(status.clone());
        Ok(status)
    }

    fn check_status(
        &mut self,
        scope: Scope,
        tool: &str,
        verb: &str,
        event: &str,
    ) -> Result<(), ToolError> {
        if scope == Scope::Unit || self.is_leader()? {
            return Ok(());
        }
        self.log_not_leader(tool, event);
        Err(ToolError::NotLeader {
            tool: tool.to_owned(),
            text: format!("only the leader may {verb} the application's status"),
        })
    }

    fn known_status(&mut self, scope: Scope) -> &mut Option<StatusValue> {
        match scope {
            Scope::Unit => &mut self.unit_status,
            Scope::App => &mut self.app_status,
        }
    }

    /// Sets a status.
    pub fn status_set(&mut self, scope: Scope, status: &StatusValue) -> Result<(), ToolError> {
        if !status.name.is_settable() {
            let text = format!(
                "a charm cannot set the status {}; it can set active, blocked, maintenance and waiting",
                status.name
            );
            return Err(ToolError::invalid("status-set", text));
        }
        let event = "Attempted to set application status when not leader.";
        self.check_status(scope, "status-set", "set", event)?;
        let of_app = match scope {
            Scope::Unit => "--application=False",
            Scope::App => "--application=True",
        };
        self.call(
            "status-set",
            &[of_app, status.name.as_str(), "--", &status.message],
        )?;
        *self.known_status(scope) = Some(status.clone());
        Ok(())
    }

    /// Sets the workload's version.
    pub fn set_workload_version(&mut self, version: &str) -> Result<(), ToolError> {
        self.call("application-version-set", &["--", version])
            .map(drop)
    }

    /// Opens ports.
    pub fn open_port(&mut self, port: &Port) -> Result<(), ToolError> {
        self.call("open-port", &[&port.to_string()]).map(drop)
    }

    /// Closes ports.
    pub fn close_port(&mut self, port: &Port) -> Result<(), ToolError> {
        self.call("close-port", &[&port.to_string()]).map(drop)
    }

    /// The open ports, ranges whole.
    pub fn opened_ports(&mut self) -> Result<Vec<Port>, ToolError> {
        let listed = self.call_json("opened-ports", &["--format=json"])?;
        let ports = match &listed {
            Value::Null => return Ok(Vec::new()),
            Value::Array(ports) => ports,
            other => return Err(unexpected("opened-ports", "a list", other)),
        };
        let read = |port: &Value| port.as_str().and_then(Port::parse);
        ports
            .iter()
            .map(|port| read(port).ok_or_else(|| unexpected("opened-ports", "a port", port)))
            .collect()
    }

    /// Makes exactly these ports open: closes the others, then opens what is
    /// missing.
    pub fn set_ports(&mut self, ports: &[Port]) -> Result<(), ToolError> {
        let opened = self.opened_ports()?;
        for port in opened.iter().filter(|port| !ports.contains(port)) {
            self.close_port(port)?;
        }
        for port in ports.iter().filter(|port| !opened.contains(port)) {
            self.open_port(port)?;
        }
        Ok(())
    }

    /// The parameters of the running action, an object.
    pub fn action_params(&mut self) -> Result<Value, ToolError> {
        match self.call_json("action-get", &["--format=json"])? {
            Value::Null => Ok(Value::Object(serde_json::Map::new())),
            params @ Value::Object(_) => Ok(params),
            other => Err(unexpected("action-get", "a map", &other)),
        }
    }

    /// Adds results, as [`crate::flatten_results`] makes them.
    pub fn action_set(&mut self, results: &[(String, String)]) -> Result<(), ToolError> {
        let pairs: Vec<String> = results
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        self.call("action-set", &pairs).map(drop)
    }

    /// Shows a line of progress.
    pub fn action_log(&mut self, message: &str) -> Result<(), ToolError> {
        self.call("action-log", &["--", message]).map(drop)
    }

    /// Marks the action as failed.
    pub fn action_fail(&mut self, message: &str) -> Result<(), ToolError> {
        self.call("action-fail", &["--", message]).map(drop)
    }

    /// Writes to the log, a text of more than [`MAX_ARGUMENT`] bytes in chunks,
    /// and returns whether that succeeded. A line that cannot be written is
    /// lost, because it must not make a hook fail; the first one is reported on
    /// standard error.
    pub fn log(&mut self, level: Level, message: &str) -> bool {
        if self.echo && !message.is_empty() {
            print_error(&format!("{:<8} {message}", level.as_str()));
        }
        let clean = message.replace('\0', "\u{fffd}");
        let chunks = chunks(&clean, MAX_ARGUMENT);
        if chunks.len() > 1 {
            let line =
                format!("Log string greater than {MAX_ARGUMENT}. Splitting into multiple chunks: ");
            self.log_line(level, &line);
        }
        let mut is_written = true;
        for chunk in chunks {
            is_written &= self.log_line(level, chunk);
        }
        is_written
    }

    fn log_line(&mut self, level: Level, line: &str) -> bool {
        let result = self.call("juju-log", &["--log-level", level.as_str(), "--", line]);
        let is_written = result.is_ok();
        if let Err(error) = result
            && !std::mem::replace(&mut self.complained, true)
        {
            print_error(&format!("WARNING cannot write to the charm's log: {error}"));
        }
        is_written
    }
}

fn unexpected(tool: &str, wanted: &str, got: &Value) -> ToolError {
    ToolError::unexpected(tool, format!("its output is not {wanted}: {got}"))
}

fn config_value(value: Value, is_secret: bool) -> Option<ConfigValue> {
    match value {
        Value::Bool(value) => Some(ConfigValue::Bool(value)),
        Value::Number(number) => number
            .as_i64()
            .map(ConfigValue::Int)
            .or_else(|| number.as_f64().map(ConfigValue::Float)),
        Value::String(uri) if is_secret => Some(ConfigValue::Secret(uri)),
        Value::String(text) => Some(ConfigValue::String(text)),
        _ => None,
    }
}

/// Chunks of at most `size` bytes, split between characters; none of an empty
/// text.
fn chunks(text: &str, size: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, remainder) = rest.split_at(rest.floor_char_boundary(size));
        chunks.push(chunk);
        rest = remainder;
    }
    chunks
}

#[cfg(test)]
mod tests;
