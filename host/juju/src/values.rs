//! Values that hook tools take and give.

use std::fmt;

/// Whose status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This unit's.
    Unit,
    /// The application's.
    App,
}

/// What a status says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the status of its name")]
pub enum StatusName {
    Active,
    Blocked,
    Maintenance,
    Waiting,
    Error,
    Unknown,
    /// A name that is not known here.
    Other(String),
}

impl StatusName {
    /// The name as Juju writes it.
    pub fn as_str(&self) -> &str {
        match self {
            StatusName::Active => "active",
            StatusName::Blocked => "blocked",
            StatusName::Maintenance => "maintenance",
            StatusName::Waiting => "waiting",
            StatusName::Error => "error",
            StatusName::Unknown => "unknown",
            StatusName::Other(name) => name,
        }
    }

    /// The status that Juju means by a name.
    pub fn from_juju(name: &str) -> Self {
        match name {
            "active" => StatusName::Active,
            "blocked" => StatusName::Blocked,
            "maintenance" => StatusName::Maintenance,
            "waiting" => StatusName::Waiting,
            "error" => StatusName::Error,
            "unknown" => StatusName::Unknown,
            other => StatusName::Other(other.to_owned()),
        }
    }

    /// Whether a charm can set it.
    pub fn is_settable(&self) -> bool {
        use StatusName::{Active, Blocked, Maintenance, Waiting};
        matches!(self, Active | Blocked | Maintenance | Waiting)
    }
}

impl fmt::Display for StatusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A status with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusValue {
    /// What it says.
    pub name: StatusName,
    /// Text for the operator.
    pub message: String,
}

/// The value of a configuration option.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the option type of its name")]
pub enum ConfigValue {
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    /// The URI of a secret.
    Secret(String),
}

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
    /// The last port.
    pub to: u16,
}

impl Port {
    /// Reads `80/tcp`, `90`, `8000-8999/udp` or `icmp`.
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

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the level of its name")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    /// The level as `juju-log` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_and_written() {
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
