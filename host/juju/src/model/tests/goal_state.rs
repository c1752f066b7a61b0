//! The planned state of the model, and the cloud.

use charmhost_hook_tools::ToolError;

use super::*;
use crate::{Goal, GoalState};

const STATE: &str = "{\"units\":{\
    \"web/0\":{\"status\":\"active\",\"since\":\"2026-01-02 03:04:05Z\"},\
    \"web/1\":{\"status\":\"dying\",\"since\":\"2026-01-02 03:04:05Z\"},\
    \"web/2\":{\"status\":\"waiting\"}},\
    \"relations\":{\"db\":{\"pg\":{\"status\":\"joined\",\"since\":\"2026-01-02 03:04:05Z\"}}}}";

fn goal(name: &str, status: &str, since: Option<f64>) -> Goal {
    Goal {
        name: name.to_owned(),
        status: status.to_owned(),
        since,
    }
}

#[test]
fn dying_units_are_not_planned_and_nothing_is_cached() {
    let mut bench = Bench::new(&[("goal-state", Ok(STATE))]);
    assert_eq!(bench.model.planned_units().unwrap(), 2);
    let since = Some(1_767_323_045.0);
    let wanted = GoalState {
        units: vec![
            goal("web/0", "active", since),
            goal("web/1", "dying", since),
            goal("web/2", "waiting", None),
        ],
        relations: vec![("db".to_owned(), vec![goal("pg", "joined", since)])],
    };
    assert_eq!(bench.model.goal_state().unwrap(), wanted);
    assert_eq!(bench.calls(), ["goal-state --format=json"; 2]);
}

#[test]
fn a_goal_state_that_makes_no_sense_is_an_error() {
    for printed in [
        "null",
        "{\"units\":[]}",
        "{\"units\":{\"web/0\":{}}}",
        "{\"units\":{\"web/0\":{\"status\":\"active\",\"since\":\"today\"}}}",
        "{\"units\":{},\"relations\":[]}",
    ] {
        let answers: Answers = vec![("goal-state", Ok(printed))].leak();
        let error = Bench::new(answers).model.planned_units().unwrap_err();
        assert!(error.to_string().contains("its output is not"), "{error}");
    }
}

#[test]
fn the_cloud_is_read_with_its_credential() {
    let mut bench = Bench::new(&[(
        "credential-get",
        Ok(
            "{\"type\":\"lxd\",\"name\":\"localhost\",\"region\":\"\",\"endpoint\":\"https://10.0.0.1\",\
             \"credential\":{\"auth-type\":\"certificate\",\"attrs\":{\"key\":\"s3cret\"},\"redacted\":[\"pin\"]},\
             \"cacertificates\":[\"PEM\"],\"skip-tls-verify\":true}",
        ),
    )]);
    let spec = bench.model.cloud_spec().unwrap();
    assert_eq!(
        (spec.kind.as_str(), spec.name.as_str()),
        ("lxd", "localhost")
    );
    assert_eq!(spec.region, None);
    assert_eq!(spec.endpoint.as_deref(), Some("https://10.0.0.1"));
    assert_eq!(
        (spec.identity_endpoint, spec.storage_endpoint),
        (None, None)
    );
    assert_eq!(spec.ca_certificates, ["PEM"]);
    assert_eq!(
        (spec.skip_tls_verify, spec.is_controller_cloud),
        (true, false)
    );
    let credential = spec.credential.unwrap();
    assert_eq!(credential.auth_type, "certificate");
    assert_eq!(
        credential.attributes,
        [("key".to_owned(), "s3cret".to_owned())]
    );
    assert_eq!(credential.redacted, ["pin"]);
    assert_eq!(bench.calls(), ["credential-get --format=json"]);
}

#[test]
fn a_cloud_is_refused_or_malformed_without_its_secrets_in_the_error() {
    for printed in [
        "{\"name\":\"s3cret\"}",
        "{\"type\":\"t\",\"name\":\"n\",\"credential\":{\"attrs\":{\"key\":\"s3cret\"}}}",
        "{\"type\":\"t\",\"name\":\"n\",\"credential\":{\"auth-type\":\"x\",\"attrs\":[\"s3cret\"]}}",
        "{\"type\":\"t\",\"name\":\"n\",\"cacertificates\":\"s3cret\"}",
    ] {
        let answers: Answers = vec![("credential-get", Ok(printed))].leak();
        let error = Bench::new(answers).model.cloud_spec().err().unwrap();
        let error = error.to_string();
        assert!(
            error.starts_with("cannot run credential-get: its output has no "),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
    let refusal = Err("cannot access cloud credentials: permission denied");
    let answers: Answers = vec![("credential-get", refusal)].leak();
    let mut bench = Bench::new(answers);
    let error = bench.model.cloud_spec().err().unwrap();
    assert!(
        matches!(error, ToolError::PermissionDenied { .. }),
        "{error:?}"
    );
    let logged = bench.calls().pop().unwrap();
    assert!(logged.contains("\"authz_fail:credential-get\""), "{logged}");
}
