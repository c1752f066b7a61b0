//! `charmhost:status/status`: statuses of the unit and the application (ops §13).

use charmhost_juju::{Scope, StatusName, StatusValue};

use super::bindings::status::{self as wit, Host};
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn get(&mut self, scope: wit::Scope) -> Result<wit::StatusInfo, Error> {
        let status = self.charm.model.status(self::scope(scope)).map_err(error)?;
        Ok(wit::StatusInfo {
            name: to_wit(status.name),
            message: status.message,
        })
    }

    fn set(&mut self, scope: wit::Scope, status: wit::SettableStatus) -> Result<(), Error> {
        self.charm
            .model
            .set_status(self::scope(scope), &settable(status))
            .map_err(error)
    }
}

fn scope(scope: wit::Scope) -> Scope {
    match scope {
        wit::Scope::Unit => Scope::Unit,
        wit::Scope::App => Scope::App,
    }
}

/// Converts a status that a charm can set.
pub(super) fn settable(status: wit::SettableStatus) -> StatusValue {
    let name = match status.name {
        wit::SettableStatusName::Active => StatusName::Active,
        wit::SettableStatusName::Blocked => StatusName::Blocked,
        wit::SettableStatusName::Maintenance => StatusName::Maintenance,
        wit::SettableStatusName::Waiting => StatusName::Waiting,
    };
    StatusValue {
        name,
        message: status.message,
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
