//! Who may read and write relation data, and what is sent.

use charmhost_hook_tools::ToolError;

use super::*;
use crate::{Databag, DatabagOwner, OwnDatabag};

impl Bench {
    fn read(&mut self, endpoint: &str, owner: DatabagOwner) -> Result<Databag, String> {
        let databag = self.model.relation_data(endpoint, 7, &owner);
        databag.cloned().map_err(|error| error.to_string())
    }

    fn write(
        &mut self,
        databag: OwnDatabag,
        changes: &[(&str, Option<&str>)],
    ) -> Result<(), ToolError> {
        let owned =
            |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(str::to_owned));
        let changes: Vec<_> = changes.iter().map(owned).collect();
        self.model.update_relation_data("db", 7, databag, &changes)
    }
}

fn bag(entries: &[(&str, &str)]) -> Databag {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    entries.iter().map(owned).collect()
}

#[test]
fn databags_are_read_once_and_an_applications_after_leadership() {
    let mut bench = Bench::new(&[
        ("is-leader", Ok("false")),
        ("relation-get", Ok("{\"host\":\"a\"}")),
    ]);
    for owner in [
        DatabagOwner::Unit("mysql/0".to_owned()),
        DatabagOwner::App("mysql".to_owned()),
        DatabagOwner::ThisUnit,
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
    let mut bench = Bench::new(&[
        ("is-leader", Ok("false")),
        ("relation-get", Ok("{}")),
        ("relation-ids", Ok("[\"db:7\"]")),
        ("relation-list", Ok("[\"pg/0\"]")),
    ]);
    for _ in 0..2 {
        let refused = bench.read("db", DatabagOwner::ThisApp).unwrap_err();
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
    assert_eq!(bench.read("ring", DatabagOwner::ThisApp), Ok(bag(&[])));
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
    let mut bench = Bench::new(GONE);
    let gone = bench.model.relation("db", 7).unwrap();
    assert!(!gone.active);
    bench.calls();
    assert_eq!(bench.read("db", DatabagOwner::ThisApp), Ok(bag(&[])));
    assert_eq!(bench.calls(), [read], "no leadership");
    // It was not.
    let mut bench = Bench::new(GONE);
    assert_eq!(bench.read("db", DatabagOwner::ThisApp), Ok(bag(&[])));
    let asked = ["is-leader --format=json", "relation-ids db --format=json"];
    assert_eq!(bench.calls(), [&asked[..], &[read]].concat());
    // Juju lists it, but has no units of it any more.
    let mut bench = Bench::new(&[
        ("relation-ids", Ok("[\"db:7\"]")),
        ("relation-list", Err("permission denied")),
        ("relation-get", Ok("{\"a\":\"1\"}")),
    ]);
    bench.model.relations("db").unwrap();
    bench.calls();
    assert_eq!(
        bench.read("db", DatabagOwner::ThisApp),
        Ok(bag(&[("a", "1")]))
    );
    assert_eq!(bench.calls(), [read], "no leadership");
}

#[test]
fn data_of_a_relation_that_is_gone_is_empty() {
    for complaint in ["permission denied", "relation 7 not found"] {
        let answers: Answers = match complaint {
            "permission denied" => &[("relation-get", Err("permission denied"))],
            _ => &[("relation-get", Err("relation 7 not found"))],
        };
        let mut bench = Bench::in_relation_broken(answers);
        assert_eq!(
            bench.read("db", DatabagOwner::App("mysql".to_owned())),
            Ok(bag(&[])),
            "{complaint}"
        );
        assert_eq!(bench.calls().len(), 1, "no leadership for a broken one");
    }
}

#[test]
fn a_write_sends_what_changes_and_is_seen() {
    let mut bench = Bench::new(&[("relation-get", Ok("{\"a\":\"1\",\"b\":\"2\"}"))]);
    let changes = [("a", Some("1")), ("b", None), ("c", Some("3")), ("d", None)];
    bench.write(OwnDatabag::Unit, &changes).unwrap();
    bench.write(OwnDatabag::Unit, &changes).unwrap();
    assert_eq!(
        bench.calls(),
        [
            "relation-get --format=json -r db:7 - web/0",
            "relation-set -r db:7 --file - < \"b\": \"\"\n\"c\": \"3\"\n",
        ]
    );
    assert_eq!(
        bench.read("db", DatabagOwner::ThisUnit),
        Ok(bag(&[("a", "1"), ("c", "3")]))
    );
}

#[test]
fn only_the_leader_writes_the_applications_data() {
    let mut leader = Bench::new(&[("is-leader", Ok("true")), ("relation-get", Ok("{}"))]);
    leader.write(OwnDatabag::App, &[("k", Some("v"))]).unwrap();
    assert_eq!(
        leader.calls(),
        [
            "is-leader --format=json",
            "relation-get --format=json -r db:7 --app - web",
            "relation-set -r db:7 --app --file - < \"k\": \"v\"\n",
        ]
    );
    let mut follower = Bench::new(&[("is-leader", Ok("false"))]);
    let refused = follower.write(OwnDatabag::App, &[]).unwrap_err();
    assert!(matches!(refused, ToolError::NotLeader { .. }));
    assert_eq!(follower.calls(), ["is-leader --format=json"]);
}

#[test]
fn a_failed_write_is_not_seen() {
    let mut bench = Bench::new(&[
        ("relation-get", Ok("{}")),
        ("relation-set", Err("relation 7 not found")),
    ]);
    let refused = bench
        .write(OwnDatabag::Unit, &[("k", Some("v"))])
        .unwrap_err();
    assert!(matches!(refused, ToolError::RelationGone { .. }));
    assert_eq!(bench.read("db", DatabagOwner::ThisUnit), Ok(bag(&[])));
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
    for own in [OwnDatabag::Unit, OwnDatabag::App] {
        let mut bench = Bench::new(denied);
        assert!(is_gone(bench.write(own, &[("k", Some("v"))]).unwrap_err()));
    }
    let mut bench = Bench::new(denied);
    let listed = bench.model.relations("db");
    assert!(is_gone(listed.unwrap_err()));
}

/// Juju reads the input with go-yaml, which refuses or changes some characters
/// of plain JSON, and keys of more than 1,024 characters.
#[test]
fn what_is_written_is_yaml_for_every_character() {
    let long = "k".repeat(2000);
    let mut bench = Bench::new(&[("relation-get", Ok("{}"))]);
    let value = "\u{7f}\u{80}a \u{85} b\u{2028}\u{ffff}\u{1f600}/\\\"\0";
    let changes = [("<<", Some(value)), (&long, Some("x")), ("=", Some("~"))];
    bench.write(OwnDatabag::Unit, &changes).unwrap();
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
    let mut bench = Bench::new(&[]);
    for (owner, wanted) in [
        (
            DatabagOwner::Unit("mysql".to_owned()),
            "\"mysql\" is not the name of a unit",
        ),
        (
            DatabagOwner::Unit("--x/0".to_owned()),
            "is not the name of a unit",
        ),
        (
            DatabagOwner::App("--help".to_owned()),
            "is not the name of an application",
        ),
    ] {
        let error = bench.read("db", owner).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
    let error = bench.read("bd", DatabagOwner::ThisUnit).unwrap_err();
    assert!(
        error.contains("no endpoint \"bd\": the charm has db, ring"),
        "{error}"
    );
    assert!(bench.calls().is_empty());
}
