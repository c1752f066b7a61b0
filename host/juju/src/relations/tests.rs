//! What is asked of the agent, word for word, and who may read and write what.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use charmhost_hook_tools::{MemoryTransport, ToolOutput};

type Calls = Arc<Mutex<Vec<String>>>;

/// What the tools print or complain, by how the call begins.
type Answers = &'static [(&'static str, Result<&'static str, &'static str>)];

struct Bench {
    model: Model,
    relations: Relations,
    calls: Calls,
}

impl Bench {
    /// The unit web/0 with the endpoints db and, among peers, ring.
    fn new(answers: Answers, event: Option<EventRelation>) -> Self {
        let calls = Calls::default();
        let seen = calls.clone();
        let transport =
            MemoryTransport(move |tool: &str, args: &[String], stdin: Option<&[u8]>| {
                let mut call = format!("{tool} {}", args.join(" "));
                if let Some(stdin) = stdin {
                    call.push_str(" < ");
                    call.push_str(&String::from_utf8_lossy(stdin));
                }
                let answer = answers.iter().find(|(prefix, _)| call.starts_with(prefix));
                seen.lock().unwrap().push(call);
                Ok(match answer.map(|(_, answer)| *answer) {
                    Some(Err(stderr)) => ToolOutput {
                        code: 1,
                        stderr: format!("ERROR {stderr}\n").into(),
                        ..ToolOutput::default()
                    },
                    answer => ToolOutput {
                        stdout: answer.unwrap_or(Ok("")).unwrap_or_default().into(),
                        ..ToolOutput::default()
                    },
                })
            });
        Bench {
            model: Model::new(Box::new(transport), Path::new("/nowhere")),
            relations: Relations {
                unit: "web/0".to_owned(),
                app: "web".to_owned(),
                endpoints: ["db", "ring"].map(str::to_owned).into(),
                peers: ["ring".to_owned()].into(),
                event,
                ..Relations::default()
            },
            calls,
        }
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn read(&mut self, endpoint: &str, owner: Owner) -> Result<Databag, String> {
        let bag = self.relations.read(&mut self.model, endpoint, 7, &owner);
        bag.cloned().map_err(|error| error.to_string())
    }

    fn write(&mut self, own: Own, changes: &[(&str, Option<&str>)]) -> Result<(), ToolError> {
        let owned =
            |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(str::to_owned));
        let changes: Vec<_> = changes.iter().map(owned).collect();
        self.relations
            .write(&mut self.model, "db", 7, own, &changes)
    }
}

fn event(broken: bool) -> Option<EventRelation> {
    Some(EventRelation {
        id: 7,
        app: Some("mysql".to_owned()),
        broken,
    })
}

fn bag(entries: &[(&str, &str)]) -> Databag {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    entries.iter().map(owned).collect()
}

#[test]
fn relations_are_listed_once_and_without_the_broken_one() {
    let mut bench = Bench::new(
        &[
            ("relation-ids", Ok("[\"db:7\",\"db:9\",\"db:11\"]")),
            (
                "relation-list --format=json -r db:9",
                Ok("[\"pg/1\",\"pg/0\"]"),
            ),
            ("relation-list --format=json -r db:11", Ok("[]")),
            ("relation-list --format=json -r db:7", Ok("[]")),
            (
                "relation-list --format=json --app -r db:11",
                Ok("\"maria\""),
            ),
        ],
        event(true),
    );
    for _ in 0..2 {
        let listed = bench.relations.list(&mut bench.model, "db").unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|relation| (relation.id, relation.app.as_deref(), relation.units.len()))
            .collect();
        assert_eq!(listed, [(9, Some("pg"), 2), (11, Some("maria"), 0)]);
    }
    assert_eq!(
        bench.calls(),
        [
            "relation-ids db --format=json",
            "relation-list --format=json -r db:9",
            "relation-list --format=json -r db:11",
            "relation-list --format=json --app -r db:11",
        ]
    );
    let broken = bench.relations.get(&mut bench.model, "db", 7).unwrap();
    assert!(!broken.active);
    assert_eq!(broken.app.as_deref(), Some("mysql"), "the event says it");
}

#[test]
fn a_peer_relation_is_with_the_own_application() {
    let mut bench = Bench::new(
        &[
            ("relation-ids", Ok("[\"ring:1\"]")),
            ("relation-list", Ok("[]")),
        ],
        None,
    );
    let listed = bench.relations.list(&mut bench.model, "ring").unwrap();
    assert_eq!(listed.first().unwrap().app.as_deref(), Some("web"));
}

#[test]
fn databags_are_read_once_and_an_applications_after_leadership() {
    let mut bench = Bench::new(
        &[
            ("is-leader", Ok("false")),
            ("relation-get", Ok("{\"host\":\"a\"}")),
        ],
        None,
    );
    for owner in [
        Owner::Unit("mysql/0".to_owned()),
        Owner::App("mysql".to_owned()),
        Owner::ThisUnit,
    ] {
        for _ in 0..2 {
            assert_eq!(bench.read("db", owner.clone()), Ok(bag(&[("host", "a")])));
        }
    }
    assert_eq!(
        bench.calls(),
        [
            "relation-get --format=json -r db:7 - mysql/0",
            "is-leader --format=json",
            "relation-get --format=json -r db:7 --app - mysql",
            "relation-get --format=json -r db:7 - web/0",
        ]
    );
}

#[test]
fn a_follower_may_read_its_own_applications_data_only_among_peers() {
    let mut bench = Bench::new(
        &[
            ("is-leader", Ok("false")),
            ("relation-get", Ok("{}")),
            ("relation-ids", Ok("[\"db:7\"]")),
            ("relation-list", Ok("[\"pg/0\"]")),
        ],
        None,
    );
    for _ in 0..2 {
        let refused = bench.read("db", Owner::ThisApp).unwrap_err();
        assert!(refused.contains("web/0 is not the leader"), "{refused}");
    }
    assert_eq!(
        bench.calls(),
        [
            "is-leader --format=json",
            "relation-ids db --format=json",
            "relation-list --format=json -r db:7",
        ]
    );
    assert_eq!(bench.read("ring", Owner::ThisApp), Ok(bag(&[])));
}

#[test]
fn databags_of_a_relation_that_is_not_active_are_free() {
    const GONE: Answers = &[
        ("relation-ids", Ok("[]")),
        ("is-leader", Ok("false")),
        ("relation-list", Err("relation 7 not found")),
        ("relation-get", Err("relation 7 not found")),
    ];
    let read = "relation-get --format=json -r db:7 --app - web";
    // It was looked at before.
    let mut bench = Bench::new(GONE, None);
    let gone = bench.relations.get(&mut bench.model, "db", 7).unwrap();
    assert!(!gone.active);
    bench.calls();
    assert_eq!(bench.read("db", Owner::ThisApp), Ok(bag(&[])));
    assert_eq!(bench.calls(), [read], "no leadership");
    // It was not.
    let mut bench = Bench::new(GONE, None);
    assert_eq!(bench.read("db", Owner::ThisApp), Ok(bag(&[])));
    let asked = ["is-leader --format=json", "relation-ids db --format=json"];
    assert_eq!(bench.calls(), [&asked[..], &[read]].concat());
    // Juju lists it, but has no units of it any more.
    let mut bench = Bench::new(
        &[
            ("relation-ids", Ok("[\"db:7\"]")),
            ("relation-list", Err("permission denied")),
            ("relation-get", Ok("{\"a\":\"1\"}")),
        ],
        None,
    );
    bench.relations.list(&mut bench.model, "db").unwrap();
    bench.calls();
    assert_eq!(bench.read("db", Owner::ThisApp), Ok(bag(&[("a", "1")])));
    assert_eq!(bench.calls(), [read], "no leadership");
}

#[test]
fn the_relation_that_breaks_is_known_from_the_dispatch_path() {
    let dir = tempfile::tempdir().unwrap();
    let metadata = "name: x\nrequires: {db: {interface: pg}}\n";
    std::fs::write(dir.path().join("metadata.yaml"), metadata).unwrap();
    let metadata = Metadata::load(dir.path()).unwrap();
    for (path, hook, broken) in [
        ("hooks/db-relation-broken", "", true),
        ("hooks/db-relation-broken", "db-relation-changed", true),
        ("hooks/db-relation-changed", "db-relation-broken", false),
    ] {
        let vars = [
            ("JUJU_DISPATCH_PATH", path),
            ("JUJU_HOOK_NAME", hook),
            ("JUJU_RELATION_ID", "db:7"),
        ];
        let var = |name: &str| vars.iter().find(|(known, _)| *known == name);
        let environment = Environment::read(|name| var(name).map(|(_, value)| value.into()));
        let relations = Relations::new(&environment.unwrap(), &metadata);
        assert_eq!(relations.is_broken(7), broken, "{path} {hook:?}");
        assert!(!relations.is_broken(8));
    }
}

#[test]
fn data_of_a_relation_that_is_gone_is_empty() {
    for complaint in ["permission denied", "relation 7 not found"] {
        let answers: Answers = match complaint {
            "permission denied" => &[("relation-get", Err("permission denied"))],
            _ => &[("relation-get", Err("relation 7 not found"))],
        };
        let mut bench = Bench::new(answers, event(true));
        assert_eq!(
            bench.read("db", Owner::App("mysql".to_owned())),
            Ok(bag(&[])),
            "{complaint}"
        );
        assert_eq!(bench.calls().len(), 1, "no leadership for a broken one");
    }
}

#[test]
fn a_write_sends_what_changes_and_is_seen() {
    let mut bench = Bench::new(&[("relation-get", Ok("{\"a\":\"1\",\"b\":\"2\"}"))], None);
    let changes = [("a", Some("1")), ("b", None), ("c", Some("3")), ("d", None)];
    bench.write(Own::Unit, &changes).unwrap();
    bench.write(Own::Unit, &changes).unwrap();
    assert_eq!(
        bench.calls(),
        [
            "relation-get --format=json -r db:7 - web/0",
            "relation-set -r db:7 --file - < \"b\": \"\"\n\"c\": \"3\"\n",
        ]
    );
    assert_eq!(
        bench.read("db", Owner::ThisUnit),
        Ok(bag(&[("a", "1"), ("c", "3")]))
    );
}

#[test]
fn only_the_leader_writes_the_applications_data() {
    let mut leader = Bench::new(
        &[("is-leader", Ok("true")), ("relation-get", Ok("{}"))],
        None,
    );
    leader.write(Own::App, &[("k", Some("v"))]).unwrap();
    assert_eq!(
        leader.calls(),
        [
            "is-leader --format=json",
            "relation-get --format=json -r db:7 --app - web",
            "relation-set -r db:7 --app --file - < \"k\": \"v\"\n",
        ]
    );
    let mut follower = Bench::new(&[("is-leader", Ok("false"))], None);
    let refused = follower.write(Own::App, &[]).unwrap_err();
    assert!(matches!(refused, ToolError::NotLeader { .. }));
    assert_eq!(follower.calls(), ["is-leader --format=json"]);
}

#[test]
fn a_failed_write_is_not_seen() {
    let mut bench = Bench::new(
        &[
            ("relation-get", Ok("{}")),
            ("relation-set", Err("relation 7 not found")),
        ],
        None,
    );
    let refused = bench.write(Own::Unit, &[("k", Some("v"))]).unwrap_err();
    assert!(matches!(refused, ToolError::RelationGone { .. }));
    assert_eq!(bench.read("db", Owner::ThisUnit), Ok(bag(&[])));
}

/// What Juju denies is gone, but for what a follower is denied of its own
/// application (ops §8.1).
#[test]
fn a_denied_relation_is_gone() {
    let denied: Answers = &[
        ("is-leader", Ok("true")),
        ("relation-ids", Err("permission denied")),
        ("relation-get", Ok("{}")),
        ("relation-set", Err("permission denied")),
    ];
    let is_gone = |error| matches!(error, ToolError::RelationGone { .. });
    for own in [Own::Unit, Own::App] {
        let mut bench = Bench::new(denied, None);
        assert!(is_gone(bench.write(own, &[("k", Some("v"))]).unwrap_err()));
    }
    let mut bench = Bench::new(denied, None);
    let listed = bench.relations.list(&mut bench.model, "db");
    assert!(is_gone(listed.unwrap_err()));
}

/// Juju reads the input with go-yaml, which refuses or changes some characters
/// of plain JSON, and keys of more than 1,024 characters.
#[test]
fn what_is_written_is_yaml_for_every_character() {
    let long = "k".repeat(2000);
    let mut bench = Bench::new(&[("relation-get", Ok("{}"))], None);
    let value = "\u{7f}\u{80}a \u{85} b\u{2028}\u{ffff}\u{1f600}/\\\"\0";
    let changes = [("<<", Some(value)), (&long, Some("x")), ("=", Some("~"))];
    bench.write(Own::Unit, &changes).unwrap();
    let calls = bench.calls();
    let (_, sent) = calls[1].split_once(" < ").unwrap();
    let written = "\\x7f\\x80a \\x85 b\\u2028\\uffff\\U0001f600/\\\\\\\"\\x00";
    let wanted = [
        format!("\"<<\": \"{written}\"\n"),
        format!("? \"{long}\"\n: \"x\"\n"),
        "\"=\": \"~\"\n".to_owned(),
    ];
    assert_eq!(sent, wanted.concat());
}

#[test]
fn names_are_checked_before_anything_is_asked() {
    let mut bench = Bench::new(&[], None);
    for (owner, wanted) in [
        (
            Owner::Unit("mysql".to_owned()),
            "\"mysql\" is not the name of a unit",
        ),
        (Owner::Unit("--x/0".to_owned()), "is not the name of a unit"),
        (
            Owner::App("--help".to_owned()),
            "is not the name of an application",
        ),
    ] {
        let error = bench.read("db", owner).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
    let error = bench.read("bd", Owner::ThisUnit).unwrap_err();
    assert!(
        error.contains("no endpoint \"bd\": the charm has db, ring"),
        "{error}"
    );
    assert!(bench.calls().is_empty());
}
