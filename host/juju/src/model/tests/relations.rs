//! Which relations are listed, and what is asked about them.

use charmhost_hook_tools::ToolError;

use super::*;

#[test]
fn relations_are_listed_once_and_without_the_broken_one() {
    let mut bench = Bench::in_relation_broken(&[
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
    ]);
    for _ in 0..2 {
        let listed = bench.model.relations("db").unwrap();
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
    let broken = bench.model.relation("db", 7).unwrap();
    assert!(!broken.active);
    assert_eq!(broken.app.as_deref(), Some("mysql"), "the event says it");
}

#[test]
fn a_peer_relation_is_with_this_application() {
    let mut bench = Bench::new(&[
        ("relation-ids", Ok("[\"ring:1\"]")),
        ("relation-list", Ok("[]")),
    ]);
    let listed = bench.model.relations("ring").unwrap();
    assert_eq!(listed.first().unwrap().app.as_deref(), Some("web"));
}

#[test]
fn the_relation_that_breaks_is_known_from_the_dispatch_path() {
    for (path, hook, broken) in [
        ("hooks/db-relation-broken", "", true),
        ("hooks/db-relation-broken", "db-relation-changed", true),
        ("hooks/db-relation-changed", "db-relation-broken", false),
    ] {
        let variables = [
            ("JUJU_DISPATCH_PATH", path),
            ("JUJU_HOOK_NAME", hook),
            ("JUJU_RELATION_ID", "db:7"),
        ];
        let bench = Bench::with_variables(&[], &variables);
        assert_eq!(bench.model.is_inactive("db", 7), broken, "{path} {hook:?}");
        assert!(!bench.model.is_inactive("db", 8));
    }
}

#[test]
fn the_model_of_the_remote_application_is_read_once() {
    let mut bench = Bench::new(&[("relation-model-get", Ok("{\"uuid\":\"3-4\"}"))]);
    for _ in 0..2 {
        assert_eq!(bench.model.relation_model_uuid("db", 7).unwrap(), "3-4");
    }
    let error = bench.model.relation_model_uuid("no", 7).unwrap_err();
    assert!(matches!(error, ToolError::NotFound { .. }), "{error:?}");
    assert_eq!(bench.calls(), ["relation-model-get --format=json -r db:7"]);
    for (answer, is_as_wanted) in [
        (
            Err("permission denied"),
            (|error| matches!(error, ToolError::RelationGone { .. })) as fn(&ToolError) -> bool,
        ),
        (Err("relation 7 not found"), |error| {
            matches!(error, ToolError::RelationGone { .. })
        }),
        (Ok("null"), |error| error.to_string().contains("UUID: null")),
    ] {
        let answers: Answers = vec![("relation-model-get", answer)].leak();
        let error = Bench::new(answers).model.relation_model_uuid("db", 7);
        let error = error.unwrap_err();
        assert!(is_as_wanted(&error), "{error:?}");
    }
}
