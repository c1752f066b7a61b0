//! `charmhost:unit/unit`: leadership, the workload version (ops §10), and reboots
//! (ops §16.6).

use charmhost_juju::RebootTime;

use super::bindings::unit::{self as wit, Host};
use super::{Error, error};
use crate::failure::Rebooting;
use crate::state::State;

impl Host for State {
    fn is_leader(&mut self) -> Result<bool, Error> {
        self.charm.model.is_leader().map_err(error)
    }

    fn set_workload_version(&mut self, version: String) -> Result<(), Error> {
        self.charm
            .model
            .set_workload_version(&version)
            .map_err(error)
    }

    fn reboot(&mut self, time: wit::RebootTime) -> wasmtime::Result<Result<(), Error>> {
        let model = &mut self.charm.model;
        match time {
            wit::RebootTime::AfterHook => Ok(model.reboot(RebootTime::AfterHook).map_err(error)),
            wit::RebootTime::Now => match model.reboot(RebootTime::Now) {
                Ok(()) => Err(Rebooting.into()),
                Err(refused) => Ok(Err(error(refused))),
            },
        }
    }
}
