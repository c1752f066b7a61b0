//! A simulation of one unit.

use std::collections::BTreeMap;

use charmhost_juju::Metadata;
use charmhost_sim_model::controller::{Application, Endpoint, Role, Unit};
use charmhost_sim_model::{Controller, Networks, UnitView};
use serde_json::Value;

use crate::charm_files::{read_config, read_map};
use crate::event::{Event, Resolver};
use crate::lifecycle::Lifecycle;
use crate::random::uuid;
use crate::report::{Observer, Report};
use crate::scenario::build;
use crate::scenario::file::{self, REMOTE_APP, RelationSpec, Scenario, StepSpec};
use crate::scenario_runner::ScenarioRunner;
use crate::unit_agent::{DispatchSettings, Surroundings};
use crate::unit_setup::UnitSetup;
use crate::{Error, Interrupt, Options};

/// Runs a charm through the lifecycle of a unit, or through the events named.
///
/// The charm is copied first: what it writes goes to the copy, which is removed
/// at the end. Everything that can be wrong with the options is found before
/// anything runs.
pub fn run(options: &Options, observer: &mut dyn Observer) -> Result<Report, Error> {
    let interrupt = interrupt(options)?;
    let Checked {
        scenario,
        unit,
        mut controller,
        events,
    } = Checked::new(options)?;
    let mut unit = unit.start(options, &interrupt)?;
    let settings = DispatchSettings::new(options, interrupt);
    let around = Surroundings {
        controller: &mut controller,
        settings: &settings,
        observer,
    };
    let runner = ScenarioRunner::new(&mut unit, around);
    let report = runner.run(events, scenario.expect.as_ref())?;
    unit.remove()?;
    Ok(report)
}

/// What ends the simulation early; from now on it counts as running.
pub fn interrupt(options: &Options) -> Result<Interrupt, Error> {
    let interrupt = match &options.interrupt {
        Some(interrupt) => interrupt.clone(),
        None => Interrupt::new().map_err(|source| Error::io("watch", "an interruption", source))?,
    };
    interrupt.starts();
    Ok(interrupt)
}

/// Checks everything that can be wrong with the options, without running the
/// charm. Of the target only `metadata.yaml`, `config.yaml` and `actions.yaml`
/// are needed, so that a project can be checked before it is built.
pub fn check(options: &Options) -> Result<(), Error> {
    Checked::new(options)?.unit.remove()
}

/// A simulation that could begin.
struct Checked {
    scenario: Scenario,
    unit: UnitSetup,
    controller: Controller,
    events: Vec<Event>,
}

impl Checked {
    fn new(options: &Options) -> Result<Self, Error> {
        let scenario = match &options.scenario {
            Some(path) => file::read(path)?,
            None => Scenario::default(),
        };
        let unit = UnitSetup::new(options, &options.target, &scenario.state, None)?;
        let mut controller = controller(options, &scenario, &unit)?;
        let events = events(options, &scenario, &unit, &mut controller)?;
        unit.containers().check(&events)?;
        Ok(Checked {
            scenario,
            unit,
            controller,
            events,
        })
    }
}

/// The events of the unit, and the model before the first of them.
fn events(
    options: &Options,
    scenario: &Scenario,
    unit: &UnitSetup,
    controller: &mut Controller,
) -> Result<Vec<Event>, Error> {
    let state = &scenario.state;
    let relations = build::relations(&state.relations, &unit.metadata)?;
    let steps = steps(options, scenario);
    // In a whole lifecycle, relations and storage come with their events.
    if steps.is_some() {
        for spec in &relations {
            build::add_relation(spec, controller, &unit.name)?;
        }
        controller.unit_mut(&unit.name)?.storages = unit.make_storages()?;
    }
    build::add_secrets(&state.secrets, controller, &unit.name)?;
    let view = controller.view(&unit.name).unwrap_or_default();
    let (metadata, actions) = (&unit.metadata, &unit.actions);
    match steps {
        Some(steps) => {
            let resolver = Resolver::new(metadata, actions, &view.app, &options.declared_in);
            resolve(&steps, resolver, &view, &relations)
        }
        None => Ok(Lifecycle {
            metadata,
            actions,
            unit: &view.unit,
            leader: view.leader,
            before_juju_4: view.is_before_juju_4(),
            relations: &relations,
            storages: &unit.storages,
        }
        .events()),
    }
}

/// The steps that were asked for; none for a whole lifecycle.
fn steps(options: &Options, scenario: &Scenario) -> Option<Vec<StepSpec>> {
    if options.events.is_empty() && scenario.events.is_none() {
        return None;
    }
    let named = options.events.iter().map(|event| StepSpec {
        event: event.clone(),
        ..StepSpec::default()
    });
    let listed = scenario.events.iter().flatten().map(|step| step.0.clone());
    Some(named.chain(listed).collect())
}

fn resolve(
    steps: &[StepSpec],
    mut resolver: Resolver<'_>,
    view: &UnitView,
    relations: &[RelationSpec],
) -> Result<Vec<Event>, Error> {
    for spec in relations {
        let id = spec.id.unwrap_or_default();
        if let Some(relation) = view.relations.get(&id) {
            let units = relation.remote_units_data.keys().cloned().collect();
            resolver.add_relation(&spec.endpoint, id, &relation.remote_app, units);
        }
    }
    for secret in view.secrets.values() {
        let label = match secret.is_own() {
            true => secret.label.clone(),
            false => secret.consumer_label.clone().unwrap_or_default(),
        };
        resolver.add_secret(&secret.id, &label);
    }
    steps.iter().map(|step| resolver.event(step)).collect()
}

/// A model with one unit of the charm.
fn controller(
    options: &Options,
    scenario: &Scenario,
    unit: &UnitSetup,
) -> Result<Controller, Error> {
    let version = scenario.juju_version.as_ref();
    let mut controller = Controller {
        model_name: options.model_name.clone(),
        model_uuid: uuid(),
        juju_version: version.unwrap_or(&options.juju_version).clone(),
        ..Controller::default()
    };
    let leads = scenario.state.leader.unwrap_or(options.leader);
    let mut application = application(unit)?;
    application.leader = leads.then(|| unit.name.clone());
    let mut member = Unit::new(
        build::app_of(&unit.name),
        Networks::of_substrate(application.kubernetes),
    );
    member.resources.clone_from(&unit.resources);
    member.principal = principal(scenario, unit)?;
    let app = build::app_of(&unit.name).to_owned();
    controller.applications.insert(app.clone(), application);
    controller.units.insert(unit.name.clone(), member);
    build::apply(&scenario.state, &mut controller, &unit.name)?;
    let config = &mut controller.application_mut(&app)?.config;
    for (name, value) in &options.config {
        config.set(name, value)?;
    }
    Ok(controller)
}

/// The application of a unit's charm, as its metadata and configuration declare
/// it.
pub fn application(unit: &UnitSetup) -> Result<Application, Error> {
    Ok(Application {
        kubernetes: !unit.metadata.containers.is_empty(),
        endpoints: endpoints(&unit.metadata),
        config: read_config(&unit.dirs.charm())?,
        containers: unit.metadata.containers.keys().cloned().collect(),
        ..Application::default()
    })
}

fn endpoints(metadata: &Metadata) -> BTreeMap<String, Endpoint> {
    let relations = metadata.relations.iter();
    let endpoints = relations.map(|(name, endpoint)| {
        let endpoint = Endpoint {
            interface: endpoint.interface.clone(),
            role: match endpoint.role {
                charmhost_juju::Role::Provides => Role::Provides,
                charmhost_juju::Role::Requires => Role::Requires,
                charmhost_juju::Role::Peer => Role::Peer,
            },
        };
        (name.clone(), endpoint)
    });
    endpoints.collect()
}

/// The principal's unit of a subordinate.
fn principal(scenario: &Scenario, unit: &UnitSetup) -> Result<Option<String>, Error> {
    let subordinate = read_map(&unit.dirs.charm().join("metadata.yaml"))?
        .and_then(|metadata| metadata.get("subordinate").and_then(Value::as_bool));
    if subordinate != Some(true) {
        return Ok(None);
    }
    let mut principals = scenario.state.relations.iter().filter(|relation| {
        relation.remote_unit_id.is_some() || !relation.remote_unit_data.is_empty()
    });
    let principal = principals.next_back().map(|relation| {
        let app = relation.remote_app_name.as_deref().unwrap_or(REMOTE_APP);
        format!("{app}/{}", relation.remote_unit_id.unwrap_or_default())
    });
    Ok(Some(principal.unwrap_or_else(|| format!("{REMOTE_APP}/0"))))
}
