//! Resolves the steps of a scenario to events that can be run.

mod names;
mod relation;

use charmhost_juju::{Metadata, Subject};
use charmhost_sim_model::{Actions, HookKind, WorkloadEvent};

use crate::Error;
use crate::event::{Change, Event};
use crate::scenario::file::StepSpec;
use relation::KnownRelation;

/// Makes events of steps, in their order: what a step brings about is there
/// for the later ones.
pub struct Resolver<'a> {
    metadata: &'a Metadata,
    actions: &'a Actions,
    /// What lists the actions and endpoints, as errors name it.
    declared_in: &'a str,
    app: String,
    relations: Vec<KnownRelation>,
    /// The ids of the secrets that there are, with their labels and whether
    /// they are this unit's own.
    secrets: Vec<(String, String)>,
}

impl<'a> Resolver<'a> {
    /// A resolver for a charm whose application has this name.
    pub fn new(
        metadata: &'a Metadata,
        actions: &'a Actions,
        app: &str,
        declared_in: &'a str,
    ) -> Self {
        Resolver {
            metadata,
            actions,
            declared_in,
            app: app.to_owned(),
            relations: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// Makes a relation known that is there from the start.
    pub fn add_relation(&mut self, endpoint: &str, id: u32, app: &str, units: Vec<String>) {
        self.relations.push(KnownRelation {
            endpoint: endpoint.to_owned(),
            id,
            app: app.to_owned(),
            units,
        });
    }

    /// Makes a secret known.
    pub fn add_secret(&mut self, id: &str, label: &str) {
        self.secrets.push((id.to_owned(), label.to_owned()));
    }

    /// Makes an event of a step.
    pub fn event(&mut self, step: &StepSpec) -> Result<Event, Error> {
        let mut unused = UnusedKeys::new(step);
        let mut event = self.resolve(step, &mut unused)?;
        if let Some(key) = unused.left_over() {
            return Err(self.reject(step, format!("the key {key} has no meaning for this event")));
        }
        if step.resolved {
            event.changes.insert(0, Change::Resolved);
        }
        event.is_rejected = step.applied == Some(false);
        event.expect = step.expect.clone();
        Ok(event)
    }

    fn reject(&self, step: &StepSpec, detail: impl Into<String>) -> Error {
        Error::Event {
            event: step.event.clone(),
            detail: detail.into(),
        }
    }

    fn resolve(&mut self, step: &StepSpec, unused: &mut UnusedKeys) -> Result<Event, Error> {
        if let Some((name, typed)) = names::parse_action(&step.event, self.actions)? {
            unused.take("params");
            let params = step.params.clone().unwrap_or(typed);
            let params = self.actions.prepare(&name, params)?;
            return Ok(Event {
                kind: HookKind::Action { name, params },
                ..Event::default()
            });
        }
        let name = step.event.strip_prefix("hooks/").unwrap_or(&step.event);
        let event = match names::subject(name, self.metadata) {
            Some((Subject::Relation, endpoint, hook)) => {
                let what = hook.strip_prefix("relation-").unwrap_or(hook);
                Some(self.relation(endpoint, what, step, unused)?)
            }
            Some((Subject::Storage, storage, hook)) => {
                let what = hook.strip_prefix("storage-").unwrap_or(hook);
                Some(self.storage(storage, what, step, unused)?)
            }
            Some((Subject::Container, container, hook)) => {
                let what = hook.strip_prefix("pebble-").unwrap_or(hook);
                self.workload(container, what, step, unused)?
            }
            Some((Subject::Secret, ..)) => Some(self.secret(name, step, unused)?),
            Some((Subject::Unit, ..)) => Some(self.plain(name, step, unused)),
            Some((Subject::Action, ..)) | None => None,
        };
        if let Some(event) = event {
            return Ok(event);
        }
        Err(names::refusal(
            &step.event,
            self.declared_in,
            self.metadata,
            self.actions,
        ))
    }

    fn plain(&self, name: &str, step: &StepSpec, unused: &mut UnusedKeys) -> Event {
        let event = Event::hook(name);
        match name {
            "config-changed" => {
                unused.take("config");
                match &step.config {
                    Some(config) => event.after(Change::Config(config.clone())),
                    None => event,
                }
            }
            "leader-elected" => event.after(Change::Leader(true)),
            "leader-settings-changed" => event.after(Change::Leader(false)),
            "upgrade-charm" => {
                unused.take("restart");
                match step.restart {
                    true => event.after(Change::NewPod),
                    false => event,
                }
            }
            _ => event,
        }
    }

    fn workload(
        &self,
        container: &str,
        what: &str,
        step: &StepSpec,
        unused: &mut UnusedKeys,
    ) -> Result<Option<Event>, Error> {
        let container = container.to_owned();
        let mut changes = Vec::new();
        let check = |unused: &mut UnusedKeys| {
            unused.take("check");
            let check = step.check.clone();
            check.ok_or_else(|| self.reject(step, "it needs the name of the check: `check: NAME`"))
        };
        let what = match what {
            "ready" => {
                unused.take("restart");
                // One that is not there yet starts; one that is there counts
                // as just started, unless it is to start anew.
                changes.push(match step.restart {
                    true => Change::RestartContainer {
                        name: container.clone(),
                    },
                    false => Change::StartContainer {
                        name: container.clone(),
                    },
                });
                WorkloadEvent::Ready
            }
            "custom-notice" => {
                unused.take("notice");
                let Some(notice) = &step.notice else {
                    let detail = "it needs the notice: `notice: {key: example.com/done}`";
                    return Err(self.reject(step, detail));
                };
                changes.push(Change::Notify {
                    container: container.clone(),
                    key: notice.key.clone(),
                    data: notice.data.clone(),
                });
                WorkloadEvent::CustomNotice {
                    key: notice.key.clone(),
                    id: None,
                }
            }
            "check-failed" => WorkloadEvent::CheckFailed(check(unused)?),
            "check-recovered" => WorkloadEvent::CheckRecovered(check(unused)?),
            _ => return Ok(None),
        };
        Ok(Some(Event {
            changes,
            kind: HookKind::Workload { container, what },
            ..Event::default()
        }))
    }

    fn storage(
        &self,
        storage: &str,
        what: &str,
        step: &StepSpec,
        unused: &mut UnusedKeys,
    ) -> Result<Event, Error> {
        unused.take("storage");
        let id = match &step.storage {
            Some(id) if id.split_once('/').is_some_and(|(name, _)| name == storage) => id.clone(),
            Some(id) => {
                let detail = format!("{id:?} is no instance of {storage}; one is {storage}/0");
                return Err(self.reject(step, detail));
            }
            None => format!("{storage}/0"),
        };
        let change = (what == "attached").then(|| Change::Storage { id: id.clone() });
        Ok(Event {
            changes: change.into_iter().collect(),
            kind: HookKind::Storage {
                what: what.to_owned(),
                id,
            },
            ..Event::default()
        })
    }

    fn secret(&self, name: &str, step: &StepSpec, unused: &mut UnusedKeys) -> Result<Event, Error> {
        unused.take("secret");
        let wanted = step.secret.as_deref().unwrap_or_default();
        let bare = wanted.strip_prefix("secret:").unwrap_or(wanted);
        let mut secrets = self.secrets.iter();
        let found = match step.secret {
            Some(_) => secrets.find(|(id, label)| id == bare || label == wanted),
            None => secrets.next(),
        };
        let Some((id, label)) = found else {
            let detail = match step.secret {
                Some(_) => format!("there is no secret {wanted:?} in state.secrets"),
                None => "there is no secret; a scenario has them in state.secrets".to_owned(),
            };
            return Err(self.reject(step, detail));
        };
        let what = name.strip_prefix("secret-").unwrap_or(name).to_owned();
        let mut changes = Vec::new();
        let mut revision = None;
        match what.as_str() {
            "changed" => {
                unused.take("content");
                changes.extend(step.content.clone().map(|content| Change::SecretRevision {
                    secret: id.clone(),
                    content,
                }));
            }
            "remove" | "expired" => {
                unused.take("revision");
                revision = Some(step.revision.unwrap_or(1));
            }
            _ => {}
        }
        Ok(Event {
            changes,
            kind: HookKind::Secret {
                what,
                id: id.clone(),
                label: label.clone(),
                revision,
            },
            ..Event::default()
        })
    }
}

/// The keys of a step beside `event` and `expect`, until an event takes them.
struct UnusedKeys(Vec<&'static str>);

impl UnusedKeys {
    fn new(step: &StepSpec) -> Self {
        let keys = [
            ("params", step.params.is_some()),
            ("config", step.config.is_some()),
            ("relation", step.relation.is_some()),
            ("unit", step.unit.is_some()),
            ("unit_data", step.unit_data.is_some()),
            ("app_data", step.app_data.is_some()),
            ("departing_unit", step.departing_unit.is_some()),
            ("storage", step.storage.is_some()),
            ("secret", step.secret.is_some()),
            ("revision", step.revision.is_some()),
            ("content", step.content.is_some()),
            ("notice", step.notice.is_some()),
            ("check", step.check.is_some()),
            ("restart", step.restart),
        ];
        let given = keys.into_iter().filter(|(_, given)| *given);
        UnusedKeys(given.map(|(key, _)| key).collect())
    }

    fn take(&mut self, key: &str) {
        self.0.retain(|given| *given != key);
    }

    fn left_over(&self) -> Option<&'static str> {
        self.0.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::path::Path;

    use charmhost_juju::{Environment, EventKind};
    use charmhost_sim_model::{AgentPaths, Storage, UnitView, environment};

    use super::*;
    use crate::scenario::file::NoticeSpec;

    fn resolved(dir: &Path, steps: &[StepSpec]) -> Vec<Result<String, String>> {
        let file = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
        file(
            "metadata.yaml",
            "name: x\nrequires: {db: {interface: pg}, my-relation-db: {interface: pg}}\npeers: {ring: {interface: r}}\ncontainers: {app: }\nstorage: {data: {type: filesystem}}\n",
        );
        file(
            "actions.yaml",
            "backup:\n  params: {count: {type: integer}}\n  required: [count]\nnoop: {}\n",
        );
        let metadata = Metadata::load(dir).unwrap();
        let actions = crate::charm_files::read_actions(dir).unwrap();
        let mut resolver = Resolver::new(&metadata, &actions, "x", "charmcraft.yaml");
        resolver.add_relation("ring", 1, "x", Vec::new());
        let resolve = |step: &StepSpec| match resolver.event(step) {
            Ok(event) => Ok(match &event.kind {
                HookKind::Relation {
                    id,
                    app,
                    unit,
                    departing_unit,
                    ..
                } => {
                    format!("{} {id} {app:?} {unit:?} {departing_unit:?}", event.name())
                }
                HookKind::Action { params, .. } => format!("{} {params:?}", event.name()),
                _ => event.name(),
            }),
            Err(error) => Err(error.to_string()),
        };
        steps.iter().map(resolve).collect()
    }

    fn one(event: &str) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let step = StepSpec {
            event: event.to_owned(),
            ..StepSpec::default()
        };
        resolved(dir.path(), &[step]).remove(0)
    }

    /// The event that a dispatch reads from the environment of an event.
    fn dispatched(event: &Event, metadata: &Metadata) -> String {
        let view = UnitView {
            app: "x".to_owned(),
            unit: "x/0".to_owned(),
            storages: [(
                "data/0".to_owned(),
                Storage {
                    kind: "filesystem".to_owned(),
                    location: "/srv".to_owned(),
                },
            )]
            .into(),
            ..UnitView::default()
        };
        let paths = AgentPaths {
            charm: Path::new("/charm"),
            tools: Path::new("/tools"),
            socket: Path::new("/agent.socket"),
            hook_tools: None,
        };
        let mut hook = event.kind.clone();
        // Pebble gives a notice its id when it is recorded.
        if let HookKind::Workload {
            what: WorkloadEvent::CustomNotice { id, .. },
            ..
        } = &mut hook
        {
            *id = Some("7".to_owned());
        }
        let vars = environment(&view, &hook, 1, "x/0-hook-0", &paths);
        let vars: BTreeMap<String, String> = vars.into_iter().collect();
        let read = Environment::read(|name| vars.get(name).map(OsString::from)).unwrap();
        read.event(metadata).unwrap().unwrap().name()
    }

    /// A new event is simulated or listed as one that is not.
    #[test]
    fn every_event_of_the_table_is_resolved_to_its_hook() {
        let dir = tempfile::tempdir().unwrap();
        resolved(dir.path(), &[]);
        let metadata = Metadata::load(dir.path()).unwrap();
        let actions = crate::charm_files::read_actions(dir.path()).unwrap();
        let mut resolver = Resolver::new(&metadata, &actions, "x", "charmcraft.yaml");
        resolver.add_relation("db", 1, "pg", vec!["pg/0".to_owned()]);
        resolver.add_secret("cv0a2f5olq3c73f8cb60", "label");
        let kinds = EventKind::ALL.iter().copied();
        for kind in kinds.filter(|kind| names::is_simulated(*kind)) {
            let hook = kind.row().hook_name();
            let subject = match kind.row().subject {
                Subject::Unit | Subject::Secret => "",
                Subject::Relation => "db-",
                Subject::Storage => "data-",
                Subject::Container => "app-",
                Subject::Action => "noop-",
            };
            let event = format!("{subject}{hook}");
            let step = StepSpec {
                event: event.clone(),
                notice: hook.ends_with("notice").then(|| NoticeSpec {
                    key: "example.com/done".to_owned(),
                    data: BTreeMap::new(),
                }),
                check: hook.contains("check").then(|| "up".to_owned()),
                ..StepSpec::default()
            };
            let resolved = resolver.event(&step).unwrap();
            assert_eq!(resolved.name(), event);
            assert_eq!(dispatched(&resolved, &metadata), event.replace('-', "_"));
        }
    }

    #[test]
    fn hooks_and_actions_are_known_by_their_names() {
        for (text, wanted) in [
            ("config-changed", "config-changed"),
            ("hooks/start", "start"),
            ("app-pebble-ready", "app-pebble-ready"),
            ("data-storage-attached", "data-storage-attached"),
            ("noop-action", "noop-action {}"),
            ("action:noop", "noop-action {}"),
            (
                "actions/backup,count=3",
                "backup-action {\"count\": Number(3)}",
            ),
            (
                "my-relation-db-relation-created",
                "my-relation-db-relation-created 2 Some(\"remote\") None None",
            ),
            (
                "ring-relation-joined",
                "ring-relation-joined 1 Some(\"x\") Some(\"x/1\") None",
            ),
        ] {
            assert_eq!(one(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn other_events_are_refused_with_what_would_work() {
        for (text, wanted) in [
            (
                "config-chnged",
                "there is no such event; did you mean config-changed?",
            ),
            ("config_changed", "did you mean config-changed?"),
            ("nop-action", "did you mean noop-action?"),
            ("strat", "did you mean start?"),
            ("app-pebble-redy", "did you mean app-pebble-ready?"),
            (
                "foo-action",
                "cannot run event \"foo-action\": charmcraft.yaml has no action foo; it has backup, noop",
            ),
            (
                "web-pebble-ready",
                "charmcraft.yaml has no container web; it has app",
            ),
            (
                "cache-relation-joined",
                "charmcraft.yaml has no relation cache; it has db, my-relation-db, ring",
            ),
            (
                "disk-storage-attached",
                "charmcraft.yaml has no storage disk; it has data",
            ),
            (
                "quux",
                "there is no such event; there are install, leader-elected, ",
            ),
            (
                "db-relation-joined",
                "db has no relation; make one with the event db-relation-created",
            ),
            (
                "action:restore",
                "cannot run action \"restore\": not defined; the charm has backup, noop",
            ),
            ("action:backup", "validation failed: "),
            (
                "action:backup,count",
                "parameters are given as NAME=VALUE, not as \"count\"",
            ),
            (
                "app-pebble-custom-notice",
                "it needs the notice: `notice: {key: example.com/done}`",
            ),
            ("app-pebble-check-failed", "it needs the name of the check"),
            (
                "secret-changed",
                "there is no secret; a scenario has them in state.secrets",
            ),
            ("ring-relation-departed", "there is no unit to depart"),
            ("", "there is no such event; there are "),
        ] {
            let error = one(text).unwrap_err();
            assert!(error.contains(wanted), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn what_a_step_brings_about_is_there_for_the_later_ones() {
        let step = |event: &str, unit: Option<&str>| StepSpec {
            event: event.to_owned(),
            unit: unit.map(str::to_owned),
            ..StepSpec::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let steps = [
            step("db-relation-created", None),
            step("db-relation-joined", Some("remote/4")),
            step("db-relation-departed", None),
            step("db-relation-broken", None),
            step("db-relation-changed", None),
        ];
        let got = resolved(dir.path(), &steps);
        assert_eq!(
            got[0],
            Ok("db-relation-created 2 Some(\"remote\") None None".to_owned())
        );
        assert_eq!(
            got[2],
            Ok(
                "db-relation-departed 2 Some(\"remote\") Some(\"remote/4\") Some(\"remote/4\")"
                    .to_owned()
            )
        );
        assert!(got[3].is_ok());
        assert!(got[4].as_ref().unwrap_err().contains("db has no relation"));
    }
}
