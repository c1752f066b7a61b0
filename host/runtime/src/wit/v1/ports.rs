//! `charmhost:ports/ports`: opened ports (ops §16.1).

use charmhost_juju::{OpenedPort, Port, Protocol};

use super::bindings::ports::{self as wit, Host};
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn open(&mut self, port: wit::Port, endpoints: Vec<String>) -> Result<(), Error> {
        let model = &mut self.charm.model;
        model.open_port(&from_wit(port), &endpoints).map_err(error)
    }

    fn close(&mut self, port: wit::Port, endpoints: Vec<String>) -> Result<(), Error> {
        let model = &mut self.charm.model;
        model.close_port(&from_wit(port), &endpoints).map_err(error)
    }

    fn opened(&mut self) -> Result<Vec<wit::Port>, Error> {
        let opened = self.charm.model.opened_ports().map_err(error)?;
        Ok(opened.into_iter().map(to_wit).collect())
    }

    fn opened_with_endpoints(&mut self) -> Result<Vec<wit::OpenedPort>, Error> {
        let opened = self.charm.model.opened_ports_with_endpoints();
        let opened = opened.map_err(error)?.into_iter();
        let opened_port = |opened: OpenedPort| wit::OpenedPort {
            port: to_wit(opened.port),
            endpoints: opened.endpoints,
        };
        Ok(opened.map(opened_port).collect())
    }

    fn set(&mut self, ports: Vec<wit::Port>) -> Result<(), Error> {
        let ports: Vec<Port> = ports.into_iter().map(from_wit).collect();
        self.charm.model.set_ports(&ports).map_err(error)
    }
}

fn from_wit(port: wit::Port) -> Port {
    let (protocol, numbers) = match port {
        wit::Port::Icmp => return Port::ICMP,
        wit::Port::Tcp(numbers) => (Protocol::Tcp, numbers),
        wit::Port::Udp(numbers) => (Protocol::Udp, numbers),
    };
    Port {
        protocol,
        from: numbers.first,
        to: numbers.last,
    }
}

fn to_wit(port: Port) -> wit::Port {
    let numbers = wit::PortNumbers {
        first: port.from,
        last: port.to,
    };
    match port.protocol {
        Protocol::Tcp => wit::Port::Tcp(numbers),
        Protocol::Udp => wit::Port::Udp(numbers),
        Protocol::Icmp => wit::Port::Icmp,
    }
}
