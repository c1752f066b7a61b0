//! A simulation of a model with several applications or units.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use charmhost_sim_model::Controller;
use charmhost_sim_model::controller::{Application, Role};
use serde_json::json;

use crate::model_runner::{Charm, ModelRunner};
use crate::random::uuid;
use crate::report::{ModelReport, Observer};
use crate::scenario::build;
use crate::scenario::file::State;
use crate::scenario::model_file::{self, ApplicationSpec, ModelScenario, ModelSpec, RelationEnds};
use crate::simulation::{application, interrupt};
use crate::unit_agent::DispatchSettings;
use crate::unit_setup::UnitSetup;
use crate::{Error, Options};

/// A model that can be simulated.
#[derive(Debug, Clone)]
pub struct Model {
    scenario: ModelScenario,
    /// Whether endpoints that fit are related by themselves.
    infers_relations: bool,
}

impl Model {
    /// The model of a scenario file; none if the file has no `model`.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let scenario = model_file::read(path)?;
        Ok(scenario.map(|scenario| Model {
            scenario,
            infers_relations: false,
        }))
    }

    /// A model of one unit of each charm, with relations as `APP:ENDPOINT
    /// APP:ENDPOINT`. Without any, each endpoint that a charm requires is related
    /// with the only one that provides its interface.
    pub fn of_charms(
        charms: &[PathBuf],
        relations: &[String],
        options: &Options,
    ) -> Result<Self, Error> {
        let mut applications = BTreeMap::new();
        for charm in charms {
            let setup = UnitSetup::new(options, charm, &State::default(), None)?;
            let name = setup.metadata.name.clone();
            setup.remove()?;
            let application = ApplicationSpec {
                charm: charm.clone(),
                units: 1,
                ..ApplicationSpec::default()
            };
            if applications.insert(name.clone(), application).is_some() {
                return Err(Error::State(format!(
                    "two charms are named {name:?}; name their applications in a scenario with `model:`"
                )));
            }
        }
        let ends = relations.iter().map(|text| RelationEnds::parse(text));
        let model = ModelSpec {
            applications,
            relations: ends.collect::<Result<_, _>>().map_err(Error::State)?,
            ..ModelSpec::default()
        };
        Ok(Model {
            scenario: ModelScenario {
                model,
                ..ModelScenario::default()
            },
            infers_relations: relations.is_empty(),
        })
    }

    /// The applications with their charms.
    pub fn charms(&self) -> Vec<(String, PathBuf)> {
        let applications = self.scenario.model.applications.iter();
        applications
            .map(|(name, application)| (name.clone(), application.charm.clone()))
            .collect()
    }

    /// Replaces the charm of an application, for example by what was built of it.
    pub fn set_charm(&mut self, app: &str, charm: PathBuf) {
        if let Some(application) = self.scenario.model.applications.get_mut(app) {
            application.charm = charm;
        }
    }
}

/// Runs the units of a model: they are deployed, and the steps of the scenario
/// follow, each until no unit has anything left to run.
///
/// `target`, `scenario`, `events`, `config` and `leader` of the options do not
/// count.
pub fn run_model(
    model: &Model,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<ModelReport, Error> {
    let interrupt = interrupt(options)?;
    let spec = &model.scenario.model;
    let mut controller = controller(model, options);
    let mut charms = BTreeMap::new();
    for (name, application) in &spec.applications {
        let state = State {
            containers: application.containers.clone(),
            resources: application.resources.clone(),
            ..State::default()
        };
        controller.deploy(name, deployed(name, application, &state, spec, options)?)?;
        let target = application.charm.clone();
        charms.insert(name.clone(), Charm { target, state });
    }
    for ends in &spec.relations {
        controller.relate(ends.ends())?;
    }
    if model.infers_relations {
        infer_relations(&mut controller)?;
    }
    let settings = DispatchSettings::new(options, interrupt);
    let mut runner = ModelRunner::new(options, settings, controller, charms, observer);
    for (name, application) in &spec.applications {
        for _ in 0..application.units {
            runner.add_unit(name)?;
        }
    }
    runner.run(&model.scenario.steps, model.scenario.expect.as_ref())
}

fn controller(model: &Model, options: &Options) -> Controller {
    let scenario = &model.scenario;
    let name = scenario.model.name.as_ref();
    let version = scenario.juju_version.as_ref();
    Controller {
        model_name: name.unwrap_or(&options.model_name).clone(),
        model_uuid: uuid(),
        juju_version: version.unwrap_or(&options.juju_version).clone(),
        ..Controller::default()
    }
}

/// The application of a specification.
fn deployed(
    name: &str,
    spec: &ApplicationSpec,
    state: &State,
    model: &ModelSpec,
    options: &Options,
) -> Result<Application, Error> {
    let unit = format!("{name}/0");
    let setup = UnitSetup::new(options, &spec.charm, state, Some((&unit, 0)))?;
    let mut application = application(&setup)?;
    setup.remove()?;
    for (option, value) in &spec.config {
        application.config.set(option, &build::typed(value))?;
    }
    application.config_version = 1;
    if spec.trust {
        let default = || json!({"type": "lxd", "name": "localhost"});
        application.cloud_spec = Some(model.cloud_spec.clone().unwrap_or_else(default));
    }
    Ok(application)
}

/// Relates each endpoint that a charm requires with the only one that provides
/// its interface.
fn infer_relations(controller: &mut Controller) -> Result<(), Error> {
    let of_role = |role: Role| {
        let apps = controller.applications.iter();
        let endpoints = apps.flat_map(move |(app, application)| {
            let endpoints = application.endpoints.iter();
            let of_role = endpoints.filter(move |(_, endpoint)| endpoint.role == role);
            of_role.map(move |(name, endpoint)| (app.clone(), name.clone(), endpoint.clone()))
        });
        endpoints.collect::<Vec<_>>()
    };
    let (required, provided) = (of_role(Role::Requires), of_role(Role::Provides));
    let mut found: Vec<RelationEnds> = Vec::new();
    for (app, name, endpoint) in &required {
        let fits: Vec<_> = provided
            .iter()
            .filter(|(other, _, provided)| other != app && provided.interface == endpoint.interface)
            .collect();
        match fits.as_slice() {
            [] => {}
            [(other, provided, _)] => found.push(RelationEnds([
                (other.clone(), provided.clone()),
                (app.clone(), name.clone()),
            ])),
            several => {
                let ends = several.iter().map(|(other, provided, _)| {
                    format!("--relate '{other}:{provided} {app}:{name}'")
                });
                let ends: Vec<String> = ends.collect();
                return Err(Error::State(format!(
                    "{app}:{name} fits several endpoints; say which: {}",
                    ends.join(" or ")
                )));
            }
        }
    }
    for ends in found {
        controller.relate(ends.ends())?;
    }
    Ok(())
}
