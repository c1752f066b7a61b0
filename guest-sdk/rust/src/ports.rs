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

/// An open port with its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPort {
    /// The port.
    pub port: Port,
    /// The endpoints for which it is open; empty if for all.
    pub endpoints: Vec<String>,
}

pub(crate) fn to_wit(port: Port) -> wit::Port {
    let numbers = wit::PortNumbers {
        first: port.first,
        last: port.last,
    };
    match port.protocol {
        Protocol::Tcp => wit::Port::Tcp(numbers),
        Protocol::Udp => wit::Port::Udp(numbers),
        Protocol::Icmp => wit::Port::Icmp,
    }
}

pub(crate) fn from_wit(port: wit::Port) -> Port {
    match port {
        wit::Port::Tcp(numbers) => Port::tcp(numbers.first).to(numbers.last),
        wit::Port::Udp(numbers) => Port::udp(numbers.first).to(numbers.last),
        wit::Port::Icmp => Port::icmp(),
    }
}
