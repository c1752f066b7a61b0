//! Ports.

use crate::bindings::ports as wit;

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, which has no ports.
    Icmp,
}

/// A port, or a range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// The protocol.
    pub protocol: Protocol,
    /// The first port; 0 for ICMP.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

impl Port {
    /// A TCP port.
    pub const fn tcp(port: u16) -> Self {
        Port {
            protocol: Protocol::Tcp,
            first: port,
            last: port,
        }
    }

    /// A UDP port.
    pub const fn udp(port: u16) -> Self {
        Port {
            protocol: Protocol::Udp,
            first: port,
            last: port,
        }
    }

    /// All of ICMP.
    pub const fn icmp() -> Self {
        Port {
            protocol: Protocol::Icmp,
            first: 0,
            last: 0,
        }
    }

    /// The range from this port to another one. Kubernetes models accept single
    /// ports only.
    pub const fn to(self, last: u16) -> Self {
        Port { last, ..self }
    }
}

pub(crate) fn to_wit(port: Port) -> wit::PortRange {
    let protocol = match port.protocol {
        Protocol::Tcp => wit::Protocol::Tcp,
        Protocol::Udp => wit::Protocol::Udp,
        Protocol::Icmp => wit::Protocol::Icmp,
    };
    wit::PortRange {
        protocol,
        first: port.first,
        last: port.last,
    }
}

pub(crate) fn from_wit(port: wit::PortRange) -> Port {
    let protocol = match port.protocol {
        wit::Protocol::Tcp => Protocol::Tcp,
        wit::Protocol::Udp => Protocol::Udp,
        wit::Protocol::Icmp => Protocol::Icmp,
    };
    Port {
        protocol,
        first: port.first,
        last: port.last,
    }
}
