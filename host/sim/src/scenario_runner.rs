//! Runs the events of a scenario, and compares the outcome with what is expected.

use std::collections::{BTreeMap, BTreeSet};

use charmhost_sim_model::UnitView;

use crate::Error;
use crate::event::Event;
use crate::report::{DispatchRecord, FailedExpectation, ModelRecord, Report};
use crate::scenario::expect::{Observed, check};
use crate::scenario::file::Expect;
use crate::unit_agent::{Surroundings, UnitAgent};

/// A simulation of one unit that runs.
pub struct ScenarioRunner<'a> {
    unit: &'a mut UnitAgent,
    around: Surroundings<'a>,
    dispatches: Vec<DispatchRecord>,
    unmet: Vec<FailedExpectation>,
    expected_failures: BTreeSet<usize>,
    expected_failed_actions: BTreeSet<usize>,
}

impl<'a> ScenarioRunner<'a> {
    pub fn new(unit: &'a mut UnitAgent, around: Surroundings<'a>) -> Self {
        ScenarioRunner {
            unit,
            around,
            dispatches: Vec::new(),
            unmet: Vec::new(),
            expected_failures: BTreeSet::new(),
            expected_failed_actions: BTreeSet::new(),
        }
    }

    pub fn run(mut self, events: Vec<Event>, end: Option<&Expect>) -> Result<Report, Error> {
        self.around.observer.unit_created(&self.view());
        self.unit.containers.start_first(&self.unit.target)?;
        for (index, event) in events.into_iter().enumerate() {
            self.event(index + 1, event)?;
            if self.around.settings.interrupt.signal().is_some() {
                return Err(Error::Interrupted);
            }
        }
        if let Some(expect) = end {
            self.check("end", expect, None);
        }
        let containers = self.unit.containers.records();
        let actions = std::mem::take(&mut self.unit.actions);
        let redactor = &self.around.settings.redactor;
        let model = ModelRecord::new(&self.view(), actions, containers, redactor);
        let report = Report {
            dispatches: self.dispatches,
            model,
            unmet: self.unmet,
            expected_failures: self.expected_failures,
            expected_failed_actions: self.expected_failed_actions,
        };
        self.around.observer.finished(&report);
        Ok(report)
    }

    fn view(&self) -> UnitView {
        let view = self.around.controller.view(&self.unit.name);
        view.unwrap_or_default()
    }

    fn event(&mut self, number: usize, event: Event) -> Result<(), Error> {
        let expect = event.expect.clone();
        let name = event.name();
        let records = self.unit.run(event, &mut self.around)?;
        let last = records.last().cloned();
        if let Some(expect) = &expect {
            let first = self.dispatches.len();
            if expect.exit_code.is_some_and(|code| code != 0) {
                self.expected_failures.extend(first..first + records.len());
            }
            let action = expect
                .action
                .as_ref()
                .and_then(|action| action.status.as_deref());
            if action == Some("failed") {
                self.expected_failed_actions
                    .insert(self.unit.actions.len().saturating_sub(1));
                self.expected_failures.extend(first..first + records.len());
            }
        }
        self.dispatches.extend(records);
        if let Some(expect) = &expect {
            self.check(&format!("{number} {name}"), expect, last.as_ref());
        }
        Ok(())
    }

    fn check(&mut self, after: &str, expect: &Expect, dispatch: Option<&DispatchRecord>) {
        let unit = &*self.unit;
        let view = self.view();
        let redactor = &self.around.settings.redactor;
        let model = ModelRecord::new(&view, unit.actions.clone(), Vec::new(), redactor);
        let secrets = view.secrets.values().map(|secret| {
            let revisions = secret.revisions.iter();
            let contents = revisions.map(|(number, content)| (*number, content.plain()));
            (secret.label.clone(), contents.collect())
        });
        let secrets: BTreeMap<String, BTreeMap<u32, BTreeMap<String, String>>> = secrets.collect();
        let observed = Observed {
            model: &model,
            dispatch,
            secrets: &secrets,
            file: &|container, path| unit.containers.file(container, path),
            services: &|container| unit.containers.services(container),
        };
        let unmet = check(after, expect, &observed);
        if !unmet.is_empty() {
            self.around.observer.unmet(&unmet);
        }
        self.unmet.extend(unmet);
    }
}
