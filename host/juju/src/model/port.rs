//! The unit's open ports.

use std::fmt;
use std::str::FromStr;

use super::{Level, Model};
use crate::ToolError;

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// Internet Control Message Protocol, which has no port numbers.
    Icmp,
}

/// A port, or a range of ports. A range stays whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// The protocol.
    pub protocol: Protocol,
    /// The first port, 1 to 65535; 0 for ICMP.
    pub from: u16,
    /// The last port, the same as the first for a single one; 0 for ICMP.
    pub to: u16,
}

impl Port {
    /// A single TCP port.
    pub const fn tcp(port: u16) -> Self {
        Port { protocol: Protocol::Tcp, from: port, to: port }
    }

    fn check(&self, tool: &str) -> Result<(), ToolError> {
        let valid = match self.protocol {
            Protocol::Icmp => self.from == 0 && self.to == 0,
            Protocol::Tcp | Protocol::Udp => 0 < self.from && self.from <= self.to,
        };
        if valid {
            return Ok(());
        }
        Err(ToolError::invalid(
            tool,
            format!(
                "cannot use the ports {} to {}: ports are 1 to 65535, the first not after the last, and icmp has none (0)",
                self.from, self.to
            ),
        ))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Icmp => return f.write_str("icmp"),
        };
        if self.from == self.to {
            write!(f, "{}/{protocol}", self.from)
        } else {
            write!(f, "{}-{}/{protocol}", self.from, self.to)
        }
    }
}

/// Why a text is no port.
#[derive(Debug, PartialEq, Eq)]
enum NoPort {
    Protocol(String),
    Malformed,
}

/// Reads `icmp`, `80/tcp`, `8000-8999/udp`, and `90`, which is TCP.
impl FromStr for Port {
    type Err = NoPort;

    fn from_str(text: &str) -> Result<Self, NoPort> {
        if text == "icmp" {
            return Ok(Port { protocol: Protocol::Icmp, from: 0, to: 0 });
        }
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => return Err(NoPort::Protocol(other.to_owned())),
        };
        let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) => Ok(Port { protocol, from, to }),
            _ => Err(NoPort::Malformed),
        }
    }
}

impl Model {
    /// Opens ports, when the hook succeeds.
    pub fn open_port(&mut self, port: Port) -> Result<(), ToolError> {
        port.check("open-port")?;
        self.call("open-port", &[&port.to_string()]).map(drop)
    }

    /// Closes ports, when the hook succeeds. What is not open may be closed.
    pub fn close_port(&mut self, port: Port) -> Result<(), ToolError> {
        port.check("close-port")?;
        self.call("close-port", &[&port.to_string()]).map(drop)
    }

    /// What is open, in Juju's order, with this hook's changes. A protocol
    /// that is not known here is left out, with a warning in the log.
    pub fn opened_ports(&mut self) -> Result<Vec<Port>, ToolError> {
        let tool = "opened-ports";
        let listed: Option<Vec<String>> = self.json(tool, &["--format=json"])?;
        let mut ports = Vec::new();
        for text in listed.unwrap_or_default() {
            match text.parse() {
                Ok(port) => ports.push(port),
                Err(NoPort::Protocol(protocol)) => {
                    self.log(Level::Warning, &format!("Unexpected opened-ports protocol: {protocol}"));
                }
                Err(NoPort::Malformed) => {
                    let message = format!("cannot read what {tool} printed: {text:?} is not a port");
                    return Err(ToolError::other(tool, message));
                }
            }
        }
        Ok(ports)
    }

    /// Closes and opens what is needed so that exactly these are open.
    pub fn set_ports(&mut self, ports: &[Port]) -> Result<(), ToolError> {
        ports.iter().try_for_each(|port| port.check("open-port"))?;
        let opened = self.opened_ports()?;
        for port in opened.iter().filter(|port| !ports.contains(port)) {
            self.close_port(*port)?;
        }
        let mut new: Vec<Port> = ports.iter().copied().filter(|port| !opened.contains(port)).collect();
        new.sort_unstable();
        new.dedup();
        new.into_iter().try_for_each(|port| self.open_port(port))
    }
}
