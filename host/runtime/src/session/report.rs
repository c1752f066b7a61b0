//! What is logged and printed about a session that fails (ops §2.6).

use std::fmt::Display;

use charmhost_juju::{Level, Stderr};

use crate::failure::Failure;
use crate::state::CharmState;

/// Logs why the session fails, and prints it to standard error.
pub(super) fn failed(charm: &mut CharmState, error: &dyn Display) {
    charm.model.log(Level::Error, &error.to_string());
    failed_unlogged(&charm.stderr, error);
}

/// Prints why the session fails to standard error alone.
pub(super) fn failed_unlogged(stderr: &Stderr, error: &dyn Display) {
    stderr.write_line(&format!("ERROR {error}"));
}

/// Logs why the charm's code failed, in one line and its traceback, which is
/// printed to standard error if it cannot be logged. In an action the operator
/// who runs it gets a summary there (ops §14).
pub(super) fn charm_failed(charm: &mut CharmState, failure: &Failure) {
    let Failure {
        kind,
        message,
        location,
        traceback,
        delivery,
    } = failure;
    let location = location
        .as_ref()
        .map(|location| format!(" at {location}"))
        .unwrap_or_default();
    let (handler, event) = match charm.handler(*delivery) {
        Some(handler) => (handler.name.clone(), handler.event.clone()),
        None => ("none".to_owned(), charm.environment.event_name()),
    };
    let mut line = format!(
        "Uncaught {kind} in charm code: {message}{location} (charm {}, event {event}, handler {handler})",
        charm.metadata.name
    );
    if !traceback.is_empty() {
        line.push('\n');
        line.push_str(traceback);
    }
    if !charm.model.log(Level::Error, &line) {
        failed_unlogged(&charm.stderr, &line);
    }
    if charm.environment.action_name.is_some() {
        let summary = format!("Uncaught {kind} in charm code: {message}");
        charm.stderr.write_line(&summary);
        charm
            .stderr
            .write_line("Use `juju debug-log` to see where.");
    }
    charm.model.log_crash(kind, message);
}
