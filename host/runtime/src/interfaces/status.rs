//! `charmhost:status/status`: status, set or collected (ops §13).

use charmhost_juju::{Level, Scope, StatusName, StatusValue};

use super::{Error, error};
use crate::bindings::status::{self as wit, Host};
use crate::state::State;

impl Host for State {
    fn get(&mut self, scope: wit::Scope) -> Result<wit::StatusInfo, Error> {
        let status = self.charm.model.status(self::scope(scope)).map_err(error)?;
        Ok(wit::StatusInfo {
            name: to_wit(status.name),
            message: status.message,
        })
    }

    fn set(&mut self, scope: wit::Scope, value: wit::StatusInfo) -> Result<(), Error> {
        self.charm
            .model
            .set_status(self::scope(scope), &status(value))
            .map_err(error)
    }

    fn collect(&mut self, value: wit::StatusInfo) -> Result<(), Error> {
        let status = status(value);
        match self.charm.framework.collect(status.clone()) {
            Some(Ok(collecting)) => {
                if status.name != StatusName::Active {
                    let whose = match collecting.scope() {
                        Scope::App => "app",
                        Scope::Unit => "unit",
                    };
                    let line =
                        format!("Adding {whose} status {} {:?}", status.name, status.message);
                    self.charm.model.log(Level::Debug, &line);
                }
                Ok(())
            }
            Some(Err(status)) => Err(Error::InvalidInput(format!(
                "cannot add the status {}: {}",
                status.name,
                status.name.refusal().unwrap_or_default()
            ))),
            None => Err(Error::InvalidInput(format!(
                "cannot add the status {}: no status is being collected; set it, or add it in a handler of collect_unit_status or collect_app_status",
                status.name
            ))),
        }
    }
}

fn scope(scope: wit::Scope) -> Scope {
    match scope {
        wit::Scope::Unit => Scope::Unit,
        wit::Scope::App => Scope::App,
    }
}

fn status(value: wit::StatusInfo) -> StatusValue {
    let name = match value.name {
        wit::StatusName::Active => StatusName::Active,
        wit::StatusName::Blocked => StatusName::Blocked,
        wit::StatusName::Maintenance => StatusName::Maintenance,
        wit::StatusName::Waiting => StatusName::Waiting,
        wit::StatusName::Error => StatusName::Error,
        wit::StatusName::Unknown => StatusName::Unknown,
        wit::StatusName::Other(name) => StatusName::Other(name),
    };
    StatusValue {
        name,
        message: value.message,
    }
}

fn to_wit(name: StatusName) -> wit::StatusName {
    match name {
        StatusName::Active => wit::StatusName::Active,
        StatusName::Blocked => wit::StatusName::Blocked,
        StatusName::Maintenance => wit::StatusName::Maintenance,
        StatusName::Waiting => wit::StatusName::Waiting,
        StatusName::Error => wit::StatusName::Error,
        StatusName::Unknown => wit::StatusName::Unknown,
        StatusName::Other(name) => wit::StatusName::Other(name),
    }
}
