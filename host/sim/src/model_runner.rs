//! Runs the units of a model: each has an agent, and the controller decides what
//! it runs next.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use charmhost_sim_model::controller::unit_order;
use charmhost_sim_model::{Controller, HookKind, WorkloadEvent};

use crate::event::{Change, Event, Resolver};
use crate::report::{
    ApplicationRecord, DispatchRecord, FailedExpectation, ModelRecord, ModelReport, Observer,
    Outcome, Progress, UnitDispatch,
};
use crate::scenario::build;
use crate::scenario::expect::{Observed, check};
use crate::scenario::file::{Expect, State, StepSpec};
use crate::scenario::model_expect;
use crate::scenario::model_file::{ModelExpect, ModelStep};
use crate::unit_agent::{DispatchSettings, Surroundings, UnitAgent};
use crate::unit_setup::UnitSetup;
use crate::{Error, Options};

/// The charm of an application, and what each of its units has.
pub struct Charm {
    /// The charm that can be run: a directory or an archive.
    pub target: PathBuf,
    /// Containers and resources of each unit.
    pub state: State,
}

/// A model whose units run.
pub struct ModelRunner<'a> {
    options: &'a Options,
    settings: DispatchSettings,
    charms: BTreeMap<String, Charm>,
    controller: Controller,
    agents: BTreeMap<String, UnitAgent>,
    observer: &'a mut dyn Observer,
    /// How many storage instances there were so far: their numbers are unique.
    storages: u32,
    dispatches: Vec<UnitDispatch>,
    /// The first dispatch of the last step that did something.
    since: usize,
    removed: BTreeMap<String, ModelRecord>,
    unmet: Vec<FailedExpectation>,
    expected_failures: BTreeSet<usize>,
    expected_failed_actions: BTreeSet<(String, usize)>,
}

impl<'a> ModelRunner<'a> {
    /// A model without units.
    pub fn new(
        options: &'a Options,
        settings: DispatchSettings,
        controller: Controller,
        charms: BTreeMap<String, Charm>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        ModelRunner {
            options,
            settings,
            charms,
            controller,
            agents: BTreeMap::new(),
            observer,
            storages: 0,
            dispatches: Vec::new(),
            since: 0,
            removed: BTreeMap::new(),
            unmet: Vec::new(),
            expected_failures: BTreeSet::new(),
            expected_failed_actions: BTreeSet::new(),
        }
    }

    /// Adds a unit to an application, and starts its agent.
    pub fn add_unit(&mut self, app: &str) -> Result<(), Error> {
        let charm = self.charms.get(app).ok_or_else(|| {
            Error::State(format!("there is no application {app:?} to add a unit to"))
        })?;
        let name = self.controller.add_unit(app)?;
        let unit = Some((name.as_str(), self.storages));
        let setup = UnitSetup::new(self.options, &charm.target, &charm.state, unit)?;
        self.storages += u32::try_from(setup.storages.len()).unwrap_or_default();
        let unit = self.controller.unit_mut(&name)?;
        unit.storages = setup.make_storages()?;
        unit.resources.clone_from(&setup.resources);
        let mut agent = setup.start(self.options, &self.settings.interrupt)?;
        let view = self.controller.view(&name).unwrap_or_default();
        self.observer.unit_created(&view);
        agent.containers.start_first(&agent.target)?;
        self.agents.insert(name, agent);
        Ok(())
    }

    /// Deploys everything, runs the steps, and returns what came of it.
    pub fn run(
        mut self,
        steps: &[ModelStep],
        end: Option<&ModelExpect>,
    ) -> Result<ModelReport, Error> {
        self.observer.step_starts("deploy");
        self.settle("deploy")?;
        for (index, step) in steps.iter().enumerate() {
            let title = step.title(index + 1);
            self.step(step, &title)?;
        }
        if let Some(expect) = end {
            self.check("end", expect);
        }
        self.report()
    }

    fn step(&mut self, step: &ModelStep, title: &str) -> Result<(), Error> {
        if !step.only_expects() {
            self.since = self.dispatches.len();
        }
        let in_step = |error: Error| Error::Step {
            step: title.to_owned(),
            source: Box::new(error),
        };
        self.observer.step_starts(title);
        self.operate(step).map_err(in_step)?;
        self.settle(title)?;
        if let Some(expect) = &step.expect {
            self.check(title, expect);
        }
        Ok(())
    }

    /// Does what the operator does in a step.
    fn operate(&mut self, step: &ModelStep) -> Result<(), Error> {
        let controller = &mut self.controller;
        if let Some(app) = &step.add_unit {
            self.add_unit(app)?;
        } else if let Some(unit) = &step.remove_unit {
            controller.remove_unit(unit)?;
        } else if let Some(app) = &step.remove_application {
            controller.remove_application(app)?;
        } else if let Some(ends) = &step.relate {
            controller.relate(ends.ends())?;
        } else if let Some(ends) = &step.remove_relation {
            controller.remove_relation(ends.ends())?;
        } else if let Some(unit) = &step.leader {
            controller.set_leader(unit)?;
        } else if let Some(apps) = &step.config {
            for (app, options) in apps {
                build::configure(controller, app, options)?;
            }
        } else if let Some(unit) = &step.resolved {
            let failed = controller.unit_mut(unit)?.agent.failed_hook.take();
            let nothing = || Error::State(format!("{unit} is not in error"));
            controller.hook_succeeded(unit, &failed.ok_or_else(nothing)?);
        }
        match (step.unit_step(), &step.unit) {
            (Some(spec), Some(unit)) => {
                let event = self.resolve(&spec, unit)?;
                self.dispatch(unit, event)
            }
            _ => Ok(()),
        }
    }

    fn resolve(&self, spec: &StepSpec, name: &str) -> Result<Event, Error> {
        let agent = self
            .agents
            .get(name)
            .ok_or_else(|| Error::State(format!("there is no unit {name:?}")))?;
        let app = build::app_of(name);
        let mut resolver =
            Resolver::new(&agent.metadata, &agent.actions_of_charm, app, "the charm");
        let view = self.controller.view(name).unwrap_or_default();
        for secret in view.secrets.values().filter(|secret| secret.readable) {
            let label = match secret.is_own() {
                true => secret.label.clone(),
                false => secret.consumer_label.clone().unwrap_or_default(),
            };
            resolver.add_secret(&secret.id, &label);
        }
        resolver.event(spec)
    }

    /// Lets the agents run what the controller has for them, in turns, until none
    /// has anything left.
    fn settle(&mut self, step: &str) -> Result<(), Error> {
        let since = self.dispatches.len();
        loop {
            let mut ran = false;
            for name in self.units() {
                let Some(hook) = self.controller.next_hook(&name) else {
                    continue;
                };
                self.check_bound(step, since)?;
                self.dispatch(&name, event_of(hook))?;
                ran = true;
            }
            if !ran {
                return Ok(());
            }
            let units = self.units();
            let is_idle = |unit: &&String| self.controller.next_hook(unit).is_none();
            let progress = Progress {
                idle: units.iter().filter(is_idle).count(),
                units: units.len(),
                dispatches: self.dispatches.len() - since,
            };
            self.observer.progress(&progress);
        }
    }

    /// The units in the order of their applications and numbers.
    fn units(&self) -> Vec<String> {
        let mut names: Vec<String> = self.agents.keys().cloned().collect();
        names.sort_by(|a, b| unit_order(a).cmp(&unit_order(b)));
        names
    }

    /// Two charms can answer each other's changes for ever.
    fn check_bound(&self, step: &str, since: usize) -> Result<(), Error> {
        let units = self.agents.len();
        let bound = units * (50 + 10 * units);
        let ran = self.dispatches.get(since..).unwrap_or_default();
        if ran.len() < bound {
            return Ok(());
        }
        let last = ran.iter().rev().take(2 * units.min(4)).rev();
        let last: Vec<String> = last
            .map(|dispatch| format!("{} {}", dispatch.unit, dispatch.record.event))
            .collect();
        Err(Error::Restless {
            step: step.to_owned(),
            dispatches: ran.len(),
            last: last.join(", "),
        })
    }

    fn dispatch(&mut self, name: &str, event: Event) -> Result<(), Error> {
        let Some(agent) = self.agents.get_mut(name) else {
            return Ok(());
        };
        let hook = event.kind.clone();
        self.observer.unit_acts(name);
        let mut around = Surroundings {
            controller: &mut self.controller,
            settings: &self.settings,
            observer: &mut *self.observer,
        };
        let records = agent.run(event, &mut around)?;
        let failed = records
            .last()
            .is_some_and(|record| record.outcome != Outcome::Succeeded);
        self.dispatches
            .extend(records.into_iter().map(|record| UnitDispatch {
                unit: name.to_owned(),
                record,
            }));
        if self.settings.interrupt.signal().is_some() {
            return Err(Error::Interrupted);
        }
        if failed && self.settings.keep_going && !hook.is_action() {
            self.controller.unit_mut(name)?.agent.failed_hook = None;
            self.controller.hook_succeeded(name, &hook);
        }
        self.remove_if_gone(name)
    }

    /// Removes what a unit has on this machine, once it is gone.
    fn remove_if_gone(&mut self, name: &str) -> Result<(), Error> {
        let unit = self.controller.units.get(name);
        if unit.is_none_or(|unit| !unit.agent.is_removed) {
            return Ok(());
        }
        let record = self.record(name);
        if let Some(agent) = self.agents.remove(name) {
            self.removed
                .extend(record.map(|record| (name.to_owned(), record)));
            agent.remove()?;
        }
        Ok(())
    }

    /// A unit as it is reported.
    fn record(&self, name: &str) -> Option<ModelRecord> {
        let agent = self.agents.get(name)?;
        let view = self.controller.view(name)?;
        let containers = agent.containers.records();
        let redactor = &self.settings.redactor;
        Some(ModelRecord::new(
            &view,
            agent.actions.clone(),
            containers,
            redactor,
        ))
    }

    fn check(&mut self, after: &str, expect: &ModelExpect) {
        let since = self.since;
        let ran: Vec<UnitDispatch> = self.dispatches.get(since..).unwrap_or_default().to_vec();
        let mut unmet = model_expect::check(after, expect, &self.controller, &ran);
        for (name, expect) in &expect.units {
            unmet.extend(self.check_unit(after, name, expect, &ran));
            self.expect_failures(name, expect, since);
        }
        if !unmet.is_empty() {
            self.observer.unmet(&unmet);
        }
        self.unmet.extend(unmet);
    }

    fn check_unit(
        &self,
        after: &str,
        name: &str,
        expect: &Expect,
        ran: &[UnitDispatch],
    ) -> Vec<FailedExpectation> {
        let record = self
            .record(name)
            .or_else(|| self.removed.get(name).cloned());
        let Some(record) = record else {
            return vec![FailedExpectation {
                after: after.to_owned(),
                of: name.to_owned(),
                wanted: "a unit".into(),
                got: serde_json::Value::Null,
            }];
        };
        let view = self.controller.view(name).unwrap_or_default();
        let secrets = view.secrets.values().map(|secret| {
            let revisions = secret.revisions.iter();
            let contents = revisions.map(|(number, content)| (*number, content.plain()));
            (secret.label.clone(), contents.collect())
        });
        let agent = self.agents.get(name);
        let dispatch = merged(name, ran);
        let secrets = secrets.collect();
        let observed = Observed {
            model: &record,
            dispatch: dispatch.as_ref(),
            secrets: &secrets,
            file: &|container, path| agent?.containers.file(container, path),
            services: &|container| {
                agent
                    .map(|agent| agent.containers.services(container))
                    .unwrap_or_default()
            },
        };
        let mut unmet = check(after, expect, &observed);
        for one in &mut unmet {
            one.of = format!("{name} {}", one.of);
        }
        unmet
    }

    fn expect_failures(&mut self, name: &str, expect: &Expect, since: usize) {
        let action = expect
            .action
            .as_ref()
            .and_then(|action| action.status.as_deref());
        let fails = expect.exit_code.is_some_and(|code| code != 0) || action == Some("failed");
        if !fails {
            return;
        }
        let indices = since..self.dispatches.len();
        let dispatches = &self.dispatches;
        let is_of_unit = |index: &usize| {
            let dispatch = dispatches.get(*index);
            dispatch.is_some_and(|dispatch| dispatch.unit == name)
        };
        self.expected_failures.extend(indices.filter(is_of_unit));
        if let Some(agent) = self.agents.get(name).filter(|_| action == Some("failed")) {
            let index = agent.actions.len().saturating_sub(1);
            self.expected_failed_actions
                .insert((name.to_owned(), index));
        }
    }

    fn report(mut self) -> Result<ModelReport, Error> {
        let mut units = std::mem::take(&mut self.removed);
        let names = self.units();
        units.extend(
            names
                .iter()
                .filter_map(|name| Some((name.clone(), self.record(name)?))),
        );
        let applications = self
            .controller
            .applications
            .iter()
            .map(|(name, application)| {
                let record = ApplicationRecord {
                    status: self.controller.shown_app_status(name),
                    leader: application.leader.clone(),
                    units: self.controller.units_of(name),
                };
                (name.clone(), record)
            });
        let report = ModelReport {
            applications: applications.collect(),
            units,
            dispatches: self.dispatches,
            unmet: self.unmet,
            expected_failures: self.expected_failures,
            expected_failed_actions: self.expected_failed_actions,
        };
        self.observer.model_finished(&report);
        let agents = std::mem::take(&mut self.agents);
        agents.into_values().try_for_each(UnitAgent::remove)?;
        Ok(report)
    }
}

/// The event of a hook that the controller asks for.
fn event_of(hook: HookKind) -> Event {
    let change = match &hook {
        HookKind::Workload {
            container,
            what: WorkloadEvent::Ready,
        } => Some(Change::StartContainer {
            name: container.clone(),
        }),
        _ => None,
    };
    Event {
        changes: change.into_iter().collect(),
        kind: hook,
        ..Event::default()
    }
}

/// All dispatches of a unit as one: with what the last of them left, and the exit
/// code of the last that failed.
fn merged(unit: &str, ran: &[UnitDispatch]) -> Option<DispatchRecord> {
    let of_unit = ran.iter().filter(|dispatch| dispatch.unit == unit);
    let records = of_unit.map(|dispatch| dispatch.record.clone());
    records.reduce(|mut all, next| {
        all.hook_tools.extend(next.hook_tools);
        all.logs.extend(next.logs);
        all.deferred = next.deferred;
        if next.exit_code != Some(0) || all.exit_code == Some(0) {
            all.exit_code = next.exit_code;
        }
        all
    })
}
