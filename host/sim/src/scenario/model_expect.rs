//! Compares a model with several units with what is expected of it.

use std::collections::BTreeSet;

use charmhost_sim_model::Controller;
use serde_json::{Value, json};

use super::expect::{is_status, missing};
use super::model_file::ModelExpect;
use crate::report::{FailedExpectation, UnitDispatch};

/// Compares what is expected of events and applications; what is expected of units
/// is not looked at.
pub fn check(
    after: &str,
    expect: &ModelExpect,
    controller: &Controller,
    dispatches: &[UnitDispatch],
) -> Vec<FailedExpectation> {
    let mut unmet = Vec::new();
    let mut fail = |of: String, wanted: Value, got: Value| {
        unmet.push(FailedExpectation {
            after: after.to_owned(),
            of,
            wanted,
            got,
        });
    };
    let line = |dispatch: &UnitDispatch| format!("{} {}", dispatch.unit, dispatch.record.event);
    let lines: Vec<String> = dispatches.iter().map(line).collect();
    if let Some(wanted) = &expect.events
        && let Some(missing) = missing(wanted, &lines, |wanted, line| wanted == line)
    {
        fail("events".to_owned(), missing.into(), json!(lines));
    }
    let ran: BTreeSet<&String> = lines.iter().collect();
    for unwanted in expect
        .no_events
        .iter()
        .flatten()
        .filter(|one| ran.contains(one))
    {
        let of = format!("no_events {unwanted}");
        fail(of, Value::Null, unwanted.as_str().into());
    }
    for (name, wanted) in &expect.applications {
        let Some(application) = controller.applications.get(name) else {
            fail(
                format!("applications {name}"),
                "an application".into(),
                Value::Null,
            );
            continue;
        };
        let status = controller.shown_app_status(name);
        if let Some(wanted) = &wanted.status
            && !is_status(wanted, &status)
        {
            let of = format!("applications {name} status");
            let wanted = json!({"name": wanted.name, "message": wanted.message});
            fail(
                of,
                wanted,
                json!({"name": status.status, "message": status.message}),
            );
        }
        if let Some(wanted) = &wanted.leader
            && application.leader.as_ref() != Some(wanted)
        {
            let of = format!("applications {name} leader");
            fail(of, wanted.as_str().into(), json!(application.leader));
        }
        let units = controller.units_of(name);
        if let Some(wanted) = &wanted.units
            && *wanted != units
        {
            fail(
                format!("applications {name} units"),
                json!(wanted),
                json!(units),
            );
        }
    }
    unmet
}
