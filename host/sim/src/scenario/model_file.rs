//! Scenarios of a model with several applications, as they stand in a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::{Map, Value};

use super::file::{self, ContainerSpec, Expect, NoticeSpec, StatusSpec, StepSpec};
use crate::Error;

/// A scenario of a model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelScenario {
    /// The version of Juju.
    pub juju_version: Option<String>,
    /// The model that is deployed before the first step.
    pub model: ModelSpec,
    /// What the operator does with it.
    #[serde(default)]
    pub steps: Vec<ModelStep>,
    /// What is expected at the end.
    pub expect: Option<ModelExpect>,
}

/// A model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Its name.
    pub name: Option<String>,
    /// What `credential-get` returns to a trusted application.
    pub cloud_spec: Option<Value>,
    /// The applications by name.
    pub applications: BTreeMap<String, ApplicationSpec>,
    /// The relations that exist from the start.
    #[serde(default)]
    pub relations: Vec<RelationEnds>,
}

/// An application.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationSpec {
    /// Its charm: a project, a directory, or an archive. In a file the path is
    /// relative to the directory of the file.
    pub charm: PathBuf,
    /// The number of its units at the start.
    #[serde(default = "one")]
    pub units: u32,
    /// Options and their values.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Whether it may read the cloud's credentials.
    #[serde(default)]
    pub trust: bool,
    /// Workload containers, as in `state.containers`.
    #[serde(default)]
    pub containers: Vec<ContainerSpec>,
    /// The local path of each resource's file.
    #[serde(default)]
    pub resources: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

/// Two endpoints: `provider:database requirer:db`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationEnds(pub [(String, String); 2]);

impl RelationEnds {
    /// Reads `APP:ENDPOINT APP:ENDPOINT`. The error names what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let ends: Option<Vec<(String, String)>> = text.split_whitespace().map(end).collect();
        let ends: Option<[(String, String); 2]> = ends.and_then(|ends| ends.try_into().ok());
        ends.map(RelationEnds)
            .ok_or_else(|| format!("{text:?} is not a relation: write APP:ENDPOINT APP:ENDPOINT"))
    }

    /// The ends as the controller takes them.
    pub fn ends(&self) -> [(&str, &str); 2] {
        let [first, second] = &self.0;
        [(&first.0, &first.1), (&second.0, &second.1)]
    }
}

fn end(text: &str) -> Option<(String, String)> {
    let (app, endpoint) = text.split_once(':')?;
    let is_whole = !app.is_empty() && !endpoint.is_empty();
    is_whole.then(|| (app.to_owned(), endpoint.to_owned()))
}

impl<'de> Deserialize<'de> for RelationEnds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        RelationEnds::parse(&text).map_err(D::Error::custom)
    }
}

/// A step: at most one thing that the operator does, and what is expected when
/// all units have come to rest afterwards.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ModelStep {
    /// The application that gets another unit.
    pub add_unit: Option<String>,
    /// The unit that is removed.
    pub remove_unit: Option<String>,
    /// The application that is removed.
    pub remove_application: Option<String>,
    /// The endpoints that are related.
    pub relate: Option<RelationEnds>,
    /// The endpoints whose relation is removed.
    pub remove_relation: Option<RelationEnds>,
    /// The unit that wins the leadership.
    pub leader: Option<String>,
    /// Options by application.
    pub config: Option<BTreeMap<String, Map<String, Value>>>,
    /// The unit whose failed hook the operator resolves.
    pub resolved: Option<String>,
    /// The action that `unit` runs.
    pub action: Option<String>,
    /// The event that `unit` has, beside those that follow from the model.
    pub event: Option<String>,
    /// The unit of `action` and `event`.
    pub unit: Option<String>,
    /// The parameters of the action.
    pub params: Option<Map<String, Value>>,
    /// The notice in the container, as in `events`.
    pub notice: Option<NoticeSpec>,
    /// The check in the container, as in `events`.
    pub check: Option<String>,
    /// Whether the container starts anew, as in `events`.
    pub restart: bool,
    /// The secret, as in `events`.
    pub secret: Option<String>,
    /// The revision of the secret, as in `events`.
    pub revision: Option<u32>,
    /// What is expected.
    pub expect: Option<ModelExpect>,
}

/// What is expected of a model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelExpect {
    /// Dispatches since the step began, in this order: `requirer/0 install`;
    /// there may be others between them.
    pub events: Option<Vec<String>>,
    /// Dispatches of which there was none since the step began.
    pub no_events: Option<Vec<String>>,
    /// Of applications, by name.
    pub applications: BTreeMap<String, ApplicationExpect>,
    /// Of units, by name.
    pub units: BTreeMap<String, Expect>,
}

/// What is expected of an application.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApplicationExpect {
    pub status: Option<StatusSpec>,
    /// The unit that leads.
    pub leader: Option<String>,
    /// The units that are not gone.
    pub units: Option<Vec<String>>,
}

impl ModelStep {
    /// The step as people know it: `2 add-unit requirer`.
    pub fn title(&self, number: usize) -> String {
        let ends = |ends: &RelationEnds| {
            let [first, second] = ends.ends();
            format!("{}:{} {}:{}", first.0, first.1, second.0, second.1)
        };
        let config = |config: &BTreeMap<String, Map<String, Value>>| {
            let apps: Vec<&str> = config.keys().map(String::as_str).collect();
            apps.join(" ")
        };
        let text = |value: &Option<String>| value.clone();
        let of_unit = |value: &Option<String>| {
            let value = value.as_ref()?;
            Some(format!(
                "{value} {}",
                self.unit.as_deref().unwrap_or_default()
            ))
        };
        let named = [
            ("add-unit", text(&self.add_unit)),
            ("remove-unit", text(&self.remove_unit)),
            ("remove-application", text(&self.remove_application)),
            ("relate", self.relate.as_ref().map(ends)),
            ("remove-relation", self.remove_relation.as_ref().map(ends)),
            ("leader", text(&self.leader)),
            ("config", self.config.as_ref().map(config)),
            ("resolved", text(&self.resolved)),
            ("action", of_unit(&self.action)),
            ("event", of_unit(&self.event)),
        ];
        let given = named
            .into_iter()
            .find_map(|(key, value)| Some((key, value?)));
        match given {
            Some((key, value)) => format!("{number} {key} {}", value.trim_end()),
            None => format!("{number} expect"),
        }
    }

    /// The action or event of the step, as a step of one unit.
    pub fn unit_step(&self) -> Option<StepSpec> {
        let action = self.action.as_ref().map(|name| format!("action:{name}"));
        Some(StepSpec {
            event: action.or_else(|| self.event.clone())?,
            params: self.params.clone(),
            notice: self.notice.clone(),
            check: self.check.clone(),
            restart: self.restart,
            secret: self.secret.clone(),
            revision: self.revision,
            ..StepSpec::default()
        })
    }

    /// Whether the step does nothing.
    pub fn only_expects(&self) -> bool {
        self.verbs() == 0
    }

    /// How many things the step does; one at most is right.
    fn verbs(&self) -> usize {
        let given = [
            self.add_unit.is_some(),
            self.remove_unit.is_some(),
            self.remove_application.is_some(),
            self.relate.is_some(),
            self.remove_relation.is_some(),
            self.leader.is_some(),
            self.config.is_some(),
            self.resolved.is_some(),
            self.action.is_some(),
            self.event.is_some(),
        ];
        given.into_iter().filter(|given| *given).count()
    }

    fn check(&self, number: usize) -> Result<(), String> {
        let of_unit = self.action.is_some() || self.event.is_some();
        if self.verbs() > 1 {
            return Err(format!(
                "steps[{}]: a step does one thing; make several steps of it",
                number - 1
            ));
        }
        match (of_unit, self.unit.is_some()) {
            (true, false) => Err(format!(
                "steps[{}]: an action or event needs its unit: `unit: APP/0`",
                number - 1
            )),
            (false, true) => Err(format!(
                "steps[{}]: only an action or event has a unit",
                number - 1
            )),
            _ => Ok(()),
        }
    }
}

/// Reads a scenario file, if it is one of a model. Paths in it are relative to its
/// directory.
pub fn read(path: &Path) -> Result<Option<ModelScenario>, Error> {
    let reject = |detail: String| Error::Scenario {
        path: path.to_path_buf(),
        detail,
    };
    let text = std::fs::read_to_string(path).map_err(|error| reject(error.to_string()))?;
    let Some(mut scenario) = parse(&text).map_err(reject)? else {
        return Ok(None);
    };
    let dir = path.parent().unwrap_or(Path::new("."));
    for app in scenario.model.applications.values_mut() {
        app.charm = dir.join(&app.charm);
        for file in app.resources.values_mut() {
            *file = dir.join(&*file).display().to_string();
        }
    }
    Ok(Some(scenario))
}

fn parse(text: &str) -> Result<Option<ModelScenario>, String> {
    let value = charmhost_yaml::parse_with_number_keys(text).map_err(|error| error.to_string())?;
    let is_model = value.get("model").is_some();
    if !is_model {
        return Ok(None);
    }
    let scenario: ModelScenario = file::deserialise(value)?;
    if scenario.model.applications.is_empty() {
        return Err("model.applications: a model has one application or more".to_owned());
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        step.check(index + 1)?;
    }
    Ok(Some(scenario))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "model: {applications: {web: {charm: ./web, units: 2}}}\n";

    #[test]
    fn only_a_scenario_with_a_model_is_one() {
        assert!(parse("events: [install]\n").unwrap().is_none());
        let scenario = parse(MODEL).unwrap().unwrap();
        assert_eq!(scenario.model.applications["web"].units, 2);
    }

    #[test]
    fn steps_are_named_as_they_are_written() {
        let text = format!(
            "{MODEL}steps: [{{add-unit: web}}, {{relate: 'a:x b:y'}}, {{action: go, unit: web/0}}, {{expect: {{}}}}]\n"
        );
        let steps = parse(&text).unwrap().unwrap().steps;
        let titles: Vec<String> = (1..).zip(&steps).map(|(n, step)| step.title(n)).collect();
        assert_eq!(
            titles,
            [
                "1 add-unit web",
                "2 relate a:x b:y",
                "3 action go web/0",
                "4 expect"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, wanted) in [
            (
                "model: {applications: {}}",
                "a model has one application or more",
            ),
            (
                "state: {}\nmodel: {applications: {a: {charm: x}}}",
                "unknown key `state`",
            ),
            (
                "model: {applications: {a: {charm: x}}, relations: [a b]}",
                "model.relations[0]: \"a b\" is not a relation",
            ),
            (
                "model: {applications: {a: {charm: x}}}\nsteps: [{action: go}]",
                "steps[0]: an action or event needs its unit",
            ),
            (
                "model: {applications: {a: {charm: x}}}\nsteps: [{add-unit: a, leader: a/0}]",
                "steps[0]: a step does one thing",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(wanted), "{text:?} gave {error:?}");
        }
    }
}
