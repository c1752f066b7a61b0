//! The ports of this unit (`open-port`, `close-port`, `opened-ports`;
//! ops §16.1). Changes are applied when the hook succeeds.
//!
//! Nothing is cached (ops §9): each call runs its tools.

use std::fmt;

use charmhost_hook_tools::ToolError;
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

impl Port {
    /// Parses `80/tcp`, `90` (which is TCP), `8000-8999/udp` or `icmp`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "icmp" {
            return Some(Port {
                protocol: Protocol::Icmp,
                from: 0,
                to: 0,
            });
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

impl Model {
    /// Opens a port or a range.
    pub fn open_port(&mut self, port: &Port) -> Result<(), ToolError> {
        self.call("open-port", &[&port.to_string()]).map(drop)
    }

    /// Closes a port or a range.
    pub fn close_port(&mut self, port: &Port) -> Result<(), ToolError> {
        self.call("close-port", &[&port.to_string()]).map(drop)
    }

    /// Returns the open ports. A range is one entry, unlike in ops.
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

    /// Opens exactly these ports: closes all others, then opens those that are
    /// not open.
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
}
