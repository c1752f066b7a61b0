//! Models whose hooks are run in memory: what each unit runs, and what it sees.

use std::collections::BTreeMap;

use charmhost_jujuc::Request;

use super::{Application, Controller, Endpoint, Role};
use crate::hook::Hook;
use crate::hook_kind::HookKind;
use crate::tools;

/// The hook tools that a charm calls, by unit and hook.
type Charm = fn(&str, &HookKind) -> Vec<Vec<String>>;

/// A model, with what ran in it.
struct Model {
    controller: Controller,
    charm: Charm,
    ran: Vec<String>,
    /// What the last call of each hook printed.
    printed: BTreeMap<String, String>,
}

fn calls(lines: &[&str]) -> Vec<Vec<String>> {
    let words = |line: &&str| line.split(' ').map(str::to_owned).collect();
    lines.iter().map(words).collect()
}

fn no_calls(_unit: &str, _hook: &HookKind) -> Vec<Vec<String>> {
    Vec::new()
}

fn application(endpoints: &[(&str, Role)]) -> Application {
    let endpoint = |(name, role): &(&str, Role)| {
        let endpoint = Endpoint {
            interface: "i".to_owned(),
            role: *role,
        };
        ((*name).to_owned(), endpoint)
    };
    Application {
        endpoints: endpoints.iter().map(endpoint).collect(),
        config_version: 1,
        ..Application::default()
    }
}

impl Model {
    /// A provider and a requirer that are related, with so many units.
    fn pair(units: [u32; 2], charm: Charm) -> Self {
        let mut controller = Controller {
            juju_version: "3.6.28".to_owned(),
            ..Controller::default()
        };
        let provider = application(&[("data", Role::Provides)]);
        controller.deploy("pro", provider).unwrap();
        let requirer = application(&[("db", Role::Requires)]);
        controller.deploy("req", requirer).unwrap();
        controller.relate([("pro", "data"), ("req", "db")]).unwrap();
        for (app, count) in ["pro", "req"].into_iter().zip(units) {
            for _ in 0..count {
                controller.add_unit(app).unwrap();
            }
        }
        Model {
            controller,
            charm,
            ran: Vec::new(),
            printed: BTreeMap::new(),
        }
    }

    /// Runs all hooks until none is left, and returns their names.
    fn settle(&mut self) -> Vec<String> {
        self.ran.clear();
        loop {
            let units: Vec<String> = self.controller.units.keys().cloned().collect();
            let next = units.into_iter().filter_map(|unit| {
                let hook = self.controller.next_hook(&unit)?;
                Some((unit, hook))
            });
            let next: Vec<_> = next.collect();
            if next.is_empty() {
                return self.ran.clone();
            }
            for (unit, hook) in next {
                assert!(self.ran.len() < 500, "{:?}", self.ran);
                self.run(&unit, &hook);
            }
        }
    }

    fn run(&mut self, unit: &str, hook: &HookKind) {
        let name = hook.event_name();
        let about = match hook {
            HookKind::Relation {
                unit: Some(other),
                departing_unit: Some(departing),
                ..
            } => format!(" {other} {departing}"),
            HookKind::Relation {
                unit: Some(other), ..
            } => format!(" {other}"),
            HookKind::Secret {
                revision: Some(revision),
                ..
            } => format!(" {revision}"),
            _ => String::new(),
        };
        self.ran.push(format!("{unit} {name}{about}"));
        self.controller.hook_starts(unit, hook);
        let view = self.controller.view(unit).unwrap();
        let mut running = Hook::new(view, hook.context());
        for call in (self.charm)(unit, hook) {
            let uri = self.printed.get("uri").cloned().unwrap_or_default();
            let args = call.iter().skip(1).map(|arg| arg.replace("URI", &uri));
            let request = Request {
                dir: "/".to_owned(),
                tool: call[0].clone(),
                args: args.collect(),
                ..Request::default()
            };
            let reply = tools::run(&mut running, &request).unwrap();
            let output = String::from_utf8([reply.stdout, reply.stderr].concat()).unwrap();
            let key = match call[0].as_str() {
                "secret-add" => "uri".to_owned(),
                _ => format!("{unit} {name}"),
            };
            self.printed.insert(key, output.trim_end().to_owned());
        }
        let (view, _, accepted) = running.end(true);
        assert_eq!(accepted, Ok(()), "{unit} {name}");
        self.controller.commit(view);
        self.controller.hook_succeeded(unit, hook);
    }
}

/// What ran for one unit.
fn of(unit: &str, ran: &[String]) -> Vec<String> {
    let prefix = format!("{unit} ");
    let of_unit = ran.iter().filter_map(|line| line.strip_prefix(&prefix));
    of_unit.map(str::to_owned).collect()
}

#[test]
fn a_deployment_has_its_hooks_in_the_order_of_juju() {
    let mut model = Model::pair([2, 1], no_calls);
    let ran = model.settle();
    let until_start = |elected: &str, endpoint: &str, others: &[&str]| {
        let mut wanted = vec!["install".to_owned()];
        wanted.push(format!("{endpoint}-relation-created"));
        wanted.extend([elected, "config-changed", "start"].map(str::to_owned));
        for other in others {
            wanted.push(format!("{endpoint}-relation-joined {other}"));
            wanted.push(format!("{endpoint}-relation-changed {other}"));
        }
        wanted
    };
    assert_eq!(
        of("pro/0", &ran),
        until_start("leader-elected", "data", &["req/0"])
    );
    assert_eq!(
        of("pro/1", &ran),
        until_start("leader-settings-changed", "data", &["req/0"])
    );
    assert_eq!(
        of("req/0", &ran),
        until_start("leader-elected", "db", &["pro/0", "pro/1"])
    );
}

#[test]
fn what_one_side_writes_the_other_side_is_run_for() {
    fn charm(unit: &str, hook: &HookKind) -> Vec<Vec<String>> {
        match (unit, hook.event_name().as_str()) {
            ("pro/0", "go") => calls(&["relation-set -r 1 at=a", "relation-set -r 1 --app of=b"]),
            ("req/0", "db-relation-changed") => calls(&["relation-get -r 1 at pro/0"]),
            _ => Vec::new(),
        }
    }
    let mut model = Model::pair([1, 2], charm);
    model.settle();
    model.ran.clear();
    model.run("pro/0", &HookKind::unit("go"));
    let ran = model.settle();
    let changed = ["db-relation-changed", "db-relation-changed pro/0"];
    assert_eq!(of("req/0", &ran), changed);
    assert_eq!(of("req/1", &ran), changed);
    assert!(of("pro/0", &ran).is_empty(), "{ran:?}");
    assert_eq!(model.printed["req/0 db-relation-changed"], "a");
    // The same again is no change.
    model.run("pro/0", &HookKind::unit("go"));
    assert!(model.settle().is_empty());
}

#[test]
fn a_unit_that_goes_departs_on_both_sides() {
    let mut model = Model::pair([1, 2], no_calls);
    model.settle();
    model.controller.remove_unit("req/1").unwrap();
    let ran = model.settle();
    assert_eq!(of("pro/0", &ran), ["data-relation-departed req/1 req/1"]);
    assert_eq!(
        of("req/1", &ran),
        [
            "db-relation-departed pro/0 req/1",
            "db-relation-broken",
            "stop",
            "remove"
        ]
    );
    assert!(of("req/0", &ran).is_empty(), "{ran:?}");
    assert_eq!(model.controller.units_of("req"), ["req/0"]);
    // Its successor is another unit.
    assert_eq!(model.controller.add_unit("req").unwrap(), "req/2");
}

#[test]
fn a_relation_that_is_removed_is_broken_on_both_sides() {
    let mut model = Model::pair([1, 1], no_calls);
    model.settle();
    let ends = [("pro", "data"), ("req", "db")];
    model.controller.remove_relation(ends).unwrap();
    let ran = model.settle();
    assert_eq!(
        of("pro/0", &ran),
        ["data-relation-departed req/0 req/0", "data-relation-broken"]
    );
    assert_eq!(
        of("req/0", &ran),
        ["db-relation-departed pro/0 pro/0", "db-relation-broken"]
    );
    assert!(model.controller.relations.is_empty());
    assert!(model.controller.remove_relation(ends).is_err());
    assert_eq!(model.controller.relate(ends), Ok(2));
}

#[test]
fn leadership_changes_hands() {
    let mut model = Model::pair([2, 1], no_calls);
    model.settle();
    model.controller.set_leader("pro/1").unwrap();
    let ran = model.settle();
    assert_eq!(of("pro/0", &ran), ["leader-settings-changed"]);
    assert_eq!(of("pro/1", &ran), ["leader-elected"]);
    let leads = |unit: &str| model.controller.view(unit).unwrap().leader;
    assert!(!leads("pro/0") && leads("pro/1") && leads("req/0"));
    model.controller.remove_unit("pro/1").unwrap();
    let ran = model.settle();
    assert_eq!(of("pro/0", &ran), ["leader-elected"]);
}

#[test]
fn from_juju_4_on_no_hook_follows_from_a_lost_leadership() {
    let mut model = Model::pair([2, 1], no_calls);
    model.controller.juju_version = "4.0.1".to_owned();
    model.settle();
    for (leader, other) in [("pro/1", "pro/0"), ("pro/0", "pro/1")] {
        model.controller.set_leader(leader).unwrap();
        let ran = model.settle();
        assert_eq!(of(leader, &ran), ["leader-elected"]);
        assert!(of(other, &ran).is_empty(), "{ran:?}");
    }
}

#[test]
fn an_application_goes_with_everything_that_it_has() {
    let mut model = Model::pair([2, 1], secretive);
    model.settle();
    model.controller.remove_application("pro").unwrap();
    let ran = model.settle();
    assert_eq!(
        of("req/0", &ran),
        [
            "db-relation-departed pro/0 pro/0",
            "db-relation-departed pro/1 pro/1",
            "db-relation-broken"
        ]
    );
    assert_eq!(
        of("pro/1", &ran),
        [
            "data-relation-departed req/0 pro/1",
            "data-relation-broken",
            "stop",
            "remove"
        ]
    );
    let controller = &model.controller;
    assert_eq!(controller.applications.keys().collect::<Vec<_>>(), ["req"]);
    assert!(controller.relations.is_empty() && controller.secrets.is_empty());
}

/// The leader of the provider makes a secret and changes it; the requirer reads.
fn secretive(unit: &str, hook: &HookKind) -> Vec<Vec<String>> {
    match (unit, hook.event_name().as_str()) {
        ("pro/0", "data-relation-created") => calls(&[
            "secret-add --label pw password=one",
            "secret-grant URI --relation 1",
        ]),
        ("pro/0", "go") => calls(&["secret-set URI password=two"]),
        ("pro/0", "revoke") => calls(&["secret-revoke URI --relation 1"]),
        ("pro/0", "secret-remove") => calls(&["secret-remove URI --revision 1"]),
        ("req/0", "db-relation-changed" | "look") => calls(&["secret-get URI password"]),
        ("req/0", "secret-changed") => calls(&["secret-get URI password --refresh"]),
        _ => Vec::new(),
    }
}

#[test]
fn a_secret_crosses_the_relation() {
    let mut model = Model::pair([2, 2], secretive);
    model.settle();
    assert_eq!(model.printed["req/0 db-relation-changed"], "one");
    let id = model.controller.secrets.keys().next().unwrap().clone();
    // Only who has read it is a consumer.
    let consumers = model.controller.secrets[&id].consumers.keys();
    assert_eq!(consumers.collect::<Vec<_>>(), ["pro/0", "req/0"]);

    model.run("pro/0", &HookKind::unit("go"));
    let ran = model.settle();
    assert_eq!(ran, ["req/0 secret-changed", "pro/0 secret-remove 1"]);
    assert_eq!(model.printed["req/0 secret-changed"], "two");
    assert_eq!(model.controller.secrets[&id].revisions.len(), 1);

    model.run("pro/0", &HookKind::unit("revoke"));
    model.run("req/0", &HookKind::unit("look"));
    assert_eq!(model.printed["req/0 look"], "ERROR permission denied");
}

#[test]
fn a_secret_is_kept_from_those_who_have_no_grant() {
    fn charm(unit: &str, hook: &HookKind) -> Vec<Vec<String>> {
        match (unit, hook.event_name().as_str()) {
            ("pro/0", "data-relation-created") => calls(&[
                "secret-add --owner unit password=one",
                "secret-grant URI --relation 1 --unit req/1",
            ]),
            ("req/0" | "req/1" | "pro/1", "look") => calls(&["secret-get URI password"]),
            _ => Vec::new(),
        }
    }
    let mut model = Model::pair([2, 2], charm);
    model.settle();
    for unit in ["req/0", "req/1", "pro/1"] {
        model.run(unit, &HookKind::unit("look"));
    }
    assert_eq!(model.printed["req/1 look"], "one");
    assert_eq!(model.printed["req/0 look"], "ERROR permission denied");
    assert_eq!(model.printed["pro/1 look"], "ERROR permission denied");
}

#[test]
fn only_endpoints_that_fit_are_related() {
    let mut model = Model::pair([1, 1], no_calls);
    let mut relate = |ends| model.controller.relate(ends).unwrap_err().to_string();
    for (ends, wanted) in [
        ([("pro", "data"), ("req", "db")], "they are related already"),
        (
            [("pro", "x"), ("req", "db")],
            "pro has no endpoint \"x\" to relate; it has data",
        ),
        (
            [("no", "x"), ("req", "db")],
            "there is no application \"no\"; there are pro, req",
        ),
        (
            [("pro", "data"), ("pro", "data")],
            "one of them must require what the other one provides",
        ),
    ] {
        let error = relate(ends);
        assert!(error.contains(wanted), "{ends:?} gave {error:?}");
    }
}

#[test]
fn a_unit_in_error_runs_nothing() {
    let mut model = Model::pair([1, 1], no_calls);
    let unit = model.controller.unit_mut("pro/0").unwrap();
    unit.agent.failed_hook = Some(HookKind::unit("install"));
    let ran = model.settle();
    assert!(of("pro/0", &ran).is_empty());
    let status = model.controller.shown_app_status("pro");
    assert_eq!(status.message, "hook failed: \"install\"");
}
