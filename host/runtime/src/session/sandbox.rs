//! The sandbox of a session's guest, and the restriction of the process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use charmhost_error_chain::ErrorChain;
use charmhost_juju::{Clock, Environment, Level, Metadata};
use charmhost_sandbox::kernel::Restriction;
use charmhost_sandbox::{
    DenialLog, DiskQuota, Files, GuestClocks, GuestHost, HostMemory, RootError, Sandbox,
};

use super::host::ProcessRestriction;
use crate::settings::Settings;
use crate::state::State;

/// Opens the sandbox of a charm: its directory, its resources, and everything
/// that is granted.
pub(super) fn open(
    charm_dir: &Path,
    metadata: &Metadata,
    settings: &Settings,
    memory: &HostMemory,
    guest: GuestHost,
    variables: &[(String, String)],
) -> Result<Sandbox, String> {
    let denials = DenialLog::default();
    let quota = DiskQuota::new(settings.limits.disk(), denials.clone());
    let files = Files::new(charm_dir, quota, memory.clone(), denials.clone());
    let mut files = files.map_err(|error| format!("cannot open the charm's directory: {error}"))?;
    if let Some(parent) = charm_dir.parent() {
        let resources = parent.join("resources");
        if metadata.resources().next().is_some() {
            // Juju creates it when it downloads the first resource, which can be
            // in this dispatch: too late to give the guest access.
            let _ = std::fs::create_dir(&resources);
        }
        let _ = files.add_readable(&resources);
    }
    let grants = &settings.grants;
    for path in &grants.read {
        let added = files.add_readable(path);
        check_grant("read", path, added, &denials)?;
    }
    for path in &grants.write {
        let added = files.add_writable(path);
        check_grant("write", path, added, &denials)?;
    }
    Ok(Sandbox::new(charm_dir, files, grants, guest, variables))
}

/// The variables of the guest: Juju's, and those that are granted.
pub(super) fn variables(
    environment: &Environment,
    settings: &Settings,
    all: &[(OsString, OsString)],
) -> Vec<(String, String)> {
    let mut variables = environment.guest_variables(all);
    for name in &settings.grants.environment {
        let granted = all.iter().find(|(known, _)| known == name.as_str());
        let value = granted.and_then(|(_, value)| value.to_str());
        if let Some(value) = value
            && !variables.iter().any(|(known, _)| known == name)
        {
            variables.push((name.clone(), value.to_owned()));
        }
    }
    variables
}

/// The clocks of the guest are those of its session.
pub(super) fn clocks(clock: &Arc<dyn Clock>) -> GuestClocks {
    let (wall, monotonic) = (Arc::clone(clock), Arc::clone(clock));
    GuestClocks {
        wall: Box::new(move || wall.wall()),
        monotonic: Box::new(move || monotonic.monotonic()),
    }
}

/// Decides whether a grant that cannot be used fails the session.
fn check_grant(
    kind: &str,
    path: &Path,
    added: Result<(), RootError>,
    denials: &DenialLog,
) -> Result<(), String> {
    match added {
        Ok(()) => Ok(()),
        // The charm finds nothing at the path, as the machine has nothing there.
        Err(error) if error.is_missing() => Ok(()),
        // Processes other than the packer can cause these, and must not be able
        // to stop the charm.
        Err(error @ (RootError::Link { .. } | RootError::Open { .. } | RootError::Kind(_))) => {
            let reason = error.chain();
            denials.note(&format!("Cannot grant {kind} = [{path:?}]: {reason}."));
            Ok(())
        }
        Err(error) => {
            let reason = error.chain();
            Err(format!("cannot grant {kind} = [{path:?}]: {reason}"))
        }
    }
}

/// Makes the kernel restrict the process to what the guest may reach and the
/// host needs for it. If it cannot, the session goes on in the sandbox alone.
pub(super) fn restrict_process(state: &mut State, restriction: ProcessRestriction<'_>) {
    let charm = &mut state.charm;
    if let Err(error) = charm.model.prepare_restriction() {
        let line = format!(
            "The kernel does not restrict this dispatch: no other process can run hook tools: {error}."
        );
        charm.model.log(Level::Debug, &line);
        return;
    }
    let storage: Vec<PathBuf> = match charm.metadata.storage.is_empty() {
        true => Vec::new(),
        false => {
            let named = charm.metadata.storage_locations();
            named.into_iter().chain([restriction.storage_dir]).collect()
        }
    };
    let mut rules = state.sandbox.rules();
    rules
        .writable_paths
        .extend(storage.iter().map(PathBuf::as_path));
    if let Restriction::Absent(reason) = (restriction.restrict)(&rules) {
        let line = format!("The kernel does not restrict this dispatch: {reason}.");
        charm.model.log(Level::Debug, &line);
    }
}
