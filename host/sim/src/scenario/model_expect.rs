//! Compares a model with several units with what is expected of it.

use std::collections::BTreeSet;

use charmhost_sim_model::Controller;
use serde_json::{Value, json};

use super::expect::{is_status, missing};
use super::model_file::{ApplicationExpect, ModelExpect};
use crate::report::{FailedExpectation, UnitDispatch};

/// Returns the expectations of events and applications that are not met. Those of
/// units are not compared here.
pub fn check(
    after: &str,
    expect: &ModelExpect,
    controller: &Controller,
    dispatches: &[UnitDispatch],
) -> Vec<FailedExpectation> {
    let mut check = Check {
        after,
        unmet: Vec::new(),
    };
    check.events(expect, dispatches);
    for (name, wanted) in &expect.applications {
        check.application(name, wanted, controller);
    }
    check.unmet
}

struct Check<'a> {
    after: &'a str,
    unmet: Vec<FailedExpectation>,
}

impl Check<'_> {
    fn fail(&mut self, of: String, wanted: Value, got: Value) {
        self.unmet.push(FailedExpectation {
            after: self.after.to_owned(),
            of,
            wanted,
            got,
        });
    }

    fn events(&mut self, expect: &ModelExpect, dispatches: &[UnitDispatch]) {
        let line = |dispatch: &UnitDispatch| format!("{} {}", dispatch.unit, dispatch.record.event);
        let lines: Vec<String> = dispatches.iter().map(line).collect();
        if let Some(wanted) = &expect.events
            && let Some(missing) = missing(wanted, &lines, |wanted, line| wanted == line)
        {
            self.fail("events".to_owned(), missing.into(), json!(lines));
        }
        let ran: BTreeSet<&String> = lines.iter().collect();
        let unwanted = expect.no_events.iter().flatten();
        for event in unwanted.filter(|event| ran.contains(event)) {
            let of = format!("no_events {event}");
            self.fail(of, Value::Null, event.as_str().into());
        }
    }

    fn application(&mut self, name: &str, wanted: &ApplicationExpect, controller: &Controller) {
        let of = |what: &str| format!("applications {name} {what}");
        let Some(application) = controller.applications.get(name) else {
            let of = format!("applications {name}");
            return self.fail(of, "an application".into(), Value::Null);
        };
        let status = controller.shown_app_status(name);
        if let Some(wanted) = &wanted.status
            && !is_status(wanted, &status)
        {
            let wanted = json!({"name": wanted.name, "message": wanted.message});
            let got = json!({"name": status.status, "message": status.message});
            self.fail(of("status"), wanted, got);
        }
        if let Some(wanted) = &wanted.leader
            && application.leader.as_ref() != Some(wanted)
        {
            let got = json!(application.leader);
            self.fail(of("leader"), wanted.as_str().into(), got);
        }
        let units = controller.units_of(name);
        if let Some(wanted) = &wanted.units
            && *wanted != units
        {
            self.fail(of("units"), json!(wanted), json!(units));
        }
    }
}
