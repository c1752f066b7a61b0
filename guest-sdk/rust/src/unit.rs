//! This unit and its application.

use crate::bindings::{ports as wit_ports, status as wit_status, unit as wit_unit};
use crate::error::ModelResult;
use crate::{Container, OpenedPort, Port, Result, Status, ports, status};

/// This unit.
#[derive(Debug, Clone, Copy)]
pub struct Unit(());

/// This application.
#[derive(Debug, Clone, Copy)]
pub struct App(());

/// When a machine reboots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebootTime {
    /// When the hook has succeeded.
    AfterHook,
    /// At once.
    Now,
}

/// This unit.
pub fn unit() -> Unit {
    Unit(())
}

/// This application.
pub fn app() -> App {
    App(())
}

impl Unit {
    /// Whether it is the leader of its application.
    #[track_caller]
    pub fn is_leader(self) -> Result<bool> {
        wit_unit::is_leader().model()
    }

    /// Returns a workload container, by its name in the charm's metadata.
    pub fn container(self, name: impl Into<String>) -> Container {
        Container::named(name)
    }

    /// Returns its status.
    #[track_caller]
    pub fn status(self) -> Result<Status> {
        wit_status::get(wit_status::Scope::Unit)
            .model()
            .map(status::from_wit)
    }

    /// Sets its status, immediately.
    #[track_caller]
    pub fn set_status(self, status: Status) -> Result<()> {
        wit_status::set(wit_status::Scope::Unit, &status::to_wit(status)?).model()
    }

    /// Sets the workload version that `juju status` shows.
    #[track_caller]
    pub fn set_workload_version(self, version: impl AsRef<str>) -> Result<()> {
        wit_unit::set_workload_version(version.as_ref()).model()
    }

    /// Opens a port or a range of ports.
    #[track_caller]
    pub fn open_port(self, port: Port) -> Result<()> {
        wit_ports::open(ports::to_wit(port), &[]).model()
    }

    /// Opens a port or a range of ports for endpoints of the charm; for all if none is
    /// named.
    #[track_caller]
    pub fn open_port_for<E: Into<String>>(
        self,
        port: Port,
        endpoints: impl IntoIterator<Item = E>,
    ) -> Result<()> {
        let endpoints: Vec<String> = endpoints.into_iter().map(Into::into).collect();
        wit_ports::open(ports::to_wit(port), &endpoints).model()
    }

    /// Closes a port or a range of ports.
    #[track_caller]
    pub fn close_port(self, port: Port) -> Result<()> {
        wit_ports::close(ports::to_wit(port), &[]).model()
    }

    /// Closes a port or a range of ports for endpoints of the charm; for all if none is
    /// named.
    #[track_caller]
    pub fn close_port_for<E: Into<String>>(
        self,
        port: Port,
        endpoints: impl IntoIterator<Item = E>,
    ) -> Result<()> {
        let endpoints: Vec<String> = endpoints.into_iter().map(Into::into).collect();
        wit_ports::close(ports::to_wit(port), &endpoints).model()
    }

    /// Returns the opened ports.
    #[track_caller]
    pub fn opened_ports(self) -> Result<Vec<Port>> {
        let opened = wit_ports::opened().model()?;
        Ok(opened.into_iter().map(ports::from_wit).collect())
    }

    /// Returns the opened ports with the endpoints for which they are open.
    #[track_caller]
    pub fn opened_ports_with_endpoints(self) -> Result<Vec<OpenedPort>> {
        let opened = wit_ports::opened_with_endpoints().model()?.into_iter();
        let port = |opened: wit_ports::OpenedPort| OpenedPort {
            port: ports::from_wit(opened.port),
            endpoints: opened.endpoints,
        };
        Ok(opened.map(port).collect())
    }

    /// Opens and closes ports so that exactly these are open. One that is open for some
    /// endpoints only counts as open.
    #[track_caller]
    pub fn set_ports(self, ports: impl IntoIterator<Item = Port>) -> Result<()> {
        let ports: Vec<_> = ports.into_iter().map(ports::to_wit).collect();
        wit_ports::set(&ports).model()
    }

    /// Reboots the machine. With [`RebootTime::Now`] it does not return unless Juju
    /// refuses, as in an action: the dispatch ends, its local state is not saved, and
    /// Juju runs the hook again after the reboot.
    #[track_caller]
    pub fn reboot(self, time: RebootTime) -> Result<()> {
        wit_unit::reboot(match time {
            RebootTime::AfterHook => wit_unit::RebootTime::AfterHook,
            RebootTime::Now => wit_unit::RebootTime::Now,
        })
        .model()
    }
}

impl App {
    /// Returns its status. Only the leader may read it.
    #[track_caller]
    pub fn status(self) -> Result<Status> {
        wit_status::get(wit_status::Scope::App)
            .model()
            .map(status::from_wit)
    }

    /// Sets its status, immediately. Only the leader may.
    #[track_caller]
    pub fn set_status(self, status: Status) -> Result<()> {
        wit_status::set(wit_status::Scope::App, &status::to_wit(status)?).model()
    }
}
