//! `charmhost:ports/ports`: opened ports (ops §16.1).

use charmhost_juju::{Port, Protocol};

use super::{Error, error};
use crate::bindings::ports::{self as wit, Host};
use crate::state::State;

impl Host for State {
    fn open(&mut self, ports: wit::PortRange) -> Result<(), Error> {
        self.charm.model.open_port(&port(ports)).map_err(error)
    }

    fn close(&mut self, ports: wit::PortRange) -> Result<(), Error> {
        self.charm.model.close_port(&port(ports)).map_err(error)
    }

    fn opened(&mut self) -> Result<Vec<wit::PortRange>, Error> {
        let opened = self.charm.model.opened_ports().map_err(error)?;
        Ok(opened.into_iter().map(to_wit).collect())
    }

    fn set(&mut self, ports: Vec<wit::PortRange>) -> Result<(), Error> {
        let ports: Vec<Port> = ports.into_iter().map(port).collect();
        self.charm.model.set_ports(&ports).map_err(error)
    }
}

fn port(ports: wit::PortRange) -> Port {
    let protocol = match ports.protocol {
        wit::Protocol::Tcp => Protocol::Tcp,
        wit::Protocol::Udp => Protocol::Udp,
        wit::Protocol::Icmp => Protocol::Icmp,
    };
    Port {
        protocol,
        from: ports.first,
        to: ports.last,
    }
}

fn to_wit(port: Port) -> wit::PortRange {
    let protocol = match port.protocol {
        Protocol::Tcp => wit::Protocol::Tcp,
        Protocol::Udp => wit::Protocol::Udp,
        Protocol::Icmp => wit::Protocol::Icmp,
    };
    wit::PortRange {
        protocol,
        first: port.from,
        last: port.to,
    }
}
