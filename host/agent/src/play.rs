//! Plays the events, and holds what comes against what was expected.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::event::Event;
use crate::report::{DispatchRecord, ModelRecord, Observer, Report};
use crate::scenario::{Expect, Facts, Unmet, check};
use crate::unit::Unit;

/// A simulation that runs.
pub struct Play<'a> {
    unit: &'a mut Unit,
    observer: &'a mut dyn Observer,
    dispatches: Vec<DispatchRecord>,
    unmet: Vec<Unmet>,
    expected_failures: BTreeSet<usize>,
    expected_failed_actions: BTreeSet<usize>,
}

impl<'a> Play<'a> {
    pub fn new(unit: &'a mut Unit, observer: &'a mut dyn Observer) -> Self {
        Play {
            unit,
            observer,
            dispatches: Vec::new(),
            unmet: Vec::new(),
            expected_failures: BTreeSet::new(),
            expected_failed_actions: BTreeSet::new(),
        }
    }

    pub fn run(mut self, events: Vec<Event>, end: Option<&Expect>) -> Result<Report, Error> {
        self.observer.unit_made(&self.unit.model);
        self.unit.containers.start_first(&self.unit.place)?;
        for (place, event) in events.into_iter().enumerate() {
            self.event(place + 1, event)?;
            if self.unit.interrupt.signal().is_some() {
                return Err(Error::Interrupted);
            }
        }
        if let Some(expect) = end {
            self.check("end", expect, None);
        }
        let containers = self.unit.containers.records();
        let actions = std::mem::take(&mut self.unit.actions);
        let model = ModelRecord::new(&self.unit.model, actions, containers, &self.unit.veil);
        let report = Report {
            dispatches: self.dispatches,
            model,
            unmet: self.unmet,
            expected_failures: self.expected_failures,
            expected_failed_actions: self.expected_failed_actions,
        };
        self.observer.finished(&report);
        Ok(report)
    }

    fn event(&mut self, place: usize, event: Event) -> Result<(), Error> {
        let expect = event.expect.clone();
        let name = event.name();
        let records = self.unit.run(event, self.observer)?;
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
            self.check(&format!("{place} {name}"), expect, last.as_ref());
        }
        Ok(())
    }

    fn check(&mut self, after: &str, expect: &Expect, dispatch: Option<&DispatchRecord>) {
        let unit = &*self.unit;
        let model = ModelRecord::new(&unit.model, unit.actions.clone(), Vec::new(), &unit.veil);
        let secrets = unit.model.secrets.values().map(|secret| {
            let revisions = secret.revisions.iter();
            let contents = revisions.map(|(number, content)| (*number, content.plain()));
            (secret.label.clone(), contents.collect())
        });
        let secrets: BTreeMap<String, BTreeMap<u32, BTreeMap<String, String>>> = secrets.collect();
        let facts = Facts {
            model: &model,
            dispatch,
            secrets: &secrets,
            file: &|container, path| unit.containers.file(container, path),
            services: &|container| unit.containers.services(container),
        };
        let unmet = check(after, expect, &facts);
        if !unmet.is_empty() {
            self.observer.unmet(&unmet);
        }
        self.unmet.extend(unmet);
    }
}
