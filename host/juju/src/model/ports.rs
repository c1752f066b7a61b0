//! The ports of this unit (`open-port`, `close-port`, `opened-ports`;
//! ops §16.1). Changes are applied when the hook succeeds.
//!
//! Nothing is cached (ops §9): each call runs its tools.

use std::fmt;

use charmhost_hook_tools::{Level, ToolError};
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the protocol of its name")]
pub enum Protocol {
    Tcp,
    Udp,
    Icmp,
}

impl Protocol {
    fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Icmp => "icmp",
        }
    }
}

/// A port or a range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// The protocol.
    pub protocol: Protocol,
    /// The first port; 0 for ICMP.
    pub from: u16,
    /// The last port; 0 for ICMP.
    pub to: u16,
}

/// A port that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPort {
    /// The port or range.
    pub port: Port,
    /// The endpoints for which it is open; empty if for all.
    pub endpoints: Vec<String>,
}

impl Port {
    /// ICMP, which has no port numbers.
    pub const ICMP: Port = Port {
        protocol: Protocol::Icmp,
        from: 0,
        to: 0,
    };

    /// Parses `80/tcp`, `90` (which is TCP), `8000-8999/udp` or `icmp`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "icmp" {
            return Some(Port::ICMP);
        }
        let (range, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((range, "tcp")) => (range, Protocol::Tcp),
            Some((range, "udp")) => (range, Protocol::Udp),
            Some(_) => return None,
        };
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        Some(Port {
            protocol,
            from: from.parse().ok()?,
            to: to.parse().ok()?,
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol.as_str();
        match (self.protocol, self.from, self.to) {
            (Protocol::Icmp, ..) => f.write_str(protocol),
            (_, from, to) if from == to => write!(f, "{from}/{protocol}"),
            (_, from, to) => write!(f, "{from}-{to}/{protocol}"),
        }
    }
}

impl OpenedPort {
    /// Parses `80/tcp (*)` or `443/tcp (db, web)`.
    pub fn parse(text: &str) -> Option<Self> {
        let (port, endpoints) = text.strip_suffix(')')?.split_once(" (")?;
        let endpoints = match endpoints {
            "*" => Vec::new(),
            names => names.split(", ").map(str::to_owned).collect(),
        };
        Some(OpenedPort {
            port: Port::parse(port)?,
            endpoints,
        })
    }
}

impl Model {
    /// Opens a port or a range for endpoints; for all if none is named.
    pub fn open_port(&mut self, port: &Port, endpoints: &[String]) -> Result<(), ToolError> {
        self.change_port("open-port", port, endpoints)
    }

    /// Closes a port or a range for endpoints; for all if none is named.
    pub fn close_port(&mut self, port: &Port, endpoints: &[String]) -> Result<(), ToolError> {
        self.change_port("close-port", port, endpoints)
    }

    fn change_port(
        &mut self,
        tool: &str,
        port: &Port,
        endpoints: &[String],
    ) -> Result<(), ToolError> {
        let has_numbers = port.protocol != Protocol::Icmp;
        if has_numbers && (port.from == 0 || port.to < port.from) {
            let text = format!(
                "{port} is not a port: numbers are 1 to 65535, the first not above the last"
            );
            return Err(ToolError::invalid(tool, text));
        }
        let is_known = |name: &String| self.metadata.bindings().any(|known| known == name);
        if let Some(unknown) = endpoints.iter().find(|name| !is_known(name)) {
            let known = self.metadata.bindings();
            return Err(ToolError::undeclared(tool, "endpoint", unknown, known));
        }
        let port = port.to_string();
        let endpoints = endpoints.join(",");
        let args: &[&str] = match endpoints.is_empty() {
            true => &[&port],
            false => &["--endpoints", &endpoints, &port],
        };
        self.call(tool, args).map(drop)
    }

    /// Returns the open ports. A range is one entry, unlike in ops.
    pub fn opened_ports(&mut self) -> Result<Vec<Port>, ToolError> {
        self.list_ports(&["--format=json"], Port::parse)
    }

    /// Returns the open ports with the endpoints for which they are open.
    pub fn opened_ports_with_endpoints(&mut self) -> Result<Vec<OpenedPort>, ToolError> {
        self.list_ports(&["--endpoints", "--format=json"], OpenedPort::parse)
    }

    fn list_ports<T>(
        &mut self,
        args: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, ToolError> {
        let listed = self.call_json("opened-ports", args)?;
        let ports = match &listed {
            Value::Null => return Ok(Vec::new()),
            Value::Array(ports) => ports,
            other => return Err(unexpected("opened-ports", "a list", other)),
        };
        let mut read = Vec::new();
        for port in ports {
            let text = port.as_str().unwrap_or_default();
            if let Some(protocol) = unknown_protocol(text) {
                let line = format!("Unexpected opened-ports protocol: {protocol}");
                self.log(Level::Warning, &line);
                continue;
            }
            let unreadable = || unexpected("opened-ports", "a port", port);
            read.push(parse(text).ok_or_else(unreadable)?);
        }
        Ok(read)
    }

    /// Opens exactly these ports: closes all others, then opens those that are
    /// not open. A port that is open for some endpoints only counts as open
    /// (ops §16.1).
    pub fn set_ports(&mut self, ports: &[Port]) -> Result<(), ToolError> {
        let opened = self.opened_ports()?;
        for port in opened.iter().filter(|port| !ports.contains(port)) {
            self.close_port(port, &[])?;
        }
        for port in ports.iter().filter(|port| !opened.contains(port)) {
            self.open_port(port, &[])?;
        }
        Ok(())
    }
}

/// Returns the protocol of a listed port, for example of `80/sctp (*)`, if it is one
/// of a newer Juju: such a port is left out (ops §16.1).
fn unknown_protocol(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('/')?;
    let protocol = rest.split(' ').next().unwrap_or(rest);
    (!["tcp", "udp", "icmp"].contains(&protocol)).then_some(protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_parsed_and_printed() {
        for (text, wanted) in [
            ("80/tcp", "80/tcp"),
            ("90", "90/tcp"),
            ("8000-8999/udp", "8000-8999/udp"),
            ("icmp", "icmp"),
        ] {
            assert_eq!(Port::parse(text).unwrap().to_string(), wanted);
        }
        for text in ["", "x", "80/sctp", "70000", "1-", "80/tcp (*)"] {
            assert_eq!(Port::parse(text), None, "{text}");
        }
    }

    #[test]
    fn open_ports_are_parsed_with_their_endpoints() {
        for (text, endpoints) in [
            ("80/tcp (*)", &[][..]),
            ("443/tcp (db, web)", &["db", "web"]),
        ] {
            assert_eq!(OpenedPort::parse(text).unwrap().endpoints, endpoints);
        }
        for text in ["80/tcp", "80/tcp ()x", "x (*)"] {
            assert_eq!(OpenedPort::parse(text), None, "{text}");
        }
    }
}
