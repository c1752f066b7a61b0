//! Compares the outcome with what is expected.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use charmhost_sim_model::{Databag, JUJU_KEYS, Status};

use super::build::plain;
use super::file::{ActionExpect, Bag, Expect, RelationExpect, SecretExpect, StatusSpec};
use crate::report::{DispatchRecord, FailedExpectation, ModelRecord};

/// The outcome that expectations are compared with.
pub struct Observed<'a> {
    pub model: &'a ModelRecord,
    /// The dispatch of the step; none at the end, or if nothing ran.
    pub dispatch: Option<&'a DispatchRecord>,
    /// The contents of secrets, by their labels: each revision's.
    pub secrets: &'a BTreeMap<String, BTreeMap<u32, BTreeMap<String, String>>>,
    /// The text of a container's file, if there is one.
    pub file: &'a dyn Fn(&str, &str) -> Option<String>,
    /// What a container's services do, by their names.
    pub services: &'a dyn Fn(&str) -> BTreeMap<String, String>,
}

/// Returns the expectations that are not met.
pub fn check(after: &str, expect: &Expect, facts: &Observed) -> Vec<FailedExpectation> {
    let mut check = Check {
        after,
        unmet: Vec::new(),
    };
    check.dispatch(expect, facts.dispatch);
    check.model(expect, facts.model);
    for wanted in expect.relations.iter().flatten() {
        check.relation(wanted, facts.model);
    }
    for wanted in expect.secrets.iter().flatten() {
        check.secret(wanted, facts);
    }
    for (container, files) in expect.files.iter().flatten() {
        for (path, wanted) in files {
            let got = (facts.file)(container, path);
            check.same(format!("files {container} {path}"), wanted, &got);
        }
    }
    for (container, services) in expect.services.iter().flatten() {
        let current = (facts.services)(container);
        for (name, wanted) in services {
            let got = current.get(name);
            check.same(format!("services {container} {name}"), &Some(wanted), &got);
        }
    }
    check.unmet
}

struct Check<'a> {
    after: &'a str,
    unmet: Vec<FailedExpectation>,
}

impl Check<'_> {
    fn fail(&mut self, of: impl Into<String>, wanted: Value, got: Value) {
        self.unmet.push(FailedExpectation {
            after: self.after.to_owned(),
            of: of.into(),
            wanted,
            got,
        });
    }

    fn same<T: PartialEq + Serialize>(&mut self, of: impl Into<String>, wanted: &T, got: &T) {
        if wanted != got {
            self.fail(of, json!(wanted), json!(got));
        }
    }

    fn dispatch(&mut self, expect: &Expect, dispatch: Option<&DispatchRecord>) {
        let ran = dispatch.and_then(|dispatch| dispatch.exit_code);
        if let Some(wanted) = expect.exit_code
            && ran != Some(wanted)
        {
            self.fail("exit_code", wanted.into(), json!(ran));
        }
        if let Some(wanted) = &expect.deferred {
            let deferred = dispatch.map(|dispatch| &dispatch.deferred);
            self.same("deferred", &Some(wanted), &deferred);
        }
        if let Some(wanted) = &expect.calls {
            let calls = dispatch.map(|dispatch| &dispatch.hook_tools);
            let lines = calls.into_iter().flatten().map(|call| call.line());
            let lines: Vec<String> = lines
                .filter(|line| !line.starts_with("juju-log "))
                .collect();
            if let Some(missing) = missing(wanted, &lines, |wanted, line| wanted == line) {
                self.fail("calls", missing.into(), json!(lines));
            }
        }
        if let Some(wanted) = &expect.logs {
            let logs = dispatch.map(|dispatch| &dispatch.logs);
            let lines = logs.into_iter().flatten();
            let lines: Vec<String> = lines
                .map(|line| format!("{} {}", line.level.as_str(), line.message))
                .collect();
            let fits = |wanted: &str, line: &str| {
                line.contains(wanted) || without_relation(line).contains(wanted)
            };
            if let Some(missing) = missing(wanted, &lines, fits) {
                self.fail("logs", missing.into(), json!(lines));
            }
        }
    }

    fn model(&mut self, expect: &Expect, model: &ModelRecord) {
        if let Some(wanted) = &expect.action {
            self.action(wanted, model);
        }
        for (of, wanted, got) in [
            ("unit_status", &expect.unit_status, &model.unit_status),
            ("app_status", &expect.app_status, &model.app_status),
        ] {
            if let Some(wanted) = wanted
                && !is_status(wanted, got)
            {
                let wanted = json!({"name": wanted.name, "message": wanted.message});
                self.fail(
                    of,
                    wanted,
                    json!({"name": got.status, "message": got.message}),
                );
            }
        }
        if let Some(wanted) = &expect.workload_version {
            let got = &model.workload_version;
            self.same("workload_version", &Some(wanted), &got.as_ref());
        }
        if let Some(wanted) = &expect.opened_ports {
            let sorted = |ports: &[String]| {
                let mut ports = ports.to_vec();
                ports.sort();
                ports
            };
            self.same("opened_ports", &sorted(wanted), &sorted(&model.ports));
        }
    }

    fn action(&mut self, wanted: &ActionExpect, model: &ModelRecord) {
        let Some(got) = model.actions.last() else {
            return self.fail("action", json!(wanted.status), Value::Null);
        };
        if let Some(status) = &wanted.status
            && status != got.status
        {
            let got = json!({"status": got.status, "message": got.message});
            self.fail("action status", status.as_str().into(), got);
        }
        if let Some(message) = &wanted.message {
            self.same("action message", message, &got.message);
        }
        for (key, value) in wanted.results.iter().flatten() {
            let result = got.results.get(key);
            self.same(format!("action results {key}"), &Some(value), &result);
        }
    }

    fn relation(&mut self, wanted: &RelationExpect, model: &ModelRecord) {
        let fits = |relation: &&crate::report::RelationRecord| {
            relation.endpoint == wanted.endpoint && wanted.id.is_none_or(|id| id == relation.id)
        };
        let Some(got) = model.relations.iter().find(fits) else {
            let of = format!("relations {}", wanted.endpoint);
            return self.fail(of, "a relation".into(), Value::Null);
        };
        for (name, wanted_bag, got_bag) in [
            (
                "local_unit_data",
                &wanted.local_unit_data,
                &got.local_unit_data,
            ),
            (
                "local_app_data",
                &wanted.local_app_data,
                &got.local_app_data,
            ),
            (
                "remote_app_data",
                &wanted.remote_app_data,
                &got.remote_app_data,
            ),
        ] {
            if let Some(wanted_bag) = wanted_bag {
                let of = format!("relations {} {name}", wanted.endpoint);
                self.databag(of, wanted_bag, got_bag);
            }
        }
        for (unit, wanted_bag) in &wanted.remote_units_data {
            let of = format!("relations {} remote_units_data {unit}", wanted.endpoint);
            match got.remote_units_data.get(unit) {
                Some(got_bag) => self.databag(of, wanted_bag, got_bag),
                None => self.fail(of, json!(plain(wanted_bag)), Value::Null),
            }
        }
    }

    /// What Juju itself writes counts only where it is expected.
    fn databag(&mut self, of: String, wanted: &Bag, got: &Databag) {
        let wanted = plain(wanted);
        let counts = |key: &str| !JUJU_KEYS.contains(&key) || wanted.contains_key(key);
        let mut got = got.clone();
        got.retain(|key, _| counts(key));
        self.same(of, &wanted, &got);
    }

    fn secret(&mut self, wanted: &SecretExpect, facts: &Observed) {
        let label = &wanted.label;
        let Some(revisions) = facts.secrets.get(label) else {
            return self.fail(format!("secrets {label}"), "a secret".into(), Value::Null);
        };
        let last = revisions.last_key_value();
        if let Some(revision) = wanted.revision {
            let got = last.map(|(revision, _)| *revision);
            self.same(format!("secrets {label} revision"), &Some(revision), &got);
        }
        if let Some(content) = &wanted.latest_content
            && last.is_none_or(|(_, got)| plain(content) != *got)
        {
            // What it holds is not for terminals.
            let (wanted, got) = ("the content".into(), "another content".into());
            self.fail(format!("secrets {label} latest_content"), wanted, got);
        }
    }
}

pub fn is_status(wanted: &StatusSpec, got: &Status) -> bool {
    let message = wanted.message.as_ref();
    wanted.name == got.status && message.is_none_or(|message| *message == got.message)
}

/// A line of the log as the charm wrote it: in relation hooks the agent puts
/// the relation before the text, for example `INFO db:7: text`.
fn without_relation(line: &str) -> String {
    let parts = line.split_once(' ').and_then(|(level, text)| {
        let (relation, text) = text.split_once(": ")?;
        let (_, number) = relation.split_once(':')?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| format!("{level} {text}"))
    });
    parts.unwrap_or_else(|| line.to_owned())
}

/// The first of the wanted lines that does not come after the one before it.
pub fn missing<'a>(
    wanted: &'a [String],
    lines: &[String],
    fits: impl Fn(&str, &str) -> bool,
) -> Option<&'a str> {
    let mut rest = lines.iter();
    wanted
        .iter()
        .find(|wanted| !rest.any(|line| fits(wanted, line)))
        .map(String::as_str)
}
