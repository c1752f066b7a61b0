//! Secrets: the calls, and what is asked only once.

use charmhost_hook_tools::{MAX_ARGUMENT, ToolError};

use super::*;
use crate::{ContentMode, Rotation, SecretMetadata, SecretOwner, SecretReference};

const INFO: &str = "{\"9m4e2mr0ui3e8a215n4g\":{\"revision\":3,\"label\":\"mine\",\"owner\":\"unit\",\
    \"description\":\"d\",\"rotation\":\"never\",\"expiry\":\"2026-01-02T03:04:05Z\",\
    \"rotates\":\"2026-01-02T03:04:05.5Z\"}}";
const URI: &str = "secret://1-2/9m4e2mr0ui3e8a215n4g";

/// A model of an agent that adds up the changes of a hook.
fn bench(answers: Answers) -> Bench {
    Bench::with_variables(answers, &[("JUJU_VERSION", "3.6.0")])
}

fn id(id: &str) -> SecretReference {
    SecretReference::Id(id.to_owned())
}

fn label(label: &str) -> SecretReference {
    SecretReference::Label(label.to_owned())
}

fn labelled(id: &str, label: &str) -> SecretReference {
    SecretReference::Labelled {
        id: id.to_owned(),
        label: label.to_owned(),
    }
}

fn content(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    entries.iter().map(owned).collect()
}

#[test]
fn calls_about_secrets_are_those_of_ops_word_for_word() {
    let mut bench = bench(&[
        ("secret-add", Ok("secret:9m4e2mr0ui3e8a215n4g\n")),
        ("secret-info-get", Ok(INFO)),
    ]);
    let model = &mut bench.model;
    let metadata = SecretMetadata {
        label: Some("mine".to_owned()),
        description: Some("-d".to_owned()),
        expire: Some(1_767_323_045.0),
        rotate: Some(Rotation::Daily),
    };
    let values = content(&[("token", "s3cret"), ("empty", "")]);
    let added = model
        .add_secret(SecretOwner::App, &values, &metadata)
        .unwrap();
    assert_eq!(added, "secret:9m4e2mr0ui3e8a215n4g");
    let none = SecretMetadata::default();
    let values = content(&[("token", "x")]);
    model.add_secret(SecretOwner::Unit, &values, &none).unwrap();
    model.set_secret_content(&id("abc"), &values).unwrap();
    model.set_secret_info(&id(&added), &metadata).unwrap();
    let never = SecretMetadata {
        rotate: Some(Rotation::Never),
        ..none
    };
    model
        .set_secret_info(&labelled("abc", "l"), &never)
        .unwrap();
    model.grant_secret(&id("abc"), 7, None).unwrap();
    model.grant_secret(&id("abc"), 7, Some("pg/0")).unwrap();
    model.revoke_secret(&id("abc"), 7, None).unwrap();
    model.revoke_secret(&id("abc"), 7, Some("pg/0")).unwrap();
    model.remove_secret(&id("abc"), Some(2)).unwrap();
    model.remove_secret(&id("abc"), None).unwrap();
    assert_eq!(
        bench.calls(),
        [
            "secret-add --label mine --description -d --expire 2026-01-02T03:04:05Z --rotate daily --owner application token#base64=czNjcmV0 empty#file=/dev/null",
            "secret-add --owner unit token#base64=eA==",
            "secret-set --owner application secret://1-2/abc token#base64=eA==",
            "secret-set --label mine --description -d --expire 2026-01-02T03:04:05Z --rotate daily --owner application secret:9m4e2mr0ui3e8a215n4g",
            "secret-set --rotate never --owner application secret://1-2/abc",
            "secret-grant --relation 7 secret://1-2/abc",
            "secret-grant --relation 7 --unit pg/0 secret://1-2/abc",
            "secret-revoke --relation 7 secret://1-2/abc",
            "secret-revoke --relation 7 --unit pg/0 secret://1-2/abc",
            "secret-remove secret://1-2/abc --revision 2",
            "secret-remove secret://1-2/abc",
        ]
    );
}

#[test]
fn content_that_is_tracked_is_read_once() {
    let mut bench = bench(&[("secret-get", Ok("{\"b\":\"2\",\"a\":\"1\"}"))]);
    let wanted = content(&[("a", "1"), ("b", "2")]);
    let mut get = |secret: &SecretReference, mode| {
        let got = bench.model.secret_content(secret, mode).unwrap();
        assert_eq!(got.into_entries(), wanted);
    };
    use ContentMode::{Current, Peek, Refresh};
    for secret in [id("secret:abc"), label("l"), labelled("abc", "m")] {
        get(&secret, Current);
        get(&secret, Current);
    }
    get(&id(" abc "), Current);
    get(&id("secret:abc"), Peek);
    get(&id("secret:abc"), Refresh);
    get(&id("secret:abc"), Current);
    get(&label("l"), Current);
    get(&labelled("abc", "l"), Peek);
    get(&label("l"), Current);
    assert_eq!(
        bench.calls(),
        [
            "secret-get --format=json secret:abc",
            "secret-get --format=json --label l",
            "secret-get --format=json secret://1-2/abc --label m",
            "secret-get --format=json secret:abc --peek",
            "secret-get --format=json secret:abc --refresh",
            // The refresh may have changed what the label names.
            "secret-get --format=json --label l",
            "secret-get --format=json secret://1-2/abc --label l --peek",
            "secret-get --format=json --label l",
        ]
    );
}

#[test]
fn content_that_was_added_is_known_until_a_refresh() {
    let mut bench = bench(&[
        ("secret-add", Ok("secret:abc\n")),
        ("secret-get", Ok("{\"token\":\"new\"}")),
    ]);
    let model = &mut bench.model;
    let old = content(&[("token", "old")]);
    let new = content(&[("token", "new")]);
    let none = SecretMetadata::default();
    let uri = model.add_secret(SecretOwner::Unit, &old, &none).unwrap();
    model.set_secret_content(&id(&uri), &new).unwrap();
    let current = model.secret_content(&id(&uri), ContentMode::Current);
    assert_eq!(current.unwrap().into_entries(), old);
    for mode in [ContentMode::Refresh, ContentMode::Current] {
        let content = model.secret_content(&id(&uri), mode).unwrap();
        assert_eq!(content.into_entries(), new);
    }
    let read = bench.calls().split_off(2);
    assert_eq!(read, ["secret-get --format=json secret:abc --refresh"]);
}

#[test]
fn a_label_is_looked_up_once_until_labels_change() {
    let mut bench = bench(&[("secret-info-get", Ok(INFO))]);
    let model = &mut bench.model;
    model.grant_secret(&label("mine"), 7, None).unwrap();
    model.remove_secret(&label("mine"), Some(1)).unwrap();
    model.secret_info(&label("mine")).unwrap();
    let metadata = SecretMetadata {
        label: Some("other".to_owned()),
        ..SecretMetadata::default()
    };
    model.set_secret_info(&label("mine"), &metadata).unwrap();
    model.remove_secret(&label("mine"), None).unwrap();
    let info = "secret-info-get --format=json --label mine";
    assert_eq!(
        bench.calls(),
        [
            info.to_owned(),
            format!("secret-grant --relation 7 {URI}"),
            format!("secret-remove {URI} --revision 1"),
            format!("secret-info-get --format=json {URI}"),
            format!("secret-set --label other --owner application {URI}"),
            info.to_owned(),
            format!("secret-remove {URI}"),
        ]
    );
}

#[test]
fn metadata_is_read_each_time() {
    let mut bench = bench(&[("secret-info-get", Ok(INFO))]);
    for secret in [
        id("9m4e2mr0ui3e8a215n4g"),
        label("mine"),
        labelled("abc", "l"),
    ] {
        let info = bench.model.secret_info(&secret).unwrap();
        assert_eq!(info.id, URI);
        assert_eq!(info.revision, 3);
        assert_eq!(info.label.as_deref(), Some("mine"));
        assert_eq!(info.description.as_deref(), Some("d"));
        assert_eq!(info.rotation, Some(Rotation::Never));
        assert_eq!(info.expires, Some(1_767_323_045.0));
        assert_eq!(info.rotates, Some(1_767_323_045.5));
    }
    assert_eq!(
        bench.calls(),
        [
            format!("secret-info-get --format=json {URI}"),
            "secret-info-get --format=json --label mine".to_owned(),
            "secret-info-get --format=json secret://1-2/abc".to_owned(),
        ]
    );
    let unset =
        "{\"x\":{\"revision\":1,\"label\":\"\",\"owner\":\"unit\",\"rotation\":\"fortnightly\"}}";
    let answers: Answers = vec![("secret-info-get", Ok(unset))].leak();
    let info = super::Bench::new(answers)
        .model
        .secret_info(&id("x"))
        .unwrap();
    assert_eq!((info.label, info.description), (None, None));
    assert_eq!(
        (info.rotation, info.expires, info.rotates),
        (None, None, None)
    );
}

/// Older agents forget the earlier changes of a hook with each new one.
#[test]
fn an_older_agent_is_sent_everything_again() {
    for version in ["3.5.9", "3.6-beta2"] {
        let mut bench = Bench::with_variables(
            &[
                ("secret-info-get", Ok(INFO)),
                ("secret-get", Ok("{\"token\":\"latest\"}")),
            ],
            &[("JUJU_VERSION", version)],
        );
        let model = &mut bench.model;
        let secret = id("secret:abc");
        model
            .set_secret_content(&secret, &content(&[("token", "x")]))
            .unwrap();
        let description = SecretMetadata {
            description: Some("new".to_owned()),
            ..SecretMetadata::default()
        };
        model.set_secret_info(&secret, &description).unwrap();
        let complete = SecretMetadata {
            label: Some("a".to_owned()),
            description: Some("b".to_owned()),
            expire: Some(0.0),
            rotate: Some(Rotation::Yearly),
        };
        model.set_secret_info(&secret, &complete).unwrap();
        let unchanged =
            "--expire 2026-01-02T03:04:05Z --rotate never --owner application secret:abc";
        let latest = "token#base64=bGF0ZXN0";
        assert_eq!(
            bench.calls(),
            [
                "secret-info-get --format=json secret:abc".to_owned(),
                format!("secret-set --label mine --description d {unchanged} token#base64=eA=="),
                "secret-get --format=json secret:abc --peek".to_owned(),
                "secret-info-get --format=json secret:abc".to_owned(),
                format!("secret-set --label mine --description new {unchanged} {latest}"),
                "secret-get --format=json secret:abc --peek".to_owned(),
                format!(
                    "secret-set --label a --description b --expire 1970-01-01T00:00:00Z --rotate yearly --owner application secret:abc {latest}"
                ),
            ]
        );
    }
}

#[test]
fn what_ops_rejects_runs_no_tool() {
    let mut bench = bench(&[]);
    let model = &mut bench.model;
    let none = SecretMetadata::default();
    let mut errors = Vec::new();
    for bad in [
        content(&[]),
        content(&[("ab", "s3cret")]),
        content(&[("abc", "s3cret"), ("abc", "s3cret")]),
    ] {
        errors.push(
            model
                .add_secret(SecretOwner::Unit, &bad, &none)
                .unwrap_err(),
        );
        errors.push(model.set_secret_content(&id("x"), &bad).unwrap_err());
    }
    errors.push(model.set_secret_info(&id("x"), &none).unwrap_err());
    let expired = SecretMetadata {
        expire: Some(-1.0),
        ..none
    };
    errors.push(model.set_secret_info(&label("x"), &expired).unwrap_err());
    errors.push(model.remove_secret(&id("x"), Some(0)).unwrap_err());
    for error in errors {
        assert!(matches!(error, ToolError::InvalidInput { .. }), "{error:?}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert!(bench.calls().is_empty());
}

#[test]
fn failures_have_the_case_of_their_cause() {
    type Case = fn(&ToolError) -> bool;
    let cases: [(&'static str, &'static str, Case); 4] = [
        ("secret-get", "secret \"x\" not found", |error| {
            matches!(error, ToolError::NotFound { .. })
        }),
        ("secret-get", "permission denied", |error| {
            matches!(error, ToolError::PermissionDenied { .. })
        }),
        ("secret-add", "this unit is not the leader", |error| {
            matches!(error, ToolError::NotLeader { .. })
        }),
        ("secret-grant", "relation not found", |error| {
            matches!(error, ToolError::RelationGone { .. })
        }),
    ];
    for (tool, text, is_as_wanted) in cases {
        let answers: Answers = vec![(tool, Err(text))].leak();
        let mut bench = bench(answers);
        let model = &mut bench.model;
        let error = match tool {
            "secret-get" => model.secret_content(&id("x"), ContentMode::Current).err(),
            "secret-add" => {
                let values = content(&[("token", "s3cret")]);
                let added = model.add_secret(SecretOwner::App, &values, &SecretMetadata::default());
                added.err()
            }
            _ => model.grant_secret(&id("x"), 9, None).err(),
        };
        let error = error.unwrap();
        assert!(is_as_wanted(&error), "{tool}: {error:?}");
        let refused = ["permission denied", "this unit is not the leader"].contains(&text);
        let logged = bench.calls().split_off(1);
        assert_eq!(logged.len(), usize::from(refused), "{logged:?}");
        assert!(
            logged
                .iter()
                .all(|line| line.contains(&format!("authz_fail:{tool}")))
        );
    }
}

#[test]
fn uris_are_listed_in_their_order() {
    let mut bench = bench(&[("secret-ids", Ok("[\"b\",\"a\"]"))]);
    let ids = bench.model.secret_ids().unwrap();
    assert_eq!(ids, ["secret://1-2/a", "secret://1-2/b"]);
    assert_eq!(bench.calls(), ["secret-ids --format=json"]);
    assert!(
        super::Bench::new(&[("secret-ids", Ok("null"))])
            .model
            .secret_ids()
            .unwrap()
            .is_empty()
    );
    let error = super::Bench::new(&[("secret-ids", Ok("{}"))])
        .model
        .secret_ids();
    assert!(error.unwrap_err().to_string().contains("not a list of IDs"));
}

/// No program gets a value as an argument, so it may be longer than one.
#[test]
fn the_length_of_a_value_has_no_limit_of_the_host() {
    let mut bench = bench(&[("secret-add", Ok("secret:abc"))]);
    let values = content(&[("token", &"x".repeat(MAX_ARGUMENT))]);
    let none = SecretMetadata::default();
    bench
        .model
        .add_secret(SecretOwner::Unit, &values, &none)
        .unwrap();
    let call = bench.calls().pop().unwrap();
    assert!(call.len() > MAX_ARGUMENT);
    let (_, args) = call.split_once(' ').unwrap();
    let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
    assert!(bench.model.run("secret-add", &args, None).is_ok());
}
