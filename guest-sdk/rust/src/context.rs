//! Environment of the dispatch.

use crate::JujuVersion;
use crate::bindings::context as wit;

/// Facts about this dispatch.
#[derive(Debug, Clone)]
pub struct Context {
    /// This unit, for example `hello/0`.
    pub unit_name: String,
    /// This application, for example `hello`.
    pub app_name: String,
    /// The charm's name in its metadata.
    pub charm_name: String,
    /// The model's name.
    pub model_name: String,
    /// The model's UUID.
    pub model_uuid: String,
    /// The agent's version, for example `3.6.28`; 0.0.0 if Juju does not say.
    pub juju_version: JujuVersion,
    /// The charm's directory.
    pub charm_dir: String,
    /// The dispatch path, for example `hooks/start`.
    pub dispatch_path: String,
    /// The hook's name, for example `start`; `None` in an action.
    pub hook_name: Option<String>,
    /// The machine, for example `0`; `None` on Kubernetes.
    pub machine_id: Option<String>,
    /// The cloud's availability zone.
    pub availability_zone: Option<String>,
    /// The principal's unit, for a subordinate.
    pub principal_unit: Option<String>,
    /// Whether Juju runs this in a debug session.
    pub debug: bool,
}

/// Returns the context of this dispatch.
pub fn context() -> Context {
    let info = wit::get();
    Context {
        unit_name: info.unit_name,
        app_name: info.app_name,
        charm_name: info.charm_name,
        model_name: info.model_name,
        model_uuid: info.model_uuid,
        juju_version: info.juju_version.parse().unwrap_or_default(),
        charm_dir: info.charm_dir,
        dispatch_path: info.dispatch_path,
        hook_name: info.hook_name,
        machine_id: info.machine_id,
        availability_zone: info.availability_zone,
        principal_unit: info.principal_unit,
        debug: info.debug,
    }
}
